//! Two real processes with shared memory between them, one of which is killed by SIGKILL at any instruction.
//!
//! The test is one end and this program, started again, the other. A killed sender leaves whole messages only, in order, although
//! it takes back what is not claimed whenever the ring is full, and a successor at its place is heard from its first message on. A killed receiver leaves an arena that is empty. Descriptors go
//! over a socket, as the master will hand them out. Without the harness, as the other end is this program too.
#![allow(clippy::unwrap_used, clippy::panic, reason = "clippy takes this for other code than a test")]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use egg_clutch::message::address::Generation;
use egg_clutch::sys::child::{Child, Signal};
use egg_clutch::sys::event::Event;
use egg_clutch::sys::shared_memory::{create, open};
use egg_clutch::sys::spawn::{SpawnRequest, spawn};
use egg_clutch::sys::unix_socket::{channel_pair, receive, send};
use egg_clutch::transport::switchboard::descriptor::{Heading, Kind};
use egg_clutch::transport::switchboard::inbox::Inbox;
use egg_clutch::transport::switchboard::layout::{ActionRef, ByteCount, Geometry, Peer, Place, SegmentId};
use egg_clutch::transport::switchboard::memory::{OwnMemory, PeerMemory};
use egg_clutch::transport::switchboard::outbox::{Delivery, Outbox};
use egg_clutch::transport::switchboard::ring::ClaimLimit;
use egg_clutch::transport::switchboard::segments::Unreadable;
use egg_clutch::transport::switchboard::slab::NoRoom;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const WATCHDOG: Duration = Duration::from_secs(120);
const ROUNDS: u32 = 12;
const ARENA: ByteCount = ByteCount(4 << 20);
const LARGEST: u64 = 100_000;
const TEST: Place = Place(0);
const OTHER: Place = Place(1);

fn main() {
    let mut args = std::env::args().skip(1);
    let generation = |args: &mut dyn Iterator<Item = String>| args.next().and_then(|number| number.parse().ok());
    match args.next().as_deref() {
        Some("sender") => sender(generation(&mut args).unwrap()),
        Some("receiver") => receiver(generation(&mut args).unwrap()),
        _ => test(),
    }
}

fn test() {
    std::thread::spawn(|| {
        std::thread::sleep(WATCHDOG);
        say("a test hangs");
        std::process::abort();
    });
    killed_senders_leave_whole_messages_only();
    say("test crash_reclaim::killed_senders_leave_whole_messages_only ... ok");
    killed_receivers_leave_an_empty_arena();
    say("test crash_reclaim::killed_receivers_leave_an_empty_arena ... ok");
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{text}").and_then(|()| out.flush()).unwrap();
}

fn peer(place: Place, generation: u32) -> Peer {
    Peer { place, generation: Generation(generation) }
}

fn memory(bytes: ByteCount) -> (OwnMemory, OwnedFd) {
    let (mapping, descriptor) = create(c"crash_reclaim", bytes.0 as usize).unwrap();
    (mapping.into(), descriptor)
}

fn map(descriptor: &OwnedFd, bytes: ByteCount) -> PeerMemory {
    open(descriptor.as_fd(), bytes.0 as usize).unwrap().into()
}

/// The other end, with its end of the socket as its input. Dies with this process.
fn start(role: &str, generation: u32, end: &OwnedFd) -> Child {
    let program = std::env::current_exe().unwrap();
    let args = [OsString::from(role), OsString::from(generation.to_string())];
    let request = SpawnRequest {
        program: program.as_os_str(),
        args: &args,
        env: &[],
        inherit: &[(end.as_fd(), 0)],
        die_with_parent: true,
    };
    spawn(&request).unwrap()
}

fn kill(child: &Child) {
    child.send_signal(Signal::KILL).unwrap();
    while child.try_reap().unwrap().is_none() {
        std::thread::yield_now();
    }
}

/// What rides beside a descriptor: the segment and its size, or zeroes.
#[derive(Clone, Copy)]
struct Note([u64; 2]);

fn hand_over(socket: BorrowedFd<'_>, note: Note, descriptor: BorrowedFd<'_>) {
    let bytes: Vec<u8> = note.0.iter().flat_map(|word| word.to_ne_bytes()).collect();
    assert_eq!(send(socket, &[IoSlice::new(&bytes)], Some(descriptor)).unwrap(), bytes.len());
}

/// The next descriptor that was handed over, as soon as there is one. `None` when the other end is gone.
fn take_over(socket: BorrowedFd<'_>) -> Option<(Note, OwnedFd)> {
    wait_for(&[socket]);
    let mut bytes = [0; 16];
    let mut descriptors = Vec::new();
    let received = receive(socket, &mut bytes, &mut descriptors);
    if !received.is_ok_and(|received| received.bytes == bytes.len()) {
        return None;
    }
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    Some((Note([word(0), word(8)]), descriptors.pop()?))
}

fn wait_for(descriptors: &[BorrowedFd<'_>]) {
    let mut interest: Vec<PollFd<'_>> =
        descriptors.iter().map(|&descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
    while poll(&mut interest, PollTimeout::NONE).is_err() {}
}

fn length(tag: u64) -> u64 {
    // Most are small; all lengths below a word's size come up.
    if tag.is_multiple_of(4) { tag.wrapping_mul(7919) % LARGEST } else { tag % 200 }
}

fn payload(tag: u64, generation: u32) -> Vec<u8> {
    let pattern: Vec<u8> = (0..251).map(|at| (tag * 31 + u64::from(generation) + at * 7) as u8).collect();
    let length = length(tag) as usize;
    let mut bytes = pattern.repeat(length.div_ceil(pattern.len()));
    bytes.truncate(length);
    bytes
}

/// The sending end, in either process: sends as fast as it can, and hands over the segments that it needs.
struct Sending {
    outbox: Outbox,
    bell: Event,
    to: Place,
    generation: u32,
    tag: u64,
}

impl Sending {
    /// False when there was no room.
    fn send(&mut self, socket: BorrowedFd<'_>) -> bool {
        if !self.outbox.has_room(self.to).unwrap() {
            return false;
        }
        let bytes = payload(self.tag + 1, self.generation);
        let length = ByteCount(bytes.len() as u64);
        let block = match self.outbox.reserve(length) {
            Ok(block) => block,
            Err(NoRoom::Full) => return false,
            Err(NoRoom::Grow(size)) => {
                let (memory, descriptor) = memory(size);
                let segment = self.outbox.add_segment(memory).unwrap();
                hand_over(socket, Note([segment.to_word(), size.0]), descriptor.as_fd());
                self.outbox.reserve(length).unwrap()
            }
            Err(other) => panic!("{other:?}"),
        };
        self.outbox.write(&block, ByteCount(0), &bytes).unwrap();
        self.tag += 1;
        let heading = Heading { tag: self.tag, ..Heading::new(Kind::Bytes, ActionRef(1)) };
        let published = self.outbox.publish(block, length, &[Delivery { to: self.to, heading, skip: ByteCount(0) }]);
        assert!(published.unsent.is_none());
        if self.outbox.must_ring(self.to) {
            self.bell.ring().unwrap();
        }
        true
    }
}

impl Sending {
    /// Withdraws what the receiver has not claimed, to send it once more: the messages are made from their numbers.
    fn take_back(&mut self) {
        let taken = self.outbox.withdraw(self.to, 3).unwrap();
        self.tag -= taken.len() as u64;
        for (message, tag) in taken.iter().zip(self.tag + 1..) {
            assert_eq!(message.heading.tag, tag);
            assert!(
                message.payload.as_ref() == Some(&payload(tag, self.generation)),
                "message {tag} was taken back torn"
            );
        }
    }
}

/// The receiving end, in either process.
struct Receiving {
    inbox: Inbox,
    bell: Event,
    from: Peer,
    next_tag: u64,
}

impl Receiving {
    /// Takes and checks the next message; false when there is none.
    fn receive(&mut self, socket: BorrowedFd<'_>) -> bool {
        let from = self.from.place;
        let descriptor = loop {
            match self.inbox.next(from, ClaimLimit::STANDARD) {
                Ok(Some(descriptor)) => break descriptor,
                Ok(None) => return false,
                // Handed over before the message was published, so it is there, also after its sender's death.
                Err(Unreadable::NotHereYet(_)) => self.take_segment(socket),
                Err(refused) => panic!("{refused:?}"),
            }
        };
        let range = descriptor.range.unwrap();
        let mut bytes = vec![0; range.length.0 as usize];
        self.inbox.read(from, &range, &mut bytes).unwrap();
        self.next_tag += 1;
        assert_eq!(descriptor.heading.tag, self.next_tag, "lost, or twice");
        assert!(bytes == payload(self.next_tag, self.from.generation.0), "message {} is torn", self.next_tag);
        self.inbox.pass(from);
        true
    }

    fn take_segment(&mut self, socket: BorrowedFd<'_>) {
        let (Note([segment, size]), descriptor) = take_over(socket).unwrap();
        let (segment, size) = (SegmentId::from_word(segment), ByteCount(size));
        self.inbox.add_segment(self.from.place, segment, size, map(&descriptor, size)).unwrap();
    }

    /// Sleeps until somebody rings, or the other end is gone.
    fn sleep(&mut self, socket: BorrowedFd<'_>) {
        if self.inbox.may_sleep() {
            wait_for(&[self.bell.as_fd(), socket]);
            self.bell.silence().unwrap();
            self.inbox.wake();
        }
    }
}

/// Shows its outbox, is shown an inbox and a bell, and sends for ever.
fn sender(generation: u32) {
    let own = peer(OTHER, generation);
    let stdin = std::io::stdin();
    let socket = stdin.as_fd();
    let geometry = Geometry::STANDARD;
    let (outbox, descriptor) = memory(geometry.outbox_bytes());
    let mut outbox = Outbox::new(outbox, own, geometry, ARENA).unwrap();
    hand_over(socket, Note([0, 0]), descriptor.as_fd());
    let (_, inbox) = take_over(socket).unwrap();
    let (_, bell) = take_over(socket).unwrap();
    outbox.attach(peer(TEST, 1), &map(&inbox, geometry.inbox_bytes())).unwrap();
    let mut sending = Sending { outbox, bell: Event::from_descriptor(bell), to: TEST, generation, tag: 0 };
    loop {
        if !sending.send(socket) {
            sending.take_back();
        }
    }
}

fn killed_senders_leave_whole_messages_only() {
    let own = peer(TEST, 1);
    let geometry = Geometry::STANDARD;
    let (memory, inbox_descriptor) = memory(geometry.inbox_bytes());
    let mut receiving = Receiving {
        inbox: Inbox::new(memory, own, geometry).unwrap(),
        bell: Event::new().unwrap(),
        from: peer(OTHER, 0),
        next_tag: 0,
    };
    for generation in 1..=ROUNDS {
        let (ours, theirs) = channel_pair().unwrap();
        let child = start("sender", generation, &theirs);
        drop(theirs);
        let (_, outbox) = take_over(ours.as_fd()).unwrap();
        receiving.from = peer(OTHER, generation);
        receiving.next_tag = 0;
        receiving.inbox.attach(receiving.from, &map(&outbox, geometry.outbox_bytes())).unwrap();
        hand_over(ours.as_fd(), Note([0, 0]), inbox_descriptor.as_fd());
        hand_over(ours.as_fd(), Note([0, 0]), receiving.bell.as_fd());
        // Another moment in each round: the number of messages is only what it is aimed with.
        let enough = u64::from(generation * generation * 13);
        while receiving.next_tag < enough {
            if !receiving.receive(ours.as_fd()) {
                receiving.sleep(ours.as_fd());
            }
        }
        kill(&child);
        while receiving.receive(ours.as_fd()) {}
        receiving.inbox.detach(OTHER);
    }
}

/// Shows its inbox and a bell, is shown an outbox, and receives until it is killed.
fn receiver(generation: u32) {
    let own = peer(OTHER, generation);
    let stdin = std::io::stdin();
    let socket = stdin.as_fd();
    let geometry = Geometry::STANDARD;
    let (memory, descriptor) = memory(geometry.inbox_bytes());
    let mut inbox = Inbox::new(memory, own, geometry).unwrap();
    let bell = Event::new().unwrap();
    hand_over(socket, Note([0, 0]), descriptor.as_fd());
    hand_over(socket, Note([0, 0]), bell.as_fd());
    let (_, outbox) = take_over(socket).unwrap();
    let from = peer(TEST, 1);
    inbox.attach(from, &map(&outbox, geometry.outbox_bytes())).unwrap();
    let mut held = VecDeque::new();
    loop {
        let descriptor = match inbox.next(TEST, ClaimLimit::STANDARD) {
            Ok(Some(descriptor)) => descriptor,
            Ok(None) => {
                if inbox.may_sleep() {
                    wait_for(&[bell.as_fd()]);
                    bell.silence().unwrap();
                    inbox.wake();
                }
                continue;
            }
            Err(Unreadable::NotHereYet(_)) => {
                let (Note([segment, size]), descriptor) = take_over(socket).unwrap();
                let (segment, size) = (SegmentId::from_word(segment), ByteCount(size));
                inbox.add_segment(TEST, segment, size, map(&descriptor, size)).unwrap();
                continue;
            }
            Err(refused) => panic!("{refused:?}"),
        };
        // What it says is checked by the other test; here it is held, to die with it in hand.
        assert!(descriptor.range.is_some());
        match inbox.pass_leased(TEST) {
            Some(lease) if descriptor.heading.tag.is_multiple_of(3) => held.push_back(lease),
            Some(lease) => inbox.end_lease(lease),
            None => inbox.pass(TEST),
        }
        if held.len() > 40 {
            held.drain(..20).for_each(|lease| inbox.end_lease(lease));
        }
    }
}

fn killed_receivers_leave_an_empty_arena() {
    let own = peer(TEST, 1);
    let geometry = Geometry::STANDARD;
    let (memory, outbox_descriptor) = memory(geometry.outbox_bytes());
    let mut sending = Sending {
        outbox: Outbox::new(memory, own, geometry, ARENA).unwrap(),
        bell: Event::new().unwrap(),
        to: OTHER,
        generation: 1,
        tag: 0,
    };
    for generation in 1..=ROUNDS {
        let (ours, theirs) = channel_pair().unwrap();
        let child = start("receiver", generation, &theirs);
        drop(theirs);
        let (_, inbox) = take_over(ours.as_fd()).unwrap();
        let (_, bell) = take_over(ours.as_fd()).unwrap();
        sending.outbox.attach(peer(OTHER, generation), &map(&inbox, geometry.inbox_bytes())).unwrap();
        sending.bell = Event::from_descriptor(bell);
        hand_over(ours.as_fd(), Note([0, 0]), outbox_descriptor.as_fd());
        let enough = sending.tag + u64::from(generation * generation * 13);
        while sending.tag < enough {
            if !sending.send(ours.as_fd()) {
                std::thread::yield_now();
            }
        }
        kill(&child);
        sending.outbox.detach(OTHER);
        assert_eq!(sending.outbox.slab().used(), ByteCount(0), "round {generation}");
        // So the next receiver is handed segments of its own.
        sending.outbox.drop_empty(ByteCount(0));
        assert_eq!(sending.outbox.slab().reserved(), ByteCount(0), "round {generation}");
    }
}
