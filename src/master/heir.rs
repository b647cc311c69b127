//! The new master in the place of this one, as this one sees it: how it is started, what it is given, and what is heard of it.
//!
//! It is a child like no other: nothing kills it when we end, because it may be the master by then. It has all that it needs in its socket
//! before it runs, so it can go on even if this process is killed while it boots.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::error;

use super::child_process;
use super::children::kill_all;
use super::other_master::listen_to_it;
use super::shell::{Happening, LAST_WORDS, Shell, spawn_task};
use super::{RequestId, chain, service_reports};
use crate::slot::Exit;
use crate::supervisor::{Answer, Event, Hindrance, Refusal};
use crate::sys::process_tree;
use crate::sys::service_manager::{self, Notification};
use crate::sys::spawn::{self, Child, Signal, SpawnRequest};
use crate::sys::{Watched, unix_socket};
use crate::transport::estate::{self, Word};

/// The descriptor number of the socket in the new master.
const ESTATE_FD: i32 = 3;
/// What tells it of the socket, and which version of the talk is spoken there.
const ESTATE_VARIABLE: &str = "EGG_CLUTCH_UPGRADE";

/// By which `egg-clutch start` says that it waits in the foreground: its pid.
const FOREGROUND_VARIABLE: &str = "EGG_CLUTCH_FOREGROUND";

/// How a new master is started. What is none is as it was for this one.
#[derive(Clone, Debug, Default)]
pub struct UpgradePlan {
    /// The node binary.
    pub exec_path: Option<OsString>,
    /// All arguments behind it, Node's own first.
    pub args: Option<Vec<OsString>>,
    /// The whole environment, `K=V`.
    pub env: Option<Vec<OsString>>,
    /// How long it may take until it is ready; the time-out of a boot where none is given.
    pub timeout: Option<Duration>,
}

/// What is heard of it.
#[derive(Debug)]
pub(super) enum HeirNews {
    Said(Word),
    /// Nothing more will be.
    Silent {
        fault: Option<String>,
    },
    Exited {
        exit: Exit,
    },
}

/// A new master that has not taken over, or has only just.
pub(super) struct Heir {
    number: u32,
    child: Rc<Child>,
    socket: Rc<Watched>,
    listener: AbortHandle,
}

impl Drop for Heir {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// The one that there is, and how the next is started.
#[derive(Default)]
pub(super) struct Heirs {
    plan: UpgradePlan,
    current: Option<Heir>,
    last_number: u32,
}

impl Shell {
    pub(super) fn upgrade(&mut self, plan: UpgradePlan, ticket: Option<RequestId>) {
        if let Some(env) = self.environment_now() {
            self.config.env = env;
        }
        let hindrance = if std::process::id() == 1 {
            Some(Hindrance::FirstProcess)
        } else if self.is_bound_to_service() {
            Some(Hindrance::Service)
        } else if self.is_in_foreground() {
            Some(Hindrance::Foreground)
        } else {
            self.config.threads.then_some(Hindrance::Threads)
        };
        if let Some(hindrance) = hindrance {
            let refusal = Answer::Refused(Refusal::CannotUpgrade(hindrance));
            return match ticket {
                Some(ticket) => (self.sink)(service_reports::answer(ticket, &refusal, None)),
                None => error!("[master] upgrade: {}", service_reports::hindrance(hindrance)),
            };
        }
        let limit = plan.timeout.unwrap_or(self.config.boot_timeout);
        self.heirs.plan = plan;
        self.feed(Event::UpgradeAsked { limit, ticket });
    }

    pub(super) fn spawn_heir(&mut self) {
        let plan = std::mem::take(&mut self.heirs.plan);
        let event = match self.start_heir(plan) {
            Ok(pid) => Event::HeirSpawned { pid },
            Err(reason) => Event::HeirNotSpawned { reason },
        };
        // Straight to the supervisor: the loop that drains the effects is above us.
        self.handle_now(event);
    }

    fn start_heir(&mut self, plan: UpgradePlan) -> Result<u32, String> {
        let (ours, theirs) = unix_socket::record_pair().map_err(|error| chain(&error))?;
        estate::send(ours.as_fd(), &self.listeners.estate()).map_err(|error| chain(&error))?;
        let program = plan.exec_path.unwrap_or_else(|| self.config.own_exec_path.clone());
        let args = plan.args.unwrap_or_else(|| self.config.own_args.clone());
        let mut env = plan.env.unwrap_or_else(|| self.config.env.clone());
        env.retain(|pair| !pair.as_encoded_bytes().starts_with(format!("{ESTATE_VARIABLE}=").as_bytes()));
        env.push(format!("{ESTATE_VARIABLE}={}:{ESTATE_FD}", estate::VERSION).into());
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let inherit = [(stdin.as_fd(), 0), (stdout.as_fd(), 1), (stderr.as_fd(), 2), (theirs.as_fd(), ESTATE_FD)];
        let request =
            SpawnRequest { program: &program, args: &args, env: &env, inherit: &inherit, die_with_parent: false };
        let child = Rc::new(spawn::spawn(&request).map_err(|error| chain(&error))?);
        drop(theirs);
        let pid = child.pid();
        let watch = || {
            let pidfd = child.pidfd().try_clone_to_owned()?;
            Ok((Watched::new(ours)?, Watched::new(pidfd)?))
        };
        let (socket, pidfd) = watch().map_err(|error: std::io::Error| {
            // One that cannot be listened to must not run on unseen.
            child.end();
            chain(&error)
        })?;
        let socket = Rc::new(socket);
        self.heirs.last_number += 1;
        let number = self.heirs.last_number;
        let listener = spawn_task(&self.happenings, listen(number, Rc::clone(&socket), self.happenings.clone()));
        spawn_task(&self.happenings, wait_for_exit(number, pidfd, Rc::clone(&child), self.happenings.clone()));
        self.heirs.current = Some(Heir { number, child, socket, listener });
        Ok(pid)
    }

    pub(super) fn note_heir(&mut self, number: u32, news: HeirNews) {
        if self.heirs.current.as_ref().is_none_or(|heir| heir.number != number) {
            return;
        }
        match news {
            HeirNews::Said(Word::Ready) => self.feed(Event::HeirReady),
            HeirNews::Said(Word::TookOver) => self.feed(Event::HeirTookOver),
            HeirNews::Said(word @ (Word::Complete | Word::TakeOver)) => {
                error!("[master] upgrade: the new master says {word:?}, which is not its to say");
                self.feed(Event::HeirSilent);
            }
            HeirNews::Silent { fault } => {
                if let Some(fault) = fault {
                    error!("[master] upgrade: {fault}");
                }
                self.feed(Event::HeirSilent);
            }
            HeirNews::Exited { exit } => {
                self.heirs.current = None;
                self.feed(Event::HeirExited { exit });
            }
        }
    }

    pub(super) fn let_heir_take_over(&self) {
        if let Some(heir) = &self.heirs.current {
            // If it is gone its end is on the way here.
            let _ = estate::say(heir.socket.as_fd(), Word::TakeOver);
        }
    }

    /// It, and whatever it has started. Its workers serve nobody yet.
    pub(super) fn kill_heir(&self) {
        let Some(heir) = &self.heirs.current else { return };
        // Stopped first, so that it starts nobody while its tree is read.
        let _ = heir.child.send_signal(Signal::STOP);
        let descendants = process_tree::descendants(heir.child.pid());
        let _ = heir.child.send_signal(Signal::KILL);
        kill_all(&descendants);
    }

    pub(super) fn terminate_heir(&self) {
        if let Some(heir) = &self.heirs.current {
            let _ = heir.child.send_signal(Signal::TERM);
        }
    }

    /// The new master serves: what there can be once only is its own from now on.
    pub(super) fn bequeath(&mut self, heir: u32) {
        self.listeners.leave();
        if let Some(pid_file) = &self.pid_file {
            pid_file.leave();
        }
        self.notify(Notification::MainPid(heir));
    }

    /// A word to the service manager, where one listens.
    pub(super) fn notify(&self, notification: Notification) {
        if let Some(socket) = self.variable("NOTIFY_SOCKET")
            && let Err(error) = service_manager::notify(socket, notification)
        {
            error!("[master] the service manager could not be told ({notification:?}): {}", chain(&error));
        }
    }

    /// There is no new master after all. It may have come so far as to write the pid file and to open its control socket.
    pub(super) fn keep(&mut self) {
        self.reopen_control();
        if let Some(Err(error)) = self.pid_file.as_ref().map(|file| file.write()) {
            error!("[master] {error}");
        }
    }

    /// systemd has started this very process (systemd.exec(5), `SYSTEMD_EXEC_PID`), and has no way to learn of another one.
    fn is_bound_to_service(&self) -> bool {
        let is_main = self.variable("SYSTEMD_EXEC_PID").is_some_and(|pid| *pid == *std::process::id().to_string());
        is_main && self.variable("NOTIFY_SOCKET").is_none()
    }

    /// `egg-clutch start` has started it, and waits for its end.
    fn is_in_foreground(&self) -> bool {
        let parent = std::os::unix::process::parent_id().to_string();
        self.variable(FOREGROUND_VARIABLE).is_some_and(|pid| *pid == *parent)
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        let mut pairs = self.config.env.iter().map(|pair| pair.as_bytes());
        pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")).map(OsStr::from_bytes)
    }
}

async fn listen(number: u32, socket: Rc<Watched>, happenings: mpsc::Sender<Happening>) {
    let said = |word| Happening::Heir { number, news: HeirNews::Said(word) };
    let fault = listen_to_it(&socket, &happenings, said).await;
    // Where it has ended, its end says more.
    tokio::time::sleep(LAST_WORDS).await;
    let _ = happenings.send(Happening::Heir { number, news: HeirNews::Silent { fault } }).await;
}

async fn wait_for_exit(number: u32, pidfd: Watched, child: Rc<Child>, happenings: mpsc::Sender<Happening>) {
    loop {
        let Ok(mut ready) = pidfd.readable().await else { return };
        let exit = match child.try_reap() {
            Ok(Some(status)) => child_process::exit_of(status),
            Ok(None) => {
                ready.clear_ready();
                continue;
            }
            // Somebody else reaped it: how it ended is lost, that it ended is not.
            Err(_) => Exit::Code(-1),
        };
        let _ = happenings.send(Happening::Heir { number, news: HeirNews::Exited { exit } }).await;
        return;
    }
}
