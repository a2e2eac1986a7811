//! What a backend promises, and how it says that it could not. Knows no provider.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{Completion, JudgeFailure, Prompt, Usage};

/// One provider's API. Sends a request exactly once: never retries, never sleeps, never follows a redirect.
pub trait LlmBackend: Send + Sync {
    /// As `judge.backend` and `judged_by` name it.
    fn name(&self) -> &'static str;

    /// One request, one answer, inside the configured deadline.
    ///
    /// A prompt whose schema is `Null` is the plain retry after a refusal: it is sent without schema, thinking
    /// settings and temperature, that is, without anything a model may not know.
    fn complete<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Completion, Failure>>;

    /// What `usage` cost, in US dollars, by the model that really answered. An unknown model costs as much as the
    /// dearest one known: a spending cap must not be passed because a price is missing.
    fn cost_usd(&self, model: &str, usage: &Usage) -> f64;
}

/// A request without a usable answer: may it be sent again, and what the judge is told when not.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{outcome}")]
pub struct Failure {
    pub again: Again,
    pub outcome: JudgeFailure,
    /// Unusable answers are billed too. Where the provider could not say (our deadline, a cut body), the estimated
    /// input counts as spent.
    pub usage: Usage,
    /// Who answered, when that is known.
    pub model: Option<String>,
}

/// Whether the same request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// It would fail the same way.
    No,
    /// Once more, without what a model may refuse.
    Plain,
    /// Once more: it costs tokens each time.
    Once,
    /// With growing waits.
    Backoff,
    /// Not before this time has passed: the provider said so.
    After(Duration),
}
