//! How a process is: its age, processor time, memory, event loop and requests, read from its page and from the kernel.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::watch::Life;
use crate::sys::process_facts::{cpu_time, resident_memory};
use crate::sys::pulse::{self, Loop, PulseReader, Word};
use crate::sys::turn_lengths::TurnLengths;

/// What the lag and the share of busy time are told about.
const WINDOW: Duration = Duration::from_secs(60);
/// How many earlier states are kept: one in ten seconds.
const MARKS: usize = 7;

/// What an event loop had done by some moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Duration,
    turns: TurnLengths,
    busy: Duration,
}

impl Mark {
    fn of(pulse: &PulseReader, at: Duration) -> Self {
        Self { at, turns: pulse.turn_lengths(), busy: Duration::from_nanos(pulse.word(Word::Busy)) }
    }

    /// With the turn that it is in, which is not counted before it ends.
    fn with(mut self, turn: Duration) -> Self {
        if turn > Duration::ZERO {
            self.turns.note(turn);
            self.busy += turn;
        }
        self
    }
}

fn turn_so_far(pulse: &PulseReader, now: Duration) -> Duration {
    match pulse.event_loop() {
        Loop::Runs(since) => now.saturating_sub(since),
        Loop::Waits(_) | Loop::Unknown => Duration::ZERO,
    }
}

/// What an event loop had done at some moments of the last minute, the oldest first.
#[derive(Debug, Default)]
pub(super) struct LoopMarks(VecDeque<Mark>);

impl LoopMarks {
    /// Remembers this moment.
    pub(super) fn set(&mut self, pulse: &PulseReader, now: Duration) {
        if self.0.len() == MARKS {
            self.0.pop_front();
        }
        self.0.push_back(Mark::of(pulse, now));
    }

    /// What is told of the last minute, or of the time since the process was forked where that is less.
    fn since(&self, now: Duration, forked_at: Duration) -> Mark {
        let young = self.0.iter().find(|mark| now.saturating_sub(mark.at) <= WINDOW);
        let start = Mark { at: forked_at, turns: TurnLengths::default(), busy: Duration::ZERO };
        *young.or(self.0.back()).unwrap_or(&start)
    }
}

/// The facts of `status()` about one process. `connections` is how many it has, where that is known.
pub(super) fn vitals(life: &Life, connections: Option<u64>) -> Value {
    let now = pulse::now();
    let Life { pid, pulse, started_at, marks, .. } = life;
    let word = |word| pulse.word(word);
    let requests = word(Word::Requests);
    json!({
        "uptimeMs": millis(now.saturating_sub(*started_at)),
        "cpuMs": millis(cpu_time(*pid)),
        "rss": resident_memory(*pid),
        "heapUsed": word(Word::HeapUsed),
        "heapTotal": word(Word::HeapTotal),
        "external": word(Word::External),
        "eventLoop": event_loop(pulse, &marks.since(now, *started_at), now),
        "requests": {
            "total": requests,
            "inFlight": requests.saturating_sub(word(Word::RequestsDone)),
            "2xx": word(Word::Answered2xx),
            "3xx": word(Word::Answered3xx),
            "4xx": word(Word::Answered4xx),
            "5xx": word(Word::Answered5xx),
            "brokenOff": word(Word::BrokenOff),
        },
        "connections": connections,
    })
}

fn event_loop(pulse: &PulseReader, since: &Mark, now: Duration) -> Value {
    let turn = turn_so_far(pulse, now);
    let mark = Mark::of(pulse, now).with(turn);
    let window = now.saturating_sub(since.at);
    let busy = mark.busy.saturating_sub(since.busy).as_secs_f64() / window.as_secs_f64().max(f64::MIN_POSITIVE);
    json!({
        "state": match pulse.event_loop() {
            Loop::Unknown => "unknown",
            Loop::Waits(_) => "waits",
            Loop::Runs(_) => "runs",
        },
        "lagMs": tenths(turn),
        "lagP99Ms": tenths(mark.turns.since(&since.turns).lag(0.99, window)),
        "longestTurnMs": tenths(turn.max(Duration::from_nanos(pulse.word(Word::LongestTurn)))),
        "utilization": (busy.min(1.0) * 1e4).round() / 1e4,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds with one digit behind the point.
fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}
