//! `<34>1 2026-11-22T05:55:40.003Z host app 42 ID47 [data@1 key="value"] message` (RFC 5424 section 6).

use crate::model::Header;

use super::cursor::{Cursor, required};
use super::format::Format;
use super::line::{self, Setting};
use super::syslog::decimal;
use super::{kernel, level, stamp, text};

/// The byte order mark that says the message is UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Structured data stays out of the message; where there is no message, the message id stands in, then the data.
pub(super) fn parse<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let mut header = line::new(Format::Rfc5424);
    let mut cursor = Cursor::new(bytes);
    header.level = level::priority(&mut cursor, &mut header.notes)?;
    let version = cursor.number(1, 2)?;
    required(version > 0 && cursor.eat(b' '))?;
    if !cursor.eat_text(b"- ") {
        let found = stamp::year_first(&mut cursor)?;
        required(found.is_certain() && cursor.eat(b' '))?;
        header.time = setting.clock.resolve(&found, &mut header.notes);
    }
    header.host = field(&mut cursor)?.map(text::host);
    header.program = field(&mut cursor)?.map(text::program).unwrap_or_default();
    header.pid = field(&mut cursor)?.and_then(decimal);
    let message_id = field(&mut cursor)?;
    let data = structured_data(&mut cursor)?;
    cursor.eat(b' ');
    cursor.eat_text(BOM);
    if header.program == "kernel" {
        kernel::skip_uptime(&mut cursor);
    }
    header.message = text::message(cursor.rest(), &mut header.notes);
    if header.message.is_empty()
        && let Some(stand_in) = message_id.or(data)
    {
        header.message = text::message(stand_in, &mut header.notes);
    }
    Some(header)
}

/// One field and the blank behind it; `Some(None)` for `-`.
fn field<'a>(cursor: &mut Cursor<'a>) -> Option<Option<&'a [u8]>> {
    let field = cursor.token();
    required(!field.is_empty() && cursor.eat(b' '))?;
    Some((field != b"-").then_some(field))
}

/// All `[id name="value" ...]` elements; `Some(None)` for `-`. Inside values `\"`, `\\` and `\]` are escapes.
fn structured_data<'a>(cursor: &mut Cursor<'a>) -> Option<Option<&'a [u8]>> {
    if cursor.eat(b'-') {
        return matches!(cursor.peek(0), b' ' | 0).then_some(None);
    }
    let start = cursor.rest();
    while cursor.eat(b'[') {
        loop {
            let next = memchr::memchr2(b'"', b']', cursor.rest())?;
            cursor.advance(next);
            if cursor.eat(b']') {
                break;
            }
            cursor.quoted()?;
        }
    }
    let length = start.len() - cursor.rest().len();
    required(length > 0)?;
    start.get(..length).map(Some)
}
