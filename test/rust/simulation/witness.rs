//! [`Witness`]: keeps its own books of what the supervisor was told and what it asked for, and says when the two do not fit.
//!
//! It knows nothing of the supervisor's inside. What is wrong with a single effect is found in `effects` and `reports`, what is
//! wrong with the answer to an event as a whole is found here.

use std::time::Duration;

use egg_clutch::message::address::{Generation, Occupant, Seat, WorkerId};
use egg_clutch::slot::Exit;
use egg_clutch::supervisor::{Event, RequestId, Supervisor, SupervisorConfig};

use super::process::{ModelProcess, Tree};
use super::tally::Tally;

/// The books on one process.
#[derive(Clone, Debug)]
pub struct Entry {
    pub who: Occupant,
    pub number: WorkerId,
    pub pid: Option<u32>,
    pub spawn_failed: bool,
    pub started: bool,
    pub closed: bool,
    pub exited: bool,
    pub violated: bool,
    pub terminated_at: Option<Duration>,
    pub killed_at: Option<Duration>,
    pub forked_at: Duration,
    pub lost_at: Option<Duration>,
    pub closed_at: Duration,
    pub abandoned: bool,
    pub descendants_killed: bool,
    /// How often its disconnect, its exit and its death were reported.
    pub reports: [u32; 3],
    pub is_overdue: bool,
    pub is_dismissed: bool,
    /// Its loss has been counted as a reason to fork another one.
    pub is_counted: bool,
    /// It is ready to take over, and has not.
    pub is_spare: bool,
    pub is_isolated: bool,
    pub is_barred: bool,
}

impl Entry {
    pub fn is_outstanding(&self) -> bool {
        self.pid.is_none() && !self.spawn_failed
    }

    /// Forked, and its end has not been told.
    pub fn is_there(&self) -> bool {
        self.pid.is_some() && !self.exited
    }

    pub fn is_listed(&self) -> bool {
        self.started && self.is_there() && !self.closed && !self.abandoned && !self.is_spare
    }

    /// Ready, in service or not.
    pub fn is_up(&self) -> bool {
        let is_open = self.started && self.is_there() && !self.closed && !self.abandoned;
        is_open && self.terminated_at.is_none() && self.killed_at.is_none()
    }

    pub fn serves(&self) -> bool {
        self.is_up() && !self.is_spare && !self.is_isolated
    }

    pub fn boots(&self) -> bool {
        self.is_there() && !self.started && !self.closed && self.terminated_at.is_none() && self.killed_at.is_none()
    }
}

/// What came out while one event was handled.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub app_pids: u32,
    pub pids: Option<Vec<u32>>,
    pub apps_started: u32,
    pub apps_exited: u32,
    pub apps_abandoned: u32,
    pub agents_started: u32,
    pub told_parent_of_death: u32,
    pub ready_to_agent: u32,
    pub ready: Vec<&'static str>,
    pub reload_started: bool,
    pub reload_failed: bool,
    /// How many slots may be closed with those who serve there.
    pub closings: u32,
}

/// The books of one life.
#[derive(Clone, Debug)]
pub struct Witness {
    pub config: SupervisorConfig,
    pub entries: Vec<Entry>,
    pub tally: Tally,
    pub answer: Answer,
    /// Generations and numbers given so far.
    pub generations: Vec<(Seat, Generation)>,
    pub numbers: [u32; 2],
    pub ready_at: Option<Duration>,
    pub stopping_at: Option<Duration>,
    pub stopping_agent: bool,
    pub exit: Option<i32>,
    pub capacity_lost: bool,
    /// How many forks of each app seat have a reason.
    pub reasons: Vec<u32>,
    /// The most that the master was held up; time limits are longer by this.
    pub slack: Duration,
    looks: u128,
    was_whole: bool,
    bad_looks: u32,
    pub fatal: bool,
    app_exit: bool,
    pub debugger_closes: bool,
    /// A reload is going on, and another one has been asked for meanwhile.
    pub reload_is_on: bool,
    pub reload_waits: bool,
    pub has_reloaded: bool,
    pub sticky_port_is_open: bool,
    /// Requests that wait for their answers.
    pub asked: Vec<RequestId>,
    pub may_renew_agent: bool,
    pub has_restarted: bool,
    pub is_leaving: bool,
    pub is_hurried: bool,
    pub gave_up: bool,
    /// How many processes there were when the event came.
    known_before: usize,
}

/// What the host may add to a time limit: forks that are under way, and news on its way.
pub const HOST_SLACK: Duration = Duration::from_millis(200);

/// No life has nearly as many slots.
const SLOTS_LIMIT: u32 = 64;

impl Witness {
    pub fn new(config: &SupervisorConfig) -> Self {
        Self {
            config: config.clone(),
            entries: Vec::new(),
            tally: Tally::default(),
            answer: Answer::default(),
            generations: Vec::new(),
            numbers: [0; 2],
            ready_at: None,
            stopping_at: None,
            stopping_agent: false,
            exit: None,
            capacity_lost: false,
            reasons: (0..SLOTS_LIMIT).map(|slot| u32::from(slot < config.workers + config.spares)).collect(),
            slack: HOST_SLACK,
            looks: 0,
            was_whole: true,
            bad_looks: 0,
            fatal: false,
            app_exit: false,
            debugger_closes: false,
            reload_is_on: false,
            reload_waits: false,
            has_reloaded: false,
            sticky_port_is_open: false,
            asked: Vec::new(),
            may_renew_agent: false,
            has_restarted: false,
            is_leaving: false,
            is_hurried: false,
            gave_up: false,
            known_before: 0,
        }
    }

    /// The master is held up for this long.
    pub fn forgive(&mut self, time: Duration) {
        self.slack += time;
    }

    pub fn entry(&mut self, who: Occupant) -> Option<&mut Entry> {
        self.entries.iter_mut().rev().find(|entry| entry.who == who)
    }

    pub fn is_running(&self) -> bool {
        self.ready_at.is_some() && self.stopping_at.is_none() && self.exit.is_none()
    }

    /// A new event comes in; until the next one, all effects are the answer to it and to what it leads to.
    pub fn begin(&mut self) {
        self.answer = Answer::default();
        self.app_exit = false;
        self.known_before = self.entries.len();
    }

    /// Writes an event down, before the supervisor sees it.
    pub fn see_event(&mut self, event: &Event, now: Duration) {
        self.tally.events += 1;
        self.see_request(event);
        let (is_debug, is_booting) = (self.config.is_debug, self.ready_at.is_none() && self.stopping_at.is_none());
        match event {
            Event::Spawned { who, pid } => {
                if let Some(entry) = self.entry(*who).filter(|entry| entry.is_outstanding()) {
                    (entry.pid, entry.forked_at) = (Some(*pid), now);
                }
            }
            Event::SpawnFailed { who } => {
                if let Some(entry) = self.entry(*who).filter(|entry| entry.is_outstanding()) {
                    (entry.spawn_failed, entry.exited) = (true, true);
                    self.fatal |= is_booting;
                    self.count_loss(*who, now);
                }
            }
            Event::ChannelClosed { who } => {
                if let Some(entry) = self.entry(*who).filter(|entry| entry.is_there() && !entry.closed) {
                    (entry.closed, entry.closed_at) = (true, now);
                    self.count_loss(*who, now);
                }
            }
            Event::ProtocolViolated { who } => {
                if let Some(entry) = self.entry(*who).filter(|entry| entry.is_there()) {
                    let closed_at = if entry.closed { entry.closed_at } else { now };
                    (entry.closed, entry.closed_at, entry.violated) = (true, closed_at, true);
                    self.count_loss(*who, now);
                }
            }
            Event::WorkerExited { who, exit } => {
                if let Some(entry) = self.entry(*who).filter(|entry| entry.is_there() && !entry.abandoned) {
                    entry.exited = true;
                    let was_ours = entry.killed_at.is_some() || entry.violated;
                    let by_debugger = is_debug && !was_ours && !who.is_agent() && *exit == Exit::Signal("SIGKILL");
                    self.debugger_closes |= by_debugger && self.stopping_at.is_none();
                    self.fatal |= is_booting && (who.is_agent() || !self.debugger_closes);
                    self.app_exit = !who.is_agent();
                    self.count_loss(*who, now);
                }
            }
            Event::StickyPortOpened { .. } => {
                self.sticky_port_is_open = true;
                self.tally.sticky_ports += 1;
            }
            Event::StickyPortFailed => self.fatal |= is_booting,
            _ => {}
        }
    }

    /// The loss of a process is a reason to fork one more, once, and only where lost ones are replaced.
    pub fn count_loss(&mut self, who: Occupant, now: Duration) {
        let may_refork = self.config.refork && self.is_running();
        let Some(entry) = self.entry(who) else { return };
        entry.lost_at.get_or_insert(now);
        if may_refork
            && !std::mem::replace(&mut entry.is_counted, true)
            && let Seat::App(index) = who.seat
        {
            self.reasons[index.0 as usize] += 1;
        }
    }

    /// Looks at the answer to an event as a whole.
    pub fn judge(&mut self, event: &Event, supervisor: &Supervisor, now: Duration) -> Result<(), String> {
        self.look(now)?;
        if self.fatal && self.exit != Some(1) {
            return Err("a death before readiness did not end the master with 1".to_owned());
        }
        if self.exit.is_some() {
            return Ok(());
        }
        let answer = &self.answer;
        let is_stopping = self.stopping_at.is_some();
        let exits = u32::from(self.app_exit && !is_stopping) + answer.apps_abandoned;
        if answer.apps_exited != u32::from(self.app_exit) {
            return Err(format!("{} exits of apps were reported", answer.apps_exited));
        }
        let starts_of_agents = if self.ready_at.is_some() { answer.agents_started } else { 0 };
        if !is_stopping && answer.app_pids != answer.apps_started + exits + starts_of_agents {
            return Err(format!("egg-pids went to the agent {} times", answer.app_pids));
        }
        if let Some(pids) = &answer.pids {
            let mut listed: Vec<&Entry> = self.entries.iter().filter(|e| !e.who.is_agent() && e.is_listed()).collect();
            listed.sort_by_key(|entry| entry.number);
            let listed: Vec<u32> = listed.into_iter().filter_map(|entry| entry.pid).collect();
            if *pids != listed {
                return Err(format!("egg-pids says {pids:?}, in service are {listed:?}"));
            }
        }
        self.check_reports(event)?;
        self.check_reload()?;
        self.check_service(supervisor)?;
        let answer = &self.answer;
        let became_ready = !answer.ready.is_empty();
        if self.ready_at.is_some() && !is_stopping && answer.told_parent_of_death != exits {
            return Err(format!("the parent heard of {} deaths of apps", answer.told_parent_of_death));
        }
        if became_ready && answer.ready != ["parent", "apps", "agent"] && self.ready_at == Some(now) {
            let is_refill = answer.ready == ["apps"] || answer.ready == ["agent"];
            if !is_refill {
                return Err(format!("egg-ready went to {:?}", answer.ready));
            }
        }
        if !is_stopping && answer.ready_to_agent != starts_of_agents + u32::from(answer.ready.contains(&"parent")) {
            return Err(format!("egg-ready went to the agent {} times", answer.ready_to_agent));
        }
        if let Some(at) = supervisor.next_deadline().filter(|at| *at <= now) {
            return Err(format!("the deadline {at:?} is still there after {event:?} at {now:?}"));
        }
        Ok(())
    }

    /// A reload replaces those that boot, a failed one leaves those that serve alone, and one that waits has its turn.
    fn check_reload(&self) -> Result<(), String> {
        if self.stopping_at.is_some() || self.is_leaving {
            return Ok(());
        }
        if self.reload_waits && !self.reload_is_on && !self.has_restarted {
            return Err("the reload that waited was forgotten".to_owned());
        }
        let booting = || self.entries[..self.known_before].iter().filter(|e| !e.who.is_agent() && e.boots());
        if self.answer.reload_started
            && let Some(entry) = booting().next()
        {
            return Err(format!("{:?} boots on although it may have read the old code", entry.who));
        }
        let is_over = self.answer.reload_failed && !self.answer.reload_started;
        let rival = booting().find(|e| self.entries.iter().any(|other| other.who.seat == e.who.seat && other.serves()));
        match rival.filter(|_| is_over) {
            Some(entry) => Err(format!("{:?} boots on although the reload failed", entry.who)),
            None => Ok(()),
        }
    }

    /// An app's disconnect and exit are reported once each; its death, where it was an accident.
    fn check_reports(&self, event: &Event) -> Result<(), String> {
        let (Event::ChannelClosed { who } | Event::ProtocolViolated { who } | Event::WorkerExited { who, .. }) = event
        else {
            return Ok(());
        };
        let entry = self.entries.iter().find(|entry| entry.who == *who && entry.pid.is_some() && !entry.abandoned);
        let Some(entry) = entry.filter(|entry| !entry.who.is_agent()) else { return Ok(()) };
        let is_death = entry.exited && !entry.is_dismissed && self.stopping_at.is_none();
        let expected = [u32::from(entry.closed || entry.exited), u32::from(entry.exited), u32::from(is_death)];
        // Whether it died before the stop began is not in the books.
        let count = if self.stopping_at.is_some() { 2 } else { 3 };
        if entry.reports[..count] != expected[..count] {
            return Err(format!("{who:?}: disconnect, exit and death were reported {:?} times", entry.reports));
        }
        Ok(())
    }

    /// The ten-second look at capacity, done by the witness on its own: at what there was before this event.
    fn look(&mut self, now: Duration) -> Result<(), String> {
        const PERIOD: Duration = Duration::from_secs(10);
        if self.stopping_at.is_none()
            && self.config.checks_health
            && let Some(ready_at) = self.ready_at
        {
            let looks = now.saturating_sub(ready_at).as_nanos() / PERIOD.as_nanos();
            if std::mem::replace(&mut self.looks, looks) < looks {
                self.bad_looks = if self.was_whole { 0 } else { self.bad_looks + 1 };
            }
            let agent = self.entries.iter().any(|entry| entry.who.is_agent() && entry.serves());
            let app = self.entries.iter().any(|entry| !entry.who.is_agent() && entry.serves());
            self.was_whole = agent && app;
        }
        match (self.capacity_lost, self.bad_looks >= 3) {
            (true, false) => Err("the master gave up without three bad looks".to_owned()),
            (false, true) if self.exit.is_none() => Err("three bad looks did not end the master".to_owned()),
            _ => Ok(()),
        }
    }

    pub fn may_end_with_one(&self) -> bool {
        self.fatal || self.capacity_lost || self.gave_up
    }

    /// When a stop must be over.
    pub fn stop_ends_by(&self) -> Option<Duration> {
        let killing = Duration::from_secs(2);
        let timeouts = self.config.app_close_timeout + self.config.agent_close_timeout;
        Some(self.stopping_at? + timeouts + 2 * killing + self.slack)
    }

    /// After an orderly stop nobody is left who has not been sent SIGKILL.
    pub fn check_the_dead(&self, processes: &[ModelProcess]) -> Result<(), String> {
        if self.exit != Some(0) {
            return Ok(());
        }
        if let Some(left) = processes.iter().find(|process| process.is_alive && !process.is_killed) {
            return Err(format!("{:?} was left alive and not killed", left.who));
        }
        let is_left = |p: &&ModelProcess| p.tree != Tree::Gone && p.is_terminated && !p.tree_is_killed;
        if let Some(left) = processes.iter().find(is_left) {
            return Err(format!("descendants of {:?} were left alive and not killed", left.who));
        }
        match self.entries.iter().find(|entry| entry.is_outstanding()) {
            Some(entry) => Err(format!("the fork of {:?} was not waited for", entry.who)),
            None => Ok(()),
        }
    }
}
