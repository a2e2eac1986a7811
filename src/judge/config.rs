//! `[judge]`: what is asked, and what it may cost. Checked while it is read.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// `[judge]`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub mode: Mode,
    /// Which backend answers; `[llm.NAME]` configures it.
    pub backend: String,
    /// 0..=1. A verdict below it is low, whatever the model says.
    #[serde(deserialize_with = "confidence_threshold")]
    pub confidence_threshold: f32,
    /// Tokens a day, input and output together. 0 = no limit.
    #[serde(deserialize_with = "daily_tokens")]
    pub daily_tokens: u64,
    /// US dollars a day by the price list of the answering model. 0 = no limit.
    #[serde(deserialize_with = "daily_usd")]
    pub daily_usd: f64,
    pub samples: Samples,
}

/// What one question is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A kind of line, once.
    Templates,
    /// Every line, as the original system does.
    Lines,
    /// Nothing is asked.
    Off,
}

/// What of a line goes along with its template.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Samples {
    /// Values that cannot identify anybody: numbers of up to 3 digits, signals, error names, whether an address is private.
    Masked,
    /// Every value except secrets and personal data.
    Redacted,
}

/// Less would not carry one full request.
const LEAST_DAILY_TOKENS: u64 = 20_000;

impl Default for Config {
    fn default() -> Config {
        Config {
            mode: Mode::Templates,
            backend: "gemini".to_owned(),
            confidence_threshold: 0.6,
            daily_tokens: 500_000,
            daily_usd: 1.0,
            samples: Samples::Masked,
        }
    }
}

fn confidence_threshold<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    let number = f32::deserialize(deserializer)?;
    if !(0.0..=1.0).contains(&number) {
        return Err(D::Error::custom(format!("confidence_threshold = {number} is out of range; allowed: 0.0 to 1.0")));
    }
    Ok(number)
}

fn daily_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number != 0 && number < LEAST_DAILY_TOKENS {
        return Err(D::Error::custom(format!(
            "daily_tokens = {number} is less than one request may need; allowed: 0 (no limit) or at least {LEAST_DAILY_TOKENS}"
        )));
    }
    Ok(number)
}

fn daily_usd<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if !number.is_finite() || number < 0.0 {
        return Err(D::Error::custom(format!("daily_usd = {number} is out of range; allowed: 0 (no limit) or more")));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toml: &str, expected: Result<(), &str>) {
        match (toml::from_str::<Config>(toml), expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{toml}: {error}"),
            (got, _) => panic!("{toml}: {got:?}"),
        }
    }

    #[test]
    fn mistakes_say_what_is_allowed() {
        check("mode = 'lines'\nsamples = 'redacted'\ndaily_usd = 0\ndaily_tokens = 0", Ok(()));
        check("mode = 'all'", Err("`templates`, `lines`"));
        check("samples = 'raw'", Err("`masked` or `redacted`"));
        check("confidence_threshold = 60", Err("0.0 to 1.0"));
        check("daily_tokens = 100", Err("at least 20000"));
        check("daily_usd = -1.0", Err("0 (no limit) or more"));
        check("daily_usd = nan", Err("0 (no limit) or more"));
        check("budget = 1", Err("unknown field `budget`"));
        assert_eq!(toml::from_str(""), Ok(Config::default()));
    }
}
