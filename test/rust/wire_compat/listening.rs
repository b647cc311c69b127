//! Every way in which a worker listens, and connections that are handed to it.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use egg_clutch::listen::open::{Opened, open};
use egg_clutch::sys::socket::AddressType;
use egg_clutch::transport::channel::node_protocol::{self as protocol, HandleKind, PrimaryRequest};
use serde_json::json;

use super::scenario::{hand_over, has_ipv6, listen, on_every_node, port_of, query, reply, wish};
use super::worker::Worker;

/// Hands the waiting connection over and sees it acknowledged, accepted and served.
async fn serve(worker: &mut Worker, opened: &Opened, mut client: impl Read) {
    hand_over(worker, opened, 1);
    worker.handle_ack().await;
    assert!(reply(worker, 1).await);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "served by s");
}

#[test]
fn any_port_on_any_address_is_served() {
    on_every_node(|mut worker| async move {
        let (query, opened, address) = listen(&mut worker, json!({ "port": 0 })).await;
        assert_eq!((query.address.as_deref(), query.port, query.fd), (None, 0, None));
        assert_eq!((query.address_type, query.backlog), (AddressType::Ipv4, None));
        let family = if has_ipv6() { ("::", "IPv6") } else { ("0.0.0.0", "IPv4") };
        assert_eq!(address, json!({ "address": family.0, "family": family.1, "port": port_of(&opened) }));
        serve(&mut worker, &opened, TcpStream::connect(("127.0.0.1", port_of(&opened))).unwrap()).await;
    });
}

#[test]
fn an_ipv4_address_is_served() {
    on_every_node(|mut worker| async move {
        let options = json!({ "port": 0, "host": "127.0.0.1", "backlog": 7 });
        let (query, opened, address) = listen(&mut worker, options).await;
        assert_eq!((query.address_type, query.backlog), (AddressType::Ipv4, Some(7)));
        assert_eq!(address, json!({ "address": "127.0.0.1", "family": "IPv4", "port": port_of(&opened) }));
        serve(&mut worker, &opened, TcpStream::connect(("127.0.0.1", port_of(&opened))).unwrap()).await;
    });
}

#[test]
fn an_ipv6_address_is_served() {
    if !has_ipv6() {
        return;
    }
    on_every_node(|mut worker| async move {
        let options = json!({ "port": 0, "host": "::1", "ipv6Only": true });
        let (query, opened, address) = listen(&mut worker, options).await;
        assert_eq!((query.address_type, query.flags & 1), (AddressType::Ipv6, 1));
        assert_eq!(address, json!({ "address": "::1", "family": "IPv6", "port": port_of(&opened) }));
        serve(&mut worker, &opened, TcpStream::connect(("::1", port_of(&opened))).unwrap()).await;
    });
}

#[test]
fn a_unix_socket_is_served() {
    on_every_node(|mut worker| async move {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let options = json!({ "path": path, "readableAll": true, "writableAll": true });
        let (query, opened, address) = listen(&mut worker, options).await;
        assert_eq!((query.address_type, query.port, query.address.as_deref()), (AddressType::Unix, -1, path.to_str()));
        assert_eq!(address, json!(path));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o666, 0o666);
        serve(&mut worker, &opened, UnixStream::connect(&path).unwrap()).await;
    });
}

#[test]
fn an_inherited_descriptor_is_served() {
    on_every_node(|mut worker| async move {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (query, opened, address) = listen(&mut worker, json!({ "fd": listener.as_raw_fd() })).await;
        assert_eq!((query.fd, query.address_type), (Some(listener.as_raw_fd()), AddressType::Unspecified));
        assert_eq!(address["port"], port);
        serve(&mut worker, &opened, TcpStream::connect(("127.0.0.1", port)).unwrap()).await;
    });
}

#[test]
fn a_port_that_is_taken_is_told_as_node_tells_it() {
    on_every_node(|mut worker| async move {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        worker.order(json!({ "order": "listen", "id": "s", "options": { "port": port, "host": "127.0.0.1" } }));
        let query = query(&mut worker).await;
        let errno = open(&wish(&query)).unwrap_err().libuv_errno();
        worker.push(protocol::server_reply(query.seq, "key", errno, None, &query.data));
        let error = worker.told("s", "error").await;
        assert_eq!(error["code"], "EADDRINUSE");
        assert_eq!(error["message"], format!("bind EADDRINUSE 127.0.0.1:{port}"));
    });
}

#[test]
fn a_listening_socket_can_be_given_away() {
    on_every_node(|mut worker| async move {
        worker.order(json!({ "order": "listen", "id": "s", "options": { "port": 0, "host": "127.0.0.1" } }));
        let query = query(&mut worker).await;
        let opened = open(&wish(&query)).unwrap();
        let port = port_of(&opened);
        let frame = protocol::server_reply_with_handle(HandleKind::NetNative, query.seq, "key", &query.data);
        worker.push_with(frame, opened.socket);
        worker.handle_ack().await;
        assert_eq!(worker.told("s", "listening").await["address"]["port"], port);
        let mut answer = String::new();
        TcpStream::connect(("127.0.0.1", port)).unwrap().read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "served by s");
    });
}

#[test]
fn datagrams_are_served() {
    for (kind, local, expected) in [("udp4", "127.0.0.1", AddressType::Udp4), ("udp6", "::1", AddressType::Udp6)] {
        if kind == "udp6" && !has_ipv6() {
            continue;
        }
        on_every_node(|mut worker| async move {
            let order = json!({ "order": "bind", "id": "d", "type": kind, "options": { "port": 0, "address": local },
                "flags": { "reuseAddr": true } });
            worker.order(order);
            let query = query(&mut worker).await;
            assert_eq!((query.address_type, query.flags & 4, query.fd), (expected, 4, None));
            let opened = open(&wish(&query)).unwrap();
            let port = port_of(&opened);
            let frame = protocol::server_reply_with_handle(HandleKind::DgramNative, query.seq, "key", &query.data);
            worker.push_with(frame, opened.socket);
            worker.handle_ack().await;
            assert_eq!(worker.told("d", "listening").await["address"]["port"], port);
            let client = UdpSocket::bind((local, 0)).unwrap();
            client.send_to(b"ping", (local, port)).unwrap();
            let mut buffer = [0; 64];
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"pong ping");
        });
    }
}

#[test]
fn many_connections_are_handed_over_without_waiting() {
    on_every_node(|mut worker| async move {
        let (_, opened, _) = listen(&mut worker, json!({ "port": 0, "host": "127.0.0.1" })).await;
        let mut clients = Vec::new();
        for seq in 0..300 {
            clients.push(TcpStream::connect(("127.0.0.1", port_of(&opened))).unwrap());
            hand_over(&worker, &opened, seq);
        }
        for (seq, mut client) in (0..).zip(clients) {
            worker.handle_ack().await;
            assert!(reply(&mut worker, seq).await);
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "served by s");
        }
    });
}

#[test]
fn a_closed_server_says_so_and_refuses_connections() {
    on_every_node(|mut worker| async move {
        let (_, opened, _) = listen(&mut worker, json!({ "port": 0, "host": "127.0.0.1" })).await;
        worker.order(json!({ "order": "close", "id": "s" }));
        let key = worker
            .request(|request| match request {
                PrimaryRequest::Close { key } => Some(key),
                _ => None,
            })
            .await;
        assert_eq!(key, "key");
        worker.told("s", "closed").await;
        let _client = TcpStream::connect(("127.0.0.1", port_of(&opened))).unwrap();
        hand_over(&worker, &opened, 5);
        worker.handle_ack().await;
        assert!(!reply(&mut worker, 5).await, "somebody else should have it");
    });
}
