//! New app workers for old ones: every slot boots a successor first; when it is ready, its predecessor is asked to leave.
//! A successor that does not get ready ends the reload: the old workers whose successors are not ready keep their seats.
//!
//! Where the two could not listen side by side, one seat after the other is emptied first and then filled again.

use std::time::Duration;

use super::{Phase, Report, Supervisor};
use crate::message::address::{Occupant, Seat, SlotIndex};
use crate::slot::{Process, SlotState};

/// What is going on with reloads. A second request waits, once.
#[derive(Clone, Debug, Default)]
pub(super) struct Reload {
    waiting_for: Vec<SlotIndex>,
    again: bool,
}

impl Supervisor {
    pub(super) fn reload(&mut self, now: Duration) {
        if self.phase != Phase::Running {
            return;
        }
        if !self.reload.waiting_for.is_empty() {
            self.reload.again = true;
            return;
        }
        self.report(Report::ReloadStarted { count: self.config.workers });
        if !self.config.shares_sockets {
            return self.renew_in_turn(now);
        }
        for index in 0..self.config.workers {
            self.reload.waiting_for.push(SlotIndex(index));
            let booting = self.apps[index as usize].occupant.as_ref().filter(|p| p.state() == SlotState::Starting);
            match booting.map(|process| (process.who(), process.is_unforked())) {
                // It has read nothing yet: it gets the new code without us.
                Some((_, true)) => continue,
                // It may have read the old code already.
                Some((who, false)) => self.dismiss(who, now),
                None => {}
            }
            self.spawn(Seat::App(SlotIndex(index)), now);
        }
    }

    fn renew_in_turn(&mut self, now: Duration) {
        self.reload.waiting_for = (0..self.config.workers).map(SlotIndex).collect();
        // They may have read the old code already, and nobody is served by them yet.
        let is_booting = |process: &&Process| process.state() == SlotState::Starting && !process.is_unforked();
        let booting: Vec<_> =
            self.apps.iter().filter_map(|slot| slot.occupant.as_ref()).filter(is_booting).map(Process::who).collect();
        for who in booting {
            self.dismiss(who, now);
        }
        self.renew_next(now);
    }

    /// Empties the seat whose turn it is, or fills it at once where nobody sits there. One that boots has the new code.
    fn renew_next(&mut self, now: Duration) {
        let Some(SlotIndex(index)) = self.reload.waiting_for.first().copied() else { return };
        match self.apps[index as usize].occupant.as_ref().map(|process| (process.who(), process.state())) {
            Some((who, SlotState::Ready)) => self.dismiss(who, now),
            Some(_) => {}
            None => self.spawn(Seat::App(SlotIndex(index)), now),
        }
    }

    /// The occupant of a seat that was emptied for a reload has gone.
    pub(super) fn refill_emptied(&mut self, who: Occupant, now: Duration) {
        let Some(slot) = self.slot_mut(who.seat) else { return };
        if slot.occupant.as_ref().is_some_and(|process| process.who() == who && process.is_dismissed) {
            self.spawn(who.seat, now);
        }
    }

    /// A process became ready: those of its slot that served before it may go.
    pub(super) fn retire_predecessors(&mut self, who: Occupant, now: Duration) {
        let Seat::App(index) = who.seat else { return };
        let Some(slot) = self.apps.get(index.0 as usize) else { return };
        let older: Vec<Occupant> =
            slot.departing.iter().filter(|process| process.state() == SlotState::Ready).map(Process::who).collect();
        for predecessor in older {
            self.dismiss(predecessor, now);
        }
        let had_its_turn = self.reload.waiting_for.first() == Some(&index);
        if !self.forget_waiting(index) {
            return;
        }
        if self.reload.waiting_for.is_empty() {
            self.finish_reload(now);
        } else if !self.config.shares_sockets && had_its_turn {
            self.renew_next(now);
        }
    }

    /// A process is lost: if it was to take over in a reload, the reload ends and the old workers stay.
    pub(super) fn abort_reload(&mut self, who: Occupant, now: Duration) {
        let Seat::App(index) = who.seat else { return };
        let occupant = self.apps.get(index.0 as usize).and_then(|slot| slot.occupant.as_ref());
        let Some(process) = occupant.filter(|process| process.who() == who) else { return };
        // Without shared sockets an old worker sits there until its turn comes, and its end is no failure of a new one.
        let is_successor = self.config.shares_sockets || !(process.is_dismissed || process.ready_at.is_some());
        if !is_successor || !self.reload.waiting_for.contains(&index) {
            return;
        }
        let Some(number) = self.process(who).map(|process| process.number) else { return };
        self.report(Report::ReloadFailed { number });
        for index in std::mem::take(&mut self.reload.waiting_for) {
            self.give_seat_back(index, who, now);
        }
        self.finish_reload_request(now);
    }

    fn give_seat_back(&mut self, index: SlotIndex, lost: Occupant, now: Duration) {
        let Some(slot) = self.apps.get_mut(index.0 as usize) else { return };
        let Some(position) = slot.departing.iter().rposition(|process| process.state() == SlotState::Ready) else {
            return;
        };
        let old = slot.departing.remove(position);
        let successor = slot.occupant.replace(old);
        if let Some(successor) = successor {
            let who = successor.who();
            slot.departing.push(successor);
            // The end of the one that failed is an accident to tell of, that of the others is not.
            if who == lost {
                self.ask_to_leave(who, now);
            } else {
                self.dismiss(who, now);
            }
        }
    }

    fn forget_waiting(&mut self, index: SlotIndex) -> bool {
        let before = self.reload.waiting_for.len();
        self.reload.waiting_for.retain(|waiting| *waiting != index);
        self.reload.waiting_for.len() < before
    }

    fn finish_reload(&mut self, now: Duration) {
        self.report(Report::ReloadDone { count: self.config.workers });
        self.finish_reload_request(now);
    }

    fn finish_reload_request(&mut self, now: Duration) {
        if std::mem::take(&mut self.reload.again) {
            self.reload(now);
        }
    }
}
