//! Finds what must go: a keyword prefilter over all rules at once, then only the rules that were hit, each compiled when
//! first needed. Linear in the text. Replaces nothing.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use regex::{Regex, RegexBuilder};

use super::condition;
use super::config::{Config, HideFrom};
use super::keyblock::KeyBlock;
use super::rule::{Class, Condition, Rule};
use super::rules::RULES;

/// At most so many names seen in a text are searched in the rest of it.
const MAX_NAMES: usize = 16;

/// Something in us is not as it should be: the caller must hide the whole text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Doubt;

/// One place that must go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub range: Range<usize>,
    pub class: Class,
    /// Index for [`Scanner::rule_name`].
    pub rule: usize,
}

pub(super) struct Scanner {
    prefilter: Option<AhoCorasick>,
    /// For each keyword of the prefilter: the rule it wakes.
    wakes: Vec<usize>,
    /// The shipped rules, in table order.
    compiled: Vec<OnceLock<Option<Regex>>>,
    custom: Vec<(String, Regex, Class)>,
    domains: Vec<String>,
}

impl Scanner {
    pub fn new(config: &Config) -> Scanner {
        let (keywords, wakes): (Vec<&str>, Vec<usize>) =
            RULES.iter().enumerate().flat_map(|(at, rule)| rule.keywords.iter().map(move |word| (*word, at))).unzip();
        Scanner {
            // Its failure is a doubt in every scan.
            prefilter: AhoCorasick::builder().ascii_case_insensitive(true).build(keywords).ok(),
            wakes,
            compiled: RULES.iter().map(|_| OnceLock::new()).collect(),
            custom: config
                .patterns
                .iter()
                .map(|custom| {
                    let class = match custom.hide_from {
                        HideFrom::Everyone => Class::Secret,
                        HideFrom::Model => Class::Opaque,
                    };
                    (custom.name.as_str().to_owned(), custom.pattern.regex().clone(), class)
                })
                .collect(),
            domains: config.domains.clone(),
        }
    }

    /// Everything in `text` that must go, in order, without overlap. `personal`: also what only a model must not see.
    /// `known`: values that are hidden wherever they stand as a word.
    ///
    /// # Errors
    /// [`Doubt`] when a rule could not be applied.
    pub fn scan(
        &self,
        text: &str,
        personal: bool,
        block: &mut KeyBlock,
        known: &[(Class, String)],
    ) -> Result<Vec<Span>, Doubt> {
        let awake = self.awake(text)?;
        let keys = block.spans(text).ok_or(Doubt)?;
        let private_key = RULES.len() + self.custom.len();
        let mut spans: Vec<Span> =
            keys.into_iter().map(|range| Span { range, class: Class::Secret, rule: private_key }).collect();

        let mut later = Vec::new();
        for (at, rule) in RULES.iter().enumerate().filter(|(at, _)| awake.get(*at) == Some(&true)) {
            if rule.class == Class::Secret {
                self.matches(self.regex(at, rule)?, rule.condition, text, 0, |range| {
                    spans.push(Span { range, class: rule.class, rule: at });
                });
            } else if personal || rule.class.hidden_from_people() {
                later.push((at, rule));
            }
        }
        for (at, (_, regex, class)) in self.custom.iter().enumerate() {
            if personal || class.hidden_from_people() {
                self.matches(regex, Condition::None, text, 0, |range| {
                    spans.push(Span { range, class: *class, rule: RULES.len() + at });
                });
            }
        }
        unite(&mut spans);

        for (at, rule) in later {
            let regex = self.regex(at, rule)?;
            self.in_gaps(text, &mut spans, |part, start, found| {
                self.matches(regex, rule.condition, part, start, |range| {
                    found.push(Span { range, class: rule.class, rule: at });
                });
            });
        }
        self.repeat_names(text, personal, &mut spans, known);
        Ok(spans)
    }

    pub fn rule_name(&self, rule: usize) -> &str {
        match RULES.get(rule) {
            Some(rule) => rule.name,
            None if rule == KNOWN => "known",
            None => self.custom.get(rule - RULES.len()).map_or("private-key", |(name, ..)| name),
        }
    }

    /// Which rules have a keyword in the text.
    fn awake(&self, text: &str) -> Result<Vec<bool>, Doubt> {
        let mut awake: Vec<bool> = RULES.iter().map(|rule| rule.keywords.is_empty()).collect();
        for hit in self.prefilter.as_ref().ok_or(Doubt)?.find_overlapping_iter(text) {
            if let Some(rule) = self.wakes.get(hit.pattern().as_usize()).and_then(|rule| awake.get_mut(*rule)) {
                *rule = true;
            }
        }
        Ok(awake)
    }

    fn regex(&self, at: usize, rule: &Rule) -> Result<&Regex, Doubt> {
        self.compiled.get(at).and_then(|cell| cell.get_or_init(|| compile(rule)).as_ref()).ok_or(Doubt)
    }

    /// Calls `found` with every captured range of every match that its condition confirms, moved by `start`.
    fn matches(
        &self,
        regex: &Regex,
        condition: Condition,
        text: &str,
        start: usize,
        mut found: impl FnMut(Range<usize>),
    ) {
        for captures in regex.captures_iter(text) {
            let first = usize::from(captures.len() > 1);
            for part in captures.iter().skip(first).flatten() {
                if let Some(range) = condition::meant(condition, text, part.range(), &self.domains)
                    && !range.is_empty()
                {
                    found(range.start + start..range.end + start);
                }
            }
        }
    }

    /// Runs `search` over every part of the text that no span covers yet, and adds what it finds.
    fn in_gaps(&self, text: &str, spans: &mut Vec<Span>, mut search: impl FnMut(&str, usize, &mut Vec<Span>)) {
        let mut found = Vec::new();
        let mut start = 0;
        for span in &*spans {
            if let Some(part) = text.get(start..span.range.start).filter(|part| !part.is_empty()) {
                search(part, start, &mut found);
            }
            start = span.range.end;
        }
        if let Some(part) = text.get(start..).filter(|part| !part.is_empty()) {
            search(part, start, &mut found);
        }
        if !found.is_empty() {
            spans.append(&mut found);
            unite(spans);
        }
    }

    /// Hides names found in this text, and known ones, wherever else they stand as a word in it, and known secrets wherever
    /// they stand.
    fn repeat_names(&self, text: &str, personal: bool, spans: &mut Vec<Span>, known: &[(Class, String)]) {
        let mut names: Vec<(Class, usize, String)> = Vec::new();
        for span in spans.iter().filter(|span| personal && span.class == Class::User) {
            if let Some(name) = text.get(span.range.clone()).filter(|name| name.len() >= 3)
                && names.len() < MAX_NAMES
                && !names.iter().any(|(.., known)| known == name)
            {
                names.push((span.class, span.rule, name.to_owned()));
            }
        }
        let wanted = known.iter().filter(|(class, _)| personal || class.hidden_from_people());
        names.extend(wanted.map(|(class, name)| (*class, KNOWN, name.clone())));
        for (class, rule, name) in names {
            if !text.contains(&name) {
                continue;
            }
            self.in_gaps(text, spans, |part, start, found| {
                for (at, _) in part.match_indices(&name) {
                    let word = |character: char| character.is_alphanumeric() || character == '_';
                    let before = part.get(..at).and_then(|before| before.chars().next_back());
                    let after = part.get(at + name.len()..).and_then(|after| after.chars().next());
                    let is_word = !before.is_some_and(word) && !after.is_some_and(word);
                    if is_word || class.hidden_from_people() {
                        found.push(Span { range: at + start..at + start + name.len(), class, rule });
                    }
                }
            });
        }
    }
}

/// Rule index of values the caller made known.
const KNOWN: usize = usize::MAX;

/// Sorts spans and joins those that overlap; the earlier, then the more specific rule names the union.
fn unite(spans: &mut Vec<Span>) {
    spans.sort_by_key(|span| (span.range.start, span.rule));
    let mut united: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans.drain(..) {
        match united.last_mut().filter(|last| span.range.start < last.range.end) {
            Some(last) => {
                last.range.end = last.range.end.max(span.range.end);
                last.class = last.class.min(span.class);
            }
            None => united.push(span),
        }
    }
    *spans = united;
}

/// `None` never happens: a test compiles every rule.
fn compile(rule: &Rule) -> Option<Regex> {
    let pattern = rule
        .pattern
        .replace(r"\b", r"(?-u:\b)")
        .replace(r"\d", "[0-9]")
        .replace(r"\w", "[0-9A-Za-z_]")
        .replace(r"\s", r"[\t\n\x0B\f\r ]");
    RegexBuilder::new(&pattern).size_limit(8 << 20).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_and_has_a_name_of_its_own() {
        for (at, rule) in RULES.iter().enumerate() {
            assert!(compile(rule).is_some(), "{}", rule.name);
            assert!(RULES.iter().skip(at + 1).all(|other| other.name != rule.name), "{} twice", rule.name);
            assert!(rule.keywords.iter().all(|word| word.to_ascii_lowercase() == **word), "{}", rule.name);
        }
    }
}
