//! How bad is an incident when a model takes a kind of its lines for normal? That settles what is said of the kind only
//! because it is new, seldom, or called an error by its writer; everything else is a floor that no verdict lowers. Knows
//! no severity rule; asks nobody.

use serde::{Deserialize, Serialize};

use super::severity::Weighed;
use crate::model::{Finding, JudgedBy, KindId, Level, Severity, Verdict, VerdictRow};

/// Detectors that only say what a line is like, not what happens on the host. What a line *is*, a model may know better.
pub const SETTLEABLE: [&str; 3] = ["level", "novelty", "rare"];
/// Kinds of one incident whose claims are told apart; claims of further ones are a floor.
const MAX_KINDS: usize = 32;

/// What an incident's severity is made of.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Floor {
    /// The worst that no verdict lowers: rules, rates, silence, anomalous verdicts, the operator's severity rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    firm: Option<Severity>,
    /// The worst claim about each kind that a verdict can settle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<Claim>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Claim {
    kind: KindId,
    severity: Severity,
    /// A model takes the kind for normal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    settled: bool,
}

impl Floor {
    /// Of an incident of which only the severity is known.
    pub fn at(severity: Severity) -> Floor {
        Floor { firm: Some(severity), claims: Vec::new() }
    }

    /// Never less than what people were told.
    pub fn raised(mut self, severity: Severity) -> Floor {
        if self.severity() < severity {
            self.firm = Some(severity);
        }
        self
    }

    /// One more claim; `settled` when a model takes its kind for normal. Returns whether that changed anything.
    pub fn add(&mut self, kind: Option<KindId>, weighed: Weighed, settled: bool) -> bool {
        let before = self.clone();
        let Weighed { severity, firm } = weighed;
        let has_room = self.claims.len() < MAX_KINDS;
        let known = self.claims.iter_mut().find(|claim| Some(claim.kind) == kind);
        match (kind, known) {
            _ if firm => self.firm = self.firm.max(Some(severity)),
            (_, Some(claim)) => {
                claim.severity = claim.severity.max(severity);
                claim.settled |= settled;
            }
            (Some(kind), None) if has_room => self.claims.push(Claim { kind, severity, settled }),
            (Some(_), None) if settled => {}
            (Some(_) | None, None) => self.firm = self.firm.max(Some(severity)),
        }
        *self != before
    }

    /// A model takes this kind for normal. Returns whether that settles anything.
    pub fn settle(&mut self, kind: KindId) -> bool {
        let open = self.claims.iter_mut().find(|claim| claim.kind == kind && !claim.settled);
        open.map(|claim| claim.settled = true).is_some()
    }

    /// How bad it is; `low` when everything is settled.
    pub fn severity(&self) -> Severity {
        let open = self.claims.iter().filter(|claim| !claim.settled).map(|claim| claim.severity).max();
        open.max(self.firm).unwrap_or(Severity::Low)
    }
}

/// Whether a confident `normal` can settle this claim. Never what came at emerg: the writer says the system is unusable.
pub(super) fn is_settleable(finding: &Finding) -> bool {
    let is_about_words = match &finding.judged_by {
        JudgedBy::Detector(name) => SETTLEABLE.contains(&&**name),
        JudgedBy::Rule(_) | JudgedBy::Model(_) => false,
    };
    is_about_words && finding.kind.is_some() && finding.group.is_empty() && finding.level > Level::Emerg
}

/// Whether this is a `normal` that is taken at its word.
pub(super) fn settles(row: &VerdictRow, confidence_threshold: f32) -> bool {
    row.verdict == Verdict::Normal && row.confidence >= confidence_threshold
}

/// The line in the reason of an incident.
pub(super) fn says(row: &VerdictRow) -> String {
    format!(
        "takes it for normal (confidence {:.2}), so that it is new, seldom or logged as an error is no more than low: {}",
        row.confidence,
        if row.reason.is_empty() { "it gave no reason" } else { &row.reason }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TemplateId;

    fn kind(name: &str) -> KindId {
        crate::model::Kind { program: "app".into(), level: Level::Err, template: TemplateId::of(name) }.id()
    }

    /// Claims as `KIND SEVERITY [firm]`, kinds settled afterwards; expected: how bad it is.
    #[track_caller]
    fn check(claims: &[(&str, Severity, bool)], settled: &[&str], expected: Severity) {
        let mut floor = Floor::default();
        for (name, severity, firm) in claims {
            floor.add(Some(kind(name)), Weighed { severity: *severity, firm: *firm }, false);
        }
        for name in settled {
            floor.settle(kind(name));
        }
        assert_eq!(floor.severity(), expected);
        let json = serde_json::to_string(&floor).expect("plain data");
        assert_eq!(serde_json::from_str::<Floor>(&json).expect("what was written"), floor);
    }

    #[test]
    fn a_verdict_settles_its_kind_and_nothing_else() {
        use Severity::{High, Low, Medium};
        check(&[("a", High, false)], &[], High);
        check(&[("a", High, false)], &["a"], Low);
        check(&[("a", High, false)], &["b"], High);
        check(&[("a", High, false), ("b", Medium, false)], &["a"], Medium);
        check(&[("a", High, false), ("b", Medium, false)], &["a", "b"], Low);
        check(&[("a", High, false), ("a", Medium, true)], &["a"], Medium);
        check(&[("a", High, true)], &["a"], High);
        let many: Vec<String> = (0..MAX_KINDS + 1).map(|n| n.to_string()).collect();
        let claims: Vec<_> = many.iter().map(|name| (&**name, High, false)).collect();
        check(&claims, &many.iter().map(String::as_str).collect::<Vec<_>>(), High);
        assert_eq!(Floor::default().raised(Medium).severity(), Medium);
    }
}
