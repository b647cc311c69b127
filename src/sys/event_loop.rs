//! Watching a descriptor on Node's own event loop (libuv's `uv_poll_t`), the moment before it waits (`uv_prepare_t`) and the one after
//! (`uv_check_t`), so that no thread of ours is in the way of a message.
//!
//! libuv is part of the node binary, which exports its symbols (Node's "C++ addons" documentation). They are looked up when they
//! are needed, so that Rust tests link and run without Node. Everything here happens on the loop's thread.
#![allow(unsafe_code)] // libuv's C interface

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ffi::{c_int, c_void};
use std::mem::transmute;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc;

use super::SysError;

/// `UV_POLL` in `uv_handle_type`, whose members libuv only ever adds to at the end.
const UV_POLL: c_int = 8;
/// `UV_CHECK`, likewise.
const UV_CHECK: c_int = 2;
/// `UV_PREPARE`, likewise.
const UV_PREPARE: c_int = 9;
/// `UV_READABLE` in `uv_poll_event`.
const UV_READABLE: c_int = 1;
/// Whatever libuv puts into a handle is aligned like this at most.
const HANDLE_ALIGN: usize = 16;

type OnPoll = unsafe extern "C" fn(handle: *mut c_void, status: c_int, events: c_int);
type OnPrepare = unsafe extern "C" fn(handle: *mut c_void);
type OnClose = unsafe extern "C" fn(handle: *mut c_void);

type HandleSize = unsafe extern "C" fn(kind: c_int) -> usize;
type PollInit = unsafe extern "C" fn(event_loop: *mut c_void, handle: *mut c_void, fd: c_int) -> c_int;
type PollStart = unsafe extern "C" fn(handle: *mut c_void, events: c_int, callback: OnPoll) -> c_int;
type PrepareInit = unsafe extern "C" fn(event_loop: *mut c_void, handle: *mut c_void) -> c_int;
type PrepareStart = unsafe extern "C" fn(handle: *mut c_void, callback: OnPrepare) -> c_int;
type Unref = unsafe extern "C" fn(handle: *mut c_void);
type Close = unsafe extern "C" fn(handle: *mut c_void, callback: OnClose);
type SetData = unsafe extern "C" fn(handle: *mut c_void, data: *mut c_void);

/// The functions of libuv that are used here.
#[derive(Clone, Copy)]
struct Uv {
    handle_size: HandleSize,
    poll_init: PollInit,
    poll_start: PollStart,
    prepare_init: PrepareInit,
    prepare_start: PrepareStart,
    unref: Unref,
    close: Close,
    set_data: SetData,
}

/// A function of libuv's by its name, as uv.h declares it.
macro_rules! find {
    ($name:literal, $signature:ty) => {{
        // SAFETY: the name is a C string; looking a symbol up runs no code of the library.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, $name.as_ptr()) };
        let address = NonNull::new(address).ok_or(SysError::new("dlsym", Errno::ENOSYS))?;
        // SAFETY: uv.h declares the function with exactly this type, and it stays as long as the process.
        unsafe { transmute::<NonNull<c_void>, $signature>(address) }
    }};
}

impl Uv {
    fn find() -> Result<Self, SysError> {
        Ok(Self {
            handle_size: find!(c"uv_handle_size", HandleSize),
            poll_init: find!(c"uv_poll_init", PollInit),
            poll_start: find!(c"uv_poll_start", PollStart),
            prepare_init: find!(c"uv_prepare_init", PrepareInit),
            prepare_start: find!(c"uv_prepare_start", PrepareStart),
            unref: find!(c"uv_unref", Unref),
            close: find!(c"uv_close", Close),
            set_data: find!(c"uv_handle_set_data", SetData),
        })
    }
}

/// What libuv calls in each turn of a loop, on the loop's thread.
pub type OnTurn = extern "C" fn(handle: *mut c_void);

type TurnInit = unsafe extern "C" fn(event_loop: *mut c_void, handle: *mut c_void) -> c_int;
type TurnStart = unsafe extern "C" fn(handle: *mut c_void, callback: OnTurn) -> c_int;

/// A loop of libuv's, known by its address.
#[derive(Clone, Copy, Debug)]
pub struct EventLoop(NonNull<c_void>);

impl EventLoop {
    /// The loop at this address.
    ///
    /// # Safety
    /// It is a loop that lives as long as every [`Readiness`] and [`BeforeWait`] on it, and this is the thread that runs it.
    #[must_use]
    pub unsafe fn from_address(address: NonNull<c_void>) -> Self {
        Self(address)
    }
}

/// Has the loop call `before_poll` each time before it waits for events and `after_poll` each time after it has waited and dealt
/// with them, from now until the process ends. Neither keeps the loop alive.
///
/// # Errors
/// When this process has no libuv.
pub fn watch_turns(event_loop: EventLoop, before_poll: OnTurn, after_poll: OnTurn) -> Result<(), SysError> {
    let uv = Uv::find()?;
    let prepare = (find!(c"uv_prepare_init", TurnInit), find!(c"uv_prepare_start", TurnStart));
    let check = (find!(c"uv_check_init", TurnInit), find!(c"uv_check_start", TurnStart));
    start_turn(event_loop, &uv, UV_PREPARE, prepare, before_poll)?;
    start_turn(event_loop, &uv, UV_CHECK, check, after_poll)
}

fn start_turn(
    event_loop: EventLoop,
    uv: &Uv,
    kind: c_int,
    (init, start): (TurnInit, TurnStart),
    callback: OnTurn,
) -> Result<(), SysError> {
    // SAFETY: takes a number and answers one.
    let size = unsafe { (uv.handle_size)(kind) };
    let layout = Layout::from_size_align(size.max(1), HANDLE_ALIGN)
        .map_err(|_| SysError::new("uv_handle_size", Errno::EOVERFLOW))?;
    // SAFETY: the layout is not empty. Never freed: the loop has it for the rest of the process.
    let memory = unsafe { alloc_zeroed(layout) };
    let Some(handle) = NonNull::new(memory.cast::<c_void>()) else { handle_alloc_error(layout) };
    // SAFETY: the memory is as large as libuv asked for, and the loop is alive by the promise of `EventLoop`.
    let failed = unsafe { init(event_loop.0.as_ptr(), handle.as_ptr()) };
    started(failed, "uv_prepare_init")?;
    // SAFETY: the handle was initialised in the lines above.
    let failed = unsafe { start(handle.as_ptr(), callback) };
    // SAFETY: as above.
    unsafe { (uv.unref)(handle.as_ptr()) };
    started(failed, "uv_prepare_start")
}

/// What is called when it happens.
type OnEvent = Box<dyn FnMut()>;

/// A handle of libuv's; closed when dropped. Never keeps the loop alive.
struct Handle {
    uv: Uv,
    address: NonNull<c_void>,
}

struct State {
    layout: Layout,
    on_event: OnEvent,
}

impl Handle {
    /// Makes a handle of this kind; `init` has libuv fill it in.
    fn new(
        kind: c_int,
        on_event: OnEvent,
        call: &'static str,
        init: impl FnOnce(Uv, NonNull<c_void>) -> c_int,
    ) -> Result<Self, SysError> {
        let uv = Uv::find()?;
        // SAFETY: takes a number and answers one.
        let size = unsafe { (uv.handle_size)(kind) };
        let layout = Layout::from_size_align(size.max(1), HANDLE_ALIGN)
            .map_err(|_| SysError::new("uv_handle_size", Errno::EOVERFLOW))?;
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(address) = NonNull::new(memory.cast::<c_void>()) else { handle_alloc_error(layout) };
        let failed = init(uv, address);
        if failed != 0 {
            // SAFETY: libuv has not taken the handle, and nobody else knows the memory.
            unsafe { dealloc(memory, layout) };
            return Err(SysError::new(call, Errno::from_raw(-failed)));
        }
        let state = Box::into_raw(Box::new(State { layout, on_event }));
        // SAFETY: the handle was initialised in the lines above.
        unsafe { (uv.set_data)(address.as_ptr(), state.cast()) };
        // SAFETY: as above.
        unsafe { (uv.unref)(address.as_ptr()) };
        Ok(Self { uv, address })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open, as only this closes it; libuv hands it to `closed` when it is done with it.
        unsafe { (self.uv.close)(self.address.as_ptr(), closed) };
    }
}

fn started(failed: c_int, call: &'static str) -> Result<(), SysError> {
    if failed == 0 { Ok(()) } else { Err(SysError::new(call, Errno::from_raw(-failed))) }
}

/// A descriptor that is watched; ends with this value. Never keeps the loop alive.
pub struct Readiness {
    _handle: Handle,
}

impl Readiness {
    /// Calls `on_readable` on the loop's thread for as long as the descriptor is readable. The descriptor must stay open until
    /// this value is dropped.
    ///
    /// # Errors
    /// When this process has no libuv, or libuv cannot watch the descriptor.
    pub fn watch(event_loop: EventLoop, descriptor: BorrowedFd<'_>, on_readable: OnEvent) -> Result<Self, SysError> {
        let number = descriptor.as_raw_fd();
        let handle = Handle::new(UV_POLL, on_readable, "uv_poll_init", |uv, address| {
            // SAFETY: the memory is as large as libuv asked for, and the loop is alive by the promise of `EventLoop`.
            unsafe { (uv.poll_init)(event_loop.0.as_ptr(), address.as_ptr(), number) }
        })?;
        // SAFETY: the handle was initialised in the lines above.
        let failed = unsafe { (handle.uv.poll_start)(handle.address.as_ptr(), UV_READABLE, readable) };
        started(failed, "uv_poll_start")?;
        Ok(Self { _handle: handle })
    }
}

/// The moments before the loop waits for events; ends with this value. Never keeps the loop alive.
pub struct BeforeWait {
    _handle: Handle,
}

impl BeforeWait {
    /// Calls `on_wait` on the loop's thread each time before the loop looks for events, whether it is going to sleep or not. What is
    /// due afterwards (`uv_backend_timeout`) is asked by libuv after this.
    ///
    /// # Errors
    /// When this process has no libuv, or libuv cannot do it.
    pub fn watch(event_loop: EventLoop, on_wait: OnEvent) -> Result<Self, SysError> {
        let handle = Handle::new(UV_PREPARE, on_wait, "uv_prepare_init", |uv, address| {
            // SAFETY: the memory is as large as libuv asked for, and the loop is alive by the promise of `EventLoop`.
            unsafe { (uv.prepare_init)(event_loop.0.as_ptr(), address.as_ptr()) }
        })?;
        // SAFETY: the handle was initialised in the lines above.
        let failed = unsafe { (handle.uv.prepare_start)(handle.address.as_ptr(), preparing) };
        started(failed, "uv_prepare_start")?;
        Ok(Self { _handle: handle })
    }
}

/// The first word of every libuv handle is its `data` (uv.h, `UV_HANDLE_FIELDS`: "public"), which `Handle::new` has set.
fn state_of(handle: *mut c_void) -> *mut State {
    // SAFETY: only called with handles that `Handle::new` has set up, whose first word is a pointer.
    unsafe { handle.cast::<*mut State>().read() }
}

unsafe extern "C" fn readable(handle: *mut c_void, _status: c_int, _events: c_int) {
    happened(handle);
}

unsafe extern "C" fn preparing(handle: *mut c_void) {
    happened(handle);
}

fn happened(handle: *mut c_void) {
    let state = state_of(handle);
    // SAFETY: the state lives until `closed`, which libuv calls after the last call of this, and on this thread.
    if let Some(state) = unsafe { state.as_mut() } {
        (state.on_event)();
    }
}

unsafe extern "C" fn closed(handle: *mut c_void) {
    let state = state_of(handle);
    // SAFETY: `Handle::new` made it by `Box::into_raw`, and nobody uses it any more.
    let state = unsafe { Box::from_raw(state) };
    // SAFETY: `Handle::new` has allocated the handle with this layout, and libuv is done with it.
    unsafe { dealloc(handle.cast(), state.layout) };
}
