//! Nobody outlives the master: a thread that watches it, and ends this process when it is gone for too long.
//!
//! Until the guard is attached the kernel's death signal covers the process, and kills at once; the guard gives it time
//! to leave by itself. It works while JavaScript is blocked, and it never wakes up before the master has ended, or asks for the
//! stack of the main thread.

use std::sync::Mutex;
use std::time::Duration;

use super::pulse;
use crate::sys::SysError;
use crate::sys::parent::{self, Heard, Parent};
use crate::sys::this_process;

/// The thread only waits; but the C library puts every library's thread-local data on its stack, too.
const STACK_BYTES: usize = 256 * 1024;

/// For the whole process, as the death signal is: whichever copy of JavaScript in it attaches, one guard watches.
static ATTACHED: Mutex<bool> = Mutex::new(false);

/// Why this process is not guarded. Until then the death signal stays as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The master cannot be watched.
    #[error("cannot watch the master")]
    Watch(#[source] SysError),
    /// The thread could not be started.
    #[error("cannot start the guard thread")]
    Thread(#[source] std::io::Error),
    /// Only the main thread can take back the death signal.
    #[error("the guard must be attached on the main thread")]
    NotMainThread,
    /// The death signal stays beside the guard, and gives no time to leave.
    #[error("cannot take back the death signal")]
    DeathSignal(#[source] SysError),
}

/// Watches the master from now on: once it has ended, this process has `grace` to leave by itself and is then killed.
/// Further calls change nothing. Call it on the main thread.
///
/// # Errors
/// See [`GuardError`].
pub fn attach(grace: Duration) -> Result<(), GuardError> {
    let mut attached = ATTACHED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if *attached {
        return Ok(());
    }
    if !this_process::is_main_thread() {
        return Err(GuardError::NotMainThread);
    }
    let master = parent::parent_pidfd().map_err(GuardError::Watch)?;
    std::thread::Builder::new()
        .name("clutch-guard".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || guard(master.as_ref(), grace))
        .map_err(GuardError::Thread)?;
    *attached = true;
    // Only now: between the two the process would be covered by neither.
    parent::soften_death_signal().map_err(GuardError::DeathSignal)
}

fn guard(master: Option<&Parent>, grace: Duration) {
    // A handler of the application's that ran here would run on a stack made for waiting. If this fails, nothing is lost.
    let _ = parent::block_all_signals();
    if let Some(master) = master
        && wait_for_end(master).is_err()
    {
        // Without a way to wait the master would be taken for dead; the channel's end still tells the worker.
        return;
    }
    std::thread::sleep(grace);
    this_process::kill_self();
}

fn wait_for_end(master: &Parent) -> Result<(), SysError> {
    let Some(bell) = pulse::bell() else { return master.wait_for_end() };
    while master.wait_for_end_or(bell)? == Heard::Bell {
        pulse::interrupt();
    }
    Ok(())
}
