//! The operating system: every system call of the crate that is not tokio's, and every `cfg(target_os)`.
//!
//! Nothing here decides; a caller asks for one thing and is told how it went. A raw descriptor number never leaves
//! this module, and an errno leaves it only inside a [`SysError`], with the name of the call that failed.
//!
//! What every platform must give (Linux gives it here; another platform adds a directory beside these files and is
//! chosen in this file, nowhere else):
//!
//! | module | what it gives | Linux uses |
//! |---|---|---|
//! | [`spawn`] | a child with exact arguments, environment and descriptors that dies with its parent | fork, execve, `PR_SET_PDEATHSIG` |
//! | [`child`] | one child's end as a pollable descriptor, its status once, signals that never hit a stranger | pidfd (kernel 5.4) |
//! | [`process_tree`] | every descendant of a process, safe against reused process ids | `/proc`, pidfd |
//! | [`parent`] | the parent's end as a pollable descriptor | pidfd |
//! | [`this_process`] | this process' first thread, and its end without asking anybody in it | `gettid`, `_exit`, `kill` |
//! | [`unix_socket`] | the two ends of Node's channel, bytes and descriptors over them | `AF_UNIX`, `SCM_RIGHTS` |
//! | [`socket`] | listening and datagram sockets, accepting, addresses | `accept4` |
//! | [`bound_path`] | the name of a unix socket in the file system and its removal | `lstat` |
//! | [`control_socket`] | a unix socket of one user, in the place of one that a dead process has left | `flock`, `/proc/self/fd` |
//! | [`Watched`] | readiness of a descriptor on the runtime | epoll, through tokio |
//! | [`heap`] | free memory given back after a great freeing | `malloc_trim` |
//! | [`shared_memory`] | memory that one process writes and others read, whose size can be relied on | memfd with seals (kernel 5.1) |
//! | [`shared_memory::PrivateMapping`] | parts of it to write for oneself, and whether they were written | `MAP_PRIVATE`, `/proc/self/pagemap` |
//! | [`alarm`] | a timer that wakes its thread once | timerfd |
//! | [`event`] | a bell between processes | eventfd |
//! | [`service_manager`] | how a service is, and which process is its main one | `sd_notify(3)` |
//! | [`console`] | a line written completely although the pipe is full and non-blocking | `poll` |

pub mod alarm;
pub mod bound_path;
pub mod child;
pub mod console;
pub mod control_socket;
mod error;
pub mod event;
pub mod event_loop;
pub mod heap;
pub mod isolate;
mod page_table;
pub mod parent;
mod pidfd;
mod private_mapping;
pub mod process_facts;
pub mod process_tree;
pub mod pulse;
pub mod service_manager;
pub mod shared_memory;
pub mod signal_senders;
pub mod socket;
pub mod spawn;
#[cfg(test)]
mod spawn_tests;
pub mod tally;
pub mod this_process;
pub mod turn_lengths;
pub mod unix_socket;
#[cfg(test)]
pub(crate) mod watchdog;
pub mod watched;

pub use error::{INVALID_ARGUMENT, OUT_OF_DESCRIPTORS, SysError};
pub use watched::Watched;

/// This machine's name, for error logs.
#[must_use]
pub fn hostname() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
