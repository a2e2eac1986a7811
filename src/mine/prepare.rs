//! What can be known of the lines of a block before it is their turn: where they are, and what shape their tails have.
//! Depends on the bytes alone, so several blocks can be prepared at once. Must not remember anything of other blocks.

use std::num::NonZeroU64;

use super::hash::Keys;
use super::shape::Shaper;
use super::tail::{TAIL_MAX, tail_shape};
use super::widest::{self, Vectors, Work};

/// The lines of one block. Kept to be filled again.
#[derive(Debug)]
pub struct Prepared {
    keys: Keys,
    shaper: Shaper,
    lines: Vec<PreparedLine>,
}

/// One line of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreparedLine {
    /// Where it lies in the block, without line ends.
    pub start: u32,
    pub end: u32,
    /// Of which part of it there is a shape.
    pub part: Part,
    /// `None` where that part has none.
    pub shape: Option<NonZeroU64>,
}

/// A part of a line, up to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// Where it begins, in bytes from the start of the line. No word may be cut there.
    pub at: u32,
    /// As many bytes of it count digit by digit; the next ones but for words with digits.
    pub exact: u32,
}

impl Part {
    /// All digits look alike.
    pub fn tail(at: usize) -> Part {
        Part { at: at as u32, exact: 0 }
    }
}

impl Prepared {
    /// `seed` keys the shapes.
    pub fn new(seed: u64) -> Prepared {
        let keys = Keys::new(seed);
        Prepared { keys, shaper: Shaper::new(keys), lines: Vec::new() }
    }

    /// Replaces what was prepared before by the lines that end in `bytes`, and returns where the last of them ends.
    /// `part` guesses which part of a line will be asked for. NULs in front of a line and a carriage return behind it are
    /// no part of it. Takes up to 4 GiB.
    pub fn read(&mut self, bytes: &[u8], part: impl FnMut(&[u8]) -> Option<Part>) -> usize {
        widest::run(Read { prepared: self, bytes, part })
    }

    /// Replaces what was prepared before by the lines at these places of `bytes`, where each of them begins and ends.
    /// `part` guesses which part of a line will be asked for. Takes up to 4 GiB.
    pub fn read_spans(
        &mut self,
        bytes: &[u8],
        spans: impl Iterator<Item = (u32, u32)>,
        part: impl FnMut(&[u8]) -> Option<Part>,
    ) {
        widest::run(ReadSpans { prepared: self, bytes, spans, part });
    }

    /// In the order of the block.
    pub fn lines(&self) -> &[PreparedLine] {
        &self.lines
    }

    /// The shape of any part of a line. `bytes` is the block.
    pub fn shape(&mut self, bytes: &[u8], line: &PreparedLine, part: Part) -> Option<NonZeroU64> {
        let (from, to) = (line.start as usize + part.at as usize, line.end as usize);
        if to.wrapping_sub(from) > TAIL_MAX {
            return None;
        }
        tail_shape(self.shaper.shape_within(bytes, from, to, part.exact as usize), &self.keys)
    }
}

struct Read<'p, F> {
    prepared: &'p mut Prepared,
    bytes: &'p [u8],
    part: F,
}

impl<F: FnMut(&[u8]) -> Option<Part>> Work for Read<'_, F> {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vectors>(self, vectors: V) -> usize {
        let Read { prepared: Prepared { keys, shaper, lines }, bytes, mut part } = self;
        lines.clear();
        let mut next = 0;
        let mut line_to = |newline: usize| {
            let line = bytes.get(next..newline).unwrap_or_default();
            let nuls = if line.first() == Some(&0) { line.iter().take_while(|byte| **byte == 0).count() } else { 0 };
            let end = newline - usize::from(line.len() > nuls && line.last() == Some(&b'\r'));
            lines.push(PreparedLine {
                start: (next + nuls) as u32,
                end: end as u32,
                part: Part::default(),
                shape: None,
            });
            next = newline + 1;
        };
        let (groups, rest) = bytes.as_chunks::<64>();
        for (index, group) in groups.iter().enumerate() {
            let mut newlines = vectors.newlines(group);
            while newlines != 0 {
                line_to(index * 64 + newlines.trailing_zeros() as usize);
                newlines &= newlines - 1;
            }
        }
        for (index, _) in rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            line_to(groups.len() * 64 + index);
        }
        for line in lines.iter_mut() {
            line.look(bytes, shaper, keys, vectors, &mut part);
        }
        next
    }
}

struct ReadSpans<'p, S, F> {
    prepared: &'p mut Prepared,
    bytes: &'p [u8],
    spans: S,
    part: F,
}

impl<S: Iterator<Item = (u32, u32)>, F: FnMut(&[u8]) -> Option<Part>> Work for ReadSpans<'_, S, F> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vectors>(self, vectors: V) {
        let ReadSpans { prepared: Prepared { keys, shaper, lines }, bytes, spans, mut part } = self;
        lines.clear();
        for (start, end) in spans {
            // What lies outside of the block is empty, as for everybody who reads such a line.
            let inside = start <= end && end as usize <= bytes.len();
            let (start, end) = if inside { (start, end) } else { (0, 0) };
            let mut line = PreparedLine { start, end, part: Part::default(), shape: None };
            line.look(bytes, shaper, keys, vectors, &mut part);
            lines.push(line);
        }
    }
}

impl PreparedLine {
    #[inline(always)]
    fn look<V: Vectors>(
        &mut self,
        bytes: &[u8],
        shaper: &mut Shaper,
        keys: &Keys,
        vectors: V,
        part: &mut impl FnMut(&[u8]) -> Option<Part>,
    ) {
        let (start, end) = (self.start as usize, self.end as usize);
        let Some(part) = part(bytes.get(start..end).unwrap_or_default()) else { return };
        self.part = part;
        let from = start + part.at as usize;
        if end.wrapping_sub(from) <= TAIL_MAX {
            self.shape = tail_shape(shaper.shape_by(bytes, from, end, part.exact as usize, vectors), keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::shape::tests::plain;
    use super::*;

    /// The shape of a tail that stands `before` bytes into a block, with more behind it.
    fn prepared(tail: &[u8], before: usize, behind: &[u8]) -> Option<NonZeroU64> {
        let block = [&b" ".repeat(before), tail, b"\n", behind].concat();
        let mut prepared = Prepared::new(9);
        // What a longer block left must not show.
        prepared.read(&[b'7'; 700], |_| None);
        assert!(
            prepared.read(&block, |line| (line.len() >= before).then_some(Part::tail(before))) > before + tail.len()
        );
        let line = prepared.lines()[0];
        assert_eq!(prepared.shape(&block, &line, Part::tail(before)), line.shape);
        // The same line where somebody else found it.
        prepared.read_spans(&block, std::iter::once((line.start, line.end)), |_| Some(Part::tail(before)));
        assert_eq!(prepared.lines(), [line]);
        line.shape
    }

    #[test]
    fn some_tails_have_no_shape() {
        assert_eq!(prepared("caf\u{e9}".as_bytes(), 0, b""), None);
        assert_eq!(prepared(&[b'a'; 64], 0, b"x"), None);
        assert_eq!(prepared(&b"a ".repeat(3_000), 0, b""), None);
        assert!(prepared(b"plain", 0, "caf\u{e9}".as_bytes()).is_some());
        assert!(prepared(b"", 0, b"").is_some());
    }

    #[test]
    fn a_first_number_is_told_from_another_word() {
        let shape = |text: &str| prepared(text.as_bytes(), 3, b"");
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
            let keys = Keys::new(9);
            prop_assert_eq!(prepared(tail.as_bytes(), before, &behind), tail_shape(plain(tail.as_bytes(), &keys), &keys));
        }

        #[test]
        fn any_bytes_are_prepared(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..50) {
            let mut prepared = Prepared::new(9);
            prop_assert!(prepared.read(&bytes, |line| (line.len() >= at).then_some(Part::tail(at))) <= bytes.len());
            let newlines = bytes.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(prepared.lines().len(), newlines);
        }
    }
}
