//! The one writer: facts and positions in, one transaction a commit. Decides nothing and reads no clock.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::lock::Lock;
use super::reader::Reader;
use super::rows::{bits, counter, kind_bits, to_json};
use super::{StoreError, prune};
use crate::model::{Fact, Finding, Fingerprint, Place, Position, Snapshot, Usage};

/// The state, open for writing. Owned by one thread; readers open a [`Reader`] of their own.
///
/// Dropping it ends cleanly: what was committed stays, a commit that had not returned did not happen.
#[derive(Debug)]
pub struct Store {
    /// Before `lock`: the file is closed while it is still ours.
    pub(super) reader: Reader,
    /// Marks a clean end when dropped.
    pub(super) lock: Lock,
}

impl Store {
    /// Everything the pipeline needs to go on where it stopped. Rows that make no sense are left out and logged.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file is damaged.
    pub fn load(&self) -> Result<Snapshot, StoreError> {
        self.reader.load()
    }

    /// Makes all of it durable or none of it, in the order given. Positions land with the consequences of their lines.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::Busy`]: nothing was written and the same call can be made again.
    pub fn commit(&mut self, facts: &[Fact], positions: &[Position]) -> Result<(), StoreError> {
        if facts.is_empty() && positions.is_empty() {
            return Ok(());
        }
        match self.try_commit(facts, positions) {
            // Room may be left inside the log once it is copied into the file: enough to overwrite what is there.
            Err(StoreError::Full { .. }) if self.checkpoint() => self.try_commit(facts, positions),
            outcome => outcome,
        }
    }

    fn try_commit(&mut self, facts: &[Fact], positions: &[Position]) -> Result<(), StoreError> {
        write(&mut self.reader.connection, facts, positions).map_err(|error| self.error(error))
    }

    /// Copies the log into the file, so that the next commit begins it anew. False when that did not work either.
    pub(super) fn checkpoint(&self) -> bool {
        let busy = self.reader.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0));
        matches!(busy, Ok(0))
    }

    /// The same questions a [`Reader`] answers, seen by the writer.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The file turned out to be damaged: its end is no clean one, so the next start checks all of it.
    pub fn distrust(&mut self) {
        self.lock.opened = false;
    }

    /// The state file.
    pub fn path(&self) -> &Path {
        &self.reader.path
    }

    pub(super) fn error(&self, error: rusqlite::Error) -> StoreError {
        StoreError::sqlite(self.path(), error)
    }
}

/// All of it in one transaction.
pub(super) fn write(connection: &mut Connection, facts: &[Fact], positions: &[Position]) -> rusqlite::Result<()> {
    // Dropped without commit it rolls back, also when the disk is full.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    apply(&transaction, facts, positions)?;
    transaction.commit()
}

/// The statements of one commit.
pub(super) fn apply(transaction: &Transaction<'_>, facts: &[Fact], positions: &[Position]) -> rusqlite::Result<()> {
    for fact in facts {
        apply_fact(transaction, fact)?;
    }
    for position in positions {
        apply_position(transaction, position)?;
    }
    if facts.iter().any(|fact| matches!(fact, Fact::Finding(_) | Fact::Joined { .. })) {
        prune::cap_findings(transaction)?;
    }
    Ok(())
}

fn apply_fact(transaction: &Transaction<'_>, fact: &Fact) -> rusqlite::Result<()> {
    match fact {
        Fact::Template(row) => transaction
            .prepare_cached(
                "INSERT INTO templates (id, text, count, first_seen, last_seen, merged_into) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (id) DO UPDATE SET text = ?2, count = ?3, first_seen = ?4, last_seen = ?5, merged_into = ?6",
            )?
            .execute(params![
                bits(row.id.0),
                row.text,
                counter(row.count),
                row.first_seen.as_micros(),
                row.last_seen.as_micros(),
                row.merged_into.map(|id| bits(id.0)),
            ]),
        Fact::Kind(row) => transaction
            .prepare_cached(
                "INSERT INTO kinds (id, program, level, template, learned, count, first_seen, last_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (id) DO UPDATE SET learned = ?5, count = ?6, first_seen = ?7, last_seen = ?8",
            )?
            .execute(params![
                kind_bits(row.kind.id()),
                row.kind.program,
                row.kind.level as u8,
                bits(row.kind.template.0),
                row.learned,
                counter(row.count),
                row.first_seen.as_micros(),
                row.last_seen.as_micros(),
            ]),
        Fact::Verdict(row) => transaction
            .prepare_cached("INSERT OR REPLACE INTO verdicts (kind, judged_at, json) VALUES (?1, ?2, ?3)")?
            .execute(params![kind_bits(row.kind), row.judged_at.as_micros(), to_json(row)?]),
        Fact::Question(question) => transaction
            .prepare_cached("INSERT OR REPLACE INTO questions (kind, json) VALUES (?1, ?2)")?
            .execute(params![kind_bits(question.id), to_json(question)?]),
        Fact::QuestionClosed(kind) => {
            transaction.prepare_cached("DELETE FROM questions WHERE kind = ?1")?.execute([kind_bits(*kind)])
        }
        Fact::Finding(finding) => append_finding(transaction, None, finding),
        Fact::Joined { incident, finding } => append_finding(transaction, Some(*incident), finding),
        Fact::Incident(incident) => transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO incidents (id, state, severity, first_seen, last_seen, json)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                bits(incident.id.0),
                incident.state.as_str(),
                incident.severity as u8,
                incident.first_seen.as_micros(),
                incident.last_seen.as_micros(),
                to_json(incident)?,
            ]),
        Fact::Outbox(alert) => transaction
            .prepare_cached(
                "INSERT INTO outbox (alert, notifier, incident, created_at, json) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (alert) DO UPDATE SET notifier = ?2, incident = ?3, created_at = ?4, json = ?5",
            )?
            .execute(params![
                alert.id,
                alert.notifier,
                bits(alert.incident.id.0),
                alert.created_at.as_micros(),
                to_json(alert)?,
            ]),
        Fact::Delivered { alert, at } => {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO delivered (alert, notifier, incident, at)
                     SELECT alert, notifier, incident, ?2 FROM outbox WHERE alert = ?1",
                )?
                .execute(params![alert, at.as_micros()])?;
            leave_outbox(transaction, alert)
        }
        Fact::DeadLetter { alert, at, error } => {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO dead_letters (alert, at, error, json)
                     SELECT alert, ?2, ?3, json FROM outbox WHERE alert = ?1",
                )?
                .execute(params![alert, at.as_micros(), error])?;
            leave_outbox(transaction, alert)
        }
        Fact::Spend { day, model, usage } => add_spend(transaction, day, model, usage),
        Fact::Answer(answer) => transaction
            .prepare_cached("INSERT OR REPLACE INTO answers (id, json) VALUES (?1, ?2)")?
            .execute(params![bits(answer.id.0), to_json(answer)?]),
        Fact::AnswerOver(id) => {
            transaction.prepare_cached("DELETE FROM answers WHERE id = ?1")?.execute([bits(id.0)])
        }
        Fact::State { name, json } => transaction
            .prepare_cached("INSERT INTO states (name, json) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET json = ?2")?
            .execute(params![name, json]),
    }
    .map(drop)
}

fn append_finding(
    transaction: &Transaction<'_>,
    incident: Option<Fingerprint>,
    finding: &Finding,
) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached("INSERT INTO findings (incident, kind, severity, last_seen, json) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            incident.map(|id| bits(id.0)),
            finding.kind.map(kind_bits),
            finding.proposed as u8,
            finding.last_seen.as_micros(),
            to_json(finding)?,
        ])
}

fn leave_outbox(transaction: &Transaction<'_>, alert: &str) -> rusqlite::Result<usize> {
    let left = transaction.prepare_cached("DELETE FROM outbox WHERE alert = ?1")?.execute([alert])?;
    if left == 0 {
        tracing::warn!(alert, "an alert that is not in the outbox was reported as done");
    }
    Ok(left)
}

fn add_spend(transaction: &Transaction<'_>, day: &str, model: &str, usage: &Usage) -> rusqlite::Result<usize> {
    // A provider's counters are its word: sums stop at 2^53 instead of overflowing.
    const MOST: u64 = 1 << 53;
    let bounded = |count: u64| counter(count.min(MOST));
    transaction
        .prepare_cached(
            "INSERT INTO spend (day, model, requests, input_tokens, cached_tokens, output_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (day, model) DO UPDATE SET
                 requests = min(requests + ?3, ?7), input_tokens = min(input_tokens + ?4, ?7),
                 cached_tokens = min(cached_tokens + ?5, ?7), output_tokens = min(output_tokens + ?6, ?7)",
        )?
        .execute(params![
            day,
            model,
            bounded(usage.requests),
            bounded(usage.input_tokens),
            bounded(usage.cached_tokens),
            bounded(usage.output_tokens),
            bounded(MOST),
        ])
}

fn apply_position(transaction: &Transaction<'_>, position: &Position) -> rusqlite::Result<()> {
    let sealed_at = match &position.at {
        Place::FileV1(place) if place.sealed => Some(place.seen_at.as_micros()),
        Place::FileV1(_) | Place::JournalV1(_) | Place::StdinV1 { .. } => None,
    };
    transaction
        .prepare_cached(
            "INSERT INTO positions (stream, sealed_at, json) VALUES (?1, ?2, ?3)
             ON CONFLICT (stream) DO UPDATE SET sealed_at = ?2, json = ?3",
        )?
        .execute(params![position.stream, sealed_at, to_json(position)?])
        .map(drop)
}
