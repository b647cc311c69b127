//! [`Endpoint`]: a worker on the switchboard as a JavaScript object. `lib/worker/switchboard.js` decides what to send by it.

use std::rc::Rc;

use napi::Env;
use napi::bindgen_prelude::{BufferSlice, Error, Function};
use napi_derive::napi;

use super::callback::{self, LoopCallback};
use super::cluster::to_js;
use crate::error::{ClusterError, chain};
use crate::worker::endpoint::{self, Kind, News, Place, Receipt, Role, Sent, Watches};

/// What happened on the switchboard.
#[napi(object)]
pub struct SwitchboardNews {
    /// `expected`, `joined`, `gone` or `broken`.
    pub kind: String,
    /// Its place.
    pub place: u32,
    /// Which of the place's processes it is.
    pub generation: u32,
    /// `agent` or `app`; only of one that is expected or joined.
    pub role: Option<String>,
    /// Its address in messages; only of one that is expected or joined.
    pub pid: Option<u32>,
}

/// A worker's own end of the switchboard. One per process; its methods may be called on the main thread only.
#[napi]
pub struct Endpoint {
    /// Dropped first, before what they watch.
    watches: Option<Watches>,
    inner: endpoint::Endpoint,
}

#[napi]
impl Endpoint {
    /// Joins by the master's invitation (`<descriptor>:<place>:<generation>`). Payload may use up to `arenaBytes` bytes of shared memory.
    /// `onWake` is called on the event loop when there are messages or news; it keeps no process alive.
    ///
    /// Throws `ERR_CLUTCH_PLATFORM` where this machine has no shared memory that can be sealed.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        invitation: String,
        arena_bytes: f64,
        on_wake: Function<'_, (), ()>,
    ) -> napi::Result<Self, String> {
        let failed = |reason: String| to_js(&ClusterError::Attach { reason });
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size; out of range saturates")]
        let arena = arena_bytes as u64;
        let inner = endpoint::Endpoint::join(&invitation, arena).map_err(|error| failed(chain(&error)))?;
        let callback = LoopCallback::new(env, "egg-clutch", &on_wake)
            .map(Rc::new)
            .map_err(|error| failed(error.reason.clone()))?;
        let event_loop = callback::event_loop(env).map_err(|error| failed(error.reason.clone()))?;
        let watches =
            inner.watch(event_loop, Rc::new(move || callback.call())).map_err(|error| failed(chain(&error)))?;
        Ok(Self { watches: Some(watches), inner })
    }

    /// The place and the generation of this process.
    #[napi]
    pub fn own(&self) -> Vec<u32> {
        let own = self.inner.own();
        vec![own.place.0, own.generation.0]
    }

    /// Reads what the master has told, and what was found out about peers.
    #[napi]
    pub fn hear(&mut self) -> Vec<SwitchboardNews> {
        if self.watches.is_some() && !self.inner.hear_master() {
            // The socket of a master that is gone stays readable for ever.
            self.watches = None;
        }
        std::iter::from_fn(|| self.inner.poll_news()).map(Into::into).collect()
    }

    /// What this peer sent by the channel has all come: its messages here may be received.
    #[napi]
    pub fn open(&mut self, place: u32, generation: u32) {
        self.inner.open(endpoint::peer(place, generation));
    }

    /// Forgets a peer, and what it has sent and nobody received.
    #[napi]
    pub fn let_go(&mut self, place: u32) {
        self.inner.let_go(Place(place));
    }

    /// Sends the beginning of `payload` to all `places`. `head` is the bytes of five doubles: kind, flags, length of the action's name at
    /// the beginning of the payload, length of the payload, number. 0: all have it. 1: it waits here for those that have no room, and
    /// `flush` is due. -1: so much waits already that it is not sent to those. -2: it is larger than all room there may be.
    #[napi]
    pub fn send(&mut self, places: &[u32], head: BufferSlice<'_>, payload: &[u8]) -> napi::Result<i32> {
        let mut values =
            head.chunks_exact(size_of::<f64>()).map(|bytes| bytes.try_into().map_or(0.0, f64::from_ne_bytes));
        let [kind, flags, name_length, length, number] = std::array::from_fn(|_| values.next().unwrap_or_default());
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "out of range saturates and is refused"
        )]
        let [kind, flags, name_length, length] = [kind, flags, name_length, length].map(|value| value as u32);
        let kind = Kind::from_number(kind).ok_or_else(|| Error::from_reason(format!("no kind {kind}")))?;
        let payload =
            payload.get(..length as usize).ok_or_else(|| Error::from_reason("length is beyond the payload"))?;
        let flags = u16::try_from(flags).map_err(|_| Error::from_reason("flags beyond 16 bits"))?;
        let heading = endpoint::heading(kind, flags, name_length, number.to_bits());
        let places: Vec<Place> = places.iter().copied().map(Place).collect();
        Ok(match self.inner.send(&places, heading, payload) {
            Sent::All => 0,
            Sent::Waits => 1,
            Sent::Refused => -1,
            Sent::TooBig => -2,
        })
    }

    /// Sends what waits, as far as there is room now. Answers whether nothing waits any more.
    #[napi]
    pub fn flush(&mut self) -> bool {
        self.inner.flush()
    }

    /// Takes the next message: its bytes into `into`, and into `head`, the bytes of six doubles, its sender's place, kind, flags, length of
    /// the name, length and number.
    /// 1: there was one. 0: there is none. Below 0: `into` needs so many bytes.
    #[napi]
    pub fn receive(&mut self, mut into: BufferSlice<'_>, mut head: BufferSlice<'_>) -> f64 {
        match self.inner.receive(&mut into) {
            Receipt::Nothing => 0.0,
            #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
            Receipt::Needs(bytes) => -(bytes as f64),
            Receipt::Message(message) => {
                let heading = message.heading;
                #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
                let values = [
                    f64::from(message.sender.0),
                    f64::from(heading.kind as u16),
                    f64::from(heading.flags.0),
                    f64::from(heading.name_length),
                    message.length as f64,
                    f64::from_bits(heading.tag),
                ];
                for (place, value) in head.chunks_exact_mut(size_of::<f64>()).zip(values) {
                    place.copy_from_slice(&value.to_ne_bytes());
                }
                1.0
            }
        }
    }

    /// Is awake. To be called before the first `receive` of a turn.
    #[napi]
    pub fn wake(&mut self) {
        self.inner.wake();
    }

    /// Whether nothing is left to receive: the next message calls `onWake` then. Otherwise go on receiving.
    #[napi]
    pub fn may_sleep(&mut self) -> bool {
        self.inner.may_sleep()
    }

    /// Gives back memory that is not used.
    #[napi]
    pub fn tidy(&mut self) {
        self.inner.tidy();
    }
}

impl From<News> for SwitchboardNews {
    fn from(news: News) -> Self {
        let (kind, peer, joined) = match news {
            News::Expected { peer, role, pid } => ("expected", peer, Some((role, pid))),
            News::Joined { peer, role, pid } => ("joined", peer, Some((role, pid))),
            News::Gone { peer } => ("gone", peer, None),
            News::Broken { peer } => ("broken", peer, None),
        };
        let role = joined.map(|(role, _)| if role == Role::Agent { "agent" } else { "app" }.to_owned());
        let pid = joined.map(|(_, pid)| pid);
        Self { kind: kind.to_owned(), place: peer.place.0, generation: peer.generation.0, role, pid }
    }
}
