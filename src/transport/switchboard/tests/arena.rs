//! The arena by itself: lowest addresses first, growing, shrinking, and never two owners for one byte.

use proptest::prelude::*;

use super::super::layout::{ByteCount, Geometry, SEGMENT_LIMIT, SegmentId};
use super::super::memory::OwnMemory;
use super::super::refused::What;
use super::super::slab::{Block, NoRoom, Purpose, SEGMENT_UNIT, Slab};
use super::{geometry, peer};

fn slab(arena: u64) -> Slab {
    let geometry: Geometry = geometry(1, 2);
    let outbox = OwnMemory::on_heap(geometry.outbox_bytes());
    Slab::new(&outbox, peer(0, 1), geometry, ByteCount(arena)).unwrap()
}

fn allocate(slab: &mut Slab, length: u64) -> Result<Block, NoRoom> {
    match slab.allocate(ByteCount(length), Purpose::Message) {
        Err(NoRoom::Grow(bytes)) => {
            slab.add_segment(OwnMemory::on_heap(bytes)).unwrap();
            slab.allocate(ByteCount(length), Purpose::Message)
        }
        answer => answer,
    }
}

#[test]
fn what_was_freed_lowest_is_used_first() {
    let mut slab = slab(1 << 20);
    let mut blocks: Vec<Block> = (0..4).map(|_| allocate(&mut slab, 100).unwrap()).collect();
    let (high, low) = (blocks.remove(2), blocks.remove(0));
    let (high_offset, low_offset) = (high.offset(), low.offset());
    slab.free(high);
    slab.free(low);
    assert_eq!(allocate(&mut slab, 100).unwrap().offset(), low_offset);
    assert_eq!(allocate(&mut slab, 100).unwrap().offset(), high_offset);
}

#[test]
fn what_is_freed_side_by_side_becomes_one_room_again() {
    let mut slab = slab(1 << 20);
    let mut allocated = || allocate(&mut slab, 1000).unwrap();
    let (first, second, third, _last) = (allocated(), allocated(), allocated(), allocated());
    let start = first.offset();
    for block in [first, third, second] {
        slab.free(block);
    }
    assert_eq!(allocate(&mut slab, 3000).unwrap().offset(), start);
}

#[test]
fn segments_grow_up_to_the_arena_and_then_it_is_full() {
    let mut slab = slab(4 << 20);
    let mut blocks = Vec::new();
    let mut sizes = Vec::new();
    let full = loop {
        let before = slab.reserved().0;
        match allocate(&mut slab, 64 * 1024) {
            Ok(block) => blocks.push(block),
            Err(reason) => break reason,
        }
        sizes.extend(Some(slab.reserved().0 - before).filter(|&grown| grown > 0));
    };
    assert_eq!(full, NoRoom::Full);
    assert!(slab.reserved().0 <= 4 << 20);
    assert!(sizes[0] < sizes[1] && sizes[1] < sizes[2], "{sizes:?}");
    blocks.into_iter().for_each(|block| slab.free(block));
    assert_eq!(slab.used(), ByteCount(0));
}

#[test]
fn what_is_larger_than_the_arena_never_fits_and_what_is_as_large_does() {
    let mut slab = slab(2 * SEGMENT_UNIT);
    let Err(NoRoom::TooBig { limit }) = allocate(&mut slab, 2 * SEGMENT_UNIT) else { panic!("it cannot fit") };
    assert_eq!(allocate(&mut slab, limit.0).unwrap().bytes(), limit);
    assert_eq!(slab.allocate(ByteCount(u64::MAX), Purpose::Message), Err(NoRoom::TooBig { limit }));
}

#[test]
fn empty_segments_are_dropped_but_for_what_is_kept_and_serial_numbers_are_new() {
    let mut slab = slab(1 << 20);
    let small = allocate(&mut slab, 1000).unwrap();
    let large = allocate(&mut slab, 300_000).unwrap();
    let (first, second) = (small.segment(), large.segment());
    let dropped = |slab: &mut Slab, keep| {
        slab.drop_empty(ByteCount(keep));
        std::iter::from_fn(|| slab.poll_dropped()).collect::<Vec<_>>()
    };
    assert_eq!(dropped(&mut slab, 0), []);
    slab.free(small);
    slab.free(large);
    assert_eq!(dropped(&mut slab, 256 * 1024), [second]);
    assert_eq!(dropped(&mut slab, 0), [first]);
    assert_eq!(slab.reserved(), ByteCount(0));
    let again = allocate(&mut slab, 1000).unwrap().segment();
    assert_eq!(again.index, first.index);
    assert!(again.serial > second.serial);
}

#[test]
fn empty_segments_that_are_too_small_make_way_for_a_larger_one_and_those_in_use_do_not() {
    let mut slab = slab(4 * SEGMENT_UNIT);
    let mut allocated = || allocate(&mut slab, SEGMENT_UNIT / 2 + 1).unwrap();
    let (_first, second, third, fourth) = (allocated(), allocated(), allocated(), allocated());
    let segments = [fourth.segment(), third.segment(), second.segment()];
    assert_eq!(slab.reserved(), ByteCount(4 * SEGMENT_UNIT));
    let large = 2 * SEGMENT_UNIT;
    slab.free(second);
    slab.free(third);
    assert_eq!(allocate(&mut slab, large), Err(NoRoom::Full));
    assert_eq!(slab.poll_dropped(), None, "in vain");
    slab.free(fourth);
    assert!(allocate(&mut slab, large).unwrap().bytes().0 >= large);
    let mut dropped: Vec<_> = std::iter::from_fn(|| slab.poll_dropped()).collect();
    dropped.reverse();
    assert_eq!(dropped, segments);
}

/// Whoever makes segments may make them smaller than was asked for, and so has more of them.
fn allocate_in_units(slab: &mut Slab, length: u64) -> Result<Block, NoRoom> {
    match slab.allocate(ByteCount(length), Purpose::Message) {
        Err(NoRoom::Grow(_)) => {
            slab.add_segment(OwnMemory::on_heap(ByteCount(SEGMENT_UNIT))).unwrap();
            slab.allocate(ByteCount(length), Purpose::Message)
        }
        answer => answer,
    }
}

#[test]
fn so_many_segments_there_may_be_and_who_needs_one_more_waits_until_one_is_empty() {
    let mut slab = slab(2 * SEGMENT_LIMIT as u64 * SEGMENT_UNIT);
    let length = SEGMENT_UNIT / 2 + 1;
    let mut blocks: Vec<Block> = (0..SEGMENT_LIMIT).map(|_| allocate_in_units(&mut slab, length).unwrap()).collect();
    let mut segments: Vec<SegmentId> = blocks.iter().map(Block::segment).collect();
    segments.dedup();
    assert_eq!(segments.len(), SEGMENT_LIMIT);
    assert_eq!(slab.reserved(), ByteCount(SEGMENT_LIMIT as u64 * SEGMENT_UNIT), "half of what there may be");
    assert_eq!(allocate_in_units(&mut slab, length), Err(NoRoom::Full));
    let refused = slab.add_segment(OwnMemory::on_heap(ByteCount(SEGMENT_UNIT))).unwrap_err();
    assert_eq!((refused.what, refused.found), (What::Segment, SEGMENT_LIMIT as u64));
    // What is small finds room beside the others.
    let small = allocate_in_units(&mut slab, 100).unwrap();
    slab.free(small);
    let free = blocks.remove(SEGMENT_LIMIT / 2);
    let before = free.segment();
    slab.free(free);
    let large = slab.allocate(ByteCount(2 * SEGMENT_UNIT), Purpose::Message);
    assert!(matches!(large, Err(NoRoom::Grow(_))), "in the place of the empty one: {large:?}");
    assert_eq!(slab.poll_dropped(), Some(before));
    let after = slab.add_segment(OwnMemory::on_heap(ByteCount(3 * SEGMENT_UNIT))).unwrap();
    assert_eq!(after.index, before.index);
    assert!(after.serial > before.serial);
    assert_eq!(slab.allocate(ByteCount(2 * SEGMENT_UNIT), Purpose::Message).unwrap().segment(), after);
}

proptest! {
    #[test]
    fn no_two_blocks_ever_overlap_and_all_comes_back(
        steps in prop::collection::vec((any::<bool>(), 0_u64..200_000, any::<prop::sample::Index>()), 1..100),
    ) {
        let mut slab = slab(1 << 20);
        let mut live: Vec<Block> = Vec::new();
        for (allocates, length, which) in steps {
            if allocates {
                let Ok(block) = allocate(&mut slab, length) else { continue };
                prop_assert!(block.bytes().0 >= length);
                let end = block.offset().0 + block.bytes().0;
                prop_assert!(end <= slab.memory(block.segment()).unwrap().bytes().0);
                for other in live.iter().filter(|other| other.segment() == block.segment()) {
                    prop_assert!(end <= other.offset().0 || other.offset().0 + other.bytes().0 <= block.offset().0);
                }
                live.push(block);
            } else if !live.is_empty() {
                let block = live.swap_remove(which.index(live.len()));
                slab.free(block);
            }
        }
        live.into_iter().for_each(|block| slab.free(block));
        prop_assert_eq!(slab.used(), ByteCount(0));
    }
}
