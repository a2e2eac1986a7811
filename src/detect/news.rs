//! News about kinds: held back while the baseline is learned, said one by one after it, folded when a program brings many
//! at once. Shared by the detectors that report new kinds; does not know what is new about them.

use std::sync::Arc;

use super::Seen;
use super::pending::Pending;
use super::repeat::Report;
use super::wave::{Admit, Waves};
use super::wording::Claim;
use crate::model::{Finding, KindId, Level, Period, Phase, Timestamp};

pub struct News {
    pending: Pending,
    waves: Waves,
    /// Words for `count` more news of a program.
    fold: fn(&str, u64) -> Claim,
}

impl News {
    /// `alone` news of one program within `within` are said one by one, the rest as one finding worded by `fold`.
    pub fn new(alone: u32, within: Period, fold: fn(&str, u64) -> Claim) -> News {
        News { pending: Pending::default(), waves: Waves::new(most(alone), within.0), fold }
    }

    /// Other limits from now on.
    pub fn limit(&mut self, alone: u32, within: Period) {
        self.waves.limit(most(alone), within.0);
    }

    /// Says `finding` about a kind that is new, or keeps it until learning is over. Taught lines are no news. Returns
    /// whether it waits: then [`News::line`] must see the lines of the kind.
    pub fn say(&mut self, seen: &Seen<'_>, finding: Finding, out: &mut Vec<Finding>) -> bool {
        match (seen.phase, self.pending.learned()) {
            (Phase::Learn, _) => false,
            (Phase::Live, true) => {
                self.admit(finding, out);
                false
            }
            (Phase::Live, false) => {
                self.pending.hold(seen.kind_id, finding);
                true
            }
        }
    }

    /// News of this kind waits for the end of learning.
    pub fn waits(&self, kind: KindId) -> bool {
        self.pending.holds(kind)
    }

    pub fn learned(&self) -> bool {
        self.pending.learned()
    }

    /// One more line of a kind whose news waits: a taught one shows that it is none. Returns whether it still waits.
    pub fn line(&mut self, seen: &Seen<'_>) -> bool {
        self.pending.line(seen.kind_id, seen.phase)
    }

    /// Learning is over: says what the baseline does not contain.
    pub fn release(&mut self, at: Timestamp, out: &mut Vec<Finding>) {
        let (findings, dropped) = self.pending.release();
        for finding in findings {
            self.admit(finding, out);
        }
        if dropped > 0 {
            let report = Report { count: dropped, first: at, last: at };
            out.push(self.folded(&Arc::from(""), &Arc::from(""), Level::Info, report));
        }
    }

    /// Says folded news that waited long enough.
    pub fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        for (host, program, report) in self.waves.settle(now) {
            out.push(self.folded(&host, &program, Level::Info, report));
        }
    }

    pub fn save(&mut self) -> Option<String> {
        self.pending.save()
    }

    /// # Errors
    /// When the JSON is none of ours.
    pub fn restore(&mut self, json: &str) -> Result<(), String> {
        self.pending = serde_json::from_str(json).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn admit(&mut self, finding: Finding, out: &mut Vec<Finding>) {
        match self.waves.admit(&finding.host, &finding.program, finding.first_seen) {
            Admit::Alone => out.push(finding),
            Admit::Folded(report) => {
                let mut folded = self.folded(&finding.host, &finding.program, finding.level, report);
                folded.evidence = finding.evidence;
                out.push(folded);
            }
            Admit::Counted => {}
        }
    }

    fn folded(&self, host: &Arc<str>, program: &Arc<str>, level: Level, report: Report) -> Finding {
        let claim = (self.fold)(program, report.count);
        Finding {
            judged_by: claim.judged_by,
            category: claim.category,
            proposed: claim.proposed,
            confidence: claim.confidence,
            verdict: None,
            title: claim.title,
            reason: claim.reason,
            remediation: claim.remediation,
            host: Arc::clone(host),
            program: Arc::clone(program),
            unit: None,
            level,
            kind: None,
            template: None,
            template_text: String::new(),
            group: claim.group,
            count: report.count,
            first_seen: report.first,
            last_seen: report.last,
            evidence: Vec::new(),
            learning: false,
        }
    }
}

/// News said one by one are remembered: not any number of them.
fn most(alone: u32) -> usize {
    usize::try_from(alone).unwrap_or(usize::MAX).min(1_000)
}
