//! A program that starts to say many new things at once (an upgrade, a new component) is one piece of news, not a
//! hundred. Lets the first few through and folds the rest. Counts only; the wording is the caller's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::recent::Recent;
use super::repeat::{Repeat, Report, apart};
use crate::model::Timestamp;

/// Programs remembered at a time, per host.
const PROGRAMS: usize = 1_024;

/// What to do with one piece of news.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admit {
    /// Say it by itself.
    Alone,
    /// Say that there are `count` more of them.
    Folded(Report),
    /// Counted, nothing to say now.
    Counted,
}

#[derive(Debug)]
pub struct Waves {
    /// News of one program within `within` that are said one by one.
    alone: usize,
    within: Duration,
    programs: Recent<(Arc<str>, Arc<str>), Wave>,
}

#[derive(Debug, Default)]
struct Wave {
    /// Times of the last `alone` news said by themselves.
    times: VecDeque<Timestamp>,
    folded: Option<Repeat>,
}

impl Waves {
    pub fn new(alone: usize, within: Duration) -> Waves {
        Waves { alone: alone.max(1), within, programs: Recent::new(PROGRAMS) }
    }

    /// Other limits from now on; what is counted stays counted.
    pub fn limit(&mut self, alone: usize, within: Duration) {
        self.alone = alone.max(1);
        self.within = within;
    }

    /// One piece of news about a program.
    pub fn admit(&mut self, host: &Arc<str>, program: &Arc<str>, at: Timestamp) -> Admit {
        let wave = self.programs.entry((Arc::clone(host), Arc::clone(program)), Wave::default);
        let full = wave.times.len() >= self.alone;
        if !full || wave.times.front().is_some_and(|first| apart(at, *first) > self.within) {
            if full {
                wave.times.pop_front();
            }
            wave.times.push_back(at);
            return Admit::Alone;
        }
        let report = match &mut wave.folded {
            Some(repeat) => repeat.line(at, self.within),
            None => {
                let report = Report { count: 1, first: at, last: at };
                wave.folded = Some(Repeat::new(report));
                Some(report)
            }
        };
        report.map_or(Admit::Counted, Admit::Folded)
    }

    /// Folded news not yet said and due at `now`: host, program, how many.
    pub fn settle(&mut self, now: Timestamp) -> Vec<(Arc<str>, Arc<str>, Report)> {
        let within = self.within;
        let mut reports = Vec::new();
        for ((host, program), wave) in self.programs.iter_mut() {
            if let Some(report) = wave.folded.as_mut().and_then(|repeat| repeat.settle(now, within)) {
                reports.push((Arc::clone(host), Arc::clone(program), report));
            }
        }
        // Hash order must not show: results do not depend on the run.
        reports.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_alone_the_rest_folded() {
        let mut waves = Waves::new(3, Duration::from_secs(600));
        let (host, program) = ("h".into(), "app".into());
        let mut alone = 0;
        let mut folded = 0;
        let mut reports = 0;
        for second in 0..100 {
            match waves.admit(&host, &program, Timestamp::from_seconds(second)) {
                Admit::Alone => alone += 1,
                Admit::Folded(report) => {
                    folded += report.count;
                    reports += 1;
                }
                Admit::Counted => {}
            }
        }
        assert_eq!(waves.admit(&host, &"other".into(), Timestamp::from_seconds(99)), Admit::Alone);
        assert_eq!(waves.settle(Timestamp::from_seconds(100)), vec![]);
        let rest: u64 = waves.settle(Timestamp::from_seconds(900)).iter().map(|(_, _, report)| report.count).sum();
        assert_eq!((alone, folded + rest), (3, 97));
        assert!(reports <= 8, "{reports}");
        assert_eq!(waves.admit(&host, &program, Timestamp::from_seconds(1_000)), Admit::Alone);
    }
}
