//! The process that started us, seen from inside the child: its end, and the death signal that covers the boot.
//!
//! Used by the worker's guard only. Nothing here waits for anything but the parent's end.
#![allow(unsafe_code)] // prctl with a bare number

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

use super::error::Named;
use super::event::Event;
use super::{SysError, pidfd};

/// As wide as the kernel reads it: prctl takes its arguments as they come, without their types.
const GO_ON: libc::c_ulong = libc::SIGCONT as libc::c_ulong;

/// The parent, held so that its end is seen whatever becomes of its number.
#[derive(Debug)]
pub struct Parent {
    pid: u32,
    pidfd: OwnedFd,
}

impl Parent {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Blocks this thread until the parent has ended.
    ///
    /// # Errors
    /// When `poll` fails, which leaves nothing to wait with.
    pub fn wait_for_end(&self) -> Result<(), SysError> {
        pidfd::wait_for_end(self.pidfd.as_fd(), PollTimeout::NONE).map(drop)
    }
}

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The parent has ended.
    End,
    /// The bell rang, and is silent again.
    Bell,
}

impl Parent {
    /// Blocks this thread until the parent has ended or the bell rings.
    ///
    /// # Errors
    /// When `poll` fails, which leaves nothing to wait with.
    pub fn wait_for_end_or(&self, bell: &Event) -> Result<Heard, SysError> {
        loop {
            let mut interest =
                [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN), PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
            match poll(&mut interest, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                answer => answer.named("poll")?,
            };
            if interest[0].any().unwrap_or(true) {
                return Ok(Heard::End);
            }
            if bell.silence()? {
                return Ok(Heard::Bell);
            }
        }
    }
}

/// Opens the parent of this process; `None` when it is gone already.
///
/// # Errors
/// When there is no descriptor left, or the kernel has no pidfd.
pub fn parent_pidfd() -> Result<Option<Parent>, SysError> {
    let before = nix::unistd::getppid();
    let Ok(pid @ 1..) = u32::try_from(before.as_raw()) else {
        // A parent outside of our pid namespace shows as 0 and cannot be opened.
        return Err(SysError::new("getppid", Errno::ENOTSUP));
    };
    let pidfd = match pidfd::open(pid) {
        Err(error) if error.is_gone() => return Ok(None),
        opened => opened?,
    };
    // If the parent had died before the open, its number might be somebody else's by now; but then we would have
    // another parent, too.
    Ok((nix::unistd::getppid() == before).then_some(Parent { pid, pidfd }))
}

/// Takes back the death signal that was asked for between fork and exec: from now on the parent's end ends nobody at once. But a process
/// that is stopped then goes on, because one that is stopped cannot leave, and its guard is stopped with it.
///
/// The kernel keeps it per thread, and the one that counts is the thread that called exec: the main thread. On any
/// other the call changes nothing.
///
/// # Errors
/// None is known to happen.
pub fn soften_death_signal() -> Result<(), SysError> {
    // SAFETY: prctl with plain integers.
    let set = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, GO_ON) };
    if set == 0 { Ok(()) } else { Err(SysError::last("prctl(PR_SET_PDEATHSIG)")) }
}

/// Keeps every signal away from the calling thread, so that the others' handlers run where they expect to.
///
/// # Errors
/// When the mask cannot be set.
pub fn block_all_signals() -> Result<(), SysError> {
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None).named("pthread_sigmask")
}
