//! Node's channel: any bytes, cut anywhere. No line panics; what passes for a message is JSON for its receiver, who finds `from`
//! and `to` as the master set them.
#![no_main]

use bytes::Bytes;
use egg_clutch::message::address::{Origin, Target};
use egg_clutch::message::envelope::Envelope;
use egg_clutch::transport::channel::frame::FrameReader;
use egg_clutch::transport::channel::node_protocol::parse;
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 2048;

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, stream) = input;
    let mut reader = FrameReader::new(LIMIT);
    let mut lines = Vec::new();
    for piece in stream.chunks(usize::from(cut).max(1)) {
        reader.feed(piece);
        while let Some(Ok(line)) = reader.next() {
            assert!(line.len() <= LIMIT);
            lines.push(line);
        }
    }
    let whole: Vec<&[u8]> = stream.split(|&byte| byte == b'\n').collect();
    for (line, expected) in lines.iter().zip(whole) {
        assert_eq!(line, expected, "what a line is does not depend on how the stream was cut");
        let _ = parse(line);
        look_at(line);
    }
});

fn look_at(line: &Bytes) {
    let Ok(envelope) = Envelope::parse(line) else { return };
    let _ = (envelope.action(), envelope.to(), envelope.receiver(), envelope.is_internal());
    if let Some(data) = envelope.data() {
        serde_json::from_str::<&serde_json::value::RawValue>(data).expect("data is JSON by itself");
    }
    let frame = envelope.frame(Origin::Agent, Target::Apps).concat();
    let members: std::collections::HashMap<String, &serde_json::value::RawValue> = match serde_json::from_slice(&frame)
    {
        Ok(members) => members,
        // Names that no Rust string can hold, such as half a surrogate pair.
        Err(_) => {
            serde_json::from_slice::<serde::de::IgnoredAny>(&frame).expect("what is sent on is JSON");
            return;
        }
    };
    assert_eq!(members["from"].get(), "\"agent\"");
    assert_eq!(members["to"].get(), "\"app\"");
}
