//! What differs between Gemini models: thinking rules and prices. A table, so that a new model is a line.
//!
//! Prices of 2026-11-22 in US dollars for a million tokens: <https://ai.google.dev/gemini-api/docs/pricing>.

use crate::model::Usage;

/// How a model is told to think as little as it can.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thinking {
    /// Say nothing: unknown rules, or it does not think unless told to.
    Unsaid,
    /// `thinkingLevel`; 3.x models. `minimal` is refused by some of them.
    Level(&'static str),
    /// `thinkingBudget`; 2.5 models. Never together with a level.
    Budget(u32),
}

/// One family of models.
struct Model {
    /// The model's name starts with this. Longer prefixes first.
    prefix: &'static str,
    thinking: Thinking,
    /// Dollars for a million tokens: input, answer and thoughts, cached input.
    input: f64,
    output: f64,
    cached: f64,
}

const fn model(prefix: &'static str, thinking: Thinking, input: f64, output: f64, cached: f64) -> Model {
    Model { prefix, thinking, input, output, cached }
}

const MODELS: &[Model] = &[
    model("gemini-4-argon", Thinking::Unsaid, 2.00, 10.00, 0.10),
    model("gemini-3.8-flash", Thinking::Level("low"), 0.75, 3.75, 0.075),
    model("gemini-3.7-flash", Thinking::Level("low"), 0.75, 3.75, 0.075),
    model("gemini-3.6-flash", Thinking::Level("minimal"), 0.75, 3.75, 0.075),
    model("gemini-3.5-flash-lite", Thinking::Level("minimal"), 0.30, 2.50, 0.03),
    model("gemini-3.1-flash-lite", Thinking::Level("minimal"), 0.25, 1.50, 0.025),
    model("gemini-2.5-flash-lite", Thinking::Budget(0), 0.10, 0.40, 0.01),
    // Shut down on 2026-12-01 and then answered, and billed, by gemini-3.5-flash-lite.
    model("gemini-2.5-flash", Thinking::Budget(0), 0.30, 2.50, 0.03),
];

/// What an unknown model is taken to cost: the dearest in the table.
const UNKNOWN: Model = model("", Thinking::Unsaid, 2.00, 10.00, 0.10);

/// How to keep `name` from thinking long.
pub fn thinking(name: &str) -> Thinking {
    find(name).thinking
}

/// What `usage` costs on the model `name`, in US dollars. Cached tokens are part of the input tokens.
#[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^52")]
pub fn cost_usd(name: &str, usage: &Usage) -> f64 {
    let model = find(name);
    let cached = usage.cached_tokens.min(usage.input_tokens);
    let fresh = usage.input_tokens - cached;
    (fresh as f64 * model.input + cached as f64 * model.cached + usage.output_tokens as f64 * model.output) / 1e6
}

fn find(name: &str) -> &'static Model {
    let name = name.strip_prefix("models/").unwrap_or(name);
    MODELS.iter().find(|model| name.starts_with(model.prefix)).unwrap_or(&UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking_rules() {
        assert_eq!(thinking("gemini-3.5-flash-lite"), Thinking::Level("minimal"));
        assert_eq!(thinking("gemini-3.8-flash-001"), Thinking::Level("low"));
        assert_eq!(thinking("gemini-2.5-flash-lite"), Thinking::Budget(0));
        assert_eq!(thinking("gemini-flash-latest"), Thinking::Unsaid);
    }

    #[test]
    fn costs() {
        let usage = Usage { requests: 1, input_tokens: 1_000_000, cached_tokens: 0, output_tokens: 1_000_000 };
        assert!((cost_usd("gemini-3.5-flash-lite", &usage) - 2.80).abs() < 1e-9);
        assert!((cost_usd("who-knows", &usage) - 12.0).abs() < 1e-9);
        let usage = Usage { cached_tokens: 5_000_000, output_tokens: 0, ..usage };
        assert!((cost_usd("gemini-3.5-flash-lite", &usage) - 0.03).abs() < 1e-9);
    }

    #[test]
    fn the_unknown_model_is_the_dearest() {
        for model in MODELS {
            assert!(model.input <= UNKNOWN.input && model.output <= UNKNOWN.output && model.cached <= UNKNOWN.cached);
        }
    }
}
