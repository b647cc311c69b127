//! Tests of the switchboard as a whole. `models.rs` tries every order of events under `cfg(cluster_loom)`, where nothing else
//! can run; the others use the same code over memory of the heap.

// No memory is touched in there, so an interpreter would see nothing and take long.
#[cfg(not(any(cluster_loom, miri)))]
mod arena;
#[cfg(not(cluster_loom))]
mod attached;
#[cfg(not(cluster_loom))]
mod hostile;
#[cfg(not(cluster_loom))]
mod in_place;
#[cfg(not(cluster_loom))]
mod links;
#[cfg(not(any(cluster_loom, miri)))]
mod mixed;
#[cfg(not(cluster_loom))]
mod model;
#[cfg(cluster_loom)]
mod models;
#[cfg(not(cluster_loom))]
mod process;
#[cfg(not(cluster_loom))]
mod threads;

use super::layout::{Geometry, Peer, Place};
use crate::message::address::Generation;

fn peer(place: u32, generation: u32) -> Peer {
    Peer { place: Place(place), generation: Generation(generation) }
}

fn geometry(places: u32, slots: u32) -> Geometry {
    Geometry::new(places, slots).unwrap()
}

/// The interpreter has no file system to keep failures in, and a thousandth of the speed.
pub(super) fn proptest_config() -> proptest::test_runner::Config {
    let usual = proptest::test_runner::Config::default();
    if cfg!(miri) {
        return proptest::test_runner::Config { cases: 2, failure_persistence: None, ..usual };
    }
    usual
}
