//! How long does a recurring line usually stay away? Quantiles of the time between beats, in 65 bytes, and whether the
//! line comes like clockwork. Old beats fade, so a rhythm that changes is learned anew. Knows no names and no findings.

use serde::{Deserialize, Serialize};

/// Steps of a quarter of an octave from one second on: a quantile is at most 19 % too long, up to 18 hours.
const STEPS: usize = 65;
const STEPS_PER_OCTAVE: f32 = 4.0;
/// Lines in one beat told apart: 1 to 8.
const SIZES: usize = 8;
/// Share of beats that must be alike for clockwork.
const ALIKE: f32 = 0.97;

/// Times between beats, and lines in a beat. Each counter is halved, with all others, before it overflows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub struct Gaps {
    steps: [u8; STEPS],
    sizes: [u8; SIZES],
    /// The longest two, in seconds, since ever: a pause that came twice may come again.
    longest: u32,
    second: u32,
}

impl Default for Gaps {
    fn default() -> Gaps {
        Gaps { steps: [0; STEPS], sizes: [0; SIZES], longest: 0, second: 0 }
    }
}

impl Gaps {
    /// One more beat, `gap` seconds after the one before, which had `lines` lines.
    pub fn add(&mut self, gap: u64, lines: u64) {
        let gap = u32::try_from(gap).unwrap_or(u32::MAX).max(1);
        bump(&mut self.steps, step(gap));
        bump(&mut self.sizes, usize::try_from(lines.clamp(1, SIZES as u64) - 1).unwrap_or(0));
        if gap > self.longest {
            self.second = self.longest;
            self.longest = gap;
        } else {
            self.second = self.second.max(gap);
        }
    }

    /// Beats remembered; grows to some hundreds and stays there.
    pub fn count(&self) -> u32 {
        self.steps.iter().map(|count| u32::from(*count)).sum()
    }

    /// The gap in seconds that a share of `quantile` (0..=1) of all gaps does not exceed.
    pub fn quantile(&self, quantile: f32) -> u32 {
        let wanted = (self.count() as f32 * quantile).ceil().max(1.0) as u32;
        let mut sum = 0;
        for (step, count) in self.steps.iter().enumerate() {
            sum += u32::from(*count);
            if sum >= wanted {
                return edge(step).min(self.longest.max(1));
            }
        }
        self.longest.max(1)
    }

    /// The longest gap that came at least twice, in seconds.
    pub fn longest_usual(&self) -> u32 {
        self.second
    }

    /// Every beat alike: nearly the same gap, the same number of lines give or take one.
    pub fn is_clockwork(&self) -> bool {
        let all: u32 = self.sizes.iter().map(|count| u32::from(*count)).sum();
        let alike = self.sizes.windows(2).map(|pair| pair.iter().map(|count| u32::from(*count)).sum::<u32>()).max();
        // What overflowed the last size is not alike.
        let last = self.sizes.last().copied().map_or(0, u32::from);
        let steady = alike.unwrap_or(0).saturating_sub(last) as f32 >= all as f32 * ALIKE;
        steady && self.quantile(0.99) <= self.quantile(0.5) + self.quantile(0.5) / 2 + 1
    }
}

fn bump(counters: &mut [u8], place: usize) {
    let Some(counter) = counters.get_mut(place) else { return };
    *counter += 1;
    if *counter == u8::MAX {
        counters.iter_mut().for_each(|counter| *counter /= 2);
    }
}

fn step(gap: u32) -> usize {
    ((gap as f32).log2() * STEPS_PER_OCTAVE).ceil().clamp(0.0, (STEPS - 1) as f32) as usize
}

/// Longest gap of a step, in seconds.
fn edge(step: usize) -> u32 {
    (step as f32 / STEPS_PER_OCTAVE).exp2().round() as u32
}

/// On disk: the counters that are not zero.
#[derive(Serialize, Deserialize)]
struct Packed(Vec<(u8, u8)>, Vec<u8>, u32, u32);

impl From<Gaps> for Packed {
    fn from(gaps: Gaps) -> Packed {
        let steps = gaps.steps.iter().zip(0u8..).filter(|(count, _)| **count > 0).map(|(count, step)| (step, *count));
        let mut sizes = gaps.sizes.to_vec();
        while sizes.last() == Some(&0) {
            sizes.pop();
        }
        Packed(steps.collect(), sizes, gaps.longest, gaps.second)
    }
}

impl From<Packed> for Gaps {
    fn from(Packed(steps, sizes, longest, second): Packed) -> Gaps {
        let mut gaps = Gaps { longest, second, ..Gaps::default() };
        for (step, count) in steps {
            if let Some(counter) = gaps.steps.get_mut(usize::from(step)) {
                *counter = count.min(u8::MAX - 1);
            }
        }
        for (counter, size) in gaps.sizes.iter_mut().zip(sizes) {
            *counter = size.min(u8::MAX - 1);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(gaps: impl IntoIterator<Item = (u64, u64)>) -> Gaps {
        let mut all = Gaps::default();
        gaps.into_iter().for_each(|(gap, lines)| all.add(gap, lines));
        all
    }

    /// Median, 99th percentile, longest usual gap, clockwork?
    #[track_caller]
    fn check(gaps: &Gaps, expected: (u32, u32, u32, bool)) {
        let found = (gaps.quantile(0.5), gaps.quantile(0.99), gaps.longest_usual(), gaps.is_clockwork());
        assert_eq!(found, expected);
    }

    #[test]
    fn rhythms() {
        check(&of((0..40).map(|_| (1, 1))), (1, 1, 1, true));
        check(&of((0..40).map(|_| (60, 1))), (60, 60, 60, true));
        // Twice a second.
        check(&of((0..40).map(|_| (1, 2))), (1, 1, 1, true));
        check(&of((0..1_000).map(|n| (10 + n % 2, 1))), (11, 11, 11, true));
        // An upgrade: some lines in most seconds.
        check(&of((0..40).map(|n| (1 + n % 3 / 2, 1 + n * n % 7))), (1, 2, 2, false));
        check(&of((0..100).map(|n| (1 + n % 20, 1))), (11, 20, 20, false));
        // One long pause is no habit, two are.
        check(&of([(9_000, 1)].into_iter().chain((0..40).map(|_| (2, 1)))), (2, 9_000, 2, false));
        check(&of([(9_000, 1), (8_000, 1)].into_iter().chain((0..400).map(|_| (2, 1)))), (2, 2, 8_000, true));
    }

    #[test]
    fn survives_a_restart_and_hostile_state() {
        let gaps = of((0..300).map(|n| (n, n)));
        let json = serde_json::to_string(&gaps).expect("gaps serialize");
        assert_eq!(serde_json::from_str::<Gaps>(&json).expect("and read back"), gaps);
        let mut hostile: Gaps =
            serde_json::from_str("[[[200,255],[3,255]],[255,255,255,1,1,1,1,1,1,1],0,0]").expect("shape");
        hostile.add(u64::MAX, u64::MAX);
        assert_eq!(hostile.longest, u32::MAX);
    }
}
