//! Incidents as plain text for a terminal. Log text is shown, never obeyed.

use std::fmt::Write;
use std::sync::Arc;

use crate::model::inert::one_line;
use crate::model::{Alert, Answer, Finding, Incident, Timestamp, clip};
use crate::store::DeadLetter;

/// Longest title in a list, in bytes.
const TITLE: usize = 70;

/// One line an incident, newest first.
pub fn incidents(incidents: &[Incident]) -> String {
    if incidents.is_empty() {
        return "no incidents\n".to_owned();
    }
    let mut text = format!(
        "{:<16}  {:<8}  {:<10}  {:<20}  {:>8}  {:<20}  {}\n",
        "ID", "SEVERITY", "STATE", "LAST SEEN", "LINES", "PROGRAM", "WHAT"
    );
    for incident in incidents {
        let _ = writeln!(
            text,
            "{:<16}  {:<8}  {:<10}  {:<20}  {:>8}  {:<20}  {}",
            incident.id.to_string(),
            incident.severity,
            incident.state.as_str(),
            seconds(incident.last_seen),
            incident.count,
            clip(&one_line(&incident.program), 20),
            clip(&one_line(&incident.title), TITLE),
        );
    }
    text
}

/// Everything about one incident.
pub fn incident(incident: &Incident, findings: &[Finding], delivered: &[(Arc<str>, Timestamp)]) -> String {
    let mut text = String::new();
    let mut line = |label: &str, content: &str| {
        let _ = writeln!(text, "{label:<12} {}", one_line(content));
    };
    line("incident", &incident.id.to_string());
    line("what", &incident.title);
    line("severity", &format!("{} ({}, {})", incident.severity, incident.category, incident.state.as_str()));
    line("where", &format!("{} {}", incident.host, incident.program));
    line("when", &format!("{} lines from {} to {}", incident.count, incident.first_seen, incident.last_seen));
    for (at, reason) in incident.reason.lines().enumerate() {
        line(if at == 0 { "why" } else { "" }, reason);
    }
    for (at, step) in incident.remediation.iter().enumerate() {
        line(if at == 0 { "do" } else { "" }, step);
    }
    let not_judged = if incident.not_judged.is_empty() {
        String::new()
    } else {
        format!("; not judged by a model: {}", incident.not_judged)
    };
    line("judged by", &format!("{}{not_judged}", incident.judged_by));
    if !incident.template_text.is_empty() {
        line("template", &incident.template_text);
    }
    for evidence in &incident.evidence {
        line("line", &format!("{} {} {}: {}", evidence.time, evidence.host, evidence.program, evidence.line));
        line("", &format!("({} at byte {})", evidence.origin, evidence.offset));
    }
    for finding in findings {
        line("finding", &format!("{} {}: {}", finding.last_seen, finding.judged_by, finding.reason));
    }
    for (notifier, at) in delivered {
        line("told", &format!("{notifier} at {at}"));
    }
    text
}

/// What people said and holds, newest first.
pub fn answers(answers: &[Answer], now: Timestamp) -> String {
    let mut text = String::new();
    for answer in answers.iter().filter(|answer| !answer.is_over(now)) {
        let host = answer.host.as_deref().map_or("every host".into(), one_line);
        let _ = writeln!(
            text,
            "{} {} {} on {host}: {}",
            answer.word.as_str(),
            answer.about.noun(),
            answer.about.id(),
            clip(&one_line(&answer.title), TITLE)
        );
        let until =
            answer.until.map_or_else(|| "without an end by time".to_owned(), |at| format!("until {}", seconds(at)));
        if answer.word.hushes() {
            let (severity, ceiling, rate) = (answer.severity, answer.ceiling, answer.rate);
            let _ = writeln!(text, "  {until}; up to {severity} and {ceiling} lines an hour ({rate} when it was said)");
        }
        let reason = if answer.reason.is_empty() { "no reason given" } else { &answer.reason };
        let _ = writeln!(text, "  said by {} at {}: {}", one_line(&answer.by), seconds(answer.since), one_line(reason));
    }
    if text.is_empty() {
        text.push_str("nothing is muted, and no kind of line was judged by a person\n");
    }
    text
}

/// What could not be delivered: still waiting, or given up.
pub fn undelivered(waiting: &[Alert], dead: &[DeadLetter]) -> String {
    let mut text = String::new();
    for alert in waiting.iter().filter(|alert| alert.attempts > 0) {
        let _ = writeln!(
            text,
            "not delivered yet: {} to {}: {} attempts, next at {}: {}",
            alert.incident.id,
            alert.notifier,
            alert.attempts,
            seconds(alert.next_attempt),
            one_line(&alert.last_error),
        );
    }
    for letter in dead {
        let _ = writeln!(
            text,
            "dead letter: {} to {} given up at {}: {}",
            letter.alert.incident.id,
            letter.alert.notifier,
            seconds(letter.at),
            one_line(&letter.error),
        );
    }
    text
}

fn seconds(time: Timestamp) -> String {
    Timestamp::from_seconds(time.as_seconds()).to_string()
}
