//! Opens the state for writing: directory, lock, integrity, schema. A damaged file never stops a start.

use std::fs::{self, DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::lock::Lock;
use super::reader::Reader;
use super::{Store, StoreError, copy, recover, schema};
use crate::model::{Snapshot, Timestamp};

/// Name of the state file in the state directory.
pub(super) const FILE: &str = "state.db";
const LOCK: &str = "lock";
/// How long to wait for somebody else's lock on the file (a backup, a checkpoint).
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A file up to this size is checked at every start, which takes some 20 ms; a larger one only after an unclean end.
const CHECK_ALWAYS_BYTES: u64 = 16 << 20;

/// An open state with what it remembers.
#[derive(Debug)]
pub struct Opened {
    pub store: Store,
    pub snapshot: Snapshot,
    /// The file was damaged: where it is now and what was saved from it, for a person. To be said loudly.
    pub recovered: Option<String>,
}

impl Store {
    /// Opens the state in `state_dir`, making the directory (0700) and the file (0600) if there are none, and takes it
    /// for this process alone. A damaged file is set aside as `state.corrupt-TIME.db`, what can be read of it is
    /// carried over, what cannot comes from the last copy, and `recovered` says so. `now` only names that file.
    ///
    /// # Errors
    /// [`StoreError::Held`] when another process has it, [`StoreError::Newer`] when a later logwren wrote it,
    /// [`StoreError::Io`] and [`StoreError::Full`] as the file system says.
    pub fn open(state_dir: &Path, now: Timestamp) -> Result<Opened, StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state_dir)
            .map_err(|error| StoreError::io(state_dir, "make the state directory", error))?;
        let mut lock = Lock::take(&state_dir.join(LOCK))?;
        let path = state_dir.join(FILE);
        let first_try = check_size(&path, &lock)
            .and_then(|checked| open_file(&path, checked))
            .and_then(|reader| reader.load().map(|snapshot| (reader, snapshot)));
        let (reader, snapshot, recovered) = match first_try {
            Ok((reader, snapshot)) => (reader, snapshot, None),
            Err(StoreError::Corrupt { reason, .. }) => {
                let aside = recover::set_aside(state_dir, now)?;
                let mut reader = open_file(&path, Checked::Yes)?;
                let saved = recover::salvage(&aside, &mut reader)?;
                let snapshot = reader.load()?;
                let story = format!("the state file was damaged ({reason}) and is now {}; {saved}", aside.display());
                (reader, snapshot, Some(story))
            }
            Err(error) => return Err(error),
        };
        lock.opened = true;
        Ok(Opened { store: Store { reader, lock }, snapshot, recovered })
    }
}

/// Whether the file needs no integrity check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checked {
    Yes,
    No,
}

/// Looks at the file before SQLite does: it takes an emptied file for a fresh one and throws its log away.
fn check_size(path: &Path, lock: &Lock) -> Result<Checked, StoreError> {
    let length = |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).ok();
    let log = length(&beside(path, "-wal")).unwrap_or(0);
    let ended_well = lock.used_before && !lock.unclean;
    // A first start that was killed leaves an empty file, or none; after it there is a copy.
    let copied = copy::copy_of(path).exists();
    match length(path) {
        Some(0) if log > 0 || ended_well || copied => {
            Err(StoreError::Corrupt { path: path.to_owned(), reason: "the file is empty".to_owned() })
        }
        None if copied => Err(StoreError::Corrupt { path: path.to_owned(), reason: "the file is gone".to_owned() }),
        Some(bytes) if bytes > CHECK_ALWAYS_BYTES && ended_well && log == 0 => Ok(Checked::Yes),
        Some(_) => Ok(Checked::No),
        None => Ok(Checked::Yes),
    }
}

/// Opens or makes the file, checks it unless `checked`, and brings it to the newest schema.
fn open_file(path: &Path, checked: Checked) -> Result<Reader, StoreError> {
    // SQLite gives its side files the mode of this one.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| StoreError::io(path, "open the state file", error))?;
    let mut connection = set_up(path).map_err(|error| StoreError::sqlite(path, error))?;
    let found = schema::version(&connection).map_err(|error| StoreError::sqlite(path, error))?;
    if found > schema::newest() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: schema::newest() });
    }
    if found == 0 && copy::copy_of(path).exists() && checked == Checked::No {
        // SQLite takes what is left of a file for a fresh one.
        return Err(StoreError::Corrupt { path: path.to_owned(), reason: "nothing is left in the file".to_owned() });
    }
    if checked == Checked::No {
        let verdict: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| StoreError::sqlite(path, error))?;
        if verdict != "ok" {
            return Err(StoreError::Corrupt { path: path.to_owned(), reason: verdict });
        }
    }
    schema::migrate(&mut connection).map_err(|error| StoreError::sqlite(path, error))?;
    Ok(Reader { connection, path: path.to_owned() })
}

fn set_up(path: &Path) -> rusqlite::Result<Connection> {
    // One thread owns the connection, so SQLite needs no mutex of its own.
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    // NORMAL keeps a WAL file consistent over a power cut and only risks the newest commits, whose lines are then read
    // again. Without a WAL (some network file systems) it would risk the file.
    connection.pragma_update(None, "synchronous", if mode == "wal" { "NORMAL" } else { "FULL" })?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.query_row("PRAGMA journal_size_limit = 16777216", [], |_| Ok(()))?;
    Ok(connection)
}

/// The path of a side file of `path`: the same name with an ending after it.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
