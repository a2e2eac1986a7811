//! One column of a header: what class of token stands here. The alphabet in which `layout` learns and `application` reads.

use crate::model::Level;

use super::cursor::Cursor;
use super::level;
use super::stamp::{self, Stamp};

/// Longest bracket group taken for a column, in bytes.
pub(super) const GROUP_MAX: usize = 200;
/// Longest `name(...)` with blanks inside its brackets, in bytes.
const CALL_MAX: usize = 64;
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
    /// `[...]`, `(...)`, `<...>` or `{...}` that is neither stamp nor level.
    Group,
    /// A name with a colon behind it, and perhaps brackets in between: `name[42]:`.
    Component,
    /// A name with brackets behind it: `name(42)`.
    Call,
    /// `key=value`.
    Pair,
    /// One capital.
    Letter,
    /// `-`, `--`, `|` on their own.
    Separator,
    /// `a.b.C` without a colon.
    Dotted,
    /// Letters, perhaps joined with dashes.
    Word,
    /// An IP address: what an attack comes from is never dropped.
    Address,
    /// An error code, `key=value` or a structure in brackets: worth keeping.
    Told,
    /// A word with digits in it.
    Mixed,
    Other,
}

impl Class {
    /// Whether a column of the class `found` may stand where this class does. Some hexadecimal ids have no letter.
    pub fn admits(self, found: Class) -> bool {
        self == found || self == Class::Id && found == Class::Number
    }
}

/// One column as read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub class: Class,
    /// Without brackets and colon; of a pair only the key.
    pub text: &'a [u8],
    pub stamp: Option<Stamp>,
    pub level: Option<Level>,
    /// Two blanks or a tab behind it: it was padded to a width.
    pub padded: bool,
}

/// Reads the next column and the blanks behind it.
pub(super) fn next<'a>(cursor: &mut Cursor<'a>) -> Option<Column<'a>> {
    cursor.spaces();
    if cursor.is_empty() {
        return None;
    }
    let mut column = read(cursor);
    column.padded = cursor.peek(0) == b'\t' || cursor.peek(1) == b' ';
    cursor.spaces();
    Some(column)
}

/// Steps over the next column without asking what it is.
pub(super) fn skip(cursor: &mut Cursor) -> Option<()> {
    cursor.spaces();
    if cursor.is_empty() {
        return None;
    }
    if cursor.group(GROUP_MAX).is_none() {
        let token = token(cursor);
        colon_apart(cursor, token);
    }
    cursor.spaces();
    Some(())
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Column<'a> {
    let mut column = Column { class: Class::Other, text: b"", stamp: None, level: None, padded: false };
    if let Some(found) = bracketed_stamp(cursor) {
        return Column { class: Class::Stamp, stamp: Some(found), ..column };
    }
    let open = cursor.peek(0);
    if let Some(inside) = cursor.group(GROUP_MAX) {
        column.text = inside.trim_ascii();
        column.level = level::word(column.text);
        column.class = match column.level {
            Some(_) => Class::Level,
            None if is_address(column.text) => Class::Address,
            None if is_told(open, column.text) => Class::Told,
            None => Class::Group,
        };
        return column;
    }
    let start = cursor.rest();
    let token = token(cursor);
    let bare = match token {
        [name @ .., b':' | b'|'] if !name.is_empty() => name,
        _ => token,
    };
    let stem = stem(bare);
    column.text = bare;
    column.level = level::word(bare).or_else(|| level::upper_word(stem));
    column.class = if column.level.is_some() {
        Class::Level
    } else if is_separator(token) || is_bullet(token) {
        Class::Separator
    } else if is_number(bare) {
        Class::Number
    } else if is_address(token) {
        Class::Address
    } else if is_id(token) {
        Class::Id
    } else if let [letter] = bare
        && letter.is_ascii_uppercase()
    {
        Class::Letter
    } else if let Some(key) = pair(token) {
        column.text = key;
        if is_address(token.get(key.len() + 1..).unwrap_or_default()) { Class::Address } else { Class::Pair }
    } else if bare.len() < token.len() && (is_name(stem) || stem.len() < bare.len() && is_name_or_letter(stem)) {
        Class::Component
    } else if stem.len() < bare.len() && is_name_or_letter(stem) {
        Class::Call
    } else if is_name(bare) && colon_apart(cursor, token) {
        column.text = start.get(..start.len() - cursor.rest().len() - 1).unwrap_or(bare).trim_ascii_end();
        Class::Component
    } else if is_word(token) {
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

/// Up to the next blank. Blanks in brackets part nothing: `D( 1702: 2395)`, `main[pool 3]:`.
fn token<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    let start = cursor.rest();
    let token = cursor.token();
    let Some(open) = memchr::memchr2(b'[', b'(', token).filter(|open| *open > 0) else { return token };
    if token.get(open..).is_some_and(|tail| memchr::memchr2(b']', b')', tail).is_none()) {
        let mut ahead = Cursor::new(start.get(open..).unwrap_or_default());
        if ahead.group(CALL_MAX).is_some() {
            ahead.token();
            *cursor = ahead;
            return start.get(..start.len() - ahead.rest().len()).unwrap_or(token);
        }
    }
    token
}

/// Steps over the colon behind a padded name, and the number before it: `Vold    : mounted`, `Vold    ( 42): mounted`.
fn colon_apart(cursor: &mut Cursor, name: &[u8]) -> bool {
    let mut ahead = *cursor;
    let blanks = ahead.spaces();
    let mut group = ahead;
    if matches!(ahead.peek(0), b'(' | b'[') && group.group(16).is_some_and(|inside| is_number(inside.trim_ascii())) {
        ahead = group;
    }
    let found = blanks > 0 && ahead.eat(b':') && matches!(ahead.peek(0), b' ' | b'\t') && is_name(name);
    if found {
        *cursor = ahead;
    }
    found
}

/// A name without the brackets behind it.
pub(super) fn stem(name: &[u8]) -> &[u8] {
    let open = name.iter().position(|byte| matches!(byte, b'[' | b'('));
    match open {
        Some(open) if open > 0 && matches!(name.last(), Some(b']' | b')')) => {
            name.get(..open).unwrap_or(name).trim_ascii_end()
        }
        Some(_) | None => name,
    }
}

fn is_word(token: &[u8]) -> bool {
    token.first().is_some_and(u8::is_ascii_alphabetic)
        && token.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'))
}

fn is_name_or_letter(bytes: &[u8]) -> bool {
    is_name(bytes) || matches!(bytes, [letter] if letter.is_ascii_alphabetic())
}

/// The key of `key=value`.
fn pair(token: &[u8]) -> Option<&[u8]> {
    let equals = memchr::memchr(b'=', token)?;
    let key = token.get(..equals)?;
    let is_key = key.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (is_key && is_name_or_letter(key) && token.len() > equals + 1).then_some(key)
}

/// Whether brackets hold an error code, `key=value` or a structure.
fn is_told(open: u8, inside: &[u8]) -> bool {
    is_code(inside) || inside.iter().any(|byte| matches!(byte, b'=' | b'"') || *byte == b',' && open != b'(')
}

/// A stamp, in brackets or bare, that ends where a column may end.
fn bracketed_stamp(cursor: &mut Cursor) -> Option<Stamp> {
    let mut ahead = *cursor;
    let open = ahead.eat(b'[');
    // A router's mark for a clock that nothing has set.
    let _ = ahead.peek(1).is_ascii_uppercase() && ahead.eat(b'*');
    let found = stamp::stamp(&mut ahead)?;
    if open && !ahead.eat(b']') {
        return None;
    }
    while matches!(ahead.peek(0), b',' | b':') || ahead.peek(0) == b'|' && ahead.peek(1) == b' ' {
        ahead.advance(1);
    }
    if !matches!(ahead.peek(0), b' ' | b'\t' | b'[' | 0) {
        return None;
    }
    *cursor = ahead;
    Some(found)
}

/// Digits, a sign, a decimal point and a comma behind allowed: debug levels may be `-1`, uptimes `12.345678`, counters `#7`.
fn is_number(token: &[u8]) -> bool {
    let token = token.strip_suffix(b",").unwrap_or(token);
    let digits = token.strip_prefix(b"-").or_else(|| token.strip_prefix(b"#")).unwrap_or(token);
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    digits.first().is_some_and(u8::is_ascii_digit)
        && points <= 1
        && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Marks that part columns where they always stand, and may be text elsewhere.
fn is_bullet(token: &[u8]) -> bool {
    matches!(token, b"*" | b"." | b"~" | b"/" | b">" | b">>" | b"->" | b"=" | b"==")
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
