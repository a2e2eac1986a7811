//! A rule as it is written in TOML, checked as it is read: what is wrong with one rule alone is an error at its place.
//! What is wrong between rules is found by `RuleSet`.

use std::sync::Arc;

use serde::Deserialize;

use super::fields::Fields;
use super::name::NamePattern;
use super::pattern::Pattern;
use super::text;
use crate::model::{Category, Level, Period, Severity};

/// Largest `count`: bounds the memory of one key.
const MAX_COUNT: u32 = 1_000;

/// One file of `rules.d`.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    #[serde(default)]
    pub rules: Vec<RuleSpec>,
}

/// One `[[rules]]` table.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct RuleSpec {
    pub name: Arc<str>,
    /// `None` when `enabled = false`: switches off the rule of this name.
    pub rule: Option<Rule>,
}

/// What a rule matches and what it then says.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    pub name: Arc<str>,
    pub category: Category,
    /// `None` for a quiet rule: the line is known and ordinary, so that it being new is no news. It never alerts.
    pub severity: Option<Severity>,
    pub title: String,
    /// May hold `{count}`, `{within}`, `{key}`, `{program}`, `{unit}`, `{host}` and the names of captures and fields.
    pub reason: String,
    /// The same placeholders, other braces are text. A value not fit to be pasted into a shell appears as its name in
    /// capitals.
    pub remediation: Vec<String>,
    pub matching: Match,
    pub after: Option<After>,
    pub expect: Option<Expect>,
    /// Lines of one key within `within` that make an incident. 1: each line is one.
    pub count: u32,
    pub within: Option<Period>,
    /// Re-check every line of kinds that pass program, level, unit and template: the values decide, not the words.
    pub values: bool,
    pub examples: Examples,
}

/// All that is given must hold.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// One of these, by the program's name or by a directory or the stem of the log file's name.
    #[serde(deserialize_with = "one_or_many")]
    pub program: Vec<NamePattern>,
    /// One of these.
    #[serde(deserialize_with = "one_or_many")]
    pub unit: Vec<NamePattern>,
    /// This level or worse.
    pub level: Option<Level>,
    pub template: Option<Pattern>,
    /// Its capture `key` separates incidents: an address, a unit, a device (`key2`, `key3` in other alternatives).
    pub message: Option<Pattern>,
    /// Must not match the message.
    pub not: Option<Pattern>,
    /// Values in the line: `fields.status = ">=500"`. A field is a named capture of `message`, or `status=...` or
    /// `"status": ...` anywhere in the text; access lines have method, path, protocol, status and size.
    pub fields: Fields,
}

/// The rule only fires when these lines of the same key came within `within` before it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// With a capture `key` like that of `match.message`.
    pub message: Pattern,
    pub count: u32,
}

/// The rule fires when a line it matches is not followed by one of these, of the same key, within `within`. Time is that
/// of the log it stands in: nothing is overdue before that was read so far.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// With a capture `key` like that of `match.message`; a match in which no key took part ends all keys of the host.
    pub message: Pattern,
}

/// Lines as `PROGRAM: MESSAGE`, with a level in front if it matters (`<err> PROGRAM: MESSAGE`).
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Examples {
    /// Lines the rule counts.
    pub matches: Vec<String>,
    /// Lines it must leave alone.
    pub others: Vec<String>,
    /// Lines that `after` counts.
    pub before: Vec<String>,
    /// Lines that `expect` waits for.
    pub ends: Vec<String>,
}

/// Captures that separate incidents: the first of them that took part in the match is the key.
pub const KEYS: [&str; 3] = ["key", "key2", "key3"];
/// Placeholders with a meaning of their own; no capture can have these names.
const BUILTIN: [&str; 5] = ["count", "within", "program", "unit", "host"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default = "yes")]
    enabled: bool,
    category: Option<Category>,
    severity: Option<Severity>,
    #[serde(default)]
    quiet: bool,
    #[serde(default)]
    title: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    remediation: Vec<String>,
    #[serde(default, rename = "match")]
    matching: Match,
    after: Option<After>,
    expect: Option<Expect>,
    #[serde(default = "one")]
    count: u32,
    within: Option<Period>,
    #[serde(default)]
    values: bool,
    #[serde(default)]
    examples: Examples,
}

impl TryFrom<Written> for RuleSpec {
    type Error = String;

    fn try_from(written: Written) -> Result<RuleSpec, String> {
        let name = written.name.clone();
        let wrong = |what: &str| format!("rule `{name}`: {what}");
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return Err(wrong("a name has 1 to 64 of a-z, 0-9 and `-`"));
        }
        if !written.enabled {
            return Ok(RuleSpec { name: name.into(), rule: None });
        }
        check_match(&written).map_err(|what| wrong(&what))?;
        check_text(&written).map_err(|what| wrong(&what))?;
        let name: Arc<str> = name.into();
        let rule = Rule {
            name: Arc::clone(&name),
            category: written.category.unwrap_or(Category::Other),
            severity: if written.quiet { None } else { written.severity },
            title: written.title,
            reason: written.reason,
            remediation: written.remediation,
            matching: written.matching,
            after: written.after,
            expect: written.expect,
            count: written.count,
            within: written.within,
            values: written.values,
            examples: written.examples,
        };
        Ok(RuleSpec { name, rule: Some(rule) })
    }
}

fn check_match(written: &Written) -> Result<(), String> {
    let Match { program, unit, level, template, message, not: _, fields } = &written.matching;
    let names_who = !program.is_empty() || !unit.is_empty() || level.is_some();
    if !names_who && template.is_none() && message.is_none() && fields.is_empty() {
        return Err("`match` needs at least one of program, unit, level, template, message, fields".to_owned());
    }
    if written.values && program.is_empty() && unit.is_empty() && template.is_none() {
        return Err("`values = true` looks at every line, so it needs program, unit or template".to_owned());
    }
    if written.quiet && message.is_none() && template.is_none() {
        return Err("a quiet rule needs `match.message` or `match.template`".to_owned());
    }
    if !(1..=MAX_COUNT).contains(&written.count) {
        return Err(format!("`count` is 1 to {MAX_COUNT}"));
    }
    let windowed = written.count > 1 || written.after.is_some() || written.expect.is_some();
    if windowed != written.within.is_some() {
        return Err(
            "`within` goes with a `count` of 2 or more, with `after` or with `expect`, and they with it".to_owned()
        );
    }
    if written.within.is_some_and(|within| within.0.is_zero()) {
        return Err("`within` must be longer than 0s".to_owned());
    }
    let keyed = |pattern: &Pattern| pattern.names().any(|name| KEYS.contains(&name));
    if let Some(expect) = &written.expect {
        if written.after.is_some() || written.count > 1 || written.quiet || written.values {
            return Err("`expect` goes without `after`, `count`, `quiet` and `values`".to_owned());
        }
        if message.is_none() {
            return Err("`expect` needs `match.message`".to_owned());
        }
        if message.as_ref().is_some_and(keyed) != keyed(&expect.message) {
            return Err("`expect.message` and `match.message` need a capture `key` both or neither".to_owned());
        }
    }
    if let Some(after) = &written.after {
        if !(1..=MAX_COUNT).contains(&after.count) {
            return Err(format!("`after.count` is 1 to {MAX_COUNT}"));
        }
        if message.as_ref().is_some_and(keyed) != keyed(&after.message) {
            return Err("`after.message` and `match.message` need a capture `key` both or neither".to_owned());
        }
        if message.is_none() {
            return Err("`after` needs `match.message`".to_owned());
        }
    }
    Ok(())
}

fn check_text(written: &Written) -> Result<(), String> {
    if written.title.is_empty() || written.title.contains(['{', '}', '\n']) {
        return Err("`title` is one line without placeholders".to_owned());
    }
    if written.reason.is_empty() {
        return Err("`reason` is missing".to_owned());
    }
    match (written.quiet, written.severity) {
        (true, Some(_)) => return Err("a quiet rule has no `severity`".to_owned()),
        (true, None) => {}
        (false, None) => return Err("`severity` is missing (low, medium, high or critical)".to_owned()),
        (false, Some(_)) if written.category.is_none() => return Err("`category` is missing".to_owned()),
        (false, Some(_)) if written.remediation.iter().all(String::is_empty) => {
            return Err("`remediation` needs at least one step".to_owned());
        }
        (false, Some(_)) => {}
    }
    let captures: Vec<&str> = written.matching.message.iter().flat_map(Pattern::names).collect();
    let fields: Vec<&str> = written.matching.fields.names().collect();
    if let Some(name) = captures.iter().find(|name| BUILTIN.contains(name)) {
        return Err(format!("a capture cannot be called `{name}`"));
    }
    let unknown = text::placeholders(&written.reason)
        .into_iter()
        .find(|name| !captures.contains(name) && !BUILTIN.contains(name) && !fields.contains(name));
    if let Some(name) = unknown {
        return Err(format!(
            "`{{{name}}}` in `reason` is no capture of `match.message` and no field; besides there are {{count}}, {{within}}, \
             {{program}}, {{unit}} and {{host}}"
        ));
    }
    Ok(())
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

/// `"sshd"` or `["sshd", "sshd-session"]`.
fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<NamePattern>, D::Error> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Vec<NamePattern>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a name or a list of names, in which `*` stands for any text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            NamePattern::new(text).map(|pattern| vec![pattern]).map_err(E::custom)
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
            let mut patterns = Vec::new();
            while let Some(pattern) = names.next_element()? {
                patterns.push(pattern);
            }
            Ok(patterns)
        }
    }
    deserializer.deserialize_any(Visitor)
}
