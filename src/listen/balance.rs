//! How connections are spread over the workers that can take one.

/// Which of them gets the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// The one with the fewest open connections; of several, the one that was served longest ago.
    #[default]
    LeastBusy,
    /// The one that was served longest ago.
    RoundRobin,
    /// The kernel chooses, among sockets of which each worker has one.
    Kernel,
}

impl Balance {
    /// By the name that the option has.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "least-busy" => Some(Self::LeastBusy),
            "round-robin" => Some(Self::RoundRobin),
            "kernel" => Some(Self::Kernel),
            _ => None,
        }
    }
}

/// What the dealer is told of a worker when it chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The least goes first.
    pub load: u64,
    /// Where it stands with its lane; none where it has none, and answers for each connection.
    pub lane: Option<Room>,
}

/// Whether a lane takes another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It does.
    Free,
    /// Not now.
    None,
}
