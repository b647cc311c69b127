//! The page on which a process counts its messages holds anything, also while the master reads it: each action has one row that counts can be
//! put into, none of them makes lines of its own, and what is kept of those that have ended is not lost.
#![no_main]

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use arbitrary::Arbitrary;
use egg_clutch::control::metrics::{Format, render};
use egg_clutch::master::message_totals::{MessageCounts, MessageTotals};
use egg_clutch::sys::tally::{
    ACTIONS, Column, Counts, HEAD_WORDS, NAME_AT, NAME_BYTES, NAME_LENGTH_AT, ROW_WORDS, TALLY_WORDS, TallyReader,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const MAX_STEPS: usize = 64;
const MOST: f64 = 9_007_199_254_740_992.0;

#[derive(Arbitrary, Debug)]
enum Written {
    Word(u64),
    Small(u8),
    Number(f64),
    Text([u8; 8]),
}

impl Written {
    fn word(&self) -> u64 {
        match self {
            Self::Word(word) => *word,
            Self::Small(number) => u64::from(*number),
            Self::Number(number) => number.to_bits(),
            Self::Text(text) => u64::from_ne_bytes(*text),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// How many rows have a name.
    Named {
        process: bool,
        value: Written,
    },
    /// A number of a row.
    Count {
        process: bool,
        row: u16,
        column: u8,
        value: Written,
    },
    Name {
        process: bool,
        row: u16,
        name: &'a [u8],
    },
    /// How long a name is said to be.
    Length {
        process: bool,
        row: u16,
        value: Written,
    },
    Anywhere {
        process: bool,
        at: u16,
        value: Written,
    },
    /// A process ends, and another takes its place.
    End {
        process: bool,
    },
    Ask,
}

struct Page(Vec<AtomicU64>);

impl Page {
    fn new() -> Self {
        Self((0..TALLY_WORDS).map(|_| AtomicU64::new(0)).collect())
    }

    fn set(&self, at: usize, word: u64) {
        self.0[at % TALLY_WORDS].store(word, Ordering::Relaxed);
    }

    fn row(&self, row: u16) -> usize {
        HEAD_WORDS + usize::from(row) % (ACTIONS + 1) * ROW_WORDS
    }

    fn reader(&self) -> TallyReader<'_> {
        TallyReader::new(&self.0)
    }
}

struct World {
    pages: [Page; 2],
    kept: MessageTotals,
    /// The actions that were told so far.
    told: HashSet<String>,
}

impl World {
    fn take(&mut self, step: Step<'_>) {
        match step {
            Step::Named { process, value } => self.page(process).set(0, value.word()),
            Step::Count { process, row, column, value } => {
                let page = self.page(process);
                page.set(page.row(row) + usize::from(column) % Column::ALL.len(), value.word());
            }
            Step::Name { process, row, name } => {
                let page = self.page(process);
                let start = page.row(row);
                for (word, bytes) in name.chunks(8).take(NAME_BYTES / 8).enumerate() {
                    let mut filled = [0; 8];
                    filled[..bytes.len()].copy_from_slice(bytes);
                    page.set(start + NAME_AT + word, u64::from_ne_bytes(filled));
                }
                page.set(start + NAME_LENGTH_AT, name.len() as u64);
            }
            Step::Length { process, row, value } => {
                let page = self.page(process);
                page.set(page.row(row) + NAME_LENGTH_AT, value.word());
            }
            Step::Anywhere { process, at, value } => self.page(process).set(usize::from(at), value.word()),
            Step::End { process } => {
                let page = std::mem::replace(&mut self.pages[usize::from(process)], Page::new());
                self.kept.close(page.reader());
                self.ask();
            }
            Step::Ask => self.ask(),
        }
    }

    fn page(&self, process: bool) -> &Page {
        &self.pages[usize::from(process)]
    }

    /// What `/status` and `/metrics` tell.
    fn ask(&mut self) {
        for page in &self.pages {
            check_rows(page.reader());
            check_facts(&MessageCounts::read(page.reader()).json());
        }
        let totals = self.kept.totals(self.pages.iter().map(Page::reader));
        let facts = totals.json();
        check_facts(&facts);
        let actions: HashSet<String> = facts["actions"].as_object().unwrap().keys().cloned().collect();
        assert!(actions.len() <= ACTIONS + 1);
        assert!(self.told.is_subset(&actions), "an action is not told any more");
        for format in [Format::Text, Format::OpenMetrics] {
            check_lines(&render(&totals.families(), format), actions.len());
        }
        // That of all others is there as long as there is something in it.
        self.told = actions.into_iter().filter(|action| action != egg_clutch::sys::tally::OTHERS_NAME).collect();
    }
}

fn check_rows(reader: TallyReader<'_>) {
    let (mut rows, mut sum) = (0, Counts::default());
    reader.each(|name, counts| {
        assert!(name.len() <= NAME_BYTES);
        sum.add(counts);
        rows += 1;
    });
    assert!(rows <= ACTIONS + 1);
    assert!(Column::ALL.iter().all(|&column| (0.0..=MOST).contains(&sum.get(column))));
}

fn check_facts(facts: &Value) {
    match facts {
        Value::Object(members) => members.values().for_each(check_facts),
        fact => assert!(fact.as_f64().is_some_and(|number| (0.0..=MOST * 1e3).contains(&number)), "{fact}"),
    }
}

/// Every line is a comment, or a number of its own.
fn check_lines(text: &str, actions: usize) {
    let mut seen = HashSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, number) = line.rsplit_once(' ').unwrap();
        assert!(line.starts_with("egg_clutch_"), "{line:?}");
        assert!(number.parse::<f64>().is_ok_and(|number| number >= 0.0), "{line:?}");
        assert!(seen.insert(series), "{line:?} is told twice");
    }
    assert_eq!(seen.iter().filter(|series| series.starts_with("egg_clutch_action_messages_queued{")).count(), actions);
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let mut world = World { pages: [Page::new(), Page::new()], kept: MessageTotals::default(), told: HashSet::new() };
    for step in steps.into_iter().take(MAX_STEPS) {
        world.take(step);
    }
    world.ask();
});
