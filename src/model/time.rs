//! Points in time and lengths of time, as the whole house passes them. Reads no clock: `now` always comes in.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since the Unix epoch, UTC. Always inside the years -9999..=9999, so it always prints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Bounds of what the civil calendar can print (jiff's range, a day inside it), in microseconds.
const MIN_MICROS: i64 = -377_704_936_800_000_000;
const MAX_MICROS: i64 = 253_402_120_800_000_000;

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// Clamps to the printable range instead of failing: log text decides these numbers.
    pub fn from_micros(micros: i64) -> Timestamp {
        Timestamp(micros.clamp(MIN_MICROS, MAX_MICROS))
    }

    /// Whole seconds since the epoch, clamped.
    pub fn from_seconds(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds.saturating_mul(1_000_000))
    }

    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded towards the past.
    pub fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    pub fn saturating_add(self, length: Duration) -> Timestamp {
        let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.0.saturating_add(micros))
    }

    pub fn saturating_sub(self, length: Duration) -> Timestamp {
        let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.0.saturating_sub(micros))
    }

    /// Time passed since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(time: jiff::Timestamp) -> Timestamp {
        Timestamp::from_micros(time.as_microsecond())
    }
}

impl From<Timestamp> for jiff::Timestamp {
    fn from(time: Timestamp) -> jiff::Timestamp {
        // In range by construction; the epoch is a safe answer should the ranges ever drift apart.
        jiff::Timestamp::from_microsecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// RFC 3339 in UTC, as short as the value allows: `2026-11-22T10:20:30.5Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        jiff::Timestamp::from(*self).fmt(f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<jiff::Timestamp>().map(Timestamp::from).map_err(serde::de::Error::custom)
    }
}

/// A length of time as config writes it: `500ms`, `2s`, `10m`, `4h`, `7d`, or a sum such as `1h 30m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Period(pub Duration);

impl Period {
    pub const fn from_secs(seconds: u64) -> Period {
        Period(Duration::from_secs(seconds))
    }
}

impl std::str::FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Period, String> {
        let wrong =
            || format!("`{text}` is not a length of time; write it like \"500ms\", \"2s\", \"10m\", \"4h\" or \"7d\"");
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total = Duration::ZERO;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            let millis_per_unit: u64 = match &rest[digits..digits + letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(wrong()),
            };
            let millis = number.checked_mul(millis_per_unit).ok_or_else(wrong)?;
            total = total.checked_add(Duration::from_millis(millis)).ok_or_else(wrong)?;
            rest = rest[digits + letters..].trim_start();
        }
        Ok(Period(total))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        let mut first = true;
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let count = millis / size;
            millis %= size;
            if count > 0 {
                write!(f, "{}{count}{unit}", if first { "" } else { " " })?;
                first = false;
            }
        }
        Ok(())
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_rfc_3339() {
        let time = Timestamp::from_micros(1_700_000_000_500_000);
        assert_eq!(time.to_string(), "2023-11-14T22:13:20.5Z");
        let json = serde_json::to_string(&time).expect("a timestamp serializes");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).expect("and reads back"), time);
    }

    #[test]
    fn never_leaves_the_printable_range() {
        for micros in [i64::MIN, i64::MAX, 0] {
            assert!(!Timestamp::from_micros(micros).to_string().is_empty());
        }
        assert_eq!(Timestamp::from_seconds(i64::MAX).saturating_add(Duration::MAX), Timestamp::from_micros(i64::MAX));
        assert_eq!(jiff::Timestamp::from(Timestamp::from_micros(i64::MAX)).as_microsecond(), MAX_MICROS);
        assert_eq!(jiff::Timestamp::from(Timestamp::from_micros(i64::MIN)).as_microsecond(), MIN_MICROS);
    }

    #[track_caller]
    fn check(text: &str, millis: Option<u64>) {
        assert_eq!(text.parse::<Period>().ok(), millis.map(|millis| Period(Duration::from_millis(millis))), "{text}");
    }

    #[test]
    fn periods() {
        check("2s", Some(2_000));
        check("500ms", Some(500));
        check("1h 30m", Some(5_400_000));
        check("1h30m", Some(5_400_000));
        check("7d", Some(604_800_000));
        check("2", None);
        check("", None);
        check("s", None);
        check("2 fortnights", None);
        check("99999999999999999999s", None);
        check("99999999999999999d", None);
        assert_eq!(Period(Duration::from_millis(5_400_500)).to_string(), "1h 30m 500ms");
    }
}
