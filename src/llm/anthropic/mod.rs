//! Anthropic's Claude over `/v1/messages`, stateless, one request an answer.
//!
//! Contract: <https://platform.claude.com/docs/en/api/messages>. The key travels in `x-api-key` and nowhere else. Says what
//! a failure means; never retries (`retry`) and never reads what the model said (judge).

mod config;
mod error;
mod reply;

pub use config::Config;

use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::failing::{blot, refused, unanswered};
use super::http::Http;
use super::ladder::{Form, Ladders};
use super::models::{ModelRow, Models};
use super::schema::InOrder;
use super::{Again, Backend, BuildError, Failure, LlmBackend};
use crate::model::{Completion, JudgeFailure, Prompt, Usage};
use crate::registry::Component;

pub const COMPONENT: Component = Component {
    role: "backend",
    name: "anthropic",
    does: "asks Anthropic's Claude (messages) about kinds of lines it has not seen",
};

/// Forms of an answer: newer models refuse a forced tool, older ones do not know the schema.
const FORMS: &[Form] = &[Form::Schema, Form::Tool, Form::Plain];

/// The version of the API that this file speaks.
const VERSION: &str = "2023-06-01";

/// The backend. `Debug` is left out on purpose: it holds the key.
pub struct Anthropic {
    config: Config,
    names: Vec<String>,
    models: Models,
    ladders: Ladders,
    http: Http,
    url: Url,
    /// Only to blot it out of error texts, should the provider echo it.
    key: SecretString,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    system: &'a str,
    messages: [Message<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Tool<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    format: OutputFormat<'a>,
}

#[derive(Serialize)]
struct OutputFormat<'a> {
    r#type: &'a str,
    schema: InOrder<'a>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: InOrder<'a>,
}

#[derive(Serialize)]
struct ToolChoice {
    r#type: &'static str,
    name: &'static str,
}

const TOOL: &str = "verdicts";

impl Anthropic {
    /// None when the key is empty. `rows` are the operator's own of `[[llm.models]]`.
    ///
    /// # Errors
    /// When the key cannot be a header or TLS cannot be set up.
    pub fn new(config: &Config, rows: &[ModelRow], key: &SecretString) -> Result<Option<Anthropic>, BuildError> {
        let trimmed = key.expose_secret().trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        let mut value = HeaderValue::from_str(trimmed).map_err(|_| BuildError::Key)?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", value);
        headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let url = config.url();
        let names = config.models();
        Ok(Some(Anthropic {
            http: Http::new(&url, config.timeout.0, headers)?,
            ladders: Ladders::new(&names, FORMS),
            models: Models::new(Backend::Anthropic, rows),
            names,
            config: config.clone(),
            url,
            key: SecretString::from(trimmed.to_owned()),
        }))
    }

    fn body(&self, prompt: &Prompt, model: &str, form: Form) -> serde_json::Result<Vec<u8>> {
        let schema = || InOrder(&prompt.schema);
        let is_tool = form == Form::Tool;
        serde_json::to_vec(&Body {
            model,
            max_tokens: prompt.max_output_tokens.min(self.config.max_output_tokens),
            system: prompt.system,
            messages: [Message { role: "user", content: prompt.user.as_str() }],
            output_config: (form == Form::Schema)
                .then(|| OutputConfig { format: OutputFormat { r#type: "json_schema", schema: schema() } }),
            tools: is_tool.then(|| {
                [Tool { name: TOOL, description: "Takes the verdicts about all items.", input_schema: schema() }]
            }),
            tool_choice: is_tool.then_some(ToolChoice { r#type: "tool", name: TOOL }),
        })
    }

    async fn send(&self, prompt: &Prompt, model: &str) -> Result<Completion, Failure> {
        let ladder = self.ladders.of(model);
        let form = ladder.map_or(Form::Plain, |ladder| ladder.form());
        let blotted = |failure| blot(failure, COMPONENT.name, self.key.expose_secret());
        let body = self.body(prompt, model, form).map_err(|error| {
            let reason = format!("the request cannot be written: {error}");
            blotted(refused(Again::No, None, JudgeFailure::Split { reason }))
        })?;
        let result = match self.http.post(self.url.clone(), body, self.config.timeout.0).await {
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
            blotted(failure)
        })
    }
}

impl LlmBackend for Anthropic {
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
