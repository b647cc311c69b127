//! Listening sockets that outlive the workers: opened and kept by the master.

pub mod open;
#[cfg(test)]
mod open_tests;
