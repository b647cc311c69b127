//! The socket between the two masters of an upgrade, as each of them listens to the other.

use std::os::fd::AsFd;

use tokio::sync::mpsc;

use super::chain;
use super::shell::Happening;
use crate::sys::Watched;
use crate::transport::estate::{self, EstateError, Word};

/// Passes on each word, until the other one is gone or says what cannot be understood, which is the answer then.
pub(super) async fn listen_to_it(
    socket: &Watched,
    happenings: &mpsc::Sender<Happening>,
    said: impl Fn(Word) -> Happening,
) -> Option<String> {
    loop {
        let mut ready = socket.readable().await.ok()?;
        match estate::hear(socket.as_fd()) {
            Ok(word) => happenings.send(said(word?)).await.ok()?,
            Err(EstateError::Socket(error)) if error.is_would_block() => ready.clear_ready(),
            Err(error) => return Some(chain(&error)),
        }
    }
}
