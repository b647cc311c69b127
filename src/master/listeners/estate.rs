//! Listening sockets that go from one master to the next: given by the old one, adopted by the new one, and the moment at which they
//! change hands.

use std::os::fd::BorrowedFd;

use super::super::acceptor::{Acceptor, Door};
use super::super::heirlooms;
use super::super::own_sockets::SlotSockets;
use super::{Listener, Listeners, nothing};
use crate::sys::socket::SocketKind;
use crate::transport::channel::node_protocol::QueryServer;
use crate::transport::estate::Bequest;

impl Listeners {
    /// All that the next master is to have. What only the workers of this one use is not among it.
    pub(in crate::master) fn estate(&self) -> Vec<Bequest<BorrowedFd<'_>>> {
        let is_inner =
            |listener: &Listener| self.sticky.as_ref().is_some_and(|sticky| sticky.is_inner(&listener.opened));
        let of_workers = self.by_key.iter().filter(|(_, listener)| !is_inner(listener));
        let mut estate: Vec<_> = of_workers.map(|(key, listener)| listener.bequest(key)).collect();
        estate.extend(self.sticky.as_ref().and_then(|sticky| sticky.bequest()));
        estate
    }

    /// The next master accepts from now on. Nothing is closed for those who are connected, and whatever waits in a backlog is in its hands.
    pub(in crate::master) fn leave(&mut self) {
        self.is_closing = true;
        for listener in self.by_key.values_mut() {
            // As one that somebody else listens on, too, which it is.
            listener.opened.is_inherited = true;
            listener.dealer.hurry();
            if let Some(acceptor) = &listener.acceptor {
                acceptor.set_wanted(false);
            }
            listener.slots.leave();
            if let Some(name) = &mut listener.opened.bound_path {
                name.leave();
            }
        }
        if let Some(sticky) = &mut self.sticky {
            sticky.leave();
        }
    }

    /// This master accepts from now on.
    pub(in crate::master) fn take_over(&mut self) {
        self.heirlooms.are_held = false;
        for listener in self.by_key.values_mut() {
            if let Some(name) = &mut listener.opened.bound_path {
                name.take_over();
            }
        }
    }

    /// A listener on what the master before this one has left; none where it has left nothing by this key.
    pub(super) fn adopt(&mut self, key: &str, query: &QueryServer, are_own: bool) -> Option<Result<Listener, i32>> {
        let mut bequest = self.heirlooms.take(key)?;
        let adopted = if bequest.slots.is_empty() {
            self.adopt_single(key, &mut bequest)
        } else {
            self.adopt_slots(key, &mut bequest, are_own)
        };
        Some(adopted.map(|listener| Listener { is_first: query.index == 0, data: bequest.data, ..listener }))
    }

    fn adopt_single(&mut self, key: &str, bequest: &mut Bequest) -> Result<Listener, i32> {
        let mut opened = heirlooms::opened(bequest).ok_or(-crate::sys::INVALID_ARGUMENT)?;
        if let Some(name) = opened.bound_path.as_mut().filter(|_| !self.heirlooms.are_held) {
            name.take_over();
        }
        let acceptor = (opened.kind == SocketKind::Stream).then(|| {
            let socket = std::os::fd::AsFd::as_fd(&opened.socket);
            Acceptor::start(Door::Workers(key.to_owned()), socket, &self.happenings)
        });
        let acceptor = acceptor.transpose().map_err(|error| -error.raw_os_error().unwrap_or_default())?;
        Ok(Listener { acceptor, is_adopted_single: true, ..self.listener(opened) })
    }

    fn adopt_slots(&mut self, key: &str, bequest: &mut Bequest, are_own: bool) -> Result<Listener, i32> {
        let sockets = std::mem::take(&mut bequest.descriptors);
        // What the first one is, all are.
        bequest.descriptors = sockets.first().and_then(|first| first.try_clone().ok()).into_iter().collect();
        let mut opened = heirlooms::opened(bequest).ok_or(-crate::sys::INVALID_ARGUMENT)?;
        opened.socket = nothing()?;
        let slots = SlotSockets::adopt(&bequest.slots, sockets, are_own, key, &self.happenings)?;
        Ok(Listener { slots, ..self.listener(opened) })
    }

    /// True where one socket is shared by all workers on this key, so that none can have its own beside it.
    pub(super) fn is_shared(&self, key: &str) -> bool {
        self.heirlooms.is_single(key) || self.by_key.get(key).is_some_and(|listener| listener.is_adopted_single)
    }
}
