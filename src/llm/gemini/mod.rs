//! Google Gemini over `generateContent`, stateless, one request an answer.
//!
//! Contract: <https://ai.google.dev/api/generate-content>. The key travels in `x-goog-api-key` and nowhere else.
//! Says what a failure means; never retries (`retry`) and never reads what the model said (judge).

mod config;
mod models;
mod body;
mod error;
mod quota;
mod reply;

pub use config::Config;

use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::http::{Broken, Http};
use super::{Again, BuildError, Failure, LlmBackend};
use crate::model::{Completion, JudgeFailure, Prompt, Usage};
use crate::registry::Component;

pub const COMPONENT: Component = Component {
    role: "backend",
    name: "gemini",
    does: "asks Google Gemini (generateContent) about kinds of lines it has not seen",
};

/// The backend. `Debug` is left out on purpose: it holds the key.
pub struct Gemini {
    config: Config,
    http: Http,
    url: Url,
    /// Only to blot it out of error texts, should the provider echo it.
    key: SecretString,
}

impl Gemini {
    /// None when the key is empty.
    ///
    /// # Errors
    /// When the key cannot be a header or TLS cannot be set up.
    pub fn new(config: &Config, key: &SecretString) -> Result<Option<Gemini>, BuildError> {
        let trimmed = key.expose_secret().trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        let mut value = HeaderValue::from_str(trimmed).map_err(|_| BuildError::Key)?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("x-goog-api-key", value);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // The server gives up with us instead of working for nobody. It refuses values under 10 s.
        let seconds = config.timeout.0.as_secs();
        if seconds >= 10 {
            headers.insert("x-server-timeout", HeaderValue::from(seconds));
        }
        let key = SecretString::from(trimmed.to_owned());
        let url = config.url();
        let http = Http::new(&url, config.timeout.0, headers)?;
        Ok(Some(Gemini { url, config: config.clone(), http, key }))
    }

    async fn send(&self, prompt: &Prompt) -> Result<Completion, Failure> {
        let body = body::request(&self.config, prompt).to_string().into_bytes();
        let result = match self.http.post(self.url.clone(), body, self.config.timeout.0).await {
            Ok(reply) if reply.status == 200 => {
                reply::read(&reply.body, &self.config.model, prompt.estimated_input_tokens)
            }
            Ok(reply) => Err(error::classify(reply.status, reply.retry_after, &reply.body)),
            Err(broken) => Err(unanswered(broken, prompt)),
        };
        result.map_err(|failure| self.blot(failure))
    }

    /// A provider may echo the key in an error; it must not reach a log or an alert.
    fn blot(&self, mut failure: Failure) -> Failure {
        let (JudgeFailure::Stop { reason }
        | JudgeFailure::Later { reason, .. }
        | JudgeFailure::Split { reason }
        | JudgeFailure::Blocked { reason }) = &mut failure.outcome;
        *reason = format!("gemini: {}", reason.replace(self.key.expose_secret(), "[key]"));
        failure
    }
}

impl LlmBackend for Gemini {
    fn name(&self) -> &'static str {
        COMPONENT.name
    }

    fn complete<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.send(prompt))
    }

    fn cost_usd(&self, model: &str, usage: &Usage) -> f64 {
        models::cost_usd(if model.is_empty() { &self.config.model } else { model }, usage)
    }
}

/// Nothing complete came back. What was sent in full may have been worked on, and billed.
fn unanswered(broken: Broken, prompt: &Prompt) -> Failure {
    let reason = broken.to_string();
    let later = |reason| JudgeFailure::Later { reason, after: Duration::from_secs(60) };
    let (again, outcome, billed) = match broken {
        Broken::Connect(_) => (Again::Backoff, later(reason), false),
        Broken::Cut(_) => (Again::Backoff, later(reason), true),
        // Too much to answer in time, most likely: half of it may fit.
        Broken::Deadline(_) => (Again::Once, JudgeFailure::Split { reason }, true),
        Broken::TooLong => (Again::Once, JudgeFailure::Split { reason }, true),
    };
    let input_tokens = if billed { u64::from(prompt.estimated_input_tokens) } else { 0 };
    Failure { again, outcome, usage: Usage { requests: 1, input_tokens, ..Usage::default() }, model: None }
}
