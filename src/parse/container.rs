//! What container runtimes write around each line of a container: CRI and Docker's json-file. Gives the outer header with
//! the inner line as message; the plan parses that line with a plan of its own.

use std::borrow::Cow;

use crate::model::Header;

use super::cursor::{Cursor, required};
use super::format::Format;
use super::line::{self, Setting};
use super::value::Value;
use super::{stamp, text};

/// `2026-11-22T05:55:40.123456789Z stdout F message`; `P` marks a part of a longer line (joined in `source`).
pub(super) fn cri<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let mut header = line::new(Format::Cri);
    let mut cursor = Cursor::new(bytes);
    required(cursor.peek(10) == b'T')?;
    let found = stamp::year_first(&mut cursor)?;
    required(cursor.eat_text(b" stdout ") || cursor.eat_text(b" stderr "))?;
    let tags = cursor.token();
    required(matches!(tags.split(|byte| *byte == b':').next()?, b"F" | b"P"))?;
    cursor.eat(b' ');
    header.time = setting.clock.resolve(&found, &mut header.notes);
    header.message = text::verbatim(cursor.rest(), &mut header.notes);
    Some(header)
}

/// `{"log":"message\n","stream":"stdout","time":"2026-11-22T05:55:40.123456789Z"}`, and what log shippers make of it.
pub(super) fn docker<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    line::json_object(bytes)?;
    line::with_text(bytes, |text| {
        let Value::Map(entries) = serde_json::from_str(text).ok()? else { return None };
        let mut header = line::new(Format::Docker);
        let (mut log, mut proofs) = (None, 0);
        for (key, value) in entries {
            match (&*key, value) {
                ("log", Value::Text(inner)) => log = Some(inner),
                ("stream" | "file" | "tag", Value::Text(_)) => proofs += 1,
                ("attrs" | "container_id" | "container_name" | "kubernetes", _) => {}
                ("time", Value::Text(time)) => {
                    proofs += 1;
                    let found = stamp::stamp(&mut Cursor::new(time.as_bytes()))?;
                    header.time = setting.clock.resolve(&found, &mut header.notes);
                }
                _ => return None,
            }
        }
        required(proofs > 0)?;
        header.message = match log? {
            Cow::Borrowed(inner) => Cow::Borrowed(inner.trim_ascii_end()),
            Cow::Owned(mut inner) => {
                inner.truncate(inner.trim_ascii_end().len());
                Cow::Owned(inner)
            }
        };
        Some(header)
    })
}
