//! How findings become one incident: fingerprints, and what a further finding changes. Knows no severity rule.

use std::sync::Arc;
use std::time::Duration;

use super::SELF_DETECTOR;
use crate::model::{Evidence, Finding, Fingerprint, Incident, IncidentState, JudgedBy, Severity, clip};

/// Kinds remembered of one incident.
const MAX_KINDS: usize = 32;
const MAX_REMEDIATION: usize = 8;
const MAX_REASON_BYTES: usize = 2_000;
/// The first lines tell how it began, the last how it is now.
const FIRST_EVIDENCE: usize = 2;
/// The same words of the same program from two sources within this time are one line.
const COPIES_APART: Duration = Duration::from_secs(5);

/// What a finding of its own would be called.
pub(super) fn fingerprint(finding: &Finding) -> Fingerprint {
    match (&finding.judged_by, finding.template) {
        (JudgedBy::Rule(_), _) | (JudgedBy::Detector(_) | JudgedBy::Model(_), None) => {
            fingerprint_of_group(&finding.judged_by, &finding.host, &finding.program, &finding.group)
        }
        (JudgedBy::Detector(_) | JudgedBy::Model(_), Some(template)) => {
            Fingerprint::of(&["kind", &finding.host, &finding.program, &template.to_string()])
        }
    }
}

/// What findings that are about no single kind would be called.
pub(super) fn fingerprint_of_group(judged_by: &JudgedBy, host: &str, program: &str, group: &str) -> Fingerprint {
    Fingerprint::of(&[&judged_by.to_string(), host, program, group])
}

/// The incident that begins with `finding`.
pub(super) fn begin(id: Fingerprint, finding: &Finding, severity: Severity) -> Incident {
    Incident {
        id,
        state: IncidentState::New,
        severity,
        category: finding.category,
        confidence: finding.confidence,
        host: Arc::clone(&finding.host),
        program: Arc::clone(&finding.program),
        title: finding.title.clone(),
        reason: one_line(&finding.reason),
        remediation: finding.remediation.iter().take(MAX_REMEDIATION).cloned().collect(),
        judged_by: finding.judged_by.clone(),
        not_judged: String::new(),
        template: finding.template,
        template_text: finding.template_text.clone(),
        kinds: finding.kind.into_iter().collect(),
        count: finding.count,
        first_seen: finding.first_seen,
        last_seen: finding.last_seen,
        evidence: finding.evidence.iter().take(Finding::MAX_EVIDENCE).cloned().collect(),
        about_self: matches!(&finding.judged_by, JudgedBy::Detector(name) if **name == *SELF_DETECTOR),
    }
}

/// Adds what `finding` says beside its count and severity. The strongest claim names the incident: a rule before a model before a
/// detector; the others' reasons stand below it, each with its name.
pub(super) fn add(incident: &mut Incident, finding: &Finding) {
    incident.confidence = incident.confidence.max(finding.confidence);
    incident.first_seen = incident.first_seen.min(finding.first_seen);
    incident.last_seen = incident.last_seen.max(finding.last_seen);
    if let Some(kind) = finding.kind
        && !incident.kinds.contains(&kind)
        && incident.kinds.len() < MAX_KINDS
    {
        incident.kinds.push(kind);
    }
    if incident.template.is_none() {
        incident.template = finding.template;
        incident.template_text.clone_from(&finding.template_text);
    }
    if matches!(finding.judged_by, JudgedBy::Model(_)) {
        incident.not_judged.clear();
    }
    let takes_over = rank(&finding.judged_by) > rank(&incident.judged_by);
    if takes_over {
        let before = std::mem::replace(&mut incident.judged_by, finding.judged_by.clone());
        let old = std::mem::take(&mut incident.reason);
        incident.title.clone_from(&finding.title);
        incident.category = finding.category;
        incident.reason = one_line(&finding.reason);
        let mut lines = old.split('\n');
        if let Some(first) = lines.next() {
            note(&mut incident.reason, &before, first);
        }
        for line in lines.filter(|line| !line.starts_with(&format!("{}: ", finding.judged_by))) {
            push_line(&mut incident.reason, line);
        }
    } else if finding.judged_by == incident.judged_by {
        let rest = incident.reason.split_once('\n').map(|(_, rest)| rest.to_owned());
        incident.reason = one_line(&finding.reason);
        if let Some(rest) = rest {
            push_line(&mut incident.reason, &rest);
        }
    } else {
        note(&mut incident.reason, &finding.judged_by, &one_line(&finding.reason));
    }
    let mut steps = finding.remediation.clone();
    if takes_over {
        steps.append(&mut incident.remediation);
    } else {
        steps = std::mem::take(&mut incident.remediation).into_iter().chain(steps).collect();
    }
    incident.remediation.clear();
    for step in steps {
        if incident.remediation.len() < MAX_REMEDIATION && !incident.remediation.contains(&step) {
            incident.remediation.push(step);
        }
    }
    for line in &finding.evidence {
        add_evidence(&mut incident.evidence, line);
    }
}

pub(super) fn add_evidence(evidence: &mut Vec<Evidence>, line: &Evidence) {
    let same = |known: &Evidence| match known.origin == line.origin {
        true => known.offset == line.offset && known.line == line.line,
        // The copy of it that another source carries.
        false => {
            let apart = known.time.since(line.time).max(line.time.since(known.time));
            known.line == line.line && known.program == line.program && apart <= COPIES_APART
        }
    };
    if evidence.iter().any(same) {
        return;
    }
    if evidence.len() >= Finding::MAX_EVIDENCE {
        evidence.remove(FIRST_EVIDENCE);
    }
    evidence.push(line.clone());
}

fn rank(who: &JudgedBy) -> u8 {
    match who {
        // That somebody speaks to the model says more than that a line is new.
        JudgedBy::Detector(name) => u8::from(&**name == "injection"),
        JudgedBy::Model(_) => 2,
        JudgedBy::Rule(_) => 3,
    }
}

/// Writes or rewrites the line of `who`.
pub(super) fn note(reason: &mut String, who: &JudgedBy, text: &str) {
    if text.is_empty() {
        return;
    }
    let name = format!("{who}: ");
    let mut lines = reason.split('\n');
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines.filter(|line| !line.starts_with(&name)) {
        push_line(&mut out, line);
    }
    push_line(&mut out, &format!("{name}{text}"));
    *reason = out;
}

/// Writes, behind the first line of the reason, what a model says of the whole incident, and adds its steps.
pub(super) fn explain(incident: &mut Incident, model: &str, text: &str, steps: &[String]) {
    let model = one_line(model);
    let name = format!("model:{model} on the whole incident: ");
    let mut lines = incident.reason.split('\n');
    let mut reason = lines.next().unwrap_or_default().to_owned();
    push_line(&mut reason, &format!("{name}{}", one_line(text)));
    for line in lines.filter(|line| !line.starts_with(&name)) {
        push_line(&mut reason, line);
    }
    incident.reason = reason;
    for step in steps {
        let step = format!("{} (says model:{model})", one_line(step));
        if incident.remediation.len() < MAX_REMEDIATION && !incident.remediation.contains(&step) {
            incident.remediation.push(step);
        }
    }
}

fn push_line(reason: &mut String, line: &str) {
    if reason.len() + line.len() < MAX_REASON_BYTES {
        reason.push('\n');
        reason.push_str(line);
    }
}

/// Says why nobody was told and people are told again.
pub(super) fn speaks_again(incident: &mut Incident, why: &str) {
    const NAME: &str = "no longer muted: ";
    let old = std::mem::take(&mut incident.reason);
    for (at, line) in old.split('\n').filter(|line| !line.starts_with(NAME)).enumerate() {
        if at == 0 {
            incident.reason.push_str(line);
        } else {
            push_line(&mut incident.reason, line);
        }
    }
    push_line(&mut incident.reason, &format!("{NAME}{why}"));
}

pub(super) fn one_line(text: &str) -> String {
    clip(text, MAX_REASON_BYTES / 2).replace(['\n', '\r'], " ")
}
