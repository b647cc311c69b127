//! How a process is: its age, processor time, memory, event loop and requests, read from its page and from the kernel.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::message_totals::MessageCounts;
use super::watch::Life;
use crate::sys::process_facts::{cpu_time, resident_memory};
use crate::sys::pulse::{self, Loop, PulseReader, Word};
use crate::sys::turn_lengths::TurnLengths;

/// What the lag and the share of busy time are told about.
const WINDOW: Duration = Duration::from_secs(60);
/// How many earlier states are kept: one in ten seconds.
const MARKS: usize = 7;
/// The state of an event loop of which nothing has been heard.
const UNKNOWN: &str = "unknown";

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

/// How one process is.
#[derive(Clone, Debug, Default)]
pub(super) struct Vitals {
    pub(super) uptime: Duration,
    /// Time on a processor.
    pub(super) cpu: Duration,
    /// Bytes, as all memory; 0 where it is not known.
    pub(super) resident: u64,
    pub(super) heap_used: u64,
    pub(super) heap_total: u64,
    pub(super) external: u64,
    pub(super) event_loop: LoopVitals,
    pub(super) requests: RequestCounts,
    /// Open connections, where somebody counts them.
    pub(super) connections: Option<u64>,
    pub(super) messages: MessageCounts,
    /// How long it took from its fork until it was ready; none before.
    pub(super) boot: Option<Duration>,
}

/// How an event loop is.
#[derive(Clone, Debug, Default)]
pub(super) struct LoopVitals {
    pub(super) state: &'static str,
    /// How long it has not been free.
    pub(super) lag: Duration,
    /// Of the last minute.
    pub(super) lag_p99: Duration,
    longest_turn: Duration,
    /// The busy share of the last minute, 0 to 1.
    pub(super) utilization: f64,
}

/// What has become of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestCounts {
    pub(super) total: u64,
    pub(super) done: u64,
    /// By class, from 2xx to 5xx.
    pub(super) answered: [u64; 4],
    pub(super) broken_off: u64,
}

impl RequestCounts {
    /// How many have no answer yet.
    pub(super) fn in_flight(&self) -> u64 {
        self.total.saturating_sub(self.done)
    }
}

impl Vitals {
    /// Reads them. `connections` is how many it has, where that is known.
    pub(super) fn read(life: &Life, connections: Option<u64>) -> Self {
        let now = pulse::now();
        let Life { pid, pulse, started_at, booted_in, marks, cpu, .. } = life;
        let word = |word| pulse.word(word);
        Self {
            uptime: now.saturating_sub(*started_at),
            // Its number means nobody once it has been reaped; its time has been noted then.
            cpu: if cpu.is_zero() { cpu_time(*pid) } else { *cpu },
            resident: resident_memory(*pid),
            heap_used: word(Word::HeapUsed),
            heap_total: word(Word::HeapTotal),
            external: word(Word::External),
            event_loop: LoopVitals::read(pulse, &marks.since(now, *started_at), now),
            requests: RequestCounts {
                total: word(Word::Requests),
                done: word(Word::RequestsDone),
                answered: [Word::Answered2xx, Word::Answered3xx, Word::Answered4xx, Word::Answered5xx].map(word),
                broken_off: word(Word::BrokenOff),
            },
            connections,
            messages: MessageCounts::read(pulse.tally()),
            boot: *booted_in,
        }
    }

    /// The facts of `status()`.
    pub(super) fn json(&self) -> Value {
        let (requests, event_loop) = (&self.requests, &self.event_loop);
        json!({
            "uptimeMs": millis(self.uptime),
            "bootMs": self.boot.map(millis),
            "cpuMs": millis(self.cpu),
            "rss": self.resident,
            "heapUsed": self.heap_used,
            "heapTotal": self.heap_total,
            "external": self.external,
            "eventLoop": {
                "state": event_loop.state,
                "lagMs": tenths(event_loop.lag),
                "lagP99Ms": tenths(event_loop.lag_p99),
                "longestTurnMs": tenths(event_loop.longest_turn),
                "utilization": (event_loop.utilization * 1e4).round() / 1e4,
            },
            "requests": {
                "total": requests.total,
                "inFlight": requests.in_flight(),
                "2xx": requests.answered[0],
                "3xx": requests.answered[1],
                "4xx": requests.answered[2],
                "5xx": requests.answered[3],
                "brokenOff": requests.broken_off,
            },
            "connections": self.connections,
            "messages": self.messages.json(),
        })
    }
}

impl LoopVitals {
    fn read(pulse: &PulseReader, since: &Mark, now: Duration) -> Self {
        let turn = turn_so_far(pulse, now);
        let mark = Mark::of(pulse, now).with(turn);
        let window = now.saturating_sub(since.at);
        let busy = mark.busy.saturating_sub(since.busy).as_secs_f64() / window.as_secs_f64().max(f64::MIN_POSITIVE);
        Self {
            state: match pulse.event_loop() {
                Loop::Unknown => UNKNOWN,
                Loop::Waits(_) => "waits",
                Loop::Runs(_) => "runs",
            },
            lag: turn,
            lag_p99: mark.turns.since(&since.turns).lag(0.99, window),
            longest_turn: turn.max(Duration::from_nanos(pulse.word(Word::LongestTurn))),
            utilization: busy.min(1.0),
        }
    }

    /// False before the process has told anything of it.
    pub(super) fn is_known(&self) -> bool {
        self.state != UNKNOWN
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds with one digit behind the point.
fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}
