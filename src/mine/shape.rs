//! The cheap key of a message: a keyed hash in which every word with a digit looks the same. Messages of one shape read
//! the same to `scan`, up to the type of a value. Must not allocate or look at anything but the bytes.

use super::classify::{Classes, classify};
use super::hash::Keys;

/// The shape of the bytes. Words are as in `scan`: of a word with digits the whole is left out, or only its digits if
/// letters come first and digits last (`eth0`) and the letters are not all hexadecimal.
#[inline]
pub fn shape(bytes: &[u8], keys: &Keys) -> u64 {
    let mut state = 0;
    // Where the text begins that is not hashed yet, and the window.
    let mut run = 0;
    let mut at = 0;
    while at < bytes.len() {
        let (classes, length) = window(bytes, at);
        let last = at + length == bytes.len();
        // A word that the window cuts is left for the next one, which begins with it.
        let cut = if last { 0 } else { (!classes.word).leading_zeros() as usize };
        let end = 64 - cut;
        if end == 0 {
            let (word_end, digits) = long_word(bytes, at);
            if digits {
                state = keys.run(state, bytes, run, at);
                run = word_end;
            }
            at = word_end;
            continue;
        }
        let mut digits = classes.digit & (u64::MAX >> cut);
        while digits != 0 {
            let first = digits.trailing_zeros();
            let others = !classes.word;
            let word = 64 - (others & !(u64::MAX << first)).leading_zeros();
            let word_end = (others & (u64::MAX << first)).trailing_zeros();
            let whole = between(word, word_end);
            let from_digit = between(first, word_end);
            let only_digits_left = from_digit & !classes.digit == 0;
            let all_hexadecimal = whole & !classes.hexadecimal == 0;
            let from = if only_digits_left && !all_hexadecimal { first } else { word };
            state = keys.run(state, bytes, run, at + from as usize);
            run = at + word_end as usize;
            digits &= !from_digit;
        }
        at += end;
    }
    keys.run(state, bytes, run, bytes.len())
}

/// Bits `from..to`; `from` is below 64 and below `to`.
#[inline(always)]
fn between(from: u32, to: u32) -> u64 {
    (u64::MAX << from) & (u64::MAX >> (64 - to))
}

/// Classes of up to 64 bytes from `at`, and how many there are.
#[inline(always)]
fn window(bytes: &[u8], at: usize) -> (Classes, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(full) = rest.first_chunk::<64>() {
        return (classify(full), 64);
    }
    if let Some(last) = bytes.last_chunk::<64>() {
        // Reads bytes before the window again, to read whole.
        let skip = 64 - rest.len();
        let found = classify(last);
        let (digit, word, hexadecimal) = (found.digit >> skip, found.word >> skip, found.hexadecimal >> skip);
        return (Classes { digit, word, hexadecimal, ..found }, rest.len());
    }
    let mut padded = [0; 64];
    if let Some(start) = padded.get_mut(..rest.len()) {
        start.copy_from_slice(rest);
    }
    (classify(&padded), rest.len())
}

/// A word that fills a window: where it ends and whether it has digits.
#[cold]
fn long_word(bytes: &[u8], at: usize) -> (usize, bool) {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = rest.iter().take_while(|byte| super::value::is_word(**byte)).count();
    (at + length, rest.iter().take(length).any(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> u64 {
        shape(text.as_bytes(), &Keys::new(1))
    }

    #[track_caller]
    fn check_same(left: &str, right: &str) {
        assert_eq!(of(left), of(right), "{left} | {right}");
    }

    #[track_caller]
    fn check_different(left: &str, right: &str) {
        assert_ne!(of(left), of(right), "{left} | {right}");
    }

    #[test]
    fn digits_do_not_count() {
        check_same("port 22", "port 50022");
        check_same("from 10.0.0.1 port 1", "from 192.168.100.200 port 22222");
        check_same("id 00ff", "id 1234");
        check_same("eth0 up", "eth12 up");
        check_same("1", "2");
        check_same("a 1 b", "a 22222222222222222222222222222222222222222222222222222222222222222222222222 b");
    }

    #[test]
    fn everything_else_does() {
        check_different("eth0 up", "wlan0 up");
        check_different("port 22", "port  22");
        check_different("a 1", "a");
        check_different("a 1 b", "a b");
        check_different("", " ");
        check_different("user a", "user b");
        check_different("1 1", "1");
    }

    /// What the windows do, in the plainest way: one word at a time.
    fn skeleton(text: &[u8]) -> Vec<Vec<u8>> {
        let mut runs = vec![Vec::new()];
        let mut at = 0;
        while at < text.len() {
            let length = text[at..].iter().take_while(|byte| crate::mine::value::is_word(**byte)).count().max(1);
            let word = &text[at..at + length];
            let keep = match word.iter().position(u8::is_ascii_digit) {
                None => length,
                Some(first)
                    if length < 64
                        && word[first..].iter().all(u8::is_ascii_digit)
                        && !word.iter().all(u8::is_ascii_hexdigit) =>
                {
                    first
                }
                Some(_) => 0,
            };
            runs.last_mut().expect("never empty").extend_from_slice(&word[..keep]);
            if keep < length {
                runs.push(Vec::new());
            }
            at += length;
        }
        runs
    }

    proptest! {
        #[test]
        fn windows_do_not_show(text in "([a-z0-9]{0,90}[ .:é]{1,3}){0,6}[a-z0-9]{0,70}") {
            let keys = Keys::new(7);
            let runs = skeleton(text.as_bytes());
            let plain = runs.iter().fold(0, |state, run| keys.run(state, run, 0, run.len()));
            prop_assert_eq!(shape(text.as_bytes(), &keys), plain);
        }
    }
}
