//! Kernel lines: `[   12.345678] message`, from dmesg or inside syslog. The uptime is no time of day and not message.

use crate::model::Header;

use super::cursor::{Cursor, required};
use super::format::Format;
use super::{level, line, text};

/// A line of dmesg, with or without a `<PRI>`.
pub(super) fn parse(bytes: &[u8]) -> Option<Header<'_>> {
    let mut header = line::new(Format::Kernel);
    let mut cursor = Cursor::new(bytes);
    header.level = level::priority(&mut cursor, &mut header.notes).flatten();
    required(skip_uptime(&mut cursor))?;
    header.program = "kernel".into();
    header.level = header.level.or_else(|| level::embedded(cursor.rest()));
    header.message = text::message(cursor.rest(), &mut header.notes);
    Some(header)
}

/// Steps over `[   12.345678] `, and over the CPU or thread that newer kernels add: `[   12.345678][  T123] `.
pub(super) fn skip_uptime(cursor: &mut Cursor) -> bool {
    let mut ahead = *cursor;
    ahead.spaces();
    let found = ahead.eat(b'[') && {
        ahead.spaces();
        ahead.number(1, 12).is_some() && ahead.eat(b'.') && ahead.number(3, 9).is_some() && ahead.eat(b']')
    };
    if !found {
        return false;
    }
    if ahead.peek(0) == b'[' {
        let mut further = ahead;
        if further.group(16).is_some_and(|inside| matches!(inside.trim_ascii_start().first(), Some(b'T' | b'C'))) {
            ahead = further;
        }
    }
    ahead.spaces();
    *cursor = ahead;
    true
}
