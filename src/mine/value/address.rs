//! Network and machine addresses. Must not resolve or judge them.

use super::{digits, ends, hex_digits, is, is_word, run};
use crate::mine::mask::Mask;

/// Pairs of hexadecimal digits that are looked at together.
const MAX_PAIRS: usize = 64;

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

/// Six or eight pairs of hexadecimal digits (EUI-48, EUI-64), or the fourteen that a packet filter logs; three groups of
/// four, as switches write it. As many pairs as no address has are a fingerprint.
pub(super) fn mac(text: &[u8], at: usize) -> Option<(Mask, usize)> {
    let separator = *text.get(at + 2)?;
    if separator != b':' && separator != b'-' {
        return Some((Mask::Mac, dotted_mac(text, at)?));
    }
    let mut place = at;
    let mut pairs = 0;
    while pairs < MAX_PAIRS && hex_digits(text, place, 3) == 2 {
        pairs += 1;
        place += 2;
        if !is(text, place, separator) || hex_digits(text, place + 1, 1) == 0 {
            break;
        }
        place += 1;
    }
    match pairs {
        6 | 8 | 14 | 20 if ends_group(text, place) => Some((Mask::Mac, place)),
        // What goes on behind so many is read anew: nothing is looked at twice.
        MAX_PAIRS => Some((Mask::Hex, at + 3 * MAX_PAIRS - 1)),
        7.. if ends_group(text, place) => Some((Mask::Hex, place)),
        _ => None,
    }
}

fn dotted_mac(text: &[u8], at: usize) -> Option<usize> {
    let is_group = |place| hex_digits(text, place, 5) == 4;
    let end = at + 14;
    let groups =
        is_group(at) && is(text, at + 4, b'.') && is_group(at + 5) && is(text, at + 9, b'.') && is_group(at + 10);
    let letters = text.get(at..end)?.iter().any(u8::is_ascii_alphabetic);
    let goes_on = is(text, end, b'.') && !ends(text, end + 1);
    (groups && letters && ends(text, end) && !goes_on).then_some(end)
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
    let end = place + 1 + suffix;
    // Not the first number of another address: `10.0.0.1/10.0.0.2`.
    let dotted = is(text, end, b'.') && digits(text, end + 1, 1) == 1;
    if (1..=5).contains(&suffix) && ends(text, end) && !dotted {
        place = end;
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

/// A port and the address in brackets in front of it: `[::1]:80`.
pub fn bracketed(text: &[u8], at: usize) -> Option<usize> {
    let unspecified = || (text.get(at + 1..at + 4)? == b"::]").then_some(at + 3);
    let end = ip6(text, at + 1).or_else(unspecified).filter(|end| is(text, *end, b']'))?;
    port(text, end + 1)
}

/// As `netstat` writes any address and a port: `:::80`.
pub fn unspecified(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at..at + 2)? == b"::" { port(text, at + 2) } else { None }
}

/// Where the port ends whose colon is at `at`.
fn port(text: &[u8], at: usize) -> Option<usize> {
    let length = if is(text, at, b':') { digits(text, at + 1, 6) } else { 0 };
    ((1..=5).contains(&length) && ends_group(text, at + 1 + length)).then_some(at + 1 + length)
}

/// No further group follows, recognized or not.
fn ends_group(text: &[u8], at: usize) -> bool {
    ends(text, at) && !((is(text, at, b':') || is(text, at, b'-')) && !ends(text, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
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
        check("10.0.0.1/10.0.0.2", Some((Mask::Ip, "10.0.0.1")));
        check("10.0.0.1/24.", Some((Mask::Ip, "10.0.0.1/24")));
        assert_eq!(bracketed(b"[::1]:80,", 0), Some(8));
        assert_eq!(bracketed(b"[fe80::1%25eth0]:80", 0), Some(19));
        assert_eq!(bracketed(b"[::]:22", 0), Some(7));
        assert_eq!(bracketed(b"[::1]", 0), None);
        assert_eq!(bracketed(b"[::1]:x", 0), None);
        assert_eq!(unspecified(b":::80 x", 0), Some(5));
        assert_eq!(unspecified(b":::1:2", 0), None);
        check("00:1b:44:11:3a:b7", Some((Mask::Mac, "00:1b:44:11:3a:b7")));
        check("00-1B-44-11-3A-B7)", Some((Mask::Mac, "00-1B-44-11-3A-B7")));
        check("001b.4411.3ab7", Some((Mask::Mac, "001b.4411.3ab7")));
        check("aabb.ccdd.eeff.", Some((Mask::Mac, "aabb.ccdd.eeff")));
        check("aabb.ccdd.eeff.gg", None);
        let fingerprint = "aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99";
        check(fingerprint, Some((Mask::Hex, fingerprint)));
        let long = "a1:".repeat(70);
        check(&long, Some((Mask::Hex, &long[..191])));
        check("123e4567-e89b-12d3-a456-426614174000", Some((Mask::Uuid, "123e4567-e89b-12d3-a456-426614174000")));
    }
}
