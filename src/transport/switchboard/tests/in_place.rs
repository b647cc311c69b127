//! Payload that is written and read by its address, as a runtime does it that fills buffers of its own.
#![allow(unsafe_code)] // the other side of an address

use super::super::layout::{ByteCount, ByteOffset};
use super::super::memory::OwnMemory;

#[test]
fn what_is_written_by_address_is_read_by_address_and_by_copy() {
    let own = OwnMemory::on_heap(ByteCount(64));
    let (peer, at, length) = (own.as_peer(), ByteOffset(16), ByteCount(11));
    let target = own.bytes_at(at, length).unwrap();
    assert_eq!(target.length(), length);
    // SAFETY: the range was checked, and nobody reads it yet.
    unsafe { target.as_mut_ptr().copy_from_nonoverlapping(b"hello world".as_ptr(), 11) };
    let mut copied = [0; 11];
    peer.read(at, &mut copied).unwrap();
    assert_eq!(&copied, b"hello world");
    let source = peer.bytes_at(at, length).unwrap();
    drop((own, peer, target));
    let mut read = vec![0; 11];
    // SAFETY: the range was checked, and nobody writes it any more.
    unsafe { source.as_ptr().copy_to_nonoverlapping(read.as_mut_ptr(), 11) };
    assert_eq!(read, b"hello world");
}

#[test]
fn there_is_no_address_for_what_does_not_lie_within() {
    let own = OwnMemory::on_heap(ByteCount(64));
    assert!(own.bytes_at(ByteOffset(0), ByteCount(64)).is_ok());
    assert!(own.bytes_at(ByteOffset(8), ByteCount(57)).is_err());
    assert!(own.as_peer().bytes_at(ByteOffset(64), ByteCount(1)).is_err());
    assert!(own.as_peer().bytes_at(ByteOffset(4), ByteCount(1)).is_err(), "not at a word");
}
