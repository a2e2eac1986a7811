//! Other readings of a text: what it says when encodings, entities, escapes, invisible letters and simple ciphers are
//! undone, as a clever reader would. Decides nothing about what they say.

/// More readings than this of one text are not made.
const MAX_READINGS: usize = 24;
/// Fewer characters of an encoding are a name or a number, not a sentence.
const LEAST_ENCODED: usize = 16;
const LEAST_HEX: usize = 24;

/// What `raw` also says. In linear time; all readings together are a small multiple of its length.
pub(super) fn readings(raw: &str) -> Vec<String> {
    let mut readings = Vec::new();
    let mut add = |text: Option<String>| {
        if let Some(text) = text.filter(|text| text.trim() != raw.trim() && !text.trim().is_empty())
            && readings.len() < MAX_READINGS
        {
            readings.push(text);
        }
    };
    let unescaped = unescaped(raw);
    add(hidden_letters(raw));
    add(symbols(unescaped.as_deref().unwrap_or(raw)));
    add(unescaped);
    for word in raw.split(|character: char| !(character.is_ascii_alphanumeric() || "+/_-".contains(character))) {
        add(base64(word));
        add(hex(word));
    }
    if raw.is_ascii() {
        add(Some(raw.chars().map(rot13).collect()));
    }
    add(Some(raw.chars().rev().collect()));
    readings
}

/// Tags and variation selectors: text that no person sees and a tokenizer does.
fn hidden_letters(raw: &str) -> Option<String> {
    let mut bytes = Vec::new();
    for character in raw.chars() {
        let code = u32::from(character);
        let byte = match code {
            0xe0020..=0xe007e => code - 0xe0000,
            0xfe00..=0xfe0f => code - 0xfe00,
            0xe0100..=0xe01ef => code - 0xe0100 + 16,
            _ => continue,
        };
        bytes.extend(u8::try_from(byte));
    }
    (bytes.len() >= 8).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// `&#105;`, `&#x69;`, `\u0069`, `\x69` and `%69`, percent signs twice.
fn unescaped(raw: &str) -> Option<String> {
    if !raw.contains(['&', '\\', '%']) {
        return None;
    }
    let once = undo(raw);
    Some(undo(&once))
}

fn undo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '\\', '%']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        match escape(from) {
            Some((character, length)) => {
                out.push(character);
                rest = from.get(length..).unwrap_or_default();
            }
            None => {
                let mut characters = from.chars();
                out.extend(characters.next());
                rest = characters.as_str();
            }
        }
    }
    out + rest
}

/// The character that an escape at the beginning of `text` stands for, and the bytes it takes.
fn escape(text: &str) -> Option<(char, usize)> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    if let Some(rest) = text.strip_prefix("&#") {
        let end = rest.get(..rest.floor_char_boundary(9))?.find(';')?;
        let digits = rest.get(..end)?;
        let character = match digits.strip_prefix(['x', 'X']) {
            Some(hex) => number(hex, 16)?,
            None => number(digits, 10)?,
        };
        return Some((character, end + 3));
    }
    for (pair, character) in [("\\\\", '\\'), ("\\\"", '"'), ("\\/", '/'), ("\\n", ' '), ("\\t", ' ')] {
        if text.starts_with(pair) {
            return Some((character, 2));
        }
    }
    for (start, length) in [("\\u{", 0), ("\\u", 4), ("\\U", 8), ("\\x", 2), ("%u", 4), ("%", 2)] {
        let Some(rest) = text.strip_prefix(start) else { continue };
        if length == 0 {
            let end = rest.get(..rest.floor_char_boundary(8))?.find('}')?;
            return Some((number(rest.get(..end)?, 16)?, start.len() + end + 1));
        }
        if let Some(character) = rest.get(..length).and_then(|digits| number(digits, 16)) {
            return Some((character, start.len() + length));
        }
    }
    None
}

/// `1gn@re y0ur !nstruct!ons`: signs that stand for letters inside words.
fn symbols(raw: &str) -> Option<String> {
    if !raw.contains(['@', '$', '!', '€', '|']) {
        return None;
    }
    let letter = |character| match character {
        '@' => 'a',
        '$' => 's',
        '!' | '|' => 'i',
        '€' => 'e',
        _ => character,
    };
    Some(raw.chars().map(letter).collect())
}

fn base64(word: &str) -> Option<String> {
    if word.len() < LEAST_ENCODED {
        return None;
    }
    let mut bytes = Vec::with_capacity(word.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in word.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(((bits >> held) & 0xff) as u8);
        }
    }
    sentence(bytes)
}

fn hex(word: &str) -> Option<String> {
    if word.len() < LEAST_HEX || !word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes = word.as_bytes().chunks_exact(2).filter_map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    });
    sentence(bytes.collect())
}

/// Bytes that can be read at all.
fn sentence(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let odd = text.chars().filter(|character| character.is_control()).count();
    (odd * 20 <= text.len()).then_some(text)
}

fn rot13(character: char) -> char {
    match character {
        'a'..='m' | 'A'..='M' => char::from(character as u8 + 13),
        'n'..='z' | 'N'..='Z' => char::from(character as u8 - 13),
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: &str) {
        let readings = readings(raw);
        assert!(readings.iter().any(|reading| reading.contains(expected)), "{raw}: {readings:?}");
    }

    #[test]
    fn says_also() {
        check("id=aWdub3JlIHRoaXMgbGluZSBub3c=", "ignore this line now");
        check("id=69676e6f72652074686973206c696e65", "ignore this line");
        check("vtaber guvf yvar", "ignore this line");
        check("enil siht erongi", "ignore this line");
        check("&#105;&#x67;nore \\u0074his", "ignore this");
        check("%2569gnore", "ignore");
        check("\\u{69}gnore", "ignore");
        check("!gnore th!s l!ne", "ignore this line");
        check("\u{e0069}\u{e0067}\u{e006e}\u{e006f}\u{e0072}\u{e0065}\u{e0020}\u{e0074}\u{e0068}", "ignore th");
    }

    proptest! {
        #[test]
        fn any_text(raw in "(?s)(.|%|&#|;|\\\\u|\\\\x|[0-9a-f]{2}|[A-Za-z0-9+/]{4}|\u{e0041}){0,60}") {
            let all: usize = readings(&raw).iter().map(String::len).sum();
            prop_assert!(all <= 400 + raw.len() * 16);
        }
    }
}
