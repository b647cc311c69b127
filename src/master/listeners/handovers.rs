//! What waits for a worker, and what is on its way to one: offered, handed over, taken back, refused, dealt again.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use serde_json::value::RawValue;

use super::super::acceptor::{Door, OUT_OF_DESCRIPTORS_PAUSE};
use super::super::lanes::{LOOK_PERIOD, LaneRecord, Said, Untaken};
use super::super::shell::Happening;
use super::super::sticky_port::Arrival;
use super::Listeners;
use crate::listen::balance::Room;
use crate::listen::dealer::{Answered, HandoverId};
use crate::listen::rendezvous::Client;
use crate::message::address::Occupant;
use crate::sys::OUT_OF_DESCRIPTORS;
use crate::transport::channel::Outgoing;
use crate::transport::channel::node_protocol;

/// What went to a worker with a descriptor.
pub(in crate::master) enum Sent {
    /// A connection that was dealt to it; it says besides whether it takes it.
    Connection(HandoverId),
    /// A connection of the sticky port.
    Sticky(HandoverId),
    /// A socket that it asked for.
    Socket { seq: u64, key: String, data: Box<RawValue> },
}

/// A connection on its way to a worker.
pub(in crate::master) struct Handover {
    pub(in crate::master) who: Occupant,
    pub(in crate::master) outgoing: Outgoing,
    pub(in crate::master) sent: Sent,
}

impl Listeners {
    pub(in crate::master) fn offer(&mut self, door: &Door, connections: Vec<OwnedFd>) {
        match door {
            Door::Workers(key) => {
                if let Some(listener) = self.by_key.get_mut(key) {
                    connections.into_iter().for_each(|connection| listener.dealer.offer(Rc::new(connection)));
                }
            }
            Door::Sticky => {
                if let Some(sticky) = &mut self.sticky {
                    connections.into_iter().for_each(|connection| sticky.offer(connection, &self.happenings));
                }
            }
        }
    }

    pub(in crate::master) fn note_introduced(&mut self, id: u64) {
        if let Some(sticky) = &mut self.sticky {
            sticky.note_introduced(id);
        }
    }

    pub(in crate::master) fn note_accept_failed(&mut self, door: &Door, reason: &str) {
        match door {
            Door::Workers(key) => {
                if let Some(listener) = self.by_key.get_mut(key) {
                    match &mut listener.acceptor {
                        Some(acceptor) => acceptor.note_failed(reason),
                        None => listener.slots.note_accept_failed(reason),
                    }
                }
            }
            Door::Sticky => {
                if let Some(sticky) = &mut self.sticky {
                    sticky.note_accept_failed(reason);
                }
            }
        }
    }

    /// Every hand-over that is possible now. Those by lanes are carried out here, and the others are given.
    pub(in crate::master) fn poll_handovers(&mut self) -> Vec<Handover> {
        if self.has_waiting() {
            self.lanes.look();
        }
        let is_closed = self.is_closing || self.heirlooms.are_held;
        let mut handovers = Vec::new();
        for (key, listener) in &mut self.by_key {
            // Closed without an answer, as Node does at maxConnections.
            drop(listener.dealer.take_hopeless());
            handovers.extend(listener.deal(key, &mut self.handover_ids, &mut self.lanes));
            if let Some(acceptor) = &listener.acceptor {
                acceptor.set_wanted(!is_closed && listener.dealer.wants_more());
            }
            // The sockets of the master before this one are its own to steer until it lets go.
            if !self.heirlooms.are_held {
                listener.slots.tend(&listener.dealer, is_closed);
            }
        }
        if let Some(sticky) = &mut self.sticky {
            let inner = self.by_key.iter().find(|(_, listener)| sticky.is_inner(&listener.opened));
            let inner = inner.map(|(key, listener)| listener.door(key));
            handovers.extend(sticky.deal(inner.as_ref(), &mut self.handover_ids, &mut self.lanes));
            sticky.set_wanted(is_closed);
        }
        self.look_later();
        handovers
    }

    fn has_waiting(&self) -> bool {
        self.by_key.values().any(|listener| listener.dealer.has_waiting())
            || self.sticky.as_ref().is_some_and(|sticky| sticky.dealer.has_waiting())
    }

    /// Nobody tells when a lane has room again, or when something has lain in it for too long: while either may come, somebody has
    /// to look.
    fn look_later(&mut self) {
        if self.is_look_due || !(self.lanes.holds_connections() || self.has_waiting()) {
            return;
        }
        self.is_look_due = true;
        let happenings = self.happenings.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(LOOK_PERIOD).await;
            let _ = happenings.send(Happening::Look).await;
        });
    }

    /// Looks at the lanes, and gives what has lain in one for too long to somebody who is free. A sticky cluster's clients wait for
    /// their own worker.
    pub(in crate::master) fn look(&mut self) {
        self.is_look_due = false;
        self.lanes.look();
        if self.sticky.is_some() {
            return;
        }
        for who in self.lanes.overdue() {
            let is_free = |other| other != who && self.lanes.standing(other).lane == Some(Room::Free);
            if self.by_key.values().any(|listener| listener.dealer.has(who) && listener.dealer.has_served(is_free)) {
                let untaken = self.lanes.take_back(who);
                self.deal_again(untaken);
            }
        }
    }

    pub(in crate::master) fn deal_again(&mut self, untaken: Vec<Untaken>) {
        // Each goes before all others, so the oldest comes last.
        for untaken in untaken.into_iter().rev() {
            let connection = Rc::new(untaken.connection);
            if let Some(client) = untaken.client {
                if let Some(sticky) = &mut self.sticky {
                    sticky.dealer.note_untaken(Client(client), Arrival { connection, address: untaken.address });
                }
            } else if let Some(listener) = self.by_key.values_mut().find(|listener| listener.number == untaken.door) {
                listener.dealer.note_untaken(untaken.id, connection);
            }
        }
    }

    /// A worker said something by its lane.
    pub(in crate::master) fn note_lane_record(&mut self, who: Occupant, record: LaneRecord) {
        match self.lanes.note_record(who, record) {
            Said::Unwanted(unwanted) => {
                for Untaken { id, door, connection, .. } in unwanted {
                    let listener = self.by_key.values_mut().find(|listener| listener.number == door);
                    // Where every worker has refused it, it is closed.
                    drop(listener.map(|listener| listener.dealer.note_sent_back(who, id, Rc::new(connection))));
                }
            }
            Said::Short => {
                self.by_key.values_mut().for_each(|listener| listener.dealer.note_short(who));
                if let Some(sticky) = &mut self.sticky {
                    sticky.dealer.note_short(who);
                }
                let untaken = self.lanes.take_back(who);
                self.deal_again(untaken);
                self.rest(who);
            }
            Said::Nothing => {}
        }
    }

    fn rest(&self, who: Occupant) {
        let happenings = self.happenings.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(OUT_OF_DESCRIPTORS_PAUSE).await;
            let _ = happenings.send(Happening::Rested { who }).await;
        });
    }

    /// To be called in the order in which frames with descriptors go to a worker.
    pub(in crate::master) fn note_sent(&mut self, who: Occupant, sent: Sent) {
        self.in_transit.entry(who).or_default().push_back(sent);
    }

    fn take_acknowledged(&mut self, who: Occupant) -> Option<Sent> {
        self.in_transit.get_mut(&who)?.pop_front()
    }

    /// The oldest descriptor on its way to a worker has arrived.
    pub(in crate::master) fn note_arrived(&mut self, who: Occupant) {
        if let (Some(Sent::Sticky(id)), Some(sticky)) = (self.take_acknowledged(who), &mut self.sticky) {
            drop(sticky.dealer.note_taken(who, id));
        }
    }

    pub(in crate::master) fn note_answer(&mut self, who: Occupant, seq: u64, accepted: bool) {
        // The number is on one socket's books at the most.
        for listener in self.by_key.values_mut() {
            match listener.dealer.note_answer(who, HandoverId(seq), accepted) {
                Answered::Unknown => {}
                Answered::Taken(connection) | Answered::RefusedByAll(connection) => return drop(connection),
                Answered::DealtAgain => return,
            }
        }
    }

    /// The oldest descriptor on its way to a worker did not arrive: the worker has none left. A connection goes elsewhere. Who
    /// asked for a socket is answered that it cannot have it, as if it had tried to open one itself.
    #[must_use]
    pub(in crate::master) fn note_not_arrived(&mut self, who: Occupant) -> Option<Outgoing> {
        let rests = match self.take_acknowledged(who)? {
            Sent::Connection(id) => self.by_key.values_mut().any(|listener| listener.dealer.note_not_arrived(who, id)),
            Sent::Sticky(id) => self.sticky.as_mut()?.dealer.note_not_arrived(who, id),
            Sent::Socket { seq, key, data } => {
                if let Some(listener) = self.by_key.get_mut(&key) {
                    listener.dealer.leave(who);
                }
                let frame = node_protocol::server_reply(seq, &key, -OUT_OF_DESCRIPTORS, None, &data);
                return Some(Outgoing::new(frame));
            }
        };
        if rests {
            self.rest(who);
        }
        None
    }

    /// A worker without descriptors has had its pause.
    pub(in crate::master) fn note_rested(&mut self, who: Occupant) {
        for listener in self.by_key.values_mut() {
            listener.dealer.note_rested(who);
        }
        if let Some(sticky) = &mut self.sticky {
            sticky.dealer.note_rested(who);
        }
    }
}
