//! The rows in which this process counts its messages: see [`crate::sys::tally`]. JavaScript asks for the row of an action once and counts
//! there by itself; what waits in the endpoint is counted here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ptr::NonNull;

use super::endpoint::names::unfilled;
pub use crate::sys::tally::{Column, OTHERS, Row, TallyWriter};

/// The rows of this process, and which action has which.
struct Book {
    page: TallyWriter,
    rows: HashMap<String, Row>,
}

thread_local! {
    /// Of the main thread: there is one endpoint, and it is there.
    static BOOK: RefCell<Option<Book>> = const { RefCell::new(None) };
}

/// Counts on this page from now on.
pub(super) fn begin(page: TallyWriter) {
    BOOK.set(Some(Book { page, rows: HashMap::new() }));
}

/// The row of an action; that of all others where it gets none, and none where nobody counts.
#[must_use]
pub fn row_of(action: &str) -> Option<Row> {
    let find = |book: &mut Book| {
        if let Some(&row) = book.rows.get(action) {
            return row;
        }
        let Some(row) = book.page.open(action) else { return OTHERS };
        book.rows.insert(action.to_owned(), row);
        row
    };
    BOOK.with_borrow_mut(|book| book.as_mut().map(find))
}

/// Where the rows lie, which stay for the rest of the process, and how many words they take.
#[must_use]
pub fn rows() -> Option<(NonNull<u64>, usize)> {
    BOOK.with_borrow(|book| book.as_ref().and_then(|book| book.page.rows()))
}

/// A message that waits, in the number of those of its action as long as it is there; as many times as it is copied.
#[derive(Debug)]
pub(super) struct Queued(Option<(TallyWriter, Row)>);

impl Queued {
    /// `name` is the action's, with the zeroes that fill its last word.
    pub(super) fn new(name: &[u8]) -> Self {
        let name = unfilled(name);
        // What is sent whole has its action inside.
        let row = if name.is_empty() { rows().map(|_| OTHERS) } else { row_of(&String::from_utf8_lossy(name)) };
        let queued = Self(row.and_then(|row| BOOK.with_borrow(|book| book.as_ref().map(|book| (book.page, row)))));
        queued.count(1.0);
        queued
    }

    fn count(&self, change: f64) {
        if let Some((page, row)) = self.0 {
            page.add(row, Column::Queued, change);
        }
    }
}

impl Clone for Queued {
    fn clone(&self) -> Self {
        self.count(1.0);
        Self(self.0)
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.count(-1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tally::{TALLY_WORDS, TallyReader};
    use std::sync::atomic::AtomicU64;

    #[test]
    fn what_waits_is_counted_as_long_as_it_is_there() {
        assert!(row_of("price").is_none() && Queued::new(b"price\0\0\0").0.is_none());
        let words = Vec::leak((0..TALLY_WORDS).map(|_| AtomicU64::new(0)).collect());
        begin(TallyWriter::new(words).unwrap());
        let depth = |action: &str| {
            let mut depth = 0.0;
            TallyReader::new(words).each(|name, counts| {
                if name == action {
                    depth = counts.get(Column::Queued);
                }
            });
            depth
        };
        let queue = vec![Queued::new(b"price\0\0\0"); 3];
        let whole = Queued::new(b"");
        assert_eq!((depth("price"), depth("(other)")), (3.0, 1.0));
        drop((queue, whole));
        assert_eq!((depth("price"), depth("(other)")), (0.0, 0.0));
        assert_eq!(row_of("price"), row_of("price"));
    }
}
