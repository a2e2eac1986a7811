//! `analyze`: what is typed, what a terminal sees, and the exit code. Analyzes nothing itself (analysis).

mod progress;

use std::cell::RefCell;
use std::io::IsTerminal;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;

use crate::analysis::{Analysis, Event, Paths, output};
use crate::exit::{self, UsageError};
use crate::judge;
use crate::model::{Period, Severity, Timestamp, inert::one_line};
use crate::parse::Format;
use crate::report::{self, Report};

use super::args::{Analyze, JudgeMode};
use super::place;

use progress::Progress;

pub fn run(analyze: &Analyze, quiet: bool) -> anyhow::Result<u8> {
    if analyze.schema {
        output::show(report::SCHEMA)?;
        return Ok(exit::OK);
    }
    let config = place::load(&analyze.place)?;
    let zone = config.parse.timezone.as_ref().map_or_else(jiff::tz::TimeZone::system, |zone| zone.time_zone().clone());
    let paths = paths(analyze)?;
    let quiet = quiet || paths.stdout_is_taken();
    let mut analysis = Analysis::new(config)
        .since(at("--since", analyze.since.as_ref(), &zone)?)
        .until(at("--until", analyze.until.as_ref(), &zone)?)
        .baseline(&analyze.baseline)
        .threads(usize::from(analyze.threads))
        .write(paths.clone());
    if let Some(mode) = analyze.judge {
        analysis = analysis.judge(match mode {
            JudgeMode::Off => judge::Mode::Off,
            JudgeMode::Templates => judge::Mode::Templates,
            JudgeMode::Lines => judge::Mode::Lines,
        });
    }
    if let Some(name) = analyze.format.as_deref()
        && let Some(format) = Format::from_config(name).map_err(|message| UsageError { message, hint: None })?
    {
        analysis = analysis.format(format);
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second one ends us at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .context("cannot catch signals")?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot catch signals")?;
    }
    let terminal = std::io::stderr().is_terminal() && !quiet;
    let progress = Rc::new(Progress::new(terminal, (!quiet).then_some(zone)));
    let failed = Rc::new(RefCell::new(None));
    let analysis = analysis.stop(stop).on_event({
        let (progress, failed) = (Rc::clone(&progress), Rc::clone(&failed));
        move |event| match event {
            Event::Note(said) => {
                if !quiet {
                    eprintln!("{}", one_line(said));
                }
            }
            Event::Reading { bytes, total, lines } => progress.at(bytes, total, lines),
            Event::Busy(what) => progress.say(what),
            Event::Found(incident) => {
                if let Err(error) = progress.found(incident) {
                    failed.borrow_mut().get_or_insert(error);
                }
            }
        }
    });
    let (report, worst) = analysis.run_to_end(&analyze.inputs)?;
    progress.done();
    if let Some(error) = failed.take() {
        return Err(error);
    }
    if !quiet {
        let color =
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        output::show(&report::summary_table(&report, color))?;
        output::show(&paths.written())?;
    }
    for problem in &report.problems {
        eprintln!("warning: {}", one_line(problem));
    }
    Ok(code(&report, worst, analyze.fail_on.map(Severity::from)))
}

fn paths(analyze: &Analyze) -> anyhow::Result<Paths> {
    let in_folder = |name: &str| analyze.out.as_ref().map(|folder| folder.join(name));
    if let Some(folder) = &analyze.out {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(Paths {
        csv: analyze.csv.clone().or_else(|| in_folder("anomalies.csv")),
        json: analyze.json.clone().or_else(|| in_folder("report.json")),
        html: analyze.html.clone().or_else(|| in_folder("report.html")),
        sarif: analyze.sarif.clone(),
        jsonl: analyze.jsonl.clone(),
    })
}

fn at(option: &str, text: Option<&String>, zone: &jiff::tz::TimeZone) -> anyhow::Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    let usage = || UsageError {
        message: format!("{option} {text} is no time"),
        hint: Some("write it like 2026-11-22, \"2026-11-22 14:30\", 2026-11-22T14:30:00Z or 24h (ago)".to_owned()),
    };
    Ok(Some(time(text, zone, crate::driver::now()).ok_or_else(usage)?))
}

fn code(report: &Report, worst: Option<Severity>, fail_on: Option<Severity>) -> u8 {
    match (report.complete, worst.zip(fail_on)) {
        (false, _) => exit::FAILURE,
        (true, Some((worst, fail_on))) if worst >= fail_on => exit::ANOMALIES,
        (true, _) => exit::OK,
    }
}

/// A date, a date and time in this zone, RFC 3339, or a length of time ago.
fn time(text: &str, zone: &jiff::tz::TimeZone, now: Timestamp) -> Option<Timestamp> {
    if let Ok(ago) = text.parse::<Period>() {
        return Some(now.saturating_sub(ago.0));
    }
    if let Ok(exact) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from(exact));
    }
    let civil = text.parse::<jiff::civil::DateTime>().ok()?;
    civil.to_zoned(zone.clone()).ok().map(|zoned| Timestamp::from(zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let now = Timestamp::from_seconds(86_400);
        let found = time(text, &jiff::tz::TimeZone::UTC, now).map(|time| time.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn times_as_people_type_them() {
        check("2026-11-22", Some("2026-11-22T00:00:00Z"));
        check("2026-11-22 14:30", Some("2026-11-22T14:30:00Z"));
        check("2026-11-22T14:30:00+02:00", Some("2026-11-22T12:30:00Z"));
        check("6h", Some("1970-01-01T18:00:00Z"));
        check("yesterday", None);
        check("", None);
    }
}
