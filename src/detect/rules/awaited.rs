//! What began and has not ended: the open ends of a rule with `expect`. Says what is overdue when the source that the
//! beginning came from was read beyond its time. Bounded; what is forgotten is counted. Words nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::series::Key;
use crate::detect::recent::Recent;
use crate::model::{Evidence, Finding, Timestamp};

/// Most beginnings of a rule that wait for their end.
const MAX_OPEN: usize = 1_024;
/// Most of them kept over a restart, those that began last.
const MAX_SAVED: usize = 256;

#[derive(Debug)]
pub struct Awaited {
    open: Recent<Key, Open>,
    /// Nothing is overdue before this.
    due: Option<Timestamp>,
}

/// One beginning.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Open {
    /// When its end is overdue.
    pub due: Timestamp,
    pub evidence: Evidence,
    /// What is said then.
    pub finding: Box<Finding>,
}

/// As the state file keeps it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SavedOpen {
    #[serde(flatten)]
    key: Key,
    #[serde(flatten)]
    open: Open,
}

impl Awaited {
    pub fn new() -> Awaited {
        Awaited { open: Recent::new(MAX_OPEN), due: None }
    }

    /// Something began. What began before and has not ended goes on waiting: it is overdue first.
    pub fn begin(&mut self, key: Key, open: impl FnOnce() -> Open) {
        let open = self.open.entry(key, open);
        self.due = Some(self.due.map_or(open.due, |due| due.min(open.due)));
    }

    /// It ended in time. Without a key everything on this host did. Returns whether anything was open.
    pub fn end(&mut self, host: &Arc<str>, key: Option<&Key>) -> bool {
        let mut ended = false;
        self.open.retain(|known, _| {
            let ends = key.map_or(known.host == *host, |key| known == key);
            ended |= ends;
            !ends
        });
        ended
    }

    /// Takes what is overdue where `read_until` says how far the source of a beginning was read.
    pub fn overdue(&mut self, read_until: impl Fn(&Arc<str>) -> Option<Timestamp>) -> Vec<(Key, Open)> {
        let mut overdue = Vec::new();
        let mut due: Option<Timestamp> = None;
        self.open.retain(|key, open| {
            let is_over = read_until(&open.evidence.origin).is_some_and(|until| until > open.due);
            match is_over {
                true => overdue.push((key.clone(), open.clone())),
                false => due = Some(due.map_or(open.due, |due| due.min(open.due))),
            }
            !is_over
        });
        self.due = due;
        // Hash order must not show: results do not depend on the run.
        overdue.sort_by(|one, other| (one.1.due, &one.0).cmp(&(other.1.due, &other.0)));
        overdue
    }

    /// Something may be overdue at this time.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due < now)
    }

    /// When something is overdue at the earliest.
    pub fn due(&self) -> Option<Timestamp> {
        self.due
    }

    pub fn since(&self, key: &Key) -> Option<&Open> {
        self.open.peek(key)
    }

    pub fn forgotten(&self) -> u64 {
        self.open.forgotten()
    }

    pub fn save(&self) -> Vec<SavedOpen> {
        let mut all: Vec<(&Key, &Open)> = self.open.iter().collect();
        all.sort_by(|one, other| (other.1.due, one.0).cmp(&(one.1.due, other.0)));
        all.truncate(MAX_SAVED);
        all.into_iter().map(|(key, open)| SavedOpen { key: key.clone(), open: open.clone() }).collect()
    }

    pub fn restore(&mut self, saved: Vec<SavedOpen>) {
        for SavedOpen { key, open } in saved.into_iter().rev() {
            self.begin(key, || open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Category, JudgedBy, Level, Severity};

    fn key(name: &str) -> Key {
        Key { host: "h".into(), key: name.into() }
    }

    fn open(origin: &str, due: i64) -> Open {
        let at = Timestamp::from_seconds(due - 60);
        let evidence = Evidence {
            time: at,
            host: "h".into(),
            program: "app".into(),
            level: Level::Info,
            origin: origin.into(),
            offset: 0,
            line: String::new(),
        };
        let finding = Finding {
            judged_by: JudgedBy::Rule("r".into()),
            category: Category::Other,
            proposed: Severity::Low,
            confidence: 1.0,
            verdict: None,
            title: String::new(),
            reason: String::new(),
            remediation: Vec::new(),
            host: "h".into(),
            program: "app".into(),
            unit: None,
            level: Level::Info,
            kind: None,
            template: None,
            template_text: String::new(),
            group: String::new(),
            count: 1,
            first_seen: at,
            last_seen: at,
            evidence: Vec::new(),
            learning: false,
        };
        Open { due: Timestamp::from_seconds(due), evidence, finding: Box::new(finding) }
    }

    fn names(overdue: Vec<(Key, Open)>) -> Vec<String> {
        overdue.into_iter().map(|(key, _)| key.key.into()).collect()
    }

    #[test]
    fn what_did_not_end_is_overdue_once_its_source_was_read() {
        let mut awaited = Awaited::new();
        for (name, origin, due) in [("a", "one", 100), ("b", "one", 90), ("c", "two", 80), ("d", "one", 500)] {
            awaited.begin(key(name), || open(origin, due));
        }
        awaited.begin(key("a"), || open("one", 400));
        assert!(awaited.end(&"h".into(), Some(&key("d"))) && !awaited.end(&"h".into(), Some(&key("d"))));
        assert!(!awaited.is_due(Timestamp::from_seconds(80)) && awaited.is_due(Timestamp::from_seconds(81)));
        let until = |one: i64| move |origin: &Arc<str>| (&**origin == "one").then(|| Timestamp::from_seconds(one));
        assert_eq!(names(awaited.overdue(until(100))), ["b"], "`a` has its last second, and `two` was not read");
        let mut again = Awaited::new();
        again.restore(awaited.save());
        assert_eq!(names(again.overdue(until(101))), ["a"]);
        assert!(again.end(&"h".into(), None) && again.save().is_empty());
    }

    #[test]
    fn hostile_keys_are_bounded() {
        let mut awaited = Awaited::new();
        for number in 0..10_000 {
            awaited.begin(key(&number.to_string()), || open("one", number));
        }
        assert!(awaited.open.iter().count() <= MAX_OPEN && awaited.save().len() == MAX_SAVED);
        assert!(awaited.forgotten() >= 8_000);
    }
}
