//! One socket that is kept for workers, and how it is known to them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use serde_json::value::RawValue;

use super::super::acceptor::Acceptor;
use super::super::lanes::{DoorName, Laid, Lanes};
use super::super::own_sockets::SlotSockets;
use super::handovers::{Handover, Sent};
use crate::listen::dealer::{Dealer, HandoverId, HandoverIds};
use crate::listen::open::{ListenRequest, Opened};
use crate::message::address::Occupant;
use crate::sys::socket::{AddressType, LocalAddress, Permissions, SocketKind};
use crate::transport::channel::Outgoing;
use crate::transport::channel::node_protocol::{self, QueryServer};
use crate::transport::estate::Bequest;
use crate::transport::lane::{DoorNumber, Entry};

pub(super) struct Listener {
    pub(super) opened: Opened,
    /// What it is called on the lanes.
    pub(super) number: DoorNumber,
    pub(super) dealer: Dealer<Rc<OwnedFd>>,
    /// What the servers on this key share (TLS ticket keys): the first worker's word counts.
    pub(super) data: Option<Box<RawValue>>,
    /// None where there are no connections, or each slot has a socket of its own.
    pub(super) acceptor: Option<Acceptor>,
    pub(super) slots: SlotSockets,
    /// Left by the master before this one, for all workers together.
    pub(super) is_adopted_single: bool,
    /// False for a worker's further servers on the same address.
    pub(super) is_first: bool,
}

impl Listener {
    /// For the next master.
    pub(super) fn bequest(&self, key: &str) -> Bequest<BorrowedFd<'_>> {
        let (slots, descriptors) =
            if self.slots.is_any() { self.slots.parts() } else { (Vec::new(), vec![self.opened.socket.as_fd()]) };
        let path = self.opened.bound_path.as_ref().and_then(|bound| bound.path().to_str());
        Bequest {
            key: key.to_owned(),
            slots,
            path: path.map(str::to_owned),
            is_inherited: self.opened.is_inherited,
            data: self.data.clone(),
            descriptors,
        }
    }

    pub(super) fn door<'a>(&self, key: &'a str) -> DoorName<'a> {
        DoorName { number: self.number, key, is_unix: !matches!(self.opened.local, LocalAddress::Ip(_)) }
    }

    /// Hands over what can be handed over. Gives what goes by Node's channel.
    pub(super) fn deal(&mut self, key: &str, ids: &mut HandoverIds, lanes: &mut Lanes) -> Vec<Handover> {
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

pub(in crate::master) fn request(query: &QueryServer) -> ListenRequest<'_> {
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
pub(in crate::master) struct OwnAddress {
    pub(in crate::master) port: Option<u16>,
    /// As it is shown: of a unix socket the path, which is all that is compared.
    pub(in crate::master) shown: Option<String>,
}

impl OwnAddress {
    pub(super) fn is(&self, opened: &Opened) -> bool {
        match (&opened.local, &opened.bound_path) {
            (LocalAddress::Ip(name), _) => opened.kind == SocketKind::Stream && self.port == Some(name.port),
            (_, Some(bound)) => self.shown.as_deref().is_some_and(|shown| bound.path() == Path::new(shown)),
            (LocalAddress::Path(_) | LocalAddress::Unnamed, None) => false,
        }
    }
}

/// The key that a worker's first server on this port would have.
pub(in crate::master) fn key_of_port(port: i64, address: Option<&str>) -> String {
    format!("{}:{port}:4:undefined:0", address.unwrap_or("null"))
}

/// The key of what a worker wants to listen on: the same as Node's, so that servers on one address meet and several with port 0 do not.
pub(super) fn key_of(query: &QueryServer) -> String {
    format!(
        "{}:{}:{}:{}:{}",
        query.address.as_deref().unwrap_or("null"),
        query.port,
        address_type_word(query.address_type),
        query.fd.map_or_else(|| "undefined".to_owned(), |fd| fd.to_string()),
        query.index
    )
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
