//! An older copy of the state beside it, for the day the file is damaged: with positions of an hour ago lines are read
//! twice, with none at all they would be lost. Decides nothing about damage (`recover`).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::open::{FILE, beside};
use super::{Store, StoreError};
use crate::model::Timestamp;

/// Name of the copy in the state directory.
pub(super) const COPY: &str = "state.copy.db";
/// A younger copy is good enough.
const EVERY: Duration = Duration::from_secs(3_600);
/// Pages copied between two looks at the clock by SQLite; all at once would be as well.
const PAGES: i32 = 1_024;

impl Store {
    /// Makes a new copy when there is none or it is an hour old at `now`. True when it did. To be called outside of any
    /// commit: it takes as long as writing the file anew.
    ///
    /// # Errors
    /// As [`Store::commit`]; the old copy stays.
    pub fn copy(&self, now: Timestamp) -> Result<bool, StoreError> {
        let copy = copy_of(self.path());
        if written(&copy).is_some_and(|at| at <= now && now.since(at) < EVERY) {
            return Ok(false);
        }
        // What the copy holds, the file holds without its log, which a kill may tear: never less than one of the two.
        self.checkpoint();
        let fresh = beside(&copy, ".new");
        remove(&fresh)?;
        let copied = (|| {
            let mut target = Connection::open(&fresh)?;
            Backup::new(&self.reader.connection, &mut target)?.run_to_completion(PAGES, Duration::ZERO, None)
        })();
        if let Err(error) = copied {
            let error = StoreError::sqlite(&fresh, error);
            // What is there of it only takes room.
            let _ = remove(&fresh);
            return Err(error);
        }
        fs::set_permissions(&fresh, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .and_then(|()| fs::File::open(&fresh)?.sync_all())
            .and_then(|()| fs::rename(&fresh, &copy))
            .and_then(|()| fs::File::open(copy.parent().unwrap_or(Path::new(".")))?.sync_all())
            .map_err(|error| StoreError::io(&copy, "keep a copy of the state as", error))?;
        Ok(true)
    }
}

/// Where the copy of the state file at `path` is.
pub(super) fn copy_of(path: &Path) -> PathBuf {
    debug_assert!(path.ends_with(FILE));
    path.with_file_name(COPY)
}

fn written(copy: &Path) -> Option<Timestamp> {
    let modified = fs::metadata(copy).and_then(|metadata| metadata.modified()).ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io(path, "remove an unfinished copy of the state", error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
