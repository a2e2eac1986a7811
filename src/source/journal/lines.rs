//! Cuts a byte stream at newlines. A line over the cap is counted and skipped in constant memory.

use memchr::memchr;

/// Holds the beginning of a line until its end comes. What has no end when the stream ends was cut by a kill: it is
/// never handed over, and will be read again whole.
#[derive(Debug)]
pub(super) struct Lines {
    cap: usize,
    held: Vec<u8>,
    /// Bytes of the overlong line that is being skipped; 0 outside of one.
    skipped: u64,
}

/// One line of the stream, without its newline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    /// It had so many bytes.
    TooLong(u64),
}

impl Lines {
    pub(super) fn new(cap: usize) -> Lines {
        Lines { cap, held: Vec::new(), skipped: 0 }
    }

    /// Hands over the lines that end in `chunk`.
    pub(super) fn feed(&mut self, mut chunk: &[u8], mut each: impl FnMut(Line<'_>)) {
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end);
            chunk = rest.get(1..).unwrap_or_default();
            if self.held.is_empty() && self.skipped == 0 && line.len() <= self.cap {
                each(Line::Whole(line));
                continue;
            }
            self.hold(line);
            if self.skipped > 0 {
                each(Line::TooLong(std::mem::take(&mut self.skipped)));
            } else {
                // Taken, so that one huge line does not keep its memory.
                each(Line::Whole(&std::mem::take(&mut self.held)));
            }
        }
        self.hold(chunk);
    }

    fn hold(&mut self, part: &[u8]) {
        if self.skipped > 0 {
            self.skipped += part.len() as u64;
        } else if self.held.len() + part.len() > self.cap {
            self.skipped = (self.held.len() + part.len()) as u64;
            self.held = Vec::new();
        } else {
            self.held.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(chunks: &[&[u8]], cap: usize) -> Vec<Result<Vec<u8>, u64>> {
        let mut lines = Lines::new(cap);
        let mut found = Vec::new();
        for chunk in chunks {
            lines.feed(chunk, |line| {
                found.push(match line {
                    Line::Whole(bytes) => Ok(bytes.to_vec()),
                    Line::TooLong(bytes) => Err(bytes),
                });
            });
        }
        found
    }

    #[test]
    fn cuts() {
        assert_eq!(cut(&[b"ab\ncd", b"e\n\nf"], 9), [Ok(b"ab".to_vec()), Ok(b"cde".to_vec()), Ok(vec![])]);
        assert_eq!(cut(&[b"abcd\nab\n"], 3), [Err(4), Ok(b"ab".to_vec())]);
        assert_eq!(cut(&[b"ab", b"cd", b"ef\nab", b"\n"], 3), [Err(6), Ok(b"ab".to_vec())]);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200), size in 1usize..20) {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(cut(&chunks, 10), cut(&[&bytes], 10));
        }
    }
}
