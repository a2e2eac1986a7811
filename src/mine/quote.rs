//! Where a quoted phrase begins and ends, token by token. Must not mask: what is quoted may be what the line has to say.

/// The quote that a token opens and does not close.
pub fn opened(token: &str) -> Option<u8> {
    let bytes = token.as_bytes();
    let at = bytes.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
    let quote = *bytes.get(at)?;
    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
    let opens = before.is_none_or(|byte| matches!(byte, b'=' | b'(' | b'[' | b'{' | b':' | b',' | b'<' | b'>'));
    let closed = bytes.get(at + 1..).unwrap_or_default().contains(&quote);
    (opens && !closed).then_some(quote)
}

/// Whether the last quote of this kind in a token ends a phrase.
pub fn closes(token: &str, quote: u8) -> bool {
    let bytes = token.as_bytes();
    bytes
        .iter()
        .rposition(|byte| *byte == quote)
        .is_some_and(|at| bytes.get(at + 1..).unwrap_or_default().iter().all(|byte| byte.is_ascii_punctuation()))
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
    }
}
