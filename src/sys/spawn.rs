//! Starts a child: everything is prepared before the fork, and between fork and exec only calls that are safe there.
//!
//! A fork of a process with threads leaves the child with locks that nobody will ever open, the allocator's among them.
//! So the child allocates nothing, logs nothing and cannot panic. `become_program` is the one function that
//! runs there; its calls, all on the list of signal-safety(7) or plain Linux system calls, are: `sigaction`, `prctl`,
//! `getppid`, `dup2`, `sigprocmask`, `execve`, `write`, `_exit`.
//!
//! The death signal is tied to the *thread* that forks (prctl(2)): call from a thread that lives as long as the cluster.
#![allow(unsafe_code)] // fork, and the raw calls of the child's side

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

pub use super::child::{Child, ExitStatus, Signal, Usage, signal_name};
use super::error::Named;
use super::{SysError, pidfd};

/// The last signal number of Linux; `_NSIG - 1`.
const LAST_SIGNAL: i32 = 64;
/// As wide as the kernel reads it: prctl takes its arguments as they come, without their types.
const DEATH_SIGNAL: libc::c_ulong = libc::SIGKILL as libc::c_ulong;
/// What a child that could not become the program exits with, as a shell would.
const NOT_STARTED: i32 = 127;

/// What to start, and with what.
#[derive(Debug)]
pub struct SpawnRequest<'a> {
    /// The executable, absolute or relative to the working directory; `PATH` is not searched.
    pub program: &'a OsStr,
    /// The arguments after `argv[0]`, which is the program.
    pub args: &'a [OsString],
    /// The whole environment, `NAME=value` each.
    pub env: &'a [OsString],
    /// Descriptors to hand over, each with the number it has in the child. 0, 1 and 2 are inherited unless named here.
    pub inherit: &'a [(BorrowedFd<'a>, i32)],
    /// Whether the kernel kills the child when the calling thread ends.
    pub die_with_parent: bool,
}

/// What the child was doing when it failed to become the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecStep {
    /// Asking for the death signal.
    DeathSignal,
    /// Putting an inherited descriptor at its number.
    Descriptor,
    /// Unblocking the signals.
    SignalMask,
    /// The exec itself: the program is missing, not executable, or no program.
    Exec,
}

/// Why there is no child.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// A string with a zero byte cannot be passed to a process.
    #[error("{field} contains a zero byte")]
    ZeroByte {
        /// The field of the request.
        field: &'static str,
    },
    /// A descriptor number for the child that is negative or given twice.
    #[error("descriptor number {number} for the child is negative or given twice")]
    DescriptorNumber {
        /// The number asked for.
        number: i32,
    },
    /// The descriptors or the signal mask could not be prepared.
    #[error("cannot prepare the start of {program:?}")]
    Prepare {
        /// The program.
        program: OsString,
        /// What failed.
        source: SysError,
    },
    /// There was no fork, or no pidfd for the new process, which is dead by now.
    #[error("cannot fork for {program:?}")]
    Fork {
        /// The program.
        program: OsString,
        /// What failed.
        source: SysError,
    },
    /// The new process could not become the program; it is gone and reaped.
    #[error("cannot start {program:?} ({step:?})")]
    Exec {
        /// The program.
        program: OsString,
        /// What it was doing.
        step: ExecStep,
        /// What failed.
        source: SysError,
    },
    /// The new process died before it could become the program and before it could say why.
    #[error("{program:?} died before it was started")]
    DiedBeforeExec {
        /// The program.
        program: OsString,
    },
}

impl SpawnError {
    /// The errno behind it, where a system call failed.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Prepare { source, .. } | Self::Fork { source, .. } | Self::Exec { source, .. } => {
                Some(source.errno())
            }
            _ => None,
        }
    }
}

/// Starts a process and returns once it runs the program.
///
/// # Errors
/// See [`SpawnError`]; in every case nothing is left running and no zombie stays.
pub fn spawn(request: &SpawnRequest<'_>) -> Result<Child, SpawnError> {
    let prepare = |source| SpawnError::Prepare { program: request.program.to_owned(), source };
    let fork_failed = |source| SpawnError::Fork { program: request.program.to_owned(), source };
    let images = Images::new(request)?;
    let (placed, above) = place(request)?;
    let (report, child_report) = report_pipe(above).map_err(prepare)?;
    let side = ChildSide {
        program: images.strings.program.as_ptr(),
        argv: images.argv.as_ptr(),
        envp: images.envp.as_ptr(),
        placed: placed.iter().map(|(fd, number)| (fd.as_raw_fd(), *number)).collect(),
        report: child_report.as_raw_fd(),
        death_signal: request.die_with_parent,
        parent: nix::unistd::getpid().as_raw(),
    };
    // A signal that reached the child before exec would run Node's handler there, which writes into our own pipes.
    let blocked = BlockedSignals::all().map_err(prepare)?;
    // SAFETY: the child runs `become_program` only, which keeps to async-signal-safe calls.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        side.become_program();
    }
    let failure = Errno::last();
    drop(blocked);
    drop(child_report);
    let Ok(pid @ 1..) = u32::try_from(forked) else {
        return Err(fork_failed(SysError::new("fork", failure)));
    };
    let pidfd = pidfd::open(pid).map_err(|source| {
        abandon(forked);
        fork_failed(source)
    })?;
    match read_report(&report) {
        Report::Started => Ok(Child::new(pid, pidfd)),
        outcome => {
            abandon(forked);
            Err(outcome.into_error(request.program))
        }
    }
}

struct Strings {
    program: CString,
    args: Vec<CString>,
    env: Vec<CString>,
}

/// `argv` and `envp` as execve wants them: pointers into strings that are kept beside them.
struct Images {
    strings: Strings,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
}

impl Images {
    fn new(request: &SpawnRequest<'_>) -> Result<Self, SpawnError> {
        let c_string = |field, text: &OsStr| CString::new(text.as_bytes()).map_err(|_| SpawnError::ZeroByte { field });
        let strings = Strings {
            program: c_string("program", request.program)?,
            args: request.args.iter().map(|arg| c_string("an argument", arg)).collect::<Result<_, _>>()?,
            env: request.env.iter().map(|pair| c_string("an environment entry", pair)).collect::<Result<_, _>>()?,
        };
        let pointers = |strings: &[CString]| strings.iter().map(|text| text.as_ptr()).collect::<Vec<_>>();
        let mut argv = vec![strings.program.as_ptr()];
        argv.extend(pointers(&strings.args));
        argv.push(std::ptr::null());
        let mut envp = pointers(&strings.env);
        envp.push(std::ptr::null());
        Ok(Self { strings, argv, envp })
    }
}

/// Duplicates each descriptor above every number wanted in the child, so that no `dup2` there can hit a source that is
/// still needed, however the numbers overlap. Returns the duplicates and the first number above all wanted ones.
fn place(request: &SpawnRequest<'_>) -> Result<(Vec<(OwnedFd, i32)>, i32), SpawnError> {
    let mut above = 3;
    for (index, (_, number)) in request.inherit.iter().enumerate() {
        let twice = request.inherit.iter().take(index).any(|(_, earlier)| earlier == number);
        if *number < 0 || *number == i32::MAX || twice {
            return Err(SpawnError::DescriptorNumber { number: *number });
        }
        above = above.max(number + 1);
    }
    let duplicates = request.inherit.iter().map(|(fd, number)| Ok((duplicate_above(*fd, above)?, *number)));
    let placed = duplicates
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| SpawnError::Prepare { program: request.program.to_owned(), source })?;
    Ok((placed, above))
}

fn duplicate_above(fd: BorrowedFd<'_>, above: i32) -> Result<OwnedFd, SysError> {
    let duplicate = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(above)).named("fcntl(F_DUPFD_CLOEXEC)")?;
    // SAFETY: fcntl has just made this descriptor for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(duplicate) })
}

/// The pipe on which the child reports its failure; the successful exec closes it.
fn report_pipe(above: i32) -> Result<(OwnedFd, OwnedFd), SysError> {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    let writer = duplicate_above(std::os::fd::AsFd::as_fd(&writer), above)?;
    Ok((reader, writer))
}

/// All signals blocked on this thread until dropped.
struct BlockedSignals {
    before: SigSet,
}

impl BlockedSignals {
    fn all() -> Result<Self, SysError> {
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before)).named("pthread_sigmask")?;
        Ok(Self { before })
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // Fails for an unknown `how` only.
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

/// Ends and reaps a child that is of no use. It is ours and unreaped, so its number cannot mean anybody else.
fn abandon(pid: libc::pid_t) {
    let pid = nix::unistd::Pid::from_raw(pid);
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    while nix::sys::wait::waitpid(pid, None) == Err(Errno::EINTR) {}
}

enum Report {
    Started,
    Failed { step: ExecStep, errno: Errno },
    Cut,
}

impl Report {
    fn into_error(self, program: &OsStr) -> SpawnError {
        let program = program.to_owned();
        match self {
            Self::Failed { step, errno } => {
                let call = match step {
                    ExecStep::DeathSignal => "prctl(PR_SET_PDEATHSIG)",
                    ExecStep::Descriptor => "dup2",
                    ExecStep::SignalMask => "sigprocmask",
                    ExecStep::Exec => "execve",
                };
                SpawnError::Exec { program, step, source: SysError::new(call, errno) }
            }
            Self::Started | Self::Cut => SpawnError::DiedBeforeExec { program },
        }
    }
}

const REPORT_BYTES: usize = 8;

fn read_report(pipe: &OwnedFd) -> Report {
    let mut bytes = [0; REPORT_BYTES];
    let length = loop {
        match nix::unistd::read(pipe, &mut bytes) {
            Err(Errno::EINTR) => {}
            answer => break answer.unwrap_or(1),
        }
    };
    match length {
        0 => Report::Started,
        // A pipe write of up to PIPE_BUF bytes arrives whole (pipe(7)).
        REPORT_BYTES => {
            let [step, .., a, b, c, d] = bytes;
            let step = match step {
                1 => ExecStep::DeathSignal,
                2 => ExecStep::Descriptor,
                3 => ExecStep::SignalMask,
                _ => ExecStep::Exec,
            };
            Report::Failed { step, errno: Errno::from_raw(i32::from_ne_bytes([a, b, c, d])) }
        }
        _ => Report::Cut,
    }
}

/// All that the child needs between fork and exec, as plain numbers and pointers into memory it has a copy of.
struct ChildSide {
    program: *const libc::c_char,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
    placed: Vec<(RawFd, RawFd)>,
    report: RawFd,
    death_signal: bool,
    parent: libc::pid_t,
}

impl ChildSide {
    /// Runs in the child only, and never returns there.
    fn become_program(&self) -> ! {
        let Err((step, errno)) = self.try_become_program();
        let [a, b, c, d] = errno.to_ne_bytes();
        let report = [step as u8 + 1, 0, 0, 0, a, b, c, d];
        // SAFETY: `report` is alive and `REPORT_BYTES` long. The answer is of no use: if the parent is gone, so are we.
        unsafe { libc::write(self.report, report.as_ptr().cast(), REPORT_BYTES) };
        // SAFETY: ends the process at once, without running anything of the parent's.
        unsafe { libc::_exit(NOT_STARTED) }
    }

    fn try_become_program(&self) -> Result<Infallible, (ExecStep, i32)> {
        reset_signal_dispositions();
        if self.death_signal {
            // SAFETY: prctl with plain integers.
            let asked = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, DEATH_SIGNAL) };
            if asked != 0 {
                return Err((ExecStep::DeathSignal, Errno::last_raw()));
            }
            // A parent that died before the prctl sends no signal any more.
            // SAFETY: getppid has no preconditions.
            if unsafe { libc::getppid() } != self.parent {
                return Err((ExecStep::DeathSignal, libc::ESRCH));
            }
        }
        for (source, number) in &self.placed {
            // SAFETY: dup2 takes two integers. The copy is not close-on-exec, and no number here is a source as well.
            while unsafe { libc::dup2(*source, *number) } < 0 {
                let errno = Errno::last_raw();
                if errno != libc::EINTR && errno != libc::EBUSY {
                    return Err((ExecStep::Descriptor, errno));
                }
            }
        }
        unblock_signals()?;
        // SAFETY: program, argv and envp are null-terminated and live in the copy of the parent's memory.
        unsafe { libc::execve(self.program, self.argv, self.envp) };
        Err((ExecStep::Exec, Errno::last_raw()))
    }
}

/// A caught signal would go back to its default by exec, an ignored one would not: Node ignores SIGPIPE.
fn reset_signal_dispositions() {
    // SAFETY: all zeroes is SIG_DFL without flags and with an empty mask.
    let default = unsafe { std::mem::zeroed::<libc::sigaction>() };
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: `default` is alive. SIGKILL, SIGSTOP and the C library's own two are refused, which is right.
        unsafe { libc::sigaction(signal, &raw const default, std::ptr::null_mut()) };
    }
}

fn unblock_signals() -> Result<(), (ExecStep, i32)> {
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset initialises the set it is given.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set has just been initialised.
    let set = unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
    if set == 0 { Ok(()) } else { Err((ExecStep::SignalMask, Errno::last_raw())) }
}
