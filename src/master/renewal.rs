//! Workers that have served long enough: looked at together with all else, and renewed by the supervisor one at a time, the new
//! process first. Which one is chosen by [`RecyclePolicy`], which is pure.

use std::time::Duration;

use tracing::info;

use super::shell::Shell;
use super::watch::{Life, name_of};
use crate::slot::{Duty, Limit, RecyclePolicy, RecycleTurns, SlotState, Worn};
use crate::supervisor::{Event, View};
use crate::sys::pulse::{self, Word};

/// When a worker is renewed, and whose turn it is.
pub(super) struct Recycling {
    pub(super) policy: RecyclePolicy,
    turns: RecycleTurns,
}

impl Recycling {
    pub(super) fn new(policy: RecyclePolicy) -> Self {
        Self { policy, turns: RecycleTurns::default() }
    }
}

impl Shell {
    /// Renews one worker, where one has served long enough and nothing else is going on.
    pub(super) fn recycle(&mut self, view: &View) {
        let Some(recycling) = &mut self.recycling else { return };
        // A place that is empty comes first.
        if !view.is_running || view.is_degraded || view.is_renewing || view.is_upgrading {
            return;
        }
        let now = pulse::now();
        let state_of = |number| view.apps.iter().find(|app| app.number == number).map(|app| app.state);
        if !recycling.turns.may_begin(state_of, now) {
            return;
        }
        let policy = recycling.policy;
        let mut all_memory: u64 = self.watch.lives().map(|(_, life)| memory_of(life)).sum();
        let mut workers = Vec::new();
        for app in view.apps.iter().filter(|app| app.state == SlotState::Ready && app.duty == Duty::Serves) {
            let Some(life) = self.watch.life_mut(app.who) else { continue };
            let mut worn = worn(life, now);
            if policy.beyond(&worn).is_some() {
                let since = *life.beyond_since.get_or_insert(now);
                worn.beyond_for = Some(now.saturating_sub(since));
            }
            workers.push((app.who, app.number, life.pid, worn));
        }
        all_memory = all_memory.max(workers.iter().map(|(.., worn)| worn.memory).sum());
        let worns: Vec<Worn> = workers.iter().map(|(.., worn)| *worn).collect();
        let Some((index, limit)) = policy.choose(&worns, all_memory) else { return };
        let (who, number, pid, worn) = workers[index];
        let why = match limit {
            Limit::Memory => format!("it has {} MB of memory", worn.memory >> 20),
            Limit::ClusterMemory => {
                format!(
                    "all have {} MB of memory together, and it has {} MB of that",
                    all_memory >> 20,
                    worn.memory >> 20
                )
            }
            Limit::Requests => format!("it has had {} requests", worn.requests),
            Limit::Age => format!("it is {} s old", worn.age.as_secs()),
        };
        self.span_of(who).in_scope(|| info!("[master] {} is renewed: {why}", name_of(who, number, pid)));
        if let Some(recycling) = &mut self.recycling {
            recycling.turns.begin(number);
        }
        self.feed(Event::RestartAsked { number, ticket: None });
    }
}

fn memory_of(life: &Life) -> u64 {
    life.memory.back().map_or(0, |(_, bytes)| *bytes)
}

fn worn(life: &Life, now: Duration) -> Worn {
    let requests = life.pulse.word(Word::Requests);
    Worn {
        memory: memory_of(life),
        requests,
        in_flight: requests.saturating_sub(life.pulse.word(Word::RequestsDone)),
        age: now.saturating_sub(life.started_at),
        luck: luck(life),
        beyond_for: None,
    }
}

/// A number from -1 to 1 that a process keeps.
#[allow(clippy::cast_precision_loss, reason = "53 bits are enough")]
fn luck(life: &Life) -> f64 {
    let seed = u64::from(life.pid) << 32 ^ u64::try_from(life.started_at.as_nanos()).unwrap_or(0);
    let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}
