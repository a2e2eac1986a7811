//! Which part of a token is a name for the rest: `user=`, `"user":`. Must not say what the rest is.

/// Longest name of a member of a JSON object, in bytes.
const MAX_MEMBER: usize = 64;

/// Where the key of a token ends: behind its first `=`, or in JSON behind the first `":`.
pub fn end(token: &[u8]) -> Option<usize> {
    let equals = token.iter().position(|byte| *byte == b'=').map(|at| at + 1).filter(|end| *end > 1);
    let colon = token.windows(2).position(|pair| pair == b"\":").map(|at| at + 2);
    let named = |end: &usize| token.get(..end - 2).is_some_and(|name| name.contains(&b'"'));
    match (equals, colon.filter(named)) {
        // `msg={"level":"info"`
        (Some(equals), Some(colon)) if equals < colon && token.get(equals..equals + 2) != Some(b"{\"") => Some(equals),
        (equals, colon) => colon.or(equals),
    }
}

/// Whether the next member of a JSON object stands at `at`, behind a comma: `"level":`.
pub fn is_member(text: &[u8], at: usize) -> bool {
    let Some((b'"', rest)) = text.get(at..).and_then(<[u8]>::split_first) else { return false };
    let name = rest.iter().take(MAX_MEMBER).take_while(|byte| **byte != b'"' && !byte.is_ascii_whitespace()).count();
    name > 0 && rest.get(name..name + 2) == Some(b"\":")
}

/// Whether values of this key, or behind this word, are names of somebody or of a machine.
pub fn announces_name(word: &str) -> bool {
    let word = word.trim_end_matches([':', '=', '"', '\'']).trim_start_matches(['"', '\'', '{', '(', '[']);
    ["user", "username", "account", "group", "host", "hostname"].iter().any(|name| word.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(token: &str, expected: Option<&str>) {
        assert_eq!(end(token.as_bytes()).map(|end| &token[..end]), expected, "{token}");
    }

    #[test]
    fn keys() {
        check("user=root", Some("user="));
        check("\"user\":\"bob\",", Some("\"user\":"));
        check("{\"a\":{\"b\":1,", Some("{\"a\":"));
        check("msg={\"level\":\"info\",", Some("msg={\"level\":"));
        check("url=\"a\":b", Some("url="));
        check("a=b=c", Some("a="));
        check("=x", None);
        check("x\":y", None);
        check("\":", None);
        check("plain", None);
    }

    #[test]
    fn members() {
        assert!(is_member(br#"{"a":1,"b":2}"#, 7));
        assert!(!is_member(br#"["a","b"]"#, 5));
        assert!(!is_member(br#",""":1"#, 1));
        assert!(!is_member(b"x", 5));
    }

    #[test]
    fn names() {
        for word in ["user", "User:", "user=", "\"user\":", "{\"host\":", "(user"] {
            assert!(announces_name(word), "{word}");
        }
        assert!(!announces_name("user,") && !announces_name("users"));
    }
}
