//! Watching a descriptor on Node's own event loop (libuv's `uv_poll_t`), so that no thread of ours is in the way of a message.
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
/// `UV_READABLE` in `uv_poll_event`.
const UV_READABLE: c_int = 1;
/// Whatever libuv puts into a handle is aligned like this at most.
const HANDLE_ALIGN: usize = 16;

type OnPoll = unsafe extern "C" fn(handle: *mut c_void, status: c_int, events: c_int);
type OnClose = unsafe extern "C" fn(handle: *mut c_void);

type HandleSize = unsafe extern "C" fn(kind: c_int) -> usize;
type PollInit = unsafe extern "C" fn(event_loop: *mut c_void, handle: *mut c_void, fd: c_int) -> c_int;
type PollStart = unsafe extern "C" fn(handle: *mut c_void, events: c_int, callback: OnPoll) -> c_int;
type Unref = unsafe extern "C" fn(handle: *mut c_void);
type Close = unsafe extern "C" fn(handle: *mut c_void, callback: OnClose);
type SetData = unsafe extern "C" fn(handle: *mut c_void, data: *mut c_void);

/// The functions of libuv that are used here.
#[derive(Clone, Copy)]
struct Uv {
    handle_size: HandleSize,
    poll_init: PollInit,
    poll_start: PollStart,
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
            unref: find!(c"uv_unref", Unref),
            close: find!(c"uv_close", Close),
            set_data: find!(c"uv_handle_set_data", SetData),
        })
    }
}

/// A loop of libuv's, known by its address.
#[derive(Clone, Copy, Debug)]
pub struct EventLoop(NonNull<c_void>);

impl EventLoop {
    /// The loop at this address.
    ///
    /// # Safety
    /// It is a loop that lives as long as every [`Readiness`] on it, and this is the thread that runs it.
    #[must_use]
    pub unsafe fn from_address(address: NonNull<c_void>) -> Self {
        Self(address)
    }
}

/// What is called when the descriptor is readable.
type OnReadable = Box<dyn FnMut()>;

/// A descriptor that is watched; ends with this value. Never keeps the loop alive.
pub struct Readiness {
    uv: Uv,
    handle: NonNull<c_void>,
}

struct State {
    layout: Layout,
    on_readable: OnReadable,
}

impl Readiness {
    /// Calls `on_readable` on the loop's thread for as long as the descriptor is readable. The descriptor must stay open until
    /// this value is dropped.
    ///
    /// # Errors
    /// When this process has no libuv, or libuv cannot watch the descriptor.
    pub fn watch(event_loop: EventLoop, descriptor: BorrowedFd<'_>, on_readable: OnReadable) -> Result<Self, SysError> {
        let uv = Uv::find()?;
        // SAFETY: takes a number and answers one.
        let size = unsafe { (uv.handle_size)(UV_POLL) };
        let layout = Layout::from_size_align(size.max(1), HANDLE_ALIGN)
            .map_err(|_| SysError::new("uv_handle_size", Errno::EOVERFLOW))?;
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(handle) = NonNull::new(memory.cast::<c_void>()) else { handle_alloc_error(layout) };
        let number = descriptor.as_raw_fd();
        // SAFETY: the memory is as large as libuv asked for, and the loop is alive by the promise of `EventLoop`.
        let failed = unsafe { (uv.poll_init)(event_loop.0.as_ptr(), handle.as_ptr(), number) };
        if failed != 0 {
            // SAFETY: libuv has not taken the handle, and nobody else knows the memory.
            unsafe { dealloc(memory, layout) };
            return Err(SysError::new("uv_poll_init", Errno::from_raw(-failed)));
        }
        let state = Box::into_raw(Box::new(State { layout, on_readable }));
        // SAFETY: the handle was initialised in the lines above.
        unsafe { (uv.set_data)(handle.as_ptr(), state.cast()) };
        let watched = Self { uv, handle };
        // SAFETY: as above.
        let failed = unsafe { (uv.poll_start)(handle.as_ptr(), UV_READABLE, readable) };
        // SAFETY: as above.
        unsafe { (uv.unref)(handle.as_ptr()) };
        if failed == 0 { Ok(watched) } else { Err(SysError::new("uv_poll_start", Errno::from_raw(-failed))) }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        // SAFETY: the handle is open, as only this closes it; libuv hands it to `closed` when it is done with it.
        unsafe { (self.uv.close)(self.handle.as_ptr(), closed) };
    }
}

/// The first word of every libuv handle is its `data` (uv.h, `UV_HANDLE_FIELDS`: "public"), which `watch` has set.
fn state_of(handle: *mut c_void) -> *mut State {
    // SAFETY: only called with handles that `watch` has set up, whose first word is a pointer.
    unsafe { handle.cast::<*mut State>().read() }
}

unsafe extern "C" fn readable(handle: *mut c_void, _status: c_int, _events: c_int) {
    let state = state_of(handle);
    // SAFETY: the state lives until `closed`, which libuv calls after the last call of this, and on this thread.
    if let Some(state) = unsafe { state.as_mut() } {
        (state.on_readable)();
    }
}

unsafe extern "C" fn closed(handle: *mut c_void) {
    let state = state_of(handle);
    // SAFETY: `watch` made it by `Box::into_raw`, and nobody uses it any more.
    let state = unsafe { Box::from_raw(state) };
    // SAFETY: `watch` has allocated the handle with this layout, and libuv is done with it.
    unsafe { dealloc(handle.cast(), state.layout) };
}
