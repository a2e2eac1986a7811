//! The end of a run: every row gets the last word of its incident and goes into the files; what is counted on the way becomes
//! the report.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::model::inert::one_line;
use crate::model::{Fingerprint, Incident, Level, Severity, TemplateId, Timestamp, clip};
use crate::parse::Context;
use crate::redact::Redactor;
use crate::report::{self, Evidence, Remark, Report, Row, SCHEMA_VERSION, Stamps, Template, capitalized};

use super::collect::{Collected, Collector, Known, Nearby};
use super::engine::Engine;
use super::options::Options;
use super::output::Files;
use super::rows::{Both, Draft, Rows};

/// Templates a report lists, and steps of their sparklines.
const TEMPLATES: usize = 1_000;
const SPARKS: usize = 40;

/// What is left when the files are written.
pub struct Finished {
    pub report: Report,
    /// The worst severity found.
    pub worst: Option<Severity>,
}

/// Everything said about an incident's lines.
struct Said {
    incident: Incident,
    rows: u64,
    /// What its rows have in common.
    remark: Arc<Remark>,
}

/// Writes all files.
///
/// # Errors
/// When one of them cannot be written.
pub fn finish(
    mut engine: Engine,
    second: Option<Rows>,
    options: &Options,
    context: &Context,
    redactor: &Redactor,
    no_model: Option<&str>,
) -> anyhow::Result<Finished> {
    let now = crate::driver::now();
    let collector = std::mem::replace(&mut engine.collector, Collector::new()?);
    let Collected { mut rows, incidents: known, nearby, not_listed } = collector.collected();
    let mut said = said_of(known, &mut engine, now);
    let columns = engine.columns();
    let mut files = Files::open(&options.paths, &columns)?;
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        generated_by: concat!("logwren ", env!("CARGO_PKG_VERSION")).to_owned(),
        generated_at: now,
        time_zone: context.zone.iana_name().unwrap_or("local").to_owned(),
        incidents_not_listed: not_listed,
        ..Report::default()
    };
    let mut numbers: HashMap<(Arc<str>, u64), u64> = HashMap::new();
    let mut by_template: HashMap<TemplateId, u64> = HashMap::new();
    let mut wanted: HashMap<Arc<str>, HashSet<u64>> = HashMap::new();
    for line in said.values().flat_map(|said| &said.incident.evidence) {
        wanted.entry(Arc::clone(&line.origin)).or_default().insert(line.offset);
    }
    let mut stamps = Stamps::new(context.zone.clone());
    let second = second.map_or_else(Rows::new, Ok)?.read()?;
    Both::new(rows.read()?, second)?.each(|draft| {
        let id = engine.pipeline.joined(draft.incident);
        let Some(about) = said.get_mut(&id).filter(|said| said.incident.severity >= Severity::Medium) else {
            return Ok(());
        };
        about.rows += 1;
        if let Some((origin, offsets)) = wanted.get_key_value(draft.origin)
            && offsets.contains(&draft.offset)
        {
            numbers.insert((Arc::clone(origin), draft.offset), draft.line_number);
        }
        *by_template.entry(draft.template).or_default() += 1;
        engine.count_row(draft.time);
        files.push(&row_of(draft, Arc::clone(&about.remark), &mut stamps))
    })?;
    // What no single line shows has a row of its own.
    let mut lineless: Vec<&mut Said> =
        said.values_mut().filter(|said| said.rows == 0 && said.incident.severity >= Severity::Medium).collect();
    lineless.sort_by_key(|said| (said.incident.last_seen, said.incident.id));
    for about in lineless {
        about.rows += 1;
        engine.count_row(about.incident.last_seen);
        files.push(&Row::without_line(&about.incident, Arc::clone(&about.remark), &mut stamps))?;
    }
    said.values().filter(|said| said.rows > 0).for_each(|said| count(&mut report, said));
    let worst = said.values().map(|said| said.incident.severity).max();
    report.complete = engine.problems.is_empty();
    report.problems = engine.problems.iter().chain(&engine.remarks).map(|text| one_line(text)).collect();
    report.judged_by = no_model.map_or_else(|| options.config.model_name(), |why| format!("no model: {why}"));
    report.incidents = incidents(said, &nearby, &numbers, redactor);
    templates(&mut report, &mut engine, &by_template, redactor);
    report.timeline = report::timeline(&engine.timeline);
    report.heat = report::heat(&engine.hours, &engine.week, &context.zone);
    report.inputs = std::mem::take(&mut engine.inputs);
    report.processing_metrics = std::mem::take(&mut engine.metrics);
    report.processing_metrics.questions = engine.pipeline.counters().questions;
    report.processing_metrics.processing_time = (engine.elapsed() * 1e3).round() / 1e3;
    report::fill_recommendations(&mut report);
    files.finish(&report)?;
    Ok(Finished { report, worst })
}

/// The incidents of the logs; what is about ourselves is a remark.
fn said_of(known: HashMap<Fingerprint, Known>, engine: &mut Engine, now: Timestamp) -> HashMap<Fingerprint, Said> {
    let (own, of_logs): (Vec<_>, Vec<_>) = known.into_iter().partition(|(_, known)| known.incident.about_self);
    for (_, known) in own {
        engine.remarks.push(format!("{}: {}", known.incident.title, known.incident.reason));
    }
    let said = |incident: Incident| Said { remark: Arc::new(Remark::of(&incident, now)), incident, rows: 0 };
    of_logs.into_iter().map(|(id, known)| (id, said(known.incident))).collect()
}

fn count(report: &mut Report, said: &Said) {
    report.total_anomalies += said.rows;
    report.severity_distribution.add(said.incident.severity, said.rows);
    let category = capitalized(said.incident.category.as_str());
    *report.anomaly_categories.entry(category).or_default() += said.rows;
}

fn row_of<'a>(draft: Draft<'a>, remark: Arc<Remark>, stamps: &'a mut Stamps) -> Row<'a> {
    let record = match draft.columns {
        Some(columns) => columns.iter().map(|name| Cow::Borrowed(name.as_str())).zip(draft.cells).collect(),
        None => {
            let source = if draft.program.is_empty() { draft.origin } else { draft.program };
            let level = Cow::Borrowed(draft.level_word());
            let message = draft.cells.into_iter().next().unwrap_or_default();
            Row::plain([Cow::Borrowed(stamps.of(draft.time)), level, message, Cow::Borrowed(source)])
        }
    };
    let (line_number, template_id) = (Some(draft.line_number), Some(draft.template));
    Row { record, line_number, input: Cow::Borrowed(draft.origin), template_id, remark }
}

fn incidents(
    said: HashMap<Fingerprint, Said>,
    nearby: &HashMap<(Arc<str>, u64), Nearby>,
    numbers: &HashMap<(Arc<str>, u64), u64>,
    redactor: &Redactor,
) -> Vec<report::Incident> {
    let clean = |text: &str| redactor.for_people(text).as_str().to_owned();
    let mut said: Vec<Said> = said.into_values().collect();
    said.sort_by(|one, other| {
        let key = |said: &Said| (said.incident.severity, said.incident.count.max(said.rows));
        key(other).cmp(&key(one)).then_with(|| one.incident.id.cmp(&other.incident.id))
    });
    said.into_iter()
        .map(|Said { incident, rows, .. }| {
            let evidence = incident.evidence.iter().map(|line| {
                let key = (Arc::clone(&line.origin), line.offset);
                let around = nearby.get(&key);
                let lines = |lines: Option<&Vec<String>>| lines.into_iter().flatten().map(|line| clean(line)).collect();
                let number = around.map(|around| around.line_number).or_else(|| numbers.get(&key).copied());
                Evidence {
                    line_number: number.unwrap_or(0),
                    before: lines(around.map(|around| &around.before)),
                    after: lines(around.map(|around| &around.after)),
                    ..Evidence::of(line, &clean)
                }
            });
            report::Incident { evidence: evidence.collect(), ..report::Incident::of(&incident, rows, &clean) }
        })
        .collect()
}

/// One template over all its kinds.
struct Sum {
    text: String,
    programs: Vec<String>,
    level: Level,
    count: u64,
    first: Timestamp,
    last: Timestamp,
    sparkline: Vec<u64>,
}

fn templates(report: &mut Report, engine: &mut Engine, rows: &HashMap<TemplateId, u64>, redactor: &Redactor) {
    let (from, to) = engine.timeline.covered().unwrap_or((0, 1));
    let mut sums: BTreeMap<TemplateId, Sum> = BTreeMap::new();
    for (number, stats) in engine.kinds.iter().enumerate().filter(|(_, stats)| stats.count > 0) {
        let Some(view) = u32::try_from(number).ok().and_then(|number| engine.pipeline.kind(number)) else { continue };
        let sum = sums.entry(view.kind.template).or_insert_with(|| Sum {
            text: view.template.to_owned(),
            programs: Vec::new(),
            level: Level::Debug,
            count: 0,
            first: stats.first,
            last: stats.last,
            sparkline: vec![0; SPARKS],
        });
        sum.count += stats.count;
        sum.level = sum.level.min(view.kind.level);
        sum.first = sum.first.min(stats.first);
        sum.last = sum.last.max(stats.last);
        if sum.programs.len() < 5 && !sum.programs.iter().any(|program| **program == *view.kind.program) {
            sum.programs.push(view.kind.program.to_string());
        }
        for (total, part) in sum.sparkline.iter_mut().zip(stats.series.parts(from, to, SPARKS)) {
            *total += part;
        }
    }
    let mut sums: Vec<(TemplateId, Sum)> = sums.into_iter().collect();
    sums.sort_by_key(|(id, sum)| (std::cmp::Reverse(sum.count), *id));
    let all = sums.len();
    sums.truncate(TEMPLATES);
    engine.metrics.templates = all as u64;
    report.templates_not_listed = (all - sums.len()) as u64;
    report.templates = sums
        .into_iter()
        .map(|(id, sum)| Template {
            template_id: id.to_string(),
            template: redactor.for_people(clip(&sum.text, 1_000)).as_str().to_owned(),
            programs: sum.programs,
            level: sum.level.to_string(),
            count: sum.count,
            anomalies: rows.get(&id).copied().unwrap_or(0),
            first_seen: sum.first,
            last_seen: sum.last,
            sparkline: sum.sparkline,
        })
        .collect();
}
