//! Whether it pays to look for the next message a moment longer before this process goes to sleep. Pure; times are told to it.
//!
//! To be woken up costs both ends two system calls and some ten microseconds, so where answers come sooner than that a look is
//! cheaper than a sleep. Where they do not, looking is given up, and tried again the more seldom the more often it was in vain.

use std::time::Duration;

/// How long one look may take.
pub const LONGEST_LOOK: Duration = Duration::from_micros(40);
/// A sleep that ended sooner than this could have been a look: the waking up is in it.
const SHORT_SLEEP: Duration = Duration::from_micros(150);
/// So many short sleeps in a row are needed, at least and at most, before a look is taken.
const FEWEST: u32 = 4;
const MOST: u32 = 4096;

/// What is known of the recent sleeps.
#[derive(Debug)]
pub struct SpinPolicy {
    short_sleeps: u32,
    needed: u32,
}

impl Default for SpinPolicy {
    fn default() -> Self {
        Self { short_sleeps: 0, needed: FEWEST }
    }
}

impl SpinPolicy {
    /// Whether to look before the next sleep.
    #[must_use]
    pub fn may_look(&self) -> bool {
        self.short_sleeps >= self.needed
    }

    /// A sleep has ended because of a message.
    pub fn slept(&mut self, time: Duration) {
        if time < SHORT_SLEEP {
            self.short_sleeps = self.short_sleeps.saturating_add(1);
        } else {
            self.short_sleeps = 0;
        }
    }

    /// A look has found a message.
    pub fn found(&mut self) {
        self.needed = (self.needed / 2).max(FEWEST);
        self.short_sleeps = self.needed;
    }

    /// A look was in vain.
    pub fn missed(&mut self) {
        self.needed = (self.needed * 2).min(MOST);
        self.short_sleeps = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(20);

    fn sleeps_until_a_look(policy: &mut SpinPolicy) -> u32 {
        let mut count = 0;
        while !policy.may_look() {
            policy.slept(SHORT);
            count += 1;
        }
        count
    }

    #[test]
    fn an_idle_process_never_looks() {
        let mut policy = SpinPolicy::default();
        for _ in 0..10_000 {
            policy.slept(Duration::from_millis(1));
            assert!(!policy.may_look());
        }
    }

    #[test]
    fn a_process_that_is_answered_at_once_looks_after_a_few_sleeps_and_goes_on_with_it() {
        let mut policy = SpinPolicy::default();
        assert_eq!(sleeps_until_a_look(&mut policy), FEWEST);
        for _ in 0..100 {
            policy.found();
            assert!(policy.may_look());
        }
    }

    #[test]
    fn looks_in_vain_become_rare_and_never_end() {
        let mut policy = SpinPolicy::default();
        let mut before = 0;
        for _ in 0..20 {
            let count = sleeps_until_a_look(&mut policy);
            assert!(count >= before && count <= MOST);
            before = count;
            policy.missed();
        }
        assert_eq!(before, MOST);
    }
}
