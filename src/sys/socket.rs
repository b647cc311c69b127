//! Listening and datagram sockets as libuv would make them, accepting, and the addresses of either end.
//!
//! All of them are non-blocking and close-on-exec. Which address to try is `listen::open`'s business.
#![allow(unsafe_code)] // accept4 and fcntl hand out bare descriptor numbers

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    self, AddressFamily, Backlog, MsgFlags, SetSockOpt, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr,
    sockopt,
};

use super::SysError;
use super::bound_path::BoundPath;
use super::error::Named;
use super::unix_socket::set_nonblocking;

/// What kind of address Node wants to listen on: the `addressType` of its cluster protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressType {
    /// TCP over IPv4, or over both families where no address is given.
    Ipv4,
    /// TCP over IPv6.
    Ipv6,
    /// A unix socket path.
    Unix,
    /// UDP over IPv4.
    Udp4,
    /// UDP over IPv6.
    Udp6,
    /// Whatever the given descriptor is.
    Unspecified,
}

/// The address of a socket as Node shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpName {
    /// The address, with its zone where it has one.
    pub address: String,
    /// `IPv4` or `IPv6`.
    pub family: &'static str,
    /// The port.
    pub port: u16,
}

/// Has a listening socket refuse from now on, through every descriptor of it. What is in its backlog is reset, so it should be
/// empty. (The kernel's `inet_shutdown` ends listening, `unix_stream_connect` asks for the flag.)
pub fn stop_listening(fd: BorrowedFd<'_>) {
    // Fails only for what does not listen any more.
    let _ = socket::shutdown(fd.as_raw_fd(), socket::Shutdown::Read);
}

/// Where a socket is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalAddress {
    /// TCP or UDP.
    Ip(IpName),
    /// A unix socket with a name in the file system.
    Path(PathBuf),
    /// A unix socket without one: abstract, or not bound.
    Unnamed,
}

/// What a descriptor is, as far as listening is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketKind {
    /// TCP or a unix stream.
    Stream,
    /// UDP.
    Datagram,
}

/// Who may use a unix socket besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions {
    /// Everybody may read.
    pub readable_all: bool,
    /// Everybody may write, which is what connecting needs.
    pub writable_all: bool,
}

/// How a TCP socket listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpOptions {
    /// An IPv6 socket takes no IPv4.
    pub ipv6_only: bool,
    /// Other sockets of the same user may have the same address; the kernel spreads connections over them.
    pub reuse_port: bool,
    /// How many connections may wait.
    pub backlog: u32,
}

/// Binds and listens over TCP, with the options libuv sets: the address may be reused at once after we end.
///
/// # Errors
/// The errno of `socket`, `bind` or `listen`.
pub fn tcp(address: SocketAddr, options: TcpOptions) -> Result<OwnedFd, SysError> {
    let fd = ip_socket(address, SockType::Stream, options.ipv6_only, true)?;
    if options.reuse_port {
        set(&fd, sockopt::ReusePort, true, "setsockopt(SO_REUSEPORT)")?;
    }
    bind_ip(&fd, address)?;
    listen(fd.as_fd(), options.backlog)?;
    Ok(fd)
}

/// Binds a datagram socket.
///
/// # Errors
/// The errno of `socket` or `bind`.
pub fn udp(address: SocketAddr, ipv6_only: bool, reuse_address: bool) -> Result<OwnedFd, SysError> {
    let fd = ip_socket(address, SockType::Datagram, ipv6_only, reuse_address)?;
    bind_ip(&fd, address)?;
    Ok(fd)
}

/// Binds and listens on a unix socket. A name that begins with a zero byte is abstract and leaves nothing behind.
///
/// # Errors
/// `ENAMETOOLONG` for more bytes than the kernel takes (107); otherwise the errno of the step that failed. A missing
/// directory is `EACCES`, as libuv says for the sake of Windows.
pub fn unix(path: &Path, backlog: u32, permissions: Permissions) -> Result<(OwnedFd, Option<BoundPath>), SysError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(SysError::new("bind", Errno::EINVAL));
    }
    let abstract_name = bytes.strip_prefix(b"\0");
    let address = match abstract_name {
        Some(name) => UnixAddr::new_abstract(name),
        None => UnixAddr::new(path),
    };
    let address = address.named("bind")?;
    let fd = new_socket(AddressFamily::Unix, SockType::Stream)?;
    socket::bind(fd.as_raw_fd(), &address).map_err(|errno| {
        let errno = if errno == Errno::ENOENT { Errno::EACCES } else { errno };
        SysError::new("bind", errno)
    })?;
    let bound = abstract_name.is_none().then(|| BoundPath::new(path));
    listen(fd.as_fd(), backlog)?;
    if bound.is_some() {
        allow(path, permissions)?;
    }
    Ok((fd, bound))
}

fn allow(path: &Path, permissions: Permissions) -> Result<(), SysError> {
    let wanted = if permissions.readable_all { 0o444 } else { 0 } | if permissions.writable_all { 0o222 } else { 0 };
    if wanted == 0 {
        return Ok(());
    }
    let named = |error: std::io::Error| SysError::from_io("chmod", &error);
    let mode = std::fs::symlink_metadata(path).map_err(named)?.permissions().mode();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | wanted)).map_err(named)
}

/// Takes a descriptor that this process inherited, by its number: a copy of it, so that the original stays as it is.
/// A stream socket listens afterwards.
///
/// # Errors
/// `EINVAL` when there is no such descriptor or it is no socket one can listen on: libuv finds out before it tries.
pub fn duplicate(number: i32, backlog: u32) -> Result<(OwnedFd, SocketKind), SysError> {
    // SAFETY: fcntl with plain integers; an unknown number is answered with EBADF.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        let errno = if Errno::last() == Errno::EBADF { Errno::EINVAL } else { Errno::last() };
        return Err(SysError::new("fcntl(F_DUPFD_CLOEXEC)", errno));
    }
    // SAFETY: fcntl has just made this descriptor for us; nobody else knows it.
    let copy = unsafe { OwnedFd::from_raw_fd(copy) };
    let kind = kind(copy.as_fd())?;
    set_nonblocking(copy.as_fd())?;
    if kind == SocketKind::Stream {
        listen(copy.as_fd(), backlog)?;
    }
    Ok((copy, kind))
}

/// What a socket is.
///
/// # Errors
/// `EINVAL` when one cannot listen on it.
pub fn kind(fd: BorrowedFd<'_>) -> Result<SocketKind, SysError> {
    let unusable = || SysError::new("getsockopt(SO_TYPE)", Errno::EINVAL);
    let address = address_of(fd, socket::getsockname::<SockaddrStorage>).map_err(|_| unusable())?;
    let family = address.family();
    match socket::getsockopt(&fd, sockopt::SockType).map_err(|_| unusable())? {
        SockType::Stream if is_ip(family) || family == Some(AddressFamily::Unix) => Ok(SocketKind::Stream),
        SockType::Datagram if is_ip(family) => Ok(SocketKind::Datagram),
        _ => Err(unusable()),
    }
}

fn is_ip(family: Option<AddressFamily>) -> bool {
    matches!(family, Some(AddressFamily::Inet | AddressFamily::Inet6))
}

fn ip_socket(address: SocketAddr, kind: SockType, ipv6_only: bool, reuse: bool) -> Result<OwnedFd, SysError> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = new_socket(family, kind)?;
    if reuse {
        set(&fd, sockopt::ReuseAddr, true, "setsockopt(SO_REUSEADDR)")?;
    }
    if address.is_ipv6() {
        // Always said, as the system's default may have been turned round (net.ipv6.bindv6only).
        set(&fd, sockopt::Ipv6V6Only, ipv6_only, "setsockopt(IPV6_V6ONLY)")?;
    }
    Ok(fd)
}

fn bind_ip(fd: &OwnedFd, address: SocketAddr) -> Result<(), SysError> {
    socket::bind(fd.as_raw_fd(), &SockaddrStorage::from(address)).named("bind")
}

fn new_socket(family: AddressFamily, kind: SockType) -> Result<OwnedFd, SysError> {
    socket::socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None).named("socket")
}

fn set<O: SetSockOpt>(fd: &OwnedFd, option: O, value: O::Val, name: &'static str) -> Result<(), SysError>
where
    O::Val: Sized,
{
    socket::setsockopt(fd, option, &value).named(name)
}

fn listen(fd: BorrowedFd<'_>, backlog: u32) -> Result<(), SysError> {
    // The kernel lowers what is above net.core.somaxconn; nix refuses what is above its own constant.
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    let backlog = Backlog::new(backlog).unwrap_or(Backlog::MAXCONN);
    socket::listen(&fd, backlog).named("listen")
}

/// Has the kernel spread the connections of a port by this program of classic BPF, over all sockets that share the port with this one.
/// What it returns is the number of a socket (socket(7), `SO_ATTACH_REUSEPORT_CBPF`).
///
/// # Errors
/// When the kernel does not take the program.
pub fn spread_by(fd: BorrowedFd<'_>, program: &[(u16, u8, u8, u32)]) -> Result<(), SysError> {
    set_program(fd, libc::SO_ATTACH_REUSEPORT_CBPF, program, "setsockopt(SO_ATTACH_REUSEPORT_CBPF)")
}

/// Has the kernel keep from this socket what this program of classic BPF answers 0 to (socket(7), `SO_ATTACH_FILTER`). With TCP it reads
/// from its header on.
///
/// # Errors
/// When the kernel does not take the program.
pub fn filter_by(fd: BorrowedFd<'_>, program: &[(u16, u8, u8, u32)]) -> Result<(), SysError> {
    set_program(fd, libc::SO_ATTACH_FILTER, program, "setsockopt(SO_ATTACH_FILTER)")
}

/// Has the kernel spread the connections of a port by its own hash again.
///
/// # Errors
/// When this kernel cannot take a program back (before 5.3).
pub fn spread_by_hash(fd: BorrowedFd<'_>) -> Result<(), SysError> {
    match set_raw(fd, libc::SO_DETACH_REUSEPORT_BPF, &0_i32, "setsockopt(SO_DETACH_REUSEPORT_BPF)") {
        // There is none.
        Err(error) if error.errno() == libc::ENOENT => Ok(()),
        answer => answer,
    }
}

fn set_program(
    fd: BorrowedFd<'_>,
    option: libc::c_int,
    program: &[(u16, u8, u8, u32)],
    name: &'static str,
) -> Result<(), SysError> {
    let mut filter: Vec<libc::sock_filter> =
        program.iter().map(|&(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k }).collect();
    let length = u16::try_from(filter.len()).unwrap_or(u16::MAX);
    let program = libc::sock_fprog { len: length, filter: filter.as_mut_ptr() };
    set_raw(fd, option, &program, name)
}

fn set_raw<T>(fd: BorrowedFd<'_>, option: libc::c_int, value: &T, name: &'static str) -> Result<(), SysError> {
    let length = libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the kernel reads `length` bytes at `value`, which is that long, and what a program points at; both outlive the call.
    let failed =
        unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, std::ptr::from_ref(value).cast(), length) };
    if failed == 0 { Ok(()) } else { Err(SysError::last(name)) }
}

/// Takes one connection, non-blocking; `None` when there is none right now.
///
/// # Errors
/// [`SysError::is_out_of_descriptors`] leaves the connection where it is; trying again at once is of no use.
pub fn accept(fd: BorrowedFd<'_>) -> Result<Option<OwnedFd>, SysError> {
    loop {
        match socket::accept4(fd.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK) {
            // SAFETY: accept4 has just made this descriptor for us; nobody else knows it.
            Ok(number) => return Ok(Some(unsafe { OwnedFd::from_raw_fd(number) })),
            Err(Errno::EAGAIN) => return Ok(None),
            // The connection died while it waited, and is off the queue; accept(2) names all of these for Linux. The
            // answer must not be None: whoever waits for the next edge would miss the connections behind it.
            Err(
                Errno::EINTR
                | Errno::ECONNABORTED
                | Errno::ENETDOWN
                | Errno::EPROTO
                | Errno::ENOPROTOOPT
                | Errno::EHOSTDOWN
                | Errno::ENONET
                | Errno::EHOSTUNREACH
                | Errno::ENETUNREACH,
            ) => {}
            Err(errno) => return Err(SysError::new("accept4", errno)),
        }
    }
}

/// What lies in a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peeked {
    /// So many bytes, at the most as many as were asked for.
    Bytes(usize),
    /// Nothing yet.
    NotYet,
    /// Nothing, and nothing will come.
    Ended,
}

/// Copies what has come in on a connection and leaves it there (recv(2), `MSG_PEEK`).
pub fn peek(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Peeked {
    match receive(fd, buffer, MsgFlags::MSG_PEEK) {
        Ok(0) => Peeked::Ended,
        Ok(count) => Peeked::Bytes(count),
        Err(Errno::EAGAIN) => Peeked::NotYet,
        Err(_) => Peeked::Ended,
    }
}

/// Takes the first bytes off a connection; they are lost. Answers whether all of them were there.
pub fn discard(fd: BorrowedFd<'_>, length: usize) -> bool {
    let mut buffer = vec![0; length];
    receive(fd, &mut buffer, MsgFlags::empty()) == Ok(length)
}

fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: MsgFlags) -> nix::Result<usize> {
    loop {
        match socket::recv(fd.as_raw_fd(), buffer, flags | MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EINTR) => {}
            answer => return answer,
        }
    }
}

/// Where a socket is bound.
///
/// # Errors
/// When the descriptor is no socket.
pub fn local_address(fd: BorrowedFd<'_>) -> Result<LocalAddress, SysError> {
    let address = address_of(fd, socket::getsockname::<SockaddrStorage>).named("getsockname")?;
    if let Some(unix) = address.as_unix_addr() {
        return Ok(unix.path().map_or(LocalAddress::Unnamed, |path| LocalAddress::Path(path.to_owned())));
    }
    Ok(ip_of(&address).map_or(LocalAddress::Unnamed, |address| LocalAddress::Ip(ip_name(address))))
}

/// The address of the other end; `None` for a unix socket or when the peer is gone. IPv4 inside IPv6 is IPv4.
#[must_use]
pub fn peer_ip(fd: BorrowedFd<'_>) -> Option<IpAddr> {
    let address = address_of(fd, socket::getpeername::<SockaddrStorage>).ok()?;
    ip_of(&address).map(|address| address.ip().to_canonical())
}

fn address_of(fd: BorrowedFd<'_>, ask: fn(RawFd) -> nix::Result<SockaddrStorage>) -> nix::Result<SockaddrStorage> {
    ask(fd.as_raw_fd())
}

fn ip_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::from((address.ip(), address.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
}

fn ip_name(address: SocketAddr) -> IpName {
    let zone = match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let name = nix::net::if_::if_indextoname(v6.scope_id()).ok();
            let name = name.and_then(|name| name.into_string().ok());
            format!("%{}", name.unwrap_or_else(|| v6.scope_id().to_string()))
        }
        _ => String::new(),
    };
    IpName {
        address: format!("{}{zone}", address.ip()),
        family: if address.is_ipv4() { "IPv4" } else { "IPv6" },
        port: address.port(),
    }
}

/// The number of a network interface, for the zone of a link-local address.
#[must_use]
pub fn interface_index(zone: &OsStr) -> Option<u32> {
    nix::net::if_::if_nametoindex(zone).ok().or_else(|| zone.to_str()?.parse().ok())
}
