//! What the tails of lines were read as, by their shape: the tail of a line, from its tag on, with every word that has a
//! digit looking alike. Finer than `shape` is of the message in it: tails of one shape hold messages of one shape. Must
//! not know what the answers mean, or when one holds for all tails of a shape (`parse` does).

use super::hash::Keys;
use super::marks::{Marks, VIEW};
use super::table::Table;

/// Longest tail that has a shape. Far less than what a miner looks at of a message.
const TAIL_MAX: usize = 4_096;
/// A number of up to so many digits is told from other words with digits, where it comes first: it may be a pid.
const NUMBER_MAX: u32 = 9;

/// Numbers of the caller's by the shape of a tail, for a bounded number of shapes.
#[derive(Debug)]
pub struct Tails {
    keys: Keys,
    table: Table,
}

impl Tails {
    /// `seed` keys the shapes; it must be that of [`super::Prepared`]. Room for `capacity` shapes, 16 bytes each.
    pub fn new(capacity: usize, seed: u64) -> Tails {
        Tails { keys: Keys::new(seed), table: Table::new(capacity) }
    }

    /// What was put for this shape in this context.
    #[inline]
    pub fn get(&mut self, shape: u64, context: u64) -> Option<u32> {
        self.table.get(self.keys.join(shape, context))
    }

    /// Remembers a number, below `u32::MAX`, for a shape that is not there.
    pub fn put(&mut self, shape: u64, context: u64, number: u32) {
        self.table.put(self.keys.join(shape, context), number);
    }
}

/// The shape of the tail `from..to` of a block, where neither end cuts a word; `None` where it has none: it is not
/// ASCII, too long, or has a word that is.
#[inline(always)]
pub fn tail_shape(bytes: &[u8], marks: &Marks, from: usize, to: usize, keys: &Keys) -> Option<u64> {
    if to.wrapping_sub(from) > TAIL_MAX || !marks.is_ascii(from, to) {
        return None;
    }
    let mut state = 0;
    // Where the text begins that is not hashed yet, and the view.
    let mut run = from;
    let mut at = from;
    // Whether each word with digits is a short number, from the first on.
    let mut numbers = 0_u64;
    let mut words = 0_u32;
    while at < to {
        let view = marks.view(at);
        let left = to - at;
        // The end of the tail ends a word, whatever comes behind it.
        let others = !view.word | if left < 64 { 1 << left } else { 0 };
        let reach =
            if left <= VIEW { left } else { 64 - (others & (u64::MAX >> (64 - VIEW))).leading_zeros() as usize };
        if reach == 0 {
            return None;
        }
        let mut digits = view.digit & (u64::MAX >> (64 - reach));
        while digits != 0 {
            let first = digits.trailing_zeros();
            let above = u64::MAX << first;
            let word = 64 - (others & !above).leading_zeros();
            let word_end = (others & above).trailing_zeros();
            let behind = u64::MAX.checked_shl(word_end).unwrap_or(0);
            let from_digit = above & !behind;
            let only_digits_left = from_digit & !view.digit == 0;
            let all_hexadecimal = (u64::MAX << word) & !behind & !view.hexadecimal == 0;
            let keep_to = if only_digits_left && !all_hexadecimal { first } else { word };
            let is_number = only_digits_left && first == word && word_end - word <= NUMBER_MAX;
            numbers |= u64::from(is_number) << (words & 63);
            words += 1;
            state = keys.run(state, bytes, run, at + keep_to as usize);
            run = at + word_end as usize;
            digits &= behind;
        }
        at += reach;
    }
    state = keys.run(state, bytes, run, to);
    Some(keys.join(state, numbers & 1))
}
