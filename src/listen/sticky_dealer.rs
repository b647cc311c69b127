//! Which worker gets the next connection of the sticky port. Pure: the connection is any value.
//!
//! Each client has a slot, by [`rendezvous`] over those that are served; the newest process in it gets the client's connections: as many
//! as its lane has room for, or by Node's channel one at a time and the next when it has acknowledged the last. While it is busy, what comes for it
//! waits for it, and only for it: other clients pass. A worker that has no descriptor left, or for which
//! [`WAITING_LIMIT`] connections wait, is passed over as one that is not there.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

use super::balance::{Room, Standing};
use super::dealer::{HandoverId, HandoverIds};
use super::rendezvous::{self, Client};
use crate::message::address::{Generation, Occupant, Seat, SlotIndex};

/// How many connections may wait for one worker. As many as usually wait in the kernel for a whole port, so that a burst from one
/// address stays together, and one that stands still does not use up the master's descriptors.
pub const WAITING_LIMIT: usize = 512;

#[derive(Debug)]
struct Waiting<C> {
    client: Client,
    connection: C,
}

#[derive(Debug)]
struct Member<C> {
    who: Occupant,
    in_flight: Option<(HandoverId, Waiting<C>)>,
    waiting: VecDeque<Waiting<C>>,
    /// What it was handed did not arrive; it gets nothing until [`StickyDealer::note_rested`].
    is_resting: bool,
    /// It takes what nobody else can have, and nothing more.
    is_retired: bool,
    /// False while it is to be handed nothing: its clients are with their next until then.
    is_served: bool,
}

impl<C> Member<C> {
    fn has_room(&self) -> bool {
        self.is_served && !self.is_retired && self.waiting.len() < WAITING_LIMIT
    }

    /// The lowest of these is the client's worker.
    fn rank(&self, client: Client, places: &Places) -> Option<(bool, Reverse<u64>, Reverse<Generation>)> {
        let Seat::App(slot) = self.who.seat else { return None };
        let draw = rendezvous::draw(client, places.get(&slot).copied().unwrap_or(slot));
        self.has_room().then_some((self.is_resting, Reverse(draw), Reverse(self.who.generation)))
    }
}

/// Which place in service a slot has, where that is not its own number: a spare that took over has the place of who was lost.
type Places = HashMap<SlotIndex, SlotIndex>;

/// Where a connection comes in the queue of its worker.
#[derive(Debug, Clone, Copy)]
enum Place {
    First,
    Last,
}

/// The workers that serve the sticky port, and the connections between accept and hand-over.
#[derive(Debug)]
pub struct StickyDealer<C> {
    members: Vec<Member<C>>,
    /// Those for whom nobody is there, or nobody has room.
    unplaced: VecDeque<Waiting<C>>,
    places: Places,
}

impl<C> Default for StickyDealer<C> {
    fn default() -> Self {
        Self { members: Vec::new(), unplaced: VecDeque::new(), places: Places::new() }
    }
}

impl<C: Clone> StickyDealer<C> {
    /// Adds a worker; twice is once. What waits for others and belongs to it is its own from now on.
    pub fn join(&mut self, who: Occupant) {
        if self.members.iter().any(|member| member.who == who) {
            return;
        }
        self.members.push(Member {
            who,
            in_flight: None,
            waiting: VecDeque::new(),
            is_resting: false,
            is_retired: false,
            is_served: true,
        });
        self.place_all_anew();
    }

    fn place_all_anew(&mut self) {
        let waiting: Vec<_> = self.members.iter_mut().flat_map(|member| member.waiting.drain(..)).collect();
        for waiting in waiting.into_iter().chain(std::mem::take(&mut self.unplaced)) {
            self.place(waiting, Place::Last);
        }
    }

    /// Whether a worker is to be handed connections from now on. What waits for it goes to each client's next, and comes back with it.
    pub fn set_served(&mut self, who: Occupant, is_served: bool) {
        if let Some(member) = self.members.iter_mut().find(|member| member.who == who) {
            member.is_served = is_served;
            self.place_all_anew();
        }
    }

    /// The clients of this place are those of this slot from now on.
    pub fn set_place(&mut self, slot: SlotIndex, place: SlotIndex) {
        self.places.insert(slot, place);
        self.place_all_anew();
    }

    /// A worker is about to leave. What waits for it goes to each client's next; where all are about to leave, it stays.
    pub fn retire(&mut self, who: Occupant) {
        let Some(member) = self.members.iter_mut().find(|member| member.who == who) else { return };
        member.is_retired = true;
        if self.members.iter().all(|member| member.is_retired) {
            return;
        }
        let waiting: Vec<_> = self
            .members
            .iter_mut()
            .filter(|member| member.is_retired)
            .flat_map(|member| member.waiting.drain(..))
            .collect();
        waiting.into_iter().for_each(|waiting| self.place(waiting, Place::Last));
    }

    /// True when nothing waits for a worker and it has taken all that it was handed.
    #[must_use]
    pub fn is_done_with(&self, who: Occupant) -> bool {
        let member = self.members.iter().find(|member| member.who == who);
        member.is_none_or(|member| member.waiting.is_empty() && member.in_flight.is_none())
    }

    /// True when no worker is there.
    #[must_use]
    pub fn is_unserved(&self) -> bool {
        self.members.is_empty()
    }

    /// A worker is gone: what waited for it, and what it had not acknowledged, goes to each client's next.
    pub fn leave(&mut self, who: Occupant) {
        if let Some(untaken) = self.remove(who) {
            self.place(untaken, Place::First);
        }
    }

    /// A worker's answers cannot be read any more, so it may have taken what it was handed, and read from it. Gives that back to
    /// be closed; what only waited for it goes to each client's next.
    #[must_use]
    pub fn give_up_on(&mut self, who: Occupant) -> Option<C> {
        self.remove(who).map(|waiting| waiting.connection)
    }

    fn remove(&mut self, who: Occupant) -> Option<Waiting<C>> {
        let at = self.members.iter().position(|member| member.who == who)?;
        let member = self.members.remove(at);
        for waiting in member.waiting {
            self.place(waiting, Place::Last);
        }
        member.in_flight.map(|(_, waiting)| waiting)
    }

    /// True while more connections may be accepted.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        self.members.iter().any(Member::has_room)
    }

    /// Takes in a connection that was accepted from this address.
    pub fn offer(&mut self, client: Client, connection: C) {
        self.place(Waiting { client, connection }, Place::Last);
    }

    fn place(&mut self, waiting: Waiting<C>, place: Place) {
        let ranks =
            self.members.iter_mut().filter_map(|member| Some((member.rank(waiting.client, &self.places)?, member)));
        match (ranks.min_by_key(|(rank, _)| *rank), place) {
            (Some((_, member)), Place::First) => member.waiting.push_front(waiting),
            (Some((_, member)), Place::Last) => member.waiting.push_back(waiting),
            (None, Place::First) => self.unplaced.push_front(waiting),
            (None, Place::Last) => self.unplaced.push_back(waiting),
        }
    }

    /// The next hand-over, while one waits for a worker that is free.
    pub fn poll_handover(
        &mut self,
        ids: &mut HandoverIds,
        standing: &impl Fn(Occupant) -> Standing,
    ) -> Option<(Occupant, HandoverId, Client, C)> {
        while self.wants_more()
            && let Some(waiting) = self.unplaced.pop_front()
        {
            self.place(waiting, Place::Last);
        }
        let (member, lane) =
            self.members.iter_mut().filter(|member| !member.waiting.is_empty()).find_map(|member| {
                let lane = standing(member.who).lane;
                let has_room = lane.map_or(member.in_flight.is_none(), |room| room == Room::Free);
                (has_room && member.is_served && !member.is_resting).then_some((member, lane))
            })?;
        let waiting = member.waiting.pop_front()?;
        let id = ids.next();
        let handover = (member.who, id, waiting.client, waiting.connection.clone());
        // What goes by a lane can be taken out of it again.
        if lane.is_none() {
            member.in_flight = Some((id, waiting));
        }
        Some(handover)
    }

    /// A connection came out of a lane again, untaken, or its worker did not want it.
    pub fn note_untaken(&mut self, client: Client, connection: C) {
        self.place(Waiting { client, connection }, Place::First);
    }

    /// True while connections wait here.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.unplaced.is_empty() || self.members.iter().any(|member| !member.waiting.is_empty())
    }

    /// A worker has what it was handed. Gives our copy back to be closed; none where there was no such hand-over.
    pub fn note_taken(&mut self, who: Occupant, id: HandoverId) -> Option<C> {
        let member = self.members.iter_mut().find(|member| member.who == who)?;
        let (_, waiting) = member.in_flight.take_if(|(other, _)| *other == id)?;
        Some(waiting.connection)
    }

    /// What a worker was handed did not arrive: it has no descriptor left, and rests. All that is meant for it goes to each client's
    /// next, unless those rest, too. Answers whether there was such a hand-over, and so whether [`StickyDealer::note_rested`]
    /// is due in a while.
    #[must_use]
    pub fn note_not_arrived(&mut self, who: Occupant, id: HandoverId) -> bool {
        let Some(member) = self.members.iter_mut().find(|member| member.who == who) else { return false };
        let Some((_, untaken)) = member.in_flight.take_if(|(other, _)| *other == id) else { return false };
        member.is_resting = true;
        for waiting in std::mem::take(&mut member.waiting) {
            self.place(waiting, Place::Last);
        }
        self.place(untaken, Place::First);
        true
    }

    /// A worker says that it has no descriptors for what lies in its lane: it rests, and what is meant for it goes to each client's next,
    /// unless those rest, too.
    pub fn note_short(&mut self, who: Occupant) {
        let Some(member) = self.members.iter_mut().find(|member| member.who == who) else { return };
        member.is_resting = true;
        for waiting in std::mem::take(&mut member.waiting) {
            self.place(waiting, Place::Last);
        }
    }

    /// A worker that was short of descriptors is asked again.
    pub fn note_rested(&mut self, who: Occupant) {
        if let Some(member) = self.members.iter_mut().find(|member| member.who == who) {
            member.is_resting = false;
        }
    }
}
