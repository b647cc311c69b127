//! The writing half of a channel: a bounded queue that anybody on this thread fills, and one task that empties it.
//!
//! A full socket makes the queue grow and nobody wait; a full queue gives the frame back. Frames leave in the order they
//! were pushed, many by one system call where no descriptor stands between.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::coop;

use super::ChannelError;
use crate::sys::unix_socket::{self, Closing};
use crate::sys::{SysError, Watched, heap};

/// What a waiting frame costs beside its text: its place in the queue and the allocations of its pieces. Without it a
/// queue of tiny frames would hold several times its bound.
pub const FRAME_COST: usize = 160;
/// What the frames of Node's own protocol may use beyond the bound; see [`Sender::push_own`].
const OWN_RESERVE: usize = 1024 * 1024;
/// A queue that has had more places than this gives its memory back when it is empty.
const KEPT_PLACES: usize = 1024;
/// How many pieces one system call takes.
const PIECES: usize = 64;
/// The pause when too many descriptors are under way to one user's processes: nobody tells when there is room again.
const IN_FLIGHT_PAUSE: Duration = Duration::from_millis(10);

/// One complete frame, newline included, in one or two pieces.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The pieces, sent one behind the other.
    pub parts: [Bytes; 2],
    /// Goes with the first byte, and is let go of as soon as that is in the socket.
    pub descriptor: Option<Rc<OwnedFd>>,
}

impl Outgoing {
    /// A frame in one piece.
    #[must_use]
    pub fn new(frame: Bytes) -> Self {
        Self { parts: [frame, Bytes::new()], descriptor: None }
    }

    /// A frame in one piece that carries a descriptor.
    #[must_use]
    pub fn with_descriptor(frame: Bytes, descriptor: Rc<OwnedFd>) -> Self {
        Self { parts: [frame, Bytes::new()], descriptor: Some(descriptor) }
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// No more frames; the end is told to the peer behind the last one.
    Ending,
    Closed,
}

#[derive(Debug)]
struct Shared {
    socket: Rc<Watched>,
    /// How much memory may be held for one slow reader.
    limit: usize,
    queue: RefCell<VecDeque<Outgoing>>,
    queued_bytes: Cell<usize>,
    state: Cell<State>,
    changed: Notify,
}

/// Sends frames; clones share one queue.
#[derive(Debug, Clone)]
pub struct Sender {
    shared: Rc<Shared>,
}

impl Sender {
    pub(super) fn new(socket: Rc<Watched>, limit: usize) -> Self {
        Self {
            shared: Rc::new(Shared {
                socket,
                limit,
                queue: RefCell::default(),
                queued_bytes: Cell::new(0),
                state: Cell::new(State::Open),
                changed: Notify::new(),
            }),
        }
    }

    /// Puts a frame at the end of the queue.
    ///
    /// # Errors
    /// Gives the frame back when the queue is full or the channel is closed; [`Sender::is_closed`] tells which.
    pub fn push(&self, out: Outgoing) -> Result<(), Outgoing> {
        self.push_within(self.shared.limit, out)
    }

    /// As [`Sender::push`], for a frame of Node's own protocol: an answer, or a connection. They are few and small, and a
    /// worker that missed one would wait for ever, so they find room behind any number of messages.
    ///
    /// # Errors
    /// As [`Sender::push`]. A queue that is full for these belongs to a reader that asks and asks, and never reads.
    pub fn push_own(&self, out: Outgoing) -> Result<(), Outgoing> {
        self.push_within(self.shared.limit.saturating_add(OWN_RESERVE), out)
    }

    fn push_within(&self, limit: usize, out: Outgoing) -> Result<(), Outgoing> {
        let costs = (self.shared.queue.borrow().len() + 1).saturating_mul(FRAME_COST);
        let total = self.shared.queued_bytes.get().saturating_add(out.bytes());
        if self.is_closed() || total.saturating_add(costs) > limit {
            return Err(out);
        }
        // A frame of no bytes would be the end of the stream to nobody and keep the writer busy for ever.
        if out.bytes() > 0 {
            self.shared.queued_bytes.set(total);
            self.shared.queue.borrow_mut().push_back(out);
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// Bytes that the socket has not taken yet.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.shared.queued_bytes.get()
    }

    /// Whether frames are refused for ever: somebody here has closed, or the peer is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.state.get() != State::Open
    }

    /// Takes no more frames, and tells the peer the end once the queue is empty: a Node child then disconnects. What the
    /// peer still sends is received until it closes, too.
    pub fn close_when_flushed(&self) {
        if self.shared.state.get() == State::Open {
            self.shared.state.set(State::Ending);
            self.shared.changed.notify_one();
        }
    }

    /// Drops the queue and ends both directions at once.
    pub fn close_now(&self) {
        unix_socket::close(self.shared.descriptor(), Closing::Both);
        self.shared.end();
    }

    /// The writer: run it once per channel, as a task of its own. Ends when the channel is closed from either side.
    ///
    /// # Errors
    /// When the socket fails in another way than by the peer's end; the channel is closed then.
    pub async fn run(&self) -> Result<(), ChannelError> {
        let written = self.shared.write_until_closed().await;
        self.shared.end();
        written
    }
}

impl Shared {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn end(&self) {
        self.state.set(State::Closed);
        self.queue.borrow_mut().clear();
        self.queued_bytes.set(0);
        self.changed.notify_one();
    }

    async fn write_until_closed(&self) -> Result<(), ChannelError> {
        let mut sent_of_first = 0;
        loop {
            if self.queue.borrow().is_empty() {
                match self.state.get() {
                    State::Open => self.changed.notified().await,
                    State::Ending => {
                        unix_socket::close(self.descriptor(), Closing::Sending);
                        return Ok(());
                    }
                    State::Closed => return Ok(()),
                }
                continue;
            }
            // A reader that keeps up would keep this task busy for as long as there is a queue.
            coop::consume_budget().await;
            // close_now shuts the socket down, which makes it writable: no other wake-up is needed here.
            let mut ready = self.socket.writable().await.map_err(ChannelError::Watch)?;
            match self.write_once(sent_of_first) {
                Ok(left) => sent_of_first = left,
                Err(error) if error.is_would_block() => ready.clear_ready(),
                Err(error) if error.is_too_many_in_flight() => tokio::time::sleep(IN_FLIGHT_PAUSE).await,
                Err(error) if error.is_peer_closed() => return Ok(()),
                Err(error) => return Err(ChannelError::Send(error)),
            }
        }
    }

    /// One system call. Takes and gives how much of the first frame has been sent.
    fn write_once(&self, sent_of_first: usize) -> Result<usize, SysError> {
        let mut queue = self.queue.borrow_mut();
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let (count, descriptor) = gather(&queue, sent_of_first, &mut pieces);
        let pieces = pieces.get(..count).unwrap_or_default();
        let written = if pieces.is_empty() { 0 } else { unix_socket::send(self.descriptor(), pieces, descriptor)? };
        self.queued_bytes.set(self.queued_bytes.get().saturating_sub(written));
        let mut sent = sent_of_first + written;
        while let Some(first) = queue.front_mut() {
            if written > 0 {
                first.descriptor = first.descriptor.take().filter(|_| sent == 0);
            }
            if sent < first.bytes() {
                break;
            }
            sent -= first.bytes();
            queue.pop_front();
        }
        if queue.is_empty() && queue.capacity() > KEPT_PLACES {
            queue.shrink_to(KEPT_PLACES);
            heap::give_back();
        }
        Ok(sent)
    }
}

/// Collects what the next call sends: the frames up to the next one with a descriptor, or that one alone, so that what
/// is read together with a descriptor always ends with its own frame.
fn gather<'a>(
    queue: &'a VecDeque<Outgoing>,
    mut skip: usize,
    pieces: &mut [IoSlice<'a>; PIECES],
) -> (usize, Option<BorrowedFd<'a>>) {
    let mut count = 0;
    for (index, frame) in queue.iter().enumerate() {
        let alone = frame.descriptor.is_some();
        if (alone && index > 0) || count + frame.parts.len() > PIECES {
            break;
        }
        for part in &frame.parts {
            let piece = part.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(part.len());
            if let (false, Some(place)) = (piece.is_empty(), pieces.get_mut(count)) {
                *place = IoSlice::new(piece);
                count += 1;
            }
        }
        if alone {
            return (count, frame.descriptor.as_deref().map(AsFd::as_fd));
        }
    }
    (count, None)
}
