//! Standard output and error, written completely or with an answer that says what was lost.
//!
//! The descriptors are shared with the workers and with whoever started us, and any of them may have made the pipe
//! non-blocking, for all of us (`O_NONBLOCK` belongs to the open file, not to the process). So a full pipe answers
//! `EAGAIN` where one expects to wait.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::SysError;

/// How long one write may wait for a reader in all; the thread that logs also supervises.
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// Why; [`SysError::is_would_block`] when nobody has read for too long.
    pub source: SysError,
}

/// Writes all bytes, waiting for the reader for one second in all.
///
/// # Errors
/// [`Lost`] with the rest, when the reader is gone or too slow.
pub fn write_fully(console: ConsoleFd, bytes: &[u8]) -> Result<(), Lost> {
    match console {
        ConsoleFd::Out => write_within(std::io::stdout().as_fd(), bytes, PATIENCE),
        ConsoleFd::Err => write_within(std::io::stderr().as_fd(), bytes, PATIENCE),
    }
}

fn write_within(fd: BorrowedFd<'_>, bytes: &[u8], patience: Duration) -> Result<(), Lost> {
    let mut rest = bytes;
    let mut deadline = None;
    while !rest.is_empty() {
        let errno = match nix::unistd::write(fd, rest) {
            Ok(written) => {
                rest = rest.get(written..).unwrap_or_default();
                continue;
            }
            Err(Errno::EINTR) => continue,
            Err(errno) => errno,
        };
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
        if errno != Errno::EAGAIN || !wait_for_room(fd, deadline) {
            let source = SysError::new("write", errno);
            return Err(Lost { written: bytes.len() - rest.len(), lost: rest.len(), source });
        }
    }
    Ok(())
}

/// Whether it is worth another try: there is room, the reader is gone (which the write will say), or a signal came.
fn wait_for_room(fd: BorrowedFd<'_>, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return false;
    }
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], timeout) {
        // The clock of poll counts whole milliseconds; the deadline decides.
        Ok(_) | Err(Errno::EINTR) => true,
        Err(_) => false,
    }
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
        let writing = std::thread::spawn(move || write_within(writer.as_fd(), &bytes, Duration::from_secs(60)));
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
    fn a_reader_that_never_reads_costs_a_bounded_time_and_the_loss_is_counted() {
        let (_reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        let bytes = vec![b'x'; 1_000_000];
        let lost = write_within(writer.as_fd(), &bytes, Duration::from_millis(20)).unwrap_err();
        assert!(lost.source.is_would_block());
        assert!(lost.written > 0 && lost.written + lost.lost == bytes.len(), "{lost}");
    }

    #[test]
    fn a_closed_reader_is_told_apart_from_a_slow_one() {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        drop(reader);
        let lost = write_within(writer.as_fd(), b"line\n", PATIENCE).unwrap_err();
        assert!(lost.source.is_peer_closed());
        assert_eq!((lost.written, lost.lost), (0, 5));
    }
}
