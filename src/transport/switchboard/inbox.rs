//! The receiver's whole side: a ring and the segments of each sender, the leases on their blocks, and its own sleep.
//!
//! [`Inbox::next`] shows a message, [`Inbox::read`] copies its payload, and [`Inbox::pass`] gives the block back; or
//! [`Inbox::pass_leased`] keeps it in place. How many of whose messages are taken in one turn is the caller's choice. Nothing
//! here waits or makes a system call.

use super::descriptor::{Attachment, Descriptor, PayloadRange};
use super::doorbell::Sleeper;
use super::layout::{ATTACHMENT_BYTES, ByteCount, Geometry, Label, Peer, Place, Region, SegmentId};
use super::lease::{LeaseIndex, Leases};
use super::memory::{OwnMemory, PeerMemory};
use super::refused::{Refused, What};
use super::ring::{ClaimLimit, Consumer};
use super::segments::{Segments, Unreadable};

#[derive(Debug)]
struct Link {
    sender: Peer,
    consumer: Consumer,
    segments: Segments,
    leases: Leases,
    /// The next message lies in a segment that has not been handed over yet.
    waits_for_segment: bool,
}

/// A block that is read in place after it was passed. End it by [`Inbox::end_lease`]; after the sender's end that is needless,
/// and harmless.
#[derive(Debug)]
#[must_use]
pub struct Lease {
    sender: Peer,
    index: LeaseIndex,
}

/// All that one process receives.
#[derive(Debug)]
pub struct Inbox {
    memory: OwnMemory,
    owner: Peer,
    geometry: Geometry,
    sleeper: Sleeper,
    links: Vec<Option<Link>>,
    /// Who is attached: there are many seats and few links, and each sleep asks all of these.
    attached: Vec<Place>,
}

impl Inbox {
    /// Labels fresh memory of [`Geometry::inbox_bytes`] as this process' inbox.
    ///
    /// # Errors
    /// When the memory is too small, or the owner cannot be.
    pub fn new(memory: OwnMemory, owner: Peer, geometry: Geometry) -> Result<Self, Refused> {
        geometry.check(owner)?;
        memory.write_label(label(owner, geometry))?;
        let links = (0..geometry.places()).map(|_| None).collect();
        Ok(Self { sleeper: Sleeper::new(&memory)?, memory, owner, geometry, links, attached: Vec::new() })
    }

    /// Begins to receive from a sender; whoever was at its place before is forgotten. Once for each process that sends.
    ///
    /// # Errors
    /// When the outbox is not that of this sender.
    pub fn attach(&mut self, sender: Peer, outbox: &PeerMemory) -> Result<(), Refused> {
        self.geometry.check(sender)?;
        outbox.check_label(super::outbox::label(sender, self.geometry))?;
        let link = Link {
            sender,
            segments: Segments::new(outbox, self.geometry, sender)?,
            leases: Leases::open(&self.memory, self.geometry, sender.place)?,
            consumer: Consumer::open(&self.memory, outbox, self.geometry, self.owner, sender)?,
            waits_for_segment: false,
        };
        if let Some(seat) = self.links.get_mut(sender.place.0 as usize) {
            *seat = Some(link);
            self.attached.retain(|place| *place != sender.place);
            self.attached.push(sender.place);
        }
        Ok(())
    }

    /// Forgets a sender. What it had published is in its ring until then, also after its death: take that first.
    pub fn detach(&mut self, sender: Place) {
        if let Some(seat) = self.links.get_mut(sender.0 as usize) {
            *seat = None;
            self.attached.retain(|place| *place != sender);
        }
    }

    /// Takes a segment of a sender's payload whose descriptor was handed over.
    ///
    /// # Errors
    /// When it is not what it was said to be.
    pub fn add_segment(
        &mut self,
        sender: Place,
        segment: SegmentId,
        size: ByteCount,
        memory: PeerMemory,
    ) -> Result<(), Refused> {
        let link = self.link_mut(sender)?;
        link.waits_for_segment = false;
        link.segments.add(segment, size, memory)
    }

    /// Lets go of the segments that a sender has dropped.
    pub fn drop_unlisted(&mut self, sender: Place) {
        if let Ok(link) = self.link_mut(sender) {
            link.segments.drop_unlisted();
        }
    }

    /// The next message of a sender, which stays the next one until it is passed. Its whole payload can be read.
    ///
    /// # Errors
    /// When its segment has not been handed over yet, or the sender's outbox holds what cannot be.
    pub fn next(&mut self, sender: Place, limit: ClaimLimit) -> Result<Option<Descriptor>, Unreadable> {
        let link = self.link_mut(sender)?;
        if link.consumer.claim(limit)? == 0 {
            return Ok(None);
        }
        let next = link.consumer.peek()?;
        if let Some(range) = next.as_ref().and_then(|descriptor| descriptor.range.as_ref()) {
            let found = find_all(&link.segments, range, next.as_ref());
            link.waits_for_segment = matches!(found, Err(Unreadable::NotHereYet(_)));
            found?;
        }
        Ok(next)
    }

    /// Copies the beginning of a payload of the next message, as much as `into` takes; the range is the descriptor's, or
    /// the part of it that is wanted.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(&self, sender: Place, range: &PayloadRange, into: &mut [u8]) -> Result<(), Unreadable> {
        Refused::beyond(What::Length, into.len() as u64, range.length.0)?;
        Ok(self.locate(sender, range)?.read(range.offset, into)?)
    }

    /// The memory of a payload of the next message, to read it in place until the message is passed or its lease ends.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn locate(&self, sender: Place, range: &PayloadRange) -> Result<&PeerMemory, Unreadable> {
        self.link(sender)?.segments.find(range)
    }

    /// Where the attachments of a message lie that was shown as the next one. Its sender may write other ones meanwhile, so each
    /// is checked again where it is read; one that lies in the payload is a part of it.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn attachments(&self, sender: Place, descriptor: &Descriptor) -> Result<Vec<PayloadRange>, Unreadable> {
        attachments(&self.link(sender)?.segments, descriptor)
    }

    /// Is done with the next message of a sender.
    pub fn pass(&mut self, sender: Place) {
        if let Ok(link) = self.link_mut(sender) {
            link.consumer.pass();
        }
    }

    /// Passes the next message of a sender, and goes on reading its block. `None` when too many blocks of this sender are
    /// held already: the message is still the next one then, copy it.
    pub fn pass_leased(&mut self, sender: Place) -> Option<Lease> {
        let link = self.link_mut(sender).ok()?;
        let index = link.leases.enter(link.consumer.next())?;
        link.consumer.pass();
        Some(Lease { sender: link.sender, index })
    }

    /// The last read of a block is over.
    pub fn end_lease(&mut self, lease: Lease) {
        let link = self.link_mut(lease.sender.place).ok();
        // A lease on a former process of the place must not end one on the present process.
        if let Some(link) = link.filter(|link| link.sender == lease.sender) {
            link.leases.end(lease.index);
        }
    }

    /// Says that this process is about to sleep; true when it may. No reason to stay awake is a sender whose outbox holds what
    /// cannot be, which whoever drains it has seen, and one whose segment is on its way, whose arrival wakes by itself.
    #[must_use]
    pub fn may_sleep(&mut self) -> bool {
        let Self { links, attached, .. } = self;
        self.sleeper.may_sleep(|| has_more(links, attached))
    }

    /// Whether there is a reason to stay awake; see [`Inbox::may_sleep`].
    #[must_use]
    pub fn has_more(&self) -> bool {
        has_more(&self.links, &self.attached)
    }

    /// How many messages of a sender there are.
    #[must_use]
    pub fn backlog(&self, sender: Place) -> u64 {
        self.link(sender).ok().and_then(|link| link.consumer.backlog().ok()).unwrap_or(0)
    }

    /// The number of the message of a sender that comes next.
    #[must_use]
    pub fn received(&self, sender: Place) -> u64 {
        self.link(sender).map_or(0, |link| link.consumer.next().0)
    }

    /// Whether this process sleeps, so that senders ring.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        self.sleeper.is_asleep()
    }

    /// Is up again, after the bell was silenced and before the rings are drained.
    pub fn wake(&mut self) {
        self.sleeper.wake();
    }

    /// Who is attached, by place.
    pub fn senders(&self) -> impl Iterator<Item = Peer> + '_ {
        self.links.iter().flatten().map(|link| link.sender)
    }

    fn link(&self, sender: Place) -> Result<&Link, Refused> {
        self.links.get(sender.0 as usize).and_then(Option::as_ref).ok_or(self.absent(sender))
    }

    fn link_mut(&mut self, sender: Place) -> Result<&mut Link, Refused> {
        let absent = self.absent(sender);
        self.links.get_mut(sender.0 as usize).and_then(Option::as_mut).ok_or(absent)
    }

    fn absent(&self, sender: Place) -> Refused {
        Refused { what: What::Place, found: sender.0.into(), limit: u64::from(self.geometry.places()) - 1 }
    }
}

fn has_more(links: &[Option<Link>], attached: &[Place]) -> bool {
    let links = attached.iter().filter_map(|place| links.get(place.0 as usize)?.as_ref());
    links.into_iter().any(|link| !link.waits_for_segment && link.consumer.has_more().unwrap_or(false))
}

/// A message can be read when all is there that belongs to it.
fn find_all(segments: &Segments, range: &PayloadRange, descriptor: Option<&Descriptor>) -> Result<(), Unreadable> {
    segments.find(range)?;
    for range in descriptor.map_or(Ok(Vec::new()), |descriptor| attachments(segments, descriptor))? {
        segments.find(&range)?;
    }
    Ok(())
}

fn attachments(segments: &Segments, descriptor: &Descriptor) -> Result<Vec<PayloadRange>, Unreadable> {
    let count = descriptor.heading.attachments;
    let Some(range) = descriptor.behind_name().filter(|_| count > 0) else { return Ok(Vec::new()) };
    let mut list = vec![[0; ATTACHMENT_BYTES as usize]; count as usize];
    let length = ByteCount(list.as_flattened().len() as u64);
    Refused::beyond(What::Attachments, length.0, range.length.0)?;
    segments.find(&PayloadRange { length, ..range })?.read(range.offset, list.as_flattened_mut())?;
    list.iter().map(|listed| within(range, Attachment::from_bytes(listed))).collect()
}

fn within(payload: PayloadRange, attachment: Attachment) -> Result<PayloadRange, Unreadable> {
    match attachment {
        Attachment::Block(range) => Ok(range),
        Attachment::Inline { offset, length } => {
            Refused::beyond(What::Attachments, offset.0, payload.length.0)?;
            Refused::beyond(What::Attachments, length.0, payload.length.0 - offset.0)?;
            Ok(PayloadRange { offset: payload.offset.plus(offset.0), length, ..payload })
        }
    }
}

/// What stands in the first line of an inbox.
pub(super) fn label(owner: Peer, geometry: Geometry) -> Label {
    Label { region: Region::Inbox, owner, serial: 0, geometry, bytes: geometry.inbox_bytes() }
}
