//! The words of a line: found once, by the first detector that looks at values. Knows nothing of templates.

use std::cell::OnceCell;

use wide::u8x16;

/// Words of a line that are looked at.
pub const MAX_WORDS: usize = 64;

/// Start and end of each word of one message.
#[derive(Debug, Default)]
pub struct Words(OnceCell<Spans>);

#[derive(Debug)]
struct Spans {
    /// One more than are looked at: a line of more words is like no template.
    spans: [(u16, u16); MAX_WORDS + 1],
    count: usize,
}

impl Words {
    /// Start and end of each word between blanks, as `split_ascii_whitespace` has them. One more than are looked at when
    /// there are more of them, or beyond 64 KiB. Always to be asked about the same message.
    pub fn of(&self, message: &str) -> &[(u16, u16)] {
        let found = self.0.get_or_init(|| {
            let mut found = Spans { spans: [(0, 0); MAX_WORDS + 1], count: 0 };
            each_word(message.as_bytes(), |start, end| {
                let (Ok(start), Ok(end)) = (u16::try_from(start), u16::try_from(end)) else {
                    found.count = MAX_WORDS + 1;
                    return false;
                };
                if let Some(span) = found.spans.get_mut(found.count) {
                    *span = (start, end);
                    found.count += 1;
                }
                found.count <= MAX_WORDS
            });
            found
        });
        found.spans.get(..found.count).unwrap_or_default()
    }
}

/// Start and end of each word, until `each` has seen enough. Sixteen bytes at a time.
#[inline]
fn each_word(bytes: &[u8], mut each: impl FnMut(usize, usize) -> bool) -> bool {
    let mut start = None;
    // What is in front of the first byte is blank.
    let mut before = 1u32;
    let mut block = |base: usize, chunk: [u8; 16]| {
        let blank = blanks(chunk);
        // Where a word begins or ends.
        let mut edges = (blank ^ (blank << 1 | before)) & 0xffff;
        before = blank >> 15 & 1;
        while edges != 0 {
            let at = base + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            match start.take() {
                None => start = Some(at),
                Some(from) if !each(from, at) => return false,
                Some(_) => {}
            }
        }
        true
    };
    let (chunks, rest) = bytes.as_chunks::<16>();
    let mut base = 0;
    for chunk in chunks {
        if !block(base, *chunk) {
            return false;
        }
        base += 16;
    }
    // A blank behind the last byte ends the last word.
    let mut last = [b' '; 16];
    last.iter_mut().zip(rest).for_each(|(into, byte)| *into = *byte);
    block(base, last)
}

/// One bit for each blank: space, tab, newline, form feed, carriage return.
#[inline]
fn blanks(chunk: [u8; 16]) -> u32 {
    let chunk = u8x16::new(chunk);
    let is = |byte: u8| chunk.simd_eq(u8x16::splat(byte));
    (is(b' ') | is(b'\t') | is(b'\n') | is(0x0c) | is(b'\r')).to_bitmask()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_are_those_of_the_standard_library(message in "(?s).{0,80}|([a-z]{0,20}[ \t\n\r\u{b}\u{c}]{0,3}){0,9}|(a ){60,70}") {
            let words = Words::default();
            let found = words.of(&message).iter();
            let found: Vec<&str> = found.map(|(start, end)| &message[usize::from(*start)..usize::from(*end)]).collect();
            let expected: Vec<&str> = message.split_ascii_whitespace().take(MAX_WORDS + 1).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
