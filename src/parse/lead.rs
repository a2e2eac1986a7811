//! What stands at the start of an application's line, up to and including the stamp; or the level, where there is no stamp.
//! Settles no time and reads no column behind.

use crate::model::Level;

use super::application::State;
use super::column::{self, GROUP_MAX};
use super::cursor::Cursor;
use super::date::Date;
use super::level;
use super::stamp::{self, Stamp};
use super::syslog::decimal;

/// Columns looked at in front of the stamp.
const LEAD_MAX: usize = 7;

/// Longest token in front of a stamp, in bytes.
const LEAD_TOKEN_MAX: usize = 96;

/// Reads up to and including the stamp, or a level in front where there is no stamp. Tokens in front of a stamp must not
/// be words: `Backup started at 2026-11-22 05:55:40` is a message.
pub(super) fn lead(start: Cursor<'_>) -> Option<(Cursor<'_>, State<'_>, bool)> {
    let mut state = State::default();
    let mut cursor = start;
    cursor.spaces();
    // `<W>stamp`: a level glued to it.
    if let [b'<', letter, b'>', ..] = cursor.rest() {
        state.level = level::letter(*letter);
        cursor.advance(3);
    }
    let mut ahead = cursor;
    let mut is_label_only = true;
    let mut since_stamp = 0;
    let mut syslog_stamp = false;
    // What was known right behind the last stamp: tokens looked at further on may turn out to be message.
    let mut settled = None;
    for index in 0..LEAD_MAX {
        ahead.spaces();
        if let Some(found) = stamp_column(&mut ahead, &mut state) {
            // In the middle of a line a number is a number.
            if state.stamp.is_none() && !is_label_only && !found.is_certain() {
                break;
            }
            // Nobody writes two by chance.
            state.is_proven |= state.stamp.is_some();
            syslog_stamp = is_syslog_stamp(&found);
            state.stamp = Some(better(state.stamp, found));
            cursor = ahead;
            since_stamp = 0;
            if found.is_certain() {
                return Some((cursor, state, syslog_stamp));
            }
            settled = Some(state.clone());
            continue;
        }
        since_stamp += 1;
        is_label_only &= ahead.peek(0) == b'-';
        if settled.is_some() && since_stamp > 2 || !lead_token(&mut ahead, index, &mut state) {
            break;
        }
    }
    match settled {
        Some(state) => Some((cursor, state, syslog_stamp)),
        None => without_stamp(start),
    }
}

/// A token that may stand in front of a stamp: a dash, a level, an id, a name of several parts in first place.
fn lead_token<'a>(ahead: &mut Cursor<'a>, index: usize, state: &mut State<'a>) -> bool {
    let start = *ahead;
    let token = ahead.token();
    if token.is_empty() || token.len() > LEAD_TOKEN_MAX || memchr::memchr3(b'=', b'"', b'{', token).is_some() {
        return false;
    }
    let bare = token.strip_suffix(b",").unwrap_or(token);
    if token == b"-" || token == b"|" {
        return true;
    }
    if let Some(found) = bracketed_level(bare).or_else(|| level::upper_word(bare)) {
        state.level = state.level.or(Some(found));
        state.is_proven = true;
        return true;
    }
    // Ruby's `E, [stamp #pid] ERROR -- : ...`: the word comes later.
    if let [letter, b','] = token
        && level::letter(*letter).is_some()
    {
        return true;
    }
    if token.first() == Some(&b'[') {
        *ahead = start;
        return match ahead.group(GROUP_MAX) {
            Some(inside) => {
                state.keeps_line |= column::is_address(inside);
                true
            }
            None => false,
        };
    }
    if column::is_address(token) {
        state.keeps_line = true;
        return true;
    }
    if token.iter().any(u8::is_ascii_digit) {
        // Redis: `12345:M 22 Nov 2026 ...`.
        if let [digits @ .., b':', role] = token
            && role.is_ascii_uppercase()
        {
            state.pid = decimal(digits);
            state.has_role = true;
        }
        return true;
    }
    let is_name = index == 0 && column::is_name(token) && token.iter().any(|byte| matches!(byte, b'-' | b'_' | b'.'));
    if is_name {
        state.program = Some(token);
    }
    is_name
}

/// A stamp, bare or in brackets, and what else stands in those brackets: `[stamp INFO crate::module]`,
/// `[stamp: INFO/MainProcess]`, `[stamp #42]`.
fn stamp_column<'a>(cursor: &mut Cursor<'a>, state: &mut State<'a>) -> Option<Stamp> {
    let mut ahead = *cursor;
    let open = ahead.peek(0);
    if matches!(open, b'[' | b'(') {
        ahead.advance(1);
    }
    // A router's mark for a clock that nothing has set.
    let _ = ahead.peek(1).is_ascii_uppercase() && ahead.eat(b'*');
    let found = stamp::stamp(&mut ahead)?;
    if matches!(open, b'[' | b'(') {
        let close = if open == b'[' { b']' } else { b')' };
        let inside = ahead.until(close, GROUP_MAX)?;
        for part in inside.split(|byte| matches!(byte, b' ' | b'/' | b',')).filter(|part| !part.is_empty()) {
            let part = part.strip_prefix(b"#").or_else(|| part.strip_prefix(b":")).unwrap_or(part);
            if let Some(level) = level::word(part) {
                state.level = state.level.or(Some(level));
                state.is_proven = true;
            } else if let Some(pid) = decimal(part) {
                state.pid = state.pid.or(Some(pid));
            } else if column::is_name(part)
                && (column::is_joined(part)
                    || state.level.is_some() && inside.rsplit(|byte| *byte == b' ').next() == Some(part))
            {
                state.program = state.program.or(Some(part));
            }
        }
    } else if ahead.peek(0).is_ascii_digit()
        || matches!(ahead.peek(0), b'-' | b'_' | b'/' | b'.') && ahead.peek(1) != b' '
    {
        // Part of a longer word.
        return None;
    }
    while ahead.peek(0) == b':' || ahead.peek(0) == b',' && !ahead.peek(1).is_ascii_alphanumeric() {
        ahead.advance(1);
    }
    *cursor = ahead;
    Some(found)
}

/// Headers without a time: `INFO:root:message`, `[WARN] message`, `W/Tag( 42): message`, `ERROR [main] message`.
fn without_stamp(start: Cursor<'_>) -> Option<(Cursor<'_>, State<'_>, bool)> {
    let mut state = State { is_proven: true, ..State::default() };
    let mut cursor = start;
    if let Some(inside) = cursor.group(16).filter(|_| start.peek(0) == b'[') {
        state.level = Some(level::word(inside.trim_ascii())?);
        return Some((cursor, state, false));
    }
    let mut ahead = start;
    if ahead.peek(1) == b'/'
        && let Some(found) = level::letter(ahead.peek(0))
    {
        ahead.advance(2);
        let tag = ahead.until(b':', 64)?;
        let (name, pid) = match memchr::memchr(b'(', tag) {
            Some(open) => (tag.get(..open)?, tag.get(open + 1..)?.strip_suffix(b")")?),
            None => (tag, &b""[..]),
        };
        let is_tag = column::is_name(name.trim_ascii()) && ahead.peek(0) == b' ';
        state = State { level: Some(found), program: Some(name), pid: decimal(pid.trim_ascii()), ..state };
        return is_tag.then_some((ahead, state, false));
    }
    let mut ahead = start;
    if let Some(word) = ahead.until(b':', 12)
        && let Some(found) = level::upper_word(word)
        && let Some(name) = ahead.until(b':', 64)
        && column::is_name(name)
        && !ahead.rest().starts_with(b":")
    {
        state = State { level: Some(found), program: Some(name), ..state };
        return Some((ahead, state, false));
    }
    let mut ahead = start;
    let found = level::upper_word(ahead.token())?;
    ahead.spaces();
    state.level = Some(found);
    (ahead.peek(0) == b'[').then_some((ahead, state, false))
}

fn bracketed_level(token: &[u8]) -> Option<Level> {
    level::word(token.strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii())
}

/// The stamp that tells more: one with an absolute moment, else the first certain one.
pub(super) fn better(first: Option<Stamp>, second: Stamp) -> Stamp {
    match first {
        Some(epoch @ Stamp::Epoch { .. }) => epoch,
        Some(first) if first.is_certain() => first,
        _ => second,
    }
}

pub(super) fn is_syslog_stamp(stamp: &Stamp) -> bool {
    matches!(stamp, Stamp::Moment(moment) if matches!(moment.date, Date::NoYear { .. }))
}
