//! [`route`]: one envelope, one roster, the list of receivers.

use crate::message::address::{Occupant, Origin, Target};
use crate::message::envelope::{Envelope, Receiver};

/// Who can be reached right now.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// The master's own pid.
    pub master_pid: u32,
    /// The current agent, while there is one.
    pub agent: Option<(Occupant, u32)>,
    /// Every app worker whose channel is open, in fork order.
    pub apps: Vec<(Occupant, u32)>,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Delivery {
    /// To these processes, `to` set as given.
    Workers {
        /// The receivers, in fork order.
        receivers: Vec<Occupant>,
        /// What the `to` field says on arrival.
        to: Target,
    },
    /// To the process that started the master.
    Parent,
    /// To the master.
    Master,
    /// Nobody is meant, or nobody of that name is there.
    NoReceiver,
}

/// Decides who receives a message that came from `origin`.
pub fn route(envelope: &Envelope, origin: Origin, roster: &Roster) -> Delivery {
    match envelope.receiver() {
        Some(Receiver::Pid(pid)) => by_pid(pid, roster),
        Some(Receiver::Nobody) => Delivery::NoReceiver,
        None => class_of(envelope, origin).map_or(Delivery::NoReceiver, |to| by_target(to, roster)),
    }
}

/// The class of receivers that a message is for; none where it names one of them, or nobody.
#[must_use]
pub fn class_of(envelope: &Envelope, origin: Origin) -> Option<Target> {
    match (envelope.receiver(), envelope.to()) {
        (Some(_), _) => None,
        (None, Some(word)) => Target::from_word(word),
        (None, None) => default_target(origin),
    }
}

fn default_target(origin: Origin) -> Option<Target> {
    match origin {
        Origin::Agent => Some(Target::Apps),
        Origin::App => Some(Target::Agent),
        Origin::Parent => Some(Target::Master),
        Origin::Master => None,
    }
}

fn by_pid(pid: &str, roster: &Roster) -> Delivery {
    // Compared as strings, so that "012" is not 12.
    let is = |candidate: u32| candidate.to_string() == pid;
    // On arrival `to` says what kind of process the pid turned out to be, as egg-cluster fills it in.
    if let Some((agent, _)) = roster.agent.filter(|(_, candidate)| is(*candidate)) {
        return Delivery::Workers { receivers: vec![agent], to: Target::Agent };
    }
    match roster.apps.iter().find(|(_, candidate)| is(*candidate)) {
        Some((app, _)) => Delivery::Workers { receivers: vec![*app], to: Target::Apps },
        // Last: ids of threads are small numbers, and so may be the pid of a master in a container.
        None if is(roster.master_pid) => Delivery::Master,
        None => Delivery::NoReceiver,
    }
}

fn by_target(to: Target, roster: &Roster) -> Delivery {
    let receivers: Vec<Occupant> = match to {
        Target::Apps => roster.apps.iter().map(|(occupant, _)| *occupant).collect(),
        Target::Agent => roster.agent.iter().map(|(occupant, _)| *occupant).collect(),
        Target::Parent => return Delivery::Parent,
        Target::Master => return Delivery::Master,
    };
    if receivers.is_empty() { Delivery::NoReceiver } else { Delivery::Workers { receivers, to } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::address::{Generation, Seat, SlotIndex};
    use bytes::Bytes;

    fn app(index: u32) -> Occupant {
        Occupant { seat: Seat::App(SlotIndex(index)), generation: Generation(1) }
    }

    const AGENT: Occupant = Occupant { seat: Seat::Agent, generation: Generation(1) };

    fn roster() -> Roster {
        Roster { master_pid: 10, agent: Some((AGENT, 20)), apps: vec![(app(0), 30), (app(1), 31)] }
    }

    fn routed(text: &str, origin: Origin, roster: &Roster) -> Delivery {
        route(&Envelope::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap(), origin, roster)
    }

    fn workers(receivers: &[Occupant], to: Target) -> Delivery {
        Delivery::Workers { receivers: receivers.to_vec(), to }
    }

    #[test]
    fn without_a_target_each_origin_has_its_own() {
        let message = r#"{"action":"a"}"#;
        assert_eq!(routed(message, Origin::Agent, &roster()), workers(&[app(0), app(1)], Target::Apps));
        assert_eq!(routed(message, Origin::App, &roster()), workers(&[AGENT], Target::Agent));
        assert_eq!(routed(message, Origin::Parent, &roster()), Delivery::Master);
    }

    #[test]
    fn a_message_is_for_a_class_unless_it_names_somebody() {
        let class = |text: &'static str, origin| class_of(&Envelope::parse(&Bytes::from(text)).unwrap(), origin);
        assert_eq!(class(r#"{"action":"a"}"#, Origin::Agent), Some(Target::Apps));
        assert_eq!(class(r#"{"action":"a","to":"agent"}"#, Origin::Agent), Some(Target::Agent));
        assert_eq!(class(r#"{"to":"app","receiverPid":"30"}"#, Origin::Agent), None);
        assert_eq!(class(r#"{"to":"nowhere"}"#, Origin::Agent), None);
    }

    #[test]
    fn a_named_pid_wins_over_to() {
        for (pid, expected) in [
            ("10", Delivery::Master),
            ("20", workers(&[AGENT], Target::Agent)),
            ("31", workers(&[app(1)], Target::Apps)),
            ("031", Delivery::NoReceiver),
            ("99", Delivery::NoReceiver),
        ] {
            let message = format!(r#"{{"to":"app","receiverPid":"{pid}"}}"#);
            assert_eq!(routed(&message, Origin::App, &roster()), expected, "{pid}");
        }
        assert_eq!(routed(r#"{"to":"app","receiverPid":30}"#, Origin::App, &roster()), Delivery::NoReceiver);
    }

    #[test]
    fn an_app_reaches_all_apps_itself_included() {
        assert_eq!(routed(r#"{"to":"app"}"#, Origin::App, &roster()), workers(&[app(0), app(1)], Target::Apps));
    }

    #[test]
    fn send_to_a_pid_while_the_agent_is_restarted_reaches_its_app() {
        let roster = Roster { agent: None, ..roster() };
        assert_eq!(routed(r#"{"receiverPid":"30"}"#, Origin::App, &roster), workers(&[app(0)], Target::Apps));
        assert_eq!(routed(r#"{"to":"agent"}"#, Origin::App, &roster), Delivery::NoReceiver);
    }

    #[test]
    fn an_unknown_target_is_dropped() {
        assert_eq!(routed(r#"{"to":"nowhere"}"#, Origin::Agent, &roster()), Delivery::NoReceiver);
        assert_eq!(routed(r#"{"to":"parent"}"#, Origin::Agent, &roster()), Delivery::Parent);
        assert_eq!(routed(r#"{"to":""}"#, Origin::Agent, &roster()), workers(&[app(0), app(1)], Target::Apps));
    }
}
