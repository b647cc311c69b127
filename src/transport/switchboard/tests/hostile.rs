//! A peer's pages hold anything at all: every answer is fine but a panic, a read out of bounds, or memory that is lost.
//!
//! Real messages are exchanged first, so that what is spoilt afterwards is looked at. `CLUSTER_HOSTILE_SEEDS` sets how many
//! seeds are tried.

use super::super::layout::{ByteCount, ByteOffset, Geometry, Place, WORD_BYTES};
use super::super::memory::OwnMemory;
use super::super::refused::Refused;
use super::super::ring::ClaimLimit;
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
    0..wanted.unwrap_or(if cfg!(miri) { 3 } else { 4000 })
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
