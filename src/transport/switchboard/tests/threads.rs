//! Three processes as threads, at full speed: what the models try with two messages, with thousands, and on a real machine's caches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::super::descriptor::PayloadRange;
use super::super::inbox::Lease;
use super::super::layout::{ByteCount, Place, SegmentId};
use super::super::memory::{OwnMemory, PeerMemory};
use super::super::ring::ClaimLimit;
use super::super::segments::Unreadable;
use super::super::slab::NoRoom;
use super::process::Process;
use super::{geometry, peer};

const THREADS: u32 = 3;
const SLOTS: u32 = 8;
const ARENA: ByteCount = ByteCount(1 << 18);
const MESSAGES: u64 = if cfg!(miri) { 12 } else { 5000 };
const HELD: usize = 5;

/// All segments that there ever were; each is here before anything in it is published.
type Segments = Arc<Mutex<Vec<(Place, SegmentId, OwnMemory)>>>;

/// A payload that is read in place.
struct Held {
    lease: Lease,
    memory: PeerMemory,
    range: PayloadRange,
    bytes: Vec<u8>,
}

struct Talker {
    process: Process,
    others: Vec<Place>,
    segments: Segments,
    /// By receiver: what found no room, and what was taken back.
    queues: Vec<VecDeque<(u64, Vec<u8>)>>,
    /// By sender: how many have come.
    taken: Vec<u64>,
    held: VecDeque<Held>,
    turn: u64,
}

fn payload(from: Place, tag: u64) -> Vec<u8> {
    let length = (tag * 37 + u64::from(from.0)) % 2500;
    (0..length).map(|at| (at + tag * 3 + u64::from(from.0)) as u8).collect()
}

impl Talker {
    fn talk(mut self) {
        for tag in 1..=MESSAGES {
            for place in self.others.clone() {
                let bytes = payload(self.process.place(), tag);
                self.queues[place.0 as usize].push_back((tag, bytes));
            }
            self.turn();
        }
        let is_over = |talker: &Self| {
            talker.queues.iter().all(VecDeque::is_empty)
                && talker.others.iter().all(|place| talker.taken[place.0 as usize] == MESSAGES)
        };
        while !is_over(&self) {
            self.turn();
            std::thread::yield_now();
        }
        while let Some(held) = self.held.pop_front() {
            self.let_go(held);
        }
    }

    fn turn(&mut self) {
        self.turn += 1;
        for place in self.others.clone() {
            if self.turn.is_multiple_of(7) {
                self.take_back(place);
            }
            self.flush(place);
            for _ in 0..self.turn % 4 {
                self.receive(place);
            }
        }
    }

    fn take_back(&mut self, place: Place) {
        for message in self.process.outbox.withdraw(place, self.turn % 3).unwrap().into_iter().rev() {
            let tag = message.heading.tag;
            self.queues[place.0 as usize].push_front((tag, message.payload.unwrap()));
        }
    }

    fn flush(&mut self, place: Place) {
        while self.process.outbox.has_room(place).unwrap() {
            let Some((tag, bytes)) = self.queues[place.0 as usize].pop_front() else { return };
            match self.process.reserve(bytes.len()) {
                Ok(block) => self.process.outbox.cancel(block),
                Err(NoRoom::Full) => return self.queues[place.0 as usize].push_front((tag, bytes)),
                Err(other) => panic!("{other:?}"),
            }
            self.show_segments();
            let published = self.process.send(&[place], tag, &bytes).unwrap();
            assert_eq!((published.full.len(), published.refused.len(), published.unsent), (0, 0, None));
        }
    }

    fn show_segments(&mut self) {
        let own = self.process.place();
        let mut all = self.segments.lock().unwrap();
        for (segment, memory) in &self.process.segments {
            if !all.iter().any(|(place, known, _)| (*place, known) == (own, segment)) {
                all.push((own, *segment, memory.clone()));
            }
        }
    }

    fn receive(&mut self, from: Place) {
        let inbox = &mut self.process.inbox;
        let descriptor = match inbox.next(from, ClaimLimit::STANDARD) {
            Ok(Some(descriptor)) => descriptor,
            Ok(None) => return,
            Err(Unreadable::NotHereYet(segment)) => {
                let all = self.segments.lock().unwrap();
                let (.., memory) = all.iter().find(|(place, id, _)| (*place, *id) == (from, segment)).unwrap();
                return inbox.add_segment(from, segment, memory.bytes(), memory.as_peer()).unwrap();
            }
            Err(Unreadable::Refused(refused)) => panic!("{refused:?}"),
        };
        let taken = &mut self.taken[from.0 as usize];
        *taken += 1;
        assert_eq!(descriptor.heading.tag, *taken, "from {from:?}");
        let range = descriptor.range.unwrap();
        let mut bytes = vec![0; range.length.0 as usize];
        inbox.read(from, &range, &mut bytes).unwrap();
        assert!(bytes == payload(from, *taken), "message {taken} of {from:?} is not what was sent");
        let memory = inbox.locate(from, &range).unwrap().clone();
        match taken.is_multiple_of(3).then(|| inbox.pass_leased(from)).flatten() {
            Some(lease) => self.held.push_back(Held { lease, memory, range, bytes }),
            None => inbox.pass(from),
        }
        if self.held.len() > HELD
            && let Some(held) = self.held.pop_front()
        {
            self.let_go(held);
        }
    }

    fn let_go(&mut self, held: Held) {
        let mut bytes = vec![0; held.bytes.len()];
        held.memory.read(held.range.offset, &mut bytes).unwrap();
        assert!(bytes == held.bytes, "a payload changed while it was held");
        self.process.inbox.end_lease(held.lease);
    }
}

#[test]
fn threads_that_all_send_hold_in_place_and_take_back_lose_and_spoil_nothing() {
    let process = |place| Process::new(peer(place, 1), geometry(THREADS, SLOTS), ARENA);
    let mut processes: Vec<Process> = (0..THREADS).map(process).collect();
    for one in 0..processes.len() {
        for other in one + 1..processes.len() {
            let [one, other] = processes.get_disjoint_mut([one, other]).unwrap();
            one.meet(other);
        }
    }
    let segments = Segments::default();
    let start = |process: Process| {
        let talker = Talker {
            others: (0..THREADS).map(Place).filter(|place| *place != process.place()).collect(),
            segments: Arc::clone(&segments),
            queues: (0..THREADS).map(|_| VecDeque::new()).collect(),
            taken: vec![0; THREADS as usize],
            held: VecDeque::new(),
            turn: 0,
            process,
        };
        std::thread::spawn(move || talker.talk())
    };
    let threads: Vec<_> = processes.into_iter().map(start).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
