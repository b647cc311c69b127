//! [`Plan`]: what a seed decides before a life begins: the cluster's options, how bad the world is, and what is asked of it.
//!
//! Every rate is zero in many lives: a fault hides best behind other faults.

use std::time::Duration;

use egg_clutch::supervisor::{IntensityEnd, Resize, RestartPolicy, SupervisorConfig};

use super::chance::Chance;

/// How often something goes wrong, in percent.
#[derive(Clone, Debug)]
pub struct Rates {
    pub spawn_fails: u64,
    pub boot_exits: u64,
    pub boot_hangs: u64,
    pub boot_disconnects: u64,
    pub ignores_term: u64,
    pub has_descendants: u64,
    pub descendants_stay: u64,
    pub is_unkillable: u64,
    pub listens_elsewhere: u64,
    pub says_twice: u64,
    pub old_news: u64,
    pub close_is_late: u64,
    pub close_is_never_seen: u64,
}

impl Rates {
    fn draw(chance: &mut Chance) -> Self {
        let mut rate = || match chance.below(10) {
            0..=4 => 0,
            5..=7 => chance.between(1, 15),
            8 => chance.between(15, 60),
            _ => chance.between(60, 100),
        };
        Self {
            spawn_fails: rate(),
            boot_exits: rate(),
            boot_hangs: rate(),
            boot_disconnects: rate(),
            ignores_term: rate(),
            has_descendants: rate(),
            descendants_stay: rate(),
            is_unkillable: rate(),
            listens_elsewhere: rate(),
            says_twice: rate(),
            old_news: rate(),
            close_is_late: rate(),
            close_is_never_seen: rate(),
        }
    }
}

/// Something that is asked of the cluster; which worker is meant is decided when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Reload { agent: Option<bool> },
    Resize(Resize),
    Restart,
    Isolate,
    Rejoin,
}

/// Something that is done to the cluster from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    KillOne,
    KillAgent,
    KillAllApps,
    KillEverybody,
    ExitOne,
    DisconnectOne,
    DisconnectAgent,
    ViolateOne,
    PauseMaster,
    StopWorker,
}

const FAULTS: [Fault; 10] = [
    Fault::KillOne,
    Fault::KillAgent,
    Fault::KillAllApps,
    Fault::KillEverybody,
    Fault::ExitOne,
    Fault::DisconnectOne,
    Fault::DisconnectAgent,
    Fault::ViolateOne,
    Fault::PauseMaster,
    Fault::StopWorker,
];

/// The course of one life.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Threads of the master in the place of processes: they end by our word at once, and have no channel to lose before that.
    pub is_threads: bool,
    pub config: SupervisorConfig,
    pub rates: Rates,
    /// A fork is answered while the effects that follow it still wait, as the shell does it; else it takes its time.
    pub forks_at_once: bool,
    /// Somebody else has the sticky port.
    pub sticky_port_is_taken: bool,
    /// Faults begin here; a start that is spared gets to readiness.
    pub faults_from: Duration,
    /// Faults end here; from now on everything that is started works.
    pub faults_until: Duration,
    pub faults: Vec<(Duration, Fault)>,
    pub reloads: Vec<Duration>,
    pub wishes: Vec<(Duration, Wish)>,
    pub stops: Vec<Duration>,
    /// The last moment: the cluster must have found its feet long before.
    pub ends_at: Duration,
}

impl Plan {
    /// The same life with threads in the place of processes.
    #[must_use]
    pub fn with_threads(self) -> Self {
        let restart = RestartPolicy { pause: Duration::from_secs(1), ..self.config.restart };
        let checks_health = self.config.refork;
        let config = SupervisorConfig {
            refork: true,
            checks_health,
            shares_sockets: false,
            sticky_worker_port: None,
            spares: 0,
            restart,
            ..self.config
        };
        let rates = Rates {
            boot_disconnects: 0,
            ignores_term: 0,
            has_descendants: 0,
            listens_elsewhere: 0,
            close_is_late: 0,
            close_is_never_seen: 100,
            ..self.rates
        };
        let is_possible = |(_, fault): &(Duration, Fault)| {
            !matches!(fault, Fault::DisconnectOne | Fault::DisconnectAgent | Fault::ViolateOne)
        };
        let faults = self.faults.into_iter().filter(is_possible).collect();
        Self { is_threads: true, config, rates, faults, sticky_port_is_taken: false, ..self }
    }

    pub fn draw(chance: &mut Chance) -> Self {
        let config = draw_config(chance);
        let rates = Rates::draw(chance);
        let faults_from = if chance.happens(75) { Duration::from_millis(1_000) } else { Duration::ZERO };
        let length = if chance.happens(80) { chance.millis(100, 8_000) } else { chance.millis(8_000, 60_000) };
        let faults_until = faults_from + length;
        let moment = |chance: &mut Chance| faults_from + chance.millis(0, length.as_millis() as u64);
        let kinds: Vec<Fault> = (0..chance.between(1, 4)).map(|_| chance.pick(&FAULTS)).collect();
        let faults = (0..chance.below(12)).map(|_| (moment(chance), chance.pick(&kinds))).collect();
        let reloads = match chance.below(10) {
            0..=4 => Vec::new(),
            5..=8 => (0..chance.between(1, 3)).map(|_| moment(chance)).collect(),
            // A burst: the second waits for the first, the others say nothing new.
            _ => {
                let at = moment(chance);
                (0..5).map(|_| at + chance.millis(0, 100)).collect()
            }
        };
        let calm = Duration::from_secs(240);
        let stops = match chance.below(10) {
            0..=2 => Vec::new(),
            3..=6 => vec![moment(chance)],
            7 => vec![chance.millis(0, 400)],
            8 => {
                let at = moment(chance);
                vec![at, at + chance.millis(0, 1_000)]
            }
            _ => vec![faults_until + calm - Duration::from_secs(30)],
        };
        let forks_at_once = chance.happens(50);
        let (config, wishes) = draw_steering(config, faults_from, length);
        let sticky_port_is_taken = config.sticky_worker_port.is_some() && config.seed.is_multiple_of(5);
        Self {
            is_threads: false,
            config,
            rates,
            forks_at_once,
            sticky_port_is_taken,
            faults_from,
            faults_until,
            faults,
            reloads,
            wishes,
            stops,
            ends_at: faults_until + calm,
        }
    }
}

/// In every other life somebody steers. Decided by a number that is drawn anyway, with a source of chance of its own: so lives in which
/// nobody steers stay what they were.
fn draw_steering(
    config: SupervisorConfig,
    from: Duration,
    length: Duration,
) -> (SupervisorConfig, Vec<(Duration, Wish)>) {
    let mut chance = Chance::new(config.seed.rotate_left(17));
    if chance.happens(50) {
        return (config, Vec::new());
    }
    let most = if chance.happens(50) { 3 } else { 12 };
    let mut wish = || match chance.below(12) {
        0..=2 => Wish::Reload { agent: chance.pick(&[None, Some(true), Some(false)]) },
        3 | 4 => Wish::Resize(Resize::To(u32::try_from(chance.between(0, 6)).unwrap_or(1))),
        5 => Wish::Resize(Resize::OneMore),
        6 => Wish::Resize(Resize::OneLess),
        7 | 8 => Wish::Restart,
        9 | 10 => Wish::Isolate,
        _ => Wish::Rejoin,
    };
    let kinds: Vec<Wish> = (0..8).map(|_| wish()).collect();
    let until = u64::try_from(length.as_millis()).unwrap_or(0);
    let wishes = (0..chance.below(most)).map(|_| (from + chance.millis(0, until), chance.pick(&kinds))).collect();
    let restart = RestartPolicy {
        then: if chance.happens(10) { IntensityEnd::Exit } else { IntensityEnd::Slow },
        ..config.restart
    };
    let config = SupervisorConfig {
        spares: chance.pick(&[0, 1, 1, 2]),
        reload_concurrency: chance.pick(&[1, 1, 2, config.workers]),
        reload_agent: chance.happens(20),
        pre_stop_delay: Duration::from_millis(chance.pick(&[0, 0, 0, 300, 3_000])),
        restart,
        ..config
    };
    (config, wishes)
}

fn draw_config(chance: &mut Chance) -> SupervisorConfig {
    let workers = u32::try_from(chance.between(1, 4)).unwrap_or(1);
    let refork = chance.happens(75);
    let config = SupervisorConfig {
        workers,
        refork,
        checks_health: refork,
        shares_sockets: true,
        is_debug: chance.happens(10),
        port: chance.pick(&[Some(7001), Some(7001), None]),
        sticky_worker_port: None,
        protocol: "http".to_owned(),
        shown_host: "127.0.0.1".to_owned(),
        app_close_timeout: Duration::from_millis(chance.pick(&[0, 100, 500, 1_000, 5_000])),
        agent_close_timeout: Duration::from_millis(chance.pick(&[0, 100, 500, 1_000, 5_000])),
        boot_timeout: chance.millis(1_000, 4_000),
        agent_refork_delay: Duration::from_millis(chance.pick(&[10, 100, 1_000])),
        announce_agent_pid: chance.happens(50),
        spares: 0,
        boots_at_once: workers,
        reload_concurrency: workers,
        reload_agent: false,
        pre_stop_delay: Duration::ZERO,
        inherits: false,
        restart: RestartPolicy {
            pause: Duration::ZERO,
            backoff_base: chance.millis(10, 100),
            backoff_cap: chance.millis(500, 3_000),
            healthy_after: chance.millis(500, 5_000),
            intensity: u32::try_from(chance.between(3, 60)).unwrap_or(60),
            intensity_period: chance.millis(2_000, 60_000),
            then: IntensityEnd::Slow,
        },
        seed: chance.below(u64::MAX),
    };
    // Decided by a number that is drawn anyway: every draw more would turn all lives that are kept into others.
    let boots_at_once = match config.seed {
        seed if seed.is_multiple_of(11) => 1,
        seed if seed.is_multiple_of(13) => 2,
        _ => workers,
    };
    let sticky_worker_port = config.seed.is_multiple_of(7).then_some(41_000);
    SupervisorConfig { sticky_worker_port, boots_at_once, ..config }
}
