//! Workers that want a socket of their own on the cluster's port (`reusePort`), so that the kernel spreads the connections.
//!
//! Each gets its socket whole, and nobody else holds it: when a worker goes, the kernel forgets it at once and the others serve.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use serde_json::value::RawValue;
use tracing::debug;

use crate::listen::open::{self, ListenRequest, REUSE_PORT};
use crate::message::address::Occupant;
use crate::sys::socket::AddressType;
use crate::transport::channel::node_protocol::QueryServer;

/// Who wants what, and what they share all the same.
#[derive(Default)]
pub(super) struct OwnSockets {
    ports: HashMap<Occupant, u16>,
    /// By key, what the servers on it share (TLS ticket keys): the first worker's word counts.
    data: HashMap<String, Box<RawValue>>,
}

impl OwnSockets {
    pub(super) fn note_wish(&mut self, who: Occupant, port: u16) {
        self.ports.insert(who, port);
    }

    /// Other servers of the worker are dealt to as ever.
    pub(super) fn is_wanted(&self, who: Occupant, query: &QueryServer) -> bool {
        let is_tcp = matches!(query.address_type, AddressType::Ipv4 | AddressType::Ipv6) && query.fd.is_none();
        is_tcp && self.ports.get(&who).is_some_and(|port| i64::from(*port) == query.port)
    }

    /// Opens a socket beside those of the other workers, and gives what they share.
    ///
    /// # Errors
    /// libuv's number, as the worker would get it from a listen of its own.
    pub(super) fn open(&mut self, key: &str, query: &QueryServer) -> Result<(OwnedFd, Box<RawValue>), i32> {
        let request = ListenRequest { flags: query.flags | REUSE_PORT, ..super::listeners::request(query) };
        let opened = open::open(&request).map_err(|error| {
            debug!("[master] {}", super::chain(&error));
            error.libuv_errno()
        })?;
        let data = self.data.entry(key.to_owned()).or_insert_with(|| query.data.clone());
        Ok((opened.socket, data.clone()))
    }

    pub(super) fn forget(&mut self, who: Occupant) {
        self.ports.remove(&who);
    }
}
