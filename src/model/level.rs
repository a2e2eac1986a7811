//! What the writer of a log said about a line: the eight syslog levels (RFC 5424 section 6.2.1). Never called severity.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Ordered by urgency: `Emerg` is the smallest, so "err or worse" is `level <= Level::Err`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Level {
    Emerg = 0,
    Alert = 1,
    Crit = 2,
    Err = 3,
    Warning = 4,
    Notice = 5,
    #[default]
    Info = 6,
    Debug = 7,
}

impl Level {
    pub const ALL: [Level; 8] =
        [Level::Emerg, Level::Alert, Level::Crit, Level::Err, Level::Warning, Level::Notice, Level::Info, Level::Debug];

    /// From a syslog severity number 0..=7.
    pub fn from_number(number: u8) -> Option<Level> {
        Level::ALL.get(usize::from(number)).copied()
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Level::Emerg => "emerg",
            Level::Alert => "alert",
            Level::Crit => "crit",
            Level::Err => "err",
            Level::Warning => "warning",
            Level::Notice => "notice",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }

    /// Reads the words programs use for a level, in any case: `ERROR`, `Warn`, `fatal`, `severe`, `I` ... Not for prose.
    pub fn from_word(word: &str) -> Option<Level> {
        let mut lower = [0u8; 16];
        let lower = lower.get_mut(..word.len())?;
        lower.copy_from_slice(word.as_bytes());
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"emerg" | b"emergency" | b"panic" => Level::Emerg,
            b"alert" => Level::Alert,
            b"crit" | b"critical" | b"fatal" | b"f" => Level::Crit,
            b"err" | b"error" | b"severe" | b"failure" | b"e" => Level::Err,
            b"warning" | b"warn" | b"w" => Level::Warning,
            b"notice" | b"note" | b"n" => Level::Notice,
            b"info" | b"information" | b"informational" | b"log" | b"i" => Level::Info,
            b"debug" | b"trace" | b"verbose" | b"fine" | b"finer" | b"finest" | b"d" | b"v" => Level::Debug,
            _ => return None,
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Level, String> {
        Level::from_word(text).ok_or_else(|| {
            format!("`{text}` is not a level; allowed: emerg, alert, crit, err, warning, notice, info, debug")
        })
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_order() {
        assert_eq!(Level::from_word("ERROR"), Some(Level::Err));
        assert_eq!(Level::from_word("Warn"), Some(Level::Warning));
        assert_eq!(Level::from_word("error in a sentence"), None);
        assert_eq!(Level::from_word("é"), None);
        assert!(Level::Emerg < Level::Err && Level::Err < Level::Info);
        for level in Level::ALL {
            assert_eq!(level.as_str().parse::<Level>(), Ok(level));
            assert_eq!(Level::from_number(level as u8), Some(level));
        }
    }
}
