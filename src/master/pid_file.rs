//! The file that holds the master's pid: decimal, no newline; written before anything is forked, or when this master takes
//! over from another one, and removed when the master exits whose pid it is.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::ClusterError;

/// The pid file of a cluster, which is one master's at a time.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    is_ours: AtomicBool,
}

impl PidFile {
    /// A file that this master has not written yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, is_ours: AtomicBool::new(false) }
    }

    /// Writes this process' pid, making missing directories. The file is ours from then on.
    ///
    /// # Errors
    /// [`ClusterError::PidFile`] names the file.
    pub fn write(&self) -> Result<(), ClusterError> {
        let path = &self.path;
        self.is_ours.store(true, Ordering::Release);
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(path, std::process::id().to_string()))
            .map_err(|source| ClusterError::PidFile { path: path.clone(), source })
    }

    /// Another master has written it.
    pub fn leave(&self) {
        self.is_ours.store(false, Ordering::Release);
    }

    /// Removes the file where it is ours; one that is gone already is no error.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn remove(&self) -> Result<(), String> {
        if !self.is_ours.load(Ordering::Acquire) {
            return Ok(());
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("delete pidfile {} fail with {error}", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_written_into_missing_directories_and_removed_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/master.pid");
        let file = PidFile::new(path.clone());
        file.write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        assert_eq!(file.remove(), Ok(()));
        assert!(!path.exists());
        assert_eq!(file.remove(), Ok(()));
    }

    #[test]
    fn a_pid_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let blocker = folder.path().join("file");
        fs::write(&blocker, "").unwrap();
        let error = PidFile::new(blocker.join("master.pid")).write().unwrap_err();
        assert_eq!(error.code(), "ERR_CLUTCH_BOOT");
        assert!(error.to_string().contains("master.pid"), "{error}");
    }

    #[test]
    fn a_pid_file_is_removed_by_the_master_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.pid");
        let (old, new) = (PidFile::new(path.clone()), PidFile::new(path.clone()));
        old.write().unwrap();
        assert_eq!(new.remove(), Ok(()));
        assert!(path.exists(), "it has never been the new one's");
        new.write().unwrap();
        old.leave();
        assert_eq!(old.remove(), Ok(()));
        assert!(path.exists());
        assert_eq!(new.remove(), Ok(()));
        assert!(!path.exists());
    }
}
