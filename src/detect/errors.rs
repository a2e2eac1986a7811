//! A burst of errors: a program that logs far more lines at err or worse than it usually does, whatever they say. That a
//! kind of error is new is the business of `level`.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::baseline::Limits;
use super::rate;
use super::spikes::{Said, Spikes};
use super::wording::{self, Claim};
use super::{Beat, Detector, MeterId, Minute, Of, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, Level, Timestamp};

pub const NAME: &str = "errors";

/// Lines of a burst that is worth more than a note.
const MEDIUM_LINES: u64 = 50;
/// A burst that lasts so long is the new normal, in minutes.
const ADAPT_MINUTES: u64 = 240;

/// `[detect.errors]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
    /// Fewer errors a minute of one program are never a burst. Default 10.
    pub least: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true, least: 10 }
    }
}

pub struct Errors {
    enabled: bool,
    limits: Limits,
    spikes: Spikes,
    by_program: HashMap<Arc<str>, MeterId>,
    over: Vec<Finding>,
}

impl Errors {
    pub fn new(config: &Config) -> Errors {
        Errors {
            enabled: config.enabled,
            limits: limits(config),
            spikes: Spikes::new(ADAPT_MINUTES),
            by_program: HashMap::new(),
            over: Vec::new(),
        }
    }

    fn collect_over(&mut self, now: Timestamp) {
        for (spike, end) in self.spikes.over(now) {
            self.over.extend(rate::ended(spike, end));
        }
    }
}

impl Detector for Errors {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, _: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        Want::default()
    }

    fn line(&mut self, _: &Seen<'_>, _: &mut Vec<Finding>) -> bool {
        false
    }

    fn counts(&self) -> bool {
        true
    }

    fn beat(&mut self, seen: &Seen<'_>, beat: &mut Beat, out: &mut Vec<Finding>) {
        let Of::Errors(program) = &beat.of else { return };
        if !self.enabled {
            return;
        }
        if !self.by_program.contains_key(program) {
            self.by_program.insert(Arc::clone(program), beat.meter);
        }
        let (count, reason, spike) = match self.spikes.beat(beat, seen.phase, self.limits) {
            Some(Said::Begins(spike)) => (u64::from(spike.most), rate::begins(&spike), spike),
            Some(Said::GoesOn(spike, more)) => (more, rate::goes_on(&spike), spike),
            // Fewer errors are good news.
            Some(Said::Drops(_)) | None => return,
        };
        let claim = Claim {
            judged_by: JudgedBy::Detector(NAME.into()),
            category: Category::Application,
            proposed: spike.severity(MEDIUM_LINES),
            confidence: 0.7,
            title: format!("Burst of errors from {}", wording::program(&seen.kind.program)),
            reason,
            remediation: vec![
                "Read the newest of these lines and the first one (logwren incidents show ID)".to_owned(),
                "Look for what changed just before: an upgrade, a restart, a full disk, a peer that is gone".to_owned(),
            ],
            group: String::new(),
        };
        let finding = Finding {
            count,
            first_seen: spike.since.min(seen.time),
            // All kinds of the program together: the line is one of them.
            kind: None,
            template: None,
            ..wording::finding(seen, wording::once(seen), claim)
        };
        if spike.finding.is_none() {
            self.spikes.opened(beat.meter, &finding);
        }
        out.push(finding);
    }

    fn minute(&mut self, minute: &Minute<'_>, _: &mut Vec<Finding>) {
        self.collect_over(minute.start);
    }

    fn settle(&mut self, now: Timestamp, _: &mut Vec<Finding>) {
        self.collect_over(now);
    }

    fn take_over(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.over)
    }

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn closing(&mut self) {
        self.spikes.closing();
    }

    fn save(&mut self) -> Option<String> {
        self.spikes.save()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        self.spikes.restore(json)
    }

    fn reload(&mut self, config: &super::Config) {
        self.enabled = config.errors.enabled;
        self.limits = limits(&config.errors);
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let says = match self.by_program.get(&seen.kind.program) {
            _ if !self.enabled => "is switched off".to_owned(),
            _ if seen.kind.level > Level::Err => "only lines at err or worse are counted".to_owned(),
            None => "this program logged no error yet".to_owned(),
            Some(meter) => {
                format!("errors of this program: {}", rate::explain(&self.spikes, *meter, seen.time, self.limits))
            }
        };
        vec![View { detector: NAME, says, finds: false }]
    }
}

fn limits(config: &Config) -> Limits {
    Limits { least: config.least.max(2), factor: 5.0, lines: 1 }
}

#[cfg(test)]
mod tests {
    use super::super::script::Script;
    use super::*;

    /// One error a minute for so long, then `burst` of three kinds within a minute; expected: bursts said.
    #[track_caller]
    fn check(minutes: i64, burst: i64, expected: usize) {
        let mut script = Script::new();
        for minute in 0..minutes {
            script.say(minute * 60, "/var/log/app", Level::Err, "app: cannot read");
        }
        for line in 0..burst {
            let kind = ["cannot read", "cannot write", "cannot sync"][line as usize % 3];
            script.say(minutes * 60 + line * 59 / burst, "/var/log/app", Level::Err, &format!("app: {kind}"));
        }
        let said = script.said(NAME);
        assert_eq!(said.len(), expected, "{said:?}");
        // Worse than a note from fifty lines on.
        assert_eq!(said.iter().any(|said| said == "medium: Burst of errors from app"), expected == 3, "{said:?}");
        let others: Vec<String> = script.said("rate").into_iter().filter(|said| said.contains("of a kind")).collect();
        assert_eq!(others, Vec::<String>::new(), "errors are counted by program");
    }

    #[test]
    fn bursts() {
        check(60, 5, 0);
        check(60, 30, 1);
        check(60, 90, 3);
        // The first errors ever are new kinds, not a burst.
        check(0, 90, 0);
    }
}
