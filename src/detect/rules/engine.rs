//! Runs the rules: once per kind to see which concern it, then on the lines of those kinds only. Words findings; counting
//! is `series`, matching is `set`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Captures;
use serde::{Deserialize, Serialize};

use super::series::{Key, SavedCounter, Series};
use super::set::{Line, Role, RuleSet};
use super::spec::{KEYS, Rule};
use super::text;
use crate::detect::mark::{Mark, Marks};
use crate::detect::repeat::Report;
use crate::detect::wording::{self, Claim};
use crate::detect::{Detector, Seen, View, Want};
use crate::model::{Finding, Fingerprint, JudgedBy, KindId, Period, Severity, Timestamp, clip};

pub const NAME: &str = "rules";

/// Kinds whose rules are remembered; the lines of further ones are looked at afresh.
const MAX_KINDS: usize = 65_536;
/// Longest key, in bytes.
const KEY_BYTES: usize = 128;
/// A rule says what an operator wrote down on purpose.
const CONFIDENCE: f32 = 0.95;

pub struct RuleDetector {
    set: RuleSet,
    /// Counters of each rule, at the same place.
    series: Vec<Series>,
    /// Lines of one incident within this time are one finding.
    repeat: Period,
    /// Rules that concern a kind, by place. Quiet rules are not here: they want no lines.
    kinds: HashMap<KindId, Vec<usize>>,
    /// Lines that count, whether or not their incident ever comes about.
    marks: Marks,
}

/// State of all rules. Versioned: add fields, never change one.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    rules: BTreeMap<Arc<str>, SavedRule>,
}

#[derive(Serialize, Deserialize)]
struct SavedRule {
    /// What was counted. A rule that counts something else starts anew.
    counts: Fingerprint,
    counters: Vec<SavedCounter>,
}

const VERSION: u32 = 1;

impl RuleDetector {
    pub fn new(set: RuleSet, repeat: Period) -> RuleDetector {
        let series = set.rules().iter().map(Series::new).collect();
        RuleDetector { set, series, repeat, kinds: HashMap::new(), marks: Marks::default() }
    }

    /// Rules that did not change keep their counters.
    pub fn set_rules(&mut self, set: RuleSet) {
        let old = std::mem::replace(&mut self.set, set);
        let mut kept: HashMap<&str, (&Rule, Series)> = old
            .rules()
            .iter()
            .zip(std::mem::take(&mut self.series))
            .map(|(rule, series)| (&*rule.name, (rule, series)))
            .collect();
        self.series = self
            .set
            .rules()
            .iter()
            .map(|rule| match kept.remove(&*rule.name) {
                Some((before, series)) if counts(before) == counts(rule) => series,
                Some(_) | None => Series::new(rule),
            })
            .collect();
        self.kinds.clear();
    }

    pub fn rules(&self) -> &RuleSet {
        &self.set
    }

    /// Keys dropped for room since the start.
    pub fn forgotten(&self) -> u64 {
        self.series.iter().map(Series::forgotten).sum()
    }

    /// Counts the line for one rule; the finding it completes, if it does.
    fn count(
        &mut self,
        place: usize,
        role: Role,
        seen: &Seen<'_>,
        line: &Line<'_>,
        out: &mut Vec<Finding>,
    ) -> Option<Finding> {
        let (rule, series) = (self.set.rules().get(place)?, self.series.get_mut(place)?);
        let severity = rule.severity?;
        match role {
            Role::Possible => None,
            Role::Before => {
                let captures = rule.after.as_ref().and_then(|after| after.message.captures(line.message));
                series.before(rule, key(seen, captures.as_ref()), seen.time);
                None
            }
            Role::Hit => {
                let captures = rule.captures(line);
                let key = key(seen, captures.as_ref());
                if self.marks.open() {
                    self.marks.push(Mark {
                        judged_by: JudgedBy::Rule(Arc::clone(&rule.name)),
                        host: Arc::clone(seen.host),
                        program: Arc::clone(&seen.kind.program),
                        group: series.group(rule, &key, seen.time).to_owned(),
                        origin: Arc::clone(seen.origin),
                        offset: seen.offset,
                    });
                }
                let make = |report: Report, total: Report| {
                    let claim = claim(rule, severity, seen, captures.as_ref(), report, total);
                    wording::finding(seen, report, claim)
                };
                series.hit(rule, key, seen.evidence(), seen.phase, self.repeat.0, make, out)
            }
        }
    }
}

impl Detector for RuleDetector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        let found = self.set.find(&Line::of(seen));
        let claim = found.iter().any(|(_, role)| matches!(role, Role::Hit | Role::Before));
        let speaking: Vec<usize> = found
            .into_iter()
            .map(|(place, _)| place)
            .filter(|place| self.set.rules().get(*place).is_some_and(|rule| rule.severity.is_some()))
            .collect();
        let full = self.kinds.len() >= MAX_KINDS;
        match self.kinds.get_mut(&seen.kind_id) {
            Some(known) => {
                known.extend(speaking);
                known.sort_unstable();
                known.dedup();
                Want { lines: true, claim }
            }
            None => {
                let lines = !speaking.is_empty();
                if lines && !full {
                    self.kinds.insert(seen.kind_id, speaking);
                }
                Want { lines, claim }
            }
        }
    }

    fn line(&mut self, seen: &Seen<'_>, out: &mut Vec<Finding>) -> bool {
        let line = Line::of(seen);
        let roles: Vec<(usize, Role)> = match self.kinds.get(&seen.kind_id) {
            Some(places) => places
                .iter()
                .filter_map(|place| Some((*place, self.set.rules().get(*place)?.counts_as(&line)?)))
                .collect(),
            None => self.set.find(&line),
        };
        let mut alone: Option<((Severity, bool), Finding)> = None;
        for (place, role) in roles {
            let Some(finding) = self.count(place, role, seen, &line, out) else { continue };
            if finding.count > 1 {
                out.push(finding);
                continue;
            }
            // One line is one finding: of the rules that speak of it alone, the most severe does, then the most specific.
            let names_program = self.set.rules().get(place).is_some_and(|rule| !rule.matching.program.is_empty());
            let weight = (finding.proposed, names_program);
            if alone.as_ref().is_none_or(|(best, _)| weight > *best) {
                alone = Some((weight, finding));
            }
        }
        out.extend(alone.map(|(_, finding)| finding));
        true
    }

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn take_marks(&mut self) -> Vec<Mark> {
        self.marks.take()
    }

    fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        for series in &mut self.series {
            series.settle(now, self.repeat.0, out);
        }
    }

    fn save(&mut self) -> Option<String> {
        let changed = self.series.iter_mut().fold(false, |changed, series| series.take_changed() | changed);
        if !changed {
            return None;
        }
        let rules = self
            .set
            .rules()
            .iter()
            .zip(&mut self.series)
            .map(|(rule, series)| (rule, series.save(rule, self.repeat.0)))
            .filter(|(_, counters)| !counters.is_empty())
            .map(|(rule, counters)| (Arc::clone(&rule.name), SavedRule { counts: counts(rule), counters }))
            .collect();
        serde_json::to_string(&Saved { version: VERSION, rules }).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let mut saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if saved.version > VERSION {
            return Err(format!("written by a newer version ({})", saved.version));
        }
        for (rule, series) in self.set.rules().iter().zip(&mut self.series) {
            if let Some(row) = saved.rules.remove(&rule.name).filter(|row| row.counts == counts(rule)) {
                series.restore(row.counters, self.repeat.0);
            }
        }
        Ok(())
    }

    fn reload(&mut self, config: &crate::detect::Config) {
        self.repeat = config.repeat;
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let line = Line::of(seen);
        let mut views = Vec::new();
        for (place, role) in self.set.find(&line) {
            let (Some(rule), Some(series)) = (self.set.rules().get(place), self.series.get(place)) else { continue };
            let key = key(seen, rule.captures(&line).as_ref());
            let says = match (role, rule.severity) {
                (Role::Possible, _) => continue,
                (Role::Before, _) => format!("`{}` counts it as a line that comes before", rule.name),
                (Role::Hit, None) => format!("`{}` knows it as ordinary: {}", rule.name, rule.reason),
                (Role::Hit, Some(severity)) if rule.count == 1 && rule.after.is_none() => {
                    format!("`{}` matches and proposes {severity}: {}", rule.name, rule.title)
                }
                (Role::Hit, Some(severity)) => format!(
                    "`{}` matches; it needs {} lines{} within {}{}, has counted {} now, and would propose {severity}: {}",
                    rule.name,
                    rule.count,
                    if key.key.is_empty() { String::new() } else { format!(" of {}", wording::inline(&key.key, 64)) },
                    rule.within.unwrap_or(self.repeat),
                    rule.after.as_ref().map_or(String::new(), |after| format!(" and {} lines before", after.count)),
                    series.counted(&key),
                    rule.title
                ),
            };
            let finds = role == Role::Hit && rule.severity.is_some() && rule.count == 1 && rule.after.is_none();
            views.push(View { detector: NAME, says, finds });
        }
        if views.is_empty() {
            let says = format!("none of {} rules matches", self.set.rules().len());
            views.push(View { detector: NAME, says, finds: false });
        }
        views
    }
}

/// What separates incidents of this rule: the host, and the key in the line, if there is one.
fn key(seen: &Seen<'_>, captures: Option<&Captures<'_>>) -> Key {
    Key { host: Arc::clone(seen.host), key: key_text(captures).into() }
}

/// The first of the captures `key`, `key2` and `key3` that took part; alternatives need names of their own.
fn key_text(captures: Option<&Captures<'_>>) -> String {
    captures
        .and_then(|captures| KEYS.iter().find_map(|name| captures.name(name)))
        .map_or_else(String::new, |key| clip(&String::from_utf8_lossy(key.as_bytes()), KEY_BYTES).to_owned())
}

fn claim(
    rule: &Rule,
    severity: Severity,
    seen: &Seen<'_>,
    captures: Option<&Captures<'_>>,
    report: Report,
    total: Report,
) -> Claim {
    let group = key_text(captures);
    let first = report == total;
    let value = |name: &str| match name {
        "count" => Some(total.count.to_string()),
        // The rule's own time when it fires, the time it has lasted when it is said again.
        "within" if first => rule.within.map(|within| within.to_string()),
        "within" => {
            let seconds = total.last.since(total.first).as_secs().max(1);
            Some(Period(Duration::from_secs(seconds)).to_string())
        }
        "program" => Some(seen.kind.program.to_string()),
        "key" => Some(group.clone()),
        "unit" => Some(seen.unit.unwrap_or_default().to_owned()),
        "host" => Some(seen.host.to_string()),
        capture => captures
            .and_then(|captures| captures.name(capture))
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
    };
    let reason = text::fill(&rule.reason, value);
    // People paste these into a shell.
    let remediation =
        rule.remediation.iter().map(|step| text::fill(step, |name| value(name).map(text::pasteable(name)))).collect();
    Claim {
        judged_by: JudgedBy::Rule(Arc::clone(&rule.name)),
        category: rule.category,
        proposed: severity,
        confidence: CONFIDENCE,
        title: rule.title.clone(),
        reason,
        remediation,
        group: group.clone(),
    }
}

/// What decides whether two versions of a rule count the same lines the same way.
fn counts(rule: &Rule) -> Fingerprint {
    Fingerprint::of(&[&format!("{:?} {:?} {:?}", rule.count, rule.within, rule.after), &format!("{:?}", rule.matching)])
}
