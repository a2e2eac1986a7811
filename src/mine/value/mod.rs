//! Is there a value at this place of a message, and where does it end? Recognizers for addresses, times, quantities and
//! names of places; each looks at a bounded number of bytes or at bytes that become part of the value. *Not here:* what
//! is masked (scan).

mod address;
mod calendar;
mod quantity;
mod place;

pub use address::ip6;
pub use place::{mail, path, url};

use super::mask::Mask;

/// Any value that starts with a digit, a hexadecimal letter or a name of the calendar, longest reading first.
pub fn value(text: &[u8], at: usize) -> Option<(Mask, usize)> {
    if let Some(end) = address::uuid(text, at) {
        return Some((Mask::Uuid, end));
    }
    if let Some(end) = address::mac(text, at) {
        return Some((Mask::Mac, end));
    }
    if let Some(end) = address::ip4(text, at).or_else(|| ip6(text, at)) {
        return Some((Mask::Ip, end));
    }
    if let Some(end) = calendar::time(text, at) {
        return Some((Mask::Time, end));
    }
    if let Some(end) = hex_literal(text, at) {
        return Some((Mask::Hex, end));
    }
    quantity::quantity(text, at)
}

fn hex_literal(text: &[u8], at: usize) -> Option<usize> {
    if !(is(text, at, b'0') && (is(text, at + 1, b'x') || is(text, at + 1, b'X'))) {
        return None;
    }
    let length = hex_digits(text, at + 2, 64);
    (length > 0 && ends(text, at + 2 + length)).then_some(at + 2 + length)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    pub fn check(text: &str, expected: Option<(Mask, &str)>) {
        let found = value(text.as_bytes(), 0).map(|(mask, end)| (mask, &text[..end]));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_longest_reading_wins() {
        check("0xDEADbeef", Some((Mask::Hex, "0xDEADbeef")));
        check("0xyz", None);
        check("10.0.0.1", Some((Mask::Ip, "10.0.0.1")));
        check("10:20:30", Some((Mask::Time, "10:20:30")));
        check("10:20:30:40:50:60", Some((Mask::Mac, "10:20:30:40:50:60")));
        check("10-20", Some((Mask::Num, "10")));
        check("", None);
    }
}
