//! Cuts a stream of bytes into the newline-delimited lines of Node's JSON channel, however the stream was cut before.
//!
//! Knows neither sockets nor JSON. Each byte is looked at once and copied once, so the time is linear in what arrives,
//! and the memory is bounded by the limit for one line plus what is fed before it is taken.

use std::collections::VecDeque;

use bytes::Bytes;

/// The longest line that is accepted, without its newline.
pub const FRAME_LIMIT: usize = 64 * 1024 * 1024;

/// Why the stream cannot be followed any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A line without end.
    #[error("a line is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A line that is not text.
    #[error("a line is not UTF-8 from byte {offset} on")]
    NotUtf8 {
        /// The first wrong byte, counted from the start of the line.
        offset: usize,
    },
}

/// Takes chunks in, gives lines out.
///
/// ```
/// use egg_clutch::transport::channel::frame::FrameReader;
///
/// let mut reader = FrameReader::new(64);
/// reader.feed(b"{\"a\":1}\n{\"b");
/// assert_eq!(reader.next().unwrap().unwrap(), "{\"a\":1}");
/// assert_eq!(reader.next(), None);
/// reader.feed(b"\":2}\n");
/// assert_eq!(reader.next().unwrap().unwrap(), "{\"b\":2}");
/// ```
#[derive(Debug)]
pub struct FrameReader {
    limit: usize,
    /// The beginning of the line whose end has not come yet; holds no newline.
    partial: Vec<u8>,
    ready: VecDeque<Bytes>,
    failure: Option<FrameError>,
    failed: bool,
    cut: u64,
}

impl FrameReader {
    /// A reader that refuses lines of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, partial: Vec::new(), ready: VecDeque::new(), failure: None, failed: false, cut: 0 }
    }

    /// Takes the next bytes of the stream. After an error they are dropped: the line they belong to cannot be known.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !self.failed {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.keep(rest);
                return;
            };
            let (line, behind) = rest.split_at(end);
            self.finish(line);
            rest = behind.get(1..).unwrap_or_default();
        }
    }

    /// The next line, without its newline; after an error has been given there is never another one.
    #[expect(clippy::should_implement_trait, reason = "an iterator would seem to end where only more bytes are needed")]
    pub fn next(&mut self) -> Option<Result<Bytes, FrameError>> {
        self.ready.pop_front().map(Ok).or_else(|| self.failure.take().map(Err))
    }

    /// How many lines have been completed so far, so also the number of the line that is being read.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.cut
    }

    /// Whether a line has begun and not ended.
    #[must_use]
    pub fn is_inside_frame(&self) -> bool {
        !self.partial.is_empty()
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.partial.len() + piece.len() > self.limit {
            self.fail(FrameError::TooLong { limit: self.limit });
        } else {
            self.partial.extend_from_slice(piece);
        }
    }

    fn finish(&mut self, piece: &[u8]) {
        if self.partial.len() + piece.len() > self.limit {
            return self.fail(FrameError::TooLong { limit: self.limit });
        }
        let line = if self.partial.is_empty() {
            Bytes::copy_from_slice(piece)
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(piece);
            // Without the room to grow that it does not need any more: a line may wait long for a slow receiver.
            Bytes::from(whole.into_boxed_slice())
        };
        match std::str::from_utf8(&line) {
            Ok(_) => {
                self.cut += 1;
                self.ready.push_back(line);
            }
            Err(error) => self.fail(FrameError::NotUtf8 { offset: error.valid_up_to() }),
        }
    }

    fn fail(&mut self, failure: FrameError) {
        self.partial = Vec::new();
        self.failure = Some(failure);
        self.failed = true;
    }
}
