//! How the bytes of a stream spell lines: as text with one byte a newline, or as UTF-16 when its first bytes say so.
//!
//! Finds line ends and decodes; cuts nothing, keeps nothing, never fails.

/// The byte order mark of UTF-8, which some editors and .NET write.
pub const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Closed set of what a stream is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Text {
    /// Newlines are 0x0A: UTF-8, ASCII and every 8-bit character set.
    #[default]
    Bytes,
    Utf16Le,
    Utf16Be,
}

impl Text {
    /// Bytes that tell.
    pub const MARK: usize = 4;

    /// Told by the first [`Text::MARK`] bytes of a stream: a byte order mark, and a first character as log lines have.
    /// The mark alone is too little: any broken file may start so.
    pub fn of(head: &[u8]) -> Text {
        match head {
            [0xff, 0xfe, 1..=255, 0, ..] => Text::Utf16Le,
            [0xfe, 0xff, 0, 1..=255, ..] => Text::Utf16Be,
            _ => Text::Bytes,
        }
    }

    /// True for UTF-16 whose first units hold no NUL, as those of a log do.
    pub fn is_utf16_text(head: &[u8]) -> bool {
        Text::of(head) != Text::Bytes && head.chunks_exact(2).all(|unit| unit != [0, 0])
    }

    /// Bytes of a newline.
    pub fn newline_len(self) -> usize {
        match self {
            Text::Bytes => 1,
            Text::Utf16Le | Text::Utf16Be => 2,
        }
    }

    /// Bytes up to and with the first newline in `input`, which starts at `offset` of the stream behind byte `last`.
    pub fn line_end(self, input: &[u8], offset: u64, last: u8) -> Option<usize> {
        let Some((first, second)) = self.unit() else { return memchr::memchr(b'\n', input).map(|at| at + 1) };
        memchr::memchr_iter(second, input).map(|at| at + 1).find(|end| {
            let before = end.checked_sub(2).map_or(Some(&last), |at| input.get(at));
            is_aligned(offset, *end) && before == Some(&first)
        })
    }

    /// Bytes up to and with the last newline that is whole in `input`, which starts at `offset` of the stream.
    pub fn last_line_end(self, input: &[u8], offset: u64) -> Option<usize> {
        let Some((first, second)) = self.unit() else { return memchr::memrchr(b'\n', input).map(|at| at + 1) };
        memchr::memrchr_iter(second, input)
            .map(|at| at + 1)
            .find(|end| is_aligned(offset, *end) && end.checked_sub(2).and_then(|at| input.get(at)) == Some(&first))
    }

    /// How many of the NULs that `input` starts with stand for nothing, at a line start.
    pub fn blank(self, input: &[u8]) -> usize {
        let nuls = input.iter().take_while(|byte| **byte == 0).count();
        match self {
            Text::Bytes => nuls,
            // Half a character may be zero.
            Text::Utf16Le | Text::Utf16Be => nuls & !1,
        }
    }

    /// One line of UTF-16, without its newline, as UTF-8; halves of pairs become replacement characters. `None` when
    /// nothing needs to be decoded.
    pub fn decode(self, line: &[u8]) -> Option<String> {
        let unit = |pair: &[u8]| match (self, pair) {
            (Text::Utf16Le, [low, high]) => u16::from_le_bytes([*low, *high]),
            (Text::Utf16Be, [high, low]) => u16::from_be_bytes([*high, *low]),
            _ => 0xfffd,
        };
        match self {
            Text::Bytes => None,
            Text::Utf16Le | Text::Utf16Be => {
                let decoded = char::decode_utf16(line.chunks_exact(2).map(unit));
                Some(decoded.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
            }
        }
    }

    /// First and second byte of a newline.
    fn unit(self) -> Option<(u8, u8)> {
        match self {
            Text::Bytes => None,
            Text::Utf16Le => Some((b'\n', 0)),
            Text::Utf16Be => Some((0, b'\n')),
        }
    }
}

fn is_aligned(offset: u64, end: usize) -> bool {
    (offset + end as u64).is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: Text, input: &[u8], offset: u64, first: Option<usize>, last: Option<usize>) {
        assert_eq!((text.line_end(input, offset, b'\n'), text.last_line_end(input, offset)), (first, last));
    }

    #[test]
    fn line_ends() {
        check(Text::Bytes, b"a\nb\nc", 3, Some(2), Some(4));
        check(Text::Utf16Le, b"a\0\n\0b\0\n\0c\0", 2, Some(4), Some(8));
        check(Text::Utf16Be, b"\0a\0\n\0b\0\n\0c", 2, Some(4), Some(8));
        // U+0A00 and U+000A side by side, and the same bytes one off.
        check(Text::Utf16Be, b"\x0a\0\0\x0a", 2, Some(4), Some(4));
        check(Text::Utf16Le, b"\0\x0a\x0a\0", 2, Some(4), Some(4));
        check(Text::Utf16Le, b"a\n\0\n", 2, None, None);
        // The first half of a newline came before.
        check(Text::Utf16Le, b"\0b\0", 3, Some(1), None);
        check(Text::Bytes, b"", 0, None, None);
    }

    #[test]
    fn marks() {
        assert_eq!(Text::of(b"\xff\xfea\0b\0"), Text::Utf16Le);
        assert_eq!(Text::of(b"\xfe\xff\0a"), Text::Utf16Be);
        for head in [&b""[..], b"\xff\xfe", b"\xff\xfe\n", b"\xff\xfe\0\0", b"\xfe\xffab", b"abcd"] {
            assert_eq!(Text::of(head), Text::Bytes, "{head:?}");
        }
    }

    #[test]
    fn decodes() {
        assert_eq!(Text::Utf16Le.decode(b"h\0\xe9\0\x3d\xd8\x26\xdc").as_deref(), Some("hé🐦"));
        assert_eq!(Text::Utf16Be.decode(b"\0h\xd8\x3d").as_deref(), Some("h\u{fffd}"));
        assert_eq!(Text::Utf16Be.decode(b"\0h\0").as_deref(), Some("h"));
        assert_eq!(Text::Bytes.decode(b"h"), None);
    }
}
