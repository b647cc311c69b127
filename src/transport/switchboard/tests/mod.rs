//! Tests of the switchboard as a whole. The models of `models.rs` run under `cfg(cluster_loom)`, all others without it.
