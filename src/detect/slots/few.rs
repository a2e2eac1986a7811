//! A value that was never seen in a place where only few values are used: a new user of `sudo`, a new address that logs
//! in, a new exit status. Learns which places have few values; proposes `low` but where access is granted.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::align::{MAX_PLACES, Places};
use super::sample::Sample;
use crate::detect::keyed::Keyed;
use crate::detect::recent::Recent;
use crate::detect::wording::{self, Claim};
use crate::detect::{Detector, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, KindId, Phase, Severity, Timestamp};

pub const NAME: &str = "new-value";

/// Kinds watched at a time.
const KINDS: usize = 2_048;
/// Values of a place that has few; one more and it has many.
const FEW: usize = 8;
/// Lines of a kind after which its places are known.
const LEARN_LINES: u32 = 200;
/// Lines of a kind after which what was learned of it is kept over a restart.
const LEAST_LINES: u32 = 10;
/// Each known value was seen so many times on average: a place that still finds its values has no few.
const TIMES_EACH: u32 = 25;
/// New values said of one place before it is known to have many.
const MAX_NEWS: u8 = 3;
const VALUE_BYTES: usize = 80;

/// `[detect.new_value]` of the config.
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

pub struct Few {
    enabled: bool,
    kinds: Recent<KindId, Watched, Keyed>,
    /// Known values and settled places since the last save.
    changed: bool,
    /// The baseline is complete.
    learned: bool,
}

/// One kind and the places that may have few values.
#[derive(Debug)]
struct Watched {
    places: Places,
    sample: Sample,
    /// Lines looked at while learning.
    lines: u32,
    /// Hashes of the values of each place and how often each was seen, in order of first sight. `None`: it has many.
    values: Vec<Option<Vec<(u64, u32)>>>,
    news: [u8; MAX_PLACES],
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
    lines: u32,
    values: Vec<Option<Vec<(u64, u32)>>>,
}

const VERSION: u32 = 1;

impl Few {
    pub fn new(config: &Config) -> Few {
        Few { enabled: config.enabled, kinds: Recent::new(KINDS), changed: false, learned: false }
    }
}

impl Watched {
    fn new(template: &str) -> Watched {
        let places = Places::of(template);
        // Times, sizes and durations are measured, not chosen.
        let chosen = |mask: &str| !matches!(mask, "<TIME>" | "<SIZE>" | "<DUR>");
        let values = places.places.iter().map(|place| chosen(&place.mask).then(Vec::new)).collect();
        Watched { places, sample: Sample::default(), lines: 0, values, news: [0; MAX_PLACES] }
    }

    /// Places that may have few values, as bits.
    fn wanted(&self) -> u8 {
        (0..MAX_PLACES)
            .filter(|place| matches!(self.values.get(*place), Some(Some(_))))
            .fold(0, |bits, place| bits | 1 << place)
    }

    /// Whether a new value in this place would be news.
    fn is_settled(&self, values: &[(u64, u32)]) -> bool {
        let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
        self.lines >= LEARN_LINES && self.lines >= count.saturating_mul(TIMES_EACH)
    }
}

impl Detector for Few {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        if !self.enabled || !seen.template_text.contains('<') {
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
        let wanted = watched.wanted();
        let mut found: [Option<&str>; MAX_PLACES] = [None; MAX_PLACES];
        watched.places.values(seen.message, seen.words, wanted, |place, value| {
            if let Some(slot) = found.get_mut(place) {
                *slot = Some(value);
            }
        });
        watched.lines = watched.lines.saturating_add(1);
        for (place, value) in found.iter().enumerate().filter_map(|(place, value)| Some((place, (*value)?))) {
            let Some(Some(values)) = watched.values.get(place) else { continue };
            let hash = xxh3_64(value.as_bytes());
            let settled = watched.is_settled(values);
            let known = values.iter().position(|(known, _)| *known == hash);
            if known.is_none() && settled && seen.phase == Phase::Live && self.learned {
                out.push(finding(seen, watched, place, value, values));
                if let Some(news) = watched.news.get_mut(place) {
                    *news += 1;
                }
            }
            let many = known.is_none()
                && (values.len() >= FEW || watched.news.get(place).is_some_and(|news| *news >= MAX_NEWS));
            let Some(slot) = watched.values.get_mut(place) else { continue };
            match (slot.as_mut(), known) {
                _ if many => *slot = None,
                (Some(values), Some(at)) => {
                    if let Some((_, count)) = values.get_mut(at) {
                        *count = count.saturating_add(1);
                    }
                }
                (Some(values), None) => values.push((hash, 1)),
                (None, _) => {}
            }
            // A kind that is seldom said learns over many runs.
            let learns = watched.lines <= LEARN_LINES && watched.lines.is_multiple_of(LEAST_LINES);
            self.changed |= known.is_none() || learns;
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
        let kinds = self
            .kinds
            .iter()
            .filter(|(_, watched)| watched.lines >= LEAST_LINES && watched.wanted() != 0)
            .map(|(kind, watched)| {
                let saved =
                    SavedKind { template: watched.places.text(), lines: watched.lines, values: watched.values.clone() };
                (*kind, saved)
            })
            .collect();
        serde_json::to_string(&Saved { version: VERSION, learned: self.learned, kinds }).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        self.learned = saved.learned;
        for (kind, saved) in saved.kinds.into_iter().take(KINDS / 2) {
            let mut watched = Watched::new(&saved.template);
            if watched.values.len() == saved.values.len() {
                (watched.lines, watched.values) = (saved.lines, saved.values);
                self.kinds.entry(kind, || watched);
            }
        }
        Ok(())
    }

    fn reload(&mut self, config: &crate::detect::Config) {
        self.enabled = config.new_value.enabled;
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let mut finds = false;
        let says = match self.kinds.peek(&seen.kind_id) {
            None => "no place of it is watched".to_owned(),
            Some(watched) => {
                let mut says = Vec::new();
                watched.places.values(seen.message, seen.words, watched.wanted(), |place, value| {
                    let Some(Some(values)) = watched.values.get(place) else { return };
                    let known = values.iter().any(|(known, _)| *known == xxh3_64(value.as_bytes()));
                    let settled = watched.is_settled(values);
                    finds |= settled && !known && self.learned;
                    says.push(format!(
                        "{} is {} behind `{}`, where {} values are known from {} lines{}",
                        wording::inline(value, VALUE_BYTES),
                        if known { "known" } else { "new" },
                        name(watched, place),
                        values.len(),
                        watched.lines,
                        if settled { "" } else { " (too few to tell)" },
                    ));
                });
                if says.is_empty() { "every place of it has many values, or none".to_owned() } else { says.join("; ") }
            }
        };
        vec![View { detector: NAME, says, finds }]
    }
}

fn name(watched: &Watched, place: usize) -> String {
    watched.places.places.get(place).map_or_else(String::new, |place| wording::inline(&place.name, VALUE_BYTES))
}

/// Who says that somebody was let in.
fn grants_access(seen: &Seen<'_>) -> bool {
    let template = seen.template_text;
    matches!(&*seen.kind.program, "sudo" | "su" | "doas" | "pkexec" | "login")
        || ["Accepted ", "session opened for user", "logged in", "login succeeded", "New session"]
            .iter()
            .any(|words| template.contains(words))
}

fn finding(seen: &Seen<'_>, watched: &Watched, place: usize, value: &str, values: &[(u64, u32)]) -> Finding {
    let access = grants_access(seen);
    let value = wording::inline(value, VALUE_BYTES);
    let name = name(watched, place);
    let claim = Claim {
        judged_by: JudgedBy::Detector(NAME.into()),
        category: if access { Category::Security } else { Category::Other },
        proposed: if access { Severity::Medium } else { Severity::Low },
        confidence: 0.6,
        title: format!("A new value in lines of {}", wording::program(&seen.kind.program)),
        reason: format!(
            "{value} behind `{name}` is new: {} other{} in {} lines before it{}",
            match values.len() {
                1 => "one".to_owned(),
                many => many.to_string(),
            },
            if values.len() == 1 { " value" } else { " values" },
            watched.lines.saturating_sub(1),
            watched.sample.says()
        ),
        remediation: vec![if access {
            format!("Ask who {value} is and whether the access is wanted")
        } else {
            "If it is expected nothing is to be done: it is known from now on".to_owned()
        }],
        group: format!("{} {name} {value}", seen.kind_id),
    };
    let finding = wording::finding(seen, wording::once(seen), claim);
    // It is about the value: other lines of the kind are as usual.
    Finding { kind: None, template: None, program: Arc::clone(&seen.kind.program), ..finding }
}
