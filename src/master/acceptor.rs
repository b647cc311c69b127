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

/// How many connections are accepted at once, and told of at once: they are dealt together, so that those for one worker travel together.
const ACCEPTED_AT_ONCE: usize = 16;

/// So long after the gate is closed the socket is still watched: it may be opened again at once.
const WATCHED_AFTER: Duration = Duration::from_millis(10);

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
        let socket = socket.try_clone_to_owned()?;
        let task = spawn_task(happenings, accept(door, socket, wanted, happenings.clone()));
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

/// While connections are not wanted the socket is not even watched: each that comes would wake this thread, also where it is a worker that
/// accepts it.
async fn accept(door: Door, socket: OwnedFd, mut wanted: watch::Receiver<bool>, happenings: mpsc::Sender<Happening>) {
    while wanted.wait_for(|open| *open).await.is_ok() {
        let watched = match socket.try_clone().and_then(Watched::for_reading) {
            Ok(watched) => watched,
            Err(error) => {
                let reason = format!("cannot watch the socket: {error}");
                tokio::time::sleep(OUT_OF_DESCRIPTORS_PAUSE).await;
                let _ = happenings.send(Happening::AcceptFailed { door: door.clone(), reason }).await;
                continue;
            }
        };
        if accept_while_wanted(&door, &watched, &mut wanted, &happenings).await.is_none() {
            return;
        }
    }
}

/// Answers nothing where nobody wants to know any more.
async fn accept_while_wanted(
    door: &Door,
    socket: &Watched,
    wanted: &mut watch::Receiver<bool>,
    happenings: &mpsc::Sender<Happening>,
) -> Option<()> {
    loop {
        let mut ready = tokio::select! {
            biased;
            closed = wanted.wait_for(|open| !*open) => {
                closed.ok()?;
                None
            }
            ready = socket.readable() => Some(ready.ok()?),
        };
        let Some(ready) = &mut ready else {
            match tokio::time::timeout(WATCHED_AFTER, wanted.wait_for(|open| *open)).await {
                Ok(opened) => drop(opened.ok()?),
                Err(_) => return Some(()),
            }
            continue;
        };
        // A place for what is accepted comes first: this task may be ended wherever it waits.
        let place = happenings.reserve().await.ok()?;
        // A socket that listens no more is readable too, and its gate was closed before.
        if !*wanted.borrow() {
            continue;
        }
        let (connections, end) = take_some(socket.as_fd());
        match end {
            End::Empty => ready.clear_ready(),
            End::Full => {}
            End::Failed(reason) if connections.is_empty() => {
                drop(place);
                // Level-triggered readiness would spin here: the connection stays in the backlog until there is room.
                tokio::time::sleep(OUT_OF_DESCRIPTORS_PAUSE).await;
                happenings.send(Happening::AcceptFailed { door: door.clone(), reason }).await.ok()?;
                continue;
            }
            // It fails again, and is told then.
            End::Failed(_) => {}
        }
        if !connections.is_empty() {
            place.send(Happening::Accepted { door: door.clone(), connections });
        }
    }
}

/// Why no more connections were accepted at once.
enum End {
    Empty,
    Full,
    Failed(String),
}

fn take_some(socket: BorrowedFd<'_>) -> (Vec<OwnedFd>, End) {
    let mut connections = Vec::new();
    while connections.len() < ACCEPTED_AT_ONCE {
        match socket::accept(socket) {
            Ok(Some(connection)) => connections.push(connection),
            Ok(None) => return (connections, End::Empty),
            Err(error) => return (connections, End::Failed(super::chain(&error))),
        }
    }
    (connections, End::Full)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use tokio::task::LocalSet;

    use super::*;

    /// Enough for one turn, and some more.
    const CLIENTS: usize = ACCEPTED_AT_ONCE + 4;

    fn on_a_runtime(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, test);
    }

    fn socket() -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    }

    fn connect(listener: &TcpListener) -> TcpStream {
        TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    }

    async fn next(inbox: &mut mpsc::Receiver<Happening>) -> Vec<OwnedFd> {
        match inbox.recv().await.unwrap() {
            Happening::Accepted { door: Door::Sticky, connections } => connections,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn connections_that_wait_come_together_and_in_order() {
        on_a_runtime(async {
            let (happenings, mut inbox) = mpsc::channel(8);
            let listener = socket();
            let acceptor = Acceptor::start(Door::Sticky, listener.as_fd(), &happenings).unwrap();
            let clients: Vec<_> = (0..CLIENTS).map(|_| connect(&listener)).collect();
            acceptor.set_wanted(true);
            let first = next(&mut inbox).await;
            let second = next(&mut inbox).await;
            assert_eq!((first.len(), second.len()), (ACCEPTED_AT_ONCE, CLIENTS - ACCEPTED_AT_ONCE));
            let peers = first.into_iter().chain(second).map(|fd| TcpStream::from(fd).peer_addr().unwrap());
            assert!(peers.eq(clients.iter().map(|client| client.local_addr().unwrap())));
        });
    }

    #[test]
    fn what_comes_to_a_closed_gate_waits_until_it_is_opened_again() {
        on_a_runtime(async {
            let (happenings, mut inbox) = mpsc::channel(8);
            let listener = socket();
            let acceptor = Acceptor::start(Door::Sticky, listener.as_fd(), &happenings).unwrap();
            // Opened again at once, and after the socket has been let out of sight.
            for pause in [Duration::ZERO, WATCHED_AFTER / 2, WATCHED_AFTER * 3] {
                acceptor.set_wanted(true);
                let _served = connect(&listener);
                assert_eq!(next(&mut inbox).await.len(), 1);
                acceptor.set_wanted(false);
                let _waiting = connect(&listener);
                tokio::time::sleep(pause).await;
                assert!(inbox.try_recv().is_err(), "{pause:?}");
                acceptor.set_wanted(true);
                assert_eq!(next(&mut inbox).await.len(), 1, "{pause:?}");
            }
        });
    }

    #[test]
    fn an_acceptor_that_is_dropped_takes_no_connection_along() {
        on_a_runtime(async {
            let (happenings, mut inbox) = mpsc::channel(1);
            let listener = socket();
            let acceptor = Acceptor::start(Door::Sticky, listener.as_fd(), &happenings).unwrap();
            acceptor.set_wanted(true);
            let _clients: Vec<_> = (0..3 * ACCEPTED_AT_ONCE).map(|_| connect(&listener)).collect();
            // The inbox is full with the first of them, and the acceptor waits for room.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            drop(acceptor);
            let told = next(&mut inbox).await.len();
            assert_eq!(told + take_waiting(listener.as_fd()).len(), 3 * ACCEPTED_AT_ONCE);
        });
    }
}
