//! All mistakes of a config and its rules as one error. How they are shown is the caller's.

use std::collections::BTreeSet;
use std::fmt;

use super::Problem;

/// Every mistake at once. Never empty.
#[derive(Debug)]
pub struct Mistakes(pub Vec<Problem>);

/// `3 mistakes in logwren.toml`
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: BTreeSet<&str> = self.0.iter().map(|problem| problem.file.as_str()).collect();
        let files: Vec<&str> = files.into_iter().collect();
        let count = self.0.len();
        write!(f, "{count} mistake{} in {}", if count == 1 { "" } else { "s" }, files.join(", "))
    }
}

impl std::error::Error for Mistakes {}

impl Problem {
    /// For a log: place, key, what is wrong and what would be right.
    pub fn one_line(&self) -> String {
        let Problem { file, line, column, key, message, suggestion, drawing: _ } = self;
        let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
        let hint = suggestion.as_ref().map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default();
        format!("{file}:{line}:{column}: {key}{message}{hint}")
    }

    /// For a terminal: the source line with carets, the key, and the nearest thing that would be right.
    pub fn drawn(&self) -> String {
        let mut text = self.drawing.trim_end().to_owned();
        if !self.key.is_empty() {
            text += &format!("\n  key: {}", self.key);
        }
        if let Some(suggestion) = &self.suggestion {
            text += &format!("\n  hint: did you mean `{suggestion}`?");
        }
        text
    }
}
