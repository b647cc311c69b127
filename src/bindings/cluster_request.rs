//! [`ClusterRequest`] and [`MasterPlan`]: what is asked of a running master, as JavaScript says it.

use napi_derive::napi;

use super::cluster_config::millis;
use crate::error::ClusterError;
use crate::master::{Request, Resize, UpgradePlan};
use crate::message::address::WorkerId;

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
