//! Who lives in a cluster and how each is named: seats, their generations, and the origins and receivers of messages.
//!
//! Pure values; no process is looked up here.

use std::fmt;

/// Index of an app slot, 0 … N-1; kept by the slot through all of its processes (`CFORK_WORKER_INDEX`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotIndex(pub u32);

/// How many processes have sat in a seat so far, the first is 1. An event that names an older generation is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u32);

impl Generation {
    /// The generation after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// A place that is kept filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Seat {
    /// The one agent.
    Agent,
    /// An app worker's slot.
    App(SlotIndex),
}

/// One process of the cluster: the seat and which of the seat's processes. Unique for the life of the master, as pids are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Occupant {
    /// Where it sits.
    pub seat: Seat,
    /// Which of the seat's processes it is.
    pub generation: Generation,
}

impl Seat {
    /// The number of the app slot; none for the agent's seat.
    #[must_use]
    pub fn slot(self) -> Option<u32> {
        match self {
            Self::Agent => None,
            Self::App(slot) => Some(slot.0),
        }
    }

    /// What its processes are, in events, status, metrics and JSON lines: `agent` or `app`.
    #[must_use]
    pub fn role(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::App(_) => "app",
        }
    }

    /// What its processes are called in lines for people, before `#` and their number, as egg-cluster writes it.
    #[must_use]
    pub fn log_name(self) -> &'static str {
        match self {
            Self::Agent => "agent_worker",
            Self::App(_) => "app_worker",
        }
    }
}

impl Occupant {
    /// True for a process in the agent's seat.
    #[must_use]
    pub fn is_agent(self) -> bool {
        self.seat == Seat::Agent
    }
}

/// The number people see: `app_worker#<n>` (Node's `cluster.worker.id`, counting every fork ever) or `agent_worker#<n>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u32);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which kind of process wrote a message; the `from` field that receivers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The agent.
    Agent,
    /// An app worker.
    App,
    /// The process that started the master.
    Parent,
    /// The master itself.
    Master,
}

impl Origin {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::App => "app",
            Self::Parent => "parent",
            Self::Master => "master",
        }
    }
}

/// A class of receivers; the `to` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Every app worker whose channel is open, the sender included.
    Apps,
    /// The current agent.
    Agent,
    /// The process that started the master.
    Parent,
    /// The master.
    Master,
}

impl Target {
    /// The target that a word on the wire names, if it names one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "app" => Some(Self::Apps),
            "agent" => Some(Self::Agent),
            "parent" => Some(Self::Parent),
            "master" => Some(Self::Master),
            _ => None,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apps => "app",
            Self::Agent => "agent",
            Self::Parent => "parent",
            Self::Master => "master",
        }
    }
}
