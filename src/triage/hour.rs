//! Lines within the last hour, on the time of the lines. Constant memory; knows nothing of what it counts.

use std::collections::VecDeque;

use crate::model::Timestamp;

const STEP_SECONDS: i64 = 300;
const STEPS: i64 = 12;

/// A sliding hour in steps of five minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct Hour {
    /// Number of the step and its lines, oldest first.
    steps: VecDeque<(i64, u64)>,
    /// Lines in the busiest hour so far.
    pub busiest: u64,
}

impl Hour {
    /// `lines` more at `time`; gives those of the hour before the newest. What comes late counts as the newest.
    pub fn add(&mut self, time: Timestamp, lines: u64) -> u64 {
        let step = time.as_seconds().div_euclid(STEP_SECONDS);
        match self.steps.back_mut().filter(|(last, _)| *last >= step) {
            Some((_, known)) => *known = known.saturating_add(lines),
            None => self.steps.push_back((step, lines)),
        }
        let newest = self.steps.back().map_or(step, |(last, _)| *last);
        while self.steps.front().is_some_and(|(first, _)| newest.saturating_sub(*first) >= STEPS) {
            self.steps.pop_front();
        }
        let now = self.steps.iter().fold(0u64, |sum, (_, lines)| sum.saturating_add(*lines));
        self.busiest = self.busiest.max(now);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minute and lines of each call, and what the last one gives.
    #[track_caller]
    fn check(calls: &[(i64, u64)], last: u64, busiest: u64) {
        let mut hour = Hour::default();
        let given = calls.iter().map(|(minute, lines)| hour.add(Timestamp::from_seconds(minute * 60), *lines)).last();
        assert_eq!((given, hour.busiest), (Some(last), busiest));
        assert!(hour.steps.len() <= 12);
    }

    #[test]
    fn an_hour_slides() {
        check(&[(0, 5)], 5, 5);
        check(&[(0, 5), (30, 5), (59, 1)], 11, 11);
        check(&[(0, 5), (30, 5), (60, 1)], 6, 10);
        check(&[(0, 5), (100_000, 1)], 1, 5);
        check(&[(90, 5), (0, 1)], 6, 6);
        check(&[(0, u64::MAX), (1, 9)], u64::MAX, u64::MAX);
    }
}
