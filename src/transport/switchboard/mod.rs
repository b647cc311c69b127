//! Messages between the processes of one cluster, written once and copied by nobody: shared memory with one writer for each
//! byte.
//!
//! Read in this order: [`layout`] (what lies where), [`descriptor`] (what a slot says), [`memory`] (how it is touched),
//! [`ring`] (one ordered pair), [`slab`] and [`reclaim`] (the sender's arena), [`segments`] and [`lease`] (the receiver's view
//! of it), [`doorbell`] (who is woken), and the two faces, [`outbox`] and [`inbox`]. What a peer wrote and cannot be is [`refused`].
//!
//! A pure core: no system call, clock, thread or log. Files, bells and who is handed which descriptor are the caller's.
//! `docs/ARCHITECTURE.md` tells the life of a message and why each atomic has the order it has.

pub mod control;
pub mod descriptor;
pub mod doorbell;
pub mod inbox;
pub mod layout;
pub mod lease;
pub mod memory;
pub mod outbox;
pub mod reclaim;
pub mod refused;
pub mod ring;
pub mod segments;
pub mod slab;
mod sync;
#[cfg(test)]
mod tests;
