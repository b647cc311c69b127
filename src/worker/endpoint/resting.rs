//! How this process goes to sleep and is woken up.
//!
//! JavaScript says that it has taken everything ([`Endpoint::rest`]). It goes to sleep only when its loop is about to wait, after a
//! look around that is as long as [`SpinPolicy`] says: whoever sends until then need not ring.

use std::time::Instant;

use super::Endpoint;
use super::spin::{LONGEST_LOOK, SpinPolicy};

/// Looks at the clock come after so many looks at the rings.
const LOOKS_A_CLOCK: u32 = 16;

/// Awake, or about to sleep, or asleep.
#[derive(Debug, Default)]
pub(super) struct Rest {
    policy: SpinPolicy,
    /// Since when everything is taken; `None` while there may be more.
    since: Option<Instant>,
}

/// How it is when everything has been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Resting {
    /// There is news to poll first.
    News,
    /// Whatever comes wakes this process up.
    Quiet,
    /// A message waits for its segment, which may never come: look again after a while.
    KeptWaiting,
}

impl Endpoint {
    /// Everything has been taken: this process may sleep when its loop waits, unless there is news.
    pub fn rest(&mut self) -> Resting {
        if !self.news.is_empty() {
            return Resting::News;
        }
        if self.rest.since.is_none() {
            self.rest.since = Some(Instant::now());
        }
        if self.kept.is_some() { Resting::KeptWaiting } else { Resting::Quiet }
    }

    /// The loop is about to wait. Answers whether there are messages instead; otherwise this process sleeps now, if it said that it may.
    pub fn before_wait(&mut self) -> bool {
        let Some(_) = self.rest.since else { return false };
        if self.inbox.is_asleep() {
            return false;
        }
        if self.inbox.has_more() {
            return true;
        }
        if self.rest.policy.may_look() {
            if self.look() {
                self.rest.policy.found();
                return true;
            }
            self.rest.policy.missed();
        }
        !self.inbox.may_sleep()
    }

    fn look(&self) -> bool {
        let start = Instant::now();
        loop {
            for _ in 0..LOOKS_A_CLOCK {
                if self.inbox.has_more() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if start.elapsed() >= LONGEST_LOOK {
                return false;
            }
        }
    }

    /// The bell rings.
    pub fn rung(&mut self) {
        let _ = self.bell.silence();
        // A receiver that was slow may have rung because it has room now.
        self.flush();
        if let Some(since) = self.rest.since.filter(|_| self.inbox.is_asleep()) {
            self.rest.policy.slept(since.elapsed());
        }
        self.awake();
    }

    /// Has the loop come back at once, by our own bell.
    pub fn come_back(&self) {
        let _ = self.bell.ring();
    }

    pub(super) fn awake(&mut self) {
        self.rest.since = None;
        self.end_leases();
        self.inbox.wake();
    }
}
