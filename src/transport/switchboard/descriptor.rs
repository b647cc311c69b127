//! A descriptor: everything about a message but its payload, in the eight words of a slot.
//!
//! Pure. What a peer wrote is decoded into a [`Descriptor`] only if its shape is right; whether its range lies in a segment
//! that exists is asked where the segments are known.

use super::layout::{
    ATTACHMENT_BYTES, ATTACHMENT_LIMIT, ATTACHMENT_WORDS, ActionRef, ByteCount, ByteOffset, Position, SLOT_WORDS,
    SegmentId, WORD_BYTES, pack, round_up, unpack,
};
use super::refused::{Refused, What};

/// What the payload is, so that strings, numbers and bytes need no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// No data at all.
    Undefined = 1,
    /// `null`.
    Null = 2,
    /// `true` or `false`: the lowest bit of the tag.
    Boolean = 3,
    /// A number: the bits of the tag.
    Number = 4,
    /// A string, one byte a character.
    Latin1 = 5,
    /// A string, two bytes a character.
    Utf16 = 6,
    /// Bytes that stay bytes.
    Bytes = 7,
    /// JSON text.
    Json = 8,
    /// A value as `lib/codec` writes it.
    Codec = 9,
    /// A structured clone as `lib/codec` writes it.
    Clone = 10,
}

impl Kind {
    const LAST: u16 = Self::Clone as u16;

    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        u16::try_from(number).ok().and_then(|number| Self::checked(number).ok())
    }

    fn checked(number: u16) -> Result<Self, Refused> {
        Ok(match number {
            1 => Self::Undefined,
            2 => Self::Null,
            3 => Self::Boolean,
            4 => Self::Number,
            5 => Self::Latin1,
            6 => Self::Utf16,
            7 => Self::Bytes,
            8 => Self::Json,
            9 => Self::Codec,
            10 => Self::Clone,
            _ => return Err(Refused { what: What::Kind, found: number.into(), limit: Self::LAST.into() }),
        })
    }
}

/// Bits that the layer above gives a meaning to, such as whom the message was for and whether an answer is awaited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u16);

/// Where a payload lies: in which segment, and which of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadRange {
    /// The segment of the sender.
    pub segment: SegmentId,
    /// A multiple of the word.
    pub offset: ByteOffset,
    /// How many bytes from there.
    pub length: ByteCount,
}

/// What the sender says of a message, whoever receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading {
    /// What the payload is.
    pub kind: Kind,
    /// For the layer above.
    pub flags: Flags,
    /// The action. Where a name stands in front of the payload, this number means that name from now on.
    pub action: ActionRef,
    /// How many bytes at the beginning of the range are the action's name, with the zeroes that fill its last word.
    pub name_length: u32,
    /// A number's bits, the id of a request.
    pub tag: u64,
    /// How many blocks beside its own belong to it; behind the name the payload begins with the list of them.
    pub attachments: u32,
}

impl Heading {
    /// A heading without a name, flags, tag or attachments.
    #[must_use]
    pub fn new(kind: Kind, action: ActionRef) -> Self {
        Self { kind, flags: Flags::default(), action, name_length: 0, tag: 0, attachments: 0 }
    }
}

/// Where an attachment of a message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// In a block of its own, which may be leased.
    Block(PayloadRange),
    /// In the payload itself, so many bytes behind the beginning of the list.
    Inline {
        /// Where it begins.
        offset: ByteOffset,
        /// How many bytes.
        length: ByteCount,
    },
}

impl Attachment {
    /// As it stands in the list.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ATTACHMENT_BYTES as usize] {
        let words = match self {
            Self::Block(range) => [range.segment.to_word(), range.offset.0, range.length.0],
            Self::Inline { offset, length } => [0, offset.0, length.0],
        };
        let mut bytes = [0; ATTACHMENT_BYTES as usize];
        for (place, word) in bytes.chunks_exact_mut(WORD_BYTES as usize).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// Reads what a peer wrote; whether there is such a range is the reader's question.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ATTACHMENT_BYTES as usize]) -> Self {
        let mut words = [0; ATTACHMENT_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(WORD_BYTES as usize)) {
            *word = bytes.try_into().map_or(0, u64::from_ne_bytes);
        }
        let [segment, offset, length] = words;
        let (offset, length) = (ByteOffset(offset), ByteCount(length));
        match segment {
            0 => Self::Inline { offset, length },
            _ => Self::Block(PayloadRange { segment: SegmentId::from_word(segment), offset, length }),
        }
    }
}

/// How many bytes of a payload are the list of its attachments.
#[must_use]
pub fn list_bytes(attachments: u32) -> u64 {
    u64::from(attachments) * ATTACHMENT_BYTES
}

/// One slot of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What is said of the message.
    pub heading: Heading,
    /// Where its payload lies; `None` for a message that has none.
    pub range: Option<PayloadRange>,
}

impl Descriptor {
    /// How many bytes of payload belong to it.
    #[must_use]
    pub fn length(&self) -> ByteCount {
        self.range.map_or(ByteCount(0), |range| range.length)
    }

    /// Where the list of its attachments begins, and the rest of the payload behind it; `None` where it has neither.
    #[must_use]
    pub fn behind_name(&self) -> Option<PayloadRange> {
        let range = self.range?;
        let skip = round_up(self.heading.name_length.into(), WORD_BYTES).min(range.length.0);
        Some(PayloadRange { offset: range.offset.plus(skip), length: ByteCount(range.length.0 - skip), ..range })
    }

    pub(super) fn to_words(self, sequence: Position) -> [u64; SLOT_WORDS] {
        let Heading { kind, flags, action, name_length, tag, attachments } = self.heading;
        let shape = u32::from(flags.0) << 16 | u32::from(kind as u16);
        let (segment, offset, length) =
            self.range.map_or((0, 0, 0), |range| (range.segment.to_word(), range.offset.0, range.length.0));
        [pack(action.0, shape), sequence.0, segment, offset, length, u64::from(name_length), tag, attachments.into()]
    }

    /// Reads a slot that must hold the descriptor with this number.
    pub(super) fn from_words(words: [u64; SLOT_WORDS], sequence: Position) -> Result<Self, Refused> {
        let [head, number, segment, offset, length, name_length, tag, attachments] = words;
        Refused::unless_equal(What::Sequence, number, sequence.0)?;
        let (action, shape) = unpack(head);
        #[allow(clippy::cast_possible_truncation, reason = "the halves of a word")]
        let (flags, kind) = ((shape >> 16) as u16, shape as u16);
        let kind = Kind::checked(kind)?;
        if segment == 0 {
            Refused::unless_equal(What::Length, length, 0)?;
        }
        Refused::beyond(What::NameLength, name_length, length.min(u64::from(u32::MAX)))?;
        #[allow(clippy::cast_possible_truncation, reason = "checked in the line above")]
        let name_length = name_length as u32;
        Refused::beyond(What::Attachments, attachments, ATTACHMENT_LIMIT.into())?;
        #[allow(clippy::cast_possible_truncation, reason = "checked in the line above")]
        let attachments = attachments as u32;
        if attachments > 0 {
            let listed = round_up(name_length.into(), WORD_BYTES) + list_bytes(attachments);
            Refused::beyond(What::Attachments, listed, length)?;
        }
        let range = PayloadRange {
            segment: SegmentId::from_word(segment),
            offset: ByteOffset(offset),
            length: ByteCount(length),
        };
        Ok(Self {
            heading: Heading { kind, flags: Flags(flags), action: ActionRef(action), name_length, tag, attachments },
            range: (segment != 0).then_some(range),
        })
    }

    /// The length that a slot's words claim, before anything about them has been checked.
    pub(super) fn claimed_length(words: [u64; SLOT_WORDS]) -> u64 {
        let [_, _, _, _, length, ..] = words;
        length
    }
}
