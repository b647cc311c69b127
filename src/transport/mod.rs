//! Moves messages between two processes.

pub mod channel;
pub mod lane;
pub mod switchboard;
