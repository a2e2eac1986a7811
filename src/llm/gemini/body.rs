//! The request body, in Google's camelCase. Unknown fields are refused there, so nothing is sent on suspicion.

use serde_json::{Value, json};

use super::super::ladder::Form;
use super::super::models::ModelRow;
use super::super::settings::temperature_value;
use super::Config;
use crate::model::Prompt;

/// Builds the body. `row` is what is known of the model.
pub fn request(config: &Config, prompt: &Prompt, row: Option<&ModelRow>, form: Form) -> Value {
    let schema = (form == Form::Schema).then_some(&prompt.schema);
    build(config, prompt.system, prompt.user.as_str(), schema, row, prompt.max_output_tokens)
}

/// Without a schema nothing is sent that a model may not know: no thinking settings, no temperature.
fn build(
    config: &Config,
    system: &str,
    user: &str,
    schema: Option<&Value>,
    row: Option<&ModelRow>,
    max_output_tokens: u32,
) -> Value {
    let mut generation = json!({
        // Unset, a thinking model may think without end.
        "maxOutputTokens": max_output_tokens.min(config.max_output_tokens),
        "responseMimeType": "application/json",
    });
    if let Some(schema) = schema {
        generation["responseJsonSchema"] = schema.clone();
        let level = row.and_then(|row| row.thinking_level.as_ref());
        let budget = row.and_then(|row| row.thinking_budget);
        if let Some(level) = level {
            generation["thinkingConfig"] = json!({ "thinkingLevel": level });
        } else if let Some(tokens) = budget {
            generation["thinkingConfig"] = json!({ "thinkingBudget": tokens });
        }
        if let Some(temperature) = config.temperature {
            generation["temperature"] = json!(temperature_value(temperature));
        }
    }
    json!({
        "systemInstruction": { "parts": [{ "text": system }] },
        "contents": [{ "role": "user", "parts": [{ "text": user }] }],
        "generationConfig": generation,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::Backend;
    use super::super::super::models::Models;
    use super::*;

    #[track_caller]
    fn check(toml: &str, schema: Option<Value>, expected: Value) {
        let config: Config = toml::from_str(toml).unwrap();
        let models = Models::new(Backend::Gemini, &[]);
        let row = models.find(&config.model);
        let body = build(&config, "be careful", "{\"items\":[]}", schema.as_ref(), row, 6_000);
        assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "be careful"}]}));
        assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": "{\"items\":[]}"}]}]));
        assert_eq!(body["generationConfig"], expected);
        assert_eq!(body.as_object().unwrap().len(), 3);
    }

    #[test]
    fn bodies() {
        let schema = Some(json!({"type": "object"}));
        check(
            "",
            schema.clone(),
            json!({"maxOutputTokens": 6000, "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
                "thinkingConfig": {"thinkingLevel": "minimal"}}),
        );
        check(
            "model = 'gemini-2.5-flash-lite'\nmax_output_tokens = 1000\ntemperature = 0.2",
            schema,
            json!({"maxOutputTokens": 1000, "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
                "thinkingConfig": {"thinkingBudget": 0}, "temperature": 0.2}),
        );
        check("temperature = 0.2", None, json!({"maxOutputTokens": 6000, "responseMimeType": "application/json"}));
    }
}
