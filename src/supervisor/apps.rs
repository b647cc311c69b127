//! The app workers' deaths while the cluster runs: who is told, and when the slot is filled again. No slot is ever given up.

use std::time::Duration;

use super::{DEBUGGER_CLOSE_DELAY, IntensityEnd, MAY_DRAIN, Notice, Phase, Refork, Report, Supervisor, Verdict};
use crate::message::address::{Occupant, Seat};
use crate::slot::{ClusterState, Exit, ProcessEvent, Role, SlotState, Transition};

impl Supervisor {
    pub(super) fn note_announcement(&mut self, who: Occupant) {
        if let Some(process) = self.process_mut(who) {
            process.exited_after_disconnect = true;
        }
    }

    /// In production the seat is filled again when the channel closes, before the old process is gone: it may drain for long.
    pub(super) fn note_channel_closed(&mut self, who: Occupant, now: Duration) {
        let Some(process) = self.process_mut(who).filter(|process| process.pid.is_some()) else { return };
        if matches!(process.cluster_state, ClusterState::Disconnected | ClusterState::Dead) {
            return;
        }
        process.cluster_state = ClusterState::Disconnected;
        let _ = process.on(ProcessEvent::LostChannel);
        let process = process.clone();
        self.limit_drain(who, now);
        if who.is_agent() {
            return;
        }
        if self.phase == Phase::Running {
            self.abort_renewal(who, now);
        }
        let refork = self.refork_on_loss(who);
        self.report(Report::AppDisconnected {
            number: process.number,
            pid: process.pid.unwrap_or_default(),
            on_purpose: process.exited_after_disconnect,
            state: ClusterState::Disconnected,
            is_dead: !process.is_alive(),
            current: self.apps_in_fork_order().iter().map(|process| process.number).collect(),
            refork,
        });
        self.settle(who, now);
    }

    /// A process that lost its channel can serve no more; it finishes what it has, but not for ever.
    fn limit_drain(&mut self, who: Occupant, now: Duration) {
        let limit = if who.is_agent() { self.config.agent_close_timeout } else { MAY_DRAIN };
        let is_stopping = self.is_stopping();
        if let Some(process) = self.process_mut(who).filter(|process| process.ladder.is_none() && !is_stopping) {
            process.overdue_at = Some(now + limit);
        }
    }

    pub(super) fn note_app_exited(&mut self, who: Occupant, exit: Exit, now: Duration) {
        let current = self.apps_in_fork_order().iter().filter_map(|process| process.pid).collect();
        let Some(process) = self.process_mut(who) else { return };
        let reason = process.reason(exit);
        let after_disconnect = process.cluster_state == ClusterState::Disconnected;
        let was_killed_by_us = process.state() == SlotState::Killing;
        let Transition::To(_) = process.on(ProcessEvent::Exited) else { return };
        let (number, on_purpose, is_dismissed) =
            (process.number, process.exited_after_disconnect, process.is_dismissed);
        let pid = process.pid.unwrap_or_default();
        // A process' end is its channel's end, whichever is seen first; a descendant may hold the channel open.
        self.note_channel_closed(who, now);
        if let Some(process) = self.process_mut(who) {
            process.cluster_state = ClusterState::Dead;
        }
        let refork = self.refork_on_loss(who);
        self.report(Report::AppExited { who, number, pid, exit, reason, on_purpose, after_disconnect, refork });
        self.note_boot_failure(who, Some((exit, reason)));
        if self.is_stopping() {
            return;
        }
        if !is_dismissed {
            let by_debugger = self.config.is_debug && exit.signal() == Some("SIGKILL") && !was_killed_by_us;
            let state = ClusterState::Dead;
            self.report(Report::AppDied { number, pid, exit, on_purpose, state, current, by_debugger });
            if by_debugger && self.close_at.is_none() {
                self.report(Report::KilledByDebugger);
                self.close_at = Some(now + DEBUGGER_CLOSE_DELAY);
            }
        }
        self.tell_app_pids();
        if self.phase == Phase::Running {
            self.tell(Notice::AppDiedToParent);
            self.refill_emptied(who, now);
        } else if self.close_at.is_none() {
            self.fail_start(who, number, pid);
        }
    }

    fn refork_on_loss(&self, who: Occupant) -> Refork {
        // A departing one has its successor already, or gave its seat back.
        let is_missed = self.process(who).is_some_and(|p| !p.is_dismissed && (p.is_settled || self.is_seated(who)));
        let is_kept = self.slot(who.seat).is_some_and(|slot| slot.role != Role::Closed);
        match self.phase {
            Phase::Running if !is_missed || !is_kept => Refork::Disabled,
            Phase::Running if self.config.refork => Refork::Wanted,
            Phase::Running => Refork::Off,
            _ => Refork::Disabled,
        }
    }

    /// An app will not serve (any more): what counted on it finds another way.
    pub(super) fn lose_seat(&mut self, who: Occupant, now: Duration) {
        if self.phase == Phase::Running && !who.is_agent() {
            self.abort_renewal(who, now);
            self.settle(who, now);
        }
    }

    fn is_seated(&self, who: Occupant) -> bool {
        self.slots().any(|slot| slot.occupant.as_ref().is_some_and(|process| process.who() == who))
    }

    /// The seat of a process that is lost is filled again, once for each loss.
    fn settle(&mut self, who: Occupant, now: Duration) {
        self.note_new_slot_lost(who);
        if self.refork_on_loss(who) != Refork::Wanted {
            return;
        }
        let healthy_after = self.history.policy().healthy_after;
        let Some(slot) = self.slot_mut(who.seat) else { return };
        let Some(process) = slot.occupant.as_mut().filter(|process| process.who() == who) else { return };
        process.is_settled = true;
        let (number, pid) = (process.number, process.pid.unwrap_or_default());
        let was_healthy = process.ready_at.is_some_and(|at| now.saturating_sub(at) >= healthy_after);
        slot.vacate();
        slot.failures = if was_healthy { 1 } else { slot.failures.saturating_add(1) };
        let failures = slot.failures;
        let verdict = self.history.decide(failures, now);
        if self.ends_for(verdict) {
            return;
        }
        if verdict.delay.is_zero() {
            self.spawn(who.seat, now);
            return;
        }
        if let Some(slot) = self.slot_mut(who.seat) {
            slot.refill_at = Some(now + verdict.delay);
        }
        if let Seat::App(slot) = who.seat {
            let (after, is_slow) = (verdict.delay, verdict.is_slow);
            self.report(Report::SlotRefillPlanned { slot: slot.0, number, pid, after, failures, is_slow });
        }
    }

    /// Processes die too often, and the master was asked to end then. Answers whether it does, once this event has been told.
    pub(super) fn ends_for(&mut self, verdict: Verdict) -> bool {
        let policy = *self.history.policy();
        if !verdict.is_slow || policy.then != IntensityEnd::Exit {
            return false;
        }
        self.gives_up = true;
        true
    }

    pub(super) fn refill_due(&mut self, now: Duration) {
        if self.phase != Phase::Running {
            return;
        }
        let is_due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        if is_due(self.agent.refill_at) {
            self.refill_agent(now);
        }
        for index in 0..self.apps.len() {
            if is_due(self.apps[index].refill_at) {
                self.spawn(self.apps[index].seat(), now);
            }
        }
    }
}
