//! What an agent or app worker calls when it starts.

use std::time::Duration;

use napi_derive::napi;

use super::cluster::to_js;
use crate::error::ClusterError;
use crate::worker::guard;

/// egg's close time-out.
const DEFAULT_GRACE_MS: u32 = 5000;
/// How long a worker may outlive its master beyond its own close time-out.
const GRACE_MARGIN: Duration = Duration::from_secs(1);

/// Starts the guard that ends this process when its master is gone: `graceMs` milliseconds after the master's end
/// (5000 if absent, as egg's close time-out), whatever JavaScript does, the process gets SIGKILL. Takes back the parent-death signal that covered the boot.
/// Call it on the main thread; further calls change nothing.
///
/// Throws `ERR_CLUTCH_PLATFORM` where the master cannot be watched; the parent-death signal stays then.
#[napi]
pub fn attach(grace_ms: Option<u32>) -> napi::Result<(), String> {
    guard::attach(Duration::from_millis(u64::from(grace_ms.unwrap_or(DEFAULT_GRACE_MS))) + GRACE_MARGIN)
        .map_err(|error| to_js(&ClusterError::Attach { reason: error.to_string() }))
}
