//! The blocks of one sender that a receiver goes on reading after it has passed them: a buffer that JavaScript holds in place.
//!
//! Owns the receiver's lease words for that sender. The sender reads them in `ring.rs` and frees in `reclaim.rs`. A lease
//! without a place in the table is refused, and the receiver copies instead.

use super::layout::{Geometry, LEASE_LIMIT, Place, Position, WORD_BYTES};
use super::memory::{OwnMemory, OwnWord};
use super::refused::Refused;

/// The name of one lease. It is ended once.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct LeaseIndex(u32);

/// All leases on the blocks of one sender.
#[derive(Debug)]
pub struct Leases {
    map_word: OwnWord,
    words: Vec<OwnWord>,
    map: u64,
}

impl Leases {
    /// None yet; forgets those on a former process of the sender's place.
    ///
    /// # Errors
    /// When the sender's place cannot be.
    pub fn open(inbox: &OwnMemory, geometry: Geometry, sender: Place) -> Result<Self, Refused> {
        let word = |index: usize| inbox.word(geometry.leases(sender).plus(index as u64 * WORD_BYTES));
        let map_word = inbox.word(geometry.lease_map(sender))?;
        let words = (0..LEASE_LIMIT).map(word).collect::<Result<_, _>>()?;
        // Before the cursor carries the new sender's generation, which makes it look here.
        map_word.store_relaxed(0);
        Ok(Self { map_word, words, map: 0 })
    }

    /// Enters a block before the cursor passes it, which is what publishes the entry. `None` when the table is full.
    pub fn enter(&mut self, position: Position) -> Option<LeaseIndex> {
        let index = self.map.trailing_ones();
        self.words.get(index as usize)?.store_relaxed(position.0);
        self.map |= 1 << index;
        self.map_word.store_relaxed(self.map);
        Some(LeaseIndex(index))
    }

    /// The last read of the block is over.
    pub fn end(&mut self, lease: LeaseIndex) {
        self.map &= !1_u64.wrapping_shl(lease.0);
        // SYNC lease-map: release here ↔ acquire in Producer::read_leases.
        self.map_word.store_release(self.map);
    }

    /// How many are in force.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.map.count_ones()
    }
}
