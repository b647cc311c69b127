//! The primary's half of Node's cluster: listening sockets on behalf of workers, and connections dealt to them.
//!
//! A socket is opened for the first worker that asks for its key and is kept while anybody serves it. Where dead workers are
//! replaced it outlives them, so that no connection in its backlog is lost while a slot is filled again; and the cluster's
//! own address is kept even when the last worker closes it. Elsewhere nobody would ever come: it must refuse, not hang.
//! Datagram sockets are given away whole, as Node does: there is nothing to deal.
//!
//! Whatever goes with a descriptor is acknowledged by the worker's Node in the order it was sent, whoever sent it.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tracing::debug;

use super::acceptor::{self, Acceptor, Door, OUT_OF_DESCRIPTORS_PAUSE};
use super::lanes::{DoorName, LOOK_PERIOD, Laid, LaneRecord, Lanes, Said, Untaken};
use super::own_sockets::{self, SlotSockets, Wishes};
use super::shell::Happening;
use super::steering::Bars;
use super::sticky_port::{Arrival, StickyPort};
use crate::listen::balance::{Balance, Room};
use crate::listen::dealer::{Answered, Dealer, HandoverId, HandoverIds};
use crate::listen::open::{self, ListenRequest, Opened};
use crate::listen::rendezvous::Client;
use crate::message::address::Occupant;
use crate::supervisor::ListeningAddress;
use crate::sys::OUT_OF_DESCRIPTORS;
use crate::sys::socket::{AddressType, LocalAddress, Permissions, SocketKind};
use crate::transport::channel::Outgoing;
use crate::transport::channel::node_protocol::{self, HandleKind, QueryServer};
use crate::transport::lane::{DoorNumber, Entry};

struct Listener {
    opened: Opened,
    /// What it is called on the lanes.
    number: DoorNumber,
    dealer: Dealer<Rc<OwnedFd>>,
    /// What the servers on this key share (TLS ticket keys): the first worker's word counts.
    data: Option<Box<RawValue>>,
    /// None where there are no connections, or each slot has a socket of its own.
    acceptor: Option<Acceptor>,
    slots: SlotSockets,
    /// False for a worker's further servers on the same address.
    is_first: bool,
}

/// What went to a worker with a descriptor.
pub(super) enum Sent {
    /// A connection that was dealt to it; it says besides whether it takes it.
    Connection(HandoverId),
    /// A connection of the sticky port.
    Sticky(HandoverId),
    /// A socket that it asked for.
    Socket { seq: u64, key: String, data: Box<RawValue> },
}

/// All sockets that are kept for workers, by the key that Node gives them.
pub(super) struct Listeners {
    by_key: HashMap<String, Listener>,
    pub(super) sticky: Option<StickyPort>,
    pub(super) bars: Bars,
    wishes: Wishes,
    pub(super) lanes: Lanes,
    last_number: u32,
    /// True while a [`Happening::Look`] is under way.
    is_look_due: bool,
    /// What each worker has not acknowledged, in the order it was sent.
    in_transit: HashMap<Occupant, VecDeque<Sent>>,
    handover_ids: HandoverIds,
    /// Those that asked to drain and wait for the answer.
    retiring: Vec<Occupant>,
    happenings: mpsc::Sender<Happening>,
    has_successors: bool,
    is_closing: bool,
}

/// A connection on its way to a worker.
pub(super) struct Handover {
    pub(super) who: Occupant,
    pub(super) outgoing: Outgoing,
    pub(super) sent: Sent,
}

impl Listeners {
    /// `has_successors`: whether a dead worker is replaced by one that asks for the same sockets. `sticky_worker_port`: what
    /// the workers listen on behind a sticky port; none where there is no such port. `has_lanes`: whether connections may go by
    /// lanes.
    pub(super) fn new(
        happenings: mpsc::Sender<Happening>,
        has_successors: bool,
        sticky_worker_port: Option<u16>,
        balance: Balance,
        has_lanes: bool,
    ) -> Self {
        Self {
            by_key: HashMap::new(),
            sticky: sticky_worker_port.map(StickyPort::new),
            bars: Bars::default(),
            wishes: Wishes::default(),
            lanes: Lanes::new(happenings.clone(), balance, has_lanes),
            last_number: 0,
            is_look_due: false,
            in_transit: HashMap::new(),
            handover_ids: HandoverIds::default(),
            retiring: Vec::new(),
            happenings,
            has_successors,
            is_closing: false,
        }
    }

    /// The answer to a worker that wants to listen.
    pub(super) fn answer(&mut self, who: Occupant, query: QueryServer) -> Outgoing {
        // The same key as Node's, so that servers on one address meet and several with port 0 do not.
        let key = format!(
            "{}:{}:{}:{}:{}",
            query.address.as_deref().unwrap_or("null"),
            query.port,
            address_type_word(query.address_type),
            query.fd.map_or_else(|| "undefined".to_owned(), |fd| fd.to_string()),
            query.index
        );
        let wants_own = self.wishes.has(who, &query);
        if !self.by_key.contains_key(&key) {
            let opened = if wants_own { self.open_own(who, &key, &query) } else { self.open(&key, &query) };
            match opened {
                Ok(listener) => {
                    self.by_key.insert(key.clone(), listener);
                }
                Err(errno) => {
                    return Outgoing::new(node_protocol::server_reply(query.seq, &key, errno, None, &query.data));
                }
            }
        }
        let Some(listener) = self.by_key.get_mut(&key) else {
            return Outgoing::new(node_protocol::server_reply(query.seq, &key, 0, None, &query.data));
        };
        if wants_own {
            match listener.slots.give(who.seat, &key, &query, &self.happenings) {
                Ok(socket) => {
                    let data = listener.data.get_or_insert(query.data).clone();
                    listener.dealer.join(who);
                    listener.dealer.set_served(who, self.bars.is_served(who));
                    return self.give_socket(who, HandleKind::NetNative, query.seq, key, data, socket);
                }
                Err(errno) => {
                    return Outgoing::new(node_protocol::server_reply(query.seq, &key, errno, None, &query.data));
                }
            }
        }
        let data = listener.data.get_or_insert(query.data).clone();
        let is_served = self.bars.is_served(who);
        listener.dealer.join(who);
        listener.dealer.set_served(who, is_served);
        if let Some(sticky) = self.sticky.as_mut().filter(|sticky| sticky.is_inner(&listener.opened)) {
            sticky.dealer.join(who);
            sticky.dealer.set_served(who, is_served);
        }
        match listener.opened.kind {
            SocketKind::Datagram => match listener.opened.socket.try_clone() {
                Ok(copy) => self.give_socket(who, HandleKind::DgramNative, query.seq, key, data, copy),
                Err(error) => {
                    let errno = -error.raw_os_error().unwrap_or_default();
                    Outgoing::new(node_protocol::server_reply(query.seq, &key, errno, None, &data))
                }
            },
            SocketKind::Stream => {
                let name = match &listener.opened.local {
                    LocalAddress::Ip(name) => Some(name),
                    LocalAddress::Path(_) | LocalAddress::Unnamed => None,
                };
                Outgoing::new(node_protocol::server_reply(query.seq, &key, 0, name, &data))
            }
        }
    }

    fn open(&mut self, key: &str, query: &QueryServer) -> Result<Listener, i32> {
        let opened = open::open(&request(query)).map_err(|error| {
            debug!("[master] {}", super::chain(&error));
            error.libuv_errno()
        })?;
        let acceptor = match opened.kind {
            SocketKind::Datagram => None,
            SocketKind::Stream => {
                let acceptor = Acceptor::start(Door::Workers(key.to_owned()), opened.socket.as_fd(), &self.happenings);
                Some(acceptor.map_err(|error| -error.raw_os_error().unwrap_or_default())?)
            }
        };
        let data = (query.data.get() != "null").then(|| query.data.clone());
        self.last_number += 1;
        let number = DoorNumber(self.last_number);
        Ok(Listener {
            opened,
            number,
            dealer: Dealer::default(),
            data,
            acceptor,
            slots: SlotSockets::default(),
            is_first: true,
        })
    }

    /// As [`Listeners::open`], for workers that get a socket each.
    fn open_own(&mut self, who: Occupant, key: &str, query: &QueryServer) -> Result<Listener, i32> {
        let mut opened = own_sockets::open(query)?;
        // The slot alone holds its socket, so that nobody listens on it any more when the slot lets go.
        let nothing = std::fs::File::open("/dev/null").map_err(|error| -error.raw_os_error().unwrap_or_default())?;
        let socket = std::mem::replace(&mut opened.socket, nothing.into());
        let mut slots = SlotSockets::default();
        slots.add(who.seat, key, socket, &self.happenings)?;
        self.last_number += 1;
        let number = DoorNumber(self.last_number);
        Ok(Listener {
            opened,
            number,
            dealer: Dealer::default(),
            data: None,
            acceptor: None,
            slots,
            is_first: query.index == 0,
        })
    }

    /// The answer that makes a socket a worker's own; our copy goes when it is sent.
    fn give_socket(
        &mut self,
        who: Occupant,
        kind: HandleKind,
        seq: u64,
        key: String,
        data: Box<RawValue>,
        socket: OwnedFd,
    ) -> Outgoing {
        let frame = node_protocol::server_reply_with_handle(kind, seq, &key, &data);
        self.note_sent(who, Sent::Socket { seq, key, data });
        Outgoing::with_descriptor(frame, Rc::new(socket))
    }

    /// Opens the sticky port.
    ///
    /// # Errors
    /// A sentence that says what could not be opened, and why.
    pub(super) fn open_sticky_port(
        &mut self,
        port: Option<u16>,
        address: Option<String>,
    ) -> Result<ListeningAddress, String> {
        match &mut self.sticky {
            Some(sticky) => sticky.open(port, address, &self.happenings),
            None => Err("this cluster is not sticky".to_owned()),
        }
    }

    pub(super) fn offer(&mut self, door: &Door, connection: OwnedFd) {
        match door {
            Door::Workers(key) => {
                if let Some(listener) = self.by_key.get_mut(key) {
                    listener.dealer.offer(Rc::new(connection));
                }
            }
            Door::Sticky => {
                if let Some(sticky) = &mut self.sticky {
                    sticky.offer(connection);
                }
            }
        }
    }

    pub(super) fn note_accept_failed(&mut self, door: &Door, reason: &str) {
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
    pub(super) fn poll_handovers(&mut self) -> Vec<Handover> {
        if self.has_waiting() {
            self.lanes.look();
        }
        let mut handovers = Vec::new();
        for (key, listener) in &mut self.by_key {
            // Closed without an answer, as Node does at maxConnections.
            drop(listener.dealer.take_hopeless());
            handovers.extend(listener.deal(key, &mut self.handover_ids, &mut self.lanes));
            if let Some(acceptor) = &listener.acceptor {
                acceptor.set_wanted(!self.is_closing && listener.dealer.wants_more());
            }
            listener.slots.tend(&listener.dealer, self.is_closing);
        }
        if let Some(sticky) = &mut self.sticky {
            let inner = self.by_key.iter().find(|(_, listener)| sticky.is_inner(&listener.opened));
            let inner = inner.map(|(key, listener)| listener.door(key));
            handovers.extend(sticky.deal(inner.as_ref(), &mut self.handover_ids, &mut self.lanes));
            sticky.set_wanted(self.is_closing);
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
    pub(super) fn look(&mut self) {
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

    pub(super) fn deal_again(&mut self, untaken: Vec<Untaken>) {
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
    pub(super) fn note_lane_record(&mut self, who: Occupant, record: LaneRecord) {
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
    pub(super) fn note_sent(&mut self, who: Occupant, sent: Sent) {
        self.in_transit.entry(who).or_default().push_back(sent);
    }

    /// Whether this is the query for the socket of its own that it wants.
    pub(super) fn wants_own_socket(&self, who: Occupant, query: &QueryServer) -> bool {
        self.wishes.has(who, query)
    }

    pub(super) fn has_own_socket(&self, who: Occupant) -> bool {
        self.by_key.values().any(|listener| listener.slots.is_any() && listener.dealer.has(who))
    }

    /// A worker wants a socket of its own on this port.
    pub(super) fn note_own_socket_wanted(&mut self, who: Occupant, port: u16) {
        self.wishes.note(who, port);
    }

    pub(super) fn dealers(&mut self) -> impl Iterator<Item = &mut Dealer<Rc<OwnedFd>>> {
        self.by_key.values_mut().map(|listener| &mut listener.dealer)
    }

    fn take_acknowledged(&mut self, who: Occupant) -> Option<Sent> {
        self.in_transit.get_mut(&who)?.pop_front()
    }

    /// The oldest descriptor on its way to a worker has arrived.
    pub(super) fn note_arrived(&mut self, who: Occupant) {
        if let (Some(Sent::Sticky(id)), Some(sticky)) = (self.take_acknowledged(who), &mut self.sticky) {
            drop(sticky.dealer.note_taken(who, id));
        }
    }

    pub(super) fn note_answer(&mut self, who: Occupant, seq: u64, accepted: bool) {
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
    pub(super) fn note_not_arrived(&mut self, who: Occupant) -> Option<Outgoing> {
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
    pub(super) fn note_rested(&mut self, who: Occupant) {
        for listener in self.by_key.values_mut() {
            listener.dealer.note_rested(who);
        }
        if let Some(sticky) = &mut self.sticky {
            sticky.dealer.note_rested(who);
        }
    }

    /// A worker is gone: what it had not answered for is dealt again.
    pub(super) fn forget_worker(&mut self, who: Occupant) {
        for listener in self.by_key.values_mut() {
            listener.dealer.leave(who);
        }
        if let Some(sticky) = &mut self.sticky {
            sticky.dealer.leave(who);
        }
        self.forget(who);
    }

    fn forget(&mut self, who: Occupant) {
        let untaken = self.lanes.close(who);
        self.deal_again(untaken);
        self.in_transit.remove(&who);
        self.bars.forget(who);
        self.wishes.forget(who);
        self.retiring.retain(|other| *other != who);
        self.bars.forget(who);
        self.close_hopeless();
    }

    /// A worker's channel broke: what it was handed by that is closed with it, because it may have read from it.
    pub(super) fn give_up_on_worker(&mut self, who: Occupant) {
        for listener in self.by_key.values_mut() {
            drop(listener.dealer.give_up_on(who));
        }
        if let Some(sticky) = &mut self.sticky {
            drop(sticky.dealer.give_up_on(who));
        }
        self.forget(who);
    }

    /// A worker closed its server. With the last one the socket goes, unless it is the cluster's own.
    pub(super) fn close(&mut self, who: Occupant, key: &str, own: &OwnAddress) {
        let Some(listener) = self.by_key.get_mut(key) else { return };
        listener.dealer.leave(who);
        if let Some(sticky) = self.sticky.as_mut().filter(|sticky| sticky.is_inner(&listener.opened)) {
            sticky.dealer.leave(who);
        }
        if listener.dealer.is_unserved() && !(listener.is_first && own.is(&listener.opened)) {
            self.by_key.remove(key);
        }
        self.close_hopeless();
    }

    /// Closes what nobody serves and nobody will serve.
    fn close_hopeless(&mut self) {
        if self.is_closing || !self.has_successors {
            self.by_key.retain(|_, listener| !listener.dealer.is_unserved());
            if let Some(sticky) = self.sticky.as_mut().filter(|sticky| sticky.dealer.is_unserved()) {
                sticky.close();
            }
        }
    }

    /// A worker is about to leave. It gets nothing that another can have.
    pub(super) fn retire(&mut self, who: Occupant) {
        self.by_key.values_mut().for_each(|listener| listener.dealer.retire(who));
        if let Some(sticky) = &mut self.sticky {
            sticky.dealer.retire(who);
        }
        self.retiring.push(who);
    }

    /// Those that asked to drain and have been sent all they will be sent.
    pub(super) fn take_retired(&mut self) -> Vec<Occupant> {
        let sticky = &self.sticky;
        self.retiring
            .extract_if(.., |who| sticky.as_ref().is_none_or(|sticky| sticky.dealer.is_done_with(*who)))
            .collect()
    }

    /// A stop has begun. Whoever is connected already is served, whoever comes later is refused at once.
    pub(super) fn stop_accepting(&mut self) {
        self.is_closing = true;
        for listener in self.by_key.values_mut() {
            if listener.slots.is_any() {
                listener.dealer.hurry();
                let waiting = listener.slots.let_go();
                waiting.into_iter().for_each(|connection| listener.dealer.offer(Rc::new(connection)));
                continue;
            }
            let Some(acceptor) = &listener.acceptor else { continue };
            acceptor.set_wanted(false);
            listener.dealer.hurry();
            if !listener.opened.is_inherited {
                let last = acceptor::take_last(listener.opened.socket.as_fd());
                last.into_iter().for_each(|connection| listener.dealer.offer(Rc::new(connection)));
            }
        }
        if let Some(sticky) = &mut self.sticky {
            sticky.stop_accepting();
        }
    }

    pub(super) fn close_all(&mut self) {
        self.by_key.clear();
        self.sticky = None;
    }
}

impl Listener {
    fn door<'a>(&self, key: &'a str) -> DoorName<'a> {
        DoorName { number: self.number, key, is_unix: !matches!(self.opened.local, LocalAddress::Ip(_)) }
    }

    /// Hands over what can be handed over. Gives what goes by Node's channel.
    fn deal(&mut self, key: &str, ids: &mut HandoverIds, lanes: &mut Lanes) -> Vec<Handover> {
        let mut by_channel = Vec::new();
        let mut by_lane: Vec<(Occupant, Vec<Laid>)> = Vec::new();
        while let Some((who, id, connection)) = self.dealer.poll_handover(ids, &|who| lanes.standing(who)) {
            if lanes.standing(who).lane.is_none() {
                let outgoing = Outgoing::with_descriptor(node_protocol::new_connection(id.0, key), connection);
                by_channel.push(Handover { who, outgoing, sent: Sent::Connection(id) });
                continue;
            }
            lanes.note_chosen(who);
            let entry = (Entry { id: id.0, door: self.number, client: None, address: None }, connection);
            match by_lane.iter_mut().find(|(other, _)| *other == who) {
                Some((_, entries)) => entries.push(entry),
                None => by_lane.push((who, vec![entry])),
            }
        }
        for (who, entries) in by_lane {
            for (entry, connection) in lanes.hand_over(who, &self.door(key), entries).into_iter().rev() {
                self.dealer.note_untaken(HandoverId(entry.id), connection);
            }
        }
        by_channel
    }
}

pub(super) fn request(query: &QueryServer) -> ListenRequest<'_> {
    ListenRequest {
        address: query.address.as_deref(),
        port: query.port,
        address_type: query.address_type,
        fd: query.fd,
        flags: query.flags,
        backlog: query.backlog,
        permissions: Permissions { readable_all: query.readable_all, writable_all: query.writable_all },
    }
}

/// Where the workers themselves serve, as far as it is known.
pub(super) struct OwnAddress {
    pub(super) port: Option<u16>,
    /// As it is shown: of a unix socket the path, which is all that is compared.
    pub(super) shown: Option<String>,
}

impl OwnAddress {
    fn is(&self, opened: &Opened) -> bool {
        match (&opened.local, &opened.bound_path) {
            (LocalAddress::Ip(name), _) => opened.kind == SocketKind::Stream && self.port == Some(name.port),
            (_, Some(bound)) => self.shown.as_deref().is_some_and(|shown| bound.path() == Path::new(shown)),
            (LocalAddress::Path(_) | LocalAddress::Unnamed, None) => false,
        }
    }
}

/// The address type as it stands in Node's keys.
fn address_type_word(kind: AddressType) -> &'static str {
    match kind {
        AddressType::Ipv4 => "4",
        AddressType::Ipv6 => "6",
        AddressType::Unix => "-1",
        AddressType::Udp4 => "udp4",
        AddressType::Udp6 => "udp6",
        AddressType::Unspecified => "null",
    }
}
