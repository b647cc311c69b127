//! Two endpoints in one process, and a test in the place of their master, who may forget what he should hand on.

use std::os::fd::IntoRawFd;

use super::sending::{Name, Outgoing};
use super::*;

const ARENA: u64 = 8 << 20;
const FIRST: Peer = Peer { place: Place(0), generation: Generation(1) };
const SECOND: Peer = Peer { place: Place(1), generation: Generation(1) };

/// The master's end of one worker's socket.
struct Line(OwnedFd);

impl Line {
    fn hear(&self) -> (Control, Vec<OwnedFd>) {
        let mut record = [0; RECORD_BYTES];
        let mut descriptors = Vec::new();
        let received = unix_socket::receive(self.0.as_fd(), &mut record, &mut descriptors).unwrap();
        (Control::from_bytes(&record[..received.bytes]).unwrap(), descriptors)
    }

    fn tell(&self, control: Control, descriptors: &[OwnedFd]) {
        let files: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        unix_socket::send_record(self.0.as_fd(), &control.to_bytes(), &files).unwrap();
    }
}

fn join(peer: Peer) -> (Endpoint, Line, Vec<OwnedFd>) {
    let (ours, theirs) = unix_socket::record_pair().unwrap();
    let invitation = format!("{}:{}:{}", theirs.into_raw_fd(), peer.place.0, peer.generation.0);
    let limits = Limits { arena: ARENA, max_queue: 1 << 20 };
    let endpoint = Endpoint::join(&invitation, limits).unwrap();
    let line = Line(ours);
    let (hello, memory) = line.hear();
    assert_eq!(hello, Control::Hello);
    (endpoint, line, memory)
}

/// Two that know each other, the first of which is read by the second.
fn pair() -> ((Endpoint, Line), (Endpoint, Line)) {
    let (mut first, to_first, memory_of_first) = join(FIRST);
    let (mut second, to_second, memory_of_second) = join(SECOND);
    to_first.tell(Control::Peer { peer: SECOND, role: Role::App, pid: 2 }, &memory_of_second);
    to_second.tell(Control::Peer { peer: FIRST, role: Role::App, pid: 1 }, &memory_of_first);
    assert!(first.hear_master() && second.hear_master());
    assert!(matches!(first.poll_news(), Some(News::Joined { peer: SECOND, .. })));
    assert!(matches!(second.poll_news(), Some(News::Joined { peer: FIRST, .. })));
    second.open(FIRST);
    ((first, to_first), (second, to_second))
}

fn send(from: &mut Endpoint, to: Place, payload: &[u8]) -> Sent {
    from.send(&[to], Outgoing { heading: heading(Kind::Latin1, 0, 0), name: Name::Spelt(&[]), payload: &payload })
}

fn receive(endpoint: &mut Endpoint) -> usize {
    endpoint.receive(&mut [0; 4096], 8, |_, _| {})
}

#[test]
fn a_segment_that_is_handed_on_late_is_waited_for() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    assert_eq!(send(&mut first, SECOND.place, b"text"), Sent::All);
    let (segment, file) = to_first.hear();
    assert_eq!(receive(&mut second), 0);
    assert_eq!(second.rest(), Resting::KeptWaiting);
    to_second.tell(segment, &file);
    assert!(second.hear_master());
    assert_eq!(receive(&mut second), 1);
    assert_eq!(second.rest(), Resting::Quiet);
}

#[test]
fn a_segment_that_never_comes_sets_the_two_apart_and_pins_no_memory() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    assert_eq!(send(&mut first, SECOND.place, b"text"), Sent::All);
    assert!(matches!(to_first.hear().0, Control::Segment { .. }), "and is forgotten");
    assert_eq!(receive(&mut second), 0);
    second.patience = Duration::ZERO;
    assert_eq!(receive(&mut second), 0);
    assert_eq!(second.poll_news(), Some(News::Broken { peer: FIRST }));
    assert_eq!(second.rest(), Resting::Quiet);
    assert_eq!(to_second.hear().0, Control::Apart { peer: FIRST });
    to_first.tell(Control::Apart { peer: SECOND }, &[]);
    assert!(first.hear_master());
    assert_eq!(first.poll_news(), Some(News::Broken { peer: SECOND }));
    assert_eq!(first.outbox.slab().used(), ByteCount(0));
}

#[test]
fn a_segment_that_came_without_its_descriptor_or_is_larger_than_may_be_sets_the_two_apart() {
    let ((_first, to_first), (mut second, to_second)) = pair();
    let segment = SegmentId { index: 0, serial: 1 };
    to_second.tell(Control::Segment { sender: FIRST, segment, bytes: ByteCount(1 << 16) }, &[]);
    assert!(second.hear_master());
    assert_eq!(second.poll_news(), Some(News::Broken { peer: FIRST }));
    assert_eq!(to_second.hear().0, Control::Apart { peer: FIRST });
    drop(to_first);

    let ((mut first, to_first), (mut second, to_second)) = pair();
    assert_eq!(send(&mut first, SECOND.place, b"text"), Sent::All);
    let (_, file) = to_first.hear();
    to_second.tell(Control::Segment { sender: FIRST, segment, bytes: ByteCount(ARENA + 1) }, &file);
    assert!(second.hear_master());
    assert_eq!(second.poll_news(), Some(News::Broken { peer: FIRST }));
}

#[test]
fn one_whose_memory_did_not_arrive_is_told_that_nobody_reads_it() {
    let (mut second, to_second, _memory) = join(SECOND);
    to_second.tell(Control::Peer { peer: FIRST, role: Role::Agent, pid: 1 }, &[]);
    assert!(second.hear_master());
    assert_eq!(second.poll_news(), Some(News::Broken { peer: FIRST }));
    assert_eq!(to_second.hear().0, Control::Apart { peer: FIRST });
}
