//! What can be asked of a running cluster by whoever waits for an answer, and the answers.

use super::upgrade::{HeirFailure, Occupation};
use crate::message::address::{Occupant, WorkerId};
use crate::slot::{Exit, ExitReason};

/// Names one request, so that its answer finds whoever waits for it. The shell gives them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u32);

/// How many app workers there shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// So many.
    To(u32),
    /// One more than now.
    OneMore,
    /// One less than now.
    OneLess,
}

/// What a process was started for that was renewed one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// All app workers.
    Reload,
    /// One app worker.
    Restart,
}

/// How a new process was lost before it was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootFailure {
    /// The process.
    pub who: Occupant,
    /// Its number.
    pub number: WorkerId,
    /// Its pid; none where it could not be forked.
    pub pid: Option<u32>,
    /// True where it was ended because it had not become ready in time.
    pub was_overdue: bool,
    /// How it ended and what that means; none where its end was not seen.
    pub end: Option<(Exit, ExitReason)>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// New app workers have taken over.
    Reloaded {
        /// How many.
        workers: u32,
        /// Whether a new agent has, too.
        agent: bool,
    },
    /// There are so many app workers in service now, and the others are gone.
    Resized {
        /// How many.
        workers: u32,
    },
    /// Another process is the master now, and this cluster drains.
    Upgraded {
        /// Its pid.
        pid: u32,
    },
    /// It was done: a restart, an isolation, a return.
    Done,
    /// It was not done, or not to its end.
    Refused(Refusal),
}

/// Why no other process can take this master's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It is the first process of its container, which ends with it.
    FirstProcess,
    /// A service manager ends the service with this process.
    Service,
    /// The command that has started it ends with it.
    Foreground,
    /// The apps are threads of it, with sockets of their own.
    Threads,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The cluster is not ready yet, or stops.
    NotRunning,
    /// No app worker has this number.
    NoSuchWorker(WorkerId),
    /// It boots, leaves, or is a spare.
    NotInService(WorkerId),
    /// It is the last one in service.
    LastInService(WorkerId),
    /// It was not isolated.
    NotIsolated(WorkerId),
    /// Workers that share no socket take what comes as long as they listen; and those with ports of their own cannot be more.
    NoSharedSockets,
    /// A new process did not get ready. In a reload and a restart the old ones go on; a new place is tried again, as any place is.
    BootFailed(BootFailure),
    /// Something is under way that cannot go together with it.
    Busy(Occupation),
    /// There is no new master. This one goes on.
    UpgradeFailed(HeirFailure),
    /// There cannot be another master.
    CannotUpgrade(Hindrance),
}
