//! What lies where in shared memory: headers, the rows of the rings, the words of a descriptor, and the limits of each.
//!
//! Pure arithmetic and checks; no memory is touched here. Both ends of a link compute every offset from a [`Geometry`] of
//! their own, so that nothing a peer writes ever becomes an address unchecked. A change of any of it is a new
//! [`LAYOUT_VERSION`].

use std::mem::{offset_of, size_of};

use super::refused::{Refused, What};
use crate::message::address::Generation;

/// Peers of another version are refused, not understood.
pub const LAYOUT_VERSION: u32 = 2;
/// Everything atomic is one word, and everything that is copied is copied by words.
pub const WORD_BYTES: u64 = size_of::<u64>() as u64;
/// What two writers must not share, or each store of one would slow the other.
pub const LINE_BYTES: u64 = 64;
/// The size of one descriptor.
pub const SLOT_BYTES: u64 = 64;
/// How many words a descriptor has.
pub const SLOT_WORDS: usize = (SLOT_BYTES / WORD_BYTES) as usize;
/// How many segments of payload one sender may have at a time.
pub const SEGMENT_LIMIT: usize = 32;
/// How many blocks of one sender a receiver may go on reading after it has passed them: the bits of one word.
pub const LEASE_LIMIT: usize = u64::BITS as usize;
/// How many blocks beside its own one message may have.
pub const ATTACHMENT_LIMIT: u32 = 16;
/// How many words of a message's payload tell of one of them.
pub const ATTACHMENT_WORDS: usize = 3;
/// The same in bytes.
pub const ATTACHMENT_BYTES: u64 = ATTACHMENT_WORDS as u64 * WORD_BYTES;
/// How many places and slots there may be at most: so few that the distance between the ends of a ring is never in doubt.
pub const COUNT_LIMIT: u32 = 1 << 16;

/// How many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(pub u64);

/// Where, counted from the start of one region of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteOffset(pub u64);

impl ByteOffset {
    /// The offset that lies `by` behind this one; saturates, so that a bounds check fails instead of wrapping around.
    #[must_use]
    pub fn plus(self, by: u64) -> Self {
        Self(self.0.saturating_add(by))
    }
}

/// Index of a process in the master's directory; given to another one only after the process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u32);

/// One process: a place in the directory, and which of the place's processes. The first generation is 1, so that a page of
/// zeroes belongs to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Where it is entered.
    pub place: Place,
    /// Which of the place's processes it is.
    pub generation: Generation,
}

/// How many descriptors have gone before this one in its ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// The position behind this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// The sender's number for the name of an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ActionRef(pub u32);

/// One segment of a sender's payload. The serial number is never used twice, the index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentId {
    /// Its entry in the sender's table, below [`SEGMENT_LIMIT`].
    pub index: u32,
    /// Counts the sender's segments; the first is 1.
    pub serial: u32,
}

impl SegmentId {
    /// As it stands in the sender's table and in descriptors.
    #[must_use]
    pub fn to_word(self) -> u64 {
        pack(self.serial, self.index)
    }

    /// Reads what a peer wrote; whether there is such a segment is the reader's question.
    #[must_use]
    pub fn from_word(word: u64) -> Self {
        let (serial, index) = unpack(word);
        Self { index, serial }
    }
}

/// How many processes a directory holds, and how many descriptors a ring does. The same for a whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    places: u32,
    slots: u32,
}

impl Geometry {
    /// What clusters use: an outbox is 17 MiB of addresses then, of which only what is used is ever memory.
    pub const STANDARD: Self = Self { places: 256, slots: 1024 };

    /// A geometry of one's own.
    ///
    /// # Errors
    /// When there is no place, or the number of slots is no power of two, or either is beyond [`COUNT_LIMIT`].
    pub fn new(places: u32, slots: u32) -> Result<Self, Refused> {
        let refused = |found: u32| Refused { what: What::Geometry, found: found.into(), limit: COUNT_LIMIT.into() };
        if !(1..=COUNT_LIMIT).contains(&places) {
            return Err(refused(places));
        }
        if !slots.is_power_of_two() || slots > COUNT_LIMIT {
            return Err(refused(slots));
        }
        Ok(Self { places, slots })
    }

    /// How many places the directory has.
    #[must_use]
    pub fn places(self) -> u32 {
        self.places
    }

    /// How many descriptors a ring holds.
    #[must_use]
    pub fn slots(self) -> u64 {
        u64::from(self.slots)
    }

    /// The size of an outbox.
    #[must_use]
    pub fn outbox_bytes(self) -> ByteCount {
        ByteCount(self.slots_start().0 + u64::from(self.places) * self.slots() * SLOT_BYTES)
    }

    /// The size of an inbox.
    #[must_use]
    pub fn inbox_bytes(self) -> ByteCount {
        let rows = u64::from(self.places) * size_of::<InboxRow>() as u64;
        ByteCount(size_of::<InboxHeader>() as u64 + rows)
    }

    /// Where a sender publishes how far its ring to `receiver` is filled.
    #[must_use]
    pub fn tail(self, receiver: Place) -> ByteOffset {
        ByteOffset(size_of::<OutboxHeader>() as u64 + u64::from(receiver.0) * LINE_BYTES)
    }

    /// The first slot of the ring to `receiver`.
    #[must_use]
    pub fn ring(self, receiver: Place) -> ByteOffset {
        self.slots_start().plus(u64::from(receiver.0) * self.slots() * SLOT_BYTES)
    }

    fn slots_start(self) -> ByteOffset {
        ByteOffset(size_of::<OutboxHeader>() as u64 + u64::from(self.places) * LINE_BYTES)
    }

    fn row(self, sender: Place) -> ByteOffset {
        ByteOffset(size_of::<InboxHeader>() as u64 + u64::from(sender.0) * size_of::<InboxRow>() as u64)
    }

    /// Where a receiver publishes how far it has passed the ring of `sender`.
    #[must_use]
    pub fn cursor(self, sender: Place) -> ByteOffset {
        self.row(sender).plus(offset_of!(InboxRow, cursor) as u64)
    }

    /// Where a receiver publishes how far it is about to read the ring of `sender`.
    #[must_use]
    pub fn claim(self, sender: Place) -> ByteOffset {
        self.row(sender).plus(offset_of!(InboxRow, claim) as u64)
    }

    /// Where a receiver publishes which of its leases on blocks of `sender` are in force.
    #[must_use]
    pub fn lease_map(self, sender: Place) -> ByteOffset {
        self.row(sender).plus(offset_of!(InboxRow, lease_map) as u64)
    }

    /// The first of the leases on blocks of `sender`.
    #[must_use]
    pub fn leases(self, sender: Place) -> ByteOffset {
        self.row(sender).plus(offset_of!(InboxRow, leases) as u64)
    }

    /// Refuses a place that the directory does not have.
    ///
    /// # Errors
    /// [`What::Place`], or [`What::Generation`] for one that no process ever had.
    pub fn check(self, peer: Peer) -> Result<(), Refused> {
        Refused::beyond(What::Place, u64::from(peer.place.0), u64::from(self.places) - 1)?;
        match peer.generation {
            Generation(0) => Err(Refused { what: What::Generation, found: 0, limit: 1 }),
            _ => Ok(()),
        }
    }
}

/// Where a sender's table of segments begins.
pub const SEGMENT_TABLE: ByteOffset = ByteOffset(offset_of!(OutboxHeader, segments) as u64);
/// Where an endpoint says whether it sleeps.
pub const DOORBELL: ByteOffset = ByteOffset(offset_of!(InboxHeader, doorbell) as u64);
/// Where the blocks of a segment begin.
pub const BLOCKS_START: ByteOffset = ByteOffset(LINE_BYTES);

/// What a region is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Rings and the table of segments.
    Outbox,
    /// Cursors, leases and the doorbell.
    Inbox,
    /// Blocks of payload.
    Segment,
}

impl Region {
    fn magic(self) -> u64 {
        u64::from_ne_bytes(match self {
            Self::Outbox => *b"clutchOB",
            Self::Inbox => *b"clutchIB",
            Self::Segment => *b"clutchSG",
        })
    }
}

/// The first line of every region, written once before anybody else sees it.
#[repr(C)]
struct Header {
    magic: u64,
    version: u32,
    place: u32,
    generation: u32,
    /// Of a segment; otherwise 0.
    serial: u32,
    places: u32,
    slots: u32,
    bytes: u64,
    _rest: [u64; 3],
}

#[repr(C)]
struct OutboxHeader {
    header: Header,
    segments: [u64; SEGMENT_LIMIT],
    _rest: [u64; 24],
}

#[repr(C)]
struct InboxHeader {
    header: Header,
    /// On a line of its own, as every sender reads it for every message.
    doorbell: u64,
    _rest_of_line: [u64; 7],
    /// For the heartbeat and the counters.
    _rest: [u64; 48],
}

#[repr(C)]
struct InboxRow {
    cursor: u64,
    claim: u64,
    lease_map: u64,
    _rest: [u64; 5],
    leases: [u64; LEASE_LIMIT],
}

const _: () = {
    assert!(size_of::<Header>() as u64 == LINE_BYTES);
    assert!(size_of::<OutboxHeader>() == 512);
    assert!(size_of::<InboxHeader>() == 512);
    assert!((size_of::<InboxRow>() as u64).is_multiple_of(LINE_BYTES));
    assert!((offset_of!(InboxHeader, doorbell) as u64).is_multiple_of(LINE_BYTES));
    assert!(SLOT_BYTES.is_multiple_of(LINE_BYTES) && SLOT_WORDS == 8);
    assert!(LEASE_LIMIT == 64);
};

/// How many words a header has.
pub(super) const HEADER_WORDS: usize = size_of::<Header>() / size_of::<u64>();

/// Who made a region, and of what shape; the first line of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// What it is for.
    pub region: Region,
    /// Whose it is.
    pub owner: Peer,
    /// The serial number of a segment; 0 otherwise.
    pub serial: u32,
    /// The shape of the cluster.
    pub geometry: Geometry,
    /// How large it is.
    pub bytes: ByteCount,
}

impl Label {
    pub(super) fn to_words(self) -> [u64; HEADER_WORDS] {
        let mut words = [0; HEADER_WORDS];
        words[0] = self.region.magic();
        words[1] = pack(self.owner.place.0, LAYOUT_VERSION);
        words[2] = pack(self.serial, self.owner.generation.0);
        words[3] = pack(self.geometry.slots, self.geometry.places);
        words[4] = self.bytes.0;
        words
    }

    /// Compares what a peer wrote with what it must have written.
    pub(super) fn check(self, words: [u64; HEADER_WORDS]) -> Result<(), Refused> {
        let (place, version) = unpack(words[1]);
        let (serial, generation) = unpack(words[2]);
        Refused::unless_equal(What::Magic, words[0], self.region.magic())?;
        Refused::unless_equal(What::Version, u64::from(version), u64::from(LAYOUT_VERSION))?;
        Refused::unless_equal(What::Place, u64::from(place), u64::from(self.owner.place.0))?;
        Refused::unless_equal(What::Generation, u64::from(generation), u64::from(self.owner.generation.0))?;
        Refused::unless_equal(What::Segment, u64::from(serial), u64::from(self.serial))?;
        Refused::unless_equal(What::Geometry, words[3], pack(self.geometry.slots, self.geometry.places))?;
        Refused::unless_equal(What::Size, words[4], self.bytes.0)
    }
}

/// How far one end of a ring has come, stamped with the generation of the *other* end. Both fit one word, so a ring is begun
/// anew for a new peer by a single store, and no reader ever sees the count of one peer with the name of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) generation: Generation,
    /// The lower half of a [`Position`]; whoever reads it knows the upper half.
    count: u32,
}

impl Mark {
    pub(super) fn new(generation: Generation, position: Position) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "the upper half is known to the reader")]
        let count = position.0 as u32;
        Self { generation, count }
    }

    pub(super) fn to_word(self) -> u64 {
        pack(self.generation.0, self.count)
    }

    pub(super) fn from_word(word: u64) -> Self {
        let (generation, count) = unpack(word);
        Self { generation: Generation(generation), count }
    }

    /// True for a position that lies before `known`, by at most `span`.
    pub(super) fn is_behind(self, known: Position, span: u64) -> bool {
        let behind = u64::from(Self::new(self.generation, known).count.wrapping_sub(self.count));
        (1..=span).contains(&behind)
    }

    /// The position that is meant, for a reader who knows that it lies in `from ..= from + span`.
    pub(super) fn resolve(self, what: What, from: Position, span: u64) -> Result<Position, Refused> {
        let ahead = u64::from(self.count.wrapping_sub(Self::new(self.generation, from).count));
        Refused::beyond(what, ahead, span)?;
        Ok(Position(from.0.wrapping_add(ahead)))
    }
}

pub(super) fn pack(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

pub(super) fn unpack(word: u64) -> (u32, u32) {
    #[allow(clippy::cast_possible_truncation, reason = "the halves of a word")]
    let halves = ((word >> 32) as u32, word as u32);
    halves
}

/// The next multiple of `unit`, a power of two; saturates at the last one.
pub(super) fn round_up(bytes: u64, unit: u64) -> u64 {
    bytes.checked_next_multiple_of(unit).unwrap_or(u64::MAX - (unit - 1))
}
