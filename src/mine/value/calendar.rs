//! Dates and times of day as logs spell them. Recognizes their form only: must not work out what time it is (`parse`).

use super::{digits, ends, is, run};

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];
const DAYS: [&[u8]; 7] = [b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday"];
/// Zones by name, as clocks of logs have them.
const ZONES: [&[u8]; 34] = [
    b"UTC", b"GMT", b"WET", b"WEST", b"BST", b"IST", b"CET", b"CEST", b"EET", b"EEST", b"MSK", b"SAST", b"EST", b"EDT",
    b"CST", b"CDT", b"MST", b"MDT", b"PST", b"PDT", b"AKST", b"AKDT", b"HST", b"JST", b"KST", b"HKT", b"SGT", b"AWST",
    b"ACST", b"ACDT", b"AEST", b"AEDT", b"NZST", b"NZDT",
];
/// Lengths of words that may be a month or a day.
pub(super) const MAY_NAME: std::ops::RangeInclusive<usize> = 3..=9;

/// Where the name ends that stands at `at`, in full or its first three letters.
fn named(text: &[u8], at: usize, names: &[&[u8]]) -> Option<usize> {
    let length = run(text, at, MAY_NAME.end() + 1, |byte| byte.is_ascii_alphabetic());
    let word = text.get(at..at + length).filter(|word| MAY_NAME.contains(&word.len()))?;
    let is_word = |name: &&[u8]| {
        word.eq_ignore_ascii_case(name)
            || length == 3 && name.get(..3).is_some_and(|name| word.eq_ignore_ascii_case(name))
    };
    names.iter().any(is_word).then_some(at + length)
}

/// A date, a time of day, or both, in any of the usual spellings.
pub(super) fn time(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at)?.is_ascii_digit() {
        return stamp(text, at).or_else(|| day_first(text, at)).or_else(|| clock(text, at));
    }
    // `Fri Jun 17 20:55:07 2005`, `Fri, 17 Jun 2005 20:55:07 +0000`, `Friday, 17-Jun-05 20:55:07 UTC`
    let Some(end) = named(text, at, &DAYS) else { return month_first(text, at) };
    let start = if is(text, end, b',') { end + 1 } else { end };
    let start = if is(text, start, b' ') { start + 1 } else { return None };
    if text.get(start)?.is_ascii_digit() {
        return day_first(text, start).or_else(|| stamp(text, start));
    }
    month_first(text, start)
}

/// `17 Jun 2005 20:55:07 +0000`, without the year or the time of day; `17-Jun-05 20:55:07`.
fn day_first(text: &[u8], at: usize) -> Option<usize> {
    let day = digits(text, at, 3);
    let separator = *text.get(at + day)?;
    if !(1..=2).contains(&day) || !matches!(separator, b' ' | b'-') {
        return None;
    }
    let month = named(text, at + day + 1, &MONTHS)?;
    if !is(text, month, separator) {
        return None;
    }
    let year = digits(text, month + 1, 5);
    if separator == b' ' && year == 4 && ends(text, month + 5) {
        return Some(then_clock(text, month + 5));
    }
    if separator == b'-' {
        return if year == 2 && is(text, month + 3, b' ') { clock(text, month + 4) } else { None };
    }
    clock(text, month + 1)
}

/// `Jun 17 20:55:07`, with a year in front of the time of day or behind it; `June 17, 2005`.
fn month_first(text: &[u8], at: usize) -> Option<usize> {
    let month = named(text, at, &MONTHS)?;
    if !is(text, month, b' ') {
        return None;
    }
    let day = if is(text, month + 1, b' ') { month + 2 } else { month + 1 };
    let length = digits(text, day, 3);
    if !(1..=2).contains(&length) {
        return None;
    }
    let comma = usize::from(is(text, day + length, b','));
    let next = day + length + comma;
    if !is(text, next, b' ') {
        return None;
    }
    if digits(text, next + 1, 5) == 4 && ends(text, next + 5) {
        let year = next + 5;
        let whole = then_clock(text, if is(text, year, b',') && is(text, year + 1, b' ') { year + 1 } else { year });
        // Four digits behind a day are a year where a comma or a time of day says so.
        return if whole > year + 1 { Some(whole) } else { (comma > 0).then_some(year) };
    }
    let end = clock(text, next + 1)?;
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
    } else if separator != b':' || is(text, end, b':') || is(text, end, b'.') || hours != 2 && half(text, end) == end {
        return None;
    }
    let end = zone(text, half(text, end));
    ends(text, end).then_some(end)
}

/// The end of ` AM` or `pm` behind a time of day, or `at`.
fn half(text: &[u8], at: usize) -> usize {
    let start = if is(text, at, b' ') { at + 1 } else { at };
    let half = text.get(start..start + 2).unwrap_or_default();
    if (half.eq_ignore_ascii_case(b"am") || half.eq_ignore_ascii_case(b"pm")) && ends(text, start + 2) {
        return start + 2;
    }
    at
}

/// The end of `Z`, `+01:00`, ` +0000 UTC`, ` GMT+0200` behind a time of day, or `at`.
fn zone(text: &[u8], at: usize) -> usize {
    if (is(text, at, b'Z') || is(text, at, b'z')) && ends(text, at + 1) {
        return at + 1;
    }
    let offset_end = offset(text, if is(text, at, b' ') { at + 1 } else { at });
    let end = offset_end.unwrap_or(at);
    if !is(text, end, b' ') {
        return end;
    }
    let length = run(text, end + 1, 6, |byte| byte.is_ascii_alphabetic());
    let name = text.get(end + 1..end + 1 + length).unwrap_or_default();
    if !ZONES.contains(&name) || !ends(text, end + 1 + length) {
        return end;
    }
    let end = end + 1 + length;
    offset(text, end).filter(|_| offset_end.is_none()).unwrap_or(end)
}

/// The end of `+0200` or `-02:00`.
fn offset(text: &[u8], at: usize) -> Option<usize> {
    if !is(text, at, b'+') && !is(text, at, b'-') {
        return None;
    }
    let hours = digits(text, at + 1, 5);
    if hours == 4 && ends(text, at + 5) {
        return Some(at + 5);
    }
    (hours == 2 && is(text, at + 3, b':') && digits(text, at + 4, 3) == 2 && ends(text, at + 6)).then_some(at + 6)
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
        check("2005-06-03 15:42:50.1 +0000 UTC m=+1", Some((Mask::Time, "2005-06-03 15:42:50.1 +0000 UTC")));
        check("Fri, 17 Jun 2005 20:55:07 GMT end", Some((Mask::Time, "Fri, 17 Jun 2005 20:55:07 GMT")));
        check("Friday, 17-Jun-05 20:55:07 UTC end", Some((Mask::Time, "Friday, 17-Jun-05 20:55:07 UTC")));
        check("Fri Jun 17 2005 20:55:07 GMT+0200 (CEST)", Some((Mask::Time, "Fri Jun 17 2005 20:55:07 GMT+0200")));
        check("17 Jun 20:55:07 end", Some((Mask::Time, "17 Jun 20:55:07")));
        check("7 June 2005 20:55 end", Some((Mask::Time, "7 June 2005 20:55")));
        check("7 Jun 2005.", Some((Mask::Time, "7 Jun 2005")));
        check("Jun 7, 2005 3:55:07 PM x", Some((Mask::Time, "Jun 7, 2005 3:55:07 PM")));
        check("June 7, 2005, 15:55 x", Some((Mask::Time, "June 7, 2005, 15:55")));
        check("June 7, 2005, x", Some((Mask::Time, "June 7, 2005")));
        check("3:55 pm x", Some((Mask::Time, "3:55 pm")));
        check("3:55 x", Some((Mask::Num, "3")));
        check("7 Jun x", Some((Mask::Num, "7")));
        check("7 days 2005", Some((Mask::Num, "7")));
        check("may 7 2005 x", None);
        check("June 7 was", None);
        check("Mon 7 apples", None);
        check("august 1", None);
        check("15:42:50 ESTIMATED", Some((Mask::Time, "15:42:50")));
        check("monday came", None);
        check("1:2:3", Some((Mask::Num, "1")));
    }
}
