//! The switchboard against a model: for each ordered pair a queue of what was sent and not yet received.
//!
//! Three processes send to each other, lend blocks and attach them, stand still, hold in place, take back, die and are replaced, in any order.
//! A small sender's queue stands before each ring, as the layer above has it. In the end everything sent between the living
//! has arrived, in order and unharmed, and every arena is as empty as it began.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::super::descriptor::{Attachment, Descriptor, Heading, Kind, PayloadRange};
use super::super::inbox::Lease;
use super::super::layout::{ATTACHMENT_BYTES, ActionRef, ByteCount, ByteOffset, Peer, Place, WORD_BYTES};
use super::super::memory::PeerMemory;
use super::super::outbox::Delivery;
use super::super::reclaim::Kept;
use super::super::slab::{NoRoom, Purpose};
use super::process::Process;
use super::{geometry, peer, proptest_config};

const PROCESSES: usize = 3;
const SLOTS: u32 = 4;
const ARENA: ByteCount = ByteCount(1 << 18);
/// So large that a few of them fill the arena.
const LARGE: usize = if cfg!(miri) { 300 } else { 100_000 };
const LIST: usize = ATTACHMENT_BYTES as usize;

#[derive(Clone, Debug)]
enum Step {
    Send {
        from: usize,
        to: Vec<usize>,
        length: usize,
    },
    /// A block to attach to messages.
    Lend {
        from: usize,
        length: usize,
    },
    /// With one that is lent, if there is one.
    SendLent {
        from: usize,
        to: Vec<usize>,
        which: usize,
        length: usize,
    },
    /// The sender's hand is off a block.
    Return {
        from: usize,
        which: usize,
    },
    Receive {
        to: usize,
        from: usize,
        count: usize,
    },
    Hold {
        to: usize,
        from: usize,
    },
    LetGo {
        to: usize,
    },
    Withdraw {
        from: usize,
        to: usize,
        keep: u64,
    },
    DropEmpty {
        from: usize,
    },
    Replace {
        place: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PROCESSES;
    let pair = || (place(), 1..PROCESSES).prop_map(|(one, by)| (one, (one + by) % PROCESSES));
    let length = || prop_oneof![8 => 0..300_usize, 1 => 0..LARGE];
    let several = move || {
        (place(), prop::collection::vec(1..PROCESSES, 1..PROCESSES)).prop_map(|(from, mut others)| {
            others.sort_unstable();
            others.dedup();
            (from, others.into_iter().map(|by| (from + by) % PROCESSES).collect::<Vec<_>>())
        })
    };
    prop_oneof![
        8 => (several(), length()).prop_map(|((from, to), length)| Step::Send { from, to, length }),
        2 => (place(), length()).prop_map(|(from, length)| Step::Lend { from, length }),
        5 => (several(), 0..4_usize, 0..300_usize)
            .prop_map(|((from, to), which, length)| Step::SendLent { from, to, which, length }),
        2 => (place(), 0..4_usize).prop_map(|(from, which)| Step::Return { from, which }),
        8 => (pair(), 1..6_usize).prop_map(|((to, from), count)| Step::Receive { to, from, count }),
        2 => pair().prop_map(|(to, from)| Step::Hold { to, from }),
        2 => place().prop_map(|to| Step::LetGo { to }),
        2 => (pair(), 0..3_u64).prop_map(|((from, to), keep)| Step::Withdraw { from, to, keep }),
        1 => place().prop_map(|from| Step::DropEmpty { from }),
        1 => place().prop_map(|place| Step::Replace { place }),
    ]
}

/// The bytes of the message with this number.
fn payload(tag: u64, length: usize) -> Vec<u8> {
    let pattern: Vec<u8> = (0..251).map(|at| (tag * 31 + at * 7) as u8).collect();
    let mut bytes = pattern.repeat(length.div_ceil(pattern.len()));
    bytes.truncate(length);
    bytes
}

/// Bytes by the number and the length of what was sent.
type Sent = (u64, usize);

/// What a receiver is to get.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Expected {
    own: Sent,
    attached: Option<Sent>,
}

/// What waits in the sender: a payload, which begins with the list of what is attached, if that is so.
#[derive(Clone, Debug)]
struct Queued {
    tag: u64,
    attachments: u32,
    payload: Vec<u8>,
}

/// A message that its receiver holds in place: its payload and what was attached.
struct Held {
    sender: Peer,
    lease: Lease,
    parts: Vec<(PeerMemory, PayloadRange, Vec<u8>)>,
}

/// One value for each ordered pair.
type Pairs<T> = Vec<Vec<T>>;

struct World {
    processes: Vec<Process>,
    /// By sender: what is lent, and its bytes.
    lent: Vec<Vec<(Kept, Sent)>>,
    /// `queues[from][to]`: what the sender has not published yet.
    queues: Pairs<VecDeque<Queued>>,
    /// `expected[from][to]`: what the receiver has not received yet.
    expected: Pairs<VecDeque<Expected>>,
    held: Vec<Vec<Held>>,
    last_tag: u64,
    generation: u32,
}

fn pairs<T: Default>() -> Pairs<T> {
    (0..PROCESSES).map(|_| (0..PROCESSES).map(|_| T::default()).collect()).collect()
}

impl World {
    fn new() -> Self {
        let process = |place| Process::new(peer(place, 1), geometry(PROCESSES as u32, SLOTS), ARENA);
        let mut world = Self {
            processes: (0..PROCESSES as u32).map(process).collect(),
            lent: (0..PROCESSES).map(|_| Vec::new()).collect(),
            queues: pairs(),
            expected: pairs(),
            held: (0..PROCESSES).map(|_| Vec::new()).collect(),
            last_tag: 0,
            generation: 1,
        };
        for one in 0..PROCESSES {
            for other in one + 1..PROCESSES {
                let (one, other) = two(&mut world.processes, one, other);
                one.meet(other);
            }
        }
        world
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Send { from, to, length } => self.send(from, &to, length, None),
            Step::Lend { from, length } => self.lend(from, length),
            Step::SendLent { from, to, which, length } if !self.lent[from].is_empty() => {
                self.send(from, &to, length, Some(which % self.lent[from].len()));
            }
            Step::SendLent { .. } => {}
            Step::Return { from, which } => {
                if !self.lent[from].is_empty() {
                    let which = which % self.lent[from].len();
                    let (kept, _) = self.lent[from].swap_remove(which);
                    self.processes[from].outbox.let_go(kept);
                }
            }
            Step::Receive { to, from, count } => (0..count).for_each(|_| {
                self.receive(to, from);
            }),
            Step::Hold { to, from } => self.hold(to, from),
            Step::LetGo { to } => {
                if let Some(held) = self.held[to].pop() {
                    self.let_go(to, held);
                }
            }
            Step::Withdraw { from, to, keep } => {
                let taken = self.processes[from].outbox.withdraw(Place(to as u32), keep).unwrap();
                for message in taken.into_iter().rev() {
                    let Heading { tag, attachments, .. } = message.heading;
                    let payload = message.payload.unwrap();
                    self.queues[from][to].push_front(Queued { tag, attachments, payload });
                }
            }
            Step::DropEmpty { from } => {
                self.processes[from].outbox.drop_empty(ByteCount(0));
                self.processes[from].forget_dropped();
            }
            Step::Replace { place } => self.replace(place),
        }
    }

    fn lend(&mut self, from: usize, length: usize) {
        let sender = &mut self.processes[from];
        if !sender.outbox.may_attach(ByteCount(length as u64)) {
            return;
        }
        let block = match sender.reserve_for(Purpose::Attachment, length) {
            Ok(block) => block,
            Err(NoRoom::Full) => return,
            Err(other) => panic!("{other:?}"),
        };
        self.last_tag += 1;
        sender.outbox.write(&block, ByteCount(0), &payload(self.last_tag, length)).unwrap();
        let kept = sender.outbox.keep(block);
        self.lent[from].push((kept, (self.last_tag, length)));
    }

    /// Sends bytes, and with them what is lent.
    fn send(&mut self, from: usize, to: &[usize], length: usize, lent: Option<usize>) {
        self.last_tag += 1;
        let tag = self.last_tag;
        let attached = lent.map(|which| self.lent[from][which].1);
        let mut now = Vec::new();
        let mut late = Vec::new();
        for &to in to {
            self.expected[from][to].push_back(Expected { own: (tag, length), attached });
            let place = Place(to as u32);
            let has_room = self.queues[from][to].is_empty() && self.processes[from].outbox.has_room(place).unwrap();
            if has_room { now.push(place) } else { late.push(place) }
        }
        let listed = lent.map(|which| {
            let (kept, (_, length)) = &self.lent[from][which];
            self.processes[from].outbox.attachment(kept, ByteCount(0), ByteCount(*length as u64)).unwrap()
        });
        let list = listed.map(|attachment| attachment.to_bytes().to_vec()).unwrap_or_default();
        let bytes = [list, payload(tag, length)].concat();
        let message = Queued { tag, attachments: listed.is_some().into(), payload: bytes };
        if let Err(refused) = self.publish(from, &now, &message, lent) {
            late.extend(refused);
        }
        let composed = Queued { payload: composed(tag, length, attached), ..message };
        for to in late {
            self.queues[from][to.0 as usize].push_back(composed.clone());
        }
    }

    fn publish(&mut self, from: usize, to: &[Place], message: &Queued, lent: Option<usize>) -> Result<(), Vec<Place>> {
        if to.is_empty() {
            return Ok(());
        }
        let sender = &mut self.processes[from];
        let block = match sender.reserve(message.payload.len()) {
            Ok(block) => block,
            Err(NoRoom::Full) => return Err(to.to_vec()),
            Err(other) => panic!("{other:?}"),
        };
        sender.outbox.write(&block, ByteCount(0), &message.payload).unwrap();
        let Queued { tag, attachments, .. } = *message;
        let heading = Heading { tag, attachments, ..Heading::new(Kind::Bytes, ActionRef(1)) };
        let deliveries: Vec<_> = to.iter().map(|&to| Delivery { to, heading, skip: ByteCount(0) }).collect();
        let kept: Vec<&Kept> = lent.iter().map(|&which| &self.lent[from][which].0).collect();
        let length = ByteCount(message.payload.len() as u64);
        let published = sender.outbox.publish_with(block, length, &deliveries, &kept);
        assert_eq!((published.full.len(), published.refused.len(), published.absent.len()), (0, 0, 0));
        assert_eq!(published.unsent, None);
        Ok(())
    }

    /// Publishes what waits in the sender's queue, as far as there is room.
    fn flush(&mut self, from: usize, to: usize) {
        let place = Place(to as u32);
        while self.processes[from].outbox.has_room(place).unwrap() {
            let Some(message) = self.queues[from][to].pop_front() else { break };
            if self.publish(from, &[place], &message, None).is_err() {
                self.queues[from][to].push_front(message);
                break;
            }
        }
    }

    fn receive(&mut self, to: usize, from: usize) -> bool {
        self.flush(from, to);
        self.receive_published(to, from)
    }

    fn receive_published(&mut self, to: usize, from: usize) -> bool {
        if self.look(to, from).is_none() {
            return false;
        }
        self.processes[to].inbox.pass(Place(from as u32));
        true
    }

    /// Looks at the next message and what is attached to it: they must be what was sent.
    fn look(&mut self, to: usize, from: usize) -> Option<Vec<(PeerMemory, PayloadRange, Vec<u8>)>> {
        let (receiver, sender) = two(&mut self.processes, to, from);
        receiver.take_segments(sender);
        let (descriptor, _) = receiver.look(sender).unwrap()?;
        let parts = parts_of(receiver, sender.place(), &descriptor);
        let expected = self.expected[from][to].pop_front().unwrap();
        let list = if expected.attached.is_some() { LIST } else { 0 };
        let (tag, length) = expected.own;
        let own = &parts[0].2;
        assert_eq!(descriptor.heading.tag, tag);
        // One that waited has what was attached behind it.
        let is_same = own.get(list..list + length).is_some_and(|bytes| bytes == payload(tag, length));
        assert!(is_same, "message {tag} from {from} to {to} is not what was sent");
        assert_eq!(parts.len(), 1 + usize::from(expected.attached.is_some()));
        if let Some((fill, length)) = expected.attached {
            assert!(
                parts[1].2 == payload(fill, length),
                "what came with message {tag} from {from} to {to} is not what was sent"
            );
        }
        Some(parts)
    }

    fn hold(&mut self, to: usize, from: usize) {
        let before = self.expected[from][to].front().copied();
        let Some(parts) = self.look(to, from) else { return };
        let (receiver, sender) = two(&mut self.processes, to, from);
        match receiver.inbox.pass_leased(sender.place()) {
            Some(lease) => self.held[to].push(Held { sender: sender.who, lease, parts }),
            // It is still the next one.
            None => self.expected[from][to].push_front(before.unwrap()),
        }
    }

    fn let_go(&mut self, to: usize, held: Held) {
        for (memory, range, before) in held.parts {
            let mut bytes = vec![0; before.len()];
            memory.read(range.offset, &mut bytes).unwrap();
            assert!(bytes == before, "a payload of {:?} changed while it was held", held.sender);
        }
        self.processes[to].inbox.end_lease(held.lease);
    }

    /// A process dies at once, with all that it holds, and another one takes its place.
    fn replace(&mut self, place: usize) {
        self.generation += 1;
        self.held[place].clear();
        self.lent[place].clear();
        let mut born = Process::new(peer(place as u32, self.generation), geometry(PROCESSES as u32, SLOTS), ARENA);
        for other in (0..PROCESSES).filter(|&other| other != place) {
            // What the dead one had published is taken first.
            while self.receive_published(other, place) {}
            self.expected[place][other].clear();
            self.queues[place][other].clear();
            self.expected[other][place].clear();
            self.queues[other][place].clear();
            let other = &mut self.processes[other];
            other.inbox.detach(Place(place as u32));
            other.outbox.detach(Place(place as u32));
            other.meet(&mut born);
        }
        self.processes[place] = born;
    }

    fn come_to_rest(&mut self) {
        for to in 0..PROCESSES {
            for held in std::mem::take(&mut self.held[to]) {
                self.let_go(to, held);
            }
        }
        let mut moved = true;
        while moved {
            moved = false;
            for to in 0..PROCESSES {
                for from in (0..PROCESSES).filter(|&from| from != to) {
                    moved |= self.receive(to, from);
                }
            }
        }
        assert!(self.expected.iter().flatten().all(VecDeque::is_empty), "lost: {:?}", self.expected);
        for (process, lent) in self.processes.iter_mut().zip(&mut self.lent) {
            lent.drain(..).for_each(|(kept, _)| process.outbox.let_go(kept));
            process.outbox.reclaim();
            assert_eq!(process.outbox.poll_refused(), None);
            assert_eq!((process.outbox.slab().used(), process.outbox.attached()), (ByteCount(0), ByteCount(0)));
            process.outbox.drop_empty(ByteCount(0));
            assert_eq!(process.outbox.slab().reserved(), ByteCount(0));
        }
    }
}

/// The payload of a message and what is attached to it, where they lie.
fn parts_of(receiver: &Process, from: Place, descriptor: &Descriptor) -> Vec<(PeerMemory, PayloadRange, Vec<u8>)> {
    let attached = receiver.inbox.attachments(from, descriptor).unwrap();
    let ranges = descriptor.range.into_iter().chain(attached);
    let part = |range: PayloadRange| {
        let mut bytes = vec![0; range.length.0 as usize];
        receiver.inbox.read(from, &range, &mut bytes).unwrap();
        (receiver.inbox.locate(from, &range).unwrap().clone(), range, bytes)
    };
    ranges.map(part).collect()
}

/// A payload with what is attached behind it, as the layer above keeps one that finds no room.
fn composed(tag: u64, length: usize, attached: Option<Sent>) -> Vec<u8> {
    let Some((fill, attached_length)) = attached else { return payload(tag, length) };
    let start = (LIST + length).next_multiple_of(WORD_BYTES as usize);
    let inline = Attachment::Inline { offset: ByteOffset(start as u64), length: ByteCount(attached_length as u64) };
    let mut bytes = [inline.to_bytes().to_vec(), payload(tag, length)].concat();
    bytes.resize(start, 0);
    bytes.extend(payload(fill, attached_length));
    bytes
}

fn two(processes: &mut [Process], one: usize, other: usize) -> (&mut Process, &mut Process) {
    let [one, other] = processes.get_disjoint_mut([one, other]).unwrap();
    (one, other)
}

proptest! {
    #![proptest_config(proptest_config())]

    #[test]
    fn all_that_is_sent_between_the_living_arrives_once_in_order_and_unharmed(
        steps in prop::collection::vec(step(), 1..if cfg!(miri) { 30 } else { 200 }),
    ) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.come_to_rest();
    }
}
