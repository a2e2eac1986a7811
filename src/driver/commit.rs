//! Effects that wait for their transaction. A position moves only together with the consequences of its lines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{Alert, Fact, Fingerprint, Incident, JudgeRequest, KindId, KindRow, Position, Timestamp};
use crate::pipeline::Effects;
use crate::store::{Store, StoreError};

/// Longest time lines stay uncommitted.
const EVERY: Duration = Duration::from_secs(1);
/// Most bytes of lines that stay uncommitted.
const BYTES: usize = 8 * 1024 * 1024;
/// With a store that cannot be written, lines are still taken up to here; then the sources wait. The lines themselves are
/// not kept, only what they led to.
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// Likewise for what they led to, should every line lead to something.
const MAX_FACTS: usize = 50_000;
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// What was decided and is not yet durable.
pub struct Pending {
    store: Store,
    /// Newest committed or pending position of every stream, for reopening sources.
    known: Vec<Position>,
    effects: Effects,
    newest: Newest,
    bytes: usize,
    /// The sources wait for the disk, and that was said.
    full: bool,
    /// When the oldest uncommitted effect came.
    since: Option<Instant>,
    /// Set after a failed commit: not before, and how long to wait after the next failure.
    retry: Option<(Instant, Duration)>,
    trouble: Option<String>,
    /// The state file is damaged: no later try can succeed.
    broken: Option<StoreError>,
    committed: Option<(Option<JudgeRequest>, Vec<Alert>)>,
}

/// Rows of which only the last version matters: a store that cannot be written for hours does not make them many.
#[derive(Default)]
struct Newest {
    states: BTreeMap<Arc<str>, String>,
    kinds: BTreeMap<KindId, KindRow>,
    incidents: BTreeMap<Fingerprint, Box<Incident>>,
}

impl Newest {
    /// Keeps it, or gives it back when every version counts.
    fn keep(&mut self, fact: Fact) -> Option<Fact> {
        match fact {
            Fact::State { name, json } => drop(self.states.insert(name, json)),
            Fact::Kind(row) => drop(self.kinds.insert(row.kind.id(), row)),
            Fact::Incident(incident) => drop(self.incidents.insert(incident.id, incident)),
            Fact::Template(_)
            | Fact::Verdict(_)
            | Fact::Question(_)
            | Fact::QuestionClosed(_)
            | Fact::Finding(_)
            | Fact::Joined { .. }
            | Fact::Outbox(_)
            | Fact::Delivered { .. }
            | Fact::DeadLetter { .. }
            | Fact::Answer(_)
            | Fact::AnswerOver(_)
            | Fact::Spend { .. } => return Some(fact),
        }
        None
    }

    fn len(&self) -> usize {
        self.states.len() + self.kinds.len() + self.incidents.len()
    }

    fn take(&mut self) -> impl Iterator<Item = Fact> {
        let Newest { states, kinds, incidents } = std::mem::take(self);
        (kinds.into_values().map(Fact::Kind))
            .chain(incidents.into_values().map(Fact::Incident))
            .chain(states.into_iter().map(|(name, json)| Fact::State { name, json }))
    }
}

impl Pending {
    pub fn new(store: Store, known: Vec<Position>) -> Pending {
        Pending {
            store,
            known,
            effects: Effects::default(),
            newest: Newest::default(),
            bytes: 0,
            full: false,
            since: None,
            retry: None,
            trouble: None,
            broken: None,
            committed: None,
        }
    }

    /// Positions of every stream, committed or about to be.
    pub fn known(&self) -> &[Position] {
        &self.known
    }

    pub fn add(&mut self, effects: Effects, bytes: usize) {
        if effects.is_empty() && bytes == 0 {
            return;
        }
        self.since.get_or_insert_with(Instant::now);
        self.bytes += bytes;
        let Effects { facts, positions, judge, deliver, notices: _, urgent, trace: _, reply: _ } = effects;
        for fact in facts {
            self.effects.facts.extend(self.newest.keep(fact));
        }
        for position in positions {
            match self.known.iter_mut().find(|known| known.stream == position.stream) {
                Some(known) => known.clone_from(&position),
                None => self.known.push(position.clone()),
            }
            self.effects.moved(position);
        }
        if judge.is_some() {
            self.effects.judge = judge;
        }
        self.effects.deliver.extend(deliver);
        self.effects.urgent |= urgent;
    }

    /// False when the sources must wait for the disk.
    pub fn has_room(&mut self) -> bool {
        let room = self.bytes < MAX_BYTES && !self.crowded();
        if !room && self.trouble.is_some() && !std::mem::replace(&mut self.full, true) {
            tracing::error!(
                "{} MB of lines could not be committed; nothing more is read until the state can be written",
                self.bytes >> 20
            );
        }
        room
    }

    fn crowded(&self) -> bool {
        self.effects.facts.len() + self.newest.len() >= MAX_FACTS
    }

    pub fn due(&self, now: Instant) -> bool {
        self.due_at().is_some_and(|at| now >= at)
    }

    /// When the next commit is due; `None` when nothing waits.
    pub fn due_at(&self) -> Option<Instant> {
        let since = self.since?;
        match self.retry {
            Some((not_before, _)) => Some(not_before),
            None if self.effects.urgent || self.bytes >= BYTES || self.crowded() => Some(since),
            None => Some(since + EVERY),
        }
    }

    /// Tries to commit; a failure is kept as `trouble` and tried again later. Nothing is lost meanwhile.
    pub fn commit(&mut self) {
        if let Err(error) = self.commit_or_fail() {
            self.failed(error);
        }
    }

    fn failed(&mut self, error: StoreError) {
        let wait = self.retry.map_or(FIRST_RETRY, |(_, wait)| (wait * 2).min(LAST_RETRY));
        if self.trouble.is_none() {
            tracing::error!(%error, "state cannot be written; lines are kept and read again until it can");
        }
        self.retry = Some((Instant::now() + wait, wait));
        self.trouble = Some(error.to_string());
        if let StoreError::Corrupt { .. } = error {
            self.store.distrust();
            self.broken = Some(error);
        }
    }

    /// # Errors
    /// Nothing of this commit is durable; all of it is kept for the next try.
    pub fn commit_or_fail(&mut self) -> Result<(), StoreError> {
        if self.since.is_none() {
            return Ok(());
        }
        self.effects.facts.extend(self.newest.take());
        if let Err(error) = self.store.commit(&self.effects.facts, &self.effects.positions) {
            // All of it stays for the next try; what comes until then replaces what it outdates.
            for fact in std::mem::take(&mut self.effects.facts) {
                self.effects.facts.extend(self.newest.keep(fact));
            }
            return Err(error);
        }
        if self.trouble.take().is_some() {
            tracing::info!("state can be written again");
        }
        self.retry = None;
        self.since = None;
        self.bytes = 0;
        self.full = false;
        let effects = std::mem::take(&mut self.effects);
        let (request, alerts) = self.committed.get_or_insert_default();
        if effects.judge.is_some() {
            *request = effects.judge;
        }
        alerts.extend(effects.deliver);
        Ok(())
    }

    /// What may be sent now that it is durable.
    pub fn take_committed(&mut self) -> Option<(Option<JudgeRequest>, Vec<Alert>)> {
        self.committed.take()
    }

    /// Nothing waits for a commit.
    pub fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// The state file is damaged; only a new start mends it. Given once.
    pub fn broken(&mut self) -> Option<StoreError> {
        self.broken.take()
    }

    /// Keeps a copy of the state, at most once an hour. A failure leaves the older one.
    pub fn copy(&mut self, now: Timestamp) {
        if let Err(error) = self.store.copy(now) {
            tracing::warn!(%error, "the state has no new copy for now");
        }
    }

    /// Forgets what is too old. A failure costs room only; it is tried again in an hour.
    pub fn prune(&mut self, now: Timestamp) {
        match self.store.prune(now) {
            Ok(pruned) => tracing::debug!(?pruned, "pruned the state"),
            Err(error) => tracing::warn!(%error, "old rows stay in the state for now"),
        }
    }

    /// Why nothing can be committed now.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_damaged_file_ends_the_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = Store::open(folder.path(), Timestamp::EPOCH).expect("opened");
        let mut pending = Pending::new(opened.store, Vec::new());
        pending.failed(StoreError::Full { path: folder.path().to_owned() });
        assert!(pending.trouble().is_some() && pending.broken().is_none());
        pending.failed(StoreError::Corrupt { path: folder.path().to_owned(), reason: "planted".to_owned() });
        assert!(pending.broken().is_some());
        // The next start must not take this for a clean end.
        drop(pending);
        let lock = std::fs::read_to_string(folder.path().join("lock")).expect("there");
        assert!(!lock.contains("clean"), "{lock}");
    }

    #[test]
    fn hours_without_a_disk_keep_one_version_of_each_row() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = Store::open(folder.path(), Timestamp::EPOCH).expect("opened");
        let mut pending = Pending::new(opened.store, Vec::new());
        let state = |json: String| Fact::State { name: "s".into(), json };
        for n in 0..3 * MAX_FACTS {
            pending.add(Effects { facts: vec![state(n.to_string())], ..Effects::default() }, 1);
        }
        assert!(pending.has_room(), "one row is not many");
        pending.add(Effects::default(), MAX_BYTES);
        assert!(!pending.has_room(), "lines are");
        pending.commit();
        assert!(pending.has_room() && pending.is_empty());
        let kept = pending.store.load().expect("loads").states;
        assert_eq!(kept, [("s".into(), (3 * MAX_FACTS - 1).to_string())]);
    }

    #[test]
    fn pruning_leaves_what_is_young() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = Store::open(folder.path(), Timestamp::EPOCH).expect("opened");
        let mut pending = Pending::new(opened.store, Vec::new());
        assert!(pending.is_empty());
        pending.prune(Timestamp::EPOCH);
        assert!(pending.trouble().is_none());
    }
}
