//! [`ClusterError`]: the only error that leaves the crate. Its code is stable; its text names the operand; its source is kept.

use std::path::PathBuf;

use crate::control::DoorError;

/// Why something the door asked for could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// An option that JavaScript should have refused.
    #[error("option {name} must be {expected}, found {found}")]
    Option {
        /// The option's name.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it was.
        found: String,
    },
    /// The pid file could not be written.
    #[error("pidFile {} could not be written: {source}", path.display())]
    PidFile {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// What the master before this one has left could not be read.
    #[error("what the old master has left could not be taken over: {reason}")]
    Inheritance {
        /// Which step failed, and how.
        reason: String,
    },
    /// The master's thread could not be started.
    #[error("the master's thread could not be started: {source}")]
    Thread {
        /// What the system said.
        source: std::io::Error,
    },
    /// The caller is a worker thread.
    #[error(
        "a cluster is started on the main thread of a process, not in a worker thread: that gets no signals, and its exit ends no process"
    )]
    NotMainThread,
    /// The control socket or the admin port could not be opened.
    #[error(transparent)]
    Listen(#[from] DoorError),
    /// The cluster has ended.
    #[error("the cluster has ended")]
    Closed,
    /// A worker could not watch its master.
    #[error("this process could not attach to its master: {reason}")]
    Attach {
        /// Which step failed, and how.
        reason: String,
    },
}

impl ClusterError {
    /// The stable code that JavaScript sees.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Option { .. } => "ERR_CLUTCH_OPTION",
            Self::PidFile { .. } | Self::Inheritance { .. } | Self::Thread { .. } | Self::NotMainThread => {
                "ERR_CLUTCH_BOOT"
            }
            Self::Listen(_) => "ERR_CLUTCH_LISTEN",
            Self::Closed => "ERR_CLUTCH_CLOSED",
            Self::Attach { .. } => "ERR_CLUTCH_PLATFORM",
        }
    }
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
