//! The request body of `/chat/completions`. Small on purpose: every server refuses something else.

use serde::Serialize;

use super::super::ladder::Form;
use super::super::models::ModelRow;
use super::super::schema::InOrder;
use super::super::settings::temperature_value;
use super::Config;
use crate::model::Prompt;

/// What this server and model were found to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dialect {
    pub form: Form,
    /// `max_completion_tokens` instead of `max_tokens`.
    pub completion_tokens: bool,
    /// No temperature and no reasoning effort.
    pub bare: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format<'a> {
    JsonSchema {
        json_schema: Named<'a>,
    },
    JsonObject {
        #[serde(skip_serializing_if = "Option::is_none")]
        schema: Option<InOrder<'a>>,
    },
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    schema: InOrder<'a>,
}

/// Builds the body. `row` is what is known of the model.
pub fn request(
    config: &Config,
    model: &str,
    prompt: &Prompt,
    row: Option<&ModelRow>,
    dialect: Dialect,
) -> serde_json::Result<Vec<u8>> {
    let limit = prompt.max_output_tokens.min(config.max_output_tokens);
    let schema = InOrder(&prompt.schema);
    let extras = !dialect.bare && dialect.form != Form::Plain;
    serde_json::to_vec(&Body {
        model,
        messages: [
            Message { role: "system", content: prompt.system },
            Message { role: "user", content: prompt.user.as_str() },
        ],
        max_tokens: (!dialect.completion_tokens).then_some(limit),
        max_completion_tokens: dialect.completion_tokens.then_some(limit),
        temperature: config.temperature.filter(|_| extras).map(temperature_value),
        reasoning_effort: row.filter(|_| extras).and_then(|row| row.reasoning_effort.as_deref()),
        response_format: match dialect.form {
            // Not `strict`: that wants every field in every verdict, and normal ones would be paid for in full.
            Form::Schema => Some(Format::JsonSchema { json_schema: Named { name: "verdicts", schema } }),
            Form::ObjectWithSchema => Some(Format::JsonObject { schema: Some(schema) }),
            Form::Object => Some(Format::JsonObject { schema: None }),
            Form::Tool | Form::Plain => None,
        },
    })
}
