//! How many lines a minute are usual, and how many are too many? Mean and spread of the counts of minutes, the fullest
//! hours, and the hours of the week once there are enough. Numbers only: no names, no findings.
//!
//! The bound is that of Farrington et al. (1996) as improved by Noufaily et al. (2013) for outbreaks of disease: counts
//! that vary more than Poisson's (`dispersion`), made symmetric by the power 2/3. Beside it a factor and a least count have
//! to be passed, and what came before: logs come in bursts that no such model knows.

use serde::{Deserialize, Serialize};

use super::hours::{Hours, Usual};

/// Weight of the newest minute: half of what is known is from the last two hours.
const NEWEST: f32 = 0.005_76;
/// Standard deviations of the bound.
const SIGMAS: f32 = 6.0;
/// So many times what was the fullest minute before.
const OVER_PEAK: f32 = 3.0;
/// What is left of a peak an hour later: half after two weeks.
const FADING: f32 = 0.997_94;
/// With less than a day of history nobody knows what the night brings.
const YOUNG: u64 = 1_440;
/// Minutes before anything is too many.
const WARM_UP: u64 = 30;
/// A series gets its hours of the week when it has so many lines, and
const SEASONAL_LINES: u64 = 100;
/// lasted so many hours.
const SEASONAL_HOURS: u64 = 6;

/// When many is too many.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limits {
    /// Fewer lines a minute are never too many.
    pub least: u32,
    /// So many times the usual.
    pub factor: f32,
    /// With fewer lines in less than a day nobody can say what is usual.
    pub lines: u64,
}

/// One series of counts a minute.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// Lines a minute, and their squares.
    mean: f32,
    squares: f32,
    /// Minutes it was watched, and lines in them.
    minutes: u64,
    lines: u64,
    /// The fullest minutes of the two fullest hours: what came once is not usual yet.
    once: f32,
    peak: f32,
    /// The current hour since the epoch, its lines and its fullest minute.
    hour: i64,
    hour_lines: u32,
    hour_peak: u32,
    /// Full minutes come at some hours only.
    #[serde(default)]
    confined: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hours: Option<Box<Hours>>,
}

/// An hour that is over.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hour {
    /// Since the epoch.
    pub hour: i64,
    pub lines: u32,
    /// What was usual for it, when there was enough history.
    pub usual: Option<Usual>,
}

impl Baseline {
    /// A minute with `count` lines is over, and `empty` minutes without any after it. `outlier` minutes do not count as
    /// usual, except that they were. Returns the hour that ended with them.
    pub fn close(&mut self, minute: i64, count: u32, empty: u64, outlier: bool) -> Option<Hour> {
        let ended = self.enter(minute);
        self.hour_lines = self.hour_lines.saturating_add(count);
        self.hour_peak = self.hour_peak.max(count);
        self.lines = self.lines.saturating_add(u64::from(count));
        self.minutes = self.minutes.saturating_add(1).saturating_add(empty);
        if !outlier {
            let newest = NEWEST.max(1.0 / self.minutes.saturating_sub(empty).max(1) as f32);
            let count = count as f32;
            self.mean += (count - self.mean) * newest;
            self.squares += (count * count - self.squares) * newest;
        }
        if empty > 0 {
            // The first minutes weigh as much as their share.
            let before = self.minutes.saturating_sub(empty) as f32;
            let kept = match self.minutes as f32 * NEWEST < 1.0 {
                true => before / self.minutes as f32,
                false => (1.0 - NEWEST).powi(i32::try_from(empty).unwrap_or(i32::MAX)),
            };
            self.mean *= kept;
            self.squares *= kept;
        }
        ended
    }

    /// Fewer than this many lines in the minute that begins at `minute` (since the epoch) are not too many; `None` while
    /// nobody can say.
    pub fn limit(&self, minute: i64, limits: Limits) -> Option<u32> {
        let young = self.minutes < YOUNG;
        if self.minutes < WARM_UP || (young && self.lines < limits.lines) {
            return None;
        }
        let usual = self.usual(minute.div_euclid(60));
        let mean = usual.map_or(self.mean, |usual| self.mean.max(usual.most / 60.0));
        let (peak, dispersion) = match usual {
            // What other hours bring is neither a peak nor a spread of this one.
            Some(usual) if self.confined => (usual.peak, self.dispersion().min(usual.peak.max(1.0))),
            Some(usual) => (usual.peak.max(self.peak), self.dispersion()),
            None => (self.peak, self.dispersion()),
        };
        let (factor, least) = match young {
            true => (limits.factor * 2.0, limits.least.saturating_mul(2)),
            false => (limits.factor, limits.least),
        };
        let limit = (mean * factor).max(peak * OVER_PEAK).max(bound(mean, dispersion)).max(least as f32);
        Some(limit.ceil().min(u32::MAX as f32) as u32)
    }

    /// Lines a minute that are usual at this minute.
    pub fn expected(&self, minute: i64) -> f32 {
        self.usual(minute.div_euclid(60)).map_or(self.mean, |usual| self.mean.max(usual.most / 60.0))
    }

    /// The fullest minute that came more than once.
    pub fn peak(&self) -> f32 {
        self.peak
    }

    pub fn minutes(&self) -> u64 {
        self.minutes
    }

    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Half a day's lines and more would tell a season, and its hours are being learned.
    pub fn wants_hours(&self) -> bool {
        self.hours.is_none() && self.lines >= SEASONAL_LINES && self.minutes >= SEASONAL_HOURS * 60
    }

    pub fn learn_hours(&mut self) {
        self.hours = Some(Box::default());
    }

    /// The level of the last minutes is normal from now on.
    pub fn adopt(&mut self, lines: u64, minutes: u64, peak: u32) {
        self.mean = lines as f32 / minutes.max(1) as f32;
        self.squares = self.mean * self.mean * 2.0;
        self.peak = self.peak.max(peak as f32);
        self.once = self.once.max(self.peak);
        self.hours = None;
    }

    /// A step back of the clock: the hour that was is not over, it is void.
    pub fn forget_hour(&mut self) {
        self.hour = 0;
    }

    fn usual(&self, hour: i64) -> Option<Usual> {
        self.hours.as_ref()?.usual(hour)
    }

    /// Variance over mean; 1 for independent lines.
    pub fn dispersion(&self) -> f32 {
        if self.mean <= 0.0 {
            return 1.0;
        }
        ((self.squares - self.mean * self.mean) / self.mean).max(1.0)
    }

    /// Moves to the hour of `minute`; closes the one before, if it was another.
    fn enter(&mut self, minute: i64) -> Option<Hour> {
        let hour = minute.div_euclid(60);
        if hour == self.hour {
            return None;
        }
        let (before, lines, peak) = (self.hour, self.hour_lines, self.hour_peak);
        (self.hour, self.hour_lines, self.hour_peak) = (hour, 0, 0);
        if before == 0 || hour < before {
            return None;
        }
        let usual = self.usual(before);
        let passed = i32::try_from(hour - before).unwrap_or(i32::MAX);
        let peak_now = peak as f32;
        self.once *= FADING.powi(passed);
        self.peak *= FADING.powi(passed);
        if peak_now > self.once {
            self.peak = self.once.max(self.peak);
            self.once = peak_now;
        } else {
            self.peak = self.peak.max(peak_now);
        }
        if let Some(hours) = &mut self.hours {
            hours.record(before, lines, peak);
            // Longer pauses than a week say no more than a week.
            (before + 1..hour).take(168).for_each(|hour| hours.record(hour, 0, 0));
            self.confined = hours.is_confined();
        }
        Some(Hour { hour: before, lines, usual })
    }
}

/// Counts above this are no chance any more (Noufaily et al. 2013, equation 3).
fn bound(mean: f32, dispersion: f32) -> f32 {
    if mean <= 0.0 {
        return 0.0;
    }
    mean * (1.0 + 2.0 / 3.0 * SIGMAS * (dispersion / mean).sqrt()).powf(1.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { least: 20, factor: 5.0, lines: 30 };

    fn of(minutes: i64, count: impl Fn(i64) -> u32) -> Baseline {
        let mut baseline = Baseline::default();
        for minute in 0..minutes {
            if baseline.wants_hours() {
                baseline.learn_hours();
            }
            baseline.close(60_000_000 + minute, count(minute), 0, false);
        }
        baseline
    }

    /// So many minutes with so many lines; expected: the limit after them, between these.
    #[track_caller]
    fn check(minutes: i64, count: impl Fn(i64) -> u32, expected: Option<(u32, u32)>) {
        let limit = of(minutes, count).limit(60_000_000 + minutes, LIMITS);
        match (limit, expected) {
            (None, None) => {}
            (Some(limit), Some((least, most))) => assert!((least..=most).contains(&limit), "{limit}"),
            _ => panic!("{limit:?}, not {expected:?}"),
        }
    }

    #[test]
    fn limits() {
        check(20, |_| 5, None);
        // An hour of history: twice as careful.
        check(60, |_| 5, Some((50, 60)));
        check(3_000, |_| 5, Some((25, 40)));
        // 1 -> 4 is nothing.
        check(3_000, |_| 1, Some((20, 25)));
        check(3_000, |minute| u32::from(minute % 100 == 0), Some((20, 20)));
        // A job that logs 300 lines an hour.
        check(3_000, |minute| if minute % 60 == 0 { 300 } else { 0 }, Some((850, 1_500)));
        check(3_000, |_| 1_000, Some((5_000, 5_000)));
    }

    #[test]
    fn a_nightly_job_is_known_by_its_hour() {
        let nightly = |minute: i64| if minute % 1_440 == 180 { 600 } else { 2 };
        let baseline = of(10 * 1_440, nightly);
        let night = baseline.limit(60_000_000 + 10 * 1_440 + 180, LIMITS);
        let day = baseline.limit(60_000_000 + 10 * 1_440 + 720, LIMITS);
        assert!(night > Some(1_500), "{night:?}");
        assert!(day < Some(500), "{day:?}");
    }

    #[test]
    fn minutes_without_lines_count() {
        let mut one = Baseline::default();
        let mut other = Baseline::default();
        for round in 0..500 {
            one.close(round * 10, 30, 9, false);
            other.close(round * 10, 30, 0, false);
            (1..10).for_each(|minute| {
                other.close(round * 10 + minute, 0, 0, false);
            });
        }
        assert!((one.mean - other.mean).abs() < 0.1, "{} {}", one.mean, other.mean);
        assert!((one.squares / other.squares - 1.0).abs() < 0.1, "{} {}", one.squares, other.squares);
        assert_eq!(one.minutes(), other.minutes());
    }

    #[test]
    fn hostile_counts_stay_numbers() {
        let mut baseline = Baseline::default();
        for (minute, empty) in [(0, u64::MAX), (i64::MAX / 60, 0), (i64::MIN / 60, u64::MAX), (5, 0)] {
            baseline.close(minute, u32::MAX, empty, false);
            assert!(baseline.mean.is_finite() && bound(baseline.mean, baseline.dispersion()).is_finite());
        }
    }
}
