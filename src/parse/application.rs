//! Logs of applications: a time or level column, then whatever columns the writer chose, then the message. Reads them by
//! structure, left to right, and takes a token for a column only where it could not well be prose.
//!
//! Where the plan has learned a layout, its columns come first and this goes on behind them.

use crate::model::{Header, Level};

use super::column::{self, Class, GROUP_MAX};
use super::cursor::Cursor;
use super::date::Date;
use super::format::Format;
use super::layout::{Layout, Step};
use super::line::{self, Setting};
use super::stamp::{self, Stamp};
use super::syslog::{self, decimal};
use super::{level, text};

/// Columns looked at in front of the stamp, and behind it.
const LEAD_MAX: usize = 7;
const COLUMNS_MAX: usize = 10;
/// Longest token in front of a stamp, in bytes.
const LEAD_TOKEN_MAX: usize = 96;

/// What is known of a header while it is read.
#[derive(Clone, Default)]
struct State<'a> {
    stamp: Option<Stamp>,
    level: Option<Level>,
    /// A name that stood where loggers and programs stand.
    program: Option<&'a [u8]>,
    /// A name in brackets: the thread, or the logger when nothing better follows.
    thread: Option<&'a [u8]>,
    pid: Option<u32>,
    /// Something besides the stamp was clearly a column.
    is_proven: bool,
}

pub(super) fn parse<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let start = Cursor::new(bytes);
    let learned = setting.layout.and_then(|layout| by_layout(start, layout));
    let (mut cursor, mut state, syslog_stamp) = match learned {
        Some(found) => found,
        None => lead(start)?,
    };
    let mut header = line::new(Format::Application);
    if !(syslog_stamp && syslog::tagged_body(cursor, &mut header, setting)) {
        columns(&mut cursor, &mut state);
        if !state.is_proven && !setting.trusted && !stands_alone(&state) {
            return None;
        }
        header.level = state.level;
        header.program = state.program.or(state.thread).map(text::program).unwrap_or_default();
        header.pid = state.pid;
        let rest = text::trim(cursor.rest());
        let rest = match trailing_logger(rest).filter(|_| state.program.is_none() && state.level.is_some()) {
            Some((message, logger)) => {
                header.program = text::program(logger);
                message
            }
            None => rest,
        };
        header.message = text::message(rest, &mut header.notes);
        header.level = header.level.or_else(|| level::embedded(rest));
    }
    header.time = state.stamp.and_then(|found| setting.clock.resolve(&found, &mut header.notes));
    Some(header)
}

/// Whether the stamp alone makes a header: two bare numbers or a time without a date could be anything.
fn stands_alone(state: &State) -> bool {
    state.stamp.is_some_and(|stamp| stamp.is_certain())
}

/// Reads the learned columns. The flag says that the last stamp is one of syslog's.
fn by_layout<'a>(mut cursor: Cursor<'a>, layout: &Layout) -> Option<(Cursor<'a>, State<'a>, bool)> {
    let mut state = State { is_proven: true, ..State::default() };
    let mut syslog_stamp = false;
    for (index, step) in layout.steps.iter().enumerate() {
        let column = column::next(&mut cursor)?;
        match step {
            Step::Must(class) if *class != column.class => return None,
            Step::Must(_) | Step::Any => {}
        }
        if let Some(stamp) = column.stamp {
            syslog_stamp = is_syslog_stamp(&stamp);
            state.stamp = Some(better(state.stamp, stamp));
        }
        if *step == Step::Must(Class::Level) {
            state.level = state.level.or(column.level);
        }
        if *step == Step::Must(Class::Group) {
            group_says(column.text, &mut state);
        }
        if layout.component == Some(index) {
            state.program = Some(column.text);
        }
        if layout.pid == Some(index) {
            state.pid = decimal(column.text);
        }
    }
    Some((cursor, state, syslog_stamp))
}

/// Reads up to and including the stamp, or a level in front where there is no stamp. Tokens in front of a stamp must not
/// be words: `Backup started at 2026-11-22 05:55:40` is a message.
fn lead(start: Cursor<'_>) -> Option<(Cursor<'_>, State<'_>, bool)> {
    let mut state = State::default();
    let mut cursor = start;
    cursor.spaces();
    let mut ahead = cursor;
    let mut since_stamp = 0;
    let mut syslog_stamp = false;
    for index in 0..LEAD_MAX {
        ahead.spaces();
        if let Some(found) = stamp_column(&mut ahead, &mut state) {
            let is_first = state.stamp.is_none();
            // In the middle of a line a number is a number.
            if is_first && index > 1 && !found.is_certain() {
                break;
            }
            syslog_stamp = is_syslog_stamp(&found);
            state.stamp = Some(better(state.stamp, found));
            cursor = ahead;
            since_stamp = 0;
            if found.is_certain() {
                return Some((cursor, state, syslog_stamp));
            }
            continue;
        }
        since_stamp += 1;
        if state.stamp.is_some() && since_stamp > 2 || !lead_token(&mut ahead, index, &mut state) {
            break;
        }
    }
    match state.stamp {
        Some(stamp) => {
            // What stood behind the last stamp is not header after all.
            let pid = state.pid.filter(|_| since_stamp == 0);
            Some((cursor, State { stamp: Some(stamp), level: state.level, pid, ..State::default() }, syslog_stamp))
        }
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
        return ahead.group(GROUP_MAX).is_some();
    }
    if token.iter().any(u8::is_ascii_digit) {
        // Redis: `12345:M 22 Nov 2026 ...`.
        if let [digits @ .., b':', role] = token
            && role.is_ascii_uppercase()
        {
            state.pid = decimal(digits);
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
            } else if column::is_name(part) && column::is_joined(part) {
                state.program = state.program.or(Some(part));
            }
        }
    } else if ahead.peek(0).is_ascii_digit() || matches!(ahead.peek(0), b'-' | b'_' | b'/' | b'.') && ahead.peek(1) != b' ' {
        // Part of a longer word.
        return None;
    }
    while matches!(ahead.peek(0), b',' | b':') {
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

/// Reads the columns behind the stamp. `cursor` only moves when a column was clear; columns in between go with it.
fn columns<'a>(cursor: &mut Cursor<'a>, state: &mut State<'a>) {
    if cursor.peek(0) == b'|' {
        return piped(cursor, state);
    }
    let mut ahead = *cursor;
    let mut numbers = 0;
    let mut pid = None;
    for _ in 0..COLUMNS_MAX {
        ahead.spaces();
        let is_settled = ahead_is_at(*cursor, ahead);
        let mut peeked = ahead;
        let token = peeked.token();
        if token.is_empty() {
            return;
        }
        if column::is_separator(token) {
            ahead = peeked;
            if is_settled && token != b"#" && token != b"," {
                *cursor = ahead;
            }
            continue;
        }
        if state.level.is_none()
            && let Some((found, behind)) = level_column(ahead, numbers > 0)
        {
            state.level = Some(found);
            state.pid = state.pid.or(pid);
            state.is_proven = true;
            ahead = behind;
            *cursor = ahead;
            continue;
        }
        if state.program.is_some() {
            // Behind the component only a level may follow.
            return;
        }
        match token.first() {
            Some(b'[' | b'<' | b'(') => match group_column(&mut ahead, state) {
                Group::Header => *cursor = ahead,
                Group::Perhaps => {}
                Group::Message => return,
            },
            _ if (token.len() <= 10 && token.iter().all(u8::is_ascii_digit)) || column::is_id(token) => {
                numbers += 1;
                pid = pid.or_else(|| decimal(token));
                ahead = peeked;
                if numbers > 3 {
                    return;
                }
            }
            _ => {
                if let Some((name, behind)) = component_column(ahead, state, numbers > 0) {
                    named(name, state);
                    state.pid = state.pid.or(pid);
                    state.is_proven = true;
                    ahead = behind;
                    *cursor = ahead;
                } else if is_settled && state.level.is_none() && state.stamp.is_some() {
                    let Some((found, name, behind)) = capitals_column(ahead) else { return };
                    *state = State { level: Some(found), program: name, is_proven: true, ..state.clone() };
                    ahead = behind;
                    *cursor = ahead;
                } else {
                    return;
                }
            }
        }
    }
}

/// Whether nothing but blanks lies between the two.
fn ahead_is_at(cursor: Cursor, ahead: Cursor) -> bool {
    let mut cursor = cursor;
    cursor.spaces();
    cursor.rest().len() == ahead.rest().len()
}

/// A level that is clearly a column: in brackets, in capitals, with a colon, padded, or one letter among numbers.
fn level_column(cursor: Cursor<'_>, behind_numbers: bool) -> Option<(Level, Cursor<'_>)> {
    let mut behind = cursor;
    if matches!(cursor.peek(0), b'[' | b'<' | b'(') {
        let inside = behind.group(24)?.trim_ascii();
        return level::word(inside).map(|level| (level, behind));
    }
    let token = behind.token();
    let end = token.iter().position(|byte| matches!(byte, b':' | b',' | b'|' | b']' | b'/')).unwrap_or(token.len());
    let word = token.get(..end)?;
    let mut close = cursor;
    close.advance(end);
    let has_colon = matches!(close.peek(0), b':' | b',' | b'|');
    if has_colon {
        close.advance(1);
    }
    let mut further = close;
    let blanks = further.spaces();
    if let [letter] = word {
        let level = level::letter(*letter)?;
        let mut after = further;
        let next = after.token();
        let is_column = behind_numbers || next.len() > 1 && (next.iter().all(u8::is_ascii_uppercase) || next.ends_with(b":"));
        return (blanks > 0 && is_column).then_some((level, close));
    }
    let level = level::word(word)?;
    let is_separated = has_colon && blanks > 0 || blanks >= 2 || further.is_empty() || matches!(further.peek(0), b'-' | b'|' | b'[') && further.peek(1) != b'-';
    let is_upper = !word.iter().any(u8::is_ascii_lowercase);
    // `ERROR/MainProcess` and `INFO[0042]` stand too.
    (is_separated || is_upper && end == token.len() || is_upper && has_colon).then_some((level, close))
}

/// What a bracket group behind the stamp is.
enum Group {
    Header,
    /// Header, if a clear column follows.
    Perhaps,
    Message,
}

/// Steps over the group that starts here and keeps what it says.
fn group_column<'a>(cursor: &mut Cursor<'a>, state: &mut State<'a>) -> Group {
    let open = cursor.peek(0);
    let Some(inside) = cursor.group(GROUP_MAX) else { return Group::Message };
    let inside = inside.trim_ascii();
    if column::is_code(inside) {
        // An error code belongs to the message, and the name behind it is the component all the same.
        let mut behind = *cursor;
        behind.spaces();
        let name = behind.group(64).filter(|name| column::is_name(name) && !name.iter().any(u8::is_ascii_digit));
        state.thread = name.or(state.thread);
        return Group::Message;
    }
    if open == b'<' {
        return if inside.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') { Group::Header } else { Group::Message };
    }
    if open == b'(' {
        return if state.thread.is_some() { Group::Header } else { Group::Perhaps };
    }
    cursor.eat(b':');
    group_says(inside, state)
}

/// What the text in square brackets tells.
fn group_says<'a>(inside: &'a [u8], state: &mut State<'a>) -> Group {
    if let Some(pid) = decimal(inside) {
        state.pid = state.pid.or(Some(pid));
        return Group::Header;
    }
    let has_digits = inside.iter().any(u8::is_ascii_digit);
    if let Some(class) = class_at_line(inside) {
        state.program = Some(class);
        return Group::Header;
    }
    let all_ids = inside.split(|byte| *byte == b' ').all(|part| part == b"-" || column::is_id(part) || is_request_id(part));
    if all_ids {
        return Group::Header;
    }
    if column::is_name(inside) {
        if !has_digits {
            let is_better = column::is_joined(inside) || state.thread.is_none();
            state.thread = if is_better { Some(inside) } else { state.thread };
        }
        return Group::Header;
    }
    Group::Perhaps
}

/// `req-38101a0b-2096-...`: a word and a long id.
fn is_request_id(part: &[u8]) -> bool {
    memchr::memchr(b'-', part).and_then(|dash| part.get(dash + 1..)).is_some_and(|id| id.len() >= 16 && column::is_id(id))
}

/// The class of `[node/0:0:2181:FastLeaderElection@774]`.
fn class_at_line(inside: &[u8]) -> Option<&[u8]> {
    let at = memchr::memrchr(b'@', inside)?;
    decimal(inside.get(at + 1..)?)?;
    let head = inside.get(..at)?;
    let start = memchr::memrchr2(b':', b' ', head).map_or(0, |index| index + 1);
    head.get(start..).filter(|name| column::is_name(name))
}

/// A component that is clearly one: its name, and the place behind it.
fn component_column<'a>(cursor: Cursor<'a>, state: &State<'a>, behind_numbers: bool) -> Option<(&'a [u8], Cursor<'a>)> {
    let mut behind = cursor;
    let token = behind.token();
    let mut further = behind;
    let blanks = further.spaces();
    let has_level = state.level.is_some();
    if let Some(name) = token.strip_suffix(b":") {
        let stem = without_suffix(name);
        let is_column = (column::is_name(stem) && (has_level || column::is_joined(stem) || !stem.iter().any(u8::is_ascii_uppercase)))
            && (behind_numbers || state.thread.is_some() || !column::is_sentence_word(stem) || stem.len() < name.len());
        return is_column.then_some((name, behind));
    }
    // `dirty.rs:` apart: Spring pads the logger (`Logger  : message`), fail2ban the pid (`fail2ban.filter  [42]: ...`).
    let stem = without_suffix(token);
    if !column::is_name(stem) || memchr::memchr(b'=', token).is_some() {
        return None;
    }
    let mut separator = further;
    let mark = separator.token();
    if mark == b":" || (matches!(mark, b"-" | b"--" | b"|") && !separator.is_empty()) {
        return Some((token, separator));
    }
    // Windows marks the bitness behind the name: `chrome.exe *64 - ...`.
    if !mark.is_empty() && mark.len() < 6 && !mark.iter().any(u8::is_ascii_alphabetic) {
        let mut dash = separator;
        dash.spaces();
        if dash.token() == b"-" && column::is_joined(stem) && mark.first() == Some(&b'*') {
            return Some((token, dash));
        }
    }
    if further.peek(0) == b'[' {
        let mut group = further;
        if let Some(inside) = group.group(24)
            && decimal(inside.trim_ascii()).is_some()
            && group.eat(b':')
        {
            return Some((token, group));
        }
        if has_level && column::is_joined(stem) {
            return Some((token, further));
        }
    }
    // `felix/table.go 851: message`: a file and a line number.
    if column::is_joined(stem)
        && let Some(number) = mark.strip_suffix(b":")
        && decimal(number).is_some()
    {
        return Some((token, separator));
    }
    let is_class = has_level
        && token.iter().any(|byte| matches!(byte, b'.' | b'$'))
        && token.rsplit(|byte| matches!(byte, b'.' | b'$')).next().is_some_and(|last| last.first().is_some_and(u8::is_ascii_uppercase));
    let is_padded = has_level && blanks >= 2 && token.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (is_class || is_padded || has_level && stem.len() < token.len() && column::is_joined(stem)).then_some((token, behind))
}

/// `RAS KERNEL INFO`: words in capitals up to a level word. The last word without digits names the component.
fn capitals_column(cursor: Cursor<'_>) -> Option<(Level, Option<&[u8]>, Cursor<'_>)> {
    let mut behind = cursor;
    let mut name = None;
    for _ in 0..5 {
        behind.spaces();
        let token = behind.token();
        if token.is_empty() || token.iter().any(u8::is_ascii_lowercase) {
            return None;
        }
        if let Some(found) = level::upper_word(token) {
            return name.is_some().then_some((found, name, behind));
        }
        if column::is_name(token) && !token.iter().any(u8::is_ascii_digit) {
            name = Some(token);
        }
    }
    None
}

/// Takes a component apart: `name[42]`, `util.py[DEBUG]`, `app.INFO`, `main.go:23`.
fn named<'a>(name: &'a [u8], state: &mut State<'a>) {
    let mut stem = without_suffix(name);
    if let Some(inside) = name.get(stem.len()..).and_then(|suffix| suffix.strip_prefix(b"[")).and_then(|suffix| suffix.strip_suffix(b"]")) {
        state.pid = state.pid.or_else(|| decimal(inside));
        state.level = state.level.or_else(|| level::word(inside));
    }
    if let Some(dot) = memchr::memrchr(b'.', stem)
        && let Some(found) = stem.get(dot + 1..).and_then(level::upper_word)
    {
        state.level = state.level.or(Some(found));
        stem = stem.get(..dot).unwrap_or(stem);
    }
    state.program = Some(stem);
}

/// A name without its `[...]` or `:23` behind it.
fn without_suffix(name: &[u8]) -> &[u8] {
    if name.ends_with(b"]")
        && let Some(open) = memchr::memchr(b'[', name)
    {
        return name.get(..open).unwrap_or(name);
    }
    match memchr::memrchr(b':', name) {
        Some(colon) if name.get(colon + 1..).and_then(decimal).is_some() => name.get(..colon).unwrap_or(name),
        _ => name,
    }
}

/// Columns with bars between them: `stamp|component|pid|message`.
fn piped<'a>(cursor: &mut Cursor<'a>, state: &mut State<'a>) {
    while cursor.eat(b'|') {
        let mut ahead = *cursor;
        let Some(field) = ahead.until(b'|', GROUP_MAX) else { return };
        let trimmed = field.trim_ascii();
        if let Some(found) = level::word(trimmed) {
            state.level = state.level.or(Some(found));
        } else if let Some(pid) = decimal(trimmed) {
            state.pid = state.pid.or(Some(pid));
        } else if column::is_name(trimmed) {
            state.program = state.program.or(Some(trimmed));
        } else if !trimmed.is_empty() && !column::is_id(trimmed) {
            return;
        }
        state.is_proven = true;
        cursor.advance(field.len());
    }
}

/// log4j's `%m (%c)`: the logger behind the message.
fn trailing_logger(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let head = message.strip_suffix(b")")?;
    let open = memchr::memrchr(b'(', head)?;
    let logger = head.get(open + 1..)?;
    let is_logger = column::is_name(logger) && memchr::memchr(b'.', logger).is_some();
    let message = head.get(..open)?.strip_suffix(b" ")?;
    is_logger.then_some((message, logger))
}

fn bracketed_level(token: &[u8]) -> Option<Level> {
    level::word(token.strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii())
}

/// The stamp that tells more: one with an absolute moment, else the first certain one.
fn better(first: Option<Stamp>, second: Stamp) -> Stamp {
    match first {
        Some(Stamp::Micros(micros)) => Stamp::Micros(micros),
        Some(first) if first.is_certain() => first,
        _ => second,
    }
}

fn is_syslog_stamp(stamp: &Stamp) -> bool {
    matches!(stamp, Stamp::Moment(moment) if matches!(moment.date, Date::NoYear { .. }))
}
