//! Reads a time stamp at the start of some bytes, by hand, in every shape logs are known to use. Settles nothing: what
//! moment it means is `clock`'s business, and numbers out of range are too.

use super::cursor::Cursor;
use super::date::{Date, TimeOfDay, month_number};
use super::offset::zone;

/// A stamp as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stamp {
    /// A number since the Unix epoch.
    Epoch {
        micros: i64,
        /// Ten digits and nothing else: could as well be any number.
        bare: bool,
    },
    Moment(Moment),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    pub date: Date,
    pub time: TimeOfDay,
    /// Seconds east of UTC; `None` when the stamp names no zone.
    pub offset: Option<i32>,
    /// All digits, like `081109 203615`: could as well be two numbers.
    pub bare: bool,
}

impl Stamp {
    /// Whether nothing else could have been meant: a date and a time of day with their punctuation.
    pub fn is_certain(&self) -> bool {
        match self {
            Stamp::Epoch { .. } => false,
            Stamp::Moment(moment) => !moment.bare && moment.date != Date::Absent,
        }
    }
}

/// Reads the stamp that starts here and steps over it, its zone included.
pub(super) fn stamp(cursor: &mut Cursor) -> Option<Stamp> {
    let mut ahead = *cursor;
    let found = match ahead.peek(0) {
        b'0'..=b'9' => match ahead.digits_ahead() {
            4 => year_first(&mut ahead),
            1 | 2 => day_or_month_first(&mut ahead),
            10 | 13 | 16 | 19 => epoch(&mut ahead),
            8 => eight_digits(&mut ahead),
            6 => six_digits(&mut ahead),
            _ => None,
        },
        b'A'..=b'Z' => name_first(&mut ahead),
        _ => None,
    }?;
    *cursor = ahead;
    Some(found)
}

/// `Nov 22 05:55:40`, with a fraction and a year before or after the time: the stamp of RFC 3164 and its variants.
pub(super) fn month_name_first(cursor: &mut Cursor) -> Option<Moment> {
    let month = month_number(cursor.rest().get(..3)?)?;
    cursor.advance(3);
    if cursor.spaces() == 0 {
        return None;
    }
    let day = small_number(cursor)?;
    // Java's own logger writes a comma: `Nov 22, 2026 5:55:40 AM`.
    cursor.eat(b',');
    if !cursor.eat(b' ') {
        return None;
    }
    cursor.spaces();
    let mut year = None;
    if cursor.digits_ahead() == 4 {
        year = cursor.number(4, 4);
        if cursor.spaces() == 0 {
            return None;
        }
    }
    let time = time_of_day(cursor, b':')?;
    if year.is_none() {
        year = trailing_year(cursor);
    }
    let date = match year {
        Some(year) => full(year, month, day)?,
        None => Date::NoYear { month, day },
    };
    Some(Moment { date, time, offset: zone(cursor), bare: false })
}

/// `2026-11-22T05:55:40.746959+00:00` and its kin: `/` or `.` in the date, a blank or `_` or `-` before the time,
/// comma fractions, zones glued or apart. `2026.11.22` alone too, as midnight.
pub(super) fn year_first(cursor: &mut Cursor) -> Option<Stamp> {
    let year = cursor.number(4, 4)?;
    let separator = cursor.peek(0);
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    cursor.advance(1);
    let month = small_number(cursor)?;
    if !cursor.eat(separator) {
        return None;
    }
    let day = small_number(cursor)?;
    let date = full(year, month, day)?;
    let mut ahead = *cursor;
    let time = match ahead.peek(0) {
        b'T' | b't' | b'_' => {
            ahead.advance(1);
            time_of_day(&mut ahead, b':')
        }
        b' ' => {
            ahead.spaces();
            let start = ahead;
            time_of_day(&mut ahead, b':').or_else(|| {
                ahead = start;
                hour_and_minute(&mut ahead)
            })
        }
        b'-' => {
            ahead.advance(1);
            let separator = if ahead.peek(2) == b'.' { b'.' } else { b':' };
            time_of_day(&mut ahead, separator)
        }
        _ => None,
    };
    match time {
        Some(time) => {
            *cursor = ahead;
            let offset = zone(cursor);
            Some(Stamp::Moment(Moment { date, time, offset, bare: false }))
        }
        // A date alone counts where it stands as a column: followed by a blank, and not as part of a longer word.
        None if matches!(cursor.peek(0), b' ' | 0) => {
            Some(Stamp::Moment(Moment { date, time: TimeOfDay::default(), offset: None, bare: true }))
        }
        None => None,
    }
}

/// `22/Nov/2026:05:55:40 +0000`, `22-Nov-2026 05:55:40.123`, `22 Nov 2026 05:55:40`: the name settles the order.
fn day_and_month_name(cursor: &mut Cursor, day: u8) -> Option<Moment> {
    let separator = cursor.peek(0);
    cursor.advance(1);
    let month = month_number(cursor.rest().get(..3)?)?;
    cursor.advance(3);
    if !cursor.eat(separator) {
        return None;
    }
    let year = cursor.number(4, 4)?;
    if !matches!(cursor.peek(0), b':' | b' ' | b'T') {
        return None;
    }
    cursor.advance(1);
    cursor.spaces();
    let time = time_of_day(cursor, b':')?;
    Some(Moment { date: full(year, month, day)?, time, offset: zone(cursor), bare: false })
}

fn day_or_month_first(cursor: &mut Cursor) -> Option<Stamp> {
    if cursor.peek(1) == b':' || cursor.peek(2) == b':' {
        if let Some(time) = kitchen_time(cursor) {
            return Some(Stamp::Moment(Moment { date: Date::Absent, time, offset: None, bare: false }));
        }
        let time = time_of_day(cursor, b':')?;
        // `12:34:56:78:9a:bc` is no time of day.
        let ends = matches!(cursor.peek(0), b' ' | b']' | b'|' | b'\t' | 0);
        return ends.then(|| Stamp::Moment(Moment { date: Date::Absent, time, offset: zone(cursor), bare: false }));
    }
    let first = small_number(cursor)?;
    let separator = cursor.peek(0);
    let moment = match separator {
        b'/' | b'-' | b' ' if cursor.peek(1).is_ascii_uppercase() => day_and_month_name(cursor, first)?,
        b'/' | b'-' | b'.' => {
            cursor.advance(1);
            let second = small_number(cursor)?;
            let date = if cursor.eat(separator) {
                match cursor.digits_ahead() {
                    2 => Date::Triple { first, second, third: small_number(cursor)? },
                    4 if separator == b'.' => full(cursor.number(4, 4)?, second, first)?,
                    4 => Date::MonthDay { first, second, year: i32::try_from(cursor.number(4, 4)?).ok()? },
                    _ => return None,
                }
            } else {
                Date::NoYear { month: first, day: second }
            };
            cursor.eat(b',');
            if cursor.spaces() == 0 && !cursor.eat(b'T') && !cursor.eat(b'-') {
                return None;
            }
            let time = time_of_day(cursor, b':')?;
            Moment { date, time, offset: zone(cursor), bare: false }
        }
        _ => return None,
    };
    Some(Stamp::Moment(moment))
}

/// `Sun Nov 22 05:55:40.123456 2026`, `Sun, 22 Nov 2026 05:55:40 GMT`, or a month name at once.
fn name_first(cursor: &mut Cursor) -> Option<Stamp> {
    if matches!(cursor.rest().get(..3)?, b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun") {
        cursor.advance(3);
        cursor.eat(b',');
        if cursor.spaces() == 0 {
            return None;
        }
        if cursor.peek(0).is_ascii_digit() {
            let day = small_number(cursor)?;
            return day_and_month_name(cursor, day).map(Stamp::Moment);
        }
    }
    month_name_first(cursor).map(Stamp::Moment)
}

/// Seconds (with a fraction), milli-, micro- or nanoseconds since the epoch: 10, 13, 16 or 19 digits.
fn epoch(cursor: &mut Cursor) -> Option<Stamp> {
    let digits = cursor.digits_ahead();
    let seconds = i64::try_from(cursor.number(10, 10)?).ok()?;
    let bare = digits == 10 && cursor.peek(0) != b'.';
    let micros = match digits {
        10 if cursor.peek(0) == b'.' && cursor.peek(1).is_ascii_digit() => {
            cursor.advance(1);
            fraction(cursor)
        }
        10 => 0,
        _ => fraction(cursor),
    };
    // From 2001 on, when seconds got their tenth digit, and into the year 2128.
    let is_plausible = (1_000_000_000..5_000_000_000).contains(&seconds);
    let ends = !cursor.peek(0).is_ascii_alphanumeric() && !matches!(cursor.peek(0), b'-' | b'_' | b'/');
    (is_plausible && ends).then(|| Stamp::Epoch { micros: seconds * 1_000_000 + i64::from(micros), bare })
}

/// `20171223-22:15:29:606`, `20261122T055540Z`, `20261122 05:55:40`.
fn eight_digits(cursor: &mut Cursor) -> Option<Stamp> {
    let year = cursor.number(4, 4)?;
    let (month, day) = (cursor.two_digits()?, cursor.two_digits()?);
    if !(1_970..2_100).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if !matches!(cursor.peek(0), b'-' | b'T' | b' ' | b'_') {
        return None;
    }
    cursor.advance(1);
    let bare = cursor.digits_ahead() == 6;
    let mut time = if bare { bare_time(cursor)? } else { time_of_day(cursor, b':')? };
    if cursor.peek(0) == b':' && time.micros == 0 {
        // Milliseconds without leading zeros, as nothing else is padded either.
        cursor.advance(1);
        time.micros = u32::try_from(cursor.number(1, 3)?).ok()? * 1_000;
    }
    Some(Stamp::Moment(Moment { date: full(year, month, day)?, time, offset: zone(cursor), bare }))
}

/// `081109 203615` and `091121 13:17:58`.
fn six_digits(cursor: &mut Cursor) -> Option<Stamp> {
    let (year, month, day) = (cursor.two_digits()?, cursor.two_digits()?, cursor.two_digits()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || cursor.spaces() == 0 {
        return None;
    }
    let bare = cursor.digits_ahead() == 6;
    let time = if bare { bare_time(cursor)? } else { time_of_day(cursor, b':')? };
    let century = if year < 70 { 2_000 } else { 1_900 };
    Some(Stamp::Moment(Moment {
        date: Date::Full { year: century + i32::from(year), month, day },
        time,
        offset: None,
        bare,
    }))
}

/// Six digits that could be a time of day.
fn bare_time(cursor: &mut Cursor) -> Option<TimeOfDay> {
    let (hour, minute, second) = (cursor.two_digits()?, cursor.two_digits()?, cursor.two_digits()?);
    let time = TimeOfDay { hour, minute, second, micros: 0 };
    (time.seconds().is_some() && !cursor.peek(0).is_ascii_alphanumeric() || cursor.peek(0) == b'Z').then_some(time)
}

/// `05:55:40`, one-digit hours too, a fraction behind `.` or `,` (or `:` and three digits), ` AM` and ` PM`.
pub(super) fn time_of_day(cursor: &mut Cursor, separator: u8) -> Option<TimeOfDay> {
    let hour = small_number(cursor)?;
    if !cursor.eat(separator) {
        return None;
    }
    let minute = small_number(cursor)?;
    if !cursor.eat(separator) {
        return None;
    }
    let second = small_number(cursor)?;
    let mut micros = 0;
    let fraction_follows = match cursor.peek(0) {
        b'.' | b',' => cursor.peek(1).is_ascii_digit(),
        b':' => {
            let mut ahead = *cursor;
            ahead.advance(1);
            ahead.digits_ahead() == 3
        }
        _ => false,
    };
    if fraction_follows {
        cursor.advance(1);
        micros = fraction(cursor);
    }
    let hour = match cursor.rest() {
        [b' ', b'A', b'M', ..] | [b' ', b'P', b'M', ..] if (1..=12).contains(&hour) => {
            let afternoon = cursor.peek(1) == b'P';
            cursor.advance(3);
            hour % 12 + if afternoon { 12 } else { 0 }
        }
        _ => hour,
    };
    Some(TimeOfDay { hour, minute, second, micros })
}

/// `5:55AM` with a blank behind it: Go's `Kitchen`. Does not move where it is anything else.
fn kitchen_time(cursor: &mut Cursor) -> Option<TimeOfDay> {
    let mut ahead = *cursor;
    let hour = small_number(&mut ahead)?;
    let minute = if ahead.eat(b':') { ahead.two_digits()? } else { return None };
    let afternoon = match ahead.rest() {
        [half @ (b'A' | b'P'), b'M', b' ', ..] if (1..=12).contains(&hour) => *half == b'P',
        _ => return None,
    };
    ahead.advance(2);
    *cursor = ahead;
    Some(TimeOfDay { hour: hour % 12 + if afternoon { 12 } else { 0 }, minute, second: 0, micros: 0 })
}

/// `05:55` with a blank behind it.
fn hour_and_minute(cursor: &mut Cursor) -> Option<TimeOfDay> {
    let hour = cursor.two_digits()?;
    let minute = if cursor.eat(b':') { cursor.two_digits()? } else { return None };
    matches!(cursor.peek(0), b' ' | 0).then_some(TimeOfDay { hour, minute, second: 0, micros: 0 })
}

/// Digits behind a decimal point, as microseconds; steps over all of them.
fn fraction(cursor: &mut Cursor) -> u32 {
    let mut micros = 0u32;
    let mut unit = 100_000u32;
    while let digit @ b'0'..=b'9' = cursor.peek(0) {
        micros += u32::from(digit - b'0') * unit;
        unit /= 10;
        cursor.advance(1);
    }
    micros
}

/// ` 2026` behind the time, and ` UTC 2026`: what `date` and Apache write.
fn trailing_year(cursor: &mut Cursor) -> Option<u64> {
    let mut ahead = *cursor;
    if !ahead.eat(b' ') || ahead.digits_ahead() != 4 {
        return None;
    }
    let year = ahead.number(4, 4)?;
    let ends = matches!(ahead.peek(0), b' ' | b']' | 0) || ahead.peek(0) == b':' && matches!(ahead.peek(1), b' ' | 0);
    if !(1_970..2_100).contains(&year) || !ends {
        return None;
    }
    *cursor = ahead;
    Some(year)
}

fn full(year: u64, month: u8, day: u8) -> Option<Date> {
    Some(Date::Full { year: i32::try_from(year).ok()?, month, day })
}

/// One or two digits.
fn small_number(cursor: &mut Cursor) -> Option<u8> {
    if let Some(number) = cursor.two_digits() {
        return Some(number);
    }
    cursor.number(1, 1).and_then(|number| u8::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is what is left behind the stamp.
    #[track_caller]
    fn check(line: &str, expected: &str) {
        let mut cursor = Cursor::new(line.as_bytes());
        assert!(stamp(&mut cursor).is_some(), "{line}");
        assert_eq!(String::from_utf8_lossy(cursor.rest()), expected, "{line}");
    }

    #[track_caller]
    fn none(line: &str) {
        let mut cursor = Cursor::new(line.as_bytes());
        assert_eq!(stamp(&mut cursor), None, "{line}");
        assert_eq!(cursor.rest(), line.as_bytes());
    }

    #[test]
    fn shapes() {
        check("2026-11-22T05:55:40.746959+00:00 host", " host");
        check("2026-11-22T05:55:40Z host", " host");
        check("2026-11-22 05:55:40,123 INFO", " INFO");
        check("2026-11-22 05:55:40.123 +0100 x", " x");
        check("2026-11-22 05:55:40 UTC x", " x");
        check("2026-11-22 05:55:40 ERROR x", " ERROR x");
        check("2026-11-22  5:55:40 0 [Note] x", " 0 [Note] x");
        check("2026-11-22 05:55 x", " x");
        check("2026/11/22 05:55:40 [error] x", " [error] x");
        check("2005-06-03-15.42.50.675872 R02", " R02");
        check("2005.06.03 R02", " R02");
        check("20171223-22:15:29:606|Step", "|Step");
        check("20171224-0:7:20:44|Step", "|Step");
        check("20261122T055540Z x", " x");
        check("17/06/09 20:10:40 INFO", " INFO");
        check("06/09/2017 08:10:40 PM x", " x");
        check("22.11.2026 08:10:40 x", " x");
        check("081109 203615 148 INFO", " 148 INFO");
        check("091121 13:17:58InnoDB: x", "InnoDB: x");
        check("Jun  9 06:06:20 combo", " combo");
        check("Jun 9 2026 06:06:20.5 combo", " combo");
        check("Jun 19 06:06:20 2026 combo", " combo");
        check("Jun 19 06:06:20 3com x", " 3com x");
        check("Nov 22, 2026 5:55:40 PM org.x.Y z", " org.x.Y z");
        check("Sun Dec 04 04:47:44.123456 2005] x", "] x");
        check("Sun, 04 Dec 2005 04:47:44 GMT x", " x");
        check("Sun Dec  4 04:47:44 UTC 2005 x", " 2005 x");
        check("22/Nov/2026:05:55:40 +0000] x", "] x");
        check("22/Nov/2026 05:55:40] x", "] x");
        check("22-Nov-2026 05:55:40.123 INFO", " INFO");
        check("22 Nov 2026 05:55:40.123 * x", " * x");
        check("03-17 16:13:38.811  1702", "  1702");
        check("10.30 16:49:06] chrome.exe", "] chrome.exe");
        check("1117838570 2005.06.03", " 2005.06.03");
        check("1700000000.123] x", "] x");
        check("1700000000123456789,x", ",x");
        check("05:55:40.123 [main]", " [main]");
    }

    #[test]
    fn not_stamps() {
        for line in [
            "",
            "2",
            "10.143.2.91 - -",
            "10.20.30.40 x",
            "1.2.3",
            "12:34:56:78:9a:bc up",
            "Nov",
            "Nov x",
            "Nov 22 x",
            "1234567890123 4x"[..4].trim(),
            "9999999999 x",
            "1117838570-x",
            "20269999 x",
            "123456 x",
            "2026",
            "2026-1",
            "Sunday 2026",
            "11/22 x",
            "5:5",
            "99",
            "Jan 1 1:1",
        ] {
            none(line);
        }
    }
}
