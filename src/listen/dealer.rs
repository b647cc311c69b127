//! Which worker gets the next connection of one listening socket. Pure: the connection is any value.
//!
//! The one with the least load, in turn where that is the same; whoever asks says what the load is. By Node's channel never more than
//! [`HANDOVERS_IN_FLIGHT`] that a worker has not answered for: one whose JavaScript stands still keeps at most that many. What goes by a
//! lane is not kept here, as it can be taken out of the lane again. What a worker refuses, cannot take in, or had not taken when it
//! died, is dealt again.

use std::collections::VecDeque;

use super::balance::{Room, Standing};
use crate::message::address::Occupant;

/// How many connections may be on their way to one worker. One, as in Node's own round-robin.
pub const HANDOVERS_IN_FLIGHT: usize = 1;

/// How many accepted connections may wait for a worker to be free; the rest wait in the kernel's backlog.
pub const WAITING_LIMIT: usize = 64;

/// Of how many hand-overs by a lane it is remembered who has refused the connection before. Older ones count as refused by nobody.
const REMEMBERED_REFUSALS: usize = 256;

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
    fn is_free(&self, limit: usize, standing: &Standing) -> bool {
        let has_room = match standing.lane {
            Some(room) => room == Room::Free || limit > HANDOVERS_IN_FLIGHT,
            None => self.in_flight.len() < limit,
        };
        has_room && self.is_served && !self.is_resting && !self.is_retired
    }
}

/// The workers that serve one listening socket, and the connections between accept and hand-over.
#[derive(Debug)]
pub struct Dealer<C> {
    /// In turn: the one that was served longest ago comes first.
    members: VecDeque<Member<C>>,
    waiting: VecDeque<Waiting<C>>,
    in_flight_limit: usize,
    /// Of those that went by a lane and had been refused before.
    refusals: VecDeque<(HandoverId, Vec<Occupant>)>,
}

impl<C> Default for Dealer<C> {
    fn default() -> Self {
        Self {
            members: VecDeque::new(),
            waiting: VecDeque::new(),
            in_flight_limit: HANDOVERS_IN_FLIGHT,
            refusals: VecDeque::new(),
        }
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

    /// True where one of those that are served, and stay, is such a one.
    #[must_use]
    pub fn has_served(&self, is_such: impl Fn(Occupant) -> bool) -> bool {
        self.members.iter().any(|member| member.is_served && !member.is_retired && is_such(member.who))
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

    /// True while connections wait here.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
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
    pub fn poll_handover(
        &mut self,
        ids: &mut HandoverIds,
        standing: &impl Fn(Occupant) -> Standing,
    ) -> Option<(Occupant, HandoverId, C)> {
        let (first, at) = (0..self.waiting.len()).find_map(|first| Some((first, self.choose(first, standing)?)))?;
        let waiting = self.waiting.remove(first)?;
        let mut member = self.members.remove(at)?;
        let id = ids.next();
        let handover = (member.who, id, waiting.connection.clone());
        if standing(member.who).lane.is_none() {
            member.in_flight.push_back((id, waiting));
        } else if !waiting.refused_by.is_empty() {
            self.refusals.push_back((id, waiting.refused_by));
            if self.refusals.len() > REMEMBERED_REFUSALS {
                self.refusals.pop_front();
            }
        }
        self.members.push_back(member);
        Some(handover)
    }

    /// Who gets the connection that waits at this place. The order of the members is that of the turn, and the first of equals wins.
    fn choose(&self, waiting: usize, standing: &impl Fn(Occupant) -> Standing) -> Option<usize> {
        let waiting = self.waiting.get(waiting)?;
        let candidates = self.members.iter().enumerate().filter_map(|(at, member)| {
            let standing = standing(member.who);
            let takes = member.is_free(self.in_flight_limit, &standing) && !waiting.refused_by.contains(&member.who);
            takes.then_some((standing.load, at))
        });
        candidates.min().map(|(_, at)| at)
    }

    /// A connection came out of a lane again, untaken: its worker is gone, or too slow. It goes before all others.
    pub fn note_untaken(&mut self, id: HandoverId, connection: C) {
        let refused_by = self.take_refusals(id);
        self.waiting.push_front(Waiting { connection, refused_by });
    }

    /// A worker sent a connection back that it was handed by its lane. Gives it back where every worker has.
    #[must_use]
    pub fn note_sent_back(&mut self, who: Occupant, id: HandoverId, connection: C) -> Option<C> {
        let mut waiting = Waiting { connection, refused_by: self.take_refusals(id) };
        if self.members.iter().any(|member| member.who == who && !member.is_retired) {
            waiting.refused_by.push(who);
        }
        if self.is_hopeless(&waiting) {
            return Some(waiting.connection);
        }
        self.waiting.push_front(waiting);
        None
    }

    fn take_refusals(&mut self, id: HandoverId) -> Vec<Occupant> {
        let at = self.refusals.iter().position(|(other, _)| *other == id);
        at.and_then(|at| self.refusals.remove(at)).map(|(_, refused_by)| refused_by).unwrap_or_default()
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

    /// A worker says that it has no descriptors for what lies in its lane: it rests.
    pub fn note_short(&mut self, who: Occupant) {
        if let Some(member) = self.members.iter_mut().find(|member| member.who == who) {
            member.is_resting = true;
        }
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

    /// While all are about to leave there may be successors, and while nobody is served somebody may be again.
    fn is_hopeless(&self, waiting: &Waiting<C>) -> bool {
        let mut stays = self.members.iter().filter(|member| !member.is_retired && member.is_served).peekable();
        stays.peek().is_some() && stays.all(|member| waiting.refused_by.contains(&member.who))
    }
}
