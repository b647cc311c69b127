//! The master's view of one worker: a numbered place that is kept filled, and the processes that sit or sat in it.
//!
//! Pure: no clock, no descriptor, no log. The supervisor owns the slots and is the only caller.

mod cause;
mod exit;
mod process;
mod recycle;
mod role;
mod standstill;
mod state;

pub use cause::{Cause, Circumstances, OomPlace, Sender};
pub use exit::{Exit, ExitReason};
pub use process::{ClusterState, Ladder, Process};
pub use recycle::{Limit, RecyclePolicy, RecycleTurns, Worn};
pub use role::{Duty, Role};
pub use standstill::{Doing, Finding, Hindrance, Standstill, StuckPolicy, next_beat};
pub use state::{ProcessEvent, SlotState, Transition};

use std::time::Duration;

use crate::message::address::{Generation, Occupant, Seat, SlotIndex};

/// A place that is kept filled: who sits there now, who is on the way out, and when the next one is due.
#[derive(Clone, Debug)]
pub struct Slot {
    seat: Seat,
    last_generation: Generation,
    /// What it is kept for.
    pub role: Role,
    /// Which of the places in service it has, from 0; clients that are kept together by their address go by it. Of no meaning while it is
    /// not in service.
    pub place: SlotIndex,
    /// It was opened to grow the cluster, and nobody has served in it yet.
    pub is_new: bool,
    /// The process that fills the place; it may still be booting.
    pub occupant: Option<Process>,
    /// Those that have lost the seat but whose end has not been seen yet: they finish what they accepted.
    pub departing: Vec<Process>,
    /// When the next process is to be started, while the place waits for one.
    pub refill_at: Option<Duration>,
    /// Deaths in a row without [healthy](crate::supervisor::RestartPolicy) time in between.
    pub failures: u32,
}

impl Slot {
    /// An empty place.
    #[must_use]
    pub fn new(seat: Seat) -> Self {
        Self {
            seat,
            last_generation: Generation(0),
            role: Role::Serving,
            place: match seat {
                Seat::App(index) => index,
                Seat::Agent => SlotIndex(0),
            },
            is_new: false,
            occupant: None,
            departing: Vec::new(),
            refill_at: None,
            failures: 0,
        }
    }

    /// As it is, but for this role.
    #[must_use]
    pub fn kept_for(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// The place's name.
    #[must_use]
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// Seats a new process, whose spawn is about to be asked for. Whoever sat there becomes a departing one.
    pub fn seat_next(&mut self, make: impl FnOnce(Occupant) -> Process) -> Occupant {
        self.vacate();
        self.last_generation = self.last_generation.next();
        let who = Occupant { seat: self.seat, generation: self.last_generation };
        self.occupant = Some(make(who));
        self.refill_at = None;
        who
    }

    /// Seats a process whose fork is still under way although it was not wanted any more; a second fork would be one too many.
    pub fn recall_unforked(&mut self) -> Option<Occupant> {
        let position = self.departing.iter().position(Process::is_unforked)?;
        let mut recalled = self.departing.remove(position);
        recalled.is_dismissed = false;
        let who = recalled.who();
        self.vacate();
        self.occupant = Some(recalled);
        self.refill_at = None;
        Some(who)
    }

    /// Takes the seat from the present occupant, which stays known until its end is seen.
    pub fn vacate(&mut self) {
        self.departing.extend(self.occupant.take());
    }

    /// The process of exactly this generation, seated or departing; none where the event that names it is stale.
    #[must_use]
    pub fn process(&self, who: Occupant) -> Option<&Process> {
        self.processes().find(|process| process.who() == who)
    }

    /// As [`Slot::process`], to change it.
    pub fn process_mut(&mut self, who: Occupant) -> Option<&mut Process> {
        self.processes_mut().find(|process| process.who() == who)
    }

    /// Everyone whose end has not been seen, the departing ones first, as they are older.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.departing.iter().chain(&self.occupant)
    }

    /// As [`Slot::processes`], to change them.
    pub fn processes_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.departing.iter_mut().chain(&mut self.occupant)
    }

    /// The process that is ready, and given connections.
    #[must_use]
    pub fn serving(&self) -> Option<&Process> {
        let serves = |process: &&Process| process.state() == SlotState::Ready && process.duty() == Duty::Serves;
        self.processes().filter(serves).last()
    }

    /// Forgets those that are gone for good.
    pub fn forget_gone(&mut self) {
        self.departing.retain(|process| !process.is_gone());
        if self.occupant.as_ref().is_some_and(Process::is_gone) {
            self.occupant = None;
        }
    }
}
