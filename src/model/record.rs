//! One logical line after parsing: borrowed while it passes, owned only when something keeps it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Level, Timestamp};

/// What the parser made of a line. Borrows from the block where it can.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Header<'a> {
    /// `None` when the line carries no time: the pipeline then takes the source's last time.
    pub time: Option<Timestamp>,
    /// `None` when the writer named no level.
    pub level: Option<Level>,
    pub host: Option<Cow<'a, str>>,
    /// Program or component, without pid: `sshd`, `kernel`, `org.apache.Foo`. Empty when unknown.
    pub program: Cow<'a, str>,
    pub pid: Option<u32>,
    /// systemd unit, when the journal names it.
    pub unit: Option<Cow<'a, str>>,
    /// What the miner sees: the text after the header, valid UTF-8 (lossy where it was not).
    pub message: Cow<'a, str>,
    /// Name of the format that matched, as in `parse`'s table: `rfc3164`, `journal-json`, `plain` ...
    pub format: &'static str,
    /// What was odd about the line.
    pub notes: Notes,
}

/// Oddities of a line. Counted, shown by `explain`, never fatal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Notes {
    /// Invalid UTF-8 was replaced.
    pub lossy: bool,
    /// Cut at the line cap.
    pub truncated: bool,
    /// Its source's format did not match this line; taken as plain text.
    pub fallback: bool,
    /// The year or the zone was guessed.
    pub guessed_time: bool,
    /// A level or time was present but out of range.
    pub odd_field: bool,
}

/// One line as evidence: what an alert, a report or the store shows. Text is raw log text: hostile.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    pub time: Timestamp,
    pub host: Arc<str>,
    pub program: Arc<str>,
    pub level: Level,
    /// Which stream it came from: a path, `journal`, `stdin`.
    pub origin: Arc<str>,
    /// Byte offset in that stream.
    pub offset: u64,
    /// The message, cut to [`Evidence::MAX_BYTES`].
    pub line: String,
}

impl Evidence {
    /// Longest text kept of one line.
    pub const MAX_BYTES: usize = 2_000;

    /// Cuts between words, see [`clip_words`].
    pub fn clip(text: &str) -> String {
        clip_words(text, Evidence::MAX_BYTES).to_owned()
    }
}

/// The longest prefix of `text` of at most `max_bytes` bytes that ends on a character boundary.
pub fn clip(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// As [`clip`], and no word is cut in two: half a key is not known for one by redaction, and would leave the host. A word
/// here is what keys are written with, so that JSON and URLs have many; only one longer than 1 KiB is cut.
pub fn clip_words(text: &str, max_bytes: usize) -> &str {
    const LONGEST_WORD: usize = 1_024;
    let short = clip(text, max_bytes);
    let inside = |character: char| character.is_alphanumeric() || "_-./+=%:@~$!#*".contains(character);
    if !text.get(short.len()..).is_some_and(|rest| rest.starts_with(inside)) {
        return short;
    }
    let whole = short.trim_end_matches(inside);
    if short.len() - whole.len() > LONGEST_WORD { short } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, max_bytes: usize, expected: &str) {
        assert_eq!(clip_words(text, max_bytes), expected);
    }

    #[test]
    fn words_stay_whole() {
        check("one two", 10, "one two");
        check("one two", 7, "one two");
        check("one two", 6, "one ");
        check("one two", 3, "one");
        check("key sk_live_abc", 12, "key ");
        check("{\"key\":\"abc\"}", 10, "{\"key\":\"");
        check("at https://app:hunter2@db", 18, "at ");
        check("äö ü", 3, "");
        let long = "x".repeat(3_000);
        assert_eq!(clip_words(&long, 2_000).len(), 2_000);
    }
}
