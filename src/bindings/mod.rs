//! All of napi: converts between JavaScript and the crate, decides nothing.

mod cluster;
mod worker;
