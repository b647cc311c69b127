//! What must hold after every event, whatever happened; the simulator asks after each step.

use super::{Phase, Supervisor};
use crate::slot::{Process, Slot, SlotState};

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
                let is_kept = self.config.refork || seat == crate::message::address::Seat::Agent;
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
        // A fork that is under way is answered by the shell, without a deadline of ours.
        let waits_for_fork = self.slots().flat_map(Slot::processes).any(Process::is_unforked);
        if self.is_stopping() && self.next_deadline().is_none() && !waits_for_fork {
            return Err("the stop waits for a process without a deadline".to_owned());
        }
        Ok(())
    }
}
