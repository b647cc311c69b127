//! A worker process seen from inside: what it does besides running the app.

pub mod endpoint;
pub mod guard;
pub mod lane;
pub mod pulse;
pub mod tally;
