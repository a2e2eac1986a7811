//! Regular expressions of rules: checked where they are read, so that a mistake is reported at its place, and compiled when
//! first used.

use std::fmt;
use std::sync::OnceLock;

use regex::bytes::{Captures, Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::place::KeyPlace;
use super::{literals, spec::KEYS};

/// Largest compiled regular expression, in bytes.
const SIZE_LIMIT: usize = 1 << 20;
/// A pattern of at most so many bytes without counted repetitions stays far below that limit.
const SURELY_SMALL: usize = 2_000;

/// A regular expression (the `regex` crate's syntax: linear time, no look-around), not anchored. `\d`, `\w`, `\s` and
/// `(?i)` mean ASCII, which makes it ten times smaller, unless it has a class or flag that needs Unicode.
///
/// Its syntax is checked when it is read. It is compiled when it is first used: most rules are about programs that a host
/// does not have.
#[derive(Clone)]
pub struct Pattern {
    /// As it was written.
    text: Box<str>,
    /// With its flags.
    flagged: Box<str>,
    /// Names of its captures.
    names: Box<[Box<str>]>,
    /// One of these words (in any case) is in every text that matches; empty when there are none worth looking for.
    words: Vec<Vec<u8>>,
    /// Where its key stands, if that can be told without running it.
    place: Option<KeyPlace>,
    /// `None` inside would be a pattern that passed all checks and does not compile; it matches nothing.
    regex: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// # Errors
    /// What is wrong with the expression, in one line.
    pub fn new(text: &str) -> Result<Pattern, String> {
        if text.is_empty() {
            return Err("an empty pattern matches every line; leave the key out instead".to_owned());
        }
        let ascii = format!("(?-u){text}");
        let (flagged, hir) = match parse(&ascii) {
            Ok(hir) => (ascii, hir),
            Err(_) => (text.to_owned(), parse(text).map_err(|message| explain(text, &message))?),
        };
        let mut names = Vec::new();
        capture_names(&hir, &mut names);
        let pattern = Pattern {
            text: text.into(),
            flagged: flagged.into(),
            names: names.into(),
            words: literals::required(&hir).unwrap_or_default(),
            place: KeyPlace::of(&hir),
            regex: OnceLock::new(),
        };
        // Only these can grow beyond the limit: compile them now, to be able to say so.
        if text.len() > SURELY_SMALL || text.contains('{') {
            let regex = build(&pattern.flagged).map_err(|error| explain(text, &error.to_string()))?;
            return Ok(Pattern { regex: OnceLock::from(Some(regex)), ..pattern });
        }
        Ok(pattern)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// One of these words (in any case) is in every text that matches; empty when there are none worth looking for.
    pub fn words(&self) -> &[Vec<u8>] {
        &self.words
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(text.as_bytes()))
    }

    pub fn captures<'a>(&self, text: &'a str) -> Option<Captures<'a>> {
        self.regex().and_then(|regex| regex.captures(text.as_bytes()))
    }

    /// What separates incidents in a text that matches: the first of its captures `key`, `key2` and `key3` that takes part.
    pub fn key<'t>(&self, text: &'t str) -> Option<&'t [u8]> {
        let placed = self.place.as_ref().and_then(|place| place.key(text.as_bytes()));
        placed.or_else(|| {
            // Alternatives need names of their own.
            let captures = self.names().any(|name| KEYS.contains(&name)).then(|| self.captures(text))??;
            KEYS.iter().find_map(|name| captures.name(name)).map(|key| key.as_bytes())
        })
    }

    /// Names of its captures.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| build(&self.flagged).ok()).as_ref()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pattern, D::Error> {
        Pattern::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The syntax tree, or the crate's message.
fn parse(text: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new().utf8(false).build().parse(text).map_err(|error| error.to_string())
}

/// In the order of their groups; the parser bounds the depth.
fn capture_names(hir: &Hir, names: &mut Vec<Box<str>>) {
    match hir.kind() {
        HirKind::Capture(capture) => {
            names.extend(capture.name.clone());
            capture_names(&capture.sub, names);
        }
        HirKind::Repetition(repetition) => capture_names(&repetition.sub, names),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| capture_names(part, names));
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
    }
}

fn build(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build()
}

/// The last line of the crate's message says what is wrong; the lines before it draw carets.
fn explain(text: &str, message: &str) -> String {
    let why = message.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
    if why.contains("exceeds size limit") {
        return format!("`{text}` compiles to more than {SIZE_LIMIT} bytes; use smaller repetitions");
    }
    format!("`{text}` is not a regular expression: {why}; look-around and back references do not exist")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_patterns_say_why() {
        assert!(Pattern::new("").is_err());
        let error = Pattern::new("(unclosed").expect_err("a mistake");
        assert!(error.contains("unclosed group") && !error.contains('\n'), "{error}");
        let error = Pattern::new("(?:a{1000}){1000}").expect_err("too big");
        assert!(error.contains("smaller repetitions"), "{error}");
        assert!(Pattern::new(r"^\p{Greek}+ [äö]$").expect("Unicode where it is asked for").is_match("αβγ ä"));
        assert!(Pattern::new("(?i)größe .").expect("a pattern").is_match("GRößE x"));
    }
}
