//! The connections of one face: how many there may be, which of them wait for something of ours, and who has to go when another comes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long a connection may be without a request: before its first, between two of them, and while one comes in byte by byte.
pub const QUIET: Duration = Duration::from_secs(10);

/// What a connection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// We wait for a request, or for the rest of its body, since then.
    Quiet(Instant),
    /// A request waits for our answer.
    Answered,
    /// So does one for something that takes as long as it takes.
    Acts,
    /// It listens to events.
    Listens,
}

/// One connection.
#[derive(Debug)]
pub struct Visit {
    doing: Cell<Doing>,
    /// Told when the connection has to end.
    pub end: Rc<Notify>,
}

impl Visit {
    fn new() -> Self {
        Self { doing: Cell::new(Doing::Quiet(Instant::now())), end: Rc::default() }
    }

    /// It is about something else now.
    pub fn set(&self, doing: Doing) {
        self.doing.set(doing);
    }

    /// A request was answered, unless the answer goes on.
    pub fn set_quiet(&self) {
        if matches!(self.doing.get(), Doing::Answered | Doing::Acts) {
            self.doing.set(Doing::Quiet(Instant::now()));
        }
    }

    /// What it is about.
    #[must_use]
    pub fn doing(&self) -> Doing {
        self.doing.get()
    }

    /// When it has to be looked at again, and whether it has been without a request for too long.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> (Instant, bool) {
        match self.doing.get() {
            Doing::Quiet(since) => (since + QUIET, now >= since + QUIET),
            Doing::Answered | Doing::Acts | Doing::Listens => (now + QUIET, false),
        }
    }
}

/// How many connections there may be at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All of them.
    pub all: usize,
    /// Those that listen to events.
    pub listening: usize,
    /// Those that wait for something that takes as long as it takes.
    pub acting: usize,
}

/// All connections of a face.
#[derive(Debug)]
pub struct Visits {
    limits: Limits,
    visits: RefCell<Vec<Rc<Visit>>>,
}

impl Visits {
    /// None yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, visits: RefCell::default() }
    }

    /// One more. Where there is no room, the one that has been without a request for longest makes it; none where all are busy.
    #[must_use]
    pub fn admit(&self) -> Option<Rc<Visit>> {
        let mut visits = self.visits.borrow_mut();
        if visits.len() >= self.limits.all {
            let quiet = visits.iter().enumerate().filter_map(|(index, visit)| match visit.doing() {
                Doing::Quiet(since) => Some((since, index)),
                Doing::Answered | Doing::Acts | Doing::Listens => None,
            });
            let (_, index) = quiet.min()?;
            visits.remove(index).end.notify_one();
        }
        let visit = Rc::new(Visit::new());
        visits.push(Rc::clone(&visit));
        Some(visit)
    }

    /// It has ended.
    pub fn forget(&self, visit: &Rc<Visit>) {
        self.visits.borrow_mut().retain(|other| !Rc::ptr_eq(other, visit));
    }

    /// True where one more may listen to events.
    #[must_use]
    pub fn may_listen(&self) -> bool {
        self.count(|doing| doing == Doing::Listens) < self.limits.listening
    }

    /// True where one more may wait for something that takes as long as it takes.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.count(|doing| doing == Doing::Acts) < self.limits.acting
    }

    /// True while a request waits for its answer.
    #[must_use]
    pub fn is_answering(&self) -> bool {
        self.count(|doing| matches!(doing, Doing::Answered | Doing::Acts)) > 0
    }

    fn count(&self, is_it: impl Fn(Doing) -> bool) -> usize {
        self.visits.borrow().iter().filter(|visit| is_it(visit.doing())).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_quiet_one_makes_room_and_nobody_who_is_busy_does() {
        let visits = Visits::new(Limits { all: 2, listening: 1, acting: 1 });
        let (first, second) = (visits.admit().unwrap(), visits.admit().unwrap());
        first.set(Doing::Answered);
        first.set_quiet();
        // The first was busy since, so the second has been quiet for longer.
        let third = visits.admit().unwrap();
        assert_eq!(visits.visits.borrow().iter().filter(|visit| Rc::ptr_eq(visit, &second)).count(), 0);
        first.set(Doing::Listens);
        third.set(Doing::Answered);
        assert!(visits.is_answering() && !visits.may_listen());
        assert!(visits.admit().is_none() && visits.may_act());
        third.set(Doing::Acts);
        assert!(visits.is_answering() && !visits.may_act() && visits.admit().is_none());
        visits.forget(&third);
        assert!(visits.admit().is_some());
    }

    #[test]
    fn only_who_is_quiet_for_too_long_has_to_go() {
        let visits = Visits::new(Limits { all: 1, listening: 1, acting: 1 });
        let visit = visits.admit().unwrap();
        let later = Instant::now() + QUIET;
        assert!(!visit.deadline(Instant::now()).1 && visit.deadline(later).1);
        visit.set(Doing::Listens);
        visit.set_quiet();
        assert!(!visit.deadline(later).1);
    }
}
