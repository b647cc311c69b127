//! [`TurnLengths`]: how long the turns of an event loop have taken, and what that means to somebody who waits for one to end.

use std::time::Duration;

/// How many classes of length there are.
pub const CLASSES: usize = 20;
/// The longest turn of the first class is 2 to the power of this, in nanoseconds (66 µs). Each class reaches twice as far as the one
/// before it; the last has no end, and is meant for 17 seconds and more.
const FIRST_BITS: u32 = 16;

/// The class of a turn that took so many nanoseconds.
#[must_use]
pub fn class_of(nanos: u64) -> usize {
    let bits = u64::BITS - nanos.saturating_sub(1).leading_zeros();
    usize::try_from(bits.saturating_sub(FIRST_BITS)).map_or(CLASSES - 1, |class| class.min(CLASSES - 1))
}

/// What a turn of this class is taken to have lasted, in nanoseconds: the middle of the class.
fn typical(class: usize) -> f64 {
    0.75 * 2_f64.powi(i32::try_from(class).unwrap_or_default() + FIRST_BITS.cast_signed())
}

/// How many turns there were of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnLengths(pub [u64; CLASSES]);

impl TurnLengths {
    /// One more.
    pub fn note(&mut self, turn: Duration) {
        let nanos = u64::try_from(turn.as_nanos()).unwrap_or(u64::MAX);
        self.0[class_of(nanos)] += 1;
    }

    /// Those that came after `earlier` was read.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|class| self.0[class].saturating_sub(earlier.0[class])))
    }

    /// What comes at any moment of `window`, in which these turns were, waits no longer than this for the turn to end in `share` of all
    /// cases. Right within a factor of 1.5, as the classes are.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "lengths are known by their class only")]
    pub fn lag(&self, share: f64, window: Duration) -> Duration {
        // Whoever comes `x` before a turn's end waits for `x`: longer than `x` wait those that come earlier in a longer turn.
        let allowed = (1.0 - share) * window.as_secs_f64() * 1e9;
        let (mut turns, mut time) = (0.0, 0.0);
        for class in (0..CLASSES).rev() {
            if time - turns * typical(class) > allowed {
                break;
            }
            let count = self.0[class] as f64;
            turns += count;
            time += count * typical(class);
        }
        if time <= allowed || turns == 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64((time - allowed) / turns / 1e9).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(turns: &[(u64, u32)]) -> TurnLengths {
        let mut lengths = TurnLengths::default();
        for &(count, millis) in turns {
            for _ in 0..count {
                lengths.note(Duration::from_millis(millis.into()));
            }
        }
        lengths
    }

    fn p99(lengths: &TurnLengths, seconds: u64) -> f64 {
        lengths.lag(0.99, Duration::from_secs(seconds)).as_secs_f64() * 1e3
    }

    #[test]
    fn a_class_ends_where_the_next_begins() {
        assert_eq!([0, 1, 1 << 16, (1 << 16) + 1, 1 << 17, (1 << 17) + 1].map(class_of), [0, 0, 0, 1, 1, 2]);
        assert_eq!([1 << 34, 1 << 35, u64::MAX].map(class_of), [18, 19, 19]);
    }

    #[test]
    fn an_idle_loop_has_no_lag() {
        assert_eq!(p99(&TurnLengths::default(), 10), 0.0);
        assert_eq!(p99(&of(&[(1000, 0)]), 10), 0.0);
        assert_eq!(TurnLengths::default().lag(0.99, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn rare_long_turns_count_by_the_time_that_they_take() {
        // 50 ms in 10 s is half a percent of the time, 500 ms is five percent.
        assert_eq!(p99(&of(&[(1, 50)]), 10), 0.0);
        let lag = p99(&of(&[(10, 50)]), 10);
        assert!((26.0..60.0).contains(&lag), "{lag}");
    }

    #[test]
    fn a_loop_that_is_always_in_long_turns_lags_by_nearly_a_turn() {
        let lag = p99(&of(&[(100, 100)]), 10);
        assert!((66.0..150.0).contains(&lag), "{lag}");
    }

    #[test]
    fn the_longer_of_two_kinds_decides_if_it_takes_enough_of_the_time() {
        let lag = p99(&of(&[(4000, 1), (20, 100)]), 10);
        assert!((60.0..140.0).contains(&lag), "{lag}");
    }

    #[test]
    fn what_was_before_does_not_count() {
        let (before, after) = (of(&[(5, 100), (3, 1)]), of(&[(5, 100), (7, 1)]));
        assert_eq!(after.since(&before), of(&[(4, 1)]));
        assert_eq!(before.since(&after), TurnLengths::default());
    }

    proptest::proptest! {
        #[test]
        fn a_larger_share_waits_no_less(counts in proptest::array::uniform20(0_u64..1 << 40), seconds in 0_u64..1 << 20) {
            let lengths = TurnLengths(counts);
            let lag = |share| lengths.lag(share, Duration::from_secs(seconds));
            proptest::prop_assert!(lag(0.5) <= lag(0.9) && lag(0.9) <= lag(0.99) && lag(0.99) <= lag(1.0));
        }
    }
}
