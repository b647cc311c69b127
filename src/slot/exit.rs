//! How a process ended, as the kernel tells it, and what that means for its slot.

/// A process' end as `waitid(2)` reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It called exit with this code.
    Code(i32),
    /// A signal of this name ended it, such as `SIGKILL`.
    Signal(&'static str),
}

impl Exit {
    /// The exit code, where it exited by itself.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) => None,
        }
    }

    /// The signal's name, where one ended it.
    #[must_use]
    pub fn signal(self) -> Option<&'static str> {
        match self {
            Self::Code(_) => None,
            Self::Signal(name) => Some(name),
        }
    }
}

/// What a process' end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitReason {
    /// It died before it was ready.
    BootFailed,
    /// It exited by itself while it was in service, code 0 or not.
    Crashed,
    /// A signal from elsewhere ended it while it was in service.
    Killed,
    /// It was asked to leave, or had closed its channel to leave, and left in time.
    Asked,
    /// It was asked to leave and had to be killed at its time-out.
    TimedOut,
    /// It stood still for so long that it was forced out.
    Stuck,
}

impl ExitReason {
    /// The word in events and status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BootFailed => "boot-failed",
            Self::Crashed => "crashed",
            Self::Killed => "killed",
            Self::Asked => "asked",
            Self::TimedOut => "timed-out",
            Self::Stuck => "stuck",
        }
    }
}
