//! A sender's outbox and segments hold anything, and its descriptors come in any order: whatever its receiver does, it reads within
//! what it has mapped, and refuses or believes. The address sanitizer sees reads beyond that.
#![no_main]

use arbitrary::Arbitrary;
use egg_clutch::message::address::Generation;
use egg_clutch::transport::switchboard::descriptor::{Attachment, Descriptor, Heading, Kind, PayloadRange, list_bytes};
use egg_clutch::transport::switchboard::inbox::{Inbox, Lease};
use egg_clutch::transport::switchboard::layout::{
    ATTACHMENT_LIMIT, ActionRef, ByteCount, ByteOffset, Geometry, Peer, Place, SEGMENT_TABLE, SegmentId, WORD_BYTES,
};
use egg_clutch::transport::switchboard::memory::{OwnMemory, PeerMemory};
use egg_clutch::transport::switchboard::outbox::{Delivery, Outbox};
use egg_clutch::transport::switchboard::reclaim::Kept;
use egg_clutch::transport::switchboard::ring::ClaimLimit;
use egg_clutch::transport::switchboard::slab::{Block, NoRoom, Purpose};
use libfuzzer_sys::fuzz_target;

const SLOTS: u32 = 4;
const ARENA: ByteCount = ByteCount(1 << 17);
const SENDER: Peer = Peer { place: Place(0), generation: Generation(1) };
const RECEIVER: Peer = Peer { place: Place(1), generation: Generation(1) };
/// Far more steps find nothing that fewer do not.
const MAX_STEPS: usize = 64;

#[derive(Arbitrary, Debug)]
enum Change {
    Set(u64),
    Add(i8),
    Flip(u8),
}

#[derive(Arbitrary, Debug)]
enum Step {
    Send {
        length: u16,
    },
    /// With blocks beside its own, or with parts of its payload that are listed as such.
    SendAttached {
        blocks: u8,
        inline: u8,
        name: u8,
        length: u16,
    },
    /// One word of the list of what is attached to the last such message.
    Listed {
        word: u8,
        change: Change,
    },
    /// What was attached so far is let go of by its sender.
    Forget,
    /// One word of a slot.
    Slot {
        word: u8,
        change: Change,
    },
    Tail(Change),
    Table {
        entry: u8,
        change: Change,
    },
    Label {
        word: u8,
        change: Change,
    },
    SegmentLabel {
        word: u8,
        change: Change,
    },
    /// Hands over a segment that the sender has, under this name and with this size.
    HandOver {
        real: u8,
        renamed: Option<(u8, u8)>,
        size: Change,
    },
    HandOverHonestly,
    Take,
    TakeAndHold,
    LetGo,
    Sleep,
    DropUnlisted,
    Attach,
}

fn change(memory: &OwnMemory, at: ByteOffset, change: &Change) {
    let mut before = [0; 8];
    if memory.read(at, &mut before).is_ok() {
        memory.write(at, &changed(u64::from_ne_bytes(before), change).to_ne_bytes()).unwrap();
    }
}

fn changed(before: u64, change: &Change) -> u64 {
    match change {
        Change::Set(value) => *value,
        Change::Add(by) => before.wrapping_add_signed((*by).into()),
        Change::Flip(bit) => before ^ 1 << (bit % 64),
    }
}

struct World {
    geometry: Geometry,
    outbox: Outbox,
    memory: OwnMemory,
    segments: Vec<(SegmentId, OwnMemory)>,
    inbox: Inbox,
    held: Vec<(Lease, Vec<(PeerMemory, PayloadRange)>)>,
    kept: Vec<Kept>,
    /// The last list of what is attached, and where it lies.
    list: Option<(OwnMemory, ByteOffset)>,
}

impl World {
    fn new() -> Self {
        let geometry = Geometry::new(2, SLOTS).unwrap();
        let memory = OwnMemory::on_heap(geometry.outbox_bytes());
        let inbox_memory = OwnMemory::on_heap(geometry.inbox_bytes());
        let mut outbox = Outbox::new(memory.clone(), SENDER, geometry, ARENA).unwrap();
        let mut inbox = Inbox::new(inbox_memory.clone(), RECEIVER, geometry).unwrap();
        outbox.attach(RECEIVER, &inbox_memory.as_peer()).unwrap();
        inbox.attach(SENDER, &memory.as_peer()).unwrap();
        Self { geometry, outbox, memory, segments: Vec::new(), inbox, held: Vec::new(), kept: Vec::new(), list: None }
    }

    fn take_step(&mut self, step: &Step) {
        let word = |word: u8| u64::from(word) * WORD_BYTES;
        match step {
            Step::Send { length } => self.send(usize::from(*length) % 5000),
            Step::SendAttached { blocks, inline, name, length } => {
                self.send_attached(
                    u32::from(*blocks),
                    u32::from(*inline),
                    usize::from(name % 20),
                    usize::from(*length) % 2000,
                );
            }
            Step::Listed { word: at, change: by } => {
                if let Some((memory, list)) = &self.list {
                    change(memory, list.plus(word(*at % 48)), by);
                }
            }
            Step::Forget => self.kept.drain(..).for_each(|kept| self.outbox.let_go(kept)),
            Step::Slot { word: at, change: by } => {
                change(&self.memory, self.geometry.ring(RECEIVER.place).plus(word(*at % 32)), by);
            }
            Step::Tail(by) => change(&self.memory, self.geometry.tail(RECEIVER.place), by),
            Step::Table { entry, change: by } => change(&self.memory, SEGMENT_TABLE.plus(word(*entry % 32)), by),
            Step::Label { word: at, change: by } => change(&self.memory, ByteOffset(word(*at % 8)), by),
            Step::SegmentLabel { word: at, change: by } => {
                if let Some((_, memory)) = self.segments.last() {
                    change(memory, ByteOffset(word(*at % 8)), by);
                }
            }
            Step::HandOver { real, renamed, size } => self.hand_over(*real, *renamed, size),
            Step::HandOverHonestly => {
                for (segment, memory) in &self.segments {
                    let _ = self.inbox.add_segment(SENDER.place, *segment, memory.bytes(), memory.as_peer());
                }
            }
            Step::Take => self.take(false),
            Step::TakeAndHold => self.take(true),
            Step::LetGo => {
                if let Some((lease, parts)) = self.held.pop() {
                    parts.iter().for_each(|(memory, range)| look(memory, range));
                    self.inbox.end_lease(lease);
                }
            }
            Step::Sleep => {
                let _ = self.inbox.may_sleep();
                self.inbox.wake();
            }
            Step::DropUnlisted => self.inbox.drop_unlisted(SENDER.place),
            Step::Attach => {
                let _ = self.inbox.attach(SENDER, &self.memory.as_peer());
            }
        }
    }

    fn reserve(&mut self, purpose: Purpose, length: usize) -> Option<Block> {
        let length = ByteCount(length as u64);
        let block = match self.outbox.reserve_for(purpose, length) {
            Err(NoRoom::Grow(bytes)) => {
                let memory = OwnMemory::on_heap(bytes);
                let segment = self.outbox.add_segment(memory.clone()).ok()?;
                self.segments.push((segment, memory));
                self.outbox.reserve_for(purpose, length)
            }
            answer => answer,
        };
        block.ok()
    }

    fn send(&mut self, length: usize) {
        let Some(block) = self.reserve(Purpose::Message, length) else { return };
        self.publish(block, length, Heading::new(Kind::Bytes, ActionRef(0)), &[]);
    }

    fn publish(&mut self, block: Block, length: usize, heading: Heading, attached: &[&Kept]) {
        let delivery = Delivery { to: RECEIVER.place, heading, skip: ByteCount(0) };
        let published = self.outbox.publish_with(block, ByteCount(length as u64), &[delivery], attached);
        published.unsent.into_iter().for_each(|block| self.outbox.cancel(block));
    }

    /// What an honest sender publishes, in its order: a name, the list, the rest.
    fn send_attached(&mut self, blocks: u32, inline: u32, name: usize, length: usize) {
        let blocks = blocks % (ATTACHMENT_LIMIT + 1);
        let inline = inline % (ATTACHMENT_LIMIT + 1 - blocks);
        let mut kept = Vec::new();
        for _ in 0..blocks {
            if !self.outbox.may_attach(ByteCount(length as u64)) {
                break;
            }
            let Some(block) = self.reserve(Purpose::Attachment, length) else { break };
            kept.push(self.outbox.keep(block));
        }
        let count = kept.len() as u32 + inline;
        let list_length = list_bytes(count) as usize;
        let name_words = name.next_multiple_of(WORD_BYTES as usize);
        let part = |kept| self.outbox.attachment(kept, ByteCount(0), ByteCount(length as u64)).unwrap();
        let within = Attachment::Inline { offset: ByteOffset(list_length as u64), length: ByteCount(length as u64) };
        let list = kept.iter().map(part).chain((0..inline).map(|_| within));
        let list: Vec<u8> = list.flat_map(Attachment::to_bytes).collect();
        let total = name_words + list_length + length;
        if let Some(block) = self.reserve(Purpose::Message, total) {
            self.outbox.write(&block, ByteCount(name_words as u64), &list).unwrap();
            let memory = self.outbox.memory_of(&block).unwrap().clone();
            self.list = Some((memory, block.offset().plus(name_words as u64)));
            let heading =
                Heading { name_length: name as u32, attachments: count, ..Heading::new(Kind::Clone, ActionRef(0)) };
            self.publish(block, total, heading, &kept.iter().collect::<Vec<_>>());
        }
        self.kept.append(&mut kept);
    }

    fn hand_over(&mut self, real: u8, renamed: Option<(u8, u8)>, size: &Change) {
        let count = self.segments.len().max(1);
        let Some((segment, memory)) = self.segments.get(usize::from(real) % count) else { return };
        let name = |(index, serial): (u8, u8)| SegmentId { index: index.into(), serial: serial.into() };
        let size = ByteCount(changed(memory.bytes().0, size));
        let _ = self.inbox.add_segment(SENDER.place, renamed.map_or(*segment, name), size, memory.as_peer());
    }

    fn take(&mut self, hold: bool) {
        let Ok(Some(descriptor)) = self.inbox.next(SENDER.place, ClaimLimit::STANDARD) else { return };
        assert!(u64::from(descriptor.heading.name_length) <= descriptor.length().0);
        if let Some(range) = &descriptor.range {
            let memory = self.inbox.locate(SENDER.place, range).expect("what is shown can be read").clone();
            let mut copy = vec![0; usize::try_from(range.length.0).unwrap()];
            self.inbox.read(SENDER.place, range, &mut copy).expect("what is shown can be read");
            let bytes = memory.bytes_at(range.offset, range.length).expect("what is shown has an address");
            assert_eq!(bytes.length(), range.length);
            // SAFETY: the sanitizer's question: are these bytes those of the mapping.
            let in_place = unsafe { std::slice::from_raw_parts(bytes.as_ptr(), copy.len()) };
            assert!(in_place == copy);
        }
        let parts = self.parts(&descriptor);
        match hold.then(|| self.inbox.pass_leased(SENDER.place)).flatten() {
            Some(lease) => self.held.push((lease, parts)),
            None => self.inbox.pass(SENDER.place),
        }
    }

    /// What is attached to a message that was shown: all of it can be read.
    fn parts(&self, descriptor: &Descriptor) -> Vec<(PeerMemory, PayloadRange)> {
        let ranges = self.inbox.attachments(SENDER.place, descriptor).expect("what is shown can be read");
        assert_eq!(ranges.len(), descriptor.heading.attachments as usize);
        assert!(ranges.len() <= ATTACHMENT_LIMIT as usize);
        let parts = ranges.into_iter().map(|range| {
            let memory = self.inbox.locate(SENDER.place, &range).expect("what is shown can be read").clone();
            look(&memory, &range);
            (memory, range)
        });
        parts.collect()
    }
}

/// Reads the ends of a range: the sanitizer's question.
fn look(memory: &PeerMemory, range: &PayloadRange) {
    let words = range.length.0 / WORD_BYTES;
    let mut word = [0; WORD_BYTES as usize];
    for at in [0, words.saturating_sub(1)].into_iter().filter(|_| words > 0) {
        memory.read(range.offset.plus(at * WORD_BYTES), &mut word).expect("what is shown can be read");
    }
    let bytes = memory.bytes_at(range.offset, range.length).expect("what is shown has an address");
    if let Some(last) = range.length.0.checked_sub(1) {
        // SAFETY: the sanitizer's question: is this byte one of the mapping.
        let _ = std::hint::black_box(unsafe { bytes.as_ptr().add(last as usize).read_volatile() });
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut world = World::new();
    for step in steps.iter().take(MAX_STEPS) {
        world.take_step(step);
    }
    world.inbox.detach(SENDER.place);
    assert!(world.inbox.next(SENDER.place, ClaimLimit::STANDARD).is_err());
    // Leases on one that is forgotten end without a trace.
    world.held.drain(..).for_each(|(lease, _)| world.inbox.end_lease(lease));
});
