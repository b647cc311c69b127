//! What is answered to a peer's bytes that cannot be: which value, what was found, and what would have been right.
//!
//! Expected of any peer at any time, so it is counted and never a panic.

/// What about a peer's bytes was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A range that does not lie within the region.
    Range,
    /// An offset that is not a multiple of the word.
    Alignment,
    /// The first word of a region.
    Magic,
    /// The version of the layout.
    Version,
    /// The place that the owner of the region claims.
    Place,
    /// The generation that the owner of the region claims, or zero.
    Generation,
    /// The number of places or of slots.
    Geometry,
    /// The size of a region.
    Size,
    /// The producer's end of a ring.
    Tail,
    /// The consumer's end of a ring.
    Cursor,
    /// How far a consumer says that it reads.
    Claim,
    /// The number of a descriptor.
    Sequence,
    /// The kind of a payload.
    Kind,
    /// The length of a payload.
    Length,
    /// The length of the action's name in front of a payload.
    NameLength,
    /// How many blocks beside its own a message has, or where their list or one of them ends.
    Attachments,
    /// The index of a segment, or a serial number that its sender does not list.
    Segment,
}

/// A peer's value that is not used: what it was, what was found, and what it must not exceed, or must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what:?} is {found}, which does not fit {limit}")]
pub struct Refused {
    /// Which value.
    pub what: What,
    /// What was found.
    pub found: u64,
    /// The limit, or the one value that would have been right.
    pub limit: u64,
}

impl Refused {
    pub(super) fn unless_equal(what: What, found: u64, limit: u64) -> Result<(), Self> {
        if found == limit { Ok(()) } else { Err(Self { what, found, limit }) }
    }

    pub(crate) fn beyond(what: What, found: u64, limit: u64) -> Result<(), Self> {
        if found <= limit { Ok(()) } else { Err(Self { what, found, limit }) }
    }
}
