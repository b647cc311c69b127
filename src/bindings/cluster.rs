//! [`Cluster`]: the master as a JavaScript object. One per master; its methods may be called on the thread that made it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use napi::Error;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use super::entry::EntryConfig;
use crate::error::ClusterError;
use crate::master::{
    AdminConfig, Balance, ControlConfig, IntensityEnd, LogFormat, MasterConfig, MasterHandle, RecyclePolicy, Request,
    RequestId, Resize, RestartPolicy, StickyBy, StickyConfig, StuckConfig, ThreadKey, ThreadNews, Ticket, UpgradePlan,
};
use crate::message::address::{Origin, WorkerId};

/// Everything the master needs, checked by `lib/options.js`.
#[napi(object)]
pub struct ClusterConfig {
    /// The node binary of the workers (`process.execPath`).
    pub exec_path: String,
    /// Node's own arguments for the workers (`process.execArgv`).
    pub exec_argv: Vec<String>,
    /// What the agent runs.
    pub agent: EntryConfig,
    /// What the app workers run.
    pub app: EntryConfig,
    /// The environment of all workers, `K=V`.
    pub env: Vec<String>,
    /// The parsed options as compact JSON: the workers' argument and the data of `egg-ready`.
    pub options_json: String,
    /// True where agent and apps are threads of this process: `onEvent` then asks for them (`thread-start`, `thread-post`,
    /// `thread-relay`, `thread-replay`, `thread-forget`, `thread-terminate`), and the `thread…` methods answer. They go by a number that the event brings.
    pub threads: bool,
    /// True where several apps can listen on one port: processes always, threads with sockets that reuse it.
    pub shares_sockets: bool,
    /// False where messages between workers go by the master.
    pub switchboard: bool,
    /// How many bytes of messages may wait in the master for one worker.
    pub max_queue_bytes: f64,
    /// `least-busy`, `round-robin` or `kernel`.
    pub balance: String,
    /// False where connections go to the workers by Node's channel.
    pub lanes: bool,
    /// How many app workers; at least 1.
    pub workers: u32,
    /// The framework's name, for the log.
    pub framework_name: String,
    /// egg's "production": dead apps are replaced and the health check runs.
    pub production: bool,
    /// True where the chatty log lines are DEBUG.
    pub quiet: bool,
    /// The least level that is logged, by egg's names (`INFO`).
    pub log_level: String,
    /// True where lines of the log are JSON objects.
    pub logs_json: bool,
    /// True where a debugger is meant to be attached.
    pub is_debug: bool,
    /// The agent's inspect port; 5800 if absent.
    pub agent_inspect_port: Option<u16>,
    /// The master's inspect port; 9229 if absent. The apps get the ones after it.
    pub inspect_port: Option<u16>,
    /// The configured port.
    pub port: Option<u16>,
    /// The port that apps listen on in sticky mode; absent in any other mode.
    pub sticky_worker_port: Option<u16>,
    /// By what clients are known again in sticky mode: `address` (if absent), `proxy-protocol`, `header` or `cookie`.
    pub sticky_by: Option<String>,
    /// The name of that header or cookie.
    pub sticky_name: Option<String>,
    /// How long a client may take to say it, in milliseconds.
    pub sticky_wait_ms: Option<u32>,
    /// `http` or `https`.
    pub protocol: String,
    /// The port of the plain http server beside https.
    pub debug_port: Option<u16>,
    /// Where to write the master's pid.
    pub pid_file: Option<String>,
    /// The node binary by which a new master in the place of this one is started.
    pub own_exec_path: String,
    /// All arguments behind it, Node's own first.
    pub own_args: Vec<String>,
    /// The descriptor by which the master before this one tells what it leaves (env `EGG_CLUTCH_UPGRADE`); absent where there was none.
    pub inherited: Option<i32>,
    /// How long apps may take to leave, in milliseconds.
    pub app_close_timeout_ms: u32,
    /// How long the agent may take to leave, in milliseconds.
    pub agent_close_timeout_ms: u32,
    /// The host shown for a wildcard address (env `HOST`); `127.0.0.1` if absent.
    pub host: Option<String>,
    /// True where egg 4's sequence of `egg-pids` is expected.
    pub announce_agent_pid: bool,
    /// What becomes of processes that stand still; absent where they are not watched.
    pub stuck: Option<StuckOptions>,
    /// When workers are renewed; absent where they are not.
    pub recycle: Option<RecycleOptions>,
    /// The files of our cgroups that count kills for want of memory.
    pub oom_files: Vec<String>,
    /// How long a process may boot, in milliseconds.
    pub boot_timeout_ms: u32,
    /// How many app workers are booted to take over when one is lost.
    pub spares: u32,
    /// How many apps boot at the same time while the cluster starts.
    pub boots_at_once: u32,
    /// How many slots a reload renews at once; at least 1.
    pub reload_concurrency: u32,
    /// Whether a reload renews the agent as well, where it is not said.
    pub reload_agent: bool,
    /// How long the cluster still serves after it was asked to stop, in milliseconds.
    pub pre_stop_delay_ms: u32,
    /// When lost processes are replaced.
    pub restart: RestartConfig,
    /// The path of the control socket; absent for none.
    pub control_path: Option<String>,
    /// True where nobody asked for that path: the cluster does without where it cannot be had.
    pub control_is_default: bool,
    /// The admin port; absent for none.
    pub admin: Option<AdminOptions>,
}

/// The admin port.
#[napi(object)]
pub struct AdminOptions {
    /// The IP address to listen on.
    pub host: String,
    /// The port; 0 for any that is free.
    pub port: u16,
    /// Names by which it is spoken to, besides addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// When a worker is renewed. What is absent does not count.
#[napi(object)]
pub struct RecycleOptions {
    /// Resident memory of one worker, in bytes.
    pub memory: Option<f64>,
    /// Resident memory of agent and workers together, in bytes.
    pub cluster_memory: Option<f64>,
    /// Requests of one worker.
    pub requests: Option<u32>,
    /// Age of one worker, in milliseconds.
    pub age_ms: Option<u32>,
    /// By how large a share the limits of each worker differ.
    pub jitter: f64,
}

/// How long a process in service may run without coming back to its event loop.
#[napi(object)]
pub struct StuckOptions {
    /// From then on it gets no new connections, in milliseconds.
    pub steer_after_ms: u32,
    /// Then it is killed, in milliseconds.
    pub kill_after_ms: u32,
    /// Whether its JavaScript stack is taken before.
    pub stack: bool,
}

/// When lost processes are replaced.
#[napi(object)]
pub struct RestartConfig {
    /// The first delay after a life that was not healthy, in milliseconds.
    pub backoff_base_ms: u32,
    /// The longest delay, in milliseconds.
    pub backoff_cap_ms: u32,
    /// Who served for so many milliseconds was healthy.
    pub healthy_after_ms: u32,
    /// More restarts than this …
    pub intensity: u32,
    /// … within so many milliseconds lead to …
    pub intensity_period_ms: u32,
    /// … the end of the master, or else to the longest delay each.
    pub ends_master: bool,
}

/// What is asked of a running cluster; see the methods of index.d.ts.
#[napi(object)]
pub struct ClusterRequest {
    /// `reload`, `scale`, `grow`, `shrink`, `restart`, `restart-agent`, `isolate`, `rejoin` or `upgrade`.
    pub kind: String,
    /// An `answer` event with this number follows, where it is given.
    pub ticket: Option<u32>,
    /// For `reload`: whether the agent is renewed as well; the configuration's word if absent.
    pub agent: Option<bool>,
    /// For `scale`: how many app workers.
    pub workers: Option<u32>,
    /// For `restart`, `isolate`, `rejoin`: the number of the app worker.
    pub id: Option<u32>,
}

/// How a new master is started.
#[napi(object)]
pub struct MasterPlan {
    /// The node binary.
    pub exec_path: Option<String>,
    /// All arguments behind it, Node's own first.
    pub args: Option<Vec<String>>,
    /// The whole environment, `K=V`.
    pub env: Option<Vec<String>>,
    /// How long it may take until it is ready, in milliseconds.
    pub timeout_ms: Option<u32>,
}

impl From<MasterPlan> for UpgradePlan {
    fn from(plan: MasterPlan) -> Self {
        let list = |texts: Vec<String>| texts.into_iter().map(Into::into).collect();
        Self {
            exec_path: plan.exec_path.map(Into::into),
            args: plan.args.map(list),
            env: plan.env.map(list),
            timeout: plan.timeout_ms.map(millis),
        }
    }
}

/// The master of one cluster.
#[napi]
pub struct Cluster {
    handle: MasterHandle,
}

#[napi]
impl Cluster {
    /// Writes the pid file and starts the master's thread; nothing is forked yet. `onEvent` gets each event as JSON text
    /// and keeps the event loop alive.
    ///
    /// Throws `ERR_CLUTCH_OPTION` or `ERR_CLUTCH_BOOT`.
    #[napi(constructor)]
    pub fn new(config: ClusterConfig, on_event: Function<'_, String, ()>) -> napi::Result<Self, String> {
        let config = MasterConfig::try_from(config).map_err(|error| to_js(&error))?;
        let on_event = on_event
            .build_threadsafe_function()
            .build()
            .map_err(|error| Error::new("ERR_CLUTCH_BOOT".to_owned(), error.reason.clone()))?;
        let sink = Arc::new(move |event: String| {
            on_event.call(event, ThreadsafeFunctionCallMode::NonBlocking);
        });
        let handle = MasterHandle::new(config, sink).map_err(|error| to_js(&error))?;
        Ok(Self { handle })
    }

    /// Forks the agent; the rest follows, told by events.
    #[napi]
    pub fn start(&mut self) -> napi::Result<(), String> {
        self.handle.start().map_err(|error| to_js(&error))
    }

    /// Begins an orderly stop, which ends with an `exit` event; a second call changes nothing. `signal` is the name of the
    /// signal that asked for it, empty for none; `lines` are logged after the line that names it.
    #[napi]
    pub fn stop(&self, signal: String, lines: Vec<String>) -> napi::Result<(), String> {
        let signal = (!signal.is_empty()).then_some(signal);
        self.handle.stop(signal, lines).map_err(|error| to_js(&error))
    }

    /// Routes one message, given as JSON text. `origin` is `parent` or `master`.
    #[napi]
    pub fn deliver(&self, origin: String, message: String) -> napi::Result<(), String> {
        let origin = match origin.as_str() {
            "parent" => Origin::Parent,
            "master" => Origin::Master,
            _ => {
                let error = ClusterError::Option { name: "origin", expected: "'parent' or 'master'", found: origin };
                return Err(to_js(&error));
            }
        };
        self.handle.deliver(origin, message).map_err(|error| to_js(&error))
    }

    /// Logs one line in egg's console format; written when this returns. `level` is `debug`, `info`, `warn` or `error`.
    #[napi]
    pub fn log(&self, level: String, text: String) {
        let level = match level.as_str() {
            "error" => tracing::Level::ERROR,
            "warn" => tracing::Level::WARN,
            "info" => tracing::Level::INFO,
            _ => tracing::Level::DEBUG,
        };
        self.handle.log(level, &text);
    }

    /// A thread that was asked for runs; `threadId` is its id in Node and its address in messages.
    #[napi]
    pub fn thread_started(&self, thread: u32, thread_id: u32) -> napi::Result<(), String> {
        self.note_thread(ThreadNews::Started { thread: ThreadKey(thread), id: thread_id })
    }

    /// A thread that was asked for could not be made.
    #[napi]
    pub fn thread_not_started(&self, thread: u32, reason: String) -> napi::Result<(), String> {
        self.note_thread(ThreadNews::NotStarted { thread: ThreadKey(thread), reason })
    }

    /// A thread sent a message. `header` is its routing fields as JSON text; a `thread-relay` with this `ticket` says whom it is for.
    #[napi]
    pub fn thread_said(&self, thread: u32, ticket: u32, header: String) -> napi::Result<(), String> {
        self.note_thread(ThreadNews::Said { thread: ThreadKey(thread), ticket: Ticket(ticket), header })
    }

    /// A thread has ended, after everything that it sent.
    #[napi]
    pub fn thread_exited(&self, thread: u32, code: i32) -> napi::Result<(), String> {
        self.note_thread(ThreadNews::Exited { thread: ThreadKey(thread), code })
    }

    fn note_thread(&self, news: ThreadNews) -> napi::Result<(), String> {
        self.handle.note_thread(news).map_err(|error| to_js(&error))
    }

    /// Asks something of the running cluster.
    ///
    /// Throws `ERR_CLUTCH_OPTION` where the request is none, `ERR_CLUTCH_CLOSED`.
    #[napi]
    pub fn request(&self, request: ClusterRequest) -> napi::Result<(), String> {
        let ticket = request.ticket.map(RequestId);
        let request = Request::try_from(request).map_err(|error| to_js(&error))?;
        self.handle.request(request, ticket).map_err(|error| to_js(&error))
    }

    /// Starts a new master in the place of this one. What is absent in `plan` is as it was for this one. An `answer` event with this `ticket`
    /// follows.
    #[napi]
    pub fn upgrade(&self, plan: MasterPlan, ticket: u32) -> napi::Result<(), String> {
        self.handle.upgrade(plan.into(), Some(RequestId(ticket))).map_err(|error| to_js(&error))
    }

    /// Answers an `environment` event: the environment that processes are forked with, `K=V`.
    #[napi]
    pub fn set_environment(&self, env: Vec<String>) -> napi::Result<(), String> {
        let env = env.into_iter().map(Into::into).collect();
        self.handle.set_environment(env).map_err(|error| to_js(&error))
    }

    /// A snapshot of the cluster as JSON text.
    #[napi]
    pub fn status(&self) -> napi::Result<String, String> {
        self.handle.status().map_err(|error| to_js(&error))
    }

    /// Asks for the JavaScript stack of the process with this pid, also of one that stands still. The answer is an event `stack` with this
    /// `ticket`, within a little more than a second; its `stack` is `null` where the process is idle or blocked outside of JavaScript,
    /// or there is none.
    #[napi]
    pub fn ask_stack(&self, pid: u32, ticket: u32) -> napi::Result<(), String> {
        self.handle.ask_stack(pid, ticket).map_err(|error| to_js(&error))
    }

    /// Where the master has pid 1: reaps adopted processes that had ended already at the last call of this. To be called after SIGCHLD,
    /// each time on another turn of the event loop.
    #[napi]
    pub fn reap_adopted(&self) -> napi::Result<(), String> {
        self.handle.reap_adopted().map_err(|error| to_js(&error))
    }

    /// Notes from now on who sends this process a signal: a stop that one asks for says so. To be called when all who listen for signals
    /// are there.
    #[napi]
    pub fn watch_signals(&self) {
        self.handle.watch_signals();
    }

    /// To be called at the event that tells JavaScript to exit. Where it is not, within the close time-outs, the process is ended without it.
    #[napi]
    pub fn end_heard(&self) {
        self.handle.note_end_heard();
    }

    /// To be called from process 'exit': logs the exit code, and removes the pid file and the name of the control socket.
    #[napi]
    pub fn exiting(&self, code: i32) {
        self.handle.note_exiting(code);
    }
}

/// An error as JavaScript sees it: `code` is stable, the message names the operand.
pub(super) fn to_js(error: &ClusterError) -> Error<String> {
    Error::new(error.code().to_owned(), error.to_string())
}

impl From<RecycleOptions> for RecyclePolicy {
    fn from(options: RecycleOptions) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes; out of range saturates")]
        let bytes = |bytes: f64| bytes as u64;
        Self {
            memory: options.memory.map(bytes),
            cluster_memory: options.cluster_memory.map(bytes),
            requests: options.requests.map(u64::from),
            age: options.age_ms.map(|ms| Duration::from_millis(u64::from(ms))),
            jitter: options.jitter,
        }
    }
}

impl TryFrom<ClusterConfig> for MasterConfig {
    type Error = ClusterError;

    fn try_from(config: ClusterConfig) -> Result<Self, ClusterError> {
        if config.workers == 0 {
            let found = config.workers.to_string();
            return Err(ClusterError::Option { name: "workers", expected: "at least 1", found });
        }
        for (name, text) in [("options", &config.options_json), ("execPath", &config.exec_path)] {
            // An argument of a process cannot hold one.
            if text.contains('\0') {
                let found = "a NUL character".to_owned();
                return Err(ClusterError::Option { name, expected: "text without NUL", found });
            }
        }
        let by = config.sticky_by.unwrap_or_else(|| "address".to_owned());
        let expected = "address, proxy-protocol, header or cookie";
        let sticky = StickyConfig {
            by: StickyBy::from_names(&by, config.sticky_name).ok_or(ClusterError::Option {
                name: "stickyBy",
                expected,
                found: by,
            })?,
            wait: millis(config.sticky_wait_ms.unwrap_or_default()),
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size; out of range saturates")]
        let max_queue = config.max_queue_bytes as usize;
        let balance = Balance::from_name(&config.balance).ok_or_else(|| ClusterError::Option {
            name: "balance",
            expected: "'least-busy', 'round-robin' or 'kernel'",
            found: config.balance.clone(),
        })?;
        Ok(Self {
            exec_path: config.exec_path.into(),
            exec_argv: config.exec_argv.into_iter().map(Into::into).collect(),
            agent: config.agent.into(),
            app: config.app.into(),
            env: config.env.into_iter().map(Into::into).collect(),
            options_json: config.options_json,
            threads: config.threads,
            switchboard: config.switchboard,
            max_queue,
            balance,
            lanes: config.lanes,
            shares_sockets: config.shares_sockets,
            workers: config.workers,
            framework_name: config.framework_name,
            production: config.production,
            quiet: config.quiet,
            log_level: config.log_level,
            log_format: if config.logs_json { LogFormat::Json } else { LogFormat::Egg },
            is_debug: config.is_debug,
            agent_inspect_port: config.agent_inspect_port.unwrap_or(5800),
            inspect_port: config.inspect_port.unwrap_or(9229),
            port: config.port,
            sticky_worker_port: config.sticky_worker_port,
            sticky,
            protocol: config.protocol,
            debug_port: config.debug_port,
            pid_file: config.pid_file.map(PathBuf::from),
            own_exec_path: config.own_exec_path.into(),
            own_args: config.own_args.into_iter().map(Into::into).collect(),
            inherited: config.inherited,
            app_close_timeout: millis(config.app_close_timeout_ms),
            agent_close_timeout: millis(config.agent_close_timeout_ms),
            shown_host: config.host.unwrap_or_else(|| "127.0.0.1".to_owned()),
            announce_agent_pid: config.announce_agent_pid,
            oom_files: config.oom_files,
            recycle: config.recycle.map(Into::into),
            stuck: config.stuck.map(|stuck| StuckConfig {
                steer_after: Duration::from_millis(u64::from(stuck.steer_after_ms)),
                kill_after: Duration::from_millis(u64::from(stuck.kill_after_ms)),
                takes_stack: stuck.stack,
                kills: config.production && !config.is_debug,
            }),
            boot_timeout: millis(config.boot_timeout_ms),
            spares: config.spares,
            boots_at_once: config.boots_at_once,
            reload_concurrency: config.reload_concurrency.max(1),
            reload_agent: config.reload_agent,
            pre_stop_delay: millis(config.pre_stop_delay_ms),
            restart: config.restart.into(),
            control: ControlConfig {
                path: config.control_path.map(PathBuf::from),
                is_default: config.control_is_default,
                admin: config.admin.map(AdminConfig::try_from).transpose()?,
            },
        })
    }
}

impl From<RestartConfig> for RestartPolicy {
    fn from(config: RestartConfig) -> Self {
        Self {
            pause: Duration::ZERO,
            backoff_base: millis(config.backoff_base_ms),
            backoff_cap: millis(config.backoff_cap_ms),
            healthy_after: millis(config.healthy_after_ms),
            intensity: config.intensity,
            intensity_period: millis(config.intensity_period_ms),
            then: if config.ends_master { IntensityEnd::Exit } else { IntensityEnd::Slow },
        }
    }
}

impl TryFrom<AdminOptions> for AdminConfig {
    type Error = ClusterError;

    fn try_from(AdminOptions { host, port, hosts }: AdminOptions) -> Result<Self, ClusterError> {
        match host.parse() {
            Ok(host) => Ok(Self { host, port, names: hosts }),
            Err(_) => Err(ClusterError::Option { name: "admin.host", expected: "an IP address", found: host }),
        }
    }
}

impl TryFrom<ClusterRequest> for Request {
    type Error = ClusterError;

    fn try_from(request: ClusterRequest) -> Result<Self, ClusterError> {
        let missing = |name| ClusterError::Option { name, expected: "a whole number from 1", found: "none".to_owned() };
        let worker = |id: Option<u32>| id.map(WorkerId).ok_or_else(|| missing("id"));
        Ok(match request.kind.as_str() {
            "reload" => Self::Reload { agent: request.agent },
            "scale" => Self::Resize(Resize::To(request.workers.ok_or_else(|| missing("workers"))?)),
            "grow" => Self::Resize(Resize::OneMore),
            "shrink" => Self::Resize(Resize::OneLess),
            "upgrade" => Self::Upgrade,
            "restart" => Self::Restart(worker(request.id)?),
            "restart-agent" => Self::RestartAgent,
            "isolate" => Self::Isolate(worker(request.id)?),
            "rejoin" => Self::Rejoin(worker(request.id)?),
            _ => {
                let found = request.kind;
                return Err(ClusterError::Option { name: "request", expected: "one that there is", found });
            }
        })
    }
}

fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
