//! The peers of this process, by place.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::super::tally::Queued;
use super::names::unfilled;
use crate::sys::event::Event;
use crate::transport::switchboard::descriptor::Heading;
use crate::transport::switchboard::layout::{ByteCount, Peer, Place};

/// What a shared payload costs beside its bytes: the counts and the vector, and the allocator's share of both.
const PAYLOAD_COST: usize = 72;

/// A message that found no room.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) heading: Heading,
    /// The name and what follows.
    pub(super) payload: Arc<Vec<u8>>,
    pub(super) since: Instant,
    /// Which of those that were kept here it is, from 1; 0 where it was taken back.
    pub(super) number: u64,
    /// Counts it.
    _queued: Queued,
}

fn filled_name(heading: Heading, payload: &[u8]) -> &[u8] {
    payload.get(..heading.name_length as usize).unwrap_or_default()
}

impl Waiting {
    pub(super) fn new(heading: Heading, payload: Vec<u8>) -> Self {
        let queued = Queued::new(filled_name(heading, &payload));
        Self { heading, payload: Arc::new(payload), since: Instant::now(), number: 0, _queued: queued }
    }

    /// What it is called; empty where that stands in its data.
    pub(super) fn name(&self) -> &[u8] {
        unfilled(filled_name(self.heading, &self.payload))
    }

    /// The bytes that it takes of the arena.
    pub(super) fn bytes(&self) -> ByteCount {
        ByteCount(self.payload.len() as u64)
    }

    /// How much memory it takes, its place in the queue included: a queue of tiny messages must not hold several times its bound.
    pub(super) fn cost(&self) -> usize {
        self.payload.len() + size_of::<Self>() + PAYLOAD_COST
    }
}

/// One peer.
pub(super) struct Link {
    pub(super) peer: Peer,
    pub(super) bell: Event,
    /// In the order in which they were sent; what is in the ring comes before them.
    pub(super) queue: VecDeque<Waiting>,
    pub(super) waiting_bytes: usize,
    /// It has not read for long while as much waited as may: the sender waits for it once, not for each message.
    pub(super) is_hopeless: bool,
    /// Messages that were sent by Node's channel before are in; only then its ring is read.
    pub(super) is_open: bool,
    /// How far its ring was filled at the last [`super::Endpoint::mark`].
    pub(super) marked: u64,
}

impl Link {
    pub(super) fn new(peer: Peer, bell: Event) -> Self {
        Self { peer, bell, queue: VecDeque::new(), waiting_bytes: 0, is_hopeless: false, is_open: false, marked: 0 }
    }
}

/// All peers; found by an index, because one is looked for with each message.
#[derive(Default)]
pub(super) struct Links(Vec<Option<Link>>);

impl Links {
    pub(super) fn get(&self, place: Place) -> Option<&Link> {
        self.0.get(place.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Link> {
        self.0.get_mut(place.0 as usize)?.as_mut()
    }

    /// The caller has checked that there is such a place.
    pub(super) fn insert(&mut self, link: Link) {
        let index = link.peer.place.0 as usize;
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        if let Some(seat) = self.0.get_mut(index) {
            *seat = Some(link);
        }
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<Link> {
        self.0.get_mut(place.0 as usize)?.take()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.0.iter().flatten()
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.iter().map(|link| link.peer.place).collect()
    }
}
