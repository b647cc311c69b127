//! What the scenarios share: a run on every Node, and the primary's half of listening.

use std::future::Future;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;
use std::time::Duration;

use egg_clutch::listen::open::{ListenRequest, Opened, open};
use egg_clutch::sys::socket::{LocalAddress, Permissions, accept};
use egg_clutch::transport::channel::node_protocol::{self as protocol, PrimaryRequest, QueryServer};
use serde_json::{Value, json};

use super::worker::{Worker, nodes};

const WATCHDOG: Duration = Duration::from_secs(180);

/// Runs a scenario on every Node, each on a runtime of its own.
pub fn on_every_node<F: Future<Output = ()>>(scenario: impl Fn(Worker) -> F) {
    let (_alive, dropped) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        if dropped.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
            std::process::abort();
        }
    });
    for node in nodes() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let mut worker = Worker::start(&node);
            worker.request(|request| matches!(request, PrimaryRequest::Online).then_some(())).await;
            scenario(worker).await;
        });
    }
}

pub fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

pub fn wish(query: &QueryServer) -> ListenRequest<'_> {
    let permissions = Permissions { readable_all: query.readable_all, writable_all: query.writable_all };
    ListenRequest {
        address: query.address.as_deref(),
        port: query.port,
        address_type: query.address_type,
        fd: query.fd,
        flags: query.flags,
        backlog: query.backlog,
        permissions,
    }
}

pub async fn query(worker: &mut Worker) -> QueryServer {
    worker
        .request(|request| match request {
            PrimaryRequest::QueryServer(query) => Some(query),
            _ => None,
        })
        .await
}

pub fn port_of(opened: &Opened) -> u16 {
    match &opened.local {
        LocalAddress::Ip(name) => name.port,
        other => panic!("{other:?}"),
    }
}

/// Lets the worker listen, keeps the socket here, and sees it say that it listens.
pub async fn listen(worker: &mut Worker, options: Value) -> (QueryServer, Opened, Value) {
    worker.order(json!({ "order": "listen", "id": "s", "options": options }));
    let query = query(worker).await;
    let opened = open(&wish(&query)).unwrap();
    let name = match &opened.local {
        LocalAddress::Ip(name) => Some(name),
        _ => None,
    };
    worker.push(protocol::server_reply(query.seq, "key", 0, name, &query.data));
    let (port, address_type) = worker
        .request(|request| match request {
            PrimaryRequest::Listening { port, address_type, .. } => Some((port, address_type)),
            _ => None,
        })
        .await;
    assert_eq!(address_type, query.address_type);
    match &opened.local {
        LocalAddress::Ip(name) => assert_eq!(port, i64::from(name.port)),
        _ => assert_eq!(port, -1),
    }
    let told = worker.told("s", "listening").await;
    (query, opened, told["address"].clone())
}

fn next_connection(opened: &Opened) -> OwnedFd {
    loop {
        if let Some(connection) = accept(opened.socket.as_fd()).unwrap() {
            return connection;
        }
        std::thread::yield_now();
    }
}

pub fn hand_over(worker: &Worker, opened: &Opened, seq: u64) {
    worker.push_with(protocol::new_connection(seq, "key"), next_connection(opened));
}

pub async fn reply(worker: &mut Worker, seq: u64) -> bool {
    worker
        .request(|request| match request {
            PrimaryRequest::NewConnectionReply { ack, accepted } if ack == seq => Some(accepted),
            _ => None,
        })
        .await
}
