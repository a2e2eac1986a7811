//! What the tails of lines were read as, by their shape: the tail of a line, from its tag on, with every word that has a
//! digit looking alike. Finer than `shape` is of the message in it: tails of one shape hold messages of one shape. Must
//! not know what the answers mean, or when one holds for all tails of a shape (`parse` does).

use std::num::NonZeroU64;

use super::hash::Keys;
use super::marks::{Marks, VIEW};
use super::table::Table;

/// Longest tail that has a shape. Far less than what a miner looks at of a message.
const TAIL_MAX: usize = 4_096;
/// A number of up to so many digits is told from other words with digits, where it comes first: it may be a pid.
const NUMBER_MAX: u32 = 9;
// What is promised to be in view, is.
const _: () = assert!(Tails::NUMBER_WITHIN + NUMBER_MAX as usize <= VIEW);

/// Numbers of the caller's by the shape of a tail, for a bounded number of shapes.
#[derive(Debug)]
pub struct Tails {
    keys: Keys,
    table: Table,
}

impl Tails {
    /// The first word with a digit is told to be a number or not where it begins in front of this many bytes.
    pub const NUMBER_WITHIN: usize = 48;

    /// `seed` keys the shapes; it must be that of [`super::Prepared`]. Room for `capacity` shapes, 16 bytes each.
    pub fn new(capacity: usize, seed: u64) -> Tails {
        Tails { keys: Keys::new(seed), table: Table::new(capacity) }
    }

    /// What was put for this shape in this context.
    #[inline]
    pub fn get(&mut self, shape: NonZeroU64, context: u64) -> Option<u32> {
        self.table.get(self.keys.join(shape.get(), context))
    }

    /// Remembers a number, below `u32::MAX`, for a shape that is not there.
    pub fn put(&mut self, shape: NonZeroU64, context: u64, number: u32) {
        self.table.put(self.keys.join(shape.get(), context), number);
    }
}

/// The shape of the tail `from..to` of a block, where neither end cuts a word; `None` where it has none: it is not
/// ASCII, too long, or has a word that is.
#[inline(always)]
pub fn tail_shape(bytes: &[u8], marks: &Marks, from: usize, to: usize, keys: &Keys) -> Option<NonZeroU64> {
    if to.wrapping_sub(from) > TAIL_MAX || !marks.is_ascii(from, to) {
        return None;
    }
    let mut state = 0;
    // Where the text begins that is not hashed yet, and the view.
    let mut run = from;
    let mut at = from;
    while at < to {
        let view = marks.view(at);
        let left = to - at;
        let last = left <= VIEW;
        // The end of the tail ends a word, whatever comes behind it.
        let others = !view.word | u64::from(last) << (left & 63);
        let letters_beyond_f = view.word & !view.hexadecimal;
        let reach = if last { left } else { 64 - (others & (u64::MAX >> (64 - VIEW))).leading_zeros() as usize };
        if reach == 0 {
            return None;
        }
        let mut digits = view.digit & (u64::MAX >> (64 - reach));
        // Every word with a digit ends within reach, so no shift is by more than a view.
        while digits != 0 {
            let first = digits.trailing_zeros() & 63;
            let above = u64::MAX << first;
            let word = 64 - (others & !above).leading_zeros();
            let word_end = (others & above).trailing_zeros() & 63;
            let behind = u64::MAX << word_end;
            let other_than_digits = above & !behind & !view.digit;
            let letters = u64::MAX << (word & 63) & !above & letters_beyond_f;
            let stay = other_than_digits == 0 && letters != 0;
            let keep_to = if stay { first } else { word };
            state = keys.run(state, bytes, run, at + keep_to as usize);
            run = at + word_end as usize;
            digits &= behind;
        }
        at += reach;
    }
    state = keys.run(state, bytes, run, to);
    let shape = keys.join(state, u64::from(begins_with_number(marks, from, to)));
    // One bit in 64 is not missed.
    NonZeroU64::new(shape | 1)
}

/// Whether the first digit of a tail begins a number of up to [`NUMBER_MAX`] digits that is a word of its own; only where
/// all of it is in view, and so always where it begins within [`Tails::NUMBER_WITHIN`].
#[inline(always)]
fn begins_with_number(marks: &Marks, from: usize, to: usize) -> bool {
    let view = marks.view(from);
    let first = view.digit.trailing_zeros();
    let length = (!(view.digit >> (first & 63))).trailing_zeros();
    // The bits of the word bytes before, of the digits and of what comes behind.
    let before = (view.word << 1 >> (first & 63)) & 1;
    let behind = view.word >> ((first + length) & 63) & 1;
    let within = VIEW.min(to - from + 1);
    first + length < within as u32 && length <= NUMBER_MAX && before | behind == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mine::prepare::Prepared;
    use crate::mine::value::is_word;

    /// The shape in the plainest way, one word at a time.
    fn plain(tail: &[u8], keys: &Keys) -> Option<NonZeroU64> {
        let mut runs = vec![Vec::new()];
        let mut number = None;
        let mut at = 0;
        while at < tail.len() {
            let length = tail[at..].iter().take_while(|byte| is_word(**byte)).count();
            let word = &tail[at..at + length.max(1)];
            let digit = word.iter().position(u8::is_ascii_digit);
            let keep = match digit {
                None => word.len(),
                Some(first) => {
                    let is_number = word.len() <= 9 && word.iter().all(u8::is_ascii_digit);
                    number.get_or_insert(is_number && at < Tails::NUMBER_WITHIN);
                    let stays = word[first..].iter().all(u8::is_ascii_digit) && !word.iter().all(u8::is_ascii_hexdigit);
                    if stays { first } else { 0 }
                }
            };
            runs.last_mut().expect("never empty").extend_from_slice(&word[..keep]);
            if digit.is_some() {
                runs.push(Vec::new());
            }
            at += word.len();
        }
        let state = runs.iter().fold(0, |state, run| keys.run(state, run, 0, run.len()));
        NonZeroU64::new(keys.join(state, u64::from(number == Some(true))) | 1)
    }

    /// The shape of a tail that stands `before` bytes into a block, with more behind it.
    fn prepared(tail: &[u8], before: usize, behind: &[u8]) -> Option<NonZeroU64> {
        let mut block = vec![b' '; before];
        block.extend_from_slice(tail);
        block.push(b'\n');
        block.extend_from_slice(behind);
        let mut prepared = Prepared::new(9);
        // What a longer block left must not show.
        prepared.read(&[b'7'; 700], |_| None);
        assert!(prepared.read(&block, |line| (line.len() >= before).then_some(before)) > before + tail.len());
        let line = prepared.lines()[0];
        assert_eq!(prepared.shape(&block, &line, before), line.shape);
        // The same line where somebody else found it.
        prepared.read_spans(&block, std::iter::once((line.start, line.end)), |_| Some(before));
        assert_eq!(prepared.lines(), [line]);
        line.shape
    }

    #[test]
    fn every_length_at_every_place() {
        let keys = Keys::new(9);
        let text =
            b"sshd[1234]: a1b2 eth0 up; 10.0.0.1:22 deadbeef1 v2 (x) 99 bottles of beer_7 on host-3a, 0x1f \t Z9";
        for length in 0..=text.len() {
            let tail = &text[..length];
            for before in 0..70 {
                assert_eq!(prepared(tail, before, b""), plain(tail, &keys), "{length} at {before}");
            }
            assert_eq!(prepared(tail, 3, &[b'5'; 100]), plain(tail, &keys), "{length} in front of digits");
        }
    }

    #[test]
    fn some_tails_have_no_shape() {
        assert_eq!(prepared("caf\u{e9}".as_bytes(), 0, b""), None);
        assert_eq!(prepared(&[b'a'; 60], 0, b"x"), None);
        assert_eq!(prepared(&b"a ".repeat(3_000), 0, b""), None);
        assert!(prepared(b"plain", 0, "caf\u{e9}".as_bytes()).is_some());
        assert!(prepared(b"", 0, b"").is_some());
    }

    #[test]
    fn a_first_number_is_told_from_another_word() {
        let keys = Keys::new(9);
        let shape = |text: &str| plain(text.as_bytes(), &keys);
        assert_ne!(shape("a[1234]"), shape("a[12f4]"));
        assert_ne!(shape("a[123456789]"), shape("a[1234567890]"));
        assert_eq!(shape("a[1] 1234"), shape("a[22] 12f4"));
    }

    proptest! {
        #[test]
        fn shapes_are_those_of_the_words(
            tail in "([a-z0-9]{0,50}[ .:\\[\\]\t]{1,3}){0,6}[a-fA-F0-9]{0,50}",
            before in 0_usize..200,
            behind in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            prop_assert_eq!(prepared(tail.as_bytes(), before, &behind), plain(tail.as_bytes(), &Keys::new(9)));
        }

        #[test]
        fn any_bytes_are_prepared(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..50) {
            let mut prepared = Prepared::new(9);
            prop_assert!(prepared.read(&bytes, |line| (line.len() >= at).then_some(at)) <= bytes.len());
            let newlines = bytes.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(prepared.lines().len(), newlines);
        }
    }
}
