//! The witness' look at single effects: may this be asked for, now, of this process?

use std::time::Duration;

use egg_clutch::message::address::{Occupant, Seat, WorkerId};
use egg_clutch::supervisor::{Answer, Effect, Notice, Refusal, RequestId};

use super::witness::{Entry, HOST_SLACK, Witness};

impl Witness {
    /// Writes an effect down.
    ///
    /// # Errors
    /// Why it must not have been asked for.
    pub fn see_effect(&mut self, effect: &Effect, now: Duration) -> Result<(), String> {
        if let Some(code) = self.exit {
            return Err(format!("{effect:?} after Exit {code}"));
        }
        match effect {
            Effect::Spawn { who, number } => self.see_spawn(*who, *number, now),
            Effect::Terminate { who } => self.see_terminate(*who, now),
            Effect::KillDescendants { who } => self.see_kill_descendants(*who),
            Effect::Kill { who } => self.see_kill(*who, now),
            Effect::OpenStickyPort { .. } => self.see_sticky_port(),
            Effect::Bar { who } => self.see_bar(*who, true),
            Effect::Admit { who } => self.see_bar(*who, false),
            Effect::Place { .. } => Ok(()),
            Effect::SpawnHeir
            | Effect::LetHeirTakeOver
            | Effect::KillHeir
            | Effect::TerminateHeir
            | Effect::Bequeath { .. }
            | Effect::Keep
            | Effect::TakeOver => Err(format!("{effect:?}, where nobody asked for a new master")),
            Effect::Answer { ticket, answer } => self.see_answer(*ticket, answer),
            Effect::Tell(notice) => self.see_notice(notice),
            Effect::Report(report) => self.see_report(report, now),
            Effect::Exit { code } => self.see_exit(*code, now),
        }
    }

    fn see_spawn(&mut self, who: Occupant, number: WorkerId, now: Duration) -> Result<(), String> {
        if self.stopping_at.is_some() {
            return Err(format!("{who:?} is forked while the cluster stops"));
        }
        let agent_started = self.entries.iter().any(|entry| entry.who.is_agent() && entry.started);
        if !who.is_agent() && !agent_started {
            return Err(format!("{who:?} is forked before the agent has started"));
        }
        match self.generations.iter_mut().find(|(seat, _)| *seat == who.seat) {
            Some((_, last)) if *last >= who.generation => return Err(format!("{who:?} is no new generation")),
            Some((_, last)) => *last = who.generation,
            None => self.generations.push((who.seat, who.generation)),
        }
        let last = &mut self.numbers[usize::from(who.is_agent())];
        if number.0 <= *last {
            return Err(format!("number {number} after {last}"));
        }
        *last = number.0;
        let rival = self.entries.iter().find(|e| e.who.seat == who.seat && (e.is_outstanding() || e.boots()));
        if let Some(rival) = rival {
            return Err(format!("{who:?} is forked while {:?} boots", rival.who));
        }
        self.check_backoff(who, now)?;
        if !self.config.shares_sockets {
            self.check_emptied(who, now)?;
        }
        if let Seat::App(index) = who.seat {
            let reasons = &mut self.reasons[index.0 as usize];
            *reasons = reasons.checked_sub(1).ok_or_else(|| format!("{who:?} is forked without a reason"))?;
        } else if self.entries.iter().any(|entry| entry.who.is_agent() && entry.is_there() && !entry.abandoned) {
            return Err(format!("{who:?} is forked beside another agent"));
        }
        let is_running = self.is_running();
        self.tally.app_refills += u64::from(is_running && !who.is_agent());
        self.tally.agent_refills += u64::from(is_running && who.is_agent());
        self.entries.push(Entry {
            who,
            number,
            pid: None,
            spawn_failed: false,
            started: false,
            closed: false,
            exited: false,
            violated: false,
            terminated_at: None,
            killed_at: None,
            forked_at: Duration::ZERO,
            closed_at: Duration::ZERO,
            lost_at: None,
            descendants_killed: false,
            abandoned: false,
            reports: [0; 3],
            is_overdue: false,
            is_dismissed: false,
            is_counted: false,
            is_spare: false,
            is_isolated: false,
            is_barred: false,
        });
        Ok(())
    }

    fn see_bar(&mut self, who: Occupant, is_barred: bool) -> Result<(), String> {
        let Some(entry) = self.entry(who) else { return Err(format!("nobody is {who:?}")) };
        if std::mem::replace(&mut entry.is_barred, is_barred) == is_barred {
            return Err(format!("{who:?} is barred or admitted twice"));
        }
        Ok(())
    }

    /// Every request is answered once, and a reload is done when all are new.
    fn see_answer(&mut self, ticket: RequestId, answer: &Answer) -> Result<(), String> {
        let Some(place) = self.asked.iter().position(|asked| *asked == ticket) else {
            return Err(format!("{ticket:?} is answered though nobody asks"));
        };
        self.asked.remove(place);
        let serving = self.entries.iter().filter(|e| !e.who.is_agent() && e.is_up() && !e.is_spare).count();
        match answer {
            Answer::Reloaded { .. } => self.tally.reloads_answered += 1,
            Answer::Resized { workers } => {
                self.tally.resized += 1;
                if serving > *workers as usize && !self.reload_is_on && !self.has_restarted {
                    return Err(format!("{serving} serve, not {workers}"));
                }
            }
            Answer::Upgraded { .. } => return Err("nobody asked for a new master".to_owned()),
            Answer::Done => self.tally.requests_done += 1,
            Answer::Refused(Refusal::BootFailed(_)) => self.tally.boots_told_of += 1,
            Answer::Refused(_) => self.tally.requests_refused += 1,
        }
        Ok(())
    }

    /// Two in a row that did not get ready are not followed by a third at once.
    fn check_backoff(&self, who: Occupant, now: Duration) -> Result<(), String> {
        let mut earlier = self.entries.iter().rev().filter(|entry| entry.who.seat == who.seat);
        let lost_at = |entry: Option<&Entry>| entry.filter(|entry| !entry.started).and_then(|entry| entry.lost_at);
        let (last, last_but_one) = (lost_at(earlier.next()), lost_at(earlier.next()));
        let is_at_once = last == Some(now) && last_but_one.is_some();
        if is_at_once && !who.is_agent() && !self.has_reloaded {
            return Err(format!("{who:?} is forked at once although its slot keeps failing"));
        }
        Ok(())
    }

    /// Nobody is started on a port that another one holds, nor sooner than agreed unless a reload wants it.
    fn check_emptied(&self, who: Occupant, now: Duration) -> Result<(), String> {
        let Some(last) = self.entries.iter().rev().find(|entry| entry.who.seat == who.seat) else { return Ok(()) };
        if last.is_there() && !last.abandoned && !last.is_overdue {
            return Err(format!("{who:?} is started while {:?} is there", last.who));
        }
        let is_early = last.lost_at.is_some_and(|at| now < at + self.config.restart.pause);
        if is_early && !who.is_agent() && !self.has_reloaded {
            return Err(format!("{who:?} is started too soon after the death of {:?}", last.who));
        }
        Ok(())
    }

    fn see_terminate(&mut self, who: Occupant, now: Duration) -> Result<(), String> {
        if self.stopping_at.is_some() && who.is_agent() {
            let app =
                self.entries.iter().find(|e| !e.who.is_agent() && (e.is_there() || e.is_outstanding()) && !e.abandoned);
            if let Some(app) = app {
                return Err(format!("the agent is asked to leave while {:?} is there", app.who));
            }
        }
        let is_running = self.is_running();
        let Some(entry) = self.entry(who) else { return Err(format!("nobody is {who:?}")) };
        if !entry.is_there() || entry.terminated_at.is_some() {
            return Err(format!("{who:?} cannot be asked to leave (again)"));
        }
        let served = entry.is_up();
        entry.terminated_at = Some(now);
        entry.is_dismissed = !entry.closed && !entry.is_overdue;
        if is_running && served {
            let seat = who.seat;
            let has_successor = self.entries.iter().any(|entry| entry.who.seat == seat && entry.is_up());
            let is_allowed =
                if who.is_agent() { self.may_renew_agent } else { !has_successor && self.answer.closings > 0 };
            if is_allowed {
                self.answer.closings -= u32::from(!who.is_agent());
            } else if !self.config.shares_sockets {
                self.check_turn(who)?;
            } else if !has_successor {
                return Err(format!("{who:?} serves and is asked to leave without a successor"));
            }
        }
        Ok(())
    }

    /// Where a seat has to be emptied first, one at a time is.
    fn check_turn(&self, who: Occupant) -> Result<(), String> {
        let is_emptied =
            |entry: &&Entry| !entry.who.is_agent() && entry.who != who && entry.is_dismissed && entry.started;
        match self.entries.iter().filter(is_emptied).find(|entry| entry.is_there() && !entry.abandoned) {
            Some(other) => Err(format!("{who:?} has to leave before {:?} has been replaced", other.who)),
            None => Ok(()),
        }
    }

    fn see_kill_descendants(&mut self, who: Occupant) -> Result<(), String> {
        match self.entry(who) {
            Some(entry) if entry.terminated_at.is_some() && !entry.abandoned => {
                entry.descendants_killed = true;
                Ok(())
            }
            _ => Err(format!("the descendants of {who:?} must not be killed")),
        }
    }

    fn see_kill(&mut self, who: Occupant, now: Duration) -> Result<(), String> {
        let timeout = if who.is_agent() { self.config.agent_close_timeout } else { self.config.app_close_timeout };
        let is_hurried = self.is_hurried;
        let Some(entry) = self.entry(who) else { return Err(format!("nobody is {who:?}")) };
        let is_due = is_hurried || entry.terminated_at.is_some_and(|at| now >= at + timeout);
        if entry.abandoned || entry.spawn_failed || !(entry.violated || is_due) {
            return Err(format!("{who:?} must not be killed"));
        }
        entry.killed_at.get_or_insert(now);
        let is_on_time = !timeout.is_zero() && entry.terminated_at.is_some_and(|at| now == at + timeout);
        if is_on_time && !is_hurried && !entry.descendants_killed && self.slack == HOST_SLACK {
            return Err(format!("{who:?} is killed before its descendants"));
        }
        Ok(())
    }

    /// The sticky port is opened when all apps serve, and not before.
    fn see_sticky_port(&self) -> Result<(), String> {
        let in_service = self.entries.iter().filter(|entry| !entry.who.is_agent() && entry.is_listed()).count();
        if self.config.sticky_worker_port.is_none() || self.ready_at.is_some() {
            return Err("a sticky port is opened that nobody wants".to_owned());
        }
        if in_service != self.config.workers as usize {
            return Err(format!("the sticky port is opened when {in_service} apps serve"));
        }
        Ok(())
    }

    fn see_notice(&mut self, notice: &Notice) -> Result<(), String> {
        match notice {
            Notice::UpgradedToParent { .. } => return Err("nobody asked for a new master".to_owned()),
            Notice::ReadyToParent { .. } => self.answer.ready.push("parent"),
            Notice::ReadyToApps => self.answer.ready.push("apps"),
            Notice::ReadyToAgent => {
                self.answer.ready.push("agent");
                self.answer.ready_to_agent += 1;
            }
            Notice::AppPidsToAgent(pids) => {
                self.answer.app_pids += 1;
                self.answer.pids = Some(pids.clone());
            }
            Notice::AgentPidToApps(Some(pid)) => {
                if !self.entries.iter().any(|e| e.who.is_agent() && e.pid == Some(*pid) && e.is_there()) {
                    return Err(format!("{pid} is no agent"));
                }
            }
            Notice::AgentPidToApp { who, app, agent } => {
                let serves = self.entries.iter().any(|e| e.who.is_agent() && e.pid == Some(*agent) && e.is_listed());
                if !serves {
                    return Err(format!("{who:?} is told of the agent {agent}, which does not serve"));
                }
                if !self.entry(*who).is_some_and(|entry| entry.is_there() && entry.pid == Some(*app)) {
                    return Err(format!("{who:?} is told something although it is gone"));
                }
            }
            Notice::InspectPortToParent { who, .. } => {
                if !self.config.is_debug || !self.entry(*who).is_some_and(|entry| entry.is_there()) {
                    return Err(format!("{notice:?} is wrong"));
                }
            }
            Notice::AppDiedToParent => self.answer.told_parent_of_death += 1,
            Notice::AgentPidToApps(None) | Notice::AgentStartToApps | Notice::AgentDiedToParent => {}
        }
        Ok(())
    }

    fn see_exit(&mut self, code: i32, now: Duration) -> Result<(), String> {
        self.exit = Some(code);
        if code == 1 {
            self.tally.start_failed += u64::from(!self.capacity_lost);
            return if self.may_end_with_one() { Ok(()) } else { Err("Exit 1 without a reason".to_owned()) };
        }
        self.tally.stopped += 1;
        let Some(limit) = self.stop_ends_by() else { return Err("Exit 0 without a stop".to_owned()) };
        if !self.stopping_agent {
            return Err("Exit 0 before the agent was asked to leave".to_owned());
        }
        if now > limit {
            return Err(format!("the stop took until {now:?}, it should have ended by {limit:?}"));
        }
        Ok(())
    }
}
