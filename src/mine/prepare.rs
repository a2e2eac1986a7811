//! What can be known of the lines of a block before it is their turn: where they are, and what shape their tails have.
//! Depends on the bytes alone, so several blocks can be prepared at once. Must not remember anything of other blocks.

use std::num::NonZeroU64;

use super::hash::Keys;
use super::marks::Marks;
use super::tail::tail_shape;
use super::widest::{self, Classify, Work};

/// The lines of one block. Kept to be filled again.
#[derive(Debug)]
pub struct Prepared {
    keys: Keys,
    marks: Marks,
    lines: Vec<PreparedLine>,
}

/// One line of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreparedLine {
    /// Where it lies in the block, without line ends.
    pub start: u32,
    pub end: u32,
    /// Where its tail may begin, in bytes from its start.
    pub tail_at: u32,
    /// The shape of that tail, if it has one.
    pub shape: Option<NonZeroU64>,
}

impl Prepared {
    /// `seed` keys the shapes.
    pub fn new(seed: u64) -> Prepared {
        Prepared { keys: Keys::new(seed), marks: Marks::default(), lines: Vec::new() }
    }

    /// Replaces what was prepared before by the lines that end in `bytes`, and returns where the last of them ends.
    /// `tail_at` guesses where the tail of a line begins. NULs in front of a line and a carriage return behind it are no
    /// part of it. Takes up to 4 GiB.
    pub fn read(&mut self, bytes: &[u8], tail_at: impl FnMut(&[u8]) -> Option<usize>) -> usize {
        widest::run(Read { prepared: self, bytes, tail_at })
    }

    /// Replaces what was prepared before by the lines at these places of `bytes`, where each of them begins and ends.
    /// `tail_at` guesses where the tail of a line begins. Takes up to 4 GiB.
    pub fn read_spans(
        &mut self,
        bytes: &[u8],
        spans: impl Iterator<Item = (u32, u32)>,
        tail_at: impl FnMut(&[u8]) -> Option<usize>,
    ) {
        widest::run(ReadSpans { prepared: self, bytes, spans, tail_at });
    }

    /// In the order of the block.
    pub fn lines(&self) -> &[PreparedLine] {
        &self.lines
    }

    /// The shape of the tail of a line, wherever it begins. `bytes` is the block.
    pub fn shape(&self, bytes: &[u8], line: &PreparedLine, tail_at: usize) -> Option<NonZeroU64> {
        tail_shape(bytes, &self.marks, line.start as usize + tail_at, line.end as usize, &self.keys)
    }
}

struct Read<'p, F> {
    prepared: &'p mut Prepared,
    bytes: &'p [u8],
    tail_at: F,
}

impl<F: FnMut(&[u8]) -> Option<usize>> Work for Read<'_, F> {
    type Output = usize;

    #[inline(always)]
    fn run<C: Classify>(self, classes: C) -> usize {
        let Read { prepared: Prepared { keys, marks, lines }, bytes, mut tail_at } = self;
        lines.clear();
        let mut next = 0;
        marks.read(bytes, classes, |newline| {
            let line = bytes.get(next..newline).unwrap_or_default();
            let nuls = if line.first() == Some(&0) { line.iter().take_while(|byte| **byte == 0).count() } else { 0 };
            let end = newline - usize::from(line.len() > nuls && line.last() == Some(&b'\r'));
            lines.push(PreparedLine { start: (next + nuls) as u32, end: end as u32, tail_at: 0, shape: None });
            next = newline + 1;
        });
        for line in lines.iter_mut() {
            line.look(bytes, marks, keys, &mut tail_at);
        }
        next
    }
}

struct ReadSpans<'p, S, F> {
    prepared: &'p mut Prepared,
    bytes: &'p [u8],
    spans: S,
    tail_at: F,
}

impl<S: Iterator<Item = (u32, u32)>, F: FnMut(&[u8]) -> Option<usize>> Work for ReadSpans<'_, S, F> {
    type Output = ();

    #[inline(always)]
    fn run<C: Classify>(self, classes: C) {
        let ReadSpans { prepared: Prepared { keys, marks, lines }, bytes, spans, mut tail_at } = self;
        lines.clear();
        marks.read(bytes, classes, |_| ());
        for (start, end) in spans {
            // What lies outside of the block is empty, as for everybody who reads such a line.
            let inside = start <= end && end as usize <= bytes.len();
            let (start, end) = if inside { (start, end) } else { (0, 0) };
            let mut line = PreparedLine { start, end, tail_at: 0, shape: None };
            line.look(bytes, marks, keys, &mut tail_at);
            lines.push(line);
        }
    }
}

impl PreparedLine {
    #[inline(always)]
    fn look(&mut self, bytes: &[u8], marks: &Marks, keys: &Keys, tail_at: &mut impl FnMut(&[u8]) -> Option<usize>) {
        let (start, end) = (self.start as usize, self.end as usize);
        let Some(at) = tail_at(bytes.get(start..end).unwrap_or_default()) else { return };
        self.tail_at = at as u32;
        self.shape = tail_shape(bytes, marks, start + at, end, keys);
    }
}
