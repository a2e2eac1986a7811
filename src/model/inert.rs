//! Makes hostile text lie still: characters that would act on a terminal, a mail header or a reader's eye are shown
//! instead. Knows nothing of any notifier's own markup; each escapes that itself.

use std::fmt::Write;

/// The text on one line: line ends and everything else that acts become visible escapes (`\n`, `\x1b`, `\u{202e}`).
pub fn one_line(text: &str) -> String {
    show(text, false)
}

/// As [`one_line`], but line ends stay line ends (and `\r\n` becomes one).
pub fn lines(text: &str) -> String {
    show(&text.replace("\r\n", "\n"), true)
}

/// At most `max` UTF-16 units of `text` (what chat services count), with an ellipsis where it was cut.
pub fn clip(text: &str, max: usize) -> String {
    let mut used = 0;
    // Where to cut should the text turn out too long: room for the ellipsis is left.
    let mut cut = 0;
    for (at, character) in text.char_indices() {
        if used < max {
            cut = at;
        }
        used += character.len_utf16();
        if used > max {
            let mut clipped = text.get(..cut).unwrap_or_default().to_owned();
            if max > 0 {
                clipped.push('…');
            }
            return clipped;
        }
    }
    text.to_owned()
}

fn show(text: &str, keep_line_ends: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        // Writing to a String cannot fail.
        let _ = match character {
            '\n' if keep_line_ends => shown.write_char('\n'),
            '\t' => shown.write_char(' '),
            '\n' => shown.write_str("\\n"),
            '\r' => shown.write_str("\\r"),
            '\0'..='\x1f' | '\x7f' => write!(shown, "\\x{:02x}", u32::from(character)),
            _ if acts(character) => write!(shown, "\\u{{{:x}}}", u32::from(character)),
            _ => shown.write_char(character),
        };
    }
    shown
}

/// Whether a character beyond ASCII changes how the text around it is shown: C1 controls, zero-width and bidirectional
/// formatting (the "Trojan Source" set, CVE-2021-42574), line separators, tags.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(one_line(text), expected);
    }

    #[test]
    fn what_acts_is_shown() {
        check("plain ASCII, ünïcode, 日本 🐦", "plain ASCII, ünïcode, 日本 🐦");
        check("a\r\nBcc: x@evil.example", "a\\r\\nBcc: x@evil.example");
        check("\x1b]0;owned\x07\x1b[2J", "\\x1b]0;owned\\x07\\x1b[2J");
        check("\u{9b}31m", "\\u{9b}31m");
        check("user\u{202e}txt.exe", "user\\u{202e}txt.exe");
        check("a\u{2028}b\u{200b}c\u{e0041}", "a\\u{2028}b\\u{200b}c\\u{e0041}");
        check("tab\there", "tab here");
        assert_eq!(lines("a\r\nb\nc\rd"), "a\nb\nc\\rd");
    }

    #[track_caller]
    fn check_clip(text: &str, max: usize, expected: &str) {
        assert_eq!(clip(text, max), expected);
        assert!(clip(text, max).encode_utf16().count() <= max);
    }

    #[test]
    fn clips_by_utf16_units() {
        check_clip("abc", 3, "abc");
        check_clip("abcd", 3, "ab…");
        check_clip("🐦🐦", 4, "🐦🐦");
        check_clip("🐦🐦🐦", 4, "🐦…");
        check_clip("ab", 1, "…");
        check_clip("ab", 0, "");
        check_clip("", 0, "");
    }

    proptest::proptest! {
        #[test]
        fn nothing_left_acts(text in proptest::prelude::any::<String>(), max in 0usize..40) {
            proptest::prop_assert!(!one_line(&text).chars().any(acts));
            proptest::prop_assert!(!lines(&text).chars().any(|c| c != '\n' && acts(c)));
            proptest::prop_assert!(clip(&text, max).encode_utf16().count() <= max);
        }
    }
}
