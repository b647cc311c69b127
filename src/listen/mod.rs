//! Listening sockets that outlive the workers: opened and kept by the master, their connections dealt to workers.

pub mod balance;
pub mod dealer;
#[cfg(test)]
mod dealer_tests;
pub mod lane_book;
pub mod open;
#[cfg(test)]
mod open_tests;
pub mod proxy_header;
pub mod rendezvous;
pub mod request_head;
pub mod steer_program;
pub mod sticky_by;
pub mod sticky_dealer;
#[cfg(test)]
mod sticky_dealer_tests;
