//! auditd: `type=AVC msg=audit(1700000000.123:456): ...`. The type stays in the message: it is what the record is about.

use std::borrow::Cow;

use crate::model::Header;

use super::cursor::{Cursor, required};
use super::format::Format;
use super::stamp::{self, Stamp};
use super::{line, text};

pub(super) fn parse(bytes: &[u8]) -> Option<Header<'_>> {
    let mut header = line::new(Format::Audit);
    let mut cursor = Cursor::new(bytes);
    if cursor.eat_text(b"node=") {
        header.host = Some(text::host(cursor.token()));
        cursor.spaces();
    }
    required(cursor.eat_text(b"type="))?;
    let kind = cursor.token();
    required(!kind.is_empty() && cursor.eat_text(b" msg=audit("))?;
    let Stamp::Epoch { micros, .. } = stamp::stamp(&mut cursor)? else { return None };
    cursor.until(b')', 32)?;
    cursor.eat(b':');
    header.time = Some(crate::model::Timestamp::from_micros(micros));
    header.program = "audit".into();
    let kind = text::message(kind, &mut header.notes);
    let rest = text::message(cursor.rest(), &mut header.notes);
    header.message = Cow::Owned(format!("type={kind} {rest}"));
    Some(header)
}
