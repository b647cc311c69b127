//! Memory that several processes see and one writes: a memfd, sealed by the process that made it.
//!
//! The maker maps the file for writing first and seals it then, so that nobody, not even the maker, can ever map it for
//! writing again or change its size. Whoever is handed the descriptor asks for the seals before trusting a byte of the
//! size: a file that could shrink would end a reader with SIGBUS. `F_SEAL_FUTURE_WRITE` forbids punching holes as well
//! (memfd_create(2), `shmem_fallocate`; tried), so memory is given back by letting go of the whole file, in all processes.
//!
//! Where a kernel or a sandbox refuses memfds or seals, [`SharedMemoryError::is_unsupported`] says so once and for all.
#![allow(unsafe_code)] // mmap and munmap

use std::ffi::CStr;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, munmap};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

use super::SysError;
use super::error::Named;
pub use super::private_mapping::PrivateMapping;
use super::private_mapping::PrivateParts;

/// Not in every libc crate's list for every target: Linux 6.3.
const MFD_NOEXEC_SEAL: libc::c_uint = 0x0008;

/// What a file must be sealed against before its size and its single writer can be relied on.
fn seals() -> SealFlag {
    SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_FUTURE_WRITE | SealFlag::F_SEAL_SEAL
}

/// Why there is no shared memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedMemoryError {
    /// The kernel gave no file.
    #[error("cannot create shared memory")]
    Create(#[source] SysError),
    /// The file cannot have this size.
    #[error("cannot give shared memory {bytes} bytes")]
    Resize {
        /// The size that was asked for.
        bytes: usize,
        /// What failed.
        source: SysError,
    },
    /// The kernel does not know a seal, or forbids it.
    #[error("cannot seal shared memory")]
    Seal(#[source] SysError),
    /// The file cannot be mapped.
    #[error("cannot map {bytes} bytes of shared memory")]
    Map {
        /// How much was to be mapped.
        bytes: usize,
        /// What failed.
        source: SysError,
    },
    /// What a peer handed over is no memfd, or cannot be looked at.
    #[error("cannot look at a peer's shared memory")]
    Inspect(#[source] SysError),
    /// A peer's file may still change its size or its writers.
    #[error("a peer's shared memory has the seals {found:#x}, and lacks some of {wanted:#x}")]
    Unsealed {
        /// The seals it has.
        found: i32,
        /// The seals it needs.
        wanted: i32,
    },
    /// A peer's file is not as large as it was said to be.
    #[error("a peer's shared memory has {found} bytes, not {expected}")]
    WrongSize {
        /// The size of the file.
        found: u64,
        /// The size that was announced.
        expected: u64,
    },
}

impl SharedMemoryError {
    /// True when this machine cannot do it at all, so that asking again is of no use: the caller falls back to another way of
    /// talking, and says so once.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        let never = |source: &SysError| {
            [libc::ENOSYS, libc::EINVAL, libc::EPERM, libc::EACCES, libc::EOPNOTSUPP].contains(&source.errno())
        };
        match self {
            Self::Create(source) | Self::Seal(source) => never(source),
            _ => false,
        }
    }
}

/// A mapping; unmapped when dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) start: NonNull<u8>,
    pub(super) bytes: NonZeroUsize,
}

// SAFETY: a mapping belongs to the process and not to a thread; this type only keeps its address and unmaps it once.
unsafe impl Send for Mapping {}
// SAFETY: as above; nothing here reads or writes the memory.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: BorrowedFd<'_>, bytes: usize, access: ProtFlags) -> Result<Self, SharedMemoryError> {
        Self::of(file, 0, bytes, access, MapFlags::MAP_SHARED)
    }

    pub(super) fn of(
        file: BorrowedFd<'_>,
        offset: libc::off_t,
        bytes: usize,
        access: ProtFlags,
        flags: MapFlags,
    ) -> Result<Self, SharedMemoryError> {
        let failed = |errno| SharedMemoryError::Map { bytes, source: SysError::new("mmap", errno) };
        let length = NonZeroUsize::new(bytes).ok_or(failed(Errno::EINVAL))?;
        // SAFETY: the kernel chooses the address, so nothing that is mapped already is touched.
        let start = unsafe { mmap(None, length, access, flags, file, offset) }.map_err(failed)?;
        Ok(Self { start: start.cast(), bytes: length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `new` has mapped exactly this range, and nobody else unmaps it. Whoever keeps an address out of it keeps
        // this value as well.
        let unmapped = unsafe { munmap(self.start.cast(), self.bytes.get()) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

/// Our own memory, mapped for reading and writing.
#[derive(Debug)]
pub struct OwnMapping(Mapping);

/// A peer's memory, mapped for reading: a write would be a SIGSEGV.
#[derive(Debug)]
pub struct PeerMapping {
    mapping: Mapping,
    /// Of memory whose parts may be mapped again.
    parts: Option<PrivateParts>,
}

macro_rules! extent {
    ($mapping:ty, $field:tt) => {
        impl $mapping {
            /// Its first byte, at the start of a page. Valid as long as this value lives.
            #[must_use]
            pub fn start(&self) -> NonNull<u8> {
                self.$field.start
            }

            /// How many bytes are mapped; the file is at least as long for ever.
            #[must_use]
            pub fn bytes(&self) -> usize {
                self.$field.bytes.get()
            }
        }
    };
}
extent!(OwnMapping, 0);
extent!(PeerMapping, mapping);

impl PeerMapping {
    /// Maps a part of it once more, for this process to write as well. `None` where its file was not kept, the part does not lie
    /// within, or the kernel has no more mappings: copy it then.
    #[must_use]
    pub fn private(&self, offset: usize, bytes: usize) -> Option<PrivateMapping> {
        let parts = self.parts.as_ref()?;
        if bytes == 0 || offset.checked_add(bytes)? > self.bytes() {
            return None;
        }
        parts.map(offset, bytes)
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> Option<&PrivateParts> {
        self.parts.as_ref()
    }
}

/// Makes shared memory of zeroes that only the mapping that is returned can write. The descriptor is for the peers; it is
/// close-on-exec, and the file lives as long as somebody holds a descriptor or a mapping of it.
///
/// # Errors
/// See [`SharedMemoryError`]; nothing is left behind then.
pub fn create(name: &CStr, bytes: usize) -> Result<(OwnMapping, OwnedFd), SharedMemoryError> {
    let file = create_file(name)?;
    let resize = |errno| SharedMemoryError::Resize { bytes, source: SysError::new("ftruncate", errno) };
    let length = libc::off_t::try_from(bytes).map_err(|_| resize(Errno::EFBIG))?;
    ftruncate(&file, length).map_err(resize)?;
    let mapping = Mapping::new(file.as_fd(), bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
    // SAFETY: the advice is about the children of a fork, and the range is the mapping that was just made.
    let unforked = unsafe { madvise(mapping.start.cast(), bytes, MmapAdvise::MADV_DONTFORK) };
    // A child that is forked and not yet the program it is to be would be a second writer.
    unforked.map_err(|errno| SharedMemoryError::Map { bytes, source: SysError::new("madvise", errno) })?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals())).named("fcntl(F_ADD_SEALS)").map_err(SharedMemoryError::Seal)?;
    Ok((OwnMapping(mapping), file))
}

/// Why this machine has no such memory at all; tried once.
#[must_use]
pub fn refusal() -> Option<&'static SharedMemoryError> {
    static REFUSAL: OnceLock<Option<SharedMemoryError>> = OnceLock::new();
    let tried = || create(c"clutch-trial", 1).err().filter(SharedMemoryError::is_unsupported);
    REFUSAL.get_or_init(tried).as_ref()
}

fn create_file(name: &CStr) -> Result<OwnedFd, SharedMemoryError> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    // Where `vm.memfd_noexec` is 2 a memfd is refused unless it says that it will never be executed; before Linux 6.3 the
    // same word is unknown.
    let file = match memfd_create(name, flags | MFdFlags::from_bits_retain(MFD_NOEXEC_SEAL)) {
        Err(Errno::EINVAL) => memfd_create(name, flags),
        answer => answer,
    };
    file.named("memfd_create").map_err(SharedMemoryError::Create)
}

/// Makes shared memory of zeroes for a process that is yet to be started: it is mapped for reading here, and whoever is handed
/// the descriptor becomes its one writer by [`claim`]. Its size is fixed from the start. The descriptor is close-on-exec.
///
/// # Errors
/// See [`SharedMemoryError`]; nothing is left behind then.
pub fn reserve(name: &CStr, bytes: usize) -> Result<(PeerMapping, OwnedFd), SharedMemoryError> {
    let file = create_file(name)?;
    let resize = |errno| SharedMemoryError::Resize { bytes, source: SysError::new("ftruncate", errno) };
    let length = libc::off_t::try_from(bytes).map_err(|_| resize(Errno::EFBIG))?;
    ftruncate(&file, length).map_err(resize)?;
    let fixed = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
    fcntl(&file, FcntlArg::F_ADD_SEALS(fixed)).named("fcntl(F_ADD_SEALS)").map_err(SharedMemoryError::Seal)?;
    let mapping = Mapping::new(file.as_fd(), bytes, ProtFlags::PROT_READ)?;
    Ok((PeerMapping { mapping, parts: None }, file))
}

/// Maps for writing what another process has made by [`reserve`], and seals it against any other writer.
///
/// # Errors
/// When it is no such file, is of another size, or has a writer already; see [`SharedMemoryError`].
pub fn claim(file: BorrowedFd<'_>, bytes: usize) -> Result<OwnMapping, SharedMemoryError> {
    let found = fcntl(file, FcntlArg::F_GET_SEALS).named("fcntl(F_GET_SEALS)").map_err(SharedMemoryError::Inspect)?;
    let fixed = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
    if !SealFlag::from_bits_retain(found).contains(fixed) {
        return Err(SharedMemoryError::Unsealed { found, wanted: fixed.bits() });
    }
    check_size(file, bytes)?;
    let mapping = Mapping::new(file, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
    // SAFETY: the advice is about the children of a fork, and the range is the mapping that was just made.
    let unforked = unsafe { madvise(mapping.start.cast(), bytes, MmapAdvise::MADV_DONTFORK) };
    unforked.map_err(|errno| SharedMemoryError::Map { bytes, source: SysError::new("madvise", errno) })?;
    fcntl(file, FcntlArg::F_ADD_SEALS(seals())).named("fcntl(F_ADD_SEALS)").map_err(SharedMemoryError::Seal)?;
    Ok(OwnMapping(mapping))
}

fn check_size(file: BorrowedFd<'_>, bytes: usize) -> Result<(), SharedMemoryError> {
    let status = fstat(file).named("fstat").map_err(SharedMemoryError::Inspect)?;
    let (found, expected) = (u64::try_from(status.st_size).unwrap_or(0), bytes as u64);
    if found == expected { Ok(()) } else { Err(SharedMemoryError::WrongSize { found, expected }) }
}

/// Maps what a peer has made by [`create`], for reading. The descriptor may be closed afterwards.
///
/// # Errors
/// When the file could still change under us, or is not of the size that was announced; see [`SharedMemoryError`].
pub fn open(file: BorrowedFd<'_>, bytes: usize) -> Result<PeerMapping, SharedMemoryError> {
    let found = fcntl(file, FcntlArg::F_GET_SEALS).named("fcntl(F_GET_SEALS)").map_err(SharedMemoryError::Inspect)?;
    let wanted = seals();
    if !SealFlag::from_bits_retain(found).contains(wanted) {
        return Err(SharedMemoryError::Unsealed { found, wanted: wanted.bits() });
    }
    check_size(file, bytes)?;
    let mapping = Mapping::new(file, bytes, ProtFlags::PROT_READ)?;
    Ok(PeerMapping { mapping, parts: None })
}

/// The same, and keeps the file, so that parts of it can be mapped by themselves ([`PeerMapping::private`]).
///
/// # Errors
/// As [`open`], and when there is no descriptor left.
pub fn open_kept(file: BorrowedFd<'_>, bytes: usize) -> Result<PeerMapping, SharedMemoryError> {
    let kept = file.try_clone_to_owned().map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        SharedMemoryError::Inspect(SysError::new("fcntl(F_DUPFD_CLOEXEC)", errno))
    })?;
    Ok(PeerMapping { parts: Some(PrivateParts::new(kept)), ..open(file, bytes)? })
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::*;
    use nix::fcntl::{FallocateFlags, fallocate};

    const BYTES: usize = 1 << 16;

    fn write(mapping: &OwnMapping, at: usize, byte: u8) {
        assert!(at < mapping.bytes());
        // SAFETY: within the mapping.
        let place = unsafe { mapping.start().add(at) };
        // SAFETY: mapped for writing, and nobody else uses it in this test.
        unsafe { place.write_volatile(byte) };
    }

    fn read(mapping: &PeerMapping, at: usize) -> u8 {
        assert!(at < mapping.bytes());
        // SAFETY: within the mapping.
        let place = unsafe { mapping.start().add(at) };
        // SAFETY: mapped for reading.
        unsafe { place.read_volatile() }
    }

    fn unsealed(seals: SealFlag) -> OwnedFd {
        let file = memfd_create(c"test", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC).unwrap();
        ftruncate(&file, BYTES as libc::off_t).unwrap();
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
        file
    }

    #[test]
    fn what_the_owner_writes_is_read_by_the_peer_even_after_the_owner_is_gone() {
        let (own, file) = create(c"test", BYTES).unwrap();
        let peer = open(file.as_fd(), BYTES).unwrap();
        drop(file);
        write(&own, BYTES - 1, 7);
        assert_eq!(read(&peer, BYTES - 1), 7);
        drop(own);
        assert_eq!((read(&peer, BYTES - 1), read(&peer, 0)), (7, 0));
    }

    #[test]
    fn nobody_else_can_write_resize_or_unseal_it() {
        let (_own, file) = create(c"test", BYTES).unwrap();
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        assert!(matches!(Mapping::new(file.as_fd(), BYTES, access), Err(SharedMemoryError::Map { .. })));
        assert_eq!(nix::unistd::write(&file, b"x"), Err(Errno::EPERM));
        assert_eq!(ftruncate(&file, 0), Err(Errno::EPERM));
        assert_eq!(ftruncate(&file, 2 * BYTES as libc::off_t), Err(Errno::EPERM));
        assert_eq!(fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)), Err(Errno::EPERM));
    }

    #[test]
    fn holes_cannot_be_punched_so_memory_comes_back_by_whole_files_only() {
        let (own, file) = create(c"test", BYTES).unwrap();
        write(&own, 0, 1);
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        assert_eq!(fallocate(&file, hole, 0, BYTES as libc::off_t), Err(Errno::EPERM));
    }

    #[test]
    fn a_file_that_may_shrink_grow_or_be_written_is_refused() {
        for missing in [SealFlag::F_SEAL_SHRINK, SealFlag::F_SEAL_GROW, SealFlag::F_SEAL_FUTURE_WRITE] {
            let refused = open(unsealed(seals() - missing).as_fd(), BYTES);
            assert!(matches!(refused, Err(SharedMemoryError::Unsealed { .. })), "{missing:?}: {refused:?}");
        }
    }

    #[test]
    fn a_file_of_another_size_or_no_memfd_at_all_is_refused() {
        let (_own, file) = create(c"test", BYTES).unwrap();
        let refused = open(file.as_fd(), BYTES * 2);
        assert!(matches!(refused, Err(SharedMemoryError::WrongSize { .. })), "{refused:?}");
        let plain = tempfile::tempfile().unwrap();
        plain.set_len(BYTES as u64).unwrap();
        let refused = open(plain.as_fd(), BYTES);
        // tmpfs has seals on every file, the other file systems on none.
        assert!(matches!(refused, Err(SharedMemoryError::Inspect(_) | SharedMemoryError::Unsealed { .. })));
    }

    #[test]
    fn what_is_reserved_has_the_one_writer_that_claims_it() {
        let (reader, file) = reserve(c"test", BYTES).unwrap();
        assert!(matches!(claim(file.as_fd(), BYTES * 2), Err(SharedMemoryError::WrongSize { .. })));
        let own = claim(file.as_fd(), BYTES).unwrap();
        write(&own, 0, 7);
        assert_eq!(read(&reader, 0), 7);
        assert!(matches!(claim(file.as_fd(), BYTES), Err(SharedMemoryError::Map { .. })));
        assert_eq!(ftruncate(&file, 0), Err(Errno::EPERM));
        let refused = claim(unsealed(SealFlag::F_SEAL_GROW).as_fd(), BYTES);
        assert!(matches!(refused, Err(SharedMemoryError::Unsealed { .. })), "{refused:?}");
    }

    #[test]
    fn a_private_part_is_what_the_owner_wrote_until_the_reader_writes_and_then_its_own() {
        let (own, file) = create(c"test", BYTES).unwrap();
        let peer = open_kept(file.as_fd(), BYTES).unwrap();
        drop(file);
        let at = 4096 * 2 + 64;
        write(&own, at, 7);
        let first = peer.private(at, 5000).unwrap();
        let second = peer.private(at, 5000).unwrap();
        assert_eq!(first.bytes(), 5000);
        // SAFETY: within the mapping, which nobody else uses in this test.
        unsafe { first.start().write_volatile(9) };
        assert_eq!(read(&peer, at), 7, "nobody else sees it");
        write(&own, at, 8);
        drop((own, peer));
        let look = |part: &PrivateMapping| {
            // SAFETY: within the mapping, which nobody else uses in this test.
            unsafe { part.start().read_volatile() }
        };
        assert_eq!(
            (look(&first), look(&second)),
            (9, 8),
            "both outlive the owner and the mapping that they are parts of"
        );
    }

    #[test]
    fn there_is_no_private_part_beyond_the_end_or_without_the_file() {
        let (_own, file) = create(c"test", BYTES).unwrap();
        let peer = open_kept(file.as_fd(), BYTES).unwrap();
        assert!(peer.private(0, BYTES).is_some());
        assert!(peer.private(BYTES - 1, 2).is_none());
        assert!(peer.private(usize::MAX, 2).is_none());
        assert!(peer.private(0, 0).is_none());
        assert!(open(file.as_fd(), BYTES).unwrap().private(0, 1).is_none());
    }

    #[test]
    fn no_bytes_are_no_memory() {
        assert!(matches!(create(c"test", 0), Err(SharedMemoryError::Map { bytes: 0, .. })));
    }

    #[test]
    fn a_kernel_that_does_not_know_or_allow_it_is_told_from_one_that_is_out_of_memory() {
        let seal = |errno| SharedMemoryError::Seal(SysError::new("fcntl", errno));
        assert!(seal(Errno::EINVAL).is_unsupported() && seal(Errno::EPERM).is_unsupported());
        let create = |errno| SharedMemoryError::Create(SysError::new("memfd_create", errno));
        assert!(create(Errno::ENOSYS).is_unsupported());
        assert!(!create(Errno::ENOMEM).is_unsupported() && !create(Errno::EMFILE).is_unsupported());
    }
}
