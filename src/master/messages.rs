//! What workers, the parent and the master say: told apart, and routed by header without touching the payload.

use bytes::Bytes;
use serde_json::json;
use tracing::{debug, warn};

use super::child_thread::{forget, replay};
use super::children::{Push, Running};
use super::early::Kept;
use super::shell::Shell;
use super::threads::listening_address;
use crate::message::address::{Occupant, Origin, Target};
use crate::message::envelope::{Envelope, EnvelopeError};
use crate::router::{Delivery, class_of, route};
use crate::supervisor::Event;
use crate::sys::pulse::Text;
use crate::transport::channel::node_protocol::{self, Incoming};
use crate::transport::channel::{Frame, Outgoing};

/// How Node's own messages begin; users' messages that look alike elsewhere are told apart by the envelope.
const INTERNAL_PREFIX: &[u8] = b"{\"cmd\":\"NODE_";

/// What a process tells of what it dropped; `lib/messenger/protocol.js` has the same.
const DROPPED: &str = "egg-clutch:dropped";

/// So many dropped messages are told by an event each.
const DROPS_TOLD_ONE_BY_ONE: u64 = 64;
/// Of more, one event tells of so many: a worker that stands still must not flood JavaScript.
const DROPS_AN_EVENT: u64 = 1024;

impl Shell {
    pub(super) fn note_frame(&mut self, who: Occupant, frame: Frame) {
        if !self.running.get(&who).is_some_and(|running| running.has_channel) {
            return;
        }
        let Frame { line, descriptor } = frame;
        if !line.starts_with(INTERNAL_PREFIX) {
            // A descriptor only ever comes with an internal message; the channel has refused any other.
            return self.route_text(Self::origin_of(who), Some(who), line);
        }
        match node_protocol::parse(&line) {
            Ok(Incoming::Cluster(request)) => self.note_request(who, request),
            Ok(Incoming::WithHandle { message, .. }) => {
                // As in egg-cluster the message goes on and the handle ends here. So it is no loss when it did not arrive
                // (we may be out of descriptors), and asking again would lose the message: Node repeats only those with
                // a net.Socket. The sender holds back everything else until it hears of this one.
                drop(descriptor);
                let message = Bytes::copy_from_slice(message.get().as_bytes());
                self.push_own(who, Outgoing::new(node_protocol::handle_ack()));
                self.route_text(Self::origin_of(who), Some(who), message);
            }
            Ok(Incoming::HandleAck) => self.listeners.note_arrived(who),
            Ok(Incoming::HandleNack) => {
                if let Some(answer) = self.listeners.note_not_arrived(who) {
                    self.push_own(who, answer);
                }
            }
            Ok(Incoming::Message(_) | Incoming::OtherInternal) => {}
            Err(error) => self.drop_worker(who, &super::chain(&error)),
        }
    }

    /// Routes one message, given as its JSON text; `who` is the worker that sent it.
    pub(super) fn route_text(&mut self, origin: Origin, who: Option<Occupant>, text: Bytes) {
        let envelope = match Envelope::parse(&text) {
            Ok(envelope) => envelope,
            Err(error @ EnvelopeError::WrongType { .. }) => {
                return warn!("[master] a message from {} was ignored: {error}", origin.as_str());
            }
            Err(error) => {
                return match who {
                    Some(who) => self.drop_worker(who, &error.to_string()),
                    None => warn!("[master] a message from {} was ignored: {error}", origin.as_str()),
                };
            }
        };
        if envelope.is_internal() {
            return;
        }
        if self.is_early(&envelope, origin) {
            self.keep_early(Kept::Frame(envelope.frame(origin, Target::Apps)), who, origin, envelope.action());
        }
        match route(&envelope, origin, &self.roster()) {
            Delivery::Workers { receivers, to } => {
                let frame = envelope.frame(origin, to);
                for receiver in receivers {
                    if self.push(receiver, &frame) == Push::Refused {
                        self.tell_dropped(who, origin, receiver, envelope.action());
                    }
                }
            }
            Delivery::Parent => {
                let [head, tail] = envelope.frame(origin, crate::message::address::Target::Parent);
                self.give_to_parent(&[&head[..], &tail[..]].concat());
            }
            Delivery::Master if self.note_own_action(who, &envelope) => {}
            Delivery::Master => {
                let [head, tail] = envelope.frame(origin, crate::message::address::Target::Master);
                self.give_to_javascript("message", &[&head[..], &tail[..]].concat());
            }
            Delivery::NoReceiver => {
                debug!("[master] nobody receives {:?} from {}", envelope.action(), origin.as_str());
            }
        }
    }

    /// What a process could not send any more it has left on its page: its channel may have been closed before, or full.
    pub(super) fn hear_last_report(&self, who: Occupant) {
        let Some(text) = self.watch.life(who).and_then(|life| life.pulse.text(Text::Dropped)) else { return };
        let text = Bytes::from(text);
        match Envelope::parse(&text) {
            Ok(envelope) if envelope.action() == Some(DROPPED) => self.give_to_javascript("message", &text),
            _ => warn!(
                "[master] what worker {} left on its page about messages that it dropped is no report",
                who.seat.log_name()
            ),
        }
    }

    /// Takes in what the layer says to itself. Answers whether this is such a message.
    pub(super) fn note_own_action(&mut self, who: Option<Occupant>, envelope: &Envelope) -> bool {
        let data = || -> serde_json::Value {
            envelope.data().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default()
        };
        match envelope.action() {
            Some("agent-start") => {
                if let Some(who) = who.filter(|who| who.is_agent()) {
                    self.feed(Event::AgentStarted { who });
                }
            }
            Some("realport") => {
                let told = data();
                let port = told["port"].as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
                let protocol = told["protocol"].as_str().map(ToOwned::to_owned);
                if let (Some(who), Some(port), Some(true)) = (who, port, told["reusePort"].as_bool()) {
                    self.listeners.note_own_socket_wanted(who, port);
                }
                let address = told["hostname"].as_str().map(ToOwned::to_owned);
                self.feed(Event::RealPortTold { port, protocol, address });
            }
            Some("reload-worker") => self.feed(Event::ReloadAsked { agent: None, ticket: None }),
            // A process says it by Node's cluster protocol.
            Some("listening") if self.config.threads => {
                if let Some((who, address)) = who.zip(listening_address(&data())) {
                    self.feed(Event::WorkerListening { who, address });
                }
            }
            _ => return false,
        }
        true
    }

    /// Sends a frame of Node's own protocol. Answers whether the worker can still be written to.
    pub(super) fn push_own(&mut self, who: Occupant, outgoing: Outgoing) -> bool {
        let Some(running) = self.running.get(&who).filter(|running| running.has_channel) else { return false };
        let push = running.push_own(outgoing);
        if push == Push::Refused {
            self.drop_worker(who, "it asks and asks, and does not read the answers");
        }
        push == Push::Taken
    }

    /// Sends one frame to a worker. What its full queue refuses is counted and said, never lost in silence.
    pub(super) fn push(&mut self, who: Occupant, frame: &[Bytes; 2]) -> Push {
        let Some(running) = self.running.get(&who).filter(|running| running.has_channel) else { return Push::Closed };
        let push = running.push(frame);
        if push != Push::Taken {
            self.dropped_messages += 1;
            let (pid, dropped) = (running.pid(), self.dropped_messages);
            // One line for the first and then for every power of two: a worker that stands still must not fill the disk.
            if dropped.is_power_of_two() {
                warn!("[master] worker {pid} does not read its messages, its queue is full ({dropped} dropped so far)");
            }
        }
        push
    }

    /// Whether apps that are started later are to get this message, too.
    pub(super) fn is_early(&self, envelope: &Envelope, origin: Origin) -> bool {
        self.early.is_due() && class_of(envelope, origin) == Some(Target::Apps)
    }

    /// Keeps a message for them. Answers whether there was room.
    pub(super) fn keep_early(
        &mut self,
        message: Kept,
        who: Option<Occupant>,
        origin: Origin,
        action: Option<&str>,
    ) -> bool {
        if self.early.keep(message) {
            return true;
        }
        self.dropped_messages += 1;
        let event = self.dropped_event("not-started", (who, origin), None, action);
        let given_up = self.early.give_up(event);
        if given_up.is_power_of_two() {
            warn!("[master] a message to apps that have not been started was given up ({given_up} so far)");
        }
        false
    }

    /// Gives an app that has just been started what was sent to all of them before.
    pub(super) fn hand_over_early(&mut self, who: Occupant) {
        if who.is_agent() {
            return;
        }
        for message in self.early.all() {
            match message {
                Kept::Frame(frame) => drop(self.push(who, &frame)),
                Kept::Ticket(ticket) => {
                    if let Some(thread) = self.running.get(&who).and_then(Running::thread) {
                        replay(&self.sink, ticket, thread);
                    }
                }
            }
        }
    }

    /// The cluster is ready, and JavaScript knows it: nobody is waited for any more, and what was given up is told.
    pub(super) fn end_early(&mut self) {
        for message in self.early.all() {
            if let Kept::Ticket(ticket) = message {
                forget(&self.sink, ticket);
            }
        }
        if let Some(event) = self.early.end() {
            self.announce(&event);
        }
    }

    /// Tells JavaScript of a message that was just dropped. Of many, one event speaks for those before it.
    fn tell_dropped(&mut self, sender: Option<Occupant>, origin: Origin, receiver: Occupant, action: Option<&str>) {
        self.untold_drops += 1;
        if self.dropped_messages > DROPS_TOLD_ONE_BY_ONE && !self.dropped_messages.is_multiple_of(DROPS_AN_EVENT) {
            return;
        }
        let mut event = self.dropped_event("queue-full", (sender, origin), Some(receiver), action);
        event["count"] = json!(std::mem::take(&mut self.untold_drops));
        self.announce(&event);
    }

    fn dropped_event(
        &self,
        reason: &str,
        (sender, origin): (Option<Occupant>, Origin),
        receiver: Option<Occupant>,
        action: Option<&str>,
    ) -> serde_json::Value {
        let pid_of = |who: Occupant| self.running.get(&who).map(Running::pid);
        json!({
            "type": "message-dropped", "reason": reason, "action": action,
            "from": { "role": origin.as_str(), "pid": sender.and_then(pid_of) },
            "to": { "role": receiver.map_or(Origin::App, Self::origin_of).as_str(), "pid": receiver.and_then(pid_of) },
        })
    }

    pub(super) fn give_to_parent(&self, message: &[u8]) {
        self.give_to_javascript("parent", message);
    }

    fn give_to_javascript(&self, kind: &str, message: &[u8]) {
        let message = String::from_utf8_lossy(message);
        (self.sink)(format!(r#"{{"type":"{kind}","message":{}}}"#, message.trim_end()));
    }

    /// A worker that sends what the protocol forbids cannot be understood any more.
    pub(super) fn drop_worker(&mut self, who: Occupant, reason: &str) {
        let Some(running) = self.running.get_mut(&who) else { return };
        running.close();
        let kind = who.seat.log_name();
        let (number, pid) = (running.number, running.pid());
        tracing::error!("[master] {kind}#{number}:{pid} is dropped: {reason}");
        self.listeners.give_up_on_worker(who);
        self.feed(Event::ProtocolViolated { who });
    }
}
