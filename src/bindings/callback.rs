//! Calling JavaScript from Node's event loop, outside of any call that JavaScript made: what `node::MakeCallback` is for; and in the
//! middle of JavaScript that does not come back.
//!
//! [`LoopCallback`]: the call is a turn of its own. When it returns, Node runs the ticks and promises that it left, and what it throws
//! is uncaught. [`StackTaker`]: the call happens within whatever runs, and leaves nothing behind.
#![allow(unsafe_code)] // napi's raw interface: napi-rs calls back only through another thread's queue

use std::ffi::c_void;
use std::ptr;

use napi::bindgen_prelude::{Float64Array, Function, FunctionRef, JsValue, Object, Uint32Array};
use napi::{Env, sys};

use crate::worker::endpoint::EventLoop;
use crate::worker::{pulse, tally};

/// A function of JavaScript's and where it is called.
pub(super) struct LoopCallback {
    env: Env,
    function: FunctionRef<(), ()>,
    context: sys::napi_async_context,
}

impl LoopCallback {
    /// Call it on the thread of `env`, as everything here.
    pub(super) fn new(env: Env, name: &str, function: &Function<'_, (), ()>) -> napi::Result<Self> {
        let resource = Object::new(&env)?;
        let name = env.create_string(name)?;
        let mut context = ptr::null_mut();
        // SAFETY: all are values of this environment, and the result is a place for one pointer.
        let status = unsafe { sys::napi_async_init(env.raw(), resource.raw(), name.raw(), &raw mut context) };
        napi::check_status!(status)?;
        Ok(Self { env, function: function.create_ref()?, context })
    }

    /// Calls it. Nothing is done about an environment that is going down.
    pub(super) fn call(&self) {
        let mut scope = ptr::null_mut();
        // SAFETY: we are on the environment's thread, as the event loop that calls this is its own.
        if unsafe { sys::napi_open_handle_scope(self.env.raw(), &raw mut scope) } != sys::Status::napi_ok {
            return;
        }
        if let Ok(function) = self.function.borrow_back(&self.env)
            && let Ok(global) = self.env.get_global()
        {
            let mut result = ptr::null_mut();
            // SAFETY: the function and the receiver live in the scope that was opened above.
            let status = unsafe {
                sys::napi_make_callback(
                    self.env.raw(),
                    self.context,
                    global.raw(),
                    function.raw(),
                    0,
                    ptr::null(),
                    &raw mut result,
                )
            };
            if status == sys::Status::napi_pending_exception {
                self.report();
            }
        }
        // SAFETY: opened above, and nothing of it is used any more.
        let _ = unsafe { sys::napi_close_handle_scope(self.env.raw(), scope) };
    }

    /// What it threw is an uncaught exception like any other.
    fn report(&self) {
        let mut error = ptr::null_mut();
        // SAFETY: takes the exception that is pending.
        if unsafe { sys::napi_get_and_clear_last_exception(self.env.raw(), &raw mut error) } == sys::Status::napi_ok {
            // SAFETY: the value is the one that was just taken.
            let _ = unsafe { sys::napi_fatal_exception(self.env.raw(), error) };
        }
    }
}

/// The counts of requests, from [`pulse::Word::Requests`] to [`pulse::Word::BrokenOff`], where JavaScript counts them on the page itself:
/// each has two places, of which it uses the first.
pub(super) fn request_counts() -> Option<Uint32Array> {
    let begun = pulse::place_of(pulse::Word::Requests)?;
    // SAFETY: the seven words lie one behind the other on a page that stays for the rest of the process. Whatever else reads them reads
    // whole words that have a half each of what JavaScript writes.
    Some(unsafe { Uint32Array::with_external_data(begun.as_ptr().cast(), 14, |_, _| {}) })
}

/// The numbers by which messages are counted, where JavaScript adds to them. To be called once in a process.
pub(super) fn tally_rows() -> Option<Float64Array> {
    let (rows, words) = tally::rows()?;
    // SAFETY: the words lie one behind the other on a page that stays for the rest of the process. Whatever else reads them reads whole
    // words, and doubles are written as such.
    Some(unsafe { Float64Array::with_external_data(rows.as_ptr().cast(), words, |_, _| {}) })
}

/// A function of JavaScript's that answers with the stack it is called on.
pub(super) struct StackTaker {
    env: Env,
    function: FunctionRef<(), String>,
}

impl StackTaker {
    /// Has the function called whenever the master asks for the stack of this thread, for the rest of the process.
    pub(super) fn install(env: Env, function: &Function<'_, (), String>) -> napi::Result<()> {
        let taker = Box::leak(Box::new(Self { env, function: function.create_ref()? }));
        pulse::take_stacks_by(take_stack, ptr::from_mut(taker).cast());
        Ok(())
    }

    fn take(&self) -> napi::Result<String> {
        self.function.borrow_back(&self.env)?.call(())
    }
}

/// V8 calls this on the thread of the environment, in the middle of JavaScript, as an inspector is called there: it may run JavaScript.
extern "C" fn take_stack(_isolate: *mut c_void, data: *mut c_void) {
    // SAFETY: `install` has leaked it and given it away for this alone.
    let Some(taker) = (unsafe { data.cast::<StackTaker>().as_ref() }) else { return };
    let mut scope = ptr::null_mut();
    // SAFETY: we are on the environment's thread.
    if unsafe { sys::napi_open_handle_scope(taker.env.raw(), &raw mut scope) } != sys::Status::napi_ok {
        return;
    }
    let text = taker.take().unwrap_or_else(|error| error.reason.clone());
    pulse::write(pulse::Text::Stack, &text);
    let mut pending = ptr::null_mut();
    // SAFETY: takes the exception that may be pending: what is interrupted must not see it.
    let _ = unsafe { sys::napi_get_and_clear_last_exception(taker.env.raw(), &raw mut pending) };
    // SAFETY: opened above, and nothing of it is used any more.
    let _ = unsafe { sys::napi_close_handle_scope(taker.env.raw(), scope) };
}

/// The event loop of this environment's thread.
pub(super) fn event_loop(env: Env) -> napi::Result<EventLoop> {
    let address = ptr::NonNull::new(env.get_uv_event_loop()?)
        .ok_or_else(|| napi::Error::from_reason("this thread has no event loop"))?;
    // SAFETY: Node promises the loop of the environment, which lives as long as the environment does; its objects, and so whoever
    // watches something on it, are gone before.
    Ok(unsafe { EventLoop::from_address(address.cast()) })
}
