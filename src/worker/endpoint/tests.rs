//! Two endpoints in one process, and a test in the place of their master, who may forget what he should hand on.

use std::os::fd::IntoRawFd;

use super::loans::{Attached, Part, Source};
use super::lost::Lost;
use super::sending::{Name, Outgoing};
use super::*;

pub(super) const ARENA: u64 = 8 << 20;
pub(super) const FIRST: Peer = Peer { place: Place(0), generation: Generation(1) };
pub(super) const SECOND: Peer = Peer { place: Place(1), generation: Generation(1) };

/// The master's end of one worker's socket.
pub(super) struct Line(OwnedFd);

impl Line {
    pub(super) fn hear(&self) -> (Control, Vec<OwnedFd>) {
        let mut record = [0; RECORD_BYTES];
        let mut descriptors = Vec::new();
        let received = unix_socket::receive(self.0.as_fd(), &mut record, &mut descriptors).unwrap();
        (Control::from_bytes(&record[..received.bytes]).unwrap(), descriptors)
    }

    pub(super) fn tell(&self, control: Control, descriptors: &[OwnedFd]) {
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
pub(super) fn pair() -> ((Endpoint, Line), (Endpoint, Line)) {
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

pub(super) fn send(from: &mut Endpoint, to: Place, payload: &[u8]) -> Sent {
    from.send(
        &[to],
        Outgoing { heading: heading(Kind::Latin1, 0, 0), name: Name::Spelt(&[]), payload: &payload, attached: &[] },
    )
}

pub(super) fn receive(endpoint: &mut Endpoint) -> usize {
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

fn send_called(from: &mut Endpoint, to: Place, name: &'static [u8], payload: &[u8]) -> Sent {
    let heading = heading(Kind::Latin1, 0, 0);
    from.send(&[to], Outgoing { heading, name: Name::Spelt(name), payload: &payload, attached: &[] })
}

fn lost(name: &[u8], count: u64) -> Lost {
    Lost { name: name.to_vec(), count }
}

#[test]
fn what_one_that_is_set_apart_has_not_read_is_counted_by_its_sender() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    let ring = usize::try_from(Geometry::STANDARD.slots()).unwrap();
    assert_eq!(send_called(&mut first, SECOND.place, b"read\0\0\0\0", b"text"), Sent::All);
    hand_on(&to_first, &to_second, &mut second);
    assert_eq!(receive(&mut second), 1);
    for _ in 0..ring {
        assert_eq!(send_called(&mut first, SECOND.place, b"some\0\0\0\0", b"text"), Sent::All);
    }
    for name in [b"some\0\0\0\0", b"waiting\0", b"waiting\0"] {
        assert_eq!(send_called(&mut first, SECOND.place, name, b"text"), Sent::Waits);
    }
    assert_eq!(first.take_lost(SECOND), []);
    to_first.tell(Control::Apart { peer: SECOND }, &[]);
    assert!(first.hear_master());
    assert_eq!(first.poll_news(), Some(News::Broken { peer: SECOND }));
    assert_eq!(first.take_lost(FIRST), []);
    assert_eq!(first.take_lost(SECOND), [lost(b"some", ring as u64 + 1), lost(b"waiting", 2)]);
    assert_eq!(first.take_lost(SECOND), []);
}

#[test]
fn what_one_loses_that_could_not_take_the_memory_of_the_other_is_counted() {
    let (mut first, to_first, _) = join(FIRST);
    let (mut second, to_second, memory_of_second) = join(SECOND);
    to_first.tell(Control::Peer { peer: SECOND, role: Role::App, pid: 2 }, &memory_of_second);
    assert!(first.hear_master());
    assert_eq!(send_called(&mut first, SECOND.place, b"news\0\0\0\0", b"text"), Sent::All);
    assert_eq!(send_called(&mut first, SECOND.place, b"", &[]), Sent::All, "it has no bytes at all");
    to_second.tell(Control::Peer { peer: FIRST, role: Role::App, pid: 1 }, &[]);
    assert!(second.hear_master());
    assert_eq!(to_second.hear().0, Control::Apart { peer: FIRST });
    to_first.tell(Control::Apart { peer: SECOND }, &[]);
    assert!(first.hear_master());
    assert_eq!(first.take_lost(SECOND), [lost(b"", 1), lost(b"news", 1)]);
    assert_eq!(second.take_lost(FIRST), []);
}

const LONG: usize = 100_000;

fn send_attached(from: &mut Endpoint, to: Place, attached: Attached) -> Sent {
    let heading = heading(Kind::Bytes, 0, 0);
    from.send(&[to], Outgoing { heading, name: Name::Spelt(&[]), payload: &[].as_slice(), attached: &[attached] })
}

fn staged(from: &mut Endpoint, fill: u8) -> Attached {
    let number = from.stage(&vec![fill; LONG]).unwrap();
    Attached { source: Source::Staged(number), at: ByteCount(0), length: ByteCount(LONG as u64) }
}

fn look(part: &Part) -> Vec<u8> {
    let mut bytes = vec![0; part.length()];
    assert!(part.copy(&mut bytes));
    bytes
}

/// Hands on all segments that have been made.
pub(super) fn hand_on(from: &Line, to: &Line, receiver: &mut Endpoint) {
    loop {
        let mut record = [0; RECORD_BYTES];
        let mut descriptors = Vec::new();
        match unix_socket::receive(from.0.as_fd(), &mut record, &mut descriptors) {
            Ok(received) => to.tell(Control::from_bytes(&record[..received.bytes]).unwrap(), &descriptors),
            Err(error) if error.is_would_block() => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(receiver.hear_master());
}

#[test]
fn what_is_attached_is_read_in_place_and_given_back() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    let attached = staged(&mut first, 7);
    assert_eq!(send_attached(&mut first, SECOND.place, attached), Sent::All);
    hand_on(&to_first, &to_second, &mut second);
    assert_eq!(receive(&mut second), 1);
    let parts = second.next_parts().unwrap();
    assert!(second.copy_next(&mut []), "it carries nothing else");
    let mapping = parts[0].in_place().unwrap();
    assert_eq!((mapping.bytes(), look(&parts[0])), (LONG, vec![7; LONG]));
    let held = second.hold_next().unwrap();
    assert!(first.load().attached >= LONG as u64);
    drop((mapping, parts, held));
    second.end_leases();
    assert_eq!(first.load().attached, 0);
}

#[test]
fn a_loan_goes_with_messages_until_it_is_over() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    let (id, _bytes) = first.lend(ByteCount(LONG as u64)).unwrap();
    let part = Attached { source: Source::Lent(id), at: ByteCount(64), length: ByteCount(10) };
    assert_eq!(send_attached(&mut first, SECOND.place, part), Sent::All);
    assert_eq!(send_attached(&mut first, SECOND.place, part), Sent::All);
    first.end_loan(id);
    assert!(!first.read_loan(id, ByteCount(0), &mut [0]));
    assert_eq!(send_attached(&mut first, SECOND.place, part), Sent::Refused, "there is no such loan any more");
    hand_on(&to_first, &to_second, &mut second);
    for _ in 0..2 {
        assert_eq!(receive(&mut second), 1);
        assert_eq!(second.next_parts().unwrap()[0].length(), 10);
        second.pass_next();
    }
    assert_eq!((first.load().attached, receive(&mut second)), (0, 0));
}

#[test]
fn what_was_lent_can_be_read_from_any_byte_on_and_not_beyond_its_end() {
    let ((mut first, _to_first), _second) = pair();
    let (id, bytes) = first.lend(ByteCount(128)).unwrap();
    bytes.write(&(0..128).collect::<Vec<u8>>()).unwrap();
    for (at, length) in [(0, 128), (3, 1), (3, 100), (8, 8), (13, 115), (127, 1)] {
        let mut read = vec![0; length];
        assert!(first.read_loan(id, ByteCount(at), &mut read), "{length} bytes from {at} on");
        assert!((at as u8..).zip(&read).all(|(expected, found)| expected == *found), "{read:?}");
    }
    for (at, length) in [(0, 129), (3, 126), (129, 1), (u64::MAX, 1), (u64::MAX - 7, 0)] {
        assert!(!first.read_loan(id, ByteCount(at), &mut vec![0; length]), "{length} bytes from {at} on");
    }
}

#[test]
fn what_finds_no_room_waits_with_what_is_attached_and_arrives_as_a_copy() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    let ring = usize::try_from(Geometry::STANDARD.slots()).unwrap();
    for _ in 0..ring {
        assert_eq!(send(&mut first, SECOND.place, b""), Sent::All);
    }
    let attached = staged(&mut first, 7);
    assert_eq!(send_attached(&mut first, SECOND.place, attached), Sent::Waits);
    assert_eq!(first.load().attached, 0, "it pins nothing");
    hand_on(&to_first, &to_second, &mut second);
    let mut taken = 0;
    while taken < ring {
        taken += receive(&mut second);
    }
    assert!(first.flush());
    assert_eq!(receive(&mut second), 1);
    let parts = second.next_parts().unwrap();
    assert!(parts[0].in_place().is_none());
    assert_eq!(look(&parts[0]), vec![7; LONG]);
}

#[test]
fn one_that_is_set_apart_keeps_what_it_reads_in_place_until_its_end() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    let attached = staged(&mut first, 7);
    assert_eq!(send_attached(&mut first, SECOND.place, attached), Sent::All);
    hand_on(&to_first, &to_second, &mut second);
    assert_eq!(receive(&mut second), 1);
    let parts = second.next_parts().unwrap();
    let (_mapping, _held) = (parts[0].in_place().unwrap(), second.hold_next().unwrap());
    to_first.tell(Control::Apart { peer: SECOND }, &[]);
    assert!(first.hear_master());
    for fill in 0..9 {
        let other = staged(&mut first, fill);
        assert_eq!(send_attached(&mut first, SECOND.place, other), Sent::All);
    }
    assert_eq!(look(&parts[0]), vec![7; LONG]);
    to_first.tell(Control::Gone { peer: SECOND }, &[]);
    assert!(first.hear_master());
    assert_eq!(first.load().attached, 0);
}

#[test]
fn what_receivers_keep_leaves_room_for_a_large_message() {
    let ((mut first, _to_first), _second) = pair();
    let mut held = Vec::new();
    while let Some((id, _)) = first.lend(ByteCount(700_000)) {
        held.push(id);
    }
    assert!(held.len() >= 4, "{}", held.len());
    // Every other one: the rest lies apart.
    for id in held.iter().step_by(2) {
        first.end_loan(*id);
    }
    let half = usize::try_from(ARENA / 2).unwrap() - 64;
    assert_eq!(send(&mut first, SECOND.place, &vec![1; half]), Sent::All);
}

fn fill_ring(from: &mut Endpoint) -> usize {
    let ring = usize::try_from(Geometry::STANDARD.slots()).unwrap();
    for _ in 0..ring {
        assert_eq!(send(from, SECOND.place, b""), Sent::All);
    }
    ring
}

#[test]
fn what_is_larger_than_the_arena_does_not_wait_behind_others_for_ever() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    let ring = fill_ring(&mut first);
    assert_eq!(send(&mut first, SECOND.place, b"before"), Sent::Waits);
    assert_eq!(send(&mut first, SECOND.place, &vec![0; usize::try_from(ARENA).unwrap()]), Sent::TooBig);
    assert_eq!(send(&mut first, SECOND.place, b"after"), Sent::Waits);
    let mut taken = 0;
    while taken < ring {
        taken += receive(&mut second);
    }
    assert!(first.flush());
    hand_on(&to_first, &to_second, &mut second);
    assert_eq!((receive(&mut second), receive(&mut second)), (2, 0));
}

/// One loan, attached so often that copies of it are larger than the arena.
fn large_by_copies(from: &mut Endpoint) -> [Attached; 5] {
    const LENT: ByteCount = ByteCount(1_900_000);
    let (id, _bytes) = from.lend(LENT).unwrap();
    [Attached { source: Source::Lent(id), at: ByteCount(0), length: LENT }; 5]
}

fn send_large_by_copies(from: &mut Endpoint, attached: &[Attached]) -> Sent {
    let heading = heading(Kind::Clone, 0, 0);
    from.send(
        &[SECOND.place],
        Outgoing { heading, name: Name::Spelt(b"grown\0\0\0"), payload: &b"head".as_slice(), attached },
    )
}

#[test]
fn what_would_be_larger_than_the_arena_as_a_copy_is_refused_where_it_would_have_to_wait() {
    let ((mut first, _to_first), _second) = pair();
    let attached = large_by_copies(&mut first);
    fill_ring(&mut first);
    assert_eq!(send_large_by_copies(&mut first, &attached), Sent::Refused);
    assert_eq!(first.take_refused(), [SECOND.place]);
}

#[test]
fn what_is_taken_back_and_has_grown_beyond_the_arena_is_given_up_and_told_and_holds_nobody_up() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    let attached = large_by_copies(&mut first);
    assert_eq!(send_large_by_copies(&mut first, &attached), Sent::All);
    assert_eq!(send(&mut first, SECOND.place, &vec![1; 6_500_000]), Sent::Refused, "and has taken the other one back");
    assert_eq!(send(&mut first, SECOND.place, b"after"), Sent::All);
    assert_eq!(first.poll_news(), Some(News::Lost { peer: SECOND }));
    assert_eq!(first.take_lost(SECOND), [lost(b"grown", 1)]);
    hand_on(&to_first, &to_second, &mut second);
    assert_eq!(receive(&mut second), 1);
}

#[test]
fn a_message_that_waits_has_left_when_it_and_those_before_it_are_gone() {
    let ((mut first, to_first), (mut second, to_second)) = pair();
    let ring = fill_ring(&mut first);
    assert_eq!(send(&mut first, SECOND.place, b"one"), Sent::Waits);
    let one = first.last_kept();
    assert_eq!(send(&mut first, SECOND.place, b"two"), Sent::Waits);
    let two = first.last_kept();
    assert_eq!([first.has_left(SECOND.place, one), first.has_left(SECOND.place, two)], [false, false]);
    hand_on(&to_first, &to_second, &mut second);
    assert_eq!(receive(&mut second), 8);
    assert_eq!(receive(&mut second), 8);
    assert!(first.flush());
    assert_eq!([first.has_left(SECOND.place, one), first.has_left(SECOND.place, two)], [true, true]);
    assert!(first.has_left(FIRST.place, 1), "to nobody");
    assert!(ring > 16);
}

#[test]
fn what_still_waits_when_its_sender_ends_is_told_as_lost() {
    let ((mut first, _to_first), _second) = pair();
    fill_ring(&mut first);
    for name in [b"one\0\0\0\0\0", b"two\0\0\0\0\0", b"two\0\0\0\0\0"] {
        assert_eq!(send_called(&mut first, SECOND.place, name, b"text"), Sent::Waits);
    }
    first.leave();
    assert_eq!(first.take_lost(SECOND), [lost(b"one", 1), lost(b"two", 2)]);
}
