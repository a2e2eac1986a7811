//! From bytes to the text a record holds: valid UTF-8, names short and printable. Borrows whenever it can.

use std::borrow::Cow;

use crate::model::Notes;

/// Longest program kept, in bytes.
pub(super) const PROGRAM_MAX: usize = 64;
/// Longest host kept, in bytes; what DNS allows.
pub(super) const HOST_MAX: usize = 255;

/// A message: blanks at both ends cut, invalid UTF-8 replaced and noted. Control characters stay.
pub(super) fn message<'a>(bytes: &'a [u8], notes: &mut Notes) -> Cow<'a, str> {
    verbatim(trim(bytes), notes)
}

/// The same without cutting blanks at the front.
pub(super) fn verbatim<'a>(bytes: &'a [u8], notes: &mut Notes) -> Cow<'a, str> {
    let text = lossy(bytes.trim_ascii_end());
    notes.lossy |= matches!(text, Cow::Owned(_));
    text
}

/// Invalid UTF-8 becomes replacement characters. Checks whole words of ASCII at a time, which
/// `String::from_utf8_lossy` does not.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Cuts spaces, tabs and line ends at both ends.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// A program or component name: at most [`PROGRAM_MAX`] bytes (of a longer dotted one the end, which names the class).
pub(super) fn program(bytes: &[u8]) -> Cow<'_, str> {
    let mut kept = trim(bytes);
    while kept.len() > PROGRAM_MAX {
        match memchr::memchr(b'.', kept) {
            Some(dot) if dot + 1 < kept.len() => kept = kept.get(dot + 1..).unwrap_or_default(),
            _ => break,
        }
    }
    name(kept, PROGRAM_MAX)
}

pub(super) fn host(bytes: &[u8]) -> Cow<'_, str> {
    name(trim(bytes), HOST_MAX)
}

/// A program that is already text.
pub(super) fn program_text(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => program(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(program(text.as_bytes()).into_owned()),
    }
}

/// A host or unit that is already text.
pub(super) fn host_text(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => host(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(host(text.as_bytes()).into_owned()),
    }
}

/// Cut to `most` bytes; what a terminal would not print as itself becomes `?`.
fn name(bytes: &[u8], most: usize) -> Cow<'_, str> {
    let bytes = bytes.get(..most).unwrap_or(bytes);
    // Without an early end this compiles to a few wide instructions.
    if bytes.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~')) {
        // ASCII by the check above, so this borrows.
        return lossy(bytes);
    }
    let text = lossy(bytes);
    let mut clean: String = text.chars().map(|letter| if is_printable(letter) { letter } else { '?' }).collect();
    clean.truncate(clean.floor_char_boundary(most));
    Cow::Owned(clean)
}

/// Not a control character, and none of the invisible or direction-changing format characters.
fn is_printable(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(program(bytes), expected);
    }

    #[test]
    fn names_are_short_and_printable() {
        check(b"sshd", "sshd");
        check("caf\u{e9}".as_bytes(), "café");
        check(b"a\x1b[31mb\x00", "a?[31mb?");
        check("x\u{202e}y".as_bytes(), "x?y");
        check(&[b'a'; 1_000_000], &"a".repeat(64));
        check(&[0xff; 200], &"\u{fffd}".repeat(21));
        check(
            b"org.apache.hadoop.mapreduce.v2.app.rm.RMContainerAllocator$AssignedRequests.Inner",
            "mapreduce.v2.app.rm.RMContainerAllocator$AssignedRequests.Inner",
        );
    }

    #[test]
    fn messages_are_utf_8() {
        let mut notes = Notes::default();
        assert_eq!(message(b"  a\0b \r", &mut notes), "a\0b");
        assert!(!notes.lossy);
        assert_eq!(message(b"caf\xe9", &mut notes), "caf\u{fffd}");
        assert!(notes.lossy);
    }
}
