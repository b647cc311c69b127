//! [`Process`]: what the master knows of one process in a slot, from the wish to fork it to its end.

use std::time::Duration;

use super::exit::{Exit, ExitReason};
use super::role::Duty;
use super::state::{ProcessEvent, SlotState, Transition};
use crate::message::address::{Occupant, WorkerId};

/// What Node's cluster module would say of the worker; log lines quote it (`state: listening`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterState {
    /// Forked, not heard of yet.
    None,
    /// Its bootstrap has run.
    Online,
    /// It listens on the cluster's port.
    Listening,
    /// Its channel is closed.
    Disconnected,
    /// It has exited.
    Dead,
}

impl ClusterState {
    /// The word that Node uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Online => "online",
            Self::Listening => "listening",
            Self::Disconnected => "disconnected",
            Self::Dead => "dead",
        }
    }
}

/// The steps that force a process out once it has been asked to leave: its descendants first, then itself, then we stop waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// When descendants that are still there get SIGKILL.
    pub kill_descendants_at: Option<Duration>,
    /// When the process itself gets SIGKILL.
    pub kill_at: Option<Duration>,
    /// When it is counted as gone whatever the kernel says (a process in uninterruptible sleep cannot be killed).
    pub abandon_at: Duration,
    /// True once every descendant that was there when it was asked to leave is gone.
    pub tree_gone: bool,
    /// True once it was abandoned.
    pub abandoned: bool,
}

/// One process of a slot.
#[derive(Clone, Debug)]
pub struct Process {
    who: Occupant,
    /// The number people see.
    pub number: WorkerId,
    /// Known once it is forked.
    pub pid: Option<u32>,
    state: SlotState,
    /// For the words in log lines.
    pub cluster_state: ClusterState,
    /// It said that it leaves on purpose (Node's `worker.exitedAfterDisconnect`).
    pub exited_after_disconnect: bool,
    /// When its fork was asked for.
    pub started_at: Duration,
    /// When it became ready.
    pub ready_at: Option<Duration>,
    /// The port on which it became ready; -1 for a unix socket.
    pub port: i64,
    /// It became ready in a slot that is kept for a spare, and has not taken over.
    pub is_spare: bool,
    /// It was taken out of service by hand.
    pub is_isolated: bool,
    /// The shell has been told to give it no connections.
    pub is_barred: bool,
    /// Present once it has been asked to leave.
    pub ladder: Option<Ladder>,
    /// Its end is wanted: a successor serves, or the cluster stops. Nobody misses it. One whose fork is not done yet is asked
    /// to leave as soon as it is.
    pub is_dismissed: bool,
    /// When it is asked to leave although it still boots, or still drains.
    pub overdue_at: Option<Duration>,
    /// It was asked to leave for that.
    pub was_overdue: bool,
    killed_at_timeout: bool,
    /// It stood still for longer than it may, and is forced out for that.
    pub stood_still: bool,
    /// Its seat has been filled again, or is planned to be, on account of its loss.
    pub is_settled: bool,
}

impl Process {
    /// A process that is about to be forked.
    #[must_use]
    pub fn new(who: Occupant, number: WorkerId, now: Duration) -> Self {
        Self {
            who,
            number,
            pid: None,
            state: SlotState::Starting,
            cluster_state: ClusterState::None,
            exited_after_disconnect: false,
            started_at: now,
            ready_at: None,
            port: 0,
            is_spare: false,
            is_isolated: false,
            is_barred: false,
            ladder: None,
            is_dismissed: false,
            overdue_at: None,
            was_overdue: false,
            killed_at_timeout: false,
            stood_still: false,
            is_settled: false,
        }
    }

    /// Its seat and generation.
    #[must_use]
    pub fn who(&self) -> Occupant {
        self.who
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> SlotState {
        self.state
    }

    /// Takes an event in.
    pub fn on(&mut self, event: ProcessEvent) -> Transition {
        let transition = self.state.on(event);
        if let Transition::To(state) = transition {
            self.state = state;
        }
        transition
    }

    /// True while it can be spoken to: forked, channel open, end not seen.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.pid.is_some() && !matches!(self.cluster_state, ClusterState::Disconnected | ClusterState::Dead)
    }

    /// What it is there for, once it is ready.
    #[must_use]
    pub fn duty(&self) -> Duty {
        match (self.is_spare, self.is_isolated) {
            (true, _) => Duty::Spare,
            (false, true) => Duty::Isolated,
            (false, false) => Duty::Serves,
        }
    }

    /// True while its end has not been seen.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.state != SlotState::Exited
    }

    /// True while its fork has been asked for and is not done.
    #[must_use]
    pub fn is_unforked(&self) -> bool {
        self.pid.is_none() && self.is_alive()
    }

    /// True once nothing of it is left to wait for, its descendants included where it was asked to leave.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self.ladder {
            Some(ladder) => ladder.abandoned || (!self.is_alive() && ladder.tree_gone),
            None => !self.is_alive(),
        }
    }

    /// Notes that SIGKILL is sent because it did not leave in time.
    pub fn note_killed_at_timeout(&mut self) {
        self.killed_at_timeout = true;
    }

    /// What its end means; to be asked before the end is noted.
    #[must_use]
    pub fn reason(&self, exit: Exit) -> ExitReason {
        match self.state {
            _ if self.stood_still => ExitReason::Stuck,
            _ if self.killed_at_timeout => ExitReason::TimedOut,
            _ if self.ready_at.is_none() && !self.is_dismissed => ExitReason::BootFailed,
            SlotState::Draining | SlotState::Killing if self.ladder.is_some() || self.exited_after_disconnect => {
                ExitReason::Asked
            }
            _ if exit.signal().is_some() => ExitReason::Killed,
            _ => ExitReason::Crashed,
        }
    }
}
