//! How bad is a finding? The operator's rules in their order, then the shipped ones (DESIGN section 5.5). Keeps nothing.

use std::time::Duration;

use super::SELF_DETECTOR;
use super::config::{Match, SeverityRule};
use super::floor::is_settleable;
use crate::model::{Finding, JudgedBy, Level, Severity, Verdict};

/// How bad one claim is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Weighed {
    pub severity: Severity,
    /// No verdict lowers it: the operator's rules decided, or it is more than a word about what a line is like.
    pub firm: bool,
}

/// The severity of `finding`. `lines_within` counts lines of its incident, these included.
pub(super) fn weigh(
    rules: &[SeverityRule],
    confidence_threshold: f32,
    finding: &Finding,
    lines_within: impl Fn(Duration) -> u64,
) -> Weighed {
    match rules.iter().find(|rule| matches(&rule.matches, finding, &lines_within)) {
        Some(rule) => Weighed { severity: rule.severity, firm: true },
        None => Weighed { severity: shipped(confidence_threshold, finding), firm: !is_settleable(finding) },
    }
}

/// What holds without any rule of the operator. `critical` needs a rule: neither a detector nor a model can give it.
fn shipped(confidence_threshold: f32, finding: &Finding) -> Severity {
    match &finding.judged_by {
        JudgedBy::Rule(_) => finding.proposed,
        JudgedBy::Detector(name) if **name == *SELF_DETECTOR => finding.proposed,
        // A merely new kind of line is low; the level its writer gave it can lift it, not to the top.
        JudgedBy::Detector(name) if **name == *"novelty" => {
            finding.proposed.max(by_level(finding.level)).min(Severity::High)
        }
        JudgedBy::Detector(_) => finding.proposed.min(Severity::High),
        JudgedBy::Model(_) => match finding.verdict {
            Some(Verdict::Anomalous) | None if finding.confidence >= confidence_threshold => {
                finding.proposed.min(Severity::High)
            }
            Some(Verdict::Anomalous | Verdict::Watch | Verdict::Normal | Verdict::Undecided) | None => Severity::Low,
        },
    }
}

fn by_level(level: Level) -> Severity {
    match level {
        Level::Emerg | Level::Alert | Level::Crit => Severity::High,
        Level::Err => Severity::Medium,
        Level::Warning | Level::Notice | Level::Info | Level::Debug => Severity::Low,
    }
}

fn matches(wanted: &Match, finding: &Finding, lines_within: &impl Fn(Duration) -> u64) -> bool {
    let Match { category, level, program, template, host, detector, verdict, confidence_at_least, count_over } = wanted;
    category.as_ref().is_none_or(|list| list.contains(&finding.category))
        && level.is_none_or(|level| finding.level <= level)
        && program.as_ref().is_none_or(|list| list.names(&finding.program))
        && template.as_ref().is_none_or(|pattern| pattern.0.is_match(&finding.template_text))
        && host.as_ref().is_none_or(|list| list.names(&finding.host))
        && detector.as_ref().is_none_or(|list| list.0.iter().any(|name| judged_by(&finding.judged_by, name)))
        && verdict.as_ref().is_none_or(|list| finding.verdict.is_some_and(|said| list.contains(&said)))
        && confidence_at_least.is_none_or(|least| finding.confidence >= least)
        && count_over.is_none_or(|(count, within)| lines_within(within.0) > count)
}

/// `novelty`, `rule:NAME` and `rule` are all good names for who said it.
fn judged_by(who: &JudgedBy, wanted: &str) -> bool {
    let (role, name) = match who {
        JudgedBy::Rule(name) => ("rule", name),
        JudgedBy::Detector(name) => ("detector", name),
        JudgedBy::Model(name) => ("model", name),
    };
    wanted == role
        || wanted == &**name
        || wanted.split_once(':').is_some_and(|(left, right)| left == role && right == &**name)
}
