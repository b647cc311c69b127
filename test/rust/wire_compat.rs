//! Our half of Node's cluster protocol against the other half in real Nodes: whatever `$NODE_BINARIES` names, separated
//! by colons, or else the `node` on the path. The worker's script is `wire_compat/worker.js`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes helpers of tests for other code"
)]

mod wire_compat {
    mod leaving;
    mod listening;
    mod messages;
    mod scenario;
    mod worker;
}
