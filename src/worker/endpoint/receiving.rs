//! What this process receives: rows of small messages at once, large ones by themselves and where they lie.

use std::time::{Duration, Instant};

use super::names::{NameNumber, Names};
use super::{Endpoint, Place};
use crate::transport::switchboard::descriptor::{Descriptor, Heading, PayloadRange, list_bytes};
use crate::transport::switchboard::layout::{ByteCount, Geometry};
use crate::transport::switchboard::memory::PeerBytes;
use crate::transport::switchboard::refused::Refused;
use crate::transport::switchboard::ring::ClaimLimit;
use crate::transport::switchboard::segments::Unreadable;

/// A payload that is longer is not copied before somebody wants it.
const COPIED_BYTES: usize = 16 * 1024;

/// How long a message is waited for whose segment is not handed over: the master hands it on at once, so it never comes.
pub(super) const SEGMENT_PATIENCE: Duration = Duration::from_secs(10);

const WORD: usize = size_of::<u64>();

/// A ring that has been fuller than this may have held its sender up.
fn many() -> u64 {
    Geometry::STANDARD.slots() / 2
}

/// How the action of a message is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// By a number, see [`Endpoint::name`].
    Numbered(NameNumber),
    /// By so many bytes in front of the payload, those that fill its last word included.
    Spelt(usize),
}

/// Where a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Located {
    /// In the receiver's buffer, from this byte on.
    Copied(usize),
    /// Still with its sender: it is the next message until [`Endpoint::take_next`] or [`Endpoint::pass_next`], and the last that was told.
    /// A name that is spelt ends at this byte of the buffer.
    InPlace(usize),
}

/// A message that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who sent it.
    pub sender: Place,
    /// What is said of it.
    pub heading: Heading,
    /// What it is called.
    pub action: Action,
    /// Where its payload is, without the name.
    pub located: Located,
    /// How many bytes that has, without the list of what is attached.
    pub length: usize,
    /// How many parts are attached; such a message is in place.
    pub attachments: u32,
}

/// The message that stays where it is until somebody wants it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) sender: Place,
    pub(super) descriptor: Descriptor,
    /// Behind the name and the list of what is attached.
    range: PayloadRange,
}

impl Next {
    pub(super) fn sender(&self) -> Place {
        self.sender
    }
}

/// A segment that has to come before a message can be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) by: Place,
    pub(super) since: Instant,
}

impl Endpoint {
    /// Takes messages, `limit` at most, each sender in turn; copies the small ones into `into`. Must not be called while one that was told
    /// to be in place has not been taken or passed; answers that there are none then.
    pub fn receive(&mut self, into: &mut [u8], limit: usize, mut each: impl FnMut(usize, Received)) -> usize {
        self.awake();
        if self.next.is_some() {
            return 0;
        }
        let first = self.turn.front().map(|&sender| (sender, self.inbox.backlog(sender)));
        let mut count = 0;
        let mut used = 0;
        let mut idle = 0;
        while count < limit && idle < self.turn.len() {
            let Some(&sender) = self.turn.front() else { break };
            match self.receive_from(sender, into, &mut used) {
                Ok(Some(received)) => {
                    each(count, received);
                    count += 1;
                    idle = 0;
                    if self.next.is_some() {
                        break;
                    }
                }
                Ok(None) => {
                    self.turn.rotate_left(1);
                    idle += 1;
                }
                Err(NotNow::NoRoom) => break,
                Err(NotNow::Refused) => self.distrust(sender),
            }
        }
        if let Some((sender, before)) = first
            && before > many()
            && self.inbox.backlog(sender) <= many()
        {
            // It sleeps with messages that found no room, maybe.
            self.ring(sender);
        }
        if self.next.is_none() && !self.turn.is_empty() {
            self.turn.rotate_left(1);
        }
        count
    }

    fn receive_from(&mut self, sender: Place, into: &mut [u8], used: &mut usize) -> Result<Option<Received>, NotNow> {
        if !self.links.get(sender).is_some_and(|link| link.is_open) {
            return Ok(None);
        }
        let descriptor = match self.inbox.next(sender, ClaimLimit::STANDARD) {
            Ok(Some(descriptor)) => descriptor,
            Ok(None) => return Ok(None),
            Err(Unreadable::NotHereYet(_)) => return self.keep_waiting(sender),
            Err(Unreadable::Refused(_)) => return Err(NotNow::Refused),
        };
        let Descriptor { heading, range } = descriptor;
        if self.kept.is_some() {
            self.kept.take_if(|kept| kept.by == sender);
        }
        let total = range.map_or(0, |range| usize::try_from(range.length.0).unwrap_or(usize::MAX));
        // The descriptor's shape was checked: a name is no longer than the range.
        let name_length = (heading.name_length as usize).next_multiple_of(WORD).min(total);
        let start = used.next_multiple_of(WORD);
        // The name is always copied, if only to be looked up.
        let is_copied = total <= COPIED_BYTES && heading.attachments == 0;
        let copied = if is_copied { total } else { name_length };
        let list_length = usize::try_from(list_bytes(heading.attachments)).unwrap_or(usize::MAX);
        let Some(room) = into.get_mut(start..).and_then(|room| room.get_mut(..copied)) else {
            return if start == 0 { Err(NotNow::Refused) } else { Err(NotNow::NoRoom) };
        };
        if let Some(range) = range {
            match self.inbox.read(sender, &range, room) {
                Ok(()) => {}
                Err(Unreadable::NotHereYet(_)) => return self.keep_waiting(sender),
                Err(Unreadable::Refused(_)) => return Err(NotNow::Refused),
            }
        }
        let (action, kept) = match self.names.number(&room[..name_length]) {
            Some(number) => (Action::Numbered(number), 0),
            None => (Action::Spelt(name_length), name_length),
        };
        let located = match range {
            Some(range) if copied < total => {
                *used = start + kept;
                self.next = Some(Next { sender, descriptor, range: behind(range, name_length + list_length) });
                Located::InPlace(*used)
            }
            _ => {
                *used = start + copied;
                self.inbox.pass(sender);
                Located::Copied(start + name_length)
            }
        };
        let length = (total - name_length).saturating_sub(list_length);
        Ok(Some(Received { sender, heading, action, located, length, attachments: heading.attachments }))
    }

    /// The next message of a sender lies in a segment that has not been handed over. For a while that is as it should be.
    fn keep_waiting(&mut self, sender: Place) -> Result<Option<Received>, NotNow> {
        let kept = self.kept.get_or_insert_with(|| Kept { by: sender, since: Instant::now() });
        let is_late = kept.by == sender && kept.since.elapsed() >= self.patience;
        if is_late { Err(NotNow::Refused) } else { Ok(None) }
    }

    /// Remembers what lies in the rings now.
    pub fn mark(&mut self) {
        for place in self.links.places() {
            let end = self.inbox.received(place) + self.inbox.backlog(place);
            if let Some(link) = self.links.get_mut(place) {
                link.marked = end;
            }
        }
    }

    /// Whether some of what lay in the rings at the last mark, of those that may be read, has not been taken.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.links.iter().any(|link| link.is_open && self.inbox.received(link.peer.place) < link.marked)
    }

    /// The bytes of the message that is in place, to be read before it is passed.
    pub fn next_in_place(&self) -> Option<PeerBytes> {
        let Next { sender, range, .. } = self.next?;
        self.inbox.locate(sender, &range).ok()?.bytes_at(range.offset, range.length).ok()
    }

    /// Copies the message that is in place, and passes it. Answers false, and passes it as well, when it cannot be read or is longer.
    pub fn take_next(&mut self, into: &mut [u8]) -> bool {
        let is_read = self.copy_next(into);
        self.pass_next();
        is_read
    }

    /// Copies the message that is in place, which stays there. Answers false when it cannot be read or is longer.
    pub fn copy_next(&self, into: &mut [u8]) -> bool {
        self.next.is_some_and(|Next { sender, range, .. }| {
            let room = usize::try_from(range.length.0).ok().and_then(|length| into.get_mut(..length));
            room.is_some_and(|room| self.inbox.read(sender, &range, room).is_ok())
        })
    }

    /// Is done with the message that is in place.
    pub fn pass_next(&mut self) {
        if let Some(Next { sender, .. }) = self.next.take() {
            self.inbox.pass(sender);
        }
    }

    /// A name by its number, with the zeroes that fill its last word.
    #[must_use]
    pub fn name(&self, number: NameNumber) -> Option<&[u8]> {
        self.names.bytes(number)
    }

    /// The number of a name that this process uses; `None` when it gets none.
    pub fn name_number(&mut self, name: &[u8]) -> Option<NameNumber> {
        self.names.number(&Names::fill(name))
    }
}

/// Why a message stays where it is.
enum NotNow {
    /// The buffer is full.
    NoRoom,
    /// It cannot be.
    Refused,
}

impl From<Refused> for NotNow {
    fn from(_: Refused) -> Self {
        Self::Refused
    }
}

fn behind(range: PayloadRange, bytes: usize) -> PayloadRange {
    let skip = (bytes as u64).min(range.length.0);
    PayloadRange { offset: range.offset.plus(skip), length: ByteCount(range.length.0 - skip), ..range }
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::super::Sent;
    use super::super::tests::{SECOND, hand_on, pair, receive, send};

    #[test]
    fn a_mark_is_reached_when_all_is_received_that_lay_there_then_whatever_comes_meanwhile() {
        let ((mut first, to_first), (mut second, to_second)) = pair();
        for _ in 0..20 {
            assert_eq!(send(&mut first, SECOND.place, b"text"), Sent::All);
        }
        hand_on(&to_first, &to_second, &mut second);
        assert!(!second.is_behind(), "nothing was marked");
        second.mark();
        let mut received = 0;
        while second.is_behind() {
            received += receive(&mut second);
            for _ in 0..8 {
                assert_eq!(send(&mut first, SECOND.place, b"text"), Sent::All);
            }
        }
        assert_eq!(received, 24, "eight at a time");
    }
}
