//! What is lost of what this process has sent, when it and the receiver have no memory in common any more: counted by action, to be told.

use std::collections::HashMap;

use super::links::Waiting;
use super::names::unfilled;
use super::{Endpoint, News, Peer, Place};
use crate::transport::switchboard::descriptor::Descriptor;

/// Messages of one action that their receiver will not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What they were called; empty where that stands in their data.
    pub name: Vec<u8>,
    /// How many.
    pub count: u64,
}

/// All that is lost and was not told yet.
#[derive(Debug, Default)]
pub(super) struct Losses(Vec<(Peer, Lost)>);

impl Endpoint {
    /// What was sent to this process and will not be read: it was given up, or had not been read as far as could be seen when the two were
    /// set apart. Once.
    pub fn take_lost(&mut self, peer: Peer) -> Vec<Lost> {
        let all = std::mem::take(&mut self.losses.0);
        let (lost, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(to, _)| *to == peer);
        self.losses.0 = others;
        lost.into_iter().map(|(_, lost)| lost).collect()
    }

    /// Counts what a receiver has not read, before it is let go of.
    pub(super) fn note_lost(&mut self, peer: Peer) {
        let unread = self.outbox.unread(peer.place);
        let unread = unread.iter().map(|descriptor| self.name_of(descriptor));
        let lost = counted(unread.chain(self.unsent(peer)));
        self.record(peer, lost);
    }

    /// A message that waits for a process can never be sent any more: with copies of what was attached to it, it is larger than the arena.
    pub(super) fn note_grown(&mut self, place: Place, waiting: &Waiting) {
        let Some(peer) = self.links.get(place).map(|link| link.peer) else { return };
        self.losses.0.push((peer, Lost { name: waiting.name().to_vec(), count: 1 }));
        self.news.push_back(News::Lost { peer });
        self.come_back();
    }

    /// Counts what waits for a process and will not be sent any more.
    pub(super) fn note_unsent(&mut self, peer: Peer) {
        let lost = counted(self.unsent(peer));
        self.record(peer, lost);
    }

    fn record(&mut self, peer: Peer, lost: Vec<Lost>) {
        self.losses.0.extend(lost.into_iter().map(|lost| (peer, lost)));
    }

    /// The names of what waits here for a process.
    fn unsent(&self, peer: Peer) -> impl Iterator<Item = Vec<u8>> {
        let queue = self.links.get(peer.place).map(|link| &link.queue);
        queue.into_iter().flatten().map(|waiting| waiting.name().to_vec())
    }

    fn name_of(&self, descriptor: &Descriptor) -> Vec<u8> {
        let mut name = vec![0; descriptor.heading.name_length as usize];
        let is_read = descriptor.range.is_some_and(|range| self.outbox.read(&range, &mut name).is_ok());
        if is_read { unfilled(&name).to_vec() } else { Vec::new() }
    }
}

fn counted(names: impl Iterator<Item = Vec<u8>>) -> Vec<Lost> {
    let mut counts: HashMap<Vec<u8>, u64> = HashMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut lost: Vec<_> = counts.into_iter().map(|(name, count)| Lost { name, count }).collect();
    lost.sort_by(|one, other| one.name.cmp(&other.name));
    lost
}
