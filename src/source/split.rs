//! Cuts bytes into lines: at 0x0A only, in constant memory however long a line is. Knows offsets, not files.
//!
//! Must never fail, drop a byte uncounted, or look inside a line.

use crate::model::LineSpan;

/// Longest line handed over; the rest of it is skipped and counted.
pub const MAX_LINE_BYTES: usize = 1 << 20;
/// Most bytes in one block, unless a single line is longer.
pub const MAX_BLOCK_BYTES: usize = 256 << 10;

/// An incremental line splitter over one stream of bytes.
///
/// Feed it with [`push`](Splitter::push); whenever it stops early, or at the end of a read, collect with
/// [`take`](Splitter::take). An unfinished line is held until its end comes or [`finish`](Splitter::finish) is called.
#[derive(Debug)]
pub struct Splitter {
    max_line: usize,
    max_block: usize,
    /// Whole lines with their ends, then the unfinished one.
    bytes: Vec<u8>,
    spans: Vec<LineSpan>,
    /// Where the unfinished line starts in `bytes`.
    line: usize,
    /// Where it starts in the stream: what a position may say.
    line_offset: u64,
    /// Stream offset of the next byte to come.
    next: u64,
    /// Inside a line that was longer than the cap.
    skipping: bool,
    /// Bytes dropped of the line being skipped.
    dropping: u64,
    /// Bytes dropped of lines whose end was found since the last [`Splitter::take_dropped`].
    dropped: u64,
    /// The next line does not fit in this block.
    full: bool,
}

impl Splitter {
    /// Starts at `offset` of the stream, a line start unless `skip_to_newline`.
    pub fn new(max_line: usize, max_block: usize, offset: u64, skip_to_newline: bool) -> Splitter {
        Splitter {
            max_line: max_line.max(1),
            max_block,
            bytes: Vec::new(),
            spans: Vec::new(),
            line: 0,
            line_offset: offset,
            next: offset,
            skipping: skip_to_newline,
            dropping: 0,
            dropped: 0,
            full: false,
        }
    }

    /// Takes as much of `input` as fits in the current block and returns how many bytes that was. Less than all means
    /// the block is full: [`take`](Splitter::take) it and push the rest.
    pub fn push(&mut self, input: &[u8]) -> usize {
        let mut rest = input;
        while !rest.is_empty() && !self.full {
            let used = if self.skipping { self.skip(rest) } else { self.collect(rest) };
            rest = rest.get(used..).unwrap_or_default();
        }
        input.len() - rest.len()
    }

    /// The block of whole lines so far, if there is one. The unfinished line stays.
    pub fn take(&mut self) -> Option<(Vec<u8>, Vec<LineSpan>)> {
        self.full = false;
        if self.spans.is_empty() {
            return None;
        }
        let unfinished = self.bytes.split_off(self.line);
        let bytes = std::mem::replace(&mut self.bytes, unfinished);
        self.line = 0;
        Some((bytes, std::mem::take(&mut self.spans)))
    }

    /// Ends the stream: what is held becomes a line marked `partial`.
    pub fn finish(&mut self) {
        let length = self.bytes.len() - self.line;
        if length > 0 {
            self.end_line(length, false, true);
        }
        self.line_offset = self.next;
        if self.skipping {
            self.dropped += std::mem::take(&mut self.dropping);
        }
    }

    /// Where the stream can be taken up again after the lines seen so far, and whether inside an overlong line.
    pub fn resume_at(&self) -> (u64, bool) {
        (self.line_offset, self.skipping)
    }

    /// Stream offset of the next byte to push.
    pub fn next_offset(&self) -> u64 {
        self.next
    }

    /// No unfinished line is held and none is being skipped.
    pub fn at_line_start(&self) -> bool {
        !self.skipping && self.bytes.len() == self.line
    }

    /// Moves over bytes that are known to be NUL (a hole in a file). Only at a line start.
    pub fn jump(&mut self, offset: u64) {
        self.next = offset;
    }

    /// Behind NULs at a line start, which something may be written over.
    pub fn in_blank(&self) -> bool {
        self.at_line_start() && self.next > self.line_offset
    }

    /// Bytes dropped from overlong lines that ended since the last call.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn skip(&mut self, input: &[u8]) -> usize {
        let (used, lost) = match memchr::memchr(b'\n', input) {
            Some(at) => (at + 1, at),
            None => (input.len(), input.len()),
        };
        self.dropping += lost as u64;
        self.next += used as u64;
        self.line_offset = self.next;
        if used > lost {
            self.skipping = false;
            self.dropped += std::mem::take(&mut self.dropping);
        }
        used
    }

    fn collect(&mut self, input: &[u8]) -> usize {
        let held = self.bytes.len() - self.line;
        if held == 0 {
            // What a truncated file leaves in front of a writer that kept its place, or what a writer reserved and has
            // not filled yet: not part of any line, and only passed for good when something follows.
            let nuls = input.iter().take_while(|byte| **byte == 0).count();
            if nuls > 0 {
                self.next += nuls as u64;
                return nuls;
            }
            self.line_offset = self.next;
        }
        let room = self.max_line.saturating_sub(held);
        // One byte more than fits, so that a newline right after the last one is seen.
        let window = input.get(..room.saturating_add(1)).unwrap_or(input);
        let newline = memchr::memchr(b'\n', window);
        let overlong = newline.is_none() && window.len() > room;
        let used = match newline {
            Some(at) => at + 1,
            None if overlong => room,
            None => window.len(),
        };
        let ends = newline.is_some() || overlong;
        if ends && !self.spans.is_empty() && self.bytes.len() + used > self.max_block {
            self.full = true;
            return 0;
        }
        self.bytes.extend_from_slice(window.get(..used).unwrap_or_default());
        self.next += used as u64;
        if ends {
            let content = held + used - usize::from(newline.is_some());
            let carriage_return = newline.is_some() && self.bytes.get(self.line + content).is_some() && {
                content > 0 && self.bytes.get(self.line + content - 1) == Some(&b'\r')
            };
            self.end_line(content - usize::from(carriage_return), overlong, false);
            self.skipping = overlong;
        }
        used
    }

    fn end_line(&mut self, length: usize, truncated: bool, partial: bool) {
        // Blocks end before 4 GiB: a block holds at most one line beyond `max_block`, and lines are capped.
        let start = u32::try_from(self.line).unwrap_or(u32::MAX);
        let end = u32::try_from(self.line + length).unwrap_or(u32::MAX);
        self.spans.push(LineSpan { start, end, offset: self.line_offset, truncated, partial });
        self.line = self.bytes.len();
        self.line_offset = self.next;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Splits `input` fed in chunks of `chunk` bytes; each line as text with its flags.
    fn split(input: &[u8], chunk: usize, max_line: usize, max_block: usize) -> Vec<String> {
        let mut splitter = Splitter::new(max_line, max_block, 0, false);
        let mut lines = Vec::new();
        let collect = |splitter: &mut Splitter, lines: &mut Vec<String>| {
            if let Some((bytes, spans)) = splitter.take() {
                assert!(spans.len() == 1 || bytes.len() <= max_block, "a block within bounds");
                for span in spans {
                    let text = String::from_utf8_lossy(&bytes[span.start as usize..span.end as usize]).into_owned();
                    let flags = [(span.truncated, " (cut)"), (span.partial, " (partial)")];
                    lines.push(flags.iter().filter(|flag| flag.0).fold(text, |text, flag| text + flag.1));
                }
            }
        };
        for piece in input.chunks(chunk) {
            let mut at = 0;
            while at < piece.len() {
                at += splitter.push(&piece[at..]);
                collect(&mut splitter, &mut lines);
            }
        }
        splitter.finish();
        collect(&mut splitter, &mut lines);
        assert_eq!(splitter.resume_at().0, input.len() as u64);
        lines
    }

    #[track_caller]
    fn check(input: &[u8], expected: &[&str]) {
        for chunk in [1, 2, 3, 64] {
            assert_eq!(split(input, chunk, 8, 16), expected, "in chunks of {chunk}");
        }
    }

    #[test]
    fn lines() {
        check(b"", &[]);
        check(b"a\nb\n", &["a", "b"]);
        check(b"a\n\n\nb\n", &["a", "", "", "b"]);
        check(b"a\r\nb\rc\r\n", &["a", "b\rc"]);
        check(b"\r\n", &[""]);
        check(b"a\nhel", &["a", "hel (partial)"]);
        check(b"\xff\xfe\n\xc3\xa9\n", &["\u{fffd}\u{fffd}", "é"]);
        check(b"a\0b\n", &["a\0b"]);
        check(b"\0\0\0a\n\0\n", &["a", ""]);
    }

    #[test]
    fn overlong_lines_are_cut_and_skipped() {
        check(b"12345678\nx\n", &["12345678", "x"]);
        check(b"123456789\nx\n", &["12345678 (cut)", "x"]);
        check(b"1234567890abcdefghijklmnopqrstuvwxyz\nx\n", &["12345678 (cut)", "x"]);
        check(b"1234567890", &["12345678 (cut)"]);
    }

    #[test]
    fn counts_what_it_skips_and_resumes_inside_it() {
        let mut splitter = Splitter::new(4, 16, 100, false);
        splitter.push(b"abcdefgh");
        assert_eq!((splitter.resume_at(), splitter.take_dropped()), ((108, true), 0));
        splitter.push(b"ij\nok\n");
        assert_eq!((splitter.resume_at(), splitter.take_dropped()), ((114, false), 6));

        let mut resumed = Splitter::new(4, 16, 108, true);
        resumed.push(b"ij\nok\n");
        let (bytes, spans) = resumed.take().expect("one line");
        assert_eq!((bytes.as_slice(), spans.len(), spans[0].offset), (b"ok\n".as_slice(), 1, 111));
    }

    #[test]
    fn memory_stays_flat_inside_an_endless_line() {
        let mut splitter = Splitter::new(1024, 4096, 0, false);
        for _ in 0..10_000 {
            splitter.push(&[b'x'; 4096]);
            splitter.take();
        }
        assert!(splitter.bytes.capacity() <= 8192);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks_give_the_same_lines(
            input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(0), any::<u8>()], 0..200),
            chunk in 1usize..40,
        ) {
            prop_assert_eq!(split(&input, chunk, 16, 32), split(&input, 200, 16, 1 << 20));
        }
    }
}
