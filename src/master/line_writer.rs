//! [`LineWriter`]: lines written on a thread of their own, so that a reader that stands still costs lines and not the cluster.
//!
//! Whoever logs waits until the line is written, as long as the reader keeps up. Once that was waited for in vain, nobody waits
//! until the reader has caught up: lines queue up to a bound, and those beyond it are counted where they are missing. It takes
//! a thread, because a blocking write has no time-out, and the descriptor cannot be made non-blocking for us alone.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a line is waited for by the one who logs it; that may be the thread that supervises.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much may wait for the reader.
const QUEUE_BYTES: usize = 256 * 1024;

enum Entry {
    Line(String),
    /// So many lines are missing here.
    Lost(u64),
}

#[derive(Default)]
struct State {
    queue: VecDeque<Entry>,
    queued_bytes: usize,
    /// Lines taken in and lines written or given up; the difference is what waits.
    taken: u64,
    done: u64,
    /// The reader has not kept up, so nobody waits for it.
    is_behind: bool,
    is_closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The way to one stream. Its thread ends with it.
pub struct LineWriter {
    shared: Arc<Shared>,
    patience: Duration,
}

impl LineWriter {
    /// Starts the thread; `write` is called on it with one line at a time, and may block. `lost` is the line in the place of so many.
    ///
    /// # Errors
    /// When there is no room for another thread.
    pub fn start(
        lost: impl Fn(u64) -> String + Send + 'static,
        write: impl FnMut(&str) + Send + 'static,
    ) -> std::io::Result<Self> {
        Self::start_with(PATIENCE, lost, write)
    }

    fn start_with(
        patience: Duration,
        lost: impl Fn(u64) -> String + Send + 'static,
        write: impl FnMut(&str) + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_the_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("clutch-log".to_owned())
            .spawn(move || of_the_thread.write_until_closed(lost, write))?;
        Ok(Self { shared, patience })
    }

    /// Writes one line, newline included.
    pub fn write(&self, line: String) {
        let mut state = self.shared.lock();
        let ticket = state.take(line);
        self.shared.changed.notify_all();
        if state.is_behind {
            return;
        }
        let waited = self.shared.changed.wait_timeout_while(state, self.patience, |state| state.done < ticket);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_behind |= state.done < ticket;
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl State {
    fn take(&mut self, line: String) -> u64 {
        self.taken += 1;
        // A single line of any length finds room, or it would be lost with a reader that reads.
        if self.queue.is_empty() || self.queued_bytes + line.len() <= QUEUE_BYTES {
            self.queued_bytes += line.len();
            self.queue.push_back(Entry::Line(line));
        } else if let Some(Entry::Lost(lines)) = self.queue.back_mut() {
            *lines += 1;
        } else {
            self.queue.push_back(Entry::Lost(1));
        }
        self.taken
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_until_closed(&self, lost: impl Fn(u64) -> String, mut write: impl FnMut(&str)) {
        while let Some(entry) = self.next() {
            let lines = match &entry {
                Entry::Line(line) => {
                    write(line);
                    1
                }
                Entry::Lost(lines) => {
                    write(&lost(*lines));
                    *lines
                }
            };
            let mut state = self.lock();
            state.done += lines;
            state.is_behind &= state.done < state.taken;
            self.changed.notify_all();
        }
    }

    /// Waits for the next entry; none when all is written and nobody will write any more.
    fn next(&self) -> Option<Entry> {
        let waited = self.changed.wait_while(self.lock(), |state| state.queue.is_empty() && !state.is_closed);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let entry = state.queue.pop_front()?;
        if let Entry::Line(line) = &entry {
            state.queued_bytes -= line.len();
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A writer whose reader takes a line each time it is allowed to, and the lines that it took.
    fn reader(patience: Duration) -> (LineWriter, mpsc::Sender<()>, Arc<Mutex<Vec<String>>>) {
        let (allow, allowed) = mpsc::channel();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&taken);
        let writer = LineWriter::start_with(
            patience,
            |lines| format!("{lines} lost\n"),
            move |line| {
                // The test is over when it cannot allow any more.
                let _ = allowed.recv();
                lines.lock().unwrap().push(line.to_owned());
            },
        );
        (writer.unwrap(), allow, taken)
    }

    /// Looks again and again until `find` finds something; the watchdog is for the day it never does.
    fn look_for<T>(mut find: impl FnMut() -> Option<T>) -> T {
        let began = std::time::Instant::now();
        loop {
            if let Some(found) = find() {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "looked for in vain");
            std::thread::yield_now();
        }
    }

    fn wait_until(taken: &Mutex<Vec<String>>, count: usize) -> Vec<String> {
        look_for(|| Some(taken.lock().unwrap().clone()).filter(|lines| lines.len() >= count))
    }

    #[test]
    fn a_line_is_written_before_the_call_returns() {
        let (writer, allow, taken) = reader(Duration::from_secs(3600));
        for number in 0..3 {
            allow.send(()).unwrap();
            writer.write(format!("{number}\n"));
            assert_eq!(taken.lock().unwrap().len(), number + 1);
        }
    }

    #[test]
    fn a_reader_that_stands_still_is_waited_for_once_and_then_no_more() {
        let (writer, allow, taken) = reader(Duration::from_millis(1));
        for number in 0..100 {
            writer.write(format!("{number}\n"));
        }
        assert!(taken.lock().unwrap().is_empty());
        (0..100).for_each(|_| allow.send(()).unwrap());
        let expected: Vec<String> = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(wait_until(&taken, 100), expected);
    }

    #[test]
    fn lines_beyond_the_bound_are_counted_where_they_are_missing() {
        let (writer, allow, taken) = reader(Duration::from_millis(1));
        let long = format!("{}\n", "x".repeat(QUEUE_BYTES / 2 - 1));
        // The first one is in the reader's hands, two fit behind it.
        writer.write("first\n".to_owned());
        look_for(|| writer.shared.lock().queue.is_empty().then_some(()));
        (0..7).for_each(|_| writer.write(long.clone()));
        (0..3).for_each(|_| allow.send(()).unwrap());
        wait_until(&taken, 3);
        writer.write("last\n".to_owned());
        drop(allow);
        let lines = wait_until(&taken, 5);
        assert_eq!(lines[3], "5 lost\n");
        assert_eq!(lines[4], "last\n");
    }

    #[test]
    fn once_the_reader_has_caught_up_lines_are_waited_for_again() {
        let (writer, allow, taken) = reader(Duration::from_millis(1));
        writer.write("late\n".to_owned());
        allow.send(()).unwrap();
        wait_until(&taken, 1);
        let patient = LineWriter { patience: Duration::from_secs(3600), shared: Arc::clone(&writer.shared) };
        look_for(|| (!patient.shared.lock().is_behind).then_some(()));
        allow.send(()).unwrap();
        patient.write("in time\n".to_owned());
        assert_eq!(taken.lock().unwrap().len(), 2);
    }
}
