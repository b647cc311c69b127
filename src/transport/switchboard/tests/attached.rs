//! Blocks that go with messages without being copied into them, and how long they stay as they are.

use super::super::descriptor::{Attachment, Descriptor, Heading, Kind, PayloadRange};
use super::super::inbox::Lease;
use super::super::layout::{ATTACHMENT_LIMIT, ActionRef, ByteCount, ByteOffset, LEASE_LIMIT, Place};
use super::super::outbox::{Delivery, Published};
use super::super::reclaim::Kept;
use super::super::refused::{Refused, What};
use super::super::ring::ClaimLimit;
use super::super::segments::Unreadable;
use super::process::Process;
use super::{geometry, peer};

const SENDER: Place = Place(0);
const FIRST: Place = Place(1);
const SECOND: Place = Place(2);
const ARENA: ByteCount = ByteCount(1 << 18);
const BYTES: usize = 1000;

struct Three {
    sender: Process,
    first: Process,
    second: Process,
}

fn three() -> Three {
    let geometry = geometry(3, 16);
    let process = |place| Process::new(peer(place, 1), geometry, ARENA);
    let (mut sender, mut first, mut second) = (process(0), process(1), process(2));
    sender.meet(&mut first);
    sender.meet(&mut second);
    Three { sender, first, second }
}

fn keep(sender: &mut Process, fill: u8) -> Kept {
    let block = sender.reserve(BYTES).unwrap();
    sender.outbox.write(&block, ByteCount(0), &[fill; BYTES]).unwrap();
    sender.outbox.keep(block)
}

fn send(sender: &mut Process, to: &[Place], kept: &Kept) -> Published {
    let listed = sender.outbox.attachment(kept, ByteCount(0), ByteCount(BYTES as u64)).unwrap();
    send_listed(sender, to, &[listed], &[kept])
}

fn send_listed(sender: &mut Process, to: &[Place], listed: &[Attachment], kept: &[&Kept]) -> Published {
    let list: Vec<u8> = listed.iter().flat_map(|attachment| attachment.to_bytes()).collect();
    let block = sender.reserve(list.len() + 4).unwrap();
    sender.outbox.write(&block, ByteCount(0), &list).unwrap();
    sender.outbox.write(&block, ByteCount(list.len() as u64), b"rest").unwrap();
    let heading = Heading { attachments: listed.len() as u32, ..Heading::new(Kind::Bytes, ActionRef(0)) };
    let deliveries: Vec<_> = to.iter().map(|&to| Delivery { to, heading, skip: ByteCount(0) }).collect();
    sender.outbox.publish_with(block, ByteCount(list.len() as u64 + 4), &deliveries, kept)
}

fn next(receiver: &mut Process, sender: &Process) -> Result<Option<Descriptor>, Unreadable> {
    receiver.take_segments(sender);
    receiver.inbox.next(SENDER, ClaimLimit::STANDARD)
}

/// Where what is attached to the next message lies, which is passed and kept.
fn hold(receiver: &mut Process, sender: &Process) -> (Lease, PayloadRange) {
    let descriptor = next(receiver, sender).unwrap().unwrap();
    let ranges = receiver.inbox.attachments(SENDER, &descriptor).unwrap();
    (receiver.inbox.pass_leased(SENDER).unwrap(), ranges[0])
}

fn look(receiver: &Process, range: &PayloadRange) -> Vec<u8> {
    let mut bytes = vec![0; range.length.0 as usize];
    receiver.inbox.read(SENDER, range, &mut bytes).unwrap();
    bytes
}

fn used(sender: &mut Process) -> (ByteCount, ByteCount) {
    sender.outbox.reclaim();
    (sender.outbox.slab().used(), sender.outbox.attached())
}

const NOTHING: (ByteCount, ByteCount) = (ByteCount(0), ByteCount(0));

#[test]
fn what_is_attached_stays_until_its_last_reader_is_done_and_its_sender_has_let_go() {
    let Three { mut sender, mut first, mut second } = three();
    let kept = keep(&mut sender, 7);
    assert_eq!(send(&mut sender, &[FIRST, SECOND], &kept), Published::default());
    let (one, range) = hold(&mut first, &sender);
    let (two, _) = hold(&mut second, &sender);
    sender.outbox.let_go(kept);
    first.inbox.end_lease(one);
    assert_ne!(used(&mut sender), NOTHING);
    let other = keep(&mut sender, 9);
    assert_eq!(look(&second, &range), [7; BYTES], "nothing was written over it");
    sender.outbox.let_go(other);
    second.inbox.end_lease(two);
    assert_eq!(used(&mut sender), NOTHING);
}

#[test]
fn one_block_goes_with_several_messages() {
    let Three { mut sender, mut first, mut second } = three();
    let kept = keep(&mut sender, 7);
    assert_eq!(send(&mut sender, &[FIRST], &kept), Published::default());
    assert_eq!(send(&mut sender, &[SECOND], &kept), Published::default());
    let (lease, _) = hold(&mut first, &sender);
    first.inbox.end_lease(lease);
    assert_ne!(used(&mut sender).1, ByteCount(0));
    let (lease, range) = hold(&mut second, &sender);
    assert_eq!(look(&second, &range), [7; BYTES]);
    second.inbox.end_lease(lease);
    assert_ne!(used(&mut sender).1, ByteCount(0), "the sender keeps a hand on it");
    sender.outbox.let_go(kept);
    assert_eq!(used(&mut sender), NOTHING);
}

#[test]
fn what_is_attached_to_a_message_that_nobody_got_is_its_senders_alone() {
    let Three { mut sender, .. } = three();
    let kept = keep(&mut sender, 7);
    let published = send(&mut sender, &[SENDER], &kept);
    assert_eq!(published.absent, [SENDER]);
    sender.outbox.cancel(published.unsent.unwrap());
    sender.outbox.let_go(kept);
    assert_eq!(used(&mut sender), NOTHING);
}

#[test]
fn a_message_that_is_taken_back_brings_what_was_attached_as_a_part_of_its_payload() {
    let Three { mut sender, mut first, .. } = three();
    let kept = keep(&mut sender, 7);
    assert_eq!(send(&mut sender, &[FIRST], &kept), Published::default());
    sender.outbox.let_go(kept);
    let withdrawn = sender.outbox.withdraw(FIRST, 0).unwrap().remove(0);
    assert_eq!(used(&mut sender), NOTHING);
    let payload = withdrawn.payload.unwrap();
    let block = sender.reserve(payload.len()).unwrap();
    sender.outbox.write(&block, ByteCount(0), &payload).unwrap();
    let delivery = Delivery { to: FIRST, heading: withdrawn.heading, skip: ByteCount(0) };
    assert_eq!(sender.outbox.publish(block, ByteCount(payload.len() as u64), &[delivery]), Published::default());
    let descriptor = next(&mut first, &sender).unwrap().unwrap();
    let ranges = first.inbox.attachments(SENDER, &descriptor).unwrap();
    assert_eq!(look(&first, &ranges[0]), [7; BYTES]);
}

#[test]
fn a_receiver_that_nobody_talks_to_any_more_keeps_what_it_reads_in_place_until_its_end() {
    let Three { mut sender, mut first, mut second } = three();
    let (held, unread) = (keep(&mut sender, 7), keep(&mut sender, 8));
    assert_eq!(send(&mut sender, &[FIRST], &held), Published::default());
    let (_lease, range) = hold(&mut first, &sender);
    // It may be about to hold this one as well.
    assert_eq!(send(&mut sender, &[FIRST, SECOND], &unread), Published::default());
    assert!(next(&mut first, &sender).unwrap().is_some());
    sender.outbox.let_go(held);
    sender.outbox.let_go(unread);
    sender.outbox.part(FIRST);
    second.take(&sender).unwrap().unwrap();
    for fill in 0..20 {
        let other = keep(&mut sender, fill);
        sender.outbox.let_go(other);
    }
    assert_eq!(look(&first, &range), [7; BYTES]);
    assert!(sender.outbox.attached() >= ByteCount(2 * BYTES as u64));
    sender.outbox.detach(FIRST);
    assert_eq!(used(&mut sender), NOTHING);
}

#[test]
fn what_a_receiver_had_not_claimed_when_nobody_talks_to_it_any_more_it_never_sees_and_pins_nothing() {
    let Three { mut sender, mut first, .. } = three();
    for fill in 1..=3 {
        let kept = keep(&mut sender, fill);
        assert_eq!(send(&mut sender, &[FIRST], &kept), Published::default());
        sender.outbox.let_go(kept);
        if fill == 1 {
            assert!(next(&mut first, &sender).unwrap().is_some(), "it has claimed the first");
        }
    }
    assert_eq!(sender.outbox.unread(FIRST).len(), 3);
    sender.outbox.part(FIRST);
    assert_eq!(used(&mut sender), (ByteCount(1024), ByteCount(1024)));
    first.inbox.pass(SENDER);
    assert_eq!(next(&mut first, &sender), Ok(None));
    sender.outbox.detach(FIRST);
    assert_eq!(used(&mut sender), NOTHING);
}

#[test]
fn so_much_may_be_attached_and_no_more() {
    let Three { mut sender, .. } = three();
    assert!(sender.outbox.may_attach(ByteCount(ARENA.0 / 2)));
    assert!(!sender.outbox.may_attach(ByteCount(ARENA.0 / 2 + 1)));
    let kept = keep(&mut sender, 7);
    assert!(!sender.outbox.may_attach(ByteCount(ARENA.0 / 2)));
    sender.outbox.let_go(kept);
    assert!(sender.outbox.may_attach(ByteCount(ARENA.0 / 2)));
}

#[test]
fn one_that_holds_as_many_as_it_may_has_to_copy() {
    let Three { mut sender, mut first, .. } = three();
    let kept = keep(&mut sender, 7);
    let mut leases = Vec::new();
    for _ in 0..LEASE_LIMIT {
        assert_eq!(send(&mut sender, &[FIRST], &kept), Published::default());
        leases.push(hold(&mut first, &sender).0);
    }
    assert_eq!(send(&mut sender, &[FIRST], &kept), Published::default());
    assert!(next(&mut first, &sender).unwrap().is_some());
    assert!(first.inbox.pass_leased(SENDER).is_none());
    assert!(next(&mut first, &sender).unwrap().is_some(), "it is still there to be copied");
    first.inbox.pass(SENDER);
    leases.into_iter().for_each(|lease| first.inbox.end_lease(lease));
    sender.outbox.let_go(kept);
    assert_eq!(used(&mut sender), NOTHING);
}

#[test]
fn a_message_waits_for_the_segment_of_what_is_attached() {
    let Three { mut sender, mut first, .. } = three();
    let whole = sender.reserve(if cfg!(miri) { 2000 } else { 200_000 }).unwrap();
    let kept = keep(&mut sender, 7);
    assert_eq!(sender.segments.len(), 1);
    let far = PayloadRange { segment: sender.segments[0].0, offset: ByteOffset(64), length: ByteCount(8) };
    assert_eq!(send(&mut sender, &[FIRST], &kept), Published::default());
    let waits = first.inbox.next(SENDER, ClaimLimit::STANDARD);
    assert!(matches!(waits, Err(Unreadable::NotHereYet(segment)) if segment == far.segment), "{waits:?}");
    assert!(next(&mut first, &sender).unwrap().is_some());
    sender.outbox.cancel(whole);
}

#[test]
fn a_list_that_cannot_be_is_refused() {
    let Three { mut sender, mut first, .. } = three();
    let kept = keep(&mut sender, 7);
    let Attachment::Block(good) = sender.outbox.attachment(&kept, ByteCount(0), ByteCount(8)).unwrap() else {
        panic!("it has a block");
    };
    let inline = |offset, length| Attachment::Inline { offset: ByteOffset(offset), length: ByteCount(length) };
    for (listed, what) in [
        (Attachment::Block(PayloadRange { offset: ByteOffset(0), ..good }), What::Range),
        (Attachment::Block(PayloadRange { offset: good.offset.plus(3), ..good }), What::Alignment),
        (Attachment::Block(PayloadRange { length: ByteCount(u64::MAX), ..good }), What::Range),
        (inline(0, 100), What::Attachments),
        (inline(u64::MAX, 1), What::Attachments),
        (inline(1, 8), What::Alignment),
    ] {
        assert_eq!(send_listed(&mut sender, &[FIRST], &[listed], &[]), Published::default());
        let answer = next(&mut first, &sender);
        assert!(matches!(answer, Err(Unreadable::Refused(refused)) if refused.what == what), "{listed:?}: {answer:?}");
        first.inbox.pass(SENDER);
    }
    let refused = |at, length| sender.outbox.attachment(&kept, ByteCount(at), ByteCount(length)).unwrap_err().what;
    assert_eq!((refused(8, 1200), refused(4, 8)), (What::Length, What::Alignment));
}

#[test]
fn more_than_may_be_or_a_list_longer_than_its_payload_is_refused_with_the_descriptor() {
    let heading = |attachments| Heading { attachments, name_length: 5, ..Heading::new(Kind::Bytes, ActionRef(0)) };
    let range = |length| {
        let segment = super::super::layout::SegmentId { index: 0, serial: 1 };
        Some(PayloadRange { segment, offset: ByteOffset(64), length: ByteCount(length) })
    };
    let read = |attachments, length| -> Result<Descriptor, Refused> {
        let at = super::super::layout::Position(3);
        let descriptor = Descriptor { heading: heading(attachments), range: range(length) };
        Descriptor::from_words(descriptor.to_words(at), at)
    };
    assert_eq!(read(1, 32).unwrap().behind_name(), Some(PayloadRange { offset: ByteOffset(72), ..range(24).unwrap() }));
    assert_eq!(read(1, 31).unwrap_err().what, What::Attachments);
    assert!(read(ATTACHMENT_LIMIT, 8 + 24 * 16).is_ok());
    assert_eq!(read(ATTACHMENT_LIMIT + 1, 1000).unwrap_err().what, What::Attachments);
}
