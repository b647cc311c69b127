//! The page on which a worker's main thread leaves what it is doing: one process writes it, its master reads it at any time, also
//! when the writer stands still or is dead. Nothing that is read here is believed further than its type.
//!
//! The master makes the page before it forks ([`PulseReader::reserve`]); the worker claims it ([`PulseWriter::claim`]). Every access
//! is a relaxed load or store of one word; a text is followed by its number, so that a reader can tell when it is complete.
#![allow(unsafe_code)] // one slice over a mapping, and the descriptors that a process was started with

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::time::{ClockId, clock_gettime};

use super::error::Named;
use super::shared_memory::{self, OwnMapping, PeerMapping, SharedMemoryError};
use super::tally::{TALLY_WORDS, TallyReader, TallyWriter};
use super::turn_lengths::{self, TurnLengths};
use super::{SysError, event::Event};

const WORD: usize = size_of::<u64>();
const TEXT_END: usize = 5 * 4096 / WORD;
/// Behind the texts comes what is counted of messages.
const PAGE_BYTES: usize = ((TEXT_END + TALLY_WORDS) * WORD).next_multiple_of(4096);
/// How many words come before the texts.
const WORDS: usize = 64;
/// How many bytes of each text are kept.
pub const TEXT_BYTES: usize = (TEXT_END - WORDS) / Text::ALL.len() * WORD;

/// One word of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Word {
    /// What the event loop does, and since when: see [`Loop`].
    Loop,
    /// How many turns of it have run something.
    Turns,
    /// The longest turn so far, in nanoseconds.
    LongestTurn,
    /// 1 from the moment at which a debugger can attach.
    Inspector,
    /// How often V8 came near the limit of its heap.
    NearHeapLimit,
    /// That limit, in bytes.
    HeapLimit,
    /// Number of the last signal that was caught.
    Signal,
    /// When, on the clock of [`now`].
    SignalAt,
    /// Its sender's pid; 0 where the kernel names none, or one outside of our pid namespace.
    SignalPid,
    /// Its sender's user.
    SignalUid,
    /// `si_code` of sigaction(2), as the 32 bits that it has.
    SignalCode,
    /// Its sender's name in two words, as `/proc/<pid>/comm` has it.
    SignalName,
    /// The second of them.
    SignalNameEnd,
    /// HTTP requests that were begun.
    Requests,
    /// HTTP requests that were answered, or broken off.
    RequestsDone,
    /// Of those, the ones that were answered with a status below 300.
    Answered2xx,
    /// With 300 to 399.
    Answered3xx,
    /// With 400 to 499.
    Answered4xx,
    /// With 500 and more.
    Answered5xx,
    /// Those whose answer did not reach its end.
    BrokenOff,
    /// One more than the exit code, once the process leaves by itself.
    ExitCode,
    /// For how long the loop has run something, in nanoseconds; without the turn that it is in.
    Busy,
    /// Bytes of JavaScript's heap that were in use after the last garbage collection; 0 before the first.
    HeapUsed,
    /// Bytes that the heap took from the system by then.
    HeapTotal,
    /// Bytes outside of the heap that its objects held by then.
    External,
}

/// Where the counts of turns by their length lie, before the heads of the texts.
const TURNS_AT: usize = 48 - turn_lengths::CLASSES;

/// A text on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Text {
    /// The JavaScript stack, as it was asked for last.
    Stack,
    /// The error that nobody caught.
    Uncaught,
    /// Where the process' own code ended it.
    ExitStack,
    /// What it could not send any more at its end, as a message to the master.
    Dropped,
}

impl Text {
    const ALL: [Self; 4] = [Self::Stack, Self::Uncaught, Self::ExitStack, Self::Dropped];

    /// Where its head lies: its number and its length.
    fn head(self) -> usize {
        48 + 2 * self as usize
    }

    fn start(self) -> usize {
        WORDS + self as usize * (TEXT_BYTES / WORD)
    }
}

/// What the event loop of a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loop {
    /// Nothing is known: the process has not come so far.
    Unknown,
    /// Waits for events, or deals with some without any JavaScript, since then on the clock of [`now`].
    Waits(Duration),
    /// Runs JavaScript, or whatever that called, since then.
    Runs(Duration),
}

impl Loop {
    fn from_word(word: u64) -> Self {
        let since = Duration::from_nanos(word >> 1);
        match word {
            0 => Self::Unknown,
            _ if word & 1 == 1 => Self::Runs(since),
            _ => Self::Waits(since),
        }
    }

    fn to_word(self) -> u64 {
        let nanos = |at: Duration| u64::try_from(at.as_nanos()).unwrap_or(u64::MAX >> 1) << 1;
        match self {
            Self::Unknown => 0,
            Self::Waits(since) => nanos(since),
            Self::Runs(since) => nanos(since) | 1,
        }
    }
}

/// The time that all processes of this machine agree on (`CLOCK_MONOTONIC`); it does not go on while the machine sleeps.
#[must_use]
pub fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// The words of a page.
fn words(start: NonNull<u8>, bytes: usize) -> &'static [AtomicU64] {
    // SAFETY: both kinds of page keep their mapping, which begins at a page and is `bytes` long, as long as they hand this slice out;
    // every bit pattern is a word, and in memory that is mapped for reading nothing but relaxed loads happen.
    unsafe { std::slice::from_raw_parts(start.as_ptr().cast(), bytes / WORD) }
}

/// The master's view of one process.
#[derive(Debug)]
pub struct PulseReader {
    page: PeerMapping,
    bell: Event,
}

/// What a process is started with to become the writer of its page: two descriptors to inherit.
#[derive(Debug)]
pub struct PulseOffer {
    page: OwnedFd,
    bell: OwnedFd,
}

impl PulseOffer {
    /// The page, and the bell by which the process is asked for its stack.
    #[must_use]
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.page.as_fd(), self.bell.as_fd()]
    }
}

impl PulseReader {
    /// A page for a process that is yet to be forked.
    ///
    /// # Errors
    /// Where this machine has no shared memory, or no descriptor is left.
    pub fn reserve() -> Result<(Self, PulseOffer), SharedMemoryError> {
        let (page, file) = shared_memory::reserve(c"clutch-pulse", PAGE_BYTES)?;
        let bell = Event::new().map_err(SharedMemoryError::Inspect)?;
        let theirs = bell.as_fd().try_clone_to_owned().map_err(|error| SysError::from_io("fcntl", &error));
        let theirs = theirs.map_err(SharedMemoryError::Inspect)?;
        Ok((Self { page, bell }, PulseOffer { page: file, bell: theirs }))
    }

    fn words(&self) -> &[AtomicU64] {
        words(self.page.start(), self.page.bytes())
    }

    /// What it has counted of its messages.
    #[must_use]
    pub fn tally(&self) -> TallyReader<'_> {
        TallyReader::new(self.words().get(TEXT_END..).unwrap_or_default())
    }

    /// What the event loop does.
    #[must_use]
    pub fn event_loop(&self) -> Loop {
        Loop::from_word(self.word(Word::Loop))
    }

    /// One word.
    #[must_use]
    pub fn word(&self, word: Word) -> u64 {
        self.words().get(word as usize).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// How long its turns have taken so far.
    #[must_use]
    pub fn turn_lengths(&self) -> TurnLengths {
        let words = self.words();
        let count = |class: usize| words.get(TURNS_AT + class).map_or(0, |word| word.load(Ordering::Relaxed));
        TurnLengths(std::array::from_fn(count))
    }

    /// The name of the last signal's sender; empty where it is not known.
    #[must_use]
    pub fn signal_name(&self) -> String {
        let bytes = [Word::SignalName, Word::SignalNameEnd].map(|word| self.word(word).to_ne_bytes()).concat();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }

    /// How often this text has been written; 0 for never.
    #[must_use]
    pub fn number_of(&self, text: Text) -> u64 {
        self.words().get(text.head()).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// A text, once it has been written.
    #[must_use]
    pub fn text(&self, text: Text) -> Option<String> {
        if self.number_of(text) == 0 {
            return None;
        }
        // SYNC pulse-text: the number is stored behind a fence after the text.
        fence(Ordering::Acquire);
        let words = self.words();
        let length = words.get(text.head() + 1)?.load(Ordering::Relaxed);
        let length = usize::try_from(length).unwrap_or(0).min(TEXT_BYTES);
        let body = words.get(text.start()..text.start() + TEXT_BYTES / WORD)?;
        let mut bytes: Vec<u8> = body.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        bytes.truncate(length);
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Asks the process for its stack; its number grows when it is there.
    ///
    /// # Errors
    /// None is known to happen.
    pub fn ask_for_stack(&self) -> Result<(), SysError> {
        self.bell.ring()
    }
}

/// A process' own page. Copies are the same page, which stays for the rest of the process.
#[derive(Clone, Copy, Debug)]
pub struct PulseWriter {
    words: &'static [AtomicU64],
}

impl PulseWriter {
    /// Claims what this process was started with, by the numbers of the descriptors. Call it once.
    ///
    /// # Errors
    /// When they are not what [`PulseReader::reserve`] made, or the page has a writer already.
    pub fn claim(page: RawFd, bell: RawFd) -> Result<(Self, Event), SharedMemoryError> {
        let [page, bell] = [page, bell].map(take_inherited);
        let page = shared_memory::claim(page.map_err(SharedMemoryError::Inspect)?.as_fd(), PAGE_BYTES)?;
        let bell = Event::from_descriptor(bell.map_err(SharedMemoryError::Inspect)?);
        let page: &'static OwnMapping = Box::leak(Box::new(page));
        Ok((Self { words: words(page.start(), page.bytes()) }, bell))
    }

    /// A page that nobody reads, for a process that was given none.
    #[must_use]
    pub fn unread() -> Self {
        let words: Vec<AtomicU64> = (0..PAGE_BYTES / WORD).map(|_| AtomicU64::new(0)).collect();
        Self { words: Vec::leak(words) }
    }

    /// Stores one word. May be called in a signal handler.
    pub fn set(self, word: Word, value: u64) {
        if let Some(word) = self.words.get(word as usize) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// The loop has come to the end of a turn that took so many nanoseconds.
    pub fn note_turn(self, nanos: u64) {
        self.add(Word::Turns as usize, 1);
        self.add(Word::Busy as usize, nanos);
        self.add(TURNS_AT + turn_lengths::class_of(nanos), 1);
        if nanos > self.get(Word::LongestTurn) {
            self.set(Word::LongestTurn, nanos);
        }
    }

    /// No more than a load and a store: nobody else writes.
    fn add(self, place: usize, value: u64) {
        if let Some(word) = self.words.get(place) {
            word.store(word.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
        }
    }

    /// One word as it was stored last.
    #[must_use]
    pub fn get(self, word: Word) -> u64 {
        self.words.get(word as usize).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Where it counts its messages.
    #[must_use]
    pub fn tally(self) -> Option<TallyWriter> {
        TallyWriter::new(self.words.get(TEXT_END..)?)
    }

    /// Where a word lies.
    #[must_use]
    pub fn place_of(self, word: Word) -> Option<NonNull<u64>> {
        NonNull::new(self.words.get(word as usize)?.as_ptr())
    }

    /// Says what the event loop does.
    pub fn set_loop(self, state: Loop) {
        self.set(Word::Loop, state.to_word());
    }

    /// What it was said to do.
    #[must_use]
    pub fn event_loop(self) -> Loop {
        Loop::from_word(self.get(Word::Loop))
    }

    /// Writes a text, or its beginning where it is longer than [`TEXT_BYTES`].
    pub fn write(self, text: Text, value: &str) {
        let bytes = &value.as_bytes()[..value.len().min(TEXT_BYTES)];
        let Some(body) = self.words.get(text.start()..text.start() + TEXT_BYTES / WORD) else { return };
        for (word, chunk) in body.iter().zip(bytes.chunks(WORD)) {
            let mut filled = [0; WORD];
            filled[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(filled), Ordering::Relaxed);
        }
        let (Some(number), Some(length)) = (self.words.get(text.head()), self.words.get(text.head() + 1)) else {
            return;
        };
        length.store(bytes.len() as u64, Ordering::Relaxed);
        // SYNC pulse-text: whoever sees the number sees the text.
        fence(Ordering::Release);
        number.store(number.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// Takes a descriptor over that this process was started with, close-on-exec from now on.
fn take_inherited(number: RawFd) -> Result<OwnedFd, SysError> {
    // SAFETY: only borrowed, for as long as it is looked at; the call fails for a number that is no descriptor.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).named("fcntl(F_SETFD)")?;
    // SAFETY: it was handed over for whoever calls this, once; nobody else in this process knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::*;
    use std::os::fd::IntoRawFd;

    fn pair() -> (PulseReader, PulseWriter, Event) {
        let (reader, offer) = PulseReader::reserve().unwrap();
        let (writer, bell) = PulseWriter::claim(offer.page.into_raw_fd(), offer.bell.into_raw_fd()).unwrap();
        (reader, writer, bell)
    }

    #[test]
    fn a_fresh_page_knows_nothing() {
        let (reader, _writer, _bell) = pair();
        assert_eq!(reader.event_loop(), Loop::Unknown);
        assert_eq!((reader.text(Text::Stack), reader.word(Word::Turns)), (None, 0));
    }

    #[test]
    fn the_reader_sees_what_the_writer_says() {
        let (reader, writer, bell) = pair();
        for state in [Loop::Waits(now()), Loop::Runs(now())] {
            writer.set_loop(state);
            assert_eq!((reader.event_loop(), writer.event_loop()), (state, state));
        }
        for text in Text::ALL {
            writer.write(text, &format!("{text:?} one"));
            writer.write(text, &format!("{text:?} 2"));
        }
        for text in Text::ALL {
            assert_eq!((reader.text(text), reader.number_of(text)), (Some(format!("{text:?} 2")), 2));
        }
        reader.ask_for_stack().unwrap();
        assert!(bell.silence().unwrap());
    }

    #[test]
    fn turns_are_counted_by_their_length() {
        let (reader, writer, _bell) = pair();
        let turns = [1_u64, 1000, 1 << 20, 1 << 30, u64::from(u32::MAX) * 16];
        let mut expected = TurnLengths::default();
        for nanos in turns {
            writer.note_turn(nanos);
            expected.note(Duration::from_nanos(nanos));
        }
        assert_eq!(reader.turn_lengths(), expected);
        let words = [Word::Turns, Word::Busy, Word::LongestTurn, Word::External].map(|word| reader.word(word));
        assert_eq!(words, [5, turns.iter().sum(), turns[4], 0]);
        assert_eq!(reader.text(Text::Stack), None);
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_touches_no_other() {
        let (reader, writer, _bell) = pair();
        writer.write(Text::Uncaught, "kept");
        writer.write(Text::Stack, &"é".repeat(TEXT_BYTES));
        assert_eq!(reader.text(Text::Stack).map(|text| text.len() >= TEXT_BYTES - 1), Some(true));
        assert_eq!(reader.text(Text::Uncaught), Some("kept".to_owned()));
    }

    #[test]
    fn a_page_full_of_junk_is_read_without_a_panic() {
        let (reader, writer, _bell) = pair();
        for word in writer.words {
            word.store(u64::MAX, Ordering::Relaxed);
        }
        assert!(reader.text(Text::Stack).is_some_and(|text| !text.is_empty()));
        assert!(matches!(reader.event_loop(), Loop::Runs(_)));
        assert!(!reader.signal_name().is_empty());
    }
}
