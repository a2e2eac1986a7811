//! Five minutes that are unlike the others, taken as a whole: how many lines, of how many kinds, how bad, how even. The
//! machine-learning part of the original system: features of a window, an isolation forest over them, a contamination.
//! Proposes `low`: that a time is unlike others says where to look, not that something is wrong.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::forest::Forest;
use super::{Detector, MeterId, Minute, Of, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, Level, Severity, Timestamp};

pub const NAME: &str = "windows";

/// Length of a window.
const SECONDS: i64 = 300;
/// Windows kept: three and a half days.
const KEPT: usize = 1_000;
/// Windows that must be known before one can be odd: twelve hours.
const ENOUGH: usize = 144;
/// The forest learns anew after so many windows.
const RELEARN: usize = 12;
/// What a score must be to stand apart at all.
const LEAST_SCORE: f64 = 0.62;

/// `[detect.windows]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
    /// Share of all windows that are expected to be odd, 0..1. Default 0.005.
    pub contamination: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true, contamination: 0.005 }
    }
}

/// What is measured of a window; counts as logarithms, because they grow by factors.
const FEATURES: [&str; 8] = [
    "lines",
    "kinds of lines",
    "kinds never seen before",
    "share of lines at err or worse",
    "share of warnings",
    "entropy of kinds in bits",
    "share of the most frequent kind",
    "busiest minute against the average",
];
const COUNT: usize = FEATURES.len();
/// The first so many are logarithms.
const LOGARITHMS: usize = 3;

type Point = [f64; COUNT];

pub struct Windows {
    config: Config,
    known: VecDeque<Point>,
    forest: Option<Forest<COUNT>>,
    /// Score above which a window is odd.
    bar: f64,
    /// Windows since the forest learned.
    since: usize,
    open: Option<Open>,
    /// Meters are numbered as they come: those from here on never spoke.
    next: u32,
    /// The host of the newest line.
    host: Arc<str>,
    learned: bool,
    changed: bool,
}

/// The window that minutes are added to.
#[derive(Debug, Default)]
struct Open {
    start: i64,
    /// Lines of each kind.
    counts: BTreeMap<MeterId, (Level, u64)>,
    new_kinds: u64,
    minutes: u64,
    busiest: u64,
}

/// Versioned: add fields, never change one.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    learned: bool,
    next: u32,
    known: Vec<Vec<f32>>,
}

const VERSION: u32 = 1;

impl Windows {
    pub fn new(config: &Config) -> Windows {
        Windows {
            config: config.clone(),
            known: VecDeque::new(),
            forest: None,
            bar: 1.0,
            since: 0,
            open: None,
            next: 0,
            host: Arc::from(""),
            learned: false,
            changed: false,
        }
    }

    /// Judges the window that is over, and learns it.
    fn close(&mut self, out: &mut Vec<Finding>) {
        let Some(open) = self.open.take() else { return };
        let point = open.point();
        if self.known.len() >= ENOUGH && (self.forest.is_none() || self.since >= RELEARN) {
            self.learn();
        }
        if self.learned && self.is_worth_a_look(&point) {
            let points: Vec<Point> = self.known.iter().copied().collect();
            let forest = Forest::around(&points, &point, points.len() as u64);
            let score = forest.score(&point);
            if score > self.bar {
                let drivers = self.drivers(&forest, &point, score);
                out.push(self.finding(&open, score, &drivers));
            }
        }
        self.since += 1;
        if self.known.len() >= KEPT {
            self.known.pop_front();
        }
        self.known.push_back(point);
        self.changed = true;
    }

    /// The forest at hand finds it odd, or some feature was never so small or so large: then a forest of its own is grown.
    fn is_worth_a_look(&self, point: &Point) -> bool {
        let Some(forest) = &self.forest else { return false };
        let beyond = point.iter().enumerate().any(|(feature, value)| {
            let known = || self.known.iter().filter_map(|point| point.get(feature));
            known().all(|known| known < value) || known().all(|known| known > value)
        });
        beyond || forest.score(point) > self.bar
    }

    /// A new forest, and the score that only the contamination is above.
    fn learn(&mut self) {
        let points: Vec<Point> = self.known.iter().copied().collect();
        let forest = Forest::new(&points, points.len() as u64);
        let mut scores: Vec<f64> = points.iter().map(|point| forest.score(point)).collect();
        scores.sort_by(f64::total_cmp);
        let share = (1.0 - self.config.contamination.clamp(0.0, 0.5)) * scores.len() as f64;
        let bar = scores.get((share as usize).min(scores.len().saturating_sub(1))).copied().unwrap_or(1.0);
        self.bar = bar.max(LEAST_SCORE);
        self.forest = Some(forest);
        self.since = 0;
    }

    /// Features without which the score would be lower, most important first: name, value, median of the others.
    fn drivers(&self, forest: &Forest<COUNT>, point: &Point, score: f64) -> Vec<String> {
        let mut drops: Vec<(f64, String)> = FEATURES
            .iter()
            .enumerate()
            .filter_map(|(feature, name)| {
                let mut values: Vec<f64> = self.known.iter().filter_map(|point| point.get(feature).copied()).collect();
                values.sort_by(f64::total_cmp);
                let median = values.get(values.len() / 2).copied()?;
                let mut usual = *point;
                let value = std::mem::replace(usual.get_mut(feature)?, median);
                let shown = |value: f64| {
                    if feature < LOGARITHMS { format!("{:.0}", value.exp_m1()) } else { format!("{value:.2}") }
                };
                let drop = score - forest.score(&usual);
                (drop > 0.01).then(|| (drop, format!("{name} {} (usually {})", shown(value), shown(median))))
            })
            .collect();
        drops.sort_by(|one, other| other.0.total_cmp(&one.0));
        drops.into_iter().take(3).map(|(_, text)| text).collect()
    }

    fn finding(&self, open: &Open, score: f64, drivers: &[String]) -> Finding {
        let start = Timestamp::from_seconds(open.start);
        let what = if drivers.is_empty() { "all features together".to_owned() } else { drivers.join(", ") };
        Finding {
            judged_by: JudgedBy::Detector(NAME.into()),
            category: Category::Other,
            proposed: Severity::Low,
            confidence: 0.4,
            verdict: None,
            title: "Five minutes unlike the others".to_owned(),
            reason: format!(
                "isolation score {score:.2} (odd above {:.2}, over {} windows), mostly for: {what}",
                self.bar,
                self.known.len()
            ),
            remediation: vec![
                format!("Look at what was logged from {start} on for five minutes"),
                "Look for what changed just before: an upgrade, a restart, a new load".to_owned(),
            ],
            host: Arc::clone(&self.host),
            program: Arc::from(""),
            unit: None,
            level: Level::Info,
            kind: None,
            template: None,
            template_text: String::new(),
            group: "window".to_owned(),
            count: open.counts.values().fold(0, |sum, (_, count)| sum + count),
            first_seen: start,
            last_seen: Timestamp::from_seconds(open.start.saturating_add(SECONDS)),
            evidence: Vec::new(),
            learning: false,
        }
    }
}

impl Open {
    fn point(&self) -> Point {
        let lines: u64 = self.counts.values().map(|(_, count)| count).sum();
        let all = (lines as f64).max(1.0);
        let share = |wanted: fn(Level) -> bool| {
            self.counts
                .values()
                .filter(|(level, _)| wanted(*level))
                .map(|(_, count)| *count as f64)
                .fold(0.0, |sum, count| sum + count)
                / all
        };
        let entropy: f64 = self
            .counts
            .values()
            .map(|(_, count)| *count as f64 / all)
            .filter(|share| *share > 0.0)
            .map(|share| -share * share.log2())
            .sum();
        let most = self.counts.values().map(|(_, count)| *count).max().unwrap_or(0);
        [
            (lines as f64).ln_1p(),
            (self.counts.len() as f64).ln_1p(),
            (self.new_kinds as f64).ln_1p(),
            share(|level| level <= Level::Err),
            share(|level| level == Level::Warning),
            entropy,
            most as f64 / all,
            self.busiest as f64 * self.minutes.max(1) as f64 / all,
        ]
    }
}

impl Detector for Windows {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        if *self.host != **seen.host {
            self.host = Arc::clone(seen.host);
        }
        Want::default()
    }

    fn line(&mut self, _: &Seen<'_>, _: &mut Vec<Finding>) -> bool {
        false
    }

    fn minute(&mut self, minute: &Minute<'_>, out: &mut Vec<Finding>) {
        if !self.config.enabled {
            return;
        }
        let start = minute.start.as_seconds().div_euclid(SECONDS).saturating_mul(SECONDS);
        if self.open.as_ref().is_some_and(|open| open.start != start) {
            self.close(out);
        }
        let open = self.open.get_or_insert_with(|| Open { start, ..Open::default() });
        let mut lines = 0;
        for spoke in minute.spoke {
            let Of::Kind(_) = spoke.of else { continue };
            lines += u64::from(spoke.count);
            if spoke.meter.0 >= self.next {
                open.new_kinds += 1;
            }
            open.counts.entry(spoke.meter).or_insert((spoke.level, 0)).1 += u64::from(spoke.count);
        }
        let newest = minute.spoke.iter().map(|spoke| spoke.meter.0.saturating_add(1)).max();
        self.next = self.next.max(newest.unwrap_or(0));
        open.minutes += 1;
        open.busiest = open.busiest.max(lines);
    }

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {
        self.changed |= !self.learned;
        self.learned = true;
    }

    fn settle(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        // Three digits behind the point tell windows apart.
        let round = |value: &f64| ((value * 1_000.0).round() / 1_000.0) as f32;
        let known = self.known.iter().map(|point| point.iter().map(round).collect()).collect();
        serde_json::to_string(&Saved { version: VERSION, learned: self.learned, next: self.next, known }).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        (self.learned, self.next) = (saved.learned, saved.next);
        let points = saved.known.into_iter().rev().take(KEPT).filter_map(|point| {
            let values: Vec<f64> = point.into_iter().map(f64::from).collect();
            Point::try_from(values).ok()
        });
        self.known = points.collect();
        self.known.make_contiguous().reverse();
        Ok(())
    }

    fn reload(&mut self, config: &super::Config) {
        self.config = config.windows.clone();
        // The bar follows the contamination.
        self.since = RELEARN;
    }

    fn explain(&self, _: &Seen<'_>) -> Vec<View> {
        let says = match self.forest {
            Some(_) => format!("five minutes are odd above an isolation score of {:.2}", self.bar),
            None => format!("{} windows of five minutes are known; it takes {ENOUGH}", self.known.len()),
        };
        vec![View { detector: NAME, says, finds: false }]
    }
}
