//! The time of a source's lines: their own, monotone, never far in the future. Never the wall clock by itself.

use std::time::Duration;

use crate::model::Timestamp;

/// A line may claim to be this much later than now before we stop believing it.
const FUTURE: Duration = Duration::from_secs(300);
/// A source whose lines step back by less than this is only out of order; by more, its clock was set back.
const OUT_OF_ORDER: Duration = Duration::from_secs(3_600);

/// Event time of one source.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventClock {
    last: Option<Timestamp>,
}

impl EventClock {
    /// Time of the last line.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// The time to work with for a line that claims `claimed`.
    ///
    /// A line without time gets the time of the line before it (or `now`). Lines out of order by less than an hour are
    /// lifted to the newest time seen, so windows never run backwards; a larger step back is believed: the clock was set.
    pub fn at(&mut self, claimed: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let limit = now.saturating_add(FUTURE);
        let time = match (claimed.map(|time| time.min(limit)), self.last) {
            (Some(time), Some(last)) if time < last && last.since(time) < OUT_OF_ORDER => last,
            (Some(time), _) => time,
            (None, Some(last)) => last,
            (None, None) => now,
        };
        self.last = Some(time);
        time
    }
}

/// How far a source is behind the present. A source that reads what was written while we were away says nothing about
/// now; one whose clock is wrong, or that is written with a delay, is always behind by as much.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// When it handed over live lines last, and how old the newest of them was.
    last: Option<(Timestamp, Duration)>,
    /// It is as far behind as it was the time before.
    steady: bool,
}

impl Pace {
    /// A line may come so much after it was written.
    pub const DELAY: Duration = Duration::from_secs(5);
    /// Two delays that differ by less are the same.
    const STEADY: Duration = Duration::from_secs(10);
    /// A source that was catching up and says nothing for so long has caught up.
    const CAUGHT_UP: Duration = Duration::from_secs(30);

    /// A block of live lines came, the newest of `newest`.
    pub fn block(&mut self, newest: Option<Timestamp>, now: Timestamp) {
        let lag = newest.map_or(Duration::ZERO, |newest| now.since(newest));
        self.steady = lag <= Pace::DELAY || self.last.is_some_and(|(_, before)| lag.abs_diff(before) <= Pace::STEADY);
        self.last = Some((now, lag));
    }

    /// Everything its writers wrote until then was read; `None` while it catches up.
    pub fn read_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self.last {
            Some((_, lag)) if self.steady => Some(now.saturating_sub(lag.max(Pace::DELAY))),
            Some((at, _)) if now.since(at) < Pace::CAUGHT_UP => None,
            Some(_) | None => Some(now.saturating_sub(Pace::DELAY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(claims: &[Option<i64>], expected: &[i64]) {
        let now = Timestamp::from_seconds(100_000);
        let mut clock = EventClock::default();
        let times: Vec<i64> =
            claims.iter().map(|claim| clock.at(claim.map(Timestamp::from_seconds), now).as_seconds()).collect();
        assert_eq!(times, expected);
    }

    #[test]
    fn believes_lines_within_reason() {
        check(&[Some(10), Some(20), Some(15), None, Some(30)], &[10, 20, 20, 20, 30]);
        check(&[None, Some(99_990)], &[100_000, 100_000]);
        check(&[Some(9_999_999)], &[100_300]);
        check(&[Some(90_000), Some(50_000), Some(50_001)], &[90_000, 50_000, 50_001]);
    }

    /// Blocks as (arrived, time of the newest line); expected: what is known at `now`.
    #[track_caller]
    fn check_pace(blocks: &[(i64, i64)], now: i64, expected: Option<i64>) {
        let mut pace = Pace::default();
        for (at, newest) in blocks {
            pace.block(Some(Timestamp::from_seconds(*newest)), Timestamp::from_seconds(*at));
        }
        assert_eq!(pace.read_until(Timestamp::from_seconds(now)).map(Timestamp::as_seconds), expected);
    }

    #[test]
    fn knows_who_is_catching_up() {
        check_pace(&[], 1_000, Some(995));
        check_pace(&[(1_000, 999)], 1_020, Some(1_015));
        // An hour of backlog in a second, then the end of it.
        check_pace(&[(10_000, 6_500), (10_001, 8_000)], 10_002, None);
        check_pace(&[(10_000, 6_500), (10_001, 10_000)], 10_002, Some(9_997));
        check_pace(&[(10_000, 6_500), (10_001, 8_000)], 10_031, Some(10_026));
        // A clock that is an hour slow.
        check_pace(&[(10_000, 6_400), (10_060, 6_461)], 10_070, Some(6_471));
    }
}
