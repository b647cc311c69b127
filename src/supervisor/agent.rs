//! The agent's deaths: told to everybody, and answered by a new agent after a second or, where it keeps dying, with back-off, for ever.
//! No app is restarted for it. An agent that is renewed leaves first: what it listens on, no second one could.

use std::time::Duration;

use super::{Notice, Phase, Report, Supervisor};
use crate::message::address::{Occupant, Seat};
use crate::slot::{ClusterState, Exit, Process, ProcessEvent, SlotState, Transition};

impl Supervisor {
    pub(super) fn note_agent_exited(&mut self, who: Occupant, exit: Exit, now: Duration) {
        let Some(process) = self.process_mut(who) else { return };
        let reason = process.reason(exit);
        let Transition::To(_) = process.on(ProcessEvent::Exited) else { return };
        process.cluster_state = ClusterState::Dead;
        let (number, is_dismissed) = (process.number, process.is_dismissed);
        let pid = process.pid.unwrap_or_default();
        let died = Report::AgentDied { number, pid, exit, reason };
        match self.phase {
            Phase::AgentBooting | Phase::AppsBooting { .. } => {
                self.tell(Notice::AgentPidToApps(None));
                self.report(died);
                self.fail_start(who, number, pid);
            }
            Phase::Running => {
                self.tell(Notice::AgentPidToApps(None));
                self.report(if is_dismissed { Report::AgentRetired { number, pid, exit, reason } } else { died });
                self.replace_agent(who, now);
                self.note_boot_failure(who, Some((exit, reason)));
            }
            Phase::StoppingApps | Phase::StoppingAgent => {
                self.report(Report::AgentLeft { number, pid, exit, reason });
            }
            Phase::NotStarted | Phase::Ended => {}
        }
    }

    /// The agent is gone, whether it is missed or was sent away for its successor.
    pub(super) fn replace_agent(&mut self, who: Occupant, now: Duration) {
        if self.process(who).is_some_and(|process| process.is_dismissed) {
            return self.spawn(Seat::Agent, now);
        }
        self.abort_agent_turn(who, now);
        self.plan_agent_refill(who, now);
        if self.phase == Phase::Running {
            self.tell(Notice::AgentDiedToParent);
        }
    }

    pub(super) fn plan_agent_refill(&mut self, who: Occupant, now: Duration) {
        let healthy_after = self.history.policy().healthy_after;
        let ready_at = self.process(who).and_then(|process| process.ready_at);
        let was_healthy = ready_at.is_some_and(|at| now.saturating_sub(at) >= healthy_after);
        self.agent.failures = if was_healthy { 1 } else { self.agent.failures.saturating_add(1) };
        let verdict = self.history.decide(self.agent.failures, now);
        if self.ends_for(verdict) {
            return;
        }
        let after = verdict.delay.max(self.config.agent_refork_delay);
        self.agent.refill_at = Some(now + after);
        self.report(Report::AgentRefillPlanned { after });
    }

    pub(super) fn refill_agent(&mut self, now: Duration) {
        self.report(Report::AgentRefillStarting);
        self.spawn(Seat::Agent, now);
    }

    /// Sends the agent away for a new one, in a reload. One that boots may have read the old code already; one whose fork is not done
    /// has not.
    pub(super) fn renew_agent(&mut self, now: Duration) {
        let present = self.agent.occupant.as_ref().filter(|agent| agent.is_alive());
        match present.map(|agent: &Process| (agent.who(), agent.is_unforked(), agent.state())) {
            Some((_, true, _)) => {}
            Some((who, false, SlotState::Starting | SlotState::Ready)) => self.dismiss(who, now),
            // It leaves by itself, for whatever reason.
            Some((who, false, _)) => {
                if let Some(process) = self.process_mut(who) {
                    process.is_dismissed = true;
                }
            }
            None => self.spawn(Seat::Agent, now),
        }
    }
}
