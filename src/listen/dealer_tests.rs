//! The dealer's promises, one by one.

use super::balance::{Room, Standing};
use super::dealer::{Answered, Dealer, HandoverId, HandoverIds, WAITING_LIMIT};
use crate::message::address::{Generation, Occupant, Seat, SlotIndex};

fn app(index: u32) -> Occupant {
    Occupant { seat: Seat::App(SlotIndex(index)), generation: Generation(1) }
}

/// By Node's channel, and all the same.
fn alike(_: Occupant) -> Standing {
    Standing::default()
}

fn dealer(members: u32) -> Dealer<u32> {
    let mut dealer = Dealer::default();
    (0..members).for_each(|index| dealer.join(app(index)));
    dealer
}

#[test]
fn workers_are_served_in_turn() {
    let mut ids = HandoverIds::default();
    let mut dealer = dealer(3);
    let mut served = Vec::new();
    for connection in 0..6 {
        dealer.offer(connection);
        let (who, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
        served.push(who);
        assert_eq!(dealer.note_answer(who, id, true), Answered::Taken(connection));
    }
    assert_eq!(served, [app(0), app(1), app(2), app(0), app(1), app(2)]);
}

#[test]
fn a_worker_that_does_not_answer_keeps_one_connection_and_gets_no_more() {
    let mut ids = HandoverIds::default();
    let mut dealer = dealer(2);
    dealer.offer(0);
    let (stuck, _, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    for connection in 1..10 {
        dealer.offer(connection);
        let (who, id, got) = dealer.poll_handover(&mut ids, &alike).unwrap();
        assert_ne!(who, stuck);
        assert_eq!(dealer.note_answer(who, id, true), Answered::Taken(got));
    }
}

#[test]
fn what_a_dead_worker_held_is_dealt_again_first() {
    let mut ids = HandoverIds::default();
    let mut dealer = dealer(1);
    dealer.offer(1);
    dealer.offer(2);
    let (who, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    dealer.leave(who);
    assert!(!dealer.wants_more(), "nobody serves: the rest waits in the kernel");
    assert_eq!(dealer.note_answer(who, id, true), Answered::Unknown);
    dealer.join(app(1));
    assert_eq!(dealer.poll_handover(&mut ids, &alike).map(|(who, _, connection)| (who, connection)), Some((app(1), 1)));
}

#[test]
fn what_a_worker_held_whose_answers_are_lost_is_given_back_and_not_dealt_again() {
    let mut dealer = dealer(2);
    let mut ids = HandoverIds::default();
    dealer.offer(1);
    let (who, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    assert_eq!(dealer.give_up_on(who), [1]);
    assert_eq!(dealer.note_answer(who, id, true), Answered::Unknown);
    assert_eq!(dealer.poll_handover(&mut ids, &alike), None);
    assert!(!dealer.has(who));
    assert_eq!(dealer.give_up_on(who), [0; 0]);
}

#[test]
fn a_refused_connection_goes_to_each_other_worker_once() {
    let mut ids = HandoverIds::default();
    let mut dealer = dealer(2);
    dealer.offer(9);
    let (first, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    assert_eq!(dealer.note_answer(first, id, false), Answered::DealtAgain);
    let (second, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    assert_ne!(first, second);
    assert_eq!(dealer.note_answer(second, id, false), Answered::RefusedByAll(9));
    assert_eq!(dealer.poll_handover(&mut ids, &alike), None);
}

#[test]
fn a_connection_left_with_nobody_but_its_refuser_is_given_up() {
    let mut ids = HandoverIds::default();
    let mut dealer = dealer(2);
    dealer.offer(9);
    let (first, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    assert_eq!(dealer.note_answer(first, id, false), Answered::DealtAgain);
    dealer.leave(if first == app(0) { app(1) } else { app(0) });
    assert_eq!(dealer.poll_handover(&mut ids, &alike), None);
    assert_eq!(dealer.take_hopeless(), [9]);
}

#[test]
fn a_connection_that_did_not_arrive_is_dealt_to_another_and_comes_back_only_after_a_rest() {
    let mut dealer = dealer(2);
    let mut ids = HandoverIds::default();
    dealer.offer(3);
    let (poor, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    assert!(dealer.note_not_arrived(poor, id));
    assert!(!dealer.note_not_arrived(poor, id), "nothing else was on its way");
    let (other, _, connection) = dealer.poll_handover(&mut ids, &alike).unwrap();
    assert_eq!((connection, other == poor), (3, false));
    dealer.offer(4);
    assert_eq!(dealer.poll_handover(&mut ids, &alike), None, "one rests, the other has not answered");
    assert_eq!(dealer.take_hopeless(), [0; 0]);
    dealer.note_rested(poor);
    assert_eq!(dealer.poll_handover(&mut ids, &alike).map(|(who, _, connection)| (who, connection)), Some((poor, 4)));
}

#[test]
fn a_connection_that_waits_for_a_busy_worker_does_not_hold_up_the_others() {
    let mut dealer = dealer(2);
    let mut ids = HandoverIds::default();
    dealer.offer(1);
    let (busy, _, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    dealer.offer(2);
    let (free, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    assert_eq!(dealer.note_answer(free, id, false), Answered::DealtAgain);
    dealer.offer(3);
    assert_eq!(dealer.poll_handover(&mut ids, &alike).map(|(who, _, connection)| (who, connection)), Some((free, 3)));
    assert_eq!(dealer.poll_handover(&mut ids, &alike), None);
    dealer.leave(busy);
    assert_eq!(dealer.take_hopeless(), [2]);
}

#[test]
fn one_that_is_about_to_leave_answers_for_what_it_has_and_gets_nothing_more() {
    let mut dealer = dealer(2);
    let mut ids = HandoverIds::default();
    dealer.offer(1);
    let (leaver, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    dealer.retire(leaver);
    assert_eq!(dealer.note_answer(leaver, id, true), Answered::Taken(1));
    for connection in 2..4 {
        dealer.offer(connection);
        let (who, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
        assert_ne!(who, leaver);
        assert_eq!(dealer.note_answer(who, id, true), Answered::Taken(connection));
    }
}

#[test]
fn what_the_last_one_refuses_because_it_leaves_waits_for_its_successor() {
    let mut dealer = dealer(1);
    let mut ids = HandoverIds::default();
    dealer.offer(1);
    let (leaver, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
    dealer.retire(leaver);
    assert_eq!(dealer.note_answer(leaver, id, false), Answered::DealtAgain);
    assert_eq!(dealer.take_hopeless(), [0; 0]);
    assert!(!dealer.wants_more(), "the kernel keeps the rest");
    dealer.leave(leaver);
    dealer.join(app(1));
    assert_eq!(dealer.poll_handover(&mut ids, &alike).map(|(who, _, connection)| (who, connection)), Some((app(1), 1)));
}

#[test]
fn in_a_hurry_everything_is_dealt_at_once_and_evenly() {
    let mut dealer = dealer(2);
    let mut ids = HandoverIds::default();
    (0..6).for_each(|connection| dealer.offer(connection));
    dealer.hurry();
    let takers: Vec<Occupant> =
        std::iter::from_fn(|| dealer.poll_handover(&mut ids, &alike)).map(|(who, ..)| who).collect();
    assert_eq!(takers.iter().filter(|who| **who == app(0)).count(), 3);
    assert_eq!(takers.len(), 6);
}

#[test]
fn accepting_stops_at_the_limit() {
    let mut dealer = dealer(1);
    for connection in 0..WAITING_LIMIT {
        assert!(dealer.wants_more());
        dealer.offer(u32::try_from(connection).unwrap());
    }
    assert!(!dealer.wants_more());
}

/// By lanes: `loads` is how many connections each has, a full lane is `None`.
fn lanes(loads: &[Option<u64>]) -> impl Fn(Occupant) -> Standing + '_ {
    |who| {
        let Seat::App(SlotIndex(index)) = who.seat else { return Standing::default() };
        let load = loads[index as usize];
        Standing { load: load.unwrap_or_default(), lane: Some(if load.is_some() { Room::Free } else { Room::None }) }
    }
}

#[test]
fn the_least_busy_worker_comes_first_and_equals_in_turn() {
    let mut dealer = dealer(3);
    let mut ids = HandoverIds::default();
    let mut next = |loads: &[Option<u64>]| {
        dealer.offer(0);
        dealer.poll_handover(&mut ids, &lanes(loads)).map(|(who, ..)| who)
    };
    assert_eq!(next(&[Some(5), Some(4), Some(6)]), Some(app(1)));
    assert_eq!(next(&[Some(5), Some(5), Some(6)]), Some(app(0)), "the other one was served last");
    assert_eq!(next(&[Some(5), Some(5), Some(5)]), Some(app(2)));
    assert_eq!(next(&[Some(5), Some(5), Some(5)]), Some(app(1)));
    assert_eq!(next(&[None, Some(9), None]), Some(app(1)), "the others' lanes are full");
    assert_eq!(next(&[None, None, None]), None);
}

#[test]
fn what_goes_by_a_lane_is_answered_for_by_nobody_and_dealt_again_when_it_comes_out_of_it() {
    let mut dealer = dealer(2);
    let mut ids = HandoverIds::default();
    for connection in 0..3 {
        dealer.offer(connection);
        assert!(dealer.poll_handover(&mut ids, &lanes(&[Some(0), Some(1)])).is_some());
    }
    dealer.offer(9);
    dealer.leave(app(0));
    dealer.note_untaken(HandoverId(2), 1);
    dealer.note_untaken(HandoverId(1), 0);
    let mut order = Vec::new();
    while let Some((who, _, connection)) = dealer.poll_handover(&mut ids, &lanes(&[Some(0), Some(1)])) {
        assert_eq!(who, app(1));
        order.push(connection);
    }
    assert_eq!(order, [0, 1, 9], "before those that came later");
}

#[test]
fn a_connection_that_is_sent_back_goes_to_each_other_worker_once() {
    let mut dealer = dealer(2);
    let mut ids = HandoverIds::default();
    dealer.offer(9);
    let (first, id, _) = dealer.poll_handover(&mut ids, &lanes(&[Some(0), Some(0)])).unwrap();
    assert_eq!(dealer.note_sent_back(first, id, 9), None);
    let (second, id, _) = dealer.poll_handover(&mut ids, &lanes(&[Some(0), Some(0)])).unwrap();
    assert_ne!(first, second);
    assert_eq!(dealer.note_sent_back(second, id, 9), Some(9));
}

#[test]
fn who_is_not_served_gets_nothing_until_it_is_and_nothing_is_accepted_for_nobody() {
    let mut dealer = dealer(2);
    let mut ids = HandoverIds::default();
    dealer.set_served(app(0), false);
    for connection in 0..4 {
        dealer.offer(connection);
        let (who, id, _) = dealer.poll_handover(&mut ids, &alike).unwrap();
        assert_eq!(who, app(1));
        assert_eq!(dealer.note_answer(who, id, true), Answered::Taken(connection));
    }
    dealer.set_served(app(1), false);
    assert!(!dealer.wants_more(), "what comes waits in the kernel");
    dealer.offer(5);
    assert_eq!(dealer.poll_handover(&mut ids, &alike), None);
    assert_eq!(dealer.take_hopeless(), [0; 0]);
    dealer.set_served(app(0), true);
    assert_eq!(dealer.poll_handover(&mut ids, &alike).map(|(who, ..)| who), Some(app(0)));
}

proptest::proptest! {
    /// 64 connections that stay, over four workers: the spread that the default promises.
    #[test]
    fn connections_that_stay_are_spread_evenly_whatever_came_and_went_before(steps in proptest::collection::vec(0_u8..8, 0..300)) {
        let mut dealer = dealer(4);
        let mut ids = HandoverIds::default();
        let mut open = [0_u64; 4];
        let mut deal = |dealer: &mut Dealer<u32>, open: &mut [u64; 4]| {
            dealer.offer(0);
            let loads = open.map(Some);
            let (who, ..) = dealer.poll_handover(&mut ids, &lanes(&loads)).unwrap();
            let Seat::App(SlotIndex(index)) = who.seat else { unreachable!() };
            open[index as usize] += 1;
        };
        for step in steps {
            match step {
                0..4 => open[usize::from(step)] = open[usize::from(step)].saturating_sub(1),
                _ => deal(&mut dealer, &mut open),
            }
        }
        let held = open.iter().max().unwrap() * 4 - open.iter().sum::<u64>();
        (0..held + 64).for_each(|_| deal(&mut dealer, &mut open));
        let (least, most) = (open.iter().min().unwrap(), open.iter().max().unwrap());
        proptest::prop_assert!(most - least <= 1, "{:?}", open);
    }
}
