//! From a message's header to its receivers. Pure: knows who is attached, touches no channel.
//!
//! The rules are egg's: a named pid wins over `to`; without either, the agent speaks to the apps, an app to the agent,
//! the parent to the master. Whoever cannot be reached is not an error, the message is dropped, and the answer says so.

mod routes;

pub use routes::{Delivery, Roster, class_of, route};
