//! The reading half of a channel: lines, each with the descriptor that was sent with it.
//!
//! Which descriptor belongs to which line is the kernel's doing: a read ends behind the piece of the stream that carried
//! a descriptor (unix(7): "ancillary data forms a barrier"), and libuv writes each line with a descriptor by a call of
//! its own. So a descriptor belongs to the line that holds the last byte of the read that brought it.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use bytes::Bytes;
use tokio::task::coop;

use super::ChannelError;
use super::frame::{FRAME_LIMIT, FrameReader};
use crate::sys::Watched;
use crate::sys::unix_socket::receive;

/// How much one read takes; libuv reads as much.
const READ_BYTES: usize = 64 * 1024;
/// How many descriptors may wait for the end of their lines. Node sends the next one only when the last was acknowledged.
pub const DESCRIPTOR_LIMIT: usize = 16;
/// How Node begins a line that has a descriptor: the property order of an object literal is kept by `JSON.stringify`.
const HANDLE_PREFIX: &[u8] = b"{\"cmd\":\"NODE_HANDLE\",";

/// One line of the channel.
#[derive(Debug)]
pub struct Frame {
    /// The text without its newline; it is valid UTF-8.
    pub line: Bytes,
    /// The descriptor that was sent with it. A `NODE_HANDLE` line without one has lost it on the way, and wants a
    /// `NODE_HANDLE_NACK`.
    pub descriptor: Option<OwnedFd>,
}

/// Reads frames.
#[derive(Debug)]
pub struct Receiver {
    socket: Rc<Watched>,
    reader: FrameReader,
    buffer: Box<[u8]>,
    /// Each with the number of the line that it belongs to, in rising order.
    descriptors: VecDeque<(u64, OwnedFd)>,
    handed_out: u64,
    surplus: u64,
    lost: u64,
    ended: bool,
}

impl Receiver {
    pub(super) fn new(socket: Rc<Watched>) -> Self {
        Self {
            socket,
            reader: FrameReader::new(FRAME_LIMIT),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            descriptors: VecDeque::new(),
            handed_out: 0,
            surplus: 0,
            lost: 0,
            ended: false,
        }
    }

    /// The next frame; `None` once the peer has closed, and after any error. Half a line at the end is dropped, as the
    /// peer may be killed at any byte. Nothing is lost when the future is dropped before it is done.
    ///
    /// # Errors
    /// See [`ChannelError`]; the channel cannot be followed any further.
    pub async fn next(&mut self) -> Result<Option<Frame>, ChannelError> {
        // A child that never stops talking must not keep the thread from everybody else.
        coop::consume_budget().await;
        loop {
            match self.take_frame() {
                Ok(None) if self.ended => return Ok(None),
                Ok(None) => {}
                answer => {
                    self.ended |= answer.is_err();
                    return answer;
                }
            }
            self.ended = !self.read().await.inspect_err(|_| self.ended = true)?;
        }
    }

    /// Descriptors that came where none or only one was due, and were closed.
    #[must_use]
    pub fn surplus_descriptors(&self) -> u64 {
        self.surplus
    }

    /// Reads that had brought more descriptors than this process has room for.
    #[must_use]
    pub fn lost_descriptors(&self) -> u64 {
        self.lost
    }

    fn take_frame(&mut self) -> Result<Option<Frame>, ChannelError> {
        if self.ended {
            self.descriptors.clear();
        }
        let Some(line) = self.reader.next().transpose()? else { return Ok(None) };
        let number = self.handed_out;
        self.handed_out += 1;
        let descriptor = match self.descriptors.front() {
            Some((owner, _)) if *owner == number => self.descriptors.pop_front().map(|(_, descriptor)| descriptor),
            _ => None,
        };
        if descriptor.is_some() && !line.starts_with(HANDLE_PREFIX) {
            return Err(ChannelError::StrayDescriptor);
        }
        Ok(Some(Frame { line, descriptor }))
    }

    /// Feeds the reader with one read. Answers whether there may be more.
    async fn read(&mut self) -> Result<bool, ChannelError> {
        let mut descriptors = Vec::new();
        let received = loop {
            let mut ready = self.socket.readable().await.map_err(ChannelError::Watch)?;
            match receive(ready.get_inner().as_fd(), &mut self.buffer, &mut descriptors) {
                Ok(received) => break received,
                Err(error) if error.is_would_block() => ready.clear_ready(),
                // It ended without reading all that we had sent; what it has sent was delivered before this.
                Err(error) if error.is_peer_closed() => return Ok(false),
                Err(error) => return Err(ChannelError::Receive(error)),
            }
        };
        self.lost += u64::from(received.lost_descriptors);
        let chunk = self.buffer.get(..received.bytes).unwrap_or_default();
        self.reader.feed(chunk);
        let current = self.reader.completed();
        let owner = if chunk.ends_with(b"\n") { current.saturating_sub(1) } else { current };
        self.keep_descriptors(owner, descriptors);
        Ok(received.bytes > 0)
    }

    fn keep_descriptors(&mut self, owner: u64, descriptors: Vec<OwnedFd>) {
        for descriptor in descriptors {
            let taken = self.descriptors.back().is_some_and(|(other, _)| *other == owner);
            if taken || self.descriptors.len() >= DESCRIPTOR_LIMIT {
                self.surplus += 1;
            } else {
                self.descriptors.push_back((owner, descriptor));
            }
        }
    }
}
