//! The witness' look at reports: does what people are told fit what happened?

use std::time::Duration;

use egg_clutch::message::address::{Occupant, WorkerId};
use egg_clutch::supervisor::{IntensityEnd, Refork, Report};

use super::witness::Witness;

impl Witness {
    /// Writes a report down.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn see_report(&mut self, report: &Report, now: Duration) -> Result<(), String> {
        match report {
            Report::AgentStarted { number, .. } => {
                self.answer.agents_started += 1;
                let number = *number;
                if let Some(entry) = self.entries.iter_mut().find(|e| e.who.is_agent() && e.number == number) {
                    entry.started = true;
                }
                Ok(())
            }
            Report::AppStarted { who, port, .. } => self.see_app_started(*who, *port),
            Report::SpareReady { who, .. } => self.see_spare_ready(*who),
            Report::Isolated { who, .. } => self.see_isolated(*who, true),
            Report::Rejoined { who, .. } => self.see_isolated(*who, false),
            Report::AppDisconnected { number, refork, .. } => self.see_app_lost(0, *number, Some(*refork)),
            Report::AppExited { number, refork, .. } => {
                self.answer.apps_exited += 1;
                self.see_app_lost(1, *number, Some(*refork))
            }
            Report::AppDied { number, .. } => self.see_app_lost(2, *number, None),
            Report::SlotRefillPlanned { is_slow, .. } => {
                self.tally.delayed_refills += 1;
                self.tally.slow_refills += u64::from(*is_slow);
                Ok(())
            }
            Report::Overdue { who, is_booting, .. } => self.see_overdue(*who, *is_booting, now),
            Report::Abandoned { number, is_agent, .. } => self.see_abandoned(*number, *is_agent, now),
            Report::ReloadStarted { .. } | Report::ReloadDone { .. } | Report::ReloadFailed { .. } => {
                self.see_reload(report);
                Ok(())
            }
            _ => self.see_turn(report, now),
        }
    }

    /// The turns that a cluster's life takes once.
    fn see_turn(&mut self, report: &Report, now: Duration) -> Result<(), String> {
        match report {
            Report::Ready { .. } if self.ready_at.replace(now).is_some() => {
                return Err("it became ready a second time".to_owned());
            }
            Report::Ready { .. } if self.config.sticky_worker_port.is_some() && !self.sticky_port_is_open => {
                return Err("it became ready before the sticky port was open".to_owned());
            }
            Report::Ready { .. } => self.tally.became_ready += 1,
            Report::StopStarted { .. } if self.stopping_at.replace(now).is_some() => {
                return Err("it began to stop a second time".to_owned());
            }
            Report::StoppingAgent { .. } => self.stopping_agent = true,
            Report::CapacityLost { .. } => {
                self.capacity_lost = true;
                self.tally.capacity_lost += 1;
            }
            Report::ResizeStarted { from, to } => self.answer.closings += from.saturating_sub(*to),
            Report::Degraded { .. } => self.tally.degraded += 1,
            Report::RestartsExceeded { .. } if self.config.restart.then == IntensityEnd::Slow => {
                return Err("it ends for too many restarts, which nobody wanted".to_owned());
            }
            Report::RestartsExceeded { .. } => {
                self.gave_up = true;
                self.tally.gave_up += 1;
            }
            Report::StopDelayed { .. } if self.config.pre_stop_delay.is_zero() => {
                return Err("a stop waits that should not".to_owned());
            }
            Report::StopDelayed { .. } => {
                self.is_leaving = true;
                // What was going on goes to its own end.
                (self.reload_is_on, self.reload_waits) = (false, false);
                self.tally.stops_delayed += 1;
            }
            Report::StopHurried { .. } => self.is_hurried = true,
            Report::KilledByDebugger if !self.debugger_closes => {
                return Err("the cluster closes for a debugger that killed nobody".to_owned());
            }
            Report::KilledByDebugger => self.tally.closed_by_debugger += 1,
            _ => {}
        }
        Ok(())
    }

    fn see_app_started(&mut self, who: Occupant, port: i64) -> Result<(), String> {
        let is_expected = match self.config.sticky_worker_port {
            Some(own) => port == i64::from(own),
            None if self.config.shares_sockets => port == 7_001 || port == -1,
            None => (7_001..7_005).contains(&port) || port == -1,
        };
        if !is_expected {
            return Err(format!("{who:?} counts as started on port {port}"));
        }
        self.answer.apps_started += 1;
        let Some(entry) = self.entry(who).filter(|entry| entry.boots() || entry.is_spare) else {
            return Err(format!("{who:?} started although it does not boot"));
        };
        entry.started = true;
        if std::mem::take(&mut entry.is_spare) {
            self.tally.takeovers += 1;
        }
        Ok(())
    }

    fn see_spare_ready(&mut self, who: Occupant) -> Result<(), String> {
        let Some(entry) = self.entry(who).filter(|entry| entry.boots()) else {
            return Err(format!("{who:?} is a spare although it does not boot"));
        };
        (entry.started, entry.is_spare) = (true, true);
        Ok(())
    }

    fn see_isolated(&mut self, who: Occupant, is_isolated: bool) -> Result<(), String> {
        match self.entry(who).filter(|entry| entry.is_up() && !entry.is_spare && entry.is_isolated != is_isolated) {
            Some(entry) => entry.is_isolated = is_isolated,
            None => return Err(format!("{who:?} cannot be isolated or rejoin")),
        }
        self.tally.isolated += u64::from(is_isolated);
        Ok(())
    }

    fn see_app_lost(&mut self, kind: usize, number: WorkerId, refork: Option<Refork>) -> Result<(), String> {
        if refork == Some(Refork::Wanted) && !(self.config.refork && self.is_running()) {
            return Err(format!("app #{number} is said to be reforked although nothing is"));
        }
        if let Some(entry) = self.entries.iter_mut().find(|e| !e.who.is_agent() && e.number == number) {
            entry.reports[kind] += 1;
        }
        Ok(())
    }

    fn see_overdue(&mut self, who: Occupant, is_booting: bool, now: Duration) -> Result<(), String> {
        let drain = if who.is_agent() { self.config.agent_close_timeout } else { Duration::from_secs(60) };
        let boot = self.config.boot_timeout;
        let entry = self.entry(who).filter(|entry| match is_booting {
            true => entry.boots() && now >= entry.forked_at + boot,
            false => entry.is_there() && entry.closed && now >= entry.closed_at + drain,
        });
        match entry {
            Some(entry) => entry.is_overdue = true,
            None => return Err(format!("{who:?} is not overdue")),
        }
        self.fatal |= self.ready_at.is_none();
        self.count_loss(who, now);
        self.tally.overdue += 1;
        Ok(())
    }

    fn see_abandoned(&mut self, number: WorkerId, is_agent: bool, now: Duration) -> Result<(), String> {
        let waited = Duration::from_secs(2);
        let entry = self.entries.iter_mut().find(|e| e.who.is_agent() == is_agent && e.number == number);
        let Some(entry) = entry.filter(|entry| entry.killed_at.is_some_and(|at| at + waited <= now)) else {
            return Err(format!("#{number} is abandoned too soon after it was killed, or before"));
        };
        entry.abandoned = true;
        let (who, was_there) = (entry.who, entry.is_there());
        self.answer.apps_abandoned += u32::from(was_there && !is_agent && self.is_running());
        self.count_loss(who, now);
        self.tally.abandoned += 1;
        Ok(())
    }

    fn see_reload(&mut self, report: &Report) {
        let is_started = matches!(report, Report::ReloadStarted { .. });
        let is_failed = matches!(report, Report::ReloadFailed { .. });
        self.reload_is_on = is_started;
        self.reload_waits &= !is_started;
        self.answer.reload_started |= is_started;
        self.answer.reload_failed |= is_failed;
        self.tally.reloads_failed += u64::from(is_failed);
        self.tally.reloads_done += u64::from(!is_started && !is_failed);
    }
}
