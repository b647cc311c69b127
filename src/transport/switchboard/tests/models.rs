//! Loom models: every order in which two threads can see each other's stores, for each of the protocols.
//!
//! Small on purpose: two slots, two or three messages. A thread that waits yields, and loom reports a model in which nobody
//! can go on.

use std::collections::VecDeque;

use loom::model::Builder;
use loom::sync::Notify;
use loom::thread;

use super::super::descriptor::{Attachment, Descriptor, Heading, Kind, PayloadRange};
use super::super::doorbell::{Bell, Sleeper};
use super::super::inbox::Inbox;
use super::super::layout::{
    ATTACHMENT_BYTES, ActionRef, ByteCount, ByteOffset, Geometry, LINE_BYTES, Peer, Place, Position, WORD_BYTES,
};
use super::super::lease::Leases;
use super::super::memory::{OwnMemory, PeerMemory};
use super::super::outbox::{Delivery, Outbox, Published};
use super::super::ring::{ClaimLimit, Consumer, Producer, Pushed};
use super::super::slab::{Block, NoRoom};
use super::super::sync::Arc;
use super::{geometry, peer};

const LIMIT: ClaimLimit = ClaimLimit { descriptors: 2, bytes: ByteCount(u64::MAX) };

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(model);
}

fn message(tag: u64) -> Descriptor {
    Descriptor { heading: Heading { tag, ..Heading::new(Kind::Number, ActionRef(1)) }, range: None }
}

/// A sender and a receiver with two slots between them, and memory for a payload.
struct Pair {
    geometry: Geometry,
    outbox: OwnMemory,
    inbox: OwnMemory,
    payload: OwnMemory,
}

impl Pair {
    fn new() -> Self {
        let geometry = geometry(1, 2);
        Self {
            geometry,
            outbox: OwnMemory::on_heap(geometry.outbox_bytes()),
            inbox: OwnMemory::on_heap(geometry.inbox_bytes()),
            payload: OwnMemory::on_heap(ByteCount(WORD_BYTES)),
        }
    }

    fn producer(&self, own: Peer, receiver: Peer) -> Producer {
        Producer::open(&self.outbox, &self.inbox.as_peer(), self.geometry, own, receiver).unwrap()
    }

    fn consumer(&self, own: Peer, sender: Peer) -> Consumer {
        Consumer::open(&self.inbox, &self.outbox.as_peer(), self.geometry, own, sender).unwrap()
    }

    fn both(&self) -> (Producer, Consumer) {
        let one = peer(0, 1);
        (self.producer(one, one), self.consumer(one, one))
    }
}

fn push_or_yield(producer: &mut Producer, descriptor: Descriptor) {
    while producer.try_push(descriptor).unwrap() == Pushed::Full(descriptor) {
        thread::yield_now();
    }
}

fn take(consumer: &mut Consumer) -> Option<u64> {
    consumer.claim(LIMIT).unwrap();
    let tag = consumer.peek().unwrap()?.heading.tag;
    consumer.pass();
    Some(tag)
}

fn take_or_yield(consumer: &mut Consumer) -> u64 {
    loop {
        if let Some(tag) = take(consumer) {
            return tag;
        }
        thread::yield_now();
    }
}

fn write_payload(payload: &OwnMemory, value: u64) {
    payload.write(ByteOffset(0), &value.to_ne_bytes()).unwrap();
}

fn read_payload(payload: &PeerMemory) -> u64 {
    let mut bytes = [0; size_of::<u64>()];
    payload.read(ByteOffset(0), &mut bytes).unwrap();
    u64::from_ne_bytes(bytes)
}

#[test]
fn a_ring_that_fills_up_gives_every_descriptor_once_and_in_order() {
    check(|| {
        let pair = Pair::new();
        let (mut producer, mut consumer) = pair.both();
        let sending = thread::spawn(move || (1..=3).for_each(|tag| push_or_yield(&mut producer, message(tag))));
        for tag in 1..=3 {
            assert_eq!(take_or_yield(&mut consumer), tag);
        }
        assert_eq!(take(&mut consumer), None);
        sending.join().unwrap();
    });
}

#[test]
fn a_payload_is_complete_when_its_descriptor_is_seen_and_stays_until_it_is_passed() {
    check(|| {
        let pair = Pair::new();
        let (mut producer, mut consumer) = pair.both();
        let (own, peers) = (pair.payload.clone(), pair.payload.as_peer());
        let sending = thread::spawn(move || {
            for tag in 1..=2 {
                while producer.refresh().unwrap() < Position(tag - 1) {
                    thread::yield_now();
                }
                write_payload(&own, tag);
                push_or_yield(&mut producer, message(tag));
            }
        });
        for tag in 1..=2 {
            while consumer.claim(LIMIT).unwrap() == 0 {
                thread::yield_now();
            }
            assert_eq!(read_payload(&peers), tag);
            consumer.pass();
        }
        sending.join().unwrap();
    });
}

#[test]
fn a_leased_payload_stays_until_the_lease_has_ended() {
    check(|| {
        let pair = Pair::new();
        let (mut producer, mut consumer) = pair.both();
        let mut leases = Leases::open(&pair.inbox, pair.geometry, peer(0, 1).place).unwrap();
        write_payload(&pair.payload, 1);
        push_or_yield(&mut producer, message(1));
        let own = pair.payload.clone();
        let sending = thread::spawn(move || {
            let mut held = Vec::new();
            for _ in 0..2 {
                let passed = producer.refresh().unwrap();
                producer.read_leases(&mut held);
                if passed > Position(0) && held.is_empty() {
                    write_payload(&own, 2);
                }
                thread::yield_now();
            }
        });
        let peers = pair.payload.as_peer();
        assert_eq!(consumer.claim(LIMIT), Ok(1));
        let lease = leases.enter(consumer.next()).unwrap();
        consumer.pass();
        assert_eq!(read_payload(&peers), 1);
        leases.end(lease);
        sending.join().unwrap();
    });
}

#[test]
fn what_is_withdrawn_is_never_read_and_what_is_read_is_never_withdrawn() {
    check(|| {
        let pair = Pair::new();
        let (mut producer, mut consumer) = pair.both();
        push_or_yield(&mut producer, message(1));
        push_or_yield(&mut producer, message(2));
        let receiving = thread::spawn(move || {
            let mut seen = Vec::new();
            for _ in 0..2 {
                consumer.claim(ClaimLimit { descriptors: 1, ..LIMIT }).unwrap();
                seen.extend(consumer.peek().unwrap().map(|descriptor| descriptor.heading.tag));
                consumer.pass();
            }
            (consumer, seen)
        });
        let withdrawn = producer.withdraw(0).unwrap();
        // The slots are used again at once, for something else.
        let mut later: VecDeque<_> = withdrawn.iter().map(|descriptor| descriptor.heading.tag + 10).collect();
        let pushed = later.front().map(|&tag| producer.try_push(message(tag)).unwrap());
        if matches!(pushed, Some(Pushed::At(_))) {
            later.pop_front();
        }
        let (mut consumer, mut seen) = receiving.join().unwrap();
        seen.extend(std::iter::from_fn(|| take(&mut consumer)));
        seen.extend(later);
        // Of 1 and 2 the consumer has seen the first so many, and the others as what they became.
        let kept = 2 - withdrawn.len();
        let expected: Vec<u64> = (1..=2).map(|tag| if tag as usize <= kept { tag } else { tag + 10 }).collect();
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_withdrawal_leaves_alone_what_it_is_told_to_keep() {
    check(|| {
        let pair = Pair::new();
        let (mut producer, mut consumer) = pair.both();
        push_or_yield(&mut producer, message(1));
        push_or_yield(&mut producer, message(2));
        let sending = thread::spawn(move || producer.withdraw(1).unwrap().len());
        let first = take_or_yield(&mut consumer);
        let withdrawn = sending.join().unwrap();
        let mut seen = vec![first];
        seen.extend(std::iter::from_fn(|| take(&mut consumer)));
        assert_eq!(seen.len() + withdrawn, 2);
        assert!(withdrawn <= 1 && seen == [1, 2][..seen.len()]);
    });
}

#[test]
fn a_claim_that_came_too_late_is_not_taken_for_a_lie() {
    check(|| {
        let pair = Pair::new();
        let (mut producer, mut consumer) = pair.both();
        push_or_yield(&mut producer, message(1));
        let receiving = thread::spawn(move || (take(&mut consumer), consumer));
        let withdrawn = producer.withdraw(0).unwrap().len() + producer.withdraw(0).unwrap().len();
        let (taken, mut consumer) = receiving.join().unwrap();
        let left = take(&mut consumer);
        assert_eq!(withdrawn + taken.iter().chain(&left).count(), 1);
    });
}

#[test]
fn no_message_waits_beside_a_sleeper() {
    check(|| {
        let pair = Pair::new();
        let (mut producer, mut consumer) = pair.both();
        let mut sleeper = Sleeper::new(&pair.inbox).unwrap();
        let mut bell = Bell::new(&pair.inbox.as_peer()).unwrap();
        let event = Arc::new(Notify::new());
        let ring = Arc::clone(&event);
        let sending = thread::spawn(move || {
            for tag in 1..=2 {
                push_or_yield(&mut producer, message(tag));
                if bell.must_ring() {
                    ring.notify();
                }
            }
        });
        let mut seen = 0;
        while seen < 2 {
            while take(&mut consumer).is_some() {
                seen += 1;
            }
            if seen < 2 && sleeper.may_sleep(|| consumer.has_more().unwrap()) {
                // A message that did not ring would let this wait for ever, which loom reports.
                event.wait();
                sleeper.wake();
            }
        }
        sending.join().unwrap();
    });
}

#[test]
fn a_new_receiver_sees_nothing_of_the_ring_of_the_former_one() {
    check(|| {
        let pair = Pair::new();
        let sender = peer(0, 1);
        let mut producer = pair.producer(sender, peer(0, 1));
        push_or_yield(&mut producer, message(1));
        push_or_yield(&mut producer, message(2));
        let mut consumer = pair.consumer(peer(0, 2), sender);
        let (outbox, inbox, geometry) = (pair.outbox.clone(), pair.inbox.as_peer(), pair.geometry);
        let sending = thread::spawn(move || {
            let mut producer = Producer::open(&outbox, &inbox, geometry, sender, peer(0, 2)).unwrap();
            push_or_yield(&mut producer, message(3));
        });
        assert_eq!(take_or_yield(&mut consumer), 3);
        sending.join().unwrap();
        assert_eq!(take(&mut consumer), None);
    });
}

#[test]
fn a_new_sender_counts_from_the_beginning_although_the_cursor_is_of_the_former_one() {
    check(|| {
        let pair = Pair::new();
        let receiver = peer(0, 1);
        let mut former = pair.consumer(receiver, peer(0, 1));
        push_or_yield(&mut pair.producer(peer(0, 1), receiver), message(1));
        assert_eq!(take(&mut former), Some(1));
        // The new process has an outbox of its own.
        let outbox = OwnMemory::on_heap(pair.geometry.outbox_bytes());
        let (peers, inbox, geometry) = (outbox.as_peer(), pair.inbox.clone(), pair.geometry);
        let sending = thread::spawn(move || {
            let mut producer = Producer::open(&outbox, &inbox.as_peer(), geometry, peer(0, 2), receiver).unwrap();
            (2..=4).for_each(|tag| push_or_yield(&mut producer, message(tag)));
        });
        let mut consumer = Consumer::open(&pair.inbox, &peers, geometry, receiver, peer(0, 2)).unwrap();
        for tag in 2..=4 {
            assert_eq!(take_or_yield(&mut consumer), tag);
        }
        sending.join().unwrap();
    });
}

/// A whole sender with one small segment, and a whole receiver.
struct Whole {
    outbox: Outbox,
    inbox: Inbox,
}

const ONE: Place = Place(0);

impl Whole {
    fn new() -> Self {
        let (pair, who) = (Pair::new(), peer(0, 1));
        let mut outbox = Outbox::new(pair.outbox.clone(), who, pair.geometry, ByteCount(1 << 16)).unwrap();
        let mut inbox = Inbox::new(pair.inbox.clone(), who, pair.geometry).unwrap();
        outbox.attach(who, &pair.inbox.as_peer()).unwrap();
        inbox.attach(who, &pair.outbox.as_peer()).unwrap();
        assert!(matches!(outbox.reserve(ByteCount(1)), Err(NoRoom::Grow(_))));
        // The label, a block that is attached, and one for its message.
        let memory = OwnMemory::on_heap(ByteCount(3 * LINE_BYTES));
        let segment = outbox.add_segment(memory.clone()).unwrap();
        inbox.add_segment(ONE, segment, memory.bytes(), memory.as_peer()).unwrap();
        Self { outbox, inbox }
    }
}

fn block_of(outbox: &mut Outbox, value: u64) -> Block {
    let block = outbox.reserve(ByteCount(WORD_BYTES)).unwrap();
    outbox.write(&block, ByteCount(0), &value.to_ne_bytes()).unwrap();
    block
}

/// Sends a message with a block that holds `1`, and lets go of that.
fn publish_attached(outbox: &mut Outbox) -> ByteOffset {
    let block = block_of(outbox, 1);
    let at = block.offset();
    let kept = outbox.keep(block);
    let listed = outbox.attachment(&kept, ByteCount(0), ByteCount(WORD_BYTES)).unwrap();
    let list = outbox.reserve(ByteCount(ATTACHMENT_BYTES)).unwrap();
    outbox.write(&list, ByteCount(0), &listed.to_bytes()).unwrap();
    let heading = Heading { attachments: 1, ..Heading::new(Kind::Bytes, ActionRef(0)) };
    let delivery = Delivery { to: ONE, heading, skip: ByteCount(0) };
    let published = outbox.publish_with(list, ByteCount(ATTACHMENT_BYTES), &[delivery], &[&kept]);
    assert_eq!(published, Published::default());
    outbox.let_go(kept);
    at
}

/// The next message, if there is one: what is attached to it holds `1`, before it is passed and as long as it is held.
fn hold_attached(inbox: &mut Inbox) -> bool {
    let Some(descriptor) = inbox.next(ONE, LIMIT).unwrap() else { return false };
    let ranges = inbox.attachments(ONE, &descriptor).unwrap();
    let memory = inbox.locate(ONE, &ranges[0]).unwrap().clone();
    assert_eq!(read_range(&memory, &ranges[0]), 1);
    let lease = inbox.pass_leased(ONE).unwrap();
    assert_eq!(read_range(&memory, &ranges[0]), 1);
    inbox.end_lease(lease);
    true
}

fn read_range(memory: &PeerMemory, range: &PayloadRange) -> u64 {
    let mut bytes = [0; size_of::<u64>()];
    memory.read(range.offset, &mut bytes).unwrap();
    u64::from_ne_bytes(bytes)
}

#[test]
fn what_is_attached_is_complete_when_its_message_is_seen_and_used_again_only_when_its_lease_has_ended() {
    check(|| {
        let Whole { mut outbox, mut inbox } = Whole::new();
        let sending = thread::spawn(move || {
            let at = publish_attached(&mut outbox);
            for _ in 0..2 {
                outbox.reclaim();
                if outbox.attached() == ByteCount(0) {
                    assert_eq!(block_of(&mut outbox, 2).offset(), at);
                    break;
                }
                thread::yield_now();
            }
            assert_eq!(outbox.poll_refused(), None);
        });
        while !hold_attached(&mut inbox) {
            thread::yield_now();
        }
        sending.join().unwrap();
    });
}

#[test]
fn what_is_attached_is_taken_back_with_its_message_or_read_as_it_was_sent_and_never_both() {
    check(|| {
        let Whole { mut outbox, mut inbox } = Whole::new();
        let at = publish_attached(&mut outbox);
        let receiving = thread::spawn(move || (hold_attached(&mut inbox), inbox));
        let withdrawn = outbox.withdraw(ONE, 0).unwrap();
        if let Some(message) = withdrawn.first() {
            let payload = message.payload.as_deref().unwrap();
            let Attachment::Inline { offset, .. } = Attachment::from_bytes(payload.first_chunk().unwrap()) else {
                panic!("it was copied")
            };
            assert_eq!(payload[offset.0 as usize..], 1_u64.to_ne_bytes());
            // Its memory is used again at once, for something else.
            assert_eq!(block_of(&mut outbox, 2).offset(), at);
        }
        let (was_received, mut inbox) = receiving.join().unwrap();
        // A claim that met the withdrawal is tried again.
        let is_received = was_received || hold_attached(&mut inbox);
        assert_ne!(is_received, !withdrawn.is_empty());
    });
}
