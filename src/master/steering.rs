//! Who is given connections and who is not, on all listening sockets: what the supervisor has decided, as the dealers need it.
//!
//! Whoever listens is dealt to. A worker can be barred before it listens on anything, so the bars are kept here.

use std::collections::HashSet;

use super::listeners::Listeners;
use super::shell::Shell;
use super::sticky_port::StickyPort;
use super::{Request, RequestId, UpgradePlan};
use crate::message::address::{Occupant, SlotIndex};
use crate::supervisor::{Answer, Event, ListeningAddress, Refusal};
use crate::transport::channel::node_protocol::QueryServer;

/// The processes that are given no connections, though they may listen.
#[derive(Default)]
pub(super) struct Bars {
    barred: HashSet<Occupant>,
    /// Those that stand still.
    still: HashSet<Occupant>,
    /// What they asked for and get when they are admitted.
    held: Vec<(Occupant, QueryServer)>,
}

impl Bars {
    pub(super) fn has(&self, who: Occupant) -> bool {
        self.barred.contains(&who)
    }

    /// Whether it is to be handed connections.
    pub(super) fn is_served(&self, who: Occupant) -> bool {
        !self.barred.contains(&who) && !self.still.contains(&who)
    }

    fn hold(&mut self, who: Occupant, query: QueryServer) {
        self.held.push((who, query));
    }

    fn take_held(&mut self, who: Occupant) -> Vec<QueryServer> {
        self.held.extract_if(.., |(other, _)| *other == who).map(|(_, query)| query).collect()
    }

    /// What all those that are not barred have asked for.
    pub(super) fn take_all_held(&mut self) -> Vec<(Occupant, QueryServer)> {
        self.held.extract_if(.., |(who, _)| !self.barred.contains(who)).collect()
    }

    pub(super) fn forget(&mut self, who: Occupant) {
        self.barred.remove(&who);
        self.still.remove(&who);
        self.held.retain(|(other, _)| *other != who);
    }
}

impl Shell {
    /// Something is asked of the running cluster. What a worker accepts by itself, nobody can keep from it.
    pub(super) fn request(&mut self, request: Request, ticket: Option<RequestId>) {
        if let (Request::Isolate(number), Some(ticket)) = (request, ticket) {
            let view = self.supervisor.view();
            let who = view.apps.iter().find(|app| app.number == number).map(|app| app.who);
            if who.is_some_and(|who| self.listeners.has_own_socket(who)) {
                return self.answer(ticket, &Answer::Refused(Refusal::NoSharedSockets));
            }
        }
        match request {
            Request::Upgrade => self.upgrade(UpgradePlan::default(), ticket),
            request => self.feed(request.into_event(self.config.boot_timeout, ticket)),
        }
    }

    /// A worker asks for a socket. One that is barred, or is not to serve before another master has let go, does not get one of its own, as it would accept by itself: it is as ready as it
    /// can be, and is answered when it is admitted.
    pub(super) fn note_query(&mut self, who: Occupant, query: QueryServer) {
        let is_barred = self.listeners.bars.has(who) || self.listeners.heirlooms.are_held;
        if !is_barred || !self.listeners.wants_own_socket(who, &query) {
            let answer = self.listeners.answer(who, query);
            self.push_own(who, answer);
            return;
        }
        let address = ListeningAddress { address_type: 4, address: query.address.clone(), port: query.port };
        self.listeners.bars.hold(who, query);
        self.feed(Event::WorkerListening { who, address });
    }

    pub(super) fn admit(&mut self, who: Occupant) {
        self.listeners.admit(who);
        if self.listeners.heirlooms.are_held {
            return;
        }
        for query in self.listeners.bars.take_held(who) {
            let answer = self.listeners.answer(who, query);
            self.push_own(who, answer);
        }
    }
}

impl Listeners {
    /// Gives it no connections from now on. What lies in its lane goes to others.
    pub(super) fn bar(&mut self, who: Occupant) {
        self.bars.barred.insert(who);
        self.serve(who);
    }

    /// It stands still, or goes on again. Meanwhile it gets nothing, and what lies in its lane goes to others.
    pub(super) fn note_still(&mut self, who: Occupant, is_still: bool) {
        if is_still {
            self.bars.still.insert(who);
        } else {
            self.bars.still.remove(&who);
        }
        self.serve(who);
    }

    /// Gives it connections again.
    pub(super) fn admit(&mut self, who: Occupant) {
        self.bars.barred.remove(&who);
        self.serve(who);
    }

    /// Clients that are kept together by place find this slot by this one.
    pub(super) fn set_place(&mut self, slot: SlotIndex, place: SlotIndex) {
        if let Some(sticky) = &mut self.sticky {
            sticky.dealer.set_place(slot, place);
        }
    }

    fn serve(&mut self, who: Occupant) {
        let is_served = self.bars.is_served(who);
        for dealer in self.dealers() {
            dealer.set_served(who, is_served);
        }
        if let Some(StickyPort { dealer, .. }) = &mut self.sticky {
            dealer.set_served(who, is_served);
        }
        if !is_served {
            let untaken = self.lanes.take_back(who);
            self.deal_again(untaken);
        }
    }
}
