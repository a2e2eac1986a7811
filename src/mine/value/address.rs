//! Network and machine addresses. Must not resolve or judge them.

use super::{digits, ends, hex_digits, is, is_word, run};

/// RFC 9562: five groups of hexadecimal digits.
pub(super) fn uuid(text: &[u8], at: usize) -> Option<usize> {
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
pub(super) fn mac(text: &[u8], at: usize) -> Option<usize> {
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
    (matches!(pairs, 6 | 8 | 14 | 20) && ends_group(text, place)).then_some(place)
}

/// Dotted quad, with its port or prefix length if they follow at once.
pub(super) fn ip4(text: &[u8], at: usize) -> Option<usize> {
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
    ends_group(text, place).then_some(place)
}

/// No further group follows, recognized or not.
fn ends_group(text: &[u8], at: usize) -> bool {
    ends(text, at) && !((is(text, at, b':') || is(text, at, b'-')) && !ends(text, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::mask::Mask;
    use crate::mine::value::tests::check;

    #[test]
    fn addresses() {
        check("10.0.0.1", Some((Mask::Ip, "10.0.0.1")));
        check("10.0.0.1:8080, x", Some((Mask::Ip, "10.0.0.1:8080")));
        check("10.0.0.0/8", Some((Mask::Ip, "10.0.0.0/8")));
        check("1.2.3.4.5", Some((Mask::Num, "1.2.3.4.5")));
        check("fe80::1%eth0 x", Some((Mask::Ip, "fe80::1%eth0")));
        check("2001:db8:0:0:0:0:0:1", Some((Mask::Ip, "2001:db8:0:0:0:0:0:1")));
        assert_eq!(ip6(b"::ffff:10.0.0.1", 0), Some(15));
        assert_eq!(ip6(b"::1 x", 0), Some(3));
        assert_eq!(ip6(b"::", 0), None);
        check("add::foo", None);
        check("00:1b:44:11:3a:b7", Some((Mask::Mac, "00:1b:44:11:3a:b7")));
        check("00-1B-44-11-3A-B7)", Some((Mask::Mac, "00-1B-44-11-3A-B7")));
        check("123e4567-e89b-12d3-a456-426614174000", Some((Mask::Uuid, "123e4567-e89b-12d3-a456-426614174000")));
    }
}
