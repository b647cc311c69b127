//! Processes that a master with pid 1 has adopted: the kernel hands it every orphan of its container, and it alone can reap them.
//!
//! Children that JavaScript has started are libuv's to reap, and ours are held by pidfd. JavaScript asks after every SIGCHLD, each
//! time on a turn of its event loop of its own: what has been a zombie at the time before, and still is one, is nobody's, because libuv
//! has looked after its own in between.

use std::collections::BTreeSet;

use super::shell::Shell;
use crate::sys::process_tree::{Zombie, zombies_of};

impl Shell {
    /// Reaps the adopted that had ended already when this was asked the last time.
    pub(super) fn reap_adopted(&mut self) {
        let is_ours = |zombie: &Zombie| self.running.values().any(|running| running.pid() == zombie.pid);
        let zombies: BTreeSet<Zombie> =
            zombies_of(std::process::id()).into_iter().filter(|zombie| !is_ours(zombie)).collect();
        for zombie in zombies.intersection(&self.zombies) {
            zombie.reap();
        }
        self.zombies = zombies;
    }
}
