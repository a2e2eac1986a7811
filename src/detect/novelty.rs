//! A kind of line this host never logged before. Silent while the baseline is learned; proposes `low`, because new is not
//! yet bad: it takes a rule, a level, a rate or a verdict to rise.

use serde::{Deserialize, Serialize};

use super::difference::marked;
use super::news::News;
use super::wording::{self, Claim};
use super::{Detector, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, Period, Severity, Timestamp};

pub const NAME: &str = "novelty";

/// Longest marked difference in a reason.
const DIFFERENCE_BYTES: usize = 400;

/// `[detect.novelty]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
    /// New kinds of one program within `within` that are reported one by one; the rest as one finding. Default 10.
    pub alone: u32,
    /// Default 10 m.
    pub within: Period,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true, alone: 10, within: Period::from_secs(600) }
    }
}

pub struct Novelty {
    enabled: bool,
    news: News,
}

impl Novelty {
    pub fn new(config: &Config) -> Novelty {
        Novelty { enabled: config.enabled, news: News::new(config.alone, config.within, folded) }
    }
}

impl Detector for Novelty {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, claimed: bool, out: &mut Vec<Finding>) -> Want {
        if !self.enabled || claimed || !seen.new_template {
            return Want { lines: self.news.waits(seen.kind_id), claim: false };
        }
        let title = format!("New kind of line from {}", wording::program(&seen.kind.program));
        let finding = wording::finding(seen, wording::once(seen), claim(title, reason(seen), String::new()));
        let lines = self.news.say(seen, finding, out);
        Want { lines, claim: false }
    }

    fn line(&mut self, seen: &Seen<'_>, _: &mut Vec<Finding>) -> bool {
        self.news.line(seen)
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
        self.enabled = config.novelty.enabled;
        self.news.limit(config.novelty.alone, config.novelty.within);
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let says = match (seen.new_template, self.news.learned()) {
            (true, true) => reason(seen),
            (true, false) => format!("{}; the baseline is still being learned", reason(seen)),
            (false, _) => {
                let other = seen.nearest.map(|nearest| marked(nearest, seen.template_text));
                let other = other.map_or("no other template comes near".to_owned(), |difference| {
                    format!("against the nearest other template: {}", wording::inline(&difference, DIFFERENCE_BYTES))
                });
                format!("this program has said this {} times; {other}", seen.count)
            }
        };
        vec![View { detector: NAME, says, finds: self.enabled && seen.new_template && self.news.learned() }]
    }
}

fn reason(seen: &Seen<'_>) -> String {
    match seen.nearest {
        Some(nearest) => {
            let difference = wording::inline(&marked(nearest, seen.template_text), DIFFERENCE_BYTES);
            format!("never seen before; against the nearest known template: {difference}")
        }
        None => "never seen before, and no known template comes near".to_owned(),
    }
}

fn folded(program: &str, count: u64) -> Claim {
    let program = wording::program(program);
    claim(
        format!("Many new kinds of line from {program}"),
        format!("{count} more new kinds of line, beyond those reported one by one; an upgrade or a new component?"),
        "wave".to_owned(),
    )
}

fn claim(title: String, reason: String, group: String) -> Claim {
    Claim {
        judged_by: JudgedBy::Detector(NAME.into()),
        category: Category::Other,
        proposed: Severity::Low,
        confidence: 0.5,
        title,
        reason,
        remediation: vec![
            "Read the line; if it is ordinary, nothing is to be done: it is known from now on".to_owned(),
            "Look for what changed just before: an upgrade, a restart, a new configuration".to_owned(),
        ],
        group,
    }
}
