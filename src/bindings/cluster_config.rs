//! [`ClusterConfig`]: what a master is made with, as JavaScript says it.

use std::path::PathBuf;
use std::time::Duration;

use napi_derive::napi;

use super::entry::EntryConfig;
use crate::error::ClusterError;
use crate::master::{
    AdminConfig, Balance, ControlConfig, IntensityEnd, LogFormat, MasterConfig, RecyclePolicy, RestartPolicy, StickyBy,
    StickyConfig, StuckConfig,
};

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

pub(super) fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
