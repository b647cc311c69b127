//! More or fewer app workers. More: slots are opened, those that were closed before first. Fewer: slots are closed, first those in
//! which nobody serves, then those with the highest places; who sits there drains. A slot is never forgotten, so its generations go on.

use std::time::Duration;

use super::{Answer, Effect, Occupation, Refusal, Report, RequestId, Resize, Supervisor};
use crate::message::address::{Occupant, Seat, SlotIndex};
use crate::slot::{Process, Role, Slot, SlotState};

/// The most app workers that a cluster can have; `lib/options.js` has the same limit.
pub const WORKERS_LIMIT: u32 = 1024;

/// A change of the number that is not complete yet. A later one takes its place, and its tickets.
#[derive(Clone, Debug, Default)]
pub(super) struct Resizing {
    is_on: bool,
    tickets: Vec<RequestId>,
}

impl Resizing {
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Everybody who waits for an answer.
    pub(super) fn take_tickets(&mut self) -> Vec<RequestId> {
        self.is_on = false;
        std::mem::take(&mut self.tickets)
    }
}

impl Supervisor {
    /// How many app workers there should be in service.
    #[must_use]
    pub fn target(&self) -> u32 {
        let places = self.apps.iter().filter(|slot| slot.role == Role::Serving);
        u32::try_from(places.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn resize(&mut self, to: Resize, ticket: Option<RequestId>, now: Duration) {
        if !self.is_open() {
            return self.refuse(ticket, Refusal::NotRunning);
        }
        if !self.config.shares_sockets {
            return self.refuse(ticket, Refusal::NoSharedSockets);
        }
        if self.upgrade.is_under_way() {
            return self.refuse(ticket, Refusal::Busy(Occupation::Upgrade));
        }
        let from = self.target();
        let to = match to {
            Resize::To(workers) => workers,
            Resize::OneMore => from.saturating_add(1),
            Resize::OneLess => from.saturating_sub(1),
        };
        let to = to.clamp(1, WORKERS_LIMIT);
        self.resizing.is_on = true;
        self.resizing.tickets.extend(ticket);
        if from != to {
            self.report(Report::ResizeStarted { from, to });
        }
        for _ in from..to {
            self.open_slot(now);
        }
        for _ in to..from {
            self.close_slot(now);
        }
    }

    fn open_slot(&mut self, now: Duration) {
        let is_free =
            |place: &u32| !self.apps.iter().any(|slot| slot.role == Role::Serving && slot.place == SlotIndex(*place));
        let place = SlotIndex((0..WORKERS_LIMIT).find(is_free).unwrap_or_default());
        let closed = self.apps.iter().position(|slot| slot.role == Role::Closed);
        let index = closed.unwrap_or_else(|| {
            let seat = Seat::App(SlotIndex(u32::try_from(self.apps.len()).unwrap_or(u32::MAX)));
            self.apps.push(Slot::new(seat));
            self.apps.len() - 1
        });
        let slot = &mut self.apps[index];
        (slot.role, slot.is_new, slot.failures) = (Role::Serving, true, 0);
        let seat = slot.seat();
        self.give_place(index, place);
        self.spawn(seat, now);
    }

    fn close_slot(&mut self, now: Duration) {
        let is_open = |(_, slot): &(usize, &Slot)| slot.role == Role::Serving;
        let worth = |(_, slot): &(usize, &Slot)| (slot.serving().is_some(), std::cmp::Reverse(slot.place));
        let Some((index, _)) = self.apps.iter().enumerate().filter(is_open).min_by_key(worth) else { return };
        let slot = &mut self.apps[index];
        (slot.role, slot.is_new, slot.refill_at) = (Role::Closed, false, None);
        slot.vacate();
        // The others leave already, and have been told of as what they were.
        let stays = |process: &&Process| matches!(process.state(), SlotState::Starting | SlotState::Ready);
        let there: Vec<Occupant> = slot.departing.iter().filter(stays).map(Process::who).collect();
        for who in there {
            self.dismiss(who, now);
        }
        self.end_turn(SlotIndex(u32::try_from(index).unwrap_or(u32::MAX)), now);
    }

    /// Tells the shell, which knows a slot by its own number until it is told of a place.
    pub(super) fn give_place(&mut self, index: usize, place: SlotIndex) {
        let Some(slot) = self.apps.get_mut(index).filter(|slot| slot.place != place) else { return };
        slot.place = place;
        if let Seat::App(slot) = slot.seat() {
            self.effects.push_back(Effect::Place { slot, place });
        }
    }

    /// A process is lost in a slot that was opened for it: nobody is kept waiting, though the slot is tried again as any is.
    pub(super) fn note_new_slot_lost(&mut self, who: Occupant) {
        let Some(number) = self.process(who).map(|process| process.number) else { return };
        let Some(slot) = self.slot_mut(who.seat) else { return };
        let is_occupant = slot.occupant.as_ref().is_some_and(|process| process.who() == who);
        if is_occupant && std::mem::take(&mut slot.is_new) && self.resizing.is_on {
            let tickets = self.resizing.take_tickets();
            self.expect_end_of(who, number, tickets);
        }
    }

    /// Complete when somebody serves, or has served, in every new slot, and nobody is left in those that were closed.
    pub(super) fn check_resize(&mut self) {
        if !self.resizing.is_on {
            return;
        }
        let is_done = |slot: &Slot| match slot.role {
            Role::Closed => slot.processes().next().is_none(),
            Role::Serving | Role::Spare => !slot.is_new,
        };
        if self.apps.iter().all(is_done) {
            let workers = self.target();
            self.report(Report::ResizeDone { workers });
            for ticket in self.resizing.take_tickets() {
                self.answer(Some(ticket), Answer::Resized { workers });
            }
        }
    }
}
