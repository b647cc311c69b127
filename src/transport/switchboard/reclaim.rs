//! Who still has to read which block: a sender's account with each of its receivers.
//!
//! A block is entered once for all its readers, and is free when each of them has passed it and ended its lease, or is gone.
//! A block that the sender keeps a hand on ([`Kept`]) can be attached to several messages, and is free when it lets go as well.
//! Private to the sender, so a receiver that dies at any instruction leaves nothing to clean up but its account.

use std::collections::VecDeque;

use super::layout::{ByteCount, Place, Position};
use super::slab::Block;

#[derive(Debug)]
struct Entry {
    block: Block,
    readers: u32,
    /// It was attached, so readers may keep it for long.
    is_attached: bool,
}

/// The sender's own hand on a block that is attached to messages.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Kept(usize);

/// One reader's part in a block.
#[derive(Clone, Copy, Debug)]
struct Share {
    position: Position,
    entry: usize,
}

#[derive(Debug, Default)]
struct Account {
    /// In the order of the ring.
    waiting: VecDeque<Share>,
    /// Passed, and still being read.
    leased: Vec<Share>,
    /// With a reader that nobody talks to any more, which may still be reading.
    orphaned: Vec<Share>,
}

/// All blocks of one sender that are with receivers.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<Option<Entry>>,
    vacant: Vec<usize>,
    accounts: Vec<Account>,
    /// How many bytes all blocks have that are attached, or will be.
    attached: u64,
}

impl Ledger {
    /// Nobody has anything.
    #[must_use]
    pub fn new(places: u32) -> Self {
        Self { accounts: (0..places).map(|_| Account::default()).collect(), ..Self::default() }
    }

    /// Enters a block with all who can read it. Gives it back if that is nobody.
    #[must_use]
    pub fn enter(&mut self, block: Block, readers: &[(Place, Position)]) -> Option<Block> {
        let Some(count) = u32::try_from(readers.len()).ok().filter(|&count| count > 0) else { return Some(block) };
        let entry = self.add(Entry { block, readers: count, is_attached: false });
        self.note(entry, readers);
        None
    }

    fn add(&mut self, new: Entry) -> usize {
        let entry = self.vacant.pop().unwrap_or(self.entries.len());
        match self.entries.get_mut(entry) {
            Some(seat) => *seat = Some(new),
            None => self.entries.push(Some(new)),
        }
        entry
    }

    fn note(&mut self, entry: usize, readers: &[(Place, Position)]) {
        for &(place, position) in readers {
            if let Some(account) = self.accounts.get_mut(place.0 as usize) {
                account.waiting.push_back(Share { position, entry });
            }
        }
    }

    /// Enters a block that is to be attached to messages.
    pub fn keep(&mut self, block: Block) -> Kept {
        self.attached += block.bytes().0;
        Kept(self.add(Entry { block, readers: 1, is_attached: true }))
    }

    /// The block.
    #[must_use]
    pub fn block(&self, kept: &Kept) -> Option<&Block> {
        self.entries.get(kept.0)?.as_ref().map(|entry| &entry.block)
    }

    /// The block is attached to what these read next, which was entered just before.
    pub fn attach(&mut self, kept: &Kept, readers: &[(Place, Position)]) {
        if let (Some(entry), Ok(count)) =
            (self.entries.get_mut(kept.0).and_then(Option::as_mut), u32::try_from(readers.len()))
        {
            entry.readers = entry.readers.saturating_add(count);
            self.note(kept.0, readers);
        }
    }

    /// The sender needs the block no more.
    pub fn let_go(&mut self, kept: Kept, freed: &mut Vec<Block>) {
        self.release(&[Share { position: Position(0), entry: kept.0 }], freed);
    }

    /// How many bytes all blocks have that the sender keeps, or that were attached and are with readers.
    #[must_use]
    pub fn attached(&self) -> ByteCount {
        ByteCount(self.attached)
    }

    /// A receiver has passed everything before `until`, and goes on reading what is `held`. Appends what is free now.
    pub fn pass(&mut self, place: Place, until: Position, held: &[Position], freed: &mut Vec<Block>) {
        let Some(account) = self.accounts.get_mut(place.0 as usize) else { return };
        let mut done = Vec::new();
        account.leased.retain(|share| {
            let is_held = held.contains(&share.position);
            if !is_held {
                done.push(*share);
            }
            is_held
        });
        while let Some(share) = account.waiting.front().copied().filter(|share| share.position < until) {
            account.waiting.pop_front();
            if held.contains(&share.position) {
                account.leased.push(share);
            } else {
                done.push(share);
            }
        }
        self.release(&done, freed);
    }

    /// What a receiver would have read from `from` on was taken back.
    pub fn withdraw(&mut self, place: Place, from: Position, freed: &mut Vec<Block>) {
        let Some(account) = self.accounts.get_mut(place.0 as usize) else { return };
        let kept = account.waiting.partition_point(|share| share.position < from);
        let done: Vec<Share> = account.waiting.drain(kept..).collect();
        self.release(&done, freed);
    }

    /// Nobody talks to a receiver any more, but it may go on reading what was attached, until it is closed.
    pub fn part(&mut self, place: Place, freed: &mut Vec<Block>) {
        let Some(account) = self.accounts.get_mut(place.0 as usize) else { return };
        let Account { waiting, leased, orphaned } = std::mem::take(account);
        let is_attached = |share: &Share| {
            self.entries.get(share.entry).and_then(Option::as_ref).is_some_and(|entry| entry.is_attached)
        };
        let (kept, done): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_attached);
        if let Some(account) = self.accounts.get_mut(place.0 as usize) {
            account.orphaned = orphaned.into_iter().chain(leased).chain(kept).collect();
        }
        self.release(&done, freed);
    }

    /// A receiver is dead or detached: it reads nothing any more.
    pub fn close(&mut self, place: Place, freed: &mut Vec<Block>) {
        let Some(account) = self.accounts.get_mut(place.0 as usize) else { return };
        let Account { waiting, leased, orphaned } = std::mem::take(account);
        let done: Vec<Share> = waiting.into_iter().chain(leased).chain(orphaned).collect();
        self.release(&done, freed);
    }

    /// How many bytes of blocks a receiver has not passed, whoever else reads them.
    #[must_use]
    pub fn waiting(&self, place: Place) -> ByteCount {
        self.accounts.get(place.0 as usize).map_or(ByteCount(0), |account| self.bytes_of(account.waiting.iter()))
    }

    /// How many bytes of blocks a receiver has passed and goes on reading.
    #[must_use]
    pub fn leased(&self, place: Place) -> ByteCount {
        self.accounts.get(place.0 as usize).map_or(ByteCount(0), |account| self.bytes_of(account.leased.iter()))
    }

    fn bytes_of<'a>(&'a self, shares: impl Iterator<Item = &'a Share>) -> ByteCount {
        let entries = shares.filter_map(|share| self.entries.get(share.entry)?.as_ref());
        ByteCount(entries.map(|entry| entry.block.bytes().0).sum())
    }

    fn release(&mut self, shares: &[Share], freed: &mut Vec<Block>) {
        for share in shares {
            let Some(seat) = self.entries.get_mut(share.entry) else { continue };
            if let Some(entry) = seat {
                entry.readers = entry.readers.saturating_sub(1);
            }
            if let Some(entry) = seat.take_if(|entry| entry.readers == 0) {
                self.vacant.push(share.entry);
                if entry.is_attached {
                    self.attached -= entry.block.bytes().0;
                }
                freed.push(entry.block);
            }
        }
    }
}
