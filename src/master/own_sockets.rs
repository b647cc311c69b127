//! Sockets of their own for workers on the cluster's port (`balance: 'kernel'`, `reusePort`), so that the kernel spreads the connections.
//!
//! There is one for each slot, and it stays here over the lives of all its workers. While a slot is served its worker accepts from it, and
//! nobody else does. While it is not, because it is empty, or its worker stands still, is barred or about to leave, the kernel is told to
//! pass it over, and what waits in it is accepted here and dealt to the others.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use tokio::sync::mpsc;
use tracing::debug;

use super::acceptor::{self, Acceptor, Door};
use super::shell::Happening;
use crate::listen::dealer::Dealer;
use crate::listen::open::{self, ListenRequest, Opened, REUSE_PORT};
use crate::listen::steer_program;
use crate::message::address::{Occupant, Seat, SlotIndex};
use crate::sys::socket::{self, AddressType};
use crate::transport::channel::node_protocol::QueryServer;

/// In an estate: a socket that no slot has.
const NOBODY: u32 = u32::MAX;

/// Who wants a socket of its own, and on which port.
#[derive(Default)]
pub(super) struct Wishes {
    ports: HashMap<Occupant, u16>,
}

impl Wishes {
    pub(super) fn note(&mut self, who: Occupant, port: u16) {
        self.ports.insert(who, port);
    }

    /// Other servers of the worker are dealt to as ever.
    pub(super) fn has(&self, who: Occupant, query: &QueryServer) -> bool {
        let is_tcp = matches!(query.address_type, AddressType::Ipv4 | AddressType::Ipv6) && query.fd.is_none();
        is_tcp && self.ports.get(&who).is_some_and(|port| i64::from(*port) == query.port)
    }

    /// A worker is gone.
    pub(super) fn forget(&mut self, who: Occupant) {
        self.ports.remove(&who);
    }
}

struct SlotSocket {
    /// None for one that no worker accepts from: the master always does.
    seat: Option<Seat>,
    /// Takes what waits while the slot is not served.
    acceptor: Acceptor,
    /// Closed last.
    socket: OwnedFd,
}

/// The sockets of one port, in the order in which they began to listen, which is how the kernel counts them.
#[derive(Default)]
pub(super) struct SlotSockets {
    sockets: Vec<SlotSocket>,
    /// Which of them were served when the kernel was last told.
    told: Vec<bool>,
}

impl SlotSockets {
    /// False for a listening socket that all workers share.
    pub(super) fn is_any(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// True where a worker accepts from one of them.
    pub(super) fn has_seats(&self) -> bool {
        self.sockets.iter().any(|slot| slot.seat.is_some())
    }

    /// Takes one in.
    ///
    /// # Errors
    /// libuv's number.
    pub(super) fn add(
        &mut self,
        seat: Option<Seat>,
        key: &str,
        socket: OwnedFd,
        happenings: &mpsc::Sender<Happening>,
    ) -> Result<(), i32> {
        let acceptor = Acceptor::start(Door::Workers(key.to_owned()), socket.as_fd(), happenings)
            .map_err(|error| -error.raw_os_error().unwrap_or_default())?;
        self.sockets.push(SlotSocket { seat, acceptor, socket });
        Ok(())
    }

    /// A copy of a slot's socket, which is opened if there is none yet.
    ///
    /// # Errors
    /// libuv's number, as the worker would get it from a listen of its own.
    pub(super) fn give(
        &mut self,
        seat: Seat,
        key: &str,
        query: &QueryServer,
        happenings: &mpsc::Sender<Happening>,
    ) -> Result<OwnedFd, i32> {
        if !self.sockets.iter().any(|slot| slot.seat == Some(seat)) {
            self.add(Some(seat), key, open(query)?.socket, happenings)?;
        }
        let slot = self.sockets.iter().find(|slot| slot.seat == Some(seat));
        let copy = slot.map(|slot| slot.socket.try_clone()).transpose();
        copy.map_err(|error| -error.raw_os_error().unwrap_or_default())?.ok_or(0)
    }

    /// Has the kernel choose among those that are served, and takes what waits in the others.
    pub(super) fn tend(&mut self, dealer: &Dealer<Rc<OwnedFd>>, is_closing: bool) {
        let is_served = |slot: &SlotSocket| slot.seat.is_some_and(|seat| dealer.has_served(|who| who.seat == seat));
        let served: Vec<bool> = self.sockets.iter().map(is_served).collect();
        for (slot, is_served) in self.sockets.iter().zip(&served) {
            slot.acceptor.set_wanted(!is_closing && !is_served && dealer.wants_more());
        }
        let Some(first) = self.sockets.first().filter(|_| served != self.told) else { return };
        let numbers: Vec<u32> = (0_u32..).zip(&served).filter_map(|(at, served)| served.then_some(at)).collect();
        let answer = if numbers.len() == served.len() {
            // Its own hash is as good, and others who share the port have their share.
            socket::spread_by_hash(first.socket.as_fd())
        } else if let Some(program) = steer_program::choose_among(&numbers) {
            socket::spread_by(first.socket.as_fd(), &program)
        } else {
            Ok(())
        };
        if let Err(error) = answer {
            // What goes to a socket that is not served is taken there all the same.
            debug!("[master] {}", super::chain(&error));
        }
        self.told = served;
    }

    pub(super) fn note_accept_failed(&mut self, reason: &str) {
        if let Some(slot) = self.sockets.first_mut() {
            slot.acceptor.note_failed(reason);
        }
    }

    /// All of them, in their order, with the slots that they are kept for.
    pub(super) fn parts(&self) -> (Vec<u32>, Vec<BorrowedFd<'_>>) {
        let number = |seat: Option<Seat>| match seat {
            Some(Seat::App(slot)) => slot.0,
            Some(Seat::Agent) | None => NOBODY,
        };
        self.sockets.iter().map(|slot| (number(slot.seat), slot.socket.as_fd())).unzip()
    }

    /// Those of the master before this one, in their order. `are_own`: whether workers here want a socket each; the master accepts from
    /// what no worker does.
    ///
    /// # Errors
    /// libuv's number.
    pub(super) fn adopt(
        slots: &[u32],
        sockets: Vec<OwnedFd>,
        are_own: bool,
        key: &str,
        happenings: &mpsc::Sender<Happening>,
    ) -> Result<Self, i32> {
        let mut adopted = Self::default();
        for (number, socket) in slots.iter().zip(sockets) {
            let seat = (are_own && *number != NOBODY).then_some(Seat::App(SlotIndex(*number)));
            adopted.add(seat, key, socket, happenings)?;
        }
        Ok(adopted)
    }

    /// As [`SlotSockets::let_go`], where another master has them as well: it takes what waits.
    pub(super) fn leave(&mut self) {
        self.sockets.clear();
    }

    /// Lets go of all of them: the workers go on listening for as long as each of them likes. Gives what waits. Nobody new is let in, as
    /// a worker that closes its socket would cut whoever has connected and was not accepted yet.
    pub(super) fn let_go(&mut self) -> Vec<OwnedFd> {
        let sockets = std::mem::take(&mut self.sockets);
        for slot in &sockets {
            if let Err(error) = socket::filter_by(slot.socket.as_fd(), &steer_program::NO_NEWCOMERS) {
                debug!("[master] {}", super::chain(&error));
            }
        }
        sockets.iter().flat_map(|slot| acceptor::take_waiting(slot.socket.as_fd())).collect()
    }
}

/// The first socket of a port.
///
/// # Errors
/// libuv's number.
pub(super) fn open(query: &QueryServer) -> Result<Opened, i32> {
    let request = ListenRequest { flags: query.flags | REUSE_PORT, ..super::listeners::request(query) };
    open::open(&request).map_err(|error| {
        debug!("[master] {}", super::chain(&error));
        error.libuv_errno()
    })
}
