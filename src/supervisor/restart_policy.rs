//! When a seat that lost its process is filled again: at once after a healthy life, else with back-off, and slower still
//! when the whole cluster loses processes too often. Never "no more".

use std::collections::VecDeque;
use std::time::Duration;

/// What more restarts than the intensity allows lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntensityEnd {
    /// Every further one waits for the longest delay, until there are fewer.
    Slow,
    /// The master ends with code 1, so that the platform acts.
    Exit,
}

/// The numbers of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// No seat is filled again sooner than this.
    pub pause: Duration,
    /// The first delay after a life that was not healthy.
    pub backoff_base: Duration,
    /// The longest delay.
    pub backoff_cap: Duration,
    /// A process that served for this long was healthy: its death is the first of a new count.
    pub healthy_after: Duration,
    /// More restarts than this …
    pub intensity: u32,
    /// … within this time lead to …
    pub intensity_period: Duration,
    /// … this.
    pub then: IntensityEnd,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            pause: Duration::ZERO,
            backoff_base: Duration::from_millis(100),
            backoff_cap: Duration::from_secs(15),
            healthy_after: Duration::from_secs(10),
            intensity: 60,
            intensity_period: Duration::from_secs(60),
            then: IntensityEnd::Slow,
        }
    }
}

/// When and why a seat is filled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// How long to wait.
    pub delay: Duration,
    /// True where the intensity limit decided.
    pub is_slow: bool,
}

/// The policy's memory: recent restarts of all seats, and a seeded source of jitter, so that a run can be replayed.
#[derive(Clone, Debug)]
pub struct RestartHistory {
    policy: RestartPolicy,
    recent: VecDeque<Duration>,
    jitter: u64,
}

impl RestartHistory {
    /// An empty history.
    #[must_use]
    pub fn new(policy: RestartPolicy, seed: u64) -> Self {
        // xorshift must not start at 0.
        Self { policy, recent: VecDeque::new(), jitter: seed | 1 }
    }

    /// The policy's numbers.
    #[must_use]
    pub fn policy(&self) -> &RestartPolicy {
        &self.policy
    }

    /// Decides on one restart and remembers it. `failures` counts the deaths in a row without a healthy life between, this one included.
    pub fn decide(&mut self, failures: u32, now: Duration) -> Verdict {
        while self.recent.front().is_some_and(|at| now.saturating_sub(*at) > self.policy.intensity_period) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        let pause = self.policy.pause;
        if self.recent.len() > self.policy.intensity as usize {
            // Only the newest `intensity` restarts can matter later.
            self.recent.pop_front();
            return Verdict { delay: self.policy.backoff_cap.max(pause), is_slow: true };
        }
        if failures <= 1 {
            return Verdict { delay: pause, is_slow: false };
        }
        let doublings = (failures - 2).min(20);
        let full = self.policy.backoff_base.saturating_mul(1 << doublings).min(self.policy.backoff_cap);
        // Half fixed, half random: slots that died together do not come back together.
        let half = full / 2;
        Verdict { delay: pause.max(half + half.mul_f64(self.next_fraction())), is_slow: false }
    }

    fn next_fraction(&mut self) -> f64 {
        let mut x = self.jitter;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.jitter = x;
        f64::from(u32::try_from(x >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_death_is_answered_at_once_and_later_ones_with_growing_capped_delays() {
        let mut history = RestartHistory::new(RestartPolicy::default(), 7);
        let mut now = Duration::ZERO;
        let mut longest = Duration::ZERO;
        for failures in 1..30 {
            let verdict = history.decide(failures, now);
            assert!(!verdict.is_slow);
            assert!(verdict.delay <= Duration::from_secs(15));
            assert_eq!(verdict.delay.is_zero(), failures == 1);
            longest = longest.max(verdict.delay);
            now += verdict.delay + 3 * SECOND;
        }
        assert!(longest > Duration::from_millis(7_500));
    }

    #[test]
    fn sixty_restarts_within_a_minute_make_the_next_ones_slow_but_never_refused() {
        let mut history = RestartHistory::new(RestartPolicy::default(), 7);
        for restart in 0..300 {
            let verdict = history.decide(1, SECOND / 10 * restart);
            assert_eq!(verdict.is_slow, restart >= 60, "restart {restart}");
        }
        let verdict = history.decide(1, 200 * SECOND);
        assert_eq!(verdict, Verdict { delay: Duration::ZERO, is_slow: false });
    }

    #[test]
    fn no_restart_comes_before_the_pause_is_over() {
        let policy = RestartPolicy { pause: SECOND, ..RestartPolicy::default() };
        let mut history = RestartHistory::new(policy, 7);
        let delays: Vec<_> = (1..30).map(|failures| history.decide(failures, Duration::ZERO).delay).collect();
        assert_eq!(delays[0], SECOND);
        assert!(delays.iter().all(|delay| *delay >= SECOND));
        assert!(delays.iter().max() > Some(&(7 * SECOND)));
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let delays = |seed| {
            let mut history = RestartHistory::new(RestartPolicy::default(), seed);
            (2..9).map(|failures| history.decide(failures, Duration::ZERO).delay).collect::<Vec<_>>()
        };
        assert_eq!(delays(4), delays(4));
        assert_ne!(delays(4), delays(99));
    }
}
