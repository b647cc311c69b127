//! All that the supervisor may ask for. The shell carries these out in order and feeds the results back as events.

use std::time::Duration;

use super::event::ListeningAddress;
use super::request::{Answer, Renewal, RequestId};
use super::upgrade::HeirFailure;
use crate::message::address::{Occupant, SlotIndex, WorkerId};
use crate::slot::{ClusterState, Exit, ExitReason};

/// Something the shell is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Fork a process; answered by `Spawned` or `SpawnFailed`.
    Spawn {
        /// The seat and generation it gets.
        who: Occupant,
        /// Its number.
        number: WorkerId,
    },
    /// Send SIGTERM to the process and to all its descendants; answered by `TreeGone` once the descendants are gone.
    Terminate {
        /// The process.
        who: Occupant,
    },
    /// Send SIGKILL to the descendants that are still there.
    KillDescendants {
        /// The process whose descendants are meant.
        who: Occupant,
    },
    /// Send SIGKILL to the process and to descendants that are still there.
    Kill {
        /// The process.
        who: Occupant,
    },
    /// Open the port whose connections are dealt by the client's address; answered by `StickyPortOpened` or `StickyPortFailed`.
    OpenStickyPort {
        /// The port; any where none is known.
        port: Option<u16>,
        /// The one address to listen on; all where there is none.
        address: Option<String>,
    },
    /// Give this process no connections from now on, whether it listens already or will; what is on its way to it, it still takes.
    Bar {
        /// The process.
        who: Occupant,
    },
    /// Give this process connections again.
    Admit {
        /// The process.
        who: Occupant,
    },
    /// The processes of this slot have this place in service from now on: clients that are kept together go by places.
    Place {
        /// The slot.
        slot: SlotIndex,
        /// The place.
        place: SlotIndex,
    },
    /// Start a new master beside this one, with the listening sockets; answered by `HeirSpawned` or `HeirNotSpawned`.
    SpawnHeir,
    /// Tell the new master to take over; answered by `HeirTookOver`.
    LetHeirTakeOver,
    /// Send SIGKILL to the new master and all that it has started.
    KillHeir,
    /// Send SIGTERM to the new master.
    TerminateHeir,
    /// Leave the listening sockets, and what else can belong to one master only, to the new one.
    Bequeath {
        /// Its pid.
        heir: u32,
    },
    /// The new master is gone: what can belong to one master only is this one's, whatever has become of it.
    Keep,
    /// Tell the master before this one that all is ready; answered by `TookOver`.
    TakeOver,
    /// Answer a request.
    Answer {
        /// Which.
        ticket: RequestId,
        /// How.
        answer: Answer,
    },
    /// Send a message of the layer itself.
    Tell(Notice),
    /// Say something to people and to JavaScript.
    Report(Report),
    /// End the master with this code.
    Exit {
        /// The exit code.
        code: i32,
    },
}

/// A message of the cluster layer itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `egg-ready` to the parent.
    ReadyToParent {
        /// The cluster's port, where it has one.
        port: Option<i64>,
        /// The cluster's address as people see it.
        address: String,
        /// `http` or `https`.
        protocol: String,
    },
    /// `egg-ready` to every app.
    ReadyToApps,
    /// `egg-ready` to the agent.
    ReadyToAgent,
    /// `egg-pids` to the agent: the pids of the apps in service, in fork order.
    AppPidsToAgent(Vec<u32>),
    /// `egg-pids` to every app: the agent's pid, or none.
    AgentPidToApps(Option<u32>),
    /// `egg-pids` to one app: the agent's pid.
    AgentPidToApp {
        /// The app.
        who: Occupant,
        /// The app's own pid.
        app: u32,
        /// The agent's pid.
        agent: u32,
    },
    /// `agent-start` to every app.
    AgentStartToApps,
    /// `agent-worker-died` to the parent.
    AgentDiedToParent,
    /// `app-worker-died` to the parent.
    AppDiedToParent,
    /// `egg-upgraded` to the parent: another process is the master from now on.
    UpgradedToParent {
        /// Its pid.
        pid: u32,
    },
    /// `debug` to the parent: the inspect port of a process that was just forked.
    InspectPortToParent {
        /// The process.
        who: Occupant,
        /// Its number, from which its port follows.
        number: WorkerId,
        /// Its pid.
        pid: u32,
    },
}

/// Something worth a log line, an event, or both, as facts; the shell finds the words.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "fields are the operands of the variant's sentence")]
pub enum Report {
    /// The agent was forked.
    AgentForked { number: WorkerId, pid: u32 },
    /// The agent is ready.
    AgentStarted { number: WorkerId, pid: u32, took: Duration },
    /// The agent ended, unasked.
    AgentDied { number: WorkerId, pid: u32, exit: Exit, reason: ExitReason },
    /// The agent ended because it was asked to, and a new one follows at once.
    AgentRetired { number: WorkerId, pid: u32, exit: Exit, reason: ExitReason },
    /// The agent ended while the cluster stops.
    AgentLeft { number: WorkerId, pid: u32, exit: Exit, reason: ExitReason },
    /// A new agent will be forked.
    AgentRefillPlanned { after: Duration },
    /// The new agent is about to be forked.
    AgentRefillStarting,
    /// The agent died before the cluster was ready.
    AgentStartFailed { number: WorkerId, pid: u32 },
    /// The apps are about to be forked.
    AppsStarting,
    /// An app worker was forked.
    AppForked { who: Occupant, number: WorkerId, pid: u32, current: Vec<WorkerId> },
    /// An app worker listens on something.
    AppListening { number: WorkerId, pid: u32, address: ListeningAddress },
    /// An app worker is in service.
    AppStarted { who: Occupant, number: WorkerId, pid: u32, port: i64, remain: u32, took: Duration },
    /// An app worker's channel closed.
    AppDisconnected {
        number: WorkerId,
        pid: u32,
        on_purpose: bool,
        state: ClusterState,
        is_dead: bool,
        current: Vec<WorkerId>,
        refork: Refork,
    },
    /// An app worker ended.
    AppExited {
        who: Occupant,
        number: WorkerId,
        pid: u32,
        exit: Exit,
        reason: ExitReason,
        on_purpose: bool,
        after_disconnect: bool,
        refork: Refork,
    },
    /// An app worker ended and that is an error.
    AppDied {
        number: WorkerId,
        pid: u32,
        exit: Exit,
        on_purpose: bool,
        state: ClusterState,
        current: Vec<u32>,
        by_debugger: bool,
    },
    /// An app worker died before the cluster was ready.
    AppStartFailed { number: WorkerId, pid: u32 },
    /// An app worker that fills a slot again was forked.
    AppRefilled { pid: u32 },
    /// A slot that cannot be filled now is tried again later.
    SlotRefillPlanned { slot: u32, number: WorkerId, pid: u32, after: Duration, failures: u32, is_slow: bool },
    /// The cluster is ready.
    Ready { address: String, took: Duration },
    /// New app workers take over from the old ones.
    ReloadStarted { count: u32 },
    /// New app workers have taken over.
    ReloadDone { count: u32, agent: bool },
    /// A reload, or the restart of one worker, was given up because a new process did not get ready; the old ones go on.
    ReloadFailed { what: Renewal, who: Occupant, number: WorkerId, pid: Option<u32> },
    /// A new app worker waits to take over.
    SpareReady { who: Occupant, number: WorkerId, pid: u32 },
    /// A spare takes over the place of an app worker that was lost.
    SpareTookOver { number: WorkerId, pid: u32, place: SlotIndex },
    /// The number of app workers changes.
    ResizeStarted { from: u32, to: u32 },
    /// It has changed.
    ResizeDone { workers: u32 },
    /// An app worker is given no more connections; it stays.
    Isolated { who: Occupant, number: WorkerId, pid: u32 },
    /// It is given connections again.
    Rejoined { who: Occupant, number: WorkerId, pid: u32 },
    /// A new master boots.
    HeirStarted { pid: u32 },
    /// The new master serves, and this cluster drains.
    Upgraded { pid: u32 },
    /// The upgrade was given up, and this cluster goes on.
    UpgradeFailed { failure: HeirFailure },
    /// Fewer app workers are in service than there should be.
    Degraded { serving: u32, target: u32 },
    /// As many are in service as there should be.
    Recovered { target: u32 },
    /// Processes were started again so often that the master ends, as it was asked to.
    RestartsExceeded { restarts: u32, within: Duration },
    /// A stop was asked for, and begins later; the cluster serves until then.
    StopDelayed { signal: Option<String>, delay: Duration },
    /// Whoever asked for a stop has asked again.
    StopHurried { signal: Option<String> },
    /// The debugger killed a worker; the cluster closes.
    KilledByDebugger,
    /// No agent or no app worker in service for too long.
    CapacityLost { agents: u32, workers: u32 },
    /// A stop was asked for.
    StopStarted { signal: Option<String> },
    /// The app workers are asked to leave.
    StoppingApps { within: Duration },
    /// The agent is asked to leave.
    StoppingAgent { within: Duration, present: bool },
    /// A process boots, or drains after its channel closed, for longer than it may; it is forced out.
    Overdue { who: Occupant, number: WorkerId, pid: u32, is_booting: bool },
    /// A process is still there long after SIGKILL and is not waited for any more.
    Abandoned { number: WorkerId, pid: Option<u32>, is_agent: bool },
    /// Everybody has left.
    StopDone,
}

impl Report {
    /// The process that this is about: whether it is the agent, and its number.
    #[must_use]
    pub fn process(&self) -> Option<(bool, WorkerId)> {
        match *self {
            Self::AgentForked { number, .. }
            | Self::AgentStarted { number, .. }
            | Self::AgentDied { number, .. }
            | Self::AgentRetired { number, .. }
            | Self::AgentLeft { number, .. }
            | Self::AgentStartFailed { number, .. } => Some((true, number)),
            Self::AppForked { number, .. }
            | Self::AppListening { number, .. }
            | Self::AppStarted { number, .. }
            | Self::AppDisconnected { number, .. }
            | Self::AppExited { number, .. }
            | Self::AppDied { number, .. }
            | Self::AppStartFailed { number, .. }
            | Self::SlotRefillPlanned { number, .. }
            | Self::SpareTookOver { number, .. } => Some((false, number)),
            Self::ReloadFailed { who, number, .. }
            | Self::SpareReady { who, number, .. }
            | Self::Isolated { who, number, .. }
            | Self::Rejoined { who, number, .. }
            | Self::Overdue { who, number, .. } => Some((who.is_agent(), number)),
            Self::Abandoned { number, is_agent, .. } => Some((is_agent, number)),
            _ => None,
        }
    }
}

/// What a worker's disconnect or exit means for its slot; the fork library's log lines tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refork {
    /// The cluster is starting or stopping, or the worker was asked to leave.
    Disabled,
    /// The environment does not refork.
    Off,
    /// The slot is filled again.
    Wanted,
}
