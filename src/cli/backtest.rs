//! `backtest`: what would people have been told about these logs, and what would a new config change? Runs the daemon's
//! pipeline on the time of the lines, once for each config. Writes nothing but the answer; asks no model.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::config::{Config, Mistakes};
use crate::daemon;
use crate::driver::Replay;
use crate::exit::{self, UsageError};
use crate::model::{
    Fingerprint, Header, Incident, LineBlock, LineSpan, Medium, Period, Phase, Severity, Timestamp, clip,
    inert::one_line,
};
use crate::parse::{Context, Plan};

use super::args::Backtest;
use super::blocks;
use super::inputs::{self, Input};
use super::place::SERVICE_CONFIG;

/// Longest title shown, in bytes.
const TITLE: usize = 90;
/// Lines that only teach where nothing else does: a tenth, within these limits.
const WARM_UP: std::ops::RangeInclusive<u64> = 200..=100_000;

/// What one config makes of the logs.
struct Outcome {
    lines: u64,
    /// From the severity asked for, by id.
    incidents: BTreeMap<Fingerprint, Incident>,
}

/// What a new config changes.
struct Difference<'a> {
    new: Vec<&'a Incident>,
    gone: Vec<&'a Incident>,
    /// As it was, and as it is now.
    changed: Vec<(&'a Incident, &'a Incident)>,
    /// Incidents before and after, for each rule and detector that has another number of them.
    by_whom: Vec<(String, usize, usize)>,
}

pub fn run(backtest: &Backtest) -> anyhow::Result<u8> {
    let inputs = inputs::named(&backtest.inputs)?;
    if inputs.contains(&Input::Stdin) {
        bail!(UsageError {
            message: "backtest reads its inputs more than once, so `-` is none".to_owned(),
            hint: Some("write the lines to a file first".to_owned()),
        });
    }
    let current = match &backtest.against {
        Some(file) => Config::load(file).map_err(Mistakes)?,
        None if Path::new(SERVICE_CONFIG).exists() => Config::load(Path::new(SERVICE_CONFIG)).map_err(Mistakes)?,
        None => Config::default(),
    };
    let new = backtest.config.as_deref().map(Config::load).transpose().map_err(Mistakes)?;
    let at = Severity::from(backtest.at);
    let span = Span::of(&inputs, backtest.since, &current)?;
    let before = pass(&current, &inputs, &span, at)?;
    let after = new.map(|config| pass(&config, &inputs, &span, at)).transpose()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = match (backtest.json, &after) {
        (true, after) => json(&mut out, at, &before, after.as_ref()),
        (false, None) => text(&mut out, at, &before),
        (false, Some(after)) => difference_text(&mut out, at, &before, after),
    };
    match shown.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        shown => shown.context("cannot write to standard output")?,
    }
    Ok(exit::OK)
}

/// Which lines are watched and which only teach.
struct Span {
    /// Lines before it teach; `None` when the first ones do.
    since: Option<Timestamp>,
    warm_up: u64,
}

impl Span {
    /// Reads all inputs once: the time counts from their newest line.
    fn of(inputs: &[Input], since: Option<Period>, config: &Config) -> anyhow::Result<Span> {
        let (mut lines, mut oldest, mut newest) = (0u64, None::<Timestamp>, None::<Timestamp>);
        let now = crate::driver::now();
        for input in inputs {
            let mut clock = LineClock::new(config);
            each_block(input, Phase::Live, |block| {
                lines += block.spans.len() as u64;
                for time in clock.times(&block).into_iter().flatten().filter(|time| *time <= now) {
                    oldest = Some(oldest.map_or(time, |known| known.min(time)));
                    newest = Some(newest.map_or(time, |known| known.max(time)));
                }
                Ok(())
            })?;
        }
        let warm_up = (lines / 10).clamp(*WARM_UP.start(), *WARM_UP.end());
        let since = since.zip(newest).map(|(length, newest)| newest.saturating_sub(length.0));
        // With nothing before it, the first lines teach as they do without it.
        Ok(Span { since: since.filter(|since| oldest.is_some_and(|oldest| oldest < *since)), warm_up })
    }
}

/// The times of lines of one input, before anything else is known of them.
struct LineClock {
    plan: Plan,
    context: Context,
    last: Option<Timestamp>,
}

impl LineClock {
    fn new(config: &Config) -> LineClock {
        let zone = config.parse.timezone.as_ref();
        let zone = zone.map_or_else(jiff::tz::TimeZone::system, |zone| zone.time_zone().clone());
        LineClock {
            plan: Plan::new(Medium::File, None),
            context: Context { zone, host: daemon::host_name() },
            last: None,
        }
    }

    /// The time of each line, or of the one before it.
    fn times(&mut self, block: &LineBlock) -> Vec<Option<Timestamp>> {
        let reference = block.origin.written.unwrap_or_else(crate::driver::now);
        self.plan.prime(block.lines().map(|(bytes, _)| bytes), reference, &self.context);
        let mut times = Vec::with_capacity(block.spans.len());
        for (bytes, _) in block.lines() {
            let Header { time, .. } = self.plan.parse(bytes, reference, &self.context);
            self.last = time.or(self.last);
            times.push(self.last);
        }
        times
    }
}

/// All inputs through a pipeline of their own.
fn pass(config: &Config, inputs: &[Input], span: &Span, at: Severity) -> anyhow::Result<Outcome> {
    let mut settings = daemon::settings(config)?;
    settings.no_judge = Some("backtest asks no model".into());
    let mut replay = Replay::new(settings);
    let mut lines = 0;
    let mut feed = |replay: &mut Replay, phase: Phase| -> anyhow::Result<()> {
        for input in inputs {
            let mut clock = LineClock::new(config);
            each_block(input, phase, |mut block| {
                if let Some(since) = span.since {
                    let times = clock.times(&block);
                    let teaches = |time: &Option<Timestamp>| time.is_none_or(|time| time < since);
                    let wanted = times.iter().map(|time| teaches(time) == (phase == Phase::Learn));
                    let spans: Vec<LineSpan> =
                        block.spans.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(span, _)| *span).collect();
                    block.spans = spans;
                }
                if phase == Phase::Live {
                    lines += block.spans.len() as u64;
                }
                if !block.spans.is_empty() {
                    replay.feed(&block);
                }
                Ok(())
            })?;
        }
        Ok(())
    };
    if span.since.is_some() {
        feed(&mut replay, Phase::Learn)?;
        replay.learned();
    } else {
        replay = replay.with_warm_up(span.warm_up);
    }
    feed(&mut replay, Phase::Live)?;
    replay.finish();
    let incidents = replay.incidents().into_iter().filter(|one| one.severity >= at && !one.about_self);
    Ok(Outcome { lines, incidents: incidents.map(|one| (one.id, one.clone())).collect() })
}

fn each_block(input: &Input, phase: Phase, each: impl FnMut(LineBlock) -> io::Result<()>) -> anyhow::Result<()> {
    let name = input.name();
    blocks::read(input.open()?, &name, phase, crate::driver::now(), each)
        .with_context(|| format!("cannot read {name} to its end"))?;
    Ok(())
}

impl<'a> Difference<'a> {
    fn between(before: &'a Outcome, after: &'a Outcome) -> Difference<'a> {
        let (old, new) = (&before.incidents, &after.incidents);
        let both = old.iter().filter_map(|(id, was)| Some((was, new.get(id)?)));
        let counts = (count(old), count(new));
        let names: BTreeSet<&String> = counts.0.keys().chain(counts.1.keys()).collect();
        let of = |counts: &BTreeMap<String, usize>, name: &String| counts.get(name).copied().unwrap_or(0);
        Difference {
            new: worst_first(new.iter().filter(|(id, _)| !old.contains_key(id)).map(|(_, one)| one)),
            gone: worst_first(old.iter().filter(|(id, _)| !new.contains_key(id)).map(|(_, one)| one)),
            changed: both.filter(|(was, is)| was.severity != is.severity).collect(),
            by_whom: (names.into_iter())
                .map(|name| (name.clone(), of(&counts.0, name), of(&counts.1, name)))
                .filter(|(_, was, is)| was != is)
                .collect(),
        }
    }
}

fn count(incidents: &BTreeMap<Fingerprint, Incident>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for incident in incidents.values() {
        *counts.entry(incident.judged_by.to_string()).or_insert(0) += 1;
    }
    counts
}

fn worst_first<'a>(incidents: impl Iterator<Item = &'a Incident>) -> Vec<&'a Incident> {
    let mut incidents: Vec<&Incident> = incidents.collect();
    incidents.sort_by_key(|one| (std::cmp::Reverse(one.severity), one.first_seen, one.id));
    incidents
}

fn text(out: &mut impl Write, at: Severity, outcome: &Outcome) -> io::Result<()> {
    let (lines, total) = (outcome.lines, outcome.incidents.len());
    writeln!(out, "{lines} lines: would have alerted {total} times ({at} and above)")?;
    for (name, number) in count(&outcome.incidents) {
        writeln!(out, "  {number:>6}  {}", one_line(&name))?;
    }
    listed(out, " ", worst_first(outcome.incidents.values()))
}

fn difference_text(out: &mut impl Write, at: Severity, before: &Outcome, after: &Outcome) -> io::Result<()> {
    let (was, is) = (before.incidents.len(), after.incidents.len());
    writeln!(out, "{} lines: would have alerted {is} times instead of {was} ({at} and above)", after.lines)?;
    let Difference { new, gone, changed, by_whom } = Difference::between(before, after);
    writeln!(out, "{} new, {} gone, {} of another severity", new.len(), gone.len(), changed.len())?;
    for (name, was, is) in by_whom {
        writeln!(out, "  {was:>6} -> {is:<6} {}", one_line(&name))?;
    }
    listed(out, "+", new)?;
    listed(out, "-", gone)?;
    for (was, is) in changed {
        writeln!(out, "~ {} -> {}", was.severity, shown(is))?;
    }
    Ok(())
}

fn listed(out: &mut impl Write, mark: &str, incidents: Vec<&Incident>) -> io::Result<()> {
    incidents.into_iter().try_for_each(|incident| writeln!(out, "{mark} {}", shown(incident)))
}

fn shown(incident: &Incident) -> String {
    let title = one_line(&incident.title);
    format!(
        "{:<8} {:>7} lines from {}  {}  {} | {}",
        incident.severity.as_str(),
        incident.count,
        Timestamp::from_seconds(incident.first_seen.as_seconds()),
        one_line(&incident.judged_by.to_string()),
        clip(&title, TITLE),
        clip(&one_line(&incident.template_text), TITLE)
    )
}

fn json(out: &mut impl Write, at: Severity, before: &Outcome, after: Option<&Outcome>) -> io::Result<()> {
    let row = |one: &Incident| {
        serde_json::json!({
            "id": one.id, "severity": one.severity, "category": one.category, "judged_by": one.judged_by,
            "title": one.title, "template": one.template_text, "program": one.program, "host": one.host,
            "count": one.count, "first_seen": one.first_seen, "last_seen": one.last_seen,
        })
    };
    let rows = |all: Vec<&Incident>| all.into_iter().map(row).collect::<Vec<_>>();
    let last = after.unwrap_or(before);
    let mut report = serde_json::json!({
        "at": at, "lines": last.lines, "would_have_alerted": last.incidents.len(),
        "by": count(&last.incidents), "incidents": rows(worst_first(last.incidents.values())),
    });
    if let (Some(after), Some(report)) = (after, report.as_object_mut()) {
        let Difference { new, gone, changed, by_whom } = Difference::between(before, after);
        let changed: Vec<_> = changed
            .into_iter()
            .map(|(was, is)| serde_json::json!({"was": was.severity, "is": is.severity, "incident": row(is)}))
            .collect();
        let by_whom: Vec<_> =
            by_whom.into_iter().map(|(name, was, is)| serde_json::json!({"by": name, "was": was, "is": is})).collect();
        let difference = serde_json::json!({
            "would_have_alerted": before.incidents.len(), "new": rows(new), "gone": rows(gone),
            "severity_changed": changed, "by": by_whom,
        });
        report.insert("against_current".to_owned(), difference);
    }
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}
