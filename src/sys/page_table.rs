//! Which pages of a private mapping this process has written: those are copies of its own, all others are still the file's.
//!
//! The kernel tells by /proc/self/pagemap (`Documentation/admin-guide/mm/pagemap.rst`): whoever may run here may ask for its own, and gets
//! everything but the addresses of pages. From Linux 6.7 on one call looks through a range; before, there is a word for each page to be read.
//! Either is believed only after it has told of memory that is known to be our own: a sandbox may show a table of zeroes.
#![allow(unsafe_code)] // an ioctl

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use nix::errno::Errno;

// Bits of a word of pagemap.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
/// A page of a file, or of shared memory; a copy is neither.
const OF_FILE: u64 = 1 << 61;

const WORD: usize = size_of::<u64>();
/// So many words are read at a time.
const WORDS_A_READ: usize = 512;

// From <linux/fs.h>.
const PAGE_IS_FILE: u64 = 1 << 2;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Debug, Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    found: u64,
    found_room: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_any_of_mask: u64,
    return_mask: u64,
}

/// `struct page_region`.
#[repr(C)]
#[derive(Debug, Default)]
struct Run {
    start: u64,
    end: u64,
    categories: u64,
}

nix::ioctl_readwrite!(pagemap_scan, b'f', 16, Scan);

/// True where it is certain that no page of a private mapping of a file has been written. Nobody may write to it meanwhile.
///
/// `start` is the address of its first page, `bytes` a multiple of the page.
pub(super) fn is_unwritten(start: usize, bytes: usize, page_bytes: usize) -> bool {
    match means(page_bytes) {
        Means::Scan(table) => scan(table, start, bytes).unwrap_or(false),
        Means::Read(table) => read(table, start / page_bytes, bytes / page_bytes),
        Means::None => false,
    }
}

/// How it is found out on this machine.
#[derive(Debug)]
enum Means {
    Scan(File),
    Read(File),
    None,
}

fn means(page_bytes: usize) -> &'static Means {
    static MEANS: OnceLock<Means> = OnceLock::new();
    MEANS.get_or_init(|| File::open("/proc/self/pagemap").map_or(Means::None, |table| choose(table, page_bytes)))
}

fn choose(table: File, page_bytes: usize) -> Means {
    // Pages that were just written, and are no file's.
    let witness = vec![1_u8; page_bytes * 2];
    let first = std::hint::black_box(&witness).as_ptr().addr().next_multiple_of(page_bytes);
    if scan(&table, first, page_bytes) == Ok(false) {
        Means::Scan(table)
    } else if !read(&table, first / page_bytes, 1) {
        Means::Read(table)
    } else {
        Means::None
    }
}

/// Looks for one page that is there, or swapped out, and is not the file's.
fn scan(table: &File, start: usize, bytes: usize) -> Result<bool, Errno> {
    let mut found = Run::default();
    let mut scan = Scan {
        size: size_of::<Scan>() as u64,
        start: start as u64,
        end: (start + bytes) as u64,
        found: (&raw mut found).addr() as u64,
        found_room: 1,
        max_pages: 1,
        category_inverted: PAGE_IS_FILE,
        category_mask: PAGE_IS_FILE,
        category_any_of_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        return_mask: PAGE_IS_FILE | PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        ..Scan::default()
    };
    // SAFETY: the kernel writes to `scan` and, once at most, to `found`; both live longer than the call.
    let count = unsafe { pagemap_scan(table.as_raw_fd(), &raw mut scan) }?;
    Ok(count == 0 && scan.walk_end >= scan.end)
}

fn read(table: &File, first: usize, count: usize) -> bool {
    let mut words = [0; WORDS_A_READ * WORD];
    let mut next = first;
    while next < first + count {
        let pages = (first + count - next).min(WORDS_A_READ);
        let Some(room) = words.get_mut(..pages * WORD) else { return false };
        if table.read_exact_at(room, (next * WORD) as u64).is_err() {
            return false;
        }
        let is_copy = |word: u64| word & SWAPPED != 0 || word & (PRESENT | OF_FILE) == PRESENT;
        if room.chunks_exact(WORD).any(|bytes| is_copy(bytes.try_into().map_or(SWAPPED, u64::from_ne_bytes))) {
            return false;
        }
        next += pages;
    }
    true
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
    use std::num::NonZeroUsize;

    const PAGE: usize = 4096;
    const PAGES: usize = WORDS_A_READ + 3;

    #[test]
    fn a_page_that_was_written_is_found_wherever_it_is_and_those_that_were_read_are_not() {
        let file = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap();
        nix::unistd::ftruncate(&file, (PAGES * PAGE) as i64).unwrap();
        let bytes = NonZeroUsize::new(PAGES * PAGE).unwrap();
        for written in [None, Some(0), Some(7), Some(WORDS_A_READ - 1), Some(WORDS_A_READ), Some(PAGES - 1)] {
            let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
            // SAFETY: the kernel chooses the address.
            let start = unsafe { mmap(None, bytes, access, MapFlags::MAP_PRIVATE, &file, 0) }.unwrap();
            // SAFETY: callers name a page of the mapping.
            let at = |page: usize| unsafe { start.cast::<u8>().add(page * PAGE) };
            for page in (0..PAGES).step_by(3) {
                let place = at(page);
                // SAFETY: within the mapping.
                assert_eq!(unsafe { place.read_volatile() }, 0);
            }
            if let Some(place) = written.map(at) {
                // SAFETY: within the mapping, which nobody else uses.
                unsafe { place.write_volatile(1) };
            }
            let address = start.as_ptr().addr();
            assert_eq!(is_unwritten(address, PAGES * PAGE, PAGE), written.is_none(), "{written:?}");
            // As on a kernel that cannot scan.
            let table = File::open("/proc/self/pagemap").unwrap();
            assert_eq!(read(&table, address / PAGE, PAGES), written.is_none(), "{written:?}");
            // SAFETY: mapped above, and used no more.
            unsafe { munmap(start, bytes.get()) }.unwrap();
        }
    }

    #[test]
    fn what_is_no_file_and_what_cannot_be_asked_for_counts_as_written() {
        let own = vec![1_u8; PAGE * 4];
        let first = own.as_ptr().addr().next_multiple_of(PAGE);
        assert!(!is_unwritten(first, PAGE, PAGE));
        let nothing = File::open("/dev/null").unwrap();
        assert!(scan(&nothing, first, PAGE).is_err());
        assert!(!read(&nothing, first / PAGE, 1));
    }

    #[test]
    fn a_table_that_says_of_our_own_memory_that_it_is_not_there_is_not_believed() {
        let zeroes = File::open("/dev/zero").unwrap();
        assert!(read(&zeroes, 1, 1), "it would be");
        assert!(matches!(choose(zeroes, PAGE), Means::None));
        let table = File::open("/proc/self/pagemap").unwrap();
        assert!(!matches!(choose(table, PAGE), Means::None));
    }
}
