//! One line that two sources carry (journal, syslog, kern.log) counts once, and keeps the level that only one of them knows.
//! Positions still advance; this only counts.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use crate::model::Timestamp;

/// Copies farther apart than this are two lines.
const WINDOW: Duration = Duration::from_secs(5);
/// Most lines remembered; beyond it the oldest are forgotten and may count twice. About 9 MB.
const MAX_LINES: usize = 65_536;

/// What a line is besides those already counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Nobody else said it.
    First,
    /// Another source said it already.
    Twin,
    /// Another source said it already, but could not say how bad it is: syslog files carry no level.
    Leveled,
}

/// Remembers the last seconds of lines by hash, and how often each source said them.
#[derive(Debug, Default)]
pub struct Twins {
    /// The only source so far, and all it said lately: nobody looks that up before somebody else speaks.
    alone: Option<u32>,
    said: VecDeque<(Timestamp, u64, bool)>,
    /// Several sources spoke.
    several: bool,
    seen: HashMap<u64, Saying, BuildHasherDefault<Already>>,
    /// In order of first arrival, for forgetting.
    order: VecDeque<(Timestamp, u64)>,
}

#[derive(Debug)]
struct Saying {
    at: Timestamp,
    /// Who said it first, and how often.
    first: (u32, u32),
    /// How often each other source said it; nobody, for nearly every line.
    others: Vec<(u32, u32)>,
    /// Some source knew its level.
    leveled: bool,
}

/// The keys are keyed hashes already.
#[derive(Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not used by keys that are one number.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl Twins {
    /// Whether this line was already counted from another source. `line` is a keyed hash of host, program and message:
    /// nobody may choose which lines collide; not of the pid, which the journal always knows and a syslog line often
    /// lacks.
    ///
    /// A source repeating itself is never a twin: the n-th copy from one source counts unless another source already
    /// said it n times.
    pub fn look(&mut self, line: u64, source: u32, time: Timestamp, leveled: bool) -> Heard {
        if !self.several {
            if *self.alone.get_or_insert(source) == source {
                self.say(line, time, leveled);
                return Heard::First;
            }
            self.several = true;
            for (at, line, leveled) in std::mem::take(&mut self.said) {
                self.look_up(line, self.alone.unwrap_or(source), at, leveled);
            }
        }
        self.look_up(line, source, time, leveled)
    }

    /// The only source said a line.
    fn say(&mut self, line: u64, time: Timestamp, leveled: bool) {
        while let Some(&(at, ..)) = self.said.front() {
            if apart(at, time) <= WINDOW && self.said.len() < MAX_LINES {
                break;
            }
            self.said.pop_front();
        }
        self.said.push_back((time, line, leveled));
    }

    fn look_up(&mut self, line: u64, source: u32, time: Timestamp, leveled: bool) -> Heard {
        self.forget(time);
        let fresh = || Saying { at: time, first: (source, 1), others: Vec::new(), leveled };
        let saying = match self.seen.entry(line) {
            Entry::Vacant(place) => {
                self.order.push_back((time, line));
                place.insert(fresh());
                return Heard::First;
            }
            Entry::Occupied(place) => place.into_mut(),
        };
        if apart(saying.at, time) > WINDOW {
            // An old saying that is still remembered because time stood still elsewhere.
            *saying = fresh();
            return Heard::First;
        }
        let news = leveled && !saying.leveled;
        saying.leveled |= leveled;
        match saying.is_twin(source) {
            true if news => Heard::Leveled,
            true => Heard::Twin,
            false => Heard::First,
        }
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

impl Saying {
    /// Counts one more copy from `source`; true when another source said it at least as often.
    fn is_twin(&mut self, source: u32) -> bool {
        let all = || std::iter::once(&self.first).chain(&self.others);
        let most_elsewhere = all().filter(|(who, _)| *who != source).map(|(_, times)| *times).max().unwrap_or(0);
        let known = std::iter::once(&mut self.first).chain(&mut self.others).find(|(who, _)| *who == source);
        let times = match known {
            Some((_, times)) => {
                *times += 1;
                *times
            }
            None => {
                self.others.push((source, 1));
                1
            }
        };
        times <= most_elsewhere
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
            .map(|(at, source, line)| twins.look(*line, *source, Timestamp::from_seconds(*at), false) != Heard::First)
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
    fn the_first_to_know_the_level_is_heard() {
        let mut twins = Twins::default();
        let mut look =
            |at: i64, source: u32, leveled: bool| twins.look(7, source, Timestamp::from_seconds(at), leveled);
        assert_eq!(look(0, 1, false), Heard::First);
        assert_eq!(look(0, 2, true), Heard::Leveled);
        assert_eq!(look(0, 3, true), Heard::Twin);
        assert_eq!(look(9, 2, true), Heard::First);
        assert_eq!(look(9, 1, false), Heard::Twin);
        assert_eq!(look(9, 3, true), Heard::Twin);
    }

    #[test]
    fn what_the_first_source_said_alone_is_known_when_the_second_one_speaks() {
        let alone: Vec<(i64, u32, u64)> = (0..100).map(|at| (at / 10, 1, at as u64 % 15)).collect();
        let copies = (60..100).map(|at| (at / 10, 2, at as u64 % 15));
        let said: Vec<(i64, u32, u64)> = alone.into_iter().chain(copies).collect();
        let expected: Vec<bool> = (0..140).map(|at| at >= 100).collect();
        check(&said, &expected);
    }

    #[test]
    fn stays_bounded() {
        let mut twins = Twins::default();
        for line in 0..200_000 {
            twins.look(line, 1, Timestamp::EPOCH, true);
        }
        assert!(twins.said.len() <= MAX_LINES && twins.seen.is_empty());
        for line in 0..200_000 {
            twins.look(line, 2, Timestamp::EPOCH, true);
        }
        assert!(twins.seen.len() <= MAX_LINES && twins.order.len() <= MAX_LINES && twins.said.is_empty());
    }
}
