//! Words for what the supervisor reports: the log lines that egg's tools match on, and the events that JavaScript sees.

use std::time::Duration;

use serde_json::json;
use tracing::{debug, error, info, warn};

use super::config::MasterConfig;
use super::console::CFORK;
use super::{service_reports, thread_reports};
use crate::message::address::{Occupant, WorkerId};
use crate::slot::{ClusterState, Exit};
use crate::supervisor::{ListeningAddress, Refork, Report};

/// Logs a report. Lines that egg calls chatty go to DEBUG in a quiet environment.
/// `reforks` is how many workers have been forked anew, this report included.
pub fn log(report: &Report, config: &MasterConfig, reforks: u32) {
    if config.threads && thread_reports::log(report, config) || service_reports::log(report, config) {
        return;
    }
    match report {
        Report::AgentForked { .. }
        | Report::AgentStarted { .. }
        | Report::AgentDied { .. }
        | Report::AgentRefillPlanned { .. }
        | Report::AgentRefillStarting
        | Report::AgentStartFailed { .. } => log_agent(report, config),
        Report::AppsStarting
        | Report::AppForked { .. }
        | Report::AppListening { .. }
        | Report::AppStarted { .. }
        | Report::AppStartFailed { .. }
        | Report::SlotRefillPlanned { .. } => log_app_start(report, config),
        Report::AppDisconnected { .. }
        | Report::AppExited { .. }
        | Report::AppDied { .. }
        | Report::AppRefilled { .. } => log_app_loss(report, config, reforks),
        Report::Ready { .. } | Report::KilledByDebugger | Report::CapacityLost { .. } => log_cluster(report, config),
        Report::StopStarted { .. }
        | Report::StoppingApps { .. }
        | Report::StoppingAgent { .. }
        | Report::Overdue { .. }
        | Report::Abandoned { .. }
        | Report::StopDone => log_stop(report, config),
        _ => {}
    }
}

/// Egg 4's layer words some lines differently, as its fork library does, and names a worker by its id as well.
pub(super) fn is_egg_4(config: &MasterConfig) -> bool {
    config.announce_agent_pid
}

fn chatty(config: &MasterConfig, text: &str) {
    if config.quiet { debug!("{text}") } else { info!("{text}") }
}

fn log_agent(report: &Report, config: &MasterConfig) {
    match report {
        Report::AgentForked { number, pid } => {
            let cluster_port = cluster_port(config);
            chatty(config, &format!("[master] agent_worker#{number}:{pid} start with clusterPort:{cluster_port}"));
        }
        Report::AgentStarted { number, pid, took } => {
            info!("[master] agent_worker#{number}:{pid} started ({}ms)", took.as_millis());
        }
        Report::AgentDied { number, pid, exit, .. } => {
            let (code, signal) = code_and_signal(*exit);
            error!(
                error_name = "AgentWorkerDiedError",
                "[master] agent_worker#{number}:{pid} died (code: {code}, signal: {signal})"
            );
        }
        Report::AgentRefillPlanned { after } => {
            chatty(config, &format!("[master] try to start a new agent_worker after {} ...", in_seconds(*after)));
        }
        Report::AgentRefillStarting => info!("[master] new agent_worker starting..."),
        Report::AgentStartFailed { number, pid } => {
            error!("[master] agent_worker#{number}:{pid} start fail, exiting with code:1");
        }
        _ => {}
    }
}

fn log_app_start(report: &Report, config: &MasterConfig) {
    match report {
        Report::AppsStarting => {
            let args = json!([config.options_json]);
            chatty(config, &format!("[master] start appWorker with args {args} (process)"));
        }
        Report::AppForked { number, pid, current, .. } => chatty(
            config,
            &format!("[master] app_worker#{number}:{pid} start, state: none, current workers: {}", quoted(current)),
        ),
        Report::AppListening { number, pid, address } if !is_egg_4(config) => {
            info!("[master] app_worker#{number}:{pid} listening on {}", address_json(address));
        }
        Report::AppStarted { number, pid, port, remain, took, .. } => chatty(
            config,
            &format!("[master] app_worker#{number}:{pid} started at {port}, remain {remain} ({}ms)", took.as_millis()),
        ),
        Report::AppStartFailed { number, pid } => {
            error!("[master] app_worker#{number}:{pid} start fail, exiting with code:1");
        }
        Report::SlotRefillPlanned { slot, after, failures, is_slow, .. } => {
            let why = if *is_slow { "too many deaths in the cluster" } else { "it keeps dying" };
            warn!(
                "[master] slot {slot} is filled again after {} ({failures} deaths in a row, {why})",
                in_seconds(*after)
            );
        }
        _ => {}
    }
}

fn log_app_loss(report: &Report, config: &MasterConfig, reforks: u32) {
    let slave = if is_egg_4(config) { ", isSlave: false, slaveIndex: " } else { "" };
    let refork_count = if is_egg_4(config) { format!(", reforkCount: {reforks}") } else { String::new() };
    match report {
        Report::AppDisconnected { number, pid, on_purpose, state, is_dead, current, refork } => {
            cfork(
                *refork,
                &format!(
                    "worker:{pid} disconnect (exitedAfterDisconnect: {on_purpose}, state: {}, isDead: {is_dead}, worker.disableRefork: {}{slave})",
                    state.as_str(),
                    *refork == Refork::Disabled
                ),
            );
            match refork {
                Refork::Disabled => cfork(*refork, &format!("don't fork, because worker:{pid} will be kill soon")),
                Refork::Off => cfork(*refork, &format!("don't fork new work (refork: false{refork_count})")),
                Refork::Wanted => {}
            }
            let text = format!(
                "[master] app_worker#{number}:{pid} disconnect, suicide: {on_purpose}, state: {}, current workers: {}",
                state.as_str(),
                quoted(current)
            );
            if is_egg_4(config) { chatty(config, &text) } else { info!("{text}") }
        }
        Report::AppExited { pid, exit, on_purpose, after_disconnect, refork, .. } => {
            let (code, _) = code_and_signal(*exit);
            let is_disabled = *refork == Refork::Disabled;
            // The fork library expects an exit only where it looked for a successor at the disconnect before it.
            let is_expected = *after_disconnect && !is_disabled;
            cfork(
                *refork,
                &format!(
                    "worker:{pid} exit (code: {code}, exitedAfterDisconnect: {on_purpose}, state: {}, isDead: true, isExpected: {is_expected}, worker.disableRefork: {is_disabled}{slave})",
                    ClusterState::Dead.as_str(),
                ),
            );
        }
        Report::AppDied { number, pid, exit, on_purpose, state, current, by_debugger } => {
            let (code, signal) = code_and_signal(*exit);
            let text = format!(
                "[master] app_worker#{number}:{pid} died (code: {code}, signal: {signal}, suicide: {on_purpose}, state: {}), current workers: {}",
                state.as_str(),
                json!(current)
            );
            if *by_debugger { error!("{text}") } else { error!(error_name = "AppWorkerDiedError", "{text}") }
        }
        Report::AppRefilled { pid } if config.production => {
            cfork(Refork::Wanted, &format!("new worker:{pid} fork (state: none{refork_count})"));
        }
        _ => {}
    }
}

fn log_cluster(report: &Report, config: &MasterConfig) {
    let name = &config.framework_name;
    match report {
        Report::Ready { address, took, .. } => {
            let sticky = if config.sticky_worker_port.is_some() { " with STICKY MODE!" } else { "" };
            info!("[master] {name} started on {address} ({}ms){sticky}", took.as_millis());
            if let Some(port) = config.debug_port {
                let host = &config.shown_host;
                let verb = if is_egg_4(config) { "started debug port on" } else { "started on" };
                info!("[master] {name} {verb} http://{host}:{port}");
            }
        }
        Report::KilledByDebugger => error!("[master] worker kill by debugger, exiting..."),
        Report::CapacityLost { agents, workers } => {
            let properties = format!("count: {}", json!({ "agent": agents, "worker": workers }));
            error!(
                error_name = "ClusterWorkerExceptionError",
                error_properties = properties.as_str(),
                "[master] {agents} agent and {workers} worker(s) alive, exit to avoid unknown state"
            );
        }
        _ => {}
    }
}

fn log_stop(report: &Report, config: &MasterConfig) {
    match report {
        Report::StopStarted { signal: Some(signal) } => {
            info!("[master] master is killed by signal {signal}, closing");
        }
        Report::StoppingApps { within } => {
            let ms = within.as_millis();
            info!("[master] send kill SIGTERM to app workers, will exit with code:0 after {ms}ms");
            info!("[master] wait {ms}ms");
        }
        Report::StoppingAgent { within, present } => {
            let ms = within.as_millis();
            info!("[master] send kill SIGTERM to agent worker, will exit with code:0 after {ms}ms");
            info!("[master] wait {ms}ms");
            if *present && !config.threads {
                chatty(config, "[master] kill agent worker with signal SIGTERM");
            }
        }
        Report::Overdue { who, number, pid, is_booting } => {
            let kind = who.seat.log_name();
            let why = if *is_booting {
                "has not become ready in time"
            } else {
                "is still there long after its channel closed"
            };
            error!("[master] {kind}#{number}:{pid} {why}, it is asked to leave");
        }
        Report::Abandoned { number, pid, is_agent } => {
            let (kind, pid) = (kind(*is_agent), pid.unwrap_or_default());
            warn!("[master] {kind}#{number}:{pid} is still there after SIGKILL, it is not waited for any more");
        }
        Report::StopDone => chatty(config, "[master] close done, exiting with code:0"),
        _ => {}
    }
}

/// What a process is called in lines for people, where its seat is not at hand.
pub(super) fn kind(is_agent: bool) -> &'static str {
    if is_agent { "agent_worker" } else { "app_worker" }
}

/// One line of the fork library: to stdout while its reforking is disabled, else to stderr, as its users know it.
fn cfork(refork: Refork, text: &str) {
    if refork == Refork::Disabled { info!(target: CFORK, "{text}") } else { error!(target: CFORK, "{text}") }
}

/// What JavaScript is told of a report; none for what only people read.
#[must_use]
pub fn event(report: &Report) -> Option<serde_json::Value> {
    let value = match report {
        Report::AgentForked { number, pid } => json!({ "type": "agent-started", "id": number.0, "pid": pid }),
        Report::AgentDied { number, pid, exit, reason } => json!({
            "type": "agent-exited", "id": number.0, "pid": pid,
            "code": exit.code(), "signal": exit.signal(), "reason": reason.as_str(),
        }),
        Report::AppForked { who, number, pid, .. } => worker_event("worker-started", *who, *number, *pid),
        Report::AppStarted { who, number, pid, .. } => worker_event("worker-ready", *who, *number, *pid),
        Report::AppExited { who, number, pid, exit, reason, .. } => {
            let mut value = worker_event("worker-exited", *who, *number, *pid);
            value["code"] = json!(exit.code());
            value["signal"] = json!(exit.signal());
            value["reason"] = json!(reason.as_str());
            value
        }
        _ => service_reports::event(report)?,
    };
    Some(value)
}

pub(super) fn worker_event(kind: &str, who: Occupant, number: WorkerId, pid: u32) -> serde_json::Value {
    json!({ "type": kind, "id": number.0, "pid": pid, "slot": who.seat.slot(), "generation": who.generation.0 })
}

fn cluster_port(config: &MasterConfig) -> String {
    let options: serde_json::Value = serde_json::from_str(&config.options_json).unwrap_or_default();
    options["clusterPort"].as_u64().map_or_else(|| "undefined".to_owned(), |port| port.to_string())
}

/// Both as JavaScript prints them: `null` for the one that does not apply.
fn code_and_signal(exit: Exit) -> (String, &'static str) {
    let code = exit.code().map_or_else(|| "null".to_owned(), |code| code.to_string());
    (code, exit.signal().unwrap_or("null"))
}

fn quoted(ids: &[WorkerId]) -> String {
    json!(ids.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string()
}

/// The members in the order in which Node's cluster module has them.
fn address_json(address: &ListeningAddress) -> String {
    let ListeningAddress { address_type, address, port } = address;
    format!(r#"{{"addressType":{address_type},"address":{},"port":{}}}"#, json!(address), json!(port))
}

fn in_seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}
