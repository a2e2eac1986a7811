//! The units that touch a number, as logs spell them. Must not convert them.

use crate::mine::mask::Mask;

/// Longest spelling, in bytes.
pub(super) const MAX_UNIT: usize = 12;

/// What a number with this unit is.
pub fn unit(unit: &[u8]) -> Option<Mask> {
    if is_duration(unit) {
        return Some(Mask::Dur);
    }
    is_size(unit).then_some(Mask::Size)
}

pub(super) fn is_duration(unit: &[u8]) -> bool {
    // `µ` has two code points.
    matches!(
        std::str::from_utf8(unit).unwrap_or_default(),
        "ns" | "us"
            | "µs"
            | "μs"
            | "ms"
            | "s"
            | "m"
            | "h"
            | "d"
            | "w"
            | "y"
            | "mo"
            | "nsec"
            | "nsecs"
            | "usec"
            | "usecs"
            | "msec"
            | "msecs"
            | "sec"
            | "secs"
            | "min"
            | "mins"
            | "hr"
            | "hrs"
            | "nanos"
            | "micros"
            | "millis"
            | "nanoseconds"
            | "microseconds"
            | "milliseconds"
            | "second"
            | "seconds"
            | "minute"
            | "minutes"
            | "hour"
            | "hours"
            | "day"
            | "days"
            | "week"
            | "weeks"
            | "month"
            | "months"
            | "year"
            | "years"
    )
}

/// A prefix and what is counted: `K`, `kB`, `MiB`, `Gbit`, `bytes`.
fn is_size(unit: &[u8]) -> bool {
    match unit {
        [b'k' | b'K' | b'M' | b'G' | b'T'] => true,
        [b'k' | b'K' | b'M' | b'G' | b'T' | b'P' | b'E', b'i', rest @ ..] => rest.is_empty() || is_counted(rest),
        [b'k' | b'K' | b'M' | b'G' | b'T' | b'P' | b'E', rest @ ..] => is_counted(rest),
        [b'm' | b'g', b'b'] => true,
        // A lone `b` may be anything.
        _ => unit.len() > 1 && is_counted(unit) || unit == b"B",
    }
}

fn is_counted(unit: &[u8]) -> bool {
    matches!(unit, b"B" | b"b" | b"bit" | b"bits" | b"byte" | b"bytes" | b"Bit" | b"Bits" | b"Byte" | b"Bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spellings: &str, expected: Option<Mask>) {
        for spelling in spellings.split(' ') {
            assert_eq!(unit(spelling.as_bytes()), expected, "{spelling}");
        }
    }

    #[test]
    fn units() {
        check("ms s µs μs m h mo millis minutes week years nsec", Some(Mask::Dur));
        check("B K k kB KB Ki KiB MBytes Mb Gbit GiB EiB mb gb bytes bit", Some(Mask::Size));
        check("b x V C Hz Mbps dBm th rd KK iB i KiK", None);
    }
}
