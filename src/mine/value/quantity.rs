//! Numbers and the units that touch them. Must not compute with them.

use super::unit::{MAX_UNIT, is_duration, unit};
use super::{digits, ends, is, run};
use crate::mine::mask::Mask;

/// A number with groups, fraction or exponent, and the unit that touches it: `1,234.5`, `12ms`, `1h30m`, `4.0K`.
pub(super) fn quantity(text: &[u8], at: usize) -> Option<(Mask, usize)> {
    let mut end = number(text, at)?;
    if ends(text, end) {
        return Some((Mask::Num, end));
    }
    let length = unit_length(text, end);
    if ends(text, end + length)
        && let Some(mask) = unit(text.get(end..end + length).unwrap_or_default())
    {
        return Some((mask, end + length));
    }
    for _ in 0..6 {
        let length = unit_length(text, end);
        if !is_duration(text.get(end..end + length).unwrap_or_default()) {
            return None;
        }
        end += length;
        if ends(text, end) {
            return Some((Mask::Dur, end));
        }
        end = number(text, end)?;
    }
    None
}

/// Where the unit of time ends that stands at `at` as a word.
pub(super) fn duration_unit(text: &[u8], at: usize) -> Option<usize> {
    let end = at + unit_length(text, at);
    (is_duration(text.get(at..end)?) && ends(text, end)).then_some(end)
}

/// A duration of ISO 8601: `PT5M30.5S`, `P1DT2H`.
pub(super) fn iso_duration(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    let mut parts = 0;
    let mut units: &[u8] = b"YMWD";
    for _ in 0..8 {
        let mut start = end;
        if is(text, end, b'T') && units == b"YMWD" {
            units = b"HMS";
            start += 1;
        }
        let mut length = digits(text, start, 12);
        if length > 0 && is(text, start + length, b'.') {
            length += 1 + digits(text, start + length + 1, 9);
        }
        if length == 0 || !text.get(start + length).is_some_and(|unit| units.contains(unit)) {
            break;
        }
        end = start + length + 1;
        parts += 1;
    }
    (is(text, at, b'P') && parts > 0 && ends(text, end)).then_some(end)
}

/// Letters that may be a unit; `µ` is two bytes.
fn unit_length(text: &[u8], at: usize) -> usize {
    run(text, at, MAX_UNIT, |byte| byte.is_ascii_alphabetic() || byte >= 0x80)
}

fn number(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at + digits(text, at, 40);
    if end == at {
        return None;
    }
    for _ in 0..12 {
        let more = if is(text, end, b'.') || is(text, end, b',') { digits(text, end + 1, 40) } else { 0 };
        if more == 0 {
            break;
        }
        end += 1 + more;
    }
    if is(text, end, b'e') || is(text, end, b'E') {
        let sign = usize::from(is(text, end + 1, b'+') || is(text, end + 1, b'-'));
        let exponent = digits(text, end + 1 + sign, 4);
        // Without a sign `7e5d` may be hexadecimal.
        if exponent > 0 && (sign > 0 || ends(text, end + 1 + sign + exponent)) {
            end += 1 + sign + exponent;
        }
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::value::tests::check;

    #[test]
    fn quantities() {
        check("42", Some((Mask::Num, "42")));
        check("1,234.5%", Some((Mask::Num, "1,234.5")));
        check("1.5e-10 x", Some((Mask::Num, "1.5e-10")));
        check("1.5e-3s", Some((Mask::Dur, "1.5e-3s")));
        check("7e5d", None);
        check("12ms", Some((Mask::Dur, "12ms")));
        check("1h30m2.5s", Some((Mask::Dur, "1h30m2.5s")));
        check("7µs", Some((Mask::Dur, "7µs")));
        check("4.0K", Some((Mask::Size, "4.0K")));
        check("16GiB", Some((Mask::Size, "16GiB")));
        check("10Mbit", Some((Mask::Size, "10Mbit")));
        check("100MB/s", Some((Mask::Size, "100MB")));
        check("10minutes", Some((Mask::Dur, "10minutes")));
        check("12milliseconds", Some((Mask::Dur, "12milliseconds")));
        check("12milliseconds1", None);
        check("PT5M30.5S, x", Some((Mask::Dur, "PT5M30.5S")));
        check("P1DT2H", Some((Mask::Dur, "P1DT2H")));
        check("P1X", None);
        check("PT", None);
        check("P1", None);
        check("P1DT", None);
        check("0xDEADbeef", Some((Mask::Hex, "0xDEADbeef")));
        check("3rd", None);
        check("12.", Some((Mask::Num, "12")));
    }
}
