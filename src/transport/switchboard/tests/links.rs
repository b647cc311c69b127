//! What a sender and a receiver can rely on, each case by itself.

use super::super::descriptor::{Descriptor, Heading, Kind, PayloadRange};
use super::super::layout::{ActionRef, ByteCount, ByteOffset, Geometry, LEASE_LIMIT, Place, Position, SegmentId};
use super::super::outbox::Delivery;
use super::super::refused::What;
use super::super::ring::ClaimLimit;
use super::super::segments::Unreadable;
use super::super::slab::SEGMENT_UNIT;
use super::process::Process;
use super::{geometry, peer};

const SENDER: Place = Place(0);
const RECEIVER: Place = Place(1);
const ARENA: ByteCount = ByteCount(1 << 18);

fn pair(slots: u32) -> (Process, Process) {
    let geometry = geometry(3, slots);
    let (mut sender, mut receiver) =
        (Process::new(peer(0, 1), geometry, ARENA), Process::new(peer(1, 1), geometry, ARENA));
    sender.meet(&mut receiver);
    (sender, receiver)
}

fn send(sender: &mut Process, tag: u64, payload: &[u8]) -> bool {
    let published = sender.send(&[RECEIVER], tag, payload).unwrap();
    published.unsent.into_iter().for_each(|block| sender.outbox.cancel(block));
    published.full.is_empty()
}

fn tags(receiver: &mut Process, sender: &Process) -> Vec<u64> {
    std::iter::from_fn(|| receiver.take(sender).unwrap().map(|(descriptor, _)| descriptor.heading.tag)).collect()
}

#[test]
fn a_full_ring_gives_the_block_back_and_takes_it_once_something_was_passed() {
    let (mut sender, mut receiver) = pair(2);
    assert!(send(&mut sender, 1, b"one") && send(&mut sender, 2, b"two"));
    let block = sender.reserve(5).unwrap();
    sender.outbox.write(&block, ByteCount(0), b"three").unwrap();
    let heading = Heading { tag: 3, ..Heading::new(Kind::Latin1, ActionRef(9)) };
    let delivery = [Delivery { to: RECEIVER, heading, skip: ByteCount(0) }];
    let published = sender.outbox.publish(block, ByteCount(5), &delivery);
    assert_eq!(published.full, [RECEIVER]);
    assert_eq!(receiver.take(&sender).unwrap().unwrap().1, b"one");
    let published = sender.outbox.publish(published.unsent.unwrap(), ByteCount(5), &delivery);
    assert_eq!((published.full, published.unsent), (vec![], None));
    assert_eq!(receiver.take(&sender).unwrap().unwrap().1, b"two");
    let (descriptor, payload) = receiver.take(&sender).unwrap().unwrap();
    assert_eq!((descriptor.heading, payload.as_slice()), (heading, &b"three"[..]));
    assert_eq!(receiver.take(&sender), Ok(None));
}

#[test]
fn the_rings_positions_go_on_beyond_the_half_word_that_is_published() {
    use super::super::layout::Mark;
    use crate::message::address::Generation;
    let known = Position(u64::from(u32::MAX) - 1);
    let mark = |position| Mark::from_word(Mark::new(Generation(1), Position(position)).to_word());
    assert_eq!(mark(known.0 + 5).resolve(What::Tail, known, 8), Ok(Position(known.0 + 5)));
    assert!(mark(known.0 + 9).resolve(What::Tail, known, 8).is_err());
    assert!(mark(known.0 - 1).resolve(What::Tail, known, 8).is_err());
    let known = Position(1 << 32);
    assert!(mark(known.0 - 3).is_behind(known, 8) && !mark(known.0).is_behind(known, 8));
}

#[test]
fn a_payload_for_several_is_written_once_and_free_when_the_last_has_passed_it() {
    let (mut sender, mut receiver) = pair(4);
    let mut third = Process::new(peer(2, 1), geometry(3, 4), ARENA);
    sender.meet(&mut third);
    let published = sender.send(&[RECEIVER, Place(2)], 1, &[5; 1000]).unwrap();
    assert_eq!(published.unsent, None);
    let used = sender.outbox.slab().used();
    assert_eq!(used, ByteCount(1024));
    assert_eq!(receiver.take(&sender).unwrap().unwrap().1, [5; 1000]);
    sender.outbox.reclaim();
    assert_eq!(sender.outbox.slab().used(), used);
    assert_eq!(third.take(&sender).unwrap().unwrap().1, [5; 1000]);
    sender.outbox.reclaim();
    assert_eq!(sender.outbox.slab().used(), ByteCount(0));
}

#[test]
fn a_dead_receiver_holds_nothing_neither_what_waited_nor_what_it_read_in_place() {
    let (mut sender, mut receiver) = pair(4);
    assert!(send(&mut sender, 1, &[1; 100]) && send(&mut sender, 2, &[2; 100]));
    receiver.look(&sender).unwrap();
    let _lease = receiver.inbox.pass_leased(SENDER).unwrap();
    sender.outbox.reclaim();
    assert_eq!(sender.outbox.leased_by(RECEIVER), ByteCount(128));
    assert_eq!(sender.outbox.waiting_for(RECEIVER), ByteCount(128));
    sender.outbox.detach(RECEIVER);
    assert_eq!(sender.outbox.slab().used(), ByteCount(0));
}

#[test]
fn what_a_dead_sender_had_published_is_read_after_its_end() {
    let (mut sender, mut receiver) = pair(4);
    assert!(send(&mut sender, 1, b"last words"));
    let segments = std::mem::take(&mut sender.segments);
    let heir = Process { segments, ..Process::new(peer(0, 2), geometry(3, 4), ARENA) };
    drop(sender);
    assert_eq!(receiver.take(&heir).unwrap().unwrap().1, b"last words");
}

#[test]
fn what_a_sender_that_died_in_mid_write_had_not_published_is_never_seen() {
    let (mut sender, mut receiver) = pair(4);
    assert!(send(&mut sender, 1, b"whole"));
    let block = sender.reserve(5).unwrap();
    sender.outbox.write(&block, ByteCount(0), b"ha").unwrap();
    // Its slot is filled, and the tail was not stored any more.
    let range = PayloadRange { segment: block.segment(), offset: block.offset(), length: ByteCount(5) };
    let half = Descriptor { heading: Heading::new(Kind::Latin1, ActionRef(1)), range: Some(range) };
    let slots = sender.outbox_memory.slots(geometry(3, 4).ring(RECEIVER), 4).unwrap();
    slots.write(Position(1), half.to_words(Position(1)));
    assert_eq!(receiver.take(&sender).unwrap().unwrap().1, b"whole");
    assert_eq!(receiver.take(&sender), Ok(None));
}

#[test]
fn what_stands_still_keeps_what_it_claimed_and_the_rest_is_taken_back_in_order() {
    let (mut sender, mut receiver) = pair(8);
    (1..=6).for_each(|tag| assert!(send(&mut sender, tag, &[tag as u8; 100])));
    receiver.take_segments(&sender);
    let limit = ClaimLimit { descriptors: 2, ..ClaimLimit::STANDARD };
    receiver.inbox.next(SENDER, limit).unwrap();
    let taken = sender.outbox.withdraw(RECEIVER, 0).unwrap();
    let taken_tags: Vec<u64> = taken.iter().map(|message| message.heading.tag).collect();
    assert_eq!(taken_tags, [3, 4, 5, 6]);
    assert_eq!(taken[0].payload, Some(vec![3; 100]));
    assert_eq!(sender.outbox.waiting_for(RECEIVER), ByteCount(2 * 128));
    assert!(send(&mut sender, 7, b"later"));
    assert_eq!(tags(&mut receiver, &sender), [1, 2, 7]);
}

#[test]
fn one_that_stands_still_neither_pins_the_arena_nor_keeps_the_others_waiting() {
    let geometry = geometry(3, 64);
    // Room for six of the messages below.
    let process = |place| Process::new(peer(place, 1), geometry, ByteCount(SEGMENT_UNIT));
    let (mut sender, mut receiver, mut idle) = (process(0), process(1), process(2));
    sender.meet(&mut receiver);
    sender.meet(&mut idle);
    sender.add_segment(ByteCount(SEGMENT_UNIT));
    let bytes = |tag| vec![tag as u8; 10_000];
    let mut queue = Vec::new();
    for tag in 1..=if cfg!(miri) { 8 } else { 20 } {
        // What once had to be taken back waits for all that came before it.
        let to = if queue.is_empty() { vec![RECEIVER, Place(2)] } else { vec![RECEIVER] };
        let published = sender.send(&to, tag, &bytes(tag)).or_else(|_| {
            queue.extend(sender.outbox.withdraw(Place(2), 0).unwrap());
            sender.send(&[RECEIVER], tag, &bytes(tag))
        });
        assert!(published.unwrap().full.is_empty());
        assert_eq!(receiver.take(&sender).unwrap().unwrap().1, bytes(tag));
    }
    assert_eq!(sender.outbox.waiting_for(Place(2)), ByteCount(0));
    assert!(queue.len() > 3, "{} were taken back", queue.len());
    for (message, tag) in queue.iter().zip(1..) {
        assert_eq!((message.heading.tag, message.payload.as_ref()), (tag, Some(&bytes(tag))));
    }
}

#[test]
fn a_claim_is_small_in_bytes_and_is_of_one_message_at_least() {
    let (mut sender, mut receiver) = pair(8);
    (1..=4).for_each(|tag| assert!(send(&mut sender, tag, &[0; 1000])));
    receiver.take_segments(&sender);
    let limit = ClaimLimit { descriptors: 8, bytes: ByteCount(2500) };
    receiver.inbox.next(SENDER, limit).unwrap();
    assert_eq!(sender.outbox.withdraw(RECEIVER, 0).unwrap().len(), 2);
    assert_eq!(tags(&mut receiver, &sender), [1, 2]);
    assert!(send(&mut sender, 5, &[0; 9000]) && send(&mut sender, 6, &[0; 9000]));
    receiver.take_segments(&sender);
    receiver.inbox.next(SENDER, limit).unwrap();
    assert_eq!(sender.outbox.withdraw(RECEIVER, 0).unwrap().len(), 1);
}

#[test]
fn a_block_held_in_place_is_not_used_again_until_it_is_let_go() {
    let (mut sender, mut receiver) = pair(4);
    assert!(send(&mut sender, 1, &[1; 64]));
    let (descriptor, _) = receiver.look(&sender).unwrap().unwrap();
    let range = descriptor.range.unwrap();
    let memory = receiver.inbox.locate(SENDER, &range).unwrap().clone();
    let lease = receiver.inbox.pass_leased(SENDER).unwrap();
    sender.outbox.reclaim();
    assert!(send(&mut sender, 2, &[2; 64]));
    let mut bytes = [0; 64];
    memory.read(range.offset, &mut bytes).unwrap();
    assert_eq!(bytes, [1; 64]);
    receiver.inbox.end_lease(lease);
    sender.outbox.reclaim();
    assert_eq!(sender.reserve(64).unwrap().offset(), range.offset);
}

#[test]
fn more_blocks_than_the_table_of_leases_holds_are_refused_and_can_still_be_copied() {
    let (mut sender, mut receiver) = pair(128);
    let count = LEASE_LIMIT as u64 + 1;
    (1..=count).for_each(|tag| assert!(send(&mut sender, tag, &[1; 8])));
    let mut leases = Vec::new();
    for _ in 0..LEASE_LIMIT {
        receiver.look(&sender).unwrap();
        leases.push(receiver.inbox.pass_leased(SENDER).unwrap());
    }
    receiver.look(&sender).unwrap();
    assert!(receiver.inbox.pass_leased(SENDER).is_none());
    assert_eq!(tags(&mut receiver, &sender), [count]);
    leases.into_iter().for_each(|lease| receiver.inbox.end_lease(lease));
    sender.outbox.reclaim();
    assert_eq!(sender.outbox.slab().used(), ByteCount(0));
}

#[test]
fn a_lease_on_a_dead_sender_ends_without_touching_those_on_its_successor() {
    let (mut sender, mut receiver) = pair(4);
    assert!(send(&mut sender, 1, &[1; 8]));
    receiver.look(&sender).unwrap();
    let old = receiver.inbox.pass_leased(SENDER).unwrap();
    let mut heir = Process::new(peer(0, 2), geometry(3, 4), ARENA);
    receiver.inbox.detach(SENDER);
    receiver.meet(&mut heir);
    assert!(send(&mut heir, 2, &[2; 8]));
    receiver.look(&heir).unwrap();
    let _new = receiver.inbox.pass_leased(SENDER).unwrap();
    receiver.inbox.end_lease(old);
    heir.outbox.reclaim();
    assert_eq!(heir.outbox.leased_by(RECEIVER), ByteCount(64));
}

#[test]
fn a_message_whose_segment_is_on_its_way_waits_and_lets_its_receiver_sleep() {
    let (mut sender, mut receiver) = pair(4);
    assert!(send(&mut sender, 1, b"x"));
    assert!(!receiver.inbox.may_sleep());
    let (segment, memory) = sender.segments[0].clone();
    let next = |receiver: &mut Process| receiver.inbox.next(SENDER, ClaimLimit::STANDARD);
    assert_eq!(next(&mut receiver), Err(Unreadable::NotHereYet(segment)));
    assert!(receiver.inbox.may_sleep());
    receiver.inbox.wake();
    receiver.inbox.add_segment(SENDER, segment, memory.bytes(), memory.as_peer()).unwrap();
    assert!(!receiver.inbox.may_sleep());
    assert_eq!(receiver.look(&sender).unwrap().unwrap().1, b"x");
}

#[test]
fn a_range_that_is_in_no_segment_or_not_all_in_one_is_refused() {
    let (mut sender, mut receiver) = pair(4);
    assert!(send(&mut sender, 1, b"x"));
    let range = receiver.look(&sender).unwrap().unwrap().0.range.unwrap();
    let size = sender.segments[0].1.bytes().0;
    let refused = |range: PayloadRange, what| {
        let answer = receiver.inbox.locate(SENDER, &range).map(drop);
        assert!(matches!(answer, Err(Unreadable::Refused(refused)) if refused.what == what), "{range:?}: {answer:?}");
    };
    refused(PayloadRange { segment: SegmentId { index: 0, serial: 99 }, ..range }, What::Segment);
    refused(PayloadRange { segment: SegmentId { index: u32::MAX, serial: 1 }, ..range }, What::Segment);
    refused(PayloadRange { segment: SegmentId { index: 0, serial: 0 }, ..range }, What::Segment);
    refused(PayloadRange { offset: ByteOffset(0), ..range }, What::Range);
    refused(PayloadRange { offset: range.offset.plus(1), ..range }, What::Alignment);
    refused(PayloadRange { offset: ByteOffset(u64::MAX - 7), ..range }, What::Range);
    refused(PayloadRange { length: ByteCount(size - range.offset.0 + 1), ..range }, What::Range);
    refused(PayloadRange { length: ByteCount(u64::MAX), ..range }, What::Range);
    let whole = PayloadRange { length: ByteCount(size - range.offset.0), ..range };
    assert!(receiver.inbox.locate(SENDER, &whole).is_ok());
    assert!(receiver.inbox.read(SENDER, &range, &mut [0; 2]).is_err(), "more than the range has");
}

#[test]
fn a_name_in_front_of_a_payload_is_left_out_for_those_who_know_it() {
    let (mut sender, mut receiver) = pair(4);
    let block = sender.reserve(13).unwrap();
    sender.outbox.write(&block, ByteCount(0), b"action\0\0hello").unwrap();
    let known = Heading { tag: 2, ..Heading::new(Kind::Latin1, ActionRef(7)) };
    let deliveries = [
        Delivery { to: RECEIVER, heading: Heading { name_length: 8, ..known }, skip: ByteCount(0) },
        Delivery { to: RECEIVER, heading: known, skip: ByteCount(8) },
    ];
    let published = sender.outbox.publish(block, ByteCount(13), &deliveries);
    assert_eq!(published.unsent, None);
    assert_eq!(receiver.take(&sender).unwrap().unwrap().1, b"action\0\0hello");
    assert_eq!(receiver.take(&sender).unwrap().unwrap().1, b"hello");
    sender.outbox.reclaim();
    assert_eq!(sender.outbox.slab().used(), ByteCount(0));
}

#[test]
fn a_message_without_payload_needs_no_block_and_keeps_its_place_in_the_row() {
    let (mut sender, mut receiver) = pair(4);
    assert!(send(&mut sender, 1, b"x"));
    let heading = Heading { tag: 2, ..Heading::new(Kind::Number, ActionRef(1)) };
    let published = sender.outbox.publish_bare(heading, &[RECEIVER, Place(2)]);
    assert_eq!(published.absent, [Place(2)]);
    assert!(send(&mut sender, 3, b"y"));
    assert_eq!(tags(&mut receiver, &sender), [1, 2, 3]);
}

#[test]
fn a_sleeper_is_rung_once_and_one_that_is_awake_never() {
    let (mut sender, mut receiver) = pair(4);
    assert!(send(&mut sender, 1, b"x"));
    assert!(!sender.outbox.must_ring(RECEIVER));
    assert!(!receiver.inbox.may_sleep(), "there is a message");
    assert_eq!(tags(&mut receiver, &sender), [1]);
    assert!(receiver.inbox.may_sleep());
    assert!(send(&mut sender, 2, b"x"));
    assert!(sender.outbox.must_ring(RECEIVER));
    assert!(send(&mut sender, 3, b"x"));
    assert!(!sender.outbox.must_ring(RECEIVER), "rung already");
    receiver.inbox.wake();
    assert_eq!(tags(&mut receiver, &sender), [2, 3]);
    assert!(receiver.inbox.may_sleep());
    assert!(sender.outbox.must_ring(RECEIVER), "another sleep");
}

#[test]
fn a_process_may_send_to_itself() {
    let geometry = geometry(1, 2);
    let mut process = Process::new(peer(0, 1), geometry, ARENA);
    process.outbox.attach(process.who, &process.inbox_memory.as_peer()).unwrap();
    process.inbox.attach(process.who, &process.outbox_memory.as_peer()).unwrap();
    let published = process.send(&[Place(0)], 1, b"to me").unwrap();
    assert_eq!(published.unsent, None);
    let (segment, memory) = process.segments[0].clone();
    process.inbox.add_segment(Place(0), segment, memory.bytes(), memory.as_peer()).unwrap();
    let range = process.inbox.next(Place(0), ClaimLimit::STANDARD).unwrap().unwrap().range.unwrap();
    let mut bytes = [0; 5];
    process.inbox.read(Place(0), &range, &mut bytes).unwrap();
    assert_eq!(&bytes, b"to me");
}

#[test]
fn nobody_is_attached_by_another_name_shape_or_generation_than_its_own() {
    let (mut sender, receiver) = pair(4);
    let inbox = receiver.inbox_memory.as_peer();
    let refused = |sender: &mut Process, who, what| {
        assert_eq!(sender.outbox.attach(who, &inbox).unwrap_err().what, what);
    };
    refused(&mut sender, peer(2, 1), What::Place);
    refused(&mut sender, peer(1, 2), What::Generation);
    refused(&mut sender, peer(1, 0), What::Generation);
    refused(&mut sender, peer(3, 1), What::Place);
    let outbox = receiver.outbox_memory.as_peer();
    assert_eq!(sender.outbox.attach(peer(1, 1), &outbox).unwrap_err().what, What::Size);
    let stranger = Process::new(peer(1, 1), geometry(3, 8), ARENA);
    let refused = sender.inbox.attach(peer(1, 1), &stranger.outbox_memory.as_peer()).unwrap_err();
    assert!([What::Size, What::Geometry].contains(&refused.what));
}

#[test]
fn a_geometry_is_checked_when_it_is_made() {
    assert!(Geometry::new(0, 8).is_err() && Geometry::new(70_000, 8).is_err());
    assert!(Geometry::new(1, 0).is_err() && Geometry::new(1, 6).is_err() && Geometry::new(1, 1 << 17).is_err());
    assert_eq!(Geometry::new(256, 1024), Ok(Geometry::STANDARD));
}

#[test]
fn two_threads_that_send_receive_and_sleep_as_they_like_lose_nothing() {
    const COUNT: u64 = if cfg!(miri) { 40 } else { 20_000 };
    let (mut sender, mut receiver) = pair(8);
    // Enough for whatever eight slots hold, so that no segment is made later.
    sender.reserve(1).map(|block| sender.outbox.cancel(block)).unwrap();
    receiver.take_segments(&sender);
    let (bell, rung) = std::sync::mpsc::channel();
    let sending = std::thread::spawn(move || {
        for tag in 1..=COUNT {
            let bytes = vec![tag as u8; (tag % 300) as usize];
            while !send(&mut sender, tag, &bytes) {
                std::thread::yield_now();
            }
            if sender.outbox.must_ring(RECEIVER) {
                bell.send(()).unwrap();
            }
        }
    });
    let mut last = 0;
    while last < COUNT {
        let Some(descriptor) = receiver.inbox.next(SENDER, ClaimLimit::STANDARD).unwrap() else {
            if receiver.inbox.may_sleep() {
                rung.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
                while rung.try_recv().is_ok() {}
                receiver.inbox.wake();
            }
            continue;
        };
        let range = descriptor.range.unwrap();
        let mut bytes = vec![0; range.length.0 as usize];
        receiver.inbox.read(SENDER, &range, &mut bytes).unwrap();
        receiver.inbox.pass(SENDER);
        last += 1;
        assert_eq!(descriptor.heading.tag, last);
        assert_eq!(bytes, vec![last as u8; (last % 300) as usize]);
    }
    sending.join().unwrap();
}
