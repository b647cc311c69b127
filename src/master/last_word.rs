//! The end of the process where JavaScript does not bring it about. It is told to exit, and does so at once where its thread runs; one that
//! stands still hears nothing, and must not keep a master whose cluster is gone.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::{error, info, warn};

use super::desk::NameOfDoor;
use super::pid_file::PidFile;
use crate::sys::this_process;

/// What is left to do when the cluster is gone, and who has heard of it.
#[derive(Clone, Default)]
pub(super) struct LastWord {
    pid_file: Option<Arc<PidFile>>,
    control_name: NameOfDoor,
    heard: Arc<OnceLock<()>>,
}

impl LastWord {
    pub(super) fn new(pid_file: Option<Arc<PidFile>>, control_name: NameOfDoor) -> Self {
        Self { pid_file, control_name, heard: Arc::default() }
    }

    /// JavaScript knows that it has to exit; how it does that is its own affair.
    pub(super) fn note_heard(&self) {
        let _ = self.heard.set(());
    }

    /// Removes the pid file and the name of the control socket, and says that the process exits.
    pub(super) fn take_leave(&self, code: i32) {
        if let Some(Err(error)) = self.pid_file.as_ref().map(|file| file.remove()) {
            error!("[master] {error}");
        }
        self.control_name.remove();
        if code == 0 {
            info!("[master] exit with code:{code}");
        } else {
            error!("[master] exit with code:{code}");
        }
    }

    /// Ends the process where JavaScript has heard nothing for so long.
    pub(super) async fn speak(self, code: i32, patience: Duration) {
        tokio::time::sleep(patience).await;
        if self.heard.get().is_some() {
            return;
        }
        let ms = patience.as_millis();
        warn!(
            "[master] the master's JavaScript stands still and does not exit within {ms}ms, the process is ended without it"
        );
        self.take_leave(code);
        this_process::exit_now(code)
    }
}
