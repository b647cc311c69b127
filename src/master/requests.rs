//! What workers ask of their primary by Node's cluster protocol, turned into events and into orders to the listening sockets.

use tracing::debug;

use super::listeners::{Handover, OwnAddress};
use super::shell::Shell;
use crate::message::address::{Generation, Occupant};
use crate::supervisor::{Event, ListeningAddress};
use crate::sys::socket::AddressType;
use crate::transport::channel::Outgoing;
use crate::transport::channel::node_protocol::{self, Pace, PrimaryRequest};
use crate::transport::switchboard::layout::{Peer, Place};

impl Shell {
    /// What a worker sent to another by the channel has come before this: from now on it sends by the switchboard.
    fn pass_fence(&mut self, who: Occupant, receiver: Peer) {
        if let (Some(sender), Some(receiver)) = (self.switchboard.peer(who), self.switchboard.occupant(receiver)) {
            self.push_own(receiver, Outgoing::new(node_protocol::fence(sender.place.0, sender.generation.0)));
        }
    }

    /// A worker's channel has been read to its end, so whatever it sent by the switchboard may be read: it may have gone before the fence
    /// that it sent for that was passed on, or before it could send one. Those that it sent to hear of its end by another way, and wait for this.
    pub(super) fn pass_last_fences(&mut self, who: Occupant) {
        let Some(sender) = self.switchboard.peer(who) else { return };
        for other in self.switchboard.others(who) {
            if let Some(running) = self.running.get(&other).filter(|running| running.has_channel) {
                // One that takes nothing any more needs no fence.
                let _ = running.push_own(Outgoing::new(node_protocol::fence(sender.place.0, sender.generation.0)));
            }
        }
    }

    /// A request of Node's cluster protocol.
    pub(super) fn note_request(&mut self, who: Occupant, request: PrimaryRequest) {
        match request {
            PrimaryRequest::Online => self.feed(Event::WorkerOnline { who }),
            PrimaryRequest::QueryServer(query) => self.note_query(who, query),
            PrimaryRequest::Listening { address, port, address_type, .. } => {
                if let Some(address_type) = stream_type(address_type) {
                    let address = ListeningAddress { address_type, address, port };
                    self.feed(Event::WorkerListening { who, address });
                }
            }
            PrimaryRequest::Close { key } => {
                let own = OwnAddress { port: self.supervisor.workers_port(), shown: self.supervisor.view().address };
                self.listeners.close(who, &key, &own);
            }
            PrimaryRequest::ExitedAfterDisconnect { seq } => {
                self.feed(Event::DisconnectAnnounced { who });
                self.push_own(who, Outgoing::new(node_protocol::exited_after_disconnect_ack(seq)));
            }
            PrimaryRequest::Fence { place, generation } => {
                let receiver = Peer { place: Place(place), generation: Generation(generation) };
                self.pass_fence(who, receiver);
            }
            PrimaryRequest::Drain => {
                // What has been dealt to it is in its channel already, and so comes before the answer.
                self.deal_connections();
                self.listeners.retire(who);
            }
            PrimaryRequest::NewConnectionReply { ack, accepted } => self.listeners.note_answer(who, ack, accepted),
            PrimaryRequest::Unknown { act } => debug!("[master] unknown act {act:?} of Node's cluster protocol"),
        }
    }

    /// Hands over what can be handed over, and tells those that leave when that was all. A connection whose worker cannot be
    /// written to is dealt again.
    pub(super) fn deal_connections(&mut self) {
        loop {
            let handovers = self.listeners.poll_handovers();
            if handovers.is_empty() {
                break;
            }
            for Handover { who, outgoing, sent } in handovers {
                if self.push_own(who, outgoing) {
                    self.listeners.note_sent(who, sent);
                    self.watch.expect_work(who);
                } else {
                    self.listeners.forget_worker(who);
                }
            }
        }
        for who in self.listeners.lanes.take_fed() {
            self.watch.expect_work(who);
        }
        for who in self.listeners.take_retired() {
            let pace = if self.supervisor.has_leisure(who) { Pace::Leisurely } else { Pace::Swift };
            self.push_own(who, Outgoing::new(node_protocol::drained(pace)));
            if pace == Pace::Leisurely {
                self.leisurely.insert(who);
            }
        }
    }

    /// A stop has begun, which waits for all who leave: those that were told that they may take their time are told that it is over.
    pub(super) fn end_leisure(&mut self) {
        for who in std::mem::take(&mut self.leisurely) {
            if !self.supervisor.has_leisure(who) {
                self.push_own(who, Outgoing::new(node_protocol::drained(Pace::Swift)));
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
