//! What triage remembers of one incident beside the incident itself: how its lines were counted, when it was last
//! touched, who claimed it, and which state follows when it speaks again. Decides nothing about severity.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Change, Finding, Fingerprint, Incident, IncidentState, JudgedBy, Severity, Timestamp};

/// An incident escalates when it has so many times the lines of when it was last told.
const ESCALATION_FACTOR: u64 = 10;
/// Steps of the sliding line counter; a rule's `within` is measured to a 32nd.
const STEPS: u32 = 32;
const MAX_COUNTERS: usize = 8;

#[derive(Debug)]
pub(super) struct Case {
    pub incident: Incident,
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
    pub mute: Option<Mute>,
    pub deadline: Option<Timestamp>,
}

/// A person asked for silence. It ends with time or when things get worse.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Mute {
    pub until: Option<Timestamp>,
    /// Severity that was muted; a worse one is told.
    pub severity: Severity,
}

impl Case {
    pub fn new(incident: Incident, now: Timestamp) -> Case {
        Case {
            mark: incident.count.max(1),
            incident,
            claim: None,
            base: 0,
            counters: Vec::new(),
            recent: VecDeque::new(),
            group: None,
            aliases: Vec::new(),
            touched: now,
            mute: None,
            deadline: None,
        }
    }

    /// As the store gave it back.
    pub fn restored(incident: Incident) -> Case {
        let touched = incident.last_seen;
        Case { base: incident.count, ..Case::new(incident, touched) }
    }

    /// `who` counted `count` more lines at `time`; `None` is the pipeline, which sees every line.
    pub fn count(&mut self, who: Option<&JudgedBy>, count: u64, time: Timestamp, longest: Duration) {
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
        if longest.is_zero() || more == 0 {
            return;
        }
        match self.recent.back_mut().filter(|(last, _)| time.since(*last) < longest / STEPS) {
            Some((_, lines)) => *lines = lines.saturating_add(more),
            None => self.recent.push_back((time, more)),
        }
        while self.recent.len() > STEPS as usize + 1 {
            self.recent.pop_front();
        }
    }

    /// Lines in the last `within` before the newest.
    pub fn lines_within(&self, within: Duration) -> u64 {
        let Some((newest, _)) = self.recent.back() else { return 0 };
        let oldest = newest.saturating_sub(within);
        self.recent.iter().filter(|(time, _)| *time >= oldest).map(|(_, lines)| *lines).fold(0, u64::saturating_add)
    }

    /// The next state of a case that just spoke again.
    pub fn progress(&mut self, worse: bool, now: Timestamp) -> Change {
        if let Some(mute) = self.mute {
            let over = mute.until.is_some_and(|until| until <= now);
            if !over && self.incident.severity <= mute.severity {
                return Change::Muted;
            }
            self.mute = None;
            self.mark = self.incident.count;
            self.incident.state = if over { IncidentState::Ongoing } else { IncidentState::Escalating };
            return if over { Change::Joined } else { Change::Escalated };
        }
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
