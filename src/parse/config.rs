//! What a person may set about parsing. Checks names when they are read, so that config errors carry their place.

use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `[parse]` of the config.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Zone of stamps that carry none: `"Europe/Berlin"`, `"UTC"` or `"+02:00"`. Default: the zone of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<Zone>,
}

/// A time zone together with the name it was written by.
#[derive(Clone, PartialEq, Debug)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl std::str::FromStr for Zone {
    type Err = String;

    fn from_str(name: &str) -> Result<Zone, String> {
        let zone = match fixed_offset(name) {
            Some(seconds) => Offset::from_seconds(seconds).ok().map(TimeZone::fixed),
            None => TimeZone::get(name).ok(),
        };
        zone.map(|zone| Zone { name: name.to_owned(), zone }).ok_or_else(|| {
            format!("`{name}` is not a time zone; write a name like \"Europe/Berlin\", \"UTC\", or an offset like \"+02:00\"")
        })
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// `+02:00` in seconds; `None` when the text is no offset at all.
fn fixed_offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_checked_when_read() {
        for good in ["UTC", "Europe/Berlin", "+02:00", "-09:30"] {
            let config: Config = toml::from_str(&format!("timezone = \"{good}\"")).expect(good);
            assert_eq!(config.timezone.map(|zone| zone.name), Some(good.to_owned()));
        }
        let error = toml::from_str::<Config>("timezone = \"Mars/Olympus\"").expect_err("no such zone").to_string();
        assert!(error.contains("Europe/Berlin"), "{error}");
        assert!(toml::from_str::<Config>("timezone = \"+99:00\"").is_err());
        assert_eq!(toml::from_str::<Config>("").expect("empty"), Config::default());
    }
}
