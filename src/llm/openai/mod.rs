//! Anything that speaks OpenAI's `/chat/completions`: OpenAI, vLLM, Ollama, llama.cpp, LM Studio, routers.
//!
//! Contract: <https://developers.openai.com/api/docs/api-reference/chat>. They agree on little beyond messages: what a
//! server refuses is left out, and that is remembered. Says what a failure means; never retries (`retry`) and never reads
//! what the model said (judge).

mod config;
mod body;
mod error;
mod reply;

pub use config::Config;

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use self::body::Dialect;
use self::error::Refusal;
use super::failing::{blot, refused, unanswered};
use super::http::Http;
use super::ladder::{Form, Ladders};
use super::models::{ModelRow, Models};
use super::{Again, Backend, BuildError, Failure, LlmBackend};
use crate::model::{Completion, JudgeFailure, Prompt, Usage};
use crate::registry::Component;

pub const COMPONENT: Component = Component {
    role: "backend",
    name: "openai",
    does: "asks OpenAI or a server that speaks its API (vLLM, Ollama, llama.cpp) about kinds of lines it has not seen",
};

/// Forms of an answer some server knows, the most reliable first.
const FORMS: &[Form] = &[Form::Schema, Form::ObjectWithSchema, Form::Object, Form::Plain];

/// The one host that knows only the new name of the output limit.
const OPENAI_HOST: &str = "api.openai.com";

/// The backend. `Debug` is left out on purpose: it holds the key.
pub struct OpenAi {
    config: Config,
    names: Vec<String>,
    models: Models,
    ladders: Ladders,
    /// The server wants `max_completion_tokens`.
    completion_tokens: AtomicBool,
    /// The server refused a temperature or a reasoning effort.
    bare: AtomicBool,
    http: Http,
    url: Url,
    /// Empty for a local server without one. Only to blot it out of error texts, should the provider echo it.
    key: SecretString,
}

impl OpenAi {
    /// None when there is no key and the server is not on this machine. `rows` are the operator's own of `[[llm.models]]`.
    ///
    /// # Errors
    /// When the key cannot be a header or TLS cannot be set up.
    pub fn new(config: &Config, rows: &[ModelRow], key: Option<&SecretString>) -> Result<Option<OpenAi>, BuildError> {
        let key = key.map(|key| key.expose_secret().trim()).unwrap_or_default();
        if key.is_empty() && !config.is_local() {
            return Ok(None);
        }
        let mut headers = HeaderMap::new();
        if !key.is_empty() {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| BuildError::Key)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let url = config.url();
        let names = config.models();
        Ok(Some(OpenAi {
            http: Http::new(&url, config.timeout.0, headers)?,
            ladders: Ladders::new(&names, FORMS),
            models: Models::new(Backend::Openai, rows),
            completion_tokens: AtomicBool::new(url.host_str() == Some(OPENAI_HOST)),
            bare: AtomicBool::new(false),
            names,
            config: config.clone(),
            url,
            key: SecretString::from(key.to_owned()),
        }))
    }

    async fn send(&self, prompt: &Prompt, model: &str) -> Result<Completion, Failure> {
        let ladder = self.ladders.of(model);
        let dialect = Dialect {
            form: ladder.map_or(Form::Plain, |ladder| ladder.form()),
            completion_tokens: self.completion_tokens.load(Ordering::Relaxed),
            bare: self.bare.load(Ordering::Relaxed),
        };
        let blotted = |failure| blot(failure, COMPONENT.name, self.key.expose_secret());
        let body = body::request(&self.config, model, prompt, self.models.find(model), dialect).map_err(|error| {
            let reason = format!("the request cannot be written: {error}");
            blotted(refused(Again::No, None, JudgeFailure::Split { reason }))
        })?;
        let result = match self.http.post(self.url.clone(), body, self.config.timeout.0).await {
            Ok(reply) if reply.status == 200 => {
                if let Some(ladder) = ladder {
                    ladder.taken(dialect.form);
                }
                reply::read(&reply.body, model, prompt.estimated_input_tokens)
            }
            Ok(reply) => {
                let (mut failure, refusal) = error::classify(reply.status, reply.retry_after, &reply.body);
                if refusal.is_some_and(|refusal| self.adapt(model, dialect, refusal)) {
                    failure.again = Again::Adapted;
                }
                Err(failure)
            }
            Err(broken) => Err(unanswered(broken, prompt)),
        };
        result.map_err(blotted)
    }

    /// Leaves out what was refused. False when it was out already, and nothing plainer is left.
    fn adapt(&self, model: &str, dialect: Dialect, refusal: Refusal) -> bool {
        let has_extras = !dialect.bare && dialect.form != Form::Plain;
        match refusal {
            Refusal::LimitName if !dialect.completion_tokens => self.completion_tokens.store(true, Ordering::Relaxed),
            Refusal::Extras if has_extras => self.bare.store(true, Ordering::Relaxed),
            Refusal::LimitName | Refusal::Extras | Refusal::Form => {
                return self.ladders.of(model).is_some_and(|ladder| ladder.refused(dialect.form));
            }
        }
        true
    }
}

impl LlmBackend for OpenAi {
    fn name(&self) -> &'static str {
        COMPONENT.name
    }

    fn models(&self) -> &[String] {
        &self.names
    }

    fn complete<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.send(prompt, model))
    }

    /// A model that has a price, the operator's or the shipped one, costs it behind a proxy on this machine too; others cost
    /// nothing there.
    fn cost_usd(&self, model: &str, usage: &Usage) -> f64 {
        match self.models.cost_usd(model, usage) {
            Some(cost) => cost,
            None if self.config.is_local() => 0.0,
            None => self.models.dearest_usd(usage),
        }
    }
}
