//! What an operator may say about who is told. Alertmanager's words where they mean the same. Reads and checks only.

use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Deserializer};

use crate::model::{Category, Incident, JudgedBy, OneOrMany, Period, Severity};

/// `[[routes]]`. Every matching route sends; a notifier that no route names gets `medium` and up.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub routes: Vec<Route>,
}

/// `match = { severity_at_least = "high" }  notifiers = ["ops-slack"]  group_wait = "30s"`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// All keys that are there must hold; an empty table matches everything.
    #[serde(rename = "match", default)]
    pub matches: Match,
    /// Names of notifiers, at least one. A notifier that several matching routes name is told once, by the times of the
    /// first of them.
    #[serde(deserialize_with = "some_names")]
    pub notifiers: Vec<Arc<str>>,
    /// How long to collect before the first alert. `0s`: a line must reach a person within a second, and one incident
    /// is already one group. Critical incidents never wait.
    #[serde(default = "group_wait")]
    pub group_wait: Period,
    /// An incident that goes on is not told again within so long, unless its severity rises. `5m`.
    #[serde(default = "group_interval")]
    pub group_interval: Period,
    /// An incident that just goes on is told again after so long; `0s` is never. `4h`.
    #[serde(default = "repeat_interval")]
    pub repeat_interval: Period,
    /// Tell also when it becomes quiet, for receivers that close tickets by it. `false`: a person need not read twice
    /// about one fault.
    #[serde(default)]
    pub tell_quiet: bool,
}

/// What an incident must be like.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    pub severity_at_least: Option<Severity>,
    pub category: Option<OneOrMany<Category>>,
    pub program: Option<OneOrMany<String>>,
    pub host: Option<OneOrMany<String>>,
    /// Found anywhere in the template text.
    pub template: Option<TemplatePattern>,
    /// `rule:NAME`, `NAME`, or just `rule`, `detector`, `model`.
    pub judged_by: Option<OneOrMany<String>>,
    /// `true`: messages of logwren about itself; `false`: all others.
    pub about_self: Option<bool>,
}

/// A regular expression over template text that compiles and is not huge.
#[derive(Clone, Debug)]
pub struct TemplatePattern(pub Regex);

impl Route {
    /// What holds for a notifier that no route names.
    pub fn unrouted(notifier: &Arc<str>) -> Route {
        Route {
            matches: Match { severity_at_least: Some(Severity::Medium), ..Match::default() },
            notifiers: vec![Arc::clone(notifier)],
            group_wait: group_wait(),
            group_interval: group_interval(),
            repeat_interval: repeat_interval(),
            tell_quiet: false,
        }
    }
}

impl Match {
    pub fn matches(&self, incident: &Incident) -> bool {
        let Match { severity_at_least, category, program, host, template, judged_by, about_self } = self;
        severity_at_least.is_none_or(|least| incident.severity >= least)
            && category.as_ref().is_none_or(|list| list.contains(&incident.category))
            && program.as_ref().is_none_or(|list| list.names(&incident.program))
            && host.as_ref().is_none_or(|list| list.names(&incident.host))
            && template.as_ref().is_none_or(|pattern| pattern.0.is_match(&incident.template_text))
            && judged_by.as_ref().is_none_or(|list| {
                let (role, name) = match &incident.judged_by {
                    JudgedBy::Rule(name) => ("rule", name),
                    JudgedBy::Detector(name) => ("detector", name),
                    JudgedBy::Model(name) => ("model", name),
                };
                list.names(role) || list.names(name) || list.names(&incident.judged_by.to_string())
            })
            && about_self.is_none_or(|about_self| incident.about_self == about_self)
    }
}

fn group_wait() -> Period {
    Period::from_secs(0)
}

fn group_interval() -> Period {
    Period::from_secs(300)
}

fn repeat_interval() -> Period {
    Period::from_secs(4 * 3_600)
}

fn some_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<str>>, D::Error> {
    let names = Vec::<Arc<str>>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(serde::de::Error::custom(
            "`notifiers` is empty; name at least one, as in notifiers = [\"ops-slack\"]",
        ));
    }
    Ok(names)
}

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
