//! Nobody outlives the master: this program plays test, master and worker, each as a process of its own.
//!
//! Without the harness, as the guard wants the main thread. The test kills masters and watches what becomes of their
//! workers: one that is not attached dies at once, one that leaves by itself is let go, one that is stuck is killed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "clippy takes this for other code than a test")]

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use egg_clutch::sys::child::{ExitStatus, Signal};
use egg_clutch::sys::process_tree::{Descendant, descendants};
use egg_clutch::sys::spawn::{Child, SpawnRequest, spawn};
use egg_clutch::worker::guard;

const WATCHDOG: Duration = Duration::from_secs(120);
/// Longer than any test run: whoever ends within it was not ended by the guard.
const FOR_EVER: Duration = Duration::from_secs(86_400);

fn main() {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next().as_deref()) {
        (Some("master"), Some(kind)) => master(kind),
        (Some("worker"), Some(kind)) => worker(kind),
        _ => test(),
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{text}").and_then(|()| out.flush()).unwrap();
}

fn start(role: &str, kind: &str, stdin: &OwnedFd, stdout: impl AsFd) -> Child {
    let program = std::env::current_exe().unwrap();
    let args = [OsString::from(role), OsString::from(kind)];
    let env =
        std::env::vars_os().map(|(name, value)| [name, value].join(std::ffi::OsStr::new("="))).collect::<Vec<_>>();
    let request = SpawnRequest {
        program: program.as_os_str(),
        args: &args,
        env: &env,
        inherit: &[(stdin.as_fd(), 0), (stdout.as_fd(), 1)],
        die_with_parent: role == "worker",
    };
    spawn(&request).unwrap()
}

/// Forks one worker, and is never heard of again. The worker's input ends with the master.
fn master(kind: &str) {
    let (theirs, _ours) = std::io::pipe().unwrap();
    let worker = start("worker", kind, &theirs.into(), std::io::stdout());
    std::thread::park_timeout(FOR_EVER);
    drop(worker);
}

fn worker(kind: &str) {
    let grace = match kind {
        "stuck" => Duration::from_millis(50),
        _ => FOR_EVER,
    };
    if kind != "unattached" {
        guard::attach(grace).unwrap();
        guard::attach(Duration::ZERO).unwrap();
    }
    let master = std::os::unix::process::parent_id();
    say("ready");
    match kind {
        "leaves" => {
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            // The kernel closes the descriptors first, and sends death signals with the change of parent.
            while std::os::unix::process::parent_id() == master {
                std::thread::yield_now();
            }
            say("left by itself");
        }
        _ => std::thread::park_timeout(FOR_EVER),
    }
}

/// Kills a master behind its worker's back. Gives what the worker still said.
fn worker_of_a_killed_master(kind: &str) -> String {
    let (input, _keep) = std::io::pipe().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let master = start("master", kind, &input.into(), &writer);
    drop(writer);
    let mut output = BufReader::new(reader);
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let workers = descendants(master.pid());
    let [worker] = <[Descendant; 1]>::try_from(workers).unwrap();
    assert!(!worker.is_gone());
    master.send_signal(Signal::KILL).unwrap();
    // Ends when nobody holds the writing end any more: neither master nor worker.
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    while !worker.is_gone() {
        std::thread::yield_now();
    }
    let end = loop {
        if let Some(end) = master.try_reap().unwrap() {
            break end;
        }
        std::thread::yield_now();
    };
    assert_eq!(end, ExitStatus::Signal { number: 9, core_dumped: false });
    rest
}

fn test() {
    std::thread::spawn(|| {
        std::thread::sleep(WATCHDOG);
        say("a test of the guard hangs");
        std::process::abort();
    });
    for (kind, expected) in [("unattached", ""), ("stuck", ""), ("leaves", "left by itself\n")] {
        assert_eq!(worker_of_a_killed_master(kind), expected, "{kind}");
        say(&format!("test guard::{kind} ... ok"));
    }
    guard_is_refused_beside_the_main_thread();
    say("test guard::refused_beside_the_main_thread ... ok");
}

/// The kernel keeps the death signal per thread, so another thread's call would clear nothing.
fn guard_is_refused_beside_the_main_thread() {
    let attached = std::thread::spawn(|| guard::attach(FOR_EVER)).join().unwrap();
    assert!(matches!(attached, Err(guard::GuardError::NotMainThread)), "{attached:?}");
}
