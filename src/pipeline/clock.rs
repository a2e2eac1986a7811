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
}
