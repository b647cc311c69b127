//! What the kernel tells of another process: whether it is kept from running, its memory, and where in the kernel it is.
//!
//! `/proc/<pid>` (proc(5)). Ask only about a child that has not been reaped: its number cannot mean anybody else then. What a
//! hardened kernel does not show is left out.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::child::signal_name;

/// Enough for any file that is read here.
const FILE_BYTES: usize = 4096;

/// How long a thread has had a processor, and how long it has waited for one, since it was started. Zero where the kernel does not count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTimes {
    /// On a processor.
    pub ran: Duration,
    /// Runnable, and without a processor; throttling by its cgroup counts as well. A wait counts when it is over.
    pub waited: Duration,
}

/// A child whose times can be read again and again by one call.
#[derive(Debug)]
pub struct RunClock {
    file: Option<File>,
}

impl RunClock {
    /// Of the main thread of this process.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        Self { file: File::open(format!("/proc/{pid}/schedstat")).ok() }
    }

    /// Of its main thread.
    #[must_use]
    pub fn read(&self) -> RunTimes {
        let mut bytes = [0; 128];
        let length = self.file.as_ref().and_then(|file| file.read_at(&mut bytes, 0).ok()).unwrap_or(0);
        let mut fields = std::str::from_utf8(&bytes[..length]).unwrap_or_default().split_ascii_whitespace();
        let mut next = || Duration::from_nanos(fields.next().and_then(|field| field.parse().ok()).unwrap_or(0));
        RunTimes { ran: next(), waited: next() }
    }
}

/// The state of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessFacts {
    /// The letter of its main thread's state and the word for it, such as `S (sleeping)`.
    pub state: String,
    /// Whoever traces it; 0 for nobody.
    pub tracer: u32,
    /// Its memory that is really there, in bytes.
    pub resident: u64,
}

impl ProcessFacts {
    /// True while a signal or a debugger keeps it from running.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.tracer != 0 || self.state.starts_with(['T', 't'])
    }

    /// True while its main thread has a processor or waits for one.
    #[must_use]
    pub fn is_runnable(&self) -> bool {
        self.state.starts_with('R')
    }
}

/// The state of a process; empty for one that is gone.
#[must_use]
pub fn process_facts(pid: u32) -> ProcessFacts {
    parse_status(&read(pid, "status").unwrap_or_default())
}

fn parse_status(text: &str) -> ProcessFacts {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let number = |name: &str| field(name)?.split_ascii_whitespace().next()?.parse::<u64>().ok();
    ProcessFacts {
        state: field("State").unwrap_or_default().to_owned(),
        tracer: number("TracerPid").and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0),
        resident: number("VmRSS").unwrap_or(0) * 1024,
    }
}

/// The memory of a process that is really there, in bytes; 0 for one that has none any more.
#[must_use]
pub fn resident_memory(pid: u32) -> u64 {
    let statm = read(pid, "statm").unwrap_or_default();
    let pages = statm.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    pages * page_bytes()
}

/// How long a process has been on a processor, all its threads together; zero for one that is gone.
#[must_use]
pub fn cpu_time(pid: u32) -> Duration {
    let ticks = parse_cpu_ticks(&read(pid, "stat").unwrap_or_default());
    let hertz = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
    let hertz = hertz.and_then(|hertz| u64::try_from(hertz).ok()).filter(|hertz| *hertz > 0).unwrap_or(100);
    Duration::from_millis(ticks.saturating_mul(1000) / hertz)
}

/// `utime` and `stime` of `/proc/<pid>/stat`. The name before them may hold anything, parentheses too.
fn parse_cpu_ticks(stat: &str) -> u64 {
    let Some((_, fields)) = stat.rsplit_once(')') else { return 0 };
    fields.split_ascii_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn page_bytes() -> u64 {
    let bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(4096)
}

/// Where the main thread of a process is in the kernel, one fact a line; empty where the kernel shows nothing.
#[must_use]
pub fn kernel_view(pid: u32) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(place) = read(pid, "wchan").filter(|place| !place.is_empty() && place != "0") {
        lines.push(format!("waits in {}", place.trim_end()));
    }
    if let Some(call) = read(pid, "syscall") {
        lines.push(match call.trim_end() {
            "running" => "runs outside of the kernel".to_owned(),
            call => format!("system call {}", call.split_ascii_whitespace().next().unwrap_or("unknown")),
        });
    }
    for frame in read(pid, "stack").unwrap_or_default().lines().take(8) {
        lines.push(format!("in {}", frame.trim_start_matches("[<0>] ")));
    }
    lines
}

/// What `/proc/<pid>/comm` calls a process.
#[must_use]
pub fn command_name(pid: u32) -> Option<String> {
    read(pid, "comm").map(|name| name.trim_end().to_owned())
}

/// A counter named `oom_kill` in one of the files that have it: `memory.events`, `memory.oom_control`, `/proc/vmstat`.
#[must_use]
pub fn oom_kills(path: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// A signal by its number, as people know it; `signal 77` for one without a name.
#[must_use]
pub fn name_of_signal(number: u64) -> String {
    match i32::try_from(number).map(signal_name) {
        Ok("SIGRT") | Err(_) => format!("signal {number}"),
        Ok(name) => name.to_owned(),
    }
}

fn read(pid: u32, file: &str) -> Option<String> {
    let file = File::open(format!("/proc/{pid}/{file}")).ok()?;
    let mut bytes = [0; FILE_BYTES];
    let length = file.read_at(&mut bytes, 0).ok()?;
    Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_on_a_processor_is_found_behind_any_name() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 120 34 0 0 20 0 1 0";
        for name in ["node", "a) b (c", ""] {
            assert_eq!(parse_cpu_ticks(&format!("7 ({name}) {tail}")), 154);
        }
        assert_eq!([parse_cpu_ticks(""), parse_cpu_ticks("7 (x) S 1")], [0, 0]);
        let mut wheel = 0_u64;
        while cpu_time(std::process::id()) < Duration::from_millis(20) {
            wheel = std::hint::black_box(wheel.wrapping_mul(3));
        }
    }

    #[test]
    fn a_status_is_read_by_its_names() {
        let text = "Name:\tnode\nState:\tT (stopped)\nTracerPid:\t12\nVmHWM:\t  99 kB\nVmRSS:\t    64 kB\n";
        let facts = parse_status(text);
        assert_eq!(facts, ProcessFacts { state: "T (stopped)".to_owned(), tracer: 12, resident: 65536 });
        assert!(facts.is_stopped());
        assert!(!parse_status("State:\tR (running)\nTracerPid:\t0\n").is_stopped());
        assert_eq!(parse_status("junk\0"), ProcessFacts::default());
    }

    #[test]
    #[cfg(not(miri))]
    fn this_very_process_is_there() {
        let own = std::process::id();
        assert!(resident_memory(own) > 1 << 16 && process_facts(own).resident > 1 << 16);
        assert!(!process_facts(own).is_stopped());
        assert!(command_name(own).is_some_and(|name| !name.is_empty()));
        let _ = (RunClock::of(own).read(), kernel_view(own));
        assert_eq!((resident_memory(u32::MAX), oom_kills("/nowhere")), (0, None));
    }
}
