//! Requests and tokens a minute, kept on our side so that the provider need not say no. Knows no provider.
//!
//! The bucket says at once whether a request may go (`check`), and the wait is a tokio sleep: `until_ready` of the
//! bucket's crate would bring a timer thread of its own.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// Never lets more than the configured number through in any 60 seconds.
pub struct Limit {
    requests: Option<Bucket>,
    tokens: Option<(Bucket, NonZeroU32)>,
    /// A place taken by [`Limit::ready`] that the next request uses up.
    held: AtomicBool,
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// tokio's clock, so that a test with paused time sees the waits at once.
#[derive(Clone)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    /// Since the limit was made.
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Limit {
    /// Zero means no limit.
    pub fn new(requests_per_minute: u32, tokens_per_minute: u32) -> Limit {
        let tokens = NonZeroU32::new(tokens_per_minute).map(|tokens| {
            // Half may go at once, the other half flows in over the minute: together never more than the limit.
            let burst = NonZeroU32::new(tokens.get() / 2).unwrap_or(NonZeroU32::MIN);
            (bucket(tokens.get() - burst.get(), burst), burst)
        });
        let requests = NonZeroU32::new(requests_per_minute).map(|requests| {
            let burst = NonZeroU32::new(requests.get() / 4).unwrap_or(NonZeroU32::MIN);
            bucket(requests.get() - burst.get(), burst)
        });
        Limit { requests, tokens, held: AtomicBool::new(false) }
    }

    /// Waits for a place and holds it for the next [`Limit::take`].
    pub async fn ready(&self) {
        if self.held.load(Ordering::Acquire) {
            return;
        }
        self.wait_for_request().await;
        self.held.store(true, Ordering::Release);
    }

    /// Waits until one request of about `tokens` input tokens may leave.
    pub async fn take(&self, tokens: u32) {
        if !self.held.swap(false, Ordering::AcqRel) {
            self.wait_for_request().await;
        }
        let Some((bucket, burst)) = &self.tokens else { return };
        let Some(tokens) = NonZeroU32::new(tokens) else { return };
        // More than the bucket holds would never pass: such a request waits for a full bucket.
        let tokens = tokens.min(*burst);
        while let Ok(Err(not_until)) = bucket.check_n(tokens) {
            tokio::time::sleep(not_until.wait_time_from(bucket.clock().now())).await;
        }
    }

    async fn wait_for_request(&self) {
        let Some(bucket) = &self.requests else { return };
        while let Err(not_until) = bucket.check() {
            tokio::time::sleep(not_until.wait_time_from(bucket.clock().now())).await;
        }
    }
}

/// `burst` at once and then `flow` spread over a minute: at most `flow + burst` in any 60 seconds.
fn bucket(flow: u32, burst: NonZeroU32) -> Bucket {
    let interval = Duration::from_secs(60) / flow.max(1);
    let quota = Quota::with_period(interval.max(Duration::from_nanos(1)))
        .unwrap_or(Quota::per_minute(NonZeroU32::MIN))
        .allow_burst(burst);
    RateLimiter::direct_with_clock(quota, TokioClock(Instant::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `count` requests left, in milliseconds.
    async fn departures(limit: &Limit, count: usize, tokens: u32) -> Vec<u64> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..count {
            limit.take(tokens).await;
            times.push(u64::try_from(start.elapsed().as_millis()).unwrap());
        }
        times
    }

    #[track_caller]
    fn at_most(times: &[u64], most: usize) {
        for (index, start) in times.iter().enumerate() {
            let inside = times[index..].iter().filter(|time| **time < start + 60_000).count();
            assert!(inside <= most, "{inside} > {most} in the minute from {start} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn never_more_than_the_limit_in_any_minute() {
        for limit in [1, 2, 3, 10, 15, 60] {
            let times = departures(&Limit::new(limit, 0), limit as usize * 4, 0).await;
            at_most(&times, limit as usize);
            assert_eq!(times[0], 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn zero_is_no_limit() {
        assert_eq!(departures(&Limit::new(0, 0), 1_000, 100_000).await.last(), Some(&0));
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_wait_too_and_an_oversized_request_still_leaves() {
        let times = departures(&Limit::new(0, 10_000), 9, 2_500).await;
        at_most(&times, 4);
        let times = departures(&Limit::new(0, 10_000), 3, 50_000).await;
        assert!(times[1] > 0 && times[2] < 200_000, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_place_is_used_once() {
        let limit = Limit::new(1, 0);
        limit.ready().await;
        limit.ready().await;
        let times = departures(&limit, 2, 0).await;
        assert_eq!(times[0], 0);
        assert!(times[1] >= 60_000, "{times:?}");
    }
}
