//! The witness' look at who is in service: what was asked for, and whether connections go where they should.

use egg_clutch::message::address::Seat;
use egg_clutch::supervisor::{Event, Supervisor};

use super::witness::{Entry, Witness};

impl Witness {
    /// What is asked of it is a reason to fork.
    pub fn see_request(&mut self, event: &Event) {
        let (Event::ReloadAsked { ticket, .. }
        | Event::ResizeAsked { ticket, .. }
        | Event::RestartAsked { ticket, .. }
        | Event::IsolateAsked { ticket, .. }
        | Event::RejoinAsked { ticket, .. }) = event
        else {
            return;
        };
        self.asked.extend(*ticket);
        if !self.is_running()
            || self.is_leaving
            || matches!(event, Event::IsolateAsked { .. } | Event::RejoinAsked { .. })
        {
            return;
        }
        self.reasons.iter_mut().for_each(|reason| *reason += 1);
        self.has_reloaded = true;
        match event {
            Event::ReloadAsked { agent, .. } => {
                self.reload_waits |= self.reload_is_on;
                self.may_renew_agent |= agent.unwrap_or(self.config.reload_agent);
            }
            Event::RestartAsked { .. } => self.has_restarted = true,
            _ => {}
        }
    }

    /// Whoever serves is given connections, and nobody else; no place stays empty beside a spare that is ready.
    pub fn check_service(&self, supervisor: &Supervisor) -> Result<(), String> {
        if !self.is_running() {
            return Ok(());
        }
        let up = || self.entries.iter().filter(|entry| !entry.who.is_agent() && entry.is_up());
        if let Some(entry) = up().find(|entry| entry.is_barred == entry.serves()) {
            return Err(format!("{:?} serves: {}, but is barred: {}", entry.who, entry.serves(), entry.is_barred));
        }
        let mut places: Vec<Seat> = up().filter(|entry| !entry.is_spare).map(|entry| entry.who.seat).collect();
        places.sort_unstable();
        places.dedup();
        let is_missed = places.len() < supervisor.target() as usize;
        match up().find(|entry| entry.is_spare && self.is_newest(entry)).filter(|_| is_missed) {
            Some(spare) => Err(format!("{:?} waits while a place is empty", spare.who)),
            None => Ok(()),
        }
    }

    /// A spare that is being renewed does not take over any more.
    fn is_newest(&self, entry: &Entry) -> bool {
        self.entries
            .iter()
            .all(|other| other.who.seat != entry.who.seat || other.who.generation <= entry.who.generation)
    }
}
