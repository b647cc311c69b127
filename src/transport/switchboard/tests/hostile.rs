//! A peer's pages hold anything at all: every answer is fine but a panic, a read out of bounds, or memory that is lost.
//!
//! Real messages are exchanged first, so that what is spoilt afterwards is looked at. `CLUSTER_HOSTILE_SEEDS` sets how many
//! seeds are tried.

use super::super::descriptor::{Attachment, Descriptor, Heading, Kind, list_bytes};
use super::super::layout::{ATTACHMENT_LIMIT, ActionRef, ByteCount, ByteOffset, Geometry, Place, WORD_BYTES};
use super::super::memory::OwnMemory;
use super::super::outbox::{Delivery, Withdrawn};
use super::super::reclaim::Kept;
use super::super::refused::Refused;
use super::super::ring::ClaimLimit;
use super::super::segments::Unreadable;
use super::process::Process;
use super::{geometry, peer};

const SLOTS: u32 = 8;
const ARENA: ByteCount = ByteCount(1 << 18);

/// Xorshift; the seed names the case.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        let mut chance = Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        // The first values of neighbouring seeds are alike.
        for _ in 0..8 {
            chance.next();
        }
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A value that somebody might not have thought of, or one near what was there.
    fn odd_value(&mut self, before: u64) -> u64 {
        match self.below(8) {
            0 => self.next(),
            1 => u64::MAX - self.below(3),
            2 => before.wrapping_add(self.below(20)),
            3 => before.wrapping_sub(self.below(20)),
            4 => before ^ (1 << self.below(64)),
            5 => u64::MAX << self.below(64),
            6 => self.below(70_000),
            _ => 1 << self.below(64),
        }
    }
}

fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("CLUSTER_HOSTILE_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    // With fewer nothing is refused.
    0..wanted.unwrap_or(if cfg!(miri) { 6 } else { 4000 })
}

/// Overwrites some words, most of them among those that are in use.
fn spoil(memory: &OwnMemory, words: &[ByteOffset], chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        let anywhere = ByteOffset(chance.below(memory.bytes().0 / WORD_BYTES) * WORD_BYTES);
        let at = match chance.below(8) {
            0 => anywhere,
            _ => words[chance.below(words.len() as u64) as usize],
        };
        let mut before = [0; 8];
        memory.read(at, &mut before).unwrap();
        let value = chance.odd_value(u64::from_ne_bytes(before));
        memory.write(at, &value.to_ne_bytes()).unwrap();
    }
}

/// A sender at place 0 and a receiver at place 1, with some messages between them.
fn talking(geometry: Geometry, chance: &mut Chance) -> (Process, Process) {
    let mut sender = Process::new(peer(0, 1), geometry, ARENA);
    let mut receiver = Process::new(peer(1, 1), geometry, ARENA);
    sender.meet(&mut receiver);
    for tag in 0..=chance.below(u64::from(SLOTS)) {
        let payload = vec![7; chance.below(2000) as usize];
        let published = sender.send(&[Place(1)], tag, &payload).unwrap();
        assert!(published.unsent.is_none() || !published.full.is_empty());
        published.unsent.into_iter().for_each(|block| sender.outbox.cancel(block));
        if chance.below(2) == 0 {
            receiver.take(&sender).unwrap();
        }
    }
    (sender, receiver)
}

fn words(from: ByteOffset, count: u64) -> impl Iterator<Item = ByteOffset> {
    (0..count).map(move |index| from.plus(index * WORD_BYTES))
}

#[test]
fn a_spoilt_outbox_is_refused_or_gives_odd_messages_and_never_a_panic() {
    let geometry = geometry(2, SLOTS);
    let (mut refused, mut taken) = (0, 0);
    for seed in seeds() {
        let mut chance = Chance::new(seed);
        let (sender, mut receiver) = talking(geometry, &mut chance);
        let mut used: Vec<ByteOffset> = words(geometry.ring(Place(1)), u64::from(SLOTS) * 8).collect();
        used.push(geometry.tail(Place(1)));
        used.extend(words(super::super::layout::SEGMENT_TABLE, 2));
        for _ in 0..4 {
            spoil(&sender.outbox_memory, &used, &mut chance);
            let _ = receiver.inbox.may_sleep();
            receiver.inbox.wake();
            for _ in 0..SLOTS * 2 {
                match receiver.take(&sender) {
                    Ok(Some(_)) => taken += 1,
                    Ok(None) => break,
                    Err(Refused { .. }) => {
                        refused += 1;
                        break;
                    }
                }
            }
        }
        receiver.inbox.drop_unlisted(Place(0));
        receiver.inbox.detach(Place(0));
        assert!(receiver.inbox.next(Place(0), ClaimLimit::STANDARD).is_err(), "seed {seed}");
    }
    assert!(refused > 0 && taken > 0, "{refused} refused, {taken} taken");
}

#[test]
fn a_spoilt_inbox_is_refused_or_believed_and_costs_no_memory_once_its_owner_is_detached() {
    let geometry = geometry(2, SLOTS);
    let (mut refused, mut believed) = (0, 0);
    for seed in seeds() {
        let mut chance = Chance::new(seed);
        let (mut sender, receiver) = talking(geometry, &mut chance);
        let mut used: Vec<ByteOffset> = words(geometry.leases(Place(0)), 16).collect();
        // Cursor, claim and the map of leases are only three words, and matter most.
        (0..10).for_each(|_| used.extend(words(geometry.cursor(Place(0)), 3)));
        used.push(super::super::layout::DOORBELL);
        for _ in 0..4 {
            spoil(&receiver.inbox_memory, &used, &mut chance);
            let _ = sender.outbox.must_ring(Place(1));
            sender.outbox.reclaim();
            let answers = [
                sender.outbox.poll_refused().is_none(),
                sender.outbox.withdraw(Place(1), chance.below(10)).is_ok(),
                sender.outbox.has_room(Place(1)).is_ok(),
            ];
            believed += answers.iter().filter(|&&answer| answer).count();
            refused += answers.iter().filter(|&&answer| !answer).count();
            if let Ok(published) = sender.send(&[Place(1)], 1, &[1; 100]) {
                published.unsent.into_iter().for_each(|block| sender.outbox.cancel(block));
            }
        }
        sender.outbox.detach(Place(1));
        assert_eq!(sender.outbox.slab().used(), ByteCount(0), "seed {seed}");
    }
    assert!(refused > 0 && believed > 0, "{refused} refused, {believed} believed");
}

#[test]
fn a_spoilt_label_is_no_reason_to_attach() {
    let geometry = geometry(2, SLOTS);
    for seed in seeds() {
        let mut chance = Chance::new(seed);
        let mut own = Process::new(peer(0, 1), geometry, ARENA);
        let other = Process::new(peer(1, 1), geometry, ARENA);
        // The first five words of a label say something.
        let at = ByteOffset(chance.below(5) * WORD_BYTES);
        for memory in [&other.outbox_memory, &other.inbox_memory] {
            let mut before = [0; 8];
            memory.read(at, &mut before).unwrap();
            let spoilt = chance.odd_value(u64::from_ne_bytes(before));
            if spoilt == u64::from_ne_bytes(before) {
                continue;
            }
            memory.write(at, &spoilt.to_ne_bytes()).unwrap();
            let refused = if std::ptr::eq(memory, &raw const other.outbox_memory) {
                own.inbox.attach(other.who, &memory.as_peer()).is_err()
            } else {
                own.outbox.attach(other.who, &memory.as_peer()).is_err()
            };
            assert!(refused, "seed {seed}: word {at:?} is {spoilt:#x}");
        }
    }
}

/// Where the list of what is attached to a message lies.
struct Listed {
    segment: OwnMemory,
    words: Vec<ByteOffset>,
}

const PART: usize = 700;

/// Sends a message with blocks of its own and with parts of its payload, and lets go of the blocks.
fn send_attached(sender: &mut Process, tag: u64, chance: &mut Chance) -> Option<Listed> {
    let blocks: Vec<Kept> = (0..chance.below(4)).map(|_| keep(sender, tag)).collect();
    let inline = chance.below(3);
    let count = blocks.len() as u64 + inline;
    let list_length = list_bytes(count as u32) as usize;
    let part = |kept| sender.outbox.attachment(kept, ByteCount(0), ByteCount(PART as u64)).unwrap();
    let within = Attachment::Inline { offset: ByteOffset(list_length as u64), length: ByteCount(PART as u64) };
    let list = blocks.iter().map(part).chain((0..inline).map(|_| within));
    let payload: Vec<u8> = list.flat_map(Attachment::to_bytes).chain([tag as u8; PART]).collect();
    let block = sender.reserve(payload.len()).unwrap();
    sender.outbox.write(&block, ByteCount(0), &payload).unwrap();
    let segment = sender.outbox.memory_of(&block).unwrap().clone();
    let listed = Listed { segment, words: words(block.offset(), list_length as u64 / WORD_BYTES).collect() };
    let heading = Heading { tag, attachments: count as u32, ..Heading::new(Kind::Clone, ActionRef(0)) };
    let delivery = Delivery { to: Place(1), heading, skip: ByteCount(0) };
    let kept: Vec<&Kept> = blocks.iter().collect();
    let published = sender.outbox.publish_with(block, ByteCount(payload.len() as u64), &[delivery], &kept);
    let is_sent = published.full.is_empty();
    published.unsent.into_iter().for_each(|block| sender.outbox.cancel(block));
    blocks.into_iter().for_each(|kept| sender.outbox.let_go(kept));
    (is_sent && count > 0).then_some(listed)
}

fn keep(sender: &mut Process, tag: u64) -> Kept {
    let block = sender.reserve(PART).unwrap();
    sender.outbox.write(&block, ByteCount(0), &[tag as u8; PART]).unwrap();
    sender.outbox.keep(block)
}

/// Takes the next message as the layer above does: what is attached is found, looked at, and held or not.
fn take_attached(receiver: &mut Process, hold: bool) -> Result<Option<u64>, Refused> {
    let descriptor = match receiver.inbox.next(Place(0), ClaimLimit::STANDARD) {
        Ok(Some(descriptor)) => descriptor,
        Ok(None) | Err(Unreadable::NotHereYet(_)) => return Ok(None),
        Err(Unreadable::Refused(refused)) => return Err(refused),
    };
    let Descriptor { heading, range } = descriptor;
    assert!(heading.attachments <= ATTACHMENT_LIMIT);
    let parts = receiver.inbox.attachments(Place(0), &descriptor).expect("what was shown is there");
    assert_eq!(parts.len(), heading.attachments as usize);
    for part in range.iter().chain(&parts) {
        let mut bytes = vec![0; part.length.0 as usize];
        receiver.inbox.read(Place(0), part, &mut bytes).expect("what was shown can be read");
    }
    match hold.then(|| receiver.inbox.pass_leased(Place(0))).flatten() {
        Some(lease) => receiver.inbox.end_lease(lease),
        None => receiver.inbox.pass(Place(0)),
    }
    Ok(Some(heading.attachments.into()))
}

#[test]
fn a_spoilt_list_of_attachments_is_refused_or_gives_other_bytes_of_its_sender_and_never_a_panic() {
    let geometry = geometry(2, SLOTS);
    let (mut refused, mut attached) = (0, 0);
    for seed in seeds() {
        let mut chance = Chance::new(seed);
        let (mut sender, mut receiver) = talking(geometry, &mut chance);
        while receiver.take(&sender).unwrap().is_some() {}
        sender.outbox.reclaim();
        let lists: Vec<Listed> = (1..=4).filter_map(|tag| send_attached(&mut sender, tag, &mut chance)).collect();
        receiver.take_segments(&sender);
        let rings: Vec<ByteOffset> = words(geometry.ring(Place(1)), u64::from(SLOTS) * 8).collect();
        // A count or a range in a slot, an offset, a length or a segment in a list.
        for list in &lists {
            match chance.below(3) {
                0 => spoil(&sender.outbox_memory, &rings, &mut chance),
                1 => spoil(&list.segment, &list.words, &mut chance),
                _ => {}
            }
        }
        for _ in 0..=SLOTS {
            match take_attached(&mut receiver, chance.below(2) == 0) {
                Ok(Some(count)) => attached += count,
                Ok(None) => break,
                Err(Refused { .. }) => {
                    refused += 1;
                    break;
                }
            }
        }
        receiver.inbox.detach(Place(0));
    }
    assert!(refused > 0 && attached > 0, "{refused} refused, {attached} attached");
}

#[test]
fn a_spoilt_inbox_costs_no_block_that_was_attached_and_what_is_taken_back_is_what_was_sent() {
    let geometry = geometry(2, SLOTS);
    let (mut taken_back, mut refused) = (0, 0);
    for seed in seeds() {
        let mut chance = Chance::new(seed);
        let (mut sender, mut receiver) = talking(geometry, &mut chance);
        let mut used: Vec<ByteOffset> = words(geometry.leases(Place(0)), 16).collect();
        (0..10).for_each(|_| used.extend(words(geometry.cursor(Place(0)), 3)));
        for tag in 1..=4 {
            let _ = send_attached(&mut sender, tag, &mut chance);
            if chance.below(2) == 0 {
                receiver.take_segments(&sender);
                let _ = take_attached(&mut receiver, chance.below(2) == 0);
            }
            if chance.below(3) == 0 {
                spoil(&receiver.inbox_memory, &used, &mut chance);
            }
            match sender.outbox.withdraw(Place(1), chance.below(3)) {
                Ok(withdrawn) => taken_back += withdrawn.iter().map(look_at).sum::<u32>(),
                Err(Refused { .. }) => refused += 1,
            }
            sender.outbox.reclaim();
            let _ = sender.outbox.unread(Place(1)).len();
        }
        if chance.below(2) == 0 {
            sender.outbox.part(Place(1));
        }
        sender.outbox.detach(Place(1));
        assert_eq!(
            (sender.outbox.slab().used(), sender.outbox.attached()),
            (ByteCount(0), ByteCount(0)),
            "seed {seed}"
        );
    }
    assert!(taken_back > 0 && refused > 0, "{taken_back} taken back, {refused} refused");
}

/// How many attachments a message has brought back, each of which is checked.
fn look_at(message: &Withdrawn) -> u32 {
    let Heading { tag, attachments, .. } = message.heading;
    let bytes = message.payload.as_deref().unwrap_or_default();
    for at in 0..attachments as usize {
        let listed = bytes[at * list_bytes(1) as usize..].first_chunk().unwrap();
        let Attachment::Inline { offset, length } = Attachment::from_bytes(listed) else { panic!("it was copied") };
        let part = &bytes[offset.0 as usize..(offset.0 + length.0) as usize];
        assert!(part.len() == PART && part.iter().all(|&byte| byte == tag as u8), "of message {tag}");
    }
    attachments
}
