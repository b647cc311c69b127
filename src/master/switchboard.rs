//! Who is on the switchboard, and the introductions: each process gets the memory of each other one from here.
//!
//! The master hands descriptors on and maps none of them; what lies in them is between the workers, and the messages pass it by.
//! A process without a place, or that does not read its records, is reached by Node's channel alone.

use std::cell::Cell;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::warn;

use super::shell::{Happening, spawn_task};
use crate::message::address::{Generation, Occupant};
use crate::sys::Watched;
use crate::sys::shared_memory;
use crate::sys::unix_socket;
use crate::transport::switchboard::control::{Control, RECORD_BYTES, Role};
use crate::transport::switchboard::layout::{ByteCount, Geometry, Peer, Place, SEGMENT_LIMIT, SegmentId};

/// How many records may wait for a worker. Each process causes a few of them; one that lets so many wait reads none.
const QUEUE_LIMIT: usize = 4096;

/// A record and what rides on it.
struct Introduction {
    control: Control,
    descriptors: Vec<Rc<OwnedFd>>,
}

/// What a worker has sent.
#[derive(Debug)]
pub(super) struct Record {
    control: Control,
    descriptors: Vec<OwnedFd>,
}

struct Memory {
    /// Outbox, inbox, bell.
    parts: Vec<Rc<OwnedFd>>,
    segments: Vec<(SegmentId, ByteCount, Rc<OwnedFd>)>,
}

struct Member {
    peer: Peer,
    role: Role,
    pid: u32,
    socket: Rc<Watched>,
    queue: mpsc::Sender<Introduction>,
    /// How many are in the queue, or in the hands of who writes them.
    waiting: Rc<Cell<usize>>,
    tasks: [AbortHandle; 2],
    /// None until it has said hello, and when its socket has been read to its end.
    memory: Option<Memory>,
    /// Its channel has ended, so it reads nothing any more. It may still send what had found no room.
    has_left: bool,
    /// Its socket has been read to its end.
    has_parted: bool,
    /// The process is gone, and only what it has said last is waited for.
    is_buried: bool,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// A seat that is offered to a process about to be forked.
pub(super) struct Invitation {
    pub(super) peer: Peer,
    /// The worker's end.
    pub(super) theirs: OwnedFd,
    ours: OwnedFd,
}

/// All processes that take part.
pub(super) struct Switchboard {
    /// How many processes each place has had, and whether one has it now.
    places: Vec<(u32, bool)>,
    last_place: usize,
    members: HashMap<Occupant, Member>,
    happenings: mpsc::Sender<Happening>,
}

impl Switchboard {
    /// Without places nobody takes part. Where this machine has no memory for it, that is said here, once for all workers.
    pub(super) fn new(happenings: mpsc::Sender<Happening>, is_wanted: bool) -> Self {
        let refusal = shared_memory::refusal().filter(|_| is_wanted);
        if let Some(refusal) = refusal {
            warn!("[master] messages go by the master: {}", super::chain(refusal));
        }
        let places = if is_wanted && refusal.is_none() { Geometry::STANDARD.places() as usize } else { 0 };
        Self { places: vec![(0, false); places], last_place: 0, members: HashMap::new(), happenings }
    }

    /// A seat for one process; none when all are taken, or there is no descriptor left: it is reached by its channel then.
    pub(super) fn invite(&mut self) -> Option<Invitation> {
        // Round and round, so that a place is used again as late as possible: somebody may still read what its last process sent.
        let count = self.places.len();
        let at = (1..=count).map(|step| (self.last_place + step) % count).find(|at| !self.places[*at].1)?;
        self.last_place = at;
        let (ours, theirs) = unix_socket::record_pair().ok()?;
        let (generation, is_taken) = self.places.get_mut(at)?;
        (*generation, *is_taken) = (generation.wrapping_add(1).max(1), true);
        let peer = Peer { place: Place(u32::try_from(at).ok()?), generation: Generation(*generation) };
        Some(Invitation { peer, theirs, ours })
    }

    /// Nobody came.
    pub(super) fn withdraw(&mut self, peer: Peer) {
        if let Some((_, is_taken)) = self.places.get_mut(peer.place.0 as usize) {
            *is_taken = false;
        }
    }

    /// The process is forked. Listens for its hello.
    pub(super) fn seat(&mut self, who: Occupant, pid: u32, invitation: Invitation) {
        let Invitation { peer, ours, .. } = invitation;
        let Ok(socket) = Watched::new(ours).map(Rc::new) else { return self.withdraw(peer) };
        let (queue, introductions) = mpsc::channel(QUEUE_LIMIT);
        let waiting = Rc::new(Cell::new(0));
        let tasks = [
            spawn_task(&self.happenings, listen(who, Rc::clone(&socket), self.happenings.clone())),
            spawn_task(&self.happenings, introduce(Rc::clone(&socket), introductions, Rc::clone(&waiting))),
        ];
        let role = if who.is_agent() { Role::Agent } else { Role::App };
        self.tell_readers(&Control::Expected { peer, role, pid }, &[]);
        let member = Member {
            peer,
            role,
            pid,
            socket,
            queue,
            waiting,
            tasks,
            memory: None,
            has_left: false,
            has_parted: false,
            is_buried: false,
        };
        self.members.insert(who, member);
    }

    /// A worker told something.
    pub(super) fn note_record(&mut self, who: Occupant, Record { control, descriptors }: Record) {
        let mut descriptors: Vec<Rc<OwnedFd>> = descriptors.into_iter().map(Rc::new).collect();
        let Some(member) = self.members.get_mut(&who) else { return };
        if descriptors.len() != control.descriptors() {
            return self.expel(who, "a record lacks its descriptors");
        }
        let peer = member.peer;
        match (control, &mut member.memory) {
            (Control::Hello, memory @ None) => {
                *memory = Some(Memory { parts: descriptors, segments: Vec::new() });
                self.introduce(who);
            }
            // Each is a descriptor that is kept here.
            (Control::Segment { segment, .. }, Some(_)) if segment.index as usize >= SEGMENT_LIMIT => {
                self.expel(who, "it has more segments than there may be");
            }
            (Control::Segment { segment, bytes, .. }, Some(memory)) => {
                let Some(file) = descriptors.pop() else { return };
                // Its index is used again only when what it was before is gone.
                memory.segments.retain(|(other, ..)| other.index != segment.index);
                memory.segments.push((segment, bytes, Rc::clone(&file)));
                self.tell_all(&Control::Segment { sender: peer, segment, bytes }, &[file]);
            }
            (Control::Dropped { segment, .. }, Some(memory)) => {
                memory.segments.retain(|(other, ..)| *other != segment);
                self.tell_all(&Control::Dropped { sender: peer, segment }, &[]);
            }
            (Control::Apart { peer: other }, Some(_)) => {
                if let Some(other) = self.members.values().find(|member| member.peer == other) {
                    other.tell(&Control::Apart { peer }, &[]);
                }
            }
            _ => self.expel(who, "a record comes out of its turn"),
        }
    }

    /// Introduces one to all, itself included, and all to the one.
    fn introduce(&mut self, who: Occupant) {
        // One that has left already has sent nothing this way, and reads nothing.
        let Some(new) = self.members.get(&who).filter(|new| !new.has_left) else { return };
        if let Some(memory) = &new.memory {
            let control = Control::Peer { peer: new.peer, role: new.role, pid: new.pid };
            self.tell_readers(&control, &memory.parts);
        }
        for other in self.members.values().filter(|other| other.peer != new.peer && !other.has_left) {
            let Some(memory) = &other.memory else {
                new.tell(&Control::Expected { peer: other.peer, role: other.role, pid: other.pid }, &[]);
                continue;
            };
            let control = Control::Peer { peer: other.peer, role: other.role, pid: other.pid };
            new.tell(&control, &memory.parts);
            for (segment, bytes, file) in &memory.segments {
                let control = Control::Segment { sender: other.peer, segment: *segment, bytes: *bytes };
                new.tell(&control, std::slice::from_ref(file));
            }
        }
    }

    fn tell_all(&self, control: &Control, descriptors: &[Rc<OwnedFd>]) {
        for member in self.members.values().filter(|member| member.memory.is_some()) {
            member.tell(control, descriptors);
        }
    }

    /// Who reads nothing any more need not know of newcomers.
    fn tell_readers(&self, control: &Control, descriptors: &[Rc<OwnedFd>]) {
        for member in self.members.values().filter(|member| member.memory.is_some() && !member.has_left) {
            member.tell(control, descriptors);
        }
    }

    /// A worker is not believed any more, and lives on: the others reach it by its channel, and it reaches them so.
    pub(super) fn expel(&mut self, who: Occupant, reason: &str) {
        let Some(member) = self.members.get_mut(&who) else { return };
        warn!("[master] worker {} is taken off the switchboard: {reason}", member.pid);
        member.memory = None;
        let Some(member) = self.members.get(&who) else { return };
        for other in self.members.values().filter(|other| other.peer != member.peer && other.memory.is_some()) {
            other.tell(&Control::Apart { peer: member.peer }, &[]);
            member.tell(&Control::Apart { peer: other.peer }, &[]);
        }
    }

    /// Those that may have been sent something by this one.
    pub(super) fn others(&self, who: Occupant) -> Vec<Occupant> {
        let is_meant = |(other, member): &(&Occupant, &Member)| **other != who && member.memory.is_some();
        self.members.iter().filter(is_meant).map(|(other, _)| *other).collect()
    }

    /// A worker's channel has ended. It is sent nothing any more; what waits in it still finds its way, as long as its socket is open.
    pub(super) fn leave(&mut self, who: Occupant) {
        let Some(member) = self.members.get_mut(&who).filter(|member| !member.has_left) else { return };
        member.has_left = true;
        let (is_gone, peer) = (member.has_parted, member.peer);
        if !is_gone {
            self.tell_all(&Control::Left { peer }, &[]);
        }
    }

    /// A worker's end of the socket is closed, and what it had said there has been heard: it sends nothing any more, and the others are
    /// told. Its place stays taken until it is buried.
    pub(super) fn part(&mut self, who: Occupant) {
        let Some(member) = self.members.get_mut(&who).filter(|member| !member.has_parted) else { return };
        (member.has_parted, member.memory) = (true, None);
        let (is_buried, peer) = (member.is_buried, member.peer);
        self.tell_all(&Control::Gone { peer }, &[]);
        if is_buried {
            self.bury(who);
        }
    }

    /// A process has ended; its place is free as soon as its socket has been read to its end. Answers whether that is so.
    pub(super) fn bury(&mut self, who: Occupant) -> bool {
        let Some(member) = self.members.get_mut(&who) else { return true };
        member.is_buried = true;
        if !member.has_parted {
            return false;
        }
        let peer = member.peer;
        self.members.remove(&who);
        self.withdraw(peer);
        true
    }

    /// Who has this place, of those that take part.
    pub(super) fn occupant(&self, peer: Peer) -> Option<Occupant> {
        self.members.iter().find(|(_, member)| member.peer == peer).map(|(who, _)| *who)
    }

    /// Where a process is.
    pub(super) fn peer(&self, who: Occupant) -> Option<Peer> {
        self.members.get(&who).map(|member| member.peer)
    }
}

impl Member {
    fn tell(&self, control: &Control, descriptors: &[Rc<OwnedFd>]) {
        // At once where that is possible: what the channel brings afterwards may speak of whom this is about.
        if self.waiting.get() == 0 {
            let files: Vec<_> = descriptors.iter().map(|file| file.as_fd()).collect();
            match unix_socket::send_record(self.socket.as_fd(), &control.to_bytes(), &files) {
                Err(error) if error.is_would_block() => {}
                Ok(()) | Err(_) => return,
            }
        }
        // One that reads nothing stays as it is: who sends to it finds its ring full.
        let introduction = Introduction { control: *control, descriptors: descriptors.to_vec() };
        if self.queue.try_send(introduction).is_ok() {
            self.waiting.set(self.waiting.get() + 1);
        }
    }
}

async fn listen(who: Occupant, socket: Rc<Watched>, happenings: mpsc::Sender<Happening>) {
    loop {
        let Ok(mut ready) = socket.readable().await else { return };
        let mut bytes = [0; RECORD_BYTES + 1];
        let mut descriptors = Vec::new();
        let happening = match unix_socket::receive(socket.as_fd(), &mut bytes, &mut descriptors) {
            Ok(received) if received.bytes > 0 => match Control::from_bytes(&bytes[..received.bytes]) {
                Ok(control) => Happening::Record { who, record: Record { control, descriptors } },
                Err(_) => Happening::Babbled { who },
            },
            Err(error) if error.is_would_block() => {
                ready.clear_ready();
                continue;
            }
            Ok(_) | Err(_) => Happening::Parted { who },
        };
        let is_end = matches!(happening, Happening::Parted { .. } | Happening::Babbled { .. });
        if happenings.send(happening).await.is_err() || is_end {
            return;
        }
    }
}

async fn introduce(socket: Rc<Watched>, mut introductions: mpsc::Receiver<Introduction>, waiting: Rc<Cell<usize>>) {
    while let Some(Introduction { control, descriptors }) = introductions.recv().await {
        let files: Vec<_> = descriptors.iter().map(|file| file.as_fd()).collect();
        let record = control.to_bytes();
        loop {
            match unix_socket::send_record(socket.as_fd(), &record, &files) {
                Ok(()) => break,
                Err(error) if error.is_would_block() => {
                    let Ok(mut ready) = socket.writable().await else { return };
                    ready.clear_ready();
                }
                Err(_) => return,
            }
        }
        waiting.set(waiting.get() - 1);
    }
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::*;
    use crate::message::address::{Seat, SlotIndex};

    fn app(slot: u32) -> Occupant {
        Occupant { seat: Seat::App(SlotIndex(slot)), generation: Generation(1) }
    }

    /// The worker's end of a socket, and what it has heard there.
    struct Worker(OwnedFd);

    impl Worker {
        fn heard(&self) -> Vec<Control> {
            let mut heard = Vec::new();
            let mut record = [0; RECORD_BYTES];
            while let Ok(received) = unix_socket::receive(self.0.as_fd(), &mut record, &mut Vec::new()) {
                heard.extend(Control::from_bytes(&record[..received.bytes]));
            }
            heard
        }
    }

    fn file() -> OwnedFd {
        unix_socket::record_pair().unwrap().0
    }

    /// A worker that has said hello.
    fn join(switchboard: &mut Switchboard, who: Occupant) -> (Peer, Worker) {
        let mut invitation = switchboard.invite().unwrap();
        let peer = invitation.peer;
        let worker = Worker(std::mem::replace(&mut invitation.theirs, file()));
        switchboard.seat(who, 1, invitation);
        let descriptors = vec![file(), file(), file()];
        switchboard.note_record(who, Record { control: Control::Hello, descriptors });
        (peer, worker)
    }

    fn segment_of(sender: Peer) -> Control {
        Control::Segment { sender, segment: SegmentId { index: 0, serial: 1 }, bytes: ByteCount(4096) }
    }

    /// Two who know each other, and one who comes later.
    fn with_two(act: impl FnOnce(&mut Switchboard, (Occupant, Peer), &Worker)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let (happenings, _kept) = mpsc::channel(64);
            let mut switchboard = Switchboard::new(happenings, true);
            let (peer, _leaver) = join(&mut switchboard, app(0));
            let (_, other) = join(&mut switchboard, app(1));
            other.heard();
            act(&mut switchboard, (app(0), peer), &other);
        });
    }

    #[test]
    fn one_whose_channel_has_ended_is_gone_only_when_its_socket_is_at_its_end() {
        with_two(|switchboard, (who, peer), other| {
            switchboard.leave(who);
            assert_eq!(other.heard(), [Control::Left { peer }]);
            let record = Record { control: segment_of(peer), descriptors: vec![file()] };
            switchboard.note_record(who, record);
            assert_eq!(other.heard(), [segment_of(peer)], "what waits in it may need memory");
            switchboard.leave(who);
            switchboard.part(who);
            assert_eq!(other.heard(), [Control::Gone { peer }]);
            assert!(switchboard.bury(who));
        });
    }

    #[test]
    fn memory_that_a_process_announced_last_is_handed_on_though_its_end_is_known_before() {
        with_two(|switchboard, (who, peer), other| {
            switchboard.leave(who);
            assert!(!switchboard.bury(who), "its socket has not been read to its end");
            let record = Record { control: segment_of(peer), descriptors: vec![file()] };
            switchboard.note_record(who, record);
            switchboard.part(who);
            assert_eq!(other.heard(), [Control::Left { peer }, segment_of(peer), Control::Gone { peer }]);
            assert!(switchboard.peer(who).is_none(), "and its place is free");
        });
    }

    #[test]
    fn who_has_left_is_not_introduced_to_anybody() {
        with_two(|switchboard, (who, peer), _other| {
            switchboard.leave(who);
            let (newcomer, worker) = join(switchboard, app(2));
            let known: Vec<_> = worker
                .heard()
                .into_iter()
                .filter_map(|control| match control {
                    Control::Peer { peer, .. } | Control::Expected { peer, .. } => Some(peer),
                    _ => None,
                })
                .collect();
            assert!(known.contains(&newcomer) && !known.contains(&peer), "{known:?}");
        });
    }
}
