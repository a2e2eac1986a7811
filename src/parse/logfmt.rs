//! logfmt: `ts=2026-11-22T05:55:40Z level=info msg="it said \"hi\"" code=7`. There is no standard; this reads what Go's
//! and Ruby's writers write.

use std::borrow::Cow;

use crate::model::Header;

use super::cursor::{Cursor, required};
use super::fields;
use super::format::Format;
use super::line::{self, Setting};
use super::text;
use super::value::Value;

/// A line is logfmt when it starts with a pair, holds two at least, and one of them is a time, a level or a message.
pub(super) fn parse<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let mut ahead = Cursor::new(bytes);
    ahead.spaces();
    required(!key(&mut ahead)?.is_empty())?;
    line::with_text(bytes, |text| {
        let pairs = pairs(text);
        let known = pairs.iter().filter(|(key, _)| fields::is_known(key)).count();
        (pairs.len() >= 2 && known >= 1).then(|| fields::compose(Format::Logfmt, pairs, setting))
    })
}

/// All pairs; a word without `=` is a pair without a value.
fn pairs(text: &str) -> Vec<(Cow<'_, str>, Value<'_>)> {
    let mut cursor = Cursor::new(text.as_bytes());
    let mut pairs = Vec::new();
    loop {
        cursor.spaces();
        if cursor.is_empty() {
            return pairs;
        }
        let mut ahead = cursor;
        let Some(key) = key(&mut ahead) else {
            let word = cursor.token();
            pairs.push((as_text(word), Value::Bool(true)));
            continue;
        };
        cursor = ahead;
        let value = match cursor.quoted() {
            Some(inside) => unescape(inside),
            None => as_text(cursor.token()),
        };
        pairs.push((as_text(key), Value::Text(value)));
    }
}

/// A key and its `=`.
fn key<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'@' | b':');
    let length = cursor.rest().iter().take(64).take_while(|byte| fits(byte)).count();
    required(length > 0 && cursor.peek(length) == b'=')?;
    let key = cursor.take(length);
    cursor.advance(1);
    Some(key)
}

/// Undoes `\"`, `\\`, `\n` and `\t`; other escapes stay as they are.
fn unescape(inside: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inside).is_none() {
        return as_text(inside);
    }
    let mut plain = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let unescaped = match (byte, bytes.peek()) {
            (b'\\', Some(b'"')) => b'"',
            (b'\\', Some(b'\\')) => b'\\',
            (b'\\', Some(b'n')) => b'\n',
            (b'\\', Some(b't')) => b'\t',
            _ => {
                plain.push(byte);
                continue;
            }
        };
        plain.push(unescaped);
        bytes.next();
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

/// Cut out of text at ASCII places, so this borrows.
fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    text::lossy(bytes)
}
