//! One daemon a state directory, and whether the last one ended well. Knows nothing of SQLite.
//!
//! The kernel drops the lock when its holder dies, however it dies. The file's text is the holder's pid, or `clean` after
//! a clean end, so a pid in an unlocked file means that somebody was killed. The text is overwritten in place, which
//! works on a full disk. The file is never removed: that would let two processes lock two different files.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::StoreError;

/// Held for as long as the state is open for writing.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// The directory was in use before.
    pub(super) used_before: bool,
    /// The last holder did not end well.
    pub(super) unclean: bool,
    /// Set once the state is open: an attempt that failed before is no clean end.
    pub(super) opened: bool,
}

impl Lock {
    /// # Errors
    /// [`StoreError::Held`] when another process holds it.
    pub(super) fn take(path: &Path) -> Result<Lock, StoreError> {
        let used_before = path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| StoreError::io(path, "open the lock file", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Held { path: path.to_owned(), pid: read_pid(&file) });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io(path, "lock the state", error)),
        }
        let unclean = read_pid(&file).is_some();
        write(&file, &std::process::id().to_string())
            .map_err(|error| StoreError::io(path, "write the lock file", error))?;
        Ok(Lock { file, used_before, unclean, opened: false })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.opened {
            // Failing only means that the next start checks the state file once more than needed.
            let _ = write(&self.file, "clean");
        }
    }
}

/// Always as many bytes, over the old ones.
fn write(file: &File, word: &str) -> io::Result<()> {
    file.write_all_at(format!("{word:<10}\n").as_bytes(), 0)
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = [0; 10];
    let length = file.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(text.get(..length)?).ok()?.trim().parse().ok()
}
