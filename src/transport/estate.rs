//! What one master leaves to the next: the listening sockets with what belongs to them, and the few words by which the switch is agreed on.
//!
//! It goes by a socket that keeps records apart: one JSON text for each socket of the estate, its descriptors riding on it, then the words.
//! Members that are not known are passed over, so that a later version can say more.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::sys::SysError;
use crate::sys::unix_socket;

/// The version of this talk. A master that is started by one of another version cannot take over from it.
pub const VERSION: u32 = 1;

/// How many descriptors ride on one record; the kernel takes 253.
const DESCRIPTORS_AT_ONCE: usize = 200;

/// More than any record has: TLS ticket keys are the longest that a server shares.
const LONGEST_RECORD: usize = 256 * 1024;

/// Why the estate, or a word, could not be sent or understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EstateError {
    /// The socket failed.
    #[error("the socket between the masters failed")]
    Socket(#[from] SysError),
    /// A record that is none.
    #[error("the other master has sent what is no record: {found:?}")]
    Unreadable {
        /// Its beginning.
        found: String,
    },
    /// The talk ended before all was said.
    #[error("the other master has said half of it")]
    Incomplete,
    /// This process has no room for the descriptors.
    #[error("there is no room for the descriptors of {key}")]
    LostDescriptors {
        /// The key of the socket.
        key: String,
    },
}

/// One listening address.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bequest<D = OwnedFd> {
    /// As Node names it among workers.
    pub key: String,
    /// Where each app slot has a socket of its own: the slots' numbers, one for each descriptor. Empty for one that all share.
    #[serde(default)]
    pub slots: Vec<u32>,
    /// Its name in the file system.
    #[serde(default)]
    pub path: Option<String>,
    /// Whether the first master was started with it.
    #[serde(default)]
    pub is_inherited: bool,
    /// What the servers on it share (TLS ticket keys).
    #[serde(default)]
    pub data: Option<Box<RawValue>>,
    /// The sockets.
    #[serde(skip, default = "Vec::new")]
    pub descriptors: Vec<D>,
}

/// What is said besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// The old master: that was the whole estate.
    Complete,
    /// The new one: all my workers are ready.
    Ready,
    /// The old one: take over.
    TakeOver,
    /// The new one: I serve.
    TookOver,
}

#[derive(Default, Serialize, Deserialize)]
struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    word: Option<Word>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    socket: Option<Bequest>,
}

/// Sends the whole estate. The kernel keeps it until it is read, so nobody need be there yet.
///
/// # Errors
/// [`EstateError::Socket`], also where there is more than the kernel keeps.
pub fn send(socket: BorrowedFd<'_>, estate: &[Bequest<BorrowedFd<'_>>]) -> Result<(), EstateError> {
    for bequest in estate {
        let mut slots = bequest.slots.chunks(DESCRIPTORS_AT_ONCE);
        for descriptors in bequest.descriptors.chunks(DESCRIPTORS_AT_ONCE) {
            let part = Bequest {
                key: bequest.key.clone(),
                slots: slots.next().unwrap_or_default().to_vec(),
                path: bequest.path.clone(),
                is_inherited: bequest.is_inherited,
                data: bequest.data.clone(),
                descriptors: Vec::new(),
            };
            unix_socket::send_record(socket, &text(&Record { word: None, socket: Some(part) }), descriptors)?;
        }
    }
    say(socket, Word::Complete)
}

/// Says one word.
///
/// # Errors
/// [`EstateError::Socket`], also where the other master is gone.
pub fn say(socket: BorrowedFd<'_>, word: Word) -> Result<(), EstateError> {
    unix_socket::send_record(socket, &text(&Record { word: Some(word), socket: None }), &[])?;
    Ok(())
}

/// Reads the whole estate, which is there already.
///
/// # Errors
/// See [`EstateError`].
pub fn receive(socket: BorrowedFd<'_>) -> Result<Vec<Bequest>, EstateError> {
    let mut estate: Vec<Bequest> = Vec::new();
    loop {
        let Record { word, socket: bequest } = read(socket)?.ok_or(EstateError::Incomplete)?;
        match (word, bequest) {
            (Some(Word::Complete), _) => return Ok(estate),
            (_, Some(part)) => match estate.iter_mut().find(|known| known.key == part.key) {
                Some(known) => {
                    known.slots.extend(part.slots);
                    known.descriptors.extend(part.descriptors);
                }
                None => estate.push(part),
            },
            _ => return Err(EstateError::Incomplete),
        }
    }
}

/// Hears one word; none when the other master is gone.
///
/// # Errors
/// [`EstateError::Socket`] with [`SysError::is_would_block`] where nothing has been said, [`EstateError::Unreadable`].
pub fn hear(socket: BorrowedFd<'_>) -> Result<Option<Word>, EstateError> {
    let Some(Record { word, .. }) = read(socket)? else { return Ok(None) };
    word.map(Some).ok_or(EstateError::Incomplete)
}

fn text(record: &Record) -> Vec<u8> {
    // Fails for maps with keys that are no texts only.
    serde_json::to_vec(record).unwrap_or_default()
}

fn read(socket: BorrowedFd<'_>) -> Result<Option<Record>, EstateError> {
    let mut buffer = vec![0; LONGEST_RECORD];
    let mut descriptors = Vec::new();
    let received = match unix_socket::receive(socket, &mut buffer, &mut descriptors) {
        // It has died without reading what we said.
        Err(error) if error.is_peer_closed() => return Ok(None),
        received => received?,
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let bytes = buffer.get(..received.bytes).unwrap_or_default();
    let mut record: Record = serde_json::from_slice(bytes).map_err(|_| {
        let found = String::from_utf8_lossy(bytes.get(..bytes.len().min(80)).unwrap_or_default()).into_owned();
        EstateError::Unreadable { found }
    })?;
    if let Some(bequest) = &mut record.socket {
        if received.lost_descriptors || descriptors.is_empty() {
            return Err(EstateError::LostDescriptors { key: bequest.key.clone() });
        }
        bequest.descriptors = descriptors;
    }
    Ok(Some(record))
}

/// Takes over the socket by which this process is told, from the number that it was started with; none where there is no such socket,
/// because a process of this one's has its environment and not its descriptors.
#[must_use]
pub fn inherited(number: i32) -> Option<OwnedFd> {
    unix_socket::inherited(number).ok()
}

impl Bequest {
    /// The same, to be sent.
    #[must_use]
    pub fn as_borrowed(&self) -> Bequest<BorrowedFd<'_>> {
        Bequest {
            key: self.key.clone(),
            slots: self.slots.clone(),
            path: self.path.clone(),
            is_inherited: self.is_inherited,
            data: self.data.clone(),
            descriptors: self.descriptors.iter().map(AsFd::as_fd).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bequest(key: &str, count: u32) -> Bequest {
        let descriptors = (0..count).map(|_| std::fs::File::open("/dev/null").unwrap().into()).collect();
        let data = Some(RawValue::from_string("{\"keys\":\"k\"}".to_owned()).unwrap());
        let path = Some("/run/x.sock".to_owned());
        Bequest { key: key.to_owned(), slots: (0..count).collect(), path, is_inherited: true, data, descriptors }
    }

    #[test]
    fn the_estate_arrives_whole_with_more_descriptors_than_one_record_carries() {
        let (ours, theirs) = unix_socket::record_pair().unwrap();
        let estate = [bequest("null:80:4:undefined:0", 1), bequest("null:81:4:undefined:0", 450)];
        let borrowed: Vec<_> = estate.iter().map(Bequest::as_borrowed).collect();
        send(ours.as_fd(), &borrowed).unwrap();
        let received = receive(theirs.as_fd()).unwrap();
        assert_eq!(received.len(), 2);
        for (sent, got) in estate.iter().zip(&received) {
            assert_eq!((&got.key, &got.slots, &got.path), (&sent.key, &sent.slots, &sent.path));
            assert_eq!(got.descriptors.len(), sent.descriptors.len());
            assert!(got.is_inherited);
            assert_eq!(got.data.as_ref().unwrap().get(), "{\"keys\":\"k\"}");
        }
        say(theirs.as_fd(), Word::Ready).unwrap();
        assert_eq!(hear(ours.as_fd()).unwrap(), Some(Word::Ready));
        drop(theirs);
        assert_eq!(hear(ours.as_fd()).unwrap(), None);
    }

    #[test]
    fn what_a_peer_says_amiss_is_an_error_and_never_a_panic() {
        for junk in [&b"x"[..], b"{}", b"[]", b"{\"word\":\"what\"}", b"{\"socket\":{\"key\":\"a\"}}", b"\xff"] {
            let (ours, theirs) = unix_socket::record_pair().unwrap();
            unix_socket::send_record(ours.as_fd(), junk, &[]).unwrap();
            assert!(hear(theirs.as_fd()).is_err(), "{junk:?}");
            unix_socket::send_record(ours.as_fd(), junk, &[]).unwrap();
            assert!(receive(theirs.as_fd()).is_err(), "{junk:?}");
        }
    }

    #[test]
    fn an_estate_that_ends_too_early_is_none() {
        let (ours, theirs) = unix_socket::record_pair().unwrap();
        assert!(matches!(receive(theirs.as_fd()), Err(EstateError::Socket(error)) if error.is_would_block()));
        drop(ours);
        assert!(matches!(receive(theirs.as_fd()), Err(EstateError::Incomplete)));
    }
}
