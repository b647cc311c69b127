//! What a proxy says of its client before the client's own bytes: the PROXY protocol, versions 1 and 2. Pure.
//!
//! The specification is HAProxy's `proxy-protocol.txt`; `ppp` reads it. What this file adds: the answer does not depend on how the bytes
//! are cut into pieces, and a line of version 1 is read whole or not at all.

use std::net::SocketAddr;

use ppp::PartialResult;
use ppp::{v1, v2};

/// Of version 1, with its end (chapter 2.1).
const LONGEST_LINE: usize = 107;
const LINE_BEGINS: &[u8] = b"PROXY ";
const LINE_ENDS: &[u8] = b"\r\n";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN";

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The beginning of a header: more bytes are needed.
    Partial,
    /// A header of so many bytes, and who the client is. The proxy speaks for itself where there is none.
    Whole {
        /// How many bytes are the proxy's.
        length: usize,
        /// The client.
        source: Option<SocketAddr>,
    },
    /// No header.
    None,
}

/// Reads the beginning of a connection.
#[must_use]
pub fn read(bytes: &[u8]) -> ProxyHeader {
    match v2::Header::try_from(bytes) {
        Ok(header) => ProxyHeader::Whole { length: header.len(), source: source_of(&header) },
        Err(error) if error.is_incomplete() && !bytes.is_empty() => ProxyHeader::Partial,
        Err(_) => read_line(bytes),
    }
}

fn source_of(header: &v2::Header<'_>) -> Option<SocketAddr> {
    let is_stream = header.command == v2::Command::Proxy && header.protocol == v2::Protocol::Stream;
    match header.addresses {
        v2::Addresses::IPv4(ip) if is_stream => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::IPv6(ip) if is_stream => Some((ip.source_address, ip.source_port).into()),
        _ => None,
    }
}

/// Only a whole line is shown to the parser: it takes a line that ends in the middle of a port for a wrong one.
fn read_line(bytes: &[u8]) -> ProxyHeader {
    let start = bytes.get(..LINE_BEGINS.len()).unwrap_or(bytes);
    if !LINE_BEGINS.starts_with(start) {
        return ProxyHeader::None;
    }
    let window = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = window.windows(LINE_ENDS.len()).position(|pair| pair == LINE_ENDS) else {
        return if bytes.len() < LONGEST_LINE { ProxyHeader::Partial } else { ProxyHeader::None };
    };
    let length = end + LINE_ENDS.len();
    // Whatever stands behind this word is to be ignored.
    if window.strip_prefix(UNKNOWN).is_some_and(|rest| matches!(rest.first(), Some(b' ' | b'\r'))) {
        return ProxyHeader::Whole { length, source: None };
    }
    match v1::Header::try_from(window.get(..length).unwrap_or(window)).map(|header| header.addresses) {
        Ok(v1::Addresses::Tcp4(ip)) => {
            ProxyHeader::Whole { length, source: Some((ip.source_address, ip.source_port).into()) }
        }
        Ok(v1::Addresses::Tcp6(ip)) => {
            ProxyHeader::Whole { length, source: Some((ip.source_address, ip.source_port).into()) }
        }
        Ok(v1::Addresses::Unknown) | Err(_) => ProxyHeader::None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use ppp::v2::{Builder, Command, Protocol, Version};
    use proptest::prelude::*;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

    fn line_of(source: SocketAddr) -> Vec<u8> {
        let (kind, to) = if source.is_ipv4() { ("TCP4", "10.0.0.1") } else { ("TCP6", "2001:db8::1") };
        format!("PROXY {kind} {} {to} {} 443\r\n", source.ip(), source.port()).into_bytes()
    }

    fn binary_of(source: SocketAddr, command: Command, tail: &[u8]) -> Vec<u8> {
        let to = SocketAddr::new(source.ip(), 443);
        let header = Builder::with_addresses(Version::Two | command, Protocol::Stream, (source, to));
        header.write_payload(tail).unwrap().build().unwrap()
    }

    fn sources() -> impl Strategy<Value = SocketAddr> {
        any::<(IpAddr, u16)>().prop_map(|(ip, port)| SocketAddr::new(ip, port))
    }

    /// Every piece from the front is partial, and what follows changes nothing.
    fn assert_reads(header: &[u8], source: Option<SocketAddr>) {
        for end in 0..header.len() {
            assert_eq!(read(&header[..end]), ProxyHeader::Partial, "{end} of {header:?}");
        }
        let whole = ProxyHeader::Whole { length: header.len(), source };
        assert_eq!(read(header), whole);
        assert_eq!(read(&[header, REQUEST].concat()), whole);
    }

    proptest! {
        #[test]
        fn a_header_of_either_version_is_read_in_whatever_pieces_it_comes(source in sources(), tail in proptest::collection::vec(any::<u8>(), 0..64)) {
            assert_reads(&line_of(source), Some(source));
            assert_reads(&binary_of(source, Command::Proxy, &tail), Some(source));
            // The proxy looks whether we are there.
            assert_reads(&binary_of(source, Command::Local, &tail), None);
        }

        #[test]
        fn any_bytes_never_panic_and_more_of_them_do_not_change_an_answer(
            begin in prop::sample::select(vec![&b""[..], b"PROXY TCP4 1.2.3.4 ", b"PROXY UNKNOWN", b"\r\n\r\n\0\r\nQUIT\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]),
            rest in proptest::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>(),
        ) {
            let bytes = [begin, &rest].concat();
            let early = read(&bytes[..cut.index(bytes.len() + 1)]);
            let late = read(&bytes);
            prop_assert!(early == ProxyHeader::Partial || early == late, "{early:?} became {late:?}");
            if let ProxyHeader::Whole { length, .. } = late {
                prop_assert!(length <= bytes.len());
            }
        }
    }

    #[test]
    fn what_is_not_known_is_taken_off_and_names_nobody() {
        for line in
            ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "PROXY UNKNOWN a b c d e f g h\r\n"]
        {
            assert_reads(line.as_bytes(), None);
        }
    }

    #[test]
    fn what_is_no_header_is_left_alone() {
        let wrong = [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n",
            b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
            b"PROXY UNKNOWNX\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\n\r\n",
            b"PROXYING / HTTP/1.1\r\n\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
            b"\x16\x03\x01\x02\0\x01\0",
            &[b"PROXY UNKNOWN ".as_slice(), &[b'x'; LONGEST_LINE]].concat(),
        ];
        for bytes in wrong {
            assert_eq!(read(bytes), ProxyHeader::None, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
