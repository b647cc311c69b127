//! Processes that stand still, and such as only seem to, under a virtual clock: a model of one main thread beside the watch.

use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const POLICY: StuckPolicy = StuckPolicy { steer_after: SECOND, kill_after: Duration::from_secs(30) };

/// What a stretch of a process' life is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Waits for events.
    Idle,
    /// Runs, and could come back.
    Busy,
    /// In the middle of a turn, waits in the kernel for something that is no processor.
    Blocked,
    /// In the middle of a turn, has no processor.
    Starved,
    /// In the middle of a turn, has a processor for a fiftieth of the time. What it waits for it is told of at the end of each wait.
    Throttled,
    /// In the middle of a turn, is stopped by a signal.
    Stopped,
    /// In the middle of a turn, while whoever looks is stopped too.
    AllFrozen,
}

const PARTS: [Part; 7] =
    [Part::Idle, Part::Busy, Part::Blocked, Part::Starved, Part::Throttled, Part::Stopped, Part::AllFrozen];

struct Life {
    watch: Standstill,
    now: Duration,
    since: Option<Duration>,
    idle_since: Duration,
    waited: Duration,
    ran: Duration,
    /// Whether the kernel tells for how long it has run.
    is_counted: bool,
    may_kill: bool,
    findings: Vec<(Duration, Finding)>,
}

impl Life {
    fn new() -> Self {
        let now = Duration::from_secs(1000);
        let watch = Standstill::new(POLICY, now);
        Self {
            watch,
            now,
            since: None,
            idle_since: now,
            waited: Duration::ZERO,
            ran: SECOND,
            is_counted: true,
            may_kill: true,
            findings: Vec::new(),
        }
    }

    fn live(&mut self, part: Part, length: Duration) -> &mut Self {
        let is_idle = part == Part::Idle;
        if is_idle && self.since.take().is_some() {
            self.idle_since = self.now;
        }
        if !is_idle && self.since.is_none() {
            self.since = Some(self.now);
            self.watch.expect_work(self.now);
        }
        let end = self.now + length;
        while self.now < end {
            if part == Part::AllFrozen {
                self.now = end;
                break;
            }
            self.now += MS;
            match part {
                Part::Starved => self.waited += MS,
                Part::Busy => self.ran += MS,
                Part::Throttled if self.now.as_millis() % 250 < 5 => self.ran += MS,
                Part::Throttled if self.now.as_millis() % 250 == 249 => self.waited += 245 * MS,
                _ => {}
            }
            self.look_if_due(part);
        }
        self
    }

    fn look_if_due(&mut self, part: Part) {
        if self.now < self.watch.next_look() {
            return;
        }
        let doing = self.since.map_or(Doing::Idle { since: self.idle_since }, |since| Doing::Running { since });
        let ran = if self.is_counted { self.ran } else { Duration::ZERO };
        let is_runnable = matches!(part, Part::Busy | Part::Starved | Part::Throttled);
        let hindrance = Hindrance { is_stopped: part == Part::Stopped, is_runnable, waited: self.waited, ran };
        let finding = self.watch.look(self.now, doing, || hindrance, self.may_kill);
        assert!(self.watch.next_look() > self.now);
        if finding != Finding::Nothing {
            self.findings.push((self.now - Duration::from_secs(1000), finding));
        }
    }

    fn kinds(&self) -> Vec<&'static str> {
        let kind = |(_, finding): &(Duration, Finding)| match finding {
            Finding::Nothing => "nothing",
            Finding::StandsStill(_) => "stands still",
            Finding::IsLost(_) => "is lost",
            Finding::GoesOn(_) => "goes on",
        };
        self.findings.iter().map(kind).collect()
    }
}

#[test]
fn one_that_never_comes_back_is_steered_at_once_and_lost_at_its_time() {
    for (part, is_counted) in [(Part::Busy, true), (Part::Blocked, true), (Part::Busy, false)] {
        let mut life = Life::new();
        life.is_counted = is_counted;
        life.live(Part::Idle, 2500 * MS).live(part, 60 * SECOND);
        let [(steered, Finding::StandsStill(first)), (lost, Finding::IsLost(second))] = life.findings[..] else {
            panic!("{part:?}: {:?}", life.findings);
        };
        assert!(first >= SECOND && steered <= 3520 * MS, "{part:?}: {first:?} at {steered:?}");
        assert!(second >= 30 * SECOND && lost <= 32_700 * MS, "{part:?}: {second:?} at {lost:?}");
    }
}

#[test]
fn a_standstill_that_ends_is_told_and_the_next_one_too() {
    let mut life = Life::new();
    for _ in 0..2 {
        life.live(Part::Busy, 3 * SECOND).live(Part::Idle, 2 * SECOND);
    }
    assert_eq!(life.kinds(), ["stands still", "goes on", "stands still", "goes on"]);
}

#[test]
fn short_turns_are_nothing_however_busy_the_process() {
    let mut life = Life::new();
    for _ in 0..200 {
        life.since = None;
        life.live(Part::Busy, 900 * MS);
    }
    assert_eq!(life.findings, []);
}

#[test]
fn one_that_is_stopped_for_long_is_not_lost_and_goes_on() {
    let mut life = Life::new();
    life.live(Part::Busy, 100 * MS)
        .live(Part::Stopped, 300 * SECOND)
        .live(Part::Busy, 500 * MS)
        .live(Part::Idle, SECOND);
    assert!(!life.kinds().contains(&"is lost"), "{:?}", life.findings);
}

#[test]
fn one_without_a_processor_is_not_even_steered() {
    let mut life = Life::new();
    life.live(Part::Busy, 300 * MS)
        .live(Part::Starved, 300 * SECOND)
        .live(Part::Busy, 300 * MS)
        .live(Part::Idle, SECOND);
    assert_eq!(life.findings, []);
}

#[test]
fn one_that_is_throttled_is_steered_and_lost_for_the_time_that_it_has_run() {
    let mut life = Life::new();
    life.live(Part::Busy, 300 * MS).live(Part::Throttled, 30 * SECOND).live(Part::Idle, SECOND);
    assert_eq!(life.findings, []);
    life.live(Part::Throttled, 600 * SECOND).live(Part::Idle, SECOND);
    assert_eq!(life.kinds(), ["stands still", "goes on"]);
}

#[test]
fn one_that_is_frozen_together_with_who_looks_is_not_even_steered() {
    let mut life = Life::new();
    life.live(Part::Busy, 300 * MS).live(Part::AllFrozen, 300 * SECOND).live(Part::Busy, 300 * MS);
    assert_eq!(life.findings, []);
}

#[test]
fn one_under_a_debugger_is_steered_and_never_lost() {
    let mut life = Life::new();
    life.may_kill = false;
    life.live(Part::Busy, 300 * SECOND).live(Part::Idle, 2 * SECOND);
    assert_eq!(life.kinds(), ["stands still", "goes on"]);
}

#[test]
fn one_that_does_nothing_is_looked_at_less_often_until_it_has_work() {
    let mut watch = Standstill::new(POLICY, SECOND);
    let idle = |since| Doing::Idle { since };
    let look = |watch: &mut Standstill, now, doing| {
        assert_eq!(watch.look(now, doing, Hindrance::default, true), Finding::Nothing);
        watch.next_look()
    };
    assert_eq!(look(&mut watch, 2 * SECOND, idle(1500 * MS)), 3 * SECOND, "it has done something since");
    assert_eq!(look(&mut watch, 3 * SECOND, idle(1500 * MS)), 5 * SECOND, "the next beat");
    assert_eq!(look(&mut watch, 5 * SECOND, idle(1500 * MS)), 10 * SECOND);
    watch.expect_work(6 * SECOND);
    assert_eq!(watch.next_look(), 7 * SECOND);
    assert_eq!(look(&mut watch, 7 * SECOND, idle(6500 * MS)), 8 * SECOND);
    // Nobody knows of its work: it is told of later, with no more on its account than can be known.
    assert_eq!(look(&mut watch, 8 * SECOND, idle(6500 * MS)), 10 * SECOND);
    assert_eq!(look(&mut watch, 10 * SECOND, idle(6500 * MS)), 15 * SECOND);
    let finding = watch.look(15 * SECOND, Doing::Running { since: 11 * SECOND }, Hindrance::default, true);
    assert_eq!(finding, Finding::StandsStill(SECOND));
}

#[test]
fn all_that_do_nothing_are_looked_at_together_however_late_each_look_comes() {
    let mut watches = [0, 300, 650, 999].map(|begun| Standstill::new(POLICY, SECOND + begun * MS));
    for late in [0, 1, 200] {
        for watch in &mut watches {
            for _ in 0..2 {
                let now = watch.next_look() + late * MS;
                let finding = watch.look(now, Doing::Idle { since: Duration::ZERO }, Hindrance::default, true);
                assert_eq!(finding, Finding::Nothing);
            }
        }
        let together = watches[0].next_look();
        assert!(watches.iter().all(|watch| watch.next_look() == together), "{watches:?}");
    }
}

#[test]
fn one_that_waits_is_not_asked_what_hinders_it() {
    let mut watch = Standstill::new(POLICY, SECOND);
    let finding = watch.look(2 * SECOND, Doing::Waiting, || panic!("asked"), true);
    assert_eq!(finding, Finding::Nothing);
}

/// Random lives: whoever is told of has stood still for long enough of its own accord, and who has is told of soon.
#[test]
fn every_seed_tells_standstills_from_what_looks_like_them() {
    for seed in 0..3000_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut life = Life::new();
        let (mut busy, mut is_told, mut told) = (Duration::ZERO, false, 0);
        for _ in 0..12 {
            let part = PARTS[random(7) as usize];
            let length = MS * u32::try_from(random(4000)).unwrap_or(0);
            if part == Part::Idle {
                (busy, is_told) = (Duration::ZERO, false);
            }
            life.live(part, length);
            if matches!(part, Part::Busy | Part::Blocked) {
                busy += length;
            }
            if part == Part::Throttled {
                busy += length / 50;
            }
            let new = life.findings.len() - told;
            for (_, finding) in &life.findings[told..] {
                match finding {
                    Finding::StandsStill(counted) => {
                        is_told = true;
                        // A stop that begins or ends between two looks counts for a part of them.
                        assert!(*counted <= busy + SECOND * 2, "seed {seed}: {counted:?} of {busy:?}");
                    }
                    Finding::IsLost(_) => panic!("seed {seed}: lost within a minute of all kinds of life"),
                    Finding::GoesOn(_) | Finding::Nothing => {}
                }
            }
            told += new;
            let is_pure = matches!(part, Part::Busy | Part::Blocked) && length >= 3100 * MS;
            assert!(!is_pure || is_told, "seed {seed}: busy for {length:?} and not told of");
        }
    }
}
