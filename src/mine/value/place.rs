//! Names of places: URLs, mail addresses, paths. Must not look them up.

use super::address::ip4;
use super::{ends, is, is_word, run};

/// Where the URL ends whose scheme starts at `at`.
pub fn url(text: &[u8], at: usize) -> Option<usize> {
    let scheme = run(text, at, 16, |byte| byte.is_ascii_alphanumeric() || byte == b'+');
    if scheme < 2 || text.get(at + scheme..at + scheme + 3) != Some(b"://") {
        return None;
    }
    let start = at + scheme + 3;
    let length = run(text, start, usize::MAX, |byte| {
        !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`' | b'|' | b'{' | b'}')
    });
    Some(trim(text, start, start + length))
}

/// Where the mail address ends that starts at `at`. Linear only if asked once for each run of address bytes.
pub fn mail(text: &[u8], at: usize) -> Option<usize> {
    let local =
        run(text, at, 64, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-'));
    if local == 0 || !is(text, at + local, b'@') {
        return None;
    }
    let start = at + local + 1;
    let length = run(text, start, 255, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let end = trim(text, start, start + length);
    let domain = text.get(start..end)?;
    (domain.contains(&b'.') && domain.first()?.is_ascii_alphanumeric() && ends(text, end)).then_some(end)
}

/// Where the path ends that starts at `at` with `/`, `~/`, `C:\` or `\`.
pub fn path(text: &[u8], at: usize) -> Option<usize> {
    let first = *text.get(at)?;
    let (body, windows) = match first {
        b'/' => (at + 1, false),
        b'~' if is(text, at + 1, b'/') => (at + 2, false),
        b'\\' => (at + if is(text, at + 1, b'\\') { 2 } else { 1 }, true),
        _ if first.is_ascii_alphabetic() && is(text, at + 1, b':') && is(text, at + 2, b'\\') => (at + 3, true),
        _ => return None,
    };
    let start = *text.get(body)?;
    if !(is_word(start) || matches!(start, b'.' | b'_' | b'~' | b'%' | b'$' | b'-')) {
        return None;
    }
    // An address behind a slash is an address: Java prints `host/10.0.0.1:80`.
    if first == b'/' && (ip4(text, body).is_some_and(|end| !is(text, end, b'/'))) {
        return None;
    }
    let length = run(text, body, usize::MAX, |byte| {
        is_word(byte)
            || matches!(
                byte,
                b'/' | b'.' | b'_' | b'-' | b'~' | b'+' | b'%' | b'@' | b':' | b'=' | b'$' | b'?' | b'&' | b'#' | b'*'
            )
            || windows && byte == b'\\'
    });
    Some(trim(text, body, body + length))
}

/// Takes the punctuation of the sentence off the end of a value.
fn trim(text: &[u8], start: usize, end: usize) -> usize {
    let value = text.get(start..end).unwrap_or_default();
    start
        + value
            .iter()
            .rposition(|byte| !matches!(byte, b'.' | b',' | b':' | b';' | b'!' | b'?' | b')' | b']'))
            .map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_end(recognize: fn(&[u8], usize) -> Option<usize>, text: &str, expected: Option<&str>) {
        assert_eq!(recognize(text.as_bytes(), 0).map(|end| &text[..end]), expected, "{text}");
    }

    #[test]
    fn names_of_places() {
        check_end(url, "https://a.b/c?d=e), f", Some("https://a.b/c?d=e"));
        check_end(url, "http:/x", None);
        check_end(mail, "a.b+c@example.org.", Some("a.b+c@example.org"));
        check_end(mail, "root@localhost", None);
        check_end(path, "/var/log/syslog: x", Some("/var/log/syslog"));
        check_end(path, "/10.1.2.3:50010", None);
        check_end(path, r"C:\Windows\x.dll,", Some(r"C:\Windows\x.dll"));
        check_end(path, "/", None);
        check_end(path, "~/.ssh/config", Some("~/.ssh/config"));
    }
}
