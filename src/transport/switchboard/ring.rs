//! The ring of one ordered pair: descriptors from one producer to one consumer, in order, each at most once.
//!
//! The slots and the tail lie in the sender's outbox, the cursor and the claim in the receiver's inbox, so each word has one
//! writer. Both marks carry the generation of the other end: a mark for somebody else counts as zero, so a new process at
//! either end begins an empty ring by one store. Nothing here blocks, sleeps, or touches payload.
//!
//! A consumer *claims* descriptors before it reads them and *passes* them afterwards. What is not claimed the producer may
//! take back ([`Producer::withdraw`]): that is how the surplus of a peer that stands still leaves the arena.

use super::descriptor::Descriptor;
use super::layout::{ByteCount, Geometry, LEASE_LIMIT, Mark, Peer, Position, WORD_BYTES};
use super::memory::{OwnMemory, OwnSlots, OwnWord, PeerMemory, PeerSlots, PeerWord};
use super::refused::{Refused, What};
use super::sync::{Ordering, fence};
use crate::message::address::Generation;

/// What became of a descriptor.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Pushed {
    /// The consumer sees it; this is its number.
    At(Position),
    /// There was no room for it.
    Full(Descriptor),
}

/// The sender's end.
#[derive(Debug)]
pub struct Producer {
    tail: OwnWord,
    slots: OwnSlots,
    slot_count: u64,
    cursor: PeerWord,
    claim: PeerWord,
    lease_map: PeerWord,
    leases: Vec<PeerWord>,
    own: Generation,
    receiver: Generation,
    /// The number of the next descriptor.
    next: Position,
    /// What the consumer is known to have passed.
    passed: Position,
}

impl Producer {
    /// Begins an empty ring to `receiver`, whose place no living process had before it.
    ///
    /// # Errors
    /// When the receiver's place or generation cannot be.
    pub fn open(
        outbox: &OwnMemory,
        inbox: &PeerMemory,
        geometry: Geometry,
        own: Peer,
        receiver: Peer,
    ) -> Result<Self, Refused> {
        geometry.check(own)?;
        geometry.check(receiver)?;
        let lease = |index: usize| inbox.word(geometry.leases(own.place).plus(index as u64 * WORD_BYTES));
        let producer = Self {
            tail: outbox.word(geometry.tail(receiver.place))?,
            slots: outbox.slots(geometry.ring(receiver.place), geometry.slots())?,
            slot_count: geometry.slots(),
            cursor: inbox.word(geometry.cursor(own.place))?,
            claim: inbox.word(geometry.claim(own.place))?,
            lease_map: inbox.word(geometry.lease_map(own.place))?,
            leases: (0..LEASE_LIMIT).map(lease).collect::<Result<_, _>>()?,
            own: own.generation,
            receiver: receiver.generation,
            next: Position(0),
            passed: Position(0),
        };
        producer.store_tail(producer.next);
        Ok(producer)
    }

    /// Publishes a descriptor, and everything that this thread has written before it.
    ///
    /// # Errors
    /// When the consumer's cursor cannot be; nothing was published then.
    pub fn try_push(&mut self, descriptor: Descriptor) -> Result<Pushed, Refused> {
        if !self.has_room()? {
            return Ok(Pushed::Full(descriptor));
        }
        let position = self.next;
        self.slots.write(position, descriptor.to_words(position));
        self.next = position.next();
        self.store_tail(self.next);
        Ok(Pushed::At(position))
    }

    /// Whether a push will succeed. Looks at the consumer's cursor only when the ring seems full.
    ///
    /// # Errors
    /// When the consumer's cursor cannot be.
    pub fn has_room(&mut self) -> Result<bool, Refused> {
        if self.waiting() < self.slot_count {
            return Ok(true);
        }
        self.refresh()?;
        Ok(self.waiting() < self.slot_count)
    }

    /// Everything before the answer has been passed by the consumer: its slots and, unless leased, its blocks are ours again.
    ///
    /// # Errors
    /// When the consumer's cursor cannot be.
    pub fn refresh(&mut self) -> Result<Position, Refused> {
        // SYNC ring-cursor: acquire here ↔ release in Consumer::store_cursor. What we write from now on into a slot or block
        // that was passed is not seen by the reads that came before the pass.
        let mark = Mark::from_word(self.cursor.load_acquire());
        if mark.generation == self.own {
            self.passed = mark.resolve(What::Cursor, self.passed, self.waiting())?;
        }
        Ok(self.passed)
    }

    /// Collects which descriptors that were passed are still being read. Call after [`Producer::refresh`]: a lease is entered
    /// before the cursor moves past it.
    pub fn read_leases(&self, held: &mut Vec<Position>) {
        held.clear();
        if Mark::from_word(self.cursor.load_acquire()).generation != self.own {
            return;
        }
        // SYNC lease-map: acquire here ↔ release in Leases::end. The last read of a block comes before our next write to it.
        let mut map = self.lease_map.load_acquire();
        while map != 0 {
            if let Some(lease) = self.leases.get(map.trailing_zeros() as usize) {
                held.push(Position(lease.load_relaxed()));
            }
            map &= map - 1;
        }
    }

    /// Takes back what the consumer has not claimed, from `keep` descriptors behind its cursor on; gives what was taken back,
    /// in order. The consumer will never see it.
    ///
    /// # Errors
    /// When the consumer's cursor or claim cannot be; nothing was taken back then.
    pub fn withdraw(&mut self, keep: u64) -> Result<Vec<Descriptor>, Refused> {
        let passed = self.refresh()?;
        let end = self.next;
        let wanted = Position(passed.0.saturating_add(keep)).max(self.claimed()?).min(end);
        if wanted == end {
            return Ok(Vec::new());
        }
        self.store_tail(wanted);
        // SYNC claim-withdraw: full fence here ↔ full fence in Consumer::claim. Both sides store and then look at the other's
        // word; with both fences at least one of them sees the other's store, so nothing is both claimed and taken back.
        fence(Ordering::SeqCst);
        let claimed = self.claimed();
        let first = claimed.unwrap_or(end).clamp(wanted, end);
        // The slots between were not touched: what was claimed meanwhile is put back as it was.
        self.store_tail(first);
        claimed?;
        let taken = (first.0..end.0).map(Position).map(|at| Descriptor::from_words(self.slots.read(at), at));
        let taken = taken.collect::<Result<_, _>>()?;
        self.next = first;
        Ok(taken)
    }

    /// The descriptors that the consumer has not passed, in order. Where its cursor cannot be, that is since it could be.
    pub fn unread(&mut self) -> Vec<Descriptor> {
        let from = self.refresh().unwrap_or(self.passed);
        let descriptors = (from.0..self.next.0).map(Position);
        descriptors.filter_map(|at| Descriptor::from_words(self.slots.read(at), at).ok()).collect()
    }

    /// How many descriptors the consumer has not been seen to pass.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.next.0 - self.passed.0
    }

    /// The number of the next descriptor.
    #[must_use]
    pub fn next(&self) -> Position {
        self.next
    }

    fn claimed(&self) -> Result<Position, Refused> {
        let mark = Mark::from_word(self.claim.load_acquire());
        if mark.generation != self.own {
            return Ok(self.passed);
        }
        // A claim that was not confirmed, because it met a withdrawal, may still stand beyond our end: it means our end.
        Ok(mark.resolve(What::Claim, self.passed, self.slot_count)?.min(self.next))
    }

    fn store_tail(&self, position: Position) {
        // SYNC ring-tail: release here ↔ acquire in Consumer::tail. The slots and blocks before the tail are complete.
        self.tail.store_release(Mark::new(self.receiver, position).to_word());
    }
}

/// How much of a ring is claimed at once: what a consumer that stands still keeps from being taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimLimit {
    /// At most so many descriptors.
    pub descriptors: u64,
    /// At most so many bytes of payload, or one descriptor.
    pub bytes: ByteCount,
}

impl ClaimLimit {
    /// What a drain pass claims at a time.
    pub const STANDARD: Self = Self { descriptors: 32, bytes: ByteCount(1024 * 1024) };
}

/// The receiver's end.
#[derive(Debug)]
pub struct Consumer {
    tail: PeerWord,
    slots: PeerSlots,
    slot_count: u64,
    cursor: OwnWord,
    claim: OwnWord,
    own: Generation,
    sender: Generation,
    /// The number of the next descriptor.
    next: Position,
    /// What may be read.
    claimed: Position,
}

impl Consumer {
    /// Begins to read the ring that `sender` has for this process.
    ///
    /// # Errors
    /// When the sender's place or generation cannot be.
    pub fn open(
        inbox: &OwnMemory,
        outbox: &PeerMemory,
        geometry: Geometry,
        own: Peer,
        sender: Peer,
    ) -> Result<Self, Refused> {
        geometry.check(own)?;
        geometry.check(sender)?;
        let consumer = Self {
            tail: outbox.word(geometry.tail(own.place))?,
            slots: outbox.slots(geometry.ring(own.place), geometry.slots())?,
            slot_count: geometry.slots(),
            cursor: inbox.word(geometry.cursor(sender.place))?,
            claim: inbox.word(geometry.claim(sender.place))?,
            own: own.generation,
            sender: sender.generation,
            next: Position(0),
            claimed: Position(0),
        };
        // The claim first: a sender that finds its generation in the cursor finds it in the claim as well.
        consumer.store_claim(consumer.claimed);
        consumer.store_cursor();
        Ok(consumer)
    }

    /// Makes sure that descriptors may be read, if there are any, and says how many.
    ///
    /// # Errors
    /// When the producer's tail cannot be.
    pub fn claim(&mut self, limit: ClaimLimit) -> Result<u64, Refused> {
        if self.claimed > self.next {
            return Ok(self.claimed.0 - self.next.0);
        }
        let wanted = self.within(limit, self.tail()?);
        if wanted == self.next {
            return Ok(0);
        }
        self.store_claim(wanted);
        // SYNC claim-withdraw: full fence here ↔ full fence in Producer::withdraw.
        fence(Ordering::SeqCst);
        self.claimed = self.tail()?.min(wanted);
        Ok(self.claimed.0 - self.next.0)
    }

    /// The next descriptor that is claimed; it stays until it is passed.
    ///
    /// # Errors
    /// When the slot holds anything but the descriptor with this number.
    pub fn peek(&self) -> Result<Option<Descriptor>, Refused> {
        if self.claimed == self.next {
            return Ok(None);
        }
        Descriptor::from_words(self.slots.read(self.next), self.next).map(Some)
    }

    /// The number of the descriptor that [`Consumer::peek`] shows.
    #[must_use]
    pub fn next(&self) -> Position {
        self.next
    }

    /// Is done with the descriptor that was peeked at: its slot and its block are the sender's again.
    pub fn pass(&mut self) {
        if self.claimed > self.next {
            self.next = self.next.next();
            self.store_cursor();
        }
    }

    /// How many descriptors there are, claimed or not.
    ///
    /// # Errors
    /// When the producer's tail cannot be.
    pub fn backlog(&self) -> Result<u64, Refused> {
        Ok(self.tail()?.0.saturating_sub(self.next.0))
    }

    /// Whether there is something to claim; the look of one that is about to sleep.
    ///
    /// # Errors
    /// When the producer's tail cannot be.
    pub fn has_more(&self) -> Result<bool, Refused> {
        Ok(self.tail()? > self.next)
    }

    /// How far the ring is filled, and never less than what was read: a tail that was lowered by a withdrawal under way may
    /// stand before our claim for a moment.
    fn tail(&self) -> Result<Position, Refused> {
        // SYNC ring-tail: acquire here ↔ release in Producer::store_tail.
        let mark = Mark::from_word(self.tail.load_acquire());
        if mark.generation != self.own {
            return Ok(self.next);
        }
        if mark.is_behind(self.next, self.slot_count) {
            return Ok(self.next);
        }
        mark.resolve(What::Tail, self.next, self.slot_count)
    }

    /// As far as one claim goes. The slots are read before they are claimed, so what they say may be gone a moment later: it
    /// only serves to keep the claim small.
    fn within(&self, limit: ClaimLimit, tail: Position) -> Position {
        let mut end = self.next;
        let mut bytes = 0_u64;
        while end < tail && end.0 - self.next.0 < limit.descriptors.max(1) {
            bytes = bytes.saturating_add(Descriptor::claimed_length(self.slots.read(end)));
            if end > self.next && bytes > limit.bytes.0 {
                break;
            }
            end = end.next();
        }
        end
    }

    fn store_claim(&self, position: Position) {
        self.claim.store_release(Mark::new(self.sender, position).to_word());
    }

    fn store_cursor(&self) {
        // SYNC ring-cursor: release here ↔ acquire in Producer::refresh. All that was read of a block was read before.
        self.cursor.store_release(Mark::new(self.sender, self.next).to_word());
    }
}
