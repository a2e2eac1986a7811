//! The two ways a rule names text: a regular expression for messages, a name with `*` for programs and units. Both are
//! checked where they are read, so that a mistake is reported at its place.

use std::fmt;

use regex::bytes::{Captures, Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Largest compiled regular expression, in bytes.
const SIZE_LIMIT: usize = 1 << 20;

/// A regular expression (the `regex` crate's syntax: linear time, no look-around), not anchored. `\d`, `\w`, `\s` and
/// `(?i)` mean ASCII, which makes it ten times smaller, unless it has a class or flag that needs Unicode.
#[derive(Clone)]
pub struct Pattern {
    /// As it was written.
    text: Box<str>,
    regex: Regex,
}

impl Pattern {
    /// # Errors
    /// What is wrong with the expression, in one line.
    pub fn new(text: &str) -> Result<Pattern, String> {
        if text.is_empty() {
            return Err("an empty pattern matches every line; leave the key out instead".to_owned());
        }
        let regex = build(&format!("(?-u){text}")).or_else(|_| build(text)).map_err(|error| explain(text, &error))?;
        Ok(Pattern { text: text.into(), regex })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// With its flags, as a set of patterns needs it.
    pub fn compiled(&self) -> &str {
        self.regex.as_str()
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes())
    }

    pub fn captures<'a>(&self, text: &'a str) -> Option<Captures<'a>> {
        self.regex.captures(text.as_bytes())
    }

    /// Names of its captures.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
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

/// A name in which `*` stands for any text; upper and lower case (ASCII) are the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamePattern(String);

impl NamePattern {
    /// Longest pattern, in bytes.
    const MAX_BYTES: usize = 128;

    /// # Errors
    /// When it is empty, too long or matches everything.
    pub fn new(text: &str) -> Result<NamePattern, String> {
        if text.chars().all(|character| character == '*') {
            return Err(format!("`{text}` matches every name; leave the key out instead"));
        }
        if text.len() > NamePattern::MAX_BYTES {
            return Err(format!("a name pattern has at most {} bytes", NamePattern::MAX_BYTES));
        }
        Ok(NamePattern(text.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Pieces between the stars must occur in order, the first at the start and the last at the end.
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = strip_prefix(name.as_bytes(), first.as_bytes()) else { return false };
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return rest.len() >= piece.len()
                    && rest
                        .get(rest.len() - piece.len()..)
                        .is_some_and(|end| end.eq_ignore_ascii_case(piece.as_bytes()));
            }
            if piece.is_empty() {
                continue;
            }
            let found = rest.windows(piece.len()).position(|window| window.eq_ignore_ascii_case(piece.as_bytes()));
            let Some(after) = found.and_then(|at| rest.get(at + piece.len()..)) else { return false };
            rest = after;
        }
        true
    }
}

impl Serialize for NamePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for NamePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NamePattern, D::Error> {
        NamePattern::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn build(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build()
}

fn explain(text: &str, error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("`{text}` compiles to more than {limit} bytes; use smaller repetitions")
        }
        other => {
            let message = other.to_string();
            let why = message.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            format!("`{text}` is not a regular expression: {why}; look-around and back references do not exist")
        }
    }
}

fn strip_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(NamePattern::new(pattern).expect("a pattern").matches(name), expected, "{pattern} {name}");
    }

    #[test]
    fn names() {
        check("sshd", "sshd", true);
        check("cron", "CRON", true);
        check("sshd", "sshd-session", false);
        check("php-fpm*", "php-fpm8.2", true);
        check("*fpm", "php-fpm", true);
        check("*fpm", "fpm-php", false);
        check("postgres*@*-main", "postgresql@16-main", true);
        check("postgres*@*-main", "postgresql@16", false);
        check("a*a", "a", false);
        check("a*a", "aa", true);
        check("a*b*c", "a1b2b3c", true);
        check("a*bb*c", "a1b2c", false);
    }

    #[test]
    fn wrong_patterns_say_why() {
        assert!(NamePattern::new("**").is_err());
        assert!(Pattern::new("").is_err());
        let error = Pattern::new("(unclosed").expect_err("a mistake");
        assert!(error.contains("unclosed group") && !error.contains('\n'), "{error}");
        let error = Pattern::new("(?:a{1000}){1000}").expect_err("too big");
        assert!(error.contains("smaller repetitions"), "{error}");
        assert!(Pattern::new(r"^\p{Greek}+ [äö]$").expect("Unicode where it is asked for").is_match("αβγ ä"));
        assert!(Pattern::new("(?i)größe .").expect("a pattern").is_match("GRößE x"));
    }
}
