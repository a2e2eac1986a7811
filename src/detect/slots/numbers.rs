//! A number far beyond all others in its place: a request that took a minute, a queue of a million. Knows a place by the
//! median and the spread of its values (median absolute deviation, Hampel 1974, on a logarithmic scale, because what is
//! measured in logs grows by factors). One is `low`; many in a row are `medium`.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::align::{MAX_PLACES, Places};
use super::sample::Sample;
use crate::detect::keyed::Keyed;
use crate::detect::recent::Recent;
use crate::detect::repeat::{Repeat, Report, apart};
use crate::detect::wording::{self, Claim};
use crate::detect::{Detector, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, KindId, Period, Phase, Severity, Timestamp};

pub const NAME: &str = "outlier";

/// Kinds watched at a time.
const KINDS: usize = 2_048;
/// Values kept of a place: enough for a median, and for what a hundredth of the values is beyond.
const KEPT: usize = 200;
/// Of a sample of normal values, the standard deviation is so many times the median absolute deviation.
const TO_DEVIATION: f64 = 1.4826;
/// Spread that any place is granted, as a logarithm: a fifth up or down is nothing.
const LEAST_DEVIATION: f64 = 0.2;
/// So many deviations beyond the median ...
const FAR: f64 = 6.0;
/// ... and so many times the largest value known.
const TIMES_LARGEST: f64 = 3.0;
/// Outliers of one place within `repeat` that make it more than one odd line.
const MANY: usize = 4;
/// Where so large a share of the values is larger than the one before, something is counted up.
const RISING: f64 = 0.8;
/// Where the values spread wider than this, as a logarithm, they are names and not measures: nothing is far.
const WIDEST: f64 = 1.5;

/// `[detect.outlier]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true }
    }
}

pub struct Numbers {
    enabled: bool,
    repeat: Period,
    kinds: Recent<KindId, Watched, Keyed>,
    changed: bool,
    learned: bool,
}

#[derive(Debug)]
struct Watched {
    places: Places,
    sample: Sample,
    numbers: Vec<Option<Place>>,
}

/// What is known of the numbers in one place.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// The last values that were no outliers, as logarithms.
    kept: VecDeque<f32>,
    seen: u64,
    /// Largest value ever, outliers included once they are many.
    largest: f64,
    last: f64,
    /// Values larger than the one before them.
    rises: u64,
    #[serde(skip)]
    settled: Option<Settled>,
    #[serde(skip)]
    outliers: VecDeque<Timestamp>,
    #[serde(skip)]
    repeat: Option<Repeat>,
}

/// Median and deviation of the values kept, computed anew every so often.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Settled {
    median: f64,
    deviation: f64,
    at: u64,
}

/// Versioned: add fields, never change one.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    learned: bool,
    kinds: BTreeMap<KindId, SavedKind>,
}

#[derive(Serialize, Deserialize)]
struct SavedKind {
    template: String,
    numbers: Vec<Option<Place>>,
}

const VERSION: u32 = 1;

impl Numbers {
    pub fn new(config: &Config, repeat: Period) -> Numbers {
        Numbers { enabled: config.enabled, repeat, kinds: Recent::new(KINDS), changed: false, learned: false }
    }
}

impl Watched {
    fn new(template: &str) -> Watched {
        let places = Places::of(template);
        let measured = |mask: &str| matches!(mask, "<NUM>" | "<SIZE>" | "<DUR>");
        let numbers = places.places.iter().map(|place| measured(&place.mask).then(Place::default)).collect();
        Watched { places, sample: Sample::default(), numbers }
    }

    fn wanted(&self) -> u8 {
        (0..MAX_PLACES)
            .filter(|place| matches!(self.numbers.get(*place), Some(Some(_))))
            .fold(0, |bits, place| bits | 1 << place)
    }
}

/// How far a value is from the others.
struct Far {
    deviations: f64,
    median: f64,
    largest: f64,
}

impl Place {
    /// How far out a value is, when it is.
    fn judge(&mut self, value: f64) -> Option<Far> {
        if self.kept.len() < KEPT {
            return None;
        }
        let settled = match self.settled.filter(|settled| self.seen - settled.at < KEPT as u64) {
            Some(settled) => settled,
            None => {
                let median = median(self.kept.iter().map(|value| f64::from(*value)).collect());
                let spread = median_of_distances(&self.kept, median);
                let deviation = (spread * TO_DEVIATION).max(LEAST_DEVIATION);
                *self.settled.insert(Settled { median, deviation, at: self.seen })
            }
        };
        if value <= self.largest * TIMES_LARGEST {
            return None;
        }
        let deviations = (scale(value) - settled.median) / settled.deviation;
        (deviations >= FAR).then(|| Far { deviations, median: settled.median.exp_m1(), largest: self.largest })
    }

    /// Numbers that measure nothing: process ids, ports, counters.
    fn is_hopeless(&self) -> bool {
        let rising = self.seen >= KEPT as u64 && self.rises as f64 / self.seen as f64 > RISING;
        rising || self.settled.is_some_and(|settled| settled.deviation > WIDEST)
    }

    fn learn(&mut self, value: f64) {
        self.seen += 1;
        self.rises += u64::from(value > self.last);
        self.last = value;
        self.largest = self.largest.max(value);
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(scale(value) as f32);
    }
}

/// Values from zero to the largest there are, on a scale where a factor is a distance.
fn scale(value: f64) -> f64 {
    value.max(0.0).ln_1p()
}

fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

fn median_of_distances(kept: &VecDeque<f32>, from: f64) -> f64 {
    median(kept.iter().map(|value| (f64::from(*value) - from).abs()).collect())
}

/// Units, and how many base units one is. What is none of them counts as it is.
const UNITS: &[(&str, f64)] = &[
    ("ns", 1e-9),
    ("us", 1e-6),
    ("\u{b5}s", 1e-6),
    ("ms", 1e-3),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3_600.0),
    ("d", 86_400.0),
    ("k", 1_024.0),
    ("kb", 1_024.0),
    ("kib", 1_024.0),
    ("mb", 1_048_576.0),
    ("g", 1_073_741_824.0),
    ("gb", 1_073_741_824.0),
    ("gib", 1_073_741_824.0),
    ("t", 1_099_511_627_776.0),
    ("tb", 1_099_511_627_776.0),
    ("tib", 1_099_511_627_776.0),
];

/// The number a value begins with, in its base unit: seconds, bytes, or as it is.
fn number(value: &str) -> Option<f64> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let end = value.bytes().take_while(|byte| is_part(byte)).count();
    let digits = value.get(..end)?;
    let number = match plain(digits.as_bytes()) {
        Some(number) => number,
        None => digits.parse().ok()?,
    };
    if end == value.len() {
        return Some(number).filter(|number| number.is_finite());
    }
    let unit = value.get(end..)?.trim_start();
    let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map_or(1.0, |(_, factor)| *factor);
    Some(number * factor).filter(|number| number.is_finite())
}

/// Up to fifteen digits, one point among them at most. The same as `parse`: number and power of ten are exact, so their
/// quotient is rounded once.
fn plain(digits: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let mut number = 0u64;
    let mut behind = None;
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + u64::from(byte - b'0');
                behind = behind.map(|digits: usize| digits + 1);
            }
            b'.' if behind.is_none() && digits.len() > 1 => behind = Some(0),
            _ => return None,
        }
    }
    Some(number as f64 / POWERS.get(behind.unwrap_or(0))?)
}

impl Detector for Numbers {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        let measured = ["<NUM>", "<DUR>", "<SIZE>"].iter().any(|mask| seen.template_text.contains(mask));
        if !self.enabled || !measured {
            return Want::default();
        }
        let places = Places::of(seen.template_text);
        let watched = self.kinds.entry(seen.kind_id, || Watched::new(seen.template_text));
        if watched.places.is_like(&places) {
            watched.places = places;
        } else {
            *watched = Watched::new(seen.template_text);
        }
        Want { lines: !watched.places.is_empty() && watched.wanted() != 0, claim: false }
    }

    fn line(&mut self, seen: &Seen<'_>, out: &mut Vec<Finding>) -> bool {
        let watched = self.kinds.entry(seen.kind_id, || Watched::new(seen.template_text));
        if !watched.sample.takes(seen.time) {
            return true;
        }
        let mut found: [Option<f64>; MAX_PLACES] = [None; MAX_PLACES];
        watched.places.values(seen.message, seen.words, watched.wanted(), |place, value| {
            if let Some(slot) = found.get_mut(place) {
                *slot = number(value);
            }
        });
        for (place, value) in found.iter().enumerate().filter_map(|(place, value)| Some((place, (*value)?))) {
            let Some(Some(known)) = watched.numbers.get_mut(place) else { continue };
            self.changed |= known.kept.len() < KEPT;
            let Some(far) = known.judge(value).filter(|_| !known.is_hopeless()) else {
                known.learn(value);
                if known.is_hopeless() {
                    self.changed = true;
                    if let Some(place) = watched.numbers.get_mut(place) {
                        *place = None;
                    }
                }
                continue;
            };
            if seen.phase == Phase::Learn || !self.learned {
                known.learn(value);
                continue;
            }
            known.outliers.retain(|at| apart(*at, seen.time) <= self.repeat.0);
            known.outliers.push_back(seen.time);
            let many = known.outliers.len();
            if many > MANY {
                // So it is from now on.
                known.learn(value);
            }
            let report = match &mut known.repeat {
                Some(repeat) if !repeat.over(seen.time, self.repeat.0) => repeat.line(seen.time, self.repeat.0),
                repeat => {
                    let first = Report { count: 1, first: seen.time, last: seen.time };
                    *repeat = Some(Repeat::new(first));
                    Some(first)
                }
            };
            if let Some(report) = report {
                out.push(finding(seen, watched, place, value, &far, many, report));
            }
        }
        watched.wanted() != 0
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
        let known = |place: &Place| place.kept.len() >= KEPT;
        let kinds = self
            .kinds
            .iter()
            .filter(|(_, watched)| watched.numbers.iter().flatten().any(known))
            .map(|(kind, watched)| {
                (*kind, SavedKind { template: watched.places.text(), numbers: watched.numbers.clone() })
            })
            .collect();
        serde_json::to_string(&Saved { version: VERSION, learned: self.learned, kinds }).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        self.learned = saved.learned;
        for (kind, saved) in saved.kinds.into_iter().take(KINDS / 2) {
            let mut watched = Watched::new(&saved.template);
            if watched.numbers.len() == saved.numbers.len() {
                watched.numbers = saved.numbers;
                self.kinds.entry(kind, || watched);
            }
        }
        Ok(())
    }

    fn reload(&mut self, config: &crate::detect::Config) {
        self.enabled = config.outlier.enabled;
        self.repeat = config.repeat;
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let mut finds = false;
        let mut says = Vec::new();
        if let Some(watched) = self.kinds.peek(&seen.kind_id) {
            watched.places.values(seen.message, seen.words, watched.wanted(), |place, value| {
                let (Some(Some(known)), Some(number)) = (watched.numbers.get(place), number(value)) else { return };
                let far = known.clone().judge(number);
                finds |= far.is_some();
                let name = name(watched, place);
                says.push(match far {
                    Some(far) => format!(
                        "{number} behind `{name}` is {:.0} deviations beyond the median {:.1}",
                        far.deviations, far.median
                    ),
                    None => format!("{number} behind `{name}` is no outlier among {} values", known.seen),
                });
            });
        }
        let says = if says.is_empty() { "no number of it is watched".to_owned() } else { says.join("; ") };
        vec![View { detector: NAME, says, finds }]
    }
}

fn name(watched: &Watched, place: usize) -> String {
    watched.places.places.get(place).map_or_else(String::new, |place| wording::inline(&place.name, 80))
}

fn finding(
    seen: &Seen<'_>,
    watched: &Watched,
    place: usize,
    value: f64,
    far: &Far,
    many: usize,
    report: Report,
) -> Finding {
    let name = name(watched, place);
    let claim = Claim {
        judged_by: JudgedBy::Detector(NAME.into()),
        category: Category::Performance,
        proposed: if many >= MANY { Severity::Medium } else { Severity::Low },
        confidence: 0.5,
        title: format!("A number of {} is far beyond the others", wording::program(&seen.kind.program)),
        reason: format!(
            "{value} behind `{name}`: the median is {:.1}, the largest so far {}, so {:.0} deviations off; {many} such lines lately{}",
            far.median,
            far.largest,
            far.deviations,
            watched.sample.says()
        ),
        remediation: vec!["Look at what else happened at that time.".to_owned()],
        group: format!("{} {name}", seen.kind_id),
    };
    let finding = wording::finding(seen, report, claim);
    // It is about the number: other lines of the kind are as usual.
    Finding { kind: None, template: None, ..finding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<f64>) {
        assert_eq!(number(value), expected);
    }

    #[test]
    fn numbers_have_units() {
        check("12", Some(12.0));
        check("1.5s", Some(1.5));
        check("250ms", Some(0.25));
        check("4.0K", Some(4_096.0));
        check("-3", Some(-3.0));
        check("x", None);
        check("", None);
        check("1.2.3", None);
    }

    #[test]
    fn short_numbers_are_what_the_standard_library_makes_of_them() {
        for digits in
            ["7", "007", "0.1", "3.14159", "5.", ".5", "999999999999999", "0.00000000000001", "123456.789012345"]
        {
            assert_eq!(plain(digits.as_bytes()), digits.parse().ok().filter(|_| digits.len() <= 15), "{digits}");
        }
        for other in ["", ".", "..", "-1", "1.2.3", "1e5", "1000000000000000"] {
            assert_eq!(plain(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn far_is_far_by_both_measures() {
        let mut place = Place::default();
        for number in 0..KEPT {
            assert!(place.judge(1e9).is_none(), "too few");
            place.learn(100.0 + (number * 7 % 10) as f64);
        }
        assert!(place.judge(300.0).is_none());
        let far = place.judge(50_000.0).expect("far");
        assert!(far.deviations > FAR && far.largest == 109.0);
        assert!(!place.is_hopeless());
        let mut counter = Place::default();
        (0..2 * KEPT).for_each(|number| counter.learn(number as f64));
        assert!(counter.is_hopeless());
    }
}
