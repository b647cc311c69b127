//! What is asked at the control socket and the admin port, answered from the master's loop: the same requests as those of the API, by the
//! same ways, and without JavaScript.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tracing::warn;

use super::shell::{Shell, exit_event, spawn_task};
use super::vitals::Vitals;
use super::watch::take_stack;
use super::{Request, Sink, service_reports, snapshot};
use crate::control::ask::{Ask, Asked, Reply, Verb, Whom};
use crate::control::metrics::render;
use crate::control::{Control, ControlConfig, Doors, Others};
use crate::error::chain;
use crate::message::address::WorkerId;
use crate::slot::{Duty, SlotState};
use crate::supervisor::{Answer, Event, HeirFailure, Refusal, RequestId, Resize, View};
use crate::sys::control_socket::ControlName;

/// Numbers from here on are ours; JavaScript counts from 1.
const FIRST_TICKET: u32 = 1 << 31;

/// How often and for how long the admin port of another master is tried for.
const DOOR_PAUSE: Duration = Duration::from_millis(200);
const DOOR_TRIES: u32 = 1500;

/// Who waits for an answer.
#[derive(Debug, Default)]
pub(super) struct Desk {
    last: u32,
    waiting: HashMap<RequestId, oneshot::Sender<Reply>>,
    /// Those who wait for the end of the cluster.
    stops: Vec<oneshot::Sender<Reply>>,
}

impl Desk {
    fn expect(&mut self, answer: oneshot::Sender<Reply>) -> RequestId {
        self.last = self.last.wrapping_add(1) % FIRST_TICKET;
        let ticket = RequestId(FIRST_TICKET + self.last);
        self.waiting.insert(ticket, answer);
        ticket
    }

    /// Answers with true where the number is one of ours, so that JavaScript has nothing to do with it.
    pub(super) fn settle(&mut self, ticket: RequestId, answer: &Answer, death: Option<&Value>) -> bool {
        if let Some(waiting) = self.waiting.remove(&ticket) {
            // Whoever asked may have gone.
            let _ = waiting.send(reply_to(answer, death));
        }
        ticket.0 >= FIRST_TICKET
    }

    /// What was asked for has begun: whoever does not wait for its end is told so, unless it was answered already.
    fn accept(&mut self, ticket: RequestId) {
        if let Some(waiting) = self.waiting.remove(&ticket) {
            let _ = waiting.send(accepted());
        }
    }
}

impl Shell {
    /// Answers, now or later.
    pub(super) fn answer_asked(&mut self, Asked { ask, answer }: Asked) {
        let began = Instant::now();
        let mut reply = match ask {
            Ask::Status => Reply::json(200, &self.status()),
            Ask::Metrics(format) => Reply::text(200, format.content_type(), render(&self.metrics(), format)),
            Ask::Ready => readiness(&self.supervisor.view()),
            Ask::Verb { verb, waits } => return self.act(verb, waits, answer),
        };
        reply.cost = began.elapsed();
        // Whoever asked may have gone.
        let _ = answer.send(reply);
    }

    /// All that can be said of the cluster, as JSON.
    pub(super) fn status(&mut self) -> Value {
        self.listeners.lanes.look();
        let (listeners, watch) = (&self.listeners, &self.watch);
        let vitals = |who| watch.life(who).map(|life| Vitals::read(life, listeners.connections_of(who)).json());
        let lives = self.watch.lives().filter(|(_, life)| !life.is_on_record);
        let totals = self.ledger.messages.totals(lives.map(|(_, life)| life.pulse.tally()));
        let dropped = self.dropped_messages.saturating_add(totals.dropped());
        let mut status = snapshot::status(&self.supervisor.view(), dropped, &self.deaths, vitals);
        status["version"] = json!(1);
        status["messages"] = totals.json();
        let addresses = self.control.addresses();
        status["control"] = json!(addresses.control);
        status["admin"] = json!(addresses.admin);
        status
    }

    fn act(&mut self, verb: Verb, waits: bool, answer: oneshot::Sender<Reply>) {
        match verb {
            Verb::Reload(agent) => self.ask_for(Request::Reload { agent }, waits, answer),
            Verb::Scale(workers) => self.ask_for(Request::Resize(Resize::To(workers)), waits, answer),
            Verb::Restart(Whom::App(id)) => self.ask_for(Request::Restart(WorkerId(id)), waits, answer),
            Verb::Restart(Whom::Agent) => self.ask_for(Request::RestartAgent, waits, answer),
            Verb::Isolate(id) => self.ask_for(Request::Isolate(WorkerId(id)), waits, answer),
            Verb::Rejoin(id) => self.ask_for(Request::Rejoin(WorkerId(id)), waits, answer),
            Verb::Upgrade => self.ask_for(Request::Upgrade, waits, answer),
            Verb::Stack(whom) => self.tell_stack(whom, answer),
            Verb::Stop => self.stop_for(waits, answer),
        }
    }

    fn ask_for(&mut self, request: Request, waits: bool, answer: oneshot::Sender<Reply>) {
        let ticket = self.desk.expect(answer);
        self.request(request, Some(ticket));
        if !waits {
            self.desk.accept(ticket);
        }
    }

    fn stop_for(&mut self, waits: bool, answer: oneshot::Sender<Reply>) {
        if waits {
            self.desk.stops.push(answer);
        } else {
            let _ = answer.send(accepted());
        }
        if self.stop_lines.is_empty() {
            self.stop_lines = vec!["[master] a stop was asked for at the control socket, closing".to_owned()];
        }
        self.feed(Event::StopAsked { signal: None });
    }

    fn tell_stack(&self, whom: Whom, answer: oneshot::Sender<Reply>) {
        let view = self.supervisor.view();
        let found = match whom {
            Whom::Agent => view.agent.map(|agent| agent.who),
            Whom::App(id) => view.apps.iter().find(|app| app.number == WorkerId(id)).map(|app| app.who),
        };
        let Some((who, life)) = found.and_then(|who| Some((who, self.watch.life(who)?))) else {
            let whom = match whom {
                Whom::Agent => "agent".to_owned(),
                Whom::App(id) => format!("app worker {id}"),
            };
            let reply =
                Reply::error(404, "ERR_CLUTCH_NO_RECEIVER", &format!("there is no {whom} whose stack could be told"));
            let _ = answer.send(reply);
            return;
        };
        let (pulse, pid) = (Rc::clone(&life.pulse), life.pid);
        let id = if who.is_agent() { json!("agent") } else { json!(life.number.0) };
        spawn_task(&self.happenings, async move {
            let stack = take_stack(&pulse).await;
            let _ = answer.send(Reply::json(200, &json!({ "id": id, "pid": pid, "stack": stack })));
        });
    }

    /// The cluster is at its end: JavaScript is told to exit, once those who wait for an answer have it.
    pub(super) fn end_with_answers(&mut self, code: i32) {
        self.control.hub.publish("exit", &json!({ "type": "exit", "code": code }).to_string());
        for waiting in self.desk.stops.drain(..) {
            let _ = waiting.send(Reply::json(200, &json!({ "stopped": true, "code": code })));
        }
        for (_, waiting) in self.desk.waiting.drain() {
            let _ = waiting.send(Reply::closed());
        }
        let sink = Sink::clone(&self.sink);
        let answered = self.control.last_answers();
        let last_word = self.last_word.clone();
        let patience = self.config.app_close_timeout.max(self.config.agent_close_timeout);
        // Whoever debugs the master has it stand still for as long as he likes.
        let may_wait = self.config.is_debug;
        spawn_task(&self.happenings, async move {
            answered.await;
            sink(exit_event(code));
            if !may_wait {
                last_word.speak(code, patience).await;
            }
        });
    }

    /// This master has taken over from another: what that one has open is opened here, the control socket in its place at once, the
    /// admin port as soon as that one has let go of it.
    pub(super) fn open_doors(&self) {
        self.open_control();
        let (control, config) = (self.control.clone(), ControlConfig { path: None, ..self.config.control.clone() });
        spawn_task(&self.happenings, async move {
            for _ in 0..DOOR_TRIES {
                if let Ok((doors, _)) = Doors::open(&config, Others::Stay) {
                    return serve(&control, doors);
                }
                tokio::time::sleep(DOOR_PAUSE).await;
            }
            warn!("[master] the admin port stays closed, as the old master or somebody else has it");
        });
    }

    /// There is no new master after all, and it may have come so far as to put its control socket in the place of ours.
    pub(super) fn reopen_control(&self) {
        if self.control_name.is_lost() {
            self.open_control();
        }
    }

    fn open_control(&self) {
        let config = ControlConfig { admin: None, ..self.config.control.clone() };
        match Doors::open(&config, Others::Yield).map_err(|error| chain(&error)) {
            Ok((doors, name)) => {
                self.control_name.set(name);
                serve(&self.control, doors);
            }
            Err(error) => warn!("[master] {error}"),
        }
    }
}

/// The name of the control socket, where there is one: the master's loop may give it another, and the door removes it at the end.
#[derive(Clone, Default)]
pub(super) struct NameOfDoor(Arc<Mutex<Option<ControlName>>>);

impl NameOfDoor {
    pub(super) fn set(&self, name: Option<ControlName>) {
        *self.lock() = name;
    }

    pub(super) fn remove(&self) {
        if let Some(name) = &*self.lock() {
            name.remove();
        }
    }

    /// Whether it was there, and somebody has taken its place or removed it.
    fn is_lost(&self) -> bool {
        self.lock().as_ref().is_some_and(|name| !name.is_there())
    }

    fn lock(&self) -> MutexGuard<'_, Option<ControlName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(control: &Control, mut doors: Doors) {
    if let Some(warning) = doors.warning.take() {
        warn!("[master] {warning}");
    }
    if let Err(error) = control.serve(doors) {
        warn!("[master] the control socket and the admin port cannot be watched: {error}");
    }
}

fn accepted() -> Reply {
    Reply::json(202, &json!({ "accepted": true }))
}

/// Whether connections may be sent here, and why not.
fn readiness(view: &View) -> Reply {
    match why_not_ready(view) {
        None => Reply::json(200, &json!({ "ready": true })),
        Some(reason) => Reply::json(503, &json!({ "ready": false, "reason": reason })),
    }
}

/// Why connections should not be sent here; none where they may.
pub(super) fn why_not_ready(view: &View) -> Option<&'static str> {
    let serves = view.apps.iter().any(|app| app.state == SlotState::Ready && app.duty == Duty::Serves);
    if view.is_stopping {
        Some("stopping")
    } else if view.is_leaving {
        Some("draining")
    } else if !view.is_running {
        Some("booting")
    } else {
        (!serves).then_some("no ready worker")
    }
}

fn reply_to(answer: &Answer, death: Option<&Value>) -> Reply {
    let status = match answer {
        Answer::Refused(Refusal::NoSuchWorker(_)) => 404,
        Answer::Refused(Refusal::BootFailed(failure)) if failure.was_overdue => 504,
        Answer::Refused(Refusal::UpgradeFailed(HeirFailure::Overdue { .. })) => 504,
        Answer::Refused(_) => 409,
        Answer::Reloaded { .. } | Answer::Resized { .. } | Answer::Upgraded { .. } | Answer::Done => 200,
    };
    match service_reports::value_of(answer, death) {
        Ok(Value::Null) => Reply::json(status, &json!({ "done": true })),
        Ok(value) => Reply::json(status, &value),
        Err(mut error) => {
            // Only a boot that has failed has some.
            if let Some(fields) = error.as_object_mut().filter(|fields| fields["facts"].is_null()) {
                fields.remove("facts");
            }
            Reply::json(status, &json!({ "error": error }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_desk_are_never_those_of_javascript() {
        let mut desk = Desk { last: FIRST_TICKET - 2, ..Desk::default() };
        for _ in 0..3 {
            let (answer, mut told) = oneshot::channel();
            let ticket = desk.expect(answer);
            assert!(desk.settle(ticket, &Answer::Done, None));
            assert_eq!(told.try_recv().map(|reply| reply.status), Ok(200));
        }
        assert!(!desk.settle(RequestId(7), &Answer::Done, None));
    }

    #[test]
    fn a_refusal_has_the_status_of_its_kind_and_its_code() {
        let cases = [
            (Refusal::NotRunning, 409, "ERR_CLUTCH_CLOSED"),
            (Refusal::NoSuchWorker(WorkerId(9)), 404, "ERR_CLUTCH_OPTION"),
            (Refusal::LastInService(WorkerId(9)), 409, "ERR_CLUTCH_OPTION"),
            (Refusal::NoSharedSockets, 409, "ERR_CLUTCH_PLATFORM"),
            (
                Refusal::UpgradeFailed(HeirFailure::Overdue { pid: 9, limit: Duration::from_secs(1) }),
                504,
                "ERR_CLUTCH_TIMEOUT",
            ),
        ];
        for (refusal, status, code) in cases {
            let told = format!("{refusal:?}");
            let reply = reply_to(&Answer::Refused(refusal), None);
            let body: Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!((reply.status, body["error"]["code"].as_str()), (status, Some(code)), "{told}");
            assert!(body["error"]["message"].is_string());
        }
        let reloaded = reply_to(&Answer::Reloaded { workers: 4, agent: true }, None);
        assert_eq!(reloaded, Reply::json(200, &json!({ "workers": 4, "agent": true })));
    }

    #[test]
    fn readiness_says_why_not() {
        let mut view = View {
            is_running: false,
            is_leaving: false,
            is_stopping: false,
            address: None,
            target: 1,
            is_degraded: false,
            is_renewing: false,
            renewal: None,
            is_upgrading: false,
            agent: None,
            apps: Vec::new(),
        };
        let reason = |view: &View| {
            let body: Value = serde_json::from_slice(&readiness(view).body).unwrap();
            body["reason"].as_str().map(str::to_owned)
        };
        assert_eq!(reason(&view).as_deref(), Some("booting"));
        view.is_running = true;
        assert_eq!(reason(&view).as_deref(), Some("no ready worker"));
        view.is_leaving = true;
        assert_eq!(reason(&view).as_deref(), Some("draining"));
        view.is_stopping = true;
        assert_eq!((reason(&view).as_deref(), readiness(&view).status), (Some("stopping"), 503));
    }
}
