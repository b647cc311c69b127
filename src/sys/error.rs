//! The one error that system calls end in: which call, and which errno.
//!
//! It never interprets; callers that must answer Node with a libuv number ask for [`SysError::libuv_errno`].

use nix::errno::Errno;

/// `EINVAL`, for what is refused before any call.
pub const INVALID_ARGUMENT: i32 = nix::libc::EINVAL;

/// `EMFILE`, for a descriptor that another process had no room for.
pub const OUT_OF_DESCRIPTORS: i32 = nix::libc::EMFILE;

/// A system call that failed, with the name of the call and what the kernel said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {errno}")]
pub struct SysError {
    operation: &'static str,
    errno: Errno,
}

impl SysError {
    pub(crate) fn new(operation: &'static str, errno: Errno) -> Self {
        Self { operation, errno }
    }

    pub(crate) fn last(operation: &'static str) -> Self {
        Self { operation, errno: Errno::last() }
    }

    pub(crate) fn from_io(operation: &'static str, error: &std::io::Error) -> Self {
        Self { operation, errno: Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO)) }
    }

    /// The name of the call that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The positive errno.
    #[must_use]
    pub fn errno(&self) -> i32 {
        self.errno as i32
    }

    /// The number libuv and Node use for the same failure: the errno, negative.
    #[must_use]
    pub fn libuv_errno(&self) -> i32 {
        -self.errno()
    }

    /// The symbolic name, such as `EADDRINUSE`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{:?}", self.errno)
    }

    /// Nothing can be done right now on this non-blocking descriptor.
    #[must_use]
    pub fn is_would_block(&self) -> bool {
        self.errno == Errno::EAGAIN
    }

    /// The process that was meant is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.errno == Errno::ESRCH
    }

    /// The other end of a connection is gone.
    #[must_use]
    pub fn is_peer_closed(&self) -> bool {
        matches!(self.errno, Errno::EPIPE | Errno::ECONNRESET)
    }

    /// This process or the whole system has no descriptor left.
    #[must_use]
    pub fn is_out_of_descriptors(&self) -> bool {
        matches!(self.errno, Errno::EMFILE | Errno::ENFILE)
    }

    /// Somebody else has the address.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        self.errno == Errno::EADDRINUSE
    }

    /// Nobody listens there any more.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.errno == Errno::ECONNREFUSED
    }

    /// There is nothing of that name.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.errno == Errno::ENOENT
    }

    /// Too many descriptors are under way in sockets; there is room again once a peer reads.
    #[must_use]
    pub fn is_too_many_in_flight(&self) -> bool {
        self.errno == Errno::ETOOMANYREFS
    }
}

/// Names the call in front of nix's bare errno.
pub(crate) trait Named<T> {
    fn named(self, operation: &'static str) -> Result<T, SysError>;
}

impl<T> Named<T> for nix::Result<T> {
    fn named(self, operation: &'static str) -> Result<T, SysError> {
        self.map_err(|errno| SysError::new(operation, errno))
    }
}
