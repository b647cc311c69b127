//! What still waits in this process when somebody asks whether it has gone: who was told to be called then, and the end of the process.

use std::time::Duration;

use super::sending::{PATIENCE, PAUSE};
use super::{Endpoint, Place};

impl Endpoint {
    /// The number of the last message that found no room, for [`Endpoint::has_left`].
    #[must_use]
    pub fn last_kept(&self) -> u64 {
        self.last_kept
    }

    /// Whether the message of that number does not wait for this receiver any more, nor what was sent before it.
    #[must_use]
    pub fn has_left(&self, place: Place, number: u64) -> bool {
        // What was taken back has no number, and comes before those that have.
        self.links.get(place).and_then(|link| link.queue.front()).is_none_or(|first| first.number > number)
    }

    /// This process is about to end: sends what waits, as long as somebody reads. What is left then is lost, and [`Endpoint::take_lost`]
    /// tells it.
    pub fn leave(&mut self) {
        let mut idle = Duration::ZERO;
        while idle < PATIENCE {
            let before = self.waiting_messages();
            if self.flush() {
                return;
            }
            if self.waiting_messages() < before {
                idle = Duration::ZERO;
            } else {
                std::thread::sleep(PAUSE);
                idle += PAUSE;
            }
        }
        let peers: Vec<_> = self.links.iter().map(|link| link.peer).collect();
        for peer in peers {
            self.note_unsent(peer);
        }
    }
}
