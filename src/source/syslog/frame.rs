//! Where a message ends in a stream of bytes: RFC 6587's two framings, told apart by the first bytes of a connection.
//!
//! Must never fail, never hold more than it is allowed to, and drop no byte of a message uncounted. Knows no sockets.

/// Longest length field, in digits: ten megabytes is more than any message has.
const DIGITS_MAX: usize = 7;

/// Cuts one connection's bytes into messages.
#[derive(Debug, Default)]
pub(super) struct Framer {
    framing: Framing,
    /// The message whose end has not come yet, without what goes beyond the cap.
    held: Vec<u8>,
    /// Bytes of that message that were dropped.
    dropped: u64,
    /// Places where a length was expected and something else stood.
    garbled: u64,
}

/// One message; `bytes` without its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Message<'a> {
    pub bytes: &'a [u8],
    /// Bytes of it beyond the cap.
    pub dropped: u64,
    /// The connection ended in the middle of it.
    pub partial: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Framing {
    /// The first bytes have not told yet: they are in `held`.
    #[default]
    Open,
    /// Each message ends with a line feed.
    Lines,
    /// Each message follows its length: so many digits of it were read.
    Length { value: usize, digits: usize },
    /// So much is missing of the message.
    Body { missing: usize },
}

impl Framer {
    /// Hands over the messages that end in `bytes`. No message is held beyond `cap` bytes.
    pub fn push(&mut self, bytes: &[u8], cap: usize, each: &mut dyn FnMut(Message<'_>)) {
        if self.framing != Framing::Open {
            return self.cut(bytes, cap, each);
        }
        self.held.extend_from_slice(bytes);
        if let Some(framing) = first_framing(&self.held) {
            self.framing = framing;
            let held = std::mem::take(&mut self.held);
            self.cut(&held, cap, each);
        }
    }

    /// The connection has ended: what is held is a message without its end.
    pub fn finish(&mut self, each: &mut dyn FnMut(Message<'_>)) {
        if !self.held.is_empty() {
            self.emit(true, each);
        }
    }

    /// Bytes held of an unfinished message.
    pub fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Between two messages.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty() && !matches!(self.framing, Framing::Body { .. })
    }

    /// How often a length was expected and something else stood, since the last call.
    pub fn take_garbled(&mut self) -> u64 {
        std::mem::take(&mut self.garbled)
    }

    fn cut(&mut self, mut bytes: &[u8], cap: usize, each: &mut dyn FnMut(Message<'_>)) {
        while let Some(first) = bytes.first() {
            match self.framing {
                Framing::Open | Framing::Lines => match memchr::memchr(b'\n', bytes) {
                    Some(end) => {
                        let (line, rest) = bytes.split_at(end);
                        self.hold(line, cap);
                        self.emit(false, each);
                        bytes = rest.get(1..).unwrap_or_default();
                    }
                    None => {
                        self.hold(bytes, cap);
                        return;
                    }
                },
                Framing::Length { value, digits } => {
                    self.framing = match first {
                        b'0'..=b'9' if digits < DIGITS_MAX => {
                            Framing::Length { value: value * 10 + usize::from(first - b'0'), digits: digits + 1 }
                        }
                        b' ' if digits > 0 && value > 0 => Framing::Body { missing: value },
                        // Some senders end a counted message with a line feed nevertheless.
                        b'\n' | b'\r' | 0 if digits == 0 => Framing::Length { value: 0, digits: 0 },
                        _ => {
                            // The rest is taken for lines: better read oddly than not at all.
                            self.garbled += 1;
                            self.framing = Framing::Lines;
                            continue;
                        }
                    };
                    bytes = bytes.get(1..).unwrap_or_default();
                }
                Framing::Body { missing } => {
                    let (part, rest) = bytes.split_at(missing.min(bytes.len()));
                    self.hold(part, cap);
                    bytes = rest;
                    self.framing = Framing::Body { missing: missing - part.len() };
                    if missing == part.len() {
                        self.framing = Framing::Length { value: 0, digits: 0 };
                        self.emit(false, each);
                    }
                }
            }
        }
    }

    fn hold(&mut self, part: &[u8], cap: usize) {
        let room = cap.saturating_sub(self.held.len()).min(part.len());
        // Once something was dropped of a message, nothing behind it belongs to what is kept.
        let room = if self.dropped > 0 { 0 } else { room };
        self.held.extend_from_slice(part.get(..room).unwrap_or_default());
        self.dropped += (part.len() - room) as u64;
    }

    fn emit(&mut self, partial: bool, each: &mut dyn FnMut(Message<'_>)) {
        let bytes = trimmed(&self.held);
        let dropped = std::mem::take(&mut self.dropped);
        if !bytes.is_empty() {
            each(Message { bytes, dropped, partial });
        }
        self.held.clear();
        // One huge message does not keep its memory.
        self.held.shrink_to(4_096);
    }
}

/// A message without the ends that senders put behind it.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// `None` while it takes more bytes to tell. Digits, a blank and `<` begin a counted message; anything else a line.
fn first_framing(bytes: &[u8]) -> Option<Framing> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > DIGITS_MAX {
        return (!bytes.is_empty()).then_some(Framing::Lines);
    }
    match (bytes.get(digits), bytes.get(digits + 1)) {
        (None, _) | (Some(b' '), None) => None,
        (Some(b' '), Some(b'<')) if bytes.first() != Some(&b'0') => Some(Framing::Length { value: 0, digits: 0 }),
        (Some(_), _) => Some(Framing::Lines),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The messages of `input` in pieces of `size`, at most 8 bytes each.
    fn cut(input: &[u8], size: usize) -> (Vec<String>, u64) {
        let mut framer = Framer::default();
        let mut found = Vec::new();
        let mut each = |message: Message<'_>| {
            let mut text = String::from_utf8_lossy(message.bytes).into_owned();
            if message.dropped > 0 {
                text.push_str(&format!(" (cut {})", message.dropped));
            }
            if message.partial {
                text.push_str(" (partial)");
            }
            found.push(text);
        };
        for piece in input.chunks(size) {
            framer.push(piece, 8, &mut each);
        }
        framer.finish(&mut each);
        (found, framer.take_garbled())
    }

    #[track_caller]
    fn check(input: &[u8], expected: &[&str]) {
        for size in [1, 2, 3, 7, 100] {
            assert_eq!(cut(input, size).0, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn lines() {
        check(b"", &[]);
        check(b"<3>a\n<3>b\r\n\n<3>c\0\n", &["<3>a", "<3>b", "<3>c"]);
        check(b"<3>a\n<3>b", &["<3>a", "<3>b (partial)"]);
        check(b"<3>456789abc\nx\n", &["<3>45678 (cut 4)", "x"]);
        // Lines that begin with digits are not counted.
        check(b"42 is\nx\n", &["42 is", "x"]);
        check(b"12:30 a\n", &["12:30 a"]);
        check(b"12345678 <3>\n", &["12345678 (cut 4)"]);
        check(b"0 <3>\n", &["0 <3>"]);
        check(b"12", &["12 (partial)"]);
    }

    #[test]
    fn counted() {
        check(b"4 <3>a5 <3>bc", &["<3>a", "<3>bc"]);
        check(b"6 <3>a\nb4 <3>c", &["<3>a\nb", "<3>c"]);
        check(b"4 <3>a\n4 <3>b\n", &["<3>a", "<3>b"]);
        check(b"9 <3>a", &["<3>a (partial)"]);
        check(b"12 <3>456789abc4 <3>x", &["<3>45678 (cut 4)", "<3>x"]);
        check(b"9999999 <3>456789", &["<3>45678 (cut 1) (partial)"]);
        // A length that is none: the rest is lines.
        check(b"4 <3>ajunk\n<3>b\n", &["<3>a", "junk", "<3>b"]);
        assert_eq!(cut(b"4 <3>ajunk\n", 3).1, 1);
        check(b"4 <3>a12345678 <3>\nb\n", &["<3>a", "8 <3>", "b"]);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces(bytes in proptest::collection::vec(prop_oneof![
            Just(b'\n'), Just(b' '), Just(b'<'), b'0'..=b'9', any::<u8>()], 0..200), size in 1usize..20) {
            prop_assert_eq!(cut(&bytes, size), cut(&bytes, bytes.len().max(1)));
        }

        #[test]
        fn holds_no_more_than_it_may(bytes in proptest::collection::vec(1u8..10, 0..5_000)) {
            let mut framer = Framer::default();
            framer.push(&bytes, 1_000, &mut |_| ());
            prop_assert!(framer.held() <= 8_192);
        }
    }
}
