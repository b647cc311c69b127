//! The shell's half of threads mode: which thread sits where, what is heard of it, and whom its messages are for.

use std::collections::HashMap;

use bytes::Bytes;
use tracing::{error, warn};

use super::child_thread::{ChildThread, ThreadKey, ThreadNews, Ticket, ask_for, relay, relay_and_keep};
use super::children::{Body, Running};
use super::early::Kept;
use super::shell::Shell;
use crate::message::address::{Occupant, Origin, Target, WorkerId};
use crate::message::envelope::Envelope;
use crate::router::{Delivery, route};
use crate::slot::Exit;
use crate::supervisor::{Event, ListeningAddress};

/// The threads that were asked for and have not ended.
#[derive(Debug, Default)]
pub(super) struct Threads {
    last_key: u32,
    seated: HashMap<ThreadKey, (Occupant, WorkerId)>,
}

impl Threads {
    fn seat(&mut self, who: Occupant, number: WorkerId) -> ThreadKey {
        self.last_key += 1;
        let key = ThreadKey(self.last_key);
        self.seated.insert(key, (who, number));
        key
    }
}

impl Shell {
    pub(super) fn start_thread(&mut self, who: Occupant, number: WorkerId) {
        let key = self.threads.seat(who, number);
        ask_for(&self.sink, key, who.seat);
    }

    pub(super) fn note_thread(&mut self, news: ThreadNews) {
        match news {
            ThreadNews::Started { thread, id } => {
                let Some((who, number)) = self.threads.seated.get(&thread).copied() else { return };
                let body = Body::Thread(ChildThread::new(thread, id, self.sink.clone()));
                self.running.insert(who, Running::new(number, body));
                self.hand_over_early(who);
                self.feed(Event::Spawned { who, pid: id });
            }
            ThreadNews::NotStarted { thread, reason } => {
                let Some((who, number)) = self.threads.seated.remove(&thread) else { return };
                let kind = who.seat.log_name();
                error!("[master] {kind}#{number} could not be started: {reason}");
                self.feed(Event::SpawnFailed { who });
            }
            ThreadNews::Said { thread, ticket, header } => self.relay_message(thread, ticket, header.into()),
            ThreadNews::Exited { thread, code } => {
                if let Some((who, _)) = self.threads.seated.remove(&thread) {
                    self.listeners.forget_worker(who);
                    self.bury(who, Exit::Code(code));
                }
            }
        }
    }

    /// Answers whom a message is for. The message itself stays in JavaScript: it is cloned there as `postMessage` does it.
    fn relay_message(&mut self, thread: ThreadKey, ticket: Ticket, header: Bytes) {
        // Answered in any case: JavaScript keeps the message until then.
        let Some((who, _)) = self.threads.seated.get(&thread).copied() else {
            return relay(&self.sink, ticket, Origin::App, None, &[]);
        };
        let origin = Self::origin_of(who);
        let (to, receivers) = match Envelope::parse(&header) {
            Ok(envelope)
                if self.is_early(&envelope, origin)
                    && self.keep_early(Kept::Ticket(ticket), Some(who), origin, envelope.action()) =>
            {
                let apps: Vec<Occupant> = self.roster().apps.iter().map(|(app, _)| *app).collect();
                return relay_and_keep(&self.sink, ticket, origin, &self.keys_of(&apps));
            }
            Ok(envelope) => match route(&envelope, origin, &self.roster()) {
                Delivery::Workers { receivers, to } => (Some(to), self.keys_of(&receivers)),
                Delivery::Parent => (Some(Target::Parent), Vec::new()),
                Delivery::Master if self.note_own_action(Some(who), &envelope) => (None, Vec::new()),
                Delivery::Master => (Some(Target::Master), Vec::new()),
                Delivery::NoReceiver => (None, Vec::new()),
            },
            Err(error) => {
                warn!("[master] a message from {} was ignored: {error}", origin.as_str());
                (None, Vec::new())
            }
        };
        relay(&self.sink, ticket, origin, to, &receivers);
    }

    fn keys_of(&self, receivers: &[Occupant]) -> Vec<ThreadKey> {
        receivers.iter().filter_map(|who| self.running.get(who)?.thread()).collect()
    }
}

/// Where an app thread says that it listens; none where it does not say.
pub(super) fn listening_address(data: &serde_json::Value) -> Option<ListeningAddress> {
    let address_type = i32::try_from(data["addressType"].as_i64()?).ok()?;
    let port = data["port"].as_i64()?;
    // The wildcard is no address that anybody could be sent to.
    let address = data["address"].as_str().filter(|address| !matches!(*address, "" | "::" | "0.0.0.0"));
    Some(ListeningAddress { address_type, address: address.map(ToOwned::to_owned), port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_wildcard_is_no_address() {
        for address in ["::", "0.0.0.0", ""] {
            let heard = listening_address(&json!({ "address": address, "addressType": 6, "port": 7001 }));
            assert_eq!(heard, Some(ListeningAddress { address_type: 6, address: None, port: 7001 }));
        }
    }

    #[test]
    fn a_socket_in_the_file_system_keeps_its_path() {
        let heard = listening_address(&json!({ "address": "/run/app.sock", "addressType": -1, "port": -1 }));
        assert!(heard.is_some_and(|address| address.is_unix() && address.address.as_deref() == Some("/run/app.sock")));
    }

    #[test]
    fn what_is_no_address_starts_nothing() {
        for data in [json!(null), json!("x"), json!({ "port": 1 }), json!({ "addressType": 4, "port": "1" })] {
            assert_eq!(listening_address(&data), None, "{data}");
        }
    }
}
