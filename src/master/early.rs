//! What was sent to all apps before the cluster was ready: an app that is started later gets it as well, before anything else.
//!
//! Bounded, and at an end once the cluster is ready: from then on nobody counts on an app that is not there.

use bytes::Bytes;
use serde_json::{Value, json};

use super::child_thread::Ticket;

/// How many messages are kept at most.
const MESSAGES_LIMIT: usize = 1024;

/// A message as it is kept.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// As the text for a process.
    Frame([Bytes; 2]),
    /// By JavaScript, for threads.
    Ticket(Ticket),
}

impl Kept {
    fn bytes(&self) -> usize {
        match self {
            Self::Frame(parts) => parts.iter().map(Bytes::len).sum(),
            Self::Ticket(_) => 0,
        }
    }
}

/// The messages, in the order in which they came.
#[derive(Debug)]
pub(super) struct Early {
    kept: Vec<Kept>,
    bytes: usize,
    bytes_limit: usize,
    is_over: bool,
    /// How many found no room, and the event for the first of them.
    given_up: u64,
    first_given_up: Option<Value>,
}

impl Early {
    pub(super) fn new(bytes_limit: usize) -> Self {
        Self { kept: Vec::new(), bytes: 0, bytes_limit, is_over: false, given_up: 0, first_given_up: None }
    }

    /// Whether the cluster is not ready yet.
    pub(super) fn is_due(&self) -> bool {
        !self.is_over
    }

    /// Keeps a message. Answers false where there is no room: apps that are not there yet will miss it.
    #[must_use]
    pub(super) fn keep(&mut self, message: Kept) -> bool {
        let bytes = self.bytes.saturating_add(message.bytes());
        if self.kept.len() == MESSAGES_LIMIT || bytes > self.bytes_limit {
            return false;
        }
        self.bytes = bytes;
        self.kept.push(message);
        true
    }

    /// All of them, for an app that is started.
    pub(super) fn all(&self) -> Vec<Kept> {
        self.kept.clone()
    }

    /// Counts a message that found no room. Before readiness nobody can listen for the event.
    pub(super) fn give_up(&mut self, event: Value) -> u64 {
        self.given_up += 1;
        self.first_given_up.get_or_insert(event);
        self.given_up
    }

    /// The cluster is ready. Answers with the one event for all that were given up.
    pub(super) fn end(&mut self) -> Option<Value> {
        self.is_over = true;
        self.kept = Vec::new();
        let mut event = self.first_given_up.take()?;
        event["count"] = json!(self.given_up);
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Kept {
        Kept::Frame([Bytes::from(vec![b'x'; bytes]), Bytes::new()])
    }

    #[test]
    fn messages_are_kept_up_to_either_bound() {
        let mut few_bytes = Early::new(100);
        assert!(few_bytes.keep(message(60)));
        assert!(!few_bytes.keep(message(60)));
        assert!(few_bytes.keep(message(40)));
        let mut many = Early::new(usize::MAX);
        let taken = (0..MESSAGES_LIMIT + 5).filter(|_| many.keep(message(1))).count();
        assert_eq!((taken, many.all().len()), (MESSAGES_LIMIT, MESSAGES_LIMIT));
    }

    #[test]
    fn one_event_tells_of_all_that_were_given_up() {
        let mut early = Early::new(0);
        for place in 1..=3 {
            assert_eq!(early.give_up(json!({ "action": place })), place);
        }
        assert_eq!(early.end(), Some(json!({ "action": 1, "count": 3 })));
    }

    #[test]
    fn nothing_is_kept_of_a_cluster_that_is_ready() {
        let mut early = Early::new(100);
        assert!(early.keep(message(1)) && early.is_due());
        assert_eq!(early.end(), None);
        assert!(early.all().is_empty() && !early.is_due());
    }
}
