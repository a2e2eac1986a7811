//! A place in a line that only moves forward. Every look is checked: no bytes can make it panic. Knows no format.

/// The unread rest of a line. Copying it is how a parser looks ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(line: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: line }
    }

    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    /// The byte `distance` ahead; 0 past the end (no format has a NUL in its header).
    pub fn peek(self, distance: usize) -> u8 {
        self.rest.get(distance).copied().unwrap_or(0)
    }

    pub fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The next `count` bytes, or all there are.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Steps over `byte` when it is next.
    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.advance(1);
        }
        found
    }

    /// Steps over `text` when it is next.
    pub fn eat_text(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Steps over spaces and tabs; how many there were.
    pub fn spaces(&mut self) -> usize {
        let count = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.advance(count);
        count
    }

    /// A number of `least..=most` digits (`most` at most 18). Stops after `most` digits.
    pub fn number(&mut self, least: usize, most: usize) -> Option<u64> {
        let mut value = 0u64;
        let mut count = 0;
        while count < most {
            match self.peek(count) {
                digit @ b'0'..=b'9' => value = value * 10 + u64::from(digit - b'0'),
                _ => break,
            }
            count += 1;
        }
        if count < least {
            return None;
        }
        self.advance(count);
        Some(value)
    }

    /// Exactly two digits.
    pub fn two_digits(&mut self) -> Option<u8> {
        match *self.rest {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ref rest @ ..] => {
                self.rest = rest;
                Some((tens - b'0') * 10 + (ones - b'0'))
            }
            _ => None,
        }
    }

    /// How many digits are next, looking at 20 at most.
    pub fn digits_ahead(self) -> usize {
        self.rest.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// Everything up to the next space, tab or end. May be empty.
    pub fn token(&mut self) -> &'a [u8] {
        let end = memchr::memchr2(b' ', b'\t', self.rest).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// Everything up to `byte`, which is stepped over; `None` (and no move) when it is not within `most` bytes.
    pub fn until(&mut self, byte: u8, most: usize) -> Option<&'a [u8]> {
        let window = self.rest.get(..most.saturating_add(1)).unwrap_or(self.rest);
        let end = memchr::memchr(byte, window)?;
        let taken = self.take(end);
        self.advance(1);
        Some(taken)
    }

    /// The inside of a balanced `[...]`, `(...)`, `<...>` or `{...}` that starts here, at most `most` bytes long; steps over it.
    pub fn group(&mut self, most: usize) -> Option<&'a [u8]> {
        let open = self.peek(0);
        let close = match open {
            b'[' => b']',
            b'(' => b')',
            b'<' => b'>',
            b'{' => b'}',
            _ => return None,
        };
        let mut depth = 0usize;
        for (index, &byte) in self.rest.iter().enumerate().take(most.saturating_add(2)) {
            if byte == open {
                depth += 1;
            } else if byte == close {
                depth -= 1;
                if depth == 0 {
                    let inside = self.rest.get(1..index)?;
                    self.advance(index + 1);
                    return Some(inside);
                }
            }
        }
        None
    }

    /// The inside of a `"..."` that starts here, backslash escapes left as they are; steps over it.
    pub fn quoted(&mut self) -> Option<&'a [u8]> {
        if self.peek(0) != b'"' {
            return None;
        }
        let mut from = 1;
        loop {
            let offset = memchr::memchr2(b'"', b'\\', self.rest.get(from..)?)?;
            let at = from + offset;
            if self.peek(at) == b'"' {
                let inside = self.rest.get(1..at)?;
                self.advance(at + 1);
                return Some(inside);
            }
            from = at + 2;
        }
    }
}

/// `Some` inside of `#[must_use]` chains: turns a yes-or-no step into one that `?` can end.
pub(super) fn required(step: bool) -> Option<()> {
    step.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_forward_and_never_past_the_end() {
        let mut cursor = Cursor::new(b"12 [a [b]] \"q\\\"x\" rest");
        assert_eq!(cursor.two_digits(), Some(12));
        assert_eq!(cursor.spaces(), 1);
        assert_eq!(cursor.group(100), Some(&b"a [b]"[..]));
        cursor.spaces();
        assert_eq!(cursor.quoted(), Some(&b"q\\\"x"[..]));
        cursor.spaces();
        assert_eq!(cursor.token(), b"rest");
        assert!(cursor.is_empty());
        cursor.advance(10);
        assert_eq!((cursor.peek(5), cursor.token()), (0, &b""[..]));
        for unclosed in [&b"[[a]"[..], b"\"a\\\"", b"\"\\", b"(", b""] {
            assert_eq!(Cursor::new(unclosed).group(100), None);
            assert_eq!(Cursor::new(unclosed).quoted(), None);
        }
    }
}
