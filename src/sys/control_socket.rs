//! The unix socket by which a running master is controlled: its owner's alone, one for each path, and in the place of one that a
//! dead master has left.
//!
//! Two masters that start at the same moment are kept apart by a lock on the directory, so that none of them takes the other's socket
//! for a dead one. What is spoken over it is `control`'s business.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use nix::sys::stat::{Mode, fchmod};

use super::SysError;
use super::bound_path::BoundPath;
use super::error::Named;

/// The longest name that the kernel takes (unix(7)); one byte of `sun_path` ends it.
const LONGEST_PATH: usize = 107;
/// How many connections may wait to be accepted.
const BACKLOG: i32 = 128;
/// How often and how long the lock of the directory is tried for. Who holds it has a few system calls to make.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlSocketError {
    /// A running master listens there.
    #[error("another running master listens on {}", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// There is something at this path that is no socket.
    #[error("{} exists and is no socket", path.display())]
    NoSocket {
        /// What is there.
        path: PathBuf,
    },
    /// The path names no file.
    #[error("{} names no file", path.display())]
    NoName {
        /// What was given.
        path: PathBuf,
    },
    /// The directory is not there, and cannot be made.
    #[error("the directory {} cannot be made: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// A step failed.
    #[error("cannot listen on {}: {source}", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// The step, and what the kernel said.
        source: SysError,
    },
}

/// What becomes of the socket of a living master at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// It is left, and none is opened.
    Stay,
    /// Its name becomes ours: that master has said that it goes.
    Yield,
}

/// A listening control socket.
#[derive(Debug)]
pub struct ControlSocket {
    /// Non-blocking and close-on-exec.
    pub socket: OwnedFd,
    /// Its name in the file system.
    pub name: ControlName,
}

/// The name of a control socket, and the directory where that was made for it.
#[derive(Debug)]
pub struct ControlName {
    bound: BoundPath,
    made: Option<PathBuf>,
}

impl ControlName {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.bound.path()
    }

    /// False once another socket has its place, or it was removed.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.bound.is_there()
    }

    /// Removes the name, unless another socket has its place by now, and the directory where it was made for it and is empty.
    pub fn remove(&self) {
        self.bound.remove();
        if let Some(made) = &self.made {
            // Others may have put something there: then it stays.
            let _ = std::fs::remove_dir(made);
        }
    }
}

impl Drop for ControlName {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Listens at this path, which only this user may connect to (mode 0600). The directory is made where it is missing.
///
/// # Errors
/// See [`ControlSocketError`]; nothing is left behind but the directory.
pub fn open(path: &Path, others: Others) -> Result<ControlSocket, ControlSocketError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ControlSocketError::NoName { path });
    };
    let refused = |source| ControlSocketError::Refused { path: path.clone(), source };
    let made = make_directory(directory)?;
    let opened = File::open(directory).map_err(|error| refused(SysError::from_io("open", &error)))?;
    // Kept until the socket listens.
    let directory = lock(opened);
    // The kernel follows this to the directory itself, however long its path is.
    let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd())).join(name);
    let address = if path.as_os_str().as_bytes().len() <= LONGEST_PATH { &path } else { &short };
    let address = UnixAddr::new(address).named("bind").map_err(refused)?;
    clear(&path, &address, others)?;
    let socket = bind(&address).map_err(refused)?;
    let bound = BoundPath::new(&path);
    if let Err(source) = listen(&socket) {
        bound.remove();
        return Err(refused(source));
    }
    Ok(ControlSocket { socket, name: ControlName { bound, made } })
}

/// Answers with the directory where it had to be made.
fn make_directory(directory: &Path) -> Result<Option<PathBuf>, ControlSocketError> {
    if directory.is_dir() {
        return Ok(None);
    }
    std::fs::create_dir_all(directory)
        .map_err(|source| ControlSocketError::Directory { path: directory.to_owned(), source })?;
    Ok(Some(directory.to_owned()))
}

/// A directory, locked where that can be done: a file system without locks has two masters that start at once take their chance.
enum Directory {
    Locked(Flock<File>),
    Open(File),
}

impl AsFd for Directory {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self {
            Self::Locked(file) => file.as_fd(),
            Self::Open(file) => file.as_fd(),
        }
    }
}

fn lock(mut directory: File) -> Directory {
    for _ in 0..LOCK_TRIES {
        directory = match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Directory::Locked(locked),
            Err((file, Errno::EWOULDBLOCK)) => file,
            Err((file, _)) => return Directory::Open(file),
        };
        std::thread::sleep(LOCK_PAUSE);
    }
    Directory::Open(directory)
}

/// Takes away what a dead master has left at this path.
fn clear(path: &Path, address: &UnixAddr, others: Others) -> Result<(), ControlSocketError> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let path = path.to_owned();
    if !found.file_type().is_socket() {
        return Err(ControlSocketError::NoSocket { path });
    }
    match connect(address) {
        Err(error) if error.is_refused() => unlink(path),
        Ok(()) if others == Others::Yield => unlink(path),
        // Whoever made it has taken it away meanwhile.
        Err(error) if error.is_missing() => Ok(()),
        // A full backlog is one of somebody who lives.
        Ok(()) => Err(ControlSocketError::InUse { path }),
        Err(error) if error.is_would_block() => Err(ControlSocketError::InUse { path }),
        Err(source) => Err(ControlSocketError::Refused { path, source }),
    }
}

fn unlink(path: PathBuf) -> Result<(), ControlSocketError> {
    std::fs::remove_file(&path).map_err(|error| {
        let source = SysError::from_io("unlink", &error);
        ControlSocketError::Refused { path, source }
    })
}

fn stream() -> Result<OwnedFd, SysError> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket::socket(AddressFamily::Unix, SockType::Stream, flags, None).named("socket")
}

fn connect(address: &UnixAddr) -> Result<(), SysError> {
    let socket = stream()?;
    socket::connect(socket.as_raw_fd(), address).named("connect")
}

fn bind(address: &UnixAddr) -> Result<OwnedFd, SysError> {
    let socket = stream()?;
    // The file gets the mode of the socket: from its first moment on it is nobody else's.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR).named("fchmod")?;
    socket::bind(socket.as_raw_fd(), address).named("bind")?;
    Ok(socket)
}

fn listen(socket: &OwnedFd) -> Result<(), SysError> {
    let backlog = Backlog::new(BACKLOG).named("listen")?;
    socket::listen(socket, backlog).named("listen")
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_control_socket_is_its_owners_alone_and_goes_with_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/clutch.sock");
        let opened = open(&path, Others::Stay).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        opened.name.remove();
        assert!(!folder.path().join("run").exists());
    }

    #[test]
    fn a_directory_that_is_used_for_more_stays() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(&folder.path().join("run/clutch.sock"), Others::Stay).unwrap();
        std::fs::write(folder.path().join("run/other"), "").unwrap();
        opened.name.remove();
        assert!(folder.path().join("run/other").exists());
    }

    #[test]
    fn the_socket_of_a_dead_master_is_replaced_and_that_of_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clutch.sock");
        let dead = open(&path, Others::Stay).unwrap();
        drop(dead.socket);
        std::mem::forget(dead.name);
        let living = open(&path, Others::Stay).unwrap();
        let refused = open(&path, Others::Stay).unwrap_err();
        assert!(matches!(refused, ControlSocketError::InUse { .. }), "{refused}");
        UnixStream::connect(&path).unwrap();
        let heir = open(&path, Others::Yield).unwrap();
        living.name.remove();
        UnixStream::connect(&path).unwrap();
        drop(heir);
    }

    #[test]
    fn a_name_whose_place_was_taken_by_another_socket_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clutch.sock");
        let first = open(&path, Others::Stay).unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = open(&path, Others::Stay).unwrap();
        first.name.remove();
        UnixStream::connect(second.name.path()).unwrap();
    }

    #[test]
    fn what_is_no_socket_is_left_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clutch.sock");
        std::fs::write(&path, "precious").unwrap();
        let error = open(&path, Others::Stay).unwrap_err();
        assert!(error.to_string().ends_with("clutch.sock exists and is no socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        assert!(open(Path::new("/"), Others::Stay).is_err());
    }

    #[test]
    fn a_path_that_is_longer_than_the_kernel_takes_is_bound_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(100)).join("e".repeat(100));
        let path = deep.join("clutch.sock");
        let opened = open(&path, Others::Stay).unwrap();
        assert!(path.exists());
        assert!(matches!(open(&path, Others::Stay), Err(ControlSocketError::InUse { .. })));
        opened.name.remove();
        assert!(!path.exists());
        let hopeless = open(&deep.join("x".repeat(200)), Others::Stay).unwrap_err();
        assert!(hopeless.to_string().contains("ENAMETOOLONG"), "{hopeless}");
    }
}
