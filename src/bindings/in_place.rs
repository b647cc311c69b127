//! ArrayBuffers over shared memory: what is lent to JavaScript to fill, and what it has received and reads where it lies.
//!
//! Each keeps what it lies over until JavaScript drops it, detaches it, or the environment ends; nothing in here looks at the bytes. What is
//! detached here is given back at once: the finaliser, which Node calls in a later turn, comes after many messages where they come without a
//! pause.
#![allow(unsafe_code)] // napi's raw interface: napi-rs has no ArrayBuffer over memory that is not a vector

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};

use napi::bindgen_prelude::ToNapiValue;
use napi::{Env, check_status, sys};

use crate::worker::endpoint::loans::{Held, LoanId, Part};
use crate::worker::endpoint::{Endpoint, OwnBytes, PrivateMapping, SHORTEST_MAPPED};

/// An ArrayBuffer that was just made, to be a part of the answer of the call that made it.
pub(super) struct NewArrayBuffer(sys::napi_value);

impl ToNapiValue for NewArrayBuffer {
    unsafe fn to_napi_value(_env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}

/// The memory that an ArrayBuffer lies over.
enum Memory {
    Lent { bytes: OwnBytes, id: LoanId },
    Received { mapping: PrivateMapping, held: Rc<Held> },
}

impl Memory {
    fn extent(&self, length: usize) -> Option<(NonNull<u8>, usize)> {
        let (start, bytes) = match self {
            Self::Lent { bytes, .. } => (NonNull::new(bytes.as_mut_ptr())?, usize::try_from(bytes.length().0).ok()?),
            Self::Received { mapping, .. } => (mapping.start(), mapping.bytes()),
        };
        (length <= bytes).then_some((start, length))
    }
}

struct Keeper {
    memory: RefCell<Option<Memory>>,
    home: Weak<Home>,
}

impl Keeper {
    /// Nobody sees the memory any more.
    fn end(&self) {
        let Some(memory) = self.memory.take() else { return };
        let home = self.home.upgrade();
        // Unmapped before its sender hears of it.
        let loan = match memory {
            Memory::Lent { bytes, id } => {
                drop(bytes);
                Some(id)
            }
            Memory::Received { mapping, held } => {
                if let Some(home) = &home {
                    home.received.borrow_mut().remove(&mapping.start());
                }
                drop(mapping);
                drop(held);
                None
            }
        };
        let Some(home) = home else { return };
        // Node calls finalisers of ArrayBuffers in a turn of their own, and none of ours is on the stack then.
        if let Ok(mut endpoint) = home.endpoint.try_borrow_mut() {
            endpoint.end_leases();
            if let Some(id) = loan {
                endpoint.end_loan(id);
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

unsafe extern "C" fn finalize(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: `external` has made it of a counted pointer, and napi calls this once.
    drop(unsafe { Rc::from_raw(hint.cast::<Keeper>().cast_const()) });
}

/// All ArrayBuffers over shared memory that an endpoint has given to JavaScript.
pub(super) struct Home {
    endpoint: Rc<RefCell<Endpoint>>,
    /// Those that were received and are neither detached nor finalised, by where they lie. Each has a mapping of its own.
    received: RefCell<HashMap<NonNull<u8>, Weak<Keeper>>>,
}

impl Home {
    pub(super) fn new(endpoint: &Rc<RefCell<Endpoint>>) -> Rc<Self> {
        Rc::new(Self { endpoint: Rc::clone(endpoint), received: RefCell::default() })
    }

    /// An ArrayBuffer to fill, over a block that was lent.
    pub(super) fn lent(
        self: &Rc<Self>,
        env: Env,
        (id, bytes): (LoanId, OwnBytes),
        length: usize,
    ) -> Option<NewArrayBuffer> {
        self.external(env, Memory::Lent { bytes, id }, length)
    }

    /// What is attached to the message that is in place, and is done with that. `None` where it cannot be read.
    pub(super) fn take_parts(self: &Rc<Self>, env: Env, parts: Vec<Part>) -> napi::Result<Option<Vec<NewArrayBuffer>>> {
        let in_place = |part: &Part| if (part.length() as u64) < SHORTEST_MAPPED.0 { None } else { part.in_place() };
        let mappings: Vec<Option<PrivateMapping>> = parts.iter().map(in_place).collect();
        let is_held = mappings.iter().any(Option::is_some);
        let held = is_held.then(|| self.endpoint.borrow_mut().hold_next()).flatten().map(Rc::new);
        let made = parts.iter().zip(mappings).map(|(part, mapping)| {
            let kept = mapping.zip(held.as_ref()).and_then(|(mapping, held)| {
                self.external(env, Memory::Received { mapping, held: Rc::clone(held) }, part.length())
            });
            kept.map_or_else(|| copied(env, part), |kept| Ok(Some(kept)))
        });
        let made = made.collect::<napi::Result<Option<Vec<_>>>>();
        if held.is_none() {
            self.endpoint.borrow_mut().pass_next();
        }
        made
    }

    /// `None` where this Node allows no such ArrayBuffers, as those whose V8 keeps all memory in a cage.
    fn external(self: &Rc<Self>, env: Env, memory: Memory, length: usize) -> Option<NewArrayBuffer> {
        let (start, length) = memory.extent(length)?;
        let is_received = matches!(memory, Memory::Received { .. });
        let keeper = Rc::new(Keeper { memory: RefCell::new(Some(memory)), home: Rc::downgrade(self) });
        let hint = Rc::into_raw(Rc::clone(&keeper));
        let mut value = ptr::null_mut();
        // SAFETY: the memory is as long as said and stays until the finaliser is called, which happens once, on this thread, or until the
        // ArrayBuffer is detached.
        let status = unsafe {
            sys::napi_create_external_arraybuffer(
                env.raw(),
                start.as_ptr().cast(),
                length,
                Some(finalize),
                hint.cast_mut().cast(),
                &raw mut value,
            )
        };
        if status != sys::Status::napi_ok {
            // SAFETY: made above, and napi has refused it.
            drop(unsafe { Rc::from_raw(hint) });
            return None;
        }
        if is_received {
            self.received.borrow_mut().insert(start, Rc::downgrade(&keeper));
        }
        Some(NewArrayBuffer(value))
    }

    /// Takes the memory away from an ArrayBuffer: it is empty then, and what was received is given back. Answers false where it was
    /// empty before, so that another one may lie over the memory (`ArrayBuffer.prototype.transfer`).
    pub(super) fn detach(&self, env: Env, array_buffer: sys::napi_value) -> napi::Result<bool> {
        let (mut data, mut length) = (ptr::null_mut(), 0);
        // SAFETY: a value of the call that this is a part of; anything else than an ArrayBuffer is refused.
        check_status!(unsafe {
            sys::napi_get_arraybuffer_info(env.raw(), array_buffer, &raw mut data, &raw mut length)
        })?;
        let start = NonNull::new(data.cast::<u8>()).filter(|_| length > 0);
        let Some(start) = start else { return Ok(false) };
        // SAFETY: as above.
        check_status!(unsafe { sys::napi_detach_arraybuffer(env.raw(), array_buffer) })?;
        let keeper = self.received.borrow_mut().remove(&start).and_then(|keeper| keeper.upgrade());
        if let Some(keeper) = keeper {
            keeper.end();
        }
        Ok(true)
    }
}

fn copied(env: Env, part: &Part) -> napi::Result<Option<NewArrayBuffer>> {
    let (mut data, mut value) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: both are places for one pointer.
    check_status!(unsafe { sys::napi_create_arraybuffer(env.raw(), part.length(), &raw mut data, &raw mut value) })?;
    let Some(start) = NonNull::new(data.cast::<u8>()) else { return Ok(Some(NewArrayBuffer(value))) };
    // SAFETY: V8 has just made it, of this length and of zeroes, and nobody else knows of it yet.
    let into = unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), part.length()) };
    Ok(part.copy(into).then_some(NewArrayBuffer(value)))
}
