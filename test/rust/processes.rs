//! What only a process of its own can show: this program plays test, master, worker, and one without descriptors.
//!
//! Nobody outlives the master: masters are killed, and a worker that is not attached dies at once, one that leaves by itself
//! is let go, one that is stuck is killed. And where there is no descriptor left, nothing is lost, leaked or left running.
//! Without the harness, as the guard wants the main thread, and a limit is for the whole process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "clippy takes this for other code than a test")]

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use egg_clutch::sys::child::{ExitStatus, Signal};
use egg_clutch::sys::process_tree::{Descendant, descendants};
use egg_clutch::sys::socket::{self, LocalAddress, TcpOptions};
use egg_clutch::sys::spawn::{Child, SpawnRequest, spawn};
use egg_clutch::sys::unix_socket::{channel_pair, receive, send};
use egg_clutch::worker::guard;

const WATCHDOG: Duration = Duration::from_secs(120);
/// Longer than any test run: whoever ends within it was not ended by the guard.
const FOR_EVER: Duration = Duration::from_secs(86_400);

fn main() {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next().as_deref()) {
        (Some("master"), Some(kind)) => master(kind),
        (Some("worker"), Some(kind)) => worker(kind),
        (Some("crowded"), _) => crowded(),
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
    let env = std::env::vars_os().map(|(name, value)| [name, value].join(OsStr::new("="))).collect::<Vec<_>>();
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
        say("a test hangs");
        std::process::abort();
    });
    for (kind, expected) in [("unattached", ""), ("stuck", ""), ("leaves", "left by itself\n")] {
        assert_eq!(worker_of_a_killed_master(kind), expected, "{kind}");
        say(&format!("test guard::{kind} ... ok"));
    }
    let me = std::env::current_exe().unwrap();
    let status = std::process::Command::new("/bin/sh")
        .args(["-c", "ulimit -n 40 && exec \"$0\" crowded 40"])
        .arg(me)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    guard_is_refused_beside_the_main_thread();
    say("test guard::refused_beside_the_main_thread ... ok");
}

/// The kernel keeps the death signal per thread, so another thread's call would clear nothing.
fn guard_is_refused_beside_the_main_thread() {
    let attached = std::thread::spawn(|| guard::attach(FOR_EVER)).join().unwrap();
    assert!(matches!(attached, Err(guard::GuardError::NotMainThread)), "{attached:?}");
}

/// Runs with a limit of 40 descriptors.
fn crowded() {
    let (ours, theirs) = channel_pair().unwrap();
    let listener =
        socket::tcp("127.0.0.1:0".parse().unwrap(), TcpOptions { backlog: 8, ..TcpOptions::default() }).unwrap();
    let listening = socket::local_address(listener.as_fd()).unwrap();
    let LocalAddress::Ip(name) = listening else { panic!("{listening:?}") };
    let client = TcpStream::connect(("127.0.0.1", name.port)).unwrap();
    let mut crowd = std::iter::from_fn(|| client.try_clone().ok()).collect::<Vec<_>>();

    let accepted = socket::accept(listener.as_fd());
    assert!(accepted.unwrap_err().is_out_of_descriptors());
    say("test crowded::accept_says_so ... ok");

    start_fails();
    // Three are enough: two for a pipe and one more for the pidfd, or to move an end of the pipe.
    for _ in 0..2 {
        drop(crowd.pop());
        start_fails();
    }
    let children = std::fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id()));
    crowd.extend(std::iter::from_fn(|| client.try_clone().ok()));
    assert_eq!(children.unwrap_or_default(), "", "a process was left behind");
    say("test crowded::spawn_leaves_nothing_running ... ok");

    let mut descriptors = Vec::new();
    let mut buffer = [0; 16];
    for _ in 0..2 {
        send(theirs.as_fd(), &[IoSlice::new(b"with")], Some(client.as_fd())).unwrap();
    }
    let received = receive(ours.as_fd(), &mut buffer, &mut descriptors).unwrap();
    assert_eq!((received.bytes, received.lost_descriptors, descriptors.len()), (4, true, 0));
    drop(crowd.pop());
    let received = receive(ours.as_fd(), &mut buffer, &mut descriptors).unwrap();
    assert_eq!((received.bytes, received.lost_descriptors, descriptors.len()), (4, false, 1));
    say("test crowded::a_lost_descriptor_is_known ... ok");

    drop((crowd, descriptors));
    assert!(socket::accept(listener.as_fd()).unwrap().is_some(), "the connection has waited");
    say("test crowded::a_connection_waits_for_a_descriptor ... ok");
}

fn start_fails() {
    let args = [OsString::from("-c"), OsString::from("exec sleep 1000")];
    let program = OsStr::new("/bin/sh");
    let request = SpawnRequest { program, args: &args, env: &[], inherit: &[], die_with_parent: true };
    let error = spawn(&request).unwrap_err();
    assert_eq!(error.errno(), Some(24), "EMFILE, not {error:?}");
}
