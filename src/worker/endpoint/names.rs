//! The names of actions by numbers, so that neither end makes a string of one for each message.
//!
//! A name travels as bytes in front of the payload. Numbers are this process' own: they are told to JavaScript and to nobody else.

use std::collections::HashMap;

/// Names that are data would be new for ever; so many get a number.
const MAX_NAMES: usize = 4096;
/// Longer ones get none.
const MAX_NAME_BYTES: usize = 256;
const WORD: usize = size_of::<u64>();

/// The number of a name in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameNumber(pub u32);

/// All names that have a number. Bytes come with the zeroes that fill their last word.
#[derive(Debug, Default)]
pub struct Names {
    numbers: HashMap<Box<[u8]>, NameNumber>,
    bytes: Vec<Box<[u8]>>,
}

impl Names {
    /// The number of a name; `None` when it gets none.
    pub fn number(&mut self, filled: &[u8]) -> Option<NameNumber> {
        if let Some(&known) = self.numbers.get(filled) {
            return Some(known);
        }
        if filled.len() > MAX_NAME_BYTES || self.bytes.len() >= MAX_NAMES {
            return None;
        }
        let number = NameNumber(u32::try_from(self.bytes.len()).ok()?);
        self.bytes.push(filled.into());
        self.numbers.insert(filled.into(), number);
        Some(number)
    }

    /// The bytes of a name.
    #[must_use]
    pub fn bytes(&self, number: NameNumber) -> Option<&[u8]> {
        self.bytes.get(number.0 as usize).map(AsRef::as_ref)
    }

    /// A name with the zeroes that fill its last word.
    #[must_use]
    pub fn fill(name: &[u8]) -> Vec<u8> {
        let mut filled = name.to_vec();
        filled.resize(name.len().next_multiple_of(WORD), 0);
        filled
    }
}

/// A name without the zeroes that fill its last word.
#[must_use]
pub fn unfilled(filled: &[u8]) -> &[u8] {
    let length = filled.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    filled.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let mut names = Names::default();
        let first = names.number(&Names::fill(b"price")).unwrap();
        let second = names.number(&Names::fill(b"prices")).unwrap();
        assert_ne!(first, second);
        assert_eq!(names.number(&Names::fill(b"price")), Some(first));
        assert_eq!(names.bytes(first), Some(&b"price\0\0\0"[..]));
        assert_eq!(names.bytes(NameNumber(2)), None);
    }

    #[test]
    fn names_that_are_data_cost_bounded_memory() {
        let mut names = Names::default();
        for id in 0..MAX_NAMES {
            assert!(names.number(&Names::fill(id.to_string().as_bytes())).is_some());
        }
        assert_eq!(names.number(b"one more"), None);
        assert_eq!(names.number(&[b'n'; MAX_NAME_BYTES + WORD]), None);
        assert!(names.number(&Names::fill(b"0")).is_some());
    }
}
