//! Both halves of a channel against a peer that reads slowly, closes early, or sends what Node never would.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use super::*;
use crate::sys::unix_socket::{channel_pair, receive, send};
use crate::sys::watchdog::Watchdog;
use bytes::Bytes;

/// The bound of the channels here.
const QUEUE_LIMIT: usize = 256 * 1024 * 1024;

const HANDLE: &str = "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":1}";

/// A channel and, blocking as a child's would be, its other end.
fn channel() -> (Receiver, Sender, UnixStream) {
    let (ours, theirs) = channel_pair().unwrap();
    let (receiver, sender) = open(ours, QUEUE_LIMIT).unwrap();
    (receiver, sender, UnixStream::from(theirs))
}

fn run<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    let _watchdog = Watchdog::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async { test().await })
}

fn pipe() -> (File, OwnedFd) {
    let (reader, writer) = std::io::pipe().unwrap();
    (File::from(OwnedFd::from(reader)), writer.into())
}

fn at_end(mut reader: &File) -> bool {
    reader.read(&mut [0; 8]).unwrap() == 0
}

fn say_with(peer: &UnixStream, text: &str, descriptor: &OwnedFd) {
    assert_eq!(send(peer.as_fd(), &[IoSlice::new(text.as_bytes())], Some(descriptor.as_fd())).unwrap(), text.len());
}

async fn line(receiver: &mut Receiver) -> String {
    let frame = receiver.next().await.unwrap().unwrap();
    assert!(frame.descriptor.is_none());
    String::from_utf8(frame.line.to_vec()).unwrap()
}

fn push(sender: &Sender, text: &str) {
    sender.push(Outgoing::new(Bytes::from(text.to_owned()))).unwrap();
}

fn writer(sender: &Sender) -> tokio::task::JoinHandle<Result<(), ChannelError>> {
    let sender = sender.clone();
    tokio::task::spawn_local(async move { sender.run().await })
}

#[test]
fn lines_come_in_order_and_then_the_end() {
    run(|| async {
        let (mut receiver, _sender, mut peer) = channel();
        peer.write_all(b"1\n\n{\"a\":\"\xc3\xa9\"}\nhalf a li").unwrap();
        drop(peer);
        assert_eq!(line(&mut receiver).await, "1");
        assert_eq!(line(&mut receiver).await, "");
        assert_eq!(line(&mut receiver).await, "{\"a\":\"é\"}");
        assert!(receiver.next().await.unwrap().is_none());
        assert!(receiver.next().await.unwrap().is_none());
    });
}

#[test]
fn what_was_said_before_the_end_is_heard_although_our_words_were_not_read() {
    run(|| async {
        let (mut receiver, sender, mut peer) = channel();
        push(&sender, "unread\n");
        writer(&sender);
        while sender.queued_bytes() > 0 {
            tokio::task::yield_now().await;
        }
        peer.write_all(b"last words\n").unwrap();
        drop(peer);
        assert_eq!(line(&mut receiver).await, "last words");
        assert!(receiver.next().await.unwrap().is_none());
    });
}

#[test]
fn waiting_for_a_line_can_be_given_up_without_loss() {
    run(|| async {
        let (mut receiver, _sender, mut peer) = channel();
        for round in 0..100 {
            peer.write_all(b"half").unwrap();
            tokio::select! {
                biased;
                frame = receiver.next() => panic!("half a line is none: {frame:?}"),
                () = async { for _ in 0..3 { tokio::task::yield_now().await } } => {}
            }
            peer.write_all(format!("{round}\n").as_bytes()).unwrap();
            assert_eq!(line(&mut receiver).await, format!("half{round}"));
        }
    });
}

#[test]
fn a_descriptor_comes_with_its_own_line_and_no_other() {
    run(|| async {
        let (mut receiver, _sender, peer) = channel();
        let (reader, descriptor) = pipe();
        // Read together with what is before it, and in two pieces.
        (&peer).write_all(b"before\nalso be").unwrap();
        (&peer).write_all(b"fore\n").unwrap();
        say_with(&peer, &HANDLE[..10], &descriptor);
        (&peer).write_all(format!("{}\nafter\n", &HANDLE[10..]).as_bytes()).unwrap();
        say_with(&peer, &format!("{HANDLE}\n"), &descriptor);
        drop((descriptor, peer));
        assert_eq!(line(&mut receiver).await, "before");
        assert_eq!(line(&mut receiver).await, "also before");
        for last in [false, true] {
            let frame = receiver.next().await.unwrap().unwrap();
            assert_eq!(frame.line, HANDLE);
            File::from(frame.descriptor.unwrap()).write_all(b"x").unwrap();
            if !last {
                assert_eq!(line(&mut receiver).await, "after");
            }
        }
        assert!(receiver.next().await.unwrap().is_none());
        assert_eq!((receiver.surplus_descriptors(), receiver.lost_descriptors()), (0, 0));
        assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 2);
        assert!(at_end(&reader), "a descriptor has leaked");
    });
}

#[test]
fn many_lines_with_descriptors_in_a_row_keep_them_apart() {
    run(|| async {
        let (mut receiver, _sender, peer) = channel();
        let pipes = (0..50).map(|_| pipe()).collect::<Vec<_>>();
        for (_, descriptor) in &pipes {
            say_with(&peer, &format!("{HANDLE}\n"), descriptor);
        }
        for (index, (mut reader, descriptor)) in pipes.into_iter().enumerate() {
            let frame = receiver.next().await.unwrap().unwrap();
            File::from(frame.descriptor.unwrap()).write_all(&[index as u8]).unwrap();
            drop(descriptor);
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            assert_eq!(all, [index as u8]);
        }
    });
}

#[test]
fn a_handle_line_without_its_descriptor_comes_alone() {
    run(|| async {
        let (mut receiver, _sender, mut peer) = channel();
        peer.write_all(format!("{HANDLE}\n").as_bytes()).unwrap();
        assert_eq!(line(&mut receiver).await, HANDLE);
    });
}

#[test]
fn a_descriptor_with_a_line_that_says_nothing_of_it_ends_the_channel() {
    run(|| async {
        let (mut receiver, _sender, peer) = channel();
        let (reader, descriptor) = pipe();
        say_with(&peer, "{\"cmd\":\"NODE_CLUSTER\"}\nmore\n", &descriptor);
        drop(descriptor);
        // The descriptor came with both lines, and belongs to the last one that had begun.
        assert_eq!(line(&mut receiver).await, "{\"cmd\":\"NODE_CLUSTER\"}");
        assert!(matches!(receiver.next().await, Err(ChannelError::StrayDescriptor)));
        assert!(at_end(&reader), "the descriptor was kept");
        assert!(receiver.next().await.unwrap().is_none());
    });
}

#[test]
fn more_descriptors_than_one_for_a_line_are_closed_and_counted() {
    run(|| async {
        let (mut receiver, _sender, peer) = channel();
        let (reader, descriptor) = pipe();
        for _ in 0..100 {
            say_with(&peer, "{\"cmd\":\"NODE_HANDLE\",", &descriptor);
        }
        drop(descriptor);
        (&peer).write_all(b"\n").unwrap();
        let frame = receiver.next().await.unwrap().unwrap();
        assert_eq!(receiver.surplus_descriptors(), 99);
        drop(frame);
        assert!(at_end(&reader));
    });
}

#[test]
fn broken_text_ends_the_channel_after_the_lines_before_it() {
    run(|| async {
        let (mut receiver, _sender, mut peer) = channel();
        peer.write_all(b"good\n\xff\xff\nlost\n").unwrap();
        assert_eq!(line(&mut receiver).await, "good");
        assert!(matches!(receiver.next().await, Err(ChannelError::Frame(FrameError::NotUtf8 { offset: 0 }))));
        assert!(receiver.next().await.unwrap().is_none());
    });
}

#[test]
fn frames_of_any_size_arrive_whole_at_a_slow_reader() {
    run(|| async {
        let (_receiver, sender, mut peer) = channel();
        let task = writer(&sender);
        let mut expected = Vec::new();
        for length in [1, 10, 100_000, 0, 3, 8_000_000, 1, 65_536, 2] {
            let head = Bytes::from(vec![b'h'; length / 3]);
            let tail = Bytes::from(vec![b't'; length - length / 3]);
            expected.extend_from_slice(&head);
            expected.extend_from_slice(&tail);
            sender.push(Outgoing { parts: [head, tail], descriptor: None }).unwrap();
        }
        for number in 0..10_000 {
            let text = format!("{number}\n");
            expected.extend_from_slice(text.as_bytes());
            push(&sender, &text);
        }
        assert_eq!(sender.queued_bytes(), expected.len());
        sender.close_when_flushed();
        let reading = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            let mut buffer = [0; 1777];
            loop {
                match peer.read(&mut buffer).unwrap() {
                    0 => return all,
                    length => all.extend_from_slice(&buffer[..length]),
                }
            }
        });
        assert!(reading.await.unwrap() == expected, "bytes were lost, doubled or turned round");
        task.await.unwrap().unwrap();
        assert_eq!(sender.queued_bytes(), 0);
    });
}

#[test]
fn a_descriptor_is_sent_with_its_own_frame_and_let_go_of() {
    run(|| async {
        let (_receiver, sender, peer) = channel();
        let task = writer(&sender);
        let (reader, descriptor) = pipe();
        let descriptor = Rc::new(descriptor);
        push(&sender, "one\n");
        push(&sender, "two\n");
        for text in ["first\n", "second\n"] {
            sender.push(Outgoing::with_descriptor(Bytes::from(text), Rc::clone(&descriptor))).unwrap();
        }
        push(&sender, "three\n");
        drop(descriptor);
        sender.close_when_flushed();
        task.await.unwrap().unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 100];
        loop {
            let mut descriptors = Vec::new();
            let received = receive(peer.as_fd(), &mut buffer, &mut descriptors).unwrap();
            if received.bytes == 0 {
                break;
            }
            got.push((String::from_utf8(buffer[..received.bytes].to_vec()).unwrap(), descriptors.len()));
        }
        // The kernel may put what is before together with it, never what is behind.
        assert_eq!(got, [("one\ntwo\nfirst\n".into(), 1), ("second\n".into(), 1), ("three\n".into(), 0)]);
        assert!(at_end(&reader), "a descriptor was kept");
    });
}

#[test]
fn a_big_frame_sends_its_descriptor_once() {
    run(|| async {
        let (_receiver, sender, peer) = channel();
        let task = writer(&sender);
        let (reader, descriptor) = pipe();
        let frame = Bytes::from(vec![b'x'; 3_000_000]);
        sender.push(Outgoing::with_descriptor(frame, Rc::new(descriptor))).unwrap();
        sender.close_when_flushed();
        let reading = tokio::task::spawn_blocking(move || {
            let (mut bytes, mut descriptors, mut buffer) = (0, Vec::new(), [0; 65_536]);
            loop {
                match receive(peer.as_fd(), &mut buffer, &mut descriptors) {
                    Ok(received) if received.bytes == 0 => return (bytes, descriptors.len()),
                    Ok(received) => bytes += received.bytes,
                    Err(error) if error.is_would_block() => std::thread::yield_now(),
                    Err(error) => panic!("{error}"),
                }
            }
        });
        assert_eq!(reading.await.unwrap(), (3_000_000, 1));
        task.await.unwrap().unwrap();
        assert!(at_end(&reader));
    });
}

#[test]
fn a_full_queue_gives_the_frame_back_and_takes_more_when_there_is_room() {
    run(|| async {
        let (_receiver, sender, peer) = channel();
        let piece = Bytes::from(vec![b'x'; QUEUE_LIMIT / 4 - FRAME_COST]);
        for _ in 0..4 {
            sender.push(Outgoing::new(piece.clone())).unwrap();
        }
        let refused = sender.push(Outgoing::new(Bytes::from_static(b"x"))).unwrap_err();
        assert_eq!(&refused.parts[0][..], b"x");
        assert!(!sender.is_closed());
        let full = QUEUE_LIMIT - 4 * FRAME_COST;
        assert_eq!(sender.queued_bytes(), full);
        let task = writer(&sender);
        while sender.queued_bytes() == full {
            tokio::task::yield_now().await;
        }
        sender.push(refused).unwrap();
        drop(peer);
        task.await.unwrap().unwrap();
        assert_eq!(sender.queued_bytes(), 0, "the peer is gone, so nothing waits any more");
        assert!(sender.is_closed());
        assert!(sender.push(Outgoing::new(Bytes::from_static(b"x"))).is_err());
    });
}

#[test]
fn a_queue_of_tiny_frames_is_bounded_by_what_they_cost_and_not_by_their_text() {
    run(|| async {
        let (_receiver, sender, _peer) = channel();
        let tiny = Bytes::from_static(b"1\n");
        let taken =
            std::iter::repeat_with(|| sender.push(Outgoing::new(tiny.clone()))).take_while(Result::is_ok).count();
        assert_eq!(taken, QUEUE_LIMIT / (FRAME_COST + tiny.len()));
    });
}

#[test]
fn frames_of_nodes_own_find_room_behind_a_queue_full_of_messages_but_not_without_end() {
    run(|| async {
        let (_receiver, sender, _peer) = channel();
        push(&sender, &"x".repeat(QUEUE_LIMIT - FRAME_COST));
        let answer = || Outgoing::new(Bytes::from(vec![b'a'; 1000]));
        assert!(sender.push(answer()).is_err());
        let taken = std::iter::repeat_with(|| sender.push_own(answer())).take_while(Result::is_ok).count();
        assert!((100..10_000).contains(&taken), "{taken}");
    });
}

#[test]
fn closing_after_the_last_frame_lets_the_peer_have_the_last_word() {
    run(|| async {
        let (mut receiver, sender, mut peer) = channel();
        let task = writer(&sender);
        push(&sender, "goodbye\n");
        sender.close_when_flushed();
        assert!(sender.push(Outgoing::new(Bytes::from_static(b"late\n"))).is_err());
        task.await.unwrap().unwrap();
        let mut all = String::new();
        peer.read_to_string(&mut all).unwrap();
        assert_eq!(all, "goodbye\n");
        peer.write_all(b"and to you\n").unwrap();
        drop(peer);
        assert_eq!(line(&mut receiver).await, "and to you");
        assert!(receiver.next().await.unwrap().is_none());
    });
}

#[test]
fn closing_at_once_drops_what_waits_and_wakes_both_halves() {
    run(|| async {
        let (mut receiver, sender, mut peer) = channel();
        let (reader, descriptor) = pipe();
        sender.push(Outgoing::new(Bytes::from(vec![b'x'; 5_000_000]))).unwrap();
        sender.push(Outgoing::with_descriptor(Bytes::from_static(b"y\n"), Rc::new(descriptor))).unwrap();
        let task = writer(&sender);
        while sender.queued_bytes() == 5_000_002 {
            tokio::task::yield_now().await;
        }
        // The writer waits for a reader that does not read, and the receiver for words that do not come.
        let receiving = tokio::task::spawn_local(async move { receiver.next().await.map(|frame| frame.is_none()) });
        tokio::task::yield_now().await;
        sender.close_now();
        task.await.unwrap().unwrap();
        assert!(receiving.await.unwrap().unwrap());
        assert!(at_end(&reader), "a descriptor waits in a dead queue");
        assert!(peer.write_all(b"x").is_err());
    });
}

#[test]
fn an_idle_writer_wakes_for_a_push_and_for_the_end() {
    run(|| async {
        let (_receiver, sender, mut peer) = channel();
        let task = writer(&sender);
        for _ in 0..10 {
            tokio::task::yield_now().await;
            push(&sender, "x\n");
            while sender.queued_bytes() > 0 {
                tokio::task::yield_now().await;
            }
            peer.read_exact(&mut [0; 2]).unwrap();
        }
        sender.close_when_flushed();
        task.await.unwrap().unwrap();
        assert_eq!(peer.read(&mut [0; 2]).unwrap(), 0);
    });
}
