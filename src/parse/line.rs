//! One line, one format: hands the bytes to the parser of a format. Knows the parsers by name; decides nothing.

use std::borrow::Cow;

use crate::model::{Header, Level, Notes};

use super::clock::Clock;
use super::format::Format;
use super::head::Heads;
use super::layout::Layout;
use super::{
    access, application, audit, container, error_log, headline, journal, json, kernel, klog, logfmt, postgres, rfc5424,
    syslog, text,
};

/// What a parser may use besides the bytes of the line.
pub(super) struct Setting<'s> {
    pub clock: Clock<'s>,
    /// The heads of the source's last syslog lines.
    pub heads: &'s mut Heads,
    /// Our own host name: such a word behind a stamp is a host and not part of the message.
    pub own_host: &'s str,
    /// The source is known to speak this format, so less proof is asked of each line.
    pub trusted: bool,
    /// The learned columns of an application log.
    pub layout: Option<&'s Layout>,
}

/// Parses `line` as `format`; `None` when it does not look like it. `Plain` always fits. The containers' formats give
/// the outer header, with the inner line as message.
pub(super) fn parse<'a>(format: Format, line: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    match format {
        Format::Rfc3164 => syslog::rfc3164(line, setting),
        Format::Rfc5424 => rfc5424::parse(line, setting),
        Format::Rfc3339 => syslog::rfc3339(line, setting),
        Format::JournalJson => journal::parse(line),
        Format::Docker => container::docker(line, setting),
        Format::Json => json::parse(line, setting),
        Format::Cri => container::cri(line, setting),
        Format::Access => access::parse(line, setting),
        Format::NginxError => error_log::nginx(line, setting),
        Format::ApacheError => error_log::apache(line, setting),
        Format::Postgres => postgres::parse(line, setting),
        Format::Klog => klog::parse(line, setting),
        Format::Kernel => kernel::parse(line),
        Format::Audit => audit::parse(line),
        Format::Logfmt => logfmt::parse(line, setting),
        Format::Application => application::parse(line, setting),
        Format::Plain => Some(plain(line)),
    }
}

/// The whole line as message; its level when the first words name one.
pub(super) fn plain(line: &[u8]) -> Header<'_> {
    let mut notes = Notes::default();
    let message = text::verbatim(line, &mut notes);
    // Go's `panic: ` is no syslog level.
    let level = if headline::is_trace(line) { Some(Level::Err) } else { super::level::embedded(line) };
    Header { level, message, notes, ..new(Format::Plain) }
}

/// The line as text for formats that need it whole; a line with invalid UTF-8 is repaired first, and noted.
pub(super) fn with_text<'a>(bytes: &'a [u8], parse: impl FnOnce(&str) -> Option<Header<'_>>) -> Option<Header<'a>>
where
{
    match text::lossy(bytes) {
        Cow::Borrowed(text) => parse(text),
        Cow::Owned(text) => {
            let mut header = into_owned(parse(&text)?);
            header.notes.lossy = true;
            Some(header)
        }
    }
}

/// Whether a line can be a JSON object at all.
pub(super) fn json_object(bytes: &[u8]) -> Option<()> {
    let bytes = bytes.trim_ascii();
    (bytes.first() == Some(&b'{') && bytes.last() == Some(&b'}')).then_some(())
}

/// The same header with nothing borrowed.
pub(super) fn into_owned(header: Header<'_>) -> Header<'static> {
    Header {
        time: header.time,
        level: header.level,
        host: header.host.map(|host| Cow::Owned(host.into_owned())),
        program: Cow::Owned(header.program.into_owned()),
        pid: header.pid,
        unit: header.unit.map(|unit| Cow::Owned(unit.into_owned())),
        message: Cow::Owned(header.message.into_owned()),
        format: header.format,
        notes: header.notes,
    }
}

/// An empty header of this format.
pub(super) fn new<'a>(format: Format) -> Header<'a> {
    Header { format: format.name(), ..Header::default() }
}
