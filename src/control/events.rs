//! What happens in the cluster, told to whoever listens (server-sent events, HTML standard §9.2). A reader that falls behind is let go:
//! what waits for one is bounded, in number and in time, and nobody is waited for.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// How many events may wait for one reader.
const QUEUE: usize = 256;
/// How long something may wait for a reader that takes nothing meanwhile. What the kernel has room for does not wait here.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often readers are told that the master lives while nothing happens: one that is gone is found out by that.
const STILL_HERE: Duration = Duration::from_secs(15);
/// What a reader is greeted with: how long to wait before it asks again once the connection has broken, in milliseconds.
const GREETING: &str = "retry: 2000\n\n";

struct Reader {
    queue: mpsc::Sender<Bytes>,
    /// Ends the connection of one that does not read.
    end: Rc<Notify>,
    /// How many pieces it has taken.
    taken: Rc<Cell<u64>>,
    /// How many those were when it had last made headway, and when that was seen.
    headway: Cell<(u64, Instant)>,
}

impl Reader {
    /// Whether something has waited for it for too long.
    fn is_stuck(&self) -> bool {
        let (seen, since) = self.headway.get();
        let nothing_waits = self.queue.capacity() == self.queue.max_capacity();
        if nothing_waits || self.taken.get() != seen {
            self.headway.set((self.taken.get(), Instant::now()));
            return false;
        }
        since.elapsed() >= PATIENCE
    }
}

/// All readers of both faces.
#[derive(Clone, Default)]
pub struct Hub {
    readers: Rc<RefCell<Vec<Reader>>>,
    /// Whether [`Hub::keep_up`] runs.
    is_kept_up: Rc<Cell<bool>>,
}

/// One reader's end: the body of its response.
pub struct EventStream {
    queue: mpsc::Receiver<Bytes>,
    taken: Rc<Cell<u64>>,
}

impl Hub {
    /// Tells everybody. `kind` is a word, `data` one line of JSON.
    pub fn publish(&self, kind: &str, data: &str) {
        if self.count() > 0 {
            self.send(&Bytes::from(format!("event: {kind}\ndata: {data}\n\n")));
        }
    }

    /// How many listen.
    #[must_use]
    pub fn count(&self) -> usize {
        self.readers.borrow().len()
    }

    /// One more reader; `end` is told when it has fallen behind.
    #[must_use]
    pub fn listen(&self, end: Rc<Notify>) -> EventStream {
        let (sender, queue) = mpsc::channel(QUEUE);
        // Cannot fail: it is empty.
        let _ = sender.try_send(Bytes::from_static(GREETING.as_bytes()));
        let taken = Rc::<Cell<u64>>::default();
        let headway = Cell::new((0, Instant::now()));
        self.readers.borrow_mut().push(Reader { queue: sender, end, taken: Rc::clone(&taken), headway });
        if !self.is_kept_up.replace(true) {
            tokio::task::spawn_local(self.clone().keep_up());
        }
        EventStream { queue, taken }
    }

    /// Runs while somebody listens.
    async fn keep_up(self) {
        while self.count() > 0 {
            tokio::time::sleep(STILL_HERE).await;
            self.send(&Bytes::from_static(b": still here\n\n"));
        }
        self.is_kept_up.set(false);
    }

    fn send(&self, event: &Bytes) {
        self.readers.borrow_mut().retain(|reader| {
            let hears_on = !reader.is_stuck() && reader.queue.try_send(event.clone()).is_ok();
            if !hears_on {
                reader.end.notify_one();
            }
            hears_on
        });
    }
}

impl EventStream {
    /// The next piece; none once the reader was let go.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        let piece = Pin::new(&mut self.queue).get_mut().poll_recv(context);
        if let Poll::Ready(Some(_)) = piece {
            self.taken.set(self.taken.get() + 1);
        }
        piece.map(|piece| piece.map(Frame::data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(stream: &mut EventStream) -> Option<String> {
        let frame = std::future::poll_fn(|context| stream.poll(context)).await?;
        frame.into_data().ok().map(|data| String::from_utf8_lossy(&data).into_owned())
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test);
    }

    #[test]
    fn who_reads_hears_everything_in_order() {
        run(async {
            let hub = Hub::default();
            hub.publish("lost", "{}");
            let mut stream = hub.listen(Rc::default());
            hub.publish("one", "{\"a\":1}");
            hub.publish("two", "{}");
            assert_eq!(next(&mut stream).await.as_deref(), Some(GREETING));
            assert_eq!(next(&mut stream).await.as_deref(), Some("event: one\ndata: {\"a\":1}\n\n"));
            assert_eq!(next(&mut stream).await.as_deref(), Some("event: two\ndata: {}\n\n"));
        });
    }

    #[test]
    fn who_does_not_read_is_let_go_and_the_others_hear_on() {
        run(async {
            let hub = Hub::default();
            let (slow, end) = (hub.listen(Rc::default()), Rc::<Notify>::default());
            let slower = hub.listen(Rc::clone(&end));
            for _ in 0..QUEUE {
                hub.publish("x", "{}");
            }
            assert_eq!(hub.count(), 0);
            end.notified().await;
            drop((slow, slower));
            let mut new = hub.listen(Rc::default());
            hub.publish("y", "{}");
            assert_eq!(next(&mut new).await.as_deref(), Some(GREETING));
            assert!(next(&mut new).await.is_some());
        });
    }

    #[test]
    fn who_takes_nothing_for_a_while_is_let_go_however_little_waits_and_who_is_slow_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let hub = Hub::default();
            let end = Rc::<Notify>::default();
            let (mut slow, deaf) = (hub.listen(Rc::default()), hub.listen(Rc::clone(&end)));
            for _ in 0..4 {
                hub.publish("x", "{}");
            }
            // It always has something before it, and takes a piece before its time is over each time.
            for _ in 0..4 {
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                assert!(next(&mut slow).await.is_some());
                hub.publish("x", "{}");
            }
            end.notified().await;
            assert_eq!(hub.count(), 1);
            drop(deaf);
            // Nobody need say anything for that.
            tokio::time::sleep(STILL_HERE + PATIENCE).await;
            assert_eq!(hub.count(), 0);
        });
    }

    #[test]
    fn readers_that_come_and_go_are_kept_up_by_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let hub = Hub::default();
            for _ in 0..3 {
                drop(hub.listen(Rc::default()));
                // Nobody is left after this, while the first still sleeps.
                hub.publish("x", "{}");
            }
            let mut stream = hub.listen(Rc::default());
            assert_eq!(next(&mut stream).await.as_deref(), Some(GREETING));
            let before = tokio::time::Instant::now();
            for _ in 0..2 {
                assert_eq!(next(&mut stream).await.as_deref(), Some(": still here\n\n"));
            }
            assert_eq!(before.elapsed(), 2 * STILL_HERE);
        });
    }

    #[test]
    fn who_has_gone_is_forgotten_with_the_next_event() {
        run(async {
            let hub = Hub::default();
            drop(hub.listen(Rc::default()));
            hub.publish("x", "{}");
            assert_eq!(hub.count(), 0);
        });
    }
}
