//! What the cluster is in the middle of, as spans of the log: boot, reload, drain. What is logged meanwhile carries the name, and a log of
//! JSON lines tells at the end how long it took.

use tracing::{Span, field, info_span};

use super::shell::Shell;
use crate::message::address::{Occupant, WorkerId};
use crate::supervisor::Report;

/// The target of these spans.
pub(super) const PHASE: &str = "phase";

/// Those that last.
#[derive(Default)]
pub(super) struct Phases {
    boot: Option<Span>,
    reload: Option<Span>,
    drain: Option<Span>,
}

impl Phases {
    /// The first process is about to be forked.
    pub(super) fn begin_boot(&mut self) {
        self.boot = Some(info_span!(target: PHASE, "boot", outcome = field::Empty));
    }

    /// The innermost one, to be entered while something is logged; none where nothing lasts.
    pub(super) fn current(&self) -> Span {
        self.drain.as_ref().or(self.reload.as_ref()).or(self.boot.as_ref()).cloned().unwrap_or_else(Span::none)
    }

    /// Before it is logged.
    pub(super) fn begin(&mut self, report: &Report) {
        match report {
            Report::ReloadStarted { .. } => {
                self.reload = Some(info_span!(target: PHASE, "reload", outcome = field::Empty));
            }
            Report::StopStarted { .. } => {
                self.drain = Some(info_span!(target: PHASE, "drain", outcome = field::Empty));
            }
            _ => {}
        }
    }

    /// After it was logged.
    pub(super) fn end(&mut self, report: &Report) {
        let (phase, outcome) = match report {
            Report::Ready { .. } => (&mut self.boot, "done"),
            Report::ReloadDone { .. } => (&mut self.reload, "done"),
            Report::ReloadFailed { .. } => (&mut self.reload, "failed"),
            Report::StopDone => (&mut self.drain, "done"),
            Report::AgentStartFailed { .. } | Report::AppStartFailed { .. } => (&mut self.boot, "failed"),
            _ => return,
        };
        if let Some(span) = phase.take() {
            span.record("outcome", outcome);
        }
    }
}

impl Shell {
    /// The span for what is logged about a process that is not buried yet.
    pub(super) fn span_of(&self, who: Occupant) -> Span {
        let life = self.watch.life(who).map(|life| (life.number, life.pid));
        let running = || self.running.get(&who).map(|running| (running.number, running.pid()));
        let Some((number, pid)) = life.or_else(running) else { return self.phases.current() };
        let (role, worker) = (who.seat.role(), number.0);
        let (slot, generation) = (who.seat.slot(), who.generation.0);
        let phase = self.phases.current();
        info_span!(parent: &phase, "process", role, worker, worker_pid = pid, slot, generation, cause = field::Empty)
    }

    /// The span for a report.
    pub(super) fn span_around(&self, report: &Report) -> Span {
        let Some((is_agent, number)) = report.process() else { return self.phases.current() };
        match self.occupant_of(is_agent, number) {
            Some(who) => self.span_of(who),
            None => {
                let phase = self.phases.current();
                info_span!(parent: &phase, "process", role = role(is_agent), worker = number.0)
            }
        }
    }

    fn occupant_of(&self, is_agent: bool, number: WorkerId) -> Option<Occupant> {
        let found = self.running.iter().find(|(who, running)| who.is_agent() == is_agent && running.number == number);
        found.map(|(who, _)| *who)
    }
}

fn role(is_agent: bool) -> &'static str {
    if is_agent { "agent" } else { "app" }
}
