//! One child of the master, as the shell sees it: what can be asked of it, and what is kept of it until it is buried.
//!
//! How it is started and heard of lies beside this file, by what it is made of: `child_process`, `child_thread`.

use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::child_process::ChildProcess;
use super::child_thread::{ChildThread, ThreadKey};
use super::shell::Happening;
use crate::message::address::{Occupant, WorkerId};
use crate::slot::Exit;
use crate::sys::process_tree::Descendant;
use crate::sys::pulse::PulseReader;
use crate::sys::spawn::Signal;
use crate::transport::channel::Outgoing;

/// A child that has been started and not been buried.
pub(super) struct Running {
    pub(super) number: WorkerId,
    /// True while its channel is open.
    pub(super) has_channel: bool,
    /// Its end, once seen; told on when its channel has been read to its end.
    pub(super) exit: Option<Exit>,
    body: Body,
}

/// What a child is made of.
pub(super) enum Body {
    Process(ChildProcess),
    Thread(ChildThread),
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Push {
    Taken,
    /// Its queue is full.
    Refused,
    /// Nothing goes there any more.
    Closed,
}

/// The descendants of a process that was asked to leave. They may outlive it, so they are kept apart from it.
pub(super) struct Tree(Rc<Vec<Descendant>>);

impl Tree {
    pub(super) fn of(descendants: Rc<Vec<Descendant>>) -> Self {
        Self(descendants)
    }

    /// SIGKILL to those that are still there.
    pub(super) fn kill(&self) {
        kill_all(&self.0);
    }
}

impl Running {
    pub(super) fn new(number: WorkerId, body: Body) -> Self {
        Self { number, has_channel: true, exit: None, body }
    }

    /// Its address in messages and in the log: a pid, or the id of a thread.
    pub(super) fn pid(&self) -> u32 {
        match &self.body {
            Body::Process(process) => process.pid(),
            Body::Thread(thread) => thread.id(),
        }
    }

    /// What its main thread does, where it is a process and has a page to say so.
    pub(super) fn pulse(&self) -> Option<Rc<PulseReader>> {
        match &self.body {
            Body::Process(process) => process.pulse(),
            Body::Thread(_) => None,
        }
    }

    /// Its name between JavaScript and us, where it is a thread.
    pub(super) fn thread(&self) -> Option<ThreadKey> {
        match &self.body {
            Body::Process(_) => None,
            Body::Thread(thread) => Some(thread.key()),
        }
    }

    /// Sends one message.
    pub(super) fn push(&self, frame: &[Bytes; 2]) -> Push {
        match &self.body {
            Body::Process(process) => process.push(frame),
            Body::Thread(thread) => thread.post(frame),
        }
    }

    /// Sends a frame of Node's own protocol.
    pub(super) fn push_own(&self, outgoing: Outgoing) -> Push {
        match &self.body {
            Body::Process(process) => process.push_own(outgoing),
            Body::Thread(_) => Push::Closed,
        }
    }

    /// Nothing that it says is heard any more, and nothing goes there.
    pub(super) fn close(&mut self) {
        self.has_channel = false;
        if let Body::Process(process) = &self.body {
            process.close();
        }
    }

    /// Asks it and all its descendants to leave; `TreeGone` follows when the descendants are gone. Without an answer it has none.
    pub(super) fn terminate(&self, who: Occupant, happenings: &mpsc::Sender<Happening>) -> Option<Tree> {
        match &self.body {
            Body::Process(process) => Some(process.terminate(who, happenings)),
            Body::Thread(thread) => {
                thread.terminate();
                None
            }
        }
    }

    /// Ends the descendants that are there now.
    pub(super) fn kill_descendants(&self) {
        if let Body::Process(process) = &self.body
            && self.exit.is_none()
        {
            process.kill_descendants();
        }
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        match &self.body {
            Body::Process(process) => process.kill(),
            Body::Thread(thread) => thread.terminate(),
        }
    }
}

pub(super) fn kill_all(descendants: &[Descendant]) {
    for descendant in descendants {
        let _ = descendant.send_signal(Signal::KILL);
    }
}
