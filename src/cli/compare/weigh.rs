//! Which kinds differ between two logs, and by more than chance? Arithmetic on counts; knows nothing of lines.
//!
//! Two logs are rarely of the same length, and one storm must not make everything else look quiet: the logs are put on one
//! scale by the median ratio of the kinds that both have. Counts of log lines are burstier than Poisson counts, so the
//! log-likelihood ratio of a kind is divided by what is usual between these two logs (quasi-Poisson). `strength` is then in
//! standard deviations.

/// Kinds with fewer lines on both sides together say nothing of the scale.
const LEAST_SCALING: u64 = 10;
/// Louder or quieter: at least so many times, and so strongly. 4 standard deviations are one in 16,000: a pair of logs has
/// hundreds of kinds.
const LEAST_RATIO: f64 = 2.0;
const LEAST_STRENGTH: f64 = 4.0;
/// Median of chi-squared with one degree of freedom.
const MEDIAN_CHI_SQUARED: f64 = 0.454_936;

/// How two logs relate as wholes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scale {
    /// Lines of B for each line of A, for the kinds in the middle.
    pub ratio: f64,
    /// How much burstier than Poisson counts are, as a variance ratio; at least 1.
    pub dispersion: f64,
}

/// What a kind does in B.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    New,
    Gone,
    Louder,
    Quieter,
    Same,
}

/// A kind on both sides, weighed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weighed {
    pub change: Change,
    /// Times as many lines in B as the scale expects; infinite for a new kind.
    pub ratio: f64,
    /// In standard deviations; never negative.
    pub strength: f64,
}

impl Scale {
    /// Of the counts of each kind in A and B.
    pub fn of(counts: &[(u64, u64)]) -> Scale {
        let both = || counts.iter().filter(|(a, b)| *a > 0 && *b > 0 && a + b >= LEAST_SCALING);
        let middle = median(both().map(|(a, b)| (*b as f64 / *a as f64).ln()).collect()).map(f64::exp);
        let ratio = middle.unwrap_or_else(|| {
            let sum = |side: fn(&(u64, u64)) -> u64| counts.iter().map(side).sum::<u64>();
            let (a, b) = (sum(|(a, _)| *a), sum(|(_, b)| *b));
            if a == 0 || b == 0 { 1.0 } else { b as f64 / a as f64 }
        });
        let usual = median(both().map(|(a, b)| deviance(*a, *b, ratio)).collect());
        Scale { ratio, dispersion: usual.map_or(1.0, |usual| (usual / MEDIAN_CHI_SQUARED).max(1.0)) }
    }

    pub fn weigh(&self, a: u64, b: u64) -> Weighed {
        let strength = (deviance(a, b, self.ratio) / self.dispersion).max(0.0).sqrt();
        let ratio = if a == 0 { f64::INFINITY } else { b as f64 / a as f64 / self.ratio };
        let is_strong = strength >= LEAST_STRENGTH;
        let change = match (a, b) {
            (0, _) => Change::New,
            (_, 0) => Change::Gone,
            _ if is_strong && ratio >= LEAST_RATIO => Change::Louder,
            _ if is_strong && ratio <= 1.0 / LEAST_RATIO => Change::Quieter,
            _ => Change::Same,
        };
        Weighed { change, ratio, strength }
    }
}

/// Twice the log-likelihood ratio of "as many as the scale says" against "as many as there were" (Dunning 1993).
fn deviance(a: u64, b: u64, ratio: f64) -> f64 {
    let (a, b) = (a as f64, b as f64);
    let rate = (a + b) / (1.0 + ratio);
    let part = |seen: f64, expected: f64| if seen > 0.0 { seen * (seen / expected).ln() } else { 0.0 };
    2.0 * (part(a, rate) + part(b, rate * ratio))
}

/// The value in the middle, or half-way between the two that are.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values.get(values.len().saturating_sub(1) / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts around the same on both sides, then the kind in question.
    #[track_caller]
    fn check(ratio: u64, (a, b): (u64, u64), expected: Change) {
        let mut counts: Vec<(u64, u64)> = (1..40).map(|kind| (kind * 10, kind * 10 * ratio + kind % 5)).collect();
        counts.push((a, b));
        assert_eq!(Scale::of(&counts).weigh(a, b).change, expected);
    }

    #[test]
    fn what_differs_differs_from_the_rest() {
        check(1, (0, 1), Change::New);
        check(1, (1, 0), Change::Gone);
        check(1, (10, 200), Change::Louder);
        check(1, (200, 10), Change::Quieter);
        check(1, (100, 110), Change::Same);
        check(1, (1, 3), Change::Same);
        // Three times as long.
        check(3, (100, 300), Change::Same);
        check(3, (100, 100), Change::Quieter);
        check(3, (100, 2_000), Change::Louder);
        // A storm makes nothing else quiet.
        check(1, (10, 1_000_000), Change::Louder);
    }

    #[test]
    fn bursty_logs_need_more() {
        let even: Vec<(u64, u64)> = (0..50).map(|_| (100, 101)).collect();
        let bursty: Vec<(u64, u64)> = (0..50).map(|kind| if kind % 2 == 0 { (30, 100) } else { (100, 30) }).collect();
        assert_eq!(Scale::of(&even).dispersion, 1.0);
        assert!(Scale::of(&bursty).dispersion > 10.0);
        let strength = |counts: &[(u64, u64)]| Scale::of(counts).weigh(20, 100).strength;
        assert!(strength(&even) > 4.0 && strength(&bursty) < 4.0);
    }

    #[test]
    fn nothing_on_one_side_is_no_division_by_zero() {
        for counts in [vec![], vec![(5, 0)], vec![(0, 5)], vec![(0, 5), (7, 0)]] {
            let scale = Scale::of(&counts);
            assert!(scale.ratio.is_finite() && scale.ratio > 0.0 && scale.dispersion >= 1.0, "{scale:?}");
            assert!(counts.iter().all(|(a, b)| scale.weigh(*a, *b).strength.is_finite()));
        }
    }
}
