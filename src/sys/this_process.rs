//! This process as a whole: which of its threads is the first, and ways to end it that ask nobody in it.
#![allow(unsafe_code)] // _exit

/// Whether the caller is the thread that runs `main`.
#[must_use]
pub fn is_main_thread() -> bool {
    nix::unistd::gettid() == nix::unistd::getpid()
}

/// Ends this process at once with this exit code. Nothing of it is asked first, neither its handlers nor its threads.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes a plain integer and does not come back; the kernel frees whatever the process has.
    unsafe { nix::libc::_exit(code) }
}

/// Ends this process at once; nothing in it can prevent that.
pub fn kill_self() -> ! {
    loop {
        // Does not come back.
        let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
    }
}

/// The user whose rights this process has.
#[must_use]
pub fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}
