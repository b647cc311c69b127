//! [`Cause`]: why a process ended, made out from what is known of its end. Pure; who knows what is gathered elsewhere.
//!
//! Only what the facts show is said. SIGKILL leaves nothing behind in the process, so its sender is not known; whether the kernel
//! sent it because memory ran out is told by the kernel's own counters.

use super::exit::{Exit, ExitReason};

/// What is known of an end besides how it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The kernel has killed something for want of memory since it was looked last: in a cgroup of ours, or on this machine.
    pub oom: Option<OomPlace>,
    /// V8 said that its heap is nearly full, and did not take that back.
    pub near_heap_limit: bool,
    /// A signal that can be caught was, and who sent it is known: true where it was the master.
    pub caught_signal: Option<Sender>,
    /// The process left word of an error that nobody caught.
    pub has_uncaught: bool,
    /// The master killed it, and not for a time-out.
    pub killed_by_master: bool,
}

/// Where the kernel's counter of kills for want of memory has grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OomPlace {
    /// A cgroup that the process is in.
    Cgroup,
    /// Somewhere on the machine.
    Machine,
}

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The master.
    Master,
    /// The process itself.
    Itself,
    /// Somebody else.
    Other,
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The master asked it to leave, and it did.
    Asked,
    /// The master asked it to leave, and killed it at its time-out.
    TimedOut,
    /// It stood still, and was replaced.
    Stuck,
    /// The master killed it because it broke the protocol.
    Dropped,
    /// The kernel killed it because memory ran out.
    OutOfMemory,
    /// V8's heap was full.
    HeapLimit,
    /// A signal from somebody else ended it, or made it end.
    Killed,
    /// It did something that no process may do (SIGSEGV and its like).
    Fault,
    /// It called abort.
    Aborted,
    /// An error that nobody caught.
    Uncaught,
    /// Its own code ended it.
    Exited,
}

impl Cause {
    /// Every cause, for tests and documents.
    pub const ALL: [Self; 11] = [
        Self::Asked,
        Self::TimedOut,
        Self::Stuck,
        Self::Dropped,
        Self::OutOfMemory,
        Self::HeapLimit,
        Self::Killed,
        Self::Fault,
        Self::Aborted,
        Self::Uncaught,
        Self::Exited,
    ];

    /// The word in events and status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::TimedOut => "timed-out",
            Self::Stuck => "stuck",
            Self::Dropped => "dropped",
            Self::OutOfMemory => "out-of-memory",
            Self::HeapLimit => "heap-limit",
            Self::Killed => "killed",
            Self::Fault => "fault",
            Self::Aborted => "aborted",
            Self::Uncaught => "uncaught-error",
            Self::Exited => "exited",
        }
    }

    /// Made out from how it ended, what that meant to its slot, and the circumstances.
    #[must_use]
    pub fn of(exit: Exit, reason: ExitReason, about: &Circumstances) -> Self {
        match reason {
            ExitReason::Stuck => return Self::Stuck,
            ExitReason::TimedOut => return Self::TimedOut,
            ExitReason::Asked if about.caught_signal != Some(Sender::Other) && !is_crash(exit) => return Self::Asked,
            _ => {}
        }
        match exit {
            Exit::Signal("SIGKILL") if about.killed_by_master => Self::Dropped,
            Exit::Signal("SIGKILL") if about.oom.is_some() => Self::OutOfMemory,
            Exit::Signal(name) if about.near_heap_limit && is_crash_signal(name) => Self::HeapLimit,
            Exit::Signal("SIGABRT") => Self::Aborted,
            Exit::Signal(name) if is_crash_signal(name) => Self::Fault,
            Exit::Signal(_) => Self::Killed,
            // 134 and 133 are what shells make of SIGABRT and SIGTRAP.
            Exit::Code(133 | 134) if about.near_heap_limit => Self::HeapLimit,
            Exit::Code(_) if about.has_uncaught => Self::Uncaught,
            Exit::Code(_) if about.caught_signal == Some(Sender::Other) => Self::Killed,
            Exit::Code(_) => Self::Exited,
        }
    }
}

fn is_crash(exit: Exit) -> bool {
    matches!(exit, Exit::Signal(name) if is_crash_signal(name))
}

fn is_crash_signal(name: &str) -> bool {
    matches!(name, "SIGABRT" | "SIGSEGV" | "SIGBUS" | "SIGILL" | "SIGFPE" | "SIGTRAP" | "SIGSYS")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Circumstances = Circumstances {
        oom: None,
        near_heap_limit: false,
        caught_signal: None,
        has_uncaught: false,
        killed_by_master: false,
    };

    fn crashed(exit: Exit, about: Circumstances) -> Cause {
        Cause::of(exit, ExitReason::Crashed, &about)
    }

    #[test]
    fn deaths_are_told_apart() {
        let oom = Circumstances { oom: Some(OomPlace::Cgroup), ..NOTHING };
        let heap = Circumstances { near_heap_limit: true, ..NOTHING };
        let other = Circumstances { caught_signal: Some(Sender::Other), ..NOTHING };
        let uncaught = Circumstances { has_uncaught: true, ..NOTHING };
        let table = [
            (Exit::Signal("SIGKILL"), NOTHING, Cause::Killed),
            (Exit::Signal("SIGKILL"), oom, Cause::OutOfMemory),
            (Exit::Signal("SIGTERM"), oom, Cause::Killed),
            (Exit::Signal("SIGABRT"), heap, Cause::HeapLimit),
            (Exit::Signal("SIGTRAP"), heap, Cause::HeapLimit),
            (Exit::Code(134), heap, Cause::HeapLimit),
            (Exit::Signal("SIGKILL"), heap, Cause::Killed),
            (Exit::Signal("SIGABRT"), NOTHING, Cause::Aborted),
            (Exit::Signal("SIGSEGV"), NOTHING, Cause::Fault),
            (Exit::Signal("SIGHUP"), other, Cause::Killed),
            (Exit::Code(0), other, Cause::Killed),
            (Exit::Code(0), NOTHING, Cause::Exited),
            (Exit::Code(1), uncaught, Cause::Uncaught),
            (Exit::Code(7), NOTHING, Cause::Exited),
        ];
        for (exit, about, cause) in table {
            assert_eq!(crashed(exit, about), cause, "{exit:?} {about:?}");
        }
    }

    #[test]
    fn what_the_master_did_is_not_laid_on_others() {
        let by_master = Circumstances { caught_signal: Some(Sender::Master), ..NOTHING };
        assert_eq!(Cause::of(Exit::Code(0), ExitReason::Asked, &by_master), Cause::Asked);
        assert_eq!(Cause::of(Exit::Signal("SIGKILL"), ExitReason::TimedOut, &by_master), Cause::TimedOut);
        let oom = Circumstances { oom: Some(OomPlace::Machine), ..by_master };
        assert_eq!(Cause::of(Exit::Signal("SIGKILL"), ExitReason::Stuck, &oom), Cause::Stuck);
        assert_eq!(Cause::of(Exit::Signal("SIGSEGV"), ExitReason::Asked, &by_master), Cause::Fault);
    }

    #[test]
    fn every_cause_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(words.len(), Cause::ALL.len());
    }
}
