//! A child process of ours, held by its pidfd: signals, and its exit status exactly once.
//!
//! There is no `SIGCHLD` handler and no `waitpid(-1)` here; both belong to libuv, whose own children live beside ours.
//! Made by [`super::spawn::spawn`] only. Dropping a [`Child`] that was not reaped leaves a zombie until we end.
#![allow(unsafe_code)] // nix's waitid refuses real-time signals, which a child may well die of

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::libc;

use super::{SysError, pidfd};

/// A signal by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(i32);

impl Signal {
    /// `SIGHUP`
    pub const HUP: Self = Self(libc::SIGHUP);
    /// `SIGINT`
    pub const INT: Self = Self(libc::SIGINT);
    /// `SIGQUIT`
    pub const QUIT: Self = Self(libc::SIGQUIT);
    /// `SIGABRT`
    pub const ABRT: Self = Self(libc::SIGABRT);
    /// `SIGKILL`
    pub const KILL: Self = Self(libc::SIGKILL);
    /// `SIGUSR1`
    pub const USR1: Self = Self(libc::SIGUSR1);
    /// `SIGUSR2`
    pub const USR2: Self = Self(libc::SIGUSR2);
    /// `SIGTERM`
    pub const TERM: Self = Self(libc::SIGTERM);
    /// `SIGCONT`
    pub const CONT: Self = Self(libc::SIGCONT);
    /// `SIGSTOP`
    pub const STOP: Self = Self(libc::SIGSTOP);

    /// The signal of this name, such as `SIGTERM`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse::<nix::sys::signal::Signal>().ok().map(|signal| Self(signal as i32))
    }

    /// Its number on this platform.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// Its name, such as `SIGTERM`.
    #[must_use]
    pub fn name(self) -> &'static str {
        signal_name(self.0)
    }
}

/// The name of a signal number; the real-time signals, which have none, are all `SIGRT`.
#[must_use]
pub fn signal_name(number: i32) -> &'static str {
    nix::sys::signal::Signal::try_from(number).map_or("SIGRT", nix::sys::signal::Signal::as_str)
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// It left by itself.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number; see [`signal_name`].
        number: i32,
        /// Whether the kernel wrote a core dump.
        core_dumped: bool,
    },
}

impl ExitStatus {
    /// The exit code, where the process left by itself.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal { .. } => None,
        }
    }

    /// The name of the signal that ended it.
    #[must_use]
    pub fn signal_name(self) -> Option<&'static str> {
        match self {
            Self::Code(_) => None,
            Self::Signal { number, .. } => Some(signal_name(number)),
        }
    }
}

/// What an ended process has used, itself and those of its children that it has waited for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor.
    pub cpu: Duration,
    /// The most resident memory it ever had, in bytes.
    pub peak_memory: u64,
}

/// A child process of ours.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    pidfd: OwnedFd,
    ended: Cell<Option<(ExitStatus, Usage)>>,
}

impl Child {
    pub(super) fn new(pid: u32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, ended: Cell::new(None) }
    }

    /// The process id, for logs and messages; never used to signal.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Polls readable once the process has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Sends a signal to this process and no other.
    ///
    /// # Errors
    /// [`SysError::is_gone`] once it has been reaped; a zombie still takes signals, without effect.
    pub fn send_signal(&self, signal: Signal) -> Result<(), SysError> {
        pidfd::send_signal(self.pidfd(), signal)
    }

    /// Takes the exit status if the process has ended; from then on the same answer is given again.
    ///
    /// # Errors
    /// `ECHILD` when somebody else in this process has reaped it, or `SIGCHLD` is ignored.
    pub fn try_reap(&self) -> Result<Option<ExitStatus>, SysError> {
        if self.ended.get().is_none() {
            self.ended.set(reap(self.pidfd())?);
        }
        Ok(self.ended.get().map(|(status, _)| status))
    }

    /// What it has used, once it has been reaped.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.ended.get().map(|(_, usage)| usage).unwrap_or_default()
    }

    /// Kills the process and waits until it is gone and reaped; for one that is of no use from its start.
    pub fn end(&self) {
        // Fails for one that is gone already.
        let _ = self.send_signal(Signal::KILL);
        let _ = pidfd::wait_for_end(self.pidfd(), nix::poll::PollTimeout::NONE);
        let _ = self.try_reap();
    }
}

fn reap(pidfd: BorrowedFd<'_>) -> Result<Option<(ExitStatus, Usage)>, SysError> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut used = MaybeUninit::<libc::rusage>::zeroed();
    // The C library's waitid hides the last argument of the system call (waitid(2), "C library/kernel differences").
    // SAFETY: `info` and `used` are writable and large enough; the kernel writes nothing else.
    let waited = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            pidfd.as_raw_fd(),
            info.as_mut_ptr(),
            libc::WEXITED | libc::WNOHANG,
            used.as_mut_ptr(),
        )
    };
    if waited != 0 {
        return Err(SysError::last("waitid"));
    }
    // SAFETY: all zeroes is a valid siginfo_t, and the kernel has written over that.
    let info = unsafe { info.assume_init() };
    // With WNOHANG and nothing to report the structure stays zeroed (waitid(2)).
    if info.si_signo == 0 {
        return Ok(None);
    }
    // SAFETY: for SIGCHLD, the only signal waitid reports, si_status is the member that is set.
    let status = unsafe { info.si_status() };
    // SAFETY: all zeroes is a valid rusage, and the kernel has written over that.
    let used = unsafe { used.assume_init() };
    let status = match info.si_code {
        libc::CLD_EXITED => ExitStatus::Code(status),
        code => ExitStatus::Signal { number: status, core_dumped: code == libc::CLD_DUMPED },
    };
    let peak_memory = u64::try_from(used.ru_maxrss).unwrap_or(0) * 1024;
    Ok(Some((status, Usage { cpu: time(used.ru_utime) + time(used.ru_stime), peak_memory })))
}

fn time(time: libc::timeval) -> Duration {
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}
