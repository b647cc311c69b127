//! How fast requests are taken up, so that whoever floods the door leaves the master's thread the time for its own work. Pure.

use std::time::Duration;

/// A row of turns with a gap between them. Short rushes pass, up to a named time's worth of gaps.
#[derive(Clone, Debug)]
pub struct Pace {
    gap: Duration,
    rush: Duration,
    /// Up to when the time of this row is taken.
    taken: Duration,
}

/// A request that had the thread for some time is followed by so many times that for others.
const SHARE: u32 = 4;

impl Pace {
    /// One turn each `gap`, but up to `rush` of them may be saved up.
    #[must_use]
    pub fn new(gap: Duration, rush: Duration) -> Self {
        Self { gap, rush, taken: Duration::ZERO }
    }

    /// Takes a turn; answers how long it is to be waited for.
    pub fn take_turn(&mut self, now: Duration) -> Duration {
        self.taken = self.taken.max(now.saturating_sub(self.rush)) + self.gap;
        self.taken.saturating_sub(now)
    }

    /// A turn had the thread for so long.
    pub fn charge(&mut self, cost: Duration) {
        self.taken += cost * SHARE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_rush_passes_and_a_flood_is_slowed_down() {
        let mut pace = Pace::new(MS, 10 * MS);
        let now = Duration::from_secs(1);
        let waits: Vec<Duration> = (0..12).map(|_| pace.take_turn(now)).collect();
        assert!(waits[..10].iter().all(Duration::is_zero), "{waits:?}");
        assert_eq!(waits[10..], [MS, 2 * MS]);
        assert_eq!(pace.take_turn(now + Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn who_asks_for_what_is_dear_waits_for_longer() {
        let mut pace = Pace::new(MS, 10 * MS);
        let now = Duration::from_secs(1);
        assert_eq!(pace.take_turn(now), Duration::ZERO);
        pace.charge(20 * MS);
        assert_eq!(pace.take_turn(now + 20 * MS), 52 * MS);
    }
}
