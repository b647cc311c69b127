//! Sockets of their own for workers on the cluster's port (`reusePort`), so that the kernel spreads the connections.
//!
//! There is one for each slot. A successor that comes while its predecessor serves gets the same one, so that a reload loses nothing
//! that waits in it. With the last worker that serves it it goes, and the kernel deals to the others from then on: nobody
//! would accept what it put there.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use serde_json::value::RawValue;
use tracing::debug;

use crate::listen::open::{self, ListenRequest, REUSE_PORT};
use crate::message::address::{Occupant, Seat};
use crate::sys::socket::AddressType;
use crate::transport::channel::node_protocol::QueryServer;

struct Shared {
    seat: Seat,
    key: String,
    socket: OwnedFd,
    holders: Vec<Occupant>,
}

/// Who wants what, who has what, and what all share.
#[derive(Default)]
pub(super) struct OwnSockets {
    ports: HashMap<Occupant, u16>,
    sockets: Vec<Shared>,
    /// By key, what the servers on it share (TLS ticket keys): the first worker's word counts.
    data: HashMap<String, Box<RawValue>>,
}

impl OwnSockets {
    pub(super) fn note_wish(&mut self, who: Occupant, port: u16) {
        self.ports.insert(who, port);
    }

    pub(super) fn has_one(&self, who: Occupant) -> bool {
        self.sockets.iter().any(|shared| shared.holders.contains(&who))
    }

    /// Other servers of the worker are dealt to as ever.
    pub(super) fn is_wanted(&self, who: Occupant, query: &QueryServer) -> bool {
        let is_tcp = matches!(query.address_type, AddressType::Ipv4 | AddressType::Ipv6) && query.fd.is_none();
        is_tcp && self.ports.get(&who).is_some_and(|port| i64::from(*port) == query.port)
    }

    /// Gives a worker a copy of its slot's socket, and what its server shares with all others.
    ///
    /// # Errors
    /// libuv's number, as the worker would get it from a listen of its own.
    pub(super) fn give(
        &mut self,
        who: Occupant,
        key: &str,
        query: &QueryServer,
    ) -> Result<(OwnedFd, Box<RawValue>), i32> {
        let is_it = |shared: &Shared| shared.seat == who.seat && shared.key == key;
        let at = match self.sockets.iter().position(is_it) {
            Some(at) => at,
            None => {
                let shared = Shared { seat: who.seat, key: key.to_owned(), socket: open(query)?, holders: Vec::new() };
                self.sockets.push(shared);
                self.sockets.len() - 1
            }
        };
        let shared = &mut self.sockets[at];
        shared.holders.push(who);
        let copy = shared.socket.try_clone().map_err(|error| {
            self.note_closed(who, key);
            -error.raw_os_error().unwrap_or_default()
        })?;
        let data = self.data.entry(key.to_owned()).or_insert_with(|| query.data.clone());
        Ok((copy, data.clone()))
    }

    /// A worker has closed the server with this key, or could not have it.
    pub(super) fn note_closed(&mut self, who: Occupant, key: &str) {
        self.release(|shared, holder| shared.key == key && holder == who);
    }

    /// A worker is about to leave, or gone.
    pub(super) fn forget(&mut self, who: Occupant) {
        self.ports.remove(&who);
        self.release(|_, holder| holder == who);
    }

    /// Everybody is about to leave.
    pub(super) fn close_all(&mut self) {
        self.sockets.clear();
    }

    fn release(&mut self, is_meant: impl Fn(&Shared, Occupant) -> bool) {
        for shared in &mut self.sockets {
            let mut holders = std::mem::take(&mut shared.holders);
            holders.retain(|holder| !is_meant(shared, *holder));
            shared.holders = holders;
        }
        self.sockets.retain(|shared| !shared.holders.is_empty());
    }
}

fn open(query: &QueryServer) -> Result<OwnedFd, i32> {
    let request = ListenRequest { flags: query.flags | REUSE_PORT, ..super::listeners::request(query) };
    let opened = open::open(&request).map_err(|error| {
        debug!("[master] {}", super::chain(&error));
        error.libuv_errno()
    })?;
    Ok(opened.socket)
}
