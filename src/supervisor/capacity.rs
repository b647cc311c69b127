//! [`CapacityLooks`]: egg-cluster looks every ten seconds whether there are an agent and an app in service, and three bad looks in a row
//! end the master, so that the platform acts. Here a look is due only where there is something to see: a whole cluster sleeps on.

use std::time::Duration;

/// How often capacity is looked at, and how many bad looks in a row end the master: egg-cluster's numbers.
const PERIOD: Duration = Duration::from_secs(10);
const LIMIT: u32 = 3;

/// Who is in service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capacity {
    pub(super) agents: u32,
    pub(super) workers: u32,
}

impl Capacity {
    fn suffices(self) -> bool {
        self.agents > 0 && self.workers > 0
    }
}

/// The looks from the moment of readiness to the stop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CapacityLooks {
    /// The looks are whole periods after this; none are taken without it.
    since: Option<Duration>,
    due: Option<Duration>,
    seen: Capacity,
    bad: u32,
}

impl CapacityLooks {
    pub(super) fn begin(&mut self, now: Duration) {
        *self = Self { since: Some(now), ..Self::default() };
    }

    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// When the next look is due, if anything may come of it.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Takes the look that is due, if one is: at what was last noted. Returns that where it was one too many.
    pub(super) fn look(&mut self, now: Duration) -> Option<Capacity> {
        self.due.take_if(|at| *at <= now)?;
        self.bad = if self.seen.suffices() { 0 } else { self.bad + 1 };
        (self.bad >= LIMIT).then_some(self.seen)
    }

    /// From now on this is in service.
    pub(super) fn note(&mut self, seen: Capacity, now: Duration) {
        let Some(since) = self.since else { return };
        self.seen = seen;
        if self.due.is_none() && (self.bad > 0 || !seen.suffices()) {
            let into_period = now.saturating_sub(since).as_nanos() % PERIOD.as_nanos();
            self.due = Some(now + PERIOD - Duration::from_nanos(u64::try_from(into_period).unwrap_or(0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Capacity = Capacity { agents: 1, workers: 2 };
    const WITHOUT_AGENT: Capacity = Capacity { agents: 0, workers: 2 };
    const SECOND: Duration = Duration::from_secs(1);

    fn begun() -> CapacityLooks {
        let mut looks = CapacityLooks::default();
        looks.begin(3 * SECOND);
        looks.note(WHOLE, 3 * SECOND);
        looks
    }

    #[test]
    fn a_whole_cluster_is_not_looked_at() {
        assert_eq!(begun().due(), None);
    }

    #[test]
    fn the_third_bad_look_is_one_too_many_and_looks_keep_their_beat() {
        let mut looks = begun();
        looks.note(WITHOUT_AGENT, 17 * SECOND);
        for at in [23, 33] {
            assert_eq!(looks.due(), Some(at * SECOND));
            // The master may be late for it.
            let now = at * SECOND + SECOND / 2;
            assert_eq!(looks.look(now), None);
            looks.note(WITHOUT_AGENT, now);
        }
        assert_eq!(looks.look(43 * SECOND), Some(WITHOUT_AGENT));
    }

    #[test]
    fn a_good_look_begins_a_new_count_and_is_the_last_one() {
        let mut looks = begun();
        looks.note(WITHOUT_AGENT, 12 * SECOND);
        assert_eq!(looks.look(13 * SECOND), None);
        looks.note(WITHOUT_AGENT, 13 * SECOND);
        looks.note(WHOLE, 14 * SECOND);
        assert_eq!(looks.due(), Some(23 * SECOND), "one bad look is on the account");
        assert_eq!(looks.look(23 * SECOND), None);
        looks.note(WHOLE, 23 * SECOND);
        assert_eq!((looks.due(), looks.bad), (None, 0));
    }

    #[test]
    fn what_comes_and_goes_between_two_looks_is_not_seen() {
        let mut looks = begun();
        looks.note(WITHOUT_AGENT, 4 * SECOND);
        looks.note(WHOLE, 5 * SECOND);
        assert_eq!(looks.look(13 * SECOND), None);
        looks.note(WHOLE, 13 * SECOND);
        assert_eq!(looks.due(), None);
    }

    #[test]
    fn nobody_looks_before_readiness_and_after_the_stop() {
        let mut looks = CapacityLooks::default();
        looks.note(WITHOUT_AGENT, SECOND);
        assert_eq!(looks.due(), None);
        looks = begun();
        looks.note(WITHOUT_AGENT, 4 * SECOND);
        looks.end();
        looks.note(WITHOUT_AGENT, 5 * SECOND);
        assert_eq!(looks.due(), None);
    }
}
