//! What is put on record when a process has ended: its cause of death, as one event for code and one line for people.
//!
//! The facts come from the page that the process left behind, from the kernel's counters, and from looks at its memory while it lived.

use std::time::Duration;

use serde_json::{Value, json};
use tracing::{debug, warn};

use super::shell::Shell;
use super::vitals::Vitals;
use super::watch::{Life, name_of, seconds};
use crate::message::address::Occupant;
use crate::slot::{Cause, Circumstances, Exit, ExitReason, OomPlace, Sender};
use crate::supervisor::{Answer, Refusal};
use crate::sys::process_facts::name_of_signal;
use crate::sys::pulse::{self, PulseReader, Text, Word};

/// A signal that was caught longer ago than that has not to do with the end: a close may take its time-out.
const SIGNAL_LINGERS: Duration = Duration::from_secs(60);
/// How much of a text goes into the line for people.
const QUOTED_CHARS: usize = 200;

/// A signal that a process caught.
struct Caught {
    signal: String,
    pid: u64,
    uid: u64,
    command: String,
    by: Sender,
}

impl Caught {
    fn read(pulse: &PulseReader, own_pid: u32) -> Option<Self> {
        let at = Duration::from_nanos(pulse.word(Word::SignalAt));
        let signal = pulse.word(Word::Signal);
        // SIGUSR1 and SIGUSR2 are asked for things, and end nobody who catches them.
        let is_request = matches!(name_of_signal(signal).as_str(), "SIGUSR1" | "SIGUSR2" | "SIGALRM");
        if signal == 0 || is_request || pulse::now().saturating_sub(at) > SIGNAL_LINGERS {
            return None;
        }
        let pid = pulse.word(Word::SignalPid);
        let by = match pid {
            _ if pid == u64::from(std::process::id()) => Sender::Master,
            _ if pid == u64::from(own_pid) => Sender::Itself,
            _ => Sender::Other,
        };
        let (signal, uid) = (name_of_signal(signal), pulse.word(Word::SignalUid));
        Some(Self { signal, pid, uid, command: pulse.signal_name(), by })
    }

    fn words(&self) -> String {
        match (self.by, self.pid) {
            (Sender::Master, _) => format!("{} by the master", self.signal),
            (Sender::Itself, _) => format!("{} by itself", self.signal),
            // A sender of another pid namespace, or the kernel (a terminal's Ctrl-C, say).
            (Sender::Other, 0) => format!("{} by the kernel, or from outside of this container", self.signal),
            (Sender::Other, pid) => {
                let command = if self.command.is_empty() { "gone by now" } else { &self.command };
                format!("{} by process {pid} ({command}) of user {}", self.signal, self.uid)
            }
        }
    }
}

/// One process' end.
pub(super) struct Obituary {
    cause: Cause,
    words: String,
    facts: Value,
}

impl Obituary {
    fn write(who: Occupant, life: &Life, (exit, reason): (Exit, ExitReason), oom: Option<OomPlace>) -> Self {
        let pulse = &*life.pulse;
        let caught = Caught::read(pulse, life.pid);
        let uncaught = pulse.text(Text::Uncaught);
        let exited_at = pulse.text(Text::ExitStack).as_deref().and_then(caller_of_exit);
        let about = Circumstances {
            oom,
            near_heap_limit: pulse.word(Word::NearHeapLimit) > 0,
            caught_signal: caught.as_ref().map(|caught| caught.by),
            has_uncaught: uncaught.is_some(),
            killed_by_master: life.was_killed,
        };
        let cause = Cause::of(exit, reason, &about);
        let why = match cause {
            Cause::Asked => "it left as it was asked to".to_owned(),
            Cause::TimedOut => "it did not leave in time and was killed".to_owned(),
            Cause::Stuck => "it stood still and was replaced".to_owned(),
            Cause::Dropped => "the master killed it because it broke the protocol".to_owned(),
            Cause::OutOfMemory if oom == Some(OomPlace::Cgroup) => {
                "the kernel killed it because its cgroup was out of memory".to_owned()
            }
            Cause::OutOfMemory => "the kernel killed it because the machine was out of memory".to_owned(),
            Cause::HeapLimit => {
                format!("its JavaScript heap was full, the limit is {} MB", pulse.word(Word::HeapLimit) >> 20)
            }
            Cause::Killed => match (&caught, exit) {
                (Some(caught), _) if exit.signal().is_none_or(|signal| signal == caught.signal) => caught.words(),
                (_, Exit::Signal("SIGKILL")) => {
                    "SIGKILL; the kernel does not tell by whom, and memory had not run out".to_owned()
                }
                (_, exit) => exit.signal().unwrap_or("a signal").to_owned(),
            },
            Cause::Fault | Cause::Aborted => {
                let core = if life.core_dumped { ", a core was dumped" } else { "" };
                format!("{} in native code{core}", exit.signal().unwrap_or("a signal"))
            }
            Cause::Uncaught => format!("an error that nobody caught: {}", quoted(uncaught.as_deref())),
            Cause::Exited => exited(exit, exited_at.as_deref()),
        };
        let uptime = pulse::now().saturating_sub(life.started_at);
        let begun = pulse.word(Word::Requests);
        let in_flight = begun.saturating_sub(pulse.word(Word::RequestsDone));
        let phase = match reason {
            ExitReason::BootFailed => "boot",
            ExitReason::Asked | ExitReason::TimedOut => "closing",
            ExitReason::Crashed | ExitReason::Killed | ExitReason::Stuck => "serving",
        };
        let mut words =
            format!("{} ended while {phase}, after {}: {why}", name_of(who, life.number, life.pid), seconds(uptime));
        if life.peak > 0 {
            words.push_str(&format!("; {} MB at most", life.peak >> 20));
        }
        if in_flight > 0 {
            words.push_str(&format!("; {in_flight} requests unanswered"));
        }
        let memory: Vec<Value> = life
            .memory
            .iter()
            .map(|(at, bytes)| json!({ "atMs": millis(at.saturating_sub(life.started_at)), "bytes": bytes }))
            .collect();
        let facts = json!({
            "kind": cause.as_str(), "words": why, "phase": phase,
            "role": who.seat.role(), "slot": who.seat.slot(),
            "id": life.number.0, "pid": life.pid,
            "code": exit.code(), "signal": exit.signal(), "coreDumped": life.core_dumped,
            "sentBy": caught.as_ref().map(|caught| json!({
                "signal": caught.signal, "pid": caught.pid, "uid": caught.uid, "command": caught.command,
                "isMaster": caught.by == Sender::Master,
            })),
            "heapLimit": (cause == Cause::HeapLimit).then(|| pulse.word(Word::HeapLimit)),
            "uncaught": uncaught, "exitedAt": exited_at,
            "uptimeMs": millis(uptime), "cpuMs": millis(life.cpu), "peakMemory": life.peak, "memory": memory,
            "longestTurnMs": pulse.word(Word::LongestTurn) / 1_000_000,
            "requests": begun, "inFlight": in_flight,
        });
        Self { cause, words, facts }
    }
}

impl Shell {
    /// Puts the end of a process on record, and answers what events tell of it.
    pub(super) fn note_death(&mut self, who: Occupant, exit: Exit, reason: ExitReason) -> Option<Value> {
        let oom = if exit.signal() == Some("SIGKILL") { self.watch.oom.take() } else { None };
        let life = self.watch.life_mut(who)?;
        let obituary = Obituary::write(who, life, (exit, reason), oom);
        if !life.is_on_record {
            life.is_on_record = true;
            self.ledger.close(who, obituary.cause, &Vitals::read(life, None));
            self.ledger.messages.close(life.pulse.tally());
        }
        let span = self.span_of(who);
        span.record("cause", obituary.cause.as_str());
        let _around = span.entered();
        if obituary.cause == Cause::Asked {
            debug!("[master] {}", obituary.words);
        } else {
            warn!("[master] {}", obituary.words);
        }
        self.deaths.insert(who.seat, obituary.facts.clone());
        Some(obituary.facts)
    }
}

impl Shell {
    /// What is on record of the process for whose sake something was refused.
    pub(super) fn death_of_refused(&self, answer: &Answer) -> Option<&Value> {
        let Answer::Refused(Refusal::BootFailed(failure)) = answer else { return None };
        self.deaths.get(&failure.who.seat).filter(|death| death["id"] == json!(failure.number.0))
    }
}

fn exited(exit: Exit, at: Option<&str>) -> String {
    let code = exit.code().unwrap_or_default();
    match at {
        Some(at) => format!("its own code ended it with code {code}, {at}"),
        None if code == 0 => "it ended with code 0 by itself: nothing was left that kept it alive".to_owned(),
        None => format!("it ended with code {code}"),
    }
}

/// The first line behind `process.exit` and Node's own: who called it. None where nobody did.
fn caller_of_exit(stack: &str) -> Option<String> {
    let frames: Vec<&str> = stack.lines().map(str::trim).collect();
    let exit = frames.iter().rposition(|frame| frame.contains("process.exit") || frame.contains("reallyExit"))?;
    let is_own = |frame: &&&str| !frame.contains("node:internal");
    frames.get(exit + 1..)?.iter().find(is_own).map(|frame| (*frame).to_owned())
}

fn quoted(text: Option<&str>) -> String {
    let mut lines = text.unwrap_or_default().lines();
    let first = lines.next().unwrap_or_default();
    let place = lines.map(str::trim).find(|line| line.starts_with("at ")).unwrap_or_default();
    format!("{first} {place}").trim_end().chars().take(QUOTED_CHARS).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_called_exit_is_found_behind_nodes_own_frames() {
        let stack = "    at process.<anonymous> (/p/pulse.js:9:1)\n    at process.emit (node:events:1:1)\n    at process.exit (node:internal/process/per_thread:1:1)\n    at Timeout.<anonymous> (/app/a.js:3:5)\n    at listOnTimeout (node:internal/timers:1:1)";
        assert_eq!(caller_of_exit(stack).as_deref(), Some("at Timeout.<anonymous> (/app/a.js:3:5)"));
        assert_eq!(caller_of_exit("    at process.emit (node:events:1:1)"), None);
        assert_eq!(caller_of_exit(""), None);
    }

    #[test]
    fn an_error_is_quoted_by_its_first_line_and_its_place() {
        assert_eq!(quoted(Some("Error: boom\n    at f (/a.js:1:1)\n    at g")), "Error: boom at f (/a.js:1:1)");
        assert_eq!(quoted(Some("thrown")), "thrown");
        assert_eq!(quoted(None), "");
        assert_eq!(quoted(Some(&"é".repeat(1000))).chars().count(), QUOTED_CHARS);
    }
}
