//! A kind that the model called harmless once and odd when frequent: its verdict as a condition that is tested here, for
//! nothing, from then on. The model is not asked again.
//!
//! The condition: more than three times (and at least ten lines more than) the busiest ten minutes so far. What is usual
//! is taken from the kind's history at the time of the verdict and from the first whole window after it, which only
//! teaches. Values of a kind are the business of `outlier` and `new-value`.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::wording::{self, Claim};
use super::{Config, Detector, Seen, View, Want};
use crate::detect::repeat::Report;
use crate::model::{Category, Finding, JudgedBy, KindId, Phase, Severity, Timestamp};

pub const NAME: &str = "watched";

/// Length of a window, in seconds.
const WINDOW: u64 = 600;
/// So many times the busiest window is odd,
const TIMES: u64 = 3;
/// if it is so many lines more, too.
const LEAST: u64 = 10;
/// No more kinds than this are watched; a host has a few dozen.
const MOST: usize = 8_192;

/// What the model said of a kind, as far as it matters here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Watch {
    pub severity: Severity,
    pub category: Category,
    pub confidence: f32,
    /// Who said so.
    pub model: String,
    /// The model's prose, cleaned. Untrusted.
    pub reason: String,
    pub remediation: Vec<String>,
    /// Lines in ten minutes that are usual, by all that is known of the kind.
    pub usual: u64,
}

/// One watched kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Watched {
    watch: Watch,
    /// Most lines of one window.
    busiest: u64,
    /// Start of the window, in seconds since the epoch.
    window: i64,
    first: Timestamp,
    lines: u64,
    /// Windows that only teach.
    teaching: u8,
    /// Said in this window, at so many lines.
    said: u64,
}

impl Watched {
    /// Lines of a window beyond which it is odd.
    fn limit(&self) -> u64 {
        limit(self.busiest)
    }

    /// Another line; the report of the window when it is odd by now, and again when its lines have doubled.
    fn line(&mut self, at: Timestamp) -> Option<Report> {
        let window = at.as_seconds().div_euclid(WINDOW as i64) * WINDOW as i64;
        // Late lines count where we are.
        if window > self.window {
            self.teaching = self.teaching.saturating_sub(1);
            self.busiest = self.busiest.max(self.lines);
            (self.window, self.first, self.lines, self.said) = (window, at, 0, 0);
        }
        self.lines += 1;
        let due = if self.said == 0 { self.lines > self.limit() } else { self.lines >= self.said.saturating_mul(2) };
        if self.teaching > 0 || !due {
            return None;
        }
        let count = self.lines - self.said;
        self.said = self.lines;
        Some(Report { count, first: self.first, last: at })
    }
}

/// Lines in ten minutes that are usual for a kind with so many lines between two times.
pub fn usual(count: u64, first: Timestamp, last: Timestamp) -> u64 {
    let seconds = last.since(first).as_secs();
    // Of a shorter history the average says nothing: the first windows teach.
    if seconds < WINDOW { 0 } else { count.saturating_mul(WINDOW) / seconds }
}

/// Lines of ten minutes beyond which a kind is odd whose busiest ten minutes had `busiest`.
pub fn limit(busiest: u64) -> u64 {
    busiest.saturating_mul(TIMES).max(busiest.saturating_add(LEAST))
}

/// All watched kinds.
#[derive(Default)]
pub struct WatchedKinds {
    kinds: HashMap<KindId, Watched>,
    changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    kinds: Vec<(KindId, Watched)>,
}

impl Detector for WatchedKinds {
    fn name(&self) -> &'static str {
        NAME
    }

    fn watch(&mut self, kind: KindId, watch: Option<&Watch>) {
        self.changed = true;
        match watch {
            Some(watch) if self.kinds.len() < MOST || self.kinds.contains_key(&kind) => {
                let watched = Watched {
                    watch: watch.clone(),
                    busiest: watch.usual,
                    window: i64::MIN,
                    first: Timestamp::EPOCH,
                    lines: 0,
                    // The rest of this window, and a whole one.
                    teaching: 3,
                    said: 0,
                };
                self.kinds.insert(kind, watched);
            }
            Some(_) => tracing::warn!(most = MOST, "too many kinds are watched; this one is left to `rate`"),
            None => drop(self.kinds.remove(&kind)),
        }
    }

    fn begin(&mut self, seen: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        Want { lines: self.kinds.contains_key(&seen.kind_id), claim: false }
    }

    fn line(&mut self, seen: &Seen<'_>, out: &mut Vec<Finding>) -> bool {
        let Some(watched) = self.kinds.get_mut(&seen.kind_id) else { return false };
        if seen.phase == Phase::Learn {
            return true;
        }
        self.changed = true;
        let (limit, busiest) = (watched.limit(), watched.busiest);
        let Some(report) = watched.line(seen.time) else { return true };
        let Watch { severity, category, confidence, model, reason, remediation, .. } = &watched.watch;
        let claim = Claim {
            judged_by: JudgedBy::Detector(NAME.into()),
            category: *category,
            proposed: (*severity).clamp(Severity::Medium, Severity::High),
            confidence: *confidence,
            title: format!(
                "Unusually many lines that are odd when frequent, from {}",
                wording::program(&seen.kind.program)
            ),
            reason: format!(
                "{} lines in ten minutes, more than {limit} are odd ({busiest} at most before); {model} said of them: {reason}",
                watched.lines
            ),
            remediation: if remediation.is_empty() {
                vec!["Read the newest of these lines (logwren incidents show ID)".to_owned()]
            } else {
                remediation.clone()
            },
            group: String::new(),
        };
        out.push(wording::finding(seen, report, claim));
        true
    }

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn settle(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let kinds = self.kinds.iter().map(|(kind, watched)| (*kind, watched.clone())).collect();
        serde_json::to_string(&Saved { v: 1, kinds }).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if saved.v != 1 {
            return Err(format!("version {} is not known", saved.v));
        }
        self.kinds = saved.kinds.into_iter().take(MOST).collect();
        Ok(())
    }

    fn reload(&mut self, _: &Config) {}

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let Some(watched) = self.kinds.get(&seen.kind_id) else { return Vec::new() };
        let says = format!(
            "{} calls it odd when frequent: more than {} lines in ten minutes ({} at most so far)",
            watched.watch.model,
            watched.limit(),
            watched.busiest
        );
        vec![View { detector: NAME, says, finds: false }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as (second, how many); the numbers of lines at which something is said.
    #[track_caller]
    fn check(usual: u64, lines: &[(i64, u64)], expected: &[u64]) {
        let watch = Watch {
            severity: Severity::Medium,
            category: Category::Security,
            confidence: 0.9,
            model: "m".to_owned(),
            reason: "r".to_owned(),
            remediation: Vec::new(),
            usual,
        };
        let mut kinds = WatchedKinds::default();
        kinds.watch(KindId(1), Some(&watch));
        let json = kinds.save().expect("changed");
        let mut again = WatchedKinds::default();
        again.restore(&json).expect("its own");
        let watched = again.kinds.get_mut(&KindId(1)).expect("restored");
        let mut said = Vec::new();
        for (second, count) in lines {
            for _ in 0..*count {
                if watched.line(Timestamp::from_seconds(*second)).is_some() {
                    said.push(watched.lines);
                }
            }
        }
        assert_eq!(said, expected, "{lines:?}");
    }

    #[test]
    fn odd_is_what_was_never_so_frequent() {
        // The window of the verdict and the next teach, however busy they are.
        check(0, &[(0, 5), (600, 5), (1_200, 15), (1_800, 16)], &[]);
        check(0, &[(0, 5), (600, 5), (1_200, 16)], &[16]);
        check(0, &[(0, 1), (600, 1), (1_200, 50)], &[12, 24, 48]);
        check(100, &[(0, 1), (600, 1), (1_200, 300), (1_800, 301)], &[]);
        check(100, &[(0, 1), (600, 1), (1_200, 301)], &[301]);
        check(0, &[(0, 900), (600, 1), (1_200, 2_000)], &[]);
        // What happened once is known.
        check(0, &[(0, 1), (600, 1), (1_200, 20), (1_800, 20)], &[12]);
        // A clock that goes back opens no window.
        check(0, &[(0, 1), (600, 1), (1_200, 6), (0, 6)], &[12]);
    }
}
