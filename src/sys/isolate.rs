//! The JavaScript engine of this thread, as far as Node's own interface does not go: being told before JavaScript is entered, having
//! a function called in the middle of JavaScript that does not come back, and being told when garbage was collected or the heap is nearly
//! full.
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

/// Called on the isolate's thread after each garbage collection (`GCType`, `GCCallbackFlags`).
pub type AfterCollection = extern "C" fn(isolate: *mut c_void, kind: u32, flags: u32);

type GetCurrent = unsafe extern "C" fn() -> *mut c_void;
type AddBeforeCall = unsafe extern "C" fn(isolate: *mut c_void, callback: BeforeJavaScript);
type RequestInterrupt = unsafe extern "C" fn(isolate: *mut c_void, callback: Interruption, data: *mut c_void);
type AddNearHeapLimit = unsafe extern "C" fn(isolate: *mut c_void, callback: NearHeapLimit, data: *mut c_void);
type AddAfterCollection = unsafe extern "C" fn(isolate: *mut c_void, callback: AfterCollection, kinds: u32);
type GetHeapStatistics = unsafe extern "C" fn(isolate: *mut c_void, statistics: *mut HeapStatistics);

/// Each kind of collection (`GCType`) that there has been in the versions of V8 named above has one of these bits.
const ALL_KINDS: u32 = 0b1_1111;

/// `v8::HeapStatistics` (v8-statistics.h): words, of which the first have kept their order. More room than any version has needed.
#[repr(C)]
struct HeapStatistics([usize; 64]);

/// What the heap of an isolate takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapUse {
    /// In use.
    pub used: usize,
    /// Taken from the system.
    pub total: usize,
    /// Outside of the heap, held by its objects.
    pub external: usize,
}

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

    /// Has `callback` called after each garbage collection, until the process ends. It must neither run JavaScript nor allocate in the
    /// heap.
    ///
    /// # Errors
    /// When V8 has no such function.
    pub fn after_collection(self, callback: AfterCollection) -> Result<(), SysError> {
        let address = find(c"_ZN2v87Isolate21AddGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEES2_")?;
        // SAFETY: v8-isolate.h declares `void AddGCEpilogueCallback(void (*)(Isolate*, GCType, GCCallbackFlags), GCType)`; both
        // enumerations are as large as an int.
        let add = unsafe { transmute::<NonNull<c_void>, AddAfterCollection>(address) };
        // SAFETY: the isolate lives as long as its thread's JavaScript, which is where we are.
        unsafe { add(self.0.as_ptr(), callback, ALL_KINDS) };
        Ok(())
    }

    /// What measures the heap. It may be used where [`Isolate::after_collection`] calls, as Node's own `v8.GCProfiler` does.
    ///
    /// # Errors
    /// When V8 has no such function.
    pub fn heap_meter(self) -> Result<HeapMeter, SysError> {
        let address = find(c"_ZN2v87Isolate17GetHeapStatisticsEPNS_14HeapStatisticsE")?;
        // SAFETY: v8-isolate.h declares `void GetHeapStatistics(HeapStatistics*)`.
        let measure = unsafe { transmute::<NonNull<c_void>, GetHeapStatistics>(address) };
        Ok(HeapMeter { isolate: self, measure })
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

/// Measures the heap of one isolate, on its thread.
#[derive(Clone, Copy, Debug)]
pub struct HeapMeter {
    isolate: Isolate,
    measure: GetHeapStatistics,
}

impl HeapMeter {
    /// What the heap takes now. To be called on the isolate's thread.
    #[must_use]
    pub fn read(&self) -> HeapUse {
        let mut statistics = HeapStatistics([0; 64]);
        // SAFETY: the isolate lives as long as its thread; V8 fills the first words of what is twice as large as its own type.
        unsafe { (self.measure)(self.isolate.0.as_ptr(), &raw mut statistics) };
        let HeapStatistics([total, _, _, _, used, _, _, external, ..]) = statistics;
        HeapUse { used, total, external }
    }
}
