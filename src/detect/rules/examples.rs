//! A rule's own examples, run through the code that matches real lines. What fails is said in words.

use std::cell::OnceCell;

use super::set::{Line, Role, RuleSet};
use super::spec::Rule;
use crate::model::Level;

impl RuleSet {
    /// Every example that does not do what its rule says, a sentence each.
    pub fn check_examples(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (place, rule) in self.rules().iter().enumerate() {
            let lists = [
                (&rule.examples.matches, Some(if rule.expect.is_some() { Role::Begins } else { Role::Hit })),
                (&rule.examples.before, Some(Role::Before)),
                (&rule.examples.ends, Some(Role::Ends)),
                (&rule.examples.others, None),
            ];
            for (examples, expected) in lists {
                for example in examples {
                    problems.extend(self.check(place, rule, example, expected));
                }
            }
        }
        problems
    }

    fn check(&self, place: usize, rule: &Rule, example: &str, expected: Option<Role>) -> Option<String> {
        let Some(line) = line(rule, example) else {
            return Some(format!("rule `{}`: example `{example}` is not written as `PROGRAM: MESSAGE`", rule.name));
        };
        let found = self.find(&line).into_iter().find(|(found, _)| *found == place).map(|(_, role)| role);
        let did = match found {
            Some(Role::Hit) => "is matched",
            Some(Role::Before) => "is counted as a line before",
            Some(Role::Begins) => "is taken for a beginning",
            Some(Role::Ends) => "is taken for an end",
            Some(Role::Possible) | None => "is not matched",
        };
        let fits = match expected {
            Some(role) => found == Some(role),
            None => matches!(found, None | Some(Role::Possible | Role::Before | Role::Ends)),
        };
        (!fits).then(|| format!("rule `{}`: example `{example}` {did}", rule.name))
    }
}

/// `<err> nginx: message`. The unit is taken after an `@` when the rule asks for one (`systemd@foo.service: ...`); where
/// a template is asked for, the message stands for it.
pub fn line<'a>(rule: &Rule, example: &'a str) -> Option<Line<'a>> {
    let (level, rest) = match example.strip_prefix('<') {
        Some(rest) => {
            let (level, rest) = rest.split_once("> ")?;
            (Level::from_word(level)?, rest)
        }
        None => (Level::default(), example),
    };
    let (program, message) = rest.split_once(": ")?;
    let (program, unit) = match program.split_once('@') {
        Some((program, unit)) if !rule.matching.unit.is_empty() => (program, Some(unit)),
        Some(_) | None => (program, None),
    };
    Some(Line { program, unit, level, template: message, message, origin: "", names: OnceCell::new() })
}
