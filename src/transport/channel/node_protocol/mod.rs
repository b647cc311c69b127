//! What the lines of Node's channel mean: the half of Node's cluster protocol that the primary reads and writes.
//!
//! The protocol is internal to Node (`lib/internal/child_process.js`, `lib/internal/cluster/child.js`), and this is the
//! only place that knows it; the test `wire_compat` holds it against real Nodes. Payloads of users are passed on as the
//! text they came as, never decoded. Pure: no descriptor, no socket.

mod encode;
mod fields;
mod parse;
#[cfg(test)]
mod tests;

pub use encode::{
    HandleKind, Pace, disconnect, drained, exited_after_disconnect_ack, fence, handle_ack, handle_nack, new_connection,
    server_reply, server_reply_with_handle, sticky_connection, user_message, user_message_with_handle,
};
pub use parse::{Incoming, PrimaryRequest, ProtocolError, QueryServer, parse};

pub use crate::sys::socket::{AddressType, IpName};
