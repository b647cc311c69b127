//! A descriptor whose readiness tokio watches: the only place where `sys` gives tokio one.
//!
//! Tokio asks whoever registers a descriptor to promise that it stays open and the same. This type owns it, never gives
//! it out for exchange, and so makes the promise good once for everybody.
#![allow(unsafe_code)] // the promise

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// A non-blocking descriptor on the current runtime.
#[derive(Debug)]
pub struct Watched {
    inner: AsyncFd<OwnedFd>,
}

impl Watched {
    /// Watches `fd`; call inside a tokio runtime with I/O.
    ///
    /// # Errors
    /// When the kernel cannot watch it: a plain file, or no room for another watch.
    pub fn new(fd: OwnedFd) -> std::io::Result<Self> {
        // SAFETY: the descriptor is open, as `OwnedFd` says, and nothing below lets anybody replace or close it.
        let inner = unsafe { AsyncFd::register(fd) }?;
        Ok(Self { inner })
    }

    /// As [`Watched::new`], where nobody will ever wait until it seems writable. That is news to the kernel each time the other end of a
    /// socket has read something, and would wake this thread for nothing.
    ///
    /// # Errors
    /// As [`Watched::new`].
    pub fn for_reading(fd: OwnedFd) -> std::io::Result<Self> {
        // SAFETY: as in `new`.
        let inner = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?;
        Ok(Self { inner })
    }

    /// Waits until it seems readable. When the call that follows would block, clear the guard and wait again.
    ///
    /// # Errors
    /// When the runtime is going down.
    pub async fn readable(&self) -> std::io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        self.inner.readable().await
    }

    /// Waits until it seems writable. When the call that follows would block, clear the guard and wait again.
    ///
    /// # Errors
    /// When the runtime is going down.
    pub async fn writable(&self) -> std::io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        self.inner.writable().await
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.get_ref().as_fd()
    }
}
