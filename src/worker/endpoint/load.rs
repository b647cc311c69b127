//! How much waits in this process because its receivers have no room, and for how long: numbers for people and for `pressure`.

use std::time::Duration;

use super::{Endpoint, Place};

/// What waits now, and what has waited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// How full the fullest queue is, 0 to 1.
    pub pressure: f64,
    /// How many messages wait, counted once for each receiver.
    pub messages: usize,
    /// How much memory they take.
    pub bytes: usize,
    /// How many have waited and are gone on.
    pub waited: u64,
    /// How long all of these together have waited.
    pub waited_for: Duration,
    /// How long the one that waited longest did.
    pub longest: Duration,
    /// How many bytes of shared memory are lent, or attached to messages and with their receivers.
    pub attached: u64,
}

/// How long messages have waited that do not wait any more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waits {
    count: u64,
    total: Duration,
    longest: Duration,
}

impl Waits {
    pub(super) fn note(&mut self, time: Duration) {
        self.count += 1;
        self.total = self.total.saturating_add(time);
        self.longest = self.longest.max(time);
    }
}

impl Endpoint {
    /// What waits here.
    #[must_use]
    pub fn load(&mut self) -> Load {
        self.outbox.reclaim();
        Load {
            pressure: self.pressure(),
            messages: self.waiting_messages(),
            bytes: self.links.iter().map(|link| link.waiting_bytes).sum(),
            waited: self.waits.count,
            waited_for: self.waits.total,
            longest: self.waits.longest,
            attached: self.outbox.attached().0,
        }
    }

    pub(super) fn waiting_messages(&self) -> usize {
        self.links.iter().map(|link| link.queue.len()).sum()
    }

    /// Those that did not get the last message that was refused.
    pub fn take_refused(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.refused)
    }

    /// How full the fullest queue is, 0 to 1.
    #[must_use]
    pub fn pressure(&self) -> f64 {
        let fullest = self.links.iter().map(|link| link.waiting_bytes).max().unwrap_or_default();
        #[allow(clippy::cast_precision_loss, reason = "a share, for people")]
        let pressure = fullest as f64 / self.limits.max_queue.max(1) as f64;
        pressure.min(1.0)
    }
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::super::Sent;
    use super::super::tests::{ARENA, SECOND, pair, receive, send};
    use super::*;

    #[test]
    fn one_that_stands_still_holds_no_more_than_its_share_of_the_arena_and_the_rest_waits() {
        const MESSAGE: usize = 64 << 10;
        let ((mut first, _to_first), (_second, _to_second)) = pair();
        let share = usize::try_from(ARENA).unwrap() / 4 / MESSAGE;
        let sent: Vec<_> = (0..share + 8).map(|_| send(&mut first, SECOND.place, &[1; MESSAGE])).collect();
        let (in_memory, waiting) = sent.split_at(share + 1);
        assert!(in_memory.iter().filter(|&&sent| sent == Sent::All).count() >= share - 1, "{sent:?}");
        assert!(waiting.iter().all(|&sent| sent == Sent::Waits), "{sent:?}");
        assert!(first.outbox.waiting_for(SECOND.place).0 <= ARENA / 4 + MESSAGE as u64);
        let load = first.load();
        assert!(load.messages >= waiting.len() && load.bytes >= waiting.len() * MESSAGE, "{load:?}");
        assert!(load.pressure > 0.4 && load.waited == 0, "{load:?}");
    }

    #[test]
    fn what_has_waited_is_told_when_it_is_gone() {
        let ((mut first, _to_first), (mut second, _to_second)) = pair();
        while send(&mut first, SECOND.place, b"") == Sent::All {}
        assert_eq!((first.load().messages, first.load().waited), (1, 0));
        while receive(&mut second) > 0 {}
        assert!(first.flush());
        let load = first.load();
        assert_eq!((load.messages, load.bytes, load.waited, load.pressure), (0, 0, 1, 0.0));
        assert!(load.longest > Duration::ZERO && load.waited_for == load.longest, "{load:?}");
    }

    #[test]
    fn the_longest_wait_is_kept_beside_the_sum() {
        let mut waits = Waits::default();
        for ms in [5, 20, 1] {
            waits.note(Duration::from_millis(ms));
        }
        assert_eq!(
            (waits.count, waits.total, waits.longest),
            (3, Duration::from_millis(26), Duration::from_millis(20))
        );
    }
}
