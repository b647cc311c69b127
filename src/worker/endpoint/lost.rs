//! What is lost of what this process has sent, when it and the receiver have no memory in common any more: counted by action, to be told.

use std::collections::HashMap;

use super::names::unfilled;
use super::{Endpoint, Peer};
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
    /// What was sent to this process, before the two were set apart, and had not been read as far as could be seen. Once.
    pub fn take_lost(&mut self, peer: Peer) -> Vec<Lost> {
        let all = std::mem::take(&mut self.losses.0);
        let (lost, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(to, _)| *to == peer);
        self.losses.0 = others;
        lost.into_iter().map(|(_, lost)| lost).collect()
    }

    /// Counts what a receiver has not read, before it is let go of.
    pub(super) fn note_lost(&mut self, peer: Peer) {
        let mut counts: HashMap<Vec<u8>, u64> = HashMap::new();
        for descriptor in self.outbox.unread(peer.place) {
            *counts.entry(self.name_of(&descriptor)).or_default() += 1;
        }
        if let Some(link) = self.links.get(peer.place) {
            for waiting in &link.queue {
                *counts.entry(waiting.name().to_vec()).or_default() += 1;
            }
        }
        let mut lost: Vec<_> = counts.into_iter().map(|(name, count)| (peer, Lost { name, count })).collect();
        lost.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        self.losses.0.append(&mut lost);
    }

    fn name_of(&self, descriptor: &Descriptor) -> Vec<u8> {
        let mut name = vec![0; descriptor.heading.name_length as usize];
        let is_read = descriptor.range.is_some_and(|range| self.outbox.read(&range, &mut name).is_ok());
        if is_read { unfilled(&name).to_vec() } else { Vec::new() }
    }
}
