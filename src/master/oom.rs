//! [`OomKills`]: whether the kernel has killed somebody for want of memory lately, by the counters that it keeps.
//!
//! The counters name no victim, so each kill is put down to one death only, and only for a short while. They are read when a process
//! has died by SIGKILL, and at no other time.

use std::time::Duration;

use crate::slot::OomPlace;
use crate::sys::process_facts::oom_kills;
use crate::sys::pulse;

/// The machine's own counter (proc_vmstat(5)).
const MACHINE: &str = "/proc/vmstat";
/// A kill that nobody has died of by then was somebody else's.
const LASTS: Duration = Duration::from_secs(5);

struct Counter {
    path: String,
    place: OomPlace,
    last: u64,
    /// Kills that no death has been put down to.
    open: u64,
    counted_at: Duration,
}

/// The counters that are looked at.
pub(super) struct OomKills {
    counters: Vec<Counter>,
}

impl OomKills {
    /// `cgroups` are the files of our cgroups that have such a counter.
    pub(super) fn new(cgroups: &[String]) -> Self {
        let cgroups = cgroups.iter().map(|path| (path.clone(), OomPlace::Cgroup));
        let counters = cgroups.chain([(MACHINE.to_owned(), OomPlace::Machine)]).filter_map(|(path, place)| {
            let last = oom_kills(&path)?;
            Some(Counter { path, place, last, open: 0, counted_at: Duration::ZERO })
        });
        Self { counters: counters.collect() }
    }

    /// One kill, if there was one that no other death was put down to.
    pub(super) fn take(&mut self) -> Option<OomPlace> {
        let now = pulse::now();
        let mut found = None;
        for counter in &mut self.counters {
            counter.count(now);
            // A kill in the cgroup is one of the machine's as well: both are used up, and the nearer one is told.
            if counter.open > 0 {
                counter.open -= 1;
                found = found.or(Some(counter.place));
            }
        }
        found
    }
}

impl Counter {
    fn count(&mut self, now: Duration) {
        let Some(count) = oom_kills(&self.path) else { return };
        let new = count.saturating_sub(std::mem::replace(&mut self.last, count));
        if new > 0 {
            self.open += new;
            self.counted_at = now;
        } else if now.saturating_sub(self.counted_at) > LASTS {
            self.open = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kill_is_put_down_to_one_death() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |count: u64| std::fs::write(file.path(), format!("low 0\noom_kill {count}\n")).unwrap();
        write(3);
        let path = file.path().to_string_lossy().into_owned();
        let mut kills = OomKills::new(&[path, "/nowhere".to_owned()]);
        // The machine's own counter may grow meanwhile.
        kills.counters.retain(|counter| counter.place == OomPlace::Cgroup);
        assert_eq!(kills.take(), None);
        write(5);
        assert_eq!([kills.take(), kills.take(), kills.take()], [Some(OomPlace::Cgroup), Some(OomPlace::Cgroup), None]);
    }
}
