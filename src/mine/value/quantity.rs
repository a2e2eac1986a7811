//! Numbers and the units that touch them. Must not compute with them.

use super::{digits, ends, is, run};
use crate::mine::mask::Mask;

/// A number with groups, fraction or exponent, and the unit that touches it: `1,234.5`, `12ms`, `1h30m`, `4.0K`.
pub(super) fn quantity(text: &[u8], at: usize) -> Option<(Mask, usize)> {
    let mut end = number(text, at)?;
    if ends(text, end) {
        return Some((Mask::Num, end));
    }
    // `µ` is two bytes.
    let unit_at = end;
    let unit_length = run(text, end, 6, |byte| byte.is_ascii_alphabetic() || byte >= 0x80);
    let unit = text.get(end..end + unit_length).unwrap_or_default();
    if ends(text, unit_at + unit_length) && is_size(unit) {
        return Some((Mask::Size, unit_at + unit_length));
    }
    for _ in 0..6 {
        let length = run(text, end, 6, |byte| byte.is_ascii_alphabetic() || byte >= 0x80);
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
        if exponent > 0 && ends(text, end + 1 + sign + exponent) {
            end += 1 + sign + exponent;
        }
    }
    Some(end)
}

fn is_size(unit: &[u8]) -> bool {
    matches!(
        unit,
        b"B" | b"K"
            | b"M"
            | b"G"
            | b"T"
            | b"k"
            | b"kB"
            | b"KB"
            | b"MB"
            | b"GB"
            | b"TB"
            | b"KiB"
            | b"MiB"
            | b"GiB"
            | b"TiB"
            | b"Ki"
            | b"Mi"
            | b"Gi"
            | b"Ti"
            | b"kb"
            | b"mb"
            | b"gb"
    )
}

fn is_duration(unit: &[u8]) -> bool {
    matches!(
        unit,
        b"ns"
            | b"us"
            | b"ms"
            | b"s"
            | b"m"
            | b"h"
            | b"d"
            | b"w"
            | b"sec"
            | b"secs"
            | b"min"
            | b"mins"
            | b"hr"
            | b"hrs"
            | b"day"
            | b"days"
    ) || unit == "µs".as_bytes()
        || unit == "μs".as_bytes()
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
        check("12ms", Some((Mask::Dur, "12ms")));
        check("1h30m2.5s", Some((Mask::Dur, "1h30m2.5s")));
        check("7µs", Some((Mask::Dur, "7µs")));
        check("4.0K", Some((Mask::Size, "4.0K")));
        check("16GiB", Some((Mask::Size, "16GiB")));
        check("0xDEADbeef", Some((Mask::Hex, "0xDEADbeef")));
        check("3rd", None);
        check("12.", Some((Mask::Num, "12")));
    }
}
