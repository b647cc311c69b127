//! The cluster as those outside see and steer it: HTTP on a unix socket of the cluster's user, and, where it is asked for, on a TCP port
//! where nothing can be changed. Served by the master's own thread, so that it answers while all JavaScript stands still.
//!
//! It knows nothing of the cluster. What is asked goes to the master's loop ([`ask`]), and the master tells of what happens ([`events`]).
//! `route`, `guests`, `visit` and `pace` decide and `metrics` writes, and are pure; `server` is the only file that knows HTTP's library.

pub mod ask;
pub mod events;
mod guests;
pub mod metrics;
mod pace;
mod route;
mod server;
mod visit;

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;

use crate::sys::SysError;
pub use crate::sys::control_socket::Others;
use crate::sys::control_socket::{self, ControlName, ControlSocket, ControlSocketError};
use crate::sys::socket::{self, LocalAddress, TcpOptions};
use ask::Asked;
use events::Hub;
use guests::Guests;
use route::Face;
use server::{Listener, Server};

/// How many questions may wait for the master's loop; those who ask wait beyond that.
const ASKS: usize = 64;
/// How many connections may wait to be accepted at the admin port.
const ADMIN_BACKLOG: u32 = 128;
/// How long the end of the process waits for the last answers, and how often they are looked for.
const LAST_ANSWERS: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(2);

/// Where the cluster can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlConfig {
    /// The control socket; none where there is none.
    pub path: Option<PathBuf>,
    /// True where nobody asked for that path: the cluster does without then, where it cannot be had.
    pub is_default: bool,
    /// The admin port.
    pub admin: Option<AdminConfig>,
}

/// The admin port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port; 0 for any that is free.
    pub port: u16,
    /// Names by which it is spoken to, besides addresses and `localhost`.
    pub names: Vec<String>,
}

/// Why the cluster cannot be seen as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// The control socket.
    #[error("control: {0}")]
    Control(#[from] ControlSocketError),
    /// The admin port.
    #[error("admin: cannot listen on {address}: {source}")]
    Admin {
        /// What was asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: SysError,
    },
}

/// Sockets that listen, and are served by nobody yet.
#[derive(Debug, Default)]
pub struct Doors {
    control: Option<std::os::unix::net::UnixListener>,
    admin: Option<(std::net::TcpListener, Vec<String>)>,
    /// Where they are.
    pub addresses: Addresses,
    /// Why there is no control socket, where nobody asked for one.
    pub warning: Option<String>,
}

/// Where the cluster is seen, for people and programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The path of the control socket.
    pub control: Option<String>,
    /// The URL of the admin port.
    pub admin: Option<String>,
}

impl Doors {
    /// Opens what the configuration says, and answers with the name that has to be removed at the end, too.
    ///
    /// # Errors
    /// See [`DoorError`]. A control socket that nobody asked for is done without, with a warning.
    pub fn open(config: &ControlConfig, others: Others) -> Result<(Self, Option<ControlName>), DoorError> {
        let mut doors = Self::default();
        let mut name = None;
        match config.path.as_deref().map(|path| control_socket::open(path, others)) {
            None => {}
            Some(Ok(ControlSocket { socket, name: opened })) => {
                doors.addresses.control = Some(opened.path().to_string_lossy().into_owned());
                doors.control = Some(socket.into());
                name = Some(opened);
            }
            Some(Err(error)) if config.is_default => {
                doors.warning = Some(format!("there is no control socket: {error}"));
            }
            Some(Err(error)) => return Err(error.into()),
        }
        if let Some(admin) = &config.admin {
            let opened = open_admin(admin);
            if let (Err(_), Some(name)) = (&opened, &name) {
                name.remove();
            }
            let (listener, url) = opened?;
            doors.admin = Some((listener, admin.names.clone()));
            doors.addresses.admin = Some(url);
        }
        Ok((doors, name))
    }
}

fn open_admin(admin: &AdminConfig) -> Result<(std::net::TcpListener, String), DoorError> {
    let address = SocketAddr::new(admin.host, admin.port);
    let options = TcpOptions { backlog: ADMIN_BACKLOG, ..TcpOptions::default() };
    let failed = |source| DoorError::Admin { address, source };
    let socket = socket::tcp(address, options).map_err(failed)?;
    let port = match socket::local_address(socket.as_fd()).map_err(failed)? {
        LocalAddress::Ip(name) => name.port,
        LocalAddress::Path(_) | LocalAddress::Unnamed => admin.port,
    };
    Ok((socket.into(), format!("http://{}", SocketAddr::new(admin.host, port))))
}

/// What the master's loop has of it; copies are the same.
#[derive(Clone)]
pub struct Control {
    /// Whoever listens to what happens.
    pub hub: Hub,
    addresses: Rc<RefCell<Addresses>>,
    servers: Rc<RefCell<Vec<Rc<Server>>>>,
    asks: mpsc::Sender<Asked>,
}

impl Control {
    /// Serves nothing yet. Questions come out of the receiver.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (asks, asked) = mpsc::channel(ASKS);
        let control = Self { hub: Hub::default(), addresses: Rc::default(), servers: Rc::default(), asks };
        (control, asked)
    }

    /// Where the cluster is seen.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses.borrow().clone()
    }

    /// Serves these, too, from now on; to be called in a `LocalSet` on a runtime with I/O and time.
    ///
    /// # Errors
    /// When the kernel cannot watch a socket.
    pub fn serve(&self, doors: Doors) -> std::io::Result<()> {
        let Doors { control, admin, addresses, .. } = doors;
        let mut known = self.addresses.borrow_mut();
        known.control = addresses.control.or(known.control.take());
        known.admin = addresses.admin.or(known.admin.take());
        if let Some(socket) = control {
            let listener = Listener::Unix(UnixListener::from_std(socket)?);
            self.start(Face::Control, Guests::default(), listener);
        }
        if let Some((socket, names)) = admin {
            let listener = Listener::Tcp(TcpListener::from_std(socket)?);
            self.start(Face::Admin, Guests::new(&names), listener);
        }
        Ok(())
    }

    fn start(&self, face: Face, guests: Guests, listener: Listener) {
        let server = Server::new(face, guests, self.asks.clone(), self.hub.clone());
        tokio::task::spawn_local(Rc::clone(&server).serve(listener));
        self.servers.borrow_mut().push(server);
    }

    /// Ends when everybody who asked has an answer, or has had the time for it.
    pub fn last_answers(&self) -> impl Future<Output = ()> + 'static {
        let servers = self.servers.borrow().clone();
        async move {
            let limit = tokio::time::Instant::now() + LAST_ANSWERS;
            while servers.iter().any(|server| server.is_answering()) && tokio::time::Instant::now() < limit {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}
