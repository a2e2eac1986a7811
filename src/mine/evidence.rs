//! How many different words must a place in a line show before it counts as a variable? A user name soon, `started`
//! and `stopped` never by themselves: what a line says in plain words is what it means. Must not look at counts of
//! lines, only at differing texts.

/// Different words a place needs, by what the words look like.
const VALUES: u32 = 2;
const NAMED: u32 = 2;
const IDENTIFIERS: u32 = 3;
const KEYED: u32 = 4;
const PLAIN: u32 = 5;
const STATES: u32 = 12;

/// What a differing part of a token looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// The placeholder of a number or a quantity and nothing else.
    Number,
    /// Any other placeholder and nothing else: an address, a path, an id.
    Value,
    /// A name made of parts: `org.apache.Foo`, `nf_conntrack`, `node<NUM>-a`.
    Identifier,
    /// `SUSPENDED`: programs write their states in capitals.
    State,
    /// Several items: who prints a list has had another one before.
    List,
    Plain,
}

use super::key::{self, announces_name};

/// How many different texts must have stood where `known` and `seen` stand now. `before` is the token in front of
/// them, `keyed` says that both carry the same `key=`.
pub fn needed(known: &str, seen: &str, before: &str, keyed: bool) -> u32 {
    // In `user=root` the name is often one of few that a program knows; a JSON object holds what somebody entered.
    let key = key::end(known.as_bytes()).filter(|_| keyed).and_then(|end| known.get(..end));
    let announcing = key.map_or(before, |key| if key.ends_with(':') { key } else { "" });
    let (known, seen) = difference(known, seen);
    match (nature(known), nature(seen)) {
        (Nature::Value, _) | (_, Nature::Value) => VALUES,
        (Nature::Number, Nature::Number | Nature::Identifier) | (Nature::Identifier, Nature::Number) => VALUES,
        _ if announces_name(announcing) => NAMED,
        // `5.2 KB` and `1.1 MB` are two quantities of one thing.
        _ if before.ends_with("<NUM>") && is_unit(known) && is_unit(seen) => VALUES,
        // `exit status 0` and `exit status unknown` are two things to say.
        (Nature::Number, Nature::State | Nature::Plain) | (Nature::State | Nature::Plain, Nature::Number) => PLAIN,
        _ if keyed => KEYED,
        (Nature::Identifier | Nature::List, _) | (_, Nature::Identifier | Nature::List) => IDENTIFIERS,
        (Nature::State, Nature::State) => STATES,
        (Nature::State | Nature::Plain, Nature::State | Nature::Plain) => PLAIN,
    }
}

fn nature(text: &str) -> Nature {
    if matches!(text, "<NUM>" | "<DUR>" | "<SIZE>") {
        return Nature::Number;
    }
    if text.starts_with('<') && text.ends_with('>') && !text.contains(' ') {
        return Nature::Value;
    }
    if text.contains(", ") {
        return Nature::List;
    }
    let text = text.trim_matches(|letter: char| !letter.is_alphanumeric());
    if text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
        return Nature::State;
    }
    if text.contains(['<', '.', '_', '@', '/', '\\', '$', ':']) {
        return Nature::Identifier;
    }
    Nature::Plain
}

fn is_unit(text: &str) -> bool {
    super::value::unit(text.trim_matches(|letter: char| letter.is_ascii_punctuation()).as_bytes()).is_some()
}

/// What is left of two tokens without the words they begin and end with in common.
fn difference<'a>(left: &'a str, right: &'a str) -> (&'a str, &'a str) {
    let joins = |letter: char| letter.is_alphanumeric() || matches!(letter, '<' | '>');
    let mut start = 0;
    for (letter, other) in left.char_indices().zip(right.chars()) {
        if letter.1 != other {
            break;
        }
        if !joins(other) {
            start = letter.0 + other.len_utf8();
        }
    }
    let (left, right) = (left.get(start..).unwrap_or(left), right.get(start..).unwrap_or(right));
    let mut end = 0;
    let mut length = 0;
    for (letter, other) in left.chars().rev().zip(right.chars().rev()) {
        if letter != other {
            break;
        }
        length += other.len_utf8();
        if !joins(other) {
            end = length;
        }
    }
    let cut = |text: &'a str| text.get(..text.len() - end).unwrap_or(text);
    (cut(left), cut(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, known: &str, seen: &str, expected: u32) {
        assert_eq!(needed(known, seen, before, false), expected, "{before} {known} | {seen}");
    }

    #[test]
    fn plain_words_need_most_evidence() {
        check("scanner", "started", "stopped", PLAIN);
        check("to", "SUSPENDED", "AUTO", STATES);
        check("user", "alice", "bob", NAMED);
        check("user:", "alice", "bob", NAMED);
        check("class", "org.apache.Foo", "org.apache.job.Bar", IDENTIFIERS);
        check("from", "<IP>", "unknown", VALUES);
        check("at", "(<TIME>)", "(never)", VALUES);
        check("status", "<NUM>", "unknown", PLAIN);
        check("job", "<NUM>", "backup.daily", VALUES);
        check("user", "<NUM>", "alice", NAMED);
        check("on", "eth<NUM>", "wlan<NUM>", IDENTIFIERS);
        check("{\"user\":", "\"alice\",", "\"bob\",", NAMED);
        assert_eq!(needed("user=alice", "user=bob", "x", true), KEYED);
        assert_eq!(needed("\"host\":\"a\"", "\"host\":\"b\"", "x", true), NAMED);
        assert_eq!(needed("tty=a", "tty=b", "user", true), KEYED);
        check("<NUM>", "KB,", "MB,", VALUES);
        check("(<NUM>", "s", "ms", VALUES);
        check("<NUM>", "KB", "files", PLAIN);
        check("in", "KB", "MB", STATES);
        check("keys", "[HOME]", "[HOME, END]", IDENTIFIERS);
        check("by", "dcbf.........<NUM>", "icbi.........<NUM>", PLAIN);
    }

    #[test]
    fn common_ends_do_not_count() {
        assert_eq!(difference("a.b.c", "a.x.c"), ("b", "x"));
        assert_eq!(difference("same", "same"), ("same", "same"));
        assert_eq!(difference("a.", "a."), ("", ""));
        assert_eq!(difference("é.x", "é.y"), ("x", "y"));
        assert_eq!(difference("", "a"), ("", "a"));
    }
}
