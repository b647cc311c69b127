//! The lines that the primary sends, each complete with its newline.
//!
//! The order of members is Node's own, in so far as anybody could rely on it: `cmd` first.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::IpName;

/// How a worker that leaves treats those clients who keep a connection and say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Somebody waits for its end.
    Swift,
    /// Others serve in its place already, so it may wait for those clients to speak, and tell them then.
    Leisurely,
}

/// What Node makes of a descriptor it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandleKind {
    /// A bare TCP or pipe handle, listening or connected.
    NetNative,
    /// A bare UDP handle.
    DgramNative,
    /// A `net.Socket`.
    NetSocket,
    /// A `net.Server`.
    NetServer,
}

impl HandleKind {
    /// Node's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NetNative => "net.Native",
            Self::DgramNative => "dgram.Native",
            Self::NetSocket => "net.Socket",
            Self::NetServer => "net.Server",
        }
    }
}

/// Members that are not there are left out, as `JSON.stringify` would.
#[derive(Serialize, Default)]
struct Cluster<'a> {
    cmd: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sockname: Option<SockName<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

#[derive(Serialize)]
struct SockName<'a> {
    address: &'a str,
    family: &'static str,
    port: u16,
}

#[derive(Serialize)]
struct Wrapped<'a, T> {
    cmd: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    msg: &'a T,
}

const CLUSTER: Cluster<'static> = Cluster {
    cmd: "NODE_CLUSTER",
    act: None,
    errno: None,
    key: None,
    ack: None,
    data: None,
    sockname: None,
    seq: None,
};

/// The answer to a worker's query that keeps the socket here: the worker gets connections one by one from then on.
/// `errno` is 0 or libuv's negative number; `sockname` is there for TCP and absent for unix sockets.
#[must_use]
pub fn server_reply(ack: u64, key: &str, errno: i32, sockname: Option<&IpName>, data: &RawValue) -> Bytes {
    line(&reply(ack, key, errno, sockname, data))
}

/// The answer to a worker's query that gives it the socket itself; the descriptor must go with it.
#[must_use]
pub fn server_reply_with_handle(kind: HandleKind, ack: u64, key: &str, data: &RawValue) -> Bytes {
    line(&wrapped(kind, &reply(ack, key, 0, None, data)))
}

fn reply<'a>(ack: u64, key: &'a str, errno: i32, sockname: Option<&'a IpName>, data: &'a RawValue) -> Cluster<'a> {
    let sockname = sockname.map(|name| SockName { address: &name.address, family: name.family, port: name.port });
    Cluster { errno: Some(errno), key: Some(key), ack: Some(ack), data: Some(data), sockname, ..CLUSTER }
}

/// A connection for the server with this key; the descriptor must go with it. The worker answers with `seq`.
#[must_use]
pub fn new_connection(seq: u64, key: &str) -> Bytes {
    let message = Cluster { act: Some("newconn"), key: Some(key), seq: Some(seq), ..CLUSTER };
    line(&wrapped(HandleKind::NetNative, &message))
}

/// Asks a worker to close its servers and disconnect.
#[must_use]
pub fn disconnect(seq: u64) -> Bytes {
    line(&Cluster { act: Some("disconnect"), seq: Some(seq), ..CLUSTER })
}

/// Lets a worker go that said that it is about to disconnect.
#[must_use]
pub fn exited_after_disconnect_ack(ack: u64) -> Bytes {
    line(&Cluster { ack: Some(ack), ..CLUSTER })
}

/// Tells a worker that everything has come that this process, by its place on the switchboard, sent to it by the channel.
#[must_use]
pub fn fence(place: u32, generation: u32) -> Bytes {
    format!("{{\"cmd\":\"NODE_CLUTCH\",\"act\":\"fence\",\"place\":{place},\"generation\":{generation}}}\n").into()
}

/// Tells a worker that asked to drain that no connection is on its way to it any more; and later, where it had leisure, that this is over.
#[must_use]
pub fn drained(pace: Pace) -> Bytes {
    match pace {
        Pace::Swift => Bytes::from_static(b"{\"cmd\":\"NODE_CLUTCH\",\"act\":\"drained\"}\n"),
        Pace::Leisurely => Bytes::from_static(b"{\"cmd\":\"NODE_CLUTCH\",\"act\":\"drained\",\"leisurely\":true}\n"),
    }
}

/// The descriptor of the last handle message has arrived; the sender waits for this before it sends anything else.
#[must_use]
pub fn handle_ack() -> Bytes {
    Bytes::from_static(b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n")
}

/// The last handle message came without its descriptor; the sender tries again.
#[must_use]
pub fn handle_nack() -> Bytes {
    Bytes::from_static(b"{\"cmd\":\"NODE_HANDLE_NACK\"}\n")
}

/// A message of the user's, as it is.
#[must_use]
pub fn user_message(message: &RawValue) -> Bytes {
    let mut text = Vec::with_capacity(message.get().len() + 1);
    text.extend_from_slice(message.get().as_bytes());
    finish(text)
}

/// A message of the user's that carries a handle; the descriptor must go with it.
#[must_use]
pub fn user_message_with_handle(kind: HandleKind, message: &RawValue) -> Bytes {
    line(&wrapped(kind, &message))
}

/// A connection for the server of a worker in sticky mode, as egg's cluster layer sends it: a message of the user's kind, a mere
/// string; the socket must go with it. Where a proxy has named a client, who is not at the other end, that layer has no word for it: then it
/// is an object of ours.
#[must_use]
pub fn sticky_connection(address: Option<SocketAddr>) -> Bytes {
    match address {
        None => line(&wrapped(HandleKind::NetSocket, &STICKY_CONNECTION)),
        Some(address) => {
            let message = Proxied { action: STICKY_CONNECTION, address: address.ip(), port: address.port() };
            line(&wrapped(HandleKind::NetSocket, &message))
        }
    }
}

const STICKY_CONNECTION: &str = "sticky-session:connection";

#[derive(Serialize)]
struct Proxied {
    action: &'static str,
    address: IpAddr,
    port: u16,
}

fn wrapped<T>(kind: HandleKind, message: &T) -> Wrapped<'_, T> {
    Wrapped { cmd: "NODE_HANDLE", kind: kind.name(), msg: message }
}

fn line<T: Serialize>(value: &T) -> Bytes {
    // Writing these types into memory cannot fail: no map with odd keys, no reader that ends.
    let text = serde_json::to_vec(value);
    debug_assert!(text.is_ok(), "a line of the protocol was not serialised");
    finish(text.unwrap_or_default())
}

/// A newline inside of JSON text can only be blank space between its parts, and would end the line too early.
fn finish(mut text: Vec<u8>) -> Bytes {
    if memchr::memchr(b'\n', &text).is_some() {
        text.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    }
    text.push(b'\n');
    Bytes::from(text)
}
