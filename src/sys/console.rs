//! Standard output and error, written completely or with an answer that says what was lost.
//!
//! The descriptors are shared with the workers and with whoever started us, and any of them may have made the pipe
//! non-blocking, for all of us (`O_NONBLOCK` belongs to the open file, not to the process). So a full pipe answers
//! `EAGAIN` where one expects to wait; or it does not, and a write waits for as long as the reader likes.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::SysError;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleFd {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Bytes that did not reach the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{lost} bytes did not reach the console after {written} had ({source})")]
pub struct Lost {
    /// How many bytes were written.
    pub written: usize,
    /// How many were not.
    pub lost: usize,
    /// Why.
    pub source: SysError,
}

/// Writes all bytes, and waits for the reader for as long as it takes.
///
/// # Errors
/// [`Lost`] with the rest, when the reader is gone.
pub fn write_fully(console: ConsoleFd, bytes: &[u8]) -> Result<(), Lost> {
    match console {
        ConsoleFd::Out => write_all(std::io::stdout().as_fd(), bytes),
        ConsoleFd::Err => write_all(std::io::stderr().as_fd(), bytes),
    }
}

fn write_all(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Lost> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match nix::unistd::write(fd, rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            // Room again, or the reader is gone, which the next write will say.
            Err(Errno::EAGAIN) if wait_for_room(fd) => {}
            Err(errno) => {
                let source = SysError::new("write", errno);
                return Err(Lost { written: bytes.len() - rest.len(), lost: rest.len(), source });
            }
        }
    }
    Ok(())
}

fn wait_for_room(fd: BorrowedFd<'_>) -> bool {
    matches!(poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], PollTimeout::NONE), Ok(_) | Err(Errno::EINTR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::OFlag;
    use std::io::Read;

    #[test]
    fn a_full_pipe_that_does_not_block_is_waited_for() {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = bytes.clone();
        let writing = std::thread::spawn(move || write_all(writer.as_fd(), &bytes));
        let mut reader = std::fs::File::from(reader);
        let mut all = Vec::new();
        let mut buffer = [0; 8192];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => all.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(writing.join().unwrap(), Ok(()));
        assert!(all == expected, "bytes were lost, doubled or turned round");
    }

    #[test]
    fn a_reader_that_is_gone_is_said_so() {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        drop(reader);
        let lost = write_all(writer.as_fd(), b"line\n").unwrap_err();
        assert!(lost.source.is_peer_closed());
        assert_eq!((lost.written, lost.lost), (0, 5));
    }
}
