//! The sender's whole side: its arena, a ring and a bell for each receiver, and who still reads what.
//!
//! A payload is written once, however many receive it: [`Outbox::reserve`] a block, write it, [`Outbox::publish`] it. Nothing
//! here waits. What does not fit is an answer, and what to do about it (queue, grow, withdraw, give up) is the caller's
//! choice, as are the descriptors: this file makes no system call.

use super::descriptor::{Attachment, Descriptor, Heading, PayloadRange};
use super::doorbell::Bell;
use super::layout::{
    ATTACHMENT_BYTES, ByteCount, ByteOffset, Geometry, Label, Peer, Place, Position, Region, SegmentId, WORD_BYTES,
};
use super::memory::{OwnBytes, OwnMemory, PeerMemory};
use super::reclaim::{Kept, Ledger};
use super::refused::{Refused, What};
use super::ring::{Producer, Pushed};
use super::slab::{ATTACHED_PART, Block, NoRoom, Purpose, Slab};

/// Receivers map attached blocks from this length on. Shorter ones they copy: a mapping and what V8 keeps of one cost more.
pub const SHORTEST_MAPPED: ByteCount = ByteCount(64 * 1024);

#[derive(Debug)]
struct Link {
    receiver: Peer,
    producer: Producer,
    bell: Bell,
}

/// What one receiver gets of a block that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The receiver.
    pub to: Place,
    /// What it is told of the message.
    pub heading: Heading,
    /// How many bytes at the beginning of the block are not for it, such as a name it knows: whole words.
    pub skip: ByteCount,
}

/// What became of a block. Receivers that are in neither list have it.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Published {
    /// Their rings had no room.
    pub full: Vec<Place>,
    /// Their inboxes hold what cannot be: nothing that they say is to be believed any more, detach them.
    pub refused: Vec<(Place, Refused)>,
    /// Nobody is attached there.
    pub absent: Vec<Place>,
    /// The block, if no receiver has it.
    pub unsent: Option<Block>,
}

/// A message that was taken back from a receiver that had not claimed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// As it was published.
    pub heading: Heading,
    /// Its bytes, in private memory now; what was attached lies behind them.
    pub payload: Option<Vec<u8>>,
}

/// All that one process sends.
#[derive(Debug)]
pub struct Outbox {
    memory: OwnMemory,
    owner: Peer,
    geometry: Geometry,
    slab: Slab,
    ledger: Ledger,
    links: Vec<Option<Link>>,
    /// Found while blocks were reclaimed, and not told yet.
    refused: Vec<(Place, Refused)>,
    arena: ByteCount,
    // Empty between the calls; kept for their memory.
    freed: Vec<Block>,
    held: Vec<Position>,
    readers: Vec<(Place, Position)>,
}

impl Outbox {
    /// Labels fresh memory of [`Geometry::outbox_bytes`] as this process' outbox. Payload may use up to `arena` bytes.
    ///
    /// # Errors
    /// When the memory is too small, or the owner cannot be.
    pub fn new(memory: OwnMemory, owner: Peer, geometry: Geometry, arena: ByteCount) -> Result<Self, Refused> {
        geometry.check(owner)?;
        memory.write_label(label(owner, geometry))?;
        Ok(Self {
            slab: Slab::new(&memory, owner, geometry, arena)?,
            ledger: Ledger::new(geometry.places()),
            links: (0..geometry.places()).map(|_| None).collect(),
            refused: Vec::new(),
            arena,
            freed: Vec::new(),
            held: Vec::new(),
            readers: Vec::new(),
            memory,
            owner,
            geometry,
        })
    }

    /// Begins to send to a receiver. Whoever was at its place before is closed first.
    ///
    /// # Errors
    /// When the inbox is not that of this receiver.
    pub fn attach(&mut self, receiver: Peer, inbox: &PeerMemory) -> Result<(), Refused> {
        self.geometry.check(receiver)?;
        inbox.check_label(super::inbox::label(receiver, self.geometry))?;
        self.detach(receiver.place);
        let producer = Producer::open(&self.memory, inbox, self.geometry, self.owner, receiver)?;
        let link = Link { receiver, producer, bell: Bell::new(inbox)? };
        if let Some(seat) = self.links.get_mut(receiver.place.0 as usize) {
            *seat = Some(link);
        }
        Ok(())
    }

    /// A receiver is gone, or not to be believed: what it had not passed is free at once. Call for a process that may still run
    /// only if nobody will use what it reads.
    pub fn detach(&mut self, receiver: Place) {
        if let Some(seat) = self.links.get_mut(receiver.0 as usize) {
            *seat = None;
            self.refused.retain(|(place, _)| *place != receiver);
            self.ledger.close(receiver, &mut self.freed);
            self.free();
        }
    }

    /// Nobody talks to a receiver any more that lives on: what it has not claimed it will never see, what it may read in place
    /// stays as it is until it is detached, and the rest is free at once.
    pub fn part(&mut self, receiver: Place) {
        if let Some(seat) = self.links.get_mut(receiver.0 as usize) {
            if let Some(link) = seat
                && link.producer.withdraw(0).is_ok()
            {
                self.ledger.withdraw(receiver, link.producer.next(), &mut self.freed);
            }
            *seat = None;
            self.refused.retain(|(place, _)| *place != receiver);
            self.ledger.part(receiver, &mut self.freed);
            self.free();
        }
    }

    /// Who is attached at a place.
    #[must_use]
    pub fn receiver(&self, at: Place) -> Option<Peer> {
        self.links.get(at.0 as usize)?.as_ref().map(|link| link.receiver)
    }

    /// Whether a payload of so many bytes can ever have a block.
    #[must_use]
    pub fn fits(&self, length: ByteCount) -> bool {
        self.slab.fits(length)
    }

    /// A block for a payload, which nobody sees until it is published. Reclaims what has been passed before it says no.
    ///
    /// # Errors
    /// [`NoRoom`], with what would help.
    pub fn reserve(&mut self, length: ByteCount) -> Result<Block, NoRoom> {
        self.reserve_for(Purpose::Message, length)
    }

    /// The same, for what the block is for. For one that its receivers may map it is looked for what has been passed before all, although
    /// there may be room without that.
    ///
    /// # Errors
    /// As [`Outbox::reserve`].
    pub fn reserve_for(&mut self, purpose: Purpose, length: ByteCount) -> Result<Block, NoRoom> {
        // Else such blocks would go round the whole arena, and what is mapped would never be used again.
        let may_be_mapped = purpose == Purpose::Attachment && length >= SHORTEST_MAPPED;
        if !may_be_mapped && let Some(block) = self.slab.try_allocate(length, purpose) {
            return Ok(block);
        }
        self.reclaim();
        self.slab.allocate(length, purpose)
    }

    /// Copies bytes into a block that is not published yet.
    ///
    /// # Errors
    /// When they do not fit, or `at` is no multiple of the word.
    pub fn write(&self, block: &Block, at: ByteCount, bytes: &[u8]) -> Result<(), Refused> {
        Refused::beyond(What::Length, at.0.saturating_add(bytes.len() as u64), block.bytes().0)?;
        self.memory_of(block)?.write(block.offset().plus(at.0), bytes)
    }

    /// The memory of a block, for those who fill it in place.
    ///
    /// # Errors
    /// When it is no block of this outbox.
    pub fn memory_of(&self, block: &Block) -> Result<&OwnMemory, Refused> {
        self.slab.memory(block.segment()).ok_or(unknown_segment(block.segment()))
    }

    /// A block from `at` on, for code that fills it in place by its address.
    ///
    /// # Errors
    /// As [`Outbox::write`].
    pub fn bytes_of(&self, block: &Block, at: ByteCount) -> Result<OwnBytes, Refused> {
        Refused::beyond(What::Length, at.0, block.bytes().0)?;
        self.memory_of(block)?.bytes_at(block.offset().plus(at.0), ByteCount(block.bytes().0 - at.0))
    }

    /// Gives a block back that is not to be published after all.
    pub fn cancel(&mut self, block: Block) {
        self.slab.free(block);
    }

    /// Whether a block of so many bytes may be attached to messages: receivers may keep it for as long as they like, so all
    /// these together are at most half of the arena.
    #[must_use]
    pub fn may_attach(&mut self, length: ByteCount) -> bool {
        let fits =
            |outbox: &Self| outbox.ledger.attached().0.saturating_add(length.0) <= outbox.arena.0 / ATTACHED_PART;
        fits(self) || {
            self.reclaim();
            fits(self)
        }
    }

    /// Keeps a hand on a block that is to be attached to messages.
    pub fn keep(&mut self, block: Block) -> Kept {
        self.ledger.keep(block)
    }

    /// The block.
    ///
    /// # Errors
    /// When it is none of this outbox.
    pub fn kept_block(&self, kept: &Kept) -> Result<&Block, Refused> {
        self.ledger.block(kept).ok_or(unknown_segment(SegmentId { index: 0, serial: 0 }))
    }

    /// A part of a kept block, as it stands in the list of a message's attachments.
    ///
    /// # Errors
    /// When it does not lie within the block, or does not begin at a word.
    pub fn attachment(&self, kept: &Kept, at: ByteCount, length: ByteCount) -> Result<Attachment, Refused> {
        let block = self.kept_block(kept)?;
        Refused::unless_equal(What::Alignment, at.0 % WORD_BYTES, 0)?;
        Refused::beyond(What::Length, at.0.saturating_add(length.0), block.bytes().0)?;
        Ok(Attachment::Block(PayloadRange { segment: block.segment(), offset: block.offset().plus(at.0), length }))
    }

    /// Needs a kept block no more: it is free when its readers are done.
    pub fn let_go(&mut self, kept: Kept) {
        self.ledger.let_go(kept, &mut self.freed);
        self.free();
    }

    /// How many bytes all blocks have that are kept, or attached and with readers.
    #[must_use]
    pub fn attached(&self) -> ByteCount {
        self.ledger.attached()
    }

    /// Shows the first `length` bytes of a block to its receivers. Ask [`Outbox::must_ring`] for each of them afterwards.
    pub fn publish(&mut self, block: Block, length: ByteCount, deliveries: &[Delivery]) -> Published {
        self.publish_with(block, length, deliveries, &[])
    }

    /// The same, with blocks that the payload lists as its attachments: they stay as they are until all receivers are done with
    /// the message.
    pub fn publish_with(
        &mut self,
        block: Block,
        length: ByteCount,
        deliveries: &[Delivery],
        attached: &[&Kept],
    ) -> Published {
        let (segment, offset, length) = (block.segment(), block.offset(), length.0.min(block.bytes().0));
        self.readers.clear();
        let mut published = Published::default();
        for delivery in deliveries {
            let skip = delivery.skip.0.min(length);
            let range = PayloadRange { segment, offset: offset.plus(skip), length: ByteCount(length - skip) };
            let descriptor = Descriptor { heading: delivery.heading, range: Some(range) };
            if let Some(position) = self.push(delivery.to, descriptor, &mut published) {
                self.readers.push((delivery.to, position));
            }
        }
        published.unsent = self.ledger.enter(block, &self.readers);
        for kept in attached {
            self.ledger.attach(kept, &self.readers);
        }
        published
    }

    /// Sends a message that has no payload beside its heading.
    pub fn publish_bare(&mut self, heading: Heading, receivers: &[Place]) -> Published {
        let mut published = Published::default();
        for &to in receivers {
            let _ = self.push(to, Descriptor { heading, range: None }, &mut published);
        }
        published
    }

    fn push(&mut self, to: Place, descriptor: Descriptor, published: &mut Published) -> Option<Position> {
        let Some(link) = self.links.get_mut(to.0 as usize).and_then(Option::as_mut) else {
            published.absent.push(to);
            return None;
        };
        match link.producer.try_push(descriptor) {
            Ok(Pushed::At(position)) => return Some(position),
            Ok(Pushed::Full(_)) => published.full.push(to),
            Err(refused) => published.refused.push((to, refused)),
        }
        None
    }

    /// Whether a receiver sleeps and has not been rung for this sleep; the caller rings it then. One question after a row of
    /// messages is enough.
    #[must_use]
    pub fn must_ring(&mut self, receiver: Place) -> bool {
        self.links.get_mut(receiver.0 as usize).and_then(Option::as_mut).is_some_and(|link| link.bell.must_ring())
    }

    /// Whether a receiver's ring takes one more descriptor.
    ///
    /// # Errors
    /// When its inbox holds what cannot be.
    pub fn has_room(&mut self, receiver: Place) -> Result<bool, Refused> {
        match self.links.get_mut(receiver.0 as usize).and_then(Option::as_mut) {
            Some(link) => link.producer.has_room(),
            None => Ok(false),
        }
    }

    /// Frees what all its receivers have passed.
    pub fn reclaim(&mut self) {
        for link in self.links.iter_mut().flatten() {
            let place = link.receiver.place;
            match link.producer.refresh() {
                Ok(until) => {
                    link.producer.read_leases(&mut self.held);
                    self.ledger.pass(place, until, &self.held, &mut self.freed);
                }
                Err(_) if self.refused.iter().any(|(known, _)| *known == place) => {}
                Err(refused) => self.refused.push((place, refused)),
            }
        }
        self.free();
    }

    /// A receiver whose inbox was found, while blocks were reclaimed, to hold what cannot be: detach it, as it frees nothing
    /// any more. Ask after [`Outbox::reclaim`] and now and then after [`Outbox::reserve`].
    pub fn poll_refused(&mut self) -> Option<(Place, Refused)> {
        self.refused.pop()
    }

    /// Takes back what a receiver has not claimed, but for the first `keep` messages, and copies it into private memory: it is
    /// the head of the sender's own queue for this receiver from now on, and pins the arena no more.
    ///
    /// # Errors
    /// When the receiver's inbox holds what cannot be; nothing was taken back then.
    pub fn withdraw(&mut self, receiver: Place, keep: u64) -> Result<Vec<Withdrawn>, Refused> {
        let Some(link) = self.links.get_mut(receiver.0 as usize).and_then(Option::as_mut) else {
            return Ok(Vec::new());
        };
        let taken = link.producer.withdraw(keep)?;
        let from = link.producer.next();
        let copied = taken.iter().map(|descriptor| self.copy(descriptor)).collect::<Result<_, _>>();
        self.ledger.withdraw(receiver, from, &mut self.freed);
        self.free();
        copied
    }

    fn copy(&self, descriptor: &Descriptor) -> Result<Withdrawn, Refused> {
        let payload = descriptor.range.map(|range| self.copy_range(range)).transpose()?;
        match (payload, descriptor.heading.attachments) {
            (Some(payload), 1..) => self.copy_attachments(descriptor, payload),
            (payload, _) => Ok(Withdrawn { heading: descriptor.heading, payload }),
        }
    }

    /// Copies bytes of the own arena out.
    ///
    /// # Errors
    /// When they do not lie within it.
    pub fn read(&self, range: &PayloadRange, into: &mut [u8]) -> Result<(), Refused> {
        Refused::beyond(What::Length, into.len() as u64, range.length.0)?;
        self.slab.memory(range.segment).ok_or(unknown_segment(range.segment))?.read(range.offset, into)
    }

    fn copy_range(&self, range: PayloadRange) -> Result<Vec<u8>, Refused> {
        let mut bytes = vec![0; usize::try_from(range.length.0).unwrap_or(usize::MAX)];
        self.read(&range, &mut bytes).map(|()| bytes)
    }

    /// Appends what is attached, and lists it so.
    fn copy_attachments(&self, descriptor: &Descriptor, mut payload: Vec<u8>) -> Result<Withdrawn, Refused> {
        let list =
            payload.len() - usize::try_from(descriptor.behind_name().map_or(0, |range| range.length.0)).unwrap_or(0);
        for index in 0..descriptor.heading.attachments as usize {
            let at = list + index * ATTACHMENT_BYTES as usize;
            let Some(listed) = payload.get(at..).and_then(<[u8]>::first_chunk) else { break };
            let Attachment::Block(range) = Attachment::from_bytes(listed) else { continue };
            let bytes = self.copy_range(range)?;
            payload.resize(payload.len().next_multiple_of(WORD_BYTES as usize), 0);
            let inline = Attachment::Inline { offset: ByteOffset((payload.len() - list) as u64), length: range.length };
            payload.extend_from_slice(&bytes);
            if let Some(listed) = payload.get_mut(at..at + ATTACHMENT_BYTES as usize) {
                listed.copy_from_slice(&inline.to_bytes());
            }
        }
        Ok(Withdrawn { heading: descriptor.heading, payload: Some(payload) })
    }

    /// The messages that a receiver has not passed, in order, as far as its inbox is to be believed: lost, where it is let go of.
    pub fn unread(&mut self, receiver: Place) -> Vec<Descriptor> {
        let link = self.links.get_mut(receiver.0 as usize).and_then(Option::as_mut);
        link.map(|link| link.producer.unread()).unwrap_or_default()
    }

    /// How many bytes of the arena a receiver has not passed yet.
    #[must_use]
    pub fn waiting_for(&self, receiver: Place) -> ByteCount {
        self.ledger.waiting(receiver)
    }

    /// How many bytes of the arena a receiver has passed and goes on reading.
    #[must_use]
    pub fn leased_by(&self, receiver: Place) -> ByteCount {
        self.ledger.leased(receiver)
    }

    /// Takes fresh memory, as [`NoRoom::Grow`] asked for it, into use. Its descriptor has to be handed to all receivers.
    ///
    /// # Errors
    /// When there are too many segments.
    pub fn add_segment(&mut self, memory: OwnMemory) -> Result<SegmentId, Refused> {
        self.slab.add_segment(memory)
    }

    /// Drops empty segments but for `keep` bytes.
    pub fn drop_empty(&mut self, keep: ByteCount) {
        self.reclaim();
        self.slab.drop_empty(keep);
    }

    /// Names a segment that was dropped, by [`Outbox::drop_empty`] or by [`Outbox::reserve`] in favour of a larger one: for
    /// receivers that sleep, as those who are awake see it in the table.
    pub fn poll_dropped(&mut self) -> Option<SegmentId> {
        self.slab.poll_dropped()
    }

    /// The arena, for counters.
    #[must_use]
    pub fn slab(&self) -> &Slab {
        &self.slab
    }

    fn free(&mut self) {
        for block in self.freed.drain(..) {
            self.slab.free(block);
        }
    }
}

fn unknown_segment(segment: SegmentId) -> Refused {
    Refused { what: What::Segment, found: segment.to_word(), limit: 0 }
}

/// What stands in the first line of an outbox.
pub(super) fn label(owner: Peer, geometry: Geometry) -> Label {
    Label { region: Region::Outbox, owner, serial: 0, geometry, bytes: geometry.outbox_bytes() }
}
