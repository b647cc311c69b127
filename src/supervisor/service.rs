//! Who is in service: spares that take over, workers that are taken out of service and come back, and what the shell is told of it.
//!
//! A spare takes over by a change of roles: its slot becomes one of the places in service, and the slot that lost its process is kept for
//! the next spare. So no process moves, and a new one is booted where one was lost, as ever.

use std::time::Duration;

use super::capacity::Capacity;
use super::{Answer, Effect, Phase, Refusal, Report, RequestId, Supervisor};
use crate::message::address::{Occupant, WorkerId};
use crate::slot::{Duty, Process, Role, Slot, SlotState};

impl Supervisor {
    /// How many places have a process that is given connections.
    pub(super) fn serving_apps(&self) -> u32 {
        let serves = |slot: &&Slot| slot.role == Role::Serving && slot.serving().is_some();
        u32::try_from(self.apps.iter().filter(serves).count()).unwrap_or(u32::MAX)
    }

    /// After each event, when all else is decided: who takes over, and who may be given connections.
    pub(super) fn put_in_service(&mut self, now: Duration) {
        if self.phase == Phase::Ended {
            return;
        }
        if self.gives_up {
            let policy = *self.history.policy();
            self.report(Report::RestartsExceeded { restarts: policy.intensity, within: policy.intensity_period });
            return self.exit(1);
        }
        if self.phase == Phase::Running {
            while let Some((spare, lost)) = self.next_takeover() {
                self.take_over(spare, lost, now);
            }
            self.check_resize();
            self.watch_capacity();
            self.capacity_looks.note(self.capacity(), now);
        }
        self.steer();
    }

    /// A spare that is ready, and a place that needs it. An isolated worker still has its place.
    fn next_takeover(&self) -> Option<(usize, usize)> {
        let is_ready = |process: &Process| process.state() == SlotState::Ready && !process.is_dismissed;
        let spare = self
            .apps
            .iter()
            .position(|slot| slot.role == Role::Spare && slot.occupant.as_ref().is_some_and(is_ready))?;
        let is_lost = |slot: &Slot| slot.role == Role::Serving && !slot.processes().any(is_ready);
        Some((spare, self.apps.iter().position(is_lost)?))
    }

    fn take_over(&mut self, spare: usize, lost: usize, now: Duration) {
        let (own, place) = (self.apps[spare].place, self.apps[lost].place);
        self.apps[spare].role = Role::Serving;
        self.apps[lost].role = Role::Spare;
        self.apps[lost].is_new = false;
        self.give_place(spare, place);
        self.give_place(lost, own);
        let Some(process) = self.apps[spare].occupant.as_mut() else { return };
        process.is_spare = false;
        // Its life in service begins now.
        process.ready_at = Some(now);
        let (who, number, pid) = (process.who(), process.number, process.pid.unwrap_or_default());
        self.report(Report::SpareTookOver { number, pid, place });
        self.steer();
        self.note_app_started(who, now);
    }

    /// The shell deals connections to whoever listens, unless it is told not to.
    fn steer(&mut self) {
        let mut effects = Vec::new();
        for slot in &mut self.apps {
            let role = slot.role;
            for process in slot.processes_mut() {
                let is_barred = match process.state() {
                    SlotState::Starting => role == Role::Spare,
                    SlotState::Ready => process.duty() != Duty::Serves,
                    // It says itself when it drains, and then gets nothing more.
                    SlotState::Draining | SlotState::Killing | SlotState::Exited => continue,
                };
                if std::mem::replace(&mut process.is_barred, is_barred) != is_barred {
                    let who = process.who();
                    effects.push(if is_barred { Effect::Bar { who } } else { Effect::Admit { who } });
                }
            }
        }
        self.effects.extend(effects);
    }

    pub(super) fn isolate(&mut self, number: WorkerId, ticket: Option<RequestId>) {
        let who = match self.find_in_service(number) {
            Ok(who) => who,
            Err(refusal) => return self.refuse(ticket, refusal),
        };
        if !self.config.shares_sockets {
            return self.refuse(ticket, Refusal::NoSharedSockets);
        }
        let is_serving = self.process(who).is_some_and(|process| process.duty() == Duty::Serves);
        if is_serving && self.serving_apps() <= 1 {
            return self.refuse(ticket, Refusal::LastInService(number));
        }
        if is_serving && let Some(process) = self.process_mut(who) {
            process.is_isolated = true;
            let pid = process.pid.unwrap_or_default();
            self.report(Report::Isolated { who, number, pid });
        }
        self.answer(ticket, Answer::Done);
    }

    pub(super) fn rejoin(&mut self, number: WorkerId, ticket: Option<RequestId>) {
        let who = match self.find_in_service(number) {
            Ok(who) => who,
            Err(refusal) => return self.refuse(ticket, refusal),
        };
        let Some(process) = self.process_mut(who).filter(|process| process.is_isolated) else {
            return self.refuse(ticket, Refusal::NotIsolated(number));
        };
        process.is_isolated = false;
        let pid = process.pid.unwrap_or_default();
        self.report(Report::Rejoined { who, number, pid });
        self.answer(ticket, Answer::Done);
    }

    fn find_in_service(&self, number: WorkerId) -> Result<Occupant, Refusal> {
        if !self.is_open() {
            return Err(Refusal::NotRunning);
        }
        let is_it = |process: &&Process| process.number == number && process.is_alive();
        let Some(process) = self.apps.iter().flat_map(Slot::processes).find(is_it) else {
            return Err(Refusal::NoSuchWorker(number));
        };
        let is_in_service = process.state() == SlotState::Ready && !process.is_spare;
        if is_in_service { Ok(process.who()) } else { Err(Refusal::NotInService(number)) }
    }

    /// Says when fewer serve than should, and when all do again. A place that is filled for the first time is not missed yet.
    fn watch_capacity(&mut self) {
        let target = self.target();
        let serving = self.serving_apps();
        let is_missed = |slot: &Slot| slot.role == Role::Serving && !slot.is_new && slot.serving().is_none();
        let is_degraded = self.apps.iter().any(is_missed);
        if std::mem::replace(&mut self.is_degraded, is_degraded) == is_degraded {
            return;
        }
        self.report(if is_degraded { Report::Degraded { serving, target } } else { Report::Recovered { target } });
    }

    fn capacity(&self) -> Capacity {
        // One that was sent away for its successor is not missed; how long that may boot is limited.
        let is_agent_there = self.agent.occupant.as_ref().is_some_and(|agent| agent.state() == SlotState::Ready);
        let agents = u32::from(is_agent_there || self.renewals.renews_agent());
        Capacity { agents, workers: self.serving_apps() }
    }

    /// Ends the master after too many looks at too little.
    pub(super) fn look_at_capacity(&mut self, now: Duration) {
        let Some(Capacity { agents, workers }) = self.capacity_looks.look(now) else { return };
        self.report(Report::CapacityLost { agents, workers });
        self.exit(1);
    }

    /// The cluster is about to stop: nobody is left waiting for an answer.
    pub(super) fn refuse_all(&mut self) {
        let tickets = [self.renewals.take_tickets(), self.resizing.take_tickets()].concat();
        for ticket in tickets {
            self.refuse(Some(ticket), Refusal::NotRunning);
        }
        self.renewals.clear();
        self.abort_upgrade();
    }
}
