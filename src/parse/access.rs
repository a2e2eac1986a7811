//! Access logs of nginx and Apache: common, combined, and with the virtual host in front. The status gives the level.

use std::borrow::Cow;

use crate::model::{Header, Level, Notes};

use super::cursor::{Cursor, required};
use super::format::Format;
use super::line::{self, Setting};
use super::{stamp, text};

/// The message is `METHOD PATH PROTOCOL STATUS SIZE REFERER AGENT ...`, then ` client ADDRESS` and ` user NAME`: what
/// stays the same stands in front, unquoted so that its words count.
pub(super) fn parse<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let mut cursor = Cursor::new(bytes);
    let mut client = address(&mut cursor)?;
    if let Some(second) = second_address(&mut cursor) {
        client = second;
    }
    let identity = field(&mut cursor)?;
    required(!identity.is_empty())?;
    // User names may hold blanks: everything up to the stamp.
    let user = cursor.until(b'[', text::HOST_MAX)?.trim_ascii();
    let found = stamp::stamp(&mut cursor)?;
    cursor.spaces();
    required(found.is_certain() && cursor.eat(b']') && cursor.eat(b' '))?;
    // Some put the virtual host here.
    let virtual_host = if cursor.peek(0) == b'"' { b"" } else { address(&mut cursor)? };
    let request = cursor.quoted()?;
    required(cursor.eat(b' '))?;
    let status = cursor.number(3, 3)?;
    required(matches!(cursor.peek(0), b' ' | 0))?;

    let mut header = line::new(Format::Access);
    header.level = match status {
        100..=399 => Some(Level::Info),
        400..=499 => Some(Level::Warning),
        500..=599 => Some(Level::Err),
        _ => {
            header.notes.odd_field = true;
            None
        }
    };
    header.time = setting.clock.resolve(&found, &mut header.notes);
    header.program = "access".into();
    let mut message = String::with_capacity(bytes.len());
    push(&mut message, request, &mut header.notes);
    message.push_str(&format!(" {status}"));
    while !cursor.is_empty() {
        cursor.spaces();
        let field = cursor.quoted().unwrap_or_else(|| cursor.token());
        if !field.is_empty() {
            message.push(' ');
            push(&mut message, field, &mut header.notes);
        }
    }
    if !virtual_host.is_empty() {
        message.push(' ');
        push(&mut message, virtual_host, &mut header.notes);
    }
    message.push_str(" client ");
    push(&mut message, client, &mut header.notes);
    if user.iter().any(|byte| !matches!(byte, b'-' | b' ')) {
        message.push_str(" user ");
        push(&mut message, user, &mut header.notes);
    }
    header.message = Cow::Owned(message);
    Some(header)
}

/// The first field: an address or a host name, so that prose does not get far.
fn address<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let address = field(cursor)?;
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'_');
    (!address.is_empty() && address.iter().all(fits)).then_some(address)
}

/// With the virtual host in front the client comes second, and is an address or has a dot.
fn second_address<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let mut ahead = *cursor;
    let second = address(&mut ahead)?;
    required(second.iter().any(|byte| matches!(byte, b'.' | b':')) && ahead.peek(0) != b'[')?;
    *cursor = ahead;
    Some(second)
}

fn field<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let field = cursor.token();
    required(cursor.eat(b' '))?;
    Some(field)
}

fn push(message: &mut String, bytes: &[u8], notes: &mut Notes) {
    message.push_str(&text::message(bytes, notes));
}
