//! What the writer of the log calls an error, when it is new: a new kind at err or worse, a known template that now comes
//! at a worse level, and every emerg line. Proposes a severity from the level of a *new* kind; a known error is no news.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::news::News;
use super::recent::Recent;
use super::repeat::{Repeat, Report};
use super::substance::{self, Substance};
use super::wording::{self, Claim};
use super::{Detector, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, KindId, Level, Period, Phase, Severity, Timestamp};

pub const NAME: &str = "level";

/// Emerg kinds remembered at a time.
const EMERG_KINDS: usize = 1_024;

/// `[detect.level]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
    /// A new kind at this level or worse is a finding of medium severity. Default `err`.
    pub medium_at: Level,
    /// At this level or worse it is high. Default `crit`.
    pub high_at: Level,
    /// New kinds of one program within `within` that are reported one by one; the rest as one finding. Default 5.
    pub alone: u32,
    /// Default 10 m.
    pub within: Period,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true, medium_at: Level::Err, high_at: Level::Crit, alone: 5, within: Period::from_secs(600) }
    }
}

pub struct LevelDetector {
    config: Config,
    /// How often an emerg kind that goes on is said again.
    repeat: Period,
    news: News,
    emerg: Recent<(Arc<str>, KindId), Repeat>,
}

impl LevelDetector {
    pub fn new(config: &Config, repeat: Period) -> LevelDetector {
        LevelDetector {
            config: config.clone(),
            repeat,
            news: News::new(config.alone, config.within, folded),
            emerg: Recent::new(EMERG_KINDS),
        }
    }

    /// Severity and reason when the level of this kind is news, whatever the phase.
    fn judge(&self, seen: &Seen<'_>) -> Option<(Severity, String)> {
        let level = seen.kind.level;
        let (severity, but) = match substance::of(seen.template_text) {
            Substance::Event if level <= self.config.high_at => (Severity::High, ""),
            Substance::Event => (Severity::Medium, ""),
            Substance::Detail => {
                (Severity::Low, ", but it only states a value: the lines around it tell what happened")
            }
            Substance::Request => (Severity::Low, ", but it only refuses what was asked for"),
        };
        match seen.known_level {
            _ if !self.config.enabled || !seen.new_kind || level > self.config.medium_at.max(Level::Warning) => None,
            Some(known) if level < known => Some((
                if level <= self.config.medium_at { severity } else { Severity::Low },
                format!("known at level {known}, now at {level}: the program itself takes it more seriously"),
            )),
            Some(_) => None,
            None if level <= self.config.medium_at => {
                Some((severity, format!("first line of this kind ever, and the program logs it at level {level}{but}")))
            }
            None => None,
        }
    }
}

impl Detector for LevelDetector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, claimed: bool, out: &mut Vec<Finding>) -> Want {
        if claimed {
            return Want { lines: self.news.waits(seen.kind_id), claim: false };
        }
        if self.config.enabled && seen.kind.level == Level::Emerg {
            return Want { lines: true, claim: true };
        }
        let Some((proposed, reason)) = self.judge(seen) else {
            return Want { lines: self.news.waits(seen.kind_id), claim: false };
        };
        let program = wording::program(&seen.kind.program);
        let title = match seen.known_level {
            Some(_) => format!("{program} now logs a known line at level {}", seen.kind.level),
            None => format!("New kind of {} line from {program}", seen.kind.level),
        };
        let finding = wording::finding(seen, wording::once(seen), claim(proposed, title, reason, String::new()));
        // A detail neither waits for the end of learning nor stands in the way of what does; new kinds are stored anyway.
        if proposed > Severity::Low {
            return Want { lines: self.news.say(seen, finding, out), claim: true };
        }
        let said = self.news.learned() && seen.phase == Phase::Live;
        out.extend(said.then_some(finding));
        Want { lines: false, claim: true }
    }

    fn line(&mut self, seen: &Seen<'_>, out: &mut Vec<Finding>) -> bool {
        if seen.kind.level != Level::Emerg {
            return self.news.line(seen);
        }
        let key = (Arc::clone(seen.host), seen.kind_id);
        let report = match self.emerg.peek(&key) {
            Some(_) => self.emerg.entry(key, || Repeat::new(wording::once(seen))).line(seen.time, self.repeat.0),
            None => {
                self.emerg.entry(key, || Repeat::new(wording::once(seen)));
                Some(wording::once(seen))
            }
        };
        if let Some(report) = report {
            out.push(emergency(seen, report));
        }
        true
    }

    fn learned(&mut self, at: Timestamp, out: &mut Vec<Finding>) {
        self.news.release(at, out);
    }

    fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        self.news.settle(now, out);
    }

    fn save(&mut self) -> Option<String> {
        self.news.save()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        self.news.restore(json)
    }

    fn reload(&mut self, config: &super::Config) {
        self.config = config.level.clone();
        self.repeat = config.repeat;
        self.news.limit(config.level.alone, config.level.within);
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let emerg = self.config.enabled && seen.kind.level == Level::Emerg;
        let (finds, says) = match self.judge(seen) {
            _ if emerg => (true, "emerg lines are always reported".to_owned()),
            Some((severity, reason)) => (true, format!("{reason}; would propose {severity}")),
            None if seen.new_kind => (false, format!("level {} of a new kind is no news", seen.kind.level)),
            None => (false, format!("level {} of a known kind is no news", seen.kind.level)),
        };
        vec![View { detector: NAME, says, finds }]
    }
}

fn emergency(seen: &Seen<'_>, report: Report) -> Finding {
    let title = format!("Emergency line from {}", wording::program(&seen.kind.program));
    let reason = format!("{} at level emerg, which means the system is unusable", lines(report.count));
    wording::finding(seen, report, claim(Severity::High, title, reason, String::new()))
}

fn folded(program: &str, count: u64) -> Claim {
    let program = wording::program(program);
    claim(
        Severity::Medium,
        format!("Many new kinds of error lines from {program}"),
        format!("{count} more new kinds of line at level err or worse, beyond those reported one by one"),
        "wave".to_owned(),
    )
}

fn claim(proposed: Severity, title: String, reason: String, group: String) -> Claim {
    Claim {
        judged_by: JudgedBy::Detector(NAME.into()),
        category: Category::Application,
        proposed,
        confidence: 0.6,
        title,
        reason,
        remediation: vec![
            "Read the line and the lines around it (logwren incidents show ID)".to_owned(),
            "If it is harmless here, write a [[severity_rules]] entry that makes it low.".to_owned(),
        ],
        group,
    }
}

fn lines(count: u64) -> String {
    if count == 1 { "one line".to_owned() } else { format!("{count} lines") }
}
