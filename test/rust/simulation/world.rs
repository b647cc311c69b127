//! [`World`]: the virtual clock, the queue of what happens when, and the loop that feeds the supervisor and carries out what it asks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::time::Duration;

use egg_clutch::message::address::Occupant;
use egg_clutch::slot::{Exit, SlotState};
use egg_clutch::supervisor::{Effect, Event, Supervisor, View};

use super::chance::Chance;
use super::plan::{Fault, Plan, Wish};
use super::process::ModelProcess;
use super::tally::Tally;
use super::witness::Witness;

/// No life takes nearly as many events; one that does runs in circles.
const EVENTS_LIMIT: u64 = 100_000;

/// One life in so many is led by threads; decided by the seed itself, as a draw more would turn all lives that are kept into others.
const THREADS_EVERY: u64 = 8;

/// One step in the life of a process; the number is its place in [`World::processes`].
#[derive(Clone, Debug)]
pub enum Step {
    Forked,
    Online,
    ListenElsewhere,
    BecomeReady,
    CloseChannel { announced: bool },
    Die(Exit),
    TreeLeaves,
}

#[derive(Clone, Debug)]
pub enum Happening {
    /// Reaches the supervisor.
    Event(Event),
    Step(usize, Step),
    Fault(Fault),
    Wish(Wish),
    End,
}

struct Due {
    at: Duration,
    /// What was put in first happens first.
    order: u64,
    what: Happening,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// One life of a cluster.
pub struct World {
    pub now: Duration,
    pub plan: Plan,
    pub chance: Chance,
    pub processes: Vec<ModelProcess>,
    /// The master does not run before this moment (SIGSTOP, a busy machine).
    pub paused_until: Duration,
    pub witness: Witness,
    pub has_ended: bool,
    supervisor: Supervisor,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    pids: u32,
    pub tickets: u32,
    story: Option<String>,
}

impl World {
    /// A world in which nothing has happened; with `tells`, it writes down everything that does.
    pub fn new(seed: u64, tells: bool) -> Self {
        let mut chance = Chance::new(seed);
        let plan = Plan::draw(&mut chance);
        let plan = if seed % THREADS_EVERY == THREADS_EVERY / 2 { plan.with_threads() } else { plan };
        Self::with_plan(plan, chance, tells)
    }

    pub fn with_plan(plan: Plan, chance: Chance, tells: bool) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            witness: Witness::new(&plan.config),
            supervisor: Supervisor::new(plan.config.clone()),
            story: tells.then(|| format!("{plan:#?}\n")),
            plan,
            chance,
            processes: Vec::new(),
            paused_until: Duration::ZERO,
            has_ended: false,
            queue: BinaryHeap::new(),
            order: 0,
            pids: 100,
            tickets: 0,
        };
        world.at(Duration::ZERO, Happening::Event(Event::StartAsked));
        for (at, fault) in world.plan.faults.clone() {
            world.at(at, Happening::Fault(fault));
        }
        for at in world.plan.reloads.clone() {
            world.at(at, Happening::Event(Event::ReloadAsked { agent: None, ticket: None }));
        }
        for (at, wish) in world.plan.wishes.clone() {
            world.at(at, Happening::Wish(wish));
        }
        for at in world.plan.stops.clone() {
            world.at(at, Happening::Event(Event::StopAsked { signal: Some("SIGTERM".to_owned()) }));
        }
        world.at(world.plan.ends_at, Happening::End);
        world
    }

    /// Lives to the end.
    ///
    /// # Errors
    /// What the supervisor did wrong.
    pub fn live(&mut self) -> Result<Tally, String> {
        loop {
            let next = self.queue.peek().map(|due| due.0.at);
            let deadline = self.supervisor.next_deadline().map(|at| at.max(self.paused_until).max(self.now));
            match (next, deadline) {
                (None, None) => break,
                (next, Some(deadline)) if next.is_none_or(|next| deadline < next) => {
                    self.now = deadline;
                    self.feed(Event::DeadlinePassed)?;
                }
                _ => {
                    let Some(Reverse(due)) = self.queue.pop() else { break };
                    self.now = due.at;
                    if matches!(due.what, Happening::End) {
                        break;
                    }
                    self.happen(due)?;
                }
            }
            if self.has_ended {
                return self.after_the_end();
            }
        }
        self.check_rest()
    }

    /// What was told so far, if it was.
    pub fn story(&self) -> &str {
        self.story.as_deref().unwrap_or_default()
    }

    pub fn at(&mut self, at: Duration, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Due { at, order: self.order, what }));
    }

    pub fn step_in(&mut self, index: usize, after: Duration, step: Step) {
        self.at(self.now + after, Happening::Step(index, step));
    }

    pub fn next_pid(&mut self) -> u32 {
        self.pids += 1;
        self.pids
    }

    pub fn supervisor_view(&self) -> View {
        self.supervisor.view()
    }

    pub fn find(&self, who: Occupant) -> Option<usize> {
        // The newest are asked for most.
        self.processes.iter().rposition(|process| process.who == who)
    }

    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(story) = &mut self.story {
            let _ = writeln!(story, "{:>10.3}s {}", now.as_secs_f64(), line());
        }
    }

    fn happen(&mut self, due: Due) -> Result<(), String> {
        match due.what {
            // It keeps its place: what one process said stays in order.
            Happening::Event(_) if self.now < self.paused_until => {
                self.queue.push(Reverse(Due { at: self.paused_until, ..due }));
            }
            Happening::Event(event) => return self.feed(event),
            Happening::Step(index, step) => self.take_step(index, step),
            Happening::Fault(fault) => self.strike(fault),
            Happening::Wish(wish) => {
                let event = self.ask(wish);
                return self.happen(Due { what: Happening::Event(event), ..due });
            }
            Happening::End => {}
        }
        Ok(())
    }

    fn feed(&mut self, event: Event) -> Result<(), String> {
        self.witness.begin();
        self.hand_over(event.clone());
        while let Some(effect) = self.supervisor.poll_effect() {
            self.tell(|| format!("    {effect:?}"));
            self.witness.see_effect(&effect, self.now)?;
            self.carry_out(effect);
            if self.witness.tally.events > EVENTS_LIMIT {
                return Err("it goes round in circles".to_owned());
            }
        }
        self.supervisor.check_invariants()?;
        self.witness.judge(&event, &self.supervisor, self.now)?;
        let again = match event {
            Event::WorkerExited { .. } | Event::WorkerListening { .. } | Event::ChannelClosed { .. } => Some(event),
            Event::Spawned { who, .. } => Some(Event::SpawnFailed { who }),
            _ => None,
        };
        // Not for ever, or a world in which everything is said again would never come to rest.
        if let Some(again) = again
            && self.now < self.plan.faults_until
            && self.chance.happens(self.plan.rates.says_twice)
        {
            let at = self.now + self.chance.millis(0, 500);
            self.at(at, Happening::Event(again));
        }
        Ok(())
    }

    fn hand_over(&mut self, event: Event) {
        self.tell(|| format!("> {event:?}"));
        self.witness.see_event(&event, self.now);
        self.supervisor.handle(event, self.now);
    }

    /// The master has left: nothing that comes may make it speak again.
    fn after_the_end(&mut self) -> Result<Tally, String> {
        self.witness.check_the_dead(&self.processes)?;
        for _ in 0..5 {
            let Some(Reverse(due)) = self.queue.pop() else { break };
            let Happening::Event(event) = due.what else { continue };
            self.supervisor.handle(event.clone(), due.at);
            if let Some(effect) = self.supervisor.poll_effect() {
                return Err(format!("{effect:?} after the end, on {event:?}"));
            }
        }
        if self.supervisor.next_deadline().is_some() {
            return Err("a deadline after the end".to_owned());
        }
        Ok(self.witness.tally.clone())
    }

    /// Faults have stopped long ago: everybody serves, nobody is left over.
    fn check_rest(&mut self) -> Result<Tally, String> {
        let view = self.supervisor.view();
        if view.is_stopping {
            return Err("it still stops".to_owned());
        }
        if !view.is_running {
            return Err("it is neither ready nor has it ended".to_owned());
        }
        self.witness.tally.rested += 1;
        if self.witness.reload_is_on {
            return Err("a reload has not come to an end".to_owned());
        }
        if view.agent.is_none_or(|agent| agent.state != SlotState::Ready) {
            return Err(format!("the agent does not serve again: {:?}", view.agent));
        }
        if let Some(app) = view.apps.iter().find(|app| app.state != SlotState::Ready) {
            return Err(format!("an app is neither ready nor gone: {app:?}"));
        }
        if let Some(ticket) = self.witness.asked.first() {
            return Err(format!("{ticket:?} was never answered"));
        }
        let workers = (view.target + self.plan.config.spares) as usize;
        if view.apps.len() > workers || (self.plan.config.refork && view.apps.len() < workers) {
            return Err(format!("{} of {workers} apps serve: {:?}", view.apps.len(), view.apps));
        }
        let known = view.apps.len() + 1;
        let alive: Vec<_> = self.processes.iter().filter(|process| process.is_alive).map(|p| p.who).collect();
        if alive.len() != known {
            return Err(format!("{known} processes are known, but alive are {alive:?}"));
        }
        Ok(self.witness.tally.clone())
    }
}

impl World {
    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { who, .. } => {
                self.processes.push(ModelProcess::new(who));
                let index = self.processes.len() - 1;
                if self.plan.forks_at_once {
                    let answer = self.fork(index);
                    self.hand_over(answer);
                } else {
                    let delay = self.chance.pick(&[0, 0, 1, 20, 150]);
                    self.step_in(index, Duration::from_millis(delay), Step::Forked);
                }
            }
            Effect::Terminate { who } => self.terminate(who),
            Effect::KillDescendants { who } => self.kill_descendants(who),
            Effect::Kill { who } => self.kill(who),
            Effect::OpenStickyPort { .. } => {
                let answer = self.open_sticky_port();
                if self.plan.forks_at_once {
                    self.hand_over(answer);
                } else {
                    self.at(self.now + Duration::from_millis(20), Happening::Event(answer));
                }
            }
            Effect::Exit { .. } => self.has_ended = true,
            Effect::Bar { .. }
            | Effect::SpawnHeir
            | Effect::LetHeirTakeOver
            | Effect::KillHeir
            | Effect::TerminateHeir
            | Effect::Bequeath { .. }
            | Effect::Keep
            | Effect::TakeOver
            | Effect::Admit { .. }
            | Effect::Place { .. }
            | Effect::Answer { .. }
            | Effect::Tell(_)
            | Effect::Report(_) => {}
        }
    }
}
