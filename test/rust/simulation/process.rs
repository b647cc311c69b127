//! [`ModelProcess`]: what the operating system and Node would do with one process. Only the world changes it.

use std::time::Duration;

use egg_clutch::message::address::Occupant;

/// What a process does when it is asked to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// It leaves after this time.
    Leaves(Duration),
    /// SIGTERM does nothing to it, whether it is deaf or hangs.
    Ignores,
}

/// Descendants of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// There are none, or they are gone.
    Gone,
    /// They leave this long after SIGTERM.
    Leaves(Duration),
    /// They stay until SIGKILL.
    Stays,
}

#[derive(Clone, Debug)]
pub struct ModelProcess {
    pub who: Occupant,
    /// Known once the fork is done.
    pub pid: Option<u32>,
    pub is_alive: bool,
    pub is_ready: bool,
    pub channel_is_open: bool,
    pub manners: Manners,
    pub tree: Tree,
    pub is_terminated: bool,
    pub is_killed: bool,
    pub tree_is_killed: bool,
    /// SIGKILL has no effect before this moment.
    pub unkillable_until: Duration,
    /// When the last thing that it said reaches the master: a channel keeps the order.
    pub said_until: Duration,
}

impl ModelProcess {
    pub fn new(who: Occupant) -> Self {
        Self {
            who,
            pid: None,
            is_alive: false,
            is_ready: false,
            channel_is_open: false,
            manners: Manners::Leaves(Duration::ZERO),
            tree: Tree::Gone,
            is_terminated: false,
            is_killed: false,
            tree_is_killed: false,
            unkillable_until: Duration::ZERO,
            said_until: Duration::ZERO,
        }
    }
}
