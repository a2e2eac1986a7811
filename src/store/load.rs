//! Reads back everything the pipeline needs to go on. Decides nothing; writes nothing.

use rusqlite::{Connection, Row};

use super::rows::{KIND_COLUMNS, Rows, TEMPLATE_COLUMNS, json_row, kind_row, read_all, template_row};
use super::schema;
use crate::model::{Answer, Snapshot};

/// A snapshot, and what is missing from it.
pub(super) struct Loaded {
    pub(super) snapshot: Snapshot,
    /// Rows whose content made no sense, by table. Not empty means that somebody else wrote into the file.
    pub(super) unreadable: Vec<(&'static str, u64)>,
    /// Tables whose reading ended early, and why.
    pub(super) failures: Vec<(&'static str, rusqlite::Error)>,
}

/// Reads table after table; a damaged one does not hide the others.
pub(super) fn load(connection: &Connection) -> Loaded {
    let mut loaded = Loaded { snapshot: Snapshot::default(), unreadable: Vec::new(), failures: Vec::new() };
    // The outbox comes back oldest first; the other orders only make two loads alike.
    let templates = format!("SELECT {TEMPLATE_COLUMNS} FROM templates ORDER BY id");
    let kinds = format!("SELECT {KIND_COLUMNS} FROM kinds ORDER BY id");
    let snapshot = Snapshot {
        templates: loaded.take("templates", read_all(connection, &templates, [], template_row)),
        kinds: loaded.take("kinds", read_all(connection, &kinds, [], kind_row)),
        verdicts: loaded.take("verdicts", json(connection, "SELECT json FROM verdicts ORDER BY kind")),
        questions: loaded.take("questions", json(connection, "SELECT json FROM questions ORDER BY kind")),
        incidents: loaded.take("incidents", json(connection, "SELECT json FROM incidents ORDER BY first_seen, id")),
        outbox: loaded.take("outbox", json(connection, "SELECT json FROM outbox ORDER BY created_at, rowid")),
        answers: loaded.take("answers", answers(connection)),
        states: loaded
            .take("states", read_all(connection, "SELECT name, json FROM states ORDER BY name", [], state_row)),
        positions: loaded.take("positions", json(connection, "SELECT json FROM positions ORDER BY stream")),
    };
    loaded.snapshot = snapshot;
    loaded
}

impl Loaded {
    /// Tables of which something is missing.
    pub(super) fn incomplete(&self) -> Vec<&'static str> {
        let failed = self.failures.iter().map(|(table, _)| *table);
        failed.chain(self.unreadable.iter().map(|(table, _)| *table)).collect()
    }

    fn take<T>(&mut self, table: &'static str, rows: Rows<T>) -> Vec<T> {
        if rows.unreadable > 0 {
            self.unreadable.push((table, rows.unreadable));
        }
        if let Some(failure) = rows.failure {
            self.failures.push((table, failure));
        }
        rows.rows
    }
}

fn json<T: serde::de::DeserializeOwned>(connection: &Connection, sql: &str) -> Rows<T> {
    read_all(connection, sql, [], json_row)
}

/// None in a state that an older logwren wrote and no newer one has opened yet.
pub(super) fn answers(connection: &Connection) -> Rows<Answer> {
    match schema::version(connection) {
        Ok(0 | 1) => Rows { rows: Vec::new(), unreadable: 0, failure: None },
        Ok(_) | Err(_) => json(connection, "SELECT json FROM answers ORDER BY id"),
    }
}

fn state_row(row: &Row<'_>) -> rusqlite::Result<(std::sync::Arc<str>, String)> {
    Ok((row.get::<_, String>(0)?.into(), row.get(1)?))
}
