//! The cluster as `status()` and tests may see it: plain JSON, nothing that could be acted on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::message::address::{Occupant, Seat};
use crate::slot::{Duty, SlotState};
use crate::supervisor::{ProcessView, View};

/// A snapshot as JSON. `vitals` tells how a process is, where that is known.
pub(super) fn status(
    view: &View,
    dropped_messages: u64,
    deaths: &BTreeMap<Seat, Value>,
    vitals: impl Fn(Occupant) -> Option<Value>,
) -> Value {
    let process = |view: &ProcessView| process(view, vitals(view.who));
    json!({
        "pid": std::process::id(),
        "ready": view.is_running && !view.is_leaving,
        "stopping": view.is_stopping,
        "leaving": view.is_leaving,
        "degraded": view.is_degraded,
        "reloading": view.is_renewing,
        "reload": view.renewal.map(|renewal| json!({ "places": renewal.total, "done": renewal.done })),
        "upgrading": view.is_upgrading,
        "target": view.target,
        "serving": view.apps.iter().filter(|app| is_in_service(app)).count(),
        "address": view.address,
        "agent": view.agent.as_ref().map(&process),
        "workers": view.apps.iter().filter(|app| app.duty != Duty::Spare).map(&process).collect::<Vec<_>>(),
        "spares": view.apps.iter().filter(|app| app.duty == Duty::Spare).map(&process).collect::<Vec<_>>(),
        "droppedMessages": dropped_messages,
        "lastDeaths": deaths.values().collect::<Vec<_>>(),
    })
}

pub(super) fn is_in_service(app: &ProcessView) -> bool {
    app.state == SlotState::Ready && app.duty == Duty::Serves
}

fn process(view: &ProcessView, vitals: Option<Value>) -> Value {
    let mut value = json!({
        "id": view.number.0,
        "pid": view.pid,
        "generation": view.who.generation.0,
        "state": view.state.as_str(),
        "connected": view.is_attached,
    });
    if let Seat::App(slot) = view.who.seat {
        value["slot"] = json!(slot.0);
        value["isolated"] = json!(view.duty == Duty::Isolated);
    }
    value["vitals"] = vitals.into();
    value
}
