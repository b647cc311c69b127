//! The name of a unix socket in the file system, removed when its listener goes.
//!
//! libuv removes the name of a listening pipe when it closes it; so whoever holds the socket holds one of these.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Removes the name on drop, unless another socket has taken the place meanwhile.
#[derive(Debug)]
pub struct BoundPath {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    /// False while another process has to remove it.
    is_ours: bool,
}

impl BoundPath {
    /// Takes over a name that has just been bound. A relative one is resolved now, as the working directory may change.
    pub(super) fn new(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let identity = identity(&path);
        Self { path, identity, is_ours: true }
    }

    /// A name that another process has bound and removes, until [`BoundPath::take_over`].
    #[must_use]
    pub fn of_another(path: PathBuf) -> Self {
        Self { identity: identity(&path), path, is_ours: false }
    }

    /// It is up to us to remove it from now on.
    pub fn take_over(&mut self) {
        self.is_ours = true;
    }

    /// It is up to another process to remove it from now on.
    pub fn leave(&mut self) {
        self.is_ours = false;
    }

    /// False once somebody has removed the name, or another socket has taken the place.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.identity.is_some() && identity(&self.path) == self.identity
    }

    /// Removes the name, unless another socket has taken the place meanwhile.
    pub fn remove(&self) {
        if self.is_ours && self.is_there() {
            // Somebody else may have removed it between the two calls; then it is gone all the same.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        self.remove();
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}
