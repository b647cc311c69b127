//! Accepting on one listening socket, for as long as connections are wanted: a task beside the loop, and the gate that holds it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tracing::warn;

use super::shell::{Happening, spawn_task};
use crate::sys::Watched;
use crate::sys::socket;

/// How long accepting rests when the process has no descriptors left, and dealing to a worker that has none.
pub(super) const OUT_OF_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(100);

/// A shortage that lasts is said once in a while; one that comes again later is said again.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(60);

/// How many connections are taken in when listening ends: the kernel's own bound for a backlog, unless somebody raised it
/// (listen(2), /proc/sys/net/core/somaxconn).
const LAST_CONNECTIONS: usize = 4096;

/// Which of the master's sockets a connection came in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// A socket that workers have asked for, by the key that Node gives it.
    Workers(String),
    /// The sticky port.
    Sticky,
}

/// Accepts while connections are wanted, and ends with its owner.
pub(super) struct Acceptor {
    gate: watch::Sender<bool>,
    task: AbortHandle,
    complained_at: Option<Instant>,
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Acceptor {
    /// Begins with the gate closed.
    ///
    /// # Errors
    /// When there is no descriptor left for a copy of the socket.
    pub(super) fn start(
        door: Door,
        socket: BorrowedFd<'_>,
        happenings: &mpsc::Sender<Happening>,
    ) -> std::io::Result<Self> {
        let (gate, wanted) = watch::channel(false);
        let watched = socket.try_clone_to_owned().and_then(Watched::new)?;
        let task = spawn_task(happenings, accept(door, watched, wanted, happenings.clone()));
        Ok(Self { gate, task, complained_at: None })
    }

    /// Whether connections are wanted from now on.
    pub(super) fn set_wanted(&self, wanted: bool) {
        self.gate.send_if_modified(|open| std::mem::replace(open, wanted) != wanted);
    }

    pub(super) fn note_failed(&mut self, reason: &str) {
        if self.complained_at.is_none_or(|at| at.elapsed() > COMPLAINT_PERIOD) {
            self.complained_at = Some(Instant::now());
            warn!("[master] accepting connections rests: {reason}");
        }
    }
}

/// Ends listening. Whoever is connected already comes out here, whoever comes later is refused at once.
pub(super) fn take_last(socket: BorrowedFd<'_>) -> Vec<OwnedFd> {
    let last = take_waiting(socket);
    socket::stop_listening(socket);
    last
}

/// Whoever is connected already and waits to be accepted.
pub(super) fn take_waiting(socket: BorrowedFd<'_>) -> Vec<OwnedFd> {
    // The bound is for clients that come as fast as we accept them.
    std::iter::from_fn(|| socket::accept(socket).ok().flatten()).take(LAST_CONNECTIONS).collect()
}

async fn accept(door: Door, socket: Watched, mut wanted: watch::Receiver<bool>, happenings: mpsc::Sender<Happening>) {
    loop {
        if wanted.wait_for(|open| *open).await.is_err() {
            return;
        }
        let Ok(mut ready) = socket.readable().await else { return };
        // A socket that listens no more is readable too, and its gate was closed before.
        if !*wanted.borrow() {
            continue;
        }
        let happening = match socket::accept(socket.as_fd()) {
            Ok(Some(connection)) => Happening::Accepted { door: door.clone(), connection },
            Ok(None) => {
                ready.clear_ready();
                continue;
            }
            Err(error) => {
                // Level-triggered readiness would spin here: the connection stays in the backlog until there is room.
                let reason = super::chain(&error);
                tokio::time::sleep(OUT_OF_DESCRIPTORS_PAUSE).await;
                Happening::AcceptFailed { door: door.clone(), reason }
            }
        };
        if happenings.send(happening).await.is_err() {
            return;
        }
    }
}
