//! The classes of all bytes of a block, a bit for each byte, so that a word is found with a few shifts wherever it
//! stands. Must not know what a line is beyond its newline.

use super::widest::Classify;

/// Bytes that are always in a [`View`].
pub const VIEW: usize = 57;

/// The marks of one block. Kept to be filled again.
#[derive(Debug, Default)]
pub struct Marks {
    digit: Vec<u8>,
    word: Vec<u8>,
    hexadecimal: Vec<u8>,
    /// Of 64 bytes each.
    foreign: Vec<u64>,
    any_foreign: bool,
}

/// The marks from one place on: at least [`VIEW`] of them, then zeros.
#[derive(Clone, Copy)]
pub struct View {
    pub digit: u64,
    pub word: u64,
    pub hexadecimal: u64,
}

impl Marks {
    /// Marks a block, and hands over where its newlines are.
    #[inline(always)]
    pub fn read<C: Classify>(&mut self, bytes: &[u8], classes: C, mut newline: impl FnMut(usize)) {
        // A view at the last byte reads nine bytes of marks.
        let room = bytes.len().div_ceil(64) * 8 + 16;
        for marks in [&mut self.digit, &mut self.word, &mut self.hexadecimal] {
            if marks.len() < room {
                marks.resize(room, 0);
            }
            // What stands there belongs to a longer block.
            if let Some(behind) = marks.get_mut(room - 16..room) {
                behind.fill(0);
            }
        }
        self.foreign.resize(bytes.len().div_ceil(64), 0);
        let (groups, rest) = bytes.as_chunks::<64>();
        let mut last = [0; 64];
        if let Some(start) = last.get_mut(..rest.len()) {
            start.copy_from_slice(rest);
        }
        let rest = std::slice::from_ref(&last).iter().take(usize::from(!rest.is_empty()));
        let digits = self.digit.as_chunks_mut::<8>().0.iter_mut();
        let words = self.word.as_chunks_mut::<8>().0.iter_mut();
        let hexadecimals = self.hexadecimal.as_chunks_mut::<8>().0.iter_mut();
        let places = digits.zip(words).zip(hexadecimals).zip(&mut self.foreign);
        let mut any_foreign = 0;
        let mut at = 0;
        for (group, (((digit, word), hexadecimal), foreign)) in groups.iter().chain(rest).zip(places) {
            let found = classes.classify(group);
            *digit = found.digit.to_le_bytes();
            *word = found.word.to_le_bytes();
            *hexadecimal = found.hexadecimal.to_le_bytes();
            *foreign = found.foreign;
            any_foreign |= found.foreign;
            let mut newlines = found.newline;
            while newlines != 0 {
                newline(at + newlines.trailing_zeros() as usize);
                newlines &= newlines - 1;
            }
            at += 64;
        }
        self.any_foreign = any_foreign != 0;
    }

    #[inline(always)]
    pub fn view(&self, at: usize) -> View {
        let byte = at / 8;
        let bits = at % 8;
        let from = |marks: &[u8]| match marks.get(byte..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(word) => u64::from_le_bytes(*word) >> bits,
            None => 0,
        };
        View { digit: from(&self.digit), word: from(&self.word), hexadecimal: from(&self.hexadecimal) }
    }

    /// Whether bytes `from..to` are ASCII.
    #[inline(always)]
    pub fn is_ascii(&self, from: usize, to: usize) -> bool {
        !self.any_foreign || self.is_ascii_there(from, to)
    }

    fn is_ascii_there(&self, from: usize, to: usize) -> bool {
        let groups = self.foreign.iter().enumerate().take(to.div_ceil(64)).skip(from / 64);
        groups.fold(true, |ascii, (index, marks)| {
            let start = index * 64;
            let after = from.saturating_sub(start).min(63);
            let before = 64 - (to - start).min(64);
            ascii && marks & (u64::MAX << after) & (u64::MAX >> before) == 0
        })
    }
}
