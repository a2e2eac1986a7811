//! How regularly does one source speak, and how long may it be silent before that is odd? Remembers pauses, not lines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// A source that said less than this, or paused less often, has no rhythm yet.
const MIN_LINES: u64 = 30;
const MIN_PAUSES: u32 = 10;
/// No silence is odd before this.
const SHORTEST: Duration = Duration::from_secs(20);
/// Odd is this many times the 99th percentile of the pauses.
const TIMES: u32 = 10;
/// A pause that was there twice within this is part of the rhythm: nights, weekends, weekly jobs.
const CYCLE: Duration = Duration::from_secs(8 * 86_400);
/// One pause is noted in so long, or a burst of lines would outvote the pause after it.
const SAMPLE: Duration = Duration::from_millis(100);
/// Pauses remembered; then the old ones count half.
const MAX_PAUSES: u32 = 4_096;
/// A line stamped this much earlier than the one before: the clock was set, or another file begins.
const SET_BACK: Duration = Duration::from_secs(3_600);

/// The pauses of one source.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Rhythm {
    lines: u64,
    /// How many pauses were how long: bucket `n` holds those up to 100 ms x 2^(n/4).
    pauses: Vec<u32>,
    /// How long it has spoken so, in milliseconds.
    spoken_ms: u64,
    /// The two longest of the last [`CYCLE`], with when they ended.
    longest: Vec<(u64, Timestamp)>,
    /// The newest line, and the newest one that ended a noted pause. Not kept over a restart.
    #[serde(skip)]
    last: Option<Timestamp>,
    #[serde(skip)]
    noted: Option<Timestamp>,
}

impl Rhythm {
    /// One line at `time`.
    pub fn line(&mut self, time: Timestamp) {
        self.lines += 1;
        let last = match self.last {
            Some(last) if last.since(time) < SET_BACK => last,
            Some(_) | None => {
                (self.last, self.noted) = (Some(time), Some(time));
                return;
            }
        };
        if self.noted.is_none_or(|noted| time.since(noted) >= SAMPLE) {
            self.pause(time.since(last), time);
            self.noted = Some(time);
        }
        self.last = Some(last.max(time));
    }

    /// Further lines that say nothing of their time.
    pub fn more(&mut self, lines: u64) {
        self.lines += lines;
    }

    /// Speaks regularly enough to be missed.
    pub fn is_regular(&self) -> bool {
        self.lines >= MIN_LINES && self.pauses.iter().sum::<u32>() >= MIN_PAUSES
    }

    /// 99 of 100 pauses are not longer.
    pub fn usual(&self) -> Duration {
        let total: u32 = self.pauses.iter().sum();
        let mut above = 0;
        for (bucket, count) in self.pauses.iter().enumerate().rev() {
            above += count;
            if above * 100 > total {
                return upper(bucket);
            }
        }
        Duration::ZERO
    }

    /// A longer silence is odd. `None` without a rhythm, and until it has spoken for longer than that: a burst of lines is
    /// no promise.
    pub fn patience(&self) -> Option<Duration> {
        let twice = match self.longest.as_slice() {
            [(one, _), (other, _)] => Duration::from_micros((*one).min(*other)),
            _ => Duration::ZERO,
        };
        let patience = SHORTEST.max(self.usual().saturating_mul(TIMES)).max(twice + twice / 2);
        (self.is_regular() && Duration::from_millis(self.spoken_ms) >= patience).then_some(patience)
    }

    fn pause(&mut self, length: Duration, ended: Timestamp) {
        self.spoken_ms = self.spoken_ms.saturating_add(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        let bucket = bucket(length);
        if self.pauses.len() <= bucket {
            self.pauses.resize(bucket + 1, 0);
        }
        if let Some(count) = self.pauses.get_mut(bucket) {
            *count += 1;
        }
        if self.pauses.iter().sum::<u32>() > MAX_PAUSES {
            self.pauses.iter_mut().for_each(|count| *count /= 2);
        }
        if length >= SHORTEST {
            self.longest.retain(|(_, at)| ended.since(*at) < CYCLE);
            self.longest.push((u64::try_from(length.as_micros()).unwrap_or(u64::MAX), ended));
            self.longest.sort_unstable_by(|one, other| other.cmp(one));
            self.longest.truncate(2);
        }
    }
}

/// The first bucket whose pauses may be so long; the last one takes all that are longer than eleven days.
fn bucket(length: Duration) -> usize {
    let quarters = (length.as_secs_f64() / SAMPLE.as_secs_f64()).log2() * 4.0;
    // Below the first bucket the logarithm is negative; the cast makes it 0.
    (quarters.ceil() as usize).min(92)
}

fn upper(bucket: usize) -> Duration {
    SAMPLE.mul_f64((bucket as f64 / 4.0).exp2())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines at these times (in milliseconds); expected: patience in whole seconds.
    #[track_caller]
    fn check(times: impl IntoIterator<Item = i64>, expected: Option<u64>) {
        let mut rhythm = Rhythm::default();
        times.into_iter().for_each(|time| rhythm.line(Timestamp::from_micros(time * 1_000)));
        assert_eq!(rhythm.patience().map(|patience| patience.as_secs()), expected);
        let json = serde_json::to_string(&rhythm).expect("plain data");
        let again: Rhythm = serde_json::from_str(&json).expect("ours");
        assert_eq!(again.patience(), rhythm.patience());
    }

    #[test]
    fn patience_follows_the_pauses() {
        // Ten a second, one in ten seconds, one in five minutes.
        check((0..300).map(|n| n * 100), Some(20));
        check((0..40).map(|n| n * 10_000), Some(107));
        check((0..40).map(|n| n * 300_000), Some(3_444));
        // Too little to tell; one burst is no rhythm.
        check((0..29).map(|n| n * 1_000), None);
        check((0..500).map(|n| n / 100), None);
        check((0..100).map(|n| n * 100), None);
    }

    #[test]
    fn bursts_do_not_outvote_the_pauses_between_them() {
        let hourly = |hours: i64| (0..hours).flat_map(|hour| (0..200).map(move |n| hour * 3_600_000 + n));
        check(hourly(24), Some(38_967));
        // Day and night: the first night is odd, the third is not.
        let days = |days: i64| (0..days).flat_map(|day| (0..2_000).map(move |n| day * 86_400_000 + n * 10_000));
        check(days(1), Some(107));
        check(days(3), Some((86_400 - 19_990) * 3 / 2));
    }

    #[test]
    fn a_clock_that_is_set_back_is_no_pause() {
        check((0..40).map(|n| 9_000_000_000 + n * 1_000).chain((0..40).map(|n| n * 1_000)), Some(20));
    }
}
