//! The file that holds the master's pid: decimal, no newline; written before anything is forked, removed when the master exits.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::error::ClusterError;

/// A pid file that we wrote.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes this process' pid, making missing directories.
    ///
    /// # Errors
    /// [`ClusterError::PidFile`] names the file.
    pub fn write(path: PathBuf) -> Result<Self, ClusterError> {
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, std::process::id().to_string()));
        match written {
            Ok(()) => Ok(Self { path }),
            Err(source) => Err(ClusterError::PidFile { path, source }),
        }
    }

    /// Removes the file; one that is gone already is no error.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn remove(&self) -> Result<(), String> {
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
        let file = PidFile::write(path.clone()).unwrap();
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
        let error = PidFile::write(blocker.join("master.pid")).unwrap_err();
        assert_eq!(error.code(), "ERR_CLUTCH_BOOT");
        assert!(error.to_string().contains("master.pid"), "{error}");
    }
}
