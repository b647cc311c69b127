//! The port of a sticky cluster: opened here when all apps serve, its connections handed to workers by who the client is.
//!
//! The workers listen on a port of their own behind it; who has joined that one can be handed connections. They travel by lanes or,
//! where a worker has none, as a message of the user's kind with the socket, so that their arrival is the only answer.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use tokio::sync::mpsc;

use super::acceptor::{self, Acceptor, Door};
use super::doorstep::{Doorstep, StickyConfig};
use super::heirlooms::Heirlooms;
use super::lanes::{DoorName, Lanes};
use super::listeners::{Handover, Sent, key_of_port};
use super::shell::Happening;
use crate::listen::dealer::HandoverIds;
use crate::listen::open::{self, ListenRequest, Opened};
use crate::listen::sticky_by::Seen;
use crate::listen::sticky_dealer::StickyDealer;
use crate::supervisor::ListeningAddress;
use crate::sys::socket::{self, AddressType, LocalAddress, Permissions};
use crate::transport::channel::Outgoing;
use crate::transport::channel::node_protocol;
use crate::transport::estate::Bequest;
use crate::transport::lane::Entry;

/// A connection, and who its client is where that is not the other end of it.
#[derive(Clone)]
pub(super) struct Arrival {
    pub(super) connection: Rc<OwnedFd>,
    pub(super) address: Option<SocketAddr>,
}

/// The sticky port and who is behind it.
pub(super) struct StickyPort {
    inner_port: u16,
    doorstep: Doorstep,
    pub(super) dealer: StickyDealer<Arrival>,
    outer: Option<Outer>,
}

struct Outer {
    acceptor: Acceptor,
    /// Closed last.
    opened: Opened,
    /// As Node would name it if workers listened there.
    key: String,
}

impl StickyPort {
    pub(super) fn new(inner_port: u16, config: StickyConfig) -> Self {
        Self { inner_port, doorstep: Doorstep::new(config), dealer: StickyDealer::default(), outer: None }
    }

    /// Whether this is what the workers listen on behind the sticky port.
    pub(super) fn is_inner(&self, opened: &Opened) -> bool {
        matches!(&opened.local, LocalAddress::Ip(name) if name.port == self.inner_port)
    }

    /// Opens the port, or goes on with that of the master before this one; nothing is accepted before somebody is behind it.
    ///
    /// # Errors
    /// A sentence that says what could not be opened, and why.
    pub(super) fn open(
        &mut self,
        port: Option<u16>,
        address: Option<String>,
        heirlooms: &mut Heirlooms,
        happenings: &mpsc::Sender<Happening>,
    ) -> Result<ListeningAddress, String> {
        let request = ListenRequest {
            address: address.as_deref(),
            port: port.unwrap_or(0).into(),
            address_type: AddressType::Ipv4,
            fd: None,
            flags: 0,
            backlog: None,
            permissions: Permissions::default(),
        };
        let key = key_of_port(request.port, address.as_deref());
        let opened = match heirlooms.take_single(&key) {
            Some(opened) => opened,
            None => open::open(&request).map_err(|error| super::chain(&error))?,
        };
        let acceptor = Acceptor::start(Door::Sticky, opened.socket.as_fd(), happenings)
            .map_err(|error| format!("cannot accept connections: {error}"))?;
        let (address_type, port) = match &opened.local {
            LocalAddress::Ip(name) => (if name.family == "IPv6" { 6 } else { 4 }, name.port.into()),
            LocalAddress::Path(_) | LocalAddress::Unnamed => (4, request.port),
        };
        self.outer = Some(Outer { acceptor, opened, key });
        Ok(ListeningAddress { address_type, address, port })
    }

    /// Takes in a connection that was accepted; it waits until its client is known.
    pub(super) fn offer(&mut self, connection: OwnedFd, happenings: &mpsc::Sender<Happening>) {
        for (connection, seen) in self.doorstep.admit(connection, happenings) {
            self.welcome(connection, seen);
        }
    }

    /// A connection has said whose it is, or has had its time to.
    pub(super) fn note_introduced(&mut self, id: u64) {
        if let Some((connection, seen)) = self.doorstep.take(id) {
            self.welcome(connection, seen);
        }
    }

    /// Nobody has any more time to say who he is.
    fn clear_doorstep(&mut self) {
        for (connection, seen) in self.doorstep.clear() {
            self.welcome(connection, seen);
        }
    }

    /// One whose peer is gone already has no address and is dropped.
    fn welcome(&mut self, connection: OwnedFd, seen: Seen) {
        let Some(peer) = socket::peer_ip(connection.as_fd()) else { return };
        let (client, address) = match seen {
            Seen::Partial | Seen::Nothing => (peer.into(), None),
            Seen::Client(client) => (client, None),
            Seen::Proxied { length, source } => {
                if !socket::discard(connection.as_fd(), length) {
                    return;
                }
                (source.map_or(peer, |source| source.ip()).into(), source)
            }
        };
        self.dealer.offer(client, Arrival { connection: Rc::new(connection), address });
    }

    pub(super) fn note_accept_failed(&mut self, reason: &str) {
        if let Some(outer) = &mut self.outer {
            outer.acceptor.note_failed(reason);
        }
    }

    /// Hands over what can be handed over, for the server that listens at the inner port. Gives what goes by Node's channel.
    pub(super) fn deal(
        &mut self,
        inner: Option<&DoorName<'_>>,
        ids: &mut HandoverIds,
        lanes: &mut Lanes,
    ) -> Vec<Handover> {
        let mut by_channel = Vec::new();
        while let Some((who, id, client, arrival)) = self.dealer.poll_handover(ids, &|who| lanes.standing(who)) {
            let Arrival { connection, address } = arrival;
            let (Some(door), true) = (inner, lanes.standing(who).lane.is_some()) else {
                let outgoing = Outgoing::with_descriptor(node_protocol::sticky_connection(address), connection);
                by_channel.push(Handover { who, outgoing, sent: Sent::Sticky(id) });
                continue;
            };
            lanes.note_chosen(who);
            let entry = Entry { id: id.0, door: door.number, client: Some(client.0), address };
            for (entry, connection) in lanes.hand_over(who, door, vec![(entry, connection)]) {
                self.dealer.note_untaken(client, Arrival { connection, address: entry.address });
            }
        }
        by_channel
    }

    /// Accepts as long as there is room behind it, unless the cluster stops.
    pub(super) fn set_wanted(&self, is_closing: bool) {
        if let Some(outer) = &self.outer {
            outer.acceptor.set_wanted(!is_closing && self.dealer.wants_more());
        }
    }

    /// For the next master.
    pub(super) fn bequest(&self) -> Option<Bequest<BorrowedFd<'_>>> {
        let outer = self.outer.as_ref()?;
        let descriptors = vec![outer.opened.socket.as_fd()];
        let (key, slots) = (outer.key.clone(), Vec::new());
        Some(Bequest { key, slots, path: None, is_inherited: false, data: None, descriptors })
    }

    /// The next master accepts from now on.
    pub(super) fn leave(&mut self) {
        self.clear_doorstep();
        if let Some(outer) = self.outer.take() {
            outer.acceptor.set_wanted(false);
        }
    }

    /// Ends listening, and takes in whoever is connected already.
    pub(super) fn stop_accepting(&mut self, happenings: &mpsc::Sender<Happening>) {
        self.clear_doorstep();
        let Some(outer) = &self.outer else { return };
        outer.acceptor.set_wanted(false);
        let last = acceptor::take_last(outer.opened.socket.as_fd());
        last.into_iter().for_each(|connection| self.offer(connection, happenings));
    }

    /// Closes the port, and what waits behind it.
    pub(super) fn close(&mut self) {
        self.outer = None;
        drop(self.doorstep.clear());
        self.dealer = StickyDealer::default();
    }
}
