//! A child that is a thread of this process. JavaScript makes it, speaks with it and ends it, on the main thread; this is how it
//! is asked to, by events through the sink. What it answers comes in as [`ThreadNews`].

use bytes::Bytes;
use serde_json::json;

use super::Sink;
use super::children::Push;
use crate::message::address::{Origin, Seat, Target};

/// A thread between JavaScript and the master: given before the thread exists, and never twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadKey(pub u32);

/// The place where JavaScript keeps a message until it hears whom it is for. Payloads stay there; only headers come here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub u32);

/// What JavaScript tells of the threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadNews {
    /// It runs.
    Started {
        /// The thread.
        thread: ThreadKey,
        /// Its id in Node, which is its address in messages.
        id: u32,
    },
    /// It could not be made.
    NotStarted {
        /// The thread.
        thread: ThreadKey,
        /// Why.
        reason: String,
    },
    /// It sent a message; always answered with a `thread-relay`.
    Said {
        /// The thread.
        thread: ThreadKey,
        /// Where the message lies.
        ticket: Ticket,
        /// What routing needs of it, as the JSON text of a message.
        header: String,
    },
    /// It has ended, and all that it sent has been told.
    Exited {
        /// The thread.
        thread: ThreadKey,
        /// Its exit code.
        code: i32,
    },
}

/// A thread that runs.
pub(super) struct ChildThread {
    key: ThreadKey,
    id: u32,
    sink: Sink,
}

impl ChildThread {
    pub(super) fn new(key: ThreadKey, id: u32, sink: Sink) -> Self {
        Self { key, id, sink }
    }

    pub(super) fn key(&self) -> ThreadKey {
        self.key
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Sends it a message that exists as text only.
    pub(super) fn post(&self, frame: &[Bytes; 2]) -> Push {
        let bytes = frame.concat();
        let message = String::from_utf8_lossy(&bytes);
        let thread = self.key.0;
        (self.sink)(format!(r#"{{"type":"thread-post","thread":{thread},"message":{}}}"#, message.trim_end()));
        Push::Taken
    }

    /// Ends it, wherever its JavaScript is.
    pub(super) fn terminate(&self) {
        (self.sink)(json!({ "type": "thread-terminate", "thread": self.key.0 }).to_string());
    }
}

/// Asks for a thread in this seat.
pub(super) fn ask_for(sink: &Sink, key: ThreadKey, seat: Seat) {
    sink(json!({ "type": "thread-start", "thread": key.0, "slot": seat.slot() }).to_string());
}

/// Says where a message goes that JavaScript keeps: to these threads, or by the word in `to` to the master or its parent.
/// Nowhere, where there are no threads and no such word.
pub(super) fn relay(sink: &Sink, ticket: Ticket, from: Origin, to: Option<Target>, threads: &[ThreadKey]) {
    sink(relay_event(ticket, from, to, threads).to_string());
}

/// As [`relay`], of a message to apps that is kept for those that are started later: see [`replay`] and [`forget`].
pub(super) fn relay_and_keep(sink: &Sink, ticket: Ticket, from: Origin, threads: &[ThreadKey]) {
    let mut event = relay_event(ticket, from, Some(Target::Apps), threads);
    event["keep"] = json!(true);
    sink(event.to_string());
}

fn relay_event(ticket: Ticket, from: Origin, to: Option<Target>, threads: &[ThreadKey]) -> serde_json::Value {
    let threads: Vec<u32> = threads.iter().map(|thread| thread.0).collect();
    let (from, to) = (from.as_str(), to.map(Target::as_str));
    json!({ "type": "thread-relay", "ticket": ticket.0, "from": from, "to": to, "threads": threads })
}

/// Has a message that is kept sent to one thread more.
pub(super) fn replay(sink: &Sink, ticket: Ticket, thread: ThreadKey) {
    sink(json!({ "type": "thread-replay", "ticket": ticket.0, "thread": thread.0 }).to_string());
}

/// A message need not be kept any more.
pub(super) fn forget(sink: &Sink, ticket: Ticket) {
    sink(json!({ "type": "thread-forget", "ticket": ticket.0 }).to_string());
}
