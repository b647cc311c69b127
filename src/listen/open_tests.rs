//! What is opened for which wish, held against real sockets on this machine.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use super::open::*;
use crate::sys::socket::{AddressType, LocalAddress, Permissions, SocketKind, accept, peer_ip};
use crate::sys::watchdog::Watchdog;
use std::os::fd::AsFd;

const EINVAL: i32 = -22;
const EADDRINUSE: i32 = -98;

fn wish(address: Option<&str>, port: i64, address_type: AddressType) -> ListenRequest<'_> {
    let permissions = Permissions::default();
    ListenRequest { address, port, address_type, fd: None, flags: 0, backlog: None, permissions }
}

fn ip(opened: &Opened) -> (&str, &str, u16) {
    match &opened.local {
        LocalAddress::Ip(name) => (&name.address, name.family, name.port),
        other => panic!("{other:?}"),
    }
}

fn errno(request: &ListenRequest<'_>) -> i32 {
    open(request).unwrap_err().libuv_errno()
}

fn has_ipv6() -> bool {
    std::fs::read_to_string("/proc/net/if_inet6").is_ok_and(|all| !all.is_empty())
}

/// Waits for a connection on a non-blocking listener by asking again: it was connected before, so it is there.
fn accepted(opened: &Opened) -> std::os::fd::OwnedFd {
    loop {
        if let Some(connection) = accept(opened.socket.as_fd()).unwrap() {
            return connection;
        }
        std::thread::yield_now();
    }
}

#[test]
fn no_address_means_both_families() {
    let _watchdog = Watchdog::start();
    let opened = open(&wish(None, 0, AddressType::Ipv4)).unwrap();
    let (address, family, port) = ip(&opened);
    if has_ipv6() {
        assert_eq!((address, family), ("::", "IPv6"));
    } else {
        assert_eq!((address, family), ("0.0.0.0", "IPv4"));
    }
    assert_eq!(opened.kind, SocketKind::Stream);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let connection = accepted(&opened);
    assert_eq!(peer_ip(connection.as_fd()), Some("127.0.0.1".parse().unwrap()), "IPv4 within IPv6 is shown as IPv4");
    assert!(accept(opened.socket.as_fd()).unwrap().is_none());
    client.write_all(b"x").unwrap();
}

#[test]
fn only_ipv6_leaves_ipv4_to_others() {
    if !has_ipv6() {
        return;
    }
    let opened = open(&ListenRequest { flags: 1, ..wish(None, 0, AddressType::Ipv6) }).unwrap();
    let (_, _, port) = ip(&opened);
    let other = open(&wish(Some("0.0.0.0"), i64::from(port), AddressType::Ipv4)).unwrap();
    assert_eq!(ip(&other), ("0.0.0.0", "IPv4", port));
    let local = open(&wish(Some("::1"), 0, AddressType::Ipv6)).unwrap();
    assert_eq!((ip(&local).0, ip(&local).1), ("::1", "IPv6"));
}

#[test]
fn a_port_that_is_taken_is_taken_on_both_families() {
    let taken = open(&wish(None, 0, AddressType::Ipv4)).unwrap();
    let port = i64::from(ip(&taken).2);
    assert_eq!(errno(&wish(None, port, AddressType::Ipv4)), EADDRINUSE);
    let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = i64::from(v4.local_addr().unwrap().port());
    assert_eq!(errno(&wish(Some("127.0.0.1"), port, AddressType::Ipv4)), EADDRINUSE);
    let error = open(&wish(Some("127.0.0.1"), port, AddressType::Ipv4)).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on 127.0.0.1, port {port}"));
}

#[test]
fn addresses_and_ports_that_are_none_are_refused_with_einval() {
    for (address, port, address_type) in [
        ("localhost", 0, AddressType::Ipv4),
        ("1.2.3", 0, AddressType::Ipv4),
        ("::1", 0, AddressType::Udp4),
        ("127.0.0.1", 0, AddressType::Udp6),
        ("fe80::1%no-such-zone", 0, AddressType::Ipv6),
        ("127.0.0.1%lo", 0, AddressType::Ipv4),
        ("127.0.0.1", 65_536, AddressType::Ipv4),
        ("127.0.0.1", i64::MAX, AddressType::Udp4),
    ] {
        assert_eq!(errno(&wish(Some(address), port, address_type)), EINVAL, "{address} {port} {address_type:?}");
    }
    assert_eq!(errno(&wish(None, -1, AddressType::Unix)), EINVAL, "a pipe without a name");
    assert_eq!(errno(&wish(None, -1, AddressType::Unspecified)), EINVAL);
    // TEST-NET-1 is nobody's address.
    assert_eq!(errno(&wish(Some("192.0.2.1"), 0, AddressType::Ipv4)), -99, "EADDRNOTAVAIL");
}

#[test]
fn datagrams_are_received() {
    let _watchdog = Watchdog::start();
    let opened = open(&wish(Some("127.0.0.1"), 0, AddressType::Udp4)).unwrap();
    assert_eq!(opened.kind, SocketKind::Datagram);
    let port = ip(&opened).2;
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"hello", ("127.0.0.1", port)).unwrap();
    let socket = UdpSocket::from(opened.socket);
    socket.set_nonblocking(false).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(socket.recv(&mut buffer).unwrap(), 5);
    assert_eq!(errno(&wish(Some("127.0.0.1"), i64::from(port), AddressType::Udp4)), EADDRINUSE);
}

#[test]
fn datagram_ports_are_shared_only_by_those_who_all_say_so() {
    let reuse = |port| ListenRequest { flags: 4, ..wish(Some("127.0.0.1"), port, AddressType::Udp4) };
    let first = open(&reuse(0)).unwrap();
    let port = i64::from(ip(&first).2);
    let _second = open(&reuse(port)).unwrap();
    assert_eq!(errno(&wish(Some("127.0.0.1"), port, AddressType::Udp4)), EADDRINUSE);
}

#[test]
fn sockets_that_reuse_a_port_are_many_and_no_other_may_join_them() {
    let _watchdog = Watchdog::start();
    let reuse = |port| ListenRequest { flags: REUSE_PORT, ..wish(Some("127.0.0.1"), port, AddressType::Ipv4) };
    let first = open(&reuse(0)).unwrap();
    let port = i64::from(ip(&first).2);
    let second = open(&reuse(port)).unwrap();
    assert_eq!(ip(&second), ip(&first));
    assert_eq!(errno(&wish(Some("127.0.0.1"), port, AddressType::Ipv4)), EADDRINUSE);
}

#[test]
fn a_unix_socket_has_its_name_as_long_as_it_is_open() {
    let _watchdog = Watchdog::start();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    let name = path.to_str().unwrap();
    let opened = open(&wish(Some(name), -1, AddressType::Unix)).unwrap();
    assert_eq!(opened.local, LocalAddress::Path(path.clone()));
    assert_eq!(opened.bound_path.as_ref().unwrap().path(), path);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"x").unwrap();
    let connection = accepted(&opened);
    assert_eq!(peer_ip(connection.as_fd()), None);
    let mut byte = [0];
    UnixStream::from(connection).read_exact(&mut byte).unwrap();
    assert_eq!(errno(&wish(Some(name), -1, AddressType::Unix)), EADDRINUSE);
    assert!(path.exists(), "a failure to bind removed somebody else's name");
    drop(opened);
    assert!(!path.exists());
}

#[test]
fn a_name_that_was_taken_over_by_somebody_else_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    let opened = open(&wish(path.to_str(), -1, AddressType::Unix)).unwrap();
    std::fs::rename(&path, directory.path().join("old.sock")).unwrap();
    let _theirs = UnixListener::bind(&path).unwrap();
    drop(opened);
    assert!(path.exists());
}

#[test]
fn everybody_may_use_a_unix_socket_if_asked_to() {
    let directory = tempfile::tempdir().unwrap();
    let bits = |name: &str, permissions| {
        let path = directory.path().join(name);
        let request = ListenRequest { permissions, ..wish(path.to_str(), -1, AddressType::Unix) };
        let opened = open(&request).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        drop(opened);
        mode & 0o666
    };
    let plain = bits("a", Permissions::default());
    assert_eq!(bits("b", Permissions { readable_all: true, writable_all: false }), plain | 0o444);
    assert_eq!(bits("c", Permissions { readable_all: false, writable_all: true }), plain | 0o222);
    assert_eq!(bits("d", Permissions { readable_all: true, writable_all: true }), 0o666);
}

#[test]
fn a_unix_socket_that_cannot_be_bound_says_what_libuv_would() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("no/such/directory/a.sock");
    assert_eq!(errno(&wish(missing.to_str(), -1, AddressType::Unix)), -13, "EACCES, not ENOENT");
    let long = directory.path().join("x".repeat(200));
    assert_eq!(errno(&wish(long.to_str(), -1, AddressType::Unix)), -36, "ENAMETOOLONG");
}

#[test]
fn an_abstract_name_is_found_behind_the_directory_that_the_worker_put_before_it() {
    let _watchdog = Watchdog::start();
    use std::os::linux::net::SocketAddrExt;
    let name = format!("egg-clutch-test-{}", std::process::id());
    let resolved = format!("{}/\0{name}", std::env::current_dir().unwrap().display());
    let opened = open(&wish(Some(&resolved), -1, AddressType::Unix)).unwrap();
    assert!(opened.bound_path.is_none());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let _client = UnixStream::connect_addr(&address).unwrap();
    accepted(&opened);
}

#[test]
fn a_descriptor_is_copied_and_listened_on() {
    let _watchdog = Watchdog::start();
    let original = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = original.local_addr().unwrap().port();
    let by_number = |fd: i32, address_type| ListenRequest { fd: Some(fd), ..wish(None, -1, address_type) };
    let opened = open(&by_number(original.as_raw_fd(), AddressType::Unspecified)).unwrap();
    assert_eq!(ip(&opened), ("127.0.0.1", "IPv4", port));
    drop(original);
    let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    accepted(&opened);

    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let opened = open(&by_number(datagrams.as_raw_fd(), AddressType::Udp4)).unwrap();
    assert_eq!(opened.kind, SocketKind::Datagram);
    let file = tempfile::tempfile().unwrap();
    for (fd, address_type, expected) in [
        (datagrams.as_raw_fd(), AddressType::Unspecified, EINVAL),
        (opened.socket.as_raw_fd(), AddressType::Udp4, 0),
        (file.as_raw_fd(), AddressType::Unspecified, EINVAL),
        (i32::MAX, AddressType::Unspecified, EINVAL),
    ] {
        let answer = open(&by_number(fd, address_type)).map_or_else(|error| error.libuv_errno(), |_| 0);
        assert_eq!(answer, expected, "{fd} {address_type:?}");
    }
}
