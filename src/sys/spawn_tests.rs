//! Starting real processes: what they are given, what is said when they cannot be started, and how they end.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollTimeout;

use super::child::{Child, ExitStatus, Signal, signal_name};
use super::pidfd::wait_for_end;
use super::process_tree::descendants;
use super::spawn::{ExecStep, SpawnError, SpawnRequest, spawn};
use super::watchdog::Watchdog;

fn strings(texts: &[&str]) -> Vec<OsString> {
    texts.iter().map(OsString::from).collect()
}

fn pipe() -> (std::fs::File, OwnedFd) {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    (reader.into(), writer)
}

fn shell<'a>(args: &'a [OsString], env: &'a [OsString], inherit: &'a [(BorrowedFd<'a>, i32)]) -> SpawnRequest<'a> {
    SpawnRequest { program: OsStr::new("/bin/sh"), args, env, inherit, die_with_parent: false }
}

fn end_of(child: &Child) -> ExitStatus {
    assert!(wait_for_end(child.pidfd(), PollTimeout::NONE).unwrap());
    child.try_reap().unwrap().unwrap()
}

/// Runs a script whose standard output is returned, with its end.
fn run(script: &str, more_args: &[OsString], env: &[OsString]) -> (Vec<u8>, ExitStatus) {
    let (mut reader, writer) = pipe();
    let mut args = strings(&["-c", script]);
    args.extend_from_slice(more_args);
    let child = spawn(&shell(&args, env, &[(writer.as_fd(), 1)])).unwrap();
    drop(writer);
    let mut output = Vec::new();
    reader.read_to_end(&mut output).unwrap();
    (output, end_of(&child))
}

#[test]
fn arguments_and_environment_arrive_exactly() {
    let _watchdog = Watchdog::start();
    let odd = [
        OsString::new(),
        OsString::from("two words"),
        OsString::from("new\nline"),
        OsString::from("\"quotes' $HOME \\ *"),
        OsString::from("{\"title\":\"é😀\"}"),
        OsString::from_vec(vec![0xff, 0xfe]),
    ];
    let (output, status) = run("exec cat /proc/self/cmdline", &odd, &strings(&["PATH=/bin:/usr/bin"]));
    assert_eq!(status, ExitStatus::Code(0));
    assert_eq!(output, b"cat\0/proc/self/cmdline\0", "exec keeps what it is given");

    let (mut reader, writer) = pipe();
    let mut args = strings(&["/proc/self/cmdline", "/proc/self/environ"]);
    args.extend(odd.iter().skip(1).map(|arg| [OsStr::new("/dev/null/"), arg].into_iter().collect::<OsString>()));
    let env = [OsString::from("A=1"), OsString::from("EMPTY="), OsString::from("A=again"), odd[5].clone()];
    let request = SpawnRequest {
        program: OsStr::new("/bin/cat"),
        args: &args,
        env: &env,
        inherit: &[(writer.as_fd(), 1), (writer.as_fd(), 2)],
        die_with_parent: false,
    };
    let child = spawn(&request).unwrap();
    drop(writer);
    let mut output = Vec::new();
    reader.read_to_end(&mut output).unwrap();
    end_of(&child);
    let mut expected = b"/bin/cat\0".to_vec();
    for arg in &args {
        expected.extend_from_slice(arg.as_encoded_bytes());
        expected.push(0);
    }
    expected.extend_from_slice(b"A=1\0EMPTY=\0A=again\0\xff\xfe\0");
    assert!(output.starts_with(&expected), "{}", String::from_utf8_lossy(&output));
}

#[test]
fn a_child_has_no_descriptors_but_those_it_was_given() {
    let _watchdog = Watchdog::start();
    let (output, _) = run("exec ls /proc/self/fd", &[], &strings(&["PATH=/bin:/usr/bin"]));
    let numbers = String::from_utf8(output).unwrap();
    let numbers =
        numbers.split_ascii_whitespace().map(|number| number.parse::<i32>().unwrap()).collect::<BTreeSet<_>>();
    // Whoever started the tests may have left some open; and one is the directory that ls reads.
    let mut expected = inheritable_descriptors();
    expected.insert((3..).find(|number| !expected.contains(number)).unwrap());
    assert_eq!(numbers, expected);
}

fn inheritable_descriptors() -> BTreeSet<i32> {
    let all = std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let inheritable = all.filter(|entry| {
        let info = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).map(str::trim);
        flags.is_some_and(|flags| i32::from_str_radix(flags, 8).unwrap() & nix::libc::O_CLOEXEC == 0)
    });
    inheritable.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect()
}

/// Each case gives for each descriptor its number here and its number in the child.
#[test]
fn descriptors_reach_their_numbers_however_the_numbers_overlap() {
    let _watchdog = Watchdog::start();
    // High enough that no other test is using them; taken one case after the other.
    let cases: [&[(i32, i32)]; 7] = [
        &[(900, 900)],
        &[(900, 901), (901, 900)],
        &[(900, 901), (901, 902), (902, 900)],
        &[(902, 901), (901, 900), (900, 902)],
        &[(900, 3), (901, 4)],
        &[(903, 904), (904, 905), (905, 906), (906, 903)],
        &[(900, 901), (900, 902), (901, 900)],
    ];
    for case in cases {
        let mut sources = BTreeMap::new();
        for (source, _) in case {
            sources.entry(*source).or_insert_with(|| {
                let (reader, writer) = pipe();
                (reader, at_number(&writer, *source))
            });
        }
        let inherit = case.iter().map(|(source, target)| (sources[source].1.as_fd(), *target)).collect::<Vec<_>>();
        // bash, as POSIX shells take one digit only before a redirection.
        let script =
            case.iter().map(|(source, target)| format!("echo {source}to{target} >&{target}; ")).collect::<String>();
        let args = strings(&["-c", &script]);
        let request = SpawnRequest { program: OsStr::new("/bin/bash"), ..shell(&args, &[], &inherit) };
        let child = spawn(&request).unwrap();
        assert_eq!(end_of(&child), ExitStatus::Code(0), "{case:?}");
        drop(inherit);
        for (source, (mut reader, writer)) in sources {
            drop(writer);
            let mut output = String::new();
            reader.read_to_string(&mut output).unwrap();
            let expected = case.iter().filter(|(from, _)| *from == source);
            let expected = expected.map(|(from, to)| format!("{from}to{to}\n")).collect::<String>();
            assert_eq!(output, expected, "{case:?}");
        }
    }
}

/// A copy of a descriptor at this number or, where it is taken, the test fails.
fn at_number(fd: &OwnedFd, number: i32) -> OwnedFd {
    use std::os::fd::FromRawFd;
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(number)).unwrap();
    assert_eq!(copy, number, "the number is taken");
    // SAFETY: fcntl has just made it for us.
    #[allow(unsafe_code)]
    unsafe {
        OwnedFd::from_raw_fd(copy)
    }
}

#[test]
fn a_number_that_is_negative_or_given_twice_is_refused_before_any_fork() {
    let (_reader, writer) = pipe();
    for inherit in [vec![(writer.as_fd(), -1)], vec![(writer.as_fd(), 5), (writer.as_fd(), 5)]] {
        let error = spawn(&shell(&[], &[], &inherit)).unwrap_err();
        assert!(matches!(error, SpawnError::DescriptorNumber { .. }), "{error}");
    }
    let args = [OsString::from("a\0b")];
    assert!(matches!(spawn(&shell(&args, &[], &[])).unwrap_err(), SpawnError::ZeroByte { field: "an argument" }));
}

#[test]
fn a_number_beyond_the_limit_is_an_error_with_its_errno() {
    let (_reader, writer) = pipe();
    let error = spawn(&shell(&[], &[], &[(writer.as_fd(), i32::MAX - 1)])).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EINVAL as i32), "{error:?}");
}

fn exec_errno(program: &std::path::Path) -> i32 {
    let request = SpawnRequest { program: program.as_os_str(), ..shell(&[], &[], &[]) };
    match spawn(&request).unwrap_err() {
        SpawnError::Exec { step: ExecStep::Exec, source, .. } => source.errno(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_cannot_be_started_is_named_with_its_errno_and_leaves_no_zombie() {
    let _watchdog = Watchdog::start();
    let directory = tempfile::tempdir().unwrap();
    let not_executable = directory.path().join("data");
    std::fs::write(&not_executable, "#!/bin/sh\n").unwrap();
    let no_program = directory.path().join("junk");
    std::fs::write(&no_program, "\u{1}\u{2}").unwrap();
    std::fs::set_permissions(&no_program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let me = nix::unistd::gettid().as_raw();
    for (program, errno) in [
        (directory.path().join("missing"), Errno::ENOENT),
        (not_executable, Errno::EACCES),
        (directory.path().to_owned(), Errno::EACCES),
        (no_program, Errno::ENOEXEC),
    ] {
        assert_eq!(exec_errno(&program), errno as i32, "{}", program.display());
        // Children of this thread, zombies included; other tests fork from threads of their own.
        let children = std::fs::read_to_string(format!("/proc/self/task/{me}/children"));
        assert_eq!(children.unwrap_or_default(), "", "{} has left a zombie", program.display());
    }
}

#[test]
fn ends_are_told_apart_and_told_again() {
    let _watchdog = Watchdog::start();
    for (script, expected) in [
        ("exit 0", ExitStatus::Code(0)),
        ("exit 255", ExitStatus::Code(255)),
        ("kill -KILL $$", ExitStatus::Signal { number: 9, core_dumped: false }),
        ("kill -TERM $$", ExitStatus::Signal { number: 15, core_dumped: false }),
        ("kill -40 $$", ExitStatus::Signal { number: 40, core_dumped: false }),
    ] {
        let args = strings(&["-c", script]);
        let child = spawn(&shell(&args, &[], &[])).unwrap();
        assert_eq!(end_of(&child), expected);
        assert_eq!(child.try_reap().unwrap(), Some(expected));
        assert!(child.send_signal(Signal::TERM).unwrap_err().is_gone());
    }
    assert_eq!(ExitStatus::Signal { number: 9, core_dumped: false }.signal_name(), Some("SIGKILL"));
    assert_eq!((signal_name(6), signal_name(40), signal_name(-1)), ("SIGABRT", "SIGRT", "SIGRT"));
    assert_eq!(Signal::from_name("SIGTERM"), Some(Signal::TERM));
    assert_eq!(Signal::from_name("sigterm"), None);
}

#[test]
fn a_running_child_is_not_reaped_and_takes_signals() {
    let _watchdog = Watchdog::start();
    let args = strings(&["1000"]);
    let request = SpawnRequest { program: OsStr::new("/bin/sleep"), ..shell(&args, &[], &[]) };
    let child = spawn(&request).unwrap();
    assert_eq!(child.try_reap().unwrap(), None);
    child.send_signal(Signal::STOP).unwrap();
    assert_eq!(child.try_reap().unwrap(), None, "stopped is not ended");
    child.send_signal(Signal::KILL).unwrap();
    assert_eq!(end_of(&child), ExitStatus::Signal { number: 9, core_dumped: false });
}

#[test]
fn a_child_of_no_use_is_gone_and_reaped_when_its_end_returns() {
    let _watchdog = Watchdog::start();
    let args = strings(&["-c", "trap '' TERM; exec sleep 3600"]);
    let child = spawn(&shell(&args, &[], &[])).unwrap();
    child.end();
    let status = child.try_reap().unwrap().unwrap();
    assert_eq!(status.signal_name(), Some("SIGKILL"));
    assert!(child.send_signal(Signal::TERM).unwrap_err().is_gone(), "a zombie would still take it");
    child.end();
}

/// Node ignores SIGPIPE, and a thread may have signals blocked; neither may be inherited.
#[test]
fn signals_are_neither_ignored_nor_blocked_in_the_child() {
    let _watchdog = Watchdog::start();
    use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
    let mut before = SigSet::empty();
    // The test harness's runtime ignores SIGPIPE as Node does.
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut before)).unwrap();
    let (output, _) = run("exec cat /proc/self/status", &[], &strings(&["PATH=/bin:/usr/bin"]));
    let mut after = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), Some(&mut after)).unwrap();
    assert_eq!(
        after,
        {
            let mut all = SigSet::all();
            all.remove(nix::sys::signal::Signal::SIGKILL);
            all.remove(nix::sys::signal::Signal::SIGSTOP);
            all
        },
        "the caller's own mask has changed"
    );
    let status = String::from_utf8(output).unwrap();
    for name in ["SigBlk", "SigIgn", "SigCgt"] {
        let mask = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t")).unwrap();
        // 32 and 33 are the C library's own, and beyond anybody's reach.
        let ours = u64::from_str_radix(mask, 16).unwrap() & !(0b11 << 31);
        assert_eq!(ours, 0, "{name}: {mask}");
    }
}

#[test]
fn the_child_dies_with_the_thread_that_forked_it_if_asked_to() {
    let _watchdog = Watchdog::start();
    for die_with_parent in [true, false] {
        let child = std::thread::spawn(move || {
            let args = strings(&["1000"]);
            let program = OsStr::new("/bin/sleep");
            spawn(&SpawnRequest { program, die_with_parent, ..shell(&args, &[], &[]) }).unwrap()
        });
        let child = child.join().unwrap();
        if !die_with_parent {
            // Its parent is the process, which is still there; only the thread is not.
            assert_eq!(child.try_reap().unwrap(), None);
            child.send_signal(Signal::TERM).unwrap();
        }
        let number = if die_with_parent { 9 } else { 15 };
        assert_eq!(end_of(&child), ExitStatus::Signal { number, core_dumped: false });
    }
}

#[test]
fn the_whole_tree_below_a_child_is_found_and_killed() {
    let _watchdog = Watchdog::start();
    let (mut reader, writer) = pipe();
    // Each one says so when it is there; the last one in the background of the background.
    let script = "(sleep 1000 & (sleep 1000 & echo 3; wait) & echo 2; wait) & echo 1; wait";
    let args = strings(&["-c", script]);
    let env = strings(&["PATH=/bin:/usr/bin"]);
    let child = spawn(&shell(&args, &env, &[(writer.as_fd(), 1)])).unwrap();
    drop(writer);
    let mut lines = [0; 6];
    reader.read_exact(&mut lines).unwrap();

    let tree = descendants(child.pid());
    assert!(tree.len() >= 3, "{tree:?}");
    assert!(tree.iter().all(|descendant| descendant.pid() != child.pid()));
    assert!(tree.iter().all(|descendant| !descendant.is_gone()));
    child.send_signal(Signal::KILL).unwrap();
    end_of(&child);
    for descendant in tree.iter().chain(&descendants(child.pid())) {
        match descendant.send_signal(Signal::KILL) {
            Err(error) if !error.is_gone() => panic!("{error}"),
            _ => {}
        }
        wait_for_end(descendant.pidfd(), PollTimeout::NONE).unwrap();
        assert!(descendant.is_gone());
    }
    // The end of the pipe is the proof that nobody is left: every one of them had inherited it.
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
}

#[test]
fn descriptors_of_children_are_close_on_exec() {
    let _watchdog = Watchdog::start();
    let args = strings(&["-c", "exit 0"]);
    let child = spawn(&shell(&args, &[], &[])).unwrap();
    let flags = fcntl(child.pidfd(), FcntlArg::F_GETFD).unwrap();
    assert_ne!(flags & nix::libc::FD_CLOEXEC, 0);
    assert!(child.pidfd().as_raw_fd() > 2);
    end_of(&child);
}
