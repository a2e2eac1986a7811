//! One entry of `journalctl --output=json`. Reads the few fields a record needs and skips the rest without keeping it.
//!
//! The program is what the same line has in /var/log/syslog, so that both are one record.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::model::{Header, Level, Notes, Timestamp};

use super::format::Format;
use super::value::{Key, Value};
use super::{kernel, line, text};

/// `None` when the line is no JSON object with a journal time or cursor in it.
pub(super) fn parse(bytes: &[u8]) -> Option<Header<'_>> {
    line::json_object(bytes)?;
    line::with_text(bytes, |text| {
        let entry: Entry = serde_json::from_str(text).ok()?;
        entry.is_entry.then(|| entry.into_header())
    })
}

/// The fields of an entry that matter, by the names of systemd.journal-fields(7).
#[derive(Default)]
struct Entry<'a> {
    is_entry: bool,
    message: Option<Cow<'a, str>>,
    priority: Option<Cow<'a, str>>,
    identifier: Option<Cow<'a, str>>,
    command: Option<Cow<'a, str>>,
    transport_is_kernel: bool,
    syslog_pid: Option<Cow<'a, str>>,
    pid: Option<Cow<'a, str>>,
    /// Of the unit an entry is about; written by systemd itself.
    object_unit: Option<Cow<'a, str>>,
    unit: Option<Cow<'a, str>>,
    hostname: Option<Cow<'a, str>>,
    source_time: Option<Cow<'a, str>>,
    received_time: Option<Cow<'a, str>>,
    notes: Notes,
}

impl<'a> Entry<'a> {
    fn into_header(self) -> Header<'a> {
        let mut header = Header { notes: self.notes, ..line::new(Format::JournalJson) };
        let number = |text: &Option<Cow<str>>| text.as_deref().map(|text| text.trim().parse::<i64>().ok());
        header.level = number(&self.priority).and_then(|number| {
            let level = number.and_then(|number| u8::try_from(number).ok()).and_then(Level::from_number);
            header.notes.odd_field |= level.is_none();
            level
        });
        // What the writer says, else when journald got it; nonsense in the first does not hide the second.
        let source_time = number(&self.source_time);
        header.notes.odd_field |= source_time == Some(None);
        header.time =
            source_time.flatten().or_else(|| number(&self.received_time).flatten()).map(Timestamp::from_micros);
        header.host = self.hostname.map(text::host_text);
        header.program = match self.identifier.filter(|name| !name.is_empty()).or(self.command) {
            Some(name) => text::program_text(name),
            None if self.transport_is_kernel => "kernel".into(),
            None => Cow::Borrowed(""),
        };
        let pid = |text: &Option<Cow<str>>| text.as_deref().and_then(|text| text.parse::<u32>().ok());
        header.pid = pid(&self.syslog_pid).or_else(|| pid(&self.pid));
        header.unit = self.object_unit.or(self.unit).map(text::host_text);
        let message = self.message.unwrap_or_default();
        header.message = match message {
            Cow::Borrowed(text) => Cow::Borrowed(strip(text, &header.program)),
            Cow::Owned(text) => {
                let kept = strip(&text, &header.program);
                if kept.len() == text.len() { Cow::Owned(text) } else { Cow::Owned(kept.to_owned()) }
            }
        };
        header
    }
}

/// Cuts what the syslog parser would cut too, so that the two sources of one line agree.
fn strip<'t>(text: &'t str, program: &str) -> &'t str {
    let text = text.trim_ascii();
    if program != "kernel" {
        return text;
    }
    let mut cursor = super::cursor::Cursor::new(text.as_bytes());
    kernel::skip_uptime(&mut cursor);
    text.get(text.len() - cursor.rest().len()..).unwrap_or(text)
}

impl<'de> Deserialize<'de> for Entry<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entry<'de>, D::Error> {
        deserializer.deserialize_map(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a journal entry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry<'de>, A::Error> {
        let mut entry = Entry::default();
        while let Some(Key(key)) = map.next_key()? {
            let slot = match &*key {
                "MESSAGE" => &mut entry.message,
                "PRIORITY" => &mut entry.priority,
                "SYSLOG_IDENTIFIER" => &mut entry.identifier,
                "_COMM" => &mut entry.command,
                "SYSLOG_PID" => &mut entry.syslog_pid,
                "_PID" => &mut entry.pid,
                "UNIT" => &mut entry.object_unit,
                "_SYSTEMD_UNIT" => &mut entry.unit,
                "_HOSTNAME" => &mut entry.hostname,
                "_SOURCE_REALTIME_TIMESTAMP" => &mut entry.source_time,
                "__REALTIME_TIMESTAMP" => {
                    entry.is_entry = true;
                    &mut entry.received_time
                }
                "__CURSOR" => {
                    entry.is_entry = true;
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                "_TRANSPORT" => {
                    let value: Value = map.next_value()?;
                    entry.transport_is_kernel = value == Value::Text(Cow::Borrowed("kernel"));
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let value: Value = map.next_value()?;
            if let Some(text) = value.into_journal_text(&mut entry.notes) {
                slot.get_or_insert(text);
            }
        }
        Ok(entry)
    }
}
