//! What the master knows of one worker's lane: how many connections it has, how many of them it has not taken yet, and so whether
//! it is to be handed another. Pure; the time is told.
//!
//! A worker that takes what it is handed may be handed several at once. One that lets a connection lie for [`BRISK`] gets no more
//! until it has taken it; what lies for [`PATIENCE`] is taken back when somebody else is free, and the worker gets nothing more before it
//! has shown that it runs.

use std::time::Duration;

/// How many connections may lie in a lane.
pub const LANE_LIMIT: usize = 16;
/// So long a connection may lie while more are handed to the same worker.
pub const BRISK: Duration = Duration::from_millis(50);
/// So long a connection lies before it is given to somebody who is free.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// One worker's lane.
#[derive(Debug, Default)]
pub struct LaneBook {
    handed: u64,
    /// Taken out of the lane again.
    back: u64,
    /// As the worker counts.
    closed: u64,
    unread: usize,
    /// Since when the oldest lies there, as far as that was seen.
    lies_since: Option<Duration>,
    is_slow: bool,
}

impl LaneBook {
    /// So many connections went into the lane.
    pub fn note_handed(&mut self, count: usize, now: Duration) {
        self.handed += count as u64;
        self.unread += count;
        self.lies_since.get_or_insert(now);
    }

    /// So many of them did not go in after all: nothing more does for now.
    pub fn note_not_sent(&mut self, count: usize, now: Duration) {
        self.handed = self.handed.saturating_sub(count as u64);
        self.unread = self.unread.saturating_sub(count).max(LANE_LIMIT);
        self.lies_since.get_or_insert(now);
    }

    /// So many lie in it now, and so many connections the worker has closed in all its life.
    pub fn note_seen(&mut self, unread: usize, closed: u64, now: Duration) {
        self.closed = closed;
        if unread < self.unread {
            self.lies_since = Some(now);
        }
        if unread == 0 {
            self.lies_since = None;
            self.is_slow = false;
        }
        self.unread = unread;
    }

    /// All that lay in the lane was taken out again, and a call put in its place.
    pub fn note_taken_back(&mut self, count: usize, now: Duration) {
        self.back += count as u64;
        self.unread = 1;
        self.lies_since = Some(now);
        self.is_slow = true;
    }

    /// How many connections the worker has, those that lie in its lane included. A worker that counts wrong only harms its own share.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.handed.saturating_sub(self.back).saturating_sub(self.closed)
    }

    /// Whether it is to be handed more.
    #[must_use]
    pub fn has_room(&self, now: Duration) -> bool {
        !self.is_slow && self.unread < LANE_LIMIT && !self.has_lain(BRISK, now)
    }

    /// Whether what lies in the lane is to be given to somebody who is free.
    #[must_use]
    pub fn is_overdue(&self, now: Duration) -> bool {
        !self.is_slow && self.has_lain(PATIENCE, now)
    }

    /// Whether something may lie in it, a call included.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unread == 0
    }

    /// Whether what lies in the lane is to be looked at again before long: a connection does.
    #[must_use]
    pub fn holds_connections(&self) -> bool {
        self.unread > 0 && !self.is_slow
    }

    fn has_lain(&self, time: Duration, now: Duration) -> bool {
        self.lies_since.is_some_and(|since| now.saturating_sub(since) >= time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    fn at(milliseconds: u64) -> Duration {
        START + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_worker_that_takes_what_it_gets_may_be_handed_several_at_once_up_to_the_limit() {
        let mut book = LaneBook::default();
        for _ in 0..LANE_LIMIT {
            assert!(book.has_room(at(0)));
            book.note_handed(1, at(0));
        }
        assert!(!book.has_room(at(0)));
        book.note_seen(3, 0, at(10));
        assert!(book.has_room(at(10)), "it has taken some");
        assert_eq!(book.load(), LANE_LIMIT as u64);
    }

    #[test]
    fn a_worker_that_lets_one_lie_gets_no_more_until_it_has_taken_it() {
        let mut book = LaneBook::default();
        book.note_handed(1, at(0));
        book.note_seen(1, 0, at(49));
        assert!(book.has_room(at(49)));
        book.note_seen(1, 0, at(50));
        assert!(!book.has_room(at(50)) && !book.is_overdue(at(99)));
        assert!(book.is_overdue(at(100)));
        book.note_seen(0, 0, at(101));
        assert!(book.has_room(at(101)) && !book.is_overdue(at(300)));
    }

    #[test]
    fn a_worker_that_was_too_slow_gets_nothing_before_it_has_taken_the_call() {
        let mut book = LaneBook::default();
        book.note_handed(2, at(0));
        book.note_taken_back(2, at(100));
        assert_eq!(book.load(), 0);
        book.note_seen(1, 0, at(1_000_000));
        assert!(!book.has_room(at(1_000_000)) && !book.is_overdue(at(1_000_000)));
        book.note_seen(0, 0, at(1_000_001));
        assert!(book.has_room(at(1_000_001)));
    }

    #[test]
    fn what_is_open_is_what_was_handed_and_neither_taken_back_nor_closed() {
        let mut book = LaneBook::default();
        book.note_handed(10, at(0));
        book.note_taken_back(1, at(0));
        book.note_seen(0, 4, at(1));
        assert_eq!(book.load(), 5);
        book.note_seen(0, u64::MAX, at(2));
        assert_eq!(book.load(), 0, "a count that cannot be is no panic");
    }
}
