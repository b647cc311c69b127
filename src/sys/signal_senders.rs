//! Who sent a signal: written down by a handler of our own, which then does what would have been done without it.
//!
//! libuv puts its handlers in when the first listener of a signal comes, and takes them out with the last; so [`record`] is called
//! again after either. The handler keeps to what is allowed in one (signal-safety(7)): atomic stores, `open`, `read`, `close`,
//! `sigaction`, `kill`.
#![allow(unsafe_code)] // a signal handler

use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, transmute};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::errno::Errno;
use nix::libc;

use super::child::signal_name;
use super::pulse::{self, PulseWriter, Word};

/// Signals that are sent by others to end a process, or to have it do something. Not those of faults: they have no sender.
const SIGNALS: [c_int; 7] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM, libc::SIGTERM];

/// What is called by the name of a handler, with or without the second and third argument.
type Handler = extern "C" fn(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void);

static PAGE: OnceLock<PulseWriter> = OnceLock::new();
/// The handlers that ours stand in front of, by signal; `SIG_DFL`, which is 0, for none.
static BEFORE: [AtomicUsize; 32] = [const { AtomicUsize::new(libc::SIG_DFL) }; 32];

/// Writes down on `page` who sends this process a signal, from now on. To be called again whenever listeners have come or gone, on
/// the main thread; the first page stays.
pub fn record(page: PulseWriter) {
    let _ = PAGE.set(page);
    for signal in SIGNALS {
        stand_in_front(signal);
    }
}

/// As [`record`], for a process that has no page: who has sent a signal is kept here.
pub fn record_here() {
    record(*PAGE.get_or_init(PulseWriter::unread));
}

/// The last signal that was caught, and who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Such as `SIGTERM`.
    pub signal: &'static str,
    /// The sender's pid; 0 for the kernel, or somebody outside of our pid namespace.
    pub pid: u64,
    /// The sender's user.
    pub uid: u64,
    /// The sender's name; empty where it was gone already.
    pub name: String,
}

/// The last signal that this process caught.
#[must_use]
pub fn last() -> Option<Sent> {
    let page = PAGE.get()?;
    let number = i32::try_from(page.get(Word::Signal)).ok().filter(|number| *number > 0)?;
    let name = [page.get(Word::SignalName), page.get(Word::SignalNameEnd)].map(u64::to_ne_bytes).concat();
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    Some(Sent {
        signal: signal_name(number),
        pid: page.get(Word::SignalPid),
        uid: page.get(Word::SignalUid),
        name: String::from_utf8_lossy(&name[..end]).into_owned(),
    })
}

fn stand_in_front(signal: c_int) {
    let mut present = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: reads the present action into the place that is given.
    if unsafe { libc::sigaction(signal, null(), present.as_mut_ptr()) } != 0 {
        return;
    }
    // SAFETY: sigaction has filled it in, and all zeroes is a valid value, too.
    let present = unsafe { present.assume_init() };
    let ours = caught as Handler as usize;
    if present.sa_sigaction == ours || present.sa_sigaction == libc::SIG_IGN {
        return;
    }
    // Node's own handler of SIGUSR1, and only that, opens the inspector; libuv's restart system calls, and Node's do not.
    let opens_inspector = present.sa_sigaction != libc::SIG_DFL && present.sa_flags & libc::SA_RESTART == 0;
    if signal == libc::SIGUSR1 {
        INSPECTOR.store(usize::from(opens_inspector), Ordering::Relaxed);
    }
    if let Some(before) = BEFORE.get(usize::try_from(signal).unwrap_or(usize::MAX)) {
        before.store(present.sa_sigaction, Ordering::Relaxed);
    }
    let mut action = present;
    action.sa_sigaction = ours;
    action.sa_flags |= libc::SA_SIGINFO;
    // SAFETY: the handler keeps to what may be done in one, and the mask and the other flags are those that were there.
    unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
}

/// 1 while SIGUSR1 opens the inspector.
static INSPECTOR: AtomicUsize = AtomicUsize::new(0);

extern "C" fn caught(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let errno = Errno::last_raw();
    // SAFETY: the kernel hands a whole siginfo to a handler with SA_SIGINFO.
    if let (Some(page), Some(info)) = (PAGE.get(), unsafe { info.as_ref() }) {
        write_down(*page, signal, info);
    }
    let before = BEFORE.get(usize::try_from(signal).unwrap_or(usize::MAX)).map_or(0, |old| old.load(Ordering::Relaxed));
    if before == libc::SIG_DFL {
        end_as_by_default(signal);
    } else {
        // SAFETY: this is what sigaction named as the handler; one that takes fewer arguments does not look at the others, which the
        // calling conventions of x86-64 and AArch64 allow.
        let before = unsafe { transmute::<usize, Handler>(before) };
        before(signal, info, context);
    }
    Errno::set_raw(errno);
}

/// What the kernel would have done: the signal is sent once more, and has nobody who catches it. It is blocked until we return.
fn end_as_by_default(signal: c_int) {
    // SAFETY: all zeroes is the default action with an empty mask.
    let default = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    // SAFETY: allowed in a handler; the action is a valid one.
    unsafe { libc::sigaction(signal, &raw const default, null_mut()) };
    // SAFETY: allowed in a handler.
    let own = unsafe { libc::getpid() };
    // SAFETY: allowed in a handler; takes plain integers.
    unsafe { libc::kill(own, signal) };
}

fn write_down(page: PulseWriter, signal: c_int, info: &libc::siginfo_t) {
    // SAFETY: these are numbers for every signal; what they mean depends on the code.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let uid = unsafe { info.si_uid() };
    // Sent by a process (SI_USER, SI_QUEUE, SI_TKILL are 0 and below), or by the kernel.
    let (pid, uid) = if info.si_code <= 0 { (pid, uid) } else { (0, 0) };
    let name = name_of(pid);
    let [first, second] = [&name[..8], &name[8..]].map(|half| half.try_into().map_or(0, u64::from_ne_bytes));
    page.set(Word::SignalPid, u64::try_from(pid).unwrap_or(0));
    page.set(Word::SignalUid, u64::from(uid));
    page.set(Word::SignalCode, u64::from(info.si_code.cast_unsigned()));
    page.set(Word::SignalName, first);
    page.set(Word::SignalNameEnd, second);
    page.set(Word::SignalAt, u64::try_from(pulse::now().as_nanos()).unwrap_or(0));
    page.set(Word::Signal, u64::try_from(signal).unwrap_or(0));
    if signal == libc::SIGUSR1 && INSPECTOR.load(Ordering::Relaxed) == 1 {
        page.set(Word::Inspector, 1);
    }
}

/// The first 15 bytes of `/proc/<pid>/comm`, filled up with zeroes.
fn name_of(pid: libc::pid_t) -> [u8; 16] {
    let mut name = [0; 16];
    if pid <= 0 {
        return name;
    }
    let path = comm_path(pid.unsigned_abs());
    // SAFETY: allowed in a handler; the path ends with a zero.
    let file = unsafe { libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return name;
    }
    // SAFETY: allowed in a handler; there is room for so many bytes.
    unsafe { libc::read(file, name.as_mut_ptr().cast(), 15) };
    // SAFETY: ours since the lines above.
    unsafe { libc::close(file) };
    if let Some(end) = name.iter().position(|byte| *byte == b'\n') {
        name[end..].fill(0);
    }
    name
}

/// `/proc/<pid>/comm` with a zero behind it, made without any memory but its own.
fn comm_path(pid: u32) -> [u8; 32] {
    let mut path = [0; 32];
    let mut digits = [0; 10];
    let mut count = 0;
    let mut rest = pid;
    for digit in &mut digits {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    let text = b"/proc/".iter().chain(digits[..count].iter().rev()).chain(b"/comm");
    for (place, byte) in path.iter_mut().zip(text) {
        *place = *byte;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_that_of_the_process() {
        for pid in [1, 42, u32::MAX] {
            let path = comm_path(pid);
            let end = path.iter().position(|byte| *byte == 0).unwrap();
            assert_eq!(std::str::from_utf8(&path[..end]).unwrap(), format!("/proc/{pid}/comm"));
        }
    }

    #[test]
    #[cfg(not(miri))]
    fn the_name_of_a_process_is_the_kernels() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let name = name_of(pid);
        let end = name.iter().position(|byte| *byte == 0).unwrap();
        let own = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(std::str::from_utf8(&name[..end]).unwrap(), own.trim_end());
        assert_eq!(name_of(0), [0; 16]);
    }
}
