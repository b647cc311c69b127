//! Raw pidfd calls, for the modules of `sys` that hold processes by descriptor.
//!
//! A pidfd names one process for ever: unlike a number it never comes to mean a stranger.
#![allow(unsafe_code)] // nix has no pidfd_open and no pidfd_send_signal

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::SysError;
use super::child::Signal;
use super::error::Named;

/// Opens the process that has this number now. The descriptor is close-on-exec by the kernel's own rule.
pub(super) fn open(pid: u32) -> Result<OwnedFd, SysError> {
    let number = libc::pid_t::try_from(pid).map_err(|_| SysError::new("pidfd_open", nix::errno::Errno::ESRCH))?;
    // SAFETY: the call takes two plain integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, number, 0) };
    match i32::try_from(fd) {
        // SAFETY: the kernel has just made this descriptor for us; nobody else knows it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(SysError::last("pidfd_open")),
    }
}

/// Sends a signal to exactly this process.
pub(super) fn send_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> Result<(), SysError> {
    // SAFETY: a null siginfo asks the kernel to fill it in as kill(2) would; no memory of ours is touched.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal.number(),
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if sent == 0 { Ok(()) } else { Err(SysError::last("pidfd_send_signal")) }
}

/// Waits until the process has ended; a pidfd polls readable from then on. Answers whether it has.
pub(super) fn wait_for_end(pidfd: BorrowedFd<'_>, timeout: PollTimeout) -> Result<bool, SysError> {
    loop {
        let mut interest = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut interest, timeout) {
            Err(nix::errno::Errno::EINTR) => {}
            answer => return answer.named("poll").map(|ready| ready > 0),
        }
    }
}
