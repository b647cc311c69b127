//! [`Endpoint`]: a worker on the switchboard as a JavaScript object. `lib/worker/switchboard` decides what to send by it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{
    Buffer, BufferSlice, Error, Function, FunctionCallContext, JsValue, Object, ToNapiValue, Unknown,
};
use napi_derive::napi;

use super::callback::{self, LoopCallback};
use super::cluster::to_js;
use super::in_place;
use super::text::{self, Encoding, Text};
use crate::error::{ClusterError, chain};
use crate::worker::endpoint::loans::{ATTACHMENT_LIMIT, Attached, LoanId, Source};
use crate::worker::endpoint::lost::Lost;
use crate::worker::endpoint::names::{NameNumber, unfilled};
use crate::worker::endpoint::sending::{Name, Outgoing, Payload};
use crate::worker::endpoint::{
    self, Action, ByteCount, Calls, Kind, Limits, Located, News, Place, Received, Resting, Role, Sent, Watches,
};
use crate::worker::pulse;

// Where what stands in `head`, in 32-bit integers.
const KIND: usize = 0;
const FLAGS: usize = 1;
const ACTION: usize = 2;
const RECEIVERS: usize = 3;
const NUMBER: usize = 4;
const ENCODING: usize = 6;
const CHARACTERS: usize = 7;
const PLACES: usize = 8;
const ATTACHED: usize = PLACES + 256;
/// Where the doubles of what is attached begin, in bytes.
const ATTACHED_BYTES: usize = (ATTACHED + 2) * size_of::<i32>();
/// Source, beginning and length.
const ATTACHED_VALUES: usize = 3;

/// The time at which it was sent goes with it, in the place of the number that it does not carry.
const STAMPED: u16 = 8;

const ROW_VALUES: usize = 9;
const ROW_BYTES: usize = ROW_VALUES * size_of::<f64>();

/// So many turns JavaScript gets at most before the loop looks for other events, when messages come without a pause.
const TURNS_BEFORE_WAIT: u32 = 64;

/// What happened on the switchboard.
#[napi(object)]
pub struct SwitchboardNews {
    /// `expected`, `joined`, `left`, `gone`, `lost` or `broken`.
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

/// What waits in a process because its receivers have no room.
#[napi(object)]
pub struct SwitchboardLoad {
    /// How full the fullest queue is, 0 to 1.
    pub pressure: f64,
    /// How many messages wait, counted once for each receiver.
    pub messages: f64,
    /// How much memory they take.
    pub bytes: f64,
    /// How many have waited and are gone on.
    pub waited: f64,
    /// How long all of these together have waited, in milliseconds.
    pub waited_ms: f64,
    /// How long the one that waited longest did, in milliseconds.
    pub longest_ms: f64,
    /// How many bytes of shared memory are lent, or attached to messages and with their receivers.
    pub in_place_bytes: f64,
}

/// Messages of one action that a process will not get.
#[napi(object)]
pub struct SwitchboardLoss {
    /// Empty where it stands in their data.
    pub action: String,
    /// How many.
    pub count: f64,
}

/// How much memory the messages of a process may take, in bytes.
#[napi(object)]
pub struct SwitchboardLimits {
    /// Shared memory.
    pub arena_bytes: f64,
    /// Private memory for what waits for one receiver.
    pub max_queue_bytes: f64,
}

/// A worker's own end of the switchboard. One per process; its methods may be called on the main thread only.
///
/// What is said of messages goes through three buffers that the constructor is given, because arguments cost more than the messages.
/// `head`, of the next message that is sent, as 32-bit integers: kind, flags, number of its action, how many receivers, two for the
/// number that it carries (a double), encoding of its text (1 Latin-1, 2 UTF-16), its characters, the places of the receivers, at 264 how
/// many parts are attached, and from 266 on three doubles for each of these: the number of the loan, or -1 less the number that `stage`
/// gave, where the part begins in it, and its length.
/// `rows`, of the messages that `receive` has found, nine doubles each: sender's place, kind, flags, number of its action or -1, bytes of
/// the action's name that lie in front of the payload then, where the payload begins in `intake`, its length, and the number that it
/// carries, and how many parts are attached. Of a payload that is in place, -1 and less the byte where the name ends.
/// The flag 8 asks for the time at which a message is sent to go with it, unless it carries a number; with the flag, what is received has as
/// its number for how many milliseconds it was on its way.
#[napi]
pub struct Endpoint {
    /// Dropped first, before what they watch.
    watches: Option<Watches>,
    inner: Rc<RefCell<endpoint::Endpoint>>,
    desk: Rc<RefCell<Desk>>,
}

#[napi]
impl Endpoint {
    /// Joins by the master's invitation (`<descriptor>:<place>:<generation>`).
    /// `onMessages` and `onNews` are called on the event loop when there are some; that keeps no process alive.
    ///
    /// Throws `ERR_CLUTCH_PLATFORM` where this machine has no shared memory that can be sealed.
    #[napi(constructor)]
    #[allow(clippy::too_many_arguments, reason = "it is called in one place")]
    pub fn new(
        env: Env,
        invitation: String,
        limits: SwitchboardLimits,
        head: Buffer,
        rows: Buffer,
        intake: Buffer,
        on_messages: Function<'_, (), ()>,
        on_news: Function<'_, (), ()>,
    ) -> napi::Result<Self, String> {
        let failed = |reason: String| to_js(&ClusterError::Attach { reason });
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes; out of range saturates")]
        let limits = Limits { arena: limits.arena_bytes as u64, max_queue: limits.max_queue_bytes as usize };
        let inner = endpoint::Endpoint::join(&invitation, limits).map_err(|error| failed(chain(&error)))?;
        let inner = Rc::new(RefCell::new(inner));
        let callback = |function| {
            let callback = LoopCallback::new(env, "egg-clutch", function);
            callback.map(Rc::new).map_err(|error| failed(error.reason.clone()))
        };
        let calls = calls(&inner, &callback(&on_messages)?, callback(&on_news)?);
        let event_loop = callback::event_loop(env).map_err(|error| failed(error.reason.clone()))?;
        let watches = inner.borrow().watch(event_loop, &calls).map_err(|error| failed(chain(&error)))?;
        let desk = Desk { head, rows, intake, places: Vec::new(), attached: Vec::new() };
        Ok(Self { watches: Some(watches), inner, desk: Rc::new(RefCell::new(desk)) })
    }

    /// The place and the generation of this process.
    #[napi]
    pub fn own(&self) -> Vec<u32> {
        let own = self.inner.borrow().own();
        vec![own.place.0, own.generation.0]
    }

    /// Reads what the master has told, and what was found out about peers.
    #[napi]
    pub fn hear(&mut self) -> Vec<SwitchboardNews> {
        let mut inner = self.inner.borrow_mut();
        if self.watches.is_some() && !inner.hear_master() {
            // The socket of a master that is gone stays readable for ever.
            self.watches = None;
        }
        std::iter::from_fn(|| inner.poll_news()).map(Into::into).collect()
    }

    /// What this peer sent by the channel has all come: its messages here may be received.
    #[napi]
    pub fn open(&mut self, place: u32, generation: u32) {
        self.inner.borrow_mut().open(endpoint::peer(place, generation));
    }

    /// Remembers what lies in shared memory for this process now.
    #[napi]
    pub fn mark(&mut self) {
        self.inner.borrow_mut().mark();
    }

    /// Whether some of that has not been received yet.
    #[napi]
    pub fn is_behind(&self) -> bool {
        self.inner.borrow().is_behind()
    }

    /// Forgets a peer, and what it has sent and nobody received.
    #[napi]
    pub fn let_go(&mut self, place: u32) {
        self.inner.borrow_mut().let_go(Place(place));
    }

    /// The number of an action for `head`, or -1 when it gets none, because it is long or one of very many.
    #[napi]
    pub fn number_of(&mut self, action: String) -> i32 {
        let number = self.inner.borrow_mut().name_number(action.as_bytes());
        number.and_then(|number| i32::try_from(number.0).ok()).unwrap_or(-1)
    }

    /// The action with this number.
    #[napi]
    pub fn action(&self, number: u32) -> String {
        let inner = self.inner.borrow();
        let filled = inner.name(NameNumber(number)).unwrap_or_default();
        String::from_utf8_lossy(unfilled(filled)).into_owned()
    }

    /// What is called for each message or for few, as functions of their own: a method of a class costs more than the message.
    ///
    /// `sendText(text)` sends a string, or JSON text; `sendBytes(bytes, length)` the first `length` bytes; `sendBare()` what has no payload.
    /// Their answers: 0, all have it. 1, it waits here for those that have no room, and `flush` is due. -1, so much waits already that it
    /// is not sent to those. -2, it is larger than all room there may be.
    /// `receive()` takes the next messages and fills `rows` with them; answers how many they are. One that is in place is the last, and
    /// none come before it has been taken: by `takeText(encoding)`, which answers its text; by `takeBytes(into)`, which copies it and
    /// answers whether it was to be had; or by `pass()`, unread.
    /// Of one that has parts attached, `takeParts(into)` copies the payload and answers the parts, or null; each an ArrayBuffer, those that
    /// are long where they lie.
    /// `lend(bytes)` answers an ArrayBuffer in shared memory, and its number in `head`; null where there is none. What it holds at first may
    /// be anything. `stage(bytes)` copies bytes for the next message and answers their number, or -1. `readLoan(number, at, into)` copies
    /// what was lent. `detach(arrayBuffer)` takes its memory away, and gives back what was received; answers false where that was taken
    /// away otherwise. `endLoan(number)` gives a block back that was lent and detached here.
    /// `rest()` says that all has been taken that `receive` found. 0: there is news to hear first. 1: the next message calls
    /// `onMessages`. 2: the same, and a message waits for memory that may never come: look again after a while.
    #[napi(ts_return_type = "Record<string, Function>")]
    pub fn calls<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let mut calls = Object::new(env)?;
        self.add_sends(env, &mut calls)?;
        self.add_takes(env, &mut calls)?;
        self.add_loans(env, &mut calls)?;
        Ok(calls)
    }

    /// Sends what waits, as far as there is room now. Answers whether nothing waits any more.
    #[napi]
    pub fn flush(&mut self) -> bool {
        self.inner.borrow_mut().flush()
    }

    /// What waits here, and how long others have waited.
    #[napi]
    pub fn load(&self) -> SwitchboardLoad {
        let load = self.inner.borrow_mut().load();
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        let [messages, bytes, waited, in_place_bytes] =
            [load.messages as f64, load.bytes as f64, load.waited as f64, load.attached as f64];
        SwitchboardLoad {
            pressure: load.pressure,
            messages,
            bytes,
            waited,
            waited_ms: load.waited_for.as_secs_f64() * 1000.0,
            longest_ms: load.longest.as_secs_f64() * 1000.0,
            in_place_bytes,
        }
    }

    /// The places of those that did not get the last message that was refused.
    #[napi]
    pub fn take_refused(&mut self) -> Vec<u32> {
        self.inner.borrow_mut().take_refused().into_iter().map(|place| place.0).collect()
    }

    /// The number of the last message that waits, or has waited, for `has_left`.
    #[napi]
    pub fn last_kept(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        let number = self.inner.borrow().last_kept() as f64;
        number
    }

    /// Whether a message does not wait here for this receiver any more.
    #[napi]
    pub fn has_left(&self, place: u32, number: f64) -> bool {
        self.inner.borrow().has_left(Place(place), whole(number))
    }

    /// To be called when this process ends: sends what waits, as long as somebody reads. `take_lost` tells what is left.
    #[napi]
    pub fn leave(&mut self) {
        self.inner.borrow_mut().leave();
    }

    /// This process sends nothing any more, and nothing waits here: the others may forget it when they have read what it sent.
    #[napi]
    pub fn finish(&self) {
        self.inner.borrow().finish();
    }

    /// What was sent to a process that is `broken` or of which something is `lost`, and that it will not read.
    #[napi]
    pub fn take_lost(&mut self, place: u32, generation: u32) -> Vec<SwitchboardLoss> {
        let lost = self.inner.borrow_mut().take_lost(endpoint::peer(place, generation));
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        let loss = |Lost { name, count }: Lost| SwitchboardLoss {
            action: String::from_utf8_lossy(&name).into_owned(),
            count: count as f64,
        };
        lost.into_iter().map(loss).collect()
    }

    /// How full the fullest queue is, 0 to 1.
    #[napi]
    pub fn pressure(&self) -> f64 {
        self.inner.borrow().pressure()
    }

    /// Gives back memory that is not used.
    #[napi]
    pub fn tidy(&mut self) {
        self.inner.borrow_mut().tidy();
    }
}

impl Endpoint {
    fn add_sends(&self, env: &Env, calls: &mut Object<'_>) -> napi::Result<()> {
        let ends = || (Rc::clone(&self.inner), Rc::clone(&self.desk));
        let (inner, desk) = ends();
        add(env, calls, "sendText", move |call| {
            let mut desk = desk.borrow_mut();
            let encoding = Encoding::from_number(desk.head(ENCODING));
            let text = Text::new(*call.env, call.first_arg()?, encoding, desk.unsigned(CHARACTERS) as usize);
            desk.send(&inner, &text)
        })?;
        let (inner, desk) = ends();
        add(env, calls, "sendBytes", move |call| {
            let bytes: BufferSlice<'_> = call.first_arg()?;
            let length: u32 = call.get(1)?;
            let payload = bytes.get(..length as usize);
            let payload = payload.ok_or_else(|| Error::from_reason("length is beyond the payload"))?;
            desk.borrow_mut().send(&inner, &payload)
        })?;
        let (inner, desk) = ends();
        add(env, calls, "sendBare", move |_| desk.borrow_mut().send(&inner, &[].as_slice()))
    }

    fn add_loans(&self, env: &Env, calls: &mut Object<'_>) -> napi::Result<()> {
        let (inner, desk) = (Rc::clone(&self.inner), Rc::clone(&self.desk));
        let home = in_place::Home::new(&self.inner);
        let buffers = Rc::clone(&home);
        add(env, calls, "lend", move |call| {
            let length: u32 = call.first_arg()?;
            let Some(loan) = inner.borrow_mut().lend(ByteCount(length.into())) else { return Ok(None) };
            desk.borrow_mut().set_number(loan.0);
            Ok(buffers.lent(*call.env, loan, length as usize))
        })?;
        let inner = Rc::clone(&self.inner);
        add(env, calls, "endLoan", move |call| {
            let id: f64 = call.first_arg()?;
            inner.borrow_mut().end_loan(LoanId(whole(id)));
            Ok(())
        })?;
        let inner = Rc::clone(&self.inner);
        add(env, calls, "stage", move |call| {
            let bytes: BufferSlice<'_> = call.first_arg()?;
            let staged = inner.borrow_mut().stage(&bytes);
            Ok(staged.and_then(|number| i32::try_from(number).ok()).unwrap_or(-1))
        })?;
        let inner = Rc::clone(&self.inner);
        add(env, calls, "readLoan", move |call| {
            let (id, at): (f64, f64) = (call.first_arg()?, call.get(1)?);
            let mut into: BufferSlice<'_> = call.get(2)?;
            Ok(inner.borrow().read_loan(LoanId(whole(id)), ByteCount(whole(at)), &mut into))
        })?;
        let (inner, buffers) = (Rc::clone(&self.inner), Rc::clone(&home));
        add(env, calls, "takeParts", move |call| {
            let mut into: BufferSlice<'_> = call.first_arg()?;
            let parts =
                Some(inner.borrow()).filter(|inner| inner.copy_next(&mut into)).and_then(|inner| inner.next_parts());
            match parts {
                Some(parts) => buffers.take_parts(*call.env, parts),
                None => {
                    inner.borrow_mut().pass_next();
                    Ok(None)
                }
            }
        })?;
        add(env, calls, "detach", move |call| {
            let array_buffer: Unknown<'_> = call.first_arg()?;
            home.detach(*call.env, array_buffer.raw())
        })
    }

    fn add_takes(&self, env: &Env, calls: &mut Object<'_>) -> napi::Result<()> {
        let (inner, desk) = (Rc::clone(&self.inner), Rc::clone(&self.desk));
        add(env, calls, "receive", move |_| Ok(desk.borrow_mut().receive(&inner)))?;
        let inner = Rc::clone(&self.inner);
        add(env, calls, "takeText", move |call| {
            let encoding = Encoding::from_number(call.first_arg()?);
            let mut inner = inner.borrow_mut();
            let bytes = inner.next_in_place();
            let text = bytes.map(|bytes| text::string_from(*call.env, &bytes, encoding)).transpose();
            inner.pass_next();
            text
        })?;
        let inner = Rc::clone(&self.inner);
        add(env, calls, "takeBytes", move |call| {
            let mut into: BufferSlice<'_> = call.first_arg()?;
            Ok(inner.borrow_mut().take_next(&mut into))
        })?;
        let inner = Rc::clone(&self.inner);
        add(env, calls, "pass", move |_| {
            inner.borrow_mut().pass_next();
            Ok(())
        })?;
        let inner = Rc::clone(&self.inner);
        add(env, calls, "rest", move |_| {
            Ok(match inner.borrow_mut().rest() {
                Resting::News => 0_u32,
                Resting::Quiet => 1,
                Resting::KeptWaiting => 2,
            })
        })
    }
}

fn add<Answer: ToNapiValue>(
    env: &Env,
    calls: &mut Object<'_>,
    name: &str,
    call: impl Fn(FunctionCallContext<'_>) -> napi::Result<Answer> + 'static,
) -> napi::Result<()> {
    let function: Function<'_, (), Answer> = env.create_function_from_closure(name, call)?;
    calls.set(name, function)
}

/// The memory by which JavaScript tells of messages, and is told.
struct Desk {
    head: Buffer,
    rows: Buffer,
    intake: Buffer,
    places: Vec<Place>,
    attached: Vec<Attached>,
}

impl Desk {
    fn head(&self, index: usize) -> i32 {
        let bytes = self.head.get(index * size_of::<i32>()..).and_then(|bytes| bytes.first_chunk());
        bytes.copied().map_or(0, i32::from_ne_bytes)
    }

    fn unsigned(&self, index: usize) -> u32 {
        u32::try_from(self.head(index)).unwrap_or(u32::MAX)
    }

    fn send(&mut self, inner: &RefCell<endpoint::Endpoint>, payload: &dyn Payload) -> napi::Result<i32> {
        let [kind, flags, action, receivers] = [KIND, FLAGS, ACTION, RECEIVERS].map(|index| self.unsigned(index));
        let kind = Kind::from_number(kind).ok_or_else(|| Error::from_reason(format!("no kind {kind}")))?;
        let flags = u16::try_from(flags).map_err(|_| Error::from_reason("flags beyond 16 bits"))?;
        let number = self.head.get(NUMBER * size_of::<i32>()..).and_then(|bytes| bytes.first_chunk());
        let number = number.copied().map_or(0, u64::from_ne_bytes);
        let (flags, number) = match flags & STAMPED {
            0 => (flags, number),
            _ if carries_number(kind) => (flags & !STAMPED, number),
            _ => (flags, nanos(pulse::now())),
        };
        let name = Name::Numbered(NameNumber(action));
        let places = self.head.get(PLACES * size_of::<i32>()..).unwrap_or_default().chunks_exact(size_of::<i32>());
        let places = places.map(|bytes| bytes.try_into().map_or(u32::MAX, u32::from_ne_bytes)).map(Place);
        self.places.clear();
        self.places.extend(places.take(receivers as usize));
        self.read_attached();
        let outgoing =
            Outgoing { heading: endpoint::heading(kind, flags, number), name, payload, attached: &self.attached };
        Ok(match inner.borrow_mut().send(&self.places, outgoing) {
            Sent::All => 0,
            Sent::Waits => 1,
            Sent::Refused => -1,
            Sent::TooBig => -2,
        })
    }

    fn read_attached(&mut self) {
        let count = (self.unsigned(ATTACHED)).min(ATTACHMENT_LIMIT) as usize;
        let doubles = self.head.get(ATTACHED_BYTES..).unwrap_or_default().chunks_exact(size_of::<f64>());
        let doubles: Vec<f64> = doubles
            .take(count * ATTACHED_VALUES)
            .map(|bytes| bytes.try_into().map_or(0.0, f64::from_ne_bytes))
            .collect();
        self.attached.clear();
        for values in doubles.chunks_exact(ATTACHED_VALUES) {
            let &[source, at, length] = values else { continue };
            let source = if source < 0.0 {
                Source::Staged(usize::try_from(whole(-1.0 - source)).unwrap_or(usize::MAX))
            } else {
                Source::Lent(LoanId(whole(source)))
            };
            self.attached.push(Attached { source, at: ByteCount(whole(at)), length: ByteCount(whole(length)) });
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "loans are counted")]
    fn set_number(&mut self, LoanId(number): LoanId) {
        let place = self.head.get_mut(NUMBER * size_of::<i32>()..).and_then(<[u8]>::first_chunk_mut);
        if let Some(place) = place {
            *place = (number as f64).to_ne_bytes();
        }
    }

    fn receive(&mut self, inner: &RefCell<endpoint::Endpoint>) -> u32 {
        let limit = self.rows.len() / ROW_BYTES;
        let rows = &mut self.rows;
        let mut now = None;
        let count = inner.borrow_mut().receive(&mut self.intake, limit, |index, message| {
            let row = rows.get_mut(index * ROW_BYTES..(index + 1) * ROW_BYTES).unwrap_or_default();
            for (place, value) in row.chunks_exact_mut(size_of::<f64>()).zip(row_of(message, &mut now)) {
                place.copy_from_slice(&value.to_ne_bytes());
            }
        });
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

fn calls(inner: &Rc<RefCell<endpoint::Endpoint>>, on_messages: &Rc<LoopCallback>, on_news: Rc<LoopCallback>) -> Calls {
    let (rings, call) = (Rc::clone(inner), Rc::clone(on_messages));
    let on_bell = move || {
        rings.borrow_mut().rung();
        call.call();
    };
    let (waits, call) = (Rc::clone(inner), Rc::clone(on_messages));
    let on_wait = move || {
        for _ in 0..TURNS_BEFORE_WAIT {
            // Nothing is borrowed while JavaScript runs.
            let has_messages = waits.borrow_mut().before_wait();
            if !has_messages {
                return;
            }
            call.call();
        }
        // Sockets and timers get their turn.
        waits.borrow().come_back();
    };
    Calls { on_bell: Rc::new(on_bell), on_wait: Rc::new(on_wait), on_news: Rc::new(move || on_news.call()) }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "out of range saturates")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[allow(clippy::cast_precision_loss, reason = "sizes of memory are far below 2^53")]
fn row_of(message: Received, now: &mut Option<Duration>) -> [f64; ROW_VALUES] {
    let Received { sender, heading, action, located, length, attachments } = message;
    let (action, spelt) = match action {
        Action::Numbered(number) => (f64::from(number.0), 0.0),
        Action::Spelt(bytes) => (-1.0, bytes as f64),
    };
    let start = match located {
        Located::Copied(start) => start as f64,
        Located::InPlace(name_end) => -1.0 - name_end as f64,
    };
    let mut number = f64::from_bits(heading.tag);
    let mut flags = heading.flags.0;
    if flags & STAMPED != 0 {
        if carries_number(heading.kind) {
            flags &= !STAMPED;
        } else {
            // The clock is the same in all processes of a machine. What a peer wrote is no more than a number.
            let now = *now.get_or_insert_with(pulse::now);
            number = now.saturating_sub(Duration::from_nanos(heading.tag)).as_secs_f64() * 1e3;
        }
    }
    let [kind, flags] = [heading.kind as u16, flags].map(f64::from);
    [f64::from(sender.0), kind, flags, action, spelt, start, length as f64, number, attachments.into()]
}

/// Whether the number of a message says something.
fn carries_number(kind: Kind) -> bool {
    matches!(kind, Kind::Boolean | Kind::Number | Kind::Bytes | Kind::Json)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl From<News> for SwitchboardNews {
    fn from(news: News) -> Self {
        let (kind, peer, joined) = match news {
            News::Expected { peer, role, pid } => ("expected", peer, Some((role, pid))),
            News::Joined { peer, role, pid } => ("joined", peer, Some((role, pid))),
            News::Left { peer } => ("left", peer, None),
            News::Gone { peer } => ("gone", peer, None),
            News::Lost { peer } => ("lost", peer, None),
            News::Broken { peer } => ("broken", peer, None),
        };
        let role = joined.map(|(role, _)| if role == Role::Agent { "agent" } else { "app" }.to_owned());
        let pid = joined.map(|(_, pid)| pid);
        Self { kind: kind.to_owned(), place: peer.place.0, generation: peer.generation.0, role, pid }
    }
}
