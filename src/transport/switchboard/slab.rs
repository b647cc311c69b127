//! A sender's arena: which bytes of which segments hold a payload and which are free.
//!
//! All bookkeeping is private to the sender; of it, peers see only the table of segments. The lowest free address of the smallest
//! segment is used first, so that a quiet sender stays in the same few warm pages, and what is small and held for long does not
//! lie where what is large has to go. Segments are added when nothing fits, each larger than the last, and dropped when empty. Who
//! still reads a block is `reclaim.rs`'s business.

use super::layout::{
    BLOCKS_START, ByteCount, ByteOffset, Geometry, LINE_BYTES, Label, Peer, Region, SEGMENT_LIMIT, SEGMENT_TABLE,
    SegmentId, WORD_BYTES, round_up,
};
use super::memory::{OwnMemory, OwnWord};
use super::refused::{Refused, What};

/// The first segment. Small enough to stay in a processor's cache, and large enough for most applications for ever.
const FIRST_SEGMENT: u64 = 256 * 1024;
/// Segments are multiples of it: of whole pages, on every platform that we run on.
pub const SEGMENT_UNIT: u64 = 64 * 1024;
/// Blocks that are attached to messages are at most this part of the arena.
pub const ATTACHED_PART: u64 = 2;
/// No segment that is made in advance is more than this part of the arena.
const LARGEST_PART: u64 = 4;
/// The same for blocks that are attached: one that is held would pin all of it, and leave no room for a larger block.
const LARGEST_ATTACHED_PART: u64 = 16;

/// Bytes that belong to one payload until they are freed.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Block {
    segment: SegmentId,
    offset: ByteOffset,
    bytes: u64,
}

impl Block {
    /// Where it lies.
    #[must_use]
    pub fn segment(&self) -> SegmentId {
        self.segment
    }

    /// Its first byte, on a line of its own.
    #[must_use]
    pub fn offset(&self) -> ByteOffset {
        self.offset
    }

    /// How many bytes it has, which is at least what was asked for.
    #[must_use]
    pub fn bytes(&self) -> ByteCount {
        ByteCount(self.bytes)
    }
}

/// What a block is for. Each has segments of its own: what receivers keep for long must not leave the others without room for a
/// message that is large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A message, which is passed soon.
    Message,
    /// Bytes that go with messages, which their receivers may keep.
    Attachment,
}

/// Why there is no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum NoRoom {
    /// There will be when a segment of this size has been added.
    Grow(ByteCount),
    /// Not before others are freed.
    Full,
    /// Never: the whole arena is smaller.
    TooBig {
        /// The longest payload that fits into this arena.
        limit: ByteCount,
    },
}

/// A run of free bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    offset: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Segment {
    id: SegmentId,
    purpose: Purpose,
    memory: OwnMemory,
    size: u64,
    /// By offset; no two of them touch.
    gaps: Vec<Gap>,
    free: u64,
}

impl Segment {
    fn take(&mut self, bytes: u64) -> Option<Block> {
        if self.free < bytes {
            return None;
        }
        let (at, gap) = self.gaps.iter_mut().enumerate().find(|(_, gap)| gap.bytes >= bytes)?;
        let offset = ByteOffset(gap.offset);
        gap.offset += bytes;
        gap.bytes -= bytes;
        if gap.bytes == 0 {
            self.gaps.remove(at);
        }
        self.free -= bytes;
        Some(Block { segment: self.id, offset, bytes })
    }

    fn give(&mut self, block: &Block) {
        let (start, end) = (block.offset.0, block.offset.0 + block.bytes);
        let at = self.gaps.partition_point(|gap| gap.offset < start);
        let joins_next = self.gaps.get(at).is_some_and(|gap| gap.offset == end);
        let before = at.checked_sub(1).and_then(|before| self.gaps.get_mut(before));
        match before.filter(|gap| gap.offset + gap.bytes == start) {
            Some(before) => {
                before.bytes += block.bytes;
                if joins_next {
                    let joined = self.gaps.remove(at);
                    self.gaps[at - 1].bytes += joined.bytes;
                }
            }
            None if joins_next => self.gaps[at] = Gap { offset: start, bytes: block.bytes + self.gaps[at].bytes },
            None => self.gaps.insert(at, Gap { offset: start, bytes: block.bytes }),
        }
        self.free += block.bytes;
    }

    fn is_empty(&self) -> bool {
        self.free == self.size - BLOCKS_START.0
    }
}

/// The arena of one sender.
#[derive(Debug)]
pub struct Slab {
    owner: Peer,
    geometry: Geometry,
    arena: u64,
    table: Vec<OwnWord>,
    /// By index in the table.
    segments: Vec<Option<Segment>>,
    /// The indices of those that there are, the smallest first.
    by_size: Vec<usize>,
    last_serial: u32,
    /// What the next segment is for.
    grows_for: Purpose,
    /// Dropped, and not told yet.
    dropped: Vec<SegmentId>,
}

impl Slab {
    /// Without a segment yet.
    ///
    /// # Errors
    /// When the memory is no outbox.
    pub fn new(outbox: &OwnMemory, owner: Peer, geometry: Geometry, arena: ByteCount) -> Result<Self, Refused> {
        let entry = |index: usize| outbox.word(SEGMENT_TABLE.plus(index as u64 * WORD_BYTES));
        let table = (0..SEGMENT_LIMIT).map(entry).collect::<Result<_, _>>()?;
        let segments = (0..SEGMENT_LIMIT).map(|_| None).collect();
        Ok(Self {
            owner,
            geometry,
            arena: arena.0 / SEGMENT_UNIT * SEGMENT_UNIT,
            table,
            segments,
            by_size: Vec::with_capacity(SEGMENT_LIMIT),
            last_serial: 0,
            grows_for: Purpose::Message,
            dropped: Vec::new(),
        })
    }

    /// Whether so many bytes can ever have a block: the arena may be smaller.
    #[must_use]
    pub fn fits(&self, length: ByteCount) -> bool {
        segment_for(block_bytes(length)) <= self.arena
    }

    /// A block for `length` bytes, if one is free now.
    pub fn try_allocate(&mut self, length: ByteCount, purpose: Purpose) -> Option<Block> {
        let bytes = block_bytes(length);
        let segments = &mut self.segments;
        self.by_size.iter().find_map(|&index| {
            let segment = segments.get_mut(index).and_then(Option::as_mut);
            segment.filter(|segment| segment.purpose == purpose)?.take(bytes)
        })
    }

    /// A block for `length` bytes.
    ///
    /// # Errors
    /// [`NoRoom`], with what would help.
    pub fn allocate(&mut self, length: ByteCount, purpose: Purpose) -> Result<Block, NoRoom> {
        self.try_allocate(length, purpose).ok_or_else(|| self.missing(block_bytes(length), purpose))
    }

    /// Makes a block's bytes free again.
    pub fn free(&mut self, block: Block) {
        let segment = self.segments.get_mut(block.segment.index as usize).and_then(Option::as_mut);
        if let Some(segment) = segment.filter(|segment| segment.id == block.segment) {
            segment.give(&block);
        }
    }

    /// What would make room for so many bytes. Empty segments that are too small for it, and stand in the way of a larger one,
    /// are dropped.
    fn missing(&mut self, bytes: u64, purpose: Purpose) -> NoRoom {
        let needed = segment_for(bytes);
        if needed > self.arena {
            return NoRoom::TooBig { limit: ByteCount(self.arena.saturating_sub(BLOCKS_START.0)) };
        }
        let in_use = self.segments.iter().flatten().filter(|segment| !segment.is_empty()).count();
        if needed > self.room(purpose, |segment| !segment.is_empty()) || in_use == self.segments.len() {
            return NoRoom::Full;
        }
        while needed > self.room(purpose, |_| true) || self.segments.iter().all(Option::is_some) {
            let Some(largest) = self.empty_segments().last() else { return NoRoom::Full };
            self.drop_segment(largest);
        }
        self.grows_for = purpose;
        let of_its_kind = self.segments.iter().flatten().filter(|segment| segment.purpose == purpose);
        let largest = of_its_kind.map(|segment| segment.size).max().unwrap_or(0);
        let part = match purpose {
            Purpose::Message => LARGEST_PART,
            Purpose::Attachment => LARGEST_ATTACHED_PART,
        };
        let in_advance = FIRST_SEGMENT.max(largest * 2).min(self.arena / part / SEGMENT_UNIT * SEGMENT_UNIT);
        NoRoom::Grow(ByteCount(needed.max(in_advance).min(self.room(purpose, |_| true))))
    }

    /// How large a segment may be beside those that count.
    fn room(&self, purpose: Purpose, counts: impl Fn(&Segment) -> bool) -> u64 {
        let (mut all, mut attached) = (0, 0);
        for segment in self.segments.iter().flatten().filter(|segment| counts(segment)) {
            all += segment.size;
            if segment.purpose == Purpose::Attachment {
                attached += segment.size;
            }
        }
        let room = self.arena.saturating_sub(all);
        match purpose {
            Purpose::Message => room,
            Purpose::Attachment => {
                let limit = self.arena / ATTACHED_PART / SEGMENT_UNIT * SEGMENT_UNIT;
                room.min(limit.saturating_sub(attached))
            }
        }
    }

    /// Takes a segment of fresh memory into use, and lists it in the outbox.
    ///
    /// # Errors
    /// When there are too many, or the memory is too small to hold a label.
    pub fn add_segment(&mut self, memory: OwnMemory) -> Result<SegmentId, Refused> {
        let limit = SEGMENT_LIMIT as u64;
        let none = Refused { what: What::Segment, found: limit, limit };
        let index = self.segments.iter().position(Option::is_none).ok_or(none)?;
        let (Some(seat), Some(word), Ok(number)) =
            (self.segments.get_mut(index), self.table.get(index), u32::try_from(index))
        else {
            return Err(none);
        };
        let id = SegmentId { index: number, serial: self.last_serial.wrapping_add(1).max(1) };
        let bytes = memory.bytes();
        memory.write_label(label(self.owner, self.geometry, id, bytes))?;
        let free = bytes.0.saturating_sub(BLOCKS_START.0) / LINE_BYTES * LINE_BYTES;
        self.last_serial = id.serial;
        let gaps = vec![Gap { offset: BLOCKS_START.0, bytes: free }];
        let size = free + BLOCKS_START.0;
        *seat = Some(Segment { id, purpose: self.grows_for, memory, size, gaps, free });
        let is_before = |&other: &usize| (self.size_of(other), other) < (size, index);
        let at = self.by_size.partition_point(is_before);
        self.by_size.insert(at, index);
        // SYNC segment-table: release here ↔ acquire in Segments::is_listed. The label is complete.
        word.store_release(id.to_word());
        Ok(id)
    }

    fn size_of(&self, index: usize) -> u64 {
        self.segments.get(index).and_then(Option::as_ref).map_or(0, |segment| segment.size)
    }

    /// The indices of those that nothing lies in, the smallest first.
    fn empty_segments(&self) -> impl DoubleEndedIterator<Item = usize> {
        let is_empty =
            |index: &usize| self.segments.get(*index).and_then(Option::as_ref).is_some_and(Segment::is_empty);
        self.by_size.iter().copied().filter(is_empty)
    }

    /// Drops empty segments, the largest first, until only `keep` bytes of empty ones are left. Their peers find them unlisted
    /// and let go of them; the memory is free when the last one has.
    pub fn drop_empty(&mut self, keep: ByteCount) {
        let mut kept = 0;
        for index in self.empty_segments().collect::<Vec<_>>() {
            let size = self.size_of(index);
            if kept + size <= keep.0 {
                kept += size;
            } else {
                self.drop_segment(index);
            }
        }
    }

    /// Names a segment that was dropped, once.
    pub fn poll_dropped(&mut self) -> Option<SegmentId> {
        self.dropped.pop()
    }

    fn drop_segment(&mut self, index: usize) {
        let (Some(seat), Some(word)) = (self.segments.get_mut(index), self.table.get(index)) else { return };
        if let Some(segment) = seat.take() {
            self.by_size.retain(|other| *other != index);
            // Nothing is read of it any more: each of its blocks was passed by all who might.
            word.store_release(0);
            self.dropped.push(segment.id);
        }
    }

    /// The memory that a block lies in.
    #[must_use]
    pub fn memory(&self, segment: SegmentId) -> Option<&OwnMemory> {
        let found = self.segments.get(segment.index as usize).and_then(Option::as_ref);
        found.filter(|found| found.id == segment).map(|found| &found.memory)
    }

    /// The size of all segments together.
    #[must_use]
    pub fn reserved(&self) -> ByteCount {
        ByteCount(self.segments.iter().flatten().map(|segment| segment.size).sum())
    }

    /// The size of all blocks together.
    #[must_use]
    pub fn used(&self) -> ByteCount {
        let used = |segment: &Segment| segment.size - BLOCKS_START.0 - segment.free;
        ByteCount(self.segments.iter().flatten().map(used).sum())
    }
}

fn block_bytes(length: ByteCount) -> u64 {
    round_up(length.0.max(1), LINE_BYTES)
}

/// The smallest segment that has room for such a block.
fn segment_for(block_bytes: u64) -> u64 {
    round_up(block_bytes.saturating_add(BLOCKS_START.0), SEGMENT_UNIT)
}

/// What stands in the first line of a segment.
pub(super) fn label(owner: Peer, geometry: Geometry, id: SegmentId, bytes: ByteCount) -> Label {
    Label { region: Region::Segment, owner, serial: id.serial, geometry, bytes }
}
