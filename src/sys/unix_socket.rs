//! Socket pairs between master and worker as the kernel sees them, and the descriptors that ride on them: Node's channel, which
//! is a stream of bytes, and the switchboard's, which keeps its records apart.
//!
//! Never blocks and never waits; the tokio side lives in `transport::channel`.
#![allow(unsafe_code)] // recvmsg by hand: nix drops, and so leaks, the descriptors of a truncated control message

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, getsockopt, sendmsg, shutdown, socketpair,
    sockopt,
};

use super::SysError;
use super::error::Named;

/// The most descriptors the kernel lets ride on one message (`SCM_MAX_FD`).
const MAX_RIDING_DESCRIPTORS: usize = 253;
/// Room for their control message, in words so that it is aligned as `cmsghdr` must be.
const CONTROL_WORDS: usize = (MAX_RIDING_DESCRIPTORS * size_of::<RawFd>() + 64) / size_of::<u64>();

/// What one [`receive`] has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The number of bytes; 0 means that the peer has closed.
    pub bytes: usize,
    /// Descriptors that were sent were lost on the way: this process has no room for them.
    pub lost_descriptors: bool,
}

/// Which half of a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The peer reads the end of the stream; what it still says is read.
    Sending,
    /// Both directions end.
    Both,
}

/// A connected pair: ours is non-blocking, the child's end blocks (libuv sets it as it likes). Both are close-on-exec.
///
/// # Errors
/// When there is no descriptor left.
pub fn channel_pair() -> Result<(OwnedFd, OwnedFd), SysError> {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC).named("socketpair")?;
    set_nonblocking(ours.as_fd())?;
    Ok((ours, theirs))
}

/// A connected pair that keeps records apart and in order. Neither end blocks; both are close-on-exec.
///
/// # Errors
/// When there is no descriptor left.
pub fn record_pair() -> Result<(OwnedFd, OwnedFd), SysError> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).named("socketpair")
}

pub(super) fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<(), SysError> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).named("fcntl(F_GETFL)")?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).named("fcntl(F_SETFL)").map(drop)
}

/// Reads what there is, and appends the descriptors that came with it, all close-on-exec.
///
/// # Errors
/// [`SysError::is_would_block`] when there is nothing; [`SysError::is_peer_closed`] when the peer is gone without
/// having read all that it was sent.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> Result<Received, SysError> {
    let mut control = [0_u64; CONTROL_WORDS];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zeroes is a valid msghdr: no address, no parts, no control buffer.
    let mut message = unsafe { MaybeUninit::<libc::msghdr>::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let bytes = loop {
        // SAFETY: `message` points at `part` and `control`, which outlive the call, and `part` at `buffer`.
        let read =
            unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT) };
        match usize::try_from(read) {
            Ok(bytes) => break bytes,
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(SysError::last("recvmsg")),
        }
    };
    take_descriptors(&message, descriptors);
    Ok(Received { bytes, lost_descriptors: message.msg_flags & libc::MSG_CTRUNC != 0 })
}

/// Takes ownership of each descriptor in the control messages the kernel has just written.
fn take_descriptors(message: &libc::msghdr, descriptors: &mut Vec<OwnedFd>) {
    // SAFETY: `message` is what recvmsg filled in, and its control buffer is still alive.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: the kernel wrote a whole header at this place; the buffer is aligned for it.
        let head = unsafe { header.read() };
        if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: computes an address behind the header, no access.
            let data = unsafe { libc::CMSG_DATA(header) };
            // SAFETY: computes a length from a length.
            let head_length = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = (head.cmsg_len as usize).saturating_sub(head_length) / size_of::<RawFd>();
            for index in 0..count {
                // SAFETY: `index` stays within the length that the kernel gave for this message.
                let place = unsafe { data.cast::<RawFd>().add(index) };
                // SAFETY: the kernel wrote a descriptor number there; the data need not be aligned.
                let number = unsafe { place.read_unaligned() };
                // SAFETY: the kernel has installed it for us in this recvmsg; nobody else knows it.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
        // SAFETY: `header` is within the control buffer of `message`.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}

/// Writes as much of `parts` as there is room for. A descriptor goes with the first byte, so with any success.
///
/// # Errors
/// [`SysError::is_would_block`] when there is no room; [`SysError::is_peer_closed`] when nobody will ever read it.
pub fn send(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>], descriptor: Option<BorrowedFd<'_>>) -> Result<usize, SysError> {
    let riding = descriptor.map(|descriptor| descriptor.as_raw_fd());
    send_with(fd, parts, riding.as_slice())
}

/// Sends one record with its descriptors, all of it or nothing.
///
/// # Errors
/// As [`send`].
pub fn send_record(fd: BorrowedFd<'_>, record: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), SysError> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    send_with(fd, &[IoSlice::new(record)], &numbers).map(drop)
}

fn send_with(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>], riding: &[RawFd]) -> Result<usize, SysError> {
    let rights = [ControlMessage::ScmRights(riding)];
    let control = if riding.is_empty() { &[][..] } else { &rights[..] };
    loop {
        // Without MSG_NOSIGNAL a closed peer would raise SIGPIPE in a process whose signals are not ours.
        match sendmsg::<()>(fd.as_raw_fd(), parts, control, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT, None) {
            Err(Errno::EINTR) => {}
            answer => return answer.named("sendmsg"),
        }
    }
}

/// How many bytes wait to be read, over all records (unix(7): `SIOCINQ`; on a socket that keeps records apart the kernel's
/// `unix_inq_len` adds them up). Asking at the reading end is up to whoever holds a descriptor of it.
///
/// # Errors
/// When the descriptor is no socket.
pub fn unread_bytes(fd: BorrowedFd<'_>) -> Result<usize, SysError> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int, and `bytes` is one.
    let failed = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if failed == 0 { Ok(usize::try_from(bytes).unwrap_or(0)) } else { Err(SysError::last("ioctl(FIONREAD)")) }
}

/// Whether this process has room for so many descriptors more: the kernel closes those of a record that do not fit in. Another
/// thread may take the room right after.
#[must_use]
pub fn has_room_for(fd: BorrowedFd<'_>, count: usize) -> bool {
    let copies = (0..count).map(|_| fd.try_clone_to_owned());
    copies.collect::<Result<Vec<_>, _>>().is_ok()
}

/// Gives a descriptor away, to somebody who knows it by its number and closes it.
#[must_use]
pub fn give_away(fd: OwnedFd) -> i32 {
    fd.into_raw_fd()
}

/// As [`send_record`], with a descriptor of somebody else's in this process, by its number.
///
/// # Errors
/// As [`send`]; `EBADF` when there is no such descriptor.
pub fn send_record_with_number(fd: BorrowedFd<'_>, record: &[u8], number: i32) -> Result<(), SysError> {
    send_with(fd, &[IoSlice::new(record)], &[number]).map(drop)
}

/// Takes over a socket that this process was started with, close-on-exec from now on. Call it once for a number.
///
/// # Errors
/// When there is no such descriptor, or it is no socket that keeps records apart: somebody else's that came by the same number.
pub fn inherited(number: RawFd) -> Result<OwnedFd, SysError> {
    // SAFETY: only borrowed, for as long as it is looked at; the calls fail for a number that is no descriptor.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let kind = getsockopt(&borrowed, sockopt::SockType).named("getsockopt(SO_TYPE)")?;
    if kind != SockType::SeqPacket {
        return Err(SysError::new("getsockopt(SO_TYPE)", Errno::EPROTOTYPE));
    }
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).named("fcntl(F_SETFD)")?;
    // SAFETY: the socket was made for whoever calls this, once; nobody else in this process knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Ends a connection, whoever else still holds its descriptor.
pub fn close(fd: BorrowedFd<'_>, closing: Closing) {
    let how = match closing {
        Closing::Sending => Shutdown::Write,
        Closing::Both => Shutdown::Both,
    };
    // ENOTCONN only: the peer was faster.
    let _ = shutdown(fd.as_raw_fd(), how);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(fd: &OwnedFd, descriptors: &mut Vec<OwnedFd>) -> (String, Received) {
        let mut buffer = [0; 1024];
        let received = receive(fd.as_fd(), &mut buffer, descriptors).unwrap();
        (String::from_utf8(buffer[..received.bytes].to_vec()).unwrap(), received)
    }

    fn is_close_on_exec(fd: &OwnedFd) -> bool {
        fcntl(fd, FcntlArg::F_GETFD).unwrap() & libc::FD_CLOEXEC != 0
    }

    #[test]
    fn both_ends_close_on_exec_and_only_ours_does_not_block() {
        let (ours, theirs) = channel_pair().unwrap();
        assert!(is_close_on_exec(&ours) && is_close_on_exec(&theirs));
        let blocks = |fd: &OwnedFd| fcntl(fd, FcntlArg::F_GETFL).unwrap() & libc::O_NONBLOCK == 0;
        assert!(!blocks(&ours) && blocks(&theirs));
    }

    #[test]
    fn a_descriptor_arrives_with_the_first_byte_and_closes_on_exec() {
        let (ours, theirs) = channel_pair().unwrap();
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        send(ours.as_fd(), &[IoSlice::new(b"he"), IoSlice::new(b"llo")], Some(writer.as_fd())).unwrap();
        drop(writer);
        let mut descriptors = Vec::new();
        assert_eq!(text(&theirs, &mut descriptors).0, "hello");
        let [passed] = <[OwnedFd; 1]>::try_from(descriptors).unwrap();
        assert!(is_close_on_exec(&passed));
        nix::unistd::write(&passed, b"x").unwrap();
        drop(passed);
        let mut buffer = [0; 8];
        assert_eq!(nix::unistd::read(&reader, &mut buffer).unwrap(), 1);
        assert_eq!(nix::unistd::read(&reader, &mut buffer).unwrap(), 0, "a copy of the writer has leaked");
    }

    #[test]
    fn bytes_after_a_descriptor_are_never_read_together_with_those_before() {
        let (ours, theirs) = channel_pair().unwrap();
        send(ours.as_fd(), &[IoSlice::new(b"before ")], None).unwrap();
        send(ours.as_fd(), &[IoSlice::new(b"with")], Some(ours.as_fd())).unwrap();
        send(ours.as_fd(), &[IoSlice::new(b"after")], None).unwrap();
        let mut descriptors = Vec::new();
        assert_eq!(text(&theirs, &mut descriptors).0, "before with");
        assert_eq!(descriptors.len(), 1);
        assert_eq!(text(&theirs, &mut descriptors).0, "after");
        assert_eq!(descriptors.len(), 1);
    }

    #[test]
    fn records_arrive_whole_and_apart_each_with_its_descriptors() {
        let (ours, theirs) = record_pair().unwrap();
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        send_record(ours.as_fd(), b"first", &[reader.as_fd(), writer.as_fd()]).unwrap();
        send_record(ours.as_fd(), b"second", &[]).unwrap();
        let mut descriptors = Vec::new();
        assert_eq!(text(&theirs, &mut descriptors).0, "first");
        assert_eq!(descriptors.len(), 2);
        assert!(descriptors.iter().all(is_close_on_exec));
        assert_eq!(text(&theirs, &mut descriptors).0, "second");
        assert_eq!(descriptors.len(), 2);
        assert!(receive(theirs.as_fd(), &mut [0; 8], &mut descriptors).unwrap_err().is_would_block());
        drop(ours);
        assert_eq!(text(&theirs, &mut descriptors).1.bytes, 0);
    }

    #[test]
    fn the_bytes_of_all_records_wait_and_whoever_holds_the_end_can_take_one_first() {
        let (ours, theirs) = record_pair().unwrap();
        assert_eq!(unread_bytes(theirs.as_fd()).unwrap(), 0);
        let other = theirs.try_clone().unwrap();
        for record in [&b"abc"[..], b"defgh"] {
            send_record(ours.as_fd(), record, &[ours.as_fd()]).unwrap();
        }
        assert_eq!(unread_bytes(other.as_fd()).unwrap(), 8);
        let mut descriptors = Vec::new();
        assert_eq!(text(&other, &mut descriptors).0, "abc");
        assert_eq!(unread_bytes(theirs.as_fd()).unwrap(), 5);
        assert_eq!(text(&theirs, &mut descriptors).0, "defgh");
        assert_eq!(descriptors.len(), 2);
    }

    #[test]
    fn a_descriptor_can_be_sent_by_its_number() {
        let (ours, theirs) = record_pair().unwrap();
        let number = give_away(ours.try_clone().unwrap());
        send_record_with_number(ours.as_fd(), b"x", number).unwrap();
        let mut descriptors = Vec::new();
        assert_eq!(text(&theirs, &mut descriptors).0, "x");
        // SAFETY: it was given away in the line above, and nobody else has taken it.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
        assert_eq!(send_record_with_number(ours.as_fd(), b"x", -1).unwrap_err().errno(), libc::EBADF);
        assert!(has_room_for(ours.as_fd(), 8));
    }

    #[test]
    fn an_empty_socket_would_block_and_a_closed_one_says_so() {
        let (ours, theirs) = channel_pair().unwrap();
        let mut descriptors = Vec::new();
        assert!(receive(ours.as_fd(), &mut [0; 8], &mut descriptors).unwrap_err().is_would_block());
        close(ours.as_fd(), Closing::Sending);
        assert_eq!(text(&theirs, &mut descriptors).1, Received { bytes: 0, lost_descriptors: false });
        send(theirs.as_fd(), &[IoSlice::new(b"still heard")], None).unwrap();
        assert_eq!(text(&ours, &mut descriptors).0, "still heard");
        close(ours.as_fd(), Closing::Both);
        assert!(send(theirs.as_fd(), &[IoSlice::new(b"x")], None).unwrap_err().is_peer_closed());
    }
}
