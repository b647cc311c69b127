//! The primary's half of Node's cluster: listening sockets on behalf of workers, and connections dealt to them.
//!
//! A socket is opened for the first worker that asks for its key and is kept while anybody serves it. Where dead workers are
//! replaced it outlives them, so that no connection in its backlog is lost while a slot is filled again; and the cluster's
//! own address is kept even when the last worker closes it. Elsewhere nobody would ever come: it must refuse, not hang.
//! Datagram sockets are given away whole, as Node does: there is nothing to deal.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tracing::{debug, warn};

use super::shell::{Happening, Shell, spawn_task};
use crate::listen::dealer::{Answered, Dealer, HandoverId, HandoverIds};
use crate::listen::open::{self, ListenRequest, Opened};
use crate::message::address::Occupant;
use crate::supervisor::{Event, ListeningAddress};
use crate::sys::Watched;
use crate::sys::socket::{self, AddressType, LocalAddress, Permissions, SocketKind};
use crate::transport::channel::Outgoing;
use crate::transport::channel::node_protocol::{self, HandleKind, PrimaryRequest, QueryServer};

/// How long accepting rests when the process has no descriptors left, and dealing to a worker that has none.
const OUT_OF_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(100);

/// A shortage that lasts is said once in a while; one that comes again later is said again.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(60);

struct Listener {
    opened: Opened,
    dealer: Dealer<Rc<OwnedFd>>,
    /// What the servers on this key share (TLS ticket keys): the first worker's word counts.
    data: Option<Box<RawValue>>,
    /// Whether connections are wanted; the accepting task waits on it.
    gate: watch::Sender<bool>,
    task: Option<AbortHandle>,
    complained_at: Option<Instant>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// All sockets that are kept for workers, by the key that Node gives them.
pub(super) struct Listeners {
    by_key: HashMap<String, Listener>,
    handover_ids: HandoverIds,
    happenings: mpsc::Sender<Happening>,
    has_successors: bool,
    is_closing: bool,
}

/// A connection on its way to a worker.
pub(super) struct Handover {
    pub(super) who: Occupant,
    pub(super) outgoing: Outgoing,
}

impl Listeners {
    /// `has_successors`: whether a dead worker is replaced by one that asks for the same sockets.
    pub(super) fn new(happenings: mpsc::Sender<Happening>, has_successors: bool) -> Self {
        Self {
            by_key: HashMap::new(),
            handover_ids: HandoverIds::default(),
            happenings,
            has_successors,
            is_closing: false,
        }
    }

    /// The answer to a worker that wants to listen.
    fn answer(&mut self, who: Occupant, query: QueryServer) -> Outgoing {
        // The same key as Node's, so that servers on one address meet and several with port 0 do not.
        let key = format!(
            "{}:{}:{}:{}:{}",
            query.address.as_deref().unwrap_or("null"),
            query.port,
            address_type_word(query.address_type),
            query.fd.map_or_else(|| "undefined".to_owned(), |fd| fd.to_string()),
            query.index
        );
        if !self.by_key.contains_key(&key) {
            match self.open(&key, &query) {
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
        let data = listener.data.get_or_insert(query.data).clone();
        listener.dealer.join(who);
        match listener.opened.kind {
            SocketKind::Datagram => shared_answer(&key, query.seq, &data, listener),
            SocketKind::Stream => {
                let name = match &listener.opened.local {
                    LocalAddress::Ip(name) => Some(name),
                    LocalAddress::Path(_) | LocalAddress::Unnamed => None,
                };
                Outgoing::new(node_protocol::server_reply(query.seq, &key, 0, name, &data))
            }
        }
    }

    fn open(&self, key: &str, query: &QueryServer) -> Result<Listener, i32> {
        let request = ListenRequest {
            address: query.address.as_deref(),
            port: query.port,
            address_type: query.address_type,
            fd: query.fd,
            flags: query.flags,
            backlog: query.backlog,
            permissions: Permissions { readable_all: query.readable_all, writable_all: query.writable_all },
        };
        let opened = open::open(&request).map_err(|error| {
            debug!("[master] {}", super::chain(&error));
            error.libuv_errno()
        })?;
        let (gate, wanted) = watch::channel(false);
        let task = match opened.kind {
            SocketKind::Datagram => None,
            SocketKind::Stream => Some(self.accept_from(key, &opened, wanted)?),
        };
        let data = (query.data.get() != "null").then(|| query.data.clone());
        Ok(Listener { opened, dealer: Dealer::default(), data, gate, task, complained_at: None })
    }

    fn accept_from(&self, key: &str, opened: &Opened, wanted: watch::Receiver<bool>) -> Result<AbortHandle, i32> {
        let watched = opened
            .socket
            .try_clone()
            .and_then(Watched::new)
            .map_err(|error| -error.raw_os_error().unwrap_or_default())?;
        Ok(spawn_task(&self.happenings, accept(key.to_owned(), watched, wanted, self.happenings.clone())))
    }

    pub(super) fn offer(&mut self, key: &str, connection: OwnedFd) {
        if let Some(listener) = self.by_key.get_mut(key) {
            listener.dealer.offer(Rc::new(connection));
        }
    }

    pub(super) fn note_accept_failed(&mut self, key: &str, reason: &str) {
        if let Some(listener) = self.by_key.get_mut(key)
            && listener.complained_at.is_none_or(|at| at.elapsed() > COMPLAINT_PERIOD)
        {
            listener.complained_at = Some(Instant::now());
            warn!("[master] accepting connections rests: {reason}");
        }
    }

    /// Every hand-over that is possible now.
    pub(super) fn poll_handovers(&mut self) -> Vec<Handover> {
        let mut handovers = Vec::new();
        for (key, listener) in &mut self.by_key {
            // Closed without an answer, as Node does at maxConnections.
            drop(listener.dealer.take_hopeless());
            while let Some((who, HandoverId(seq), connection)) = listener.dealer.poll_handover(&mut self.handover_ids) {
                let frame = node_protocol::new_connection(seq, key);
                handovers.push(Handover { who, outgoing: Outgoing::with_descriptor(frame, connection) });
            }
            let wanted = !self.is_closing && listener.dealer.wants_more();
            listener.gate.send_if_modified(|open| std::mem::replace(open, wanted) != wanted);
        }
        handovers
    }

    fn note_answer(&mut self, who: Occupant, seq: u64, accepted: bool) {
        // The number is on one socket's books at the most.
        for listener in self.by_key.values_mut() {
            match listener.dealer.note_answer(who, HandoverId(seq), accepted) {
                Answered::Unknown => {}
                Answered::Taken(connection) | Answered::RefusedByAll(connection) => return drop(connection),
                Answered::DealtAgain => return,
            }
        }
    }

    /// A hand-over came without its descriptor. A worker answers in order, so its oldest one is meant.
    pub(super) fn note_not_arrived(&mut self, who: Occupant) {
        let dealers = self.by_key.values_mut().map(|listener| &mut listener.dealer);
        let oldest =
            dealers.filter_map(|dealer| Some((dealer.oldest_in_flight(who)?, dealer))).min_by_key(|(id, _)| *id);
        if oldest.is_some_and(|(_, dealer)| dealer.note_not_arrived(who)) {
            let happenings = self.happenings.clone();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(OUT_OF_DESCRIPTORS_PAUSE).await;
                let _ = happenings.send(Happening::Rested { who }).await;
            });
        }
    }

    /// A worker without descriptors has had its pause.
    pub(super) fn note_rested(&mut self, who: Occupant) {
        for listener in self.by_key.values_mut() {
            listener.dealer.note_rested(who);
        }
    }

    /// A worker is gone: what it had not answered for is dealt again.
    pub(super) fn forget_worker(&mut self, who: Occupant) {
        for listener in self.by_key.values_mut() {
            listener.dealer.leave(who);
        }
        self.close_hopeless();
    }

    /// A worker's channel broke: what it was handed is closed with it, because it may have read from it.
    pub(super) fn give_up_on_worker(&mut self, who: Occupant) {
        for listener in self.by_key.values_mut() {
            drop(listener.dealer.give_up_on(who));
        }
        self.close_hopeless();
    }

    /// A worker closed its server. With the last one the socket goes, unless it is the cluster's own.
    fn close(&mut self, who: Occupant, key: &str, own: &OwnAddress) {
        let Some(listener) = self.by_key.get_mut(key) else { return };
        listener.dealer.leave(who);
        if listener.dealer.is_unserved() && !own.is(&listener.opened) {
            self.by_key.remove(key);
        }
        self.close_hopeless();
    }

    /// Closes what nobody serves and nobody will serve.
    fn close_hopeless(&mut self) {
        if self.is_closing || !self.has_successors {
            self.by_key.retain(|_, listener| !listener.dealer.is_unserved());
        }
    }

    /// A stop has begun: what the kernel has not accepted yet is not accepted any more.
    pub(super) fn stop_accepting(&mut self) {
        self.is_closing = true;
        for listener in self.by_key.values() {
            let _ = listener.gate.send(false);
        }
    }

    pub(super) fn close_all(&mut self) {
        self.by_key.clear();
    }
}

/// Where the cluster itself serves, as far as it is known.
struct OwnAddress {
    port: Option<u16>,
    /// As it is shown: of a unix socket the path, which is all that is compared.
    shown: Option<String>,
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

fn shared_answer(key: &str, seq: u64, data: &RawValue, listener: &Listener) -> Outgoing {
    match listener.opened.socket.try_clone() {
        Ok(copy) => {
            let frame = node_protocol::server_reply_with_handle(HandleKind::DgramNative, seq, key, data);
            Outgoing::with_descriptor(frame, Rc::new(copy))
        }
        Err(error) => {
            let errno = -error.raw_os_error().unwrap_or_default();
            Outgoing::new(node_protocol::server_reply(seq, key, errno, None, data))
        }
    }
}

/// Accepts while connections are wanted, and reports each; ends with the loop.
async fn accept(key: String, socket: Watched, mut wanted: watch::Receiver<bool>, happenings: mpsc::Sender<Happening>) {
    loop {
        if wanted.wait_for(|open| *open).await.is_err() {
            return;
        }
        let Ok(mut ready) = socket.readable().await else { return };
        let happening = match socket::accept(socket.as_fd()) {
            Ok(Some(connection)) => Happening::Accepted { key: key.clone(), connection },
            Ok(None) => {
                ready.clear_ready();
                continue;
            }
            Err(error) => {
                // Level-triggered readiness would spin here: the connection stays in the backlog until there is room.
                let reason = super::chain(&error);
                tokio::time::sleep(OUT_OF_DESCRIPTORS_PAUSE).await;
                Happening::AcceptFailed { key: key.clone(), reason }
            }
        };
        if happenings.send(happening).await.is_err() {
            return;
        }
    }
}

impl Shell {
    /// A request of Node's cluster protocol.
    pub(super) fn note_request(&mut self, who: Occupant, request: PrimaryRequest) {
        match request {
            PrimaryRequest::Online => self.feed(Event::WorkerOnline { who }),
            PrimaryRequest::QueryServer(query) => {
                let answer = self.listeners.answer(who, query);
                self.push_own(who, answer);
            }
            PrimaryRequest::Listening { address, port, address_type, .. } => {
                if let Some(address_type) = stream_type(address_type) {
                    let address = ListeningAddress { address_type, address, port };
                    self.feed(Event::WorkerListening { who, address });
                }
            }
            PrimaryRequest::Close { key } => {
                let own = OwnAddress { port: self.supervisor.port(), shown: self.supervisor.view().address };
                self.listeners.close(who, &key, &own);
            }
            PrimaryRequest::ExitedAfterDisconnect { seq } => {
                self.feed(Event::DisconnectAnnounced { who });
                self.push_own(who, Outgoing::new(node_protocol::exited_after_disconnect_ack(seq)));
            }
            PrimaryRequest::NewConnectionReply { ack, accepted } => self.listeners.note_answer(who, ack, accepted),
            PrimaryRequest::Unknown { act } => debug!("[master] unknown act {act:?} of Node's cluster protocol"),
        }
    }

    /// Hands over what can be handed over. A connection whose worker cannot be written to is dealt again.
    pub(super) fn deal_connections(&mut self) {
        loop {
            let handovers = self.listeners.poll_handovers();
            if handovers.is_empty() {
                return;
            }
            for Handover { who, outgoing } in handovers {
                if !self.push_own(who, outgoing) {
                    self.listeners.forget_worker(who);
                }
            }
        }
    }
}

/// The number that Node shows for a stream address; none for datagrams, whose listening starts no app.
fn stream_type(kind: AddressType) -> Option<i32> {
    match kind {
        AddressType::Ipv4 => Some(4),
        AddressType::Ipv6 => Some(6),
        AddressType::Unix => Some(-1),
        _ => None,
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
