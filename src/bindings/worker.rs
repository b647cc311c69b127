//! What an agent or app worker calls when it starts.

use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{Float64Array, Function, Uint32Array};
use napi_derive::napi;

use super::callback::{self, StackTaker};
use super::cluster::to_js;
use crate::error::{ClusterError, chain};
use crate::worker::guard;
use crate::worker::pulse::{self, Text, Word};
use crate::worker::tally;

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

/// Lets the master see from now on what the main thread does, by the page that it put into the environment (`EGG_CLUTCH_PULSE`). Call it
/// on the main thread, before `attach`. `takeStack` is called in the middle of whatever runs, when the master asks where that is.
/// `watchHeap` is false where something else is to be asked when the heap is nearly full. Answers with numbers on that page: requests
/// that were begun are counted at 0, those that are done with at 2, and of these those answered with 2xx, 3xx, 4xx and 5xx at 4, 6, 8
/// and 10, and those whose answer did not reach its end at 12.
///
/// Throws `ERR_CLUTCH_PLATFORM` where the page cannot be used, or this Node does not tell of its event loop.
#[napi]
pub fn attach_pulse(
    env: Env,
    invitation: String,
    take_stack: Function<'_, (), String>,
    watch_heap: bool,
) -> napi::Result<Uint32Array, String> {
    let failed = |reason: String| to_js(&ClusterError::Attach { reason });
    let event_loop = callback::event_loop(env).map_err(|error| failed(error.reason.clone()))?;
    pulse::attach(&invitation, event_loop).map_err(|error| failed(chain(&error)))?;
    if watch_heap {
        pulse::watch_heap_limit().map_err(|error| failed(chain(&error)))?;
    }
    StackTaker::install(env, &take_stack).map_err(|error| failed(error.reason.clone()))?;
    callback::request_counts().ok_or_else(|| failed("there is no page".to_owned()))
}

/// The rows in which this process counts its messages by action, for the master to read: 32 doubles each. Of the first row, that of
/// all other actions, and of those that `tallyRow` names these are, in their order: sent, received, bytes that were sent, the largest of
/// these, dropped, waiting in the sender; of how many that were received it was looked how long they were on their way, the milliseconds
/// of these together, and of the slowest; how many runs of listeners were timed, their milliseconds together, those of the longest, and how
/// many were slow. Null where nobody reads them. To be called once, after `attachPulse`.
#[napi]
pub fn tally() -> Option<Float64Array> {
    callback::tally_rows()
}

/// The number of the row of an action; 0 when it gets none, because it is one of very many.
#[napi]
pub fn tally_row(action: String) -> u32 {
    tally::row_of(&action).and_then(|row| u32::try_from(row.0).ok()).unwrap_or(0)
}

/// Looks again who handles which signal: to be called when the first listener of a signal has come, or the last has gone.
#[napi]
pub fn renew_signals() {
    pulse::renew_signals();
}

/// Leaves word for the master, which reads it when this process has ended. `about` is `uncaught`, `exit`, or `dropped`, a message to the
/// master; `code` is the exit code, if the process leaves by itself. Answers whether there is somebody to read it.
#[napi]
pub fn leave_word(about: String, text: String, code: Option<i32>) -> bool {
    if let Some(code) = code {
        pulse::set(Word::ExitCode, u64::from(code.cast_unsigned()) + 1);
    }
    let place = match about.as_str() {
        "uncaught" => Text::Uncaught,
        "dropped" => Text::Dropped,
        _ => Text::ExitStack,
    };
    pulse::write(place, &text)
}

/// A debugger can attach to this process from now on.
#[napi]
pub fn note_inspector() {
    pulse::set(Word::Inspector, 1);
}
