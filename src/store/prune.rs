//! What may be forgotten, and when. Never touches what still has work to do: outbox, questions, open incidents, mutes.

use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Store, StoreError};
use crate::model::{IncidentState, Timestamp};

/// Findings kept, newest first.
pub(super) const FINDINGS_KEPT: i64 = 50_000;
const DAY: Duration = Duration::from_secs(86_400);
const QUIET_INCIDENTS_KEPT: Duration = DAY.saturating_mul(90);
/// Dead letters, and the notes of what was delivered.
const LETTERS_KEPT: Duration = DAY.saturating_mul(30);
/// File generations that are read to the end and gone; long enough to recognize a copy that comes back.
const SEALED_KEPT: Duration = DAY.saturating_mul(7);

/// How many rows a prune removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// Quiet for 90 days.
    pub incidents: usize,
    /// Given up 30 days ago.
    pub dead_letters: usize,
    /// Delivered 30 days ago.
    pub delivered: usize,
    /// File generations sealed for 7 days.
    pub positions: usize,
}

impl Store {
    /// Removes what is too old at `now`. To be called about once an hour, outside of any commit.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn prune(&mut self, now: Timestamp) -> Result<Pruned, StoreError> {
        prune(&mut self.reader.connection, now).map_err(|error| self.error(error))
    }
}

fn prune(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<Pruned> {
    let before = |age: Duration| now.saturating_sub(age).as_micros();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let pruned = Pruned {
        incidents: transaction.execute(
            "DELETE FROM incidents WHERE state = ?1 AND last_seen < ?2",
            (IncidentState::Quiet.as_str(), before(QUIET_INCIDENTS_KEPT)),
        )?,
        dead_letters: transaction.execute("DELETE FROM dead_letters WHERE at < ?1", [before(LETTERS_KEPT)])?,
        delivered: transaction.execute("DELETE FROM delivered WHERE at < ?1", [before(LETTERS_KEPT)])?,
        positions: transaction.execute("DELETE FROM positions WHERE sealed_at < ?1", [before(SEALED_KEPT)])?,
    };
    transaction.commit()?;
    Ok(pruned)
}

/// Keeps the newest [`FINDINGS_KEPT`]; part of the commit that added some.
pub(super) fn cap_findings(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM findings WHERE sequence <= (SELECT max(sequence) FROM findings) - ?1")?
        .execute([FINDINGS_KEPT])
        .map(drop)
}
