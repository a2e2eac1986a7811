//! When is it time to ask? On `size` or `timeout`, whichever comes first. *Not here:* what is asked (judge).

use serde::{Deserialize, Serialize};

use crate::model::{Period, Timestamp};

/// `[batch]`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Lines that fill a batch. At least 1.
    #[serde(deserialize_with = "at_least_one")]
    pub size: usize,
    /// How long the first line of a batch may wait.
    pub timeout: Period,
}

impl Default for Config {
    fn default() -> Config {
        Config { size: 50, timeout: Period::from_secs(2) }
    }
}

/// Lines collected until there are `size` of them or the first has waited `timeout`.
#[derive(Debug)]
pub struct Batch<T> {
    config: Config,
    items: Vec<T>,
    /// When the first item came; its age decides the timeout.
    opened_at: Option<Timestamp>,
}

impl<T> Batch<T> {
    pub fn new(config: Config) -> Batch<T> {
        Batch { config, items: Vec::new(), opened_at: None }
    }

    /// A reload keeps what is collected.
    pub fn reload(&mut self, config: Config) {
        self.config = config;
    }

    /// Takes one item; gives the whole batch back when this one fills it.
    pub fn push(&mut self, item: T, now: Timestamp) -> Option<Vec<T>> {
        self.items.push(item);
        self.opened_at.get_or_insert(now);
        (self.items.len() >= self.config.size).then(|| self.flush())
    }

    /// Gives the batch back when its first item has waited `timeout`.
    pub fn tick(&mut self, now: Timestamp) -> Option<Vec<T>> {
        (now >= self.deadline()?).then(|| self.flush())
    }

    /// When [`Batch::tick`] will have something; `None` while empty.
    pub fn deadline(&self) -> Option<Timestamp> {
        Some(self.opened_at?.saturating_add(self.config.timeout.0))
    }

    /// Everything collected so far, whatever its age: for the drain.
    pub fn flush(&mut self) -> Vec<T> {
        self.opened_at = None;
        // The next batch will be about as large.
        let next = Vec::with_capacity(self.items.len());
        std::mem::replace(&mut self.items, next)
    }
}

fn at_least_one<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    match usize::deserialize(deserializer)? {
        0 => Err(serde::de::Error::custom("a batch holds at least 1 line; allowed: 1 to 100000")),
        size if size > 100_000 => {
            Err(serde::de::Error::custom("a batch holds at most 100000 lines; allowed: 1 to 100000"))
        }
        size => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step of the script: milliseconds since the start, and a line or a tick.
    enum Step {
        Line(u64, u32),
        Tick(u64),
    }
    use Step::{Line, Tick};

    #[track_caller]
    fn check(size: usize, timeout: &str, script: &[Step], expected: &[(u64, &[u32])]) {
        let config = Config { size, timeout: timeout.parse().expect("a period") };
        let mut batch = Batch::new(config);
        let mut flushed = Vec::new();
        for step in script {
            let (at, out) = match *step {
                Line(at, item) => (at, batch.push(item, Timestamp::from_micros(at as i64 * 1_000))),
                Tick(at) => (at, batch.tick(Timestamp::from_micros(at as i64 * 1_000))),
            };
            flushed.extend(out.map(|items| (at, items)));
        }
        let expected: Vec<(u64, Vec<u32>)> = expected.iter().map(|(at, items)| (*at, items.to_vec())).collect();
        assert_eq!(flushed, expected);
    }

    #[test]
    fn the_size_edge_flushes_with_the_filling_line() {
        check(3, "2s", &[Line(0, 1), Line(1, 2)], &[]);
        check(3, "2s", &[Line(0, 1), Line(1, 2), Line(2, 3)], &[(2, &[1, 2, 3])]);
        check(1, "2s", &[Line(0, 1), Line(0, 2)], &[(0, &[1]), (0, &[2])]);
    }

    #[test]
    fn the_timeout_edge_flushes_at_the_age_of_the_first_line() {
        check(3, "2s", &[Line(0, 1), Line(1_999, 2), Tick(1_999)], &[]);
        check(3, "2s", &[Line(0, 1), Line(1_999, 2), Tick(2_000)], &[(2_000, &[1, 2])]);
        check(3, "2s", &[Tick(10_000)], &[]);
    }

    #[test]
    fn whichever_comes_first_and_then_again() {
        check(
            2,
            "2s",
            &[Line(0, 1), Line(100, 2), Tick(2_000), Line(2_050, 3), Tick(4_049), Tick(4_050)],
            &[(100, &[1, 2]), (4_050, &[3])],
        );
    }

    #[test]
    fn the_deadline_is_that_of_the_first_line() {
        let mut batch = Batch::new(Config::default());
        assert_eq!(batch.deadline(), None);
        batch.push(1, Timestamp::from_seconds(10));
        batch.push(2, Timestamp::from_seconds(11));
        assert_eq!(batch.deadline(), Some(Timestamp::from_seconds(12)));
        assert_eq!(batch.flush(), [1, 2]);
        assert_eq!(batch.deadline(), None);
    }
}
