//! [`MasterConfig`]: what the door hands over; checked there, immutable here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::console::LogFormat;
use super::doorstep::StickyConfig;
use super::watch::StuckConfig;
use crate::control::ControlConfig;
use crate::listen::balance::Balance;
use crate::message::address::Occupant;
use crate::slot::RecyclePolicy;
use crate::supervisor::{RestartPolicy, SupervisorConfig};

/// What the processes of one role run.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The script.
    pub script: OsString,
    /// Node's own arguments for it, besides those for every worker.
    pub exec_argv: Vec<OsString>,
    /// True for one that is restored from a snapshot: nothing of ours can be loaded into it.
    pub is_restored: bool,
}

/// Everything the master needs to run a cluster.
#[derive(Clone, Debug)]
pub struct MasterConfig {
    /// The node binary (`process.execPath`).
    pub exec_path: OsString,
    /// Node's own arguments for every worker (`process.execArgv`).
    pub exec_argv: Vec<OsString>,
    /// What the agent runs.
    pub agent: Entry,
    /// What the app workers run.
    pub app: Entry,
    /// The environment of the workers, `K=V`.
    pub env: Vec<OsString>,
    /// The parsed options as JSON: the argument of the workers and the data of `egg-ready`.
    pub options_json: String,
    /// False where messages between workers go by the master.
    pub switchboard: bool,
    /// How many bytes of messages may wait for one worker.
    pub max_queue: usize,
    /// How connections are spread over the workers.
    pub balance: Balance,
    /// False where connections go to the workers by Node's channel.
    pub lanes: bool,
    /// True where agent and apps are threads of this process.
    pub threads: bool,
    /// True where several apps can listen on one port.
    pub shares_sockets: bool,
    /// How many app workers.
    pub workers: u32,
    /// The framework's name, for the log.
    pub framework_name: String,
    /// egg's "production": dead apps are replaced, the health check runs.
    pub production: bool,
    /// True where the chatty lines are DEBUG.
    pub quiet: bool,
    /// The least level that is logged, by egg's names.
    pub log_level: String,
    /// How lines of the log look.
    pub log_format: LogFormat,
    /// True where a debugger is meant to be attached.
    pub is_debug: bool,
    /// The agent's inspect port.
    pub agent_inspect_port: u16,
    /// The master's inspect port; the apps get the ones after it.
    pub inspect_port: u16,
    /// The configured port.
    pub port: Option<u16>,
    /// The port that apps listen on in sticky mode; none in any other mode.
    pub sticky_worker_port: Option<u16>,
    /// How clients are known again in sticky mode.
    pub sticky: StickyConfig,
    /// The configured protocol.
    pub protocol: String,
    /// The port of the plain http server beside https.
    pub debug_port: Option<u16>,
    /// Where to write the master's pid.
    pub pid_file: Option<PathBuf>,
    /// The node binary by which a new master in the place of this one is started.
    pub own_exec_path: OsString,
    /// All arguments behind it, Node's own first.
    pub own_args: Vec<OsString>,
    /// The descriptor by which the master before this one tells what it leaves.
    pub inherited: Option<i32>,
    /// How long apps may take to leave.
    pub app_close_timeout: Duration,
    /// How long the agent may take to leave.
    pub agent_close_timeout: Duration,
    /// The host shown for a wildcard address.
    pub shown_host: String,
    /// True where egg 4's sequence of `egg-pids` is expected.
    pub announce_agent_pid: bool,
    /// What becomes of processes that stand still; none where they are not watched.
    pub stuck: Option<StuckConfig>,
    /// When workers are renewed; none where they are not.
    pub recycle: Option<RecyclePolicy>,
    /// The files of our cgroups that count kills for want of memory.
    pub oom_files: Vec<String>,
    /// How long a process may boot.
    pub boot_timeout: Duration,
    /// How many app workers are booted to take over when one is lost.
    pub spares: u32,
    /// How many apps boot at the same time while the cluster starts.
    pub boots_at_once: u32,
    /// How many slots a reload renews at once.
    pub reload_concurrency: u32,
    /// Whether a reload renews the agent as well, where it is not said.
    pub reload_agent: bool,
    /// How long the cluster still serves after it was asked to stop.
    pub pre_stop_delay: Duration,
    /// When lost processes are replaced.
    pub restart: RestartPolicy,
    /// Where the cluster can be seen.
    pub control: ControlConfig,
}

/// egg-cluster's delay before a new agent.
const AGENT_REFORK_DELAY: Duration = Duration::from_secs(1);

/// egg-cluster's delay before a dead app thread is started again.
const THREAD_PAUSE: Duration = Duration::from_secs(1);

impl MasterConfig {
    /// The supervisor's share. `inherits`: whether another master serves until this one is ready to.
    #[must_use]
    pub fn supervisor(&self, inherits: bool, seed: u64) -> SupervisorConfig {
        // No pause is asked of processes, and threads have one whatever is asked.
        let pause = if self.threads { THREAD_PAUSE } else { Duration::ZERO };
        SupervisorConfig {
            workers: self.workers,
            refork: self.production || self.threads,
            checks_health: self.production,
            shares_sockets: self.shares_sockets,
            is_debug: self.is_debug,
            port: self.port,
            sticky_worker_port: self.sticky_worker_port,
            protocol: self.protocol.clone(),
            shown_host: self.shown_host.clone(),
            app_close_timeout: self.app_close_timeout,
            agent_close_timeout: self.agent_close_timeout,
            boot_timeout: self.boot_timeout,
            agent_refork_delay: AGENT_REFORK_DELAY,
            announce_agent_pid: self.announce_agent_pid,
            spares: self.spares,
            boots_at_once: self.boots_at_once,
            reload_concurrency: self.reload_concurrency,
            reload_agent: self.reload_agent,
            pre_stop_delay: self.pre_stop_delay,
            inherits,
            restart: RestartPolicy { pause, ..self.restart },
            seed,
        }
    }

    /// What a process runs.
    #[must_use]
    pub fn entry(&self, who: Occupant) -> &Entry {
        if who.is_agent() { &self.agent } else { &self.app }
    }

    /// Node's rule for `--inspect-port` of cluster workers: where an inspect flag stands among the arguments or in `NODE_OPTIONS`.
    #[must_use]
    pub fn has_inspect_flag(&self) -> bool {
        let is_flag = |text: &str| text.contains("--inspect") || text.contains("--debug-port");
        let options = self.env.iter().filter_map(|pair| pair.to_str()?.strip_prefix("NODE_OPTIONS="));
        self.exec_argv.iter().filter_map(|argument| argument.to_str()).chain(options).any(is_flag)
    }
}
