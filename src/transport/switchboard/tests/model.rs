//! The switchboard against a model: for each ordered pair a queue of what was sent and not yet received.
//!
//! Three processes send to each other, stand still, hold payloads in place, take back, die and are replaced, in any order.
//! A small sender's queue stands before each ring, as the layer above has it. In the end everything sent between the living
//! has arrived, in order and unharmed, and every arena is as empty as it began.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::super::descriptor::PayloadRange;
use super::super::inbox::Lease;
use super::super::layout::{ByteCount, Peer, Place};
use super::super::memory::PeerMemory;
use super::super::slab::NoRoom;
use super::process::Process;
use super::{geometry, peer, proptest_config};

const PROCESSES: usize = 3;
const SLOTS: u32 = 4;
const ARENA: ByteCount = ByteCount(1 << 18);
/// So large that a few of them fill the arena.
const LARGE: usize = if cfg!(miri) { 300 } else { 100_000 };

#[derive(Clone, Debug)]
enum Step {
    Send { from: usize, to: Vec<usize>, length: usize },
    Receive { to: usize, from: usize, count: usize },
    Hold { to: usize, from: usize },
    LetGo { to: usize },
    Withdraw { from: usize, to: usize, keep: u64 },
    DropEmpty { from: usize },
    Replace { place: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PROCESSES;
    let pair = || (place(), 1..PROCESSES).prop_map(|(one, by)| (one, (one + by) % PROCESSES));
    let length = prop_oneof![8 => 0..300_usize, 1 => 0..LARGE];
    let send =
        (place(), prop::collection::vec(1..PROCESSES, 1..PROCESSES), length).prop_map(|(from, mut others, length)| {
            others.sort_unstable();
            others.dedup();
            Step::Send { from, to: others.into_iter().map(|by| (from + by) % PROCESSES).collect(), length }
        });
    prop_oneof![
        8 => send,
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

/// A payload that its receiver holds in place.
struct Held {
    sender: Peer,
    lease: Lease,
    memory: PeerMemory,
    range: PayloadRange,
    bytes: Vec<u8>,
}

/// One value for each ordered pair.
type Pairs<T> = Vec<Vec<T>>;

struct World {
    processes: Vec<Process>,
    /// `queues[from][to]`: what the sender has not published yet.
    queues: Pairs<VecDeque<(u64, Vec<u8>)>>,
    /// `expected[from][to]`: what the receiver has not received yet.
    expected: Pairs<VecDeque<(u64, usize)>>,
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
            Step::Send { from, to, length } => self.send(from, &to, length),
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
                    let tag = message.heading.tag;
                    self.queues[from][to].push_front((tag, message.payload.unwrap()));
                }
            }
            Step::DropEmpty { from } => {
                self.processes[from].outbox.drop_empty(ByteCount(0));
                self.processes[from].forget_dropped();
            }
            Step::Replace { place } => self.replace(place),
        }
    }

    fn send(&mut self, from: usize, to: &[usize], length: usize) {
        self.last_tag += 1;
        let tag = self.last_tag;
        let bytes = payload(tag, length);
        let mut now = Vec::new();
        for &to in to {
            self.expected[from][to].push_back((tag, length));
            let place = Place(to as u32);
            if self.queues[from][to].is_empty() && self.processes[from].outbox.has_room(place).unwrap() {
                now.push(place);
            } else {
                self.queues[from][to].push_back((tag, bytes.clone()));
            }
        }
        if let Err(queued) = self.publish(from, &now, tag, &bytes) {
            queued.iter().for_each(|to| self.queues[from][to.0 as usize].push_back((tag, bytes.clone())));
        }
    }

    fn publish(&mut self, from: usize, to: &[Place], tag: u64, bytes: &[u8]) -> Result<(), Vec<Place>> {
        if to.is_empty() {
            return Ok(());
        }
        match self.processes[from].send(to, tag, bytes) {
            Ok(published) => {
                assert_eq!((published.full.len(), published.refused.len(), published.absent.len()), (0, 0, 0));
                assert_eq!(published.unsent, None);
                Ok(())
            }
            Err(NoRoom::Full) => Err(to.to_vec()),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Publishes what waits in the sender's queue, as far as there is room.
    fn flush(&mut self, from: usize, to: usize) {
        let place = Place(to as u32);
        while self.processes[from].outbox.has_room(place).unwrap() {
            let Some((tag, bytes)) = self.queues[from][to].pop_front() else { break };
            if self.publish(from, &[place], tag, &bytes).is_err() {
                self.queues[from][to].push_front((tag, bytes));
                break;
            }
        }
    }

    fn receive(&mut self, to: usize, from: usize) -> bool {
        self.flush(from, to);
        let (receiver, sender) = two(&mut self.processes, to, from);
        let Some((descriptor, bytes)) = receiver.take(sender).unwrap() else { return false };
        self.expect(to, from, descriptor.heading.tag, &bytes);
        true
    }

    fn hold(&mut self, to: usize, from: usize) {
        let (receiver, sender) = two(&mut self.processes, to, from);
        let Some((descriptor, bytes)) = receiver.look(sender).unwrap() else { return };
        let range = descriptor.range.unwrap();
        let memory = receiver.inbox.locate(sender.place(), &range).unwrap().clone();
        let Some(lease) = receiver.inbox.pass_leased(sender.place()) else { return };
        let sender = sender.who;
        self.expect(to, from, descriptor.heading.tag, &bytes);
        self.held[to].push(Held { sender, lease, memory, range, bytes });
    }

    fn let_go(&mut self, to: usize, held: Held) {
        let mut bytes = vec![0; held.bytes.len()];
        held.memory.read(held.range.offset, &mut bytes).unwrap();
        assert!(bytes == held.bytes, "a payload of {:?} changed while it was held", held.sender);
        self.processes[to].inbox.end_lease(held.lease);
    }

    fn expect(&mut self, to: usize, from: usize, tag: u64, bytes: &[u8]) {
        let (expected, length) = self.expected[from][to].pop_front().unwrap();
        assert_eq!((tag, bytes.len()), (expected, length));
        assert!(bytes == payload(tag, length), "message {tag} from {from} to {to} is not what was sent");
    }

    /// A process dies at once, with all that it holds, and another one takes its place.
    fn replace(&mut self, place: usize) {
        self.generation += 1;
        self.held[place].clear();
        let mut born = Process::new(peer(place as u32, self.generation), geometry(PROCESSES as u32, SLOTS), ARENA);
        for other in (0..PROCESSES).filter(|&other| other != place) {
            // What the dead one had published is taken first.
            while self.receive_from_dead(other, place) {}
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

    fn receive_from_dead(&mut self, to: usize, dead: usize) -> bool {
        let (receiver, sender) = two(&mut self.processes, to, dead);
        let Some((descriptor, bytes)) = receiver.take(sender).unwrap() else { return false };
        self.expect(to, dead, descriptor.heading.tag, &bytes);
        true
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
        for process in &mut self.processes {
            process.outbox.reclaim();
            assert_eq!(process.outbox.poll_refused(), None);
            assert_eq!(process.outbox.slab().used(), ByteCount(0));
            process.outbox.drop_empty(ByteCount(0));
            assert_eq!(process.outbox.slab().reserved(), ByteCount(0));
        }
    }
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
