//! What a rule says of the lines it counted: key, reason and steps with the values of the line put in. Decides nothing.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::series::Key;
use super::set::Line;
use super::spec::Rule;
use super::{fields, text};
use crate::detect::Seen;
use crate::detect::repeat::Report;
use crate::detect::wording::Claim;
use crate::model::{JudgedBy, Period, Severity, clip};

/// Longest key, in bytes.
const KEY_BYTES: usize = 128;
/// A rule says what an operator wrote down on purpose.
const CONFIDENCE: f32 = 0.95;

/// What separates incidents of a rule: the host, and the key in the line, as [`super::Pattern::key`] has it.
pub fn key(seen: &Seen<'_>, key: Option<&[u8]>) -> Key {
    Key { host: Arc::clone(seen.host), key: key.map_or_else(Box::default, |key| key_text(key).into()) }
}

fn key_text(key: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(key) {
        Cow::Borrowed(key) => Cow::Borrowed(clip(key, KEY_BYTES)),
        Cow::Owned(key) => Cow::Owned(clip(&key, KEY_BYTES).to_owned()),
    }
}

/// `report` is about the lines it says now, `total` about all of the incident.
pub fn claim(
    rule: &Rule,
    severity: Severity,
    seen: &Seen<'_>,
    line: &Line<'_>,
    report: Report,
    total: Report,
) -> Claim {
    let captures = rule.captures(line);
    let group = rule.key(line).map_or_else(String::new, |key| key_text(key).into_owned());
    let first = report == total;
    let value = |name: &str| match name {
        "count" => Some(total.count.to_string()),
        // The rule's own time when it fires, the time it has lasted when it is said again.
        "within" if first => rule.within.map(|within| within.to_string()),
        "within" => {
            let seconds = total.last.since(total.first).as_secs().max(1);
            Some(Period(Duration::from_secs(seconds)).to_string())
        }
        "program" => Some(seen.kind.program.to_string()),
        "key" => Some(group.clone()),
        "unit" => Some(seen.unit.unwrap_or_default().to_owned()),
        "host" => Some(seen.host.to_string()),
        capture => fields::value(capture, line.program, line.message, captures.as_ref()),
    };
    let reason = text::fill(&rule.reason, value);
    // People paste these into a shell.
    let remediation =
        rule.remediation.iter().map(|step| text::fill(step, |name| value(name).map(text::pasteable(name)))).collect();
    Claim {
        judged_by: JudgedBy::Rule(Arc::clone(&rule.name)),
        category: rule.category,
        proposed: severity,
        confidence: CONFIDENCE,
        title: rule.title.clone(),
        reason,
        remediation,
        group: group.clone(),
    }
}
