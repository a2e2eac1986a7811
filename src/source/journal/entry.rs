//! The few fields of a journal entry that the source itself needs. Everything else is for `parse`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::{JournalPlace, Timestamp};

/// One entry, borrowed from its JSON line. A field that is absent, binary or repeated is `None`.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) cursor: Cow<'a, str>,
    pub(super) realtime: Timestamp,
    pub(super) boot_id: Option<Cow<'a, str>>,
    pub(super) machine_id: Option<Cow<'a, str>>,
    pub(super) unit: Option<Cow<'a, str>>,
    /// The unit that the service manager speaks of.
    pub(super) about_unit: Option<Cow<'a, str>>,
    pub(super) pid: Option<u32>,
    pub(super) comm: Option<Cow<'a, str>>,
}

impl<'a> Entry<'a> {
    /// `None` for anything that is not a JSON object with a cursor.
    pub(super) fn read(line: &'a [u8]) -> Option<Entry<'a>> {
        let entry: Entry<'a> = serde_json::from_slice(line).ok()?;
        (!entry.cursor.is_empty()).then_some(entry)
    }

    pub(super) fn place(&self) -> JournalPlace {
        JournalPlace {
            cursor: self.cursor.clone().into_owned(),
            realtime: self.realtime,
            boot_id: self.boot_id.as_deref().unwrap_or_default().to_owned(),
        }
    }
}

/// The counter inside a cursor (`s=SOURCE;i=HEX;...`): entries of one source are numbered without holes.
pub(super) fn sequence(cursor: &str) -> Option<(&str, u64)> {
    let part = |key: &str| cursor.split(';').find_map(|part| part.strip_prefix(key));
    Some((part("s=")?, u64::from_str_radix(part("i=")?, 16).ok()?))
}

#[derive(serde::Deserialize)]
#[serde(field_identifier)]
enum Field {
    #[serde(rename = "__CURSOR")]
    Cursor,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    Realtime,
    #[serde(rename = "_BOOT_ID")]
    BootId,
    #[serde(rename = "_MACHINE_ID")]
    MachineId,
    #[serde(rename = "_SYSTEMD_UNIT")]
    Unit,
    #[serde(rename = "UNIT")]
    AboutUnit,
    #[serde(rename = "_PID")]
    Pid,
    #[serde(rename = "_COMM")]
    Comm,
    #[serde(other)]
    Other,
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
        while let Some(field) = map.next_key::<Field>()? {
            if let Field::Other = field {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<Text<'de>>()?.0;
            match field {
                Field::Cursor => entry.cursor = value.unwrap_or_default(),
                Field::Realtime => {
                    let micros = value.and_then(|text| text.parse().ok());
                    entry.realtime = micros.map_or(Timestamp::EPOCH, Timestamp::from_micros);
                }
                Field::BootId => entry.boot_id = value,
                Field::MachineId => entry.machine_id = value,
                Field::Unit => entry.unit = value,
                Field::AboutUnit => entry.about_unit = value,
                Field::Pid => entry.pid = value.and_then(|text| text.parse().ok()),
                Field::Comm => entry.comm = value,
                Field::Other => {}
            }
        }
        Ok(entry)
    }
}

/// A field's value if it is plain text: journalctl writes bytes as arrays of numbers and repeated fields as arrays.
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'de>, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a journal field")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Text<'de>, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, i64, Option<&str>, Option<u32>)>) {
        let entry = Entry::read(line.as_bytes());
        let found = entry
            .as_ref()
            .map(|entry| (entry.cursor.as_ref(), entry.realtime.as_micros(), entry.unit.as_deref(), entry.pid));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn entries() {
        check(r#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"17"}"#, Some(("s=1", 17, None, None)));
        check(
            r#"{"_SYSTEMD_UNIT":"a.service","MESSAGE":[1,2],"__CURSOR":"c"}"#,
            Some(("c", 0, Some("a.service"), None)),
        );
        check(r#"{"__CURSOR":"c","_PID":"12","_SYSTEMD_UNIT":null}"#, Some(("c", 0, None, Some(12))));
        check(r#"{"__CURSOR":"c","_PID":["1","2"],"_SYSTEMD_UNIT":[97,10]}"#, Some(("c", 0, None, None)));
        check(r#"{"__CURSOR":"c","_PID":"-1","__REALTIME_TIMESTAMP":"x"}"#, Some(("c", 0, None, None)));
        check(r#"{"__CURSOR":"\u0063"}"#, Some(("c", 0, None, None)));
        for no_entry in
            ["", "{}", "[]", "null", "text", r#"{"__CURSOR":"c""#, r#"{"__CURSOR":[1]}"#, r#"{"MESSAGE":"m"}"#]
        {
            check(no_entry, None);
        }
    }

    #[test]
    fn sequences() {
        assert_eq!(sequence("s=ab;i=1f;b=c;m=d"), Some(("ab", 31)));
        assert_eq!(sequence("i=1f;s=ab"), Some(("ab", 31)));
        for none in ["", "garbage", "s=ab", "s=ab;i=xyz", "i=1"] {
            assert_eq!(sequence(none), None, "{none}");
        }
    }
}
