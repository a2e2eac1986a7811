//! Runs the rules: once per kind to see which concern it, then on the lines of those kinds only. Words findings; counting
//! is `series`, matching is `set`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::awaited::{Awaited, Open, SavedOpen};
use super::claim::{claim, key};
use super::series::{Key, SavedCounter, Series, earlier};
use super::set::{Line, Role, RuleSet};
use super::spec::Rule;
use crate::detect::keyed::ById;
use crate::detect::mark::{Mark, Marks};
use crate::detect::repeat::Report;
use crate::detect::wording;
use crate::detect::{Beat, Detector, Horizon, MeterId, Of, Seen, View, Want};
use crate::model::{Finding, Fingerprint, JudgedBy, KindId, Period, Phase, Severity, Timestamp};

pub const NAME: &str = "rules";

/// Kinds whose rules are remembered; the lines of further ones are looked at afresh.
const MAX_KINDS: usize = 65_536;
/// Sources whose meters are remembered.
const MAX_SOURCES: usize = 4_096;
/// What is overdue is looked for so long after its time, and so often while its source is not read so far.
const BEYOND: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(10);

pub struct RuleDetector {
    set: RuleSet,
    /// Counters of each rule, at the same place.
    series: Vec<Series>,
    /// What waits for its end, of each rule at the same place.
    awaited: Vec<Awaited>,
    /// Meters of sources, by name.
    sources: HashMap<Arc<str>, MeterId>,
    /// Nothing new is known of what is overdue before this.
    look_again: Timestamp,
    /// `awaited` changed since the last save.
    changed: bool,
    /// Lines of one incident within this time are one finding.
    repeat: Period,
    /// Rules that concern a kind, by place. Quiet rules are not here: they want no lines.
    kinds: ById<KindId, Vec<usize>>,
    /// No counted line of any rule is due before this.
    due: Option<Timestamp>,
    /// Lines that count, whether or not their incident ever comes about.
    marks: Marks,
    /// Filled anew for each line.
    roles: Vec<(usize, Role)>,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    open: Vec<SavedOpen>,
}

const VERSION: u32 = 1;

impl RuleDetector {
    pub fn new(set: RuleSet, repeat: Period) -> RuleDetector {
        let series = set.rules().iter().map(Series::new).collect();
        let awaited = set.rules().iter().map(|_| Awaited::new()).collect();
        RuleDetector {
            set,
            series,
            awaited,
            sources: HashMap::new(),
            look_again: Timestamp::EPOCH,
            changed: false,
            repeat,
            kinds: ById::default(),
            due: None,
            marks: Marks::default(),
            roles: Vec::new(),
        }
    }

    /// Rules that did not change keep their counters.
    pub fn set_rules(&mut self, set: RuleSet) {
        let old = std::mem::replace(&mut self.set, set);
        let counters = std::mem::take(&mut self.series).into_iter().zip(std::mem::take(&mut self.awaited));
        let mut kept: HashMap<&str, (&Rule, (Series, Awaited))> =
            old.rules().iter().zip(counters).map(|(rule, counters)| (&*rule.name, (rule, counters))).collect();
        (self.series, self.awaited) = self
            .set
            .rules()
            .iter()
            .map(|rule| match kept.remove(&*rule.name) {
                Some((before, counters)) if counts(before) == counts(rule) => counters,
                Some(_) | None => (Series::new(rule), Awaited::new()),
            })
            .unzip();
        self.due = self.series.iter().filter_map(Series::due).min();
        self.kinds.clear();
    }

    pub fn rules(&self) -> &RuleSet {
        &self.set
    }

    /// Keys dropped for room since the start.
    pub fn forgotten(&self) -> u64 {
        let series: u64 = self.series.iter().map(Series::forgotten).sum();
        series + self.awaited.iter().map(Awaited::forgotten).sum::<u64>()
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
            Role::Begins => {
                let (awaited, within) = (self.awaited.get_mut(place)?, rule.within?);
                let once = wording::once(seen);
                awaited.begin(open_key(key(seen, rule.key(line)), seen), || Open {
                    due: seen.time.saturating_add(within.0),
                    evidence: seen.evidence(),
                    finding: Box::new(wording::finding(seen, once, claim(rule, severity, seen, line, once, once))),
                });
                self.changed = true;
                None
            }
            Role::Ends => {
                let ended = rule.expect.as_ref().and_then(|expect| expect.message.key(line.message));
                let ends_all = rule.has_key() && ended.is_none_or(<[u8]>::is_empty);
                let key = (!ends_all).then(|| open_key(key(seen, ended), seen));
                self.changed |= self.awaited.get_mut(place)?.end(seen.host, key.as_ref());
                None
            }
            Role::Before => {
                let before = rule.after.as_ref().and_then(|after| after.message.key(line.message));
                series.before(rule, key(seen, before), seen.time);
                None
            }
            Role::Hit => {
                let key = key(seen, rule.key(line));
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
                    let claim = claim(rule, severity, seen, line, report, total);
                    wording::finding(seen, report, claim)
                };
                let found = series.hit(rule, key, seen.time, || seen.evidence(), seen.phase, self.repeat.0, make, out);
                self.due = earlier(self.due, series.due());
                found
            }
        }
    }

    /// Says what did not end in time, as far as `read_until` knows that the source of its beginning was read.
    fn overdue(&mut self, read_until: impl Fn(&Arc<str>) -> Option<Timestamp>, out: &mut Vec<Finding>) {
        for ((rule, series), awaited) in self.set.rules().iter().zip(&mut self.series).zip(&mut self.awaited) {
            if rule.expect.is_none() {
                continue;
            }
            for (_, Open { due: _, evidence, finding }) in awaited.overdue(&read_until) {
                self.changed = true;
                let key = Key { host: Arc::clone(&finding.host), key: finding.group.as_str().into() };
                self.marks.push(Mark {
                    judged_by: finding.judged_by.clone(),
                    host: Arc::clone(&finding.host),
                    program: Arc::clone(&finding.program),
                    group: series.group(rule, &key, evidence.time).to_owned(),
                    origin: Arc::clone(&evidence.origin),
                    offset: evidence.offset,
                });
                // Phase of its beginning.
                let phase = if finding.learning { Phase::Learn } else { Phase::Live };
                let make = |report: Report, _| Finding {
                    count: report.count,
                    first_seen: report.first,
                    last_seen: report.last,
                    ..*finding
                };
                let said = series.hit(rule, key, evidence.time, || evidence, phase, self.repeat.0, make, out);
                out.extend(said);
                self.due = earlier(self.due, series.due());
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
        let mut roles = std::mem::take(&mut self.roles);
        match self.kinds.get(&seen.kind_id) {
            Some(places) => {
                let role = |place: &usize| Some((*place, self.set.rules().get(*place)?.counts_as(&line)?));
                roles.extend(places.iter().filter_map(role));
            }
            None => roles.extend(self.set.find(&line)),
        }
        let mut alone: Option<((Severity, bool), Finding)> = None;
        for (place, role) in roles.drain(..) {
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
        self.roles = roles;
        out.extend(alone.map(|(_, finding)| finding));
        true
    }

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    /// Only those of sources: what is awaited in one that says nothing is not yet missed.
    fn counts(&self) -> bool {
        true
    }

    fn source_beat(&mut self, _: &Arc<str>, _: Phase, beat: &mut Beat, out: &mut Vec<Finding>) {
        let Of::Source(name) = &beat.of else { return };
        if self.sources.get(name) != Some(&beat.meter) && self.sources.len() < MAX_SOURCES {
            self.sources.insert(Arc::clone(name), beat.meter);
        }
        if self.awaited.iter().any(|awaited| awaited.is_due(beat.time)) {
            self.overdue(|origin| (origin == name).then_some(beat.time), out);
        }
    }

    fn quiet(&mut self, horizon: &Horizon<'_>, out: &mut Vec<Finding>) {
        if !self.awaited.iter().any(|awaited| awaited.is_due(horizon.now)) {
            return;
        }
        let sources = std::mem::take(&mut self.sources);
        let until = |origin: &Arc<str>| sources.get(origin).map_or(Some(horizon.now), |meter| horizon.of(*meter));
        self.overdue(until, out);
        self.sources = sources;
        // What is still open waits for a source that was not read so far.
        self.look_again = horizon.now.saturating_add(LOOK);
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let due = self.awaited.iter().filter_map(Awaited::due).min()?;
        Some(due.saturating_add(BEYOND).max(self.look_again))
    }

    fn take_marks(&mut self) -> Vec<Mark> {
        self.marks.take()
    }

    fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        for series in &mut self.series {
            series.settle(now, self.repeat.0, out);
        }
        self.due = self.series.iter().filter_map(Series::due).min();
    }

    fn save(&mut self) -> Option<String> {
        let awaited = std::mem::take(&mut self.changed);
        let changed = self.series.iter_mut().fold(awaited, |changed, series| series.take_changed() | changed);
        if !changed {
            return None;
        }
        let rules = self
            .set
            .rules()
            .iter()
            .zip(&mut self.series)
            .zip(&self.awaited)
            .map(|((rule, series), awaited)| (rule, series.save(rule, self.repeat.0), awaited.save()))
            .filter(|(_, counters, open)| !counters.is_empty() || !open.is_empty())
            .map(|(rule, counters, open)| (Arc::clone(&rule.name), SavedRule { counts: counts(rule), counters, open }))
            .collect();
        serde_json::to_string(&Saved { version: VERSION, rules }).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let mut saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if saved.version > VERSION {
            return Err(format!("written by a newer version ({})", saved.version));
        }
        for ((rule, series), awaited) in self.set.rules().iter().zip(&mut self.series).zip(&mut self.awaited) {
            if let Some(row) = saved.rules.remove(&rule.name).filter(|row| row.counts == counts(rule)) {
                series.restore(row.counters, self.repeat.0);
                self.due = earlier(self.due, series.due());
                awaited.restore(row.open);
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
            let key = key(seen, rule.key(&line));
            let says = match (role, rule.severity) {
                (Role::Possible, _) if rule.matching.fields.is_empty() => continue,
                (Role::Possible, _) => {
                    format!("`{}` looks at its {}, which it lets pass", rule.name, rule.matching.fields)
                }
                (Role::Ends, _) => format!("`{}` takes it for the end that it waits for", rule.name),
                (Role::Begins, _) => {
                    let awaited = self.awaited.get(place).and_then(|awaited| awaited.since(&open_key(key, seen)));
                    format!(
                        "`{}` waits for its end within {}{}, and would else propose {}: {}",
                        rule.name,
                        rule.within.unwrap_or(self.repeat),
                        awaited.map_or(String::new(), |open| format!(" (until {})", open.due)),
                        rule.severity.unwrap_or(Severity::Low),
                        rule.title
                    )
                }
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

/// What separates beginnings: where a rule has no key, the program does.
fn open_key(key: Key, seen: &Seen<'_>) -> Key {
    match &*key.key {
        "" => Key { key: (*seen.kind.program).into(), ..key },
        _ => key,
    }
}

/// What decides whether two versions of a rule count the same lines the same way.
fn counts(rule: &Rule) -> Fingerprint {
    let how = format!("{:?} {:?} {:?} {:?}", rule.count, rule.within, rule.after, rule.expect);
    Fingerprint::of(&[&how, &format!("{:?}", rule.matching)])
}
