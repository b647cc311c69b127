//! A timer of the kernel's own, timerfd_create(2): it wakes its thread once, at its time.
//!
//! Tokio's timers stand in a wheel, whose coarse rings wake the thread two or three times on the way to a time some seconds off. That is
//! nothing for what happens now and then, and most of what an idle master does.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::Watched;

/// One alarm on the clock of [`super::pulse::now`].
#[derive(Debug)]
pub struct Alarm {
    timer: TimerFd,
    /// The same timer, as tokio watches it.
    watched: Watched,
    set_to: Option<Duration>,
}

impl Alarm {
    /// An alarm that is not set; call inside a tokio runtime with I/O.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn new() -> std::io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let watched = Watched::for_reading(timer.as_fd().try_clone_to_owned()?)?;
        Ok(Self { timer, watched, set_to: None })
    }

    /// Waits until `at`. May be dropped and asked again: the same time is not set twice.
    ///
    /// # Errors
    /// When the runtime is going down.
    pub async fn wait_until(&mut self, at: Duration) -> std::io::Result<()> {
        if self.set_to != Some(at) {
            // Zero would switch it off.
            let expiration = Expiration::OneShot(TimeSpec::from_duration(at.max(Duration::from_nanos(1))));
            self.timer.set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            self.set_to = Some(at);
        }
        loop {
            let mut ready = self.watched.readable().await?;
            let rung = self.timer.wait();
            if rung == Err(Errno::EINTR) {
                continue;
            }
            // One that has rung is silent until it is set again.
            ready.clear_ready();
            if rung != Err(Errno::EAGAIN) {
                self.set_to = None;
                return Ok(rung?);
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::*;
    use crate::sys::pulse;

    const SHORT: Duration = Duration::from_millis(5);

    fn on_a_runtime(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn it_rings_at_its_time_and_again_when_it_is_set_again() {
        on_a_runtime(async {
            let mut alarm = Alarm::new().unwrap();
            for _ in 0..2 {
                let at = pulse::now() + SHORT;
                alarm.wait_until(at).await.unwrap();
                assert!(pulse::now() >= at);
            }
        });
    }

    #[test]
    fn a_time_that_is_over_rings_at_once() {
        on_a_runtime(async {
            let mut alarm = Alarm::new().unwrap();
            alarm.wait_until(Duration::ZERO).await.unwrap();
            alarm.wait_until(pulse::now()).await.unwrap();
        });
    }

    #[test]
    fn one_that_is_put_off_does_not_ring_at_its_first_time() {
        on_a_runtime(async {
            let mut alarm = Alarm::new().unwrap();
            let first = pulse::now() + SHORT;
            tokio::select! {
                biased;
                _ = alarm.wait_until(first) => unreachable!("it rings when the runtime looks, not before"),
                () = std::future::ready(()) => {}
            }
            // It has rung by now, and nobody has heard it.
            tokio::time::sleep(3 * SHORT).await;
            let second = pulse::now() + SHORT;
            alarm.wait_until(second).await.unwrap();
            assert!(pulse::now() >= second);
        });
    }
}
