//! The counters of one rule, by host and key: when is it an incident, when is it said again, what is kept over a restart.
//! Bounded; what is forgotten is counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::Rule;
use super::window::Window;
use crate::detect::recent::Recent;
use crate::detect::repeat::{Repeat, Report, apart};
use crate::model::{Evidence, Finding, Period, Phase, Severity, Timestamp};

/// Most keys of a rule.
const MAX_KEYS: usize = 10_000;
/// Most times kept by a rule over all its keys: bounds keys for rules with a large `count`.
const MAX_TIMES: usize = 65_536;
/// Most keys of a rule kept over a restart, those used last.
const MAX_SAVED_KEYS: usize = 512;
/// Lines remembered as evidence while they are counted, over all keys.
const TRAIL: usize = 32;
/// Incidents of one rule and host that begin within [`CROWD_WITHIN`] and are told one by one; further ones are one
/// together, so that a thousand addresses are no thousand messages. Critical ones are always told.
const ALONE: usize = 5;
const CROWD_WITHIN: Duration = Duration::from_secs(3_600);
/// Hosts whose beginnings are remembered.
const MAX_HOSTS: usize = 1_024;
/// The group of the incidents told together.
pub const CROWD: &str = "many";

#[derive(Debug)]
pub struct Series {
    counters: Recent<Key, Counter>,
    /// The last lines counted, for the evidence of a rule that needs several.
    trail: VecDeque<(Key, Evidence)>,
    /// When the last [`ALONE`] live incidents with a key began, by host. A restart forgets it.
    begun: Recent<Arc<str>, VecDeque<Timestamp>>,
    /// No counted line is due before this.
    due: Option<Timestamp>,
    changed: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Key {
    pub host: Arc<str>,
    pub key: Box<str>,
}

#[derive(Clone, Debug, Default)]
struct Counter {
    hits: Window,
    before: Window,
    /// Set while the incident goes on.
    repeat: Option<Repeat>,
    /// The last finding without its evidence, to say the lines that came after it.
    said: Option<Box<Finding>>,
    /// The incident began in lines that were already there: a live line is another one.
    taught: bool,
    /// The incident is told together with others.
    crowded: bool,
}

/// One counter as the state file keeps it. Times are microseconds since the epoch.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SavedCounter {
    #[serde(flatten)]
    key: Key,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hits: Vec<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repeat: Option<Repeat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<Box<Finding>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    taught: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    crowded: bool,
}

impl Series {
    pub fn new(rule: &Rule) -> Series {
        let times = rule.count as usize + rule.after.as_ref().map_or(0, |after| after.count as usize);
        let keys = MAX_KEYS.min(MAX_TIMES / times.max(1));
        Series {
            counters: Recent::new(keys),
            trail: VecDeque::new(),
            begun: Recent::new(MAX_HOSTS),
            due: None,
            changed: false,
        }
    }

    /// One line that `after` counts.
    pub fn before(&mut self, rule: &Rule, key: Key, at: Timestamp) {
        let Some(after) = &rule.after else { return };
        let counter = self.counters.entry(key, Counter::default);
        counter.before.push(at, after.count, within(rule));
        self.changed = true;
    }

    /// One line the rule counts, and the finding it completes. `make` words it: of how many lines it speaks, and of how
    /// many in all. What an earlier burst left unsaid goes to `out`.
    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename them")]
    pub fn hit(
        &mut self,
        rule: &Rule,
        key: Key,
        at: Timestamp,
        evidence: impl FnOnce() -> Evidence,
        phase: Phase,
        period: Duration,
        make: impl FnOnce(Report, Report) -> Finding,
        out: &mut Vec<Finding>,
    ) -> Option<Finding> {
        let counter = self.counters.entry_of(&key, Counter::default);
        self.changed = true;
        if let Some(after) = &rule.after
            && counter.before.near(at, within(rule)) < after.count
        {
            return None;
        }
        // What went on before anybody watched must not keep the lines of now from being told.
        let is_news = counter.taught && phase == Phase::Live;
        let is_over = |pause: Duration| counter.repeat.as_ref().is_some_and(|repeat| repeat.over(at, pause));
        let is_another = rule.count > 1 && is_over(within(rule)) || counter.crowded && is_over(CROWD_WITHIN);
        if is_news || is_another {
            out.extend(counter.leftover(at));
            counter.repeat = None;
            counter.taught = false;
            counter.hits.clear();
        }
        let mut finding = match &mut counter.repeat {
            Some(repeat) => {
                let Some(report) = repeat.line(at, period) else {
                    self.due = earlier(self.due, repeat.due(period));
                    return None;
                };
                make(report, repeat.total())
            }
            None => {
                remember(&mut self.trail, rule, &key, evidence);
                let report = counter.hits.push(at, rule.count, within(rule))?;
                counter.repeat = Some(Repeat::new(report));
                counter.before.clear();
                counter.taught = phase == Phase::Learn;
                counter.crowded = phase == Phase::Live && may_crowd(rule) && {
                    let crowded = is_crowded(&self.begun, &key, at);
                    begin(&mut self.begun, &key, at);
                    crowded
                };
                let mut finding = make(report, report);
                gather(&mut self.trail, &key, &mut finding);
                finding
            }
        };
        if counter.crowded {
            crowd(&mut finding);
        }
        counter.said = Some(Box::new(without_evidence(&finding)));
        Some(finding)
    }

    /// Says counted lines that are due.
    pub fn settle(&mut self, now: Timestamp, period: Duration, out: &mut Vec<Finding>) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.due = None;
        let mut findings = Vec::new();
        for (_, counter) in self.counters.iter_mut() {
            let Some(repeat) = &mut counter.repeat else { continue };
            if repeat.due(period).is_some_and(|due| due <= now) {
                findings.extend(counter.leftover(now));
                self.changed = true;
            } else {
                self.due = earlier(self.due, repeat.due(period));
            }
        }
        // Hash order must not show: results do not depend on the run.
        findings.sort_by(|one, other| (one.first_seen, &one.group).cmp(&(other.first_seen, &other.group)));
        out.append(&mut findings);
    }

    /// No counted line is due before this.
    pub fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// The group of the incident that a line of this key is part of.
    pub fn group<'a>(&self, rule: &Rule, key: &'a Key, at: Timestamp) -> &'a str {
        let counter = self.counters.peek(key).filter(|counter| counter.repeat.is_some());
        let crowded = match counter {
            Some(counter) => counter.crowded,
            None => may_crowd(rule) && is_crowded(&self.begun, key, at),
        };
        if crowded { CROWD } else { &key.key }
    }

    /// How many lines of a key are counted just now.
    pub fn counted(&self, key: &Key) -> usize {
        self.counters.peek(key).map_or(0, |counter| counter.hits.times().count())
    }

    pub fn forgotten(&self) -> u64 {
        self.counters.forgotten()
    }

    /// True once after a change.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Forgets what is over and returns the rest, newest first, at most [`MAX_SAVED_KEYS`].
    pub fn save(&mut self, rule: &Rule, period: Duration) -> Vec<SavedCounter> {
        let newest = self.counters.iter().filter_map(|(_, counter)| counter.last()).max().unwrap_or_default();
        let horizon = newest.saturating_sub(within(rule).max(period));
        self.counters.retain(|_, counter| {
            counter.last().is_some_and(|last| last >= horizon)
                || counter.repeat.as_ref().is_some_and(Repeat::is_waiting)
        });
        let mut all: Vec<(&Key, &Counter)> = self.counters.iter().collect();
        all.sort_by(|one, other| (other.1.last(), one.0).cmp(&(one.1.last(), other.0)));
        all.truncate(MAX_SAVED_KEYS);
        let micros = |window: &Window| window.times().map(Timestamp::as_micros).collect();
        all.into_iter()
            .map(|(key, counter)| SavedCounter {
                key: key.clone(),
                hits: micros(&counter.hits),
                before: micros(&counter.before),
                repeat: counter.repeat.clone(),
                said: counter.repeat.as_ref().filter(|repeat| repeat.is_waiting()).and(counter.said.clone()),
                taught: counter.taught,
                crowded: counter.crowded,
            })
            .collect()
    }

    pub fn restore(&mut self, saved: Vec<SavedCounter>, period: Duration) {
        let window = |times: Vec<i64>| Window::from_times(times.into_iter().map(Timestamp::from_micros));
        for saved in saved.into_iter().rev() {
            self.due = earlier(self.due, saved.repeat.as_ref().and_then(|repeat| repeat.due(period)));
            let counter = self.counters.entry(saved.key, Counter::default);
            *counter = Counter {
                hits: window(saved.hits),
                before: window(saved.before),
                repeat: saved.repeat,
                said: saved.said,
                taught: saved.taught,
                crowded: saved.crowded,
            };
        }
    }
}

impl Counter {
    /// Lines counted since the last finding, as one more finding.
    fn leftover(&mut self, at: Timestamp) -> Option<Finding> {
        let report = self.repeat.as_mut()?.flush(at)?;
        let mut finding = self.said.as_deref()?.clone();
        finding.count = report.count;
        finding.first_seen = report.first;
        finding.last_seen = report.last;
        Some(finding)
    }

    fn last(&self) -> Option<Timestamp> {
        let repeat = self.repeat.as_ref().map(Repeat::last_line);
        self.hits.last().max(self.before.last()).max(repeat)
    }
}

/// Low ones are not sent to anybody, and critical ones are always told one by one.
fn may_crowd(rule: &Rule) -> bool {
    rule.severity.is_none_or(|severity| severity > Severity::Low && severity < Severity::Critical)
}

/// So many incidents began lately that one more is told together with others.
fn is_crowded(begun: &Recent<Arc<str>, VecDeque<Timestamp>>, key: &Key, at: Timestamp) -> bool {
    let times = begun.peek(&key.host).filter(|times| times.len() >= ALONE);
    !key.key.is_empty() && times.and_then(VecDeque::front).is_some_and(|oldest| apart(at, *oldest) <= CROWD_WITHIN)
}

fn begin(begun: &mut Recent<Arc<str>, VecDeque<Timestamp>>, key: &Key, at: Timestamp) {
    if key.key.is_empty() {
        return;
    }
    let times = begun.entry(Arc::clone(&key.host), VecDeque::new);
    if times.len() >= ALONE {
        times.pop_front();
    }
    times.push_back(at);
}

fn crowd(finding: &mut Finding) {
    CROWD.clone_into(&mut finding.group);
    finding.title.push_str(": many at once");
    let within = Period(CROWD_WITHIN);
    finding.reason = format!("{}; at least {ALONE} more such incidents began within {within}", finding.reason);
}

fn within(rule: &Rule) -> Duration {
    rule.within.map_or(Duration::ZERO, |within| within.0)
}

/// The earlier of those that are there.
pub fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn remember(trail: &mut VecDeque<(Key, Evidence)>, rule: &Rule, key: &Key, evidence: impl FnOnce() -> Evidence) {
    if rule.count > 1 {
        if trail.len() >= TRAIL {
            trail.pop_front();
        }
        trail.push_back((key.clone(), evidence()));
    }
}

/// Moves what the trail holds of this key into the finding, oldest first; a rule of one line has its line already.
fn gather(trail: &mut VecDeque<(Key, Evidence)>, key: &Key, finding: &mut Finding) {
    let mut lines: Vec<Evidence> = Vec::new();
    trail.retain(|(of, evidence)| {
        if of == key {
            lines.push(evidence.clone());
        }
        of != key
    });
    if !lines.is_empty() {
        let surplus = lines.len().saturating_sub(Finding::MAX_EVIDENCE);
        finding.evidence = lines.split_off(surplus);
    }
}

fn without_evidence(finding: &Finding) -> Finding {
    Finding { evidence: Vec::new(), ..finding.clone() }
}
