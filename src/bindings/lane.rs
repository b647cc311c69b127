//! [`Lane`]: how connections come into a worker, as a JavaScript object. `lib/worker/lane.js` makes Node's connections of them.

use std::rc::Rc;

use napi::Env;
use napi::bindgen_prelude::{BufferSlice, Function};
use napi_derive::napi;

use super::callback::{self, LoopCallback};
use super::cluster::to_js;
use crate::error::{ClusterError, chain};
use crate::worker::lane::{self, Entry, EventLoop, Taken, Watch};

/// What is said of few connections.
#[napi(object)]
pub struct LaneDetails {
    /// Whether it came in by the sticky port.
    pub sticky: bool,
    /// The client's address, where that is not the other end of the connection.
    pub address: Option<String>,
    /// The client's port, with `address`.
    pub port: Option<u32>,
}

/// What Node calls a listening socket.
#[napi(object)]
pub struct LaneDoor {
    /// The number in the connections that follow.
    pub door: u32,
    /// Node's key.
    pub key: String,
    /// Whether it is a unix socket.
    pub unix: bool,
}

/// A worker's own lane. One per process; its methods may be called on the main thread only.
#[napi]
pub struct Lane {
    /// Dropped first, before what it watches.
    watch: Option<Watch>,
    inner: lane::Lane,
    event_loop: EventLoop,
    callback: Rc<LoopCallback>,
    /// Those of the last record, to send one back.
    entries: Vec<Entry>,
    name: Option<LaneDoor>,
}

#[napi]
impl Lane {
    /// Joins by the master's invitation, the number of a descriptor. `onWake` is called on the event loop as long as something is in the
    /// lane; it keeps no process alive.
    ///
    /// Throws `ERR_CLUTCH_PLATFORM` where this machine has no shared memory that can be sealed.
    #[napi(constructor)]
    pub fn new(env: Env, invitation: String, on_wake: Function<'_, (), ()>) -> napi::Result<Self, String> {
        let failed = |reason: String| to_js(&ClusterError::Attach { reason });
        let callback = LoopCallback::new(env, "egg-clutch-lane", &on_wake)
            .map(Rc::new)
            .map_err(|error| failed(error.reason.clone()))?;
        let event_loop = callback::event_loop(env).map_err(|error| failed(error.reason.clone()))?;
        let inner = lane::Lane::join(&invitation).map_err(|error| failed(chain(&error)))?;
        let mut lane = Self { watch: None, inner, event_loop, callback, entries: Vec::new(), name: None };
        lane.resume()?;
        Ok(lane)
    }

    /// Takes the next record: how many connections came, -1 for none, -2 where something is there that this process has no descriptor
    /// for, -3 for a name (`name`). `into` is the bytes of three 32-bit integers per connection: its descriptor, which whoever gets it
    /// closes, the number of the listening socket, and 1 where there are `details`.
    #[napi]
    pub fn take(&mut self, mut into: BufferSlice<'_>) -> i32 {
        match self.inner.take() {
            Taken::Connections(connections) => {
                self.entries.clear();
                let mut words = into.chunks_exact_mut(size_of::<i32>());
                for (entry, descriptor) in connections {
                    let has_details = entry.client.is_some() || entry.address.is_some();
                    self.entries.push(entry);
                    let number = lane::Lane::give_away(descriptor);
                    for value in [number, entry.door.0.cast_signed(), i32::from(has_details)] {
                        if let Some(word) = words.next() {
                            word.copy_from_slice(&value.to_ne_bytes());
                        }
                    }
                }
                i32::try_from(self.entries.len()).unwrap_or_default()
            }
            Taken::Name { door, key, is_unix } => {
                self.name = Some(LaneDoor { door: door.0, key, unix: is_unix });
                -3
            }
            Taken::Nothing => -1,
            Taken::OutOfDescriptors => -2,
            // The socket of a master that is gone stays readable for ever.
            Taken::Ended => {
                self.watch = None;
                -1
            }
        }
    }

    /// The name that `take` has found.
    #[napi]
    pub fn name(&mut self) -> Option<LaneDoor> {
        self.name.take()
    }

    /// What else is said of the connection at this place of the last record.
    #[napi]
    pub fn details(&self, place: u32) -> Option<LaneDetails> {
        let entry = self.entries.get(place as usize)?;
        Some(LaneDetails {
            sticky: entry.client.is_some(),
            address: entry.address.map(|address| address.ip().to_string()),
            port: entry.address.map(|address| address.port().into()),
        })
    }

    /// Sends the connection at this place of the last record back, to another worker. It is still to be closed here.
    #[napi]
    pub fn send_back(&self, place: u32, fd: i32) -> bool {
        self.entries.get(place as usize).is_some_and(|entry| self.inner.send_back(*entry, fd))
    }

    /// A connection that came by the lane is closed.
    #[napi]
    pub fn note_closed(&mut self) {
        self.inner.note_closed();
    }

    /// `onWake` is not called before `resume`.
    #[napi]
    pub fn pause(&mut self) {
        self.watch = None;
    }

    /// `onWake` is called again.
    #[napi]
    pub fn resume(&mut self) -> napi::Result<(), String> {
        let callback = Rc::clone(&self.callback);
        let watch = self.inner.watch(self.event_loop, move || callback.call());
        self.watch = Some(watch.map_err(|error| to_js(&ClusterError::Attach { reason: chain(&error) }))?);
        Ok(())
    }
}
