//! [`Standstill`]: whether one process stands still, told from what its event loop says and from what kept it from running.
//!
//! Pure: looked at from time to time, whenever [`Standstill::next_look`] says. Only time counts in which the process could have
//! come back to its event loop: not while it was stopped, traced, throttled, without a processor, or not looked at in time.

use std::time::Duration;

/// How long a process may run without coming back to its event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StuckPolicy {
    /// From then on it gets nothing new.
    pub steer_after: Duration,
    /// Then it is killed.
    pub kill_after: Duration,
}

/// What a process' event loop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It waits for something to do, or is not known to run.
    Waiting,
    /// It has waited for something to do since then, and nothing has happened.
    Idle {
        /// Since when.
        since: Duration,
    },
    /// It runs since then.
    Running {
        /// Since when.
        since: Duration,
    },
}

/// What kept a process from running, as the kernel tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hindrance {
    /// It is stopped by a signal, or traced by a debugger.
    pub is_stopped: bool,
    /// It runs, or waits for a processor.
    pub is_runnable: bool,
    /// How long it has waited for a processor since it was started. A wait is told when it is over.
    pub waited: Duration,
    /// How long it has had a processor since it was started; zero where nobody counts it.
    pub ran: Duration,
}

/// What a look has found out. The time is how long the process has stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Finding {
    /// Nothing new.
    Nothing,
    /// It stands still.
    StandsStill(Duration),
    /// It has stood still for so long that it is to be killed. Said once for each standstill.
    IsLost(Duration),
    /// It goes on.
    GoesOn(Duration),
}

/// How far a standstill has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Unsuspected,
    Steered,
    Lost,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    since: Duration,
    counted: Duration,
    /// How long the process had run when it was last looked at in this turn.
    ran: Option<Duration>,
    stage: Stage,
}

/// How often one that has been told of is looked at, so that its end is seen soon.
const STEERED_PERIOD: Duration = Duration::from_millis(100);
/// How much less often one that does nothing is looked at. All that do nothing are looked at on the same beat of the clock: whoever
/// looks wakes up for all of them at once.
const IDLE_PERIODS: u32 = 5;
/// The least time between two looks.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);
/// Who comes so much too late was held up, and whatever held him up may have held up the process as well.
const HELD_UP: Duration = Duration::from_millis(250);

/// One process as it is watched.
#[derive(Clone, Debug)]
pub struct Standstill {
    policy: StuckPolicy,
    turn: Option<Turn>,
    looked_at: Duration,
    next_look: Duration,
    waited: Duration,
    was_stopped: bool,
}

impl Standstill {
    /// A process that is watched from now on.
    #[must_use]
    pub fn new(policy: StuckPolicy, now: Duration) -> Self {
        Self {
            policy,
            turn: None,
            looked_at: now,
            next_look: now + policy.steer_after,
            waited: Duration::ZERO,
            was_stopped: false,
        }
    }

    /// It was idle, and has been given something to do.
    pub fn expect_work(&mut self, now: Duration) {
        self.next_look = self.next_look.min(now + self.policy.steer_after);
    }

    /// When it is to be looked at again. No standstill is seen later than that for having begun in between.
    #[must_use]
    pub fn next_look(&self) -> Duration {
        self.next_look
    }

    /// True while it is known to stand still.
    #[must_use]
    pub fn stands_still(&self) -> bool {
        self.turn.is_some_and(|turn| turn.stage > Stage::Unsuspected)
    }

    /// Takes a look. `hindrance` is asked for where the process runs; `may_kill` is false for one that may be under a debugger.
    pub fn look(
        &mut self,
        now: Duration,
        doing: Doing,
        hindrance: impl FnOnce() -> Hindrance,
        may_kill: bool,
    ) -> Finding {
        let late = now.saturating_sub(self.next_look);
        let looked_at = std::mem::replace(&mut self.looked_at, now);
        let Doing::Running { since } = doing else {
            self.was_stopped = false;
            let finding = self.end_turn(now);
            // Nothing has happened since the last look.
            if matches!(doing, Doing::Idle { since } if since <= looked_at) && finding == Finding::Nothing {
                self.next_look = next_beat(self.next_look, self.policy.steer_after * IDLE_PERIODS);
            }
            return finding;
        };
        let ended = match self.turn {
            Some(turn) if turn.since == since => Finding::Nothing,
            _ => self.end_turn(now),
        };
        let Hindrance { is_stopped, is_runnable, waited, ran } = hindrance();
        let queued = waited.saturating_sub(std::mem::replace(&mut self.waited, waited));
        let was_stopped = std::mem::replace(&mut self.was_stopped, is_stopped);
        // It cannot have run since before it was looked at and found otherwise; a clock that differs is not believed.
        // One that was idle was not looked at for long, and may have been kept from running in between.
        let wall = now.saturating_sub(since.max(looked_at)).min(self.policy.steer_after.saturating_add(late));
        let turn =
            self.turn.get_or_insert(Turn { since, counted: Duration::ZERO, ran: None, stage: Stage::Unsuspected });
        let had_run = turn.ran.replace(ran).filter(|_| is_runnable && !ran.is_zero());
        let lost = match had_run {
            _ if is_stopped || was_stopped || late >= HELD_UP => wall,
            // It may be in the middle of a wait that nobody has been told of.
            Some(had_run) => wall.saturating_sub(ran.saturating_sub(had_run)).max(late),
            None => queued.max(late),
        };
        turn.counted += wall.saturating_sub(lost);
        let finding = turn.advance(self.policy, may_kill);
        self.plan_next_look(now);
        // The end of one standstill comes before the beginning of the next, which is seen a look later.
        if ended == Finding::Nothing { finding } else { ended }
    }

    fn end_turn(&mut self, now: Duration) -> Finding {
        let ended = self.turn.take().filter(|turn| turn.stage > Stage::Unsuspected);
        self.next_look = now + self.policy.steer_after;
        ended.map_or(Finding::Nothing, |turn| Finding::GoesOn(turn.counted))
    }

    fn plan_next_look(&mut self, now: Duration) {
        let wait = match self.turn {
            Some(turn) if turn.stage == Stage::Unsuspected => self.policy.steer_after.saturating_sub(turn.counted),
            Some(_) => STEERED_PERIOD,
            None => self.policy.steer_after,
        };
        self.next_look = now + wait.max(SHORTEST_PERIOD);
    }
}

/// The first multiple of a period that is not before `earliest`: a beat that everybody shares who has the same period.
#[must_use]
pub fn next_beat(earliest: Duration, period: Duration) -> Duration {
    let beats = earliest.as_nanos().div_ceil(period.as_nanos().max(1));
    Duration::from_nanos(u64::try_from(beats.saturating_mul(period.as_nanos())).unwrap_or(u64::MAX)).max(earliest)
}

impl Turn {
    fn advance(&mut self, policy: StuckPolicy, may_kill: bool) -> Finding {
        let finding = match self.stage {
            Stage::Unsuspected if self.counted >= policy.steer_after => Finding::StandsStill(self.counted),
            Stage::Steered if may_kill && self.counted >= policy.kill_after => Finding::IsLost(self.counted),
            _ => return Finding::Nothing,
        };
        self.stage = if self.stage == Stage::Unsuspected { Stage::Steered } else { Stage::Lost };
        finding
    }
}

#[cfg(test)]
#[path = "standstill_tests.rs"]
mod tests;
