//! All that can happen to a cluster, in the past tense.

use std::time::Duration;

use super::request::{RequestId, Resize};
use crate::message::address::{Occupant, WorkerId};
use crate::slot::Exit;

/// What a worker says of a socket it listens on (the `listening` act of Node's cluster protocol).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListeningAddress {
    /// 4 or 6, or -1 for a unix socket.
    pub address_type: i32,
    /// The address, the path of a unix socket, or none for the wildcard.
    pub address: Option<String>,
    /// The port; -1 for a unix socket.
    pub port: i64,
}

impl ListeningAddress {
    /// True for a unix socket.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        self.address_type == -1
    }
}

/// An event of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The master was told to start.
    StartAsked,
    /// A fork that was asked for is done.
    Spawned {
        /// The new process.
        who: Occupant,
        /// Its pid.
        pid: u32,
    },
    /// A fork that was asked for failed; the shell has logged why.
    SpawnFailed {
        /// Who was to be forked.
        who: Occupant,
    },
    /// An app worker's Node bootstrap has run.
    WorkerOnline {
        /// The worker.
        who: Occupant,
    },
    /// The agent reported that it is ready.
    AgentStarted {
        /// The agent.
        who: Occupant,
    },
    /// An app told where and how it is going to serve.
    RealPortTold {
        /// The port, where it is a number other than 0.
        port: Option<u16>,
        /// `http` or `https`, where told.
        protocol: Option<String>,
        /// The one address of the sticky port, where the app's config names one.
        address: Option<String>,
    },
    /// The sticky port that was asked for is open.
    StickyPortOpened {
        /// Where.
        address: ListeningAddress,
    },
    /// The sticky port that was asked for cannot be opened; the shell has logged why.
    StickyPortFailed,
    /// An app worker listens on a socket, not necessarily the cluster's.
    WorkerListening {
        /// The worker.
        who: Occupant,
        /// Where.
        address: ListeningAddress,
    },
    /// A worker said that the close of its channel will be on purpose.
    DisconnectAnnounced {
        /// The worker.
        who: Occupant,
    },
    /// A process' channel closed.
    ChannelClosed {
        /// The process.
        who: Occupant,
    },
    /// A process sent something that the protocol forbids; its channel is of no use any more. The shell has logged what.
    ProtocolViolated {
        /// The process.
        who: Occupant,
    },
    /// A process ended.
    WorkerExited {
        /// The process.
        who: Occupant,
        /// How.
        exit: Exit,
    },
    /// All descendants of a process that was asked to leave are gone.
    TreeGone {
        /// The process.
        who: Occupant,
    },
    /// A process in service has stood still for longer than it may.
    StoodStill {
        /// The process.
        who: Occupant,
    },
    /// The cluster was asked to stop. Asked once more by a signal, it hurries, where it waits before it stops.
    StopAsked {
        /// The signal's name; none where the API asked.
        signal: Option<String>,
    },
    /// A new set of app workers was asked for.
    ReloadAsked {
        /// Whether the agent is renewed as well; the configuration's word where there is none.
        agent: Option<bool>,
        /// To be answered when it is done or has failed; none where nobody waits (`reload-worker`, a signal).
        ticket: Option<RequestId>,
    },
    /// Another number of app workers was asked for.
    ResizeAsked {
        /// How many.
        to: Resize,
        /// As with [`Event::ReloadAsked`].
        ticket: Option<RequestId>,
    },
    /// A new agent was asked for.
    AgentRestartAsked {
        /// As with [`Event::ReloadAsked`].
        ticket: Option<RequestId>,
    },
    /// A new process in the place of one app worker was asked for.
    RestartAsked {
        /// The worker.
        number: WorkerId,
        /// As with [`Event::ReloadAsked`].
        ticket: Option<RequestId>,
    },
    /// An app worker is to be given no connections any more, but to stay.
    IsolateAsked {
        /// The worker.
        number: WorkerId,
        /// As with [`Event::ReloadAsked`].
        ticket: Option<RequestId>,
    },
    /// An isolated app worker is to be given connections again.
    RejoinAsked {
        /// The worker.
        number: WorkerId,
        /// As with [`Event::ReloadAsked`].
        ticket: Option<RequestId>,
    },
    /// A new master was asked for, in the place of this one.
    UpgradeAsked {
        /// How long it may take until it is ready.
        limit: Duration,
        /// As with [`Event::ReloadAsked`].
        ticket: Option<RequestId>,
    },
    /// The new master that was asked for runs.
    HeirSpawned {
        /// Its pid.
        pid: u32,
    },
    /// The new master that was asked for could not be started.
    HeirNotSpawned {
        /// Which step failed, and how.
        reason: String,
    },
    /// All workers of the new master are ready.
    HeirReady,
    /// The new master serves.
    HeirTookOver,
    /// The new master lives, but there is no talking to it any more.
    HeirSilent,
    /// The new master has ended.
    HeirExited {
        /// How.
        exit: Exit,
    },
    /// This master has taken over from the one before it, or that one is gone.
    TookOver,
    /// Time passed; the deadline that was announced may be over.
    DeadlinePassed,
}
