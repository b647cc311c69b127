//! What happens in the cluster, told to whoever listens (server-sent events, HTML standard §9.2). A reader that falls behind is let go:
//! what waits for one is bounded, and nobody is waited for.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{Notify, mpsc};

/// How many events may wait for one reader.
const QUEUE: usize = 256;
/// How often readers are told that the master lives while nothing happens: one that is gone is found out by that.
const STILL_HERE: Duration = Duration::from_secs(15);
/// What a reader is greeted with: how long to wait before it asks again once the connection has broken, in milliseconds.
const GREETING: &str = "retry: 2000\n\n";

struct Reader {
    queue: mpsc::Sender<Bytes>,
    /// Ends the connection of one that does not read.
    end: Rc<Notify>,
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
        self.readers.borrow_mut().push(Reader { queue: sender, end });
        if !self.is_kept_up.replace(true) {
            tokio::task::spawn_local(self.clone().keep_up());
        }
        EventStream { queue }
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
        self.readers.borrow_mut().retain(|reader| match reader.queue.try_send(event.clone()) {
            Ok(()) => true,
            Err(_) => {
                reader.end.notify_one();
                false
            }
        });
    }
}

impl EventStream {
    /// The next piece; none once the reader was let go.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        Pin::new(&mut self.queue).get_mut().poll_recv(context).map(|piece| piece.map(Frame::data))
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
