//! What the master before this one has left: listening sockets, by the keys that Node gives them, until a worker asks for them.
//!
//! While they are *held* that master still serves: nobody accepts here, and no worker is given a socket from which it would accept itself.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use crate::listen::open::Opened;
use crate::sys::bound_path::BoundPath;
use crate::sys::socket::{self, SocketKind};
use crate::transport::estate::Bequest;

/// See the head of this file.
#[derive(Default)]
pub(super) struct Heirlooms {
    bequests: Vec<Bequest>,
    pub(super) are_held: bool,
}

impl Heirlooms {
    /// Held from the beginning.
    pub(super) fn new(bequests: Vec<Bequest>) -> Self {
        Self { bequests, are_held: true }
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Bequest> {
        let at = self.bequests.iter().position(|bequest| bequest.key == key)?;
        Some(self.bequests.swap_remove(at))
    }

    /// One that all workers share, or none.
    pub(super) fn take_single(&mut self, key: &str) -> Option<Opened> {
        if !self.is_single(key) {
            return None;
        }
        self.take(key).and_then(|mut bequest| opened(&mut bequest))
    }

    pub(super) fn is_single(&self, key: &str) -> bool {
        self.bequests.iter().any(|bequest| bequest.key == key && bequest.slots.is_empty())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bequests.is_empty()
    }

    /// What nobody has asked for will not be asked for any more.
    pub(super) fn drop_rest(&mut self) {
        self.bequests.clear();
    }
}

/// The first socket of a bequest, as if it had been opened here; its name stays the other master's to remove.
pub(super) fn opened(bequest: &mut Bequest) -> Option<Opened> {
    let socket: OwnedFd = (!bequest.descriptors.is_empty()).then(|| bequest.descriptors.remove(0))?;
    let kind: SocketKind = socket::kind(socket.as_fd()).ok()?;
    let local = socket::local_address(socket.as_fd()).ok()?;
    let bound_path = bequest.path.take().map(|path| BoundPath::of_another(PathBuf::from(path)));
    Some(Opened { socket, kind, local, bound_path, is_inherited: bequest.is_inherited })
}
