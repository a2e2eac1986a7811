//! PostgreSQL's stderr log: `2026-11-22 05:55:40.123 UTC [1234] user@db ERROR:  message`, the usual `log_line_prefix`es.

use crate::model::{Header, Level};

use super::cursor::{Cursor, required};
use super::format::Format;
use super::line::{self, Setting};
use super::syslog::decimal;
use super::{level, stamp, text};

/// How far behind the pid the level is looked for, in bytes: user, database, application and client fit.
const PREFIX_MAX: usize = 256;

/// A line that continues the one before (`DETAIL`, `HINT`, `STATEMENT` ...) keeps that word and is `info`.
pub(super) fn parse<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let mut header = line::new(Format::Postgres);
    let mut cursor = Cursor::new(bytes);
    required(cursor.peek(0).is_ascii_digit())?;
    let found = stamp::year_first(&mut cursor)?;
    required(found.is_certain())?;
    cursor.spaces();
    // A zone name that means several things: the configured zone it is.
    if cursor.peek(0).is_ascii_uppercase() {
        cursor.token();
        cursor.spaces();
    }
    let process = cursor.group(16)?;
    header.pid = Some(decimal(process.split(|byte| *byte == b'-').next()?)?);
    let window = cursor.rest().get(..PREFIX_MAX).unwrap_or(cursor.rest());
    // Two blanks behind the colon are PostgreSQL's signature.
    let end = memchr::memmem::find(window, b":  ")?;
    let head = window.get(..end)?;
    let start = memchr::memrchr(b' ', head).map_or(0, |space| space + 1);
    let word = head.get(start..)?;
    match word {
        b"DETAIL" | b"HINT" | b"STATEMENT" | b"CONTEXT" | b"QUERY" | b"LOCATION" => {
            header.level = Some(Level::Info);
            cursor.advance(start);
        }
        _ => {
            header.level = Some(level::upper_word(word)?);
            cursor.advance(end + 1);
        }
    }
    header.time = setting.clock.resolve(&found, &mut header.notes);
    header.program = "postgres".into();
    header.message = text::message(cursor.rest(), &mut header.notes);
    Some(header)
}
