//! Start order: the agent first, then the apps (all at once, or as many at once as the machine can take), then ready. Until ready, any death
//! ends the master with code 1.

use std::time::Duration;

use super::event::ListeningAddress;
use super::{Effect, Notice, Phase, Report, Supervisor};
use crate::message::address::{Generation, Occupant, Seat, SlotIndex, WorkerId};
use crate::slot::{ClusterState, ProcessEvent, Role, Slot, SlotState, Transition};

impl Supervisor {
    pub(super) fn start(&mut self, now: Duration) {
        if self.phase == Phase::NotStarted {
            self.phase = Phase::AgentBooting;
            self.started_at = now;
            self.spawn(Seat::Agent, now);
        }
    }

    pub(super) fn note_spawned(&mut self, who: Occupant, pid: u32, now: Duration) {
        let overdue_at = (!self.is_stopping()).then_some(now + self.config.boot_timeout);
        let is_debug = self.config.is_debug;
        let Some(process) = self.process_mut(who).filter(|process| process.is_unforked()) else { return };
        process.pid = Some(pid);
        process.overdue_at = overdue_at;
        let (number, is_dismissed) = (process.number, process.is_dismissed);
        if who.is_agent() {
            self.report(Report::AgentForked { number, pid });
        } else {
            // The first one in a slot stands in nobody's place.
            if self.phase == Phase::Running && who.generation > Generation(1) {
                self.report(Report::AppRefilled { pid });
            }
            let current = self.apps_in_fork_order().iter().map(|process| process.number).collect();
            self.report(Report::AppForked { who, number, pid, current });
        }
        if is_debug {
            self.tell(Notice::InspectPortToParent { who, number, pid });
        }
        if is_dismissed {
            self.ask_to_leave(who, now);
        }
    }

    pub(super) fn note_spawn_failed(&mut self, who: Occupant, now: Duration) {
        let Some(process) = self.process_mut(who).filter(|process| process.is_unforked()) else { return };
        let _ = process.on(ProcessEvent::Exited);
        let number = process.number;
        match self.phase {
            Phase::AgentBooting | Phase::AppsBooting { .. } => self.fail_start(who, number, 0),
            Phase::Running if who.is_agent() => {
                self.abort_agent_turn(who, now);
                self.plan_agent_refill(who, now);
                self.note_boot_failure(who, None);
            }
            Phase::Running => {
                self.lose_seat(who, now);
                self.note_boot_failure(who, None);
            }
            Phase::NotStarted | Phase::StoppingApps | Phase::StoppingAgent | Phase::Ended => {}
        }
    }

    /// Before readiness any death is the end.
    pub(super) fn fail_start(&mut self, who: Occupant, number: WorkerId, pid: u32) {
        self.report(if who.is_agent() {
            Report::AgentStartFailed { number, pid }
        } else {
            Report::AppStartFailed { number, pid }
        });
        self.exit(1);
    }

    pub(super) fn note_online(&mut self, who: Occupant) {
        if let Some(process) = self.process_mut(who).filter(|process| process.cluster_state == ClusterState::None) {
            process.cluster_state = ClusterState::Online;
        }
    }

    pub(super) fn note_real_port(&mut self, port: Option<u16>, protocol: Option<String>, address: Option<String>) {
        self.is_port_told = true;
        if address.is_some() {
            self.sticky_address = address;
        }
        if port.is_some() {
            self.port = port;
        }
        if let Some(protocol) = protocol {
            self.protocol = protocol;
        }
    }

    pub(super) fn note_agent_started(&mut self, who: Occupant, now: Duration) {
        let Some(process) = self.process_mut(who) else { return };
        let Transition::To(SlotState::Ready) = process.on(ProcessEvent::BecameReady) else { return };
        process.ready_at = Some(now);
        process.overdue_at = None;
        let (number, started_at) = (process.number, process.started_at);
        let Some(pid) = process.pid else { return };
        if self.phase == Phase::Running {
            self.tell(Notice::ReadyToAgent);
        }
        self.tell(Notice::AgentPidToApps(Some(pid)));
        if self.phase == Phase::Running {
            self.tell_app_pids();
        }
        self.tell(Notice::AgentStartToApps);
        self.report(Report::AgentStarted { number, pid, took: now.saturating_sub(started_at) });
        self.end_agent_turn(now);
        if self.phase == Phase::AgentBooting {
            self.phase = Phase::AppsBooting { since: now };
            self.apps_started_at = now;
            self.report(Report::AppsStarting);
            self.boot_more_apps(now);
        }
    }

    /// Until all are there, no app is forked twice: the number of forks is the next slot's.
    fn boot_more_apps(&mut self, now: Duration) {
        let ends_at = self.serving_apps().saturating_add(self.config.boots_at_once.max(1)).min(self.config.workers);
        for index in self.apps_forked..ends_at {
            self.spawn(Seat::App(SlotIndex(index)), now);
        }
    }

    pub(super) fn note_listening(&mut self, who: Occupant, address: &ListeningAddress, now: Duration) {
        let is_ours = self.is_own(address);
        let Some(process) = self.process_mut(who).filter(|process| process.is_attached()) else { return };
        process.cluster_state = ClusterState::Listening;
        let (number, pid) = (process.number, process.pid.unwrap_or_default());
        self.report(Report::AppListening { number, pid, address: address.clone() });
        if !is_ours || who.is_agent() {
            return;
        }
        let is_spare = self.slot(who.seat).is_some_and(|slot| slot.role == Role::Spare);
        let Some(process) = self.process_mut(who) else { return };
        // A second server on the same port is no second start.
        let Transition::To(SlotState::Ready) = process.on(ProcessEvent::BecameReady) else { return };
        process.ready_at = Some(now);
        process.overdue_at = None;
        process.port = address.port;
        process.is_spare = is_spare;
        if is_spare {
            self.report(Report::SpareReady { who, number, pid });
            self.retire_predecessors(who, now);
            return;
        }
        if who.seat == Seat::App(SlotIndex(0)) {
            self.first_slot_address = Some(address.clone());
        }
        self.note_app_started(who, now);
        if self.phase == Phase::Running {
            self.retire_predecessors(who, now);
        }
    }

    /// Other servers inside an app do not count. Where no port is configured, none counts before the app has told its own;
    /// one that told none lets the kernel choose.
    fn is_own(&self, address: &ListeningAddress) -> bool {
        match self.workers_port() {
            _ if address.is_unix() => self.config.sticky_worker_port.is_none(),
            _ if !self.config.shares_sockets => true,
            Some(own) => i64::from(own) == address.port,
            None => self.is_port_told,
        }
    }

    /// An app is in service from now on.
    pub(super) fn note_app_started(&mut self, who: Occupant, now: Duration) {
        let facts = self.process(who).and_then(|process| Some((process.number, process.pid?, process.port)));
        let Some((number, pid, port)) = facts else { return };
        if let Some(slot) = self.slot_mut(who.seat) {
            slot.is_new = false;
        }
        self.tell_app_pids();
        if self.config.announce_agent_pid
            && let Some(agent) = self.agent.occupant.as_ref().filter(|agent| agent.state() == SlotState::Ready)
            && let Some(agent) = agent.pid
        {
            self.tell(Notice::AgentPidToApp { who, app: pid, agent });
        }
        let remain = match self.phase {
            Phase::AppsBooting { .. } => self.config.workers - self.serving_apps(),
            _ => 0,
        };
        let took = now.saturating_sub(self.apps_started_at);
        self.report(Report::AppStarted { who, number, pid, port, remain, took });
        match self.phase {
            Phase::AppsBooting { .. } if remain == 0 => self.open_up(now),
            Phase::AppsBooting { .. } => self.boot_more_apps(now),
            Phase::Running => self.tell(Notice::ReadyToApps),
            _ => {}
        }
    }

    /// All apps serve. The first slot's address is the cluster's, whoever was the last to listen. In sticky mode nobody can reach
    /// them before the master has opened the port.
    fn open_up(&mut self, now: Duration) {
        if self.config.sticky_worker_port.is_some() {
            let effect = Effect::OpenStickyPort { port: self.port, address: self.sticky_address.clone() };
            self.effects.push_back(effect);
        } else if let Some(address) = self.first_slot_address.clone() {
            self.become_ready(&address, now);
        }
    }

    pub(super) fn note_sticky_port(&mut self, address: &ListeningAddress, now: Duration) {
        // An app that was lost while the port was opened is the end of this start as of any other.
        if matches!(self.phase, Phase::AppsBooting { .. }) && self.serving_apps() == self.config.workers {
            self.become_ready(address, now);
        }
    }

    pub(super) fn note_no_sticky_port(&mut self) {
        if matches!(self.phase, Phase::AppsBooting { .. }) {
            self.exit(1);
        }
    }

    pub(super) fn become_ready(&mut self, address: &ListeningAddress, now: Duration) {
        if !self.has_taken_over {
            self.address_to_show = Some(address.clone());
            return self.effects.push_back(Effect::TakeOver);
        }
        let shown = self.shown_address(address);
        let port = if address.is_unix() { self.port.map(i64::from) } else { Some(address.port) };
        self.phase = Phase::Running;
        self.address = Some(shown.clone());
        let protocol = self.protocol.clone();
        let took = now.saturating_sub(self.started_at);
        self.report(Report::Ready { address: shown.clone(), took });
        self.tell(Notice::ReadyToParent { port, address: shown, protocol });
        self.tell(Notice::ReadyToApps);
        self.tell(Notice::ReadyToAgent);
        if self.config.checks_health {
            self.capacity_looks.begin(now);
        }
        // Only now: they must not take from those that are waited for.
        let spares: Vec<Seat> = self.apps.iter().filter(|slot| slot.role == Role::Spare).map(Slot::seat).collect();
        for seat in spares {
            self.spawn(seat, now);
        }
    }

    fn shown_address(&self, address: &ListeningAddress) -> String {
        if address.is_unix() {
            return address.address.clone().unwrap_or_default();
        }
        let host = address.address.as_deref().filter(|host| !host.is_empty()).unwrap_or(&self.config.shown_host);
        // An address of IPv6 has colons itself (RFC 3986, 3.2.2).
        let (open, close) = if host.contains(':') && !host.starts_with('[') { ("[", "]") } else { ("", "") };
        format!("{}://{open}{host}{close}:{}", self.protocol, address.port)
    }

    /// `egg-pids` for the agent: the pids of the apps in service, in fork order.
    pub(super) fn tell_app_pids(&mut self) {
        let pids = self
            .apps_in_fork_order()
            .iter()
            .filter(|process| process.cluster_state == ClusterState::Listening && process.ready_at.is_some())
            .filter(|process| !process.is_spare)
            .filter_map(|process| process.pid)
            .collect();
        self.tell(Notice::AppPidsToAgent(pids));
    }
}
