//! What triage remembers of one incident beside the incident itself: how its lines were counted, when it was last
//! touched, who claimed it, and which state follows when it speaks again. Decides nothing about severity.

use std::collections::VecDeque;
use std::time::Duration;

use super::floor::Floor;
use super::hour::Hour;
use super::join;
use crate::model::{Change, Finding, Fingerprint, Incident, IncidentState, JudgedBy, Timestamp};

/// An incident escalates when it has so many times the lines of when it was last told.
const ESCALATION_FACTOR: u64 = 10;
/// Steps of the sliding line counter; a rule's `within` is measured to a 32nd.
const STEPS: u32 = 32;
const MAX_COUNTERS: usize = 8;
/// Rules and groups remembered of one incident. Those beyond it are taken for new ones.
const MAX_NAMES: usize = 32;

#[derive(Debug)]
pub(super) struct Case {
    pub incident: Incident,
    /// What its severity is made of.
    pub floor: Floor,
    /// The newest claim, without its lines: severity rules are asked again when more lines come.
    pub claim: Option<Box<Finding>>,
    /// Lines counted before this process began.
    base: u64,
    /// Lines as each one counted them. The same line is counted by a rule, by novelty and by a model: the largest counts.
    counters: Vec<(Option<JudgedBy>, u64)>,
    /// When lines came, oldest first, for `count_over`.
    recent: VecDeque<(Timestamp, u64)>,
    /// Count when it was last new, escalated or regressed.
    pub mark: u64,
    /// Group of the rule that claimed it; `None` while only kinds are known.
    pub group: Option<String>,
    /// Other fingerprints that lead here.
    pub aliases: Vec<Fingerprint>,
    /// Last sign of life, on our own clock.
    pub touched: Timestamp,
    /// The answer that keeps it from being told.
    pub muted_by: Option<Fingerprint>,
    /// What was said of its kinds does not cover it.
    pub speaks: bool,
    /// Rules that spoke of it.
    pub claims: Vec<JudgedBy>,
    /// Groups that were spoken of, empty ones aside.
    pub groups: Vec<String>,
    hour: Hour,
    pub deadline: Option<Timestamp>,
}

impl Case {
    pub fn new(incident: Incident, now: Timestamp) -> Case {
        Case {
            mark: incident.count.max(1),
            floor: Floor::default(),
            incident,
            claim: None,
            base: 0,
            counters: Vec::new(),
            recent: VecDeque::new(),
            group: None,
            aliases: Vec::new(),
            touched: now,
            muted_by: None,
            speaks: false,
            claims: Vec::new(),
            groups: Vec::new(),
            hour: Hour::default(),
            deadline: None,
        }
    }

    /// As the store gave it back.
    pub fn restored(incident: Incident) -> Case {
        let touched = incident.last_seen;
        let claims = matches!(incident.judged_by, JudgedBy::Rule(_)).then(|| incident.judged_by.clone());
        Case {
            base: incident.count,
            // Until the state says what it is made of.
            floor: Floor::at(incident.severity),
            claims: claims.into_iter().collect(),
            ..Case::new(incident, touched)
        }
    }

    /// `who` counted `count` more lines at `time`; `None` is the pipeline, which sees every line. Gives how many nobody
    /// else had counted.
    pub fn count(&mut self, who: Option<&JudgedBy>, count: u64, time: Timestamp, longest: Duration) -> u64 {
        let full = self.counters.len() >= MAX_COUNTERS;
        match self.counters.iter_mut().find(|(known, _)| known.as_ref() == who) {
            Some((_, lines)) => *lines = lines.saturating_add(count),
            None if full => {}
            None => self.counters.push((who.cloned(), count)),
        }
        let before = self.incident.count;
        let most = self.counters.iter().map(|(_, lines)| *lines).max().unwrap_or(0);
        self.incident.count = self.base.saturating_add(most).max(before);
        let more = self.incident.count - before;
        if more > 0 {
            self.hour.add(time, more);
        }
        if longest.is_zero() || more == 0 {
            return more;
        }
        match self.recent.back_mut().filter(|(last, _)| time.since(*last) < longest / STEPS) {
            Some((_, lines)) => *lines = lines.saturating_add(more),
            None => self.recent.push_back((time, more)),
        }
        while self.recent.len() > STEPS as usize + 1 {
            self.recent.pop_front();
        }
        more
    }

    /// Lines in its busiest hour; of the time before this process, in a mean one.
    pub fn rate(&self) -> u64 {
        let age = self.incident.last_seen.since(self.incident.first_seen).as_secs();
        self.hour.busiest.max(self.base / (age / 3_600 + 1))
    }

    /// Remembers who spoke of what.
    pub fn remember(&mut self, finding: &Finding) {
        let is_rule = matches!(finding.judged_by, JudgedBy::Rule(_));
        if is_rule && !self.claims.contains(&finding.judged_by) && self.claims.len() < MAX_NAMES {
            self.claims.push(finding.judged_by.clone());
        }
        if !finding.group.is_empty() && !self.groups.contains(&finding.group) && self.groups.len() < MAX_NAMES {
            self.groups.push(finding.group.clone());
        }
    }

    /// Nobody was told; from now on people are, and this is why.
    pub fn speak_again(&mut self, why: &str) -> Change {
        self.muted_by = None;
        self.speaks = true;
        self.mark = self.incident.count;
        self.incident.state = IncidentState::Escalating;
        join::speaks_again(&mut self.incident, why);
        Change::Escalated
    }

    /// Lines in the last `within` before the newest.
    pub fn lines_within(&self, within: Duration) -> u64 {
        let Some((newest, _)) = self.recent.back() else { return 0 };
        let oldest = newest.saturating_sub(within);
        self.recent.iter().filter(|(time, _)| *time >= oldest).map(|(_, lines)| *lines).fold(0, u64::saturating_add)
    }

    /// The next state of a case that just spoke again.
    pub fn progress(&mut self, worse: bool) -> Change {
        match self.incident.state {
            IncidentState::Quiet => {
                self.mark = self.incident.count;
                self.incident.state = IncidentState::Regressed;
                Change::Regressed
            }
            IncidentState::New
            | IncidentState::Ongoing
            | IncidentState::Escalating
            | IncidentState::Regressed
            | IncidentState::Muted => {
                if worse || self.grew() {
                    self.mark = self.incident.count;
                    self.incident.state = IncidentState::Escalating;
                    Change::Escalated
                } else {
                    self.incident.state = IncidentState::Ongoing;
                    Change::Joined
                }
            }
        }
    }

    fn grew(&self) -> bool {
        self.incident.count >= self.mark.saturating_mul(ESCALATION_FACTOR)
    }
}
