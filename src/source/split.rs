//! Cuts bytes into lines: at newlines only, in constant memory however long a line is. Knows offsets, not files.
//!
//! Must never fail, drop a byte uncounted, or look inside a line. UTF-16 comes out as UTF-8; byte order marks do not.

use crate::model::LineSpan;

use super::text::{Text, UTF8_MARK};

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
    /// What the stream is written in; told by its first bytes when they come by.
    text: Text,
    /// Those bytes.
    opening: Vec<u8>,
    /// The byte before the next one.
    last: u8,
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
            text: Text::default(),
            opening: Vec::new(),
            last: 0,
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

    /// Takes up a stream written in `text` behind the bytes `before`.
    pub fn behind(self, text: Text, before: &[u8]) -> Splitter {
        Splitter { text, last: before.last().copied().unwrap_or_default(), ..self }
    }

    /// Takes as much of `input` as fits in the current block and returns how many bytes that was. Less than all means
    /// the block is full: [`take`](Splitter::take) it and push the rest.
    pub fn push(&mut self, input: &[u8]) -> usize {
        self.detect(input);
        let mut rest = input;
        while !rest.is_empty() && !self.full {
            let used = if self.skipping { self.skip(rest) } else { self.collect(rest) };
            self.last = used.checked_sub(1).and_then(|at| rest.get(at)).copied().unwrap_or(self.last);
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
        Some(decoded(self.text, bytes, std::mem::take(&mut self.spans)))
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

    /// Looks for a byte order mark while the first bytes come by.
    fn detect(&mut self, input: &[u8]) {
        if self.next == self.opening.len() as u64 && self.opening.len() < Text::MARK {
            self.opening.extend(input.iter().take(Text::MARK - self.opening.len()));
            self.text = Text::of(&self.opening);
        }
    }

    fn skip(&mut self, input: &[u8]) -> usize {
        let end = self.text.line_end(input, self.next, self.last);
        let used = end.unwrap_or(input.len());
        let lost = end.map_or(used, |end| end.saturating_sub(self.text.newline_len()));
        self.dropping += lost as u64;
        self.next += used as u64;
        self.line_offset = self.next;
        if end.is_some() {
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
            let nuls = self.text.blank(input);
            if nuls > 0 {
                self.next += nuls as u64;
                return nuls;
            }
            self.line_offset = self.next;
        }
        let room = self.max_line.saturating_sub(held);
        // A newline more than fits, so that one right after the last byte is seen.
        let newline_len = self.text.newline_len();
        let window = input.get(..room.saturating_add(newline_len)).unwrap_or(input);
        let newline = self.text.line_end(window, self.next, if held > 0 { self.last } else { 0xff });
        let overlong = newline.is_none() && held + window.len() >= self.max_line.saturating_add(newline_len);
        let used = match newline {
            Some(end) => end,
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
            let content = (held + used).saturating_sub(newline.map_or(0, |_| newline_len));
            let carriage_return = newline.is_some()
                && self.text == Text::Bytes
                && content > 0
                && self.bytes.get(self.line + content - 1) == Some(&b'\r');
            self.end_line(content - usize::from(carriage_return), overlong, false);
            self.skipping = overlong;
        }
        used
    }

    fn end_line(&mut self, length: usize, truncated: bool, partial: bool) {
        // Blocks end before 4 GiB: a block holds at most one line beyond `max_block`, and lines are capped.
        let line = self.bytes.get(self.line..self.line + length).unwrap_or_default();
        let mark = if self.line_offset == 0 && line.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
        let start = u32::try_from(self.line + mark).unwrap_or(u32::MAX);
        let end = u32::try_from(self.line + length).unwrap_or(u32::MAX);
        self.spans.push(LineSpan { start, end, offset: self.line_offset, truncated, partial });
        self.line = self.bytes.len();
        self.line_offset = self.next;
    }
}

/// Whole lines as UTF-8, their spans with them. Offsets stay those of the stream.
fn decoded(text: Text, bytes: Vec<u8>, spans: Vec<LineSpan>) -> (Vec<u8>, Vec<LineSpan>) {
    if text == Text::Bytes {
        return (bytes, spans);
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let spans = spans.into_iter().map(|span| {
        let line = bytes.get(span.start as usize..span.end as usize).unwrap_or_default();
        let line = text.decode(line).unwrap_or_default();
        let line = line.strip_prefix('\u{feff}').filter(|_| span.offset == 0).unwrap_or(&line);
        let line = line.strip_suffix('\r').filter(|_| !span.truncated && !span.partial).unwrap_or(line);
        let start = u32::try_from(plain.len()).unwrap_or(u32::MAX);
        plain.extend_from_slice(line.as_bytes());
        LineSpan { start, end: u32::try_from(plain.len()).unwrap_or(u32::MAX), ..span }
    });
    let spans = spans.collect();
    (plain, spans)
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
    fn byte_order_marks() {
        check(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", &["a", "\u{feff}b"]);
        check(b"\xff\xfea\0\r\0\n\0\n\0\x0a\x0a\0\x0a\n\0", &["a", "", "\u{a0a}\u{a00}"]);
        check(b"\xfe\xff\0a\0\n\0b\0\n\0", &["a", "b", " (partial)"]);
        check(b"\xff\xfea\0b\0c\0d\0e\0f\0\n\0x\0\n\0", &["abc (cut)", "x"]);
        check(b"\xff\xfea\0b\0c\0\n\0x\0\n\0", &["abc", "x"]);
        check(b"\xff\n", &["\u{fffd}"]);
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
