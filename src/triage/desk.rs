//! The desk where findings arrive: finds or opens the case, asks the severity rules, moves the incident through its life
//! (new, ongoing, escalating, quiet, regressed, muted). Bounded: the oldest quiet cases leave memory first.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answers::{Answers, Look};
use super::case::Case;
use super::config::Config;
use super::floor::{self, Floor};
use super::learned::Learned;
use super::{join, severity};
use crate::model::{
    Change, Evidence, Finding, Fingerprint, Incident, IncidentState, JudgedBy, KindId, Severity, Timestamp, VerdictRow,
};

/// Incidents kept in memory. What is forgotten stays in the store; should it speak again, it is new.
const MAX_CASES: usize = 2_000;

/// All open and recently quiet incidents of this process.
pub struct Triage {
    pub(super) config: Config,
    confidence_threshold: f32,
    pub(super) cases: HashMap<Fingerprint, Case>,
    /// Which incident speaks of a kind on a host; the youngest when several do.
    by_kind: HashMap<(Arc<str>, KindId), Fingerprint>,
    by_alias: HashMap<Fingerprint, Fingerprint>,
    /// What people said.
    pub(super) answers: Answers,
    deadlines: BTreeSet<(Timestamp, Fingerprint)>,
    /// Until learning ends and its notice is taken.
    learned: Learned,
    /// Something in [`Saved`] changed since it was last taken.
    pub(super) dirty: bool,
}

/// What became of a finding.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// As it is now. For [`Change::AlreadyThere`] what it would have been; it is kept nowhere.
    pub incident: Incident,
    pub change: Change,
}

/// What an [`Incident`] does not carry. Versioned: add fields, never change one.
#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    cases: Vec<SavedCase>,
}

#[derive(Serialize, Deserialize)]
struct SavedCase {
    id: Fingerprint,
    mark: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<Fingerprint>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<JudgedBy>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    speaks: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    floor: Option<Floor>,
}

impl Triage {
    /// `confidence_threshold` is the judge's (0..=1): below it an anomalous verdict is `low`.
    pub fn new(config: &Config, confidence_threshold: f32) -> Triage {
        Triage {
            config: config.clone(),
            confidence_threshold,
            cases: HashMap::new(),
            by_kind: HashMap::new(),
            by_alias: HashMap::new(),
            answers: Answers::default(),
            deadlines: BTreeSet::new(),
            learned: Learned::default(),
            dirty: false,
        }
    }

    /// New rules hold from the next finding on; what incidents are stays.
    pub fn reload(&mut self, config: &Config, confidence_threshold: f32) {
        self.config = config.clone();
        self.confidence_threshold = confidence_threshold;
        for id in self.cases.keys().copied().collect::<Vec<_>>() {
            self.schedule(id);
        }
    }

    /// Incidents of an earlier process, in any order.
    pub fn restore(&mut self, mut incidents: Vec<Incident>) {
        incidents.sort_by_key(|incident| (incident.first_seen, incident.id));
        for incident in incidents {
            let id = incident.id;
            let mut case = Case::restored(incident);
            // The group is unknown until the state is restored: nothing with a group of its own may join by kind.
            case.group = matches!(case.incident.judged_by, JudgedBy::Rule(_)).then(|| "?".to_owned());
            self.open(case);
            self.schedule(id);
        }
    }

    /// The rest of what an earlier process knew, after [`Triage::restore`].
    ///
    /// # Errors
    /// When the text is not ours; incidents then go on without their claims.
    pub fn restore_state(&mut self, json: &str) -> Result<(), serde_json::Error> {
        let saved: Saved = serde_json::from_str(json)?;
        for one in saved.cases {
            let Some(case) = self.cases.get_mut(&one.id) else { continue };
            case.mark = one.mark;
            case.group = one.group;
            for claim in one.claims {
                if !case.claims.contains(&claim) {
                    case.claims.push(claim);
                }
            }
            case.groups = one.groups;
            case.speaks = one.speaks;
            if let Some(floor) = one.floor {
                case.floor = floor.raised(case.incident.severity);
            }
            for alias in &one.aliases {
                self.by_alias.insert(*alias, one.id);
            }
            case.aliases = one.aliases;
            self.schedule(one.id);
        }
        Ok(())
    }

    /// What to keep as `Fact::State`, when it changed since the last call.
    pub fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        let mut cases: Vec<SavedCase> = self
            .cases
            .iter()
            .map(|(id, case)| SavedCase {
                id: *id,
                mark: case.mark,
                group: case.group.clone(),
                aliases: case.aliases.clone(),
                claims: case.claims.clone(),
                groups: case.groups.clone(),
                speaks: case.speaks,
                floor: Some(case.floor.clone()),
            })
            .collect();
        cases.sort_by_key(|case| case.id);
        serde_json::to_string(&Saved { v: 1, cases }).ok()
    }

    /// One finding, in order of arrival. A learning finding is only collected for [`Triage::already_there`].
    pub fn take(&mut self, finding: Finding, now: Timestamp) -> Outcome {
        self.take_judged(finding, None, now)
    }

    /// The same, where a model has spoken of the finding's kind already.
    pub fn take_judged(&mut self, finding: Finding, verdict: Option<&VerdictRow>, now: Timestamp) -> Outcome {
        let own = join::fingerprint(&finding);
        let settled =
            verdict.filter(|row| finding.kind == Some(row.kind) && self.settles(row) && floor::is_settleable(&finding));
        if finding.learning {
            let weighed = severity::weigh(&self.config.severity_rules, self.confidence_threshold, &finding, |_| 0);
            let severity = if settled.is_some() && !weighed.firm { Severity::Low } else { weighed.severity };
            self.learned.add(own, &finding, severity);
            return Outcome { incident: join::begin(own, &finding, severity), change: Change::AlreadyThere };
        }
        let found = self.find(&finding, own);
        let id = found.unwrap_or(own);
        if found.is_none() {
            let incident = Incident { count: 0, ..join::begin(own, &finding, Severity::Low) };
            self.open(Case::new(incident, now));
        }
        self.claim(id, own, &finding);
        let longest = self.longest_window();
        let (rules, threshold) = (&self.config.severity_rules, self.confidence_threshold);
        let Some(case) = self.cases.get_mut(&id) else {
            // Opened or found just above; a lost case would be new again.
            return Outcome { incident: join::begin(own, &finding, finding.proposed), change: Change::New };
        };
        let more = case.count(Some(&finding.judged_by), finding.count, finding.last_seen, longest);
        let weighed = severity::weigh(rules, threshold, &finding, |within| case.lines_within(within));
        let before = case.incident.severity;
        if found.is_some() {
            join::add(&mut case.incident, &finding);
        } else {
            case.mark = case.incident.count.max(1);
        }
        self.dirty |= case.floor.add(finding.kind, weighed, settled.is_some());
        case.incident.severity = case.floor.severity();
        if let Some(row) = settled.filter(|_| !weighed.firm) {
            join::note(&mut case.incident.reason, &JudgedBy::Model(row.model.as_str().into()), &floor::says(row));
        }
        let names = case.claims.len() + case.groups.len();
        case.remember(&finding);
        self.dirty |= names != case.claims.len() + case.groups.len();
        let look = match self.answers.is_empty() {
            true => Look::None,
            false => self.answers.look(&case.incident, &finding, more, case.speaks, now),
        };
        let change = match look {
            Look::Hushed(answer) => {
                self.dirty |= case.muted_by != Some(answer);
                case.muted_by = Some(answer);
                case.incident.state = IncidentState::Muted;
                Change::Muted
            }
            Look::Speaks(why) if case.muted_by.is_some() => case.speak_again(&why),
            Look::None if case.muted_by.is_some() => case.speak_again("what was said of it does not cover this"),
            Look::Speaks(_) | Look::None if found.is_none() => Change::New,
            Look::Speaks(_) | Look::None => case.progress(case.incident.severity > before),
        };
        case.claim = Some(Box::new(Finding { evidence: Vec::new(), ..finding }));
        case.touched = now;
        let incident = case.incident.clone();
        self.dirty |= !matches!(change, Change::Joined | Change::Muted);
        self.schedule(id);
        self.make_room(id);
        Outcome { incident, change }
    }

    /// `count` more lines of a kind, the newest at `time`, whether or not anybody made a finding of them. `None` when no
    /// incident speaks of that kind: the common case, one hash look-up. Call it for every line of a kind or for none.
    pub fn lines(
        &mut self,
        host: &Arc<str>,
        kind: KindId,
        count: u64,
        time: Timestamp,
        newest: Option<&Evidence>,
        now: Timestamp,
    ) -> Option<Outcome> {
        let id = *self.by_kind.get(&(Arc::clone(host), kind))?;
        let longest = self.longest_window();
        // Whose lines they are cannot be told where a rule separates addresses or units: there only its findings count.
        let case = self.cases.get_mut(&id).filter(|case| case.group.as_deref().is_none_or(str::is_empty))?;
        let more = case.count(None, count, time, longest);
        case.incident.last_seen = case.incident.last_seen.max(time);
        if let Some(line) = newest {
            join::add_evidence(&mut case.incident.evidence, line);
        }
        let before = case.incident.severity;
        if let Some(claim) = &case.claim {
            let (rules, threshold) = (&self.config.severity_rules, self.confidence_threshold);
            let weighed = severity::weigh(rules, threshold, claim, |within| case.lines_within(within));
            self.dirty |= case.floor.add(claim.kind, weighed, false);
            case.incident.severity = case.floor.severity();
        }
        let change = match case.muted_by {
            Some(answer) => match self.answers.lines(answer, &case.incident, more, time) {
                Some(why) => case.speak_again(&why),
                None => Change::Muted,
            },
            None => case.progress(case.incident.severity > before),
        };
        case.touched = now;
        let incident = case.incident.clone();
        self.dirty |= !matches!(change, Change::Joined | Change::Muted);
        self.schedule(id);
        Some(Outcome { incident, change })
    }

    /// Whether a verdict settles what is said of its kind for being new, seldom or called an error by its writer.
    pub fn settles(&self, verdict: &VerdictRow) -> bool {
        floor::settles(verdict, self.confidence_threshold)
    }

    /// A model has spoken of a kind. Gives the incidents that it settles something of, as they are now.
    pub fn settle(&mut self, verdict: &VerdictRow) -> Vec<Incident> {
        let mut settled = Vec::new();
        if !self.settles(verdict) {
            return settled;
        }
        for case in self.cases.values_mut().filter(|case| case.incident.kinds.contains(&verdict.kind)) {
            if !case.floor.settle(verdict.kind) {
                continue;
            }
            case.incident.severity = case.floor.severity();
            let model = JudgedBy::Model(verdict.model.as_str().into());
            join::note(&mut case.incident.reason, &model, &floor::says(verdict));
            case.incident.not_judged.clear();
            settled.push(case.incident.clone());
            self.dirty = true;
        }
        settled.sort_by_key(|incident| incident.id);
        settled
    }

    /// Incidents whose life moved on by time alone: mostly those that became quiet (or whose mute ran out).
    pub fn tick(&mut self, now: Timestamp) -> Vec<Incident> {
        let expired = self.answers.expire(now);
        let mut changed = self.reopen(&expired, None, now);
        while let Some((deadline, id)) = self.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            let Some(case) = self.cases.get_mut(&id) else { continue };
            case.deadline = None;
            let silent = now.since(case.touched) >= self.config.quiet_after.0;
            match case.incident.state {
                IncidentState::Quiet => {
                    self.forget(id);
                    continue;
                }
                IncidentState::Muted => {
                    // Only set where the word is bound to no kind of line.
                    if !silent {
                        self.schedule(id);
                        continue;
                    }
                    if let Some(answer) = case.muted_by.take() {
                        self.answers.end(answer, "it is over, and what comes next may be another failure");
                    }
                    case.incident.state = IncidentState::Quiet;
                }
                IncidentState::New | IncidentState::Ongoing | IncidentState::Escalating | IncidentState::Regressed => {
                    case.incident.state = IncidentState::Quiet
                }
            }
            changed.push(case.incident.clone());
            self.dirty = true;
            self.schedule(id);
        }
        changed
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        let case = self.deadlines.first().map(|(deadline, _)| *deadline);
        [case, self.answers.next_expiry()].into_iter().flatten().min()
    }

    pub fn get(&self, id: Fingerprint) -> Option<&Incident> {
        let id = self.by_alias.get(&id).copied().unwrap_or(id);
        self.cases.get(&id).map(|case| &case.incident)
    }

    /// The incident that speaks of all lines of a kind on a host, when one does. As in [`Triage::lines`].
    pub fn speaks_of(&self, host: &Arc<str>, kind: KindId) -> Option<Fingerprint> {
        let id = *self.by_kind.get(&(Arc::clone(host), kind))?;
        self.cases.get(&id).filter(|case| case.group.as_deref().is_none_or(str::is_empty)).map(|_| id)
    }

    /// The youngest incident that a line of this kind on a host belongs to.
    pub fn about(&self, host: &Arc<str>, kind: KindId) -> Option<&Incident> {
        self.get(*self.by_kind.get(&(Arc::clone(host), kind))?)
    }

    /// The incident that findings of `judged_by` about no single kind go to.
    pub fn incident_of(&self, judged_by: &JudgedBy, host: &str, program: &str, group: &str) -> Fingerprint {
        let own = join::fingerprint_of_group(judged_by, host, program, group);
        self.by_alias.get(&own).copied().unwrap_or(own)
    }

    /// The incident that one of this name is part of now: itself, mostly.
    pub fn joined(&self, id: Fingerprint) -> Fingerprint {
        self.by_alias.get(&id).copied().unwrap_or(id)
    }

    /// The fault that `finding` opened an incident about is over (a silent kind speaks again): the incident is quiet, with
    /// the finding's reason. `None` when it is quiet already, muted, or somebody else's too.
    pub fn over(&mut self, finding: &Finding, now: Timestamp) -> Option<Incident> {
        let id = self.find(finding, join::fingerprint(finding))?;
        let case = self.cases.get_mut(&id)?;
        let open = match case.incident.state {
            IncidentState::New | IncidentState::Ongoing | IncidentState::Escalating | IncidentState::Regressed => true,
            IncidentState::Quiet | IncidentState::Muted => false,
        };
        if !open || case.incident.judged_by != finding.judged_by {
            return None;
        }
        case.incident.state = IncidentState::Quiet;
        case.incident.reason = join::one_line(&finding.reason);
        case.incident.last_seen = case.incident.last_seen.max(finding.last_seen);
        case.touched = now;
        let incident = case.incident.clone();
        self.dirty = true;
        self.schedule(id);
        Some(incident)
    }

    /// No model could judge it, and why (`no key`, `budget spent`). Cleared when one does.
    pub fn not_judged(&mut self, id: Fingerprint, why: &str) -> Option<&Incident> {
        let case = self.cases.get_mut(&id)?;
        if !matches!(case.incident.judged_by, JudgedBy::Model(_)) {
            case.incident.not_judged = why.to_owned();
        }
        Some(&case.incident)
    }

    /// Once, when learning is over: the one notice about all that was already there, or `None` when nothing was. Its
    /// `count` is how many alerts there would have been.
    pub fn already_there(&mut self, now: Timestamp) -> Option<Incident> {
        let incident = std::mem::take(&mut self.learned).incident()?;
        let id = incident.id;
        self.open(Case::new(incident.clone(), now));
        self.schedule(id);
        self.make_room(id);
        Some(incident)
    }

    /// The incident this finding belongs to: its own, or one that already speaks of its kind.
    fn find(&self, finding: &Finding, own: Fingerprint) -> Option<Fingerprint> {
        if self.cases.contains_key(&own) {
            return Some(own);
        }
        if let Some(id) = self.by_alias.get(&own) {
            return Some(*id);
        }
        let id = *self.by_kind.get(&(Arc::clone(&finding.host), finding.kind?))?;
        let claimed = &self.cases.get(&id)?.group;
        let joins = match (&finding.judged_by, claimed) {
            // Two addresses that trip one rule are two faults, though their lines are of one kind.
            (JudgedBy::Rule(_), Some(group)) => finding.group == *group,
            (JudgedBy::Rule(_), None) => true,
            (JudgedBy::Detector(_) | JudgedBy::Model(_), Some(group)) => {
                finding.group.is_empty() || finding.group == *group
            }
            (JudgedBy::Detector(_) | JudgedBy::Model(_), None) => true,
        };
        joins.then_some(id)
    }

    /// Remembers what leads to the incident: the finding's kind, its own fingerprint, and the group of a rule.
    fn claim(&mut self, id: Fingerprint, own: Fingerprint, finding: &Finding) {
        if let Some(kind) = finding.kind {
            self.by_kind.insert((Arc::clone(&finding.host), kind), id);
        }
        let Some(case) = self.cases.get_mut(&id) else { return };
        if own != id && !case.aliases.contains(&own) && case.aliases.len() < 16 {
            case.aliases.push(own);
            self.by_alias.insert(own, id);
            self.dirty = true;
        }
        if matches!(finding.judged_by, JudgedBy::Rule(_)) && case.group.is_none() {
            case.group = Some(finding.group.clone());
            self.dirty = true;
        }
    }

    fn open(&mut self, case: Case) {
        let id = case.incident.id;
        for kind in &case.incident.kinds {
            self.by_kind.insert((Arc::clone(&case.incident.host), *kind), id);
        }
        self.cases.insert(id, case);
    }

    fn forget(&mut self, id: Fingerprint) {
        let Some(case) = self.cases.remove(&id) else { return };
        for kind in &case.incident.kinds {
            let key = (Arc::clone(&case.incident.host), *kind);
            if self.by_kind.get(&key) == Some(&id) {
                self.by_kind.remove(&key);
            }
        }
        for alias in &case.aliases {
            self.by_alias.remove(alias);
        }
        if let Some(deadline) = case.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        self.dirty = true;
    }

    /// Sets when `tick` must look at this case again.
    pub(super) fn schedule(&mut self, id: Fingerprint) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let deadline = match case.incident.state {
            IncidentState::Quiet => {
                Some(case.touched.saturating_add(self.config.quiet_after.0).saturating_add(self.config.forget_after.0))
            }
            // Bound to no kind of line, so it holds as long as this very fault.
            IncidentState::Muted => (case.muted_by.and_then(|id| self.answers.get(id)))
                .filter(|answer| answer.kinds.is_empty())
                .map(|_| case.touched.saturating_add(self.config.quiet_after.0)),
            IncidentState::New | IncidentState::Ongoing | IncidentState::Escalating | IncidentState::Regressed => {
                Some(case.touched.saturating_add(self.config.quiet_after.0))
            }
        };
        if deadline != case.deadline {
            if let Some(old) = case.deadline {
                self.deadlines.remove(&(old, id));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, id));
            }
            case.deadline = deadline;
        }
    }

    /// Lets the least interesting case go when there are too many; never `keep`.
    fn make_room(&mut self, keep: Fingerprint) {
        while self.cases.len() > MAX_CASES {
            let least = self.cases.iter().filter(|(id, _)| **id != keep).min_by_key(|(id, case)| {
                let incident = &case.incident;
                (incident.state != IncidentState::Quiet, incident.severity, case.touched, **id)
            });
            let Some(id) = least.map(|(id, _)| *id) else { break };
            self.forget(id);
        }
    }

    fn longest_window(&self) -> Duration {
        let windows = self.config.severity_rules.iter().filter_map(|rule| rule.matches.count_over);
        windows.map(|(_, within)| within.0).max().unwrap_or_default()
    }
}
