//! Forks, and the environment they are done with: that of the master as it is at that moment.
//!
//! Only JavaScript's thread may read it, as that is the one that changes it (`setenv(3)` beside `getenv(3)` of another thread is a data
//! race). So it is asked before each fork. When it does not answer soon, what it said last is good enough.

use std::ffi::OsString;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use tracing::error;

use super::Sink;
use super::child_process::{self, Ends};
use super::children::{Body, Running};
use super::shell::Shell;
use crate::message::address::{Occupant, WorkerId};
use crate::supervisor::Event;

/// How long a fork waits for the environment. So long nothing else is done, but only once while JavaScript's thread is blocked.
const PATIENCE: Duration = Duration::from_millis(100);

/// What JavaScript tells of the environment, `K=V`.
pub(super) struct Environment {
    told: Receiver<Vec<OsString>>,
    /// It was asked and has not answered: it is blocked.
    is_awaited: bool,
}

impl Environment {
    pub(super) fn new(told: Receiver<Vec<OsString>>) -> Self {
        Self { told, is_awaited: false }
    }

    /// The environment as it is now; none where nobody says so in time.
    fn ask(&mut self, sink: &Sink) -> Option<Vec<OsString>> {
        if self.is_awaited {
            // A late answer was given before now, and so may be old; but it shows that JavaScript's thread goes on.
            match self.told.try_recv() {
                Ok(_) => self.is_awaited = false,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
            }
        }
        sink(r#"{"type":"environment"}"#.to_owned());
        match self.told.recv_timeout(PATIENCE) {
            Ok(env) => Some(env),
            Err(RecvTimeoutError::Timeout) => {
                self.is_awaited = true;
                None
            }
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }
}

impl Shell {
    pub(super) fn environment_now(&mut self) -> Option<Vec<OsString>> {
        self.environment.ask(&self.sink)
    }

    pub(super) fn fork(&mut self, who: Occupant, number: WorkerId) {
        if let Some(env) = self.environment_now() {
            self.config.env = env;
        }
        let is_restored = self.config.entry(who).is_restored;
        let invitation = if is_restored { None } else { self.switchboard.invite() };
        let lane = if is_restored { None } else { self.listeners.lanes.offer(who) };
        let ends = Ends { switchboard: invitation.as_ref(), lane: lane.as_ref() };
        let event = match child_process::start(&self.config, who, number, &ends, &self.happenings) {
            Ok(process) => {
                let pid = process.pid();
                if let Some(lane) = lane {
                    self.listeners.lanes.open(who, lane);
                }
                if let Some(invitation) = invitation {
                    self.switchboard.seat(who, pid, invitation);
                }
                let running = Running::new(number, Body::Process(process));
                if let Some(pulse) = running.pulse() {
                    self.watch.begin(who, number, pid, pulse);
                }
                self.running.insert(who, running);
                self.hand_over_early(who);
                Event::Spawned { who, pid }
            }
            Err(reason) => {
                if let Some(invitation) = invitation {
                    self.switchboard.withdraw(invitation.peer);
                }
                let kind = who.seat.log_name();
                error!("[master] {kind}#{number} could not be forked: {reason}");
                Event::SpawnFailed { who }
            }
        };
        // Straight to the supervisor: the loop that drains the effects is above us.
        self.handle_now(event);
    }
}
