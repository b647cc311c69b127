//! Blocks of all sizes that go with messages, in turn: once the arena has segments for them, none is made any more and no block is refused,
//! whatever came before and is held for ever. Long ones come to lie where others like them lay, so that what their receivers have mapped
//! there serves again.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::super::descriptor::{Heading, Kind};
use super::super::inbox::Lease;
use super::super::layout::{ActionRef, ByteCount, ByteOffset, Place, SegmentId};
use super::super::outbox::{Delivery, Published};
use super::super::reclaim::Kept;
use super::super::ring::ClaimLimit;
use super::super::slab::Purpose;
use super::process::Process;
use super::{geometry, peer};

const SENDER: Place = Place(0);
const RECEIVER: Place = Place(1);
const KB: usize = 1024;
const ARENA: usize = 8 * 1024 * KB;
/// The largest is a quarter of what all attached blocks may take together.
const SIZES: [usize; 6] = [64, 16 * KB, 32 * KB, 64 * KB, 128 * KB, 1024 * KB];
/// Receivers map what is so long.
const LONG: usize = 64 * KB;
/// What a receiver never lets go of.
const GARBAGE: usize = 256 * KB;

/// One sends blocks, and the other holds those that came last.
struct Traffic {
    sender: Process,
    receiver: Process,
    held: VecDeque<(Lease, usize)>,
    garbage: Vec<(Lease, usize)>,
    refused: usize,
    made: usize,
    /// Where long blocks lay.
    places: BTreeSet<(u32, u32, u64)>,
}

impl Traffic {
    fn new() -> Self {
        let process = |place| Process::new(peer(place, 1), geometry(2, 256), ByteCount(ARENA as u64));
        let (mut sender, mut receiver) = (process(0), process(1));
        sender.meet(&mut receiver);
        let (held, garbage, places) = (VecDeque::new(), Vec::new(), BTreeSet::new());
        Self { sender, receiver, held, garbage, refused: 0, made: 0, places }
    }

    fn begin_to_count(&mut self) {
        (self.refused, self.made) = (0, 0);
        self.places.clear();
    }

    /// Sends one of so many bytes, when its receiver has let go of all but the last ones, of `most` bytes.
    fn send(&mut self, length: usize, most: usize) {
        self.let_go(most);
        let Some(kept) = self.lend(length) else {
            self.refused += 1;
            return;
        };
        let listed = self.sender.outbox.attachment(&kept, ByteCount(0), ByteCount(length as u64)).unwrap();
        let list = listed.to_bytes();
        let message = self.sender.reserve(list.len()).unwrap();
        self.sender.outbox.write(&message, ByteCount(0), &list).unwrap();
        let heading = Heading { attachments: 1, ..Heading::new(Kind::Bytes, ActionRef(0)) };
        let delivery = Delivery { to: RECEIVER, heading, skip: ByteCount(0) };
        let published = self.sender.outbox.publish_with(message, ByteCount(list.len() as u64), &[delivery], &[&kept]);
        assert_eq!(published, Published::default());
        self.sender.outbox.let_go(kept);
        self.receiver.take_segments(&self.sender);
        assert!(self.receiver.inbox.next(SENDER, ClaimLimit::STANDARD).unwrap().is_some());
        match self.receiver.inbox.pass_leased(SENDER) {
            Some(lease) => self.held.push_back((lease, length)),
            // It is copied.
            None => self.receiver.inbox.pass(SENDER),
        }
    }

    fn lend(&mut self, length: usize) -> Option<Kept> {
        if !self.sender.outbox.may_attach(ByteCount(length as u64)) {
            return None;
        }
        let segments = |sender: &Process| sender.segments.iter().map(|(id, _)| id.serial).max();
        let before = segments(&self.sender);
        let block = self.sender.reserve_for(Purpose::Attachment, length).ok()?;
        self.made += usize::from(segments(&self.sender) != before);
        if length >= LONG {
            let (SegmentId { index, serial }, ByteOffset(offset)) = (block.segment(), block.offset());
            self.places.insert((index, serial, offset));
        }
        Some(self.sender.outbox.keep(block))
    }

    fn let_go(&mut self, most: usize) {
        while self.held.iter().map(|(_, length)| length).sum::<usize>() > most
            && let Some((lease, _)) = self.held.pop_front()
        {
            self.receiver.inbox.end_lease(lease);
        }
    }

    fn hold_for_ever(&mut self) {
        let garbage: usize = self.garbage.iter().map(|(_, length)| length).sum();
        if self.held.back().is_some_and(|(_, length)| garbage + length <= GARBAGE) {
            self.garbage.extend(self.held.pop_back());
        }
    }
}

/// Several of one size, and how much of it is held at a time.
#[derive(Clone, Debug)]
struct Row {
    length: usize,
    count: usize,
    most: usize,
    leaves_garbage: bool,
}

fn row() -> impl Strategy<Value = Row> {
    let most = prop_oneof![Just(0), 0..4096 * KB];
    let parts = (prop::sample::select(&SIZES[..]), 1..100_usize, most, any::<bool>());
    parts.prop_map(|(length, count, most, leaves_garbage)| Row { length, count, most, leaves_garbage })
}

/// All of these rows, and then the sizes in turn until all that they need is there. Nothing of it counts.
fn after(history: &[Row], sizes: &[usize], most: usize) -> Traffic {
    let mut traffic = Traffic::new();
    for row in history {
        (0..row.count).for_each(|_| traffic.send(row.length, row.most));
        if row.leaves_garbage {
            traffic.hold_for_ever();
        }
    }
    // Until the receiver holds as many as it can.
    in_turn(&mut traffic, sizes, most, 200);
    traffic.begin_to_count();
    traffic
}

fn in_turn(traffic: &mut Traffic, sizes: &[usize], most: usize, rounds: usize) {
    (0..rounds).for_each(|_| sizes.iter().for_each(|length| traffic.send(*length, most)));
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop::sample::select(&SIZES[..]), 1..6)
}

#[test]
fn a_small_block_that_is_held_leaves_room_for_a_large_one() {
    let row = |length, count, most, leaves_garbage| Row { length, count, most, leaves_garbage };
    let history = [row(1024 * KB, 1, 0, false), row(32 * KB, 33, 33 * 32 * KB, true)];
    let (sizes, most) = ([1024 * KB, 64 * KB], 64 * KB);
    let mut traffic = after(&history, &sizes, most);
    in_turn(&mut traffic, &sizes, most, 50);
    assert_eq!((traffic.refused, traffic.made), (0, 0));
}

proptest! {
    #![proptest_config(super::proptest_config())]

    #[test]
    fn blocks_of_many_sizes_in_turn_need_no_new_segment_and_none_is_refused(
        history in prop::collection::vec(row(), 0..6), sizes in sizes(), most in 0..1024 * KB,
    ) {
        let mut traffic = after(&history, &sizes, most);
        in_turn(&mut traffic, &sizes, most, 50);
        prop_assert_eq!((traffic.refused, traffic.made), (0, 0));
    }

    #[test]
    fn long_blocks_that_are_given_back_at_once_lie_at_one_place_for_each_size(
        history in prop::collection::vec(row(), 0..6), sizes in sizes(),
    ) {
        let mut traffic = after(&history, &sizes, 0);
        in_turn(&mut traffic, &sizes, 0, 50);
        let long: BTreeSet<usize> = sizes.iter().copied().filter(|length| *length >= LONG).collect();
        prop_assert!(traffic.places.len() <= long.len(), "{:?}", traffic.places);
    }
}
