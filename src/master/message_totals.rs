//! What the cluster has counted of its messages, by action: the rows of the living and of those that have ended, together. Actions are what
//! apps make of them, so no more than so many are told by name, and the same ones as long as the master lives.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::control::metrics::{Family, Kind, Sample};
use crate::sys::tally::{ACTIONS, Column, Counts, OTHERS_NAME, TallyReader};

/// A number of an action.
type Told = (&'static str, &'static str, Kind, fn(&Counts) -> f64);

const FAMILIES: [Told; 11] = [
    ("egg_clutch_action_messages_sent", "Messages that were sent, each once.", Kind::Counter, |counts| {
        counts.get(Column::Sent)
    }),
    ("egg_clutch_action_messages_received", "Messages that processes have received.", Kind::Counter, |counts| {
        counts.get(Column::Received)
    }),
    ("egg_clutch_action_sent_bytes", "Bytes of the messages that were sent.", Kind::Counter, |counts| {
        counts.get(Column::Bytes)
    }),
    (
        "egg_clutch_action_messages_dropped",
        "Messages that workers have refused, once for each receiver.",
        Kind::Counter,
        |counts| counts.get(Column::Dropped),
    ),
    (
        "egg_clutch_action_messages_queued",
        "Messages that wait in their senders, once for each receiver.",
        Kind::Gauge,
        |counts| counts.get(Column::Queued),
    ),
    (
        "egg_clutch_action_queue_timed",
        "Messages of which it was looked how long they were on their way.",
        Kind::Counter,
        |counts| counts.get(Column::Waits),
    ),
    ("egg_clutch_action_queue_seconds", "How long these were on their way, together.", Kind::Counter, |counts| {
        counts.get(Column::WaitedMs) / 1e3
    }),
    ("egg_clutch_action_listeners_timed", "Messages whose listeners were timed.", Kind::Counter, |counts| {
        counts.get(Column::Runs)
    }),
    ("egg_clutch_action_listeners_seconds", "How long these listeners ran, together.", Kind::Counter, |counts| {
        counts.get(Column::RunMs) / 1e3
    }),
    (
        "egg_clutch_action_slow_listeners",
        "Of the timed ones, those whose listeners took more than 50 ms.",
        Kind::Counter,
        |counts| counts.get(Column::SlowRuns),
    ),
    ("egg_clutch_action_largest_bytes", "The largest message that was sent.", Kind::Gauge, |counts| {
        counts.get(Column::Largest)
    }),
];

/// What is kept of the actions: their names, and what those have counted that have ended.
#[derive(Debug)]
pub struct MessageTotals {
    places: HashMap<String, usize>,
    /// The first is that of all others.
    names: Vec<String>,
    closed: Vec<Counts>,
    /// Names and numbers of those that have ended that were none.
    refused: u64,
}

/// All of it at a moment.
#[derive(Debug)]
pub struct Totals<'a> {
    names: &'a [String],
    counts: Vec<Counts>,
    refused: u64,
}

/// What one process has counted, over all actions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MessageCounts {
    pub(super) sent: f64,
    pub(super) received: f64,
    pub(super) bytes: f64,
    pub(super) dropped: f64,
    pub(super) queued: f64,
}

impl MessageCounts {
    /// Adds up what stands on the page of a process.
    #[must_use]
    pub fn read(tally: TallyReader<'_>) -> Self {
        let mut sum = Counts::default();
        tally.each(|_, counts| sum.add(counts));
        let get = |column| sum.get(column);
        Self {
            sent: get(Column::Sent),
            received: get(Column::Received),
            bytes: get(Column::Bytes),
            dropped: get(Column::Dropped),
            queued: get(Column::Queued),
        }
    }

    /// Those of a process beside those of others; what waits is true of a moment only.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.bytes += other.bytes;
        self.dropped += other.dropped;
    }

    /// As whole numbers, by their names.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "sent": whole(self.sent), "received": whole(self.received), "bytes": whole(self.bytes),
            "dropped": whole(self.dropped), "queued": whole(self.queued),
        })
    }
}

impl Default for MessageTotals {
    fn default() -> Self {
        let (names, closed) = (vec![OTHERS_NAME.to_owned()], vec![Counts::default()]);
        Self { places: HashMap::new(), names, closed, refused: 0 }
    }
}

impl MessageTotals {
    fn place_of(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        if name == OTHERS_NAME || self.places.len() >= ACTIONS {
            return 0;
        }
        let place = self.names.len();
        self.places.insert(name.to_owned(), place);
        self.names.push(name.to_owned());
        self.closed.push(Counts::default());
        place
    }

    /// A process has ended; to be told once of each.
    pub fn close(&mut self, tally: TallyReader<'_>) {
        let refused = tally.each(|name, counts| {
            let mut counts = *counts;
            counts.close();
            let place = self.place_of(name);
            if let Some(closed) = self.closed.get_mut(place) {
                closed.add(&counts);
            }
        });
        self.refused = self.refused.saturating_add(refused);
    }

    /// All of it, with what the living add.
    pub fn totals<'a>(&mut self, living: impl Iterator<Item = TallyReader<'a>>) -> Totals<'_> {
        let mut counts = self.closed.clone();
        let mut refused = self.refused;
        for tally in living {
            let more = tally.each(|name, added| {
                let place = self.place_of(name);
                if place >= counts.len() {
                    counts.resize(place + 1, Counts::default());
                }
                if let Some(counts) = counts.get_mut(place) {
                    counts.add(added);
                }
            });
            refused = refused.saturating_add(more);
        }
        Totals { names: &self.names, counts, refused }
    }
}

impl Totals<'_> {
    /// By name; of all others only where there are such.
    fn rows(&self) -> impl Iterator<Item = (&String, &Counts)> {
        let all = self.names.iter().zip(&self.counts).enumerate();
        all.filter(|(place, (_, counts))| *place > 0 || **counts != Counts::default()).map(|(_, row)| row)
    }

    /// As metrics, with the action as their label.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let samples = |of: fn(&Counts) -> f64| {
            self.rows().map(move |(name, counts)| Sample { labels: vec![("action", name.clone())], value: of(counts) })
        };
        let of_actions =
            FAMILIES.map(|(name, help, kind, of)| Family { name, help, kind, samples: samples(of).collect() });
        let mut families = Vec::from(of_actions);
        families.push(Family {
            name: "egg_clutch_refused_counters",
            help: "Names and numbers of messages that a process has written and that are none, now and at the end of those that have ended.",
            kind: Kind::Gauge,
            #[allow(clippy::cast_precision_loss, reason = "a number for people")]
            samples: vec![Sample { labels: Vec::new(), value: self.refused as f64 }],
        });
        families
    }

    /// What workers have refused, once for each receiver.
    pub(super) fn dropped(&self) -> u64 {
        self.counts.iter().fold(0, |sum, counts| sum.saturating_add(whole(counts.get(Column::Dropped))))
    }

    /// The facts of `status()`.
    #[must_use]
    pub fn json(&self) -> Value {
        let actions: Map<String, Value> = self.rows().map(|(name, counts)| (name.clone(), facts(counts))).collect();
        json!({ "actions": actions, "refusedCounters": self.refused })
    }
}

fn facts(counts: &Counts) -> Value {
    let count = |column| whole(counts.get(column));
    let ms = |column| (counts.get(column) * 1e3).round() / 1e3;
    json!({
        "sent": count(Column::Sent),
        "received": count(Column::Received),
        "bytes": count(Column::Bytes),
        "largest": count(Column::Largest),
        "dropped": count(Column::Dropped),
        "queued": count(Column::Queued),
        "timeInQueue": {
            "timed": count(Column::Waits), "totalMs": ms(Column::WaitedMs), "longestMs": ms(Column::LongestWaitMs),
        },
        "listeners": {
            "timed": count(Column::Runs), "totalMs": ms(Column::RunMs), "longestMs": ms(Column::LongestRunMs),
            "slow": count(Column::SlowRuns),
        },
    })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts; out of range saturates")]
fn whole(count: f64) -> u64 {
    count as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::metrics::{Format, render};
    use crate::sys::tally::{NAME_BYTES, TALLY_WORDS, TallyWriter};
    use std::sync::atomic::AtomicU64;
    use std::time::{Duration, Instant};

    fn page() -> (&'static [AtomicU64], TallyWriter) {
        let words = Vec::leak((0..TALLY_WORDS).map(|_| AtomicU64::new(0)).collect());
        (words, TallyWriter::new(words).unwrap())
    }

    fn sent(totals: &Totals<'_>) -> Vec<(String, u64)> {
        totals.rows().map(|(name, counts)| (name.clone(), whole(counts.get(Column::Sent)))).collect()
    }

    #[test]
    fn an_action_counts_on_when_its_processes_have_gone_and_what_waited_there_does_not() {
        let (words, writer) = page();
        let row = writer.open("price").unwrap();
        writer.add(row, Column::Sent, 5.0);
        writer.add(row, Column::Queued, 2.0);
        let mut kept = MessageTotals::default();
        let queued = |totals: &Totals<'_>| totals.json()["actions"]["price"]["queued"].as_u64();
        let totals = kept.totals([TallyReader::new(words)].into_iter());
        assert_eq!((sent(&totals), queued(&totals)), (vec![("price".to_owned(), 5)], Some(2)));
        kept.close(TallyReader::new(words));
        let (others, writer) = page();
        writer.add(writer.open("price").unwrap(), Column::Sent, 1.0);
        let totals = kept.totals([TallyReader::new(others)].into_iter());
        assert_eq!((sent(&totals), queued(&totals)), (vec![("price".to_owned(), 6)], Some(0)));
    }

    #[test]
    fn actions_beyond_the_limit_stay_beyond_it() {
        let mut kept = MessageTotals::default();
        for round in 0..2 {
            let (words, writer) = page();
            for action in 0..ACTIONS {
                writer.add(writer.open(&format!("{round}-{action}")).unwrap(), Column::Sent, 1.0);
            }
            kept.close(TallyReader::new(words));
        }
        let totals = kept.totals(std::iter::empty());
        let rows = sent(&totals);
        assert_eq!(rows.len(), ACTIONS + 1);
        assert!(rows.contains(&("0-7".to_owned(), 1)) && rows.contains(&(OTHERS_NAME.to_owned(), ACTIONS as u64)));
    }

    /// What 64 workers with 500 actions each, no two of them with the same numbers, add to a scrape.
    fn crowded() -> Vec<&'static [AtomicU64]> {
        let fill = |worker: u32| {
            let (words, writer) = page();
            for action in 0..ACTIONS {
                let row = writer.open(&format!("{action:0>width$}", width = NAME_BYTES)).unwrap();
                let count = f64::from(worker + 1) * 1e9 + f64::from(u32::try_from(action).unwrap());
                Column::ALL.into_iter().for_each(|column| writer.add(row, column, count));
            }
            words
        };
        (0..64).map(fill).collect()
    }

    fn scrape(pages: &[&'static [AtomicU64]]) -> String {
        let mut kept = MessageTotals::default();
        render(&kept.totals(pages.iter().map(|words| TallyReader::new(words))).families(), Format::Text)
    }

    /// How long is asserted where the compiler optimises: `cargo test --release --lib a_scrape`.
    #[test]
    fn a_scrape_of_64_workers_with_500_long_actions_each_is_well_below_a_megabyte_and_20_ms() {
        let pages = crowded();
        let mut text = String::new();
        let rounds = if cfg!(debug_assertions) { 1 } else { 5 };
        let shortest = (0..rounds).map(|_| {
            let began = Instant::now();
            // Once for the sums of each process, once by action.
            let sent: f64 = pages.iter().map(|words| MessageCounts::read(TallyReader::new(words)).sent).sum();
            text = scrape(&pages);
            assert!(sent > 0.0);
            began.elapsed()
        });
        let shortest = shortest.min().unwrap();
        assert!(text.len() < 800_000, "{} bytes", text.len());
        assert_eq!(text.matches("_sent_total{").count(), ACTIONS);
        assert!(cfg!(debug_assertions) || shortest < Duration::from_millis(20), "{shortest:?}");
    }
}
