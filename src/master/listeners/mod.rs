//! The primary's half of Node's cluster: listening sockets on behalf of workers, and connections dealt to them.
//!
//! A socket is opened for the first worker that asks for its key and is kept while anybody serves it. Where dead workers are
//! replaced it outlives them, so that no connection in its backlog is lost while a slot is filled again; and the cluster's
//! own address is kept even when the last worker closes it. Elsewhere nobody would ever come: it must refuse, not hang.
//! Datagram sockets are given away whole, as Node does: there is nothing to deal.
//!
//! Whatever goes with a descriptor is acknowledged by the worker's Node in the order it was sent, whoever sent it.

mod estate;
mod handovers;
mod listener;

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tracing::{debug, warn};

pub(super) use self::handovers::{Handover, Sent};
use self::listener::{Listener, key_of};
pub(super) use self::listener::{OwnAddress, key_of_port, request};
use super::acceptor::{self, Acceptor, Door};
use super::heirlooms::Heirlooms;
use super::lanes::Lanes;
use super::own_sockets::{self, SlotSockets, Wishes};
use super::shell::Happening;
use super::steering::Bars;
use super::sticky_port::StickyPort;
use crate::listen::balance::Balance;
use crate::listen::dealer::{Dealer, HandoverIds};
use crate::listen::open::{self, Opened};
use crate::message::address::Occupant;
use crate::supervisor::ListeningAddress;
use crate::sys::socket::{LocalAddress, SocketKind};
use crate::transport::channel::Outgoing;
use crate::transport::channel::node_protocol::{self, HandleKind, QueryServer};
use crate::transport::lane::DoorNumber;

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
    /// Of the master before this one.
    pub(super) heirlooms: Heirlooms,
}

impl Listeners {
    /// `has_successors`: whether a dead worker is replaced by one that asks for the same sockets. `sticky`: none where the cluster is
    /// not. `has_lanes`: whether connections may go by lanes. `heirlooms`: what the master before this one has left.
    pub(super) fn new(
        happenings: mpsc::Sender<Happening>,
        has_successors: bool,
        sticky: Option<StickyPort>,
        balance: Balance,
        has_lanes: bool,
        heirlooms: Heirlooms,
    ) -> Self {
        Self {
            by_key: HashMap::new(),
            sticky,
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
            heirlooms,
        }
    }

    /// The answer to a worker that wants to listen.
    pub(super) fn answer(&mut self, who: Occupant, query: QueryServer) -> Outgoing {
        let key = key_of(&query);
        let wants_own = self.wants_own_socket(who, &query);
        if !self.by_key.contains_key(&key) {
            if !wants_own && self.wishes.has(who, &query) {
                warn!(
                    "[master] the workers share the socket that the old master has left on {key}: the kernel does not choose among them before a full stop and start"
                );
            }
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
        if let Some(listener) = self.adopt(key, query, false) {
            return listener;
        }
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
        Ok(Listener { data, acceptor, ..self.listener(opened) })
    }

    /// As [`Listeners::open`], for workers that get a socket each.
    fn open_own(&mut self, who: Occupant, key: &str, query: &QueryServer) -> Result<Listener, i32> {
        if let Some(listener) = self.adopt(key, query, true) {
            return listener;
        }
        let mut opened = own_sockets::open(query)?;
        // The slot alone holds its socket, so that nobody listens on it any more when the slot lets go.
        let socket = std::mem::replace(&mut opened.socket, nothing()?);
        let mut slots = SlotSockets::default();
        slots.add(Some(who.seat), key, socket, &self.happenings)?;
        Ok(Listener { slots, is_first: query.index == 0, ..self.listener(opened) })
    }

    /// One that nobody serves yet, under a number of its own.
    fn listener(&mut self, opened: Opened) -> Listener {
        self.last_number += 1;
        Listener {
            opened,
            number: DoorNumber(self.last_number),
            dealer: Dealer::default(),
            data: None,
            acceptor: None,
            slots: SlotSockets::default(),
            is_first: true,
            is_adopted_single: false,
        }
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
            Some(sticky) => sticky.open(port, address, &mut self.heirlooms, &self.happenings),
            None => Err("this cluster is not sticky".to_owned()),
        }
    }

    /// Whether this is the query for the socket of its own that it wants.
    pub(super) fn wants_own_socket(&self, who: Occupant, query: &QueryServer) -> bool {
        self.wishes.has(who, query) && !self.is_shared(&key_of(query))
    }

    /// How many connections a worker has; none where nobody counts them: without a lane, or where it accepts its own.
    pub(super) fn connections_of(&self, who: Occupant) -> Option<u64> {
        if self.has_own_socket(who) { None } else { self.lanes.connections_of(who) }
    }

    pub(super) fn has_own_socket(&self, who: Occupant) -> bool {
        self.by_key.values().any(|listener| listener.slots.has_seats() && listener.dealer.has(who))
    }

    /// A worker wants a socket of its own on this port.
    pub(super) fn note_own_socket_wanted(&mut self, who: Occupant, port: u16) {
        self.wishes.note(who, port);
    }

    pub(super) fn dealers(&mut self) -> impl Iterator<Item = &mut Dealer<Rc<OwnedFd>>> {
        self.by_key.values_mut().map(|listener| &mut listener.dealer)
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
        if self.heirlooms.are_held {
            return;
        }
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
            sticky.stop_accepting(&self.happenings);
        }
    }

    pub(super) fn close_all(&mut self) {
        self.by_key.clear();
        self.sticky = None;
    }
}

/// Stands where a listening socket would, when each slot has its own.
fn nothing() -> Result<OwnedFd, i32> {
    let nothing = std::fs::File::open("/dev/null").map_err(|error| -error.raw_os_error().unwrap_or_default())?;
    Ok(nothing.into())
}
