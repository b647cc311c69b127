//! The cluster as `status()` and tests may see it: plain JSON, nothing that could be acted on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::message::address::Seat;
use crate::supervisor::{ProcessView, View};

/// A snapshot as JSON text.
pub(super) fn status(view: &View, dropped_messages: u64, deaths: &BTreeMap<Seat, Value>) -> String {
    json!({
        "pid": std::process::id(),
        "ready": view.is_running,
        "stopping": view.is_stopping,
        "address": view.address,
        "agent": view.agent.as_ref().map(process),
        "workers": view.apps.iter().map(process).collect::<Vec<_>>(),
        "droppedMessages": dropped_messages,
        "lastDeaths": deaths.values().collect::<Vec<_>>(),
    })
    .to_string()
}

fn process(view: &ProcessView) -> serde_json::Value {
    let mut value = json!({
        "id": view.number.0,
        "pid": view.pid,
        "generation": view.who.generation.0,
        "state": view.state.as_str(),
        "connected": view.is_attached,
    });
    if let Seat::App(slot) = view.who.seat {
        value["slot"] = json!(slot.0);
    }
    value
}
