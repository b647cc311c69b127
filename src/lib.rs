#![deny(unsafe_code)]
//! skeleton

pub mod sys;
pub mod transport;
pub mod listen;
