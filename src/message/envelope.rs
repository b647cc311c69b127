//! One user message as it came off a channel: its routing fields, and its text, which is never parsed or written again.
//!
//! A message is the JSON text of an object `{action, data, to, receiverPid, …}` or of a bare string, which stands for
//! `{action: s, data: s}`. The text is validated as a whole, because a receiver's `JSON.parse` would die of a broken one;
//! beyond that only the members that routing needs are looked at. To set `from` and `to`, [`Envelope::frame`] appends
//! members to the object: `JSON.parse` lets the last of equal names win, so the text before is shared, not copied.

use bytes::{BufMut, Bytes, BytesMut};
use serde::de::IgnoredAny;

use super::address::{Origin, Target};

/// Why a line is not a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not JSON at all.
    #[error("not JSON: {reason}")]
    NotJson {
        /// What the parser said, with its position.
        reason: String,
    },
    /// JSON, but neither an object nor a string: nobody can be meant by it.
    #[error("a message must be an object or a string, found {found}")]
    WrongType {
        /// The JSON type that was found.
        found: &'static str,
    },
}

/// The text of a message, cut into what may be shared and what was made for it.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The object's text up to, not including, its closing brace.
    open_text: Bytes,
    /// True when the object has no member yet, so that no comma comes before the first one appended.
    is_empty: bool,
    action: Option<String>,
    data: Option<std::ops::Range<usize>>,
    to: Option<String>,
    receiver: Option<Receiver>,
    is_internal: bool,
}

/// Who a message names in `receiverPid` (or egg 4's `receiverWorkerId`, which is preferred and is the pid as well).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A pid as a string, the only form that stock compares equal.
    Pid(String),
    /// Anything else that JavaScript counts as true: it wins over `to`, and matches nobody.
    Nobody,
}

impl Envelope {
    /// Reads a message from one line of a channel, without its newline.
    ///
    /// # Errors
    /// [`EnvelopeError`] where the line is no JSON, or no message.
    pub fn parse(line: &Bytes) -> Result<Self, EnvelopeError> {
        let text = std::str::from_utf8(line)
            .map_err(|error| EnvelopeError::NotJson { reason: format!("not UTF-8 at byte {}", error.valid_up_to()) })?;
        // IgnoredAny checks the syntax without building anything, and takes lone surrogates as JSON.parse does.
        serde_json::from_str::<IgnoredAny>(text)
            .map_err(|error| EnvelopeError::NotJson { reason: error.to_string() })?;
        let trimmed = text.trim_matches(JSON_SPACE);
        match trimmed.as_bytes().first() {
            Some(b'{') => {
                let start = text.len() - text.trim_start_matches(JSON_SPACE).len();
                Ok(Self::from_object(line.slice(start..start + trimmed.len())))
            }
            Some(b'"') => Ok(Self::from_bare_string(trimmed)),
            first => Err(EnvelopeError::WrongType { found: type_name(first.copied()) }),
        }
    }

    fn from_bare_string(quoted: &str) -> Self {
        let mut text = BytesMut::with_capacity(quoted.len() * 2 + 24);
        text.put_slice(b"{\"action\":");
        text.put_slice(quoted.as_bytes());
        text.put_slice(b",\"data\":");
        let start = text.len();
        text.put_slice(quoted.as_bytes());
        let data = start..text.len();
        Self {
            open_text: text.freeze(),
            is_empty: false,
            action: Some(decode_string(quoted)),
            data: Some(data),
            to: None,
            receiver: None,
            is_internal: false,
        }
    }

    fn from_object(object: Bytes) -> Self {
        let mut envelope = Self {
            open_text: object.slice(..object.len() - 1),
            is_empty: true,
            action: None,
            data: None,
            to: None,
            receiver: None,
            is_internal: false,
        };
        let (mut pid, mut worker_id) = (None, None);
        let text = envelope.open_text.clone();
        for member in Members::of(&text) {
            envelope.is_empty = false;
            let value = &text[member.value.clone()];
            match &text[member.name.clone()] {
                b"\"action\"" => envelope.action = as_string(value),
                b"\"data\"" => envelope.data = Some(member.value),
                b"\"to\"" => envelope.to = as_string(value),
                b"\"cmd\"" => envelope.is_internal = as_string(value).is_some_and(|cmd| is_internal_command(&cmd)),
                b"\"receiverPid\"" => pid = as_receiver(value),
                b"\"receiverWorkerId\"" => worker_id = as_receiver(value),
                _ => {}
            }
        }
        envelope.receiver = worker_id.or(pid);
        envelope
    }

    /// The `action`, where it is a string.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        self.action.as_deref()
    }

    /// The JSON text of `data`, where there is one.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        let range = self.data.clone()?;
        std::str::from_utf8(&self.open_text[range]).ok()
    }

    /// The word in `to`; an empty one counts as none, as JavaScript has it.
    #[must_use]
    pub fn to(&self) -> Option<&str> {
        self.to.as_deref().filter(|word| !word.is_empty())
    }

    /// True for what Node keeps to itself (`cmd` starts with `NODE_`): it never reaches a `message` listener, so it is never routed.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.is_internal
    }

    /// Who is named by pid.
    #[must_use]
    pub fn receiver(&self) -> Option<&Receiver> {
        self.receiver.as_ref()
    }

    /// The message as a receiver gets it: one frame with its newline, in two pieces, `from` and `to` set. The first piece is shared by all receivers.
    #[must_use]
    pub fn frame(&self, from: Origin, to: Target) -> [Bytes; 2] {
        let mut tail = BytesMut::with_capacity(40);
        tail.put_slice(if self.is_empty { b"\"from\":\"" } else { b",\"from\":\"" });
        tail.put_slice(from.as_str().as_bytes());
        tail.put_slice(b"\",\"to\":\"");
        tail.put_slice(to.as_str().as_bytes());
        tail.put_slice(b"\"}\n");
        [self.open_text.clone(), tail.freeze()]
    }
}

const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Node's own rule, in `internal/child_process`.
fn is_internal_command(cmd: &str) -> bool {
    cmd.len() > 5 && cmd.starts_with("NODE_")
}

fn type_name(first: Option<u8>) -> &'static str {
    match first {
        Some(b'[') => "an array",
        Some(b'n') => "null",
        Some(b't' | b'f') => "a boolean",
        _ => "a number",
    }
}

/// The text of a JSON string; lone surrogates, which no Rust string can hold, become U+FFFD and so match no known word.
fn decode_string(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_else(|_| "\u{fffd}".to_owned())
}

fn as_string(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    text.starts_with('"').then(|| decode_string(text))
}

fn as_receiver(value: &[u8]) -> Option<Receiver> {
    match as_string(value) {
        Some(pid) if pid.is_empty() => None,
        Some(pid) => Some(Receiver::Pid(pid)),
        None => is_truthy(value).then_some(Receiver::Nobody),
    }
}

fn is_truthy(value: &[u8]) -> bool {
    match value.first() {
        Some(b'n' | b'f') | None => false,
        Some(b'0'..=b'9' | b'-') => {
            std::str::from_utf8(value).ok().and_then(|number| number.parse::<f64>().ok()) != Some(0.0)
        }
        Some(_) => true,
    }
}

struct Member {
    name: std::ops::Range<usize>,
    value: std::ops::Range<usize>,
}

/// The members of an object whose text is known to be valid and lacks its closing brace.
struct Members<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Members<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { text, at: 1 }
    }

    fn skip(&mut self, separators: &[u8]) {
        while self.text.get(self.at).is_some_and(|byte| byte.is_ascii_whitespace() || separators.contains(byte)) {
            self.at += 1;
        }
    }

    /// Steps over one string that starts here.
    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.text.len();
    }

    /// Steps over one value of any kind that starts here.
    fn value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.string();
                    if depth == 0 {
                        return;
                    }
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                    if depth == 0 {
                        return;
                    }
                }
                b',' if depth == 0 => return,
                _ => self.at += 1,
            }
        }
    }
}

impl Iterator for Members<'_> {
    type Item = Member;

    fn next(&mut self) -> Option<Member> {
        self.skip(b",");
        if self.at >= self.text.len() {
            return None;
        }
        let name_start = self.at;
        self.string();
        let name = name_start..self.at;
        self.skip(b":");
        let value_start = self.at;
        self.value();
        let mut value_end = self.at;
        while value_end > value_start && self.text[value_end - 1].is_ascii_whitespace() {
            value_end -= 1;
        }
        Some(Member { name, value: value_start..value_end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Envelope {
        Envelope::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn framed(text: &str, from: Origin, to: Target) -> serde_json::Value {
        let [head, tail] = parse(text).frame(from, to);
        let whole = [head, tail].concat();
        assert_eq!(whole.last(), Some(&b'\n'));
        serde_json::from_slice(&whole).unwrap()
    }

    #[test]
    fn routing_fields_are_read_and_unknown_ones_kept() {
        let envelope =
            parse(r#" {"action":"a\u0062","data":{"to":"x","n":[1,{"receiverPid":"9"}]},"to":"agent","x":1} "#);
        assert_eq!(envelope.action(), Some("ab"));
        assert_eq!(envelope.data(), Some(r#"{"to":"x","n":[1,{"receiverPid":"9"}]}"#));
        assert_eq!(envelope.to(), Some("agent"));
        assert_eq!(envelope.receiver(), None);
        let value = framed(r#"{"action":"a","extra":[true]}"#, Origin::App, Target::Agent);
        assert_eq!(value, serde_json::json!({"action":"a","extra":[true],"from":"app","to":"agent"}));
    }

    #[test]
    fn a_bare_string_stands_for_action_and_data() {
        let value = framed(r#""x\"y""#, Origin::App, Target::Agent);
        assert_eq!(value, serde_json::json!({"action":"x\"y","data":"x\"y","from":"app","to":"agent"}));
        assert_eq!(parse(r#""hi""#).data(), Some(r#""hi""#));
    }

    #[test]
    fn the_true_origin_wins_over_what_the_sender_wrote() {
        let value = framed(r#"{"from":"master","action":"a","to":"app"}"#, Origin::App, Target::Apps);
        assert_eq!(value["from"], "app");
    }

    #[test]
    fn an_empty_object_is_a_message() {
        assert_eq!(framed("{ }", Origin::Agent, Target::Apps), serde_json::json!({"from":"agent","to":"app"}));
    }

    #[test]
    fn lone_surrogates_pass_untouched() {
        let envelope = parse(r#"{"\ud800":"\udfff","action":"\ud83d","data":"\ud800"}"#);
        assert_eq!(envelope.data(), Some(r#""\ud800""#));
        let [head, _] = envelope.frame(Origin::App, Target::Agent);
        assert!(head.starts_with(br#"{"\ud800":"\udfff""#));
    }

    #[test]
    fn what_node_keeps_to_itself_is_told_apart() {
        assert!(parse(r#"{"a":1,"cmd":"NODE_CLUSTER"}"#).is_internal());
        assert!(!parse(r#"{"cmd":"NODE_"}"#).is_internal());
        assert!(!parse(r#"{"data":{"cmd":"NODE_CLUSTER"}}"#).is_internal());
    }

    #[test]
    fn receiver_counts_as_javascript_has_it() {
        for (text, expected) in [
            (r#"{"receiverPid":"12"}"#, Some(Receiver::Pid("12".into()))),
            (r#"{"receiverPid":12}"#, Some(Receiver::Nobody)),
            (r#"{"receiverPid":0}"#, None),
            (r#"{"receiverPid":""}"#, None),
            (r#"{"receiverPid":null}"#, None),
            (r#"{"receiverPid":{}}"#, Some(Receiver::Nobody)),
            (r#"{"receiverPid":"1","receiverWorkerId":"2"}"#, Some(Receiver::Pid("2".into()))),
        ] {
            assert_eq!(parse(text).receiver(), expected.as_ref(), "{text}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused_by_name() {
        for (text, found) in [("[1]", "an array"), ("null", "null"), ("true", "a boolean"), ("-4", "a number")] {
            let error = Envelope::parse(&Bytes::from(text)).unwrap_err();
            assert_eq!(error, EnvelopeError::WrongType { found });
        }
        for junk in ["", "{", "{\"a\":}", "{\"a\":1}x", "\u{1}", "\"\n\"", "'a'"] {
            let error = Envelope::parse(&Bytes::copy_from_slice(junk.as_bytes())).unwrap_err();
            assert!(matches!(error, EnvelopeError::NotJson { .. }), "{junk:?}");
        }
        assert!(Envelope::parse(&Bytes::from_static(b"\"\xed\xa0\x80\"")).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = Envelope::parse(&Bytes::from(bytes));
        }

        #[test]
        fn any_object_keeps_its_members(value in json_object()) {
            let mut expected = value.clone();
            expected["from"] = "app".into();
            expected["to"] = "agent".into();
            proptest::prop_assert_eq!(framed(&value.to_string(), Origin::App, Target::Agent), expected);
        }
    }

    fn json_object() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        let inner = leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::hash_map("[a-z\"\\\\]{0,6}", inner, 0..5)
            .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
    }
}
