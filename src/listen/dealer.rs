//! Which worker gets the next connection of one listening socket. Pure: the connection is any value.
//!
//! In turn, and never more than [`HANDOVERS_IN_FLIGHT`] that a worker has not answered for: one whose JavaScript stands still
//! keeps at most that many and gets nothing more. What a worker refuses, cannot take in, or held when it died, is dealt again.

use std::collections::VecDeque;

use crate::message::address::Occupant;

/// How many connections may be on their way to one worker. One, as in Node's own round-robin.
pub const HANDOVERS_IN_FLIGHT: usize = 1;

/// How many accepted connections may wait for a worker to be free; the rest wait in the kernel's backlog.
pub const WAITING_LIMIT: usize = 64;

/// The number of one hand-over, to match its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandoverId(pub u64);

/// Gives out the numbers. One for all sockets: a worker's answer names the number and not the socket.
#[derive(Debug, Default)]
pub struct HandoverIds {
    last: u64,
}

impl HandoverIds {
    pub(super) fn next(&mut self) -> HandoverId {
        self.last += 1;
        HandoverId(self.last)
    }
}

/// What became of a hand-over that was answered.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Answered<C> {
    /// The worker has it; our copy may be closed.
    Taken(C),
    /// It waits for another worker.
    DealtAgain,
    /// Every worker refused it; it has to be closed.
    RefusedByAll(C),
    /// There is no such hand-over: the answer is late or made up.
    Unknown,
}

#[derive(Debug)]
struct Waiting<C> {
    connection: C,
    refused_by: Vec<Occupant>,
}

#[derive(Debug)]
struct Member<C> {
    who: Occupant,
    in_flight: VecDeque<(HandoverId, Waiting<C>)>,
    /// What it was handed did not arrive; it gets nothing until [`Dealer::note_rested`].
    is_resting: bool,
    /// It answers for what it has, and gets nothing more.
    is_retired: bool,
    /// False while it is to be handed nothing, whatever the reason.
    is_served: bool,
}

impl<C> Member<C> {
    fn is_free(&self, limit: usize) -> bool {
        self.is_served && !self.is_resting && !self.is_retired && self.in_flight.len() < limit
    }
}

/// The workers that serve one listening socket, and the connections between accept and hand-over.
#[derive(Debug)]
pub struct Dealer<C> {
    /// In turn: the one that was served longest ago comes first.
    members: VecDeque<Member<C>>,
    waiting: VecDeque<Waiting<C>>,
    in_flight_limit: usize,
}

impl<C> Default for Dealer<C> {
    fn default() -> Self {
        Self { members: VecDeque::new(), waiting: VecDeque::new(), in_flight_limit: HANDOVERS_IN_FLIGHT }
    }
}

impl<C: Clone> Dealer<C> {
    /// Adds a worker; twice is once.
    pub fn join(&mut self, who: Occupant) {
        if !self.has(who) {
            self.members.push_back(Member {
                who,
                in_flight: VecDeque::new(),
                is_resting: false,
                is_retired: false,
                is_served: true,
            });
        }
    }

    /// True for a worker that serves this socket.
    #[must_use]
    pub fn has(&self, who: Occupant) -> bool {
        self.members.iter().any(|member| member.who == who)
    }

    /// All workers are about to leave: from now on nothing waits for a worker to answer for the one before.
    pub fn hurry(&mut self) {
        self.in_flight_limit = usize::MAX;
    }

    /// True when no worker serves this socket.
    #[must_use]
    pub fn is_unserved(&self) -> bool {
        self.members.is_empty()
    }

    /// A worker is about to leave: it is handed nothing more. What is on its way to it, it still takes.
    pub fn retire(&mut self, who: Occupant) {
        if let Some(member) = self.members.iter_mut().find(|member| member.who == who) {
            member.is_retired = true;
        }
    }

    /// Whether a worker is to be handed connections from now on: not one that stands still, is set apart, or waits in reserve.
    pub fn set_served(&mut self, who: Occupant, is_served: bool) {
        if let Some(member) = self.members.iter_mut().find(|member| member.who == who) {
            member.is_served = is_served;
        }
    }

    /// True while a worker that is handed connections, and is not about to leave, serves this socket.
    #[must_use]
    pub fn has_future(&self) -> bool {
        self.members.iter().any(|member| !member.is_retired && member.is_served)
    }

    /// A worker is gone: what it had not answered for is dealt again, before all others.
    pub fn leave(&mut self, who: Occupant) {
        let Some(at) = self.members.iter().position(|member| member.who == who) else { return };
        if let Some(member) = self.members.remove(at) {
            for (_, waiting) in member.in_flight.into_iter().rev() {
                self.waiting.push_front(waiting);
            }
        }
    }

    /// A worker's answers cannot be read any more, so it may have taken what it was handed, and read from it. Gives that
    /// back to be closed: dealt again it would wait for a request that somebody else has read.
    #[must_use]
    pub fn give_up_on(&mut self, who: Occupant) -> Vec<C> {
        let Some(at) = self.members.iter().position(|member| member.who == who) else { return Vec::new() };
        let handed = self.members.remove(at).map(|member| member.in_flight).unwrap_or_default();
        handed.into_iter().map(|(_, waiting)| waiting.connection).collect()
    }

    /// True while more connections may be accepted.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        self.has_future() && self.waiting.len() < WAITING_LIMIT
    }

    /// Takes an accepted connection in.
    pub fn offer(&mut self, connection: C) {
        self.waiting.push_back(Waiting { connection, refused_by: Vec::new() });
    }

    /// The next hand-over, while a worker is free for one of those that wait. A connection whose last hope is a busy worker
    /// does not hold up those behind it.
    pub fn poll_handover(&mut self, ids: &mut HandoverIds) -> Option<(Occupant, HandoverId, C)> {
        let (first, at) = self.waiting.iter().enumerate().find_map(|(place, waiting)| {
            let takes =
                |member: &Member<C>| member.is_free(self.in_flight_limit) && !waiting.refused_by.contains(&member.who);
            Some((place, self.members.iter().position(takes)?))
        })?;
        let waiting = self.waiting.remove(first)?;
        let mut member = self.members.remove(at)?;
        let id = ids.next();
        let handover = (member.who, id, waiting.connection.clone());
        member.in_flight.push_back((id, waiting));
        self.members.push_back(member);
        Some(handover)
    }

    /// A worker answered for a hand-over.
    pub fn note_answer(&mut self, who: Occupant, id: HandoverId, accepted: bool) -> Answered<C> {
        let Some(member) = self.members.iter_mut().find(|member| member.who == who) else { return Answered::Unknown };
        let Some(at) = member.in_flight.iter().position(|(other, _)| *other == id) else { return Answered::Unknown };
        let Some((_, mut waiting)) = member.in_flight.remove(at) else { return Answered::Unknown };
        if accepted {
            return Answered::Taken(waiting.connection);
        }
        // One that is about to leave has closed its server: that says nothing of the connection.
        if !member.is_retired {
            waiting.refused_by.push(who);
        }
        if self.is_hopeless(&waiting) {
            return Answered::RefusedByAll(waiting.connection);
        }
        self.waiting.push_front(waiting);
        Answered::DealtAgain
    }

    /// The connection of a hand-over did not arrive (`NODE_HANDLE_NACK`): the worker has no descriptor left. It is dealt
    /// again, and the worker rests, as asking it again at once would go on without end. Answers whether there was such a
    /// hand-over, and so whether [`Dealer::note_rested`] is due in a while.
    #[must_use]
    pub fn note_not_arrived(&mut self, who: Occupant, id: HandoverId) -> bool {
        let Some(member) = self.members.iter_mut().find(|member| member.who == who) else { return false };
        let Some(at) = member.in_flight.iter().position(|(other, _)| *other == id) else { return false };
        let Some((_, waiting)) = member.in_flight.remove(at) else { return false };
        member.is_resting = true;
        self.waiting.push_front(waiting);
        true
    }

    /// A worker that was short of descriptors is asked again.
    pub fn note_rested(&mut self, who: Occupant) {
        if let Some(member) = self.members.iter_mut().find(|member| member.who == who) {
            member.is_resting = false;
        }
    }

    /// Takes out connections that wait although every worker has refused them, as when the others have left since.
    pub fn take_hopeless(&mut self) -> Vec<C> {
        let all = std::mem::take(&mut self.waiting);
        let (hopeless, waiting): (VecDeque<_>, _) = all.into_iter().partition(|waiting| self.is_hopeless(waiting));
        self.waiting = waiting;
        hopeless.into_iter().map(|waiting| waiting.connection).collect()
    }

    /// While all are about to leave there may be successors.
    fn is_hopeless(&self, waiting: &Waiting<C>) -> bool {
        let mut stays = self.members.iter().filter(|member| !member.is_retired && member.is_served).peekable();
        stays.peek().is_some() && stays.all(|member| waiting.refused_by.contains(&member.who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::address::{Generation, Seat, SlotIndex};

    fn app(index: u32) -> Occupant {
        Occupant { seat: Seat::App(SlotIndex(index)), generation: Generation(1) }
    }

    fn dealer(members: u32) -> Dealer<u32> {
        let mut dealer = Dealer::default();
        (0..members).for_each(|index| dealer.join(app(index)));
        dealer
    }

    #[test]
    fn who_is_not_served_gets_nothing_until_it_is_and_nothing_is_accepted_for_nobody() {
        let mut ids = HandoverIds::default();
        let mut dealer = dealer(2);
        dealer.set_served(app(0), false);
        for connection in 0..2 {
            dealer.offer(connection);
            let (who, id, _) = dealer.poll_handover(&mut ids).unwrap();
            assert_eq!(who, app(1));
            assert_eq!(dealer.note_answer(who, id, true), Answered::Taken(connection));
        }
        dealer.set_served(app(1), false);
        assert!(!dealer.wants_more());
        dealer.offer(2);
        assert_eq!(dealer.poll_handover(&mut ids), None);
        assert!(dealer.take_hopeless().is_empty(), "it waits for whoever comes back");
        dealer.set_served(app(0), true);
        assert!(dealer.wants_more());
        assert_eq!(dealer.poll_handover(&mut ids).unwrap().0, app(0));
    }

    #[test]
    fn workers_are_served_in_turn() {
        let mut ids = HandoverIds::default();
        let mut dealer = dealer(3);
        let mut served = Vec::new();
        for connection in 0..6 {
            dealer.offer(connection);
            let (who, id, _) = dealer.poll_handover(&mut ids).unwrap();
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
        let (stuck, _, _) = dealer.poll_handover(&mut ids).unwrap();
        for connection in 1..10 {
            dealer.offer(connection);
            let (who, id, got) = dealer.poll_handover(&mut ids).unwrap();
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
        let (who, id, _) = dealer.poll_handover(&mut ids).unwrap();
        dealer.leave(who);
        assert!(!dealer.wants_more(), "nobody serves: the rest waits in the kernel");
        assert_eq!(dealer.note_answer(who, id, true), Answered::Unknown);
        dealer.join(app(1));
        assert_eq!(dealer.poll_handover(&mut ids).map(|(who, _, connection)| (who, connection)), Some((app(1), 1)));
    }

    #[test]
    fn what_a_worker_held_whose_answers_are_lost_is_given_back_and_not_dealt_again() {
        let mut dealer = dealer(2);
        let mut ids = HandoverIds::default();
        dealer.offer(1);
        let (who, id, _) = dealer.poll_handover(&mut ids).unwrap();
        assert_eq!(dealer.give_up_on(who), [1]);
        assert_eq!(dealer.note_answer(who, id, true), Answered::Unknown);
        assert_eq!(dealer.poll_handover(&mut ids), None);
        assert!(!dealer.has(who));
        assert_eq!(dealer.give_up_on(who), [0; 0]);
    }

    #[test]
    fn a_refused_connection_goes_to_each_other_worker_once() {
        let mut ids = HandoverIds::default();
        let mut dealer = dealer(2);
        dealer.offer(9);
        let (first, id, _) = dealer.poll_handover(&mut ids).unwrap();
        assert_eq!(dealer.note_answer(first, id, false), Answered::DealtAgain);
        let (second, id, _) = dealer.poll_handover(&mut ids).unwrap();
        assert_ne!(first, second);
        assert_eq!(dealer.note_answer(second, id, false), Answered::RefusedByAll(9));
        assert_eq!(dealer.poll_handover(&mut ids), None);
    }

    #[test]
    fn a_connection_left_with_nobody_but_its_refuser_is_given_up() {
        let mut ids = HandoverIds::default();
        let mut dealer = dealer(2);
        dealer.offer(9);
        let (first, id, _) = dealer.poll_handover(&mut ids).unwrap();
        assert_eq!(dealer.note_answer(first, id, false), Answered::DealtAgain);
        dealer.leave(if first == app(0) { app(1) } else { app(0) });
        assert_eq!(dealer.poll_handover(&mut ids), None);
        assert_eq!(dealer.take_hopeless(), [9]);
    }

    #[test]
    fn a_connection_that_did_not_arrive_is_dealt_to_another_and_comes_back_only_after_a_rest() {
        let mut dealer = dealer(2);
        let mut ids = HandoverIds::default();
        dealer.offer(3);
        let (poor, id, _) = dealer.poll_handover(&mut ids).unwrap();
        assert!(dealer.note_not_arrived(poor, id));
        assert!(!dealer.note_not_arrived(poor, id), "nothing else was on its way");
        let (other, _, connection) = dealer.poll_handover(&mut ids).unwrap();
        assert_eq!((connection, other == poor), (3, false));
        dealer.offer(4);
        assert_eq!(dealer.poll_handover(&mut ids), None, "one rests, the other has not answered");
        assert_eq!(dealer.take_hopeless(), [0; 0]);
        dealer.note_rested(poor);
        assert_eq!(dealer.poll_handover(&mut ids).map(|(who, _, connection)| (who, connection)), Some((poor, 4)));
    }

    #[test]
    fn a_connection_that_waits_for_a_busy_worker_does_not_hold_up_the_others() {
        let mut dealer = dealer(2);
        let mut ids = HandoverIds::default();
        dealer.offer(1);
        let (busy, _, _) = dealer.poll_handover(&mut ids).unwrap();
        dealer.offer(2);
        let (free, id, _) = dealer.poll_handover(&mut ids).unwrap();
        assert_eq!(dealer.note_answer(free, id, false), Answered::DealtAgain);
        dealer.offer(3);
        assert_eq!(dealer.poll_handover(&mut ids).map(|(who, _, connection)| (who, connection)), Some((free, 3)));
        assert_eq!(dealer.poll_handover(&mut ids), None);
        dealer.leave(busy);
        assert_eq!(dealer.take_hopeless(), [2]);
    }

    #[test]
    fn one_that_is_about_to_leave_answers_for_what_it_has_and_gets_nothing_more() {
        let mut dealer = dealer(2);
        let mut ids = HandoverIds::default();
        dealer.offer(1);
        let (leaver, id, _) = dealer.poll_handover(&mut ids).unwrap();
        dealer.retire(leaver);
        assert_eq!(dealer.note_answer(leaver, id, true), Answered::Taken(1));
        for connection in 2..4 {
            dealer.offer(connection);
            let (who, id, _) = dealer.poll_handover(&mut ids).unwrap();
            assert_ne!(who, leaver);
            assert_eq!(dealer.note_answer(who, id, true), Answered::Taken(connection));
        }
    }

    #[test]
    fn what_the_last_one_refuses_because_it_leaves_waits_for_its_successor() {
        let mut dealer = dealer(1);
        let mut ids = HandoverIds::default();
        dealer.offer(1);
        let (leaver, id, _) = dealer.poll_handover(&mut ids).unwrap();
        dealer.retire(leaver);
        assert_eq!(dealer.note_answer(leaver, id, false), Answered::DealtAgain);
        assert_eq!(dealer.take_hopeless(), [0; 0]);
        assert!(!dealer.wants_more(), "the kernel keeps the rest");
        dealer.leave(leaver);
        dealer.join(app(1));
        assert_eq!(dealer.poll_handover(&mut ids).map(|(who, _, connection)| (who, connection)), Some((app(1), 1)));
    }

    #[test]
    fn in_a_hurry_everything_is_dealt_at_once_and_evenly() {
        let mut dealer = dealer(2);
        let mut ids = HandoverIds::default();
        (0..6).for_each(|connection| dealer.offer(connection));
        dealer.hurry();
        let takers: Vec<Occupant> =
            std::iter::from_fn(|| dealer.poll_handover(&mut ids)).map(|(who, ..)| who).collect();
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
}
