//! What still waits in this process when somebody asks whether it has gone: who was told to be called then, and the end of the process.
//! And what becomes of a peer that reads nothing any more.

use std::os::fd::AsFd;
use std::time::Duration;

use super::sending::{PATIENCE, PAUSE};
use super::{Endpoint, Place};
use crate::sys::unix_socket::{self, Closing};

impl Endpoint {
    /// The number of the last message that found no room, for [`Endpoint::has_left`].
    #[must_use]
    pub fn last_kept(&self) -> u64 {
        self.last_kept
    }

    /// Whether the message of that number does not wait for this receiver any more, nor what was sent before it.
    #[must_use]
    pub fn has_left(&self, place: Place, number: u64) -> bool {
        // What was taken back has no number, and comes before those that have.
        self.links.get(place).and_then(|link| link.queue.front()).is_none_or(|first| first.number > number)
    }

    /// A peer reads nothing any more: nothing is kept for it, and what it sends is still received.
    pub(super) fn stop_sending_to(&mut self, place: Place) {
        // It lives on, and may read in place what it has.
        self.outbox.part(place);
        if let Some(link) = self.links.get_mut(place) {
            link.queue.clear();
            link.waiting_bytes = 0;
        }
    }

    /// This process sends nothing any more: once all that it has published is read, the others may forget it.
    pub fn finish(&self) {
        unix_socket::close(self.master.as_fd(), Closing::Both);
    }

    /// This process is about to end: sends what waits, as long as somebody reads. What is left then is lost, and [`Endpoint::take_lost`]
    /// tells it.
    pub fn leave(&mut self) {
        let mut idle = Duration::ZERO;
        while idle < PATIENCE {
            let before = self.waiting_messages();
            if self.flush() {
                return;
            }
            if self.waiting_messages() < before {
                idle = Duration::ZERO;
            } else {
                std::thread::sleep(PAUSE);
                idle += PAUSE;
            }
        }
        let peers: Vec<_> = self.links.iter().map(|link| link.peer).collect();
        for peer in peers {
            self.note_unsent(peer);
        }
    }
}

#[cfg(test)]
#[cfg(not(any(miri, cluster_loom)))]
mod tests {
    use super::super::tests::{FIRST, SECOND, hand_on, pair, receive, send};
    use super::super::{News, Sent};
    use super::*;
    use crate::transport::switchboard::control::Control;
    use crate::transport::switchboard::layout::Geometry;

    fn receive_all(endpoint: &mut Endpoint) -> usize {
        std::iter::from_fn(|| Some(receive(endpoint)).filter(|count| *count > 0)).sum()
    }

    #[test]
    fn one_that_has_closed_its_channel_is_sent_nothing_more_and_is_heard_to_its_end() {
        let ((mut first, to_first), (mut second, to_second)) = pair();
        let ring = usize::try_from(Geometry::STANDARD.slots()).unwrap();
        for at in 0..ring + 5 {
            let expected = if at < ring { Sent::All } else { Sent::Waits };
            assert_eq!(send(&mut first, SECOND.place, b"text"), expected);
            assert_eq!(send(&mut second, FIRST.place, b"text"), expected);
        }
        hand_on(&to_first, &to_second, &mut second);
        to_second.tell(Control::Left { peer: FIRST }, &[]);
        assert!(second.hear_master());
        assert_eq!(second.poll_news(), Some(News::Left { peer: FIRST }));
        assert_eq!((second.waiting_messages(), second.outbox.slab().used().0), (0, 0));
        assert_eq!(receive_all(&mut second), ring);
        assert!(first.flush());
        assert_eq!(receive_all(&mut second), 5);
        first.finish();
        assert!(!first.hear_master(), "its socket is at its end");
    }

    #[test]
    fn nothing_waits_for_one_that_is_gone_and_what_it_sent_is_read() {
        let ((mut first, to_first), (mut second, to_second)) = pair();
        let ring = usize::try_from(Geometry::STANDARD.slots()).unwrap();
        assert_eq!(send(&mut first, SECOND.place, b"text"), Sent::All);
        hand_on(&to_first, &to_second, &mut second);
        for at in 0..=ring {
            let expected = if at < ring { Sent::All } else { Sent::Waits };
            assert_eq!(send(&mut second, FIRST.place, b"text"), expected);
        }
        to_second.tell(Control::Gone { peer: FIRST }, &[]);
        assert!(second.hear_master() && second.flush());
        assert_eq!((second.outbox.slab().used().0, receive_all(&mut second)), (0, 1));
        second.let_go(FIRST.place);
        assert_eq!(receive_all(&mut second), 0);
    }
}
