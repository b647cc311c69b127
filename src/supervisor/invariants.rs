//! What must hold after every event, whatever happened; the simulator asks after each step.

use super::{Phase, Supervisor};
use crate::message::address::Seat;
use crate::slot::{Duty, Process, Role, Slot, SlotState};

impl Supervisor {
    /// The first broken invariant, in words.
    ///
    /// # Errors
    /// A sentence that names the slot and what is wrong with it.
    pub fn check_invariants(&self) -> Result<(), String> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        for slot in self.slots() {
            let seat = slot.seat();
            if self.phase == Phase::Running {
                let is_kept = seat == Seat::Agent || (self.config.refork && slot.role != Role::Closed);
                let has_future = slot.refill_at.is_some()
                    || slot.occupant.as_ref().is_some_and(|process| process.is_alive() && !process.is_settled);
                if is_kept && !has_future {
                    return Err(format!("{seat:?} is empty and nothing is planned for it"));
                }
            }
            if self.is_stopping() && slot.refill_at.is_some() {
                return Err(format!("{seat:?} would be filled again while the cluster stops"));
            }
            if slot.refill_at.is_some() && slot.occupant.as_ref().is_some_and(Process::is_alive) {
                return Err(format!("{seat:?} is filled and would be filled once more"));
            }
            let starting = slot.processes().filter(|process| process.state() == SlotState::Starting).count();
            if starting > 1 && !self.is_stopping() {
                return Err(format!("{seat:?} boots {starting} processes at once"));
            }
            if let Some(process) =
                slot.processes().find(|process| process.state() == SlotState::Ready && !process.is_attached())
            {
                return Err(format!("{:?} counts as ready without a channel", process.who()));
            }
        }
        self.check_service()?;
        // A fork that is under way is answered by the shell, without a deadline of ours.
        let waits_for_fork = self.slots().flat_map(Slot::processes).any(Process::is_unforked);
        if self.is_stopping() && self.next_deadline().is_none() && !waits_for_fork {
            return Err("the stop waits for a process without a deadline".to_owned());
        }
        Ok(())
    }

    /// Who is in service, and who is not.
    fn check_service(&self) -> Result<(), String> {
        if self.phase != Phase::Running {
            return Ok(());
        }
        let spares = self.apps.iter().filter(|slot| slot.role == Role::Spare).count();
        if spares != self.config.spares as usize {
            return Err(format!("{spares} slots are kept for spares"));
        }
        let mut places: Vec<u32> =
            self.apps.iter().filter(|slot| slot.role == Role::Serving).map(|slot| slot.place.0).collect();
        places.sort_unstable();
        places.dedup();
        if places.len() != self.target() as usize {
            return Err(format!("two slots have one place: {places:?}"));
        }
        for process in self.apps.iter().flat_map(Slot::processes).filter(|p| p.state() == SlotState::Ready) {
            if process.is_barred != (process.duty() != Duty::Serves) {
                return Err(format!(
                    "{:?} is {:?}, but barred is {}",
                    process.who(),
                    process.duty(),
                    process.is_barred
                ));
            }
        }
        for slot in self.apps.iter().filter(|slot| slot.role == Role::Closed) {
            let stays = |process: &Process| {
                matches!(process.state(), SlotState::Starting | SlotState::Ready) && !process.is_dismissed
            };
            let is_wanted = slot.refill_at.is_some() || slot.processes().any(stays);
            if is_wanted {
                return Err(format!("{:?} is closed and goes on", slot.seat()));
            }
        }
        let beside = |slot: &&Slot| {
            let boots = slot.occupant.as_ref().is_some_and(|process| process.state() == SlotState::Starting);
            boots && slot.departing.iter().any(|process| process.state() == SlotState::Ready)
        };
        let renewed = self.apps.iter().filter(beside).count();
        if self.stop_at.is_none() && renewed > self.config.reload_concurrency as usize {
            return Err(format!("{renewed} slots are renewed at once"));
        }
        Ok(())
    }
}
