//! The agent's deaths: told to everybody, and answered by a new agent after a second, for ever. No app is restarted for it.

use std::time::Duration;

use super::{Notice, Phase, Report, Supervisor};
use crate::message::address::{Occupant, Seat};
use crate::slot::{ClusterState, Exit, ProcessEvent, Transition};

impl Supervisor {
    pub(super) fn note_agent_exited(&mut self, who: Occupant, exit: Exit, now: Duration) {
        let Some(process) = self.process_mut(who) else { return };
        let reason = process.reason(exit);
        let Transition::To(_) = process.on(ProcessEvent::Exited) else { return };
        process.cluster_state = ClusterState::Dead;
        let number = process.number;
        let pid = process.pid.unwrap_or_default();
        match self.phase {
            Phase::AgentBooting | Phase::AppsBooting { .. } => {
                self.tell(Notice::AgentPidToApps(None));
                self.report(Report::AgentDied { number, pid, exit, reason });
                self.fail_start(who, number, pid);
            }
            Phase::Running => {
                self.tell(Notice::AgentPidToApps(None));
                self.report(Report::AgentDied { number, pid, exit, reason });
                self.plan_agent_refill(now);
                self.tell(Notice::AgentDiedToParent);
            }
            Phase::NotStarted | Phase::StoppingApps | Phase::StoppingAgent | Phase::Ended => {}
        }
    }

    pub(super) fn plan_agent_refill(&mut self, now: Duration) {
        let after = self.config.agent_refork_delay;
        self.agent.refill_at = Some(now + after);
        self.report(Report::AgentRefillPlanned { after });
    }

    pub(super) fn refill_agent(&mut self, now: Duration) {
        self.report(Report::AgentRefillStarting);
        self.spawn(Seat::Agent, now);
    }
}
