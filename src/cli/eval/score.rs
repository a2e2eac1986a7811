//! Compares what was flagged with what is labelled. Pure: reads and prints nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::driver::Step;
use crate::model::{Change, Fingerprint, Incident, JudgedBy, KindId, Severity, Timestamp};
use crate::pipeline::Told;

/// Everything that was said of labelled lines.
pub struct Answers {
    inputs: Vec<Passing>,
    labels: Vec<String>,
    label_numbers: HashMap<String, u32>,
    /// Lines have labels; otherwise only sessions do.
    by_line: bool,
    /// Whether each session is odd.
    sessions: Vec<bool>,
    /// Kinds of a host, and the incidents that speak of them, each since when.
    places: HashMap<(Arc<str>, KindId), u32>,
    claims: Vec<(KindId, Vec<(Timestamp, Fingerprint)>)>,
}

/// One input and its lines.
struct Passing {
    name: Arc<str>,
    lines: Vec<Line>,
    /// Lines that belong to an incident by themselves, by index.
    marks: Vec<(u32, Fingerprint)>,
}

/// Stands for no label, session or kind.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Line {
    offset: u64,
    label: u32,
    session: u32,
    place: u32,
    time: Timestamp,
}

/// What it comes to.
#[derive(Debug)]
pub struct Report {
    pub at: Severity,
    pub lines: Row,
    pub sessions: Option<Row>,
    /// A flagged incident is right when at least half of its lines are odd; recall is over labels (over odd sessions
    /// where only these have labels).
    pub incidents: Row,
    pub labels: Vec<Label>,
    pub flagged: Vec<Flagged>,
}

/// Hits and misses of one way to count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Row {
    pub hits: u64,
    pub false_alarms: u64,
    pub missed: u64,
    pub all: u64,
    /// Odd ones found, where that is counted apart from the hits.
    pub found: Option<u64>,
}

impl Row {
    fn add(&mut self, odd: bool, flagged: bool) {
        self.all += 1;
        self.hits += u64::from(odd && flagged);
        self.false_alarms += u64::from(!odd && flagged);
        self.missed += u64::from(odd && !flagged);
    }

    pub fn precision(&self) -> f64 {
        ratio(self.hits, self.hits + self.false_alarms)
    }

    pub fn recall(&self) -> f64 {
        let found = self.found.unwrap_or(self.hits);
        ratio(found, found + self.missed)
    }

    pub fn f1(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
    }
}

/// One label and how many of its lines were flagged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    pub name: String,
    pub lines: u64,
    pub found: u64,
}

/// One incident at or above the bar.
#[derive(Clone, PartialEq, Debug)]
pub struct Flagged {
    pub id: Fingerprint,
    pub severity: Severity,
    pub judged_by: String,
    pub title: String,
    /// The template, or else the reason.
    pub subject: String,
    pub lines: u64,
    pub odd_lines: u64,
}

impl Answers {
    /// `by_line` when lines have labels; `sessions` says of each session whether it is odd.
    pub fn new(by_line: bool, sessions: &[bool]) -> Answers {
        Answers {
            inputs: Vec::new(),
            labels: Vec::new(),
            label_numbers: HashMap::new(),
            by_line,
            sessions: sessions.to_vec(),
            places: HashMap::new(),
            claims: Vec::new(),
        }
    }

    /// The lines from now on are of this input.
    pub fn begin_input(&mut self, name: &str) {
        self.inputs.push(Passing { name: name.into(), lines: Vec::new(), marks: Vec::new() });
    }

    /// One more line, at this byte of its input.
    pub fn line(&mut self, offset: u64, label: Option<String>, session: Option<u32>) {
        let label = label.map_or(NONE, |label| {
            let next = u32::try_from(self.labels.len()).unwrap_or(NONE);
            *self.label_numbers.entry(label).or_insert_with_key(|label| {
                self.labels.push(label.clone());
                next
            })
        });
        if let Some(input) = self.inputs.last_mut() {
            let session = session.unwrap_or(NONE);
            input.lines.push(Line { offset, label, session, place: NONE, time: Timestamp::EPOCH });
        }
    }

    /// What the pipeline said.
    pub fn take(&mut self, step: Step) {
        for (number, passed) in step.lines {
            let place = self.place(&passed.host, passed.kind_id);
            let input = self.inputs.last_mut();
            let line = usize::try_from(number).ok().and_then(|number| input?.lines.get_mut(number.checked_sub(1)?));
            if let Some(line) = line {
                (line.place, line.time) = (place, passed.time);
            }
        }
        for told in step.told {
            self.told(&told);
        }
        for marked in step.marked {
            self.mark(&marked.origin, marked.offset, marked.incident);
        }
    }

    fn told(&mut self, told: &Told) {
        let finding = &told.finding;
        if told.change == Change::AlreadyThere {
            return;
        }
        for line in &finding.evidence {
            self.mark(&line.origin, line.offset, told.incident);
        }
        // As in triage: a rule with a group of its own speaks of its lines only.
        let of_kind = !matches!(finding.judged_by, JudgedBy::Rule(_)) || finding.group.is_empty();
        if let Some(kind) = finding.kind.filter(|_| of_kind) {
            let place = self.place(&finding.host, kind);
            if let Some((_, claims)) = self.claims.get_mut(place as usize)
                && !claims.iter().any(|(since, id)| *id == told.incident && *since <= finding.first_seen)
            {
                claims.push((finding.first_seen, told.incident));
            }
        }
    }

    fn place(&mut self, host: &Arc<str>, kind: KindId) -> u32 {
        let next = u32::try_from(self.claims.len()).unwrap_or(NONE);
        *self.places.entry((Arc::clone(host), kind)).or_insert_with(|| {
            self.claims.push((kind, Vec::new()));
            next
        })
    }

    fn mark(&mut self, origin: &str, offset: u64, incident: Fingerprint) {
        let Some(input) = self.inputs.iter_mut().find(|input| *input.name == *origin) else { return };
        if let Ok(at) = input.lines.binary_search_by_key(&offset, |line| line.offset) {
            input.marks.push((u32::try_from(at).unwrap_or(NONE), incident));
        }
    }

    /// What most lines of each kind are: true for odd. Lines of odd sessions are odd where lines have no labels.
    pub fn majorities(&self) -> Vec<(KindId, bool)> {
        let mut counts: BTreeMap<KindId, (u64, u64)> = BTreeMap::new();
        for line in self.inputs.iter().flat_map(|input| &input.lines) {
            if let Some((kind, _)) = self.claims.get(line.place as usize) {
                let (odd, all) = counts.entry(*kind).or_default();
                *odd += u64::from(self.is_odd(line));
                *all += 1;
            }
        }
        counts.into_iter().map(|(kind, (odd, all))| (kind, odd * 2 > all)).collect()
    }

    fn is_odd(&self, line: &Line) -> bool {
        match self.by_line {
            true => line.label != NONE,
            false => self.sessions.get(line.session as usize).copied().unwrap_or(false),
        }
    }

    /// Compares; `incident` knows what became of each.
    pub fn score<'a>(&self, at: Severity, incident: impl Fn(Fingerprint) -> Option<&'a Incident>) -> Report {
        let mut lines = Row::default();
        let mut labels: Vec<Label> =
            self.labels.iter().map(|name| Label { name: name.clone(), lines: 0, found: 0 }).collect();
        let mut sessions: HashMap<u32, bool> = HashMap::new();
        let mut by_incident: BTreeMap<Fingerprint, (u64, u64)> = BTreeMap::new();
        for input in &self.inputs {
            let mut marks: HashMap<u32, Vec<Fingerprint>> = HashMap::new();
            for (line, id) in &input.marks {
                marks.entry(*line).or_default().push(*id);
            }
            for (index, line) in (0..).zip(&input.lines) {
                let claims = self.claims.get(line.place as usize).map_or(&[][..], |(_, claims)| claims);
                let claimed = claims.iter().filter(|(since, _)| *since <= line.time).map(|(_, id)| *id);
                let ids: BTreeSet<Fingerprint> = claimed
                    .chain(marks.remove(&index).into_iter().flatten())
                    .filter(|id| incident(*id).is_some_and(|incident| incident.severity >= at))
                    .collect();
                let (odd, flagged) = (self.is_odd(line), !ids.is_empty());
                for id in ids {
                    let (all, right) = by_incident.entry(id).or_default();
                    *all += 1;
                    *right += u64::from(odd);
                }
                lines.add(odd, flagged);
                if let Some(label) = labels.get_mut(line.label as usize) {
                    label.lines += 1;
                    label.found += u64::from(flagged);
                }
                if line.session != NONE {
                    *sessions.entry(line.session).or_default() |= flagged;
                }
            }
        }
        let mut by_session = Row::default();
        for (session, flagged) in &sessions {
            by_session.add(self.sessions.get(*session as usize).copied().unwrap_or(false), *flagged);
        }
        let mut flagged: Vec<Flagged> = by_incident
            .into_iter()
            .filter_map(|(id, (lines, odd_lines))| Some(shown(incident(id)?, lines, odd_lines)))
            .collect();
        flagged.sort_by_key(|one| (std::cmp::Reverse(one.severity), std::cmp::Reverse(one.lines), one.id));
        let right = flagged.iter().filter(|one| one.odd_lines * 2 >= one.lines).count() as u64;
        let mut incidents = Row { hits: right, false_alarms: flagged.len() as u64 - right, ..Row::default() };
        incidents.all = flagged.len() as u64;
        if self.by_line {
            let found = labels.iter().filter(|label| label.found > 0).count() as u64;
            incidents.found = Some(found);
            incidents.missed = labels.len() as u64 - found;
        } else {
            incidents.found = Some(by_session.hits);
            incidents.missed = by_session.missed;
        }
        let sessions = (!self.by_line).then_some(by_session);
        Report { at, lines, sessions, incidents, labels, flagged }
    }
}

fn shown(incident: &Incident, lines: u64, odd_lines: u64) -> Flagged {
    let subject = if incident.template_text.is_empty() { &incident.reason } else { &incident.template_text };
    Flagged {
        id: incident.id,
        severity: incident.severity,
        judged_by: incident.judged_by.to_string(),
        title: incident.title.clone(),
        subject: crate::model::clip(subject, 160).to_owned(),
        lines,
        odd_lines,
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hits: u64, false_alarms: u64, missed: u64) -> Row {
        Row { hits, false_alarms, missed, all: 100, found: None }
    }

    #[track_caller]
    fn check(row: Row, expected: &str) {
        assert_eq!(format!("{:.3} {:.3} {:.3}", row.precision(), row.recall(), row.f1()), expected);
    }

    #[test]
    fn precision_recall_f1() {
        check(row(0, 0, 0), "0.000 0.000 0.000");
        check(row(8, 2, 0), "0.800 1.000 0.889");
        check(row(0, 5, 5), "0.000 0.000 0.000");
        check(Row { found: Some(4), ..row(1, 1, 4) }, "0.500 0.500 0.500");
    }
}
