//! Raw access to shared memory: the only unsafe code of the switchboard.
//!
//! A region is words and nothing else. Every access is an atomic one, bytes of payload included, so a peer that writes where
//! and when it must not gives us odd values and never undefined behaviour. [`OwnMemory`] can write; [`PeerMemory`] cannot, as
//! its pages are mapped read-only. Every range is checked when it is made, and what was checked cannot go out of bounds later:
//! there is no panic on any path.
#![allow(unsafe_code)] // one slice over a mapping

use super::layout::{ByteCount, ByteOffset, HEADER_WORDS, Label, Position, SLOT_BYTES, SLOT_WORDS, WORD_BYTES};
use super::refused::{Refused, What};
use super::sync::{Arc, AtomicU64, Ordering, fence};
use crate::sys::shared_memory::{OwnMapping, PeerMapping, PrivateMapping};

const WORD: usize = WORD_BYTES as usize;

#[derive(Debug)]
enum Backing {
    /// For tests, and for models and interpreters that know no mapping.
    Heap(Box<[AtomicU64]>),
    Own(OwnMapping),
    Peer(PeerMapping),
}

impl Backing {
    fn words(&self) -> &[AtomicU64] {
        let (start, bytes) = match self {
            Self::Heap(words) => return words,
            Self::Own(mapping) => (mapping.start(), mapping.bytes()),
            Self::Peer(mapping) => (mapping.start(), mapping.bytes()),
        };
        // A model's words are objects of its own and cannot lie in a mapping.
        #[cfg(all(test, cluster_loom))]
        return (start, bytes, &[]).2;
        // SAFETY: the mapping starts at a page, so the words are aligned; it is `bytes` long and stays as long as `self`;
        // every bit pattern is a word. In read-only memory nothing but relaxed loads of one word may happen, which the
        // standard library promises to be plain reads (`std::sync::atomic`): `PeerMemory` has no other access.
        #[cfg(not(all(test, cluster_loom)))]
        unsafe {
            std::slice::from_raw_parts(start.as_ptr().cast(), bytes / WORD)
        }
    }

    fn window(&self, offset: ByteOffset, length: ByteCount) -> Result<&[AtomicU64], Refused> {
        let (first, count) = self.window_bounds(offset, length)?;
        self.words().get(first..first + count).ok_or(Refused { what: What::Range, found: offset.0, limit: length.0 })
    }

    /// The first word and the number of words of a range of bytes, whose last word may be used in part.
    fn window_bounds(&self, offset: ByteOffset, length: ByteCount) -> Result<(usize, usize), Refused> {
        let limit = (self.words().len() * WORD) as u64;
        Refused::unless_equal(What::Alignment, offset.0 % WORD_BYTES, 0)?;
        Refused::beyond(What::Range, offset.0, limit)?;
        Refused::beyond(What::Range, length.0, limit - offset.0)?;
        // Both are at most `limit`, which is a number of bytes in memory.
        #[allow(clippy::cast_possible_truncation, reason = "checked in the lines above")]
        let bounds = ((offset.0 / WORD_BYTES) as usize, length.0.div_ceil(WORD_BYTES) as usize);
        Ok(bounds)
    }

    fn read(&self, offset: ByteOffset, into: &mut [u8]) -> Result<(), Refused> {
        let words = self.window(offset, ByteCount(into.len() as u64))?;
        let mut whole = into.chunks_exact_mut(WORD);
        for (bytes, word) in whole.by_ref().zip(words) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        let rest = whole.into_remainder();
        if let (false, Some(word)) = (rest.is_empty(), words.last()) {
            rest.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes()[..rest.len()]);
        }
        Ok(())
    }

    fn load(&self, index: usize) -> u64 {
        self.words().get(index).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    fn slot(&self, start: usize) -> [u64; SLOT_WORDS] {
        let mut values = [0; SLOT_WORDS];
        let words = self.words().get(start..).unwrap_or_default();
        for (value, word) in values.iter_mut().zip(words) {
            *value = word.load(Ordering::Relaxed);
        }
        values
    }
}

/// Memory that this process alone writes. Clones are the same memory.
#[derive(Clone, Debug)]
pub struct OwnMemory(Arc<Backing>);

/// A peer's memory, for reading. It may change at any time and hold anything.
#[derive(Clone, Debug)]
pub struct PeerMemory(Arc<Backing>);

impl From<OwnMapping> for OwnMemory {
    fn from(mapping: OwnMapping) -> Self {
        Self(Arc::new(Backing::Own(mapping)))
    }
}

impl From<PeerMapping> for PeerMemory {
    fn from(mapping: PeerMapping) -> Self {
        Self(Arc::new(Backing::Peer(mapping)))
    }
}

impl OwnMemory {
    /// Zeroes of this process, rounded up to whole words.
    #[must_use]
    pub fn on_heap(bytes: ByteCount) -> Self {
        Self(Arc::new(Backing::Heap((0..bytes.0.div_ceil(WORD_BYTES)).map(|_| AtomicU64::new(0)).collect())))
    }

    /// The same memory as a peer sees it: for messages to oneself, and for tests.
    #[must_use]
    pub fn as_peer(&self) -> PeerMemory {
        PeerMemory(Arc::clone(&self.0))
    }

    /// How large it is.
    #[must_use]
    pub fn bytes(&self) -> ByteCount {
        ByteCount((self.0.words().len() * WORD) as u64)
    }

    /// One word to publish values in.
    ///
    /// # Errors
    /// When it does not lie within the memory.
    pub fn word(&self, offset: ByteOffset) -> Result<OwnWord, Refused> {
        let (index, _) = self.0.window_bounds(offset, ByteCount(WORD_BYTES))?;
        Ok(OwnWord { memory: Arc::clone(&self.0), index })
    }

    /// The slots of a ring; their number is a power of two.
    ///
    /// # Errors
    /// When they do not lie within the memory.
    pub fn slots(&self, offset: ByteOffset, count: u64) -> Result<OwnSlots, Refused> {
        Ok(OwnSlots(Slots::new(&self.0, offset, count)?))
    }

    /// Copies bytes in. The word that the last of them lies in is filled up with zeroes.
    ///
    /// # Errors
    /// When they do not fit in there, or the offset is no multiple of the word.
    pub fn write(&self, offset: ByteOffset, bytes: &[u8]) -> Result<(), Refused> {
        let words = self.0.window(offset, ByteCount(bytes.len() as u64))?;
        let mut whole = bytes.chunks_exact(WORD);
        for (value, word) in whole.by_ref().zip(words) {
            let mut filled = [0; WORD];
            filled.copy_from_slice(value);
            word.store(u64::from_ne_bytes(filled), Ordering::Relaxed);
        }
        let rest = whole.remainder();
        if let (false, Some(word)) = (rest.is_empty(), words.last()) {
            let mut filled = [0; WORD];
            filled[..rest.len()].copy_from_slice(rest);
            word.store(u64::from_ne_bytes(filled), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// When they do not lie within the memory, or the offset is no multiple of the word.
    pub fn read(&self, offset: ByteOffset, into: &mut [u8]) -> Result<(), Refused> {
        self.0.read(offset, into)
    }

    /// Writes who made this region, before anybody else sees it.
    ///
    /// # Errors
    /// When the memory is too small for it.
    pub fn write_label(&self, label: Label) -> Result<(), Refused> {
        let words = self.0.window(ByteOffset(0), ByteCount(HEADER_WORDS as u64 * WORD_BYTES))?;
        for (word, value) in words.iter().zip(label.to_words()) {
            word.store(value, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The address of a range that nobody reads yet, to write it in place: valid as long as the [`OwnBytes`] lives.
    ///
    /// # Errors
    /// As [`OwnMemory::write`].
    pub fn bytes_at(&self, offset: ByteOffset, length: ByteCount) -> Result<OwnBytes, Refused> {
        let start = self.0.window(offset, length)?.as_ptr().cast::<u8>().cast_mut();
        Ok(OwnBytes { memory: self.clone(), offset, start, length })
    }
}

impl PeerMemory {
    /// One word of the peer.
    ///
    /// # Errors
    /// When it does not lie within the memory.
    pub fn word(&self, offset: ByteOffset) -> Result<PeerWord, Refused> {
        let (index, _) = self.0.window_bounds(offset, ByteCount(WORD_BYTES))?;
        Ok(PeerWord { memory: Arc::clone(&self.0), index })
    }

    /// The slots of a ring; their number is a power of two.
    ///
    /// # Errors
    /// When they do not lie within the memory.
    pub fn slots(&self, offset: ByteOffset, count: u64) -> Result<PeerSlots, Refused> {
        Ok(PeerSlots(Slots::new(&self.0, offset, count)?))
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// When they do not lie within the memory, or the offset is no multiple of the word.
    pub fn read(&self, offset: ByteOffset, into: &mut [u8]) -> Result<(), Refused> {
        self.0.read(offset, into)
    }

    /// Whether a range may be read at all.
    ///
    /// # Errors
    /// As [`PeerMemory::read`].
    pub fn check(&self, offset: ByteOffset, length: ByteCount) -> Result<(), Refused> {
        self.0.window_bounds(offset, length).map(drop)
    }

    /// Compares the first line with what it must be.
    ///
    /// # Errors
    /// The first value that is not as it must be.
    pub fn check_label(&self, label: Label) -> Result<(), Refused> {
        let have = (self.0.words().len() * WORD) as u64;
        Refused::unless_equal(What::Size, have, label.bytes.0)?;
        let mut found = [0; HEADER_WORDS];
        let words = self.0.window(ByteOffset(0), ByteCount(HEADER_WORDS as u64 * WORD_BYTES))?;
        for (value, word) in found.iter_mut().zip(words) {
            *value = word.load(Ordering::Relaxed);
        }
        label.check(found)
    }

    /// A range for this process to keep and to write as well, see [`PeerMapping::private`]. `None` where it has to be copied: memory of
    /// the heap, and where the machine has no more mappings.
    ///
    /// # Errors
    /// As [`PeerMemory::read`].
    pub fn private(&self, offset: ByteOffset, length: ByteCount) -> Result<Option<PrivateMapping>, Refused> {
        self.check(offset, length)?;
        let Backing::Peer(mapping) = &*self.0 else { return Ok(None) };
        let (Ok(offset), Ok(length)) = (usize::try_from(offset.0), usize::try_from(length.0)) else { return Ok(None) };
        Ok(mapping.private(offset, length))
    }

    /// The address of a range, to read it in place: valid as long as the [`PeerBytes`] lives.
    ///
    /// # Errors
    /// As [`PeerMemory::read`].
    pub fn bytes_at(&self, offset: ByteOffset, length: ByteCount) -> Result<PeerBytes, Refused> {
        let start = self.0.window(offset, length)?.as_ptr().cast::<u8>();
        Ok(PeerBytes { _memory: self.clone(), start, length })
    }
}

/// A range of our own memory by its address, for code that fills in a string or a buffer in place.
#[derive(Debug)]
pub struct OwnBytes {
    memory: OwnMemory,
    offset: ByteOffset,
    start: *mut u8,
    length: ByteCount,
}

impl OwnBytes {
    /// Copies bytes in, by words. The word that the last of them lies in is filled up with zeroes.
    ///
    /// # Errors
    /// When they are more.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Refused> {
        Refused::beyond(What::Length, bytes.len() as u64, self.length.0)?;
        self.memory.write(self.offset, bytes)
    }

    /// The first byte. Write only until the block is published.
    #[must_use]
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.start
    }

    /// How many bytes.
    #[must_use]
    pub fn length(&self) -> ByteCount {
        self.length
    }
}

/// A range of a peer's memory by its address, which stays mapped as long as this value lives, whatever becomes of the peer.
#[derive(Debug)]
pub struct PeerBytes {
    _memory: PeerMemory,
    start: *const u8,
    length: ByteCount,
}

impl PeerBytes {
    /// The first byte. Reads are of a well-behaved peer's settled bytes until the block is passed or its lease ends.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }

    /// How many bytes.
    #[must_use]
    pub fn length(&self) -> ByteCount {
        self.length
    }
}

/// One word that this process writes and peers read.
#[derive(Clone, Debug)]
pub struct OwnWord {
    memory: Arc<Backing>,
    index: usize,
}

impl OwnWord {
    /// Stores behind everything that this thread has read and written before.
    pub fn store_release(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    /// Stores, in no order; a fence has to follow where it matters.
    pub fn store_relaxed(&self, value: u64) {
        self.store(value, Ordering::Relaxed);
    }

    fn store(&self, value: u64, ordering: Ordering) {
        if let Some(word) = self.memory.words().get(self.index) {
            word.store(value, ordering);
        }
    }
}

/// One word that a peer writes.
#[derive(Clone, Debug)]
pub struct PeerWord {
    memory: Arc<Backing>,
    index: usize,
}

impl PeerWord {
    /// Loads before everything that this thread reads and writes afterwards. A fence and not an acquire load, because in
    /// read-only memory only relaxed loads are promised to work.
    #[must_use]
    pub fn load_acquire(&self) -> u64 {
        let value = self.memory.load(self.index);
        fence(Ordering::Acquire);
        value
    }

    /// Loads, in no order; a fence has to come before where it matters.
    #[must_use]
    pub fn load_relaxed(&self) -> u64 {
        self.memory.load(self.index)
    }
}

#[derive(Clone, Debug)]
struct Slots {
    memory: Arc<Backing>,
    first: usize,
    mask: u64,
}

impl Slots {
    fn new(memory: &Arc<Backing>, offset: ByteOffset, count: u64) -> Result<Self, Refused> {
        if !count.is_power_of_two() {
            return Err(Refused { what: What::Geometry, found: count, limit: count.next_power_of_two() });
        }
        let (first, _) = memory.window_bounds(offset, ByteCount(count.saturating_mul(SLOT_BYTES)))?;
        Ok(Self { memory: Arc::clone(memory), first, mask: count - 1 })
    }

    fn start(&self, position: Position) -> usize {
        // Below the number of slots, which lie in memory.
        #[allow(clippy::cast_possible_truncation, reason = "masked")]
        let slot = (position.0 & self.mask) as usize;
        self.first + slot * SLOT_WORDS
    }
}

/// The slots of a ring that this process fills.
#[derive(Clone, Debug)]
pub struct OwnSlots(Slots);

impl OwnSlots {
    /// Fills the slot of this position. It is seen once the ring's tail is stored behind it.
    pub fn write(&self, position: Position, values: [u64; SLOT_WORDS]) {
        let words = self.0.memory.words().get(self.0.start(position)..).unwrap_or_default();
        for (word, value) in words.iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Reads back what was written.
    #[must_use]
    pub fn read(&self, position: Position) -> [u64; SLOT_WORDS] {
        self.0.memory.slot(self.0.start(position))
    }
}

/// The slots of a ring that a peer fills.
#[derive(Clone, Debug)]
pub struct PeerSlots(Slots);

impl PeerSlots {
    /// Copies the slot of this position.
    #[must_use]
    pub fn read(&self, position: Position) -> [u64; SLOT_WORDS] {
        self.0.memory.slot(self.0.start(position))
    }
}
