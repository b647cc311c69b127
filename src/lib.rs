#![deny(unsafe_code)]
//! egg-clutch: the multi-process layer of egg-style Node.js apps.
//!
//! One master process forks and supervises an agent and N app workers, keeps the listening sockets, and routes messages
//! between them. The workers are ordinary Node cluster workers; this crate is their primary. Read the modules in this order:
//!
//! 1. [`master`]: the shell that owns the processes. It carries out, and decides nothing.
//! 2. [`supervisor`]: decides who lives. Pure.
//! 3. [`slot`]: a numbered place that is kept filled, and the states of the processes in it. Pure.
//! 4. [`worker`]: the same worker seen from inside its own process.
//! 5. [`router`]: from a message's header to its receivers. Pure.
//! 6. [`listen`]: listening sockets that outlive workers, and who gets the next connection.
//! 7. [`transport`]: moves messages between two processes: Node's own channel, and shared memory.
//! 8. [`sys`]: the operating system, the only place with unsafe code but for a few files, named by a test, of
//!    `transport::switchboard` and `bindings`.
//! 9. [`control`]: the cluster as those outside see and steer it, by HTTP.
//! 10. `bindings`: what JavaScript sees. Converts, and decides nothing.
//!
//! [`message`] is the vocabulary they share; [`error`] is what leaves the crate.
//!
//! | layer | may import |
//! |---|---|
//! | bindings | master, worker, message, error (napi, tracing) |
//! | master | supervisor, slot, router, listen, transport, control, sys, message, error (tokio, tracing) |
//! | control | sys (tokio, hyper) |
//! | worker | transport, sys, message, error (tokio, tracing) |
//! | listen | slot, sys, message |
//! | transport | sys, message (tokio in `channel`) |
//! | supervisor | slot, message |
//! | slot, router | message |
//! | message | std, serde_json, bytes |
//! | sys | nix |
//!
//! `test/rust/layering.rs` fails when a file imports more than this.

pub mod error;
pub mod message;

pub mod control;
pub mod listen;
pub mod master;
pub mod router;
pub mod slot;
pub mod supervisor;
pub mod sys;
pub mod transport;
pub mod worker;

#[cfg_attr(test, allow(dead_code, reason = "napi registers these only outside of tests"))]
mod bindings;
