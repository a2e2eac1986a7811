//! What was typed behind `analyze`, checked before anything is read.

use anyhow::Context;

use crate::cli::args::{Analyze, JudgeMode};
use crate::cli::place;
use crate::config::Config;
use crate::exit::UsageError;
use crate::judge;
use crate::model::{Period, Severity, Timestamp};
use crate::parse::Format;

use super::output::Paths;

/// Checked options.
pub struct Options {
    pub config: Config,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub judge: Option<judge::Mode>,
    pub fail_on: Option<Severity>,
    pub format: Option<std::sync::Arc<str>>,
    pub paths: Paths,
}

impl Options {
    /// # Errors
    /// When an option means nothing.
    pub fn check(analyze: &Analyze) -> anyhow::Result<Options> {
        let config = place::load(&analyze.place)?;
        let zone =
            config.parse.timezone.as_ref().map_or_else(jiff::tz::TimeZone::system, |zone| zone.time_zone().clone());
        let now = crate::driver::now();
        let at = |option: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => time(text, &zone, now).map(Some).ok_or_else(|| UsageError {
                message: format!("{option} {text} is no time"),
                hint: Some(
                    "write it like 2026-11-22, \"2026-11-22 14:30\", 2026-11-22T14:30:00Z or 24h (ago)".to_owned(),
                ),
            }),
        };
        let (since, until) = (at("--since", &analyze.since)?, at("--until", &analyze.until)?);
        let format = match analyze.format.as_deref() {
            Some(name) => Format::from_config(name).map_err(|message| UsageError { message, hint: None })?,
            None => None,
        };
        let in_folder = |name: &str| analyze.out.as_ref().map(|folder| folder.join(name));
        if let Some(folder) = &analyze.out {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(Options {
            config,
            since,
            until,
            judge: analyze.judge.map(|mode| match mode {
                JudgeMode::Off => judge::Mode::Off,
                JudgeMode::Templates => judge::Mode::Templates,
                JudgeMode::Lines => judge::Mode::Lines,
            }),
            fail_on: analyze.fail_on.map(Severity::from),
            format: format.map(|format| format.name().into()),
            paths: Paths {
                csv: analyze.csv.clone().or_else(|| in_folder("anomalies.csv")),
                json: analyze.json.clone().or_else(|| in_folder("report.json")),
                html: analyze.html.clone().or_else(|| in_folder("report.html")),
                sarif: analyze.sarif.clone(),
                jsonl: analyze.jsonl.clone(),
            },
        })
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
