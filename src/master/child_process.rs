//! A child that is a process: how it is forked, the tasks that listen to it, and the signals it gets.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::children::{Push, Tree, kill_all};
use super::config::MasterConfig;
use super::lanes::LaneOffer;
use super::shell::{Happening, spawn_task};
use super::switchboard::Invitation;
use crate::message::address::{Occupant, Seat, WorkerId};
use crate::slot::Exit;
use crate::sys::Watched;
use crate::sys::process_tree::{self, Descendant};
use crate::sys::pulse::PulseReader;
use crate::sys::shared_memory;
use crate::sys::spawn::{self, Child, ExitStatus, Signal, SpawnRequest, Usage};
use crate::sys::unix_socket;
use crate::transport::channel::{self, Outgoing, Receiver, Sender};

/// The descriptor number of the channel in the child; the first after the standard ones, as libuv gives it.
const CHANNEL_FD: i32 = 3;
/// And that of the socket to the switchboard.
const SWITCHBOARD_FD: i32 = 4;
/// What tells the worker of it; the worker takes it out of its environment at once, so that its own children do not see it.
const SWITCHBOARD_VARIABLE: &str = "EGG_CLUTCH_SWITCHBOARD";
/// The page on which it says what it does, and the bell by which it is asked for its stack.
const PULSE_FDS: [i32; 2] = [5, 6];
/// And what tells the worker of them.
const PULSE_VARIABLE: &str = "EGG_CLUTCH_PULSE";

/// The descriptor number of the lane.
const LANE_FD: i32 = 7;
/// And what tells the worker of it.
const LANE_VARIABLE: &str = "EGG_CLUTCH_LANE";

/// Tells what is loaded before an entry that is not ours that this is the worker itself, and none of its children.
const ENTRY_VARIABLE: &str = "EGG_CLUTCH_ENTRY";

/// By which JavaScript says that the folder in `NODE_COMPILE_CACHE` is our choice.
const COMPILE_CACHE_VARIABLE: &str = "EGG_CLUTCH_COMPILE_CACHE";

/// The worker's ends of what it is forked with besides its channel.
pub(super) struct Ends<'a> {
    pub(super) switchboard: Option<&'a Invitation>,
    pub(super) lane: Option<&'a LaneOffer>,
}

/// A forked worker and our end of its channel.
pub(super) struct ChildProcess {
    sender: Sender,
    child: Rc<Child>,
    pulse: Option<Rc<PulseReader>>,
}

/// Forks a worker and starts the tasks that listen to it.
///
/// # Errors
/// A sentence that names the step that failed.
pub(super) fn start(
    config: &MasterConfig,
    who: Occupant,
    number: WorkerId,
    ends: &Ends<'_>,
    happenings: &mpsc::Sender<Happening>,
) -> Result<ChildProcess, String> {
    let (ours, theirs) = unix_socket::channel_pair().map_err(|error| super::chain(&error))?;
    let args = arguments(config, who, number);
    let mut env = environment(config, who, number);
    // Node marks its standard descriptors close-on-exec, so they are handed over by name like the channel.
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let mut inherit = vec![(stdin.as_fd(), 0), (stdout.as_fd(), 1), (stderr.as_fd(), 2), (theirs.as_fd(), CHANNEL_FD)];
    if let Some(Invitation { peer, theirs, .. }) = ends.switchboard {
        inherit.push((theirs.as_fd(), SWITCHBOARD_FD));
        env.push(format!("{SWITCHBOARD_VARIABLE}={SWITCHBOARD_FD}:{}:{}", peer.place.0, peer.generation.0).into());
    }
    // Without a page it serves as well; it is just not watched.
    let is_possible = !config.entry(who).is_restored && shared_memory::refusal().is_none();
    let (pulse, offer) = is_possible
        .then(|| PulseReader::reserve().ok())
        .flatten()
        .map(|(reader, offer)| (Rc::new(reader), offer))
        .unzip();
    if let Some(offer) = &offer {
        inherit.extend(offer.descriptors().into_iter().zip(PULSE_FDS));
        env.push(format!("{PULSE_VARIABLE}={}:{}", PULSE_FDS[0], PULSE_FDS[1]).into());
    }
    let entry = config.entry(who);
    if !entry.is_restored && !entry.exec_argv.is_empty() {
        env.push(format!("{ENTRY_VARIABLE}=on").into());
    }
    if let Some(LaneOffer { theirs, .. }) = ends.lane {
        inherit.push((theirs.as_fd(), LANE_FD));
        env.push(format!("{LANE_VARIABLE}={LANE_FD}").into());
    }
    let request =
        SpawnRequest { program: &config.exec_path, args: &args, env: &env, inherit: &inherit, die_with_parent: true };
    let child = Rc::new(spawn::spawn(&request).map_err(|error| super::chain(&error))?);
    drop(theirs);
    // A child that cannot be listened to must not run on unseen.
    let (receiver, sender, watched) = watch(&child, ours, config.max_queue).inspect_err(|_| child.end())?;
    spawn_task(happenings, listen(who, receiver, happenings.clone()));
    spawn_task(happenings, write(who, sender.clone(), happenings.clone()));
    spawn_task(happenings, wait_for_exit(who, watched, Rc::clone(&child), happenings.clone()));
    Ok(ChildProcess { sender, child, pulse })
}

fn watch(child: &Child, channel: OwnedFd, max_queue: usize) -> Result<(Receiver, Sender, Watched), String> {
    let (receiver, sender) = channel::open(channel, max_queue).map_err(|error| super::chain(&error))?;
    let pidfd = child.pidfd().try_clone_to_owned().map_err(|error| super::chain(&error))?;
    let watched = Watched::for_reading(pidfd).map_err(|error| super::chain(&error))?;
    Ok((receiver, sender, watched))
}

impl ChildProcess {
    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    pub(super) fn pulse(&self) -> Option<Rc<PulseReader>> {
        self.pulse.clone()
    }

    /// SIGTERM to the process and all its descendants; `TreeGone` follows when the descendants are gone.
    pub(super) fn terminate(&self, who: Occupant, happenings: &mpsc::Sender<Happening>) -> Tree {
        // Listed before the first signal: a child that dies hands its own children to somebody else.
        let descendants = Rc::new(process_tree::descendants(self.pid()));
        let tree = Tree::of(Rc::clone(&descendants));
        self.signal(Signal::TERM);
        for descendant in descendants.iter() {
            let _ = descendant.send_signal(Signal::TERM);
        }
        let told = happenings.clone();
        spawn_task(happenings, async move {
            for descendant in descendants.iter() {
                wait_until_gone(descendant).await;
            }
            let _ = told.send(Happening::TreeGone { who }).await;
        });
        tree
    }

    /// SIGKILL to the descendants that are there now. Only while it has not been reaped: its number may be somebody else's then.
    pub(super) fn kill_descendants(&self) {
        kill_all(&process_tree::descendants(self.pid()));
    }

    /// SIGKILL to the process.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Puts a frame into its queue, unless the queue is full.
    pub(super) fn push(&self, frame: &[Bytes; 2]) -> Push {
        let outgoing = Outgoing { parts: frame.clone(), descriptor: None };
        if self.sender.push(outgoing).is_ok() { Push::Taken } else { Push::Refused }
    }

    /// As [`ChildProcess::push`], for a frame of Node's own protocol.
    pub(super) fn push_own(&self, outgoing: Outgoing) -> Push {
        match self.sender.push_own(outgoing) {
            Ok(()) => Push::Taken,
            Err(_) if self.sender.is_closed() => Push::Closed,
            Err(_) => Push::Refused,
        }
    }

    /// Closes its channel at once.
    pub(super) fn close(&self) {
        self.sender.close_now();
    }

    fn signal(&self, signal: Signal) {
        // One that has just ended cannot be signalled, and need not be.
        let _ = self.child.send_signal(signal);
    }
}

fn arguments(config: &MasterConfig, who: Occupant, number: WorkerId) -> Vec<OsString> {
    let mut args = config.exec_argv.clone();
    let entry = config.entry(who);
    args.extend_from_slice(&entry.exec_argv);
    if let Some(port) = inspect_port(config, who, number) {
        args.push(format!("--inspect-port={port}").into());
    }
    args.push(entry.script.clone());
    args.push(config.options_json.clone().into());
    args
}

/// The inspect port that a worker is given, where it is given one.
pub(super) fn inspect_port(config: &MasterConfig, who: Occupant, number: WorkerId) -> Option<u16> {
    if who.is_agent() {
        return config.is_debug.then_some(config.agent_inspect_port);
    }
    config.has_inspect_flag().then(|| worker_inspect_port(config, number))
}

/// The port after the master's for the first worker, the next for the second; past 65535 Node goes on at 1024.
pub(super) fn worker_inspect_port(config: &MasterConfig, number: WorkerId) -> u16 {
    let wanted = u32::from(config.inspect_port) + number.0;
    let range = u32::from(u16::MAX) + 1 - 1024;
    let wrapped = if wanted <= u32::from(u16::MAX) { wanted } else { 1024 + (wanted - 1024) % range };
    u16::try_from(wrapped).unwrap_or(1024)
}

fn environment(config: &MasterConfig, who: Occupant, number: WorkerId) -> Vec<OsString> {
    const OURS: [&str; 10] = [
        "NODE_CHANNEL_FD",
        "NODE_CHANNEL_SERIALIZATION_MODE",
        "NODE_UNIQUE_ID",
        "CFORK_WORKER_INDEX",
        "CFORK_WORKER_COUNT",
        SWITCHBOARD_VARIABLE,
        PULSE_VARIABLE,
        LANE_VARIABLE,
        ENTRY_VARIABLE,
        COMPILE_CACHE_VARIABLE,
    ];
    // Only what takes it out of its environment again is told that the cache is ours.
    let ours = if config.entry(who).is_restored { &OURS[..] } else { &OURS[..OURS.len() - 1] };
    let is_ours = |pair: &OsString| {
        let bytes = pair.as_encoded_bytes();
        ours.iter().any(|name| bytes.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")))
    };
    let mut env: Vec<OsString> = config.env.iter().filter(|pair| !is_ours(pair)).cloned().collect();
    env.push(format!("NODE_CHANNEL_FD={CHANNEL_FD}").into());
    env.push("NODE_CHANNEL_SERIALIZATION_MODE=json".into());
    if let Seat::App(slot) = who.seat {
        env.push(format!("NODE_UNIQUE_ID={number}").into());
        env.push(format!("CFORK_WORKER_INDEX={}", slot.0).into());
        env.push(format!("CFORK_WORKER_COUNT={}", config.workers).into());
    }
    env
}

async fn listen(who: Occupant, mut receiver: Receiver, happenings: mpsc::Sender<Happening>) {
    let fault = loop {
        match receiver.next().await {
            Ok(Some(frame)) => {
                if happenings.send(Happening::Frame { who, frame }).await.is_err() {
                    return;
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(super::chain(&error)),
        }
    };
    let _ = happenings.send(Happening::ChannelEnded { who, fault }).await;
}

async fn write(who: Occupant, sender: Sender, happenings: mpsc::Sender<Happening>) {
    if let Err(error) = sender.run().await {
        let _ = happenings.send(Happening::ChannelEnded { who, fault: Some(super::chain(&error)) }).await;
    }
}

async fn wait_for_exit(who: Occupant, pidfd: Watched, child: Rc<Child>, happenings: mpsc::Sender<Happening>) {
    loop {
        let Ok(mut ready) = pidfd.readable().await else { return };
        match child.try_reap() {
            Ok(Some(status)) => {
                let core_dumped = matches!(status, ExitStatus::Signal { core_dumped: true, .. });
                let usage = child.usage();
                let _ = happenings.send(Happening::Exited { who, exit: exit_of(status), core_dumped, usage }).await;
                return;
            }
            Ok(None) => ready.clear_ready(),
            Err(error) => {
                // Somebody else reaped it: how it ended is lost, that it ended is not.
                tracing::error!("[master] the end of process {} could not be read: {error}", child.pid());
                let usage = Usage::default();
                let happening = Happening::Exited { who, exit: Exit::Code(-1), core_dumped: false, usage };
                let _ = happenings.send(happening).await;
                return;
            }
        }
    }
}

async fn wait_until_gone(descendant: &Descendant) {
    let Ok(pidfd) = descendant.pidfd().try_clone_to_owned() else { return };
    if let Ok(watched) = Watched::for_reading(pidfd) {
        let _ = watched.readable().await;
    }
}

pub(super) fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal_name()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(-1),
    }
}
