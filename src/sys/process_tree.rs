//! Every descendant of a process, each held by pidfd, for the end of a worker with all that it has started.
//!
//! The numbers in `/proc` are only hints: between reading one and opening it the process may be gone and the number
//! another's. So the start time is read again once the pidfd is held, and only a match is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::PollTimeout;

use super::child::Signal;
use super::{SysError, pidfd};

/// A process that forks while the tree is read may hide a new child; so it is read again, this often at most.
const MAX_PASSES: usize = 4;

/// One process below the root.
#[derive(Debug)]
pub struct Descendant {
    pid: u32,
    pidfd: OwnedFd,
}

impl Descendant {
    /// Its process id, for logs.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Polls readable once the process has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Sends a signal to this process and no other.
    ///
    /// # Errors
    /// [`SysError::is_gone`] when it has ended meanwhile; `EPERM` when it has changed its user.
    pub fn send_signal(&self, signal: Signal) -> Result<(), SysError> {
        pidfd::send_signal(self.pidfd(), signal)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        pidfd::wait_for_end(self.pidfd(), PollTimeout::ZERO).unwrap_or(true)
    }
}

/// All living descendants of `root`, parents before children. `root` itself, zombies, and processes that `/proc` does
/// not show or that cannot be opened are not among them.
#[must_use]
pub fn descendants(root: u32) -> Vec<Descendant> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for _ in 0..MAX_PASSES {
        let mut news = false;
        for (pid, stat) in below(root, &read_all()) {
            if seen.insert((pid, stat.start_time)) {
                news = true;
                found.extend(hold(pid, &stat));
            }
        }
        if !news {
            break;
        }
    }
    found
}

/// A child of somebody's that has ended and has not been reaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zombie {
    /// Its process id, which nobody else has before it is reaped.
    pub pid: u32,
    start_time: u64,
}

/// The ended children of `parent` that nobody has reaped.
#[must_use]
pub fn zombies_of(parent: u32) -> Vec<Zombie> {
    let is_zombie = |stat: &Stat| stat.ended && stat.parent == parent;
    let all = read_all();
    all.iter()
        .filter(|(_, stat)| is_zombie(stat))
        .map(|(pid, stat)| Zombie { pid: *pid, start_time: stat.start_time })
        .collect()
}

impl Zombie {
    /// Reaps it: it has to be a child of this process that nobody else waits for.
    pub fn reap(self) {
        if let Ok(pid) = i32::try_from(self.pid) {
            let pid = nix::unistd::Pid::from_raw(pid);
            // Somebody who was quicker is welcome.
            let _ = nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    start_time: u64,
    ended: bool,
}

fn hold(pid: u32, expected: &Stat) -> Option<Descendant> {
    let pidfd = pidfd::open(pid).ok()?;
    // The parent may have died and handed the process on; its start time stays.
    let now = read_stat(pid)?;
    (now.start_time == expected.start_time && !now.ended).then_some(Descendant { pid, pidfd })
}

/// Everything below `root` in breadth, ended processes left out (they have no children any more).
fn below(root: u32, all: &BTreeMap<u32, Stat>) -> Vec<(u32, Stat)> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (pid, stat) in all {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let mut found = Vec::new();
    let mut visited = BTreeSet::from([root]);
    let mut level = vec![root];
    while !level.is_empty() {
        let mut next = Vec::new();
        for pid in level.iter().filter_map(|parent| children.get(parent)).flatten() {
            // The snapshot is not taken at one instant; a reused number could close a circle in it.
            if let Some(stat) = all.get(pid).filter(|stat| !stat.ended && visited.insert(*pid)) {
                found.push((*pid, *stat));
                next.push(*pid);
            }
        }
        level = next;
    }
    found
}

fn read_all() -> BTreeMap<u32, Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, read_stat(pid)?))).collect()
}

fn read_stat(pid: u32) -> Option<Stat> {
    parse_stat(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (comm) state ppid … starttime …`, where comm may hold any byte, blanks and parentheses too (proc_pid_stat(5)).
fn parse_stat(line: &[u8]) -> Option<Stat> {
    let end_of_name = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(end_of_name + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // starttime is field 22 and the parent field 4.
    let start_time = fields.nth(22 - 4 - 1)?.parse().ok()?;
    Some(Stat { parent, start_time, ended: matches!(state, "Z" | "X" | "x") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(comm: &str, state: &str, parent: u32, start_time: u64) -> Vec<u8> {
        format!("7 ({comm}) {state} {parent} 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 {start_time} 99 98\n")
            .into_bytes()
    }

    #[test]
    fn a_process_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = parse_stat(&line("a) R 1 (b", "S", 42, 777)).unwrap();
        assert_eq!(stat, Stat { parent: 42, start_time: 777, ended: false });
        assert!(parse_stat(&line("x", "Z", 1, 1)).unwrap().ended);
    }

    #[test]
    fn junk_is_no_process() {
        for junk in [&b""[..], b"7 (node", b"7 (node)", b"7 (node) S x", b"7 (node) S 1 2 3", b"\xff) S \xff"] {
            assert_eq!(parse_stat(junk), None);
        }
    }

    #[test]
    fn the_whole_tree_is_found_and_a_circle_ends() {
        let stat = |parent, ended| Stat { parent, start_time: 1, ended };
        let all = BTreeMap::from([
            (2, stat(1, false)),
            (3, stat(2, false)),
            (4, stat(2, true)),
            (5, stat(3, false)),
            (6, stat(1, false)),
            (2000, stat(5, false)),
            (1, stat(2000, false)),
        ]);
        let pids = |root| below(root, &all).into_iter().map(|(pid, _)| pid).collect::<Vec<_>>();
        assert_eq!(pids(2), [3, 5, 2000, 1, 6]);
        assert_eq!(pids(6), [] as [u32; 0]);
        assert_eq!(pids(77), [] as [u32; 0]);
    }
}
