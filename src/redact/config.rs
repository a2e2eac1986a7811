//! What an operator may add to redaction: own patterns and own domains. There is no key that takes anything away.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer};

/// `[redact]`. Default: the shipped rules alone.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[[redact.patterns]]`: what else must go.
    pub patterns: Vec<CustomPattern>,
    /// Names ending in one of these are host names, beside the well-known endings: `["corp.example", "lan1"]`.
    pub domains: Vec<String>,
}

/// One pattern of the operator.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomPattern {
    /// Shown in place of what was hidden: `<REDACTED:name>`.
    pub name: PatternName,
    /// The first capture groups are hidden, or the whole match when there is none.
    pub pattern: Pattern,
    /// Who must not see it.
    #[serde(default)]
    pub hide_from: HideFrom,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HideFrom {
    /// Neither a model nor a person.
    #[default]
    Everyone,
    /// A model, and notifiers with `redact = "all"`.
    Model,
}

/// Lower-case letters, digits and dashes, so that it cannot break out of its placeholder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PatternName(String);

/// A regular expression that compiles, is not huge and does not match the empty text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl PatternName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Pattern {
    /// # Errors
    /// What is wrong with `pattern`, for the operator.
    pub fn new(pattern: &str) -> Result<Pattern, String> {
        let regex = RegexBuilder::new(pattern)
            .size_limit(1 << 20)
            .build()
            .map_err(|error| format!("`{pattern}` is not a regular expression: {error}"))?;
        if regex.is_match("") {
            return Err(format!("`{pattern}` matches the empty text; it must match at least one character"));
        }
        Ok(Pattern(regex))
    }

    pub fn regex(&self) -> &Regex {
        &self.0
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pattern, D::Error> {
        Pattern::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for PatternName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PatternName, D::Error> {
        let name = String::deserialize(deserializer)?;
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 40 || !name.bytes().all(fits) {
            let wrong = format!("`{name}` is no pattern name; allowed: 1 to 40 of a-z, 0-9 and `-`");
            return Err(serde::de::Error::custom(wrong));
        }
        Ok(PatternName(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toml: &str, error: Option<&str>) {
        match (toml::from_str::<Config>(toml), error) {
            (Ok(_), None) => {}
            (Ok(config), Some(error)) => panic!("{config:?} accepted, expected: {error}"),
            (Err(got), Some(error)) => assert!(got.to_string().contains(error), "{got}"),
            (Err(got), None) => panic!("{got}"),
        }
    }

    #[test]
    fn says_what_is_allowed() {
        check("", None);
        check("patterns = [{ name = \"order\", pattern = 'ORD-\\d+' }]\ndomains = [\"corp.example\"]", None);
        check("patterns = [{ name = \"order\", pattern = 'ORD-\\d+', hide_from = \"model\" }]", None);
        check("patterns = [{ name = \"Order>\", pattern = 'x' }]", Some("allowed: 1 to 40"));
        check("patterns = [{ name = \"order\", pattern = '(' }]", Some("not a regular expression"));
        check("patterns = [{ name = \"order\", pattern = 'x*' }]", Some("empty text"));
        check("off = true", Some("unknown field"));
    }
}
