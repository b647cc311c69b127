#![deny(unsafe_code)]
//! skeleton

pub mod message;
pub mod router;
pub mod slot;
pub mod supervisor;
