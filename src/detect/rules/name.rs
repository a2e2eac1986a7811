//! Names of programs and units in which `*` stands for any text. Checked where they are read.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name in which `*` stands for any text; upper and lower case (ASCII) are the same.
#[derive(Clone, PartialEq, Eq)]
pub struct NamePattern {
    /// In lower case.
    text: String,
    has_star: bool,
}

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
        Ok(NamePattern { text: text.to_ascii_lowercase(), has_star: text.contains('*') })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Pieces between the stars must occur in order, the first at the start and the last at the end.
    pub fn matches(&self, name: &str) -> bool {
        if !self.has_star {
            return self.text.eq_ignore_ascii_case(name);
        }
        let mut pieces = self.text.split('*');
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

/// Tells, among other things, whether a rule still counts the same lines: it must not change.
impl fmt::Debug for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NamePattern").field(&self.text).finish()
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
    fn a_name_must_say_something() {
        assert!(NamePattern::new("**").is_err());
        assert!(NamePattern::new("").is_err());
        assert!(NamePattern::new(&"a".repeat(200)).is_err());
    }
}
