//! One line that two sources carry (journal, syslog, kern.log) counts once. Positions still advance; this only counts.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::model::Timestamp;

/// Copies farther apart than this are two lines.
const WINDOW: Duration = Duration::from_secs(5);
/// Most lines remembered; beyond it the oldest are forgotten and may count twice. About 4 MB.
const MAX_LINES: usize = 65_536;

/// Remembers the last seconds of lines by hash, and how often each source said them.
#[derive(Debug, Default)]
pub struct Twins {
    seen: HashMap<u64, Saying>,
    /// In order of first arrival, for forgetting.
    order: VecDeque<(Timestamp, u64)>,
}

#[derive(Debug)]
struct Saying {
    at: Timestamp,
    /// How often each source said it; sources are few.
    by_source: Vec<(u32, u32)>,
}

impl Twins {
    /// True when this line was already counted from another source. `line` is a hash of host, program, pid and message.
    ///
    /// A source repeating itself is never a twin: the n-th copy from one source counts unless another source already
    /// said it n times.
    pub fn is_twin(&mut self, line: u64, source: u32, time: Timestamp) -> bool {
        self.forget(time);
        let saying = self.seen.entry(line).or_insert_with(|| {
            self.order.push_back((time, line));
            Saying { at: time, by_source: Vec::with_capacity(2) }
        });
        if apart(saying.at, time) > WINDOW {
            // An old saying that is still remembered because time stood still elsewhere.
            saying.at = time;
            saying.by_source.clear();
        }
        let most_elsewhere =
            saying.by_source.iter().filter(|(who, _)| *who != source).map(|(_, times)| *times).max().unwrap_or(0);
        let times = match saying.by_source.iter_mut().find(|(who, _)| *who == source) {
            Some((_, times)) => {
                *times += 1;
                *times
            }
            None => {
                saying.by_source.push((source, 1));
                1
            }
        };
        times <= most_elsewhere
    }

    fn forget(&mut self, time: Timestamp) {
        while let Some(&(at, line)) = self.order.front() {
            if apart(at, time) <= WINDOW && self.order.len() < MAX_LINES {
                break;
            }
            self.order.pop_front();
            self.seen.remove(&line);
        }
    }
}

fn apart(a: Timestamp, b: Timestamp) -> Duration {
    a.since(b).max(b.since(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as (second, source, text number); expected: which of them are twins.
    #[track_caller]
    fn check(lines: &[(i64, u32, u64)], expected: &[bool]) {
        let mut twins = Twins::default();
        let said: Vec<bool> = lines
            .iter()
            .map(|(at, source, line)| twins.is_twin(*line, *source, Timestamp::from_seconds(*at)))
            .collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn counts_a_line_once() {
        check(&[(0, 1, 7), (0, 2, 7), (1, 3, 7)], &[false, true, true]);
        // Repeats of one source are lines of their own, and their copies are twins of them.
        check(&[(0, 1, 7), (1, 1, 7), (1, 2, 7), (1, 2, 7), (2, 2, 7)], &[false, false, true, true, false]);
        check(&[(0, 1, 7), (0, 2, 8)], &[false, false]);
        check(&[(0, 1, 7), (6, 2, 7)], &[false, false]);
    }

    #[test]
    fn stays_bounded() {
        let mut twins = Twins::default();
        for line in 0..200_000 {
            twins.is_twin(line, 1, Timestamp::EPOCH);
        }
        assert!(twins.seen.len() <= MAX_LINES && twins.order.len() <= MAX_LINES);
    }
}
