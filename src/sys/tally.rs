//! What a process counts of its messages, by action: rows of numbers beside its pulse, which it alone writes and its master reads at any
//! time, also when the writer stands still or is dead. Nothing that is read here is believed: a number that is no count is refused.
//!
//! Safe code over words; `pulse` has the memory. JavaScript adds to the numbers where they lie, as doubles, so each is exact up to 2^53.
//! A row is named before it is counted in, and the number of named rows is stored behind the names.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};

const WORD: usize = size_of::<u64>();
/// How many actions have a row of their own.
pub const ACTIONS: usize = 500;
/// The row of all others, which has no name.
pub const OTHERS: Row = Row(0);
/// What the others are called.
pub const OTHERS_NAME: &str = "(other)";
/// How many words a row has: its numbers, the length of its name, its name.
pub const ROW_WORDS: usize = 32;
/// How many numbers there are in a row.
pub const COLUMNS: usize = 13;
/// How many bytes of a name are kept.
pub const NAME_BYTES: usize = 8 * WORD;
/// How many words all of it takes.
pub const TALLY_WORDS: usize = HEAD_WORDS + ROWS * ROW_WORDS;

/// In front of the rows: how many have a name.
pub const HEAD_WORDS: usize = 8;
/// Where in a row the length of its name lies.
pub const NAME_LENGTH_AT: usize = 16;
/// Where in a row its name lies.
pub const NAME_AT: usize = 17;

const ROWS: usize = ACTIONS + 1;
/// What stands at the end of a name that was cut.
const CUT: &str = "…";
/// Counts beyond it are none: doubles are not exact any more.
const MOST: f64 = 9_007_199_254_740_992.0;

/// The number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row(pub usize);

/// What is counted of an action; the order is that of the numbers in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Column {
    /// Messages that were sent, each once.
    Sent,
    /// Messages that came in.
    Received,
    /// Bytes of what was sent.
    Bytes,
    /// The largest of these.
    Largest,
    /// Messages that were refused, once for each receiver.
    Dropped,
    /// Messages that wait in the sender, once for each receiver: this one goes down as well.
    Queued,
    /// Of how many that came in it is known how long they were on their way.
    Waits,
    /// How long these took together, in milliseconds.
    WaitedMs,
    /// How long the slowest did.
    LongestWaitMs,
    /// How many runs of listeners were timed.
    Runs,
    /// How long these took together, in milliseconds.
    RunMs,
    /// How long the longest did.
    LongestRunMs,
    /// How many of them were slow.
    SlowRuns,
}

impl Column {
    /// All of them, in their order.
    pub const ALL: [Self; COLUMNS] = [
        Self::Sent,
        Self::Received,
        Self::Bytes,
        Self::Largest,
        Self::Dropped,
        Self::Queued,
        Self::Waits,
        Self::WaitedMs,
        Self::LongestWaitMs,
        Self::Runs,
        Self::RunMs,
        Self::LongestRunMs,
        Self::SlowRuns,
    ];

    fn is_maximum(self) -> bool {
        matches!(self, Self::Largest | Self::LongestWaitMs | Self::LongestRunMs)
    }

    fn is_time(self) -> bool {
        matches!(self, Self::WaitedMs | Self::LongestWaitMs | Self::RunMs | Self::LongestRunMs)
    }
}

/// The numbers of a row, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts([f64; COLUMNS]);

impl Counts {
    /// One of them.
    #[must_use]
    pub fn get(&self, column: Column) -> f64 {
        self.0.get(column as usize).copied().unwrap_or_default()
    }

    /// Adds those of another row; of the largest and longest the greater stays.
    pub fn add(&mut self, other: &Self) {
        for (column, (sum, value)) in Column::ALL.into_iter().zip(self.0.iter_mut().zip(other.0)) {
            *sum = if column.is_maximum() { sum.max(value) } else { (*sum + value).min(MOST) };
        }
    }

    /// Forgets what was true of a moment only.
    pub fn close(&mut self) {
        if let Some(queued) = self.0.get_mut(Column::Queued as usize) {
            *queued = 0.0;
        }
    }

    fn is_nothing(&self) -> bool {
        self.0.iter().all(|value| *value == 0.0)
    }
}

/// What a process has counted, where it may write anything.
#[derive(Clone, Copy, Debug)]
pub struct TallyReader<'a>(&'a [AtomicU64]);

impl<'a> TallyReader<'a> {
    /// Of words that another process writes.
    #[must_use]
    pub fn new(words: &'a [AtomicU64]) -> Self {
        Self(words)
    }

    fn word(self, place: usize) -> u64 {
        self.0.get(place).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Tells each action of which something was counted, by its name; a name may come twice. Answers how many names and numbers were
    /// refused, because they are none; a number that is refused is told as 0.
    pub fn each(self, mut tell: impl FnMut(&str, &Counts)) -> u64 {
        let named = usize::try_from(self.word(0)).unwrap_or(usize::MAX);
        let mut refused = u64::from(named > ACTIONS);
        // SYNC tally-name: the number of named rows is stored behind a fence after the name.
        fence(Ordering::Acquire);
        for row in 0..=named.min(ACTIONS) {
            let counts = self.counts(Row(row), &mut refused);
            if row == OTHERS.0 {
                if !counts.is_nothing() {
                    tell(OTHERS_NAME, &counts);
                }
                continue;
            }
            let mut bytes = [0; NAME_BYTES];
            match self.name(Row(row), &mut bytes) {
                Some(name) => tell(name, &counts),
                None => refused += 1,
            }
        }
        refused
    }

    fn counts(self, row: Row, refused: &mut u64) -> Counts {
        let start = HEAD_WORDS + row.0 * ROW_WORDS;
        let mut counts = Counts::default();
        for (column, count) in Column::ALL.into_iter().zip(&mut counts.0) {
            let value = f64::from_bits(self.word(start + column as usize));
            // Not a number is in no range.
            if (0.0..=MOST).contains(&value) && (column.is_time() || value.fract() == 0.0) {
                *count = value;
            } else {
                *refused += 1;
            }
        }
        counts
    }

    fn name(self, row: Row, into: &mut [u8; NAME_BYTES]) -> Option<&str> {
        let start = HEAD_WORDS + row.0 * ROW_WORDS;
        let length = usize::try_from(self.word(start + NAME_LENGTH_AT)).ok()?;
        let name = into.get_mut(..length)?;
        for (index, bytes) in name.chunks_mut(WORD).enumerate() {
            let word = self.word(start + NAME_AT + index).to_ne_bytes();
            bytes.copy_from_slice(&word[..bytes.len()]);
        }
        std::str::from_utf8(name).ok()
    }
}

/// A process' own rows. Copies are the same, which stay for the rest of the process.
#[derive(Clone, Copy, Debug)]
pub struct TallyWriter(&'static [AtomicU64]);

impl TallyWriter {
    /// On words of zeroes that nobody else writes. Answers none where they are too few.
    #[must_use]
    pub fn new(words: &'static [AtomicU64]) -> Option<Self> {
        (words.len() >= TALLY_WORDS).then_some(Self(words))
    }

    /// Names the next row. Answers none when all are taken.
    #[must_use]
    pub fn open(self, name: &str) -> Option<Row> {
        let named = usize::try_from(self.0.first()?.load(Ordering::Relaxed)).ok().filter(|named| *named < ACTIONS)?;
        let row = Row(named + 1);
        let start = HEAD_WORDS + row.0 * ROW_WORDS;
        let name = shortened(name);
        for (word, bytes) in
            self.0.get(start + NAME_AT..start + NAME_AT + NAME_BYTES / WORD)?.iter().zip(name.as_bytes().chunks(WORD))
        {
            let mut filled = [0; WORD];
            filled[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(filled), Ordering::Relaxed);
        }
        self.0.get(start + NAME_LENGTH_AT)?.store(name.len() as u64, Ordering::Relaxed);
        // SYNC tally-name: whoever sees the number sees the name.
        fence(Ordering::Release);
        self.0.first()?.store(row.0 as u64, Ordering::Relaxed);
        Some(row)
    }

    /// Adds to a number: no more than a load and a store, as nobody else writes.
    pub fn add(self, row: Row, column: Column, value: f64) {
        if let Some(word) = self.0.get(HEAD_WORDS + row.0 * ROW_WORDS + column as usize) {
            let sum = f64::from_bits(word.load(Ordering::Relaxed)) + value;
            word.store(sum.to_bits(), Ordering::Relaxed);
        }
    }

    /// Where the rows lie, for whoever counts there without a call, and how many words they take.
    #[must_use]
    pub fn rows(self) -> Option<(NonNull<u64>, usize)> {
        let rows = self.0.get(HEAD_WORDS..TALLY_WORDS)?;
        Some((NonNull::new(rows.first()?.as_ptr())?, rows.len()))
    }
}

fn shortened(name: &str) -> std::borrow::Cow<'_, str> {
    if name.len() <= NAME_BYTES {
        return name.into();
    }
    let limit = NAME_BYTES - CUT.len();
    let end = (0..=limit).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{CUT}", &name[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn words() -> &'static [AtomicU64] {
        Vec::leak((0..TALLY_WORDS).map(|_| AtomicU64::new(0)).collect())
    }

    fn told(words: &[AtomicU64]) -> (BTreeMap<String, Counts>, u64) {
        let mut rows = BTreeMap::new();
        let refused = TallyReader::new(words).each(|name, counts| {
            rows.insert(name.to_owned(), *counts);
        });
        (rows, refused)
    }

    #[test]
    fn the_reader_sees_what_the_writer_counts() {
        let words = words();
        assert_eq!(told(words), (BTreeMap::new(), 0));
        let writer = TallyWriter::new(words).unwrap();
        let (price, long) = (writer.open("price").unwrap(), writer.open(&"ü".repeat(NAME_BYTES)).unwrap());
        writer.add(price, Column::Sent, 2.0);
        writer.add(price, Column::Sent, 3.0);
        writer.add(price, Column::WaitedMs, 0.25);
        writer.add(OTHERS, Column::Dropped, 1.0);
        writer.add(long, Column::Queued, 1.0);
        writer.add(long, Column::Queued, -1.0);
        let (rows, refused) = told(words);
        assert_eq!((rows.len(), refused), (3, 0));
        let price = &rows["price"];
        assert_eq!((price.get(Column::Sent), price.get(Column::WaitedMs)), (5.0, 0.25));
        assert_eq!(rows[OTHERS_NAME].get(Column::Dropped), 1.0);
        let cut = rows.keys().find(|name| name.starts_with('ü')).unwrap();
        assert!(cut.ends_with(CUT) && cut.len() <= NAME_BYTES, "{cut}");
        assert_eq!(rows[cut], Counts::default());
    }

    #[test]
    fn actions_beyond_the_last_row_have_none() {
        let words = words();
        let writer = TallyWriter::new(words).unwrap();
        for action in 0..ACTIONS {
            assert_eq!(writer.open(&action.to_string()), Some(Row(action + 1)));
        }
        assert_eq!(writer.open("one more"), None);
        assert_eq!(told(words).0.len(), ACTIONS);
    }

    #[test]
    fn what_is_no_count_is_refused_and_the_rest_is_believed() {
        let words = words();
        let writer = TallyWriter::new(words).unwrap();
        let rows = [writer.open("a").unwrap(), writer.open("b").unwrap()];
        for (column, value) in [f64::NAN, -1.0, f64::INFINITY, 0.5, MOST * 2.0, 7.0].into_iter().enumerate() {
            words[HEAD_WORDS + rows[0].0 * ROW_WORDS + column].store(value.to_bits(), Ordering::Relaxed);
        }
        words[HEAD_WORDS + rows[1].0 * ROW_WORDS + NAME_LENGTH_AT].store(u64::MAX, Ordering::Relaxed);
        let (told, refused) = told(words);
        assert_eq!((told.len(), refused), (1, 6));
        let sums: Vec<f64> = Column::ALL.into_iter().map(|column| told["a"].get(column)).collect();
        assert_eq!(sums[..6], [0.0, 0.0, 0.0, 0.0, 0.0, 7.0]);
    }

    #[test]
    fn rows_are_added_and_the_largest_stays() {
        let words = words();
        let writer = TallyWriter::new(words).unwrap();
        for (name, value) in [("a", 3.0), ("b", 5.0)] {
            let row = writer.open(name).unwrap();
            Column::ALL.into_iter().for_each(|column| writer.add(row, column, value));
        }
        let mut sum = Counts::default();
        told(words).0.values().for_each(|counts| sum.add(counts));
        for column in Column::ALL {
            assert_eq!(sum.get(column), if column.is_maximum() { 5.0 } else { 8.0 }, "{column:?}");
        }
        sum.close();
        assert_eq!((sum.get(Column::Queued), sum.get(Column::Sent)), (0.0, 8.0));
    }

    fn hostile_words() -> impl Strategy<Value = Vec<u64>> {
        let word = prop_oneof![any::<u64>(), any::<f64>().prop_map(f64::to_bits), 0..200_u64, Just(u64::MAX)];
        proptest::collection::vec(word, 0..HEAD_WORDS + 8 * ROW_WORDS)
    }

    proptest! {
        #[test]
        fn any_words_never_panic_and_give_counts_only(hostile in hostile_words(), named in any::<u64>()) {
            let words: Vec<AtomicU64> = hostile.into_iter().map(AtomicU64::new).collect();
            for named in [named, named % 8] {
                if let Some(first) = words.first() {
                    first.store(named, Ordering::Relaxed);
                }
                let mut rows = 0;
                let mut sum = Counts::default();
                TallyReader::new(&words).each(|name, counts| {
                    assert!(name.len() <= NAME_BYTES);
                    assert!(counts.0.iter().all(|count| (0.0..=MOST).contains(count)));
                    sum.add(counts);
                    rows += 1;
                });
                prop_assert!(rows <= ROWS);
                prop_assert!(sum.0.iter().all(|count| (0.0..=MOST).contains(count)));
            }
        }
    }
}
