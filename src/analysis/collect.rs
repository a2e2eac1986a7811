//! From what the pipeline says of lines to rows: which line belongs to which incident. Rows go to disk until the end, when
//! every incident has its last word. Memory does not grow with the input.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Change, Fact, Finding, Fingerprint, Incident, JudgedBy, KindId, Severity, Timestamp};
use crate::pipeline::{Effects, Passed, Shown, Trace};

use super::chunk::Chunk;
use super::rows::{Draft, Rows};
use super::trail::{Fate, Step, Trail};

/// Incidents a report lists.
pub const MAX_INCIDENTS: usize = 10_000;
/// Claims and lines kept to be found; beyond them only counts.
const MAX_CLAIMS: usize = 100_000;
/// Lines of evidence whose surroundings are kept, and how many lines before and after.
const MAX_NEARBY: usize = 5_000;
const AROUND: usize = 2;
/// A rule's incident speaks of the lines up to so long after its last finding: longer, and it has a new one.
const RULE_LASTS: Duration = Duration::from_secs(600);

/// Detectors that find a kind odd, not its rate or values.
const OF_KINDS: [&str; 3] = ["level", "novelty", "injection"];

/// Everything that is known of rows and incidents.
pub struct Collector {
    pub incidents: HashMap<Fingerprint, Known>,
    /// Beyond what a report lists.
    pub not_listed: u64,
    claims: HashMap<(Arc<str>, KindId), Claim>,
    /// Lines that had passed when a finding named them: by the name of their stream, then by offset.
    missed: HashMap<Arc<str>, BTreeMap<u64, Fingerprint>>,
    missed_count: usize,
    /// Lines of these were passed over because they mattered little at the time.
    passed_over: HashSet<Fingerprint>,
    nearby: HashMap<(Arc<str>, u64), Nearby>,
    rows: Rows,
    trail: Trail,
    /// Incidents that began to matter since somebody asked.
    fresh: Vec<Fingerprint>,
    /// Filled anew for each chunk.
    steps: Vec<Step>,
}

/// What a run collected.
pub struct Collected {
    /// Of the first pass, in the order of the lines.
    pub rows: Rows,
    pub incidents: HashMap<Fingerprint, Known>,
    /// What stands around evidence, by input name and offset.
    pub nearby: HashMap<(Arc<str>, u64), Nearby>,
    /// Incidents beyond the most that a report lists.
    pub not_listed: u64,
}

/// Where a line of evidence stands, and what stands around it.
pub struct Nearby {
    pub line_number: u64,
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// An incident and what it was before triage forgot it.
pub struct Known {
    pub incident: Incident,
    base: u64,
    worst_before: Severity,
}

#[derive(Clone, Copy)]
struct Claim {
    incident: Fingerprint,
    from: Timestamp,
    /// `None`: every later line of the kind.
    until: Option<Timestamp>,
}

/// Lines that the second pass is after, beside those that single findings named.
pub struct Wanted {
    /// By kind: the span of time that somebody claims.
    kinds: HashMap<KindId, (Timestamp, Option<Timestamp>)>,
}

impl Collector {
    pub fn new() -> anyhow::Result<Collector> {
        Ok(Collector {
            incidents: HashMap::new(),
            not_listed: 0,
            claims: HashMap::new(),
            missed: HashMap::new(),
            missed_count: 0,
            passed_over: HashSet::new(),
            nearby: HashMap::new(),
            rows: Rows::new()?,
            trail: Trail::new()?,
            fresh: Vec::new(),
            steps: Vec::new(),
        })
    }

    /// Takes what became of a chunk, the `number`th.
    pub fn take_lines(&mut self, effects: &mut Effects, chunk: &Chunk, number: u64) -> anyhow::Result<()> {
        let origin = &chunk.block.origin.name;
        let mut exact = HashMap::new();
        let lines = self.said(effects, |collector, name, offset, incident, is_evidence| {
            if name != origin || chunk.index_of(offset).is_none() {
                return collector.miss(name, offset, incident);
            }
            exact.insert(offset, incident);
            if is_evidence {
                collector.look_around(chunk, name, offset);
            }
        });
        let mut spans = chunk.block.spans.iter().zip(0u32..).peekable();
        let mut steps = std::mem::take(&mut self.steps);
        steps.clear();
        for Passed { offset, time, kind, shown, .. } in &lines {
            while spans.next_if(|(span, _)| span.offset < *offset).is_some() {}
            let index = spans.peek().map_or(0, |(_, index)| *index);
            let named = if exact.is_empty() { None } else { exact.remove(offset) };
            let fate = match (shown, named) {
                (None, None) => Fate::Passed,
                // What somebody named before its kind was of interest is found again.
                (None, Some(incident)) => {
                    self.miss(origin, *offset, incident);
                    Fate::Passed
                }
                (Some(shown), named) => match named.or(shown.incident) {
                    None => Fate::Passed,
                    // What is named has a row, should its incident ever matter.
                    Some(incident) if named.is_some() || self.matters(incident) => {
                        self.rows.push(&Draft::new(chunk, number, index as usize, *time, shown, incident))?;
                        Fate::Row
                    }
                    Some(incident) => {
                        if self.passed_over.len() < MAX_CLAIMS {
                            self.passed_over.insert(incident);
                        }
                        Fate::Perhaps(incident)
                    }
                },
            };
            steps.push(Step { index, kind: *kind, time: *time, fate });
        }
        // Copies of lines, and our own, are nobody's.
        self.trail.push(&steps)?;
        self.steps = steps;
        Ok(())
    }

    /// Takes what anything but lines led to.
    pub fn take(&mut self, effects: &mut Effects) {
        self.said(effects, |collector, name, offset, incident, _| collector.miss(name, offset, incident));
    }

    /// The incidents and findings of `effects`; gives its lines. `named` is told of every line that belongs to an incident by
    /// itself: its stream and offset, the incident, and whether the line is its evidence.
    fn said(
        &mut self,
        effects: &mut Effects,
        mut named: impl FnMut(&mut Collector, &Arc<str>, u64, Fingerprint, bool),
    ) -> Vec<Passed> {
        for fact in &effects.facts {
            if let Fact::Incident(incident) = fact {
                self.know(incident);
            }
        }
        let Trace { lines, told, marked, .. } = std::mem::take(&mut effects.trace);
        for mark in marked {
            named(self, &mark.origin, mark.offset, mark.incident, false);
        }
        for told in told.iter().filter(|told| told.change != Change::AlreadyThere) {
            self.claim(&told.finding, told.incident);
            for line in &told.finding.evidence {
                named(self, &line.origin, line.offset, told.incident, true);
            }
        }
        lines
    }

    /// The end of the first pass: every line has had its chance.
    pub fn settle(&mut self) {
        let incidents = &self.incidents;
        let matters = |id: &Fingerprint| incidents.get(id).is_some_and(Known::matters);
        for lines in self.missed.values_mut() {
            lines.retain(|_, incident| matters(incident));
        }
        self.missed.retain(|_, lines| !lines.is_empty());
    }

    /// Whether a verdict or a rise in severity flagged lines that were passed over: the inputs must be read again.
    pub fn needs_second_pass(&self, flagged: &HashSet<Fingerprint>) -> bool {
        let matters = |id: &Fingerprint| self.matters(*id);
        !self.missed.is_empty() || flagged.iter().any(matters) || self.passed_over.iter().any(matters)
    }

    /// What the second pass is after.
    pub fn wanted(&self) -> Wanted {
        let mut kinds: HashMap<KindId, (Timestamp, Option<Timestamp>)> = HashMap::new();
        for ((_, kind), claim) in self.claims.iter().filter(|(_, claim)| self.matters(claim.incident)) {
            let span = kinds.entry(*kind).or_insert((claim.from, claim.until));
            *span = (span.0.min(claim.from), span.1.zip(claim.until).map(|(one, other)| one.max(other)));
        }
        Wanted { kinds }
    }

    /// Lines of a stream between two offsets that findings named after they had passed.
    pub fn missed(&self, origin: &Arc<str>, from: u64, to: u64) -> HashMap<u64, Fingerprint> {
        let lines = self.missed.get(origin).filter(|_| from <= to);
        lines.map_or_else(HashMap::new, |lines| lines.range(from..=to).map(|(at, id)| (*at, *id)).collect())
    }

    /// Whether the second pass should look at a line of this kind that has no row; `named` is what a finding said of it.
    pub fn is_wanted(&self, step: &Step, kind: Option<KindId>, wanted: &Wanted) -> bool {
        let claimed = || {
            let (from, until) = wanted.kinds.get(&kind?)?;
            Some(*from <= step.time && until.is_none_or(|until| step.time <= until))
        };
        match step.fate {
            Fate::Row => false,
            Fate::Perhaps(incident) if self.matters(incident) => true,
            Fate::Perhaps(_) | Fate::Passed => claimed().unwrap_or(false),
        }
    }

    /// The incident a line without a row belongs to, now that everything is known.
    pub fn incident_of(&self, step: &Step, shown: &Shown) -> Option<Fingerprint> {
        let holds = |claim: &&Claim| claim.from <= step.time && claim.until.is_none_or(|until| step.time <= until);
        let claimed = || self.claims.get(&(Arc::clone(&shown.host), shown.kind_id)).filter(holds);
        let incident = match step.fate {
            Fate::Perhaps(incident) if self.matters(incident) => Some(incident),
            Fate::Perhaps(_) | Fate::Passed | Fate::Row => claimed().map(|claim| claim.incident),
        };
        incident.filter(|id| self.matters(*id))
    }

    /// Incidents that began to matter since the last call.
    pub fn take_fresh(&mut self) -> Vec<&Incident> {
        let fresh = std::mem::take(&mut self.fresh);
        fresh.iter().filter_map(|id| Some(&self.incidents.get(id)?.incident)).filter(|one| !one.about_self).collect()
    }

    /// Severe enough for rows.
    pub fn matters(&self, id: Fingerprint) -> bool {
        self.incidents.get(&id).is_some_and(Known::matters)
    }

    /// Everything, when nothing more comes.
    pub fn collected(self) -> Collected {
        Collected { rows: self.rows, incidents: self.incidents, nearby: self.nearby, not_listed: self.not_listed }
    }

    pub fn trail_mut(&mut self) -> &mut Trail {
        &mut self.trail
    }

    fn miss(&mut self, origin: &Arc<str>, offset: u64, incident: Fingerprint) {
        if self.missed_count >= MAX_CLAIMS {
            return;
        }
        let lines = match self.missed.get_mut(origin) {
            Some(lines) => lines,
            None => self.missed.entry(Arc::clone(origin)).or_default(),
        };
        self.missed_count += usize::from(lines.insert(offset, incident).is_none());
    }

    fn look_around(&mut self, chunk: &Chunk, origin: &Arc<str>, offset: u64) {
        if self.nearby.len() >= MAX_NEARBY || *origin != chunk.block.origin.name {
            return;
        }
        let Some(index) = chunk.index_of(offset) else { return };
        let lines = |range: std::ops::Range<usize>| range.filter_map(|at| chunk.text(at)).collect();
        let nearby = Nearby {
            line_number: chunk.number(index),
            before: lines(index.saturating_sub(AROUND)..index),
            after: lines(index + 1..index + 1 + AROUND),
        };
        self.nearby.insert((Arc::clone(origin), offset), nearby);
    }

    fn know(&mut self, incident: &Incident) {
        if let Some(known) = self.incidents.get_mut(&incident.id) {
            // Triage keeps a bounded number; what it forgot begins anew there, not here.
            let total = incident.count.saturating_add(known.base);
            if total < known.incident.count {
                known.base = known.incident.count;
                known.worst_before = known.worst_before.max(known.incident.severity);
            }
            let first = known.incident.first_seen;
            let mattered = known.matters();
            known.incident = incident.clone();
            known.incident.count = incident.count.saturating_add(known.base);
            known.incident.first_seen = first.min(incident.first_seen);
            // A verdict may have settled what it was taken for.
            known.incident.severity = known.worst_before.max(incident.severity);
            if known.matters() && !mattered {
                self.fresh.push(incident.id);
            }
            return;
        }
        if self.incidents.len() >= MAX_INCIDENTS {
            let mild = self.incidents.iter().find(|(_, known)| known.incident.severity == Severity::Low);
            let mild = mild.map(|(id, _)| *id).filter(|_| incident.severity > Severity::Low);
            self.not_listed += 1;
            match mild {
                Some(mild) => drop(self.incidents.remove(&mild)),
                None => return,
            }
        }
        let known = Known { incident: incident.clone(), base: 0, worst_before: Severity::Low };
        if known.matters() {
            self.fresh.push(incident.id);
        }
        self.incidents.insert(incident.id, known);
    }

    fn claim(&mut self, finding: &Finding, incident: Fingerprint) {
        // A rule with a group of its own speaks of the lines it counted, and those are named.
        if matches!(finding.judged_by, JudgedBy::Rule(_)) && !finding.group.is_empty() {
            return;
        }
        let Some(kind) = finding.kind else { return };
        let claim = Claim { incident, from: finding.first_seen, until: until(finding) };
        let renew = |known: &mut Claim| {
            if known.incident == claim.incident {
                known.from = known.from.min(claim.from);
                known.until = known.until.zip(claim.until).map(|(old, new)| old.max(new));
            } else {
                *known = claim;
            }
        };
        if self.claims.len() < MAX_CLAIMS {
            self.claims.entry((Arc::clone(&finding.host), kind)).and_modify(renew).or_insert(claim);
        }
    }
}

impl Known {
    /// Severe enough for rows.
    pub fn matters(&self) -> bool {
        self.incident.severity >= Severity::Medium
    }
}

/// How long a finding speaks of further lines of its kind: forever, when it is the kind itself that is odd.
fn until(finding: &Finding) -> Option<Timestamp> {
    match &finding.judged_by {
        JudgedBy::Model(_) => None,
        JudgedBy::Rule(_) => Some(finding.last_seen.saturating_add(RULE_LASTS)),
        JudgedBy::Detector(name) if OF_KINDS.contains(&&**name) => None,
        // A rate or a value was odd: the lines it speaks of, and no others.
        JudgedBy::Detector(_) => Some(finding.last_seen),
    }
}
