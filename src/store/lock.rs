//! One daemon a state directory, and whether the last one ended well. Knows nothing of SQLite.
//!
//! The kernel drops the lock when its holder dies, however it dies. The file's text is the holder's pid; it is emptied
//! on a clean end, so a pid in an unlocked file means that somebody was killed. The file itself is never removed:
//! removing a lock file lets two processes lock two different files.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
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
        let mut file = OpenOptions::new()
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
                return Err(StoreError::Held { path: path.to_owned(), pid: read_pid(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io(path, "lock the state", error)),
        }
        let unclean = file.metadata().is_ok_and(|metadata| metadata.len() > 0);
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| StoreError::io(path, "write the lock file", error))?;
        Ok(Lock { file, used_before, unclean, opened: false })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.opened {
            // Failing only means that the next start checks the state file once more than needed.
            let _ = self.file.set_len(0);
        }
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
