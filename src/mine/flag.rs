//! Is a word the value of a flag? One flag is what a line says (`success=false`); a dump of a program's state has many,
//! and there they are values. Looks at the line alone; must not know what a flag means.

use super::mask::Mask;
use super::value::{is_word, word_length};

/// Flags from which on a line is a dump of state.
const MANY: usize = 3;

/// Whether so many flags stand in the line that they are values.
pub fn is_dump(text: &[u8]) -> bool {
    let mut flags = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'=' | b':' | b'>' => {
                let value = skip_blanks(text, at + 1);
                flags += usize::from(is_key_end(text, at) && is_truth(text, value) && stands_alone(text, value, at));
                if flags == MANY {
                    return true;
                }
            }
            // What was masked was a dump.
            b'<' if matches!(Mask::at(text, at), Some((Mask::Bool, _))) => return true,
            _ => {}
        }
    }
    false
}

/// Where the value of a flag ends that starts at `at`, in a line that is a dump.
pub fn flag(text: &[u8], at: usize) -> Option<usize> {
    let before = last_before(text, at)?;
    let known = is_truth(text, at) || is_nothing(word(text, at));
    (known && is_key_end(text, before) && stands_alone(text, at, before)).then(|| at + word_length(text, at))
}

fn is_truth(text: &[u8], at: usize) -> bool {
    let truths = [&b"true"[..], b"false", b"yes", b"no", b"on", b"off"];
    truths.iter().any(|truth| word(text, at).eq_ignore_ascii_case(truth))
}

fn is_nothing(word: &[u8]) -> bool {
    [&b"null"[..], b"none", b"nil"].iter().any(|nothing| word.eq_ignore_ascii_case(nothing))
}

/// `=`, `:` or `=>` behind a name.
fn is_key_end(text: &[u8], at: usize) -> bool {
    let at = match text.get(at) {
        Some(b'=' | b':') => at,
        Some(b'>') if at > 0 && text.get(at - 1) == Some(&b'=') => at - 1,
        _ => return false,
    };
    let name = last_before(text, at).and_then(|at| text.get(at));
    name.is_some_and(|byte| is_word(*byte) || matches!(byte, b'"' | b'\'' | b')' | b']' | b'}' | b'>' | b'_' | b'?'))
}

/// No phrase goes on behind the word: `error: no route`, `mode=on-demand`.
fn stands_alone(text: &[u8], at: usize, key_end: usize) -> bool {
    let end = at + word_length(text, at);
    let prose = text.get(key_end) == Some(&b':') && !matches!(word(text, at).len(), 4..);
    match text.get(end) {
        None | Some(b',' | b';' | b')' | b']' | b'}' | b'|' | b'&' | b'"' | b'\'') => true,
        Some(b'.' | b'!') => text.get(end + 1).is_none_or(u8::is_ascii_whitespace),
        Some(byte) => byte.is_ascii_whitespace() && (!prose || skip_blanks(text, end) == text.len()),
    }
}

/// The word there; nothing where it is too long to be one of those that are asked for.
fn word(text: &[u8], at: usize) -> &[u8] {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest.iter().take(6).take_while(|byte| is_word(**byte)).count();
    rest.get(..length).unwrap_or_default()
}

fn skip_blanks(text: &[u8], at: usize) -> usize {
    at + text.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The last byte in front of `at` that is no blank.
fn last_before(text: &[u8], at: usize) -> Option<usize> {
    text.get(..at)?.iter().rposition(|byte| !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use crate::mine::Miner;

    #[track_caller]
    fn check(message: &str, expected: &str) {
        assert_eq!(Miner::mask(message), expected);
        assert_eq!(Miner::mask(expected), expected);
    }

    #[test]
    fn flags_of_a_dump_are_values() {
        check(
            "stop allDrawn= false, start =  true, again=false",
            "stop allDrawn= <BOOL>, start = <BOOL>, again=<BOOL>",
        );
        check("ready=true,policy=3,boost=false,mode=false", "ready=<BOOL>,policy=<NUM>,boost=<BOOL>,mode=<BOOL>");
        check(
            "{\"a\":true,\"b\":false,\"c\":null,\"d\": true}",
            "{\"a\":<BOOL>,\"b\":<BOOL>,\"c\":<BOOL>,\"d\": <BOOL>}",
        );
        check("{'a': True, 'b': None, 'c': False, :d=>true}", "{'a': <BOOL>, 'b': <BOOL>, 'c': <BOOL>, :d=><BOOL>}");
        check("a=on b=OFF c=yes.", "a=<BOOL> b=<BOOL> c=<BOOL>.");
        check("tls: on, http2: off, gzip: no", "tls: <BOOL>, http<NUM>: <BOOL>, gzip: <BOOL>");
    }

    #[test]
    fn one_flag_is_what_a_line_says() {
        check("login success=false", "login success=false");
        check("a=true b=null c=none", "a=true b=null c=none");
        check("a=true b=false c==true d=truest", "a=true b=false c==true d=truest");
        check("true, false and true", "true, false and true");
        check("a: no route, b: no space, c: on fire", "a: no route, b: no space, c: on fire");
        check("a=true b=no-op c=on_start d=yes", "a=true b=no-op c=on_start d=yes");
    }
}
