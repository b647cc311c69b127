//! A receiver's view of one sender's segments: which are mapped, and whether a range that a descriptor names may be read.
//!
//! The sender's table says which segments there are; their descriptors come by another way, and may come later than the first
//! message that needs them.

use super::descriptor::PayloadRange;
use super::layout::{BLOCKS_START, ByteCount, Geometry, Peer, SEGMENT_LIMIT, SEGMENT_TABLE, SegmentId, WORD_BYTES};
use super::memory::{PeerMemory, PeerWord};
use super::refused::{Refused, What};
use super::slab;

/// Why a payload cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Its segment exists, and its descriptor is still on the way: leave the message where it is, and ask again.
    NotHereYet(SegmentId),
    /// It is not to be believed.
    Refused(Refused),
}

impl From<Refused> for Unreadable {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// The segments of one sender.
#[derive(Debug)]
pub struct Segments {
    sender: Peer,
    geometry: Geometry,
    table: Vec<PeerWord>,
    mapped: Vec<Option<(SegmentId, PeerMemory)>>,
}

impl Segments {
    /// None mapped yet.
    ///
    /// # Errors
    /// When the memory is no outbox.
    pub fn new(outbox: &PeerMemory, geometry: Geometry, sender: Peer) -> Result<Self, Refused> {
        let entry = |index: usize| outbox.word(SEGMENT_TABLE.plus(index as u64 * WORD_BYTES));
        let table = (0..SEGMENT_LIMIT).map(entry).collect::<Result<_, _>>()?;
        Ok(Self { sender, geometry, table, mapped: (0..SEGMENT_LIMIT).map(|_| None).collect() })
    }

    /// Takes a segment that was handed over. One that its sender has dropped meanwhile is let go of at once.
    ///
    /// # Errors
    /// When it is not the segment that it was said to be.
    pub fn add(&mut self, segment: SegmentId, size: ByteCount, memory: PeerMemory) -> Result<(), Refused> {
        Refused::beyond(What::Segment, segment.index.into(), SEGMENT_LIMIT as u64 - 1)?;
        memory.check_label(slab::label(self.sender, self.geometry, segment, size))?;
        let is_listed = self.is_listed(segment);
        if let Some(seat) = self.mapped.get_mut(segment.index as usize).filter(|_| is_listed) {
            *seat = Some((segment, memory));
        }
        Ok(())
    }

    /// Lets go of what the sender has dropped; leases on it have ended long before.
    pub fn drop_unlisted(&mut self) {
        for index in 0..self.mapped.len() {
            let unlisted = |seat: &Option<(SegmentId, PeerMemory)>| {
                seat.as_ref().is_some_and(|(segment, _)| !self.is_listed(*segment))
            };
            if self.mapped.get(index).is_some_and(unlisted) {
                self.mapped[index] = None;
            }
        }
    }

    /// The memory that holds the whole of a range.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn find(&self, range: &PayloadRange) -> Result<&PeerMemory, Unreadable> {
        let seat = self.mapped.get(range.segment.index as usize);
        let known = seat.and_then(Option::as_ref).filter(|(segment, _)| *segment == range.segment);
        let Some((_, memory)) = known else {
            return Err(if self.is_listed(range.segment) {
                Unreadable::NotHereYet(range.segment)
            } else {
                let found = range.segment.to_word();
                Unreadable::Refused(Refused { what: What::Segment, found, limit: SEGMENT_LIMIT as u64 - 1 })
            });
        };
        if range.offset < BLOCKS_START {
            return Err(Refused { what: What::Range, found: range.offset.0, limit: BLOCKS_START.0 }.into());
        }
        memory.check(range.offset, range.length)?;
        Ok(memory)
    }

    fn is_listed(&self, segment: SegmentId) -> bool {
        // SYNC segment-table: acquire here ↔ release in Slab::add_segment.
        let entry = self.table.get(segment.index as usize).map(PeerWord::load_acquire);
        segment.serial != 0 && entry == Some(segment.to_word())
    }
}
