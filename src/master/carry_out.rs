//! From the supervisor's wishes to system calls and messages; results go back as events.

use bytes::Bytes;
use serde_json::json;
use tracing::error;

use super::shell::Shell;
use super::{child_process, reports, service_reports, thread_reports};
use crate::message::address::{Occupant, Target};
use crate::slot::Duty;
use crate::supervisor::{Answer, Effect, Event, Notice, Report, RequestId};
use crate::sys::service_manager::Notification;

impl Shell {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { who, number } if self.config.threads => self.start_thread(who, number),
            Effect::Spawn { who, number } => self.fork(who, number),
            Effect::Terminate { who } => self.terminate(who),
            Effect::KillDescendants { who } => self.kill_descendants(who),
            Effect::Kill { who } => {
                self.kill_descendants(who);
                self.watch.note_killed(who);
                if let Some(running) = self.running.get(&who) {
                    running.kill();
                }
            }
            Effect::OpenStickyPort { port, address } => self.open_sticky_port(port, address),
            Effect::Bar { who } => self.listeners.bar(who),
            Effect::Admit { who } => self.admit(who),
            Effect::Place { slot, place } => self.listeners.set_place(slot, place),
            Effect::SpawnHeir => self.spawn_heir(),
            Effect::LetHeirTakeOver => self.let_heir_take_over(),
            Effect::KillHeir => self.kill_heir(),
            Effect::TerminateHeir => self.terminate_heir(),
            Effect::Bequeath { heir } => self.bequeath(heir),
            Effect::Keep => self.keep(),
            Effect::TakeOver => self.ask_predecessor(),
            Effect::Answer { ticket, answer } => self.answer(ticket, &answer),
            Effect::Tell(notice) => self.tell(notice),
            Effect::Report(report) => self.report(&report),
            Effect::Exit { code } => self.end(code),
        }
    }

    /// Whoever asked is answered.
    pub(super) fn answer(&mut self, ticket: RequestId, answer: &Answer) {
        let death = self.death_of_refused(answer).cloned();
        if !self.desk.settle(ticket, answer, death.as_ref()) {
            (self.sink)(service_reports::answer(ticket, answer, death.as_ref()));
        }
    }

    /// Tells JavaScript and those who listen at the control socket what has happened.
    pub(super) fn announce(&self, event: &serde_json::Value) {
        let text = event.to_string();
        if let Some(kind) = event["type"].as_str() {
            self.control.hub.publish(kind, &text);
        }
        (self.sink)(text);
    }

    fn terminate(&mut self, who: Occupant) {
        let Some(running) = self.running.get(&who) else { return };
        match running.terminate(who, &self.happenings) {
            Some(tree) => {
                self.trees.insert(who, tree);
            }
            None => {
                thread_reports::log_termination(who, running.number, &self.config);
                self.handle_now(Event::TreeGone { who });
            }
        }
    }

    fn kill_descendants(&self, who: Occupant) {
        if let Some(tree) = self.trees.get(&who) {
            tree.kill();
        }
        if let Some(running) = self.running.get(&who) {
            running.kill_descendants();
        }
    }

    fn open_sticky_port(&mut self, port: Option<u16>, address: Option<String>) {
        let event = match self.listeners.open_sticky_port(port, address) {
            Ok(address) => Event::StickyPortOpened { address },
            Err(reason) => {
                error!("[master] the sticky port could not be opened: {reason}, exiting with code:1");
                Event::StickyPortFailed
            }
        };
        self.handle_now(event);
    }

    fn report(&mut self, report: &Report) {
        if matches!(report, Report::AppRefilled { .. }) {
            self.reforks += 1;
        }
        self.phases.begin(report);
        self.span_around(report).in_scope(|| reports::log(report, &self.config, self.reforks));
        self.phases.end(report);
        match report {
            Report::StopStarted { .. } => {
                self.log_stop_lines();
                self.end_leisure();
                self.listeners.stop_accepting();
                // The service goes on where there is an heir.
                if !self.supervisor.has_heir() {
                    self.notify(Notification::Stopping);
                }
            }
            Report::StopDone => self.listeners.close_all(),
            Report::Ready { .. } => {
                self.settle_estate();
                // It was ready before where this master has come by it.
                if !self.supervisor.is_heir() {
                    self.notify(Notification::Ready);
                }
            }
            Report::AppStarted { pid, took, .. } | Report::AgentStarted { pid, took, .. } => {
                self.watch.note_booted(*pid, *took);
                self.watch.wake();
            }
            _ => {}
        }
        let cause = match report {
            Report::AppExited { who, exit, reason, .. } => self.note_death(*who, *exit, *reason),
            Report::AgentDied { number, exit, reason, .. }
            | Report::AgentRetired { number, exit, reason, .. }
            | Report::AgentLeft { number, exit, reason, .. } => {
                let agent = self.running.iter().find(|(who, running)| who.is_agent() && running.number == *number);
                agent.map(|(who, _)| *who).and_then(|who| self.note_death(who, *exit, *reason))
            }
            _ => None,
        };
        if let Some(mut event) = reports::event(report) {
            if cause.is_some() {
                event["cause"] = json!(cause);
            }
            self.announce(&event);
        }
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::ReadyToParent { port, address, protocol } => {
                let data = json!({
                    "port": port, "debugPort": self.config.debug_port, "address": address, "protocol": protocol,
                });
                let message = layer_message("egg-ready", "master", Target::Parent, Some(&without_nulls(data)));
                // One event for both: what the parent answers at once must find the caller of startCluster listening, and what
                // that caller sends to the parent must come behind this message.
                let message = String::from_utf8_lossy(&message);
                let address = json!(address);
                (self.sink)(format!(r#"{{"type":"ready","address":{address},"toParent":{message}}}"#));
                self.end_early();
            }
            Notice::ReadyToApps => self.tell_apps_in_service("egg-ready", &self.config.options_json.clone()),
            Notice::ReadyToAgent => self.tell_agent("egg-ready", &self.config.options_json.clone()),
            Notice::AppPidsToAgent(pids) => self.tell_agent("egg-pids", &json!(pids).to_string()),
            Notice::AgentPidToApps(pid) => {
                self.tell_apps("egg-pids", Some(&json!(pid.into_iter().collect::<Vec<_>>()).to_string()));
            }
            Notice::AgentPidToApp { who, app, agent } => {
                let text = json!({
                    "action": "egg-pids", "data": [agent], "from": "master", "to": "app",
                    "receiverPid": app.to_string(), "receiverWorkerId": app.to_string(),
                });
                let _ = self.push(who, &[Bytes::from(format!("{text}\n")), Bytes::new()]);
            }
            Notice::AgentStartToApps => self.tell_apps("agent-start", None),
            Notice::AgentDiedToParent => self.tell_parent("agent-worker-died", "master", None),
            Notice::UpgradedToParent { pid } => {
                self.tell_parent("egg-upgraded", "master", Some(&json!({ "pid": pid }).to_string()));
            }
            Notice::AppDiedToParent => self.tell_parent("app-worker-died", "master", None),
            // All threads are reached by the inspector of this process.
            Notice::InspectPortToParent { who, pid, .. } if self.config.threads => {
                if !who.is_agent() {
                    self.tell_inspect_port("app", self.config.inspect_port, pid);
                }
            }
            Notice::InspectPortToParent { who, number, pid } => {
                let (from, port) = if who.is_agent() {
                    ("agent", self.config.agent_inspect_port)
                } else {
                    ("app", child_process::worker_inspect_port(&self.config, number))
                };
                self.tell_inspect_port(from, port, pid);
            }
        }
    }

    fn tell_inspect_port(&mut self, from: &str, port: u16, pid: u32) {
        let worker_id = reports::is_egg_4(&self.config).then_some(pid);
        let data = json!({ "debugPort": port, "pid": pid, "workerId": worker_id });
        self.tell_parent("debug", from, Some(&without_nulls(data)));
    }

    fn tell_apps(&mut self, action: &str, data: Option<&str>) {
        let frame = [layer_message(action, "master", Target::Apps, data), Bytes::from_static(b"\n")];
        for (who, _) in &self.roster().apps {
            let _ = self.push(*who, &frame);
        }
    }

    /// Spares hear of it when they take over.
    fn tell_apps_in_service(&mut self, action: &str, data: &str) {
        let frame = [layer_message(action, "master", Target::Apps, Some(data)), Bytes::from_static(b"\n")];
        let view = self.supervisor.view();
        for app in view.apps.iter().filter(|app| app.is_attached && app.duty != Duty::Spare) {
            let _ = self.push(app.who, &frame);
        }
    }

    fn tell_agent(&mut self, action: &str, data: &str) {
        let frame = [layer_message(action, "master", Target::Agent, Some(data)), Bytes::from_static(b"\n")];
        if let Some((who, _)) = self.roster().agent {
            let _ = self.push(who, &frame);
        }
    }

    fn tell_parent(&mut self, action: &str, from: &str, data: Option<&str>) {
        let message = layer_message(action, from, Target::Parent, data);
        self.give_to_parent(&message);
    }
}

/// A message of the layer itself as JSON text; `data` is JSON text already.
fn layer_message(action: &str, from: &str, to: Target, data: Option<&str>) -> Bytes {
    let to = to.as_str();
    let data = data.map(|data| format!(",\"data\":{data}")).unwrap_or_default();
    Bytes::from(format!(r#"{{"action":"{action}"{data},"from":"{from}","to":"{to}"}}"#))
}

/// JavaScript leaves a member that is `undefined` out, where Rust's none would become `null`.
fn without_nulls(mut value: serde_json::Value) -> String {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, member| !member.is_null());
    }
    value.to_string()
}
