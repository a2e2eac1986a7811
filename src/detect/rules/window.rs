//! Did `count` lines come within a time? The last `count` times in order of arrival; a time that was wrong leaves the
//! window again after as many lines.

use std::collections::VecDeque;
use std::time::Duration;

use crate::detect::repeat::Report;
use crate::model::Timestamp;

/// Times of the last lines of one key. Holds at most the rule's `count`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Window {
    times: VecDeque<Timestamp>,
}

impl Window {
    pub fn from_times(times: impl IntoIterator<Item = Timestamp>) -> Window {
        Window { times: times.into_iter().collect() }
    }

    pub fn times(&self) -> impl Iterator<Item = Timestamp> {
        self.times.iter().copied()
    }

    /// One more line; what the window holds when it is full and all of it lies within `within`.
    pub fn push(&mut self, at: Timestamp, count: u32, within: Duration) -> Option<Report> {
        let count = count.max(1) as usize;
        while self.times.len() >= count {
            self.times.pop_front();
        }
        self.times.push_back(at);
        (self.times.len() == count).then(|| self.spread()).flatten().filter(|all| all.last.since(all.first) <= within)
    }

    /// Lines within `within` before `at` (a little disorder between sources forgiven).
    pub fn near(&self, at: Timestamp, within: Duration) -> u32 {
        let near = self.times.iter().filter(|time| crate::detect::repeat::apart(at, **time) <= within).count();
        u32::try_from(near).unwrap_or(u32::MAX)
    }

    pub fn clear(&mut self) {
        self.times.clear();
    }

    pub fn last(&self) -> Option<Timestamp> {
        self.times.back().copied()
    }

    fn spread(&self) -> Option<Report> {
        let first = self.times.iter().min()?;
        let last = self.times.iter().max()?;
        Some(Report { count: self.times.len() as u64, first: *first, last: *last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these lines (seconds) complete 3 within 10 s?
    #[track_caller]
    fn check(seconds: &[i64], expected: &[i64]) {
        let mut window = Window::default();
        let fired: Vec<i64> = seconds
            .iter()
            .filter(|second| window.push(Timestamp::from_seconds(**second), 3, Duration::from_secs(10)).is_some())
            .copied()
            .collect();
        assert_eq!(fired, expected);
    }

    #[test]
    fn three_within_ten_seconds() {
        check(&[0, 5, 10], &[10]);
        check(&[0, 5, 11], &[]);
        check(&[0, 5, 11, 12], &[12]);
        check(&[0, 2, 1], &[1]);
        check(&[0, 9_999, 1, 2, 3], &[3]);
    }
}
