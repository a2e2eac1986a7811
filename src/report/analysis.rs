//! The report of one analysis as plain data. The first fields are those of the original system's JSON, under its names.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{self, Category, Severity, Timestamp};

/// Goes up when a field changes its meaning or goes away. New fields do not change it.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything `report.json` says.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    /// One sentence: `Detected 5 anomalies across 2 categories`.
    pub summary: String,
    /// Rows of `anomalies.csv`; the sum of each of the two distributions.
    pub total_anomalies: u64,
    /// By category, capitalized: `Security`.
    pub anomaly_categories: BTreeMap<String, u64>,
    pub severity_distribution: SeverityDistribution,
    pub processing_metrics: Metrics,
    pub recommendations: Vec<String>,

    pub schema_version: u32,
    /// `logwren 0.1.0`.
    pub generated_by: String,
    pub generated_at: Timestamp,
    /// False when an input could not be read to its end or the run was interrupted; `problems` says why.
    pub complete: bool,
    pub problems: Vec<String>,
    /// What judged, or why no model did: `gemini-3.1-flash-lite`, `no model: no key`.
    pub judged_by: String,
    /// Zone of the heat map's days and hours.
    pub time_zone: String,
    pub inputs: Vec<InputSummary>,
    /// Worst first. Those below `medium` have no rows.
    pub incidents: Vec<Incident>,
    /// Beyond the most that a report lists.
    pub incidents_not_listed: u64,
    /// Most lines first.
    pub templates: Vec<Template>,
    pub templates_not_listed: u64,
    pub timeline: Timeline,
    pub heat: Heat,
}

/// Rows by severity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SeverityDistribution {
    #[serde(rename = "Low")]
    pub low: u64,
    #[serde(rename = "Medium")]
    pub medium: u64,
    #[serde(rename = "High")]
    pub high: u64,
    #[serde(rename = "Critical")]
    pub critical: u64,
}

/// What it took.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Metrics {
    /// Blocks of lines.
    pub total_chunks_processed: u64,
    /// Seconds.
    pub processing_time: f64,
    /// Requests to a model.
    pub api_calls_made: u64,
    /// Requests without a usable answer.
    pub failed_chunks: u64,
    /// Lines read and looked at. `parsed` + `plain` + `skipped` of them.
    pub lines: u64,
    /// Lines whose header was understood.
    pub parsed: u64,
    /// Lines taken as plain text.
    pub plain: u64,
    /// Lines passed over: copies from a second input, our own, outside `--since` and `--until`.
    pub skipped: u64,
    /// Of `skipped`: copies of a line that another input carries too.
    pub copies: u64,
    /// Lines read once more, before the rest, only to learn what is normal.
    pub baseline_lines: u64,
    /// Lines with invalid UTF-8, which was replaced.
    pub lossy: u64,
    /// Lines cut because they were too long, and the bytes of them nobody looked at.
    pub truncated: u64,
    pub bytes_dropped: u64,
    /// Files in archives that hold no text.
    pub binary_files: u64,
    /// Bytes read from disk, packed ones as they are.
    pub bytes: u64,
    pub templates: u64,
    /// Kinds the model was asked about, and those left without an answer.
    pub questions: u64,
    pub unanswered: u64,
    pub tokens_in: u64,
    pub tokens_out: u64,
    pub cost_usd: f64,
}

/// One file, or standard input.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct InputSummary {
    pub name: String,
    pub lines: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Why it could not be read to its end. Empty otherwise.
    pub problem: String,
}

/// One fault as the report shows it. Text of logs in it is hostile.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Incident {
    pub id: String,
    pub severity: Severity,
    pub category: Category,
    pub confidence: f32,
    pub host: String,
    pub program: String,
    pub title: String,
    pub reason: String,
    pub remediation: Vec<String>,
    /// `rule:NAME`, `detector:NAME` or `model:NAME`.
    pub judged_by: String,
    /// Why no model judged it, when one could have. Empty otherwise.
    pub not_judged: String,
    pub template_id: Option<String>,
    pub template: String,
    /// Lines it speaks of.
    pub count: u64,
    /// Rows of it in `anomalies.csv`.
    pub rows: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub evidence: Vec<Evidence>,
}

/// One line, with where it stands.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Evidence {
    pub time: Timestamp,
    pub host: String,
    pub program: String,
    pub level: String,
    pub input: String,
    /// From 1; 0 where it is not known.
    pub line_number: u64,
    pub line: String,
    /// The lines before and after it in the same input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// One template of the lines.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Template {
    pub template_id: String,
    pub template: String,
    pub programs: Vec<String>,
    /// The worst level its lines had.
    pub level: String,
    pub count: u64,
    /// Rows of `anomalies.csv` among them.
    pub anomalies: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Lines in equal steps of the timeline's whole span.
    pub sparkline: Vec<u64>,
}

/// Lines and rows over time.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Timeline {
    pub bucket_seconds: u64,
    pub buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Bucket {
    pub start: Timestamp,
    pub lines: u64,
    pub anomalies: u64,
}

/// Lines by hour of the day: a row for each day, or for each weekday where there are many days.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Heat {
    pub rows: Vec<String>,
    /// 24 numbers a row.
    pub lines: Vec<Vec<u64>>,
    pub anomalies: Vec<Vec<u64>>,
}

impl Incident {
    /// Without its evidence. `clean` makes text of logs fit to be shown.
    pub fn of(incident: &model::Incident, rows: u64, clean: &dyn Fn(&str) -> String) -> Incident {
        Incident {
            id: incident.id.to_string(),
            severity: incident.severity,
            category: incident.category,
            confidence: incident.confidence,
            host: incident.host.to_string(),
            program: incident.program.to_string(),
            title: clean(&incident.title),
            reason: clean(&incident.reason),
            remediation: incident.remediation.clone(),
            judged_by: incident.judged_by.to_string(),
            not_judged: incident.not_judged.clone(),
            template_id: incident.template.map(|id| id.to_string()),
            template: clean(&incident.template_text),
            count: incident.count.max(rows),
            rows,
            first_seen: incident.first_seen,
            last_seen: incident.last_seen,
            evidence: Vec::new(),
        }
    }
}

impl Evidence {
    /// Without its surroundings.
    pub fn of(line: &model::Evidence, clean: &dyn Fn(&str) -> String) -> Evidence {
        Evidence {
            time: line.time,
            host: line.host.to_string(),
            program: line.program.to_string(),
            level: line.level.to_string(),
            input: line.origin.to_string(),
            line_number: 0,
            line: clean(&line.line),
            before: Vec::new(),
            after: Vec::new(),
        }
    }
}

impl SeverityDistribution {
    pub fn add(&mut self, severity: Severity, rows: u64) {
        *match severity {
            Severity::Low => &mut self.low,
            Severity::Medium => &mut self.medium,
            Severity::High => &mut self.high,
            Severity::Critical => &mut self.critical,
        } += rows;
    }

    pub fn total(&self) -> u64 {
        self.low + self.medium + self.high + self.critical
    }
}

/// `Security`, as the original system writes keys.
pub fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Writes the summary and what to do next, from everything else.
pub fn fill_recommendations(report: &mut Report) {
    let (rows, categories) = (report.total_anomalies, report.anomaly_categories.len());
    let plural = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    report.summary = format!(
        "Detected {} across {}",
        plural(rows, "anomaly", "anomalies"),
        plural(categories as u64, "category", "categories")
    );
    let severities = report.severity_distribution;
    let mut advice = Vec::new();
    if severities.critical > 0 {
        advice.push("Immediate attention required: Critical-severity anomalies detected".to_owned());
    } else if severities.high > 0 {
        advice.push("Immediate attention required: High-severity anomalies detected".to_owned());
    }
    // The worst first, each with its own first step.
    let mut steps: Vec<(String, u64)> = Vec::new();
    for incident in report.incidents.iter().filter(|incident| incident.severity >= Severity::Medium) {
        let Some(step) = incident.remediation.first() else { continue };
        let step = format!("{}: {step}", incident.title);
        let has_room = steps.len() < 5;
        match steps.iter_mut().find(|(known, _)| *known == step) {
            Some((_, count)) => *count += 1,
            None if has_room => steps.push((step, 1)),
            None => {}
        }
    }
    for (step, count) in steps {
        advice.push(if count > 1 { format!("{step} ({count} incidents)") } else { step });
    }
    let most = report.anomaly_categories.iter().max_by_key(|(_, count)| **count);
    if let Some((category, count)) = most.filter(|(_, count)| **count >= 3) {
        advice.push(format!("Most anomalies ({count}) are about {}: look there first", category.to_lowercase()));
    }
    if report.processing_metrics.unanswered > 0 {
        advice.push(format!(
            "{} kinds of lines were left without a model's answer: run again later, answers are kept",
            report.processing_metrics.unanswered
        ));
    }
    if !report.complete {
        advice.push("Not everything could be read: see problems".to_owned());
    }
    if advice.is_empty() {
        advice.push("Nothing to do: no anomalies of medium severity or above".to_owned());
    }
    report.recommendations = advice;
}
