//! Takes the invisible out of text before anything is searched in it: a zero-width space must not hide a key from the
//! rules and then be stripped behind them. Decides nothing about secrets.

use std::borrow::Cow;

/// Longest escape sequence that is removed as a whole; a longer one loses only its escape character, so that text
/// cannot be hidden behind an unfinished sequence.
const MAX_ESCAPE_CHARS: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reader {
    /// One line, no control characters at all.
    Model,
    /// Line breaks and tabs stay, other control characters are shown as their Unicode pictures (U+2400..).
    People,
}

/// `text` without escape sequences, NUL, and every character that is not seen: zero-width, bidirectional, tags,
/// variation selectors, fillers, private use (Unicode 16 general category Cf and friends).
pub(super) fn clean(text: &str, reader: Reader) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        rest = after;
        match character {
            '\u{1b}' => {
                let length = escape_length(after);
                rest = after.get(length..).unwrap_or_default();
                if length == 0 && reader == Reader::People {
                    out.push('␛');
                }
            }
            '\0' => {}
            '\n' | '\t' if reader == Reader::People => out.push(character),
            '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push(' '),
            _ if character.is_control() => {
                if reader == Reader::People {
                    let picture = if character == '\u{7f}' { 0x2421 } else { 0x2400 + u32::from(character) };
                    out.push(char::from_u32(picture).filter(|_| character <= '\u{7f}').unwrap_or('\u{fffd}'));
                }
            }
            _ if invisible(character) => {}
            _ => out.push(character),
        }
    }
    Cow::Owned(out)
}

/// Bytes of the escape sequence (ECMA-48) that `after` begins with, ESC itself not included; 0 when it is none.
fn escape_length(after: &str) -> usize {
    let mut characters = after.char_indices().take(MAX_ESCAPE_CHARS);
    match characters.next() {
        // CSI: parameters, then one final byte. Without a number only what clears and resets: the final byte of anything
        // else may be the first letter of a word, and without it no rule would know `password=`.
        Some((_, '[')) => {
            let mut number = false;
            for (at, character) in characters {
                match character {
                    '0'..='9' => number = true,
                    ':'..='?' => {}
                    'm' | 'K' | 'J' | 'H' => return at + 1,
                    '@'..='~' if number => return at + 1,
                    _ => return 0,
                }
            }
            0
        }
        // OSC, DCS, SOS, PM, APC: up to BEL or ST
        Some((_, ']' | 'P' | 'X' | '^' | '_')) => {
            let mut escape = false;
            for (at, character) in characters {
                match character {
                    '\u{7}' => return at + 1,
                    '\\' if escape => return at + 1,
                    _ => escape = character == '\u{1b}',
                }
            }
            0
        }
        // charset selection takes one more
        Some((_, '(' | ')' | '*' | '+')) => match characters.next() {
            Some((at, '0'..='9' | 'A'..='Z')) => at + 1,
            _ => 0,
        },
        Some((_, '7' | '8' | '=' | '>' | 'c' | 'D' | 'E' | 'H' | 'M' | 'N' | 'O' | 'Z')) => 1,
        _ => 0,
    }
}

fn invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{13430}'..='\u{1345f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, model: &str, people: &str) {
        assert_eq!(clean(text, Reader::Model), model, "{text:?} for a model");
        assert_eq!(clean(text, Reader::People), people, "{text:?} for people");
    }

    #[test]
    fn strips_what_is_not_seen() {
        check("plain", "plain", "plain");
        check("größe 100 €", "größe 100 €", "größe 100 €");
        check("a\u{200b}b\u{202e}c\u{e0041}d\u{feff}", "abcd", "abcd");
        check("p\0a\0s\0s\0", "pass", "pass");
        check("one\ntwo\tthree", "one two three", "one\ntwo\tthree");
        check("\u{1b}[1;31mred\u{1b}[0m", "red", "red");
        check("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\", "link", "link");
        check("\u{1b}[ password=x \u{1b}[token=y", "[ password=x [token=y", "␛[ password=x ␛[token=y");
        check("\u{1b}]0;never closed", "]0;never closed", "␛]0;never closed");
        check("bell\u{7} del\u{7f} c1\u{9b}", "bell del c1", "bell␇ del␡ c1\u{fffd}");
        check("\u{1b}", "", "␛");
    }
}
