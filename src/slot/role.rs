//! What a slot is kept for, and what a process in it has to do for that.

/// What a slot is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It is one of the places in service.
    Serving,
    /// Its process boots and waits, to take over when one in service is lost.
    Spare,
    /// It is not kept filled: the cluster was made smaller. Its processes finish what they have.
    Closed,
}

/// What a process that is ready has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Duty {
    /// It is given connections.
    Serves,
    /// It waits to take over, and is given no connections.
    Spare,
    /// It was taken out of service: it serves what it has, stays alive, and is given no connections.
    Isolated,
}

impl Duty {
    /// The word in status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serves => "serves",
            Self::Spare => "spare",
            Self::Isolated => "isolated",
        }
    }
}
