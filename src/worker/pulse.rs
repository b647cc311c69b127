//! What the main thread of this process is doing, written down where the master reads it: see [`crate::sys::pulse`].
//!
//! No timer and no thread are in it. The event loop says when it waits, V8 says when JavaScript is entered, and a signal handler says
//! who sent a signal. In each turn of the loop that is two looks at the clock. The stack is taken by V8 itself in the middle of
//! whatever runs, when the guard's thread asks for it.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::endpoint::EventLoop;
use super::tally;
use crate::sys::event::Event;
use crate::sys::event_loop::watch_turns;
use crate::sys::isolate::{HeapMeter, HeapUse, Interruption, Isolate};
pub use crate::sys::pulse::now;
use crate::sys::pulse::{self, Loop, PulseWriter};
pub use crate::sys::pulse::{Text, Word};
use crate::sys::shared_memory::SharedMemoryError;
use crate::sys::{SysError, signal_senders};

/// Why the master cannot see what this process does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PulseError {
    /// What the master put into the environment is nothing that it puts there.
    #[error("{found:?} does not name a page")]
    Invitation {
        /// What was found.
        found: String,
    },
    /// The page cannot be used.
    #[error("cannot use the page")]
    Page(#[from] SharedMemoryError),
    /// This Node has none of the functions that are needed.
    #[error("cannot be told of the event loop")]
    Hooks(#[from] SysError),
}

struct Attached {
    page: PulseWriter,
    bell: Event,
    isolate: Isolate,
    heap: Option<HeapMeter>,
}

static ATTACHED: OnceLock<Attached> = OnceLock::new();
/// What the stack is taken by; null until there is something.
static TAKER: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static TAKE: OnceLock<Interruption> = OnceLock::new();

/// Writes down what the main thread does from now on. `invitation` is what the master put into the environment
/// (`<page>:<bell>`, numbers of descriptors). To be called on the main thread, once.
///
/// # Errors
/// See [`PulseError`].
pub fn attach(invitation: &str, event_loop: EventLoop) -> Result<(), PulseError> {
    let unreadable = || PulseError::Invitation { found: invitation.to_owned() };
    let (page, bell) = invitation.split_once(':').ok_or_else(unreadable)?;
    let [page, bell] = [page, bell].map(|number| number.parse::<i32>().ok().filter(|number| *number > 2));
    let (page, bell) = (page.ok_or_else(unreadable)?, bell.ok_or_else(unreadable)?);
    let isolate = Isolate::current()?;
    let (page, bell) = PulseWriter::claim(page, bell)?;
    let heap = isolate.heap_meter().ok();
    if ATTACHED.set(Attached { page, bell, isolate, heap }).is_err() {
        return Ok(());
    }
    signal_senders::record(page);
    if let Some(page) = page.tally() {
        tally::begin(page);
    }
    watch_turns(event_loop, before_poll, after_poll)?;
    isolate.before_javascript(before_javascript)?;
    // Without these the master knows nothing of the heap, and of everything else as much as before.
    if heap.is_some() {
        let _ = isolate.after_collection(after_collection);
    }
    Ok(())
}

/// Notes when the heap comes near its limit. Not where somebody else wants to be asked for that: V8 asks one only.
///
/// # Errors
/// When V8 has no such function, or [`attach`] was not called.
pub fn watch_heap_limit() -> Result<(), PulseError> {
    let isolate = ATTACHED.get().map_or_else(Isolate::current, |attached| Ok(attached.isolate))?;
    Ok(isolate.near_heap_limit(near_heap_limit)?)
}

/// Looks again who handles which signal; to be called when listeners of signals have come or gone.
pub fn renew_signals() {
    if let Some(attached) = ATTACHED.get() {
        signal_senders::record(attached.page);
    }
}

/// `take` is what takes the stack of the main thread, called there in the middle of JavaScript with `data`.
pub fn take_stacks_by(take: Interruption, data: *mut c_void) {
    if TAKE.set(take).is_ok() {
        TAKER.store(data, Ordering::Release);
    }
}

/// What rings when the stack is asked for; none where this process has no page.
pub(super) fn bell() -> Option<&'static Event> {
    ATTACHED.get().map(|attached| &attached.bell)
}

/// Has the stack of the main thread taken, as soon as it runs JavaScript. May be called on any thread.
pub(super) fn interrupt() {
    let data = TAKER.load(Ordering::Acquire);
    if let (Some(attached), Some(take)) = (ATTACHED.get(), TAKE.get())
        && !data.is_null()
    {
        // Without the function there is no stack, and the master does not wait for long.
        let _ = attached.isolate.interrupt(*take, data);
    }
}

/// Writes a text down. Answers whether there is a page for it.
pub fn write(text: Text, value: &str) -> bool {
    ATTACHED.get().map(|attached| attached.page.write(text, value)).is_some()
}

/// Writes a number down.
pub fn set(word: Word, value: u64) {
    if let Some(attached) = ATTACHED.get() {
        attached.page.set(word, value);
    }
}

/// Where a number lies on the page, which stays for the rest of the process: for whoever counts there without a call.
#[must_use]
pub fn place_of(word: Word) -> Option<NonNull<u64>> {
    ATTACHED.get().and_then(|attached| attached.page.place_of(word))
}

extern "C" fn before_poll(_handle: *mut c_void) {
    let Some(Attached { page, .. }) = ATTACHED.get() else { return };
    let now = pulse::now();
    if let Loop::Runs(since) = page.event_loop() {
        page.note_turn(u64::try_from(now.saturating_sub(since).as_nanos()).unwrap_or(u64::MAX));
    }
    page.set_loop(Loop::Waits(now));
}

extern "C" fn after_poll(_handle: *mut c_void) {
    begin_turn();
}

/// The callbacks of sockets come before `after_poll`: to libuv they are a part of the poll.
extern "C" fn before_javascript(_isolate: *mut c_void) {
    begin_turn();
}

fn begin_turn() {
    if let Some(Attached { page, .. }) = ATTACHED.get()
        && let Loop::Waits(_) = page.event_loop()
    {
        page.set_loop(Loop::Runs(pulse::now()));
    }
}

extern "C" fn after_collection(_isolate: *mut c_void, _kind: u32, _flags: u32) {
    if let Some(Attached { page, heap: Some(heap), .. }) = ATTACHED.get() {
        let HeapUse { used, total, external } = heap.read();
        page.set(Word::HeapUsed, used as u64);
        page.set(Word::HeapTotal, total as u64);
        page.set(Word::External, external as u64);
    }
}

extern "C" fn near_heap_limit(_data: *mut c_void, current: usize, _initial: usize) -> usize {
    if let Some(Attached { page, .. }) = ATTACHED.get() {
        page.set(Word::HeapLimit, current as u64);
        page.set(Word::NearHeapLimit, page.get(Word::NearHeapLimit).wrapping_add(1));
    }
    current
}
