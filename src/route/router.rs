//! Turns what happens to incidents into alerts that are due: routes, waits, intervals, repeats. Remembers what was told to
//! whom, so that a restart neither repeats nor forgets. Sends nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::{Config, Route};
use super::thread::{Thread, alert_id};
use crate::model::{Alert, Change, Fingerprint, Incident, Timestamp};

/// Conversations kept; beyond it the longest silent ones go, and would begin anew.
const MAX_THREADS: usize = 10_000;

type Key = (Fingerprint, Arc<str>);

/// Who was told what, and who is to be told next.
pub struct Router {
    /// For each notifier the routes that name it, in their order; never empty.
    routes: Vec<(Arc<str>, Vec<Route>)>,
    threads: BTreeMap<Key, Thread>,
    deadlines: BTreeSet<(Timestamp, Key)>,
    dirty: bool,
}

/// Versioned: add fields, never change one.
#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    threads: Vec<SavedThread>,
}

#[derive(Serialize, Deserialize)]
struct SavedThread {
    incident: Fingerprint,
    notifier: Arc<str>,
    #[serde(flatten)]
    thread: Thread,
}

impl Router {
    /// `notifiers` are all there are; those that no route names get `medium` and up.
    pub fn new(config: &Config, notifiers: &[Arc<str>]) -> Router {
        Router {
            routes: by_notifier(config, notifiers),
            threads: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            dirty: false,
        }
    }

    /// Names in routes that are no notifier, for the config check.
    pub fn unknown_notifiers(config: &Config, notifiers: &[Arc<str>]) -> Vec<Arc<str>> {
        let mut seen = HashSet::new();
        let named = config.routes.iter().flat_map(|route| &route.notifiers);
        named.filter(|name| !notifiers.contains(name) && seen.insert(Arc::clone(name))).cloned().collect()
    }

    /// What is due already stays due; what a removed notifier was told is forgotten.
    pub fn reload(&mut self, config: &Config, notifiers: &[Arc<str>]) {
        self.routes = by_notifier(config, notifiers);
        let gone: Vec<Key> = self.threads.keys().filter(|(_, name)| !notifiers.contains(name)).cloned().collect();
        for key in gone {
            self.drop_thread(&key);
        }
    }

    /// Something happened to an incident. Schedules; [`Router::due`] then has what to send.
    pub fn incident(&mut self, incident: &Incident, change: Change, now: Timestamp) {
        if change == Change::AlreadyThere {
            return;
        }
        let shared = Arc::new(incident.clone());
        for (notifier, routes) in &self.routes {
            let key = (incident.id, Arc::clone(notifier));
            let route = routes.iter().find(|route| route.matches.matches(incident));
            let old = self.threads.get(&key).and_then(|thread| thread.due);
            let thread = match (route, change) {
                (_, Change::Muted) => {
                    let Some(thread) = self.threads.get_mut(&key) else { continue };
                    thread.hush();
                    thread
                }
                // Not its business any more (a model took the line for normal): nothing waits to be said, and who was
                // told of it while it was hears of its end.
                (None, _) => {
                    let Some(thread) = self.threads.get_mut(&key) else { continue };
                    let then = thread.told.map(|told| Incident { severity: told.severity, ..incident.clone() });
                    let route = then.and_then(|then| routes.iter().find(|route| route.matches.matches(&then)));
                    match route.filter(|_| change == Change::Quieted) {
                        Some(route) => thread.happened(&shared, change, route, now),
                        None => thread.hush(),
                    }
                    thread
                }
                (Some(route), _) => {
                    let thread = self.threads.entry(key.clone()).or_insert_with(Thread::new);
                    thread.happened(&shared, change, route, now);
                    thread
                }
            };
            let due = thread.due;
            if old != due {
                self.dirty = true;
                if let Some(old) = old {
                    self.deadlines.remove(&(old, key.clone()));
                }
                if let Some(due) = due {
                    self.deadlines.insert((due, key));
                }
            }
        }
        self.make_room();
    }

    /// The alerts to put into the outbox now, oldest first. `lookup` gives an incident as it is now.
    pub fn due(&mut self, now: Timestamp, lookup: impl Fn(Fingerprint) -> Option<Incident>) -> Vec<Alert> {
        let mut alerts = Vec::new();
        while let Some((due, _)) = self.deadlines.first()
            && *due <= now
        {
            let Some((_, key)) = self.deadlines.pop_first() else { break };
            self.dirty = true;
            let Some(thread) = self.threads.get_mut(&key) else { continue };
            let (id, notifier) = &key;
            let incident = lookup(*id).or_else(|| thread.latest.as_deref().cloned());
            let said = incident.and_then(|incident| thread.says(&incident).map(|state| (incident, state)));
            let Some((incident, state)) = said else {
                thread.hush();
                continue;
            };
            let sequence = thread.tell(&incident, now);
            alerts.push(Alert {
                id: alert_id(&incident, notifier, sequence),
                notifier: Arc::clone(notifier),
                state,
                incident,
                created_at: now,
                attempts: 0,
                next_attempt: now,
                last_error: String::new(),
            });
        }
        alerts
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// What to keep as `Fact::State`, in the same transaction as the alerts, when it changed since the last call.
    pub fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        let threads = self.threads.iter().map(|((incident, notifier), thread)| SavedThread {
            incident: *incident,
            notifier: Arc::clone(notifier),
            thread: thread.clone(),
        });
        serde_json::to_string(&Saved { v: 1, threads: threads.collect() }).ok()
    }

    /// What an earlier process told. Notifiers that are gone are left out.
    ///
    /// # Errors
    /// When the text is not ours; incidents are then told anew when they speak next.
    pub fn restore(&mut self, json: &str) -> Result<(), serde_json::Error> {
        let saved: Saved = serde_json::from_str(json)?;
        for SavedThread { incident, notifier, thread } in saved.threads {
            if !self.routes.iter().any(|(known, _)| *known == notifier) {
                continue;
            }
            let key = (incident, notifier);
            if let Some(due) = thread.due {
                self.deadlines.insert((due, key.clone()));
            }
            self.threads.insert(key, thread);
        }
        self.make_room();
        Ok(())
    }

    fn drop_thread(&mut self, key: &Key) {
        let due = self.threads.remove(key).and_then(|thread| thread.due);
        if let Some(due) = due {
            self.deadlines.remove(&(due, key.clone()));
        }
        self.dirty = true;
    }

    /// Many at a time, so that a flood of incidents does not sort again for each.
    fn make_room(&mut self) {
        if self.threads.len() <= MAX_THREADS {
            return;
        }
        let mut silent: Vec<(Option<Timestamp>, Key)> = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.due.is_none())
            .map(|(key, thread)| (thread.told.map(|told| told.at), key.clone()))
            .collect();
        silent.sort();
        for (_, key) in silent.into_iter().take(MAX_THREADS / 10) {
            self.drop_thread(&key);
        }
    }
}

fn by_notifier(config: &Config, notifiers: &[Arc<str>]) -> Vec<(Arc<str>, Vec<Route>)> {
    notifiers
        .iter()
        .map(|notifier| {
            let mut routes: Vec<Route> =
                config.routes.iter().filter(|route| route.notifiers.contains(notifier)).cloned().collect();
            if routes.is_empty() {
                routes.push(Route::unrouted(notifier));
            }
            (Arc::clone(notifier), routes)
        })
        .collect()
}
