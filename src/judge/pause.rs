//! Why nothing is asked for a while, and for how long. Also the breaker: a backend that only fails is left alone.

use std::time::Duration;

use crate::model::Timestamp;

/// So many failures in a row open the breaker. One culprit in 40 items takes 7 failures to find: those are allowed.
const FAILURES_IN_A_ROW: u32 = 8;
const FIRST: Duration = Duration::from_secs(30);
const FIRST_OPEN: Duration = Duration::from_secs(300);
const LONGEST: Duration = Duration::from_secs(3600);
/// Nobody is waited for longer: a day quota ends within 25 hours. What would last longer is from before the clock was set
/// back.
const LONGEST_LASTING: Duration = Duration::from_secs(48 * 3600);
/// An operator has to do something. One request an hour finds out whether it was done.
const STOPPED: Duration = Duration::from_secs(3600);

/// The current pause, if any, and what led to it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pauses {
    current: Option<(Timestamp, String)>,
    /// The provider asked for it: it outlasts a restart.
    lasting: bool,
    failures: u32,
    /// When it was looked at last: a clock that was set back must not make a pause longer.
    seen: Option<Timestamp>,
}

impl Pauses {
    /// Why nothing is asked at `now`.
    pub fn reason(&self, now: Timestamp) -> Option<&str> {
        self.current.as_ref().filter(|(until, _)| *until > now).map(|(_, reason)| reason.as_str())
    }

    /// When the pause ends.
    pub fn until(&self) -> Option<Timestamp> {
        self.current.as_ref().map(|(until, _)| *until)
    }

    /// Forgets a pause that is over. What is left of one stays what it was when the clock was set back.
    pub fn tick(&mut self, now: Timestamp) {
        if let (Some(seen), Some((until, _))) = (self.seen.replace(now), &mut self.current)
            && now < seen
        {
            *until = now.saturating_add(until.since(seen));
        }
        if let Some((until, _)) = &mut self.current {
            *until = (*until).min(now.saturating_add(LONGEST_LASTING));
        }
        if self.until().is_some_and(|until| until <= now) {
            self.current = None;
        }
    }

    /// Ends any pause: the config or the key is new.
    pub fn clear(&mut self) {
        *self = Pauses::default();
    }

    /// A request was carried to an answer, believed or not: the backend lives.
    pub fn answered(&mut self) {
        self.failures = 0;
    }

    pub fn set(&mut self, until: Timestamp, reason: &str) {
        self.current = Some((until, reason.to_owned()));
        self.lasting = false;
    }

    /// A pause that the provider asked for, also one from before a restart.
    pub fn later_until(&mut self, until: Timestamp, reason: &str) {
        self.current = Some((until, reason.to_owned()));
        self.lasting = true;
    }

    /// What a restart must not forget.
    pub fn lasting(&self) -> Option<(Timestamp, String)> {
        self.current.clone().filter(|_| self.lasting)
    }

    pub fn stopped(&mut self, now: Timestamp, reason: &str) {
        self.set(now.saturating_add(STOPPED), reason);
    }

    /// An outage or quota: at least as long as the backend says, and longer each time. Returns failures in a row.
    pub fn later(&mut self, now: Timestamp, after: Duration, reason: &str) -> u32 {
        self.failures = self.failures.saturating_add(1);
        let wait = growing(FIRST, self.failures - 1).max(after);
        self.later_until(now.saturating_add(wait), reason);
        self.failures
    }

    /// This request failed for its content, so others may pass. Pauses only when nothing has passed for long.
    pub fn content_failed(&mut self, now: Timestamp, reason: &str) {
        self.failures = self.failures.saturating_add(1);
        if let Some(more) = self.failures.checked_sub(FAILURES_IN_A_ROW) {
            self.set(now.saturating_add(growing(FIRST_OPEN, more)), reason);
        }
    }
}

fn growing(first: Duration, doublings: u32) -> Duration {
    first.saturating_mul(1 << doublings.min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_before_a_restart_lengthens_no_pause() {
        let mut pauses = Pauses::default();
        let now = Timestamp::from_seconds(1_000_000_000);
        pauses.later_until(now.saturating_add(Duration::from_secs(400 * 86_400)), "quota");
        pauses.tick(now);
        assert_eq!(pauses.until(), Some(now.saturating_add(LONGEST_LASTING)));
        pauses.tick(now.saturating_add(LONGEST_LASTING));
        assert_eq!(pauses.until(), None);
    }

    #[test]
    fn outages_wait_longer_each_time() {
        let mut pauses = Pauses::default();
        let now = Timestamp::EPOCH;
        let mut waits = Vec::new();
        for _ in 0..9 {
            pauses.later(now, Duration::from_secs(60), "down");
            waits.push(pauses.until().map(|until| until.as_seconds()).unwrap_or(0));
        }
        assert_eq!(waits, [60, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        pauses.later(now, Duration::from_secs(50_000), "quota");
        assert_eq!(pauses.until(), Some(Timestamp::from_seconds(50_000)));
        assert_eq!(pauses.reason(now), Some("quota"));
        assert_eq!(pauses.reason(Timestamp::from_seconds(50_000)), None);
        pauses.tick(Timestamp::from_seconds(50_000));
        assert_eq!(pauses.until(), None);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_pause_longer() {
        let mut pauses = Pauses::default();
        let future = Timestamp::from_seconds(2_000_000_000);
        pauses.tick(future);
        pauses.later(future, Duration::from_secs(60), "down");
        pauses.tick(Timestamp::from_seconds(1_000));
        assert_eq!(pauses.until(), Some(Timestamp::from_seconds(1_060)));
        pauses.tick(Timestamp::from_seconds(1_060));
        assert_eq!(pauses.until(), None);
    }

    #[test]
    fn the_breaker_opens_late_and_closes_at_once() {
        let mut pauses = Pauses::default();
        for _ in 0..7 {
            pauses.content_failed(Timestamp::EPOCH, "bad");
        }
        assert_eq!(pauses.until(), None);
        pauses.content_failed(Timestamp::EPOCH, "bad");
        assert_eq!(pauses.until(), Some(Timestamp::from_seconds(300)));
        pauses.content_failed(Timestamp::EPOCH, "bad");
        assert_eq!(pauses.until(), Some(Timestamp::from_seconds(600)));
        pauses.clear();
        pauses.answered();
        pauses.content_failed(Timestamp::EPOCH, "bad");
        assert_eq!(pauses.until(), None);
    }
}
