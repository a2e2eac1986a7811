//! The time of the loop: the wall clock's, made steady. Deadlines depend on it, so it never steps back.

use std::time::{Duration, Instant};

use crate::model::Timestamp;

/// A step back that is worth a word in our log.
const WORTH_SAYING: Duration = Duration::from_secs(2);

/// Follows the wall clock forward at once. When that is set back, runs at half speed until it has caught up: deadlines
/// then come late by their own length at most, instead of by the size of the step.
#[derive(Debug)]
pub struct Clock {
    given: Timestamp,
    at: Instant,
    /// The wall clock is behind, and that was said.
    ahead: bool,
}

impl Clock {
    pub fn new(wall: Timestamp, at: Instant) -> Clock {
        Clock { given: wall, at, ahead: false }
    }

    /// The time to work with, when the clocks show this.
    pub fn read(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        let passed = at.saturating_duration_since(self.at);
        let behind = self.given.saturating_add(passed).since(wall);
        if behind > WORTH_SAYING && !self.ahead {
            tracing::warn!(
                "the clock of this host was set back by {} s; our times run ahead until it has caught up",
                behind.as_secs()
            );
        }
        self.ahead = behind > WORTH_SAYING;
        self.given = wall.max(self.given.saturating_add(passed / 2));
        self.at = at;
        self.given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps as (seconds passed in truth, seconds the wall clock shows); expected: what the loop works with.
    #[track_caller]
    fn check(steps: &[(u64, i64)], expected: &[i64]) {
        let start = Instant::now();
        let mut clock = Clock::new(Timestamp::from_seconds(10_000), start);
        let given: Vec<i64> = steps
            .iter()
            .map(|(passed, wall)| {
                clock.read(Timestamp::from_seconds(*wall), start + Duration::from_secs(*passed)).as_seconds()
            })
            .collect();
        assert_eq!(given, expected);
    }

    #[test]
    fn follows_forward_and_never_steps_back() {
        check(&[(1, 10_001), (2, 20_000), (4, 20_002)], &[10_001, 20_000, 20_002]);
        check(&[(1, 10_001), (3, 6_400), (13, 6_410)], &[10_001, 10_002, 10_007]);
        // Caught up: in step again.
        check(&[(2, 9_998), (6, 10_002), (8, 10_004), (9, 10_005)], &[10_001, 10_003, 10_004, 10_005]);
    }
}
