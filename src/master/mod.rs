//! The shell that owns the processes: one thread with one tokio runtime, which lives as long as the cluster.
//!
//! It carries out what the supervisor decides and decides nothing itself. It is the only thread that forks, because a parent-death
//! signal is tied to the thread that forked. The door talks to it by [`MasterHandle`]; it answers through the sink, with
//! events as JSON text. SIGCHLD and `waitpid(-1)` stay libuv's: exits are learned child by child.
//!
//! Files: `shell` (the loop and what comes in), `carry_out` (effects), `children` (what can be asked of a child), `child_process`
//! (channel, end) and `forks`, `child_thread` and `threads` (the same for threads, through JavaScript), `messages` (routing), `early` (for those who
//! come later), `requests` and `listeners` (the primary's half of Node's cluster), `steering` (who is given connections), `lanes`, `sticky_port`,
//! `doorstep`, `own_sockets`, `acceptor`,
//! `console`, `json_line`, `line_writer`, `phases`, `reports`, `service_reports` and `thread_reports` (the log), `snapshot`, `vitals` and `metrics` (status),
//! `watch` (who stands still), `renewal` (who has served long enough), `obituary` and `oom` (why one has died),
//! `heir` and `predecessor` (the master after this one, and the one before), `heirlooms` (what that one has left),
//! `desk` (what is asked at the control socket), `adopted` (orphans, where the master has pid 1).

mod acceptor;
mod adopted;
mod carry_out;
mod child_process;
mod child_thread;
mod children;
mod config;
pub mod console;
mod desk;
mod doorstep;
mod early;
mod forks;
mod heir;
mod heirlooms;
mod json_line;
mod lanes;
mod last_word;
mod line_writer;
mod listeners;
pub mod message_totals;
mod messages;
mod metrics;
mod obituary;
mod oom;
mod other_master;
mod own_sockets;
mod phases;
mod pid_file;
mod predecessor;
mod renewal;
mod reports;
mod requests;
mod service_reports;
mod shell;
mod snapshot;
mod steering;
mod sticky_port;
mod switchboard;
mod thread_reports;
mod threads;
mod vitals;
mod watch;

pub use crate::control::{AdminConfig, ControlConfig};
pub use crate::listen::balance::Balance;
pub use crate::listen::sticky_by::StickyBy;
pub use crate::slot::RecyclePolicy;
pub use crate::supervisor::{IntensityEnd, RequestId, Resize, RestartPolicy};
pub use child_thread::{ThreadKey, ThreadNews, Ticket};
pub use config::{Entry, MasterConfig};
pub use console::LogFormat;
pub use doorstep::StickyConfig;
pub use heir::UpgradePlan;
pub use watch::StuckConfig;

use std::ffi::OsString;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::Dispatch;

use crate::control::{Doors, Others};
use crate::error::{ClusterError, chain};
use crate::message::address::{Origin, WorkerId};
use crate::supervisor::Event;
use crate::sys::signal_senders;
use desk::NameOfDoor;
use last_word::LastWord;
use pid_file::PidFile;
use predecessor::Estate;

/// How the door hears of events: called on the master's thread with one event as JSON text; must not block.
pub type Sink = Arc<dyn Fn(String) + Send + Sync>;

/// How long a status request waits for the master's thread.
const STATUS_PATIENCE: Duration = Duration::from_secs(1);

/// How long Node may take to end the threads of a process that exits.
const EXIT_PATIENCE: Duration = Duration::from_secs(1);

/// What the door may ask for.
pub(crate) enum Command {
    Start,
    Stop { signal: Option<String>, lines: Vec<String> },
    Deliver { origin: Origin, text: String },
    Thread(ThreadNews),
    Request { request: Request, ticket: Option<RequestId> },
    Upgrade { plan: UpgradePlan, ticket: Option<RequestId> },
    Status { answer: std::sync::mpsc::SyncSender<String> },
    Stack { pid: u32, ticket: u32 },
    ReapAdopted,
}

/// What can be asked of a running cluster. Who gives a ticket is answered, with an `answer` event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// New app workers for old ones.
    Reload {
        /// Whether a new agent as well; the configuration's word where there is none.
        agent: Option<bool>,
    },
    /// Another number of app workers.
    Resize(Resize),
    /// A new process in the place of this app worker.
    Restart(WorkerId),
    /// A new agent in the place of this one.
    RestartAgent,
    /// No more connections for this app worker.
    Isolate(WorkerId),
    /// Connections for it again.
    Rejoin(WorkerId),
    /// A new master in the place of this one, started as this one was.
    Upgrade,
}

impl Request {
    fn into_event(self, boot_timeout: Duration, ticket: Option<RequestId>) -> Event {
        match self {
            Self::Upgrade => Event::UpgradeAsked { limit: boot_timeout, ticket },
            Self::Reload { agent } => Event::ReloadAsked { agent, ticket },
            Self::Resize(to) => Event::ResizeAsked { to, ticket },
            Self::Restart(number) => Event::RestartAsked { number, ticket },
            Self::RestartAgent => Event::AgentRestartAsked { ticket },
            Self::Isolate(number) => Event::IsolateAsked { number, ticket },
            Self::Rejoin(number) => Event::RejoinAsked { number, ticket },
        }
    }
}

/// The door's end of a running master.
pub struct MasterHandle {
    commands: mpsc::UnboundedSender<Command>,
    environment: std::sync::mpsc::Sender<Vec<OsString>>,
    console: Dispatch,
    last_word: LastWord,
    threads: bool,
    has_started: bool,
}

impl MasterHandle {
    /// Writes the pid file and starts the master's thread. Nothing is forked yet.
    ///
    /// # Errors
    /// [`ClusterError::NotMainThread`], [`ClusterError::Inheritance`], [`ClusterError::Listen`], [`ClusterError::PidFile`] or
    /// [`ClusterError::Thread`].
    pub fn new(config: MasterConfig, sink: Sink) -> Result<Self, ClusterError> {
        // A worker thread can be ended at any moment, and nobody would be left to end the cluster.
        if !crate::sys::this_process::is_main_thread() {
            return Err(ClusterError::NotMainThread);
        }
        let console = console::dispatch(console::level_named(&config.log_level), config.log_format)
            .map_err(|source| ClusterError::Thread { source })?;
        let estate = config.inherited.map(Estate::claim).transpose()?.flatten();
        let pid_file = config.pid_file.clone().map(|path| Arc::new(PidFile::new(path)));
        let control_name = NameOfDoor::default();
        let mut doors = Doors::default();
        // Where another master serves, file and sockets are still its own.
        if estate.is_none() {
            let (opened, name) = Doors::open(&config.control, Others::Stay)?;
            doors = opened;
            control_name.set(name);
            if let Some(file) = &pid_file {
                file.write()?;
            }
        }
        let (commands, receiver) = mpsc::unbounded_channel();
        let (environment, told) = std::sync::mpsc::channel();
        let (dispatch, threads) = (console.clone(), config.threads);
        let last_word = LastWord::new(pid_file.clone(), control_name.clone());
        let word = last_word.clone();
        thread::Builder::new()
            .name("clutch-master".to_owned())
            .spawn(move || {
                let _logging = tracing::dispatcher::set_default(&dispatch);
                let environment = forks::Environment::new(told);
                let given = shell::Given { environment, pid_file, estate, doors, control_name, last_word: word };
                shell::run(config, given, receiver, sink);
            })
            .map_err(|source| ClusterError::Thread { source })?;
        Ok(Self { commands, environment, console, last_word, threads, has_started: false })
    }

    /// Forks the agent; the rest follows.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended.
    pub fn start(&mut self) -> Result<(), ClusterError> {
        self.send(Command::Start)?;
        self.has_started = true;
        Ok(())
    }

    /// Begins an orderly stop, or the delay before it; `lines` are logged after the line that names the signal. Another call changes nothing,
    /// unless a signal asks and there is a delay: then it hurries.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended.
    pub fn stop(&self, signal: Option<String>, lines: Vec<String>) -> Result<(), ClusterError> {
        let lines = sender_of(signal.as_deref()).into_iter().chain(lines).collect();
        self.send(Command::Stop { signal, lines })
    }

    /// Routes a message that came from the parent or from the master's own code.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended.
    pub fn deliver(&self, origin: Origin, text: String) -> Result<(), ClusterError> {
        self.send(Command::Deliver { origin, text })
    }

    /// Takes in what JavaScript tells of a thread.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended.
    pub fn note_thread(&self, news: ThreadNews) -> Result<(), ClusterError> {
        self.send(Command::Thread(news))
    }

    /// Asks something of the running cluster. With a ticket, an `answer` event with its number follows.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended.
    pub fn request(&self, request: Request, ticket: Option<RequestId>) -> Result<(), ClusterError> {
        self.send(Command::Request { request, ticket })
    }

    /// Starts a new master in the place of this one, which drains when that one serves. With a ticket, an `answer` event with its number
    /// follows.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended.
    pub fn upgrade(&self, plan: UpgradePlan, ticket: Option<RequestId>) -> Result<(), ClusterError> {
        self.send(Command::Upgrade { plan, ticket })
    }

    /// The environment as it is now, `K=V`: what an `environment` event asks for before processes are forked.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended.
    pub fn set_environment(&self, env: Vec<OsString>) -> Result<(), ClusterError> {
        self.environment.send(env).map_err(|_| ClusterError::Closed)
    }

    /// A snapshot of the cluster as JSON text.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended or does not answer within a second.
    pub fn status(&self) -> Result<String, ClusterError> {
        let (answer, result) = std::sync::mpsc::sync_channel(1);
        self.send(Command::Status { answer })?;
        result.recv_timeout(STATUS_PATIENCE).map_err(|_| ClusterError::Closed)
    }

    /// Asks for the JavaScript stack of the process with this pid, also of one that stands still. The answer is none where it is idle
    /// or blocked outside of JavaScript, or there is no such process; it comes as an event with this ticket, within a little more than
    /// a second.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended.
    pub fn ask_stack(&self, pid: u32, ticket: u32) -> Result<(), ClusterError> {
        self.send(Command::Stack { pid, ticket })
    }

    /// For a master with pid 1: reaps adopted processes that had ended already at the last call of this. To be called after SIGCHLD, each
    /// time on another turn of the event loop.
    ///
    /// # Errors
    /// [`ClusterError::Closed`] when the master's thread has ended.
    pub fn reap_adopted(&self) -> Result<(), ClusterError> {
        self.send(Command::ReapAdopted)
    }

    /// Notes from now on who sends this process a signal: a stop that one asks for says so. To be called when all who listen for signals
    /// are there.
    pub fn watch_signals(&self) {
        signal_senders::record_here();
    }

    /// Logs one line; written when this returns.
    pub fn log(&self, level: tracing::Level, text: &str) {
        tracing::dispatcher::with_default(&self.console, || match level {
            tracing::Level::ERROR => tracing::error!("{text}"),
            tracing::Level::WARN => tracing::warn!("{text}"),
            tracing::Level::INFO => tracing::info!("{text}"),
            _ => tracing::debug!("{text}"),
        });
    }

    /// JavaScript has heard that the cluster is gone, and ends the process. Where it does not say so, the process is ended without it.
    pub fn note_end_heard(&self) {
        self.last_word.note_heard();
    }

    /// The master process is about to exit with this code: says so, and removes the pid file and the name of the control socket.
    pub fn note_exiting(&self, code: i32) {
        tracing::dispatcher::with_default(&self.console, || self.last_word.take_leave(code));
        // Not after a start that failed at once: its caller may live on.
        if self.threads && self.has_started {
            exit_without_stuck_threads(code);
        }
    }

    fn send(&self, command: Command) -> Result<(), ClusterError> {
        self.commands.send(command).map_err(|_| ClusterError::Closed)
    }
}

/// A line that says who has sent the signal by which the master is stopped.
fn sender_of(signal: Option<&str>) -> Option<String> {
    let sent = signal_senders::last().filter(|sent| Some(sent.signal) == signal)?;
    let by = match sent.pid {
        0 => "the kernel, or from outside of this container".to_owned(),
        pid if sent.name.is_empty() => format!("process {pid}, which is gone by now, of user {}", sent.uid),
        pid => format!("process {pid} ({}) of user {}", sent.name, sent.uid),
    };
    Some(format!("[master] {} was sent by {by}", sent.signal))
}

/// An exiting process waits for its threads, for ever where one is blocked outside of JavaScript.
fn exit_without_stuck_threads(code: i32) {
    // Without the thread the process waits, as Node does.
    let _ = thread::Builder::new().name("clutch-exit".to_owned()).spawn(move || {
        thread::sleep(EXIT_PATIENCE);
        crate::sys::this_process::exit_now(code)
    });
}
