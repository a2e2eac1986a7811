//! Is there a value at this place of a message, and where does it end? Recognizers for addresses, times, quantities and
//! names of places; each looks at a bounded number of bytes or at bytes that become part of the value. *Not here:* what
//! is masked (scan).

mod address;
mod calendar;
mod quantity;
mod unit;
mod place;

pub use address::{bracketed, ip6, unspecified};
pub use place::{mail, path, quoted_path, url};
pub use unit::unit;

use super::mask::Mask;

/// Any value that starts at `at` with a digit or a letter, longest reading first. `word` is the length of the word there.
pub fn value(text: &[u8], at: usize, word: usize) -> Option<(Mask, usize)> {
    let first = *text.get(at)?;
    if first.is_ascii_alphabetic() {
        // Only what has a hexadecimal digit up front and goes on behind the word, or names of the calendar.
        let goes_on = match text.get(at + word) {
            Some(b':' | b'-') => first.is_ascii_hexdigit(),
            Some(b'.') => word == 4 && first.is_ascii_hexdigit(),
            _ => false,
        };
        if let Some(found) = if goes_on { address(text, at) } else { None } {
            return Some(found);
        }
        if calendar::MAY_NAME.contains(&word)
            && let Some(end) = calendar::time(text, at)
        {
            return Some((Mask::Time, end));
        }
        return if first == b'P' { Some((Mask::Dur, quantity::iso_duration(text, at)?)) } else { None };
    }
    if !first.is_ascii_digit() {
        return None;
    }
    if let Some(found) = address(text, at) {
        return Some(found);
    }
    if let Some(end) = calendar::time(text, at) {
        return Some((Mask::Time, end));
    }
    if let Some(end) = hex_literal(text, at) {
        return Some((Mask::Hex, end));
    }
    quantity::quantity(text, at)
}

/// Where the time ends that something took less than, behind the `<` at `at`: `<1 sec`, `<5ms`.
pub fn less_than(text: &[u8], at: usize) -> Option<usize> {
    let start = at + 1;
    let (mask, end) = match text.get(start)? {
        b'<' => Mask::at(text, start)?,
        first => {
            let start = start + usize::from(matches!(first, b'+' | b'-'));
            let word = word_length(text, start);
            // As long as a number may be, it is one.
            let number = || (word > 0 && digits(text, start, word) == word).then_some((Mask::Num, start + word));
            if !text.get(start)?.is_ascii_digit() {
                return None;
            }
            value(text, start, word).or_else(number)?
        }
    };
    match mask {
        Mask::Dur => Some(end),
        Mask::Num if is(text, end, b' ') => quantity::duration_unit(text, end + 1),
        _ => None,
    }
}

fn address(text: &[u8], at: usize) -> Option<(Mask, usize)> {
    if let Some(end) = address::uuid(text, at) {
        return Some((Mask::Uuid, end));
    }
    if let Some(found) = address::mac(text, at) {
        return Some(found);
    }
    let end = address::ip4(text, at).or_else(|| ip6(text, at))?;
    Some((Mask::Ip, end))
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

/// Length of the word at `at`.
pub fn word_length(text: &[u8], at: usize) -> usize {
    run(text, at, usize::MAX, is_word)
}

fn is(text: &[u8], at: usize, byte: u8) -> bool {
    text.get(at) == Some(&byte)
}

/// No word goes on at `at`. A placeholder does: it stands for a value that touched.
fn ends(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        Some(b'<') => Mask::at(text, at).is_none(),
        Some(byte) => !is_word(*byte),
        None => true,
    }
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
        let found = value(text.as_bytes(), 0, word_length(text.as_bytes(), 0)).map(|(mask, end)| (mask, &text[..end]));
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
