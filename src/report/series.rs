//! Counts over time in a bounded number of equal steps: the step grows when the time span outgrows them. Linear, whatever
//! times lines claim.

use std::collections::VecDeque;

use crate::model::Timestamp;

/// Steps that people read well, in seconds; each is a multiple of the one before. Beyond a week they double.
const LADDER: [i64; 11] = [1, 5, 15, 60, 300, 900, 3_600, 10_800, 43_200, 86_400, 604_800];

/// Counters of two things at a time: lines, and rows among them.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// Seconds of one step.
    step: i64,
    most: usize,
    /// Number of the first step counted, and the counts from there on.
    first: i64,
    counts: VecDeque<(u64, u64)>,
}

impl Series {
    /// At most `most` steps, of `step` seconds to begin with.
    pub fn new(most: usize, step: u64) -> Series {
        let step = i64::try_from(step).unwrap_or(i64::MAX).max(1);
        Series { step, most: most.max(2), first: 0, counts: VecDeque::new() }
    }

    pub fn add(&mut self, time: Timestamp, lines: u64, rows: u64) {
        if let Some(count) = self.counts.get_mut(usize::try_from(self.at(time) - self.first).unwrap_or(usize::MAX)) {
            *count = (count.0 + lines, count.1 + rows);
            return;
        }
        self.reach(time);
        if let Some(count) = usize::try_from(self.at(time) - self.first).ok().and_then(|at| self.counts.get_mut(at)) {
            *count = (count.0 + lines, count.1 + rows);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Seconds of one step.
    pub fn step(&self) -> u64 {
        self.step.unsigned_abs()
    }

    /// First and last second covered.
    pub fn covered(&self) -> Option<(i64, i64)> {
        let behind = self.first + i64::try_from(self.counts.len()).ok()?;
        (!self.is_empty()).then_some((self.first * self.step, behind * self.step))
    }

    /// Start, lines and rows of the steps that hold any.
    pub fn steps(&self) -> impl Iterator<Item = (Timestamp, u64, u64)> + '_ {
        let counted = (self.first..).zip(&self.counts).filter(|(_, count)| **count != (0, 0));
        counted.map(|(at, (lines, rows))| (Timestamp::from_seconds(at * self.step), *lines, *rows))
    }

    /// Lines in `steps` equal parts of `[from, to)` seconds.
    pub fn parts(&self, from: i64, to: i64, steps: usize) -> Vec<u64> {
        let mut parts = vec![0; steps];
        let length = (to - from).max(1) as f64;
        for (time, lines, _) in self.steps() {
            let middle = (time.as_seconds() - from) as f64 + self.step as f64 / 2.0;
            let part = (middle / length * steps as f64).clamp(0.0, steps.saturating_sub(1) as f64);
            if let Some(count) = parts.get_mut(part as usize) {
                *count += lines;
            }
        }
        parts
    }

    fn at(&self, time: Timestamp) -> i64 {
        time.as_seconds().div_euclid(self.step)
    }

    /// Makes room for a time outside: first by wider steps, then by more.
    fn reach(&mut self, time: Timestamp) {
        if self.is_empty() {
            self.first = self.at(time);
        }
        let last = |series: &Series| series.first + series.counts.len() as i64 - 1;
        let span = |series: &Series| last(series).max(series.at(time)) - series.first.min(series.at(time)) + 1;
        while usize::try_from(span(self)).is_ok_and(|span| span > self.most) {
            self.widen();
        }
        while self.at(time) < self.first {
            self.counts.push_front((0, 0));
            self.first -= 1;
        }
        while self.at(time) > last(self) {
            self.counts.push_back((0, 0));
        }
    }

    fn widen(&mut self) {
        let wider = LADDER.iter().copied().find(|step| *step > self.step && *step % self.step == 0);
        let wider = wider.unwrap_or(self.step.saturating_mul(2));
        let times = wider / self.step;
        let (first, counts) = (self.first, std::mem::take(&mut self.counts));
        (self.step, self.first) = (wider, first.div_euclid(times));
        for (at, (lines, rows)) in (first..).zip(counts) {
            let into = usize::try_from(at.div_euclid(times) - self.first).unwrap_or_default();
            self.counts.resize(self.counts.len().max(into + 1), (0, 0));
            if let Some(count) = self.counts.get_mut(into) {
                *count = (count.0 + lines, count.1 + rows);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_follows_the_span() {
        let mut series = Series::new(10, 1);
        for second in 0..1_000 {
            series.add(Timestamp::from_seconds(second), 1, u64::from(second == 7));
        }
        assert_eq!(series.step(), 300);
        let steps: Vec<_> = series.steps().collect();
        assert_eq!(steps.len(), 4);
        assert_eq!(steps.iter().map(|(_, lines, _)| lines).sum::<u64>(), 1_000);
        assert_eq!(steps.first(), Some(&(Timestamp::EPOCH, 300, 1)));
        assert_eq!(series.parts(0, 1_200, 4), [300, 300, 300, 100]);
    }

    #[test]
    fn hostile_times_cost_nothing() {
        let mut series = Series::new(10, 1);
        series.add(Timestamp::from_micros(i64::MIN), 1, 0);
        series.add(Timestamp::from_micros(i64::MAX), 1, 0);
        series.add(Timestamp::EPOCH, 1, 1);
        assert_eq!(series.steps().map(|(_, lines, _)| lines).sum::<u64>(), 3);
        assert!(series.steps().count() <= 10);
        assert_eq!(Series::new(0, 0).parts(5, 5, 3), [0, 0, 0]);
    }
}
