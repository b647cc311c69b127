//! One header, or one cookie, in the head of an HTTP/1 request whose beginning has been peeked at. Pure; `httparse` reads the head.
//!
//! A head counts when it is whole, so the answer does not depend on the pieces it comes in. Node's own parser reads it again, and has
//! the last word on whether it is good.

/// How many headers a request may have here.
const MOST_HEADERS: usize = 256;
const COOKIE: &str = "cookie";

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The value of the first header of this name that has one; case does not matter in the name.
    Header(&'a str),
    /// The value of the first cookie of this name that has one, without its quotes; case matters (RFC 6265).
    Cookie(&'a str),
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// The head has not ended yet.
    Partial,
    /// The value.
    Value(&'a [u8]),
    /// The head has no such thing, or is none.
    Nothing,
}

/// Looks into the beginning of a connection.
#[must_use]
pub fn find<'a>(bytes: &'a [u8], wanted: Wanted<'_>) -> Found<'a> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Partial) => return Found::Partial,
        Ok(httparse::Status::Complete(_)) => {}
        Err(_) => return Found::Nothing,
    }
    let value = match wanted {
        Wanted::Header(name) => values(request.headers, name).next(),
        Wanted::Cookie(name) => values(request.headers, COOKIE).find_map(|cookies| cookie(cookies, name.as_bytes())),
    };
    value.map_or(Found::Nothing, Found::Value)
}

fn values<'a>(headers: &[httparse::Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value.trim_ascii()).filter(|value| !value.is_empty())
}

fn cookie<'a>(cookies: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    cookies.split(|byte| *byte == b';').find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (pair.get(..at)?.trim_ascii(), pair.get(at + 1..)?.trim_ascii());
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        (name == wanted && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(lines: &[&str]) -> Vec<u8> {
        format!("GET /a?b HTTP/1.1\r\n{}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>())
            .into_bytes()
    }

    fn value<'a>(bytes: &'a [u8], wanted: Wanted<'_>) -> Option<&'a str> {
        match find(bytes, wanted) {
            Found::Value(value) => Some(std::str::from_utf8(value).unwrap()),
            Found::Nothing => None,
            Found::Partial => panic!("it is whole"),
        }
    }

    #[test]
    fn a_header_is_found_whatever_its_case_and_the_blanks_around_its_value() {
        for line in ["X-Session: abc", "x-session:abc", "X-SESSION:   abc\t "] {
            assert_eq!(value(&head(&["Host: x", line]), Wanted::Header("x-Session")), Some("abc"), "{line}");
        }
    }

    #[test]
    fn the_first_that_has_a_value_counts() {
        let bytes = head(&["X: ", "Y: y", "X: 1", "X: 2"]);
        assert_eq!(value(&bytes, Wanted::Header("x")), Some("1"));
        let bytes = head(&["Cookie: a=; sid=\"\"", "Cookie: sid=2", "Cookie: sid=3"]);
        assert_eq!(value(&bytes, Wanted::Cookie("sid")), Some("2"));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_without_its_quotes() {
        let rows = [
            ("sid=abc", Some("abc")),
            ("a=1; sid=abc; b=2", Some("abc")),
            ("a=1;sid=\"abc\";b=2", Some("abc")),
            ("sid = abc ;", Some("abc")),
            ("sid=a=b", Some("a=b")),
            ("sid=\"abc", Some("\"abc")),
            ("sidx=1; xsid=2; SID=3; sid", None),
            (";;=;sid=;", None),
        ];
        for (text, expected) in rows {
            let bytes = head(&["Host: x", &format!("COOKIE: {text}")]);
            assert_eq!(value(&bytes, Wanted::Cookie("sid")), expected, "{text}");
        }
    }

    #[test]
    fn what_is_in_the_body_or_the_next_request_does_not_count() {
        let bytes = [head(&["Host: x"]), head(&["X: 1"])].concat();
        assert_eq!(value(&bytes, Wanted::Header("x")), None);
    }

    #[test]
    fn what_is_no_head_has_nothing() {
        let folded = head(&["X-A: 1", " X: 2"]);
        let spaced = head(&["X : 2"]);
        let many = head(&vec!["a: b"; MOST_HEADERS + 1]);
        for bytes in [&folded[..], &spaced, &many, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02", b"\0"] {
            assert_eq!(find(bytes, Wanted::Header("x")), Found::Nothing, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn a_head_is_read_in_whatever_pieces_it_comes(value in "[!-~]{1,40}", before in 0_usize..20, cookie in "[a-z0-9]{1,20}") {
            let mut lines = vec!["Accept: */*".to_owned(); before];
            lines.extend([format!("x-Key: {value}"), format!("Cookie: a=b; sid=\"{cookie}\"")]);
            let bytes = head(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            for wanted in [Wanted::Header("X-KEY"), Wanted::Cookie("sid")] {
                for end in 0..bytes.len() {
                    prop_assert_eq!(find(&bytes[..end], wanted), Found::Partial);
                }
            }
            prop_assert_eq!(find(&bytes, Wanted::Header("X-KEY")), Found::Value(value.as_bytes()));
            prop_assert_eq!(find(&bytes, Wanted::Cookie("sid")), Found::Value(cookie.as_bytes()));
        }

        #[test]
        fn any_bytes_never_panic_and_more_of_them_do_not_change_an_answer(
            begin in prop::sample::select(vec![&b""[..], b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nCookie: sid="]),
            rest in proptest::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\r\n:;=\" sid".to_vec())], 0..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = [begin, &rest].concat();
            for wanted in [Wanted::Header("cookie"), Wanted::Cookie("sid")] {
                let early = find(&bytes[..cut.index(bytes.len() + 1)], wanted);
                prop_assert!(early == Found::Partial || early == find(&bytes, wanted));
            }
        }
    }
}
