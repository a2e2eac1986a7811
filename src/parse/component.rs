//! Single columns behind the stamp of an application's line: levels, groups in brackets, loggers and files. Each function
//! says whether a token is clearly such a column; `application` says in which order they are asked.

use crate::model::Level;

use super::application::State;
use super::column::{self, GROUP_MAX};
use super::cursor::Cursor;
use super::level;
use super::syslog::decimal;

/// What a bracket group behind the stamp is.
pub(super) enum Group {
    Header,
    /// Header, if a clear column follows.
    Perhaps,
    Message,
}

/// A level that is clearly a column: in brackets, in capitals, with a colon, padded, or one letter among numbers.
pub(super) fn level_column(cursor: Cursor<'_>, behind_numbers: bool, has_role: bool) -> Option<(Level, Cursor<'_>)> {
    let mut behind = cursor;
    if matches!(cursor.peek(0), b'[' | b'<' | b'(') {
        let inside = behind.group(24)?.trim_ascii();
        return level::word(inside).map(|level| (level, behind));
    }
    let token = behind.token();
    let end =
        token.iter().position(|byte| matches!(byte, b':' | b',' | b'|' | b']' | b'/' | b'[')).unwrap_or(token.len());
    let word = token.get(..end)?;
    let mut close = cursor;
    close.advance(end);
    let mut has_colon = matches!(close.peek(0), b':' | b',' | b'|');
    if has_colon {
        close.advance(1);
    }
    // `NOTICE[1638] file.c: ...` and `INFO[0042] ...`: a thread, or seconds since the start.
    if close.peek(0) == b'[' {
        has_colon = close.group(12).and_then(decimal).is_some();
    }
    let mut further = close;
    let blanks = further.spaces();
    if let [letter] = word {
        if has_role && blanks > 0 {
            // Redis' marks for warning, notice and debug.
            match letter {
                b'#' => return Some((Level::Warning, close)),
                b'*' => return Some((Level::Notice, close)),
                b'.' => return Some((Level::Debug, close)),
                _ => {}
            }
        }
        let level = level::letter(*letter)?;
        let mut after = further;
        let next = after.token();
        let is_column =
            behind_numbers || next.len() > 1 && (next.iter().all(u8::is_ascii_uppercase) || next.ends_with(b":"));
        return (blanks > 0 && is_column).then_some((level, close));
    }
    let level = level::word(word)?;
    let is_separated = has_colon && blanks > 0
        || blanks >= 2
        || further.is_empty()
        || matches!(further.peek(0), b'-' | b'|' | b'[') && further.peek(1) != b'-';
    let is_upper = !word.iter().any(u8::is_ascii_lowercase);
    (is_separated || is_upper && end == token.len() || is_upper && has_colon).then_some((level, close))
}

/// `RAS KERNEL INFO`: words in capitals up to a level word. The last word without digits names the component.
pub(super) fn capitals_column(cursor: Cursor<'_>) -> Option<(Level, Option<&[u8]>, Cursor<'_>)> {
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

/// Steps over the group that starts here and keeps what it says.
pub(super) fn group_column<'a>(cursor: &mut Cursor<'a>, state: &mut State<'a>) -> Group {
    let open = cursor.peek(0);
    let Some(inside) = cursor.group(GROUP_MAX) else { return Group::Message };
    let inside = inside.trim_ascii();
    if column::is_address(inside) {
        return Group::Message;
    }
    if column::is_code(inside) {
        // An error code belongs to the message, and the name behind it is the component all the same.
        let mut behind = *cursor;
        behind.spaces();
        let name = behind.group(64).filter(|name| column::is_name(name) && !name.iter().any(u8::is_ascii_digit));
        state.thread = name.or(state.thread);
        return Group::Message;
    }
    if open == b'<' {
        return if inside.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
            Group::Header
        } else {
            Group::Message
        };
    }
    if open == b'(' {
        return if state.thread.is_some() { Group::Header } else { Group::Perhaps };
    }
    cursor.eat(b':');
    group_says(inside, state)
}

/// What the text in square brackets tells.
pub(super) fn group_says<'a>(inside: &'a [u8], state: &mut State<'a>) -> Group {
    if let Some(pid) = decimal(inside) {
        state.pid = state.pid.or(Some(pid));
        return Group::Header;
    }
    if let Some(class) = class_at_line(inside) {
        state.program = Some(class);
        return Group::Header;
    }
    if are_ids(inside) {
        return Group::Header;
    }
    let inside = without_suffix(inside);
    if column::is_name(inside) {
        if state.thread.is_some_and(column::is_joined) {
            return Group::Message;
        }
        if !inside.iter().any(u8::is_ascii_digit) {
            let is_better = column::is_joined(inside) || state.thread.is_none();
            state.thread = if is_better { Some(inside) } else { state.thread };
        }
        return Group::Header;
    }
    Group::Perhaps
}

/// The level among the parts of a group: `[main/INFO]`, `[42:7:ERROR:file.cc(3)]`.
pub(super) fn level_inside(inside: &[u8]) -> Option<Level> {
    inside.split(|byte| matches!(byte, b'/' | b':' | b'|')).find_map(level::upper_word)
}

/// Whether a name in brackets is a logger and no thread: `org.foo.Bar`.
pub(super) fn is_logger(name: &[u8]) -> bool {
    memchr::memchr(b'.', name).is_some()
        && name.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'_' | b'$'))
}

/// A component that is clearly one: its name, and the place behind it.
pub(super) fn component_column<'a>(
    cursor: Cursor<'a>,
    state: &State<'a>,
    behind_numbers: bool,
) -> Option<(&'a [u8], Cursor<'a>)> {
    let mut behind = cursor;
    let token = behind.token();
    let mut further = behind;
    let blanks = further.spaces();
    let has_level = state.level.is_some();
    if let Some(name) = token.strip_suffix(b":") {
        let stem = without_suffix(name);
        let is_column = (column::is_name(stem)
            && (has_level || column::is_joined(stem) || !stem.iter().any(u8::is_ascii_uppercase)))
            && (behind_numbers || state.thread.is_some() || !column::is_sentence_word(stem) || stem.len() < name.len());
        return is_column.then_some((name, behind));
    }
    // The colon may stand apart: Spring pads the logger (`Logger  : message`), fail2ban the pid (`filter  [42]: ...`).
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
            // The name with its pid, without the colon.
            let length = cursor.rest().len() - group.rest().len() - 1;
            return cursor.rest().get(..length).map(|name| (name, group));
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
    let is_class = has_level && is_class_name(token);
    let is_padded = has_level && blanks >= 2 && token.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (is_class || is_padded || has_level && stem.len() < token.len() && column::is_joined(stem))
        .then_some((token, behind))
}

/// Takes a component apart: `name[42]`, `util.py[DEBUG]`, `app.INFO`, `main.go:23`, `W/Tag( 42)`.
pub(super) fn named<'a>(name: &'a [u8], state: &mut State<'a>) {
    let mut name = name;
    if let [letter, b'/', tag @ ..] = name
        && let Some(found) = level::letter(*letter)
    {
        state.level = state.level.or(Some(found));
        name = tag;
    }
    let behind_stem = name.get(column::stem(name).len()..).unwrap_or_default().trim_ascii_start();
    if let Some(inside) = behind_stem.strip_prefix(b"(").and_then(|inside| inside.strip_suffix(b")"))
        && let Some(pid) = decimal(inside.trim_ascii())
    {
        state.pid = state.pid.or(Some(pid));
        name = column::stem(name);
    }
    // `D( 42: 77)`: a level glued to the ids.
    if let [letter, b'(', ..] = name {
        state.level = state.level.or_else(|| level::letter(*letter));
        return;
    }
    let mut stem = without_suffix(name);
    if let Some(inside) =
        name.get(stem.len()..).and_then(|suffix| suffix.strip_prefix(b"[")).and_then(|suffix| suffix.strip_suffix(b"]"))
    {
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

/// Nothing but ids and dashes.
pub(super) fn are_ids(inside: &[u8]) -> bool {
    inside.split(|byte| *byte == b' ').all(|part| part == b"-" || column::is_id(part) || is_request_id(part))
}

/// `req-38101a0b-2096-...`: a word and a long id.
fn is_request_id(part: &[u8]) -> bool {
    memchr::memchr(b'-', part)
        .and_then(|dash| part.get(dash + 1..))
        .is_some_and(|id| id.len() >= 16 && column::is_id(id))
}

/// The class of `[node/0:0:2181:FastLeaderElection@774]`.
fn class_at_line(inside: &[u8]) -> Option<&[u8]> {
    let at = memchr::memrchr(b'@', inside)?;
    decimal(inside.get(at + 1..)?)?;
    let head = inside.get(..at)?;
    let start = memchr::memrchr2(b':', b' ', head).map_or(0, |index| index + 1);
    head.get(start..).filter(|name| column::is_name(name))
}

/// `org.foo.Bar`, `org.foo.Bar.method`: packages in small letters, then a capital.
fn is_class_name(token: &[u8]) -> bool {
    let mut parts = token.split(|byte| matches!(byte, b'.' | b'$'));
    parts.next().is_some_and(|first| first.iter().all(u8::is_ascii_lowercase))
        && parts.any(|part| part.first().is_some_and(u8::is_ascii_uppercase))
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
