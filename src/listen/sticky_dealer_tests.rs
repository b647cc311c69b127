//! Single accidents of the sticky dealer, and whole stories of chance: nothing is lost, and nothing is handed to two.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::balance::{Room, Standing};
use super::dealer::{HandoverId, HandoverIds};
use super::rendezvous::{self, Client};
use super::sticky_dealer::*;
use crate::message::address::{Generation, Occupant, Seat, SlotIndex};

fn app(slot: u32, generation: u32) -> Occupant {
    Occupant { seat: Seat::App(SlotIndex(slot)), generation: Generation(generation) }
}

fn dealer(slots: u32) -> StickyDealer<u32> {
    let mut dealer = StickyDealer::default();
    (0..slots).for_each(|slot| dealer.join(app(slot, 1)));
    dealer
}

fn by_channel(_: Occupant) -> Standing {
    Standing::default()
}

fn number(number: u32) -> Client {
    IpAddr::V4(Ipv4Addr::from_bits(number)).into()
}

/// A client whose first choice, and whose second, are these slots of the given ones.
fn client_of(slots: &[u32], first: u32, second: u32) -> Client {
    let ranked = |client: &Client| {
        let mut ranked = slots.to_vec();
        ranked.sort_by_key(|slot| Reverse(rendezvous::draw(*client, SlotIndex(*slot))));
        ranked[..2] == [first, second]
    };
    (1..).map(number).find(ranked).unwrap()
}

fn next(dealer: &mut StickyDealer<u32>, ids: &mut HandoverIds) -> Option<(Occupant, u32)> {
    dealer.poll_handover(ids, &by_channel).map(|(who, _, _, connection)| (who, connection))
}

#[test]
fn a_client_stays_with_its_worker() {
    let (mut dealer, mut ids) = (dealer(3), HandoverIds::default());
    for connection in 0..10 {
        dealer.offer(client_of(&[0, 1, 2], 1, 2), connection);
        let (who, id, _, got) = dealer.poll_handover(&mut ids, &by_channel).unwrap();
        assert_eq!((who, got), (app(1, 1), connection));
        assert_eq!(dealer.note_taken(who, id), Some(connection));
        assert_eq!(dealer.note_taken(who, id), None, "once");
    }
}

#[test]
fn what_comes_for_a_busy_worker_waits_for_it_and_other_clients_pass() {
    let (mut dealer, mut ids) = (dealer(2), HandoverIds::default());
    let (one, other) = (client_of(&[0, 1], 0, 1), client_of(&[0, 1], 1, 0));
    dealer.offer(one, 1);
    let (who, id, ..) = dealer.poll_handover(&mut ids, &by_channel).unwrap();
    dealer.offer(one, 2);
    dealer.offer(one, 3);
    dealer.offer(other, 4);
    assert_eq!(next(&mut dealer, &mut ids), Some((app(1, 1), 4)));
    assert_eq!(next(&mut dealer, &mut ids), None);
    assert_eq!(dealer.note_taken(who, id), Some(1));
    assert_eq!(next(&mut dealer, &mut ids), Some((app(0, 1), 2)));
}

#[test]
fn what_a_dead_worker_had_not_taken_goes_to_each_clients_next_worker_unlike_anything_else() {
    let (mut dealer, mut ids) = (dealer(3), HandoverIds::default());
    let (two_then_zero, two_then_one) = (client_of(&[0, 1, 2], 2, 0), client_of(&[0, 1, 2], 2, 1));
    dealer.offer(two_then_zero, 1);
    dealer.offer(two_then_one, 2);
    dealer.offer(two_then_zero, 3);
    dealer.offer(client_of(&[0, 1, 2], 1, 2), 4);
    let (who, id, ..) = dealer.poll_handover(&mut ids, &by_channel).unwrap();
    assert_eq!((who, next(&mut dealer, &mut ids)), (app(1, 1), Some((app(2, 1), 1))));
    dealer.leave(app(2, 1));
    assert_eq!(next(&mut dealer, &mut ids), Some((app(0, 1), 1)), "what it had in hand is first");
    assert_eq!(next(&mut dealer, &mut ids), None);
    assert_eq!(dealer.note_taken(who, id), Some(4));
    assert_eq!(next(&mut dealer, &mut ids), Some((app(1, 1), 2)));
}

#[test]
fn clients_come_back_when_their_slot_is_filled_again_also_those_that_wait_elsewhere() {
    let (mut dealer, mut ids) = (dealer(2), HandoverIds::default());
    let client = client_of(&[0, 1], 1, 0);
    dealer.leave(app(1, 1));
    dealer.offer(client, 1);
    dealer.offer(client, 2);
    assert_eq!(next(&mut dealer, &mut ids), Some((app(0, 1), 1)));
    dealer.join(app(1, 2));
    assert_eq!(next(&mut dealer, &mut ids), Some((app(1, 2), 2)));
}

#[test]
fn the_newest_process_of_a_slot_serves_its_clients_and_the_older_one_when_that_fails() {
    let (mut dealer, mut ids) = (dealer(1), HandoverIds::default());
    let client = Client::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    dealer.join(app(0, 2));
    dealer.offer(client, 1);
    assert_eq!(next(&mut dealer, &mut ids), Some((app(0, 2), 1)));
    dealer.leave(app(0, 2));
    assert_eq!(next(&mut dealer, &mut ids), Some((app(0, 1), 1)));
}

#[test]
fn what_waits_for_one_that_is_about_to_leave_goes_to_each_clients_next() {
    let (mut dealer, mut ids) = (dealer(2), HandoverIds::default());
    let client = client_of(&[0, 1], 0, 1);
    (1..=3).for_each(|connection| dealer.offer(client, connection));
    let (leaver, id, ..) = dealer.poll_handover(&mut ids, &by_channel).unwrap();
    dealer.retire(leaver);
    assert!(!dealer.is_done_with(leaver));
    assert_eq!(next(&mut dealer, &mut ids), Some((app(1, 1), 2)));
    assert_eq!(dealer.note_taken(leaver, id), Some(1));
    assert!(dealer.is_done_with(leaver));
    dealer.offer(client, 4);
    assert_eq!(next(&mut dealer, &mut ids), None, "the leaver is not asked");
}

#[test]
fn what_waits_for_the_last_that_leaves_is_still_taken_by_it() {
    let (mut dealer, mut ids) = (dealer(2), HandoverIds::default());
    let client = client_of(&[0, 1], 0, 1);
    dealer.retire(app(0, 1));
    (1..=2).for_each(|connection| dealer.offer(client, connection));
    dealer.retire(app(1, 1));
    for connection in 1..=2 {
        let (who, id, _, got) = dealer.poll_handover(&mut ids, &by_channel).unwrap();
        assert_eq!((who, got), (app(1, 1), connection));
        assert!(!dealer.is_done_with(who));
        assert_eq!(dealer.note_taken(who, id), Some(connection));
    }
    assert!(dealer.is_done_with(app(1, 1)));
}

#[test]
fn connections_wait_while_nobody_is_there() {
    let (mut dealer, mut ids) = (dealer(1), HandoverIds::default());
    dealer.offer(Client::from(IpAddr::V4(Ipv4Addr::LOCALHOST)), 1);
    dealer.leave(app(0, 1));
    assert!(dealer.is_unserved() && !dealer.wants_more());
    assert_eq!(next(&mut dealer, &mut ids), None);
    dealer.join(app(0, 2));
    assert_eq!(next(&mut dealer, &mut ids), Some((app(0, 2), 1)));
}

#[test]
fn what_a_worker_held_whose_answers_are_lost_is_given_back_and_what_waited_for_it_is_dealt() {
    let (mut dealer, mut ids) = (dealer(2), HandoverIds::default());
    let client = client_of(&[0, 1], 0, 1);
    dealer.offer(client, 1);
    dealer.offer(client, 2);
    assert_eq!(next(&mut dealer, &mut ids), Some((app(0, 1), 1)));
    assert_eq!(dealer.give_up_on(app(0, 1)), Some(1));
    assert_eq!(next(&mut dealer, &mut ids), Some((app(1, 1), 2)));
    assert_eq!(dealer.give_up_on(app(0, 1)), None);
}

#[test]
fn a_worker_without_descriptors_is_passed_over_until_it_has_rested() {
    let (mut dealer, mut ids) = (dealer(2), HandoverIds::default());
    let client = client_of(&[0, 1], 0, 1);
    dealer.offer(client, 1);
    dealer.offer(client, 2);
    let (poor, id, ..) = dealer.poll_handover(&mut ids, &by_channel).unwrap();
    assert!(dealer.note_not_arrived(poor, id));
    assert!(!dealer.note_not_arrived(poor, id), "nothing else was on its way");
    let (other, id, ..) = dealer.poll_handover(&mut ids, &by_channel).unwrap();
    assert_eq!(dealer.note_taken(other, id), Some(1));
    assert_eq!(next(&mut dealer, &mut ids), Some((app(1, 1), 2)));
    dealer.note_rested(poor);
    dealer.offer(client, 3);
    assert_eq!(next(&mut dealer, &mut ids), Some((app(0, 1), 3)));
}

#[test]
fn workers_that_all_rest_keep_their_clients_and_are_not_asked() {
    let (mut dealer, mut ids) = (dealer(1), HandoverIds::default());
    dealer.offer(Client::from(IpAddr::V4(Ipv4Addr::LOCALHOST)), 1);
    let (poor, id, ..) = dealer.poll_handover(&mut ids, &by_channel).unwrap();
    assert!(dealer.note_not_arrived(poor, id));
    assert_eq!(next(&mut dealer, &mut ids), None);
    dealer.note_rested(poor);
    assert_eq!(next(&mut dealer, &mut ids), Some((poor, 1)));
}

#[test]
fn a_worker_that_stands_still_keeps_so_many_waiting_and_the_next_serves_the_rest() {
    let (mut dealer, mut ids) = (dealer(2), HandoverIds::default());
    let client = client_of(&[0, 1], 0, 1);
    let full = u32::try_from(WAITING_LIMIT).unwrap() + 1;
    for connection in 0..full {
        dealer.offer(client, connection);
        assert!(connection > 0 || next(&mut dealer, &mut ids) == Some((app(0, 1), 0)));
    }
    assert_eq!(next(&mut dealer, &mut ids), None);
    dealer.offer(client, full);
    assert_eq!(next(&mut dealer, &mut ids), Some((app(1, 1), full)));
}

#[test]
fn accepting_stops_when_nobody_has_room_and_nothing_is_lost() {
    let (mut dealer, mut ids) = (dealer(1), HandoverIds::default());
    let client = Client::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let all = u32::try_from(WAITING_LIMIT).unwrap() + 3;
    for connection in 0..all {
        assert_eq!(dealer.wants_more(), connection < all - 3);
        dealer.offer(client, connection);
    }
    for connection in 0..all {
        let (who, id, _, got) = dealer.poll_handover(&mut ids, &by_channel).unwrap();
        assert_eq!((got, dealer.note_taken(who, id)), (connection, Some(connection)));
    }
}

/// What may happen, each to one of those to whom it can: the number chooses.
#[derive(Clone, Copy, Debug)]
enum Step {
    Offer(usize),
    Join(usize),
    Leave(usize),
    GiveUpOn(usize),
    Retire(usize),
    Deal,
    Take(usize),
    Refuse(usize),
    Rest(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<usize>().prop_map(Step::Offer),
        1 => any::<usize>().prop_map(Step::Join),
        1 => any::<usize>().prop_map(Step::Leave),
        1 => any::<usize>().prop_map(Step::GiveUpOn),
        1 => any::<usize>().prop_map(Step::Retire),
        4 => Just(Step::Deal),
        3 => any::<usize>().prop_map(Step::Take),
        1 => any::<usize>().prop_map(Step::Refuse),
        1 => any::<usize>().prop_map(Step::Rest),
    ];
    proptest::collection::vec(step, 0..80)
}

/// The books on everything that was offered.
#[derive(Default)]
struct Story {
    dealer: StickyDealer<usize>,
    ids: HandoverIds,
    clients: Vec<Client>,
    /// How often each connection has come to its end.
    ends: Vec<u32>,
    members: Vec<Occupant>,
    in_flight: HashMap<Occupant, (HandoverId, usize)>,
    generations: u32,
    /// True as long as nobody was passed over for another reason than not being there.
    is_plain: bool,
}

impl Story {
    fn member(&self, number: usize) -> Option<Occupant> {
        self.members.get(number % self.members.len().max(1)).copied()
    }

    fn join(&mut self, slot: u32) {
        self.generations += 1;
        self.members.push(app(slot, self.generations));
        self.dealer.join(app(slot, self.generations));
    }

    fn leave(&mut self, who: Occupant) {
        self.members.retain(|member| *member != who);
        self.in_flight.remove(&who);
        self.dealer.leave(who);
    }

    fn deal(&mut self) -> bool {
        let Some((who, id, _, connection)) = self.dealer.poll_handover(&mut self.ids, &by_channel) else {
            return false;
        };
        assert!(self.members.contains(&who), "{who:?} is not there");
        assert_eq!(self.ends[connection], 0, "{connection} has come to its end before");
        assert!(self.in_flight.values().all(|(_, other)| *other != connection), "{connection} goes to two");
        let client = self.clients[connection];
        let Seat::App(slot) = who.seat else { unreachable!() };
        let rank = |member: &&Occupant| match member.seat {
            Seat::App(slot) => (rendezvous::draw(client, slot), member.generation),
            Seat::Agent => (0, member.generation),
        };
        if self.is_plain {
            assert_eq!(
                self.members.iter().max_by_key(rank),
                Some(&who),
                "{client:?} belongs elsewhere than to {slot:?}"
            );
        }
        assert!(self.in_flight.insert(who, (id, connection)).is_none(), "{who:?} has not taken the last one");
        true
    }

    fn take(&mut self, who: Occupant) {
        let Some((id, connection)) = self.in_flight.remove(&who) else { return };
        assert_eq!(self.dealer.note_taken(who, id), Some(connection));
        self.ends[connection] += 1;
    }

    fn happen(&mut self, step: Step) {
        match step {
            Step::Offer(number) => {
                let client = self::number(u32::try_from(number % 16).unwrap());
                self.dealer.offer(client, self.clients.len());
                self.clients.push(client);
                self.ends.push(0);
            }
            Step::Join(number) => self.join(u32::try_from(number % 4).unwrap()),
            Step::Leave(number) => self.member(number).into_iter().for_each(|who| self.leave(who)),
            Step::GiveUpOn(number) => {
                let Some(who) = self.member(number) else { return };
                self.members.retain(|member| *member != who);
                let expected = self.in_flight.remove(&who).map(|(_, connection)| connection);
                assert_eq!(self.dealer.give_up_on(who), expected);
                expected.into_iter().for_each(|connection| self.ends[connection] += 1);
            }
            Step::Retire(number) => {
                self.is_plain = false;
                self.member(number).into_iter().for_each(|who| self.dealer.retire(who));
            }
            Step::Deal => drop(self.deal()),
            Step::Take(number) => self.member(number).into_iter().for_each(|who| self.take(who)),
            Step::Refuse(number) => {
                let Some(who) = self.member(number) else { return };
                let Some((id, _)) = self.in_flight.remove(&who) else { return };
                self.is_plain = false;
                assert!(self.dealer.note_not_arrived(who, id));
            }
            Step::Rest(number) => self.member(number).into_iter().for_each(|who| self.dealer.note_rested(who)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_connection_comes_to_one_end_and_each_client_to_its_own_worker(steps in steps()) {
        let mut story = Story { is_plain: true, ..Story::default() };
        steps.into_iter().for_each(|step| story.happen(step));
        // All who are there go, and one who does well comes.
        story.join(4);
        story.members.clone().into_iter().rev().skip(1).for_each(|who| story.leave(who));
        while story.deal() {
            let who = story.members[0];
            story.take(who);
        }
        prop_assert_eq!(&story.ends, &vec![1; story.clients.len()]);
    }
}

#[test]
fn by_a_lane_a_worker_gets_several_at_once_and_what_comes_out_of_it_goes_to_each_clients_next() {
    let mut dealer = StickyDealer::default();
    let mut ids = HandoverIds::default();
    (0..3).for_each(|slot| dealer.join(app(slot, 1)));
    let client = client_of(&[0, 1, 2], 1, 2);
    let by_lane = |room: Room| move |_: Occupant| Standing { load: 0, lane: Some(room) };
    (1..=3).for_each(|connection| dealer.offer(client, connection));
    for connection in 1..=2 {
        let (who, _, _, got) = dealer.poll_handover(&mut ids, &by_lane(Room::Free)).unwrap();
        assert_eq!((who, got), (app(1, 1), connection));
    }
    assert!(
        dealer.poll_handover(&mut ids, &by_lane(Room::None)).is_none(),
        "its lane is full, and nobody else's client is it"
    );
    dealer.leave(app(1, 1));
    dealer.note_untaken(client, 2);
    let order: Vec<_> = std::iter::from_fn(|| dealer.poll_handover(&mut ids, &by_lane(Room::Free))).collect();
    assert_eq!(order.iter().map(|(who, _, _, got)| (*who, *got)).collect::<Vec<_>>(), [(app(2, 1), 2), (app(2, 1), 3)]);
}

#[test]
fn one_that_is_not_served_lends_its_clients_to_their_next_and_has_them_again_afterwards() {
    let mut dealer = StickyDealer::default();
    let mut ids = HandoverIds::default();
    (0..3).for_each(|slot| dealer.join(app(slot, 1)));
    let (mine, others) = (client_of(&[0, 1, 2], 1, 2), client_of(&[0, 1, 2], 0, 1));
    let mut next = |dealer: &mut StickyDealer<u32>, client| {
        dealer.offer(client, 0);
        let free = |_: Occupant| Standing { load: 0, lane: Some(Room::Free) };
        dealer.poll_handover(&mut ids, &free).map(|(who, ..)| who)
    };
    dealer.set_served(app(1, 1), false);
    assert_eq!((next(&mut dealer, mine), next(&mut dealer, others)), (Some(app(2, 1)), Some(app(0, 1))));
    dealer.set_served(app(1, 1), true);
    assert_eq!((next(&mut dealer, mine), next(&mut dealer, others)), (Some(app(1, 1)), Some(app(0, 1))));
}
