//! What an operator may say about severity. Reads and checks; decides nothing.

use regex::Regex;
use serde::{Deserialize, Deserializer};

use crate::model::{Category, Level, OneOrMany, Period, Severity, Verdict};

/// The top-level keys that belong to triage.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[[severity_rules]]`: the first that matches decides; behind them come the shipped ones.
    pub severity_rules: Vec<SeverityRule>,
    /// An incident is quiet after so long without a line. `1h`.
    pub quiet_after: Period,
    /// A quiet incident is forgotten after so long; should it speak again, it is new. `7d`.
    pub forget_after: Period,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            severity_rules: Vec::new(),
            quiet_after: Period::from_secs(3_600),
            forget_after: Period::from_secs(7 * 86_400),
        }
    }
}

/// `match = { category = "security", count_over = 20, within = "1m" }  severity = "high"`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeverityRule {
    /// All keys that are there must hold; an empty table matches everything.
    #[serde(rename = "match", default)]
    pub matches: Match,
    pub severity: Severity,
}

/// What a finding must be like.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(try_from = "RawMatch")]
pub struct Match {
    pub category: Option<OneOrMany<Category>>,
    /// That level or worse.
    pub level: Option<Level>,
    pub program: Option<OneOrMany<String>>,
    /// Found anywhere in the template text.
    pub template: Option<TemplatePattern>,
    pub host: Option<OneOrMany<String>>,
    /// `novelty`, `rule:NAME`, or just `rule`, `detector`, `model`.
    pub detector: Option<OneOrMany<String>>,
    pub verdict: Option<OneOrMany<Verdict>>,
    /// 0..=1.
    pub confidence_at_least: Option<f32>,
    /// More than so many lines of the incident within a length of time.
    pub count_over: Option<(u64, Period)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMatch {
    category: Option<OneOrMany<Category>>,
    level: Option<Level>,
    program: Option<OneOrMany<String>>,
    template: Option<TemplatePattern>,
    host: Option<OneOrMany<String>>,
    detector: Option<OneOrMany<String>>,
    verdict: Option<OneOrMany<Verdict>>,
    confidence_at_least: Option<f32>,
    count_over: Option<u64>,
    within: Option<Period>,
}

impl TryFrom<RawMatch> for Match {
    type Error = String;

    fn try_from(raw: RawMatch) -> Result<Match, String> {
        let count_over = match (raw.count_over, raw.within) {
            (Some(count), Some(within)) if !within.0.is_zero() => Some((count, within)),
            (Some(_), Some(_)) => return Err("`within` must be longer than 0s".into()),
            (Some(_), None) => return Err("`count_over` needs `within`, as in within = \"1m\"".into()),
            (None, Some(_)) => return Err("`within` needs `count_over`, as in count_over = 20".into()),
            (None, None) => None,
        };
        if let Some(confidence) = raw.confidence_at_least
            && !(0.0..=1.0).contains(&confidence)
        {
            return Err(format!("`confidence_at_least` is {confidence}; allowed: 0.0 to 1.0"));
        }
        Ok(Match {
            category: raw.category,
            level: raw.level,
            program: raw.program,
            template: raw.template,
            host: raw.host,
            detector: raw.detector,
            verdict: raw.verdict,
            confidence_at_least: raw.confidence_at_least,
            count_over,
        })
    }
}

/// A regular expression over template text that compiles and is not huge.
#[derive(Clone, Debug)]
pub struct TemplatePattern(pub Regex);

impl PartialEq for TemplatePattern {
    fn eq(&self, other: &TemplatePattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl<'de> Deserialize<'de> for TemplatePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TemplatePattern, D::Error> {
        let pattern = String::deserialize(deserializer)?;
        regex::RegexBuilder::new(&pattern)
            .size_limit(1 << 20)
            .build()
            .map(TemplatePattern)
            .map_err(|error| serde::de::Error::custom(format!("`{pattern}` is not a regular expression: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: &str, error: Option<&str>) {
        match (toml::from_str::<Config>(&format!("severity_rules = [{{ {rule} }}]")), error) {
            (Ok(_), None) => {}
            (Ok(config), Some(error)) => panic!("{config:?} accepted, expected: {error}"),
            (Err(got), Some(error)) => assert!(got.to_string().contains(error), "{got}"),
            (Err(got), None) => panic!("{got}"),
        }
    }

    #[test]
    fn says_what_is_allowed() {
        check("match = { category = 'security', level = 'err', program = ['sshd', 'sudo'] }, severity = 'high'", None);
        check("match = { count_over = 20, within = '1m', template = '^x' }, severity = 'high'", None);
        check("severity = 'low'", None);
        check("match = { count_over = 20 }, severity = 'high'", Some("needs `within`"));
        check("match = { within = '1m' }, severity = 'high'", Some("needs `count_over`"));
        check("match = { template = '(' }, severity = 'high'", Some("not a regular expression"));
        check("match = { confidence_at_least = 60.0 }, severity = 'high'", Some("allowed: 0.0 to 1.0"));
        check("match = { category = 'sekurity' }, severity = 'high'", Some("expected one of `security`"));
        check("match = { programm = 'sshd' }, severity = 'high'", Some("unknown field `programm`"));
        check("match = { program = 7 }, severity = 'high'", Some("a string or a list of strings"));
        check("match = { }", Some("missing field `severity`"));
        assert_eq!(toml::from_str::<Config>("").expect("empty is the default"), Config::default());
    }
}
