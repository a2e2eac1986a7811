//! Alerts on their way: retried with growing pauses until delivered or given up, in order for each incident, and never too
//! many at once. The rows are durable by the facts it returns; sending is the caller's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::model::{Alert, Delivery, DeliveryOutcome, Fact, Fingerprint, Severity, Timestamp, clip};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// A receiver may ask for at most this much patience.
const LONGEST_REQUESTED_PAUSE: Duration = Duration::from_secs(3_600);
/// Given up after so long, if it was tried often enough for that to mean something (we may have been off ourselves).
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3_600);
const MIN_ATTEMPTS: u32 = 10;
/// A delivery whose end nobody reported is tried again: the alert id makes that harmless.
const LOST_AFTER: Duration = Duration::from_secs(600);
const MAX_IN_FLIGHT: usize = 4;
const MAX_ROWS: usize = 2_000;
const MAX_ERROR_BYTES: usize = 500;

/// Every undelivered alert.
#[derive(Default)]
pub struct Outbox {
    /// By age, then id.
    rows: BTreeMap<(Timestamp, Arc<str>), Row>,
    created: HashMap<Arc<str>, Timestamp>,
    /// Reckoned when asked, forgotten when a row changes.
    next: OnceLock<Option<Timestamp>>,
}

struct Row {
    alert: Alert,
    in_flight_since: Option<Timestamp>,
}

impl Outbox {
    /// `rows` as the store gave them back; what was in flight then is sent again under its old id.
    pub fn new(rows: Vec<Alert>) -> Outbox {
        let mut outbox = Outbox::default();
        for alert in rows {
            outbox.insert(alert);
        }
        outbox
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Attempts that have not ended.
    pub fn in_flight(&self) -> usize {
        self.rows.values().filter(|row| row.in_flight_since.is_some()).count()
    }

    /// Who an undelivered alert is for.
    pub fn notifier(&self, alert: &str) -> Option<Arc<str>> {
        let (alert, created) = self.created.get_key_value(alert)?;
        self.rows.get(&(*created, Arc::clone(alert))).map(|row| Arc::clone(&row.alert.notifier))
    }

    /// Takes an alert in. The facts must be durable before [`Outbox::due`] hands it out. An id that is already there
    /// changes nothing. When too many wait, the oldest of the least severe becomes a dead letter.
    pub fn push(&mut self, alert: Alert, now: Timestamp) -> Vec<Fact> {
        if self.created.contains_key(&alert.id) {
            return Vec::new();
        }
        let mut facts = vec![Fact::Outbox(Box::new(alert.clone()))];
        self.insert(alert);
        if self.rows.len() > MAX_ROWS {
            let mut least: Option<(Severity, (Timestamp, Arc<str>))> = None;
            for (key, row) in self.rows.iter().filter(|(_, row)| row.in_flight_since.is_none()) {
                if least.as_ref().is_none_or(|(severity, _)| row.alert.incident.severity < *severity) {
                    least = Some((row.alert.incident.severity, key.clone()));
                }
            }
            if let Some((_, key)) = least {
                self.remove(&key);
                let error = format!("gave way: more than {MAX_ROWS} alerts wait for delivery");
                facts.push(Fact::DeadLetter { alert: key.1, at: now, error });
            }
        }
        self.next = OnceLock::new();
        facts
    }

    /// What to send now. Each is in flight until [`Outbox::outcome`].
    pub fn due(&mut self, now: Timestamp) -> Vec<Alert> {
        let ready: Vec<(Timestamp, Arc<str>)> =
            self.ready().filter(|(_, due)| *due <= now).map(|(key, _)| key.clone()).collect();
        let mut busy: HashMap<Arc<str>, usize> = HashMap::new();
        for row in self.rows.values().filter(|row| row.flying(now)) {
            *busy.entry(Arc::clone(&row.alert.notifier)).or_default() += 1;
        }
        let mut due = Vec::new();
        for key in ready {
            let Some(row) = self.rows.get_mut(&key) else { continue };
            let flying = busy.entry(Arc::clone(&row.alert.notifier)).or_default();
            if *flying < MAX_IN_FLIGHT {
                *flying += 1;
                row.in_flight_since = Some(now);
                due.push(row.alert.clone());
            }
        }
        self.next = OnceLock::new();
        due
    }

    /// What became of one attempt. Of an alert that is no longer there: nothing.
    pub fn outcome(&mut self, delivery: Delivery, now: Timestamp) -> Vec<Fact> {
        let Some(created) = self.created.get(&delivery.alert) else { return Vec::new() };
        let key = (*created, delivery.alert);
        let Some(row) = self.rows.get_mut(&key) else { return Vec::new() };
        let alert = Arc::clone(&key.1);
        let fact = match delivery.outcome {
            DeliveryOutcome::Delivered => {
                self.remove(&key);
                Fact::Delivered { alert, at: now }
            }
            DeliveryOutcome::Refused { error } => {
                self.remove(&key);
                Fact::DeadLetter { alert, at: now, error: clip(&error, MAX_ERROR_BYTES).to_owned() }
            }
            DeliveryOutcome::Retry { error, after } => {
                let error = clip(&error, MAX_ERROR_BYTES).to_owned();
                row.in_flight_since = None;
                row.alert.attempts = row.alert.attempts.saturating_add(1);
                let attempts = row.alert.attempts;
                if attempts >= MIN_ATTEMPTS && now.since(key.0) >= GIVE_UP_AFTER {
                    self.remove(&key);
                    Fact::DeadLetter { alert, at: now, error: format!("given up after {attempts} attempts: {error}") }
                } else {
                    let asked = after.unwrap_or_default().min(LONGEST_REQUESTED_PAUSE);
                    row.alert.next_attempt = now.saturating_add(pause(&alert, attempts).max(asked));
                    row.alert.last_error = error;
                    Fact::Outbox(Box::new(row.alert.clone()))
                }
            }
        };
        self.next = OnceLock::new();
        vec![fact]
    }

    /// When `due` may have something. `None` while everything waits for an outcome.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        *self.next.get_or_init(|| self.reckon())
    }

    fn insert(&mut self, alert: Alert) {
        let id = Arc::clone(&alert.id);
        self.created.insert(Arc::clone(&id), alert.created_at);
        self.rows.insert((alert.created_at, id), Row { alert, in_flight_since: None });
    }

    fn remove(&mut self, key: &(Timestamp, Arc<str>)) {
        self.rows.remove(key);
        self.created.remove(&key.1);
    }

    /// The first row of each incident and notifier, and when it may be sent: what was said first is delivered first.
    fn ready(&self) -> impl Iterator<Item = (&(Timestamp, Arc<str>), Timestamp)> {
        let mut seen: HashSet<(&str, Fingerprint)> = HashSet::new();
        self.rows.iter().filter_map(move |(key, row)| {
            let first = seen.insert((&row.alert.notifier, row.alert.incident.id));
            first.then(|| {
                (key, row.in_flight_since.map_or(row.alert.next_attempt, |since| since.saturating_add(LOST_AFTER)))
            })
        })
    }

    /// A notifier with as many in flight as it may have waits for an outcome, or for the oldest
    /// to count as lost.
    fn reckon(&self) -> Option<Timestamp> {
        let mut flying: HashMap<&str, usize> = HashMap::new();
        for row in self.rows.values().filter(|row| row.in_flight_since.is_some()) {
            *flying.entry(&row.alert.notifier).or_default() += 1;
        }
        let free = |key: &(Timestamp, Arc<str>)| {
            self.rows.get(key).is_some_and(|row| {
                row.in_flight_since.is_some()
                    || flying.get(&*row.alert.notifier).is_none_or(|count| *count < MAX_IN_FLIGHT)
            })
        };
        self.ready().filter(|(key, _)| free(key)).map(|(_, due)| due).min()
    }
}

impl Row {
    fn flying(&self, now: Timestamp) -> bool {
        self.in_flight_since.is_some_and(|since| now.since(since) < LOST_AFTER)
    }
}

/// 1 s doubling to 10 min, moved by up to a quarter either way: by the id, so that a scripted run repeats itself and
/// alerts of one moment do not come back in one moment.
fn pause(id: &str, attempts: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    let hash = Fingerprint::of(&[id, &attempts.to_string()]).0 % 501;
    let permille = 750 + u32::try_from(hash).unwrap_or(250);
    doubled.saturating_mul(permille) / 1_000
}
