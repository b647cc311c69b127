//! What rides on a lane: the socket on which the master hands a worker its connections, several at once.
//!
//! A record is one or more entries of fixed size, each with one descriptor, so that the number of bytes that wait in the socket
//! says how many connections the worker has not taken yet. The other records carry no connection: the name of a listening socket,
//! a call that only wants to be taken, the worker's hello. Pure: bytes in and out. What cannot be is refused.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// How many bytes an entry has.
pub const ENTRY_BYTES: usize = 48;
/// How many connections ride on one record.
pub const RECORD_ENTRIES: usize = 8;
/// The longest record: the name of a unix socket with what Node puts around it is shorter.
pub const RECORD_BYTES: usize = ENTRY_BYTES * RECORD_ENTRIES;
/// How large the memory is in which a worker counts.
pub const COUNTS_BYTES: usize = 4096;

const CONNECTION: u8 = 1;
const STICKY: u8 = 2;
const NAME: u8 = 3;
const CALL: u8 = 4;
const HELLO: u8 = 5;
const SHORT: u8 = 6;

/// The number of a listening socket, in place of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DoorNumber(pub u32);

/// What is said of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of the hand-over.
    pub id: u64,
    /// Where it came in.
    pub door: DoorNumber,
    /// Whether it came in by the sticky port, and so whose worker it belongs to.
    pub client: Option<u128>,
    /// Who the client is, where that is not the other end of the connection.
    pub address: Option<SocketAddr>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Connections, one descriptor each. From a worker: it does not want them.
    Connections(Vec<Entry>),
    /// What Node calls a listening socket whose connections follow.
    Name {
        /// The number that stands for it.
        door: DoorNumber,
        /// Node's key.
        key: String,
        /// Whether it is a unix socket: Node has a class of its own for those.
        is_unix: bool,
    },
    /// Nothing; that it is taken shows that the worker runs.
    Call,
    /// The worker has no descriptors for what lies in the lane.
    Short,
    /// The worker takes connections here. With it: the memory in which it counts those that it has closed.
    Hello,
}

/// Why a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of {bytes} bytes that begins with {first} is none of a lane")]
pub struct NoRecord {
    bytes: usize,
    first: u8,
}

impl Record {
    /// As it is sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Connections(entries) => entries.iter().flat_map(entry_bytes).collect(),
            Self::Name { door, key, is_unix } => {
                let mut bytes = vec![NAME, u8::from(*is_unix), 0, 0];
                bytes.extend_from_slice(&door.0.to_ne_bytes());
                bytes.extend_from_slice(key.as_bytes());
                bytes
            }
            Self::Call => vec![CALL],
            Self::Hello => vec![HELLO],
            Self::Short => vec![SHORT],
        }
    }

    /// What was received.
    ///
    /// # Errors
    /// When no lane's other end sends this.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoRecord> {
        let no_record = || NoRecord { bytes: bytes.len(), first: bytes.first().copied().unwrap_or_default() };
        match bytes {
            [CONNECTION | STICKY, ..] if bytes.len().is_multiple_of(ENTRY_BYTES) => {
                let entries = bytes.chunks_exact(ENTRY_BYTES).map(entry).collect::<Option<_>>();
                entries.map(Self::Connections).ok_or_else(no_record)
            }
            [NAME, is_unix @ (0 | 1), _, _, a, b, c, d, key @ ..] => {
                let key = std::str::from_utf8(key).map_err(|_| no_record())?.to_owned();
                Ok(Self::Name { door: DoorNumber(u32::from_ne_bytes([*a, *b, *c, *d])), key, is_unix: *is_unix == 1 })
            }
            [CALL] => Ok(Self::Call),
            [HELLO] => Ok(Self::Hello),
            [SHORT] => Ok(Self::Short),
            _ => Err(no_record()),
        }
    }
}

/// kind, family, port | door | id | address | client
fn entry_bytes(entry: &Entry) -> [u8; ENTRY_BYTES] {
    let kind = if entry.client.is_some() { STICKY } else { CONNECTION };
    let (family, port, address) = match entry.address {
        None => (0, 0, [0; 16]),
        Some(SocketAddr::V4(v4)) => (4, v4.port(), v4.ip().to_ipv6_mapped().octets()),
        Some(SocketAddr::V6(v6)) => (6, v6.port(), v6.ip().octets()),
    };
    let mut bytes = [0; ENTRY_BYTES];
    bytes[0] = kind;
    bytes[1] = family;
    bytes[2..4].copy_from_slice(&port.to_ne_bytes());
    bytes[4..8].copy_from_slice(&entry.door.0.to_ne_bytes());
    bytes[8..16].copy_from_slice(&entry.id.to_ne_bytes());
    bytes[16..32].copy_from_slice(&address);
    bytes[32..48].copy_from_slice(&entry.client.unwrap_or_default().to_ne_bytes());
    bytes
}

fn entry(bytes: &[u8]) -> Option<Entry> {
    let octets = part::<16>(bytes, 16)?;
    let ip = match bytes.get(1)? {
        0 => None,
        4 => Some(Ipv6Addr::from(octets).to_canonical()),
        6 => Some(IpAddr::V6(Ipv6Addr::from(octets))),
        _ => return None,
    };
    let client = match *bytes.first()? {
        CONNECTION => None,
        STICKY => Some(u128::from_ne_bytes(part(bytes, 32)?)),
        _ => return None,
    };
    let port = u16::from_ne_bytes(part(bytes, 2)?);
    Some(Entry {
        id: u64::from_ne_bytes(part(bytes, 8)?),
        door: DoorNumber(u32::from_ne_bytes(part(bytes, 4)?)),
        client,
        address: ip.map(|ip| SocketAddr::new(ip, port)),
    })
}

fn part<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    bytes.get(from..from + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let address = proptest::option::of(
            any::<(IpAddr, u16)>().prop_map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port)),
        );
        let entry = (any::<u64>(), any::<u32>(), proptest::option::of(any::<u128>()), address)
            .prop_map(|(id, door, client, address)| Entry { id, door: DoorNumber(door), client, address });
        proptest::collection::vec(entry, 1..=RECORD_ENTRIES)
    }

    proptest! {
        #[test]
        fn connections_are_read_as_they_were_written(entries in entries()) {
            let record = Record::Connections(entries);
            let bytes = record.to_bytes();
            prop_assert!(bytes.len() <= RECORD_BYTES);
            prop_assert_eq!(Record::from_bytes(&bytes), Ok(record));
        }

        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0_u8..8) {
            let _ = Record::from_bytes(&bytes);
            let _ = Record::from_bytes(&[&[kind][..], &bytes].concat());
        }
    }

    #[test]
    fn the_other_records_are_read_as_they_were_written() {
        let name = Record::Name { door: DoorNumber(7), key: "/tmp/a.sock:-1:-1:undefined:0".to_owned(), is_unix: true };
        for record in [name, Record::Call, Record::Hello, Record::Short] {
            assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
        }
    }

    #[test]
    fn what_is_cut_short_or_unknown_is_refused() {
        let entry = Entry { id: 1, door: DoorNumber(1), client: None, address: None };
        let bytes = Record::Connections(vec![entry]).to_bytes();
        for bytes in [&bytes[..ENTRY_BYTES - 1], &[], &[9], &[CALL, 0], &[NAME, 0, 0, 0, 1, 2]] {
            assert!(Record::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }
}
