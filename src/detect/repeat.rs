//! How often is one incident said again? At once, then each time its lines double, and once a period while it lasts.
//! Counts; knows no rules and no text.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// Lines of one incident that is being reported. At most log2(lines) + time / period reports, and no line uncounted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Repeat {
    /// First line of the incident.
    began: Timestamp,
    /// Lines reported so far.
    reported: u64,
    /// Lines since the last report.
    waiting: u64,
    waiting_since: Timestamp,
    last_report: Timestamp,
    last_line: Timestamp,
}

/// How many lines a finding speaks of, and from when to when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Repeat {
    /// Begins with a first report just made.
    pub fn new(first: Report) -> Repeat {
        Repeat {
            began: first.first,
            reported: first.count,
            waiting: 0,
            waiting_since: first.last,
            last_report: first.last,
            last_line: first.last,
        }
    }

    /// One more line; a report when it is time for one.
    pub fn line(&mut self, at: Timestamp, period: Duration) -> Option<Report> {
        if self.waiting == 0 {
            self.waiting_since = at;
        }
        self.waiting += 1;
        self.last_line = at;
        let due = self.waiting >= self.reported || apart(at, self.last_report) >= period;
        if due { self.flush(at) } else { None }
    }

    /// Lines not yet reported, whenever their report is due at `now`.
    pub fn settle(&mut self, now: Timestamp, period: Duration) -> Option<Report> {
        if self.waiting > 0 && now.since(self.last_report) >= period { self.flush(now) } else { None }
    }

    /// Lines not yet reported.
    pub fn flush(&mut self, at: Timestamp) -> Option<Report> {
        if self.waiting == 0 {
            return None;
        }
        let report = Report { count: self.waiting, first: self.waiting_since, last: self.last_line };
        self.reported = self.reported.saturating_add(self.waiting);
        self.waiting = 0;
        self.last_report = at;
        Some(report)
    }

    /// Nothing for longer than a period before `at`: the next line is a new burst.
    pub fn over(&self, at: Timestamp, period: Duration) -> bool {
        apart(at, self.last_line) > period
    }

    /// When the waiting lines must be said, if there are any.
    pub fn due(&self, period: Duration) -> Option<Timestamp> {
        (self.waiting > 0).then(|| self.last_report.saturating_add(period))
    }

    /// All lines reported so far, and since when.
    pub fn total(&self) -> Report {
        Report { count: self.reported, first: self.began.min(self.last_line), last: self.last_line }
    }

    /// Lines wait to be reported.
    pub fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    pub fn last_line(&self) -> Timestamp {
        self.last_line
    }
}

/// Time between two points whichever is earlier: lines of several sources come a little out of order.
pub fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(600);

    fn second(second: i64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    fn one(at: i64) -> Repeat {
        Repeat::new(Report { count: 1, first: second(at), last: second(at) })
    }

    #[test]
    fn a_storm_is_a_handful_of_reports_and_every_line_counts() {
        let mut repeat = one(0);
        let reports: Vec<u64> =
            (1..100_000).filter_map(|n| repeat.line(second(n / 1_000), PERIOD)).map(|report| report.count).collect();
        assert_eq!(reports.len(), 16);
        let unsaid = repeat.flush(second(100)).map_or(0, |report| report.count);
        assert_eq!(1 + reports.iter().sum::<u64>() + unsaid, 100_000);
    }

    #[test]
    fn a_trickle_is_said_once_a_period() {
        let mut repeat = one(0);
        let reports = (1..=60).filter_map(|minute| repeat.line(second(minute * 60), PERIOD)).count();
        assert!((6..=11).contains(&reports), "{reports}");
    }

    #[test]
    fn waiting_lines_are_settled_after_the_period() {
        let mut repeat = Repeat::new(Report { count: 5, first: second(0), last: second(60) });
        assert_eq!(repeat.line(second(70), PERIOD), None);
        assert_eq!(repeat.due(PERIOD), Some(second(660)));
        assert_eq!(repeat.settle(second(659), PERIOD), None);
        assert_eq!(repeat.settle(second(660), PERIOD), Some(Report { count: 1, first: second(70), last: second(70) }));
        assert_eq!(repeat.due(PERIOD), None);
        assert!(!repeat.over(second(600), PERIOD));
        assert!(repeat.over(second(700), PERIOD));
    }
}
