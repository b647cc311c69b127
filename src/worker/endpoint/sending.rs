//! What this process sends: to whom there is room now, and what waits for whom until there is.
//!
//! One that stands still must not stop the others: it gets its share of the arena at most, and its messages wait apart from theirs.

use std::os::fd::AsFd;
use std::time::Duration;

use super::links::Waiting;
use super::loans::Attached;
use super::names::NameNumber;
use super::{Endpoint, Sent, memory};
use crate::sys::unix_socket;
use crate::transport::switchboard::control::Control;
use crate::transport::switchboard::descriptor::Heading;
use crate::transport::switchboard::layout::{ATTACHMENT_BYTES, ByteCount, Place};
use crate::transport::switchboard::memory::OwnBytes;
use crate::transport::switchboard::outbox::{Delivery, Published};
use crate::transport::switchboard::slab::{Block, NoRoom, Purpose};

/// How much is kept of the arena when nothing is in it: warm memory for the next messages.
const KEPT_BYTES: ByteCount = ByteCount(1024 * 1024);

/// How long a sender is held up by a receiver that does not read.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);

/// How long it sleeps in between.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// Into how many shares the arena is divided when it is scarce.
const SHARES: u64 = 4;

/// Whether a receiver that reads nothing may be made to wait for the sake of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Relief {
    Allowed,
    Denied,
}

/// What a message carries besides its name, and how it is put into memory.
pub trait Payload {
    /// How many bytes.
    fn length(&self) -> usize;

    /// How many more are written behind its end, and mean nothing.
    fn slack(&self) -> usize {
        0
    }

    /// Writes it where receivers will read it. Answers whether it could.
    fn write_shared(&self, into: &OwnBytes) -> bool;

    /// Writes it into memory of `length` and `slack`. Answers whether it could.
    fn write_private(&self, into: &mut [u8]) -> bool;
}

impl Payload for &[u8] {
    fn length(&self) -> usize {
        self.len()
    }

    fn write_shared(&self, into: &OwnBytes) -> bool {
        into.write(self).is_ok()
    }

    fn write_private(&self, into: &mut [u8]) -> bool {
        into.get_mut(..self.len()).map(|into| into.copy_from_slice(self)).is_some()
    }
}

/// What an action is called.
#[derive(Clone, Copy, Debug)]
pub enum Name<'a> {
    /// By the number of [`Endpoint::name_number`].
    Numbered(NameNumber),
    /// By its bytes, with the zeroes that fill the last word.
    Spelt(&'a [u8]),
}

/// A message on its way out.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// What is said of it; the name's length is filled in.
    pub heading: Heading,
    /// What it is called.
    pub name: Name<'a>,
    /// What it carries.
    pub payload: &'a dyn Payload,
    /// What else goes with it.
    pub attached: &'a [Attached],
}

/// Empty between the calls; kept for their memory.
#[derive(Default)]
pub(super) struct Spare {
    ready: Vec<Place>,
    deliveries: Vec<Delivery>,
    /// Whether something was taken back for the sake of the message that is being sent.
    has_relieved: bool,
}

impl Endpoint {
    /// Sends to all of `places`.
    pub fn send(&mut self, places: &[Place], outgoing: Outgoing<'_>) -> Sent {
        let mut ready = std::mem::take(&mut self.spare.ready);
        ready.clear();
        self.spare.has_relieved = false;
        let sent = self.send_by(places, outgoing, &mut ready);
        self.spare.ready = ready;
        self.forget_staged();
        // What was taken back from anybody waits here now, and nobody but the caller of `flush` sends it again.
        if sent == Sent::All && self.spare.has_relieved { Sent::Waits } else { sent }
    }

    fn send_by(&mut self, places: &[Place], mut outgoing: Outgoing<'_>, ready: &mut Vec<Place>) -> Sent {
        outgoing.heading.name_length = u32::try_from(self.spelling(outgoing.name).len()).unwrap_or(u32::MAX);
        outgoing.heading.attachments = u32::try_from(outgoing.attached.len()).unwrap_or(u32::MAX);
        // Before it may have to wait behind others: nothing that is sent after it would ever pass it.
        if !self.outbox.fits(self.bytes_of(&outgoing)) {
            return Sent::TooBig;
        }
        let is_scarce = self.is_scarce();
        let mut late = Vec::new();
        for &place in places {
            let mut has_queue = self.has_queue(place);
            if has_queue {
                // There may be room by now, and whoever sends much would not find out before its turn is over.
                self.flush_to(place);
                has_queue = self.has_queue(place);
            }
            let waits = has_queue || is_scarce && self.has_its_share(place);
            if waits { late.push(place) } else { ready.push(place) }
        }
        if !ready.is_empty() {
            match self.publish(ready, &outgoing, Relief::Allowed) {
                Ok(full) if late.is_empty() => late = full,
                Ok(full) => late.extend(full),
                Err(NoRoom::TooBig { .. }) => return Sent::TooBig,
                Err(NoRoom::Grow(_) | NoRoom::Full) => late.extend_from_slice(ready),
            }
        }
        if late.is_empty() { Sent::All } else { self.keep(&late, &outgoing) }
    }

    /// Keeps a message here for those who have no room for it.
    fn keep(&mut self, late: &[Place], outgoing: &Outgoing<'_>) -> Sent {
        self.refused.clear();
        // With copies of what is attached it may be larger than the arena.
        let waiting = self.compose(outgoing).filter(|waiting| self.outbox.fits(waiting.bytes()));
        let Some(mut waiting) = waiting else {
            self.refused.extend_from_slice(late);
            return Sent::Refused;
        };
        self.last_kept += 1;
        waiting.number = self.last_kept;
        let mut sent = Sent::Waits;
        for &place in late {
            // What it sends to itself it can only read when it has stopped sending.
            if place == self.own.place || self.makes_room(place, waiting.cost()) {
                self.enqueue(place, waiting.clone());
            } else {
                self.refused.push(place);
                sent = Sent::Refused;
            }
        }
        sent
    }

    /// What it takes of the arena, without what is attached.
    fn bytes_of(&self, outgoing: &Outgoing<'_>) -> ByteCount {
        let list = outgoing.attached.len() * ATTACHMENT_BYTES as usize;
        let Outgoing { name, payload, .. } = *outgoing;
        ByteCount((self.spelling(name).len() + list + payload.length() + payload.slack()) as u64)
    }

    /// The bytes of a name.
    fn spelling<'a>(&'a self, name: Name<'a>) -> &'a [u8] {
        match name {
            Name::Numbered(number) => self.names.bytes(number).unwrap_or_default(),
            Name::Spelt(bytes) => bytes,
        }
    }

    /// The same message in memory of our own.
    fn compose(&self, outgoing: &Outgoing<'_>) -> Option<Waiting> {
        let Outgoing { heading, name, payload, .. } = *outgoing;
        let (list, attached) = self.inline_of(outgoing, payload.length())?;
        let front = [self.spelling(name), &list].concat();
        let length = front.len() + payload.length();
        let mut bytes = vec![0; length + payload.slack()];
        let (start, behind) = bytes.split_at_mut(front.len());
        start.copy_from_slice(&front);
        if !payload.write_private(behind) {
            return None;
        }
        bytes.truncate(length);
        if !attached.is_empty() {
            bytes.resize(length.next_multiple_of(size_of::<u64>()), 0);
            bytes.extend_from_slice(&attached);
        }
        Some(Waiting::new(heading, bytes))
    }

    /// Whether so many bytes more may wait for a receiver. A sender that is quicker than a receiver is held up here, as long as that
    /// one reads.
    fn makes_room(&mut self, place: Place, bytes: usize) -> bool {
        let waiting = |endpoint: &Self| endpoint.links.get(place).map_or(0, |link| link.waiting_bytes);
        let mut idle = Duration::ZERO;
        if self.links.get(place).is_some_and(|link| link.is_hopeless) {
            idle = PATIENCE;
        }
        let is_possible = loop {
            let before = waiting(self);
            if before.saturating_add(bytes) <= self.limits.max_queue {
                break true;
            }
            self.flush_to(place);
            if waiting(self) < before {
                idle = Duration::ZERO;
            } else if idle >= PATIENCE {
                break false;
            } else {
                std::thread::sleep(PAUSE);
                idle += PAUSE;
            }
        };
        if let Some(link) = self.links.get_mut(place) {
            link.is_hopeless = !is_possible;
        }
        is_possible
    }

    /// Whether so much of the arena is in use that nobody may have more than its share of it.
    fn is_scarce(&mut self) -> bool {
        if self.outbox.slab().used().0 * SHARES <= self.arena.0 {
            return false;
        }
        self.reclaim();
        self.outbox.slab().used().0 * SHARES > self.arena.0
    }

    fn reclaim(&mut self) {
        self.outbox.reclaim();
        self.look_after();
    }

    /// What the outbox has found out while it looked for room.
    fn look_after(&mut self) {
        while let Some((place, _)) = self.outbox.poll_refused() {
            self.distrust(place);
        }
        while let Some(segment) = self.outbox.poll_dropped() {
            let record = Control::Dropped { sender: self.own, segment };
            // Not heard, the memory comes back when the next segment takes its index.
            let _ = unix_socket::send_record(self.master.as_fd(), &record.to_bytes(), &[]);
        }
    }

    /// What is more waits here, and not in the memory that all share: one that stands still must not stop the others.
    fn has_its_share(&self, place: Place) -> bool {
        self.outbox.waiting_for(place).0 * SHARES > self.arena.0
    }

    fn enqueue(&mut self, place: Place, waiting: Waiting) {
        if let Some(link) = self.links.get_mut(place) {
            link.waiting_bytes += waiting.cost();
            link.queue.push_back(waiting);
        }
    }

    /// Sends what waits, as far as there is room now. Answers whether nothing waits any more.
    pub fn flush(&mut self) -> bool {
        for place in self.links.places() {
            self.flush_to(place);
        }
        self.links.iter().all(|link| link.queue.is_empty())
    }

    fn flush_to(&mut self, place: Place) {
        while let Some(waiting) = self.links.get(place).and_then(|link| link.queue.front()).cloned() {
            if !self.outbox.has_room(place).unwrap_or(true) || self.is_scarce() && self.has_its_share(place) {
                return;
            }
            let Waiting { heading, ref payload, since, .. } = waiting;
            let outgoing = Outgoing { heading, name: Name::Spelt(&[]), payload: &payload.as_slice(), attached: &[] };
            match self.publish(&[place], &outgoing, Relief::Denied) {
                Ok(full) if full.is_empty() => self.waits.note(since.elapsed()),
                // It was taken back, and has grown by the copies of what was attached.
                Err(NoRoom::TooBig { .. }) => self.note_grown(place, &waiting),
                _ => return,
            }
            if let Some(link) = self.links.get_mut(place) {
                link.queue.pop_front();
                link.waiting_bytes -= waiting.cost();
            }
        }
    }

    /// Names those whose rings were full, or for whom older messages wait; the others have it.
    fn publish(&mut self, places: &[Place], outgoing: &Outgoing<'_>, relief: Relief) -> Result<Vec<Place>, NoRoom> {
        let heading = outgoing.heading;
        let Some(list) = self.list_of(outgoing) else { return Err(NoRoom::Full) };
        let length = self.spelling(outgoing.name).len() + list.len() + outgoing.payload.length();
        let mut behind = Vec::new();
        let mut published = if length == 0 {
            self.outbox.publish_bare(heading, places)
        } else {
            let block = self.reserve(ByteCount((length + outgoing.payload.slack()) as u64), relief)?;
            if !self.fill(&block, outgoing, &list) {
                self.outbox.cancel(block);
                return Err(NoRoom::Full);
            }
            if relief == Relief::Allowed && self.spare.has_relieved {
                // What was taken back from a receiver for the sake of this message comes before it.
                behind.extend(places.iter().copied().filter(|place| self.has_queue(*place)));
            }
            let now = places.iter().filter(|place| !behind.contains(place));
            self.spare.deliveries.clear();
            self.spare.deliveries.extend(now.map(|&to| Delivery { to, heading, skip: ByteCount(0) }));
            let (length, deliveries) = (ByteCount(length as u64), std::mem::take(&mut self.spare.deliveries));
            let published = self.publish_block(block, length, &deliveries, outgoing);
            self.spare.deliveries = deliveries;
            published
        };
        for &place in places {
            self.ring(place);
        }
        if let Some(unsent) = published.unsent.take() {
            self.outbox.cancel(unsent);
        }
        for (place, _) in std::mem::take(&mut published.refused) {
            self.distrust(place);
        }
        published.full.append(&mut behind);
        Ok(published.full)
    }

    fn publish_block(
        &mut self,
        block: Block,
        length: ByteCount,
        deliveries: &[Delivery],
        outgoing: &Outgoing<'_>,
    ) -> Published {
        if outgoing.attached.is_empty() {
            return self.outbox.publish(block, length, deliveries);
        }
        let loans = std::mem::take(&mut self.loans);
        let published = self.outbox.publish_with(block, length, deliveries, &loans.kept_of(outgoing));
        self.loans = loans;
        published
    }

    fn has_queue(&self, place: Place) -> bool {
        self.links.get(place).is_some_and(|link| !link.queue.is_empty())
    }

    fn fill(&self, block: &Block, outgoing: &Outgoing<'_>, list: &[u8]) -> bool {
        let name = self.spelling(outgoing.name);
        let list_at = ByteCount(name.len() as u64);
        if self.outbox.write(block, ByteCount(0), name).is_err() || self.outbox.write(block, list_at, list).is_err() {
            return false;
        }
        self.outbox
            .bytes_of(block, ByteCount((name.len() + list.len()) as u64))
            .is_ok_and(|bytes| outgoing.payload.write_shared(&bytes))
    }

    fn reserve(&mut self, length: ByteCount, relief: Relief) -> Result<Block, NoRoom> {
        self.reserve_for(Purpose::Message, length, relief)
    }

    pub(super) fn reserve_for(&mut self, purpose: Purpose, length: ByteCount, relief: Relief) -> Result<Block, NoRoom> {
        loop {
            match self.outbox.reserve_for(purpose, length) {
                Err(NoRoom::Grow(bytes)) if self.grow(bytes) => {}
                Err(NoRoom::Full) if relief == Relief::Allowed && self.relieve() => {}
                answer => return answer,
            }
        }
    }

    /// Takes back what the slowest receiver has not read, so that it does not stop the others: from now on it waits here. Answers
    /// whether that gave room.
    fn relieve(&mut self) -> bool {
        let slowest = self.links.places().into_iter().max_by_key(|place| self.outbox.waiting_for(*place));
        let Some(place) = slowest.filter(|place| self.outbox.waiting_for(*place) > ByteCount(0)) else { return false };
        let Ok(withdrawn) = self.outbox.withdraw(place, 0) else {
            self.distrust(place);
            return true;
        };
        let Some(link) = self.links.get_mut(place) else { return false };
        for message in withdrawn.iter().rev() {
            let waiting = Waiting::new(message.heading, message.payload.clone().unwrap_or_default());
            link.waiting_bytes += waiting.cost();
            link.queue.push_front(waiting);
        }
        self.spare.has_relieved |= !withdrawn.is_empty();
        !withdrawn.is_empty()
    }

    pub(super) fn ring(&mut self, place: Place) {
        if self.outbox.must_ring(place)
            && let Some(link) = self.links.get(place)
        {
            // Fails for what is no bell: such a peer never wakes up for us, and is its own fault.
            let _ = link.bell.ring();
        }
    }

    fn grow(&mut self, bytes: ByteCount) -> bool {
        // What was dropped in favour of this one is let go of first.
        self.look_after();
        let Ok((memory, file)) = memory(c"clutch-segment", bytes) else { return false };
        let Ok(segment) = self.outbox.add_segment(memory) else { return false };
        let record = Control::Segment { sender: self.own, segment, bytes };
        // Whoever is sent something in it waits until the master has handed it on.
        let is_told = unix_socket::send_record(self.master.as_fd(), &record.to_bytes(), &[file.as_fd()]).is_ok();
        if !is_told {
            // Nobody would ever get to see what lies in it.
            self.outbox.drop_empty(ByteCount(0));
            self.look_after();
        }
        is_told
    }

    /// Gives memory back that is not used, when there is time.
    pub fn tidy(&mut self) {
        self.outbox.drop_empty(KEPT_BYTES);
        self.look_after();
    }
}
