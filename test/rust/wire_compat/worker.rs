//! A Node started as a cluster worker by our own spawn, and spoken to by our own channel.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use egg_clutch::sys::Watched;
use egg_clutch::sys::spawn::{Child, ExitStatus, SpawnRequest, spawn};
use egg_clutch::sys::unix_socket::channel_pair;
use egg_clutch::transport::channel::node_protocol::{self as protocol, Incoming, PrimaryRequest};
use egg_clutch::transport::channel::{Frame, Outgoing, Receiver, Sender, open};
use serde_json::Value;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/test/rust/wire_compat/worker.js");

/// The Nodes to try.
pub fn nodes() -> Vec<PathBuf> {
    if let Some(list) = std::env::var_os("NODE_BINARIES") {
        return std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let node = std::env::split_paths(&path).map(|directory| directory.join("node")).find(|node| node.is_file());
    vec![node.expect("there is no node on the path; name one with NODE_BINARIES")]
}

pub struct Worker {
    child: Child,
    receiver: Receiver,
    sender: Sender,
    output: std::io::PipeReader,
    /// Frames that came before the one that was looked for.
    earlier: VecDeque<Frame>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Gone already, or not needed any more.
        let _ = self.child.send_signal(egg_clutch::sys::child::Signal::KILL);
    }
}

impl Worker {
    pub fn start(node: &Path) -> Self {
        let (ours, theirs) = channel_pair().unwrap();
        let (output, child_output) = std::io::pipe().unwrap();
        let args = [OsString::from(SCRIPT)];
        let mut env =
            std::env::vars_os().map(|(name, value)| [name, value].join(std::ffi::OsStr::new("="))).collect::<Vec<_>>();
        env.extend(
            ["NODE_CHANNEL_FD=3", "NODE_CHANNEL_SERIALIZATION_MODE=json", "NODE_UNIQUE_ID=7"].map(OsString::from),
        );
        let request = SpawnRequest {
            program: node.as_os_str(),
            args: &args,
            env: &env,
            inherit: &[(theirs.as_fd(), 3), (child_output.as_fd(), 1)],
            die_with_parent: true,
        };
        let child = spawn(&request).unwrap();
        let (receiver, sender) = open(ours, 1 << 28).unwrap();
        let writer = sender.clone();
        tokio::task::spawn_local(async move { writer.run().await.unwrap() });
        Self { child, receiver, sender, output, earlier: VecDeque::new() }
    }

    pub fn child(&self) -> &Child {
        &self.child
    }

    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    pub fn push(&self, frame: Bytes) {
        self.sender.push(Outgoing::new(frame)).unwrap();
    }

    pub fn push_with(&self, frame: Bytes, descriptor: OwnedFd) {
        self.sender.push(Outgoing::with_descriptor(frame, Rc::new(descriptor))).unwrap();
    }

    pub fn order(&self, order: Value) {
        self.push(protocol::user_message(&serde_json::value::to_raw_value(&order).unwrap()));
    }

    /// Waits until the socket has taken all that was pushed.
    pub async fn flushed(&self) {
        while self.sender.queued_bytes() > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Blocks until the worker has printed this.
    pub fn wait_for_output(&mut self, expected: &str) {
        let mut printed = vec![0; expected.len()];
        self.output.read_exact(&mut printed).unwrap();
        assert_eq!(String::from_utf8_lossy(&printed), expected);
    }

    /// Takes the first frame that `pick` wants; the others stay for later, in their order.
    pub async fn frame<T>(&mut self, mut pick: impl FnMut(&mut Frame) -> Option<T>) -> T {
        for index in 0..self.earlier.len() {
            if let Some(found) = pick(&mut self.earlier[index]) {
                self.earlier.remove(index);
                return found;
            }
        }
        loop {
            let Some(mut frame) = self.receiver.next().await.unwrap() else {
                panic!("the worker has gone; it had said {:?}", self.earlier);
            };
            match pick(&mut frame) {
                Some(found) => return found,
                None => self.earlier.push_back(frame),
            }
        }
    }

    pub async fn request<T>(&mut self, mut pick: impl FnMut(PrimaryRequest) -> Option<T>) -> T {
        self.frame(|frame| match protocol::parse(&frame.line).unwrap() {
            Incoming::Cluster(request) => pick(request),
            _ => None,
        })
        .await
    }

    /// Waits until the worker has the last handle.
    pub async fn handle_ack(&mut self) {
        self.frame(|frame| matches!(protocol::parse(&frame.line), Ok(Incoming::HandleAck)).then_some(())).await;
    }

    /// A message that came with a handle.
    pub async fn handle(&mut self) -> (String, Value, OwnedFd) {
        self.frame(|frame| match protocol::parse(&frame.line).unwrap() {
            Incoming::WithHandle { kind, message } => {
                let (kind, message) = (kind.into_owned(), serde_json::from_str(message.get()).unwrap());
                Some((kind, message, frame.descriptor.take().unwrap()))
            }
            _ => None,
        })
        .await
    }

    /// The next message of the script's own.
    pub async fn next_told(&mut self) -> Value {
        self.frame(|frame| message(frame)).await
    }

    pub async fn told(&mut self, id: &str, event: &str) -> Value {
        self.frame(|frame| message(frame).filter(|message| message["id"] == id && message["event"] == event)).await
    }

    /// Whether this has been read already; waits for nothing.
    pub fn has_told(&self, id: &str, event: &str) -> bool {
        let mut told = self.earlier.iter().filter_map(message);
        told.any(|message| message["id"] == id && message["event"] == event)
    }

    /// Reads what still comes until the worker has closed.
    pub async fn end_of_channel(&mut self) {
        while let Some(frame) = self.receiver.next().await.unwrap() {
            self.earlier.push_back(frame);
        }
    }

    pub async fn end(&self) -> ExitStatus {
        let ended = Watched::new(self.child.pidfd().try_clone_to_owned().unwrap()).unwrap();
        let _ready = ended.readable().await.unwrap();
        self.child.try_reap().unwrap().unwrap()
    }

    /// All that the worker has printed; call after its end.
    pub fn output(&mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        text
    }
}

fn message(frame: &Frame) -> Option<Value> {
    match protocol::parse(&frame.line).unwrap() {
        Incoming::Message(message) => Some(serde_json::from_str(message.get()).unwrap()),
        _ => None,
    }
}
