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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn read_all(reader: &mut FrameReader) -> Vec<Result<Bytes, FrameError>> {
        std::iter::from_fn(|| reader.next()).collect()
    }

    fn read_cut(stream: &[u8], cuts: &[usize], limit: usize) -> (Vec<Result<Bytes, FrameError>>, FrameReader) {
        let mut reader = FrameReader::new(limit);
        let mut frames = Vec::new();
        let mut rest = stream;
        for (index, cut) in cuts.iter().enumerate() {
            let (chunk, behind) = rest.split_at((*cut).min(rest.len()));
            reader.feed(chunk);
            // Taken now or later must not matter.
            if index % 2 == 0 {
                frames.extend(read_all(&mut reader));
            }
            rest = behind;
        }
        reader.feed(rest);
        frames.extend(read_all(&mut reader));
        (frames, reader)
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z{}\":,0-9]{0,30}",
            "[^\n]{0,20}",
            Just(String::new()),
            // Far more than one chunk.
            (1_usize..20_000).prop_map(|length| "é".repeat(length)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_cutting_gives_the_same_lines(
            lines in vec(line(), 0..12), half in "[a-z]{0,9}", cuts in vec(0_usize..5_000, 0..60),
        ) {
            let mut stream = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            stream.push_str(&half);
            let (frames, reader) = read_cut(stream.as_bytes(), &cuts, FRAME_LIMIT);
            let frames = frames.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
            prop_assert_eq!(frames, lines.iter().map(|line| Bytes::from(line.clone())).collect::<Vec<_>>());
            prop_assert_eq!(reader.completed(), lines.len() as u64);
            prop_assert_eq!(reader.is_inside_frame(), !half.is_empty());
        }

        #[test]
        fn junk_gives_the_lines_before_it_and_then_one_error(
            stream in vec(any::<u8>(), 0..400), cuts in vec(0_usize..40, 0..40), limit in 0_usize..80,
        ) {
            let (frames, mut reader) = read_cut(&stream, &cuts, limit);
            let mut expected = Vec::new();
            let mut lines = stream.split(|byte| *byte == b'\n').peekable();
            while let Some(line) = lines.next() {
                let last = lines.peek().is_none();
                if line.len() > limit {
                    expected.push(Err(FrameError::TooLong { limit }));
                } else if last {
                    break;
                } else if let Err(error) = std::str::from_utf8(line) {
                    expected.push(Err(FrameError::NotUtf8 { offset: error.valid_up_to() }));
                } else {
                    expected.push(Ok(Bytes::copy_from_slice(line)));
                    continue;
                }
                break;
            }
            let failed = expected.last().is_some_and(Result::is_err);
            prop_assert_eq!(frames, expected);
            if failed {
                reader.feed(b"a line\n");
                prop_assert_eq!(reader.next(), None, "a line after an error");
            }
        }
    }

    #[test]
    fn a_line_as_long_as_the_limit_passes_and_one_byte_more_does_not() {
        let mut reader = FrameReader::new(5);
        reader.feed(b"123");
        reader.feed(b"45\n");
        assert_eq!(reader.next(), Some(Ok(Bytes::from_static(b"12345"))));
        reader.feed(b"12345");
        assert_eq!(reader.next(), None);
        reader.feed(b"6");
        assert_eq!(reader.next(), Some(Err(FrameError::TooLong { limit: 5 })), "known before the line ends");
    }

    #[test]
    fn a_character_cut_in_two_is_whole_again() {
        let mut reader = FrameReader::new(64);
        for byte in "😀\n".as_bytes() {
            reader.feed(&[*byte]);
        }
        assert_eq!(reader.next(), Some(Ok(Bytes::from("😀"))));
    }

    #[test]
    fn half_a_surrogate_pair_in_raw_bytes_is_not_text() {
        let mut reader = FrameReader::new(64);
        reader.feed(b"\"ok\"\n\"\xed\xa0\x80\"\n");
        assert_eq!(reader.next(), Some(Ok(Bytes::from("\"ok\""))));
        assert_eq!(reader.next(), Some(Err(FrameError::NotUtf8 { offset: 1 })));
    }

    #[test]
    fn a_huge_line_in_tiny_pieces_is_read_in_linear_time() {
        // A reader that looked at the whole line again for each piece would look at 10^12 bytes here.
        let size = 8 * 1024 * 1024;
        let mut reader = FrameReader::new(FRAME_LIMIT);
        for _ in 0..size / 64 {
            reader.feed(&[b'x'; 64]);
            assert_eq!(reader.next(), None);
        }
        reader.feed(b"\n");
        assert_eq!(reader.next().unwrap().unwrap().len(), size);
        assert!(!reader.is_inside_frame());
    }

    #[test]
    fn a_line_without_end_costs_no_more_than_the_limit() {
        let mut reader = FrameReader::new(1000);
        for _ in 0..100 {
            reader.feed(&[b'x'; 999]);
        }
        assert_eq!(reader.next(), Some(Err(FrameError::TooLong { limit: 1000 })));
        assert_eq!(reader.partial.capacity(), 0);
    }
}
