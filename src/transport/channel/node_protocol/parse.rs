//! From a line of the channel to what the child wants.
//!
//! One pass over the line finds the few members that matter, as slices; only the members of a request of Node's own are
//! then decoded. As with `JSON.parse`, the last of several members of one name counts. Unknown members are passed over:
//! each Node line adds some.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::AddressType;
use super::fields::{Reader, StringBytes, bytes_of, is_true, number_of, text_of};

/// Node treats an object as its own when its `cmd` is longer than this and begins with it.
const INTERNAL_PREFIX: &[u8] = b"NODE_";

/// One line, understood.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// A message of the user's, untouched.
    Message(&'a RawValue),
    /// A message of the user's that came with a descriptor.
    WithHandle {
        /// `net.Socket`, `net.Server`, `net.Native`, `dgram.Socket`, `dgram.Native`, or what another Node may invent.
        kind: Cow<'a, str>,
        /// The message, untouched.
        message: &'a RawValue,
    },
    /// The child has taken the last handle.
    HandleAck,
    /// The last handle did not reach the child; it wants it again.
    HandleNack,
    /// A request to the cluster's primary.
    Cluster(PrimaryRequest),
    /// Another word of Node's own, of no interest here.
    OtherInternal,
}

/// What a cluster worker asks of its primary.
#[derive(Debug)]
pub enum PrimaryRequest {
    /// The worker has booted.
    Online,
    /// It wants to listen.
    QueryServer(QueryServer),
    /// It listens.
    Listening {
        /// The address it asked for.
        address: Option<String>,
        /// The real port; -1 where there is none.
        port: i64,
        /// What kind of address.
        address_type: AddressType,
        /// The descriptor it asked for.
        fd: Option<i32>,
    },
    /// It does not listen on this any more.
    Close {
        /// The key it was given in the answer to its query.
        key: String,
    },
    /// It is about to disconnect by its own will, and waits for the answer.
    ExitedAfterDisconnect {
        /// To be acknowledged.
        seq: u64,
    },
    /// Its answer to a connection that was handed to it.
    NewConnectionReply {
        /// The number of the hand-over.
        ack: u64,
        /// Whether it has taken the connection; otherwise somebody else should.
        accepted: bool,
    },
    /// It is about to leave: no connection may be handed to it any more. This one is no word of Node's but our own.
    Drain,
    /// An act of a Node that is newer than this.
    Unknown {
        /// Its name; empty if there is none.
        act: String,
    },
}

/// A worker's wish to listen.
#[derive(Debug)]
pub struct QueryServer {
    /// To be acknowledged.
    pub seq: u64,
    /// The address or path; none means all addresses.
    pub address: Option<String>,
    /// The port; 0 means any, -1 that there is none.
    pub port: i64,
    /// What kind of address.
    pub address_type: AddressType,
    /// A descriptor that the primary was started with.
    pub fd: Option<i32>,
    /// libuv's bits for `bind`.
    pub flags: u32,
    /// How many connections may wait; none means Node's default.
    pub backlog: Option<u32>,
    /// Counts the worker's servers on the same address: those with port 0 are told apart by it.
    pub index: u64,
    /// Everybody may read the unix socket.
    pub readable_all: bool,
    /// Everybody may write the unix socket.
    pub writable_all: bool,
    /// What the servers on one key share, such as the keys of TLS tickets; the first one's counts. `null` if nothing.
    pub data: Box<RawValue>,
}

/// Why a line cannot be understood. It was not Node that wrote it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Not JSON at all.
    #[error("not JSON")]
    NotJson(#[source] serde_json::Error),
    /// A member of a request of Node's own is missing or of the wrong type.
    #[error("{request}: {field} should be {expected}, not {found}")]
    Field {
        /// Node's name for the request.
        request: &'static str,
        /// The member.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is, shortened.
        found: String,
    },
}

/// Reads one line.
///
/// # Errors
/// See [`ProtocolError`]. A message of the user's is refused only when it is no JSON.
pub fn parse(line: &[u8]) -> Result<Incoming<'_>, ProtocolError> {
    let whole: &RawValue = serde_json::from_slice(line).map_err(ProtocolError::NotJson)?;
    if !may_be_internal(whole.get().as_bytes()) {
        return Ok(Incoming::Message(whole));
    }
    let members = Members::of(whole).map_err(ProtocolError::NotJson)?;
    let Some(command) = members.command() else {
        return Ok(Incoming::Message(whole));
    };
    match command.as_ref() {
        b"NODE_CLUSTER" => members.cluster().map(Incoming::Cluster),
        b"NODE_CLUTCH" => Ok(Incoming::Cluster(members.own_request())),
        b"NODE_HANDLE" => members.with_handle(),
        b"NODE_HANDLE_ACK" => Ok(Incoming::HandleAck),
        b"NODE_HANDLE_NACK" => Ok(Incoming::HandleNack),
        _ => Ok(Incoming::OtherInternal),
    }
}

/// Cheap, and never wrong with a no: saves the second pass for nearly all messages of users, which may be long.
fn may_be_internal(text: &[u8]) -> bool {
    let mentioned = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
    // A letter of the prefix may be written as an escape.
    text.first() == Some(&b'{') && (mentioned(INTERNAL_PREFIX) || mentioned(b"\\u"))
}

fn is_internal(command: &[u8]) -> bool {
    command.len() > INTERNAL_PREFIX.len() && command.starts_with(INTERNAL_PREFIX)
}

/// The members that may matter, as they stand in the line.
#[derive(Default)]
struct Members<'a> {
    cmd: Option<&'a RawValue>,
    act: Option<&'a RawValue>,
    ack: Option<&'a RawValue>,
    seq: Option<&'a RawValue>,
    accepted: Option<&'a RawValue>,
    address: Option<&'a RawValue>,
    port: Option<&'a RawValue>,
    address_type: Option<&'a RawValue>,
    fd: Option<&'a RawValue>,
    flags: Option<&'a RawValue>,
    backlog: Option<&'a RawValue>,
    index: Option<&'a RawValue>,
    readable_all: Option<&'a RawValue>,
    writable_all: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
    key: Option<&'a RawValue>,
    kind: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    fn of(object: &'a RawValue) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(object.get());
        deserializer.deserialize_map(MembersVisitor)
    }

    fn place(&mut self, name: &[u8]) -> Option<&mut Option<&'a RawValue>> {
        Some(match name {
            b"cmd" => &mut self.cmd,
            b"act" => &mut self.act,
            b"ack" => &mut self.ack,
            b"seq" => &mut self.seq,
            b"accepted" => &mut self.accepted,
            b"address" => &mut self.address,
            b"port" => &mut self.port,
            b"addressType" => &mut self.address_type,
            b"fd" => &mut self.fd,
            b"flags" => &mut self.flags,
            b"backlog" => &mut self.backlog,
            b"index" => &mut self.index,
            b"readableAll" => &mut self.readable_all,
            b"writableAll" => &mut self.writable_all,
            b"data" => &mut self.data,
            b"key" => &mut self.key,
            b"type" => &mut self.kind,
            b"msg" => &mut self.message,
            _ => return None,
        })
    }

    /// What Node would take for its own command; anything else is a user's.
    fn command(&self) -> Option<Cow<'a, [u8]>> {
        self.cmd.and_then(bytes_of).filter(|command| is_internal(command))
    }

    fn with_handle(&self) -> Result<Incoming<'a>, ProtocolError> {
        let (mut kind, mut message) = self.wrapped()?;
        // After a NODE_HANDLE_NACK Node wraps once more what was wrapped already; the inner one says what it is.
        if may_be_internal(message.get().as_bytes()) {
            let inner = Members::of(message).map_err(ProtocolError::NotJson)?;
            if inner.command().as_deref() == Some(b"NODE_HANDLE") {
                (kind, message) = inner.wrapped()?;
            }
        }
        Ok(Incoming::WithHandle { kind, message })
    }

    fn wrapped(&self) -> Result<(Cow<'a, str>, &'a RawValue), ProtocolError> {
        let field = Reader { request: "NODE_HANDLE" };
        let kind = field.required("type", "a string", self.kind, text_of)?;
        Ok((kind, field.required("msg", "a value", self.message, Some)?))
    }

    fn own_request(&self) -> PrimaryRequest {
        let act = self.act.and_then(text_of).unwrap_or_default();
        if act == "drain" { PrimaryRequest::Drain } else { PrimaryRequest::Unknown { act: act.into_owned() } }
    }

    fn cluster(&self) -> Result<PrimaryRequest, ProtocolError> {
        let Some(act) = self.act.and_then(text_of) else {
            return self.reply();
        };
        match act.as_ref() {
            "online" => Ok(PrimaryRequest::Online),
            "queryServer" => self.query_server().map(PrimaryRequest::QueryServer),
            "listening" => {
                let field = Reader { request: "listening" };
                Ok(PrimaryRequest::Listening {
                    address: field.address(self.address)?,
                    port: field.port(self.port)?,
                    address_type: field.address_type(self.address_type)?,
                    fd: field.fd(self.fd)?,
                })
            }
            "close" => {
                let key = Reader { request: "close" }.required("key", "a string", self.key, text_of)?;
                Ok(PrimaryRequest::Close { key: key.into_owned() })
            }
            "exitedAfterDisconnect" => {
                let seq = Reader { request: "exitedAfterDisconnect" }.seq("seq", self.seq)?;
                Ok(PrimaryRequest::ExitedAfterDisconnect { seq })
            }
            _ => Ok(PrimaryRequest::Unknown { act: act.into_owned() }),
        }
    }

    fn reply(&self) -> Result<PrimaryRequest, ProtocolError> {
        if self.ack.is_none() {
            return Ok(PrimaryRequest::Unknown { act: String::new() });
        }
        Ok(PrimaryRequest::NewConnectionReply {
            ack: Reader { request: "reply" }.seq("ack", self.ack)?,
            accepted: is_true(self.accepted),
        })
    }

    fn query_server(&self) -> Result<QueryServer, ProtocolError> {
        let field = Reader { request: "queryServer" };
        Ok(QueryServer {
            seq: field.seq("seq", self.seq)?,
            address: field.address(self.address)?,
            port: field.port(self.port)?,
            address_type: field.address_type(self.address_type)?,
            fd: field.fd(self.fd)?,
            flags: field.optional("flags", "a number", self.flags, number_of)?.unwrap_or(0),
            // Node's own default stands where its caller gave nothing: `false` from net, nothing from dgram.
            backlog: match self.backlog.map(RawValue::get) {
                Some("false") => None,
                _ => field.optional("backlog", "a number", self.backlog, number_of::<i64>)?,
            }
            .and_then(|backlog| u32::try_from(backlog).ok())
            .filter(|backlog| *backlog > 0),
            index: field.optional("index", "a number", self.index, number_of)?.unwrap_or(0),
            readable_all: is_true(self.readable_all),
            writable_all: is_true(self.writable_all),
            data: self.data.map_or_else(|| RawValue::NULL.to_owned(), ToOwned::to_owned),
        })
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        // As bytes: the name of a user's member may hold half a surrogate pair, which no Rust string can.
        while let Some(name) = map.next_key_seed(StringBytes)? {
            match members.place(&name) {
                Some(place) => *place = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(members)
    }
}
