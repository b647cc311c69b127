//! What others may see of the supervisor: a snapshot for status, tests, and the router's roster.

pub use super::reload::Progress;
use super::{Phase, Supervisor};
use crate::message::address::{Occupant, WorkerId};
use crate::slot::{Duty, Process, Role, Slot, SlotState};

/// One process as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessView {
    /// Its seat and generation.
    pub who: Occupant,
    /// Its number.
    pub number: WorkerId,
    /// Its pid, once forked.
    pub pid: Option<u32>,
    /// Where it is in its life.
    pub state: SlotState,
    /// What it is there for, or boots for.
    pub duty: Duty,
    /// True while its channel is open.
    pub is_attached: bool,
}

/// A snapshot of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// True from readiness until a stop begins.
    pub is_running: bool,
    /// True where a stop was asked for that has not begun: it serves, and is not to be sent anybody new.
    pub is_leaving: bool,
    /// True from the moment a stop begins.
    pub is_stopping: bool,
    /// The cluster's address as people see it, once ready.
    pub address: Option<String>,
    /// How many app workers there should be in service.
    pub target: u32,
    /// True while fewer are in service.
    pub is_degraded: bool,
    /// True while workers are renewed.
    pub is_renewing: bool,
    /// How far that has come.
    pub renewal: Option<Progress>,
    /// True while a new master boots.
    pub is_upgrading: bool,
    /// The agent, while there is one.
    pub agent: Option<ProcessView>,
    /// All app processes whose end has not been seen, spares among them, in fork order.
    pub apps: Vec<ProcessView>,
}

impl Supervisor {
    /// The port the app workers listen on, as far as it is known.
    #[must_use]
    pub fn workers_port(&self) -> Option<u16> {
        self.config.sticky_worker_port.or(self.port)
    }

    /// A snapshot.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            is_running: self.phase == Phase::Running,
            is_leaving: self.stop_at.is_some(),
            is_stopping: self.is_stopping(),
            address: self.address.clone(),
            target: self.target(),
            is_degraded: self.is_degraded,
            is_renewing: self.renewals.is_busy(),
            renewal: self.renewals.progress(),
            is_upgrading: self.upgrade.is_under_way(),
            agent: self.agent.processes().filter(|process| process.is_alive()).last().map(view_of),
            apps: self.view_of_apps(),
        }
    }

    fn view_of_apps(&self) -> Vec<ProcessView> {
        let boots_for = |slot: &Slot, process: &Process| match process.state() {
            SlotState::Starting if slot.role == Role::Spare => Duty::Spare,
            _ => process.duty(),
        };
        let of_slot = |slot| {
            let is_there = |process: &&Process| process.is_alive() && !process.is_gone();
            Slot::processes(slot)
                .filter(is_there)
                .map(move |process| ProcessView { duty: boots_for(slot, process), ..view_of(process) })
        };
        let mut apps: Vec<ProcessView> = self.apps.iter().flat_map(of_slot).collect();
        apps.sort_by_key(|app| app.number);
        apps
    }
}

fn view_of(process: &Process) -> ProcessView {
    ProcessView {
        who: process.who(),
        number: process.number,
        pid: process.pid,
        state: process.state(),
        duty: process.duty(),
        is_attached: process.is_attached(),
    }
}
