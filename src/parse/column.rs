//! One column of a header: what class of token stands here. The alphabet in which `layout` learns and `application` reads.

use crate::model::Level;

use super::cursor::Cursor;
use super::level;
use super::stamp::{self, Stamp};

/// Longest bracket group taken for a column, in bytes.
pub(super) const GROUP_MAX: usize = 200;
/// Longest name taken for a component, in bytes.
const NAME_MAX: usize = 128;

/// The class of a column. Ordered from the most to the least telling.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Class {
    Stamp,
    Level,
    /// Digits only.
    Number,
    /// A hexadecimal or Erlang id.
    Id,
    /// `[...]` that is neither stamp nor level.
    Group,
    /// A name with a colon behind it.
    Component,
    /// `-`, `--`, `|` on their own.
    Separator,
    /// `a.b.C` without a colon.
    Dotted,
    /// Letters only.
    Word,
    /// An IP address: what an attack comes from is never dropped.
    Address,
    /// A word with digits in it.
    Mixed,
    Other,
}

/// One column as read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub class: Class,
    /// Without brackets and colon.
    pub text: &'a [u8],
    pub stamp: Option<Stamp>,
    pub level: Option<Level>,
    /// Blanks behind it; two or more mean it was padded to a width.
    pub blanks: usize,
}

/// Reads the next column and the blanks behind it.
pub(super) fn next<'a>(cursor: &mut Cursor<'a>) -> Option<Column<'a>> {
    cursor.spaces();
    if cursor.is_empty() {
        return None;
    }
    let mut column = read(cursor);
    column.blanks = cursor.spaces();
    Some(column)
}

/// Steps over the next column without asking what it is.
pub(super) fn skip(cursor: &mut Cursor) -> Option<()> {
    cursor.spaces();
    if cursor.is_empty() {
        return None;
    }
    if cursor.group(GROUP_MAX).is_none() {
        cursor.token();
    }
    cursor.spaces();
    Some(())
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Column<'a> {
    let mut column = Column { class: Class::Other, text: b"", stamp: None, level: None, blanks: 0 };
    if let Some(found) = bracketed_stamp(cursor) {
        return Column { class: Class::Stamp, stamp: Some(found), ..column };
    }
    let mut ahead = *cursor;
    if cursor.peek(0) == b'['
        && let Some(inside) = ahead.group(GROUP_MAX)
    {
        *cursor = ahead;
        column.text = inside.trim_ascii();
        column.level = level::word(column.text);
        // An error code or `key=value` is worth keeping, so it is no column.
        let is_told = is_code(column.text) || column.text.iter().any(|byte| matches!(byte, b'=' | b','));
        column.class = match column.level {
            Some(_) => Class::Level,
            None if is_address(column.text) => Class::Address,
            None if is_told => Class::Other,
            None => Class::Group,
        };
        return column;
    }
    let token = cursor.token();
    let bare = token.strip_suffix(b":").unwrap_or(token);
    column.text = bare;
    column.level = level::word(bare);
    column.class = if column.level.is_some() {
        Class::Level
    } else if is_separator(token) {
        Class::Separator
    } else if is_number(token) {
        Class::Number
    } else if is_address(token) {
        Class::Address
    } else if is_id(token) {
        Class::Id
    } else if bare.len() < token.len() && is_name(bare) {
        Class::Component
    } else if token.iter().all(u8::is_ascii_alphabetic) {
        Class::Word
    } else if is_name(token) && memchr::memchr(b'.', token).is_some() {
        Class::Dotted
    } else if token.iter().any(u8::is_ascii_digit) {
        Class::Mixed
    } else {
        Class::Other
    };
    column
}

/// A stamp, in brackets or bare, that ends where a column may end.
fn bracketed_stamp(cursor: &mut Cursor) -> Option<Stamp> {
    let mut ahead = *cursor;
    let open = ahead.eat(b'[');
    let found = stamp::stamp(&mut ahead)?;
    if open && !ahead.eat(b']') {
        return None;
    }
    while matches!(ahead.peek(0), b',' | b':') {
        ahead.advance(1);
    }
    if !matches!(ahead.peek(0), b' ' | b'\t' | b'[' | 0) {
        return None;
    }
    *cursor = ahead;
    Some(found)
}

/// Digits, a sign allowed: debug levels may be `-1`.
fn is_number(token: &[u8]) -> bool {
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

pub(super) fn is_separator(token: &[u8]) -> bool {
    matches!(token, b"-" | b"--" | b"---" | b"|" | b"||" | b":" | b"," | b"::" | b"=>" | b"#")
}

/// A thread, request or transaction id: hexadecimal and long, `0x...`, or `<0.123.0>`.
pub(super) fn is_id(token: &[u8]) -> bool {
    let hexadecimal = |bytes: &[u8]| bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    match token {
        [b'0', b'x', rest @ ..] => !rest.is_empty() && hexadecimal(rest),
        [b'<', inside @ .., b'>'] => {
            !inside.is_empty() && inside.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        }
        _ => token.len() >= 8 && hexadecimal(token) && token.iter().any(u8::is_ascii_digit),
    }
}

/// `MY-012345`, `AH00163`, `ORA-00600`: two to five capitals and digits.
pub(super) fn is_code(inside: &[u8]) -> bool {
    let capitals = inside.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let rest = inside.get(capitals..).unwrap_or_default();
    let digits = rest.strip_prefix(b"-").unwrap_or(rest);
    (2..=5).contains(&capitals) && (3..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

/// Whether the last word is an IP address, with or without a port.
pub(super) fn is_address(inside: &[u8]) -> bool {
    let word = inside.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let is_dotted = word.iter().filter(|byte| **byte == b'.').count() == 3
        && word.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':'));
    is_dotted
        || word.iter().filter(|byte| **byte == b':').count() > 2
            && word.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b':')
}

/// Whether bytes could name a program, logger, class or file: a letter in front, and only what joins names.
pub(super) fn is_name(bytes: &[u8]) -> bool {
    (2..=NAME_MAX).contains(&bytes.len())
        && bytes.first().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'/' | b'@'))
        && bytes.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'_' | b'.' | b'$' | b'/' | b'@' | b'#' | b'-' | b':' | b'+' | b'*' | b'<' | b'>' | b'(' | b')'
                )
        })
        && bytes.iter().any(u8::is_ascii_alphabetic)
}

/// Whether a name is built from parts, as loggers and files are: `a.b`, `a::b`, `a/b`, `Outer$Inner`, `snake_case`.
pub(super) fn is_joined(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'.' | b'$' | b'/' | b'_')) || memchr::memmem::find(name, b"::").is_some()
}

/// `Failed`, `Warning`: one capital and small letters behind it, like any word at the start of a sentence.
pub(super) fn is_sentence_word(name: &[u8]) -> bool {
    match name {
        [first, rest @ ..] => first.is_ascii_uppercase() && rest.iter().all(u8::is_ascii_lowercase),
        [] => false,
    }
}
