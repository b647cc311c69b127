//! Words for what is asked of a running cluster and what becomes of it: log lines, events, and answers, as JSON text.

use std::time::Duration;

use serde_json::{Value, json};
use tracing::{debug, error, info, warn};

use super::config::MasterConfig;
use super::reports;
use crate::supervisor::{Answer, BootFailure, HeirFailure, Hindrance, Occupation, Refusal, Renewal, Report, RequestId};

/// Logs a report. Answers false for one that has its words elsewhere.
pub(super) fn log(report: &Report, config: &MasterConfig) -> bool {
    match report {
        Report::HeirStarted { pid } => info!("[master] upgrade: a new master boots, pid {pid}"),
        Report::Upgraded { pid } => info!("[master] upgrade: {pid} is the master from now on, this one drains"),
        Report::UpgradeFailed { failure } => {
            error!("[master] upgrade given up: {}, this one goes on", why_no_heir(failure))
        }
        Report::ReloadStarted { count } if reports::is_egg_4(config) => {
            chatty(config, &format!("[master] reload {count} workers..."));
        }
        Report::ReloadStarted { .. } => chatty(config, "[master] reload workers..."),
        Report::ReloadDone { count, .. } => chatty(config, &format!("[master] {count} workers reloaded")),
        Report::ReloadFailed { what, who, number, .. } => {
            let what = match what {
                Renewal::Reload => "reload",
                Renewal::Restart => "restart",
            };
            let kind = who.seat.log_name();
            error!("[master] {what} given up: {kind}#{number} did not get ready, the old workers go on");
        }
        Report::AgentRetired { number, pid, .. } => {
            info!("[master] agent_worker#{number}:{pid} has left for a new one");
        }
        Report::SpareReady { number, pid, .. } => {
            chatty(config, &format!("[master] app_worker#{number}:{pid} waits as a spare"))
        }
        Report::SpareTookOver { number, pid, place } => {
            info!("[master] app_worker#{number}:{pid} takes over place {}", place.0);
        }
        Report::ResizeStarted { from, to } => info!("[master] {from} app workers become {to}"),
        Report::ResizeDone { workers } => info!("[master] {workers} app workers now"),
        Report::Isolated { number, pid, .. } => {
            info!("[master] app_worker#{number}:{pid} is isolated, it gets no new connections");
        }
        Report::Rejoined { number, pid, .. } => info!("[master] app_worker#{number}:{pid} is in service again"),
        Report::Degraded { serving, target } => {
            let text = format!("[master] degraded: {serving} of {target} app workers are in service");
            // Where nobody is replaced, people know: they are developing.
            if config.production { warn!("{text}") } else { debug!("{text}") }
        }
        Report::Recovered { target } => {
            let text = format!("[master] recovered: {target} app workers are in service");
            if config.production { info!("{text}") } else { debug!("{text}") }
        }
        Report::RestartsExceeded { restarts, within } => {
            let within = in_seconds(*within);
            error!(
                "[master] more than {restarts} restarts within {within}, exiting with code:1 as options.restart.then says"
            );
        }
        Report::StopDelayed { signal, delay } => {
            let why =
                signal.as_deref().map_or_else(|| "a stop was asked for".to_owned(), |name| format!("signal {name}"));
            info!("[master] {why}: not ready any more, serving on for {} before closing", in_seconds(*delay));
        }
        Report::StopHurried { signal } => {
            info!("[master] signal {} again, closing sooner", signal.as_deref().unwrap_or_default());
        }
        _ => return false,
    }
    true
}

/// What JavaScript is told of a report; none for what only people read, or has its event elsewhere.
pub(super) fn event(report: &Report) -> Option<Value> {
    Some(match report {
        Report::AgentRetired { number, pid, exit, reason } | Report::AgentLeft { number, pid, exit, reason } => json!({
            "type": "agent-exited", "id": number.0, "pid": pid,
            "code": exit.code(), "signal": exit.signal(), "reason": reason.as_str(),
        }),
        Report::ReloadStarted { count } => json!({ "type": "reload-started", "count": count }),
        Report::ReloadDone { count, agent } => json!({ "type": "reload-done", "count": count, "agent": agent }),
        Report::ReloadFailed { what: Renewal::Reload, who, number, pid } => {
            reports::worker_event("reload-failed", *who, *number, pid.unwrap_or_default())
        }
        Report::SpareReady { who, number, pid } => reports::worker_event("spare-ready", *who, *number, *pid),
        Report::Isolated { who, number, pid } => reports::worker_event("worker-isolated", *who, *number, *pid),
        Report::Rejoined { who, number, pid } => reports::worker_event("worker-rejoined", *who, *number, *pid),
        Report::Upgraded { pid } => json!({ "type": "upgraded", "pid": pid }),
        Report::UpgradeFailed { failure } => json!({ "type": "upgrade-failed", "reason": why_no_heir(failure) }),
        Report::Degraded { serving, target } => json!({ "type": "degraded", "serving": serving, "target": target }),
        Report::Recovered { target } => json!({ "type": "recovered", "serving": target, "target": target }),
        Report::StopDelayed { signal, delay } => {
            let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            json!({ "type": "stopping", "signal": signal, "delay": ms })
        }
        _ => return None,
    })
}

/// The answer to a request: a value, or an error with its code.
///
/// `death` is what is on record of the process that did not get ready.
pub(super) fn answer(ticket: RequestId, answer: &Answer, death: Option<&Value>) -> String {
    let (member, value) = match value_of(answer, death) {
        Ok(value) => ("value", value),
        Err(error) => ("error", error),
    };
    let mut event = json!({ "type": "answer", "ticket": ticket.0 });
    event[member] = value;
    event.to_string()
}

/// What an answer says: a value, or an error with `code`, `message` and `facts`.
pub(super) fn value_of(answer: &Answer, death: Option<&Value>) -> Result<Value, Value> {
    match answer {
        Answer::Reloaded { workers, agent } => Ok(json!({ "workers": workers, "agent": agent })),
        Answer::Resized { workers } => Ok(json!({ "workers": workers })),
        Answer::Upgraded { pid } => Ok(json!({ "pid": pid })),
        Answer::Done => Ok(Value::Null),
        Answer::Refused(refusal) => {
            let (code, message, facts) = words_of(refusal, death);
            Err(json!({ "code": code, "message": message, "facts": facts }))
        }
    }
}

fn words_of(refusal: &Refusal, death: Option<&Value>) -> (&'static str, String, Option<Value>) {
    match refusal {
        Refusal::NotRunning => ("ERR_CLUTCH_CLOSED", "the cluster is not ready, or stops".to_owned(), None),
        Refusal::NoSuchWorker(number) => ("ERR_CLUTCH_OPTION", format!("id: there is no app worker {number}"), None),
        Refusal::NotInService(number) => {
            ("ERR_CLUTCH_OPTION", format!("id: app worker {number} is not in service"), None)
        }
        Refusal::LastInService(number) => {
            ("ERR_CLUTCH_OPTION", format!("id: app worker {number} is the last one in service"), None)
        }
        Refusal::NotIsolated(number) => {
            ("ERR_CLUTCH_OPTION", format!("id: app worker {number} was not isolated"), None)
        }
        Refusal::NoSharedSockets => (
            "ERR_CLUTCH_PLATFORM",
            "app workers with sockets of their own cannot be set apart, nor app threads with ports of their own be more or fewer".to_owned(),
            None,
        ),
        Refusal::Busy(occupation) => {
            let what = match occupation {
                Occupation::Upgrade => "a new master boots",
                Occupation::Renewal => "workers are renewed",
                Occupation::Resize => "the number of workers changes",
            };
            ("ERR_CLUTCH_RELOAD", format!("{what} just now, ask again when that is done"), None)
        }
        Refusal::CannotUpgrade(what) => ("ERR_CLUTCH_PLATFORM", hindrance(*what).to_owned(), None),
        Refusal::UpgradeFailed(failure) => {
            let code = match failure {
                HeirFailure::NotStarted { .. } => "ERR_CLUTCH_SPAWN",
                HeirFailure::Overdue { .. } => "ERR_CLUTCH_TIMEOUT",
                HeirFailure::Ended { .. } | HeirFailure::Silent { .. } => "ERR_CLUTCH_BOOT",
            };
            (code, why_no_heir(failure), Some(heir_facts(failure)))
        }
        Refusal::BootFailed(failure) => {
            let message = format!("the new {}", how_it_failed(failure));
            ("ERR_CLUTCH_RELOAD", message, Some(facts_of(failure, death)))
        }
    }
}

/// Why nobody can take this master's place.
pub(super) fn hindrance(hindrance: Hindrance) -> &'static str {
    match hindrance {
        Hindrance::FirstProcess => {
            "this master is the first process of its container, which ends with it: start a new container, or run the master below an init"
        }
        Hindrance::Service => {
            "systemd ends this service with this process: set NotifyAccess=main for it, so that it can be told of the new master"
        }
        Hindrance::Foreground => {
            "this master runs in the foreground of `egg-clutch start`, which ends with it: start it with --daemon, or by a script of your own"
        }
        Hindrance::Threads => {
            "with startMode 'worker_threads' the apps are threads of this master and have sockets of their own, which end with it"
        }
    }
}

fn why_no_heir(failure: &HeirFailure) -> String {
    match failure {
        HeirFailure::NotStarted { reason } => format!("the new master could not be started: {reason}"),
        HeirFailure::Ended { pid, exit } => {
            let how = match (exit.code(), exit.signal()) {
                (Some(code), _) => format!("code: {code}"),
                (None, signal) => format!("signal: {}", signal.unwrap_or("unknown")),
            };
            format!("the new master {pid} ended before it had taken over ({how}); its own output says more")
        }
        HeirFailure::Overdue { pid, limit } => {
            format!("the new master {pid} was not done within {} and was killed", in_seconds(*limit))
        }
        HeirFailure::Silent { pid } => {
            format!("the new master {pid} broke off the talk with this one and was killed")
        }
    }
}

fn heir_facts(failure: &HeirFailure) -> Value {
    let (pid, exit) = match failure {
        HeirFailure::NotStarted { .. } => (None, None),
        HeirFailure::Ended { pid, exit } => (Some(pid), Some(exit)),
        HeirFailure::Overdue { pid, .. } | HeirFailure::Silent { pid } => (Some(pid), None),
    };
    json!({
        "pid": pid, "code": exit.and_then(|exit| exit.code()), "signal": exit.and_then(|exit| exit.signal()),
        "overdue": matches!(failure, HeirFailure::Overdue { .. }),
    })
}

/// Which process, how it died, and why.
fn how_it_failed(failure: &BootFailure) -> String {
    let BootFailure { who, number, pid, was_overdue, end } = failure;
    let kind = who.seat.log_name();
    let Some(pid) = pid else { return format!("{kind}#{number} could not be forked; the log says why") };
    let why = if *was_overdue { "did not get ready in time" } else { "died before it was ready" };
    let how = match end {
        Some((exit, _)) => match (exit.code(), exit.signal()) {
            (Some(code), _) => format!("code: {code}"),
            (None, signal) => format!("signal: {}", signal.unwrap_or("unknown")),
        },
        None => "its end was not seen".to_owned(),
    };
    format!("{kind}#{number}:{pid} {why} ({how}); its own output says more")
}

fn facts_of(failure: &BootFailure, death: Option<&Value>) -> Value {
    let BootFailure { who, number, pid, was_overdue, end } = failure;
    json!({
        "id": number.0, "pid": pid, "slot": who.seat.slot(), "generation": who.generation.0, "overdue": was_overdue,
        "code": end.and_then(|(exit, _)| exit.code()),
        "signal": end.and_then(|(exit, _)| exit.signal()),
        "reason": end.map(|(_, reason)| reason.as_str()),
        "death": death,
    })
}

fn chatty(config: &MasterConfig, text: &str) {
    if config.quiet { debug!("{text}") } else { info!("{text}") }
}

fn in_seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}
