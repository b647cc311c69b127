#![deny(unsafe_code)]
//! skeleton

pub mod listen;
pub mod sys;
pub mod transport;
pub mod worker;
