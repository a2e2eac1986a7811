//! What a backend promises, and how it says that it could not. Knows no provider.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{Completion, JudgeFailure, Prompt, Usage};

/// One provider's API. Sends a request exactly once: never retries, never sleeps, never follows a redirect.
pub trait LlmBackend: Send + Sync {
    /// As `judge.backend` and `judged_by` name it.
    fn name(&self) -> &'static str;

    /// The models to ask, the preferred one first. Never empty.
    fn models(&self) -> &[String];

    /// One request to one of [`LlmBackend::models`], one answer, inside the configured deadline.
    ///
    /// Servers differ in what they take (a schema, a parameter). A backend that was refused something it can do without
    /// says [`Again::Adapted`], leaves it out of the next try, and remembers that once a try without it was taken: a
    /// refused schema costs one request a process.
    fn complete<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Completion, Failure>>;

    /// What `usage` cost, in US dollars, by the model that really answered. An unknown model of a paid provider costs as
    /// much as its dearest one: a spending cap must not be passed because a price is missing.
    fn cost_usd(&self, model: &str, usage: &Usage) -> f64;
}

/// A request without a usable answer: may it be sent again, and what the judge is told when not.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{outcome}")]
pub struct Failure {
    pub again: Again,
    /// Another model of the same backend may do better; this one is not worth asking for so long. None when it is not
    /// about the model.
    pub elsewhere: Option<Duration>,
    pub outcome: JudgeFailure,
    /// Unusable answers are billed too. Where the provider could not say (our deadline, a cut body), the estimated
    /// input counts as spent.
    pub usage: Usage,
    /// Who answered, when that is known.
    pub model: Option<Box<str>>,
}

/// Whether the same request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// It would fail the same way.
    No,
    /// At once: the backend now asks without what was refused.
    Adapted,
    /// Once more: it costs tokens each time.
    Once,
    /// With growing waits.
    Backoff,
    /// Not before this time has passed: the provider said so.
    After(Duration),
}
