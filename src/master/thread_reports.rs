//! Words for what threads do otherwise than processes: they have no channel to lose and no fork library that speaks of them.

use tracing::{debug, info, warn};

use super::config::MasterConfig;
use super::reports;
use crate::message::address::{Occupant, WorkerId};
use crate::supervisor::Report;

/// Logs a report. Answers false where threads have no words of their own for it.
pub(super) fn log(report: &Report, config: &MasterConfig) -> bool {
    match report {
        Report::AgentForked { number, pid } => {
            chatty(config, &format!("[master] agent_worker#{number}:{pid} start with worker_threads"));
        }
        Report::AppForked { number, pid, .. } => {
            chatty(config, &format!("[master] app_worker#{number} (tid:{pid}) start"));
        }
        Report::AppExited { number, pid, exit, .. } => {
            let code = exit.code().unwrap_or_default();
            chatty(config, &format!("[master] app_worker#{number} (tid:{pid}) exit with code: {code}"));
        }
        Report::SlotRefillPlanned { number, pid, after, failures: ..=1, is_slow: false, .. } => {
            let seconds = after.as_secs();
            chatty(config, &format!("[master] app_worker#{number} (tid:{pid}) refork after {seconds}s"));
        }
        Report::Abandoned { number, pid, is_agent } => {
            let (kind, id) = (reports::kind(*is_agent), pid.unwrap_or_default());
            warn!(
                "[master] {kind}#{number}:{id} is still there after worker.terminate(), it is not waited for any more"
            );
        }
        Report::AppsStarting | Report::AppDisconnected { .. } | Report::AppRefilled { .. } => {}
        _ => return false,
    }
    true
}

/// Logs that a thread is ended.
pub(super) fn log_termination(who: Occupant, number: WorkerId, config: &MasterConfig) {
    let kind = if who.is_agent() { "agent worker" } else { "app worker" };
    chatty(config, &format!("[master] kill {kind}#{number} (worker_threads) by worker.terminate()"));
}

fn chatty(config: &MasterConfig, text: &str) {
    if config.quiet { debug!("{text}") } else { info!("{text}") }
}
