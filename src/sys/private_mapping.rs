//! Parts of a peer's memory that this process reads where they lie, and may write for itself.
//!
//! Each part has a mapping of its own, `MAP_PRIVATE`: a page that is written becomes this process' own, all others stay the file's. A mapping
//! that is given back and was never written shows what a new one would show, so it is kept for the next part at the same place. That saves
//! less of mmap(2) than of the page faults, which are most of what a part costs (5 µs for each 64 KiB that are looked at).
#![allow(unsafe_code)] // madvise, and addresses within a mapping

use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use nix::libc;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise};
use nix::unistd::{SysconfVar, sysconf};

use super::page_table;
use super::shared_memory::Mapping;

/// So many mappings of one file are kept, for buffers that come and go at the same time.
const SPARES: usize = 8;

/// A mapping of whole pages of a file.
#[derive(Debug)]
struct Pages {
    /// Where in the file they begin.
    first: usize,
    mapping: Mapping,
}

impl Pages {
    fn covers(&self, first: usize, bytes: usize) -> bool {
        self.first <= first && first + bytes <= self.first + self.mapping.bytes.get()
    }

    fn are_unwritten(&self) -> bool {
        page_bytes().is_some_and(|page| {
            let bytes = self.mapping.bytes.get();
            page_table::is_unwritten(self.mapping.start.as_ptr().addr(), bytes, page)
        })
    }
}

/// Mappings that nobody uses and nobody has written to, the oldest first.
#[derive(Debug, Default)]
struct Spares(Mutex<Vec<Pages>>);

impl Spares {
    /// The smallest that covers the range.
    fn take(&self, first: usize, bytes: usize) -> Option<Pages> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = all.iter().enumerate().filter(|(_, pages)| pages.covers(first, bytes));
        let (at, _) = fitting.min_by_key(|(_, pages)| pages.mapping.bytes)?;
        Some(all.remove(at))
    }

    fn put(&self, pages: Pages) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == SPARES {
            all.remove(0);
        }
        all.push(pages);
    }
}

/// A file of a peer's, whose parts can be mapped.
#[derive(Debug)]
pub(super) struct PrivateParts {
    file: OwnedFd,
    /// Gone with the file: what comes back later is unmapped.
    spares: Arc<Spares>,
}

impl PrivateParts {
    pub(super) fn new(file: OwnedFd) -> Self {
        Self { file, spares: Arc::default() }
    }

    /// A part, which must lie within the file. `None` where the kernel has no more mappings.
    pub(super) fn map(&self, offset: usize, bytes: usize) -> Option<PrivateMapping> {
        let page = page_bytes()?;
        let first = offset - offset % page;
        let length = bytes.checked_add(offset - first)?.checked_next_multiple_of(page)?;
        let pages = match self.spares.take(first, length) {
            Some(spare) => spare,
            None => self.map_pages(first, length)?,
        };
        // SAFETY: within the mapping, which covers the part.
        let start = unsafe { pages.mapping.start.add(offset - pages.first) };
        Some(PrivateMapping { pages: Some(pages), start, bytes, home: Arc::downgrade(&self.spares) })
    }

    fn map_pages(&self, first: usize, bytes: usize) -> Option<Pages> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let offset = libc::off_t::try_from(first).ok()?;
        let mapping = Mapping::of(self.file.as_fd(), offset, bytes, access, MapFlags::MAP_PRIVATE).ok()?;
        // SAFETY: the advice is about the children of a fork, and the range is the mapping that was just made.
        unsafe { madvise(mapping.start.cast(), bytes, MmapAdvise::MADV_DONTFORK) }.ok()?;
        Some(Pages { first, mapping })
    }
}

/// A part of a peer's memory that this process may write as well: what it writes is its own from then on, and nobody else sees it.
/// It stays as long as this value, whatever becomes of the peer.
#[derive(Debug)]
pub struct PrivateMapping {
    /// Until it is dropped.
    pages: Option<Pages>,
    start: NonNull<u8>,
    bytes: usize,
    home: Weak<Spares>,
}

// SAFETY: as of `Mapping`, whose address it is.
unsafe impl Send for PrivateMapping {}

impl PrivateMapping {
    /// Its first byte. Valid as long as this value lives.
    #[must_use]
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for PrivateMapping {
    fn drop(&mut self) {
        let (Some(pages), Some(home)) = (self.pages.take(), self.home.upgrade()) else { return };
        if pages.are_unwritten() {
            home.put(pages);
        }
    }
}

fn page_bytes() -> Option<usize> {
    static PAGE: OnceLock<Option<usize>> = OnceLock::new();
    let ask = || sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|bytes| usize::try_from(bytes).ok());
    *PAGE.get_or_init(ask)
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::*;
    use crate::sys::shared_memory::{OwnMapping, PeerMapping, create, open_kept};

    const PAGE: usize = 4096;
    const BYTES: usize = 32 * PAGE;

    fn shared() -> (OwnMapping, PeerMapping) {
        let (own, file) = create(c"test", BYTES).unwrap();
        let peer = open_kept(file.as_fd(), BYTES).unwrap();
        (own, peer)
    }

    fn write(start: NonNull<u8>, at: usize, byte: u8) {
        assert!(at < BYTES);
        // SAFETY: callers name a byte of a mapping.
        let place = unsafe { start.add(at) };
        // SAFETY: it can be written, and nobody else uses it in this test.
        unsafe { place.write_volatile(byte) };
    }

    fn read(part: &PrivateMapping, at: usize) -> u8 {
        assert!(at < part.bytes());
        // SAFETY: within the mapping.
        let place = unsafe { part.start().add(at) };
        // SAFETY: it can be read, and nobody else uses it in this test.
        unsafe { place.read_volatile() }
    }

    #[test]
    fn one_that_was_only_read_serves_again_and_shows_what_its_owner_has_written_since() {
        let (own, peer) = shared();
        for round in 1..100_u8 {
            write(own.start(), 3 * PAGE + 64, round);
            let part = peer.private(3 * PAGE + 64, 2 * PAGE).unwrap();
            assert_eq!(read(&part, 0), round);
            let address = part.start();
            drop(part);
            let parts = peer.parts().unwrap();
            assert_eq!(parts.spares.0.lock().unwrap().len(), 1);
            let shorter = peer.private(4 * PAGE, 10).unwrap();
            assert_eq!(shorter.start().as_ptr().addr(), address.as_ptr().addr() + PAGE - 64, "a smaller part of it");
        }
    }

    #[test]
    fn what_was_written_is_seen_by_nobody_who_comes_later() {
        let (own, peer) = shared();
        for at in 0..BYTES {
            write(own.start(), at, 1);
        }
        for page in 0..8 {
            let part = peer.private(PAGE / 2, 8 * PAGE).unwrap();
            let places = [page * PAGE, page * PAGE + PAGE / 2, 8 * PAGE - 1];
            for at in places {
                assert_eq!(read(&part, at), 1);
                write(part.start(), at, 2);
            }
            drop(part);
            assert!(peer.parts().unwrap().spares.0.lock().unwrap().is_empty());
            let next = peer.private(PAGE / 2, 8 * PAGE).unwrap();
            assert!(places.iter().all(|&at| read(&next, at) == 1), "{page}");
        }
    }

    #[test]
    fn two_at_a_time_never_have_the_same_mapping() {
        let (_own, peer) = shared();
        drop(peer.private(0, BYTES).unwrap());
        let parts = [peer.private(0, PAGE).unwrap(), peer.private(0, PAGE).unwrap()];
        write(parts[0].start(), 0, 9);
        assert_eq!(parts.each_ref().map(|part| read(part, 0)), [9, 0]);
    }

    #[test]
    fn so_many_are_kept_and_none_without_the_file() {
        let (_own, peer) = shared();
        let kept = || peer.parts().unwrap().spares.0.lock().unwrap().len();
        let parts: Vec<_> = (0..SPARES * 2).map(|_| peer.private(0, PAGE).unwrap()).collect();
        drop(parts);
        assert_eq!(kept(), SPARES);
        let part = peer.private(0, PAGE).unwrap();
        let home = part.home.clone();
        drop(peer);
        assert!(home.upgrade().is_none());
        assert_eq!(read(&part, 0), 0);
    }
}
