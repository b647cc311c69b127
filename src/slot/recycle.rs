//! [`RecyclePolicy`]: which worker has served long enough and is to be renewed, by its memory, its requests or its age.
//!
//! [`RecycleTurns`]: when the next one may be.
//!
//! Pure. One at a time; who has nothing in hand comes before who has, and the one that is furthest beyond its limit first.

use std::time::Duration;

use super::SlotState;
use crate::message::address::WorkerId;

/// How long after a successor that did not get ready the next is tried; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long one that is beyond its limit may be waited for to have nothing in hand.
const PATIENCE: Duration = Duration::from_secs(30);

/// When a worker is renewed. What is none does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RecyclePolicy {
    /// Resident memory of one worker, in bytes.
    pub memory: Option<u64>,
    /// Resident memory of the agent and all workers together, in bytes: then the largest worker is renewed.
    pub cluster_memory: Option<u64>,
    /// Requests that it has begun.
    pub requests: Option<u64>,
    /// Time since it was started.
    pub age: Option<Duration>,
    /// Each worker's limits are up to so much higher or lower, so that not all reach them together: 0.1 for a tenth.
    pub jitter: f64,
}

/// Which limit a worker has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Its own memory.
    Memory,
    /// The memory of all.
    ClusterMemory,
    /// Its requests.
    Requests,
    /// Its age.
    Age,
}

/// One worker in service, as it is now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worn {
    /// Bytes that are really there.
    pub memory: u64,
    /// Requests that it has begun, and how many of them it has not answered.
    pub requests: u64,
    /// Those that it has not answered.
    pub in_flight: u64,
    /// Since it was started.
    pub age: Duration,
    /// Where its limits lie between the lowest and the highest that the jitter allows: from -1 to 1, by chance.
    pub luck: f64,
    /// How long it has been beyond a limit.
    pub beyond_for: Option<Duration>,
}

impl RecyclePolicy {
    /// How far a worker is beyond its limits, 1 for exactly there, and which is the one; none for one that is not.
    #[allow(clippy::cast_precision_loss, reason = "shares, which need not be exact")]
    #[must_use]
    pub fn beyond(&self, worn: &Worn) -> Option<(Limit, f64)> {
        let factor = 1.0 + self.jitter * worn.luck.clamp(-1.0, 1.0);
        let share = |value: f64, limit: Option<f64>| limit.map_or(0.0, |limit| value / (limit * factor).max(1.0));
        let shares = [
            (Limit::Memory, share(worn.memory as f64, self.memory.map(|bytes| bytes as f64))),
            (Limit::Requests, share(worn.requests as f64, self.requests.map(|count| count as f64))),
            (Limit::Age, share(worn.age.as_secs_f64() * 1e3, self.age.map(|age| age.as_secs_f64() * 1e3))),
        ];
        shares.into_iter().filter(|(_, share)| *share >= 1.0).max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// The one to be renewed now, by its place among `workers`. `all_memory` is that of agent and workers together.
    #[must_use]
    pub fn choose(&self, workers: &[Worn], all_memory: u64) -> Option<(usize, Limit)> {
        let may_go = |worn: &Worn| worn.in_flight == 0 || worn.beyond_for.is_some_and(|time| time >= PATIENCE);
        let beyond = workers.iter().enumerate().filter(|(_, worn)| may_go(worn));
        let beyond = beyond.filter_map(|(index, worn)| Some((index, worn.in_flight == 0, self.beyond(worn)?)));
        let worst = beyond.max_by(|(_, idle, (_, share)), (_, other_idle, (_, other))| {
            idle.cmp(other_idle).then(share.total_cmp(other))
        });
        if let Some((index, _, (limit, _))) = worst {
            return Some((index, limit));
        }
        // Nobody can wait for that: the kernel would not.
        let is_full = self.cluster_memory.is_some_and(|limit| all_memory >= limit);
        let largest = workers.iter().enumerate().max_by_key(|(_, worn)| worn.memory).filter(|_| is_full);
        largest.map(|(index, _)| (index, Limit::ClusterMemory))
    }
}

/// Whose turn it is to be renewed, and when the next may have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecycleTurns {
    /// Was asked to be replaced, and may not be gone yet.
    renewed: Option<WorkerId>,
    /// Successors in a row that did not get ready.
    failures: u32,
    rests_until: Duration,
}

impl RecycleTurns {
    /// A worker is asked to be replaced.
    pub fn begin(&mut self, number: WorkerId) {
        self.renewed = Some(number);
    }

    /// Whether the next one may be, at a moment at which nothing is renewed.
    ///
    /// `state_of` tells how a worker is, if it is still there. One that is on its way out has memory, too; one that is in service
    /// as before has no successor.
    pub fn may_begin(&mut self, state_of: impl Fn(WorkerId) -> Option<SlotState>, now: Duration) -> bool {
        if let Some(number) = self.renewed {
            match state_of(number) {
                Some(SlotState::Ready) => {
                    let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(6)).min(LONGEST_PAUSE);
                    self.failures = self.failures.saturating_add(1);
                    self.rests_until = now.saturating_add(pause);
                }
                Some(_) => return false,
                None => self.failures = 0,
            }
            self.renewed = None;
        }
        now >= self.rests_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_is_renewed_when_the_last_is_gone_and_also_after_one_whose_successor_did_not_get_ready() {
        let (one, second) = (WorkerId(1), Duration::from_secs(1));
        let mut turns = RecycleTurns::default();
        assert!(turns.may_begin(|_| None, Duration::ZERO));
        turns.begin(one);
        assert!(!turns.may_begin(|_| Some(SlotState::Draining), second));
        assert!(!turns.may_begin(|_| Some(SlotState::Killing), second));
        assert!(turns.may_begin(|_| None, second));
        // It is in service as ever: its successor failed.
        turns.begin(one);
        assert!(!turns.may_begin(|_| Some(SlotState::Ready), second * 2));
        assert!(turns.may_begin(|_| Some(SlotState::Ready), second * 3));
        turns.begin(one);
        assert!(!turns.may_begin(|_| Some(SlotState::Ready), second * 4));
        assert!(!turns.may_begin(|_| Some(SlotState::Ready), second * 5), "twice as long");
        assert!(turns.may_begin(|_| Some(SlotState::Ready), second * 6));
        turns.begin(one);
        assert!(turns.may_begin(|_| None, second * 6), "at last");
        turns.begin(WorkerId(2));
        assert!(!turns.may_begin(|_| Some(SlotState::Ready), second * 7));
        assert!(turns.may_begin(|_| None, second * 8), "counted anew");
    }

    #[test]
    fn the_pauses_between_attempts_have_an_end() {
        let mut turns = RecycleTurns::default();
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            turns.begin(WorkerId(1));
            assert!(!turns.may_begin(|_| Some(SlotState::Ready), now));
            now += LONGEST_PAUSE;
            assert!(turns.may_begin(|_| Some(SlotState::Ready), now));
        }
    }

    const FRESH: Worn =
        Worn { memory: 100, requests: 10, in_flight: 0, age: Duration::from_secs(10), luck: 0.0, beyond_for: None };

    fn policy() -> RecyclePolicy {
        RecyclePolicy {
            memory: Some(200),
            requests: Some(100),
            age: Some(Duration::from_secs(60)),
            ..Default::default()
        }
    }

    #[test]
    fn nobody_is_renewed_within_the_limits_or_without_any() {
        let old = Worn { memory: u64::MAX, requests: u64::MAX, age: Duration::from_secs(1 << 40), ..FRESH };
        assert_eq!(policy().choose(&[FRESH, FRESH], 200), None);
        assert_eq!(RecyclePolicy::default().choose(&[old], u64::MAX), None);
        assert_eq!(policy().choose(&[], 0), None);
    }

    #[test]
    fn each_limit_counts_and_the_furthest_beyond_comes_first() {
        let full = Worn { memory: 210, ..FRESH };
        let busy = Worn { requests: 150, ..FRESH };
        let old = Worn { age: Duration::from_secs(80), ..FRESH };
        assert_eq!(policy().choose(&[FRESH, full], 0), Some((1, Limit::Memory)));
        assert_eq!(policy().choose(&[full, old], 0), Some((1, Limit::Age)));
        assert_eq!(policy().choose(&[full, busy, old], 0), Some((1, Limit::Requests)));
    }

    #[test]
    fn who_has_something_in_hand_is_waited_for_but_not_for_ever() {
        let busy = Worn { requests: 500, in_flight: 1, ..FRESH };
        let idle = Worn { requests: 101, ..FRESH };
        assert_eq!(policy().choose(&[busy, idle], 0), Some((1, Limit::Requests)));
        assert_eq!(policy().choose(&[busy], 0), None);
        let waited = Worn { beyond_for: Some(PATIENCE), ..busy };
        assert_eq!(policy().choose(&[waited], 0), Some((0, Limit::Requests)));
        assert_eq!(policy().choose(&[waited, idle], 0), Some((1, Limit::Requests)));
    }

    #[test]
    fn luck_moves_the_limits_both_ways() {
        let policy = RecyclePolicy { requests: Some(100), jitter: 0.1, ..Default::default() };
        let with = |requests, luck| policy.beyond(&Worn { requests, luck, ..FRESH }).is_some();
        assert!(with(90, -1.0) && !with(89, -1.0) && with(100, 0.0) && !with(109, 1.0) && with(111, 1.0));
        assert!(with(111, 500.0), "luck beyond 1 is 1");
    }

    #[test]
    fn where_all_are_too_large_together_the_largest_goes() {
        let policy = RecyclePolicy { cluster_memory: Some(1000), ..Default::default() };
        let large = Worn { memory: 400, in_flight: 3, ..FRESH };
        assert_eq!(policy.choose(&[FRESH, large, FRESH], 999), None);
        assert_eq!(policy.choose(&[FRESH, large, FRESH], 1000), Some((1, Limit::ClusterMemory)));
    }
}
