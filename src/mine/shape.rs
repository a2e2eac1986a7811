//! The cheap key of a text: a keyed hash in which every word with a digit looks the same. Messages of one shape read the
//! same to `scan`, up to the type of a value. Must not allocate or look at anything but the bytes.
//!
//! 64 bytes at a time: which bytes stay is told by shifts and additions on one bit a byte, they are packed one behind
//! the other, and what is packed is hashed. Hardly any branch depends on the text: lengths of words are what a processor
//! predicts worst.

use super::classify::PACK_ROOM;
use super::hash::Keys;
use super::scan::MAX_BYTES;
use super::widest::{self, Vectors, Work};

/// A number of up to so many digits is told from other words with digits, where it comes first: it may be a pid.
const NUMBER_MAX: u32 = 9;
/// The first word with a digit is told to be a number or not where it begins in front of this many bytes.
pub const NUMBER_WITHIN: usize = 48;
// It is all in the first window then.
const _: () = assert!(NUMBER_WITHIN + (NUMBER_MAX as usize) < 64);

/// Finds shapes. Kept for its room.
#[derive(Debug)]
pub struct Shaper {
    keys: Keys,
    /// What is kept of a text.
    packed: Vec<u8>,
}

/// What a text looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Words are as in `scan`: of a word with digits the whole is left out, or only its digits if letters come first and
    /// digits last (`eth0`) and the letters are not all hexadecimal.
    pub hash: u64,
    pub is_ascii: bool,
    /// A word has 64 bytes or more. With a digit in it, all of it is left out.
    pub has_long_word: bool,
    /// The first word with a digit is a number of up to [`NUMBER_MAX`] digits that begins within [`NUMBER_WITHIN`] bytes.
    pub begins_with_number: bool,
}

impl Shaper {
    pub fn new(keys: Keys) -> Shaper {
        Shaper { keys, packed: vec![0; MAX_BYTES + PACK_ROOM] }
    }

    /// The shape of up to [`MAX_BYTES`] bytes; of a longer text that of its start.
    pub fn shape(&mut self, bytes: &[u8]) -> Shape {
        self.shape_within(bytes, 0, bytes.len(), 0)
    }

    /// The shape of `bytes[from..to]`, where neither end cuts a word. Of words that end within the first `exact` bytes
    /// every byte and the place of every digit counts.
    pub fn shape_within(&mut self, bytes: &[u8], from: usize, to: usize, exact: usize) -> Shape {
        widest::run(One { shaper: self, bytes, from, to, exact })
    }

    /// The same, for who has vectors already.
    #[inline(always)]
    pub fn shape_by<V: Vectors>(&mut self, bytes: &[u8], from: usize, to: usize, exact: usize, vectors: V) -> Shape {
        let to = to.min(bytes.len()).min(from + MAX_BYTES);
        let mut shape = Shape { hash: 0, is_ascii: true, has_long_word: false, begins_with_number: false };
        let mut length = 0;
        let mut at = from;
        if exact > 0 {
            (at, length) = self.exact_start(bytes, from, to.min(from + exact), to, vectors);
            shape.is_ascii = bytes.get(from..at).unwrap_or_default().is_ascii();
        }
        let start = at;
        let mut foreign = 0;
        while at < to {
            let left = to - at;
            let padded;
            let window = match bytes.get(at..).and_then(|rest| rest.first_chunk::<64>()) {
                Some(window) => window,
                None => {
                    padded = last_window(bytes, at);
                    &padded
                }
            };
            let (classes, marked) = vectors.classify(window);
            let within = u64::MAX >> (64 - left.min(64));
            let word = classes.word & within;
            if at == from {
                shape.begins_with_number = begins_with_number(word, classes.digit & within);
            }
            // A word that the window cuts is left for the next one, which begins with it.
            let reach = if left < 64 { left as u32 } else { 64 - (!word).leading_zeros() };
            if reach == 0 {
                shape.has_long_word = true;
                at += self.long_word(bytes, at, to, &mut length, &mut shape.is_ascii);
                continue;
            }
            let within = u64::MAX >> (64 - reach);
            let word = word & within;
            let digit = classes.digit & within;
            foreign |= classes.foreign & within;
            // Adding a digit to its word carries to the end of the word: all bits from there on change, but for those of
            // further digits.
            let behind = word & (!word.wrapping_add(digit) | digit);
            let first = behind & !(behind << 1);
            let starts = word & !(word << 1);
            let mut gone = behind;
            let mut inner = first & !starts;
            // Letters in front of a digit.
            while inner != 0 {
                gone |= front(word, classes.hexadecimal, digit, inner.trailing_zeros());
                inner &= inner - 1;
            }
            // Of each of these words one digit stays, for where it was.
            self.pack(marked, within & !gone | first, &mut length, vectors);
            at += reach as usize;
        }
        shape.is_ascii &= foreign == 0;
        shape.hash = self.keys.run_from_start((start - from) as u64, &self.packed, length);
        shape
    }

    /// Packs all words that end in front of `exact`, and returns where the next one begins and how much was packed.
    #[inline(always)]
    fn exact_start<V: Vectors>(
        &mut self,
        bytes: &[u8],
        from: usize,
        exact: usize,
        to: usize,
        vectors: V,
    ) -> (usize, usize) {
        let mut length = 0;
        let mut at = from;
        while at < exact {
            let left = (exact - at).min(64);
            let padded;
            let window = match bytes.get(at..).and_then(|rest| rest.first_chunk::<64>()) {
                Some(window) => window,
                None => {
                    padded = last_window(bytes, at);
                    &padded
                }
            };
            let within = u64::MAX >> (64 - left);
            let (classes, marked) = vectors.classify(window);
            let others = !classes.word & within;
            let reach = if at + left == to { left as u32 } else { 64 - others.leading_zeros() };
            if reach == 0 {
                break;
            }
            self.pack(marked, u64::MAX >> (64 - reach), &mut length, vectors);
            at += reach as usize;
        }
        (at, length)
    }

    #[inline(always)]
    fn pack<V: Vectors>(&mut self, marked: V::Marked, keep: u64, length: &mut usize, vectors: V) {
        if let Some(room) = self.packed.get_mut(*length..).and_then(|room| room.first_chunk_mut::<PACK_ROOM>()) {
            *length += vectors.pack(marked, keep, room);
        }
    }

    /// A word that fills a window: returns its length.
    #[cold]
    #[inline(never)]
    fn long_word(&mut self, bytes: &[u8], at: usize, to: usize, length: &mut usize, is_ascii: &mut bool) -> usize {
        let rest = bytes.get(at..to).unwrap_or_default();
        let end = rest.iter().position(|byte| !super::value::is_word(*byte)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        let kept = if word.iter().any(u8::is_ascii_digit) { &[super::classify::DIGIT] } else { word };
        if let Some(room) = self.packed.get_mut(*length..*length + kept.len()) {
            room.copy_from_slice(kept);
            *length += kept.len();
        }
        *is_ascii &= word.is_ascii();
        end
    }
}

struct One<'s> {
    shaper: &'s mut Shaper,
    bytes: &'s [u8],
    from: usize,
    to: usize,
    exact: usize,
}

impl Work for One<'_> {
    type Output = Shape;

    #[inline(always)]
    fn run<V: Vectors>(self, vectors: V) -> Shape {
        self.shaper.shape_by(self.bytes, self.from, self.to, self.exact, vectors)
    }
}

/// The letters in front of the first digit of a word, at `digit_at`, if they are left out with it.
#[inline(always)]
fn front(word: u64, hexadecimal: u64, digit: u64, digit_at: u32) -> u64 {
    let from_digit = u64::MAX << digit_at;
    let before = u64::MAX >> (64 - digit_at);
    let letters = before & (u64::MAX << (64 - (!word & before).leading_zeros()));
    let end = !word & from_digit;
    // The bits up to the lowest one of `end`, without it.
    let behind = from_digit & (end ^ end.wrapping_sub(1)) & !end;
    let stays = behind & !digit == 0 && letters & !hexadecimal != 0;
    if stays { 0 } else { letters }
}

/// Of the first window of a text.
#[inline(always)]
fn begins_with_number(word: u64, digit: u64) -> bool {
    let first = digit.trailing_zeros();
    if first as usize >= NUMBER_WITHIN {
        return false;
    }
    let behind = word >> first;
    let length = (!(digit >> first)).trailing_zeros();
    // The bits of the word bytes in front and behind.
    let before = (word << 1 >> first) & 1;
    length <= NUMBER_MAX && before | (behind >> length & 1) == 0
}

/// What is left of the bytes at `at`, and zeros.
#[inline(never)]
fn last_window(bytes: &[u8], at: usize) -> [u8; 64] {
    let rest = bytes.get(at..).unwrap_or_default();
    let mut padded = [0; 64];
    if let Some(start) = padded.get_mut(..rest.len()) {
        start.copy_from_slice(rest);
    }
    padded
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mine::classify::DIGIT;
    use crate::mine::value::is_word;

    fn of(text: &str) -> u64 {
        Shaper::new(Keys::new(1)).shape(text.as_bytes()).hash
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
        check_same("id ff00", "id 1234");
        check_same("a1b2", "x9y");
        check_same("eth0 up", "eth12 up");
        check_same("1", "2");
        check_same("a 1 b", "a 22222222222222222222222222222222222222222222222222222222222222222222222222 b");
    }

    #[test]
    fn everything_else_does() {
        check_different("eth0 up", "wlan0 up");
        check_different("eth0 up", "eth up");
        check_different("eth0 up", "eth0a up");
        check_different("port 22", "port  22");
        check_different("a 1", "a");
        check_different("a 1 b", "a b");
        check_different("a \0 b", "a 1 b");
        check_different("", " ");
        check_different("user a", "user b");
        check_different("1 1", "1");
    }

    /// What the windows do, in the plainest way: one word at a time.
    pub fn plain(text: &[u8], keys: &Keys) -> Shape {
        let (kept, long, number) = kept_of(text);
        Shape {
            hash: keys.run(0, &kept, 0, kept.len()),
            is_ascii: text.is_ascii(),
            has_long_word: long,
            begins_with_number: number,
        }
    }

    fn kept_of(text: &[u8]) -> (Vec<u8>, bool, bool) {
        let mut kept = Vec::new();
        let mut number = None;
        let mut long = false;
        let mut at = 0;
        while at < text.len() {
            let length = text[at..].iter().take_while(|byte| is_word(**byte)).count();
            let word = &text[at..at + length.max(1)];
            long |= word.len() >= 64;
            match word.iter().position(u8::is_ascii_digit) {
                None => kept.extend_from_slice(word),
                Some(first) => {
                    let is_number = word.len() <= 9 && word.iter().all(u8::is_ascii_digit);
                    number.get_or_insert(is_number && at < NUMBER_WITHIN);
                    let is_name = word[first..].iter().all(u8::is_ascii_digit)
                        && !word.iter().all(u8::is_ascii_hexdigit)
                        && word.len() < 64;
                    kept.extend_from_slice(if is_name { &word[..first] } else { b"" });
                    kept.push(DIGIT);
                }
            }
            at += word.len();
        }
        (kept, long, number == Some(true))
    }

    /// The shape of a text that stands somewhere in a block.
    fn within(text: &[u8], before: usize, behind: &[u8]) -> Shape {
        let block = [&b" ".repeat(before), text, b"\n", behind].concat();
        let mut shaper = Shaper::new(Keys::new(9));
        // What a longer text left must not show.
        shaper.shape(&[b'7', b'-'].repeat(500));
        shaper.shape_within(&block, before, before + text.len(), 0)
    }

    #[test]
    fn every_length_at_every_place() {
        let keys = Keys::new(9);
        let text =
            b"sshd[1234]: a1b2 eth0 up; 10.0.0.1:22 deadbeef1 v2 (x) 99 bottles of beer_7 on host-3a, 0x1f \t Z9";
        for length in 0..=text.len() {
            let start = &text[..length];
            for before in 0..70 {
                assert_eq!(within(start, before, b""), plain(start, &keys), "{length} at {before}");
            }
            assert_eq!(within(start, 3, &[b'5'; 100]), plain(start, &keys), "{length} in front of digits");
        }
    }

    #[test]
    fn words_of_every_length() {
        let keys = Keys::new(9);
        for length in 0..200 {
            for word in ["a", "9", "f", "\u{e9}", "zzzzzzzzz9", "9a"] {
                let text = format!("x {} y7", word.repeat(length));
                assert_eq!(within(text.as_bytes(), 0, b""), plain(text.as_bytes(), &keys), "{text}");
            }
        }
    }

    #[test]
    fn only_the_start_of_a_long_text_counts() {
        let text = "ab 1 ".repeat(MAX_BYTES);
        let mut shaper = Shaper::new(Keys::new(9));
        assert_eq!(shaper.shape(text.as_bytes()), shaper.shape(&text.as_bytes()[..MAX_BYTES]));
    }

    #[test]
    fn a_first_number_is_told_from_another_word() {
        let begins = |text: &str| within(text.as_bytes(), 0, b"").begins_with_number;
        assert!(begins("a[1234]") && begins("a[123456789]") && begins("1 a1"));
        assert!(!begins("a[12f4]") && !begins("a[1234567890]") && !begins("a1") && !begins("a") && !begins(""));
        assert!(begins(&format!("{}1", " ".repeat(47))) && !begins(&format!("{}1", " ".repeat(48))));
    }

    /// The same where every digit counts in the first bytes.
    fn plain_behind(text: &[u8], exact: usize, keys: &Keys) -> u64 {
        let mut start = exact.min(text.len());
        while start < text.len() && start > 0 && is_word(text[start - 1]) {
            start -= 1;
        }
        let (start, rest) = text.split_at(start);
        let mut kept: Vec<u8> = start.iter().map(|byte| if byte.is_ascii_digit() { DIGIT } else { *byte }).collect();
        kept.extend(kept_of(rest).0);
        keys.run(start.len() as u64, &kept, 0, kept.len())
    }

    proptest! {
        #[test]
        fn digits_count_where_they_are_asked_to(
            text in "([a-z0-9]{0,30}[ .:\\[\\]\té]{1,3}){0,6}[a-fA-F0-9]{0,30}",
            before in 0_usize..100,
            exact in 0_usize..200,
        ) {
            // What has one is not remembered.
            prop_assume!(!kept_of(text.as_bytes()).1);
            let block = [&b" ".repeat(before), text.as_bytes(), b"\n"].concat();
            let shape = Shaper::new(Keys::new(9)).shape_within(&block, before, before + text.len(), exact);
            prop_assert_eq!(shape.hash, plain_behind(text.as_bytes(), exact, &Keys::new(9)));
        }

        #[test]
        fn windows_do_not_show(
            text in "([a-z0-9]{0,90}[ .:\\[\\]\té]{1,3}){0,6}[a-fA-F0-9]{0,70}",
            before in 0_usize..200,
            behind in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            prop_assert_eq!(within(text.as_bytes(), before, &behind), plain(text.as_bytes(), &Keys::new(9)));
        }

        #[test]
        fn any_bytes_have_a_shape(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(within(&bytes, 5, b"x"), plain(&bytes, &Keys::new(9)));
        }
    }
}
