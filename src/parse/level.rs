//! Finds what the writer of a line called its level: as a word, a letter, a syslog priority, or inside a message. Never
//! guesses from prose: a level is a word in the place of a level.

use memchr::memmem;

use crate::model::{Level, Notes};

use super::cursor::Cursor;
use super::stamp;

/// A level word in any case, three letters at least: `ERROR`, `Warn`, `INF`, `DEBUG1`.
pub(super) fn word(bytes: &[u8]) -> Option<Level> {
    if !(3..=13).contains(&bytes.len()) || !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return None;
    }
    if let Some(level) = std::str::from_utf8(bytes).ok().and_then(Level::from_word) {
        return Some(level);
    }
    Some(match bytes {
        b"INF" | b"inf" => Level::Info,
        b"WRN" | b"wrn" | b"WARNI" => Level::Warning,
        b"DBG" | b"dbg" | b"TRC" | b"trc" | b"VRB" | b"DEBUG1" | b"DEBUG2" | b"DEBUG3" | b"DEBUG4" | b"DEBUG5" => {
            Level::Debug
        }
        b"eror" | b"EROR" => Level::Err,
        b"dbug" | b"DBUG" => Level::Debug,
        b"FTL" | b"ftl" => Level::Crit,
        b"PNC" => Level::Emerg,
        _ => return None,
    })
}

/// A level word without a lower-case letter: a column even when it stands bare.
pub(super) fn upper_word(bytes: &[u8]) -> Option<Level> {
    if bytes.iter().any(u8::is_ascii_lowercase) { None } else { word(bytes) }
}

/// The one-letter levels of Android, glog and MongoDB.
pub(super) fn letter(byte: u8) -> Option<Level> {
    Some(match byte {
        b'F' | b'C' => Level::Crit,
        b'E' => Level::Err,
        b'W' => Level::Warning,
        b'N' => Level::Notice,
        b'I' => Level::Info,
        b'D' | b'V' | b'T' => Level::Debug,
        _ => return None,
    })
}

/// Reads a `<PRI>` (RFC 5424 section 6.2.1) and steps over it. `Some(None)` with a note when its number is out of range.
pub(super) fn priority(cursor: &mut Cursor, notes: &mut Notes) -> Option<Option<Level>> {
    let mut ahead = *cursor;
    if !ahead.eat(b'<') {
        return None;
    }
    let number = ahead.number(1, 9)?;
    if !ahead.eat(b'>') {
        return None;
    }
    *cursor = ahead;
    let level = if number <= 191 { u8::try_from(number % 8).ok().and_then(Level::from_number) } else { None };
    notes.odd_field |= level.is_none();
    Some(level)
}

/// A level as a number: syslog's 0..=7, or the tens of Bunyan and Pino (10 trace .. 60 fatal).
pub(super) fn number(number: u64) -> Option<Level> {
    match number {
        0..=7 => u8::try_from(number).ok().and_then(Level::from_number),
        10..=29 => Some(Level::Debug),
        30..=39 => Some(Level::Info),
        40..=49 => Some(Level::Warning),
        50..=59 => Some(Level::Err),
        60..=69 => Some(Level::Crit),
        _ => None,
    }
}

/// The level a message names in its first tokens, while it stays part of the message: `ERROR: ...`, `[warn] ...`,
/// `level=error ...`, `E1122 05:55:40 ...`, or a header of its own.
pub(super) fn embedded(message: &[u8]) -> Option<Level> {
    let message = message.trim_ascii_start();
    let mut cursor = Cursor::new(message);
    match cursor.peek(0) {
        b'[' => {
            if cursor.peek(1).is_ascii_digit() {
                return before_double_blank(message).or_else(|| after_stamp(cursor));
            }
            word(cursor.group(16)?.trim_ascii())
        }
        b'<' | b'(' => {
            let inside = cursor.group(16)?;
            match inside {
                b"EE" => Some(Level::Err),
                b"WW" => Some(Level::Warning),
                _ => word(inside),
            }
        }
        b'0'..=b'9' => after_stamp(cursor),
        b'%' => vendor(message),
        b'a'..=b'z' | b'A'..=b'Z' => {
            if begins_with_prose(message) {
                return None;
            }
            let token = cursor.token();
            match token {
                [name @ .., b':'] => word(name),
                [first, digits @ ..] if digits.len() == 4 && digits.iter().all(u8::is_ascii_digit) => {
                    cursor.spaces();
                    if cursor.peek(0).is_ascii_digit() { letter(*first) } else { None }
                }
                _ if memchr::memchr(b'=', token).is_some() => pair(message),
                // `LOG` alone is a noun too often.
                b"LOG" | b"NOTE" => None,
                _ => upper_word(token),
            }
        }
        _ => None,
    }
}

/// A word in small letters with neither `:` behind it nor `=` in it, as nearly every message begins: no level.
#[inline]
fn begins_with_prose(message: &[u8]) -> bool {
    let is_small = message.get(1).is_some_and(u8::is_ascii_lowercase);
    let end = message.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'='));
    let end = end.unwrap_or(message.len());
    is_small && message.get(end) != Some(&b'=') && message.get(..end).is_some_and(|word| !word.ends_with(b":"))
}

/// `%ASA-6-302013:`: Cisco's facility, level and name.
pub(super) fn vendor(tag: &[u8]) -> Option<Level> {
    let tag = tag.strip_prefix(b"%")?;
    let dash = memchr::memchr(b'-', tag.get(..32).unwrap_or(tag))?;
    match tag.get(dash + 1..)? {
        [digit @ b'0'..=b'7', b'-', ..] => Level::from_number(digit - b'0'),
        _ => None,
    }
}

/// A message that starts with a stamp of its own, and a level behind it.
fn after_stamp(mut cursor: Cursor) -> Option<Level> {
    let bracketed = cursor.eat(b'[');
    stamp::stamp(&mut cursor)?;
    if bracketed {
        cursor.eat(b']');
    }
    for _ in 0..3 {
        while matches!(cursor.peek(0), b' ' | b'-' | b'|' | b',' | b':') {
            cursor.advance(1);
        }
        let found = match cursor.peek(0) {
            b'[' | b'<' => word(cursor.group(32)?.trim_ascii()),
            _ => {
                let token = cursor.token();
                upper_word(token.strip_suffix(b":").unwrap_or(token))
            }
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// PostgreSQL under syslog: `[3-1] user@db ERROR:  ...`; two blanks behind the colon are its signature.
fn before_double_blank(message: &[u8]) -> Option<Level> {
    let window = message.get(..200).unwrap_or(message);
    let end = memmem::find(window, b":  ")?;
    let head = window.get(..end)?;
    let start = memchr::memrchr(b' ', head).map_or(0, |space| space + 1);
    upper_word(head.get(start..)?)
}

/// The value of `level=`, `lvl=` or `severity=` near the start.
fn pair(message: &[u8]) -> Option<Level> {
    let window = message.get(..256).unwrap_or(message);
    [&b"level="[..], b"lvl=", b"severity="].into_iter().find_map(|key| {
        let at = memmem::find(window, key)?;
        let starts_word = at == 0 || window.get(at - 1) == Some(&b' ');
        let value = window.get(at + key.len()..)?;
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let end = value.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(value.len());
        if starts_word { word(value.get(..end)?) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: Option<Level>) {
        assert_eq!(embedded(message.as_bytes()), expected, "{message}");
    }

    #[test]
    fn levels_inside_messages() {
        check("ERROR: disk on fire", Some(Level::Err));
        check("error: kex_exchange_identification: read", Some(Level::Err));
        check(" notice: High CPU load detected", Some(Level::Notice));
        check("[warn] low water", Some(Level::Warning));
        check("<error> x", Some(Level::Err));
        check("(EE) no screens found", Some(Level::Err));
        check("WARNING something", Some(Level::Warning));
        check("time=\"2026-11-22T05:55:40Z\" level=error msg=\"x\"", Some(Level::Err));
        check("level=\"warn\" x", Some(Level::Warning));
        check("E0507 11:59:38.183090    4578 pod.go:1] x", Some(Level::Err));
        check("2026-11-22 05:55:40,123 - app - ERROR - x", Some(Level::Err));
        check("2026-11-22 05:55:40,123 ERROR x", Some(Level::Err));
        check("2026-11-22 05:55:40.123 [error] <0.1.0> x", Some(Level::Err));
        check("[2-1] db=,user= FATAL:  no", Some(Level::Crit));
        check("%ASA-4-106023: Deny", Some(Level::Warning));
        check("Error while reading", None);
        check("error reading", None);
        check("Failed password for root", None);
        check("I am here", None);
        check("nolevel=error", None);
        check("", None);
    }

    #[test]
    fn priorities() {
        let mut notes = Notes::default();
        assert_eq!(priority(&mut Cursor::new(b"<34>x"), &mut notes), Some(Some(Level::Crit)));
        assert_eq!(priority(&mut Cursor::new(b"<0>x"), &mut notes), Some(Some(Level::Emerg)));
        assert!(!notes.odd_field);
        assert_eq!(priority(&mut Cursor::new(b"<192>x"), &mut notes), Some(None));
        assert!(notes.odd_field);
        assert_eq!(priority(&mut Cursor::new(b"<x>x"), &mut notes), None);
        assert_eq!(priority(&mut Cursor::new(b"<9999999999>x"), &mut notes), None);
    }
}
