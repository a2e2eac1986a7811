//! The request body, in Google's camelCase. Unknown fields are refused there, so nothing is sent on suspicion.

use serde_json::{Value, json};

use super::Config;
use super::models::{self, Thinking};
use crate::model::Prompt;

/// Builds the body. A `Null` schema asks for the plain form, see `LlmBackend::complete`.
pub fn request(config: &Config, prompt: &Prompt) -> Value {
    build(config, prompt.system, prompt.user.as_str(), &prompt.schema, prompt.max_output_tokens)
}

fn build(config: &Config, system: &str, user: &str, schema: &Value, max_output_tokens: u32) -> Value {
    let mut generation = json!({
        // Unset, a thinking model may think without end.
        "maxOutputTokens": max_output_tokens.min(config.max_output_tokens),
        "responseMimeType": "application/json",
    });
    if !schema.is_null() {
        generation["responseJsonSchema"] = schema.clone();
        match models::thinking(&config.model) {
            Thinking::Unsaid => {}
            Thinking::Level(level) => generation["thinkingConfig"] = json!({ "thinkingLevel": level }),
            Thinking::Budget(tokens) => generation["thinkingConfig"] = json!({ "thinkingBudget": tokens }),
        }
        if let Some(temperature) = config.temperature {
            // As a person wrote it: 0.2 as f32 would print as 0.20000000298023224.
            generation["temperature"] = json!((f64::from(temperature) * 1e4).round() / 1e4);
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
    use super::*;

    #[track_caller]
    fn check(toml: &str, schema: Value, expected: Value) {
        let config: Config = toml::from_str(toml).unwrap();
        let body = build(&config, "be careful", "{\"items\":[]}", &schema, 6_000);
        assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "be careful"}]}));
        assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": "{\"items\":[]}"}]}]));
        assert_eq!(body["generationConfig"], expected);
        assert_eq!(body.as_object().unwrap().len(), 3);
    }

    #[test]
    fn bodies() {
        let schema = json!({"type": "object"});
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
        check(
            "temperature = 0.2",
            Value::Null,
            json!({"maxOutputTokens": 6000, "responseMimeType": "application/json"}),
        );
    }
}
