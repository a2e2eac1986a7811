//! An input, block by block: whole lines as they lie in the buffer, and what two reads have a part of, joined. Must not
//! look inside a line.

use std::io::{self, Read};
use std::ops::Range;

use crate::model::LineSpan;
use crate::source::{MAX_BLOCK_BYTES, MAX_LINE_BYTES, Splitter};

/// Bytes of a read. Small enough to stay near the processor with all that is noted of them.
const READ_BYTES: usize = 64 << 10;
/// The same where several threads take turns: a turn is worth waiting for.
const READ_BYTES_EACH: usize = 256 << 10;

/// An input under way.
pub struct Blocks {
    input: Box<dyn Read + Send>,
    /// Gets the ends of reads, and lines longer than one.
    splitter: Splitter,
    /// Bytes of a read.
    size: usize,
    ended: bool,
}

/// What one read brought. Kept to be filled again.
#[derive(Default)]
pub struct Block {
    buffer: Vec<u8>,
    whole: Range<usize>,
    /// Lines that come before the whole ones, and where they lie in bytes of their own.
    pub joined: Vec<(Vec<u8>, Vec<LineSpan>)>,
    /// Bytes read.
    pub read: u64,
    /// Bytes of overlong lines that nobody will look at.
    pub dropped: u64,
}

impl Block {
    /// Lines with their ends.
    pub fn whole(&self) -> &[u8] {
        self.buffer.get(self.whole.clone()).unwrap_or_default()
    }
}

impl Blocks {
    pub fn new(input: Box<dyn Read + Send>) -> Blocks {
        let splitter = Splitter::new(MAX_LINE_BYTES, MAX_BLOCK_BYTES, 0, false);
        Blocks { input, splitter, size: READ_BYTES, ended: false }
    }

    /// From now on several threads take turns.
    pub fn share(&mut self) {
        self.size = READ_BYTES_EACH;
    }

    /// Reads the next block; `false` at the end of the input, where there is none.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn next(&mut self, block: &mut Block) -> io::Result<bool> {
        block.joined.clear();
        (block.whole, block.read, block.dropped) = (0..0, 0, 0);
        if self.ended {
            return Ok(false);
        }
        block.buffer.resize(self.size, 0);
        let length = loop {
            match self.input.read(&mut block.buffer) {
                Ok(length) => break length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        block.read = length as u64;
        if length == 0 {
            self.ended = true;
            self.splitter.finish();
            block.joined.extend(self.splitter.take());
        }
        let mut at = 0;
        while let Some(rest) = block.buffer.get(at..length).filter(|rest| !rest.is_empty()) {
            if self.splitter.at_line_start()
                && let Some(last) = memchr::memrchr(b'\n', rest)
            {
                block.whole = at..at + last + 1;
                at = block.whole.end;
                continue;
            }
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            at += self.splitter.push(rest.get(..end).unwrap_or_default());
            block.joined.extend(self.splitter.take());
        }
        block.dropped = self.splitter.take_dropped();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hands out at most so many bytes a read.
    struct Slow(io::Cursor<Vec<u8>>, usize);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    /// The lines of some bytes, as the splitter finds them.
    fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::new(MAX_LINE_BYTES, MAX_BLOCK_BYTES, 0, false);
        splitter.push(bytes);
        splitter.finish();
        let Some((copy, spans)) = splitter.take() else { return Vec::new() };
        spans.iter().map(|span| copy[span.start as usize..span.end as usize].to_vec()).collect()
    }

    proptest! {
        #[test]
        fn whole_lines_and_joined_ones_are_those_of_the_splitter(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(0), Just(b'a')], 0..200),
            most in 1_usize..80,
        ) {
            let expected = split(&bytes);
            let mut blocks = Blocks::new(Box::new(Slow(io::Cursor::new(bytes), most)));
            let mut block = Block::default();
            let mut prepared = crate::mine::Prepared::new(1);
            let mut lines = Vec::new();
            while blocks.next(&mut block).expect("from memory") {
                for (bytes, spans) in &block.joined {
                    lines.extend(spans.iter().map(|span| bytes[span.start as usize..span.end as usize].to_vec()));
                }
                let used = prepared.read(block.whole(), |_| None);
                prop_assert_eq!(used, block.whole().len());
                let text = |line: &crate::mine::PreparedLine| block.whole()[line.start as usize..line.end as usize].to_vec();
                lines.extend(prepared.lines().iter().map(text));
            }
            prop_assert_eq!(lines, expected);
        }
    }
}
