//! ArrayBuffers over shared memory: what is lent to JavaScript to fill, and what it has received and reads where it lies.
//!
//! Each keeps what it lies over until JavaScript drops it, detaches it, or the environment ends; nothing in here looks at the bytes.
#![allow(unsafe_code)] // napi's raw interface: napi-rs has no ArrayBuffer over memory that is not a vector

use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};

use napi::bindgen_prelude::ToNapiValue;
use napi::{Env, check_status, sys};

use crate::worker::endpoint::loans::{Held, LoanId, Part};
use crate::worker::endpoint::{Endpoint, OwnBytes, PrivateMapping};

/// Shorter ones are copied: a mapping and what V8 keeps of one cost more.
const IN_PLACE_BYTES: usize = 64 * 1024;

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
    memory: Option<Memory>,
    endpoint: Weak<RefCell<Endpoint>>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Unmapped before its sender hears of it.
        let loan = match self.memory.take() {
            Some(Memory::Lent { bytes, id }) => {
                drop(bytes);
                Some(id)
            }
            Some(Memory::Received { mapping, held }) => {
                drop(mapping);
                drop(held);
                None
            }
            None => None,
        };
        let Some(endpoint) = self.endpoint.upgrade() else { return };
        // Node calls finalisers of ArrayBuffers in a turn of their own, and none of ours is on the stack then.
        if let Ok(mut endpoint) = endpoint.try_borrow_mut() {
            endpoint.end_leases();
            if let Some(id) = loan {
                endpoint.end_loan(id);
            }
        }
    }
}

unsafe extern "C" fn finalize(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: `external` has made it of a box, and napi calls this once.
    drop(unsafe { Box::from_raw(hint.cast::<Keeper>()) });
}

/// `None` where this Node allows no such ArrayBuffers, as those whose V8 keeps all memory in a cage.
fn external(env: Env, memory: Memory, length: usize, endpoint: &Rc<RefCell<Endpoint>>) -> Option<NewArrayBuffer> {
    let (start, length) = memory.extent(length)?;
    let keeper = Box::new(Keeper { memory: Some(memory), endpoint: Rc::downgrade(endpoint) });
    let hint = Box::into_raw(keeper);
    let mut value = ptr::null_mut();
    // SAFETY: the memory is as long as said and stays until the finaliser is called, which happens once, on this thread.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env.raw(),
            start.as_ptr().cast(),
            length,
            Some(finalize),
            hint.cast(),
            &raw mut value,
        )
    };
    if status != sys::Status::napi_ok {
        // SAFETY: made above, and napi has refused it.
        drop(unsafe { Box::from_raw(hint) });
        return None;
    }
    Some(NewArrayBuffer(value))
}

/// An ArrayBuffer to fill, over a block that was lent.
pub(super) fn lent(
    env: Env,
    (id, bytes): (LoanId, OwnBytes),
    length: usize,
    endpoint: &Rc<RefCell<Endpoint>>,
) -> Option<NewArrayBuffer> {
    external(env, Memory::Lent { bytes, id }, length, endpoint)
}

/// What is attached to the message that is in place, and is done with that. `None` where it cannot be read.
pub(super) fn take_parts(
    env: Env,
    parts: Vec<Part>,
    endpoint: &Rc<RefCell<Endpoint>>,
) -> napi::Result<Option<Vec<NewArrayBuffer>>> {
    let in_place = |part: &Part| if part.length() < IN_PLACE_BYTES { None } else { part.in_place() };
    let mappings: Vec<Option<PrivateMapping>> = parts.iter().map(in_place).collect();
    let held = mappings.iter().any(Option::is_some).then(|| endpoint.borrow_mut().hold_next()).flatten().map(Rc::new);
    let made = parts.iter().zip(mappings).map(|(part, mapping)| {
        let kept = mapping.zip(held.as_ref()).and_then(|(mapping, held)| {
            external(env, Memory::Received { mapping, held: Rc::clone(held) }, part.length(), endpoint)
        });
        kept.map_or_else(|| copied(env, part), |kept| Ok(Some(kept)))
    });
    let made = made.collect::<napi::Result<Option<Vec<_>>>>();
    if held.is_none() {
        endpoint.borrow_mut().pass_next();
    }
    made
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

/// Takes the memory away from an ArrayBuffer: it is empty then.
pub(super) fn detach(env: Env, array_buffer: sys::napi_value) -> napi::Result<()> {
    // SAFETY: a value of the call that this is a part of; anything else than an ArrayBuffer is refused.
    check_status!(unsafe { sys::napi_detach_arraybuffer(env.raw(), array_buffer) })
}
