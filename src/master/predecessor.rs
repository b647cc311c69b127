//! The master before this one, as this one sees it: what it has left, when it lets go, and what becomes of us where it is gone too early.
//!
//! Until it lets go nobody is accepted here. When it is gone before that, it cannot serve any more, and this master begins at once, with as
//! many workers as it has.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::chain;
use super::heirlooms::Heirlooms;
use super::other_master::listen_to_it;
use super::shell::{Happening, Shell, spawn_task};
use crate::error::ClusterError;
use crate::supervisor::Event;
use crate::sys::Watched;
use crate::transport::estate::{self, Bequest, Word};

/// How long a ready app may take until its further servers listen, on what the old master has left for them.
const LATE_SERVERS: Duration = Duration::from_secs(1);

/// What the master before this one has left, and the socket to it.
pub(super) struct Estate {
    socket: OwnedFd,
    bequests: Vec<Bequest>,
}

impl Estate {
    /// Takes the socket over from this number; none where there is none.
    ///
    /// # Errors
    /// [`ClusterError::Inheritance`].
    pub(super) fn claim(number: i32) -> Result<Option<Self>, ClusterError> {
        let Some(socket) = estate::inherited(number) else { return Ok(None) };
        let bequests =
            estate::receive(socket.as_fd()).map_err(|error| ClusterError::Inheritance { reason: chain(&error) })?;
        Ok(Some(Self { socket, bequests }))
    }
}

/// What is heard of it.
#[derive(Debug)]
pub(super) enum PredecessorNews {
    Said(Word),
    Gone { fault: Option<String> },
}

/// The master before this one, while it is there.
pub(super) struct Predecessor {
    socket: Rc<Watched>,
    has_let_go: bool,
}

impl Predecessor {
    /// Begins to listen to it.
    ///
    /// # Errors
    /// When the kernel cannot watch its socket.
    pub(super) fn meet(estate: Estate, happenings: &mpsc::Sender<Happening>) -> std::io::Result<(Self, Heirlooms)> {
        let Estate { socket, bequests } = estate;
        let socket = Rc::new(Watched::new(socket)?);
        spawn_task(happenings, listen(Rc::clone(&socket), happenings.clone()));
        Ok((Self { socket, has_let_go: false }, Heirlooms::new(bequests)))
    }
}

impl Shell {
    /// All is ready here.
    pub(super) fn ask_predecessor(&self) {
        if let Some(predecessor) = &self.predecessor {
            // If it is gone that is on the way here.
            let _ = estate::say(predecessor.socket.as_fd(), Word::Ready);
        }
    }

    pub(super) fn note_predecessor(&mut self, news: PredecessorNews) {
        let Some(predecessor) = &mut self.predecessor else { return };
        match news {
            PredecessorNews::Said(Word::TakeOver) => {
                if !std::mem::replace(&mut predecessor.has_let_go, true) {
                    let socket = Rc::clone(&predecessor.socket);
                    self.take_over();
                    let _ = estate::say(socket.as_fd(), Word::TookOver);
                    self.feed(Event::TookOver);
                }
            }
            PredecessorNews::Said(word) => warn!("[master] the old master says {word:?}, which is not its to say"),
            PredecessorNews::Gone { fault } => {
                let had_let_go = predecessor.has_let_go;
                self.predecessor = None;
                if let Some(fault) = fault {
                    warn!("[master] the old master: {fault}");
                }
                if !had_let_go {
                    self.take_over();
                    info!("[master] the old master is gone, this one takes over");
                    self.feed(Event::TookOver);
                }
                self.settle_estate();
            }
        }
    }

    /// When this master is ready and the other one is gone, what nobody has asked for is let go of, soon: its workers listen nowhere any
    /// more, so that whatever is opened anew later finds its address free.
    pub(super) fn settle_estate(&self) {
        if self.predecessor.is_some() || !self.supervisor.view().is_running || self.listeners.heirlooms.is_empty() {
            return;
        }
        let happenings = self.happenings.clone();
        spawn_task(&self.happenings, async move {
            tokio::time::sleep(LATE_SERVERS).await;
            let _ = happenings.send(Happening::EstateSettled).await;
        });
    }

    fn take_over(&mut self) {
        self.listeners.take_over();
        self.open_doors();
        for (who, query) in self.listeners.bars.take_all_held() {
            let answer = self.listeners.answer(who, query);
            self.push_own(who, answer);
        }
        if let Some(Err(error)) = self.pid_file.as_ref().map(|file| file.write()) {
            error!("[master] {error}");
        }
    }
}

async fn listen(socket: Rc<Watched>, happenings: mpsc::Sender<Happening>) {
    let said = |word| Happening::Predecessor(PredecessorNews::Said(word));
    let fault = listen_to_it(&socket, &happenings, said).await;
    let _ = happenings.send(Happening::Predecessor(PredecessorNews::Gone { fault })).await;
}
