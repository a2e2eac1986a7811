//! From what the pipeline says of lines to rows: which line belongs to which incident. Rows wait a while for a finding that
//! comes after them, then on disk for the end, when every incident has its last word. Memory does not grow with the input.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Fact, Fingerprint, Incident, JudgedBy, KindId, Severity, Timestamp};
use crate::pipeline::{Effects, FindingMark, LineMark, Marks, Shown};

use super::chunk::Chunk;
use super::rows::{Draft, Rows};

/// Lines that wait for a finding about them.
const WAITING: usize = 2_000;
const WAITING_BYTES: usize = 8 << 20;
/// Incidents a report lists.
pub const MAX_INCIDENTS: usize = 10_000;
/// Claims and lines kept to be found; beyond them only counts.
const MAX_CLAIMS: usize = 100_000;
/// Lines of evidence whose surroundings are kept, and how many lines before and after.
const MAX_NEARBY: usize = 5_000;
const AROUND: usize = 2;
/// Words of a line that may name the group of a rule.
const WORDS: usize = 64;
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
    grouped: HashMap<(KindId, String), Claim>,
    /// Lines of findings that were gone when the finding came: input name and offset.
    missed_lines: HashMap<(Arc<str>, u64), Fingerprint>,
    /// Lines of these were passed over because they mattered little at the time.
    passed_over: HashSet<Fingerprint>,
    waiting: VecDeque<Draft>,
    waiting_bytes: usize,
    nearby: HashMap<(Arc<str>, u64), Nearby>,
    rows: Rows,
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

impl Collector {
    pub fn new() -> anyhow::Result<Collector> {
        Ok(Collector {
            incidents: HashMap::new(),
            not_listed: 0,
            claims: HashMap::new(),
            grouped: HashMap::new(),
            missed_lines: HashMap::new(),
            passed_over: HashSet::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            nearby: HashMap::new(),
            rows: Rows::new()?,
        })
    }

    /// Takes what a call of the pipeline led to. `chunk` is what it was given, with its number and that of its input.
    pub fn take(&mut self, effects: &mut Effects, chunk: Option<(&Chunk, u64, usize)>) -> anyhow::Result<()> {
        for fact in &effects.facts {
            if let Fact::Incident(incident) = fact {
                self.know(incident);
            }
        }
        let Some(marks) = effects.marks.as_mut() else { return Ok(()) };
        let Marks { lines, told } = std::mem::take(&mut **marks);
        let mut exact: HashMap<(Arc<str>, u64), Fingerprint> = HashMap::new();
        let trace = std::mem::take(&mut effects.trace);
        for marked in trace.marked {
            exact.insert((marked.origin, marked.offset), marked.incident);
        }
        // Both lists are in the order of the lines.
        let mut spoken = trace.lines.into_iter().filter_map(|line| Some((line.offset, line.incident?))).peekable();
        for told in told {
            self.claim(&told);
            for line in told.lines {
                exact.insert(line, told.incident);
            }
        }
        if let Some((chunk, ..)) = chunk {
            for (origin, offset) in exact.keys() {
                self.look_around(chunk, origin, *offset);
            }
        }
        for draft in &mut self.waiting {
            if exact.is_empty() {
                break;
            }
            if let Some(incident) = exact.remove(&(Arc::clone(&draft.origin), draft.offset)) {
                draft.incident = Some(incident);
            }
        }
        if let Some((chunk, number, input)) = chunk {
            for passed in &lines {
                let Some(shown) = &passed.shown else { continue };
                let key = (Arc::clone(&chunk.block.origin.name), passed.offset);
                while spoken.next_if(|(offset, _)| *offset < passed.offset).is_some() {}
                let of_kind = spoken.next_if(|(offset, _)| *offset == passed.offset).map(|(_, id)| id);
                let incident = exact.remove(&key).or(of_kind);
                if let Some(draft) = Draft::of(chunk, number, input, passed, shown, incident) {
                    self.wait(draft)?;
                }
            }
        }
        for (line, incident) in exact {
            if self.missed_lines.len() < MAX_CLAIMS {
                self.missed_lines.insert(line, incident);
            }
        }
        Ok(())
    }

    /// The end of the first pass: every line has had its chance.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        while let Some(draft) = self.waiting.pop_front() {
            self.decide(draft)?;
        }
        self.waiting_bytes = 0;
        self.missed_lines.retain(|_, incident| {
            self.incidents.get(incident).is_some_and(|known| known.incident.severity >= Severity::Medium)
        });
        Ok(())
    }

    /// Whether a verdict or a rise in severity flagged lines that were passed over: the inputs must be read again.
    pub fn needs_second_pass(&self, flagged: &HashSet<Fingerprint>) -> bool {
        let matters =
            |id: &Fingerprint| self.incidents.get(id).is_some_and(|known| known.incident.severity >= Severity::Medium);
        !self.missed_lines.is_empty() || flagged.iter().any(matters) || self.passed_over.iter().any(matters)
    }

    /// Kinds whose lines the second pass must find; `None` when single lines are wanted too.
    pub fn wanted_kinds(&self) -> Option<HashSet<KindId>> {
        if !self.missed_lines.is_empty() {
            return None;
        }
        let whole = self.claims.iter().map(|((_, kind), claim)| (*kind, claim.incident));
        let grouped = self.grouped.iter().map(|((kind, _), claim)| (*kind, claim.incident));
        Some(whole.chain(grouped).filter(|(_, id)| self.matters(*id)).map(|(kind, _)| kind).collect())
    }

    /// The incident a line belongs to, now that everything is known.
    pub fn incident_of(&self, origin: &Arc<str>, offset: u64, time: Timestamp, shown: &Shown) -> Option<Fingerprint> {
        self.missed_lines
            .get(&(Arc::clone(origin), offset))
            .copied()
            .or_else(|| self.claimed(&shown.host, shown.kind_id, time, &shown.message))
            .filter(|id| self.matters(*id))
    }

    /// Severe enough for rows.
    pub fn matters(&self, id: Fingerprint) -> bool {
        self.incidents.get(&id).is_some_and(|known| known.incident.severity >= Severity::Medium)
    }

    /// Everything, when nothing more comes.
    pub fn collected(self) -> Collected {
        Collected { rows: self.rows, incidents: self.incidents, nearby: self.nearby, not_listed: self.not_listed }
    }

    pub fn rows_mut(&mut self) -> &mut Rows {
        &mut self.rows
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
            known.incident = incident.clone();
            known.incident.count = incident.count.saturating_add(known.base);
            known.incident.first_seen = first.min(incident.first_seen);
            // A verdict may have settled what it was taken for.
            known.incident.severity = known.worst_before.max(incident.severity);
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
        self.incidents.insert(incident.id, Known { incident: incident.clone(), base: 0, worst_before: Severity::Low });
    }

    fn claim(&mut self, told: &FindingMark) {
        let Some(kind) = told.kind else { return };
        let until = until(told);
        let claim = Claim { incident: told.incident, from: told.first_seen, until };
        let renew = |known: &mut Claim| {
            if known.incident == claim.incident {
                known.from = known.from.min(claim.from);
                known.until = known.until.zip(claim.until).map(|(old, new)| old.max(new));
            } else {
                *known = claim;
            }
        };
        if told.group.is_empty() {
            if self.claims.len() < MAX_CLAIMS {
                self.claims.entry((Arc::clone(&told.host), kind)).and_modify(renew).or_insert(claim);
            }
        } else if self.grouped.len() < MAX_CLAIMS {
            self.grouped.entry((kind, told.group.clone())).and_modify(renew).or_insert(claim);
        }
    }

    fn claimed(&self, host: &Arc<str>, kind: KindId, time: Timestamp, message: &str) -> Option<Fingerprint> {
        let holds = |claim: &&Claim| claim.from <= time && claim.until.is_none_or(|until| time <= until);
        if let Some(claim) = self.claims.get(&(Arc::clone(host), kind)).filter(holds) {
            return Some(claim.incident);
        }
        if self.grouped.is_empty() {
            return None;
        }
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '/' | '@');
        let words = message.split(|c: char| !is_word(c)).take(WORDS).map(|word| word.trim_end_matches(['.', ':']));
        words
            .filter(|word| !word.is_empty())
            .find_map(|word| self.grouped.get(&(kind, word.to_owned())).filter(holds))
            .map(|claim| claim.incident)
    }

    fn wait(&mut self, draft: Draft) -> anyhow::Result<()> {
        self.waiting_bytes += draft.bytes();
        self.waiting.push_back(draft);
        while self.waiting.len() > WAITING || self.waiting_bytes > WAITING_BYTES {
            let Some(oldest) = self.waiting.pop_front() else { break };
            self.waiting_bytes = self.waiting_bytes.saturating_sub(oldest.bytes());
            self.decide(oldest)?;
        }
        Ok(())
    }

    /// A line that waited long enough: on disk when it belongs to an incident that matters.
    fn decide(&mut self, mut draft: Draft) -> anyhow::Result<()> {
        let claimed = draft.incident.or_else(|| self.claimed(&draft.host, draft.kind, draft.time, draft.message()));
        let Some(id) = claimed else { return Ok(()) };
        if !self.matters(id) {
            self.passed_over.insert(id);
            return Ok(());
        }
        draft.incident = Some(id);
        self.rows.push(&draft)
    }
}

/// How long a finding speaks of further lines of its kind: forever, when it is the kind itself that is odd.
fn until(told: &FindingMark) -> Option<Timestamp> {
    match &told.judged_by {
        JudgedBy::Model(_) => None,
        JudgedBy::Rule(_) => Some(told.last_seen.saturating_add(RULE_LASTS)),
        JudgedBy::Detector(name) if OF_KINDS.contains(&&**name) => None,
        // A rate or a value was odd: the lines it speaks of, and no others.
        JudgedBy::Detector(_) => Some(told.last_seen),
    }
}

impl Draft {
    /// The row of a line, without what is said about it.
    fn of(
        chunk: &Chunk,
        number: u64,
        input: usize,
        passed: &LineMark,
        shown: &Shown,
        incident: Option<Fingerprint>,
    ) -> Option<Draft> {
        let index = chunk.index_of(passed.offset)?;
        Some(Draft::new(chunk, number, input, index, passed.time, shown, incident))
    }
}
