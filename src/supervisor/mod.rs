//! Decides who lives. Pure: no clock, no descriptor, no thread, no log; time comes in as an argument.
//!
//! The shell feeds [`Event`]s to [`Supervisor::handle`], carries out what [`Supervisor::poll_effect`] gives until it is empty,
//! and calls again at [`Supervisor::next_deadline`] with [`Event::DeadlinePassed`]. Same events, same seed, same effects: the
//! simulator in `test/rust/supervisor_simulation.rs` replays whole lives of a cluster from one number.
//!
//! The story by file: `boot` (agent first, then the apps, then ready), `agent` and `apps` (deaths and refills while running),
//! `service` (who is given connections: spares, isolated ones), `reload` (new ones first, slot by slot), `resize` (more or fewer slots),
//! `shutdown` (the ladder SIGTERM → SIGKILL, apps before the agent), `upgrade` (a new master in the place of this one). `request` is what can be asked of it by whoever waits for an answer.

mod agent;
mod apps;
mod boot;
mod capacity;
mod effect;
mod event;
mod invariants;
mod reload;
mod request;
mod resize;
mod restart_policy;
mod service;
mod shutdown;
mod upgrade;
mod view;

pub use effect::{Effect, Notice, Refork, Report};
pub use event::{Event, ListeningAddress};
pub use request::{Answer, BootFailure, Hindrance, Refusal, Renewal, RequestId, Resize};
pub use restart_policy::{IntensityEnd, RestartHistory, RestartPolicy, Verdict};
pub use upgrade::{HeirFailure, Occupation};
pub use view::{ProcessView, View};

use std::collections::VecDeque;
use std::time::Duration;

use self::capacity::CapacityLooks;
use crate::message::address::{Occupant, Seat, SlotIndex, WorkerId};
use crate::slot::{Process, ProcessEvent, Role, Slot};

/// What the supervisor has to know before anything happens.
#[derive(Clone, Debug)]
pub struct SupervisorConfig {
    /// How many app workers serve from the start; at least 1.
    pub workers: u32,
    /// How many more are booted to take over when one is lost. Only where apps share their sockets.
    pub spares: u32,
    /// True where dead apps are replaced.
    pub refork: bool,
    /// True where the health check runs (egg's "production").
    pub checks_health: bool,
    /// True where a new app can boot and listen while its predecessor still serves, because they share the socket.
    pub shares_sockets: bool,
    /// True where a debugger is meant to be attached.
    pub is_debug: bool,
    /// The configured port, until an app tells the real one. Apps that share no socket have ports of their own, and any counts.
    pub port: Option<u16>,
    /// The port that the apps listen on in sticky mode, where the cluster's own port is the master's; none in any other mode.
    pub sticky_worker_port: Option<u16>,
    /// The configured protocol, until an app tells the real one.
    pub protocol: String,
    /// The host to show for a wildcard address.
    pub shown_host: String,
    /// How long apps may take to leave.
    pub app_close_timeout: Duration,
    /// How long the agent may take to leave.
    pub agent_close_timeout: Duration,
    /// How long a process may boot.
    pub boot_timeout: Duration,
    /// How many apps boot at the same time while the cluster starts; at least 1.
    pub boots_at_once: u32,
    /// How long after the agent's death a new one is forked.
    pub agent_refork_delay: Duration,
    /// True where every app is told the agent's pid on its own start (egg 4).
    pub announce_agent_pid: bool,
    /// How many slots a reload renews at once; at least 1.
    pub reload_concurrency: u32,
    /// Whether a reload renews the agent as well, where it is not said.
    pub reload_agent: bool,
    /// How long the cluster still serves after it was asked to stop.
    pub pre_stop_delay: Duration,
    /// True where another master serves until this one is ready to.
    pub inherits: bool,
    /// When seats are filled again.
    pub restart: RestartPolicy,
    /// The seed of the jitter.
    pub seed: u64,
}

/// Descendants get SIGKILL this long before their process does, so that it can still see them go.
const DESCENDANTS_LEAD: Duration = Duration::from_millis(400);

/// How long an app whose channel has closed may finish what it has before it is asked to leave. `graceful` gives itself half of it.
const MAY_DRAIN: Duration = Duration::from_secs(60);

/// How long after SIGKILL a process is waited for.
const ABANDON_AFTER: Duration = Duration::from_secs(2);

/// How long after a debugger killed a worker the cluster closes.
const DEBUGGER_CLOSE_DELAY: Duration = Duration::from_millis(10);

/// Where the cluster as a whole is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    NotStarted,
    AgentBooting,
    AppsBooting { since: Duration },
    Running,
    StoppingApps,
    StoppingAgent,
    Ended,
}

/// The decisions of one cluster.
#[derive(Clone, Debug)]
pub struct Supervisor {
    config: SupervisorConfig,
    phase: Phase,
    started_at: Duration,
    apps_started_at: Duration,
    agent: Slot,
    apps: Vec<Slot>,
    agents_forked: u32,
    apps_forked: u32,
    port: Option<u16>,
    is_port_told: bool,
    sticky_address: Option<String>,
    protocol: String,
    address: Option<String>,
    first_slot_address: Option<ListeningAddress>,
    history: RestartHistory,
    capacity_looks: CapacityLooks,
    /// When the cluster stops that was asked to and still serves.
    stop_at: Option<Duration>,
    /// The signal that asked first, and how often one has.
    stop_signal: Option<String>,
    stop_signals: u32,
    close_at: Option<Duration>,
    renewals: reload::Renewals,
    resizing: resize::Resizing,
    upgrade: upgrade::Upgrade,
    /// False while the master before this one serves.
    has_taken_over: bool,
    /// What this cluster's address is going to be, once it has taken over.
    address_to_show: Option<ListeningAddress>,
    is_degraded: bool,
    /// Processes die too often; the master ends.
    gives_up: bool,
    effects: VecDeque<Effect>,
}

impl Supervisor {
    /// A cluster that has not been started.
    #[must_use]
    pub fn new(config: SupervisorConfig) -> Self {
        let role = |index| if index < config.workers { Role::Serving } else { Role::Spare };
        let slot = |index| Slot::new(Seat::App(SlotIndex(index))).kept_for(role(index));
        let apps = (0..config.workers.saturating_add(config.spares)).map(slot).collect();
        Self {
            phase: Phase::NotStarted,
            started_at: Duration::ZERO,
            apps_started_at: Duration::ZERO,
            agent: Slot::new(Seat::Agent),
            apps,
            agents_forked: 0,
            apps_forked: 0,
            port: config.port,
            is_port_told: false,
            sticky_address: None,
            protocol: config.protocol.clone(),
            address: None,
            first_slot_address: None,
            history: RestartHistory::new(config.restart, config.seed),
            capacity_looks: CapacityLooks::default(),
            stop_at: None,
            stop_signal: None,
            stop_signals: 0,
            close_at: None,
            renewals: reload::Renewals::default(),
            resizing: resize::Resizing::default(),
            upgrade: upgrade::Upgrade::default(),
            has_taken_over: !config.inherits,
            address_to_show: None,
            is_degraded: false,
            gives_up: false,
            effects: VecDeque::new(),
            config,
        }
    }

    /// Takes one event in. Events about processes that are not known any more are stale and change nothing.
    pub fn handle(&mut self, event: Event, now: Duration) {
        if self.phase == Phase::Ended {
            return;
        }
        match event {
            Event::StartAsked => self.start(now),
            Event::Spawned { who, pid } => self.note_spawned(who, pid, now),
            Event::SpawnFailed { who } => self.note_spawn_failed(who, now),
            Event::WorkerOnline { who } => self.note_online(who),
            Event::AgentStarted { who } => self.note_agent_started(who, now),
            Event::RealPortTold { port, protocol, address } => self.note_real_port(port, protocol, address),
            Event::StickyPortOpened { address } => self.note_sticky_port(&address, now),
            Event::StickyPortFailed => self.note_no_sticky_port(),
            Event::WorkerListening { who, address } => self.note_listening(who, &address, now),
            Event::DisconnectAnnounced { who } => self.note_announcement(who),
            Event::ChannelClosed { who } => self.note_channel_closed(who, now),
            Event::ProtocolViolated { who } => self.note_violation(who, now),
            Event::WorkerExited { who, exit } => match who.seat {
                Seat::Agent => self.note_agent_exited(who, exit, now),
                Seat::App(_) => self.note_app_exited(who, exit, now),
            },
            Event::TreeGone { who } => self.note_tree_gone(who),
            Event::StoodStill { who } => self.note_stood_still(who, now),
            Event::StopAsked { signal } => self.note_stop_asked(signal, now),
            Event::ReloadAsked { agent, ticket } => self.reload(agent, ticket, now),
            Event::ResizeAsked { to, ticket } => self.resize(to, ticket, now),
            Event::RestartAsked { number, ticket } => self.restart(number, ticket, now),
            Event::AgentRestartAsked { ticket } => self.restart_agent(ticket, now),
            Event::IsolateAsked { number, ticket } => self.isolate(number, ticket),
            Event::RejoinAsked { number, ticket } => self.rejoin(number, ticket),
            Event::UpgradeAsked { limit, ticket } => self.upgrade(limit, ticket),
            Event::HeirSpawned { pid } => self.note_heir_spawned(pid, now),
            Event::HeirNotSpawned { reason } => self.note_heir_not_spawned(reason, now),
            Event::HeirReady => self.note_heir_ready(now),
            Event::HeirTookOver => self.note_heir_took_over(now),
            Event::HeirSilent => self.note_heir_silent(now),
            Event::HeirExited { exit } => self.note_heir_exited(exit, now),
            Event::TookOver => self.note_took_over(now),
            Event::DeadlinePassed => {}
        }
        self.pass_deadlines(now);
        // A deadline that was met may set one that is due at once, where time-outs are 0.
        while self.next_deadline().is_some_and(|at| at <= now) {
            self.pass_deadlines(now);
        }
        self.put_in_service(now);
    }

    /// The next thing to do, in order; none when all has been said.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Event::DeadlinePassed`] is due next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.phase == Phase::Ended {
            return None;
        }
        let refills = self.slots().filter_map(|slot| slot.refill_at);
        let ladders = self.slots().flat_map(Slot::processes).filter_map(shutdown::next_step_at);
        let others = [self.capacity_looks.due(), self.close_at, self.stop_at, self.upgrade.deadline()];
        refills.chain(ladders).chain(others.into_iter().flatten()).min()
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        std::iter::once(&self.agent).chain(&self.apps)
    }

    fn slot_mut(&mut self, seat: Seat) -> Option<&mut Slot> {
        match seat {
            Seat::Agent => Some(&mut self.agent),
            Seat::App(SlotIndex(index)) => self.apps.get_mut(index as usize),
        }
    }

    fn slot(&self, seat: Seat) -> Option<&Slot> {
        match seat {
            Seat::Agent => Some(&self.agent),
            Seat::App(SlotIndex(index)) => self.apps.get(index as usize),
        }
    }

    fn process(&self, who: Occupant) -> Option<&Process> {
        self.slot(who.seat)?.process(who)
    }

    fn process_mut(&mut self, who: Occupant) -> Option<&mut Process> {
        self.slot_mut(who.seat)?.process_mut(who)
    }

    /// Every app process whose end has not been seen, in fork order.
    fn apps_in_fork_order(&self) -> Vec<&Process> {
        let is_there = |process: &&Process| process.is_alive() && !process.is_gone();
        let mut processes: Vec<&Process> = self.apps.iter().flat_map(Slot::processes).filter(is_there).collect();
        processes.sort_by_key(|process| process.number);
        processes
    }

    fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::StoppingApps | Phase::StoppingAgent | Phase::Ended)
    }

    fn tell(&mut self, notice: Notice) {
        self.effects.push_back(Effect::Tell(notice));
    }

    fn report(&mut self, report: Report) {
        self.effects.push_back(Effect::Report(report));
    }

    fn exit(&mut self, code: i32) {
        self.effects.push_back(Effect::Exit { code });
        self.phase = Phase::Ended;
    }

    fn answer(&mut self, ticket: Option<RequestId>, answer: Answer) {
        self.effects.extend(ticket.map(|ticket| Effect::Answer { ticket, answer }));
    }

    fn refuse(&mut self, ticket: Option<RequestId>, refusal: Refusal) {
        self.answer(ticket, Answer::Refused(refusal));
    }

    /// True while new work may be begun: the cluster is ready, and nobody has asked it to stop.
    fn is_open(&self) -> bool {
        self.phase == Phase::Running && self.stop_at.is_none()
    }

    fn spawn(&mut self, seat: Seat, now: Duration) {
        let count = match seat {
            Seat::Agent => self.agents_forked,
            Seat::App(_) => self.apps_forked,
        };
        let number = WorkerId(count + 1);
        let Some(slot) = self.slot_mut(seat) else { return };
        if slot.recall_unforked().is_some() {
            return;
        }
        let who = slot.seat_next(|who| Process::new(who, number, now));
        self.effects.push_back(Effect::Spawn { who, number });
        match seat {
            Seat::Agent => self.agents_forked = number.0,
            Seat::App(_) => self.apps_forked = number.0,
        }
    }

    /// A process that broke the protocol is of no more use: it is killed, and its death takes the usual way.
    fn note_violation(&mut self, who: Occupant, now: Duration) {
        let Some(process) = self.process_mut(who).filter(|process| process.pid.is_some()) else { return };
        if let crate::slot::Transition::To(_) = process.on(ProcessEvent::StartedKill) {
            self.effects.push_back(Effect::Kill { who });
        }
        self.note_channel_closed(who, now);
    }

    fn note_tree_gone(&mut self, who: Occupant) {
        if let Some(ladder) = self.process_mut(who).and_then(|process| process.ladder.as_mut()) {
            ladder.tree_gone = true;
        }
    }

    fn forget_gone(&mut self) {
        self.agent.forget_gone();
        self.apps.iter_mut().for_each(Slot::forget_gone);
    }

    fn pass_deadlines(&mut self, now: Duration) {
        self.climb_ladders(now);
        self.refill_due(now);
        self.look_at_capacity(now);
        self.pass_upgrade_deadline(now);
        if self.close_at.is_some_and(|at| at <= now) {
            self.close_at = None;
            self.stop(None, now);
        }
        if self.stop_at.is_some_and(|at| at <= now) {
            self.stop_after_delay(now);
        }
        self.forget_gone();
        self.advance_stop(now);
    }
}
