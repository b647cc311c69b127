//! A receiver's inbox holds anything: whatever its sender does, no block is given to two messages, what was taken back is what was
//! sent, another receiver gets all of its own, and no memory is lost once the liar is detached.
#![no_main]

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use egg_clutch::message::address::Generation;
use egg_clutch::transport::switchboard::descriptor::{Heading, Kind};
use egg_clutch::transport::switchboard::inbox::Inbox;
use egg_clutch::transport::switchboard::layout::{
    ActionRef, ByteCount, ByteOffset, DOORBELL, Geometry, Peer, Place, SegmentId, WORD_BYTES,
};
use egg_clutch::transport::switchboard::memory::OwnMemory;
use egg_clutch::transport::switchboard::outbox::{Delivery, Outbox};
use egg_clutch::transport::switchboard::ring::ClaimLimit;
use egg_clutch::transport::switchboard::slab::NoRoom;
use libfuzzer_sys::fuzz_target;

const SLOTS: u32 = 4;
const ARENA: ByteCount = ByteCount(1 << 17);
const SENDER: Peer = Peer { place: Place(0), generation: Generation(1) };
const LIAR: Place = Place(1);
const HONEST: Place = Place(2);
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
        to_honest: bool,
    },
    SendToHonest {
        length: u16,
    },
    /// Cursor, claim, the map of leases, or a lease.
    Row {
        word: u8,
        change: Change,
    },
    Bell(Change),
    Label {
        word: u8,
        change: Change,
    },
    /// What an honest receiver would do next.
    Take,
    TakeHonestly,
    Withdraw {
        keep: u8,
    },
    Reclaim,
    Ring,
    DropEmpty,
    Detach,
    Attach,
}

struct World {
    geometry: Geometry,
    outbox: Outbox,
    outbox_memory: OwnMemory,
    segments: Vec<(SegmentId, OwnMemory)>,
    liar: Inbox,
    liar_memory: OwnMemory,
    generation: u32,
    honest: Inbox,
    expected: VecDeque<(u64, usize)>,
    tag: u64,
}

fn peer(place: Place, generation: u32) -> Peer {
    Peer { place, generation: Generation(generation) }
}

fn payload(tag: u64, length: usize) -> Vec<u8> {
    vec![tag as u8; length]
}

impl World {
    fn new() -> Self {
        let geometry = Geometry::new(3, SLOTS).unwrap();
        let outbox_memory = OwnMemory::on_heap(geometry.outbox_bytes());
        let mut outbox = Outbox::new(outbox_memory.clone(), SENDER, geometry, ARENA).unwrap();
        let mut receiver = |place| {
            let memory = OwnMemory::on_heap(geometry.inbox_bytes());
            let mut inbox = Inbox::new(memory.clone(), peer(place, 1), geometry).unwrap();
            outbox.attach(peer(place, 1), &memory.as_peer()).unwrap();
            inbox.attach(SENDER, &outbox_memory.as_peer()).unwrap();
            (inbox, memory)
        };
        let (liar, liar_memory) = receiver(LIAR);
        let (honest, _) = receiver(HONEST);
        Self {
            geometry,
            outbox,
            outbox_memory,
            segments: Vec::new(),
            liar,
            liar_memory,
            generation: 1,
            honest,
            expected: VecDeque::new(),
            tag: 0,
        }
    }

    fn take_step(&mut self, step: &Step) {
        let word = |word: u8| u64::from(word) * WORD_BYTES;
        match step {
            Step::Send { length, to_honest } => {
                let both = [LIAR, HONEST];
                self.send(usize::from(*length) % 5000, if *to_honest { &both } else { &both[..1] });
            }
            Step::SendToHonest { length } => self.send(usize::from(*length) % 5000, &[HONEST]),
            Step::Row { word: at, change } => {
                self.change(self.geometry.cursor(SENDER.place).plus(word(*at % 12)), change);
            }
            Step::Bell(change) => self.change(DOORBELL, change),
            Step::Label { word: at, change } => self.change(ByteOffset(word(*at % 8)), change),
            Step::Take => {
                hand_over(&self.segments, &mut self.liar);
                if let Ok(Some(_)) = self.liar.next(SENDER.place, ClaimLimit::STANDARD) {
                    self.liar.pass(SENDER.place);
                }
            }
            Step::TakeHonestly => {
                self.take_honestly();
            }
            Step::Withdraw { keep } => {
                for message in self.outbox.withdraw(LIAR, u64::from(keep % 6)).unwrap_or_default() {
                    if let Some(bytes) = message.payload {
                        assert!(
                            bytes == payload(message.heading.tag, bytes.len()),
                            "what is taken back is what was sent"
                        );
                    }
                }
            }
            Step::Reclaim => {
                self.outbox.reclaim();
                while let Some((place, _)) = self.outbox.poll_refused() {
                    assert_eq!(place, LIAR);
                }
            }
            Step::Ring => {
                let _ = self.outbox.must_ring(LIAR);
                let _ = self.outbox.has_room(LIAR);
            }
            Step::DropEmpty => {
                self.outbox.drop_empty(ByteCount(0));
                self.forget_dropped();
            }
            Step::Detach => self.outbox.detach(LIAR),
            Step::Attach => {
                self.generation += 1;
                let _ = self.outbox.attach(peer(LIAR, self.generation), &self.liar_memory.as_peer());
            }
        }
    }

    fn change(&self, at: ByteOffset, change: &Change) {
        let mut before = [0; 8];
        self.liar_memory.read(at, &mut before).unwrap();
        let before = u64::from_ne_bytes(before);
        let after = match change {
            Change::Set(value) => *value,
            Change::Add(by) => before.wrapping_add_signed((*by).into()),
            Change::Flip(bit) => before ^ 1 << (bit % 64),
        };
        self.liar_memory.write(at, &after.to_ne_bytes()).unwrap();
    }

    fn forget_dropped(&mut self) {
        while let Some(dropped) = self.outbox.poll_dropped() {
            self.segments.retain(|(segment, _)| *segment != dropped);
        }
    }

    fn send(&mut self, length: usize, to: &[Place]) {
        let bytes = ByteCount(length as u64);
        let block = match self.outbox.reserve(bytes) {
            Err(NoRoom::Grow(size)) => {
                self.forget_dropped();
                let memory = OwnMemory::on_heap(size);
                let Ok(segment) = self.outbox.add_segment(memory.clone()) else { return };
                self.segments.push((segment, memory));
                self.outbox.reserve(bytes)
            }
            answer => answer,
        };
        let Ok(block) = block else { return };
        self.tag += 1;
        self.outbox.write(&block, ByteCount(0), &payload(self.tag, length)).unwrap();
        let heading = Heading { tag: self.tag, ..Heading::new(Kind::Bytes, ActionRef(0)) };
        let deliveries: Vec<Delivery> = to.iter().map(|&to| Delivery { to, heading, skip: ByteCount(0) }).collect();
        let published = self.outbox.publish(block, bytes, &deliveries);
        if to.contains(&HONEST) && !published.full.contains(&HONEST) {
            self.expected.push_back((self.tag, length));
        }
        assert!(published.refused.iter().all(|(place, _)| *place == LIAR));
        published.unsent.into_iter().for_each(|block| self.outbox.cancel(block));
    }

    fn take_honestly(&mut self) -> bool {
        self.honest.drop_unlisted(SENDER.place);
        hand_over(&self.segments, &mut self.honest);
        let next = self.honest.next(SENDER.place, ClaimLimit::STANDARD).expect("its sender is honest as well");
        let Some(descriptor) = next else { return false };
        let mut bytes = vec![0; descriptor.length().0 as usize];
        if let Some(range) = &descriptor.range {
            self.honest.read(SENDER.place, range, &mut bytes).unwrap();
        }
        let tag = descriptor.heading.tag;
        assert_eq!(self.expected.pop_front(), Some((tag, bytes.len())));
        assert!(bytes == payload(tag, bytes.len()), "message {tag} is not what was sent");
        self.honest.pass(SENDER.place);
        true
    }
}

fn hand_over(segments: &[(SegmentId, OwnMemory)], inbox: &mut Inbox) {
    for (segment, memory) in segments {
        inbox.add_segment(SENDER.place, *segment, memory.bytes(), memory.as_peer()).unwrap();
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut world = World::new();
    for step in steps.iter().take(MAX_STEPS) {
        world.take_step(step);
    }
    world.outbox.detach(LIAR);
    while world.take_honestly() {}
    assert!(world.expected.is_empty());
    world.outbox.reclaim();
    assert_eq!(world.outbox.slab().used(), ByteCount(0));
    drop(world.outbox_memory);
});
