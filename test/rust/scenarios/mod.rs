//! Single accidents, each told in one sentence, against the pure supervisor. [`Stage`] is the shell's place-holder: it answers
//! forks, keeps the time, and collects what was asked for.

mod agent;
mod boot;
mod own_ports;
mod refill;
mod reload;
mod resize;
mod service;
mod stop;
mod upgrade;

use std::time::Duration;

use egg_clutch::message::address::{Generation, Occupant, Seat, SlotIndex};
use egg_clutch::slot::{Duty, Exit, SlotState};
use egg_clutch::supervisor::{
    Answer, Effect, Event, ListeningAddress, Notice, ProcessView, Report, RequestId, RestartPolicy, Supervisor,
    SupervisorConfig, View,
};

const SIGKILL: Exit = Exit::Signal("SIGKILL");

/// The app process of this slot and generation.
fn app(slot: u32, generation: u32) -> Occupant {
    Occupant { seat: Seat::App(SlotIndex(slot)), generation: Generation(generation) }
}

/// The agent process of this generation.
fn agent(generation: u32) -> Occupant {
    Occupant { seat: Seat::Agent, generation: Generation(generation) }
}

/// The pid that the stage gives: 1001, 1002 … to the agents, 11, 12 … to the apps of slot 0, 21 … to those of slot 1.
fn pid(who: Occupant) -> u32 {
    match who.seat {
        Seat::Agent => 1_000 + who.generation.0,
        Seat::App(slot) => 10 * (slot.0 + 1) + who.generation.0,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Two apps in production, with egg's time-outs.
fn production() -> SupervisorConfig {
    SupervisorConfig {
        workers: 2,
        refork: true,
        checks_health: true,
        shares_sockets: true,
        is_debug: false,
        port: Some(7001),
        sticky_worker_port: None,
        protocol: "http".to_owned(),
        shown_host: "127.0.0.1".to_owned(),
        app_close_timeout: seconds(5),
        agent_close_timeout: seconds(5),
        boot_timeout: seconds(600),
        agent_refork_delay: seconds(1),
        announce_agent_pid: false,
        spares: 0,
        boots_at_once: 8,
        reload_concurrency: 2,
        reload_agent: false,
        pre_stop_delay: Duration::ZERO,
        inherits: false,
        restart: RestartPolicy::default(),
        seed: 7,
    }
}

/// As [`production`], where dead apps are not replaced.
fn local() -> SupervisorConfig {
    SupervisorConfig { refork: false, checks_health: false, ..production() }
}

/// What was asked for.
struct Asked(Vec<Effect>);

impl Asked {
    fn spawned(&self) -> Vec<Occupant> {
        self.0
            .iter()
            .filter_map(|effect| if let Effect::Spawn { who, .. } = effect { Some(*who) } else { None })
            .collect()
    }

    fn terminated(&self) -> Vec<Occupant> {
        self.0
            .iter()
            .filter_map(|effect| if let Effect::Terminate { who } = effect { Some(*who) } else { None })
            .collect()
    }

    fn killed(&self) -> Vec<Occupant> {
        self.0.iter().filter_map(|effect| if let Effect::Kill { who } = effect { Some(*who) } else { None }).collect()
    }

    fn descendants_killed(&self) -> Vec<Occupant> {
        let who = |effect: &Effect| if let Effect::KillDescendants { who } = effect { Some(*who) } else { None };
        self.0.iter().filter_map(who).collect()
    }

    fn told(&self) -> Vec<Notice> {
        let notice = |effect: &Effect| if let Effect::Tell(notice) = effect { Some(notice.clone()) } else { None };
        self.0.iter().filter_map(notice).collect()
    }

    fn has_opened_sticky_port(&self, wanted_port: Option<u16>, wanted_address: Option<&str>) -> bool {
        self.0.iter().any(|effect| {
            matches!(effect, Effect::OpenStickyPort { port, address }
                if *port == wanted_port && address.as_deref() == wanted_address)
        })
    }

    fn answers(&self) -> Vec<(u32, Answer)> {
        let answer = |effect: &Effect| match effect {
            Effect::Answer { ticket, answer } => Some((ticket.0, answer.clone())),
            _ => None,
        };
        self.0.iter().filter_map(answer).collect()
    }

    fn barred(&self) -> Vec<Occupant> {
        self.0.iter().filter_map(|effect| if let Effect::Bar { who } = effect { Some(*who) } else { None }).collect()
    }

    fn admitted(&self) -> Vec<Occupant> {
        self.0.iter().filter_map(|effect| if let Effect::Admit { who } = effect { Some(*who) } else { None }).collect()
    }

    fn exit(&self) -> Option<i32> {
        self.0.iter().find_map(|effect| if let Effect::Exit { code } = effect { Some(*code) } else { None })
    }

    fn has_report(&self, is_meant: impl Fn(&Report) -> bool) -> bool {
        self.reports(is_meant) > 0
    }

    fn reports(&self, is_meant: impl Fn(&Report) -> bool) -> usize {
        self.0.iter().filter(|effect| matches!(effect, Effect::Report(report) if is_meant(report))).count()
    }
}

/// A supervisor on a stage.
struct Stage {
    supervisor: Supervisor,
    now: Duration,
    /// Whether forks are answered, and how.
    forks: Forks,
    asked: Vec<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forks {
    Succeed,
    Fail,
    TakeTime,
}

impl Stage {
    /// A cluster that was asked to start.
    fn started(config: SupervisorConfig) -> Self {
        let mut stage =
            Self { supervisor: Supervisor::new(config), now: Duration::ZERO, forks: Forks::Succeed, asked: Vec::new() };
        stage.tell(Event::StartAsked);
        stage
    }

    /// A cluster whose agent has started and whose apps boot.
    fn with_booting_apps(config: SupervisorConfig) -> Self {
        let mut stage = Self::started(config);
        stage.tell(Event::AgentStarted { who: agent(1) });
        stage.take();
        stage
    }

    /// A cluster that is ready; nothing is left to take.
    fn ready(config: SupervisorConfig) -> Self {
        let workers = config.workers;
        let mut stage = Self::with_booting_apps(config);
        (0..workers).for_each(|slot| stage.listen(app(slot, 1)));
        assert!(stage.view().is_running);
        stage.take();
        stage
    }

    fn tell(&mut self, event: Event) {
        self.supervisor.handle(event, self.now);
        while let Some(effect) = self.supervisor.poll_effect() {
            self.asked.push(effect.clone());
            if let Effect::Spawn { who, .. } = effect {
                match self.forks {
                    Forks::Succeed => self.supervisor.handle(Event::Spawned { who, pid: pid(who) }, self.now),
                    Forks::Fail => self.supervisor.handle(Event::SpawnFailed { who }, self.now),
                    Forks::TakeTime => {}
                }
            }
        }
        assert_eq!(self.supervisor.check_invariants(), Ok(()));
    }

    fn reload(&mut self) {
        self.tell(Event::ReloadAsked { agent: None, ticket: None });
    }

    fn listen(&mut self, who: Occupant) {
        self.listen_on(who, ListeningAddress { address_type: 4, address: None, port: 7001 });
    }

    fn listen_on(&mut self, who: Occupant, address: ListeningAddress) {
        self.tell(Event::WorkerListening { who, address });
    }

    fn close(&mut self, who: Occupant) {
        self.tell(Event::ChannelClosed { who });
    }

    fn exit(&mut self, who: Occupant, exit: Exit) {
        self.tell(Event::WorkerExited { who, exit });
    }

    /// It goes as it was asked to: all of it.
    fn leave(&mut self, who: Occupant) {
        self.close(who);
        self.exit(who, Exit::Code(0));
        self.tell(Event::TreeGone { who });
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.supervisor.next_deadline().filter(|at| *at <= until) {
            self.now = deadline;
            self.tell(Event::DeadlinePassed);
        }
        self.now = until;
    }

    /// What was asked for since the last time.
    fn take(&mut self) -> Asked {
        Asked(std::mem::take(&mut self.asked))
    }

    fn view(&self) -> View {
        self.supervisor.view()
    }

    /// The apps in service, in fork order.
    fn serving(&self) -> Vec<Occupant> {
        let serves = |app: &&ProcessView| app.state == SlotState::Ready && app.duty == Duty::Serves;
        self.view().apps.iter().filter(serves).map(|app| app.who).collect()
    }
}
