//! What may still be spent today. A day is a UTC day. Counts what was really used, answered or not.

use serde::{Deserialize, Serialize};

use crate::model::{Timestamp, Usage};

const SECONDS_PER_DAY: i64 = 86_400;

/// Spend of the current day.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Days since the epoch.
    day: i64,
    tokens: u64,
    usd: f64,
}

impl Budget {
    pub fn spend(&mut self, usage: &Usage, cost_usd: f64, now: Timestamp) {
        self.turn(now);
        self.tokens = self.tokens.saturating_add(usage.input_tokens).saturating_add(usage.output_tokens);
        // A broken price list must not turn the sum into NaN, which no limit would catch.
        self.usd += if cost_usd.is_finite() { cost_usd.max(0.0) } else { 0.0 };
    }

    /// Whether a request of about `tokens` fits. Zero limits are none. Learned kinds get half of the day, so that
    /// what happens now can still be asked about.
    pub fn has_room(
        &mut self,
        tokens: u64,
        daily_tokens: u64,
        daily_usd: f64,
        low_priority: bool,
        now: Timestamp,
    ) -> bool {
        self.turn(now);
        let share = if low_priority { 2 } else { 1 };
        let tokens_fit = daily_tokens == 0 || self.tokens.saturating_add(tokens) <= daily_tokens / share;
        let usd_fit = daily_usd <= 0.0 || self.usd < daily_usd / share as f64;
        tokens_fit && usd_fit
    }

    /// Tokens and dollars of today.
    pub fn spent(&mut self, now: Timestamp) -> (u64, f64) {
        self.turn(now);
        (self.tokens, self.usd)
    }

    /// A clock that goes back a little opens no new budget; one that was wrong by more does.
    fn turn(&mut self, now: Timestamp) {
        let today = day_of(now);
        if today > self.day || today < self.day - 1 {
            *self = Budget { day: today, ..Budget::default() };
        }
    }
}

/// When the next day begins.
pub fn next_day(now: Timestamp) -> Timestamp {
    Timestamp::from_seconds((day_of(now) + 1).saturating_mul(SECONDS_PER_DAY))
}

/// `2026-11-22`.
pub fn day_name(now: Timestamp) -> String {
    now.to_string().chars().take_while(|c| *c != 'T').collect()
}

fn day_of(now: Timestamp) -> i64 {
    now.as_seconds().div_euclid(SECONDS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from(text.parse::<jiff::Timestamp>().unwrap())
    }

    #[test]
    fn a_day_ends_at_utc_midnight() {
        let mut budget = Budget::default();
        let usage = Usage { requests: 1, input_tokens: 900, output_tokens: 50, cached_tokens: 0 };
        let evening = at("2026-11-22T23:59:00Z");
        budget.spend(&usage, 0.5, evening);
        assert_eq!(budget.spent(evening), (950, 0.5));
        assert!(budget.has_room(50, 1_000, 0.0, false, evening));
        assert!(!budget.has_room(51, 1_000, 0.0, false, evening));
        assert!(budget.has_room(51, 0, 0.0, false, evening));
        assert!(!budget.has_room(1, 0, 0.5, false, evening));
        assert!(budget.has_room(1, 0, 0.6, false, evening));
        assert!(!budget.has_room(1, 1_800, 0.0, true, evening));
        assert_eq!(next_day(evening), at("2026-11-23T00:00:00Z"));
        assert!(budget.has_room(1_000, 1_000, 0.5, false, at("2026-11-23T00:00:00Z")));
        assert_eq!(day_name(evening), "2026-11-22");
    }

    #[test]
    fn clocks_that_jump() {
        let mut budget = Budget::default();
        let usage = Usage { input_tokens: 900, ..Usage::default() };
        budget.spend(&usage, f64::NAN, at("2026-11-23T00:00:01Z"));
        assert_eq!(budget.spent(at("2026-11-22T23:59:59Z")), (900, 0.0));
        budget.spend(&usage, 0.1, at("2099-01-01T00:00:00Z"));
        assert_eq!(budget.spent(at("2026-11-23T00:00:02Z")).0, 0);
    }
}
