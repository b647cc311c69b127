//! What others may see of the supervisor: a snapshot for status, tests, and the router's roster.

use super::{Phase, Supervisor};
use crate::message::address::{Occupant, WorkerId};
use crate::slot::{Process, SlotState};

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
    /// True while its channel is open.
    pub is_attached: bool,
}

/// A snapshot of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// True from readiness until a stop begins.
    pub is_running: bool,
    /// True from the moment a stop begins.
    pub is_stopping: bool,
    /// The cluster's address as people see it, once ready.
    pub address: Option<String>,
    /// The agent, while there is one.
    pub agent: Option<ProcessView>,
    /// All app processes whose end has not been seen, in fork order.
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
            is_stopping: self.is_stopping(),
            address: self.address.clone(),
            agent: self.agent.processes().filter(|process| process.is_alive()).last().map(view_of),
            apps: self.apps_in_fork_order().into_iter().filter(|process| process.is_alive()).map(view_of).collect(),
        }
    }
}

fn view_of(process: &Process) -> ProcessView {
    ProcessView {
        who: process.who(),
        number: process.number,
        pid: process.pid,
        state: process.state(),
        is_attached: process.is_attached(),
    }
}
