//! All rules in force, and which of them a line concerns: one look for words finds the few worth trying, then program and
//! the rest decide. Overriding by name happens here; counting does not.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use regex::bytes::Captures;

use super::name::NamePattern;
use super::pattern::Pattern;
use super::spec::{KEYS, Rule, RuleSpec};
use crate::detect::Seen;
use crate::model::{Level, clip};

/// Longest start of a message that rules look at, in bytes: bounds the time of hostile lines.
pub const MATCH_BYTES: usize = 8_192;

/// What is wrong between rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleProblem {
    pub file: Arc<str>,
    pub rule: Arc<str>,
    pub problem: String,
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: rule `{}`: {}", self.file, self.rule, self.problem)
    }
}

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// Words of all messages, with `owners` at the same places. `None` without rules, or should they be too many to look
    /// for at once: then every rule is tried.
    words: Option<AhoCorasick>,
    /// Which rule each word belongs to.
    owners: Vec<usize>,
    /// Rules that are tried whatever the message is.
    always: Vec<usize>,
}

/// What rules look at in a line.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    pub program: &'a str,
    pub unit: Option<&'a str>,
    pub level: Level,
    pub template: &'a str,
    /// At most [`MATCH_BYTES`].
    pub message: &'a str,
    /// Where it was written to: a path, `journal`, `stdin`.
    pub origin: &'a str,
    /// [`Line::path`], once somebody asked.
    pub names: OnceCell<Vec<&'a str>>,
}

/// How a line concerns a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The rule counts it.
    Hit,
    /// `after` counts it.
    Before,
    /// `expect` waits for an end from here on.
    Begins,
    /// `expect` waited for it.
    Ends,
    /// Not this line, but another of its kind may be: the values decide.
    Possible,
}

impl RuleSet {
    /// Later files override earlier ones by rule name; `enabled = false` switches the rule of that name off.
    ///
    /// # Errors
    /// All problems at once: a name twice in one file, nothing there to switch off.
    pub fn new(specs: Vec<(Arc<str>, RuleSpec)>) -> Result<RuleSet, Vec<RuleProblem>> {
        let mut problems = Vec::new();
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        let mut in_force: Vec<(Arc<str>, RuleSpec)> = Vec::new();
        for (file, spec) in specs {
            let name = Arc::clone(&spec.name);
            let earlier = places.get(&name).and_then(|place| in_force.get_mut(*place));
            let mut problem = |problem: &str| {
                problems.push(RuleProblem {
                    file: Arc::clone(&file),
                    rule: Arc::clone(&name),
                    problem: problem.to_owned(),
                })
            };
            match earlier {
                Some((from, _)) if *from == file => problem("stands twice in this file"),
                Some(earlier) => *earlier = (file, spec),
                None if spec.rule.is_none() => problem("there is no rule of this name to switch off"),
                None => {
                    places.insert(name, in_force.len());
                    in_force.push((file, spec));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let rules = in_force.into_iter().filter_map(|(_, spec)| spec.rule).collect();
        Ok(RuleSet::of(rules))
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Rules this line concerns, by place, in the order of the rules.
    pub fn find(&self, line: &Line<'_>) -> Vec<(usize, Role)> {
        let mut tried = self.always.clone();
        match &self.words {
            Some(words) => {
                let found = words.find_overlapping_iter(line.message);
                tried.extend(found.filter_map(|word| self.owners.get(word.pattern().as_usize()).copied()));
                tried.sort_unstable();
                tried.dedup();
            }
            None => tried = (0..self.rules.len()).collect(),
        }
        tried.into_iter().filter_map(|place| Some((place, self.rules.get(place)?.role(line)?))).collect()
    }

    fn of(rules: Vec<Rule>) -> RuleSet {
        let (mut patterns, mut owners, mut always) = (Vec::new(), Vec::new(), Vec::new());
        for (place, rule) in rules.iter().enumerate() {
            let others = rule.after.iter().map(|after| &after.message);
            let others = others.chain(rule.expect.iter().map(|expect| &expect.message));
            let messages: Vec<&Pattern> = rule.matching.message.iter().chain(others).collect();
            if rule.values || messages.is_empty() || messages.iter().any(|pattern| pattern.words().is_empty()) {
                always.push(place);
                continue;
            }
            for word in messages.into_iter().flat_map(Pattern::words) {
                patterns.push(word.clone());
                owners.push(place);
            }
        }
        let words = AhoCorasickBuilder::new().ascii_case_insensitive(true).build(&patterns).ok();
        RuleSet { rules, words, owners, always }
    }
}

impl Rule {
    /// What this line is to this rule.
    pub fn role(&self, line: &Line<'_>) -> Option<Role> {
        if !self.surroundings(line) {
            return None;
        }
        let may = || self.values || !self.matching.fields.is_empty() && self.may_hit(line);
        self.says(line).or_else(|| may().then_some(Role::Possible))
    }

    /// The same for a line of a remembered kind: never `Role::Possible`, which is nothing to count. The kind fits the
    /// rule, so the message is asked first: most are not what the rule looks for, and one search says so.
    pub fn counts_as(&self, line: &Line<'_>) -> Option<Role> {
        let role = self.says(line)?;
        self.surroundings(line).then_some(role)
    }

    /// By the message alone.
    fn says(&self, line: &Line<'_>) -> Option<Role> {
        if let Some(expect) = &self.expect {
            // A line that ends one thing and begins the next ends first.
            let ends = expect.message.is_match(line.message);
            return if ends { Some(Role::Ends) } else { self.hit(line).then_some(Role::Begins) };
        }
        if self.hit(line) {
            return Some(Role::Hit);
        }
        let before = self.after.as_ref().is_some_and(|after| after.message.is_match(line.message));
        before.then_some(Role::Before)
    }

    /// The captures of a line that is a hit (`None` inside when the rule has no captures or no message pattern).
    pub fn captures<'a>(&self, line: &Line<'a>) -> Option<Captures<'a>> {
        let pattern = self.matching.message.as_ref().filter(|pattern| pattern.names().next().is_some())?;
        pattern.captures(line.message)
    }

    /// What separates incidents in a line that is a hit.
    pub fn key<'a>(&self, line: &Line<'a>) -> Option<&'a [u8]> {
        self.matching.message.as_ref()?.key(line.message)
    }

    /// Its message names what separates incidents.
    pub fn has_key(&self) -> bool {
        let mut names = self.matching.message.iter().flat_map(Pattern::names);
        names.any(|name| KEYS.contains(&name))
    }

    /// All but the message.
    fn surroundings(&self, line: &Line<'_>) -> bool {
        let matching = &self.matching;
        let unit = || line.unit.is_some_and(|unit| matching.unit.iter().any(|pattern| pattern.matches(unit)));
        matching.level.is_none_or(|level| line.level <= level)
            && concerns(&matching.program, line)
            && (matching.unit.is_empty() || unit())
            && matching.template.as_ref().is_none_or(|pattern| pattern.is_match(line.template))
    }

    fn hit(&self, line: &Line<'_>) -> bool {
        let matching = &self.matching;
        matching.message.as_ref().is_none_or(|pattern| pattern.is_match(line.message))
            && !matching.not.as_ref().is_some_and(|pattern| pattern.is_match(line.message))
            && (matching.fields.is_empty()
                || matching.fields.hold(line.program, line.message, self.captures(line).as_ref()))
    }

    /// The line has all the values that are asked for, whatever they are.
    fn may_hit(&self, line: &Line<'_>) -> bool {
        let matching = &self.matching;
        matching.message.as_ref().is_none_or(|pattern| pattern.is_match(line.message))
            && matching.fields.are_there(line.program, line.message, self.captures(line).as_ref())
    }
}

impl<'a> Line<'a> {
    pub fn of(seen: &Seen<'a>) -> Line<'a> {
        Line {
            program: Line::name(&seen.kind.program),
            unit: seen.unit,
            level: seen.kind.level,
            template: seen.template_text,
            message: clip(seen.message, MATCH_BYTES),
            origin: seen.origin,
            names: OnceCell::new(),
        }
    }

    /// A program that names itself by its path goes by its name.
    pub fn name(program: &str) -> &str {
        if program.starts_with('/') { program.rsplit('/').next().unwrap_or_default() } else { program }
    }

    /// The directories and the stem of a log file's path. Nothing for `journal` and `stdin`.
    fn path(&self) -> &[&'a str] {
        let parts = |origin: &'a str| origin.split('/').skip(1).map(|part| part.split('.').next().unwrap_or_default());
        self.names.get_or_init(|| {
            parts(self.origin)
                .filter(|part| !part.is_empty() && !matches!(*part, "var" | "log" | "syslog" | "messages"))
                .collect()
        })
    }
}

/// One of the patterns names the line's program, or a directory or file it was written to (`/var/log/mysql/error.log`
/// concerns `mysql`): many logs do not name their program in the line.
fn concerns(programs: &[NamePattern], line: &Line<'_>) -> bool {
    if programs.is_empty() {
        return true;
    }
    programs.iter().any(|pattern| pattern.matches(line.program))
        || programs.iter().any(|pattern| line.path().iter().any(|name| pattern.matches(name)))
}
