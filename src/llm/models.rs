//! Which prices and rules hold for a model: the shipped table, and the operator's rows before it. Data, not code.

use std::sync::LazyLock;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::Backend;
use crate::model::Usage;

/// A row of the table, `[[llm.models]]` in the config. Prices are US dollars for a million tokens.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRow {
    /// The model's name, without the version behind it.
    pub prefix: String,
    #[serde(deserialize_with = "price")]
    pub input: f64,
    /// Answer and thoughts.
    #[serde(deserialize_with = "price")]
    pub output: f64,
    /// Input that the provider remembered. Without it such tokens cost what others do.
    #[serde(default, deserialize_with = "maybe_price")]
    pub cached: Option<f64>,
    /// Gemini 3.x: `thinkingLevel`.
    #[serde(default)]
    pub thinking_level: Option<String>,
    /// Gemini 2.5: `thinkingBudget`. A level goes before it.
    #[serde(default)]
    pub thinking_budget: Option<u32>,
    /// OpenAI: `reasoning_effort`.
    #[serde(default)]
    pub reasoning_effort: Option<String>,
}

/// The shipped table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shipped {
    gemini: Vec<ModelRow>,
    openai: Vec<ModelRow>,
    anthropic: Vec<ModelRow>,
}

static SHIPPED: LazyLock<Shipped> =
    LazyLock::new(|| toml::from_str(include_str!("models.toml")).expect("a test reads the shipped table"));

/// The rows for the models of one backend.
pub struct Models {
    own: Vec<ModelRow>,
    shipped: &'static [ModelRow],
}

impl Models {
    /// `own` are the operator's rows.
    pub fn new(backend: Backend, own: &[ModelRow]) -> Models {
        let shipped: &[ModelRow] = match backend {
            Backend::Gemini => &SHIPPED.gemini,
            Backend::Openai => &SHIPPED.openai,
            Backend::Anthropic => &SHIPPED.anthropic,
            // What a model costs was paid when it was recorded.
            Backend::Replay => &[],
        };
        Models { own: own.to_vec(), shipped }
    }

    /// The row with the longest fitting prefix, the operator's first.
    pub fn find(&self, name: &str) -> Option<&ModelRow> {
        let name = name.strip_prefix("models/").unwrap_or(name);
        let longest = |rows: &'_ [ModelRow]| -> Option<usize> {
            let fitting = rows.iter().enumerate().filter(|(_, row)| fits(&row.prefix, name));
            fitting.max_by_key(|(_, row)| row.prefix.len()).map(|(at, _)| at)
        };
        let own = longest(&self.own).and_then(|at| self.own.get(at));
        own.or_else(|| longest(self.shipped).and_then(|at| self.shipped.get(at)))
    }

    /// What `usage` costs on the model `name`, in US dollars; none for a model without a row. Cached tokens are part of
    /// the input tokens.
    pub fn cost_usd(&self, name: &str, usage: &Usage) -> Option<f64> {
        self.find(name).map(|row| cost(row, usage))
    }

    /// What `usage` costs at most on any known model of the backend.
    pub fn dearest_usd(&self, usage: &Usage) -> f64 {
        self.shipped.iter().map(|row| cost(row, usage)).fold(0.0, f64::max)
    }
}

/// What `usage` of the model `name` costs, whichever backend it is of; none for a model without a row.
pub fn cost_usd(config: &super::Config, name: &str, usage: &Usage) -> Option<f64> {
    Backend::ALL.into_iter().find_map(|backend| Models::new(backend, &config.models).cost_usd(name, usage))
}

/// A version, a date, `latest` or `preview` may follow; another word names another model.
fn fits(prefix: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(prefix) else { return false };
    let Some(version) = rest.strip_prefix(['-', '@', ':']) else { return rest.is_empty() };
    version.starts_with(|c: char| c.is_ascii_digit())
        || ["latest", "preview"].iter().any(|word| version.starts_with(word))
}

#[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^52")]
fn cost(row: &ModelRow, usage: &Usage) -> f64 {
    let cached = usage.cached_tokens.min(usage.input_tokens);
    let fresh = usage.input_tokens - cached;
    let cached_price = row.cached.unwrap_or(row.input);
    (fresh as f64 * row.input + cached as f64 * cached_price + usage.output_tokens as f64 * row.output) / 1e6
}

fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if !number.is_finite() || number < 0.0 {
        return Err(D::Error::custom(format!(
            "{number} is no price; allowed: dollars for a million tokens, 0 or more"
        )));
    }
    Ok(number)
}

fn maybe_price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    price(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input_tokens: u64, cached_tokens: u64, output_tokens: u64) -> Usage {
        Usage { requests: 1, input_tokens, cached_tokens, output_tokens }
    }

    #[track_caller]
    fn check(backend: Backend, name: &str, expected: Option<&str>) {
        let models = Models::new(backend, &[]);
        assert_eq!(models.find(name).map(|row| row.prefix.as_str()), expected, "{name}");
    }

    #[test]
    fn names_and_their_versions() {
        check(Backend::Gemini, "gemini-3.5-flash-lite", Some("gemini-3.5-flash-lite"));
        check(Backend::Gemini, "models/gemini-3.8-flash-001", Some("gemini-3.8-flash"));
        check(Backend::Gemini, "gemini-2.5-flash-lite-preview-09-2025", Some("gemini-2.5-flash-lite"));
        check(Backend::Gemini, "gemini-2.5-flash", Some("gemini-2.5-flash"));
        check(Backend::Gemini, "gemini-flash-latest", None);
        check(Backend::Gemini, "gpt-4o-mini", None);
        check(Backend::Openai, "gpt-4o-mini-2024-07-18", Some("gpt-4o-mini"));
        check(Backend::Openai, "gpt-4o-ultra", None);
        check(Backend::Openai, "gpt-5.55-pro", None);
        check(Backend::Anthropic, "claude-haiku-4-5-20251001", Some("claude-haiku-4-5"));
        check(Backend::Anthropic, "claude-sonnet-5-5", Some("claude-sonnet-5-5"));
        check(Backend::Replay, "gemini-3.5-flash-lite", None);
    }

    #[test]
    fn costs() {
        let models = Models::new(Backend::Gemini, &[]);
        let lite = |usage: &Usage| models.cost_usd("gemini-3.5-flash-lite", usage).unwrap_or_default();
        assert!((lite(&usage(1_000_000, 0, 1_000_000)) - 2.80).abs() < 1e-9);
        assert!((lite(&usage(1_000_000, 5_000_000, 0)) - 0.03).abs() < 1e-9);
        assert_eq!(models.cost_usd("who-knows", &usage(1, 0, 1)), None);
        assert!((models.dearest_usd(&usage(1_000_000, 0, 1_000_000)) - 12.0).abs() < 1e-9);
    }

    #[test]
    fn the_operators_rows_come_first() {
        let own: ModelRow = toml::from_str("prefix = 'gemini-3.5-flash-lite'\ninput = 1\noutput = 2").unwrap();
        let models = Models::new(Backend::Gemini, &[own]);
        assert_eq!(models.cost_usd("gemini-3.5-flash-lite-001", &usage(1_000_000, 500_000, 0)), Some(1.0));
        assert!(toml::from_str::<ModelRow>("prefix = 'x'\ninput = -1\noutput = 2").is_err());
        assert!(toml::from_str::<ModelRow>("prefix = 'x'\ninput = nan\noutput = 2").is_err());
    }

    #[test]
    fn every_shipped_row_says_one_thing_about_thinking() {
        for row in SHIPPED.gemini.iter().chain(&SHIPPED.openai).chain(&SHIPPED.anthropic) {
            assert!(row.thinking_level.is_none() || row.thinking_budget.is_none(), "{}", row.prefix);
            assert!(row.cached.is_some_and(|cached| cached <= row.input), "{}", row.prefix);
        }
    }
}
