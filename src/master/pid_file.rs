//! The file that holds the master's pid: decimal, no newline; written before anything is forked, or when this master takes
//! over from another one, and removed when the master exits whose pid it is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
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
            .and_then(|()| put(path, &std::process::id().to_string()))
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

/// Writes a whole file, so that whoever reads it meanwhile finds what was there before or what is there then, and never an empty one.
/// What is no file, such as a device, and what lies in a folder that cannot be written to, is written where it is.
fn put(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let is_replaced = match fs::symlink_metadata(&place) {
        Ok(found) if !found.is_file() => false,
        found => replace(&place, text, found.ok().map(|found| found.permissions())).is_ok(),
    };
    if is_replaced { Ok(()) } else { fs::write(path, text) }
}

/// Puts a new file in the place of one that may be there.
fn replace(place: &Path, text: &str, permissions: Option<fs::Permissions>) -> io::Result<()> {
    let name = place.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let beside = place.with_file_name(format!(".{}.{}", name.display(), std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
    let replaced = file
        .write_all(text.as_bytes())
        .and_then(|()| permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions)))
        .and_then(|()| fs::rename(&beside, place));
    if replaced.is_err() {
        // It is written where it is then; what is left here names nobody.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::thread;

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
    fn whoever_reads_a_pid_file_while_it_is_written_finds_a_whole_pid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.pid");
        let file = PidFile::new(path.clone());
        fs::write(&path, "4711").unwrap();
        let writer = thread::spawn(move || {
            for _ in 0..500 {
                file.write().unwrap();
            }
        });
        let own = std::process::id().to_string();
        let mut is_done = false;
        while !is_done {
            is_done = writer.is_finished();
            let read = fs::read_to_string(&path).unwrap();
            assert!(read == own || read == "4711", "{read:?}");
        }
        writer.join().unwrap();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["master.pid"]);
    }

    #[test]
    fn a_link_a_device_and_a_mode_stay_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::process::id().to_string();
        let [file, link, fifo] = ["file", "link", "fifo"].map(|name| folder.path().join(name));
        fs::write(&file, "a former one, and longer").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
        symlink(&file, &link).unwrap();
        PidFile::new(link.clone()).write().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), own);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o604);

        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let reader = thread::spawn({
            let fifo = fifo.clone();
            move || fs::read_to_string(fifo).unwrap()
        });
        PidFile::new(fifo.clone()).write().unwrap();
        assert_eq!(reader.join().unwrap(), own);
        assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
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
