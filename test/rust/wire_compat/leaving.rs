//! Every way in which a worker leaves, or is made to.

use egg_clutch::sys::child::{ExitStatus, Signal};
use egg_clutch::transport::channel::node_protocol::{self as protocol, PrimaryRequest};
use serde_json::json;

use super::scenario::{listen, on_every_node};

#[test]
fn a_worker_that_disconnects_by_itself_waits_for_our_word() {
    for order in ["disconnect", "destroy"] {
        on_every_node(|mut worker| async move {
            let _kept = listen(&mut worker, json!({ "port": 0, "host": "127.0.0.1" })).await;
            worker.order(json!({ "order": order }));
            let seq = worker
                .request(|request| match request {
                    PrimaryRequest::ExitedAfterDisconnect { seq } => Some(seq),
                    _ => None,
                })
                .await;
            worker.push(protocol::exited_after_disconnect_ack(seq));
            worker.end_of_channel().await;
            assert_eq!(worker.end().await, ExitStatus::Code(0));
            assert!(worker.output().contains("disconnected"));
        });
    }
}

#[test]
fn a_worker_disconnects_when_told_to() {
    on_every_node(|mut worker| async move {
        let _kept = listen(&mut worker, json!({ "port": 0, "host": "127.0.0.1" })).await;
        worker.push(protocol::disconnect(1));
        worker
            .request(|request| match request {
                PrimaryRequest::Close { key } => (key == "key").then_some(()),
                // Only who goes by its own will asks.
                PrimaryRequest::ExitedAfterDisconnect { .. } => panic!("asked although it was told to"),
                _ => None,
            })
            .await;
        worker.end_of_channel().await;
        assert_eq!(worker.end().await, ExitStatus::Code(0));
    });
}

#[test]
fn a_worker_whose_channel_ends_leaves_with_zero() {
    on_every_node(|mut worker| async move {
        let _kept = listen(&mut worker, json!({ "port": 0, "host": "127.0.0.1" })).await;
        worker.sender().close_when_flushed();
        worker.end_of_channel().await;
        assert_eq!(worker.end().await, ExitStatus::Code(0));
        assert_eq!(worker.output(), "", "it leaves before any listener of the app's hears of it");
    });
}

#[test]
fn a_killed_worker_ends_the_channel_in_the_middle_of_a_line() {
    on_every_node(|mut worker| async move {
        worker.order(json!({ "order": "make", "id": "m", "length": 8_000_000 }));
        worker.flushed().await;
        // It has begun to write much more than a socket holds, and we do not read.
        worker.wait_for_output("made\n");
        worker.child().send_signal(Signal::KILL).unwrap();
        assert_eq!(worker.end().await, ExitStatus::Signal { number: 9, core_dumped: false });
        worker.end_of_channel().await;
        assert!(!worker.has_told("m", "made"), "half a line is none");
    });
}
