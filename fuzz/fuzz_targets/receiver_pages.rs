//! A receiver's inbox holds anything: whatever its sender does, no block is given to two messages, what was taken back is what was
//! sent with what was attached to it, another receiver gets all of its own and may keep it in place, and no memory is lost once the liar
//! is detached.
#![no_main]

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use egg_clutch::message::address::Generation;
use egg_clutch::transport::switchboard::descriptor::{Attachment, Heading, Kind, PayloadRange};
use egg_clutch::transport::switchboard::inbox::{Inbox, Lease};
use egg_clutch::transport::switchboard::layout::{
    ATTACHMENT_BYTES, ActionRef, ByteCount, ByteOffset, DOORBELL, Geometry, Peer, Place, SegmentId, WORD_BYTES,
};
use egg_clutch::transport::switchboard::memory::{OwnMemory, PeerMemory};
use egg_clutch::transport::switchboard::outbox::{Delivery, Outbox, Withdrawn};
use egg_clutch::transport::switchboard::reclaim::Kept;
use egg_clutch::transport::switchboard::ring::ClaimLimit;
use egg_clutch::transport::switchboard::slab::{Block, NoRoom, Purpose};
use libfuzzer_sys::fuzz_target;

const SLOTS: u32 = 4;
const ARENA: ByteCount = ByteCount(1 << 17);
const SENDER: Peer = Peer { place: Place(0), generation: Generation(1) };
const LIAR: Place = Place(1);
const HONEST: Place = Place(2);
const MAX_STEPS: usize = 64;
const LIST: usize = ATTACHMENT_BYTES as usize;

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
    /// With a block beside its own: a new one, or one that has gone with other messages.
    SendAttached {
        length: u16,
        again: Option<u8>,
        to_honest: bool,
    },
    /// A block that was attached is needed no more.
    Forget {
        which: u8,
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
    HoldHonestly,
    LetGoHonestly,
    /// As an honest receiver would hold it.
    Hold,
    LetGo,
    Withdraw {
        keep: u8,
    },
    Reclaim,
    Ring,
    DropEmpty,
    Detach,
    /// It lives on, and nobody talks to it any more.
    Part,
    Attach,
}

/// What a message has beside its payload: a block with this number and so many bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Beside {
    fill: u64,
    length: usize,
}

/// Read in place by the honest receiver.
struct Held {
    lease: Lease,
    parts: Vec<(PeerMemory, PayloadRange, Vec<u8>)>,
}

struct World {
    geometry: Geometry,
    outbox: Outbox,
    outbox_memory: OwnMemory,
    segments: Vec<(SegmentId, OwnMemory)>,
    liar: Inbox,
    liar_memory: OwnMemory,
    liars_leases: Vec<Lease>,
    generation: u32,
    honest: Inbox,
    held: Vec<Held>,
    kept: Vec<(Kept, Beside)>,
    expected: VecDeque<(u64, usize, Option<Beside>)>,
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
            liars_leases: Vec::new(),
            generation: 1,
            honest,
            held: Vec::new(),
            kept: Vec::new(),
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
            Step::SendAttached { length, again, to_honest } => {
                let both = [LIAR, HONEST];
                self.send_attached(usize::from(*length) % 5000, *again, if *to_honest { &both } else { &both[..1] });
            }
            Step::Forget { which } => {
                if !self.kept.is_empty() {
                    let (kept, _) = self.kept.swap_remove(usize::from(*which) % self.kept.len());
                    self.outbox.let_go(kept);
                }
            }
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
            Step::Hold => {
                hand_over(&self.segments, &mut self.liar);
                if let Ok(Some(_)) = self.liar.next(SENDER.place, ClaimLimit::STANDARD) {
                    self.liars_leases.extend(self.liar.pass_leased(SENDER.place));
                }
            }
            Step::LetGo => {
                if let Some(lease) = self.liars_leases.pop() {
                    self.liar.end_lease(lease);
                }
            }
            Step::TakeHonestly => {
                self.take_honestly(false);
            }
            Step::HoldHonestly => {
                self.take_honestly(true);
            }
            Step::LetGoHonestly => self.let_go_honestly(),
            Step::Withdraw { keep } => {
                self.outbox.withdraw(LIAR, u64::from(keep % 6)).unwrap_or_default().iter().for_each(look_at);
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
            Step::Part => self.outbox.part(LIAR),
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

    fn reserve(&mut self, purpose: Purpose, length: usize) -> Option<Block> {
        let bytes = ByteCount(length as u64);
        let block = match self.outbox.reserve_for(purpose, bytes) {
            Err(NoRoom::Grow(size)) => {
                self.forget_dropped();
                let memory = OwnMemory::on_heap(size);
                let segment = self.outbox.add_segment(memory.clone()).ok()?;
                self.segments.push((segment, memory));
                self.outbox.reserve_for(purpose, bytes)
            }
            answer => answer,
        };
        block.ok()
    }

    fn send(&mut self, length: usize, to: &[Place]) {
        let Some(block) = self.reserve(Purpose::Message, length) else { return };
        self.tag += 1;
        self.outbox.write(&block, ByteCount(0), &payload(self.tag, length)).unwrap();
        self.publish(block, length, to, None);
    }

    fn send_attached(&mut self, length: usize, again: Option<u8>, to: &[Place]) {
        let known = again.map(|which| usize::from(which) % self.kept.len().max(1)).filter(|at| *at < self.kept.len());
        let at = match known {
            Some(at) => at,
            None => {
                if !self.outbox.may_attach(ByteCount(length as u64)) {
                    return;
                }
                let Some(block) = self.reserve(Purpose::Attachment, length) else { return };
                let beside = Beside { fill: self.tag + 1, length };
                self.outbox.write(&block, ByteCount(0), &payload(beside.fill, length)).unwrap();
                self.kept.push((self.outbox.keep(block), beside));
                self.kept.len() - 1
            }
        };
        let rest = self.kept[at].1.length % 100;
        let Some(block) = self.reserve(Purpose::Message, LIST + rest) else { return };
        let (kept, beside) = &self.kept[at];
        let listed = self.outbox.attachment(kept, ByteCount(0), ByteCount(beside.length as u64)).unwrap();
        self.tag += 1;
        self.outbox.write(&block, ByteCount(0), &listed.to_bytes()).unwrap();
        self.outbox.write(&block, ByteCount(LIST as u64), &payload(self.tag, rest)).unwrap();
        self.publish(block, LIST + rest, to, Some(at));
    }

    /// The number of the message's own block and of what is attached stands in its heading.
    fn publish(&mut self, block: Block, length: usize, to: &[Place], attached: Option<usize>) {
        let beside = attached.map(|at| self.kept[at].1);
        let (action, attachments) =
            (ActionRef(beside.map_or(0, |beside| beside.fill as u32)), u32::from(beside.is_some()));
        let heading = Heading { tag: self.tag, attachments, ..Heading::new(Kind::Bytes, action) };
        let deliveries: Vec<Delivery> = to.iter().map(|&to| Delivery { to, heading, skip: ByteCount(0) }).collect();
        let kept: Vec<&Kept> = attached.iter().map(|&at| &self.kept[at].0).collect();
        let published = self.outbox.publish_with(block, ByteCount(length as u64), &deliveries, &kept);
        if to.contains(&HONEST) && !published.full.contains(&HONEST) {
            self.expected.push_back((self.tag, length, beside));
        }
        assert!(published.refused.iter().all(|(place, _)| *place == LIAR));
        published.unsent.into_iter().for_each(|block| self.outbox.cancel(block));
    }

    fn take_honestly(&mut self, hold: bool) -> bool {
        self.honest.drop_unlisted(SENDER.place);
        hand_over(&self.segments, &mut self.honest);
        let next = self.honest.next(SENDER.place, ClaimLimit::STANDARD).expect("its sender is honest as well");
        let Some(descriptor) = next else { return false };
        let tag = descriptor.heading.tag;
        let length = descriptor.length().0 as usize;
        let (expected, expected_length, beside) = self.expected.pop_front().expect("nothing that was not sent");
        assert_eq!((tag, length), (expected, expected_length));
        let ranges = self.honest.attachments(SENDER.place, &descriptor).expect("its sender is honest as well");
        assert_eq!(ranges.len(), usize::from(beside.is_some()));
        let mut parts = Vec::new();
        for range in descriptor.range.iter().chain(&ranges) {
            let memory = self.honest.locate(SENDER.place, range).unwrap().clone();
            let bytes = read(&memory, range);
            parts.push((memory, *range, bytes));
        }
        if let Some((.., bytes)) = parts.first() {
            let list = if beside.is_some() { LIST } else { 0 };
            assert!(bytes[list..] == payload(tag, length - list), "message {tag} is not what was sent");
        }
        if let (Some(beside), Some((.., bytes))) = (beside, parts.get(1)) {
            assert!(*bytes == payload(beside.fill, beside.length), "what came with message {tag} is not what was sent");
        }
        match hold.then(|| self.honest.pass_leased(SENDER.place)).flatten() {
            Some(lease) => self.held.push(Held { lease, parts }),
            None => self.honest.pass(SENDER.place),
        }
        true
    }

    fn let_go_honestly(&mut self) {
        let Some(Held { lease, parts }) = self.held.pop() else { return };
        for (memory, range, bytes) in parts {
            assert!(read(&memory, &range) == bytes, "nobody has written over what is held in place");
        }
        self.honest.end_lease(lease);
    }
}

fn read(memory: &PeerMemory, range: &PayloadRange) -> Vec<u8> {
    let mut bytes = vec![0; range.length.0 as usize];
    memory.read(range.offset, &mut bytes).unwrap();
    bytes
}

/// What is taken back is what was sent.
fn look_at(message: &Withdrawn) {
    let Some(bytes) = &message.payload else { return };
    let Heading { tag, attachments, action, .. } = message.heading;
    if attachments == 0 {
        assert!(*bytes == payload(tag, bytes.len()), "message {tag}");
        return;
    }
    let listed = bytes.first_chunk().expect("the list");
    let Attachment::Inline { offset, length } = Attachment::from_bytes(listed) else { panic!("it was copied") };
    let (from, length) = (offset.0 as usize, length.0 as usize);
    assert!(bytes[from..] == payload(action.0.into(), length), "what goes with message {tag}");
    let rest = length % 100;
    assert!(bytes[LIST..LIST + rest] == payload(tag, rest), "message {tag}");
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
    while world.take_honestly(false) {}
    assert!(world.expected.is_empty());
    while !world.held.is_empty() {
        world.let_go_honestly();
    }
    for (kept, _) in world.kept.drain(..) {
        world.outbox.let_go(kept);
    }
    world.outbox.reclaim();
    assert_eq!((world.outbox.slab().used(), world.outbox.attached()), (ByteCount(0), ByteCount(0)));
    drop(world.outbox_memory);
});
