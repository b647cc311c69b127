//! For tests only: ends the whole test run, with the name of the test, when one of them hangs.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::console::{ConsoleFd, write_fully};

const LIMIT: Duration = Duration::from_secs(120);

/// Dropping it calls the watch off.
pub(crate) struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    /// Watches the calling test.
    pub(crate) fn start() -> Self {
        let (alive, dropped) = channel::<()>();
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        std::thread::spawn(move || {
            if dropped.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                let _ = write_fully(ConsoleFd::Err, format!("{test} hangs\n").as_bytes());
                std::process::abort();
            }
        });
        Self { _alive: alive }
    }
}
