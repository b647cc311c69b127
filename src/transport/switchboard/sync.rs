//! The atomics of the switchboard: the standard ones, or loom's in the models that try every order of events.
//!
//! The only import path for them below this folder; `test/rust/layering.rs` holds that. Loom's cfg has a name of its own
//! because tokio takes plain `loom` for itself.

#[cfg(all(test, cluster_loom))]
pub(super) use loom::sync::{
    Arc,
    atomic::{AtomicU64, Ordering, fence},
};
#[cfg(not(all(test, cluster_loom)))]
pub(super) use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering, fence},
};
