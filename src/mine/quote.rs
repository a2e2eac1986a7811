//! Where a quoted phrase begins and ends, token by token. Must not mask: what is quoted may be what the line has to say.

/// What may close the quote that a token opens and does not close.
pub fn opened(token: &str) -> Option<&'static [char]> {
    let mut open: Option<&'static [char]> = None;
    let mut previous = None;
    for letter in token.chars() {
        open = match open {
            Some(closing) if closing.contains(&letter) => None,
            Some(closing) => Some(closing),
            None if previous.is_none_or(|letter| "=([{:,<>".contains(letter)) => closing(letter),
            None => None,
        };
        previous = Some(letter);
    }
    open
}

/// Whether the last of these quotes in a token ends a phrase.
pub fn closes(token: &str, closing: &[char]) -> bool {
    token.rsplit_once(closing).is_some_and(|(_, rest)| rest.bytes().all(|byte| byte.is_ascii_punctuation()))
}

fn closing(opening: char) -> Option<&'static [char]> {
    match opening {
        '"' => Some(&['"']),
        '\'' => Some(&['\'']),
        // GNU programs quote `like this'.
        '`' => Some(&['`', '\'']),
        '\u{201c}' => Some(&['\u{201d}']),
        '\u{2018}' => Some(&['\u{2019}']),
        '\u{ab}' => Some(&['\u{bb}']),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::mine::hash::Keys;
    use crate::mine::scan::Scan;

    #[track_caller]
    fn check_tokens(message: &str, expected: &[&str]) {
        let mut scan = Scan::default();
        scan.read(message, &Keys::new(3));
        let texts: Vec<&str> = scan.tokens().iter().map(|token| scan.token_text(token)).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn quoted_phrases_stay_together() {
        check_tokens("say \"a b  c\" now", &["say", "\"a b c\"", "now"]);
        check_tokens("msg=\"x y\", z", &["msg=\"x y\",", "z"]);
        check_tokens("can't open 'my file' or don't", &["can't", "open", "'my file'", "or", "don't"]);
        check_tokens("an open \"end without", &["an", "open", "\"end", "without"]);
        check_tokens("\"a\" \"b c\"", &["\"a\"", "\"b c\""]);
        check_tokens("{\"a\":\"b c\"} d", &["{\"a\":\"b c\"}", "d"]);
        check_tokens("run `a b' or `c d` now", &["run", "`a b'", "or", "`c d`", "now"]);
        check_tokens("open “a b”, ‘c d’.", &["open", "“a b”,", "‘c d’."]);
        check_tokens("don’t say ‘no", &["don’t", "say", "‘no"]);
    }
}
