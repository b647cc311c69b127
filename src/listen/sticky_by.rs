//! [`StickyBy`]: by what a client is known again, and what its first bytes say of it. Pure.

use std::net::SocketAddr;

use super::proxy_header::{self, ProxyHeader};
use super::rendezvous::Client;
use super::request_head::{self, Found, Wanted};

/// How much of a connection is looked at: as much as Node takes for the head of a request.
pub const MOST_BYTES: usize = 16 * 1024;

/// By what a client is known again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StickyBy {
    /// The address of the other end.
    #[default]
    Address,
    /// The address that a proxy names.
    ProxyProtocol,
    /// The value of a request header.
    Header(String),
    /// The value of a cookie.
    Cookie(String),
}

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not enough of them yet.
    Partial,
    /// Nothing that names a client: it is known by its address.
    Nothing,
    /// Whose connection it is.
    Client(Client),
    /// A proxy's header of so many bytes, and for whom it speaks.
    Proxied {
        /// How many bytes are the proxy's.
        length: usize,
        /// The client; none where the proxy speaks for itself.
        source: Option<SocketAddr>,
    },
}

impl StickyBy {
    /// By the names that the option has; `name` is that of the header or the cookie.
    #[must_use]
    pub fn from_names(by: &str, name: Option<String>) -> Option<Self> {
        match (by, name) {
            ("address", None) => Some(Self::Address),
            ("proxy-protocol", None) => Some(Self::ProxyProtocol),
            ("header", Some(name)) => Some(Self::Header(name)),
            ("cookie", Some(name)) => Some(Self::Cookie(name)),
            _ => None,
        }
    }

    /// What the beginning of a connection says. More bytes change the answer only where it is [`Seen::Partial`], which it is for no
    /// more than [`MOST_BYTES`].
    #[must_use]
    pub fn look(&self, bytes: &[u8]) -> Seen {
        let window = bytes.get(..MOST_BYTES).unwrap_or(bytes);
        let seen = match self {
            Self::Address => Seen::Nothing,
            Self::ProxyProtocol => match proxy_header::read(window) {
                ProxyHeader::Partial => Seen::Partial,
                ProxyHeader::Whole { length, source } => Seen::Proxied { length, source },
                ProxyHeader::None => Seen::Nothing,
            },
            Self::Header(name) => found(request_head::find(window, Wanted::Header(name))),
            Self::Cookie(name) => found(request_head::find(window, Wanted::Cookie(name))),
        };
        if seen == Seen::Partial && window.len() == MOST_BYTES { Seen::Nothing } else { seen }
    }
}

fn found(found: Found<'_>) -> Seen {
    match found {
        Found::Partial => Seen::Partial,
        Found::Value(value) => Seen::Client(value.into()),
        Found::Nothing => Seen::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_does_not_end_is_given_up() {
        let header = StickyBy::Header("x".to_owned());
        let mut bytes = b"GET / HTTP/1.1\r\nA: ".to_vec();
        bytes.resize(MOST_BYTES - 1, b'a');
        assert_eq!(header.look(&bytes), Seen::Partial);
        bytes.extend_from_slice(b"\r\nx: 1\r\n\r\n");
        assert_eq!(header.look(&bytes), Seen::Nothing);
    }

    #[test]
    fn a_proxy_header_that_is_longer_than_what_is_looked_at_is_given_up() {
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".to_vec();
        bytes.resize(MOST_BYTES - 1, 0);
        assert_eq!(StickyBy::ProxyProtocol.look(&bytes), Seen::Partial);
        bytes.resize(2 * MOST_BYTES, 0);
        assert_eq!(StickyBy::ProxyProtocol.look(&bytes), Seen::Nothing);
    }

    #[test]
    fn the_same_value_is_the_same_client_and_another_is_another() {
        let client = |text: &str| match StickyBy::Cookie("sid".to_owned()).look(text.as_bytes()) {
            Seen::Client(client) => client,
            seen => panic!("{seen:?}"),
        };
        let one = client("GET / HTTP/1.1\r\nCookie: sid=abc\r\n\r\n");
        assert_eq!(client("POST /b HTTP/1.0\r\nHost: y\r\ncookie: a=b; sid=\"abc\"\r\n\r\n{}"), one);
        assert_ne!(client("GET / HTTP/1.1\r\nCookie: sid=abx\r\n\r\n"), one);
    }

    #[test]
    fn only_names_that_belong_together_are_taken() {
        let name = || Some("sid".to_owned());
        assert_eq!(StickyBy::from_names("cookie", name()), Some(StickyBy::Cookie("sid".to_owned())));
        assert_eq!(StickyBy::from_names("header", name()), Some(StickyBy::Header("sid".to_owned())));
        assert_eq!(StickyBy::from_names("address", None), Some(StickyBy::Address));
        assert_eq!(StickyBy::from_names("proxy-protocol", None), Some(StickyBy::ProxyProtocol));
        assert_eq!(
            [("address", name()), ("cookie", None), ("", None)].map(|(by, name)| StickyBy::from_names(by, name)),
            [None, None, None]
        );
    }
}
