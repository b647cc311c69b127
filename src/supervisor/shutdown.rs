//! The way out. For one process: SIGTERM to it and its descendants, SIGKILL to descendants that are left shortly before its
//! time is over, SIGKILL to itself when it is, and after that a last short wait. For the cluster: all apps, then the agent.

use std::time::Duration;

use super::{ABANDON_AFTER, DESCENDANTS_LEAD, Effect, Notice, Phase, Report, Supervisor};
use crate::message::address::Occupant;
use crate::slot::{Ladder, Process, ProcessEvent, Slot, SlotState, Transition};

/// The signal that ends all patience: the first asks, the second shortens, the third kills.
const LAST_SIGNAL: u32 = 3;

/// What a second signal leaves those that drain already.
const HURRIED: Duration = Duration::from_secs(1);

/// When the next step of a process' ladder is due.
pub(super) fn next_step_at(process: &Process) -> Option<Duration> {
    if process.is_gone() {
        return None;
    }
    let Some(ladder) = process.ladder else { return process.overdue_at };
    Some(ladder.kill_descendants_at.or(ladder.kill_at).unwrap_or(ladder.abandon_at))
}

impl Supervisor {
    /// Without a delay a stop begins at once, and asking again changes nothing. With one, the cluster serves on for so long; each further
    /// signal shortens what is left: the second begins the stop, or leaves those that drain a second, the third kills.
    pub(super) fn note_stop_asked(&mut self, signal: Option<String>, now: Duration) {
        let delay = self.config.pre_stop_delay;
        let is_signal = signal.is_some();
        if self.phase == Phase::Running && self.stop_at.is_none() && !delay.is_zero() {
            self.stop_signals = u32::from(is_signal);
            self.stop_at = Some(now + delay);
            self.stop_signal.clone_from(&signal);
            self.refuse_all();
            return self.report(Report::StopDelayed { signal, delay });
        }
        if self.stop_at.is_none() && !self.is_stopping() {
            return self.stop(signal, now);
        }
        if delay.is_zero() || !is_signal || self.stop_signals >= LAST_SIGNAL {
            return;
        }
        self.stop_signals += 1;
        self.report(Report::StopHurried { signal });
        if self.stop_at.is_some() {
            self.stop_after_delay(now);
        } else {
            self.hurry(now);
        }
    }

    pub(super) fn stop_after_delay(&mut self, now: Duration) {
        let signal = self.stop_signal.take();
        self.stop(signal, now);
    }

    /// How much longer a process may take to leave, by how often it was asked for.
    fn patience(&self) -> Duration {
        match self.stop_signals {
            LAST_SIGNAL.. => Duration::ZERO,
            2 => HURRIED,
            _ => Duration::MAX,
        }
    }

    /// Nobody who leaves has more time than the patience that is left.
    fn hurry(&mut self, now: Duration) {
        let patience = self.patience();
        for process in std::iter::once(&mut self.agent).chain(&mut self.apps).flat_map(Slot::processes_mut) {
            let Some(ladder) = &mut process.ladder else { continue };
            let at = now.saturating_add(patience);
            ladder.kill_descendants_at = ladder.kill_descendants_at.map(|due| due.min(at));
            ladder.kill_at = ladder.kill_at.map(|due| due.min(at));
            ladder.abandon_at = ladder.abandon_at.min(at.saturating_add(ABANDON_AFTER));
        }
    }

    pub(super) fn stop(&mut self, signal: Option<String>, now: Duration) {
        if self.is_stopping() {
            return;
        }
        self.phase = Phase::StoppingApps;
        self.capacity_looks.end();
        self.close_at = None;
        self.stop_at = None;
        self.refuse_all();
        self.agent.refill_at = None;
        self.apps.iter_mut().for_each(|slot| slot.refill_at = None);
        // From here on the ladders decide; the agent's turn comes after the apps'.
        self.agent.processes_mut().for_each(|process| process.overdue_at = None);
        self.report(Report::StopStarted { signal });
        self.report(Report::StoppingApps { within: self.config.app_close_timeout });
        let apps: Vec<Occupant> = self.apps_in_fork_order().iter().map(|process| process.who()).collect();
        for who in apps {
            self.dismiss(who, now);
        }
    }

    /// A process is not wanted any more. One whose fork is not done yet is asked to leave as soon as it is.
    pub(super) fn dismiss(&mut self, who: Occupant, now: Duration) {
        if let Some(process) = self.process_mut(who) {
            process.is_dismissed = true;
            self.ask_to_leave(who, now);
        }
    }

    /// True where a process that leaves may take its time with clients who say nothing: it was asked to leave by us, and others serve.
    #[must_use]
    pub fn has_leisure(&self, who: Occupant) -> bool {
        let others_serve = self.config.shares_sockets && (!self.is_stopping() || self.upgrade.is_done());
        others_serve && self.process(who).is_some_and(|process| process.ladder.is_some())
    }

    /// Starts a process' ladder.
    pub(super) fn ask_to_leave(&mut self, who: Occupant, now: Duration) {
        let timeout = if who.is_agent() { self.config.agent_close_timeout } else { self.config.app_close_timeout };
        let timeout = if self.is_stopping() { timeout.min(self.patience()) } else { timeout };
        let Some(process) = self.process_mut(who).filter(|process| process.is_alive()) else { return };
        if process.ladder.is_some() || process.pid.is_none() {
            return;
        }
        let _ = process.on(ProcessEvent::AskedToLeave);
        process.overdue_at = None;
        process.ladder = Some(Ladder {
            kill_descendants_at: Some(now + timeout.saturating_sub(DESCENDANTS_LEAD)),
            kill_at: Some(now + timeout),
            abandon_at: now + timeout + ABANDON_AFTER,
            tree_gone: false,
            abandoned: false,
        });
        self.effects.push_back(Effect::Terminate { who });
    }

    pub(super) fn climb_ladders(&mut self, now: Duration) {
        let due: Vec<Occupant> = self
            .slots()
            .flat_map(Slot::processes)
            .filter(|process| next_step_at(process).is_some_and(|at| at <= now))
            .map(Process::who)
            .collect();
        for who in due {
            match self.process(who) {
                _ if self.phase == Phase::Ended => return,
                Some(process) if process.ladder.is_none() => self.note_overdue(who, now),
                _ => self.climb_ladder(who, now),
            }
        }
    }

    /// A process boots or drains for longer than it may.
    fn note_overdue(&mut self, who: Occupant, now: Duration) {
        let Some(process) = self.process_mut(who) else { return };
        process.overdue_at = None;
        process.was_overdue = true;
        let (number, pid, is_booting) =
            (process.number, process.pid.unwrap_or_default(), process.state() == SlotState::Starting);
        self.report(Report::Overdue { who, number, pid, is_booting });
        match self.phase {
            Phase::Running => {
                self.ask_to_leave(who, now);
                // A booting one has not lost its seat yet.
                self.lose_seat(who, now);
            }
            _ => self.fail_start(who, number, pid),
        }
    }

    /// A process in service stands still: it is forced out, and its seat is filled again at once. Whoever asks has said why.
    pub(super) fn note_stood_still(&mut self, who: Occupant, now: Duration) {
        let is_running = self.phase == Phase::Running;
        let in_service = |process: &&mut Process| is_running && process.state() == SlotState::Ready;
        let Some(process) = self.process_mut(who).filter(in_service) else { return };
        process.stood_still = true;
        self.ask_to_leave(who, now);
        self.lose_seat(who, now);
    }

    fn climb_ladder(&mut self, who: Occupant, now: Duration) {
        let Some(process) = self.process_mut(who) else { return };
        let Some(mut ladder) = process.ladder else { return };
        let is_due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        let mut effect = None;
        if is_due(ladder.kill_descendants_at) {
            ladder.kill_descendants_at = None;
            effect = Some(Effect::KillDescendants { who });
        }
        if is_due(ladder.kill_at) {
            ladder.kill_at = None;
            // Counted from here: the master itself may have been held up.
            ladder.abandon_at = now + ABANDON_AFTER;
            if let Transition::To(_) = process.on(ProcessEvent::StartedKill) {
                process.note_killed_at_timeout();
            }
            effect = Some(Effect::Kill { who });
        }
        let abandoned = ladder.kill_at.is_none() && ladder.abandon_at <= now;
        ladder.abandoned = abandoned;
        process.ladder = Some(ladder);
        let (number, pid) = (process.number, process.pid);
        self.effects.extend(effect);
        if abandoned {
            self.report(Report::Abandoned { number, pid, is_agent: who.is_agent() });
            self.note_abandoned(who, now);
        }
    }

    /// Whatever the kernel says, this process counts as ended; when its end is seen after all, that is stale news.
    fn note_abandoned(&mut self, who: Occupant, now: Duration) {
        let was_alive = self.process(who).is_some_and(Process::is_alive);
        if self.phase != Phase::Running || !was_alive {
            return;
        }
        if who.is_agent() {
            self.tell(Notice::AgentPidToApps(None));
            self.replace_agent(who, now);
        } else {
            self.tell_app_pids();
            self.tell(Notice::AppDiedToParent);
            self.lose_seat(who, now);
            self.refill_emptied(who, now);
        }
        self.note_boot_failure(who, None);
    }

    pub(super) fn advance_stop(&mut self, now: Duration) {
        if self.phase == Phase::StoppingApps && self.apps.iter().all(|slot| slot.processes().next().is_none()) {
            self.phase = Phase::StoppingAgent;
            let agents: Vec<Occupant> = self.agent.processes().map(Process::who).collect();
            let present = self.agent.processes().any(Process::is_alive);
            self.report(Report::StoppingAgent { within: self.config.agent_close_timeout, present });
            for who in agents {
                self.dismiss(who, now);
            }
        }
        if self.phase == Phase::StoppingAgent && self.agent.processes().next().is_none() {
            self.report(Report::StopDone);
            self.exit(0);
        }
    }
}
