//! Decodes single members of a request: which JSON stands for what, and what is said when it is something else.
//!
//! Used by the parser only. Strings are read as bytes first: JavaScript's may hold half a surrogate pair, which no Rust
//! string can, and which is no fault as long as nobody needs that string here.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Visitor};
use serde_json::value::RawValue;

use super::{AddressType, ProtocolError};

/// A JSON string as the bytes it stands for.
pub(super) struct StringBytes;

impl<'de> DeserializeSeed<'de> for StringBytes {
    type Value = Cow<'de, [u8]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for StringBytes {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(bytes.to_owned()))
    }
}

pub(super) fn bytes_of(value: &RawValue) -> Option<Cow<'_, [u8]>> {
    if !value.get().starts_with('"') {
        return None;
    }
    StringBytes.deserialize(&mut serde_json::Deserializer::from_str(value.get())).ok()
}

pub(super) fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    match bytes_of(value)? {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

pub(super) fn number_of<T: TryFrom<i64>>(value: &RawValue) -> Option<T> {
    serde_json::from_str::<i64>(value.get()).ok()?.try_into().ok()
}

/// Node compares with `true`, so any other value is a no.
pub(super) fn is_true(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| value.get() == "true")
}

/// How much of a wrong value goes into an error.
const SHOWN: usize = 40;

/// Reads the members of one request, and names request and member when one is wrong.
pub(super) struct Reader {
    pub(super) request: &'static str,
}

impl Reader {
    fn wrong(&self, field: &'static str, expected: &'static str, found: Option<&RawValue>) -> ProtocolError {
        let found = found.map_or_else(|| "missing".to_owned(), |value| value.get().chars().take(SHOWN).collect());
        ProtocolError::Field { request: self.request, field, expected, found }
    }

    pub(super) fn required<'a, T>(
        &self,
        field: &'static str,
        expected: &'static str,
        value: Option<&'a RawValue>,
        read: impl FnOnce(&'a RawValue) -> Option<T>,
    ) -> Result<T, ProtocolError> {
        value.and_then(read).ok_or_else(|| self.wrong(field, expected, value))
    }

    /// Missing and `null` are the same: `JSON.stringify` leaves out what is `undefined`.
    pub(super) fn optional<'a, T>(
        &self,
        field: &'static str,
        expected: &'static str,
        value: Option<&'a RawValue>,
        read: impl FnOnce(&'a RawValue) -> Option<T>,
    ) -> Result<Option<T>, ProtocolError> {
        match value.filter(|value| value.get() != "null") {
            None => Ok(None),
            present => self.required(field, expected, present, read).map(Some),
        }
    }

    pub(super) fn seq(&self, field: &'static str, value: Option<&RawValue>) -> Result<u64, ProtocolError> {
        self.required(field, "a number", value, number_of)
    }

    pub(super) fn address(&self, value: Option<&RawValue>) -> Result<Option<String>, ProtocolError> {
        let address = self.optional("address", "a string or null", value, text_of)?;
        Ok(address.filter(|address| !address.is_empty()).map(Cow::into_owned))
    }

    /// dgram passes on what its caller gave, be it a number in a string.
    pub(super) fn port(&self, value: Option<&RawValue>) -> Result<i64, ProtocolError> {
        let number = |value| number_of(value).or_else(|| text_of(value)?.trim().parse().ok());
        Ok(self.optional("port", "a number or null", value, number)?.unwrap_or(-1))
    }

    pub(super) fn fd(&self, value: Option<&RawValue>) -> Result<Option<i32>, ProtocolError> {
        let fd = self.optional("fd", "a number", value, number_of::<i32>)?;
        Ok(fd.filter(|fd| *fd >= 0))
    }

    pub(super) fn address_type(&self, value: Option<&RawValue>) -> Result<AddressType, ProtocolError> {
        let known = |value: &RawValue| match value.get() {
            "4" => Some(AddressType::Ipv4),
            "6" => Some(AddressType::Ipv6),
            "-1" => Some(AddressType::Unix),
            "\"udp4\"" => Some(AddressType::Udp4),
            "\"udp6\"" => Some(AddressType::Udp6),
            _ => None,
        };
        let expected = "4, 6, -1, \"udp4\", \"udp6\" or null";
        Ok(self.optional("addressType", expected, value, known)?.unwrap_or(AddressType::Unspecified))
    }
}
