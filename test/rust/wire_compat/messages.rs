//! Messages and handles both ways, and a worker that is slow to take them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};

use bytes::Bytes;
use egg_clutch::transport::channel::node_protocol::{self as protocol, HandleKind, Incoming};
use serde_json::json;

use super::scenario::on_every_node;

#[test]
fn a_worker_knows_that_it_is_one() {
    on_every_node(|mut worker| async move {
        worker.order(json!({ "order": "state", "id": "x" }));
        let state = worker.told("x", "state").await;
        assert_eq!(
            (&state["isWorker"], &state["worker"], &state["connected"]),
            (&json!(true), &json!(7), &json!(true))
        );
        assert_eq!(state["inherited"], false);
    });
}

#[test]
fn messages_of_any_size_go_both_ways() {
    on_every_node(|mut worker| async move {
        for length in [1, 2, 1000, 65_534, 65_535, 65_536, 65_537, 1_000_000, 8_000_000] {
            let data = "x".repeat(length);
            worker.order(json!({ "order": "echo", "id": "e", "data": data }));
            assert!(worker.told("e", "echo").await["data"] == data, "{length} bytes");
        }
        for data in [json!(null), json!([]), json!({ "é": "😀\n\u{2028}\u{0}" }), json!(1.5), json!("\\u")] {
            worker.order(json!({ "order": "echo", "id": "e", "data": data }));
            assert_eq!(worker.told("e", "echo").await["data"], data);
        }
        // Many at once, some of them long, keep their order.
        for number in 0..2000 {
            let padding = "p".repeat(if number % 500 == 0 { 3_000_000 } else { number });
            worker.order(json!({ "order": "echo", "id": number, "data": padding }));
        }
        for number in 0..2000 {
            let told = worker.next_told().await;
            assert_eq!(told["id"], number);
        }
        worker.order(json!({ "order": "make", "id": "m", "length": 8_000_000 }));
        assert_eq!(worker.told("m", "made").await["data"].as_str().unwrap().len(), 8_000_000);
        worker.wait_for_output("made\n");
    });
}

#[test]
fn half_a_surrogate_pair_goes_through_as_node_writes_it() {
    on_every_node(|mut worker| async move {
        let text = "{\"order\":\"echo\",\"id\":\"e\",\"data\":{\"\\ud800\":\"\\udfff\"}}";
        worker.push(Bytes::from(format!("{text}\n")));
        let line = worker
            .frame(|frame| match protocol::parse(&frame.line) {
                Ok(Incoming::Message(message)) => Some(message.get().to_owned()),
                other => panic!("{other:?}"),
            })
            .await;
        assert_eq!(line, "{\"id\":\"e\",\"event\":\"echo\",\"data\":{\"\\ud800\":\"\\udfff\"}}");
    });
}

#[test]
fn a_socket_and_a_server_of_the_workers_reach_us() {
    on_every_node(|mut worker| async move {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("give.sock");
        let listener = UnixListener::bind(&path).unwrap();
        worker.order(json!({ "order": "give", "id": "g", "kind": { "path": path } }));
        let (kind, message, descriptor) = worker.handle().await;
        assert_eq!((kind.as_str(), &message["event"]), ("net.Socket", &json!("given")));
        let mut theirs = listener.accept().unwrap().0;
        UnixStream::from(descriptor).write_all(b"from the master").unwrap();
        // What the worker says behind a handle waits for our word.
        assert!(!worker.has_told("g", "behind"));
        worker.push(protocol::handle_ack());
        worker.told("g", "behind").await;
        let mut text = String::new();
        theirs.read_to_string(&mut text).unwrap();
        assert_eq!(text, "from the master", "the worker let go of its copy");

        worker.order(json!({ "order": "give", "id": "g", "kind": "server" }));
        let (kind, message, descriptor) = worker.handle().await;
        assert_eq!(kind, "net.Server");
        worker.push(protocol::handle_ack());
        worker.told("g", "behind").await;
        let listener = TcpListener::from(descriptor);
        assert_eq!(listener.local_addr().unwrap().port(), message["port"]);
    });
}

#[test]
fn a_lost_handle_is_sent_again() {
    on_every_node(|mut worker| async move {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("give.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        worker.order(json!({ "order": "give", "id": "g", "kind": { "path": path } }));
        for _ in 0..2 {
            drop(worker.handle().await);
            worker.push(protocol::handle_nack());
        }
        let (kind, ..) = worker.handle().await;
        assert_eq!(kind, "net.Socket");
        worker.push(protocol::handle_ack());
        worker.told("g", "behind").await;
    });
}

#[test]
fn a_socket_of_ours_reaches_the_worker() {
    on_every_node(|mut worker| async move {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let message = serde_json::value::to_raw_value(&json!({ "id": "t" })).unwrap();
        worker.push_with(protocol::user_message_with_handle(HandleKind::NetSocket, &message), theirs.into());
        worker.handle_ack().await;
        assert_eq!(worker.told("t", "taken").await["kind"], "Socket");
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        assert_eq!(text, "taken by t");
    });
}

#[test]
fn a_worker_that_does_not_read_keeps_nobody_waiting() {
    on_every_node(|mut worker| async move {
        let directory = tempfile::tempdir().unwrap();
        let until = directory.path().join("go on");
        worker.order(json!({ "order": "block", "id": "b", "until": until }));
        worker.told("b", "blocked").await;
        for number in 0..20 {
            worker.order(json!({ "order": "echo", "id": number, "data": "x".repeat(500_000) }));
        }
        while worker.sender().queued_bytes() > 9_900_000 {
            tokio::task::yield_now().await;
        }
        assert!(worker.sender().queued_bytes() > 1_000_000, "more than the socket holds was taken");
        std::fs::write(until, "").unwrap();
        worker.told("b", "awake").await;
        for number in 0..20 {
            assert_eq!(worker.next_told().await["id"], number);
        }
    });
}
