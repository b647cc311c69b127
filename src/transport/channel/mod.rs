//! Node's own IPC channel to one child: lines of JSON both ways, and descriptors that belong to some of them.
//!
//! [`open`] makes a [`Receiver`] and a [`Sender`] out of our end of the socket pair. What the lines mean is
//! [`node_protocol`]'s business, and the bounds are here: the length of a line, the bytes that wait for a slow reader,
//! the descriptors that wait for their line. Lives on one thread, inside a tokio runtime; the master calls it.

pub mod frame;
pub mod node_protocol;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::rc::Rc;

use crate::sys::{SysError, Watched};
pub use frame::{FRAME_LIMIT, FrameError};
pub use receiver::{DESCRIPTOR_LIMIT, Frame, Receiver};
pub use sender::{FRAME_COST, Outgoing, Sender};

/// Why a channel is of no use any more. The child's own doing, except for the first two.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The runtime cannot watch the socket.
    #[error("cannot watch the channel")]
    Watch(#[source] std::io::Error),
    /// Reading failed.
    #[error("cannot read from the channel")]
    Receive(#[source] SysError),
    /// Writing failed.
    #[error("cannot write to the channel")]
    Send(#[source] SysError),
    /// The peer sent something that is no line.
    #[error("broken frame")]
    Frame(#[from] FrameError),
    /// A descriptor came with a line that says nothing of one.
    #[error("a descriptor came with a frame that is no NODE_HANDLE")]
    StrayDescriptor,
}

/// Takes over our end of a channel, which must be non-blocking. Frames of up to `queue_limit` bytes may wait for a slow reader. Call
/// inside a tokio runtime with I/O and time.
///
/// # Errors
/// When the runtime cannot watch it.
pub fn open(socket: OwnedFd, queue_limit: usize) -> Result<(Receiver, Sender), ChannelError> {
    let socket = Rc::new(Watched::new(socket).map_err(ChannelError::Watch)?);
    Ok((Receiver::new(Rc::clone(&socket)), Sender::new(socket, queue_limit)))
}
