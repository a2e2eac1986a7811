//! The report of an analysis as a short table for a terminal. Text of logs is shown, never obeyed.

use std::fmt::Write;

use super::analysis::{Incident, Report};
use crate::model::inert::one_line;
use crate::model::{Severity, clip};

/// Incidents shown; the rest is in the files.
const MOST: usize = 15;

/// What was read, what was found and what to do next. `color` only for a terminal that wants it.
pub fn table(report: &Report, color: bool) -> String {
    let mut text = String::new();
    let metrics = &report.processing_metrics;
    let _ = writeln!(
        text,
        "{} lines ({} parsed, {} plain, {} skipped), {} templates, {:.1} s; {}",
        metrics.lines,
        metrics.parsed,
        metrics.plain,
        metrics.skipped,
        metrics.templates,
        metrics.processing_time,
        one_line(&report.judged_by),
    );
    text + &found(report, color)
}

/// What was found alone: of a store, that counts no lines of a run.
pub fn found(report: &Report, color: bool) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", report.summary);
    let shown: Vec<_> = report.incidents.iter().filter(|incident| incident.severity >= Severity::Medium).collect();
    if !shown.is_empty() {
        let _ = writeln!(text, "\n{:<8}  {:>8}  {:<16}  {:<19}  what", "SEVERITY", "LINES", "PROGRAM", "FIRST SEEN");
    }
    // Incidents of one name and program are one line.
    let mut groups: Vec<(&Incident, usize)> = Vec::new();
    for incident in &shown {
        let same = |known: &&mut (&Incident, usize)| {
            known.0.title == incident.title
                && known.0.program == incident.program
                && known.0.severity == incident.severity
        };
        match groups.iter_mut().find(same) {
            Some((_, more)) => *more += 1,
            None => groups.push((incident, 0)),
        }
    }
    for (incident, more) in groups.iter().take(MOST) {
        let seen = incident.first_seen.to_string();
        let line = format!(
            "{:<8}  {:>8}  {:<16}  {:<19}  {}",
            incident.severity,
            incident.count,
            clip(&one_line(&incident.program), 16),
            clip(&seen, 19),
            clip(&one_line(&incident.title), 60),
        );
        let paint = match incident.severity {
            _ if !color => None,
            Severity::Low => None,
            Severity::Medium => Some("33"),
            Severity::High => Some("31"),
            Severity::Critical => Some("1;31"),
        };
        let _ = match paint {
            Some(paint) => writeln!(text, "\x1b[{paint}m{line}\x1b[0m"),
            None => writeln!(text, "{line}"),
        };
        if let Some(evidence) = incident.evidence.first() {
            let _ = writeln!(text, "          {}", clip(&one_line(&evidence.line), 100));
        }
        if *more > 0 {
            let _ = writeln!(text, "          and {more} more incidents like this one");
        }
    }
    if groups.len() > MOST {
        let _ = writeln!(text, "... and {} more kinds of incidents", groups.len() - MOST);
    }
    let low = report.incidents.len() - shown.len();
    if low > 0 {
        let _ = writeln!(text, "{low} more of low severity, without rows");
    }
    text
}
