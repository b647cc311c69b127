//! What master and workers tell each other of the switchboard: who takes part, and where its memory is. Never a message.
//!
//! One record is one datagram of fixed size; the descriptors ride on it in the order that is written here. Pure: bytes in and
//! out. What cannot be is refused with its name; whoever wrote it is not believed any more.

use super::layout::{ByteCount, Peer, Place, SegmentId, WORD_BYTES, pack, unpack};
use super::refused::{Refused, What};
use crate::message::address::Generation;

/// How many bytes a record has.
pub const RECORD_BYTES: usize = WORDS * WORD_BYTES as usize;
const WORDS: usize = 5;

const HELLO: u64 = 1;
const SEGMENT: u64 = 2;
const PEER: u64 = 3;
const GONE: u64 = 4;
const DROPPED: u64 = 5;
const EXPECTED: u64 = 6;
const APART: u64 = 7;
const LEFT: u64 = 8;

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The agent.
    Agent,
    /// An app worker.
    App,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// A worker has made its memory. With it: outbox, inbox, bell.
    Hello,
    /// A sender has a segment more. With it: the segment. To the master the sender is the one who tells it.
    Segment {
        /// Whose it is.
        sender: Peer,
        /// Which.
        segment: SegmentId,
        /// How large.
        bytes: ByteCount,
    },
    /// A sender has a segment less: whoever holds it should let go, as its memory comes back only then.
    Dropped {
        /// Whose it was.
        sender: Peer,
        /// Which.
        segment: SegmentId,
    },
    /// A process has been forked and has not said hello: until it does, it is reached by Node's channel.
    Expected {
        /// Who.
        peer: Peer,
        /// What it is.
        role: Role,
        /// Its address in messages.
        pid: u32,
    },
    /// A process takes part. With it: outbox, inbox, bell.
    Peer {
        /// Who.
        peer: Peer,
        /// What it is.
        role: Role,
        /// Its address in messages.
        pid: u32,
    },
    /// A process has closed its channel: it reads nothing any more. What it has sent may still come, until it is gone.
    Left {
        /// Who.
        peer: Peer,
    },
    /// A process has ended, or sends nothing any more. What it published is in its rings.
    Gone {
        /// Who.
        peer: Peer,
    },
    /// To the master: the sender and this process do not read each other any more. To a worker: it and this process do not. Both live, and
    /// reach each other by Node's channel.
    Apart {
        /// Who.
        peer: Peer,
    },
}

impl Control {
    /// How many descriptors ride on it.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        match self {
            Self::Hello | Self::Peer { .. } => 3,
            Self::Segment { .. } => 1,
            Self::Left { .. }
            | Self::Gone { .. }
            | Self::Apart { .. }
            | Self::Dropped { .. }
            | Self::Expected { .. } => 0,
        }
    }

    /// As it is sent.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let words: [u64; WORDS] = match *self {
            Self::Hello => [HELLO, 0, 0, 0, 0],
            Self::Segment { sender, segment, bytes } => [SEGMENT, peer_word(sender), segment.to_word(), bytes.0, 0],
            Self::Expected { peer, role, pid } => {
                [EXPECTED, peer_word(peer), u64::from(role == Role::Agent), pid.into(), 0]
            }
            Self::Peer { peer, role, pid } => [PEER, peer_word(peer), u64::from(role == Role::Agent), pid.into(), 0],
            Self::Dropped { sender, segment } => [DROPPED, peer_word(sender), segment.to_word(), 0, 0],
            Self::Left { peer } => [LEFT, peer_word(peer), 0, 0, 0],
            Self::Gone { peer } => [GONE, peer_word(peer), 0, 0, 0],
            Self::Apart { peer } => [APART, peer_word(peer), 0, 0, 0],
        };
        let mut bytes = [0; RECORD_BYTES];
        for (place, word) in bytes.chunks_exact_mut(WORD_BYTES as usize).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When it has another size, or its kind or a member of it cannot be.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        Refused::unless_equal(What::Size, bytes.len() as u64, RECORD_BYTES as u64)?;
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(WORD_BYTES as usize)) {
            *word = bytes.try_into().map_or(0, u64::from_ne_bytes);
        }
        let [kind, peer, first, second, _] = words;
        match kind {
            HELLO => Ok(Self::Hello),
            SEGMENT => Ok(Self::Segment {
                sender: peer_of(peer),
                segment: SegmentId::from_word(first),
                bytes: ByteCount(second),
            }),
            PEER | EXPECTED => {
                Refused::beyond(What::Kind, first, 1)?;
                let role = if first == 1 { Role::Agent } else { Role::App };
                let limit = u64::from(u32::MAX);
                let pid = u32::try_from(second).map_err(|_| Refused { what: What::Place, found: second, limit })?;
                let peer = peer_of(peer);
                Ok(if kind == PEER { Self::Peer { peer, role, pid } } else { Self::Expected { peer, role, pid } })
            }
            DROPPED => Ok(Self::Dropped { sender: peer_of(peer), segment: SegmentId::from_word(first) }),
            LEFT => Ok(Self::Left { peer: peer_of(peer) }),
            GONE => Ok(Self::Gone { peer: peer_of(peer) }),
            APART => Ok(Self::Apart { peer: peer_of(peer) }),
            _ => Err(Refused { what: What::Kind, found: kind, limit: LEFT }),
        }
    }
}

fn peer_word(peer: Peer) -> u64 {
    pack(peer.generation.0, peer.place.0)
}

fn peer_of(word: u64) -> Peer {
    let (generation, place) = unpack(word);
    Peer { place: Place(place), generation: Generation(generation) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peer() -> impl Strategy<Value = Peer> {
        (any::<u32>(), any::<u32>())
            .prop_map(|(place, generation)| Peer { place: Place(place), generation: Generation(generation) })
    }

    fn control() -> impl Strategy<Value = Control> {
        let role = prop_oneof![Just(Role::Agent), Just(Role::App)];
        prop_oneof![
            Just(Control::Hello),
            (peer(), any::<(u32, u32)>(), any::<u64>()).prop_map(|(sender, (index, serial), bytes)| Control::Segment {
                sender,
                segment: SegmentId { index, serial },
                bytes: ByteCount(bytes)
            }),
            (peer(), role, any::<u32>()).prop_map(|(peer, role, pid)| Control::Peer { peer, role, pid }),
            (peer(), any::<(u32, u32)>()).prop_map(|(sender, (index, serial))| Control::Dropped {
                sender,
                segment: SegmentId { index, serial }
            }),
            peer().prop_map(|peer| Control::Left { peer }),
            peer().prop_map(|peer| Control::Gone { peer }),
            peer().prop_map(|peer| Control::Apart { peer }),
        ]
    }

    proptest! {
        #![proptest_config(crate::transport::switchboard::tests::proptest_config())]

        #[test]
        fn what_is_written_is_read(control in control()) {
            prop_assert_eq!(Control::from_bytes(&control.to_bytes()), Ok(control));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Control::from_bytes(&bytes);
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        let refused = |bytes: &[u8]| Control::from_bytes(bytes).unwrap_err().what;
        assert_eq!(refused(&[]), What::Size);
        assert_eq!(refused(&[9; RECORD_BYTES]), What::Kind);
        let mut record = Control::Peer { peer: peer_of(0), role: Role::App, pid: 1 }.to_bytes();
        record[2 * WORD_BYTES as usize] = 7;
        assert_eq!(refused(&record), What::Kind);
    }
}
