//! A worker's end of its lane: the connections that the master hands it, several at once, and the count of those it has closed.
//!
//! What lies in the lane is the master's until it is taken here: it can take it out again. So nothing is taken that this process has no
//! descriptor for, and nothing is acknowledged.

use std::os::fd::{AsFd, OwnedFd};

pub use crate::sys::event_loop::EventLoop;
use crate::sys::event_loop::Readiness;
use crate::sys::shared_memory::{self, SharedMemoryError};
use crate::sys::{SysError, unix_socket};
use crate::transport::lane::{COUNTS_BYTES, ENTRY_BYTES, RECORD_BYTES, RECORD_ENTRIES, Record};
pub use crate::transport::lane::{DoorNumber, Entry};
use crate::transport::switchboard::layout::ByteOffset;
use crate::transport::switchboard::memory::{OwnMemory, OwnWord};
use crate::transport::switchboard::refused::Refused;

/// For so many descriptors it is asked at once whether there is room.
const MOST_ROOM: usize = 4 * RECORD_ENTRIES;

/// Why there is no lane.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaneError {
    /// What the master put into the environment is nothing that it puts there.
    #[error("{found:?} does not name a lane")]
    Invitation {
        /// What was found.
        found: String,
    },
    /// There is no memory to count in.
    #[error("cannot make memory for the lane")]
    Memory(#[from] SharedMemoryError),
    /// There is no way to the master.
    #[error("cannot open the lane")]
    System(#[from] SysError),
    /// Fresh memory of our own is not what it must be.
    #[error("cannot count in the lane's memory")]
    Layout(#[from] Refused),
}

/// What came out of the lane.
#[derive(Debug)]
pub enum Taken {
    /// Connections, each with its descriptor.
    Connections(Vec<(Entry, OwnedFd)>),
    /// What Node calls a listening socket whose connections follow.
    Name {
        /// The number in the connections that follow.
        door: DoorNumber,
        /// Node's key.
        key: String,
        /// Whether it is a unix socket.
        is_unix: bool,
    },
    /// Nothing is there.
    Nothing,
    /// Something is there, and this process has no descriptor for it.
    OutOfDescriptors,
    /// The master is gone.
    Ended,
}

/// What calls when something is in the lane; ends with this value. To be dropped before the lane.
pub struct Watch {
    _readiness: Readiness,
}

/// The lane of this process.
pub struct Lane {
    socket: OwnedFd,
    /// So many entries may be taken before it is asked again whether there are descriptors.
    room: usize,
    closed: u64,
    closed_word: OwnWord,
}

impl Lane {
    /// Says hello on the lane that the master offers by the number of its descriptor.
    ///
    /// # Errors
    /// See [`LaneError`].
    pub fn join(invitation: &str) -> Result<Self, LaneError> {
        let number = invitation.parse().map_err(|_| LaneError::Invitation { found: invitation.to_owned() })?;
        let socket = unix_socket::inherited(number)?;
        let (mapping, file) = shared_memory::create(c"clutch-counts", COUNTS_BYTES)?;
        let closed_word = OwnMemory::from(mapping).word(ByteOffset(0))?;
        unix_socket::send_record(socket.as_fd(), &Record::Hello.to_bytes(), &[file.as_fd()])?;
        Ok(Self { socket, room: 0, closed: 0, closed_word })
    }

    /// Calls `on_wake` on the event loop as long as something is in the lane.
    ///
    /// # Errors
    /// When this process has no such loop.
    pub fn watch(&self, event_loop: EventLoop, on_wake: impl Fn() + 'static) -> Result<Watch, SysError> {
        let readiness = Readiness::watch(event_loop, self.socket.as_fd(), Box::new(on_wake))?;
        Ok(Watch { _readiness: readiness })
    }

    /// Takes the next record.
    pub fn take(&mut self) -> Taken {
        loop {
            if self.room == 0 && !self.make_room() {
                // Full is full: then much of this has been said before.
                let _ = unix_socket::send_record(self.socket.as_fd(), &Record::Short.to_bytes(), &[]);
                return Taken::OutOfDescriptors;
            }
            let mut bytes = [0; RECORD_BYTES];
            let mut descriptors = Vec::with_capacity(RECORD_ENTRIES);
            let received = match unix_socket::receive(self.socket.as_fd(), &mut bytes, &mut descriptors) {
                Ok(received) if received.bytes == 0 => return Taken::Ended,
                Ok(received) => received.bytes,
                Err(error) if error.is_would_block() => {
                    self.room = 0;
                    return Taken::Nothing;
                }
                Err(_) => return Taken::Ended,
            };
            self.room = self.room.saturating_sub(received.div_ceil(ENTRY_BYTES));
            match Record::from_bytes(bytes.get(..received).unwrap_or_default()) {
                Ok(Record::Connections(entries)) => {
                    return Taken::Connections(entries.into_iter().zip(descriptors).collect());
                }
                Ok(Record::Name { door, key, is_unix }) => return Taken::Name { door, key, is_unix },
                Ok(Record::Call | Record::Hello | Record::Short) | Err(_) => {}
            }
        }
    }

    /// What a record cannot bring in is lost, so there must be room for all that waits, or for one record at least. At the end of the
    /// stream nothing waits.
    fn make_room(&mut self) -> bool {
        let waiting = unix_socket::unread_bytes(self.socket.as_fd()).unwrap_or_default().div_ceil(ENTRY_BYTES);
        self.room = if waiting <= MOST_ROOM { waiting } else { RECORD_ENTRIES };
        let has_room = unix_socket::has_room_for(self.socket.as_fd(), self.room);
        if !has_room {
            self.room = 0;
        }
        has_room
    }

    /// Gives a connection away to JavaScript, by the number of its descriptor.
    #[must_use]
    pub fn give_away(connection: OwnedFd) -> i32 {
        unix_socket::give_away(connection)
    }

    /// Sends a connection back that this worker does not want, by the number of its descriptor; that stays as it is. Answers whether the
    /// master has it.
    pub fn send_back(&self, entry: Entry, number: i32) -> bool {
        let record = Record::Connections(vec![entry]).to_bytes();
        unix_socket::send_record_with_number(self.socket.as_fd(), &record, number).is_ok()
    }

    /// A connection that came by the lane is closed.
    pub fn note_closed(&mut self) {
        self.closed = self.closed.wrapping_add(1);
        self.closed_word.store_relaxed(self.closed);
    }
}
