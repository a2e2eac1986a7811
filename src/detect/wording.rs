//! Words of findings: from a line to a finding's fields, and hostile text made fit to stand in a sentence. Escaping for
//! a medium (HTML, Slack, terminal) is the outputs' work, not ours.

use std::sync::Arc;

use super::Seen;
use super::repeat::Report;
use crate::model::{Category, Finding, JudgedBy, Phase, Severity, clip, clip_words};

/// What a detector says; the line says the rest.
pub struct Claim {
    pub judged_by: JudgedBy,
    pub category: Category,
    pub proposed: Severity,
    pub confidence: f32,
    pub title: String,
    pub reason: String,
    pub remediation: Vec<String>,
    pub group: String,
}

/// A finding about this line's kind, with this line as evidence.
pub fn finding(seen: &Seen<'_>, report: Report, claim: Claim) -> Finding {
    Finding {
        judged_by: claim.judged_by,
        category: claim.category,
        proposed: claim.proposed,
        confidence: claim.confidence,
        verdict: None,
        title: claim.title,
        reason: claim.reason,
        remediation: claim.remediation,
        host: Arc::clone(seen.host),
        program: Arc::clone(&seen.kind.program),
        unit: seen.unit.map(Arc::from),
        level: seen.kind.level,
        kind: Some(seen.kind_id),
        template: Some(seen.kind.template),
        template_text: clip_words(seen.template_text, TEMPLATE_BYTES).to_owned(),
        group: claim.group,
        count: report.count,
        first_seen: report.first,
        last_seen: report.last,
        evidence: vec![seen.evidence()],
        learning: matches!(seen.phase, Phase::Learn),
    }
}

/// The report of a single line.
pub fn once(seen: &Seen<'_>) -> Report {
    Report { count: 1, first: seen.time, last: seen.time }
}

/// Longest template text kept in a finding.
const TEMPLATE_BYTES: usize = 2_000;

/// Log text for the middle of a sentence: one line, no control characters, at most `max_bytes`, cut between words.
pub fn inline(text: &str, max_bytes: usize) -> String {
    shown(text, clip_words(text, max_bytes))
}

/// `short` is the beginning of `text`.
fn shown(text: &str, short: &str) -> String {
    let mut clean: String =
        short.chars().map(|character| if is_unprintable(character) { ' ' } else { character }).collect();
    if short.len() < text.len() {
        clean.push('…');
    }
    clean
}

/// A program's name for a title; `one program` when there is none.
pub fn program(name: &str) -> String {
    if name.trim().is_empty() { "an unnamed program".to_owned() } else { shown(name, clip(name, 48)) }
}

/// Control characters, and format characters that reorder or hide text (bidi, zero width, tags).
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, max_bytes: usize, expected: &str) {
        assert_eq!(inline(text, max_bytes), expected);
    }

    #[test]
    fn hostile_text_stays_in_its_sentence() {
        check("plain", 10, "plain");
        check("two\nlines\u{1b}[31m", 40, "two lines [31m");
        check("\u{202e}evil\u{200b}", 40, " evil ");
        check("äö ü", 6, "äö …");
        check("key is 0123456789", 12, "key is …");
        assert_eq!(program(" "), "an unnamed program");
    }
}
