//! The ledger itself: a file of its own in the state directory, apart from the state because other processes write it too.
//! Pruned by age and size. Decides nothing about what is sent.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use crate::model::Timestamp;

/// Rows older than this are dropped.
pub const KEPT_DAYS: u64 = 30;
/// The oldest rows go when all bodies together are longer.
pub const KEPT_BYTES: u64 = 64 << 20;

/// Name of the ledger in the state directory.
const FILE: &str = "egress.db";
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows added between two prunes.
const PRUNE_EVERY: u32 = 64;
/// Rows and bytes kept where nothing is durable.
const MEMORY_ROWS: usize = 1_000;
const MEMORY_BYTES: u64 = 4 << 20;

const SCHEMA: &str = "
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, purpose TEXT NOT NULL, destination TEXT NOT NULL,
        bytes INTEGER NOT NULL, outcome TEXT NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX requests_by_time ON requests (at);
    PRAGMA user_version = 1;";

/// Where requests are written down. Clones share it.
#[derive(Clone)]
pub struct Ledger(Arc<Mutex<Book>>);

/// One request, without its body. Holds no secret: of an address only the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub id: i64,
    pub at: Timestamp,
    /// `model NAME` or `alert NOTIFIER`.
    pub purpose: String,
    pub destination: String,
    /// Length of the body.
    pub bytes: u64,
    /// An HTTP status, or a word; empty while it is under way.
    pub outcome: String,
}

/// The ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{}: nothing was ever sent from here", path.display())]
    Missing { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

enum Book {
    File {
        path: PathBuf,
        connection: Connection,
        added: u32,
    },
    /// For callers without a state, and tests.
    Memory {
        rows: VecDeque<(Row, Vec<u8>)>,
        last: i64,
    },
}

impl Ledger {
    /// Opens the ledger in `state_dir` for writing, making both if need be. A damaged one is set aside.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn open(state_dir: &Path) -> Result<Ledger, LedgerError> {
        let path = state_dir.join(FILE);
        let io = |source| LedgerError::Io { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(io)?;
        let connection = connect(&path)?;
        Ok(Ledger::of(Book::File { path, connection, added: 0 }))
    }

    /// Opens it for reading, also while others write.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] when nothing was ever sent.
    pub fn read(state_dir: &Path) -> Result<Ledger, LedgerError> {
        let path = state_dir.join(FILE);
        match fs::File::open(&path) {
            Ok(_) => {}
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Err(LedgerError::Missing { path }),
            Err(source) => return Err(LedgerError::Io { path, source }),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&path, flags)
            .and_then(|connection| connection.busy_timeout(BUSY_TIMEOUT).map(|()| connection));
        let connection = opened.map_err(|source| LedgerError::Sqlite { path: path.clone(), source })?;
        Ok(Ledger::of(Book::File { path, connection, added: 0 }))
    }

    /// One that is gone with the process.
    pub fn memory() -> Ledger {
        Ledger::of(Book::Memory { rows: VecDeque::new(), last: 0 })
    }

    /// Oldest first, those since a time or all.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rows(&self, since: Option<Timestamp>) -> Result<Vec<Row>, LedgerError> {
        let since = since.map_or(i64::MIN, Timestamp::as_micros);
        match &*self.lock() {
            Book::Memory { rows, .. } => {
                Ok(rows.iter().map(|(row, _)| row).filter(|row| row.at.as_micros() >= since).cloned().collect())
            }
            Book::File { path, connection, .. } => (|| {
                connection
                    .prepare(
                        "SELECT id, at, purpose, destination, bytes, outcome FROM requests WHERE at >= ?1 ORDER BY id",
                    )?
                    .query_map([since], |row| {
                        Ok(Row {
                            id: row.get(0)?,
                            at: Timestamp::from_micros(row.get(1)?),
                            purpose: row.get(2)?,
                            destination: row.get(3)?,
                            bytes: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                            outcome: row.get(5)?,
                        })
                    })?
                    .collect::<rusqlite::Result<Vec<Row>>>()
            })()
            .map_err(|source| LedgerError::Sqlite { path: path.clone(), source }),
        }
    }

    /// The exact bytes of one request; none when there is no such row (any more).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn body(&self, id: i64) -> Result<Option<Vec<u8>>, LedgerError> {
        match &*self.lock() {
            Book::Memory { rows, .. } => Ok(rows.iter().find(|(row, _)| row.id == id).map(|(_, body)| body.clone())),
            Book::File { path, connection, .. } => connection
                .query_row("SELECT body FROM requests WHERE id = ?1", [id], |row| row.get(0))
                .optional()
                .map_err(|source| LedgerError::Sqlite { path: path.clone(), source }),
        }
    }

    /// Makes a row durable before its request leaves.
    pub(super) fn add(&self, purpose: &str, destination: &str, body: &[u8]) -> Result<i64, LedgerError> {
        self.lock().add(purpose, destination, body, Timestamp::from(jiff::Timestamp::now()))
    }

    pub(super) fn end(&self, id: i64, outcome: &str) -> Result<(), LedgerError> {
        match &mut *self.lock() {
            Book::Memory { rows, .. } => {
                if let Some((row, _)) = rows.iter_mut().find(|(row, _)| row.id == id) {
                    outcome.clone_into(&mut row.outcome);
                }
                Ok(())
            }
            Book::File { path, connection, .. } => connection
                .execute("UPDATE requests SET outcome = ?2 WHERE id = ?1", params![id, outcome])
                .map(drop)
                .map_err(|source| LedgerError::Sqlite { path: path.clone(), source }),
        }
    }

    fn of(book: Book) -> Ledger {
        Ledger(Arc::new(Mutex::new(book)))
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // std Mutex: never held across an await. A panic elsewhere leaves whole rows.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Book {
    fn add(&mut self, purpose: &str, destination: &str, body: &[u8], now: Timestamp) -> Result<i64, LedgerError> {
        match self {
            Book::Memory { rows, last } => {
                *last += 1;
                let (purpose, destination) = (purpose.to_owned(), destination.to_owned());
                let bytes = body.len() as u64;
                let row = Row { id: *last, at: now, purpose, destination, bytes, outcome: String::new() };
                rows.push_back((row, body.to_vec()));
                while rows.len() > MEMORY_ROWS || rows.iter().map(|(row, _)| row.bytes).sum::<u64>() > MEMORY_BYTES {
                    rows.pop_front();
                }
                Ok(*last)
            }
            Book::File { path, connection, added } => {
                let inserted = match insert(connection, purpose, destination, body, now) {
                    // Alerts must not wait for a file that will never be well again.
                    Err(source) if is_damaged(&source) => {
                        *connection = connect(path)?;
                        insert(connection, purpose, destination, body, now)
                    }
                    other => other,
                };
                let id = inserted.map_err(|source| LedgerError::Sqlite { path: path.clone(), source })?;
                if added.is_multiple_of(PRUNE_EVERY)
                    && let Err(error) = prune(connection, now, KEPT_BYTES)
                {
                    tracing::warn!(%error, "old rows of the egress ledger are still there");
                }
                *added = added.wrapping_add(1);
                Ok(id)
            }
        }
    }
}

fn insert(
    connection: &Connection,
    purpose: &str,
    destination: &str,
    body: &[u8],
    now: Timestamp,
) -> rusqlite::Result<i64> {
    let bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
    connection.execute(
        "INSERT INTO requests (at, purpose, destination, bytes, outcome, body) VALUES (?1, ?2, ?3, ?4, '', ?5)",
        params![now.as_micros(), purpose, destination, bytes, body],
    )?;
    Ok(connection.last_insert_rowid())
}

/// Drops what is too old, and the oldest beyond `most` bytes. The newest row always stays.
fn prune(connection: &Connection, now: Timestamp, most: u64) -> rusqlite::Result<usize> {
    let before = now.saturating_sub(Duration::from_secs(KEPT_DAYS * 86_400)).as_micros();
    let old = connection.execute("DELETE FROM requests WHERE at < ?1", [before])?;
    let large = connection.execute(
        "DELETE FROM requests WHERE id < (SELECT max(id) FROM requests) AND id <= (
             SELECT max(id) FROM (SELECT id, sum(bytes) OVER (ORDER BY id DESC) AS total FROM requests) WHERE total > ?1)",
        [i64::try_from(most).unwrap_or(i64::MAX)],
    )?;
    if old + large > 0 {
        connection.execute_batch("PRAGMA incremental_vacuum")?;
    }
    Ok(old + large)
}

/// Opens or makes the file, 0600 and its directory's owner's; a damaged one becomes `egress.corrupt-TIME.db`.
fn connect(path: &Path) -> Result<Connection, LedgerError> {
    let io = |source| LedgerError::Io { path: path.to_owned(), source };
    let sqlite = |source| LedgerError::Sqlite { path: path.to_owned(), source };
    make(path).map_err(io)?;
    match set_up(path) {
        Err(error) if is_damaged(&error) => {
            let aside = path.with_file_name(format!("egress.corrupt-{}.db", jiff::Timestamp::now().as_second()));
            fs::rename(path, &aside).map_err(io)?;
            for side in ["-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(side);
                // Not being there is fine, and a new file does not read a log that is not its own.
                let _ = fs::remove_file(name);
            }
            tracing::error!("the egress ledger was damaged ({error}) and is now {}", aside.display());
            make(path).map_err(io)?;
            set_up(path).map_err(sqlite)
        }
        other => other.map_err(sqlite),
    }
}

fn make(path: &Path) -> io::Result<()> {
    let is_new = !path.exists();
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if is_new && rustix::process::geteuid().is_root() {
        // `test-alert` by root must not shut the service out.
        let owner = fs::metadata(path.parent().unwrap_or(Path::new(".")))?;
        std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

fn set_up(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? == 0 {
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        // Two processes may make it at once: the second finds it made.
        connection.execute_batch("BEGIN IMMEDIATE")?;
        if connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? == 0 {
            connection.execute_batch(SCHEMA)?;
        }
        connection.execute_batch("COMMIT")?;
    }
    // Each row is on the disk before its bytes leave: with NORMAL a power cut would forget what was sent.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Reads a page of the table: a file that is damaged says so now.
    connection.query_row("SELECT count(*) FROM (SELECT id FROM requests LIMIT 1)", [], |_| Ok(()))?;
    Ok(connection)
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn connection(ledger: &Ledger, look: impl FnOnce(&Connection)) {
        match &*ledger.lock() {
            Book::File { connection, .. } => look(connection),
            Book::Memory { .. } => panic!("a file"),
        }
    }

    #[test]
    fn a_row_is_on_the_disk_before_its_bytes_leave() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        connection(&ledger, |connection| {
            let asked = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(asked("PRAGMA synchronous"), 2, "FULL: the log is synced with every commit");
            assert!(connection.is_autocommit(), "each row is a commit of its own");
        });
    }

    #[test]
    fn rows_are_kept_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert!(matches!(Ledger::read(&state), Err(LedgerError::Missing { .. })));
        let ledger = Ledger::open(&state).unwrap();
        let id = ledger.add("model gemini", "example.com", b"{}").unwrap();
        ledger.end(id, "200").unwrap();
        // Another process.
        let second = Ledger::open(&state).unwrap().add("alert ops", "hooks.example.com", b"\xff\0").unwrap();
        let reader = Ledger::read(&state).unwrap();
        let rows: Vec<_> = reader.rows(None).unwrap().into_iter().map(|row| (row.id, row.bytes, row.outcome)).collect();
        assert_eq!(rows, [(id, 2, "200".to_owned()), (second, 2, String::new())]);
        assert_eq!(reader.body(second).unwrap().as_deref(), Some(&b"\xff\0"[..]));
        assert_eq!(reader.body(99).unwrap(), None);
        for entry in fs::read_dir(&state).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }

    #[test]
    fn old_and_many_rows_go() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        for _ in 0..10 {
            ledger.add("model gemini", "example.com", &[b'x'; 100]).unwrap();
        }
        let now = Timestamp::from(jiff::Timestamp::now());
        connection(&ledger, |connection| {
            assert_eq!(prune(connection, now, 10_000).unwrap(), 0);
            assert_eq!(prune(connection, now, 350).unwrap(), 7);
            assert_eq!(prune(connection, now, 0).unwrap(), 2, "the newest stays");
            let later = now.saturating_add(Duration::from_secs(KEPT_DAYS * 86_400 + 60));
            assert_eq!(prune(connection, later, 10_000).unwrap(), 1);
        });
    }

    #[test]
    fn a_damaged_ledger_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(Ledger::open(folder.path()).unwrap());
        fs::write(folder.path().join(FILE), "not a database, but long enough to be taken for one ".repeat(100))
            .unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        assert_eq!(ledger.add("model gemini", "example.com", b"{}").unwrap(), 1);
        let aside = fs::read_dir(folder.path()).unwrap();
        assert!(aside.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("egress.corrupt-")));
    }

    #[test]
    fn memory_is_bounded() {
        let ledger = Ledger::memory();
        for _ in 0..6 {
            ledger.add("model gemini", "example.com", &vec![0; 1 << 20]).unwrap();
        }
        assert_eq!(ledger.rows(None).unwrap().len(), 4);
    }
}
