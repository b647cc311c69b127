//! What those outside may ask for, and the answers as they go over the wire: the words that [`crate::control`] and the master share.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::metrics::Format;

/// Something that the master's loop has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A snapshot of the cluster as JSON.
    Status,
    /// The cluster in numbers.
    Metrics(Format),
    /// Whether connections may be sent here.
    Ready,
    /// An action.
    Verb {
        /// Which.
        verb: Verb,
        /// Whether the answer comes when it is done, or when it has begun.
        waits: bool,
    },
}

/// One process of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The agent.
    Agent,
    /// The app worker with this number.
    App(u32),
}

/// An action, with its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// New app workers for old ones; whether the agent as well, where that is said.
    Reload(Option<bool>),
    /// So many app workers.
    Scale(u32),
    /// A new process in the place of this one.
    Restart(Whom),
    /// No more connections for this app worker.
    Isolate(u32),
    /// Connections for it again.
    Rejoin(u32),
    /// The end of the cluster.
    Stop,
    /// A new master in the place of this one, started as this one was.
    Upgrade,
    /// Where the JavaScript of this process stands.
    Stack(Whom),
}

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP's status.
    pub status: u16,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// What comes after the head.
    pub body: Bytes,
    /// With status 405: the methods that are taken (RFC 9110, 15.5.6).
    pub allow: Option<&'static str>,
    /// How long the master's thread has worked for it.
    pub cost: Duration,
}

impl Reply {
    /// A JSON text.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self::text(status, "application/json; charset=utf-8", format!("{value}\n"))
    }

    /// Any text.
    #[must_use]
    pub fn text(status: u16, content_type: &'static str, text: String) -> Self {
        Self { status, content_type, body: text.into(), allow: None, cost: Duration::ZERO }
    }

    /// An error with a code of the package.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({ "error": { "code": code, "message": message } }))
    }

    /// The master does not answer any more.
    #[must_use]
    pub fn closed() -> Self {
        Self::error(409, "ERR_CLUTCH_CLOSED", "the cluster has ended")
    }
}

/// A question on its way to the master's loop.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub ask: Ask,
    /// Where the answer goes; whoever asked may have gone.
    pub answer: oneshot::Sender<Reply>,
}
