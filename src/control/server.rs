//! One face as an HTTP/1.1 server on the master's thread: takes connections, hands what is asked to the master's loop, and
//! sends the answers. Whatever a client does or leaves undone, its share of the thread and of the memory is bounded.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, oneshot};
use tokio::time;

use super::ask::{Ask, Asked, Reply};
use super::events::{EventStream, Hub};
use super::guests::{Guests, Introduction};
use super::metrics::Format;
use super::pace::Pace;
use super::route::{Face, Route, route, verb};
use super::visit::{Doing, Limits, Visit, Visits};
use crate::sys::this_process;

/// How many connections a face has at once. Some are left to those who look, whatever others wait for.
const LIMITS: Limits = Limits { all: 128, listening: 32, acting: 64 };
/// How many bytes the head of a request may have, how many fields, and how many bytes the body.
const HEAD_BYTES: usize = 8192;
const HEAD_FIELDS: usize = 64;
const BODY_BYTES: usize = 4096;
/// How long a body may take to come in.
const BODY_PATIENCE: Duration = Duration::from_secs(5);
/// How long the master's loop may take for what it knows at once.
const ASK_PATIENCE: Duration = Duration::from_secs(5);
/// How fast requests are taken up, and connections.
const REQUEST_GAP: Duration = Duration::from_millis(1);
const CONNECTION_GAP: Duration = Duration::from_micros(500);
const RUSH: Duration = Duration::from_millis(50);
/// How long nothing is accepted after that has failed: there is no descriptor left, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The live page, one file; `npm run page` makes it of its parts.
const PAGE: &str = include_str!("page.html");

/// A listening socket of a face.
pub enum Listener {
    /// The control socket.
    Unix(UnixListener),
    /// The admin port.
    Tcp(TcpListener),
}

/// One face.
pub struct Server {
    face: Face,
    guests: Guests,
    asks: mpsc::Sender<Asked>,
    hub: Hub,
    visits: Visits,
    started: Instant,
    pace: RefCell<Pace>,
}

/// The body of a response.
enum Body {
    Whole(Full<Bytes>),
    Events(EventStream),
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context),
            Self::Events(events) => events.poll(context).map(|piece| piece.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

impl Server {
    /// A face whose questions go to `asks`. `guests` are those of the admin port.
    #[must_use]
    pub fn new(face: Face, guests: Guests, asks: mpsc::Sender<Asked>, hub: Hub) -> Rc<Self> {
        let pace = RefCell::new(Pace::new(REQUEST_GAP, RUSH));
        let visits = Visits::new(LIMITS);
        Rc::new(Self { face, guests, asks, hub, visits, started: Instant::now(), pace })
    }

    /// True while a request waits for its answer.
    #[must_use]
    pub fn is_answering(&self) -> bool {
        self.visits.is_answering()
    }

    /// Takes connections for as long as the runtime lives. To be run in a `LocalSet`.
    pub async fn serve(self: Rc<Self>, listener: Listener) {
        let mut pace = Pace::new(CONNECTION_GAP, RUSH);
        loop {
            let taken = match &listener {
                Listener::Unix(socket) => socket.accept().await.map(|(stream, _)| {
                    if is_owner(&stream) {
                        self.welcome(stream);
                    }
                }),
                Listener::Tcp(socket) => socket.accept().await.map(|(stream, _)| self.welcome(stream)),
            };
            // One that was gone before it was accepted says nothing about the next.
            if taken.is_err() {
                time::sleep(ACCEPT_PAUSE).await;
            }
            match pace.take_turn(self.started.elapsed()) {
                Duration::ZERO => {}
                wait => time::sleep(wait).await,
            }
        }
    }

    fn welcome<S: AsyncRead + AsyncWrite + Unpin + 'static>(self: &Rc<Self>, stream: S) {
        if let Some(visit) = self.visits.admit() {
            tokio::task::spawn_local(Rc::clone(self).entertain(stream, visit));
        }
    }

    async fn entertain<S: AsyncRead + AsyncWrite + Unpin + 'static>(self: Rc<Self>, stream: S, visit: Rc<Visit>) {
        let service = service_fn(|request| Rc::clone(&self).answer(request, Rc::clone(&visit)));
        let connection = http1::Builder::new()
            // The time for the head is part of the time without a request, which is looked at below.
            .header_read_timeout(None)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_FIELDS)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        loop {
            let (deadline, is_over) = visit.deadline(Instant::now());
            if is_over {
                break;
            }
            tokio::select! {
                // What a client breaks is broken for it alone.
                _ = &mut connection => break,
                () = visit.end.notified() => break,
                () = time::sleep_until(deadline.into()) => {}
            }
        }
        self.visits.forget(&visit);
    }

    async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        visit: Rc<Visit>,
    ) -> Result<Response<Body>, Infallible> {
        visit.set(Doing::Answered);
        let wait = self.pace.borrow_mut().take_turn(self.started.elapsed());
        if !wait.is_zero() {
            time::sleep(wait).await;
        }
        let response = self.respond(request, &visit).await;
        visit.set_quiet();
        Ok(response)
    }

    async fn respond(&self, request: Request<Incoming>, visit: &Visit) -> Response<Body> {
        let introduction = introduction(request.headers());
        if let (Face::Admin, Err(why)) = (self.face, self.guests.check(&introduction)) {
            return whole(Reply::error(403, "ERR_CLUTCH_OPTION", why));
        }
        match route(self.face, request.method().as_str(), request.uri().path()) {
            Err(reply) => whole(reply),
            Ok(Route::Health) => whole(health()),
            Ok(Route::Page) => whole(page()),
            Ok(Route::Events) if !self.visits.may_listen() => {
                whole(Reply::error(503, "ERR_CLUTCH_QUEUE_FULL", &format!("{} listen already", LIMITS.listening)))
            }
            Ok(Route::Events) => {
                visit.set(Doing::Listens);
                events(self.hub.listen(Rc::clone(&visit.end)))
            }
            Ok(Route::Ask(ask)) => whole(self.look(ask).await),
            Ok(Route::Metrics) => {
                let accepted = request.headers().get_all(header::ACCEPT);
                let format = Format::of_accept(accepted.iter().filter_map(|field| field.to_str().ok()));
                whole(self.look(Ask::Metrics(format)).await)
            }
            Ok(Route::Verb(name)) => whole(self.act(name, request.into_body(), visit).await),
        }
    }

    async fn act(&self, name: &str, body: Incoming, visit: &Visit) -> Reply {
        // Who does not send it all has not asked yet, and makes room for others.
        visit.set(Doing::Quiet(Instant::now()));
        let body = match time::timeout(BODY_PATIENCE, Limited::new(body, BODY_BYTES).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => {
                return Reply::error(
                    413,
                    "ERR_CLUTCH_OPTION",
                    &format!("a body may have {BODY_BYTES} bytes, and must be whole"),
                );
            }
            Err(_) => return Reply::error(408, "ERR_CLUTCH_TIMEOUT", "the body did not come in time"),
        };
        visit.set(Doing::Answered);
        match verb(name, &body) {
            Ok((_, true)) if !self.visits.may_act() => {
                Reply::error(503, "ERR_CLUTCH_QUEUE_FULL", &format!("{} wait for an end already", LIMITS.acting))
            }
            Ok((verb, waits)) => {
                if waits {
                    visit.set(Doing::Acts);
                }
                self.ask(Ask::Verb { verb, waits }).await
            }
            Err(reply) => reply,
        }
    }

    async fn look(&self, ask: Ask) -> Reply {
        let reply = time::timeout(ASK_PATIENCE, self.ask(ask)).await;
        reply.unwrap_or_else(|_| Reply::error(504, "ERR_CLUTCH_TIMEOUT", "the master does not answer in time"))
    }

    async fn ask(&self, ask: Ask) -> Reply {
        let (answer, told) = oneshot::channel();
        if self.asks.send(Asked { ask, answer }).await.is_err() {
            return Reply::closed();
        }
        let reply = told.await.unwrap_or_else(|_| Reply::closed());
        self.pace.borrow_mut().charge(reply.cost);
        reply
    }
}

/// The kernel says who connected; root may do everything anyway.
fn is_owner(stream: &tokio::net::UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == this_process::user())
}

fn introduction(headers: &HeaderMap) -> Introduction<'_> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // A second one could be what somebody else looks at.
    let host = text(header::HOST).filter(|_| headers.get_all(header::HOST).iter().count() == 1);
    Introduction {
        host,
        origin: headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null")),
        fetch_site: text(HeaderName::from_static("sec-fetch-site")),
        fetch_mode: text(HeaderName::from_static("sec-fetch-mode")),
    }
}

fn health() -> Reply {
    Reply::json(200, &serde_json::json!({ "alive": true, "pid": std::process::id() }))
}

/// It says itself what it may load: nothing but what it brings, and what this port answers.
fn page() -> Reply {
    Reply {
        status: 200,
        content_type: "text/html; charset=utf-8",
        body: Bytes::from_static(PAGE.as_bytes()),
        allow: None,
        cost: Duration::ZERO,
    }
}

fn whole(reply: Reply) -> Response<Body> {
    let Reply { status, content_type, body, allow, .. } = reply;
    let mut response = response(content_type, Body::Whole(Full::new(body)));
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

fn events(stream: EventStream) -> Response<Body> {
    response("text/event-stream; charset=utf-8", Body::Events(stream))
}

/// What is shown is of this moment, for whoever asked, and for no page or frame of another site.
fn response(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let fields = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    response.headers_mut().extend(fields.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}
