//! Error logs of web servers: nginx and Apache httpd.

use crate::model::Header;

use super::cursor::{Cursor, required};
use super::format::Format;
use super::line::{self, Setting};
use super::syslog::decimal;
use super::{level, stamp, text};

/// `2026/11/22 05:55:40 [error] 42#42: *7 message, client: 192.0.2.1, ...`. The connection number is dropped.
pub(super) fn nginx<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let mut header = line::new(Format::NginxError);
    let mut cursor = Cursor::new(bytes);
    required(cursor.peek(4) == b'/')?;
    let found = stamp::year_first(&mut cursor)?;
    required(found.is_certain() && cursor.eat(b' '))?;
    header.level = Some(level::word(cursor.group(10)?)?);
    required(cursor.eat(b' '))?;
    let pid = cursor.number(1, 10)?;
    required(cursor.eat(b'#') && cursor.number(1, 10).is_some() && cursor.eat(b':'))?;
    cursor.spaces();
    let mut ahead = cursor;
    if ahead.eat(b'*') && ahead.number(1, 18).is_some() && ahead.eat(b' ') {
        cursor = ahead;
    }
    header.time = setting.clock.resolve(&found, &mut header.notes);
    header.pid = u32::try_from(pid).ok();
    header.program = "nginx".into();
    header.message = text::message(cursor.rest(), &mut header.notes);
    Some(header)
}

/// `[Sun Nov 22 05:55:40.123456 2026] [core:error] [pid 42:tid 7] [client 192.0.2.1:5] AH00123: message`, and the older
/// `[stamp] [error] [client 192.0.2.1] message`. The client stays in the message: it is what an attack comes from.
pub(super) fn apache<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let mut header = line::new(Format::ApacheError);
    let mut cursor = Cursor::new(bytes);
    required(cursor.eat(b'[') && cursor.peek(0).is_ascii_uppercase())?;
    let found = stamp::stamp(&mut cursor)?;
    required(found.is_certain() && cursor.eat(b']') && cursor.eat(b' '))?;
    let module = cursor.group(64)?;
    let word = module.rsplit(|byte| *byte == b':').next()?;
    header.level = match word {
        // `trace1` to `trace8`.
        [b't', b'r', b'a', b'c', b'e', _] => Some(crate::model::Level::Debug),
        _ => Some(level::word(word)?),
    };
    cursor.spaces();
    let mut ahead = cursor;
    if let Some(process) = ahead.group(64).and_then(|inside| inside.strip_prefix(b"pid ")) {
        header.pid = process.split(|byte| *byte == b':').next().and_then(decimal);
        cursor = ahead;
    }
    header.time = setting.clock.resolve(&found, &mut header.notes);
    header.program = "apache".into();
    header.message = text::message(cursor.rest(), &mut header.notes);
    Some(header)
}
