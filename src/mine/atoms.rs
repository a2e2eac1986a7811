//! Recognizes one value at a place in a message: an address, a time, a number with its unit. Each recognizer looks at
//! a bounded number of bytes and says where the value ends. Must not decide what is masked (`scan` does).

/// What a value is. The names are what people and models read in template texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mask {
    Num,
    Hex,
    Ip,
    Mac,
    Uuid,
    Path,
    Url,
    Mail,
    Dur,
    Size,
    Str,
    Time,
    /// A word of letters and digits that is none of the others: `u4k9x`, `x86`.
    Id,
    /// Whatever stood here differed: the generalized token.
    Any,
}

impl Mask {
    pub const ALL: [Mask; 14] = [
        Mask::Num,
        Mask::Hex,
        Mask::Ip,
        Mask::Mac,
        Mask::Uuid,
        Mask::Path,
        Mask::Url,
        Mask::Mail,
        Mask::Dur,
        Mask::Size,
        Mask::Str,
        Mask::Time,
        Mask::Id,
        Mask::Any,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Mask::Num => "<NUM>",
            Mask::Hex => "<HEX>",
            Mask::Ip => "<IP>",
            Mask::Mac => "<MAC>",
            Mask::Uuid => "<UUID>",
            Mask::Path => "<PATH>",
            Mask::Url => "<URL>",
            Mask::Mail => "<MAIL>",
            Mask::Dur => "<DUR>",
            Mask::Size => "<SIZE>",
            Mask::Str => "<STR>",
            Mask::Time => "<TIME>",
            Mask::Id => "<ID>",
            Mask::Any => "<*>",
        }
    }
}

/// Letters, digits and everything beyond ASCII: what words are made of.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn is(text: &[u8], at: usize, byte: u8) -> bool {
    text.get(at) == Some(&byte)
}

/// No word goes on at `at`.
fn ends(text: &[u8], at: usize) -> bool {
    !text.get(at).is_some_and(|byte| is_word(*byte))
}

/// How many bytes from `at` satisfy `class`, counting no further than `limit`.
fn run(text: &[u8], at: usize, limit: usize, class: impl Fn(u8) -> bool) -> usize {
    text.get(at..).unwrap_or_default().iter().take(limit).take_while(|byte| class(**byte)).count()
}

fn digits(text: &[u8], at: usize, limit: usize) -> usize {
    run(text, at, limit, |byte| byte.is_ascii_digit())
}

fn hex_digits(text: &[u8], at: usize, limit: usize) -> usize {
    run(text, at, limit, |byte| byte.is_ascii_hexdigit())
}

/// A placeholder that already stands in the text, as in a masked text that is masked again.
pub fn placeholder(text: &[u8], at: usize) -> Option<(Mask, usize)> {
    let rest = text.get(at..)?;
    let mask = Mask::ALL.into_iter().find(|mask| rest.starts_with(mask.as_str().as_bytes()))?;
    Some((mask, at + mask.as_str().len()))
}

/// Any value that starts with a digit, a hexadecimal letter or a name of the calendar, longest reading first.
pub fn value(text: &[u8], at: usize) -> Option<(Mask, usize)> {
    if let Some(end) = uuid(text, at) {
        return Some((Mask::Uuid, end));
    }
    if let Some(end) = mac(text, at) {
        return Some((Mask::Mac, end));
    }
    if let Some(end) = ip4(text, at).or_else(|| ip6(text, at)) {
        return Some((Mask::Ip, end));
    }
    if let Some(end) = time(text, at) {
        return Some((Mask::Time, end));
    }
    if let Some(end) = hex_literal(text, at) {
        return Some((Mask::Hex, end));
    }
    quantity(text, at)
}

/// RFC 9562: five groups of hexadecimal digits.
fn uuid(text: &[u8], at: usize) -> Option<usize> {
    let mut place = at;
    for (index, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0 {
            if !is(text, place, b'-') {
                return None;
            }
            place += 1;
        }
        if hex_digits(text, place, length) != length {
            return None;
        }
        place += length;
    }
    ends(text, place).then_some(place)
}

/// Six or eight pairs of hexadecimal digits (EUI-48, EUI-64), or the fourteen that a packet filter logs.
fn mac(text: &[u8], at: usize) -> Option<usize> {
    let separator = *text.get(at + 2)?;
    if separator != b':' && separator != b'-' {
        return None;
    }
    let mut place = at;
    let mut pairs = 0;
    while hex_digits(text, place, 3) == 2 && pairs < 20 {
        pairs += 1;
        place += 2;
        if !is(text, place, separator) || hex_digits(text, place + 1, 1) == 0 {
            break;
        }
        place += 1;
    }
    (matches!(pairs, 6 | 8 | 14 | 20) && ends(text, place)).then_some(place)
}

/// Dotted quad, with its port or prefix length if they follow at once.
fn ip4(text: &[u8], at: usize) -> Option<usize> {
    let mut place = at;
    for group in 0..4 {
        if group > 0 {
            if !is(text, place, b'.') {
                return None;
            }
            place += 1;
        }
        let length = digits(text, place, 4);
        if !(1..=3).contains(&length) {
            return None;
        }
        place += length;
    }
    if is(text, place, b'.') && digits(text, place + 1, 1) == 1 {
        return None;
    }
    let suffix = if is(text, place, b':') || is(text, place, b'/') { digits(text, place + 1, 6) } else { 0 };
    if (1..=5).contains(&suffix) && ends(text, place + 1 + suffix) {
        place += 1 + suffix;
    }
    ends(text, place).then_some(place)
}

/// RFC 4291 text form: eight groups, or fewer around one `::`; a zone or prefix length may follow.
pub fn ip6(text: &[u8], at: usize) -> Option<usize> {
    let mut place = at;
    let mut groups = 0;
    let mut gap = false;
    loop {
        let length = hex_digits(text, place, 5);
        if length > 4 {
            return None;
        }
        if length > 0 {
            groups += 1;
            // The last 32 bits may be a dotted quad.
            if groups > 1
                && is(text, place + length, b'.')
                && let Some(end) = ip4(text, place)
            {
                return (gap || groups == 7).then_some(end);
            }
        }
        place += length;
        if !is(text, place, b':') || groups == 8 {
            break;
        }
        if is(text, place + 1, b':') {
            if gap {
                return None;
            }
            gap = true;
            place += 2;
            if hex_digits(text, place, 1) == 0 {
                break;
            }
        } else if length > 0 && hex_digits(text, place + 1, 1) == 1 {
            place += 1;
        } else {
            break;
        }
    }
    if !(groups == 8 && !gap || gap && (1..8).contains(&groups)) {
        return None;
    }
    if is(text, place, b'%') {
        place += 1 + run(text, place + 1, 15, is_word);
    } else if is(text, place, b'/') {
        place += 1 + digits(text, place + 1, 3);
    }
    ends(text, place).then_some(place)
}

fn hex_literal(text: &[u8], at: usize) -> Option<usize> {
    if !(is(text, at, b'0') && (is(text, at + 1, b'x') || is(text, at + 1, b'X'))) {
        return None;
    }
    let length = hex_digits(text, at + 2, 64);
    (length > 0 && ends(text, at + 2 + length)).then_some(at + 2 + length)
}

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
const DAYS: [&[u8]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];

fn named(text: &[u8], at: usize, names: &[&[u8]]) -> Option<usize> {
    let word = text.get(at..at + 3)?;
    names.iter().any(|name| word.eq_ignore_ascii_case(name)).then_some(at + 3)
}

/// A date, a time of day, or both, in any of the usual spellings.
fn time(text: &[u8], at: usize) -> Option<usize> {
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

/// A number with groups, fraction or exponent, and the unit that touches it: `1,234.5`, `12ms`, `1h30m`, `4.0K`.
fn quantity(text: &[u8], at: usize) -> Option<(Mask, usize)> {
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

/// Where the URL ends whose scheme starts at `at`.
pub fn url(text: &[u8], at: usize) -> Option<usize> {
    let scheme = run(text, at, 16, |byte| byte.is_ascii_alphanumeric() || byte == b'+');
    if scheme < 2 || text.get(at + scheme..at + scheme + 3) != Some(b"://") {
        return None;
    }
    let start = at + scheme + 3;
    let length = run(text, start, usize::MAX, |byte| {
        !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`' | b'|' | b'{' | b'}')
    });
    Some(trim(text, start, start + length))
}

/// Where the mail address ends that starts at `at`. Linear only if asked once for each run of address bytes.
pub fn mail(text: &[u8], at: usize) -> Option<usize> {
    let local =
        run(text, at, 64, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-'));
    if local == 0 || !is(text, at + local, b'@') {
        return None;
    }
    let start = at + local + 1;
    let length = run(text, start, 255, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let end = trim(text, start, start + length);
    let domain = text.get(start..end)?;
    (domain.contains(&b'.') && domain.first()?.is_ascii_alphanumeric() && ends(text, end)).then_some(end)
}

/// Where the path ends that starts at `at` with `/`, `~/`, `C:\` or `\`.
pub fn path(text: &[u8], at: usize) -> Option<usize> {
    let first = *text.get(at)?;
    let (body, windows) = match first {
        b'/' => (at + 1, false),
        b'~' if is(text, at + 1, b'/') => (at + 2, false),
        b'\\' => (at + if is(text, at + 1, b'\\') { 2 } else { 1 }, true),
        _ if first.is_ascii_alphabetic() && is(text, at + 1, b':') && is(text, at + 2, b'\\') => (at + 3, true),
        _ => return None,
    };
    let start = *text.get(body)?;
    if !(is_word(start) || matches!(start, b'.' | b'_' | b'~' | b'%' | b'$' | b'-')) {
        return None;
    }
    // An address behind a slash is an address: Java prints `host/10.0.0.1:80`.
    if first == b'/' && (ip4(text, body).is_some_and(|end| !is(text, end, b'/'))) {
        return None;
    }
    let length = run(text, body, usize::MAX, |byte| {
        is_word(byte)
            || matches!(
                byte,
                b'/' | b'.' | b'_' | b'-' | b'~' | b'+' | b'%' | b'@' | b':' | b'=' | b'$' | b'?' | b'&' | b'#' | b'*'
            )
            || windows && byte == b'\\'
    });
    Some(trim(text, body, body + length))
}

/// Takes the punctuation of the sentence off the end of a value.
fn trim(text: &[u8], start: usize, end: usize) -> usize {
    let value = text.get(start..end).unwrap_or_default();
    start
        + value
            .iter()
            .rposition(|byte| !matches!(byte, b'.' | b',' | b':' | b';' | b'!' | b'?' | b')' | b']'))
            .map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(Mask, &str)>) {
        let found = value(text.as_bytes(), 0).map(|(mask, end)| (mask, &text[..end]));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn addresses() {
        check("10.0.0.1", Some((Mask::Ip, "10.0.0.1")));
        check("10.0.0.1:8080, x", Some((Mask::Ip, "10.0.0.1:8080")));
        check("10.0.0.0/8", Some((Mask::Ip, "10.0.0.0/8")));
        check("1.2.3.4.5", Some((Mask::Num, "1.2.3.4.5")));
        check("fe80::1%eth0 x", Some((Mask::Ip, "fe80::1%eth0")));
        check("2001:db8:0:0:0:0:0:1", Some((Mask::Ip, "2001:db8:0:0:0:0:0:1")));
        check("::ffff:10.0.0.1", Some((Mask::Ip, "::ffff:10.0.0.1")));
        check("add::foo", None);
        check("00:1b:44:11:3a:b7", Some((Mask::Mac, "00:1b:44:11:3a:b7")));
        check("00-1B-44-11-3A-B7)", Some((Mask::Mac, "00-1B-44-11-3A-B7")));
        check("123e4567-e89b-12d3-a456-426614174000", Some((Mask::Uuid, "123e4567-e89b-12d3-a456-426614174000")));
    }

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

    #[track_caller]
    fn check_end(recognize: fn(&[u8], usize) -> Option<usize>, text: &str, expected: Option<&str>) {
        assert_eq!(recognize(text.as_bytes(), 0).map(|end| &text[..end]), expected, "{text}");
    }

    #[test]
    fn names_of_places() {
        check_end(url, "https://a.b/c?d=e), f", Some("https://a.b/c?d=e"));
        check_end(url, "http:/x", None);
        check_end(mail, "a.b+c@example.org.", Some("a.b+c@example.org"));
        check_end(mail, "root@localhost", None);
        check_end(path, "/var/log/syslog: x", Some("/var/log/syslog"));
        check_end(path, "/10.1.2.3:50010", None);
        check_end(path, r"C:\Windows\x.dll,", Some(r"C:\Windows\x.dll"));
        check_end(path, "/", None);
        check_end(path, "~/.ssh/config", Some("~/.ssh/config"));
    }
}
