//! This process on the switchboard: its memory, its peers, and the socket on which the master tells of them.
//!
//! Joins the pure core (`transport::switchboard`) with the files, bells and records of `sys`. Never blocks. What a peer's memory
//! holds is never believed: a peer that writes what cannot be is let go of, and reached by Node's channel again.

mod leaving;
mod links;
mod load;
pub mod loans;
pub mod lost;
pub mod names;
mod receiving;
mod resting;
pub mod sending;
mod spin;
#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests;

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use crate::message::address::Generation;
use crate::sys::event::Event;
pub use crate::sys::event_loop::EventLoop;
use crate::sys::event_loop::{BeforeWait, Readiness};
pub use crate::sys::shared_memory::PrivateMapping;
use crate::sys::shared_memory::{self, SharedMemoryError};
use crate::sys::{SysError, unix_socket};
pub use crate::transport::switchboard::control::Role;
use crate::transport::switchboard::control::{Control, RECORD_BYTES};
pub use crate::transport::switchboard::descriptor::Kind;
use crate::transport::switchboard::descriptor::{Flags, Heading};
use crate::transport::switchboard::inbox::Inbox;
use crate::transport::switchboard::layout::{ActionRef, Geometry, SegmentId};
pub use crate::transport::switchboard::layout::{ByteCount, Peer, Place};
pub use crate::transport::switchboard::memory::{OwnBytes, PeerBytes};
use crate::transport::switchboard::memory::{OwnMemory, PeerMemory};
use crate::transport::switchboard::outbox::Outbox;
pub use crate::transport::switchboard::outbox::SHORTEST_MAPPED;
use crate::transport::switchboard::refused::{Refused, What};
use links::{Link, Links};
pub use load::Load;
use load::Waits;
use loans::Loans;
use lost::Losses;
use names::Names;
pub use receiving::{Action, Located, Received};
use receiving::{Kept, Next, SEGMENT_PATIENCE};
use resting::Rest;
pub use resting::Resting;
use sending::Spare;

/// Why this process is not on the switchboard.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// What the master put into the environment is nothing that it puts there.
    #[error("{found:?} does not name a place on the switchboard")]
    Invitation {
        /// What was found.
        found: String,
    },
    /// There is no memory.
    #[error("cannot make memory for the switchboard")]
    Memory(#[from] SharedMemoryError),
    /// There is no bell, or no way to the master.
    #[error("cannot join the switchboard")]
    System(#[from] SysError),
    /// Fresh memory of our own is not what it must be.
    #[error("cannot lay out the switchboard's memory")]
    Layout(#[from] Refused),
}

/// What happened on the switchboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A process has been forked; it cannot be sent to yet.
    Expected {
        /// Who.
        peer: Peer,
        /// What it is.
        role: Role,
        /// Its address in messages.
        pid: u32,
    },
    /// A process can be sent to.
    Joined {
        /// Who.
        peer: Peer,
        /// What it is.
        role: Role,
        /// Its address in messages.
        pid: u32,
    },
    /// A process reads nothing any more, and may still send.
    Left {
        /// Who.
        peer: Peer,
    },
    /// A process has ended. Take what it published, then let go of it.
    Gone {
        /// Who.
        peer: Peer,
    },
    /// A message to a process was given up: [`Endpoint::take_lost`] tells which.
    Lost {
        /// To whom.
        peer: Peer,
    },
    /// A process wrote what cannot be, or what it handed over is not what it was said to be: [`Endpoint::take_lost`] tells what is lost.
    Broken {
        /// Who.
        peer: Peer,
    },
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// All receivers have it.
    All,
    /// Some have it not: it waits for them here, and [`Endpoint::flush`] is due.
    Waits,
    /// As much waits already as may wait; those that had no room do not get it.
    Refused,
    /// It is larger than all memory that there may be; nobody gets it.
    TooBig,
}

/// What wakes this process up; ends with this value. To be dropped before the endpoint.
pub struct Watches {
    _descriptors: [Readiness; 2],
    _waits: BeforeWait,
}

/// What is to be called on the event loop.
pub struct Calls {
    /// The bell rings: [`Endpoint::rung`], and receive.
    pub on_bell: Rc<dyn Fn()>,
    /// The loop is about to wait: [`Endpoint::before_wait`].
    pub on_wait: Rc<dyn Fn()>,
    /// The master has something to tell.
    pub on_news: Rc<dyn Fn()>,
}

/// How much memory the messages of one process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Shared memory, in bytes.
    pub arena: u64,
    /// Private memory for what waits for one receiver, in bytes.
    pub max_queue: usize,
}

/// One process on the switchboard.
pub struct Endpoint {
    own: Peer,
    arena: ByteCount,
    limits: Limits,
    waits: Waits,
    /// How many messages have found no room so far.
    last_kept: u64,
    /// Who did not get the last message that was refused.
    refused: Vec<Place>,
    outbox: Outbox,
    inbox: Inbox,
    bell: Event,
    master: OwnedFd,
    links: Links,
    names: Names,
    next: Option<Next>,
    /// Who keeps this process waiting for a segment.
    kept: Option<Kept>,
    /// How long it may take until a segment is handed over.
    patience: Duration,
    rest: Rest,
    spare: Spare,
    loans: Loans,
    losses: Losses,
    news: VecDeque<News>,
    /// Whose turn it is, so that one sender does not hold up the others.
    turn: VecDeque<Place>,
}

impl Endpoint {
    /// Takes the place that the master offers: `<descriptor>:<place>:<generation>`.
    ///
    /// # Errors
    /// See [`EndpointError`].
    pub fn join(invitation: &str, limits: Limits) -> Result<Self, EndpointError> {
        let (master, own) = parse(invitation)?;
        let geometry = Geometry::STANDARD;
        let (outbox, outbox_file) = memory(c"clutch-outbox", geometry.outbox_bytes())?;
        let (inbox, inbox_file) = memory(c"clutch-inbox", geometry.inbox_bytes())?;
        let bell = Event::new()?;
        let outbox = Outbox::new(outbox, own, geometry, ByteCount(limits.arena))?;
        let inbox = Inbox::new(inbox, own, geometry)?;
        let files = [outbox_file.as_fd(), inbox_file.as_fd(), bell.as_fd()];
        unix_socket::send_record(master.as_fd(), &Control::Hello.to_bytes(), &files)?;
        Ok(Self {
            own,
            arena: ByteCount(limits.arena),
            limits,
            waits: Waits::default(),
            last_kept: 0,
            refused: Vec::new(),
            outbox,
            inbox,
            bell,
            master,
            links: Links::default(),
            names: Names::default(),
            next: None,
            kept: None,
            patience: SEGMENT_PATIENCE,
            rest: Rest::default(),
            spare: Spare::default(),
            loans: Loans::default(),
            losses: Losses::default(),
            news: VecDeque::new(),
            turn: VecDeque::new(),
        })
    }

    /// Calls on the event loop when there are messages, or the master has something to tell.
    ///
    /// # Errors
    /// When this process has no such loop.
    pub fn watch(&self, event_loop: EventLoop, calls: &Calls) -> Result<Watches, SysError> {
        let call = |what: &Rc<dyn Fn()>| {
            let what = Rc::clone(what);
            Box::new(move || what())
        };
        let bell = Readiness::watch(event_loop, self.bell.as_fd(), call(&calls.on_bell))?;
        let master = Readiness::watch(event_loop, self.master.as_fd(), call(&calls.on_news))?;
        let waits = BeforeWait::watch(event_loop, call(&calls.on_wait))?;
        Ok(Watches { _descriptors: [bell, master], _waits: waits })
    }

    /// The place of this process.
    #[must_use]
    pub fn own(&self) -> Peer {
        self.own
    }

    /// Reads what the master has to tell. Answers false when it has gone, and will never tell anything again.
    pub fn hear_master(&mut self) -> bool {
        loop {
            let mut record = [0; RECORD_BYTES + 1];
            let mut descriptors = Vec::new();
            match unix_socket::receive(self.master.as_fd(), &mut record, &mut descriptors) {
                Ok(received) if received.bytes == 0 => return false,
                Ok(received) => {
                    if let Ok(control) = Control::from_bytes(&record[..received.bytes]) {
                        self.take(control, descriptors);
                    }
                }
                Err(error) => return error.is_would_block(),
            }
        }
    }

    /// What is new about who takes part.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    fn take(&mut self, control: Control, descriptors: Vec<OwnedFd>) {
        match control {
            Control::Peer { peer, role, pid } => match self.link(peer, descriptors) {
                Ok(()) => self.news.push_back(News::Joined { peer, role, pid }),
                Err(_) => {
                    self.news.push_back(News::Broken { peer });
                    self.tell_apart(peer);
                }
            },
            Control::Expected { peer, role, pid } => self.news.push_back(News::Expected { peer, role, pid }),
            Control::Segment { sender, segment, bytes } => {
                if self.has(sender) && self.add_segment(sender, segment, bytes, &descriptors).is_err() {
                    self.distrust(sender.place);
                }
            }
            Control::Dropped { sender, .. } if self.has(sender) => self.inbox.drop_unlisted(sender.place),
            Control::Left { peer } => {
                if self.has(peer) {
                    self.stop_sending_to(peer.place);
                }
                self.news.push_back(News::Left { peer });
            }
            Control::Gone { peer } => {
                if self.has(peer) {
                    // What it sent is read before it is let go of.
                    self.stop_sending_to(peer.place);
                } else if self.links.get(peer.place).is_none() {
                    // Nobody has talked to it for a while, and it may have read in place until now.
                    self.outbox.detach(peer.place);
                }
                self.news.push_back(News::Gone { peer });
            }
            Control::Apart { peer } if self.has(peer) => self.part(peer),
            Control::Apart { .. } | Control::Dropped { .. } | Control::Hello => {}
        }
    }

    fn link(&mut self, peer: Peer, descriptors: Vec<OwnedFd>) -> Result<(), EndpointError> {
        let Ok([outbox, inbox, bell]) = <[OwnedFd; 3]>::try_from(descriptors) else {
            return Err(EndpointError::Invitation { found: "a peer without its memory".to_owned() });
        };
        let geometry = Geometry::STANDARD;
        let outbox = peer_memory(outbox.as_fd(), geometry.outbox_bytes())?;
        let inbox = peer_memory(inbox.as_fd(), geometry.inbox_bytes())?;
        // Whoever was there before is gone for longer than we know.
        self.let_go(peer.place);
        self.inbox.attach(peer, &outbox)?;
        self.outbox.attach(peer, &inbox)?;
        self.links.insert(Link::new(peer, Event::from_descriptor(bell)));
        self.turn.push_back(peer.place);
        Ok(())
    }

    fn add_segment(
        &mut self,
        sender: Peer,
        segment: SegmentId,
        bytes: ByteCount,
        descriptors: &[OwnedFd],
    ) -> Result<(), EndpointError> {
        let [file] = descriptors else {
            return Err(EndpointError::Invitation { found: "a segment without its memory".to_owned() });
        };
        self.inbox.drop_unlisted(sender.place);
        // All have the same limit. A payload of any size would be memory of any size here.
        Refused::beyond(What::Size, bytes.0, self.arena.0)?;
        let length = usize::try_from(bytes.0).unwrap_or(usize::MAX);
        let memory = shared_memory::open_kept(file.as_fd(), length)?.into();
        Ok(self.inbox.add_segment(sender.place, segment, bytes, memory)?)
    }

    fn has(&self, peer: Peer) -> bool {
        self.links.get(peer.place).is_some_and(|link| link.peer == peer)
    }

    /// Everything that a sender sent by Node's channel is in: its ring may be read.
    pub fn open(&mut self, peer: Peer) {
        if let Some(link) = self.links.get_mut(peer.place).filter(|link| link.peer == peer) {
            link.is_open = true;
        }
    }

    /// Forgets a peer; what is still in its ring is lost.
    pub fn let_go(&mut self, place: Place) {
        if self.forget(place) {
            self.outbox.detach(place);
        }
    }

    fn forget(&mut self, place: Place) -> bool {
        let is_known = self.links.remove(place).is_some();
        if is_known {
            self.inbox.detach(place);
            self.turn.retain(|other| *other != place);
            self.next.take_if(|next| next.sender() == place);
            self.kept.take_if(|kept| kept.by == place);
        }
        is_known
    }

    fn distrust(&mut self, place: Place) {
        if let Some(link) = self.links.get(place) {
            let peer = link.peer;
            self.part(peer);
            self.tell_apart(peer);
        }
    }

    fn part(&mut self, peer: Peer) {
        self.note_lost(peer);
        if self.forget(peer.place) {
            // It lives on, and may read in place what it has.
            self.outbox.part(peer.place);
        }
        self.news.push_back(News::Broken { peer });
        // JavaScript hears of it when it is called.
        self.come_back();
    }

    /// The other one must know, or it would go on sending to where nobody reads.
    fn tell_apart(&self, peer: Peer) {
        // Not heard, the master is gone, and all end.
        let _ = unix_socket::send_record(self.master.as_fd(), &Control::Apart { peer }.to_bytes(), &[]);
    }
}

/// One process, by its numbers.
#[must_use]
pub fn peer(place: u32, generation: u32) -> Peer {
    Peer { place: Place(place), generation: Generation(generation) }
}

/// The heading of a message for one of the layers above.
#[must_use]
pub fn heading(kind: Kind, flags: u16, tag: u64) -> Heading {
    Heading { kind, flags: Flags(flags), action: ActionRef(0), name_length: 0, tag, attachments: 0 }
}

fn memory(name: &std::ffi::CStr, bytes: ByteCount) -> Result<(OwnMemory, OwnedFd), EndpointError> {
    let bytes = usize::try_from(bytes.0).unwrap_or(usize::MAX);
    let (mapping, file) = shared_memory::create(name, bytes)?;
    Ok((mapping.into(), file))
}

fn peer_memory(file: BorrowedFd<'_>, bytes: ByteCount) -> Result<PeerMemory, EndpointError> {
    Ok(shared_memory::open(file, usize::try_from(bytes.0).unwrap_or(usize::MAX))?.into())
}

fn parse(invitation: &str) -> Result<(OwnedFd, Peer), EndpointError> {
    let bad = || EndpointError::Invitation { found: invitation.to_owned() };
    let numbers: Vec<u32> = invitation.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| bad())?;
    let &[descriptor, place, generation] = numbers.as_slice() else { return Err(bad()) };
    let descriptor = i32::try_from(descriptor).map_err(|_| bad())?;
    let peer = Peer { place: Place(place), generation: Generation(generation) };
    Ok((unix_socket::inherited(descriptor)?, peer))
}
