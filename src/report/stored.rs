//! The report of what a daemon found, from its store. Reads; redacts nothing beyond what the store holds, and knows no lines
//! but those kept as evidence.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::analysis::{self, Report, SCHEMA_VERSION, Template, capitalized, fill_recommendations};
use super::chart::{heat, timeline};
use super::row::{Remark, Row, Stamps};
use super::series::Series;
use super::week::Week;
use crate::model::{Incident, Severity, Timestamp};
use crate::store::{FindingFilter, IncidentFilter, Reader, StoreError};

/// Incidents a report lists.
const MAX_INCIDENTS: u32 = 10_000;
/// Findings looked at for the charts.
const MAX_FINDINGS: u32 = 200_000;
/// Steps of the timeline, and hours of the heat map.
const STEPS: usize = 240;
const HOURS: usize = 24 * 62;
/// Templates of incidents listed.
const MAX_TEMPLATES: usize = 1_000;

/// A report, and what would be `anomalies.csv`.
pub struct Stored {
    pub report: Report,
    /// A row for each line kept as evidence, in the order of their times; one for each incident without any.
    pub rows: Vec<Row<'static>>,
}

/// What spoke at or after `since`.
///
/// # Errors
/// When the store cannot be read.
pub fn stored(
    reader: &Reader,
    since: Option<Timestamp>,
    now: Timestamp,
    zone: &jiff::tz::TimeZone,
) -> Result<Stored, StoreError> {
    let filter = IncidentFilter { since, severity_at_least: None, limit: Some(MAX_INCIDENTS + 1) };
    let mut incidents = reader.incidents(filter)?;
    let not_listed = incidents.len().saturating_sub(MAX_INCIDENTS as usize);
    incidents.truncate(MAX_INCIDENTS as usize);
    let (own, mut incidents): (Vec<Incident>, Vec<Incident>) =
        incidents.into_iter().partition(|incident| incident.about_self);
    incidents.sort_by_key(|one| (std::cmp::Reverse((one.severity, one.count)), one.id));
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        generated_by: concat!("logwren ", env!("CARGO_PKG_VERSION")).to_owned(),
        generated_at: now,
        complete: true,
        time_zone: zone.iana_name().unwrap_or("local").to_owned(),
        incidents_not_listed: not_listed as u64,
        problems: own.iter().map(|one| format!("{}: {}", one.title, one.reason)).collect(),
        ..Report::default()
    };
    let mut stamps = Stamps::new(zone.clone());
    let mut rows: Vec<(Timestamp, Row<'static>)> = Vec::new();
    let mut templates: HashMap<String, Template> = HashMap::new();
    let as_it_is = |text: &str| text.to_owned();
    for incident in &incidents {
        let made = rows_of(incident, since, now, &mut stamps);
        for (_, row) in &made {
            report.total_anomalies += 1;
            report.severity_distribution.add(row.remark.severity, 1);
            *report.anomaly_categories.entry(capitalized(row.remark.category.as_str())).or_default() += 1;
        }
        add_template(&mut templates, incident, made.len() as u64);
        let evidence = incident.evidence.iter().map(|line| analysis::Evidence::of(line, &as_it_is)).collect();
        let shown = analysis::Incident::of(incident, made.len() as u64, &as_it_is);
        report.incidents.push(analysis::Incident { evidence, ..shown });
        rows.extend(made);
    }
    rows.sort_by_key(|(time, _)| *time);
    charts(&mut report, reader, since, zone)?;
    report.templates = templates.into_values().collect();
    report.templates.sort_by(|one, other| (other.count, &one.template_id).cmp(&(one.count, &other.template_id)));
    report.templates.truncate(MAX_TEMPLATES);
    costs(&mut report, reader, since, zone)?;
    fill_recommendations(&mut report);
    Ok(Stored { report, rows: rows.into_iter().map(|(_, row)| row).collect() })
}

/// One for each line of its evidence in the span. Incidents below `medium` have none.
fn rows_of(
    incident: &Incident,
    since: Option<Timestamp>,
    now: Timestamp,
    stamps: &mut Stamps,
) -> Vec<(Timestamp, Row<'static>)> {
    if incident.severity < Severity::Medium {
        return Vec::new();
    }
    let remark = Arc::new(Remark::of(incident, now));
    let lines = incident.evidence.iter().filter(|line| since.is_none_or(|since| line.time >= since));
    let mut rows: Vec<(Timestamp, Row<'static>)> = lines
        .map(|line| {
            let source = if line.program.is_empty() { &line.origin } else { &line.program };
            let record = [stamps.of(line.time), line.level.as_str(), &*line.line, &**source]
                .map(|cell| Cow::Owned(cell.to_owned()));
            let row = Row {
                record: Row::plain(record),
                line_number: None,
                input: Cow::Owned(line.origin.to_string()),
                template_id: incident.template,
                remark: Arc::clone(&remark),
            };
            (line.time, row)
        })
        .collect();
    if rows.is_empty() {
        rows.push((incident.last_seen, Row::without_line(incident, remark, stamps).into_owned()));
    }
    rows
}

/// The store counts lines by kind and not by hour, so templates are those of incidents.
fn add_template(templates: &mut HashMap<String, Template>, incident: &Incident, rows: u64) {
    let Some(id) = incident.template else { return };
    let level = incident.evidence.iter().map(|line| line.level).min();
    let template = templates.entry(id.to_string()).or_insert_with(|| Template {
        template_id: id.to_string(),
        template: incident.template_text.clone(),
        programs: Vec::new(),
        level: level.unwrap_or_default().to_string(),
        count: 0,
        anomalies: 0,
        first_seen: incident.first_seen,
        last_seen: incident.last_seen,
        sparkline: Vec::new(),
    });
    template.count = template.count.saturating_add(incident.count);
    template.anomalies += rows;
    template.first_seen = template.first_seen.min(incident.first_seen);
    template.last_seen = template.last_seen.max(incident.last_seen);
    if !template.programs.iter().any(|program| **program == *incident.program) {
        template.programs.push(incident.program.to_string());
    }
}

/// Findings over time: the lines each speaks of, and one anomaly each.
fn charts(
    report: &mut Report,
    reader: &Reader,
    since: Option<Timestamp>,
    zone: &jiff::tz::TimeZone,
) -> Result<(), StoreError> {
    let (mut steps, mut hours, mut week) = (Series::new(STEPS, 60), Series::new(HOURS, 3_600), Week::new(zone.clone()));
    let findings = reader.findings(FindingFilter { since, limit: Some(MAX_FINDINGS) })?;
    for finding in findings.iter().filter(|finding| !finding.learning) {
        steps.add(finding.last_seen, finding.count, 1);
        hours.add(finding.last_seen, finding.count, 1);
        week.add(finding.last_seen, finding.count, 1);
    }
    report.timeline = timeline(&steps);
    report.heat = heat(&hours, &week, zone);
    Ok(())
}

fn costs(
    report: &mut Report,
    reader: &Reader,
    since: Option<Timestamp>,
    zone: &jiff::tz::TimeZone,
) -> Result<(), StoreError> {
    let day = since.map(|since| jiff::Timestamp::from(since).to_zoned(zone.clone()).date().to_string());
    let metrics = &mut report.processing_metrics;
    let mut models: Vec<String> = Vec::new();
    for spend in reader.spend(day.as_deref())? {
        metrics.api_calls_made += spend.usage.requests;
        metrics.tokens_in += spend.usage.input_tokens;
        metrics.tokens_out += spend.usage.output_tokens;
        if !models.contains(&spend.model) {
            models.push(spend.model);
        }
    }
    let counts = reader.counts()?;
    metrics.templates = counts.templates;
    metrics.unanswered = counts.questions;
    report.judged_by = if models.is_empty() { "no model was asked".to_owned() } else { models.join(", ") };
    Ok(())
}
