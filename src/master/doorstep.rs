//! Connections of the sticky port whose first bytes must tell whose they are: each waits here until it has said enough, without holding
//! up any other.
//!
//! Nothing is read but peeked at, so the worker gets all of it. A client that takes too long, says too much or has no such
//! thing is known by its address. So is the oldest when too many wait. What the bytes mean is for `listen::sticky_by`.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::shell::{Happening, spawn_task};
use crate::listen::sticky_by::{MOST_BYTES, Seen, StickyBy};
use crate::sys::Watched;
use crate::sys::socket::{self, Peeked};

/// How many connections may wait here. Each has two descriptors of the master's meanwhile.
const MOST_WAITING: usize = 256;
/// Between two looks at a connection that sends its head in small pieces: longer each time, so that bytes that come one by one cost
/// no more than a few looks.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// How a sticky cluster knows its clients again.
#[derive(Clone, Debug)]
pub struct StickyConfig {
    /// By what.
    pub by: StickyBy,
    /// How long a client may take to say it.
    pub wait: Duration,
}

/// One that waits.
struct Guest {
    connection: OwnedFd,
    watch: Watch,
}

/// Looks after a connection through a descriptor of its own, as the connection may be handed on at any time.
struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Who waits to be known.
pub(super) struct Doorstep {
    by: Rc<StickyBy>,
    wait: Duration,
    /// The oldest first.
    guests: BTreeMap<u64, Guest>,
    last: u64,
    is_closing: bool,
}

impl Doorstep {
    pub(super) fn new(StickyConfig { by, wait }: StickyConfig) -> Self {
        Self { by: Rc::new(by), wait, guests: BTreeMap::new(), last: 0, is_closing: false }
    }

    /// Takes in a connection, and gives those that are known now.
    pub(super) fn admit(&mut self, connection: OwnedFd, happenings: &mpsc::Sender<Happening>) -> Vec<(OwnedFd, Seen)> {
        let seen = peek(&self.by, &connection);
        if seen != Seen::Partial || self.is_closing {
            return vec![(connection, seen)];
        }
        let Ok(watched) = connection.try_clone().and_then(Watched::for_reading) else {
            return vec![(connection, seen)];
        };
        self.last += 1;
        let id = self.last;
        let (by, wait, news) = (Rc::clone(&self.by), self.wait, happenings.clone());
        let task = async move {
            // Too long is as good as nothing.
            let _ = tokio::time::timeout(wait, hear(&watched, &by)).await;
            drop(watched);
            let _ = news.send(Happening::Introduced { id }).await;
        };
        self.guests.insert(id, Guest { connection, watch: Watch(spawn_task(happenings, task)) });
        if self.guests.len() <= MOST_WAITING {
            return Vec::new();
        }
        self.guests.pop_first().map(|(_, guest)| self.known(guest)).into_iter().collect()
    }

    /// One that has said enough, or has had its time.
    pub(super) fn take(&mut self, id: u64) -> Option<(OwnedFd, Seen)> {
        let guest = self.guests.remove(&id)?;
        Some(self.known(guest))
    }

    /// Everybody, as far as they are known; from now on nobody waits.
    pub(super) fn clear(&mut self) -> Vec<(OwnedFd, Seen)> {
        self.is_closing = true;
        std::mem::take(&mut self.guests).into_values().map(|guest| self.known(guest)).collect()
    }

    fn known(&self, Guest { connection, watch }: Guest) -> (OwnedFd, Seen) {
        drop(watch);
        let seen = peek(&self.by, &connection);
        (connection, seen)
    }
}

/// Returns when the connection has said all that will be listened to.
async fn hear(connection: &Watched, by: &StickyBy) {
    let mut pause = PAUSE;
    loop {
        let Ok(mut ready) = connection.readable().await else { return };
        if peek(by, connection) != Seen::Partial {
            return;
        }
        // Woken again by what comes, not by what is there.
        ready.clear_ready();
        drop(ready);
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

fn peek(by: &StickyBy, connection: &impl AsFd) -> Seen {
    if *by == StickyBy::Address {
        return Seen::Nothing;
    }
    let mut buffer = vec![0; MOST_BYTES];
    match socket::peek(connection.as_fd(), &mut buffer) {
        Peeked::Bytes(count) => by.look(buffer.get(..count).unwrap_or_default()),
        Peeked::NotYet => Seen::Partial,
        Peeked::Ended => Seen::Nothing,
    }
}
