//! Answers questions about the state, also while the daemon writes it. Never writes, never waits for the writer.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};

use super::answers::{Counts, DaySpend, DeadLetter, FindingFilter, IncidentFilter, IncidentLookup};
use super::open::{BUSY_TIMEOUT, FILE, beside};
use super::rows::{
    KIND_COLUMNS, TEMPLATE_COLUMNS, bits, count, from_json, json_row, kind_bits, kind_row, read_all, template_row, time,
};
use super::{StoreError, load, schema};
use crate::model::{
    Alert, Answer, Finding, Incident, KindId, KindRow, Position, Question, Snapshot, TemplateId, TemplateRow,
    Timestamp, Usage, VerdictRow,
};

/// The state, open for reading. Each call sees one consistent state; two calls may see two.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

impl Reader {
    pub const FINDINGS_SHOWN: u32 = 100;

    /// Opens the state in `state_dir` for reading; nothing is made or changed there. Works while a daemon writes, after
    /// one was killed, and on a file or directory that this user cannot write.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when nothing was ever stored there.
    pub fn open(state_dir: &Path) -> Result<Reader, StoreError> {
        Reader::open_file(&state_dir.join(FILE))
    }

    pub(super) fn open_file(path: &Path) -> Result<Reader, StoreError> {
        // SQLite would not say why it cannot open a file.
        match fs::File::open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { path: path.to_owned() });
            }
            Err(error) => return Err(StoreError::io(path, "open the state file", error)),
        }
        let (connection, found) = match connect(path, false) {
            // A reader needs SQLite's side files. Where they are absent and cannot be made, nobody writes either.
            Err(error) if cannot_make_side_files(&error) && !has_log(path) => connect(path, true),
            other => other,
        }
        .map_err(|error| StoreError::sqlite(path, error))?;
        if found == 0 {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        if found > schema::newest() {
            return Err(StoreError::Newer { path: path.to_owned(), found, known: schema::newest() });
        }
        Ok(Reader { connection, path: path.to_owned() })
    }

    /// Everything the pipeline needs to go on where it stopped. Rows that make no sense are left out and logged.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file is damaged.
    pub fn load(&self) -> Result<Snapshot, StoreError> {
        let loaded = load::load(&self.connection);
        if let Some((_, failure)) = loaded.failures.into_iter().next() {
            return Err(self.error(failure));
        }
        for (table, rows) in loaded.unreadable {
            self.warn_unreadable(table, rows);
        }
        Ok(loaded.snapshot)
    }

    /// How far every stream was read, as committed: the record keys of the next lines.
    pub fn positions(&self) -> Result<Vec<Position>, StoreError> {
        self.list("SELECT json FROM positions ORDER BY stream", [], json_row)
    }

    /// Newest first.
    pub fn incidents(&self, filter: IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        self.list(
            "SELECT json FROM incidents WHERE last_seen >= ?1 AND severity >= ?2
             ORDER BY last_seen DESC, id LIMIT ?3",
            params![
                since(filter.since),
                filter.severity_at_least.map_or(0, |severity| severity as u8),
                limit(filter.limit)
            ],
            json_row,
        )
    }

    /// The incident whose id is or begins with `prefix` (hex digits), with its findings.
    pub fn incident(&self, prefix: &str) -> Result<IncidentLookup, StoreError> {
        let Some((first, last)) = id_range(prefix) else {
            return Ok(IncidentLookup::None);
        };
        let mut found: Vec<Incident> = self.list(
            "SELECT json FROM incidents WHERE id BETWEEN ?1 AND ?2 ORDER BY last_seen DESC LIMIT 10",
            params![bits(first), bits(last)],
            json_row,
        )?;
        if found.len() > 1 {
            return Ok(IncidentLookup::Several(found.iter().map(|incident| incident.id).collect()));
        }
        let Some(incident) = found.pop() else {
            return Ok(IncidentLookup::None);
        };
        let findings = self.findings_of(&incident)?;
        let delivered = self.list(
            "SELECT notifier, at FROM delivered WHERE incident = ?1 ORDER BY at DESC",
            [bits(incident.id.0)],
            |row| Ok((row.get::<_, String>(0)?.into(), time(row, 1)?)),
        )?;
        Ok(IncidentLookup::One { incident: Box::new(incident), findings, delivered })
    }

    /// What people said and still holds, newest first.
    pub fn answers(&self) -> Result<Vec<Answer>, StoreError> {
        let rows = load::answers(&self.connection);
        if let Some(failure) = rows.failure {
            return Err(self.error(failure));
        }
        if rows.unreadable > 0 {
            self.warn_unreadable("answers", rows.unreadable);
        }
        let mut answers = rows.rows;
        answers.sort_by_key(|answer| (std::cmp::Reverse(answer.since), answer.id));
        Ok(answers)
    }

    /// Newest first.
    pub fn findings(&self, filter: FindingFilter) -> Result<Vec<Finding>, StoreError> {
        self.list(
            "SELECT json FROM findings WHERE last_seen >= ?1 ORDER BY sequence DESC LIMIT ?2",
            params![since(filter.since), limit(filter.limit)],
            json_row,
        )
    }

    /// Alerts that wait for delivery, oldest first.
    pub fn outbox(&self) -> Result<Vec<Alert>, StoreError> {
        self.list("SELECT json FROM outbox ORDER BY created_at, rowid", [], json_row)
    }

    /// Alerts that were given up, newest first.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        self.list("SELECT json, at, error FROM dead_letters ORDER BY at DESC", [], |row| {
            Ok(DeadLetter { alert: from_json(row, 0)?, at: time(row, 1)?, error: row.get(2)? })
        })
    }

    /// What was spent, newest day first; only from day `from` on (`2026-11-22`) when given.
    pub fn spend(&self, from: Option<&str>) -> Result<Vec<DaySpend>, StoreError> {
        self.list(
            "SELECT day, model, requests, input_tokens, cached_tokens, output_tokens FROM spend
             WHERE day >= ?1 ORDER BY day DESC, model",
            [from.unwrap_or_default()],
            spend_row,
        )
    }

    /// The cached verdict of a kind.
    pub fn verdict(&self, kind: KindId) -> Result<Option<VerdictRow>, StoreError> {
        self.one("SELECT json FROM verdicts WHERE kind = ?1", kind_bits(kind), json_row)
    }

    /// The question a kind waits with.
    pub fn question(&self, kind: KindId) -> Result<Option<Question>, StoreError> {
        self.one("SELECT json FROM questions WHERE kind = ?1", kind_bits(kind), json_row)
    }

    pub fn kind(&self, kind: KindId) -> Result<Option<KindRow>, StoreError> {
        self.one(&format!("SELECT {KIND_COLUMNS} FROM kinds WHERE id = ?1"), kind_bits(kind), kind_row)
    }

    pub fn template(&self, template: TemplateId) -> Result<Option<TemplateRow>, StoreError> {
        self.one(&format!("SELECT {TEMPLATE_COLUMNS} FROM templates WHERE id = ?1"), bits(template.0), template_row)
    }

    /// Numbers for a status line.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(Counts {
                templates: count(row, 0)?,
                kinds: count(row, 1)?,
                verdicts: count(row, 2)?,
                questions: count(row, 3)?,
                incidents: count(row, 4)?,
                open_incidents: count(row, 5)?,
                findings: count(row, 6)?,
                outbox: count(row, 7)?,
                dead_letters: count(row, 8)?,
                streams: count(row, 9)?,
            })
        };
        self.connection
            .query_row(
                "SELECT (SELECT count(*) FROM templates), (SELECT count(*) FROM kinds),
                     (SELECT count(*) FROM verdicts), (SELECT count(*) FROM questions),
                     (SELECT count(*) FROM incidents),
                     (SELECT count(*) FROM incidents WHERE state NOT IN ('quiet', 'muted')),
                     (SELECT count(*) FROM findings), (SELECT count(*) FROM outbox),
                     (SELECT count(*) FROM dead_letters), (SELECT count(*) FROM positions)",
                [],
                read,
            )
            .map_err(|error| self.error(error))
    }

    /// Those that joined it; for an incident without any, those about its kinds.
    fn findings_of(&self, incident: &Incident) -> Result<Vec<Finding>, StoreError> {
        let joined: Vec<Finding> = self.list(
            "SELECT json FROM findings WHERE incident = ?1 ORDER BY sequence DESC LIMIT ?2",
            params![bits(incident.id.0), Reader::FINDINGS_SHOWN],
            json_row,
        )?;
        if !joined.is_empty() {
            return Ok(joined);
        }
        let kinds: Vec<String> = incident.kinds.iter().map(|kind| kind_bits(*kind).to_string()).collect();
        self.list(
            "SELECT json FROM findings WHERE kind IN (SELECT value FROM json_each(?1)) AND incident IS NULL
             ORDER BY sequence DESC LIMIT ?2",
            params![format!("[{}]", kinds.join(",")), Reader::FINDINGS_SHOWN],
            json_row,
        )
    }

    fn list<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = read_all(&self.connection, sql, parameters, read);
        if let Some(failure) = rows.failure {
            return Err(self.error(failure));
        }
        if rows.unreadable > 0 {
            self.warn_unreadable(sql, rows.unreadable);
        }
        Ok(rows.rows)
    }

    fn one<T>(&self, sql: &str, id: i64, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> Result<Option<T>, StoreError> {
        let found = self.connection.prepare_cached(sql).and_then(|mut query| query.query_row([id], read).optional());
        found.map_err(|error| self.error(error))
    }

    fn warn_unreadable(&self, what: &str, rows: u64) {
        tracing::warn!(path = %self.path.display(), what, rows, "left out rows of the state that make no sense");
    }

    fn error(&self, error: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path, error)
    }
}

/// Opens the file and reads its schema, which is the first touch of its content. `immutable` promises SQLite that
/// nobody writes.
pub(super) fn connect(path: &Path, immutable: bool) -> rusqlite::Result<(Connection, i64)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if immutable {
        Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let found = schema::version(&connection)?;
    Ok((connection, found))
}

/// <https://www.sqlite.org/uri.html>: everything outside the plain characters percent-encoded.
fn immutable_uri(path: &Path) -> String {
    use std::fmt::Write;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str("?immutable=1");
    uri
}

fn cannot_make_side_files(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied))
}

fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|metadata| metadata.len() > 0)
}

/// The first and last id that begin with up to 16 hex digits.
fn id_range(prefix: &str) -> Option<(u64, u64)> {
    if prefix.is_empty() || prefix.len() > 16 || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let first = u64::from_str_radix(&format!("{prefix:0<16}"), 16).ok()?;
    let last = u64::from_str_radix(&format!("{prefix:f<16}"), 16).ok()?;
    Some((first, last))
}

fn since(time: Option<Timestamp>) -> i64 {
    time.map_or(i64::MIN, Timestamp::as_micros)
}

/// SQLite takes a negative limit for none.
fn limit(limit: Option<u32>) -> i64 {
    limit.map_or(-1, i64::from)
}

fn spend_row(row: &Row<'_>) -> rusqlite::Result<DaySpend> {
    Ok(DaySpend {
        day: row.get(0)?,
        model: row.get(1)?,
        usage: Usage {
            requests: count(row, 2)?,
            input_tokens: count(row, 3)?,
            cached_tokens: count(row, 4)?,
            output_tokens: count(row, 5)?,
        },
    })
}
