//! Moves messages between two processes.

pub mod channel;
pub mod estate;
pub mod lane;
pub mod switchboard;
