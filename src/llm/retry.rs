//! When is a failed request sent again? At most so often, inside a total budget, never before the provider allows it.
//!
//! Knows no provider: a backend's `Failure` says which of these applies. Every try takes its own rate token.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use super::limit::Limit;
use super::turns::Turns;
use super::{Again, LlmBackend};
use crate::model::{Completion, JudgeFailure, Prompt, Usage};

/// Longest single wait of the exponential backoff.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// What a server refuses is left out step by step. More steps than any backend has.
const MOST_ADAPTED: u32 = 8;
/// A wait longer than this is not sat out here: the judge asks something else later.
const LONGEST_ORDERED_WAIT: Duration = Duration::from_secs(300);

/// How hard one request is tried.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Policy {
    /// Tries after the first. Those without what a server refused, and the first of another model, are not counted.
    max_retries: u32,
    /// First wait of the backoff; it doubles, with jitter on top.
    first_delay: Duration,
    /// No try starts later than this after the first one.
    budget: Duration,
}

/// The end of all tries of one request.
#[derive(Debug)]
pub struct End {
    pub result: Result<Completion, JudgeFailure>,
    pub usage: Usage,
    pub cost_usd: f64,
}

impl Policy {
    /// The budget is 90 seconds or two deadlines, whichever is longer.
    pub fn new(max_retries: u32, first_delay: Duration, timeout: Duration) -> Policy {
        Policy { max_retries, first_delay, budget: Duration::from_secs(90).max(timeout * 2) }
    }
}

/// Tries until there is an answer or no try is left. `turns` remembers which model to ask.
pub async fn run(backend: &dyn LlmBackend, prompt: &Prompt, limit: &Limit, policy: &Policy, turns: &Turns) -> End {
    let mut delays = ExponentialBuilder::default()
        .with_min_delay(policy.first_delay)
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .without_max_times()
        .build();
    let mut adapted = 0;
    let mut retries = 0;
    let mut once_more = true;
    let mut usage = Usage::default();
    let mut cost_usd = 0.0;
    // Set when the first try leaves: waiting for the rate limit is nobody's fault.
    let mut started = None;
    let mut turn = turns.begin(Instant::now());

    loop {
        limit.take(prompt.estimated_input_tokens).await;
        let started = *started.get_or_insert_with(Instant::now);
        let model = backend.models().get(turn.model()).map(String::as_str).unwrap_or_default();
        let failure = match backend.complete(prompt, model).await {
            Ok(completion) => {
                usage += completion.usage;
                cost_usd += backend.cost_usd(&completion.model, &completion.usage);
                return End { result: Ok(completion), usage, cost_usd };
            }
            Err(failure) => failure,
        };
        usage += failure.usage;
        cost_usd += backend.cost_usd(failure.model.as_deref().unwrap_or(model), &failure.usage);

        let wait = match failure.again {
            Again::No => None,
            Again::Adapted if adapted < MOST_ADAPTED => {
                adapted += 1;
                tracing::debug!("{failure}; asking {model} without it");
                continue;
            }
            Again::Adapted => None,
            Again::Once if once_more => {
                once_more = false;
                delays.next()
            }
            Again::Once => None,
            Again::Backoff => delays.next(),
            // Clients that were told the same moment must not all come back in the same millisecond.
            Again::After(wait) if wait <= LONGEST_ORDERED_WAIT => {
                Some(wait + policy.first_delay.mul_f64(fastrand::f64() / 2.0))
            }
            Again::After(_) => None,
        };
        let wait = wait.filter(|wait| retries < policy.max_retries && started.elapsed() + *wait <= policy.budget);
        let Some(wait) = wait else {
            if let Some(period) = failure.elsewhere
                && turn.leave(period, failure.outcome.clone(), Instant::now())
            {
                let next = backend.models().get(turn.model()).map(String::as_str).unwrap_or_default();
                tracing::warn!("{failure}; {next} is asked instead of {model} for {} s", period.as_secs());
                continue;
            }
            return End { result: Err(turn.end(failure.outcome, Instant::now())), usage, cost_usd };
        };
        retries += 1;
        tracing::debug!("{failure}; trying again in {} ms", wait.as_millis());
        tokio::time::sleep(wait).await;
    }
}
