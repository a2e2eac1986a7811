//! What can go wrong with the state file, by what to do about it. Every error names the path.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// Why the state cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing was ever stored there.
    #[error("{}: there is no state yet; `logwren watch` makes it", path.display())]
    Missing { path: PathBuf },
    /// Another process owns the state directory.
    #[error("{}: the state is in use by {}", path.display(), holder(*pid))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, as far as the lock file says.
        pid: Option<u32>,
    },
    /// No room left on the device, or the quota is used up. Nothing of the commit was written; trying again later works.
    #[error("{}: no space left to write the state", path.display())]
    Full { path: PathBuf },
    /// Somebody else blocks the file right now. Trying again works.
    #[error("{}: the state file is busy", path.display())]
    Busy { path: PathBuf },
    /// The file is damaged. [`Store::open`](super::Store::open) sets such a file aside.
    #[error("{}: the state file is damaged: {reason}", path.display())]
    Corrupt { path: PathBuf, reason: String },
    /// The schema is from a later logwren.
    #[error("{}: written by a newer logwren (schema {found}, this one knows up to {known})", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// A file operation failed.
    #[error("{}: cannot {action}", path.display())]
    Io {
        path: PathBuf,
        /// What was tried: `open the state file`.
        action: &'static str,
        source: io::Error,
    },
    /// Anything else SQLite says.
    #[error("{}: the state file cannot be used", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

impl StoreError {
    /// True when the same call can succeed later without anybody changing the state.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Full { .. } | StoreError::Busy { .. })
    }

    /// Sorts what SQLite reports about the file at `path`.
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> StoreError {
        let path = path.to_owned();
        let Some(code) = source.sqlite_error_code() else {
            return StoreError::Sqlite { path, source };
        };
        // Growing the shared-memory index is the one place where SQLite calls a full disk an I/O error.
        let extended = source.sqlite_error().map_or(0, |error| error.extended_code);
        if code == ErrorCode::DiskFull || extended == ffi::SQLITE_IOERR_SHMSIZE {
            StoreError::Full { path }
        } else if code == ErrorCode::DatabaseCorrupt || code == ErrorCode::NotADatabase {
            StoreError::Corrupt { path, reason: source.to_string() }
        } else if code == ErrorCode::DatabaseBusy || code == ErrorCode::DatabaseLocked {
            StoreError::Busy { path }
        } else {
            StoreError::Sqlite { path, source }
        }
    }

    pub(super) fn io(path: &Path, action: &'static str, source: io::Error) -> StoreError {
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            StoreError::Full { path: path.to_owned() }
        } else {
            StoreError::Io { path: path.to_owned(), action, source }
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another logwren".to_owned(), |pid| format!("another logwren (pid {pid})"))
}
