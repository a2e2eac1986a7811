//! Google Gemini over `generateContent`, stateless, one request an answer.
//!
//! Contract: <https://ai.google.dev/api/generate-content>. The key travels in `x-goog-api-key` and nowhere else.
//! Says what a failure means; never retries (`retry`) and never reads what the model said (judge).

mod config;
mod body;
mod error;
mod quota;
mod reply;

pub use config::Config;
pub(super) use quota::parse_delay;

use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::failing::{blot, unanswered};
use super::http::Http;
use super::ladder::{Form, Ladders};
use super::models::{ModelRow, Models};
use super::{Again, Backend, BuildError, Failure, LlmBackend};
use crate::model::{Completion, Prompt, Usage};
use crate::registry::Component;

pub const COMPONENT: Component = Component {
    role: "backend",
    name: "gemini",
    does: "asks Google Gemini (generateContent) about kinds of lines it has not seen",
};

/// Forms of an answer this API knows.
const FORMS: &[Form] = &[Form::Schema, Form::Plain];

/// The backend. `Debug` is left out on purpose: it holds the key.
pub struct Gemini {
    config: Config,
    names: Vec<String>,
    models: Models,
    ladders: Ladders,
    http: Http,
    /// Only to blot it out of error texts, should the provider echo it.
    key: SecretString,
}

impl Gemini {
    /// None when the key is empty. `rows` are the operator's own of `[[llm.models]]`.
    ///
    /// # Errors
    /// When the key cannot be a header or TLS cannot be set up.
    pub fn new(config: &Config, rows: &[ModelRow], key: &SecretString) -> Result<Option<Gemini>, BuildError> {
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
        let names = config.models();
        Ok(Some(Gemini {
            http: Http::new(&config.url(&config.model), config.timeout.0, headers)?,
            ladders: Ladders::new(&names, FORMS),
            models: Models::new(Backend::Gemini, rows),
            names,
            config: config.clone(),
            key: SecretString::from(trimmed.to_owned()),
        }))
    }

    async fn send(&self, prompt: &Prompt, model: &str) -> Result<Completion, Failure> {
        let ladder = self.ladders.of(model);
        let form = ladder.map_or(Form::Plain, |ladder| ladder.form());
        let body = body::request(&self.config, prompt, self.models.find(model), form).to_string().into_bytes();
        let result = match self.http.post(self.config.url(model), body, self.config.timeout.0).await {
            Ok(reply) if reply.status == 200 => {
                if let Some(ladder) = ladder {
                    ladder.taken(form);
                }
                reply::read(&reply.body, model, prompt.estimated_input_tokens)
            }
            Ok(reply) => Err(error::classify(reply.status, reply.retry_after, &reply.body)),
            Err(broken) => Err(unanswered(broken, prompt)),
        };
        result.map_err(|mut failure| {
            if failure.again == Again::Adapted && !ladder.is_some_and(|ladder| ladder.refused(form)) {
                failure.again = Again::No;
            }
            blot(failure, COMPONENT.name, self.key.expose_secret())
        })
    }
}

impl LlmBackend for Gemini {
    fn name(&self) -> &'static str {
        COMPONENT.name
    }

    fn models(&self) -> &[String] {
        &self.names
    }

    fn complete<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.send(prompt, model))
    }

    fn cost_usd(&self, model: &str, usage: &Usage) -> f64 {
        self.models.cost_usd(model, usage).unwrap_or_else(|| self.models.dearest_usd(usage))
    }
}
