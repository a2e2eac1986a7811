//! How much of a line decides where its message is? Lines that are equal digit by digit so far, and behind it but for words
//! with digits, have messages that are equal but for words with digits. Takes for granted that a writer's numbers of one
//! form mean one thing: a line whose stamp is of the form of the others, but no time that there is, is taken for one of
//! them. Reads nothing itself.

use std::borrow::Cow;

use crate::model::Header;

use super::format::Format;

/// Longer heads are not worth their room.
const HEAD_MAX: usize = 512;

/// How many bytes of the line count digit by digit; `None` where nothing like that holds. `header` is what the parse of
/// the line gave.
pub(super) fn exact_part(format: Format, line: &[u8], header: &Header<'_>) -> Option<usize> {
    if header.notes.lossy || header.notes.odd_field {
        return None;
    }
    match format {
        // The marks between the fields tell them apart, and digits are none; but a digit behind a backslash is a letter.
        Format::Access | Format::Audit | Format::Json | Format::Logfmt => {
            (memchr::memchr(b'\\', line).is_none()).then_some(0)
        }
        // What is inside is another plan's.
        Format::Cri | Format::Docker | Format::JournalJson => None,
        Format::Rfc3164
        | Format::Rfc5424
        | Format::Rfc3339
        | Format::NginxError
        | Format::ApacheError
        | Format::Postgres
        | Format::Klog
        | Format::Kernel
        | Format::Application
        | Format::Plain => {
            let Cow::Borrowed(message) = &header.message else { return None };
            let at = (message.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
            let behind = line.get(at + message.len()..)?;
            (at <= HEAD_MAX && !behind.iter().any(u8::is_ascii_digit)).then_some(at)
        }
    }
}
