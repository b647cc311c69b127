//! One process of a cluster on the heap: its outbox, its inbox, and the memory behind both, which tests may spoil.

use super::super::descriptor::{Descriptor, Heading, Kind};
use super::super::inbox::Inbox;
use super::super::layout::{ActionRef, BLOCKS_START, ByteCount, Geometry, LINE_BYTES, Peer, Place, SegmentId};
use super::super::memory::OwnMemory;
use super::super::outbox::{Delivery, Outbox, Published};
use super::super::refused::Refused;
use super::super::ring::ClaimLimit;
use super::super::segments::Unreadable;
use super::super::slab::{Block, NoRoom, Purpose};

/// For several of the messages that the tests send there.
const SMALL_SEGMENT: u64 = 8 * 1024;

/// How large a segment is made. The interpreter takes seconds for one of the usual size, and sees no more in it.
fn segment_bytes(asked: ByteCount, length: ByteCount) -> ByteCount {
    if !cfg!(miri) {
        return asked;
    }
    let needed = BLOCKS_START.0 + length.0.max(1).next_multiple_of(LINE_BYTES);
    ByteCount(asked.0.min(needed.max(SMALL_SEGMENT)))
}

pub(super) struct Process {
    pub(super) who: Peer,
    pub(super) outbox: Outbox,
    pub(super) inbox: Inbox,
    pub(super) outbox_memory: OwnMemory,
    pub(super) inbox_memory: OwnMemory,
    pub(super) segments: Vec<(SegmentId, OwnMemory)>,
}

impl Process {
    pub(super) fn new(who: Peer, geometry: Geometry, arena: ByteCount) -> Self {
        let outbox_memory = OwnMemory::on_heap(geometry.outbox_bytes());
        let inbox_memory = OwnMemory::on_heap(geometry.inbox_bytes());
        Self {
            who,
            outbox: Outbox::new(outbox_memory.clone(), who, geometry, arena).unwrap(),
            inbox: Inbox::new(inbox_memory.clone(), who, geometry).unwrap(),
            outbox_memory,
            inbox_memory,
            segments: Vec::new(),
        }
    }

    pub(super) fn place(&self) -> Place {
        self.who.place
    }

    /// Both directions between two processes.
    pub(super) fn meet(&mut self, other: &mut Self) {
        self.outbox.attach(other.who, &other.inbox_memory.as_peer()).unwrap();
        self.inbox.attach(other.who, &other.outbox_memory.as_peer()).unwrap();
        other.outbox.attach(self.who, &self.inbox_memory.as_peer()).unwrap();
        other.inbox.attach(self.who, &self.outbox_memory.as_peer()).unwrap();
    }

    pub(super) fn forget_dropped(&mut self) {
        while let Some(dropped) = self.outbox.poll_dropped() {
            self.segments.retain(|(segment, _)| *segment != dropped);
        }
    }

    pub(super) fn reserve(&mut self, length: usize) -> Result<Block, NoRoom> {
        self.reserve_for(Purpose::Message, length)
    }

    pub(super) fn reserve_for(&mut self, purpose: Purpose, length: usize) -> Result<Block, NoRoom> {
        let length = ByteCount(length as u64);
        match self.outbox.reserve_for(purpose, length) {
            Err(NoRoom::Grow(bytes)) => {
                self.forget_dropped();
                self.add_segment(segment_bytes(bytes, length));
                self.outbox.reserve_for(purpose, length)
            }
            answer => answer,
        }
    }

    /// Makes a segment of this size.
    pub(super) fn add_segment(&mut self, bytes: ByteCount) {
        let memory = OwnMemory::on_heap(bytes);
        let segment = self.outbox.add_segment(memory.clone()).unwrap();
        self.segments.push((segment, memory));
    }

    /// Publishes bytes to receivers that are known to have room.
    pub(super) fn send(&mut self, to: &[Place], tag: u64, payload: &[u8]) -> Result<Published, NoRoom> {
        let block = self.reserve(payload.len())?;
        self.outbox.write(&block, ByteCount(0), payload).unwrap();
        let heading = Heading { tag, ..Heading::new(Kind::Bytes, ActionRef(1)) };
        let deliveries: Vec<Delivery> = to.iter().map(|&to| Delivery { to, heading, skip: ByteCount(0) }).collect();
        Ok(self.outbox.publish(block, ByteCount(payload.len() as u64), &deliveries))
    }

    /// Looks at the next message of a sender and copies its payload; a segment that is not here yet is handed over then.
    pub(super) fn look(&mut self, sender: &Self) -> Result<Option<(Descriptor, Vec<u8>)>, Refused> {
        self.inbox.drop_unlisted(sender.place());
        let mut next = self.inbox.next(sender.place(), ClaimLimit::STANDARD);
        if let Err(Unreadable::NotHereYet(segment)) = next
            && let Some((_, memory)) = sender.segments.iter().find(|(id, _)| *id == segment)
        {
            self.inbox.add_segment(sender.place(), segment, memory.bytes(), memory.as_peer())?;
            next = self.inbox.next(sender.place(), ClaimLimit::STANDARD);
        }
        let descriptor = match next {
            Ok(Some(descriptor)) => descriptor,
            // A segment that its sender lists, and never handed over, is no message.
            Ok(None) | Err(Unreadable::NotHereYet(_)) => return Ok(None),
            Err(Unreadable::Refused(refused)) => return Err(refused),
        };
        let Some(range) = descriptor.range else { return Ok(Some((descriptor, Vec::new()))) };
        let mut payload = vec![0; range.length.0 as usize];
        match self.inbox.read(sender.place(), &range, &mut payload) {
            Ok(()) => Ok(Some((descriptor, payload))),
            Err(unreadable) => panic!("{unreadable:?} of what was shown"),
        }
    }

    /// Hands over all segments that a sender has.
    pub(super) fn take_segments(&mut self, sender: &Self) {
        for (segment, memory) in &sender.segments {
            self.inbox.add_segment(sender.place(), *segment, memory.bytes(), memory.as_peer()).unwrap();
        }
    }

    pub(super) fn take(&mut self, sender: &Self) -> Result<Option<(Descriptor, Vec<u8>)>, Refused> {
        let message = self.look(sender)?;
        if message.is_some() {
            self.inbox.pass(sender.place());
        }
        Ok(message)
    }
}
