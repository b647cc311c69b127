//! Whether a receiver has to be woken, and whether it may sleep: the decision only; the bell itself is `sys::event`.
//!
//! The receiver alone counts its sleeps in its inbox: odd while it sleeps, even while it is awake. Sender and receiver each
//! store first (a tail, a sleep), then fence, then look at what the other one stores. So at least one of them notices, and no
//! message waits beside a sleeper. A sender rings once per sleep, however much it sends until the sleeper is up.

use super::layout::DOORBELL;
use super::memory::{OwnMemory, OwnWord, PeerMemory, PeerWord};
use super::refused::Refused;
use super::sync::{Ordering, fence};

/// The receiver's side.
#[derive(Debug)]
pub struct Sleeper {
    word: OwnWord,
    sleeps: u64,
}

impl Sleeper {
    /// Awake.
    ///
    /// # Errors
    /// When the memory is no inbox.
    pub fn new(inbox: &OwnMemory) -> Result<Self, Refused> {
        Ok(Self { word: inbox.word(DOORBELL)?, sleeps: 0 })
    }

    /// Says that this process is about to sleep, and asks once more whether there is anything to do. Where the answer is
    /// true, every message that `has_more` did not see will ring.
    #[must_use]
    pub fn may_sleep(&mut self, has_more: impl FnOnce() -> bool) -> bool {
        if !self.is_asleep() {
            self.count();
        }
        // SYNC doorbell: full fence here ↔ full fence in Bell::must_ring.
        fence(Ordering::SeqCst);
        if has_more() {
            self.wake();
        }
        self.is_asleep()
    }

    /// Is up again, for whatever reason. Silence the bell before the rings are drained, never afterwards.
    pub fn wake(&mut self) {
        if self.is_asleep() {
            self.count();
        }
    }

    /// Whether it sleeps.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        is_asleep(self.sleeps)
    }

    fn count(&mut self) {
        self.sleeps = self.sleeps.wrapping_add(1);
        self.word.store_relaxed(self.sleeps);
    }
}

/// A sender's view of one receiver.
#[derive(Debug)]
pub struct Bell {
    word: PeerWord,
    rung_for: u64,
}

impl Bell {
    /// For one sender.
    ///
    /// # Errors
    /// When the memory is no inbox.
    pub fn new(inbox: &PeerMemory) -> Result<Self, Refused> {
        Ok(Self { word: inbox.word(DOORBELL)?, rung_for: 0 })
    }

    /// Whether the receiver has to be rung; ask after the last of a row of messages. What it answers true for is rung by the
    /// caller, as it is not answered true for again in the same sleep.
    #[must_use]
    pub fn must_ring(&mut self) -> bool {
        // SYNC doorbell: full fence here ↔ full fence in Sleeper::may_sleep.
        fence(Ordering::SeqCst);
        let sleep = self.word.load_relaxed();
        let must = is_asleep(sleep) && sleep != self.rung_for;
        if must {
            self.rung_for = sleep;
        }
        must
    }
}

fn is_asleep(sleeps: u64) -> bool {
    sleeps % 2 == 1
}
