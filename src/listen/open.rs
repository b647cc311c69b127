//! From a worker's wish to listen to the socket, as Node's primary would open it.
//!
//! Says what to try in which order; the calls are made by `sys::socket`. The errno of a failure is answered to the
//! worker, which throws the same error as if it had listened itself.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::sys::bound_path::BoundPath;
use crate::sys::socket::{self, AddressType, LocalAddress, Permissions, SocketKind, TcpOptions};
use crate::sys::{INVALID_ARGUMENT, SysError};

/// `UV_TCP_IPV6ONLY` and `UV_UDP_IPV6ONLY`.
const IPV6_ONLY: u32 = 1;
/// `UV_TCP_REUSEPORT`.
pub const REUSE_PORT: u32 = 2;
/// `UV_UDP_REUSEADDR`.
const UDP_REUSE_ADDRESS: u32 = 4;
/// How many connections wait where the app does not say; Node's number.
const DEFAULT_BACKLOG: u32 = 511;
/// The longest name of a unix socket; one byte of `sun_path` ends it.
const LONGEST_UNIX_PATH: usize = 107;

/// What to listen on.
#[derive(Debug, Clone)]
pub struct ListenRequest<'a> {
    /// An address, or a path; none means all addresses of both families.
    pub address: Option<&'a str>,
    /// The port; 0 means any. Below 0 there is none.
    pub port: i64,
    /// What kind of address.
    pub address_type: AddressType,
    /// A descriptor that the master was started with, instead of all of the above.
    pub fd: Option<i32>,
    /// libuv's bits for `bind`.
    pub flags: u32,
    /// How many connections may wait.
    pub backlog: Option<u32>,
    /// Who may use a unix socket.
    pub permissions: Permissions,
}

/// An open socket; the connections of a stream socket wait in it until they are accepted.
#[derive(Debug)]
pub struct Opened {
    /// The socket, non-blocking and close-on-exec.
    pub socket: OwnedFd,
    /// Whether connections come out of it, or datagrams.
    pub kind: SocketKind,
    /// Where it is bound.
    pub local: LocalAddress,
    /// The name in the file system, removed on drop: keep it as long as the socket.
    pub bound_path: Option<BoundPath>,
    /// The master was started with it: whoever gave it may go on listening when we do not.
    pub is_inherited: bool,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address is none, or not one of the family that was asked for.
    #[error("{address:?} is no address for {address_type:?}")]
    Address {
        /// The address asked for.
        address: String,
        /// The kind asked for.
        address_type: AddressType,
    },
    /// No port has this number.
    #[error("there is no port {port}")]
    Port {
        /// The port asked for.
        port: i64,
    },
    /// The system refuses.
    #[error("cannot listen on {target}")]
    Refused {
        /// What was asked for, for the log.
        target: String,
        /// What failed.
        source: SysError,
    },
}

impl OpenError {
    /// The number that Node's worker makes its error of: libuv's, so negative.
    #[must_use]
    pub fn libuv_errno(&self) -> i32 {
        match self {
            Self::Refused { source, .. } => source.libuv_errno(),
            Self::Address { .. } | Self::Port { .. } => -INVALID_ARGUMENT,
        }
    }
}

/// Opens, binds and, where connections are awaited, listens.
///
/// # Errors
/// See [`OpenError`]; nothing stays open or bound.
pub fn open(request: &ListenRequest<'_>) -> Result<Opened, OpenError> {
    if let Some(number) = request.fd {
        return inherited(number, request);
    }
    match request.address_type {
        AddressType::Udp4 | AddressType::Udp6 => datagram(request),
        AddressType::Unix => unix(request),
        // Without a port it can only be a path; Node looks at nothing else.
        _ if request.port < 0 => unix(request),
        _ => tcp(request),
    }
}

fn inherited(number: i32, request: &ListenRequest<'_>) -> Result<Opened, OpenError> {
    let refused = |source| OpenError::Refused { target: format!("descriptor {number}"), source };
    let (socket, kind) = socket::duplicate(number, backlog(request)).map_err(refused)?;
    let wants_datagrams = matches!(request.address_type, AddressType::Udp4 | AddressType::Udp6);
    if wants_datagrams != (kind == SocketKind::Datagram) {
        let address_type = request.address_type;
        return Err(OpenError::Address { address: format!("descriptor {number}"), address_type });
    }
    let opened = finish(socket, kind, None).map_err(refused)?;
    Ok(Opened { is_inherited: true, ..opened })
}

fn tcp(request: &ListenRequest<'_>) -> Result<Opened, OpenError> {
    let port = port(request)?;
    let options = TcpOptions {
        ipv6_only: request.flags & IPV6_ONLY != 0,
        reuse_port: request.flags & REUSE_PORT != 0,
        backlog: backlog(request),
    };
    let listen = |address| socket::tcp(address, options);
    let socket = match request.address {
        Some(_) => listen(address(request, port)?),
        None => match listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
            // A machine without IPv6 has no such address, or no such family; a port that is taken stays taken.
            Err(error) if !error.is_address_in_use() => listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
            answer => answer,
        },
    };
    socket.and_then(|socket| finish(socket, SocketKind::Stream, None)).map_err(|source| refused(request, source))
}

fn datagram(request: &ListenRequest<'_>) -> Result<Opened, OpenError> {
    let port = port(request)?;
    let address = match (request.address, request.address_type) {
        (Some(_), _) => address(request, port)?,
        (None, AddressType::Udp6) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        (None, _) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    };
    socket::udp(address, request.flags & IPV6_ONLY != 0, request.flags & UDP_REUSE_ADDRESS != 0)
        .and_then(|socket| finish(socket, SocketKind::Datagram, None))
        .map_err(|source| refused(request, source))
}

fn unix(request: &ListenRequest<'_>) -> Result<Opened, OpenError> {
    let Some(name) = request.address else {
        return Err(OpenError::Address { address: String::new(), address_type: request.address_type });
    };
    let cwd = std::env::current_dir().unwrap_or_default();
    let path = bindable(Path::new(name), &cwd);
    socket::unix(&path, backlog(request), request.permissions)
        .and_then(|(socket, bound_path)| finish(socket, SocketKind::Stream, bound_path))
        .map_err(|source| refused(request, source))
}

fn finish(socket: OwnedFd, kind: SocketKind, bound_path: Option<BoundPath>) -> Result<Opened, SysError> {
    let local = socket::local_address(socket.as_fd())?;
    Ok(Opened { socket, kind, local, bound_path, is_inherited: false })
}

fn refused(request: &ListenRequest<'_>, source: SysError) -> OpenError {
    let address = request.address.unwrap_or("all addresses");
    let target = match request.port {
        ..0 => address.to_owned(),
        port => format!("{address}, port {port}"),
    };
    OpenError::Refused { target, source }
}

fn backlog(request: &ListenRequest<'_>) -> u32 {
    request.backlog.filter(|backlog| *backlog > 0).unwrap_or(DEFAULT_BACKLOG)
}

fn port(request: &ListenRequest<'_>) -> Result<u16, OpenError> {
    // dgram says nothing where any port will do.
    u16::try_from(request.port.max(0)).map_err(|_| OpenError::Port { port: request.port })
}

fn address(request: &ListenRequest<'_>, port: u16) -> Result<SocketAddr, OpenError> {
    let text = request.address.unwrap_or_default();
    let (ip, zone) = text.split_once('%').map_or((text, None), |(ip, zone)| (ip, Some(zone)));
    let fits = |ip: &IpAddr| match request.address_type {
        AddressType::Udp4 => ip.is_ipv4(),
        AddressType::Udp6 => ip.is_ipv6(),
        _ => true,
    };
    let parsed = ip.parse::<IpAddr>().ok().filter(fits);
    match (parsed, zone.map(|zone| socket::interface_index(OsStr::new(zone)))) {
        (Some(ip), None) => Some(SocketAddr::new(ip, port)),
        (Some(IpAddr::V6(ip)), Some(Some(scope))) => Some(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope))),
        _ => None,
    }
    .ok_or_else(|| OpenError::Address { address: text.to_owned(), address_type: request.address_type })
}

/// The name to bind: the worker's absolute one, or the way from here where only that is short enough for the kernel.
///
/// An abstract name begins with a zero byte. The worker has made a path of it and put its directory in front, which
/// is ours, too, so the way from here is the name again.
fn bindable<'a>(path: &'a Path, cwd: &Path) -> Cow<'a, Path> {
    let relative = relative(path, cwd);
    let is_abstract = relative.as_os_str().as_bytes().starts_with(b"\0");
    let too_long = path.as_os_str().len() > LONGEST_UNIX_PATH;
    if is_abstract || (too_long && relative.as_os_str().len() <= LONGEST_UNIX_PATH) {
        Cow::Owned(relative)
    } else {
        Cow::Borrowed(path)
    }
}

fn relative(path: &Path, cwd: &Path) -> PathBuf {
    let common = path.components().zip(cwd.components()).take_while(|(left, right)| left == right).count();
    let up = cwd.components().skip(common).map(|_| Component::ParentDir);
    up.chain(path.components().skip(common)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(path: &str, cwd: &str) -> String {
        bindable(Path::new(path), Path::new(cwd)).to_string_lossy().into_owned()
    }

    #[test]
    fn a_path_is_bound_as_it_is_unless_only_the_way_from_here_is_short_enough() {
        assert_eq!(bound("/srv/app/run/a.sock", "/srv/app"), "/srv/app/run/a.sock");
        let deep = format!("/srv/{}", "d".repeat(100));
        assert_eq!(bound(&format!("{deep}/run/a.sock"), &deep), "run/a.sock");
        assert_eq!(bound(&format!("{deep}/a.sock"), &format!("{deep}/run/x")), "../../a.sock");
        let elsewhere = format!("{deep}/a.sock");
        assert_eq!(bound(&elsewhere, &format!("/home/{}", "e".repeat(100))), elsewhere);
        let hopeless = format!("/{}", "x".repeat(300));
        assert_eq!(bound(&hopeless, "/srv"), hopeless);
        assert_eq!(bound("relative.sock", "/srv"), "relative.sock");
    }

    #[test]
    fn an_abstract_name_loses_the_directory_before_it() {
        assert_eq!(bound("/srv/app/\0name", "/srv/app"), "\0name");
        assert_eq!(bound("/\0name", "/"), "\0name");
        assert_eq!(bound("/srv/\0name", "/home"), "/srv/\0name");
    }
}
