//! Bytes that nobody copies: blocks that are lent to JavaScript and attached to messages, and those of others that are read in place.
//!
//! Owns which blocks are lent and which leases have ended. What is attached may stay with its receivers for as long as they like, so the
//! outbox gives only so much; whoever gets nothing here copies.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::sending::{Outgoing, Relief};
use super::{Endpoint, OwnBytes};
use crate::sys::shared_memory::PrivateMapping;
use crate::transport::switchboard::descriptor::{Attachment, PayloadRange};
use crate::transport::switchboard::inbox::Lease;
pub use crate::transport::switchboard::layout::ATTACHMENT_LIMIT;
use crate::transport::switchboard::layout::{ATTACHMENT_BYTES, ByteCount, ByteOffset};
use crate::transport::switchboard::memory::PeerMemory;
use crate::transport::switchboard::reclaim::Kept;
use crate::transport::switchboard::slab::Purpose;

const WORD: usize = size_of::<u64>();

/// A block that is lent; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoanId(pub u64);

/// What is attached to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A part of what was lent.
    Lent(LoanId),
    /// By its number, what was put aside for this message ([`Endpoint::stage`]).
    Staged(usize),
}

/// A part of a block that goes with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Which block.
    pub source: Source,
    /// Where the part begins: a multiple of the word.
    pub at: ByteCount,
    /// How many bytes.
    pub length: ByteCount,
}

/// All blocks of this process that are lent, and the leases of others' blocks that are over.
#[derive(Debug, Default)]
pub(super) struct Loans {
    lent: HashMap<u64, Kept>,
    last: u64,
    staged: Vec<Kept>,
    ended: Rc<RefCell<Vec<Lease>>>,
}

impl Loans {
    /// The blocks that go with a message.
    pub(super) fn kept_of(&self, outgoing: &Outgoing<'_>) -> Vec<&Kept> {
        outgoing.attached.iter().filter_map(|attached| self.find(attached.source)).collect()
    }

    fn find(&self, source: Source) -> Option<&Kept> {
        match source {
            Source::Lent(LoanId(id)) => self.lent.get(&id),
            Source::Staged(index) => self.staged.get(index),
        }
    }
}

/// The blocks of one message, which its sender leaves as they are until this value is dropped and [`Endpoint::end_leases`] called.
#[derive(Debug)]
pub struct Held {
    lease: Option<Lease>,
    ended: Rc<RefCell<Vec<Lease>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let (Some(lease), Ok(mut ended)) = (self.lease.take(), self.ended.try_borrow_mut()) {
            ended.push(lease);
        }
    }
}

/// Bytes that are attached to the message that is in place.
#[derive(Debug)]
pub struct Part {
    memory: PeerMemory,
    range: PayloadRange,
    has_block: bool,
}

impl Part {
    /// How many bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        usize::try_from(self.range.length.0).unwrap_or(usize::MAX)
    }

    /// The same bytes where they lie, to be kept as long as the message is [`Held`]. `None` where they must be copied.
    #[must_use]
    pub fn in_place(&self) -> Option<PrivateMapping> {
        if !self.has_block {
            return None;
        }
        self.memory.private(self.range.offset, self.range.length).ok().flatten()
    }

    /// Copies them. Answers whether that could be done.
    #[must_use]
    pub fn copy(&self, into: &mut [u8]) -> bool {
        self.memory.read(self.range.offset, into).is_ok()
    }
}

impl Endpoint {
    /// Lends a block that can be attached to messages, to be filled by its address. `None` where there is no room for it now.
    pub fn lend(&mut self, length: ByteCount) -> Option<(LoanId, OwnBytes)> {
        let kept = self.take_block(length)?;
        let bytes = self.outbox.kept_block(&kept).and_then(|block| self.outbox.bytes_of(block, ByteCount(0)));
        let Ok(bytes) = bytes else {
            self.outbox.let_go(kept);
            return None;
        };
        self.loans.last += 1;
        self.loans.lent.insert(self.loans.last, kept);
        Some((LoanId(self.loans.last), bytes))
    }

    /// The loan is over: the block is free when the receivers of the messages that it went with are done.
    pub fn end_loan(&mut self, LoanId(id): LoanId) {
        if let Some(kept) = self.loans.lent.remove(&id) {
            self.outbox.let_go(kept);
        }
    }

    /// Reads what was lent, by its number, from any byte on. Answers whether that could be done.
    #[must_use]
    pub fn read_loan(&self, LoanId(id): LoanId, at: ByteCount, into: &mut [u8]) -> bool {
        let Some(kept) = self.loans.lent.get(&id) else { return false };
        // Shared memory is read from a word on.
        let skip = at.0 % WORD as u64;
        let length = ByteCount(skip + into.len() as u64);
        let Ok(Attachment::Block(range)) = self.outbox.attachment(kept, ByteCount(at.0 - skip), length) else {
            return false;
        };
        if skip == 0 {
            return self.outbox.read(&range, into).is_ok();
        }
        let mut bytes = vec![0; usize::try_from(length.0).unwrap_or(usize::MAX)];
        let is_read = self.outbox.read(&range, &mut bytes).is_ok();
        bytes.get(bytes.len() - into.len()..).filter(|_| is_read).map(|wanted| into.copy_from_slice(wanted)).is_some()
    }

    /// Copies bytes into a block that goes with the next message, and gives its number. `None` where there is no room for it now.
    pub fn stage(&mut self, bytes: &[u8]) -> Option<usize> {
        let kept = self.take_block(ByteCount(bytes.len() as u64))?;
        let written = self.outbox.kept_block(&kept).and_then(|block| self.outbox.write(block, ByteCount(0), bytes));
        if written.is_err() {
            self.outbox.let_go(kept);
            return None;
        }
        self.loans.staged.push(kept);
        Some(self.loans.staged.len() - 1)
    }

    fn take_block(&mut self, length: ByteCount) -> Option<Kept> {
        if !self.outbox.may_attach(length) {
            return None;
        }
        let block = self.reserve_for(Purpose::Attachment, length, Relief::Denied).ok()?;
        Some(self.outbox.keep(block))
    }

    /// What was put aside has gone with its message, or not.
    pub(super) fn forget_staged(&mut self) {
        for kept in self.loans.staged.drain(..) {
            self.outbox.let_go(kept);
        }
    }

    /// Tells of them, as it stands behind the name. `None` where one of them is none.
    pub(super) fn list_of(&self, outgoing: &Outgoing<'_>) -> Option<Vec<u8>> {
        let mut list = Vec::with_capacity(outgoing.attached.len() * ATTACHMENT_BYTES as usize);
        for &Attached { source, at, length } in outgoing.attached {
            let attachment = self.outbox.attachment(self.loans.find(source)?, at, length).ok()?;
            list.extend_from_slice(&attachment.to_bytes());
        }
        Some(list)
    }

    /// The same for a message that has what is attached behind its payload, and so many bytes in all; with what is attached.
    pub(super) fn inline_of(&self, outgoing: &Outgoing<'_>, payload_length: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let list_length = outgoing.attached.len() * ATTACHMENT_BYTES as usize;
        let start = (list_length + payload_length).next_multiple_of(WORD);
        let (mut list, mut bytes) = (Vec::with_capacity(list_length), Vec::new());
        for &Attached { source, at, length } in outgoing.attached {
            let attachment = self.outbox.attachment(self.loans.find(source)?, at, length).ok()?;
            let Attachment::Block(range) = attachment else { return None };
            let from = bytes.len();
            let offset = ByteOffset((start + from) as u64);
            list.extend_from_slice(&Attachment::Inline { offset, length }.to_bytes());
            bytes.resize(from + usize::try_from(length.0).ok()?, 0);
            self.outbox.read(&range, bytes.get_mut(from..)?).ok()?;
            bytes.resize(bytes.len().next_multiple_of(WORD), 0);
        }
        Some((list, bytes))
    }

    /// What is attached to the message that is in place. `None` where that cannot be read.
    #[must_use]
    pub fn next_parts(&self) -> Option<Vec<Part>> {
        let next = self.next?;
        let payload = next.descriptor.range?;
        let end = payload.offset.plus(payload.length.0);
        let part = |range: PayloadRange| {
            let memory = self.inbox.locate(next.sender, &range).ok()?.clone();
            let is_inline = range.segment == payload.segment && range.offset >= payload.offset && range.offset < end;
            Some(Part { memory, range, has_block: !is_inline })
        };
        let ranges = self.inbox.attachments(next.sender, &next.descriptor).ok()?;
        // Each lies in the sender's arena, which is at most so large, and no two of a message overlap.
        let total = ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.length.0));
        if total > self.arena.0 {
            return None;
        }
        ranges.into_iter().map(part).collect()
    }

    /// Passes the message that is in place, and keeps its blocks. `None` where so many are kept already that it must be copied: it is
    /// still in place then.
    pub fn hold_next(&mut self) -> Option<Held> {
        let next = self.next?;
        let lease = self.inbox.pass_leased(next.sender)?;
        self.next = None;
        Some(Held { lease: Some(lease), ended: Rc::clone(&self.loans.ended) })
    }

    /// Tells the senders of blocks that nobody holds any more.
    pub fn end_leases(&mut self) {
        let ended = std::mem::take(&mut *self.loans.ended.borrow_mut());
        for lease in ended {
            self.inbox.end_lease(lease);
        }
    }
}
