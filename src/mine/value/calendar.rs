//! Dates and times of day as logs spell them. Recognizes their form only: must not work out what time it is (`parse`).

use super::{digits, ends, is, run};

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
const DAYS: [&[u8]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];

fn named(text: &[u8], at: usize, names: &[&[u8]]) -> Option<usize> {
    let word = text.get(at..at + 3)?;
    names.iter().any(|name| word.eq_ignore_ascii_case(name)).then_some(at + 3)
}

/// A date, a time of day, or both, in any of the usual spellings.
pub(super) fn time(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at)?.is_ascii_digit() {
        return stamp(text, at).or_else(|| clock(text, at));
    }
    // `Fri Jun 17 20:55:07 2005`, `Fri, 17 Jun 2005 20:55:07 +0000`
    let start = match named(text, at, &DAYS) {
        Some(end) => {
            let comma = if is(text, end, b',') { end + 1 } else { end };
            if !is(text, comma, b' ') {
                return None;
            }
            comma + 1
        }
        None => at,
    };
    if text.get(start)?.is_ascii_digit() {
        let day = digits(text, start, 3);
        let month = named(text, start + day + 1, &MONTHS)?;
        let year = digits(text, month + 1, 5);
        if !(1..=2).contains(&day) || !is(text, start + day, b' ') || !is(text, month, b' ') || year != 4 {
            return None;
        }
        return Some(then_clock(text, month + 1 + year));
    }
    let month = named(text, start, &MONTHS)?;
    if !is(text, month, b' ') {
        return None;
    }
    let day = if is(text, month + 1, b' ') { month + 2 } else { month + 1 };
    let length = digits(text, day, 3);
    if !(1..=2).contains(&length) || !is(text, day + length, b' ') {
        return None;
    }
    let end = clock(text, day + length + 1)?;
    // A year, or a zone and a year, may follow.
    let zone = if is(text, end, b' ') { run(text, end + 1, 5, |byte| byte.is_ascii_uppercase()) } else { 0 };
    for year in [end + 1, end + 2 + zone] {
        if is(text, year - 1, b' ') && digits(text, year, 5) == 4 && ends(text, year + 4) {
            return Some(year + 4);
        }
    }
    Some(end)
}

/// A date in digits, with the time of day if it follows.
fn stamp(text: &[u8], at: usize) -> Option<usize> {
    let first = digits(text, at, 9);
    let separator = *text.get(at + first)?;
    // 20051203-12:33:22, 20050603T154250Z
    if first == 8 && matches!(separator, b'T' | b'-') {
        let end = clock(text, at + 9).or_else(|| {
            let compact = digits(text, at + 9, 7);
            (separator == b'T' && compact == 6).then_some(zone(text, at + 15))
        })?;
        return ends(text, end).then_some(end);
    }
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let second_at = at + first + 1;
    // 17/Jun/2005:20:55:07 +0000
    if let Some(month) = named(text, second_at, &MONTHS) {
        let year = digits(text, month + 1, 5);
        if first > 2 || !is(text, month, separator) || year != 4 {
            return None;
        }
        return Some(then_clock(text, month + 1 + year));
    }
    let second = digits(text, second_at, 3);
    if !(1..=2).contains(&second) || !is(text, second_at + second, separator) {
        return None;
    }
    let third_at = second_at + second + 1;
    let third = digits(text, third_at, 5);
    let end = third_at + third;
    match (first, third) {
        (4, 1..=2) => {}
        (1..=2, 4) if separator != b'.' || second == 2 => {}
        // Two-digit years are believed only with a time of day behind them.
        (2, 2) if second == 2 => {
            let whole = then_clock(text, end);
            return (whole > end).then_some(whole);
        }
        _ => return None,
    }
    let whole = then_clock(text, end);
    ends(text, whole).then_some(whole)
}

/// The end of a time of day that follows a date ending at `at`, or `at`.
fn then_clock(text: &[u8], at: usize) -> usize {
    let joined = match text.get(at) {
        Some(b'T' | b't' | b'-' | b':' | b'@' | b'_' | b' ') => clock(text, at + 1),
        _ => None,
    };
    joined.unwrap_or(at)
}

/// `20:55`, `20:55:07`, `15.42.50.675872`, with fraction, AM or PM and zone.
fn clock(text: &[u8], at: usize) -> Option<usize> {
    let hours = digits(text, at, 3);
    let separator = *text.get(at + hours)?;
    if !(1..=2).contains(&hours) || !matches!(separator, b':' | b'.') {
        return None;
    }
    let minutes = at + hours + 1;
    if digits(text, minutes, 3) != 2 {
        return None;
    }
    let mut end = minutes + 2;
    if is(text, end, separator) && digits(text, end + 1, 3) == 2 {
        end += 3;
        if matches!(text.get(end), Some(b'.' | b',' | b':')) {
            let fraction = digits(text, end + 1, 10);
            if (1..=9).contains(&fraction) {
                end += 1 + fraction;
            }
        }
        if separator == b'.' && end == minutes + 5 {
            return None;
        }
    } else if separator != b':' || hours != 2 || is(text, end, b':') || is(text, end, b'.') {
        return None;
    }
    let end = zone(text, end);
    ends(text, end).then_some(end)
}

/// The end of `Z`, `+01:00`, ` +0000`, ` AM` behind a time of day, or `at`.
fn zone(text: &[u8], at: usize) -> usize {
    if (is(text, at, b'Z') || is(text, at, b'z')) && ends(text, at + 1) {
        return at + 1;
    }
    let sign = if is(text, at, b' ') { at + 1 } else { at };
    if is(text, sign, b'+') || is(text, sign, b'-') {
        let hours = digits(text, sign + 1, 5);
        if hours == 4 && ends(text, sign + 5) {
            return sign + 5;
        }
        if hours == 2 && is(text, sign + 3, b':') && digits(text, sign + 4, 3) == 2 && ends(text, sign + 6) {
            return sign + 6;
        }
    }
    let half = text.get(sign..sign + 2).unwrap_or_default();
    if (half.eq_ignore_ascii_case(b"am") || half.eq_ignore_ascii_case(b"pm")) && ends(text, sign + 2) {
        return sign + 2;
    }
    at
}

#[cfg(test)]
mod tests {
    use crate::mine::mask::Mask;
    use crate::mine::value::tests::check;

    #[test]
    fn times() {
        check("2005-06-03T15:42:50.123Z x", Some((Mask::Time, "2005-06-03T15:42:50.123Z")));
        check("2005-06-03-15.42.50.675872", Some((Mask::Time, "2005-06-03-15.42.50.675872")));
        check("2005-06-03 15:42:50,123 x", Some((Mask::Time, "2005-06-03 15:42:50,123")));
        check("17/Jun/2005:20:55:07 +0000]", Some((Mask::Time, "17/Jun/2005:20:55:07 +0000")));
        check("Fri Jun 17 20:55:07 2005", Some((Mask::Time, "Fri Jun 17 20:55:07 2005")));
        check("Fri Jun 17 20:55:07 UTC 2005", Some((Mask::Time, "Fri Jun 17 20:55:07 UTC 2005")));
        check("Fri, 17 Jun 2005 20:55:07 +0000", Some((Mask::Time, "Fri, 17 Jun 2005 20:55:07 +0000")));
        check("Jun  7 20:55:07 host", Some((Mask::Time, "Jun  7 20:55:07")));
        check("20050603T154250Z", Some((Mask::Time, "20050603T154250Z")));
        check("12:30:45.5", Some((Mask::Time, "12:30:45.5")));
        check("12:30", Some((Mask::Time, "12:30")));
        check("monday came", None);
        check("1:2:3", Some((Mask::Num, "1")));
    }
}
