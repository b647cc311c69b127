//! Strings of JavaScript's straight into shared memory and straight out of it, with no copy in between.
#![allow(unsafe_code)] // napi's raw interface: napi-rs makes a copy of its own first

use std::ffi::c_char;
use std::ptr;

use napi::bindgen_prelude::{JsValue, ToNapiValue};
use napi::{Env, JsString, sys};

use crate::worker::endpoint::sending::Payload;
use crate::worker::endpoint::{OwnBytes, PeerBytes};

/// How a string's characters lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// One byte each.
    Latin1,
    /// Two bytes each.
    Utf16,
}

impl Encoding {
    /// By the number that JavaScript has for it.
    pub(super) fn from_number(number: i32) -> Self {
        if number == 2 { Self::Utf16 } else { Self::Latin1 }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Latin1 => 1,
            Self::Utf16 => 2,
        }
    }
}

/// A string on its way out.
pub(super) struct Text<'env> {
    env: Env,
    value: JsString<'env>,
    encoding: Encoding,
    characters: usize,
}

impl<'env> Text<'env> {
    /// So many characters, all of them below 256 with [`Encoding::Latin1`]; the upper half of others would be lost.
    pub(super) fn new(env: Env, value: JsString<'env>, encoding: Encoding, characters: usize) -> Self {
        Self { env, value, encoding, characters }
    }

    /// Writes the characters and a zero behind them, as napi always does.
    ///
    /// # Safety
    /// `into` can be written for `length` and `slack` bytes, is aligned to a word, and nobody else looks at it.
    unsafe fn write(&self, into: *mut u8) -> bool {
        let mut written = 0;
        let (env, value, room) = (self.env.raw(), self.value.raw(), self.characters + 1);
        let status = match self.encoding {
            // SAFETY: the caller promises room for the characters and the zero.
            Encoding::Latin1 => unsafe {
                sys::napi_get_value_string_latin1(env, value, into.cast::<c_char>(), room, &raw mut written)
            },
            // SAFETY: as above; a word's alignment is more than that of two bytes.
            #[allow(clippy::cast_ptr_alignment, reason = "the caller promises a word's")]
            Encoding::Utf16 => unsafe {
                sys::napi_get_value_string_utf16(env, value, into.cast::<u16>(), room, &raw mut written)
            },
        };
        status == sys::Status::napi_ok && written == self.characters
    }
}

impl Payload for Text<'_> {
    fn length(&self) -> usize {
        self.characters * self.encoding.bytes()
    }

    fn slack(&self) -> usize {
        self.encoding.bytes()
    }

    fn write_shared(&self, into: &OwnBytes) -> bool {
        let needed = (self.length() + self.slack()) as u64;
        // SAFETY: the room is asked for first; blocks are words, and receivers do not look before the message is published.
        into.length().0 >= needed && unsafe { self.write(into.as_mut_ptr()) }
    }

    fn write_private(&self, into: &mut [u8]) -> bool {
        let needed = self.length() + self.slack();
        if into.len() >= needed && into.as_ptr().align_offset(size_of::<u64>()) == 0 {
            // SAFETY: as long as what is written, aligned, and ours.
            return unsafe { self.write(into.as_mut_ptr()) };
        }
        // A vector of bytes need not be aligned to words.
        let mut words = vec![0_u64; needed.div_ceil(size_of::<u64>())];
        // SAFETY: as long as what is written, aligned, and ours.
        if !unsafe { self.write(words.as_mut_ptr().cast()) } {
            return false;
        }
        let Some(into) = into.get_mut(..self.length()) else { return false };
        for (to, word) in into.chunks_mut(size_of::<u64>()).zip(words) {
            to.copy_from_slice(&word.to_ne_bytes()[..to.len()]);
        }
        true
    }
}

/// A string that was just made, to be the answer of the call that made it.
pub(super) struct NewString(sys::napi_value);

impl ToNapiValue for NewString {
    unsafe fn to_napi_value(_env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}

/// Makes a string of a peer's bytes. A peer that writes to them meanwhile decides which characters it has, and nothing else.
pub(super) fn string_from(env: Env, bytes: &PeerBytes, encoding: Encoding) -> napi::Result<NewString> {
    let length = usize::try_from(bytes.length().0).unwrap_or(usize::MAX) / encoding.bytes();
    let length = isize::try_from(length).unwrap_or(isize::MAX);
    let mut value = ptr::null_mut();
    let status = match encoding {
        // SAFETY: `bytes` keeps the memory mapped, and V8 copies what it holds in this call.
        Encoding::Latin1 => unsafe {
            sys::napi_create_string_latin1(env.raw(), bytes.as_ptr().cast::<c_char>(), length, &raw mut value)
        },
        // SAFETY: as above; payloads begin at a word.
        #[allow(clippy::cast_ptr_alignment, reason = "payloads begin at a word")]
        Encoding::Utf16 => unsafe {
            sys::napi_create_string_utf16(env.raw(), bytes.as_ptr().cast::<u16>(), length, &raw mut value)
        },
    };
    napi::check_status!(status)?;
    Ok(NewString(value))
}
