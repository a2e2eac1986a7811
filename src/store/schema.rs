//! The shape of the state file over the versions. A migration is never edited, only followed by the next one.

use rusqlite::{Connection, TransactionBehavior};

/// Step `n` brings schema `n` to `n + 1`. `PRAGMA user_version` counts the steps done.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("v1.sql"), include_str!("v2.sql")];

/// The schema this build writes.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// What the file says it is; 0 for a fresh one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the file to the newest schema, one transaction a step, so that a kill leaves a whole older version.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let done = usize::try_from(version(connection)?).unwrap_or(usize::MAX);
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", i64::try_from(step + 1).unwrap_or(i64::MAX))?;
        transaction.commit()?;
    }
    Ok(())
}
