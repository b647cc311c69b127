//! A bell between processes: a descriptor that is readable from the first ring until it is silenced.
//!
//! Rings are not counted by who listens. Whether one is needed is decided elsewhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::{read, write};

use super::SysError;
use super::error::Named;

/// One bell, or a peer's end of it.
#[derive(Debug)]
pub struct Event {
    descriptor: OwnedFd,
}

impl Event {
    /// A new bell, silent, close-on-exec.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn new() -> Result<Self, SysError> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).named("eventfd")?;
        Ok(Self { descriptor: event.into() })
    }

    /// Somebody else's bell, by the descriptor that was handed over.
    #[must_use]
    pub fn from_descriptor(descriptor: OwnedFd) -> Self {
        Self { descriptor }
    }

    /// Makes it readable. A bell that rings already goes on ringing.
    ///
    /// # Errors
    /// When the descriptor is no bell.
    pub fn ring(&self) -> Result<(), SysError> {
        loop {
            match write(&self.descriptor, &1_u64.to_ne_bytes()) {
                Err(Errno::EINTR) => {}
                // The kernel's count is full: it rings.
                Ok(_) | Err(Errno::EAGAIN) => return Ok(()),
                Err(errno) => return Err(SysError::new("write", errno)),
            }
        }
    }

    /// Silences it. Answers whether it rang.
    ///
    /// # Errors
    /// When the descriptor is no bell.
    pub fn silence(&self) -> Result<bool, SysError> {
        loop {
            match read(&self.descriptor, &mut [0; size_of::<u64>()]) {
                Err(Errno::EINTR) => {}
                Ok(_) => return Ok(true),
                Err(Errno::EAGAIN) => return Ok(false),
                Err(errno) => return Err(SysError::new("read", errno)),
            }
        }
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_rings_is_silenced_at_once() {
        let bell = Event::new().unwrap();
        assert!(!bell.silence().unwrap());
        let peer = Event::from_descriptor(bell.as_fd().try_clone_to_owned().unwrap());
        peer.ring().unwrap();
        peer.ring().unwrap();
        assert!(bell.silence().unwrap());
        assert!(!bell.silence().unwrap());
    }

    #[test]
    fn a_full_count_rings_like_any_other() {
        let bell = Event::new().unwrap();
        write(&bell.descriptor, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        bell.ring().unwrap();
        assert!(bell.silence().unwrap());
    }
}
