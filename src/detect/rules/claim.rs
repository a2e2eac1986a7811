//! What a rule says of the lines it counted: key, reason and steps with the values of the line put in. Decides nothing.

use std::time::Duration;

use regex::bytes::Captures;

use std::sync::Arc;

use super::series::Key;
use super::set::{Line, MATCH_BYTES};
use super::spec::{KEYS, Rule};
use super::{fields, text};
use crate::detect::Seen;
use crate::detect::repeat::Report;
use crate::detect::wording::Claim;
use crate::model::{JudgedBy, Period, Severity, clip};

/// Longest key, in bytes.
const KEY_BYTES: usize = 128;
/// A rule says what an operator wrote down on purpose.
const CONFIDENCE: f32 = 0.95;

/// What separates incidents of this rule: the host, and the key in the line, if there is one.
pub fn key(seen: &Seen<'_>, captures: Option<&Captures<'_>>) -> Key {
    Key { host: Arc::clone(seen.host), key: key_text(captures).into() }
}

/// The first of the captures `key`, `key2` and `key3` that took part; alternatives need names of their own.
pub fn key_text(captures: Option<&Captures<'_>>) -> String {
    captures
        .and_then(|captures| KEYS.iter().find_map(|name| captures.name(name)))
        .map_or_else(String::new, |key| clip(&String::from_utf8_lossy(key.as_bytes()), KEY_BYTES).to_owned())
}

pub fn claim(
    rule: &Rule,
    severity: Severity,
    seen: &Seen<'_>,
    captures: Option<&Captures<'_>>,
    report: Report,
    total: Report,
) -> Claim {
    let group = key_text(captures);
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
        capture => fields::value(capture, Line::name(&seen.kind.program), clip(seen.message, MATCH_BYTES), captures),
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
