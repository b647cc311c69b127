//! The master's ends of all lanes: handing connections over, several by one call, and taking back what a worker has not taken.
//!
//! The master keeps a descriptor of the worker's end as well. So it can ask how much lies in a lane, and take that out again when the worker
//! is gone or stands still: the kernel sees to it that each connection comes out once. What lies there belongs to the socket, and
//! the master keeps no copy.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::debug;

use super::shell::{Happening, spawn_task};
use crate::listen::balance::{Balance, Room, Standing};
use crate::listen::dealer::HandoverId;
use crate::listen::lane_book::LaneBook;
use crate::message::address::Occupant;
use crate::sys::{Watched, shared_memory, unix_socket};
use crate::transport::lane::{COUNTS_BYTES, DoorNumber, ENTRY_BYTES, Entry, RECORD_BYTES, RECORD_ENTRIES, Record};
use crate::transport::switchboard::layout::ByteOffset;
use crate::transport::switchboard::memory::{PeerMemory, PeerWord};

/// A connection as it is laid into a lane.
pub(super) type Laid = (Entry, Rc<OwnedFd>);

/// A lane that is offered to a process about to be forked.
pub(super) struct LaneOffer {
    ours: OwnedFd,
    pub(super) theirs: OwnedFd,
}

/// What a worker has sent by its lane.
#[derive(Debug)]
pub(super) struct LaneRecord {
    record: Record,
    descriptors: Vec<OwnedFd>,
}

/// A connection that came out of a lane again.
pub(super) struct Untaken {
    pub(super) id: HandoverId,
    pub(super) door: DoorNumber,
    pub(super) client: Option<u128>,
    pub(super) address: Option<std::net::SocketAddr>,
    pub(super) connection: OwnedFd,
}

/// What a worker has to say by its lane.
pub(super) enum Said {
    /// These connections it does not want.
    Unwanted(Vec<Untaken>),
    /// It has no descriptors for what lies there.
    Short,
    Nothing,
}

struct Lane {
    ours: Rc<Watched>,
    theirs: OwnedFd,
    /// None until the worker has said hello.
    closed: Option<PeerWord>,
    book: LaneBook,
    /// Of which the worker has the name.
    doors: HashSet<DoorNumber>,
    task: AbortHandle,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The lanes of all workers.
pub(super) struct Lanes {
    is_wanted: bool,
    balance: Balance,
    lanes: HashMap<Occupant, Lane>,
    /// Who has been handed something, until that is asked.
    fed: Vec<Occupant>,
    started: Instant,
    /// When the lanes were looked at last: where each stands is asked several times for each connection.
    seen: Duration,
    happenings: mpsc::Sender<Happening>,
}

impl Lanes {
    /// Without being wanted, connections go by Node's channel.
    pub(super) fn new(happenings: mpsc::Sender<Happening>, balance: Balance, is_wanted: bool) -> Self {
        let (lanes, started) = (HashMap::new(), Instant::now());
        Self { is_wanted, balance, lanes, fed: Vec::new(), started, seen: Duration::ZERO, happenings }
    }

    /// Who has been handed something since this was asked last.
    pub(super) fn take_fed(&mut self) -> Vec<Occupant> {
        std::mem::take(&mut self.fed)
    }

    /// A lane for a worker that is about to be forked; none where it does without.
    pub(super) fn offer(&self, who: Occupant) -> Option<LaneOffer> {
        if who.is_agent() || !self.is_wanted {
            return None;
        }
        let (ours, theirs) = unix_socket::record_pair().ok()?;
        Some(LaneOffer { ours, theirs })
    }

    /// The worker is forked. Listens for its hello.
    pub(super) fn open(&mut self, who: Occupant, offer: LaneOffer) {
        let LaneOffer { ours, theirs } = offer;
        let Ok(ours) = Watched::for_reading(ours).map(Rc::new) else { return };
        let task = spawn_task(&self.happenings, listen(who, Rc::clone(&ours), self.happenings.clone()));
        let lane = Lane { ours, theirs, closed: None, book: LaneBook::default(), doors: HashSet::new(), task };
        self.lanes.insert(who, lane);
    }

    /// Takes in what a worker sent.
    pub(super) fn note_record(&mut self, who: Occupant, record: LaneRecord) -> Said {
        let Some(lane) = self.lanes.get_mut(&who) else { return Said::Nothing };
        match record.record {
            Record::Hello => {
                let file = record.descriptors.first();
                lane.closed = file.and_then(|file| {
                    let mapping = shared_memory::open(file.as_fd(), COUNTS_BYTES).ok()?;
                    PeerMemory::from(mapping).word(ByteOffset(0)).ok()
                });
                Said::Nothing
            }
            // It closes its own descriptor and counts that.
            Record::Connections(entries) => Said::Unwanted(untaken(entries, record.descriptors).collect()),
            Record::Short => Said::Short,
            Record::Name { .. } | Record::Call => Said::Nothing,
        }
    }

    /// Looks at every lane: what lies there, and what was closed.
    pub(super) fn look(&mut self) {
        let now = self.started.elapsed();
        self.seen = now;
        for lane in self.lanes.values_mut() {
            let Some(closed) = &lane.closed else { continue };
            // Without connections there is nothing to be found out that a later look would not find.
            let unread = if lane.book.is_empty() { 0 } else { unread(lane.theirs.as_fd()) };
            lane.book.note_seen(unread, closed.load_relaxed(), now);
        }
    }

    /// Where a worker stands, as the last look has found.
    pub(super) fn standing(&self, who: Occupant) -> Standing {
        let is_even = self.balance == Balance::RoundRobin;
        match self.lanes.get(&who).filter(|lane| lane.closed.is_some()) {
            Some(lane) => {
                let room = if lane.book.has_room(self.seen) { Room::Free } else { Room::None };
                Standing { load: if is_even { 0 } else { lane.book.load() }, lane: Some(room) }
            }
            None => Standing { load: if is_even { 0 } else { self.mean_load() }, lane: None },
        }
    }

    /// How many connections a worker with a lane has, as the last look has found.
    pub(super) fn connections_of(&self, who: Occupant) -> Option<u64> {
        self.lanes.get(&who).filter(|lane| lane.closed.is_some()).map(|lane| lane.book.load())
    }

    /// What nobody counts for is taken to be as busy as the others.
    fn mean_load(&self) -> u64 {
        let loads = self.lanes.values().filter(|lane| lane.closed.is_some()).map(|lane| lane.book.load());
        let (sum, count) = loads.fold((0_u64, 0_u64), |(sum, count), load| (sum.saturating_add(load), count + 1));
        sum.checked_div(count).unwrap_or_default()
    }

    /// A worker was chosen for a connection, which is handed over before anything else is looked at.
    pub(super) fn note_chosen(&mut self, who: Occupant) {
        if let Some(lane) = self.lanes.get_mut(&who) {
            lane.book.note_handed(1, self.seen);
        }
    }

    /// Hands connections of one listening socket to the worker that was chosen for them. Gives back those that did not find room.
    pub(super) fn hand_over(&mut self, who: Occupant, door: &DoorName<'_>, connections: Vec<Laid>) -> Vec<Laid> {
        if self.fed.last() != Some(&who) {
            self.fed.push(who);
        }
        let now = self.started.elapsed();
        let Some(lane) = self.lanes.get_mut(&who) else { return connections };
        if !lane.doors.contains(&door.number) {
            let name = Record::Name { door: door.number, key: door.key.to_owned(), is_unix: door.is_unix };
            if unix_socket::send_record(lane.ours.as_fd(), &name.to_bytes(), &[]).is_err() {
                lane.book.note_not_sent(connections.len(), now);
                return connections;
            }
            lane.doors.insert(door.number);
        }
        let mut left = connections;
        while !left.is_empty() {
            let next: Vec<_> = left.iter().take(RECORD_ENTRIES).collect();
            let record = Record::Connections(next.iter().map(|(entry, _)| *entry).collect());
            let descriptors: Vec<BorrowedFd<'_>> = next.iter().map(|(_, connection)| connection.as_fd()).collect();
            let count = next.len();
            if let Err(error) = unix_socket::send_record(lane.ours.as_fd(), &record.to_bytes(), &descriptors) {
                debug!("[master] {}", super::chain(&error));
                lane.book.note_not_sent(left.len(), now);
                break;
            }
            left.drain(..count);
        }
        left
    }

    /// True while connections lie in some lane, so that it is to be looked at again.
    pub(super) fn holds_connections(&self) -> bool {
        self.lanes.values().any(|lane| lane.book.holds_connections())
    }

    /// Those who let connections lie for too long.
    pub(super) fn overdue(&self) -> Vec<Occupant> {
        let now = self.started.elapsed();
        self.lanes.iter().filter(|(_, lane)| lane.book.is_overdue(now)).map(|(who, _)| *who).collect()
    }

    /// Takes out what a worker has not taken. It gets no more before it has shown that it runs.
    pub(super) fn take_back(&mut self, who: Occupant) -> Vec<Untaken> {
        let now = self.started.elapsed();
        let Some(lane) = self.lanes.get_mut(&who).filter(|lane| lane.closed.is_some()) else { return Vec::new() };
        let untaken = drain(lane);
        // Full is full: then the worker is slow all the more.
        let _ = unix_socket::send_record(lane.ours.as_fd(), &Record::Call.to_bytes(), &[]);
        lane.book.note_taken_back(untaken.len(), now);
        untaken
    }

    /// A worker is gone, or not to be reached any more.
    pub(super) fn close(&mut self, who: Occupant) -> Vec<Untaken> {
        let Some(mut lane) = self.lanes.remove(&who) else { return Vec::new() };
        let mut untaken = drain(&mut lane);
        // What it has sent back and nobody has read yet.
        let ours = Rc::clone(&lane.ours);
        untaken.extend(read_all(ours.as_fd(), |_| ()));
        untaken
    }
}

/// A listening socket, as a worker has to know it.
pub(super) struct DoorName<'a> {
    pub(super) number: DoorNumber,
    pub(super) key: &'a str,
    pub(super) is_unix: bool,
}

fn unread(theirs: BorrowedFd<'_>) -> usize {
    unix_socket::unread_bytes(theirs).unwrap_or_default().div_ceil(ENTRY_BYTES)
}

/// Reads the worker's end in its place. Names that come out as well are said again.
fn drain(lane: &mut Lane) -> Vec<Untaken> {
    let doors = &mut lane.doors;
    read_all(lane.theirs.as_fd(), |door| {
        doors.remove(&door);
    })
}

/// The connections that lie in one end.
fn read_all(end: BorrowedFd<'_>, mut on_name: impl FnMut(DoorNumber)) -> Vec<Untaken> {
    let mut all = Vec::new();
    // What this process had no descriptor for would be closed: while it has none, the worker may still take it.
    while unix_socket::has_room_for(end, RECORD_ENTRIES) {
        let mut bytes = [0; RECORD_BYTES];
        let mut descriptors = Vec::new();
        let Ok(received) = unix_socket::receive(end, &mut bytes, &mut descriptors) else { break };
        if received.bytes == 0 {
            break;
        }
        match Record::from_bytes(bytes.get(..received.bytes).unwrap_or_default()) {
            Ok(Record::Connections(entries)) => all.extend(untaken(entries, descriptors)),
            Ok(Record::Name { door, .. }) => on_name(door),
            Ok(Record::Call | Record::Hello | Record::Short) | Err(_) => {}
        }
    }
    all
}

fn untaken(entries: Vec<Entry>, descriptors: Vec<OwnedFd>) -> impl Iterator<Item = Untaken> {
    entries.into_iter().zip(descriptors).map(|(entry, connection)| Untaken {
        id: HandoverId(entry.id),
        door: entry.door,
        client: entry.client,
        address: entry.address,
        connection,
    })
}

async fn listen(who: Occupant, ours: Rc<Watched>, happenings: mpsc::Sender<Happening>) {
    loop {
        let Ok(mut ready) = ours.readable().await else { return };
        let mut bytes = [0; RECORD_BYTES];
        let mut descriptors = Vec::new();
        match unix_socket::receive(ours.as_fd(), &mut bytes, &mut descriptors) {
            Ok(received) if received.bytes == 0 => return,
            Ok(received) => {
                let Ok(record) = Record::from_bytes(bytes.get(..received.bytes).unwrap_or_default()) else { return };
                let record = LaneRecord { record, descriptors };
                if happenings.send(Happening::Lane { who, record }).await.is_err() {
                    return;
                }
            }
            Err(error) if error.is_would_block() => ready.clear_ready(),
            Err(_) => return,
        }
    }
}

/// How long until the lanes are looked at again while something lies in one, or a connection waits for room.
pub(super) const LOOK_PERIOD: Duration = Duration::from_millis(5);
