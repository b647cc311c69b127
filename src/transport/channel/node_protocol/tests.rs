//! Lines as Node writes them, lines that look like Node's, and lines that nobody should write. The test `wire_compat`
//! asks real Nodes.

use proptest::prelude::*;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::*;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn cluster(line: &str) -> PrimaryRequest {
    match parse(line.as_bytes()).unwrap() {
        Incoming::Cluster(request) => request,
        other => panic!("{other:?}"),
    }
}

fn query(line: &str) -> QueryServer {
    match cluster(line) {
        PrimaryRequest::QueryServer(query) => query,
        other => panic!("{other:?}"),
    }
}

fn error(line: &str) -> String {
    parse(line.as_bytes()).unwrap_err().to_string()
}

fn is_message(line: &str) -> bool {
    matches!(parse(line.as_bytes()), Ok(Incoming::Message(message)) if message.get() == line.trim())
}

#[test]
fn messages_of_users_pass_untouched() {
    let deep = format!("{{\"cmd\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for line in [
        "1",
        "null",
        "\"graceful:disconnect\"",
        "[{\"cmd\":\"NODE_CLUSTER\"}]",
        "{}",
        "{\"action\":\"a\",\"data\":{\"cmd\":\"NODE_CLUSTER\"}}",
        "{\"cmd\":\"NODE_\"}",
        "{\"cmd\":\"node_cluster\"}",
        "{\"cmd\":1,\"x\":\"NODE_\"}",
        "{\"cmd\":null,\"x\":\"NODE_\"}",
        "{\"cmd\":{\"cmd\":\"NODE_CLUSTER\"}}",
        // The last of two counts.
        "{\"cmd\":\"NODE_CLUSTER\",\"cmd\":\"mine\"}",
        // Half a surrogate pair, as JSON.stringify writes it, may stand anywhere.
        "{\"\\ud800\":1,\"cmd\":\"\\udfff\",\"x\":\"NODE_\"}",
        "{\"data\":\"\\ud83d\"}",
        "{\"n\":1e999,\"cmd\":\"NODE_\",\"m\":-0.0}",
        deep.as_str(),
    ] {
        assert!(is_message(line), "{}", line.chars().take(80).collect::<String>());
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for line in ["", " ", "{", "{\"a\":}", "nul", "{} {}", "\u{0}", "{\"cmd\":\"NODE_CLUSTER\"", "'x'", "[1,]", "NaN"] {
        assert!(matches!(parse(line.as_bytes()), Err(ProtocolError::NotJson(_))), "{line}");
    }
    assert!(matches!(parse(b"\"\xff\""), Err(ProtocolError::NotJson(_))));
}

#[test]
fn internal_words_are_known_however_they_are_spelled() {
    assert!(matches!(parse(b"{\"cmd\":\"NODE_HANDLE_ACK\"}").unwrap(), Incoming::HandleAck));
    assert!(matches!(parse(b"{\"cmd\":\"NODE_HANDLE_NACK\"}").unwrap(), Incoming::HandleNack));
    assert!(matches!(parse(b"{\"cmd\":\"NODE_DEBUG_ENABLED\"}").unwrap(), Incoming::OtherInternal));
    assert!(matches!(parse(b"{\"\\u0063md\":\"\\u004eODE_HANDLE_ACK\"}").unwrap(), Incoming::HandleAck));
    assert!(matches!(parse(b" {\"x\":{},\"cmd\":\"NODE_HANDLE_ACK\",\"y\":[] } ").unwrap(), Incoming::HandleAck));
}

#[test]
fn a_message_with_a_handle_keeps_its_text() {
    let line = "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":{\"a\": \"\\ud800\"},\"key\":\"4:x:1\"}";
    match parse(line.as_bytes()).unwrap() {
        Incoming::WithHandle { kind, message } => {
            assert_eq!((kind.as_ref(), message.get()), ("net.Socket", "{\"a\": \"\\ud800\"}"));
        }
        other => panic!("{other:?}"),
    }
    // As Node sends it again.
    let again = format!("{{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{line}}}");
    match parse(again.as_bytes()).unwrap() {
        Incoming::WithHandle { kind, message } => {
            assert_eq!((kind.as_ref(), message.get()), ("net.Socket", "{\"a\": \"\\ud800\"}"));
        }
        other => panic!("{other:?}"),
    }
    let deep = "{\"cmd\":\"NODE_HANDLE\",\"type\":\"x\",\"msg\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    assert!(matches!(parse(deep.as_bytes()), Ok(Incoming::WithHandle { .. })));
    assert_eq!(
        error("{\"cmd\":\"NODE_HANDLE\",\"type\":null,\"msg\":1}"),
        "NODE_HANDLE: type should be a string, not null"
    );
    assert_eq!(error("{\"cmd\":\"NODE_HANDLE\",\"type\":\"x\"}"), "NODE_HANDLE: msg should be a value, not missing");
}

#[test]
fn a_query_is_read_with_all_that_node_leaves_out_or_nulls() {
    let asked = query(
        "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"index\":2,\"data\":{\"a\":[ 1]},\"address\":\"::1\",\"port\":80,\
         \"addressType\":6,\"fd\":null,\"flags\":1,\"backlog\":128,\"readableAll\":true,\"writableAll\":1,\"seq\":7}",
    );
    assert_eq!((asked.seq, asked.index, asked.port, asked.flags), (7, 2, 80, 1));
    assert_eq!((asked.address.as_deref(), asked.address_type, asked.fd), (Some("::1"), AddressType::Ipv6, None));
    assert_eq!((asked.backlog, asked.readable_all, asked.writable_all), (Some(128), true, false));
    assert_eq!(asked.data.get(), "{\"a\":[ 1]}");

    let bare = query("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"seq\":0}");
    assert_eq!((bare.port, bare.address_type, bare.address, bare.fd), (-1, AddressType::Unspecified, None, None));
    assert_eq!((bare.backlog, bare.flags, bare.index, bare.data.get()), (None, 0, 0, "null"));

    for (address_type, expected) in [
        ("4", AddressType::Ipv4),
        ("6", AddressType::Ipv6),
        ("-1", AddressType::Unix),
        ("\"udp4\"", AddressType::Udp4),
        ("\"udp6\"", AddressType::Udp6),
        ("null", AddressType::Unspecified),
    ] {
        let line = format!(
            "{{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"address\":\"\",\"port\":\"80\",\"addressType\":{address_type},\
             \"fd\":-1,\"backlog\":false,\"flags\":null,\"seq\":1}}"
        );
        let asked = query(&line);
        assert_eq!((asked.address_type, asked.port, asked.address, asked.fd), (expected, 80, None, None));
        assert_eq!(asked.backlog, None);
    }
}

#[test]
fn every_member_of_the_wrong_type_is_named() {
    for (member, wrong, expected) in [
        ("seq", "\"1\"", "a number"),
        ("seq", "-1", "a number"),
        ("address", "1", "a string or null"),
        ("address", "\"\\ud800\"", "a string or null"),
        ("port", "{}", "a number or null"),
        ("port", "1.5", "a number or null"),
        ("addressType", "5", "4, 6, -1, \"udp4\", \"udp6\" or null"),
        ("fd", "\"3\"", "a number"),
        ("flags", "-1", "a number"),
        ("backlog", "\"x\"", "a number"),
        ("index", "[]", "a number"),
    ] {
        let line = format!("{{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"seq\":1,\"{member}\":{wrong}}}");
        assert_eq!(error(&line), format!("queryServer: {member} should be {expected}, not {wrong}"));
    }
    for act in ["listening", "close", "exitedAfterDisconnect"] {
        let line = format!("{{\"cmd\":\"NODE_CLUSTER\",\"act\":\"{act}\",\"port\":[],\"key\":[],\"seq\":[]}}");
        assert!(error(&line).starts_with(act), "{}", error(&line));
    }
    let long = format!("{{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"key\":[{}1]}}", "1,".repeat(10_000));
    assert!(error(&long).len() < 200, "an error must not carry a megabyte into the log");
}

#[test]
fn the_other_acts_are_read() {
    assert!(matches!(cluster("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}"), PrimaryRequest::Online));
    match cluster(
        "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"listening\",\"address\":null,\"port\":8080,\"addressType\":4,\"seq\":2}",
    ) {
        PrimaryRequest::Listening { address: None, port: 8080, address_type: AddressType::Ipv4, fd: None } => {}
        other => panic!("{other:?}"),
    }
    match cluster("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"key\":\"a:\\u00e9\",\"seq\":2}") {
        PrimaryRequest::Close { key } => assert_eq!(key, "a:é"),
        other => panic!("{other:?}"),
    }
    match cluster("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"exitedAfterDisconnect\",\"seq\":9}") {
        PrimaryRequest::ExitedAfterDisconnect { seq: 9 } => {}
        other => panic!("{other:?}"),
    }
    for (accepted, expected) in [("true", true), ("false", false), ("null", false), ("1", false)] {
        match cluster(&format!("{{\"cmd\":\"NODE_CLUSTER\",\"ack\":5,\"accepted\":{accepted},\"seq\":1}}")) {
            PrimaryRequest::NewConnectionReply { ack: 5, accepted } => assert_eq!(accepted, expected),
            other => panic!("{other:?}"),
        }
    }
    for (line, name) in [("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"fly\"}", "fly"), ("{\"cmd\":\"NODE_CLUSTER\"}", "")] {
        match cluster(line) {
            PrimaryRequest::Unknown { act } => assert_eq!(act, name),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn our_own_word_is_read_and_answered() {
    assert!(matches!(cluster("{\"cmd\":\"NODE_CLUTCH\",\"act\":\"drain\"}"), PrimaryRequest::Drain));
    for line in [
        "{\"cmd\":\"NODE_CLUTCH\",\"act\":\"hatch\"}",
        "{\"cmd\":\"NODE_CLUTCH\",\"act\":7}",
        "{\"cmd\":\"NODE_CLUTCH\"}",
    ] {
        assert!(matches!(cluster(line), PrimaryRequest::Unknown { .. }), "{line}");
    }
    let answers = [Pace::Swift, Pace::Leisurely].map(|pace| decoded(&super::drained(pace)));
    assert_eq!(answers[0], json!({ "cmd": "NODE_CLUTCH", "act": "drained" }));
    assert_eq!(answers[1], json!({ "cmd": "NODE_CLUTCH", "act": "drained", "leisurely": true }));
}

fn decoded(line: &[u8]) -> Value {
    let text = std::str::from_utf8(line).unwrap();
    assert_eq!(text.find('\n'), Some(text.len() - 1), "exactly one newline, at the end: {text:?}");
    serde_json::from_str(text).unwrap()
}

#[test]
fn replies_are_written_as_node_writes_them() {
    let name = IpName { address: "::".into(), family: "IPv6", port: 8080 };
    let reply = server_reply(3, "k\"\n:1", 0, Some(&name), &raw("{\"t\":1}"));
    let expected = json!({
        "cmd": "NODE_CLUSTER", "errno": 0, "key": "k\"\n:1", "ack": 3, "data": { "t": 1 },
        "sockname": { "address": "::", "family": "IPv6", "port": 8080 },
    });
    assert_eq!(decoded(&reply), expected);
    let failed = server_reply(3, "k", -98, None, &raw("null"));
    assert_eq!(decoded(&failed), json!({ "cmd": "NODE_CLUSTER", "errno": -98, "key": "k", "ack": 3, "data": null }));
    let shared = server_reply_with_handle(HandleKind::DgramNative, 4, "k", &raw("null"));
    let inner = json!({ "cmd": "NODE_CLUSTER", "errno": 0, "key": "k", "ack": 4, "data": null });
    assert_eq!(decoded(&shared), json!({ "cmd": "NODE_HANDLE", "type": "dgram.Native", "msg": inner }));
    let inner = json!({ "cmd": "NODE_CLUSTER", "act": "newconn", "key": "k", "seq": 8 });
    assert_eq!(decoded(&new_connection(8, "k")), json!({ "cmd": "NODE_HANDLE", "type": "net.Native", "msg": inner }));
    let sticky = json!({ "cmd": "NODE_HANDLE", "type": "net.Socket", "msg": "sticky-session:connection" });
    assert_eq!(decoded(&sticky_connection(None)), sticky);
    let message = json!({ "action": "sticky-session:connection", "address": "192.0.2.7", "port": 56324 });
    let proxied = json!({ "cmd": "NODE_HANDLE", "type": "net.Socket", "msg": message });
    assert_eq!(decoded(&sticky_connection(Some(([192, 0, 2, 7], 56324).into()))), proxied);
    assert_eq!(decoded(&disconnect(1)), json!({ "cmd": "NODE_CLUSTER", "act": "disconnect", "seq": 1 }));
    assert_eq!(decoded(&exited_after_disconnect_ack(6)), json!({ "cmd": "NODE_CLUSTER", "ack": 6 }));
    assert_eq!(decoded(&handle_ack()), json!({ "cmd": "NODE_HANDLE_ACK" }));
    assert_eq!(decoded(&handle_nack()), json!({ "cmd": "NODE_HANDLE_NACK" }));
}

#[test]
fn a_message_in_many_lines_becomes_one() {
    let message = raw("{\n  \"a\": [\n1,\n2]\n}");
    assert_eq!(decoded(&user_message(&message)), json!({ "a": [1, 2] }));
    let line = user_message_with_handle(HandleKind::NetSocket, &message);
    assert_eq!(decoded(&line), json!({ "cmd": "NODE_HANDLE", "type": "net.Socket", "msg": { "a": [1, 2] } }));
    assert_eq!(&user_message(&raw("{\"a\": \"\\ud800\\n\"}"))[..], b"{\"a\": \"\\ud800\\n\"}\n");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_values_in_the_right_places_make_it_panic(
        cmd in prop::sample::select(vec!["NODE_CLUSTER", "NODE_HANDLE", "NODE_X", "x"]),
        act in prop::sample::select(vec!["queryServer", "listening", "close", "exitedAfterDisconnect", "x"]),
        values in proptest::collection::vec(json_text(), 16),
    ) {
        let names = ["seq", "ack", "accepted", "address", "port", "addressType", "fd", "flags", "backlog", "index",
            "readableAll", "writableAll", "data", "key", "type", "msg"];
        let members = names.iter().zip(&values).map(|(name, value)| format!(",\"{name}\":{value}")).collect::<String>();
        let line = format!("{{\"cmd\":\"{cmd}\",\"act\":\"{act}\"{members}}}");
        let answer = parse(line.as_bytes());
        prop_assert_eq!(matches!(answer, Ok(Incoming::Message(_))), cmd == "x");
    }

    #[test]
    fn any_key_comes_back_as_it_was(key in "\\PC*") {
        let line = new_connection(1, &key);
        let value = decoded(&line);
        prop_assert_eq!(value["msg"]["key"].as_str(), Some(key.as_str()));
    }
}

fn json_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| json!(number).to_string()),
        "\\PC{0,8}".prop_map(|text| to_raw_value(&text).unwrap().get().to_owned()),
        prop::sample::select(vec!["null", "true", "false", "[]", "{}", "\"\\ud800\"", "1e400", "-0"])
            .prop_map(str::to_owned),
    ]
}
