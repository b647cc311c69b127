//! The shared vocabulary: who can be spoken to, and what a message looks like before any transport has seen it.
//!
//! Imports nothing of ours, so that every layer may use it.

pub mod address;
pub mod envelope;
