//! The JavaScript engine of this thread, as far as Node's own interface does not go: being told before JavaScript is entered, having
//! a function called in the middle of JavaScript that does not come back, and being told when the heap is nearly full.
//!
//! V8 is part of the node binary, which exports its public functions (v8-isolate.h); their names are those of C++. The ones that are
//! used here have kept their signatures from V8 10.2 (Node 18) to 13.6 (Node 24). Where one is missing the caller goes without.
#![allow(unsafe_code)] // V8's C++ interface, by the names of its symbols

use std::ffi::{CStr, c_void};
use std::mem::transmute;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc;

use super::SysError;

/// Called on the isolate's thread each time before JavaScript is entered from outside of it.
pub type BeforeJavaScript = extern "C" fn(isolate: *mut c_void);
/// Called on the isolate's thread in the middle of JavaScript.
pub type Interruption = extern "C" fn(isolate: *mut c_void, data: *mut c_void);
/// Called on the isolate's thread with the present and the initial limit of the heap in bytes; answers the new limit.
pub type NearHeapLimit = extern "C" fn(data: *mut c_void, current: usize, initial: usize) -> usize;

type GetCurrent = unsafe extern "C" fn() -> *mut c_void;
type AddBeforeCall = unsafe extern "C" fn(isolate: *mut c_void, callback: BeforeJavaScript);
type RequestInterrupt = unsafe extern "C" fn(isolate: *mut c_void, callback: Interruption, data: *mut c_void);
type AddNearHeapLimit = unsafe extern "C" fn(isolate: *mut c_void, callback: NearHeapLimit, data: *mut c_void);

fn find(name: &CStr) -> Result<NonNull<c_void>, SysError> {
    // SAFETY: the name is a C string; looking a symbol up runs no code of the library.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    NonNull::new(address).ok_or(SysError::new("dlsym", Errno::ENOSYS))
}

/// An isolate of V8's, known by its address.
#[derive(Clone, Copy, Debug)]
pub struct Isolate(NonNull<c_void>);

// SAFETY: the one thing that is done with it on another thread is `interrupt`, which v8-isolate.h allows on any.
unsafe impl Send for Isolate {}
// SAFETY: as above; a shared one is only read.
unsafe impl Sync for Isolate {}

impl Isolate {
    /// The isolate that this thread is in.
    ///
    /// # Errors
    /// When this process has no V8, or the thread is in none.
    pub fn current() -> Result<Self, SysError> {
        let address = find(c"_ZN2v87Isolate10GetCurrentEv")?;
        // SAFETY: v8-isolate.h declares `static Isolate* GetCurrent()`.
        let get_current = unsafe { transmute::<NonNull<c_void>, GetCurrent>(address) };
        // SAFETY: takes nothing, and this thread runs JavaScript.
        let isolate = unsafe { get_current() };
        NonNull::new(isolate).map(Self).ok_or(SysError::new("v8::Isolate::GetCurrent", Errno::ENOENT))
    }

    /// Has `callback` called before each entry into JavaScript, until the process ends. It must not run JavaScript.
    ///
    /// # Errors
    /// When V8 has no such function.
    pub fn before_javascript(self, callback: BeforeJavaScript) -> Result<(), SysError> {
        let address = find(c"_ZN2v87Isolate28AddBeforeCallEnteredCallbackEPFvPS0_E")?;
        // SAFETY: v8-isolate.h declares `void AddBeforeCallEnteredCallback(void (*)(Isolate*))`; `this` comes first.
        let add = unsafe { transmute::<NonNull<c_void>, AddBeforeCall>(address) };
        // SAFETY: the isolate lives as long as its thread's JavaScript, which is where we are.
        unsafe { add(self.0.as_ptr(), callback) };
        Ok(())
    }

    /// Has `callback` called on the isolate's thread as soon as JavaScript runs there: in the middle of a loop, of a regular
    /// expression, of `Atomics.wait`. May be called on any thread while the isolate lives.
    ///
    /// # Errors
    /// When V8 has no such function.
    #[allow(clippy::not_unsafe_ptr_arg_deref, reason = "the data is handed on and never followed here")]
    pub fn interrupt(self, callback: Interruption, data: *mut c_void) -> Result<(), SysError> {
        let address = find(c"_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_")?;
        // SAFETY: v8-isolate.h declares `void RequestInterrupt(void (*)(Isolate*, void*), void*)`; `this` comes first.
        let request = unsafe { transmute::<NonNull<c_void>, RequestInterrupt>(address) };
        // SAFETY: the isolate is that of the main thread, which lives as long as the process.
        unsafe { request(self.0.as_ptr(), callback, data) };
        Ok(())
    }

    /// Has `callback` called when the heap comes near its limit. Only the last one that was added is asked.
    ///
    /// # Errors
    /// When V8 has no such function.
    pub fn near_heap_limit(self, callback: NearHeapLimit) -> Result<(), SysError> {
        let address = find(c"_ZN2v87Isolate24AddNearHeapLimitCallbackEPFmPvmmES1_")?;
        // SAFETY: v8-isolate.h declares `void AddNearHeapLimitCallback(size_t (*)(void*, size_t, size_t), void*)`.
        let add = unsafe { transmute::<NonNull<c_void>, AddNearHeapLimit>(address) };
        // SAFETY: the isolate lives as long as its thread's JavaScript, which is where we are.
        unsafe { add(self.0.as_ptr(), callback, std::ptr::null_mut()) };
        Ok(())
    }
}
