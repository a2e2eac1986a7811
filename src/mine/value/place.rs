//! Names of places: URLs, mail addresses, paths. Must not look them up.

use super::address::ip4;
use super::{ends, is, is_word, run};
use crate::mine::mask::Mask;

/// Bytes of a quoted path behind its first space.
const MAX_QUOTED_PATH: usize = 256;

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

/// Endings of systemd's units, which name an instance as `getty@tty1.service`.
const UNITS: [&[u8]; 10] = [
    b".service",
    b".socket",
    b".device",
    b".mount",
    b".automount",
    b".swap",
    b".target",
    b".path",
    b".timer",
    b".slice",
];

/// Where the mail address ends that starts at `at`. Without a dot it is one between `<` and `>` only. Linear only if asked
/// once for each run of address bytes.
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
    // A masked part of the name: what it was masked for is no mail address either.
    if end < start + length && Mask::at(text, start + length).is_some() {
        return None;
    }
    let bracketed = at.checked_sub(1).is_some_and(|before| is(text, before, b'<')) && is(text, end, b'>');
    let whole = (domain.contains(&b'.') || bracketed) && !UNITS.iter().any(|unit| domain.ends_with(unit));
    (whole && domain.first()?.is_ascii_alphanumeric() && ends(text, end)).then_some(end)
}

/// Where the path ends that starts at `at` with `/`, `./`, `../`, `~/`, `~user/`, `C:\`, `C:/` or `\`.
pub fn path(text: &[u8], at: usize) -> Option<usize> {
    let first = *text.get(at)?;
    let (body, windows) = match first {
        b'/' => (at + 1, false),
        b'.' if is(text, at + 1, b'/') => (at + 2, false),
        b'.' if is(text, at + 1, b'.') && is(text, at + 2, b'/') => (at + 3, false),
        b'~' => {
            let name = run(text, at + 1, 32, |byte| is_word(byte) || matches!(byte, b'.' | b'_' | b'-'));
            (if is(text, at + 1 + name, b'/') { at + 2 + name } else { return None }, false)
        }
        b'\\' => (at + if is(text, at + 1, b'\\') { 2 } else { 1 }, true),
        _ if first.is_ascii_alphabetic() && is(text, at + 1, b':') && is(text, at + 2, b'\\') => (at + 3, true),
        _ if first.is_ascii_uppercase() && is(text, at + 1, b':') && is(text, at + 2, b'/') => (at + 3, false),
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

/// Where the quoted path ends that starts at `at`, if it has spaces: `/srv/My Files/a b.txt`. What follows a space must
/// lead to another separator, or end the path with a file's extension: `/bin/ls -l /etc` and `/etc/passwd is gone` are no
/// paths.
pub fn quoted_path(text: &[u8], at: usize, quote: u8) -> Option<usize> {
    let start = path(text, at)?;
    if !is(text, start, b' ') {
        return None;
    }
    let length = run(text, start, MAX_QUOTED_PATH, |byte| byte != quote && !byte.is_ascii_control());
    let end = start + length;
    if !is(text, end, quote) {
        return None;
    }
    let rest = text.get(start..end)?;
    let joins = |byte: &u8| !matches!(byte, b'"' | b'\'' | b',' | b';' | b'=' | b'|' | b'>' | b'<');
    let words_go_on = |pair: &[u8]| !matches!(pair, [b' ', b'/' | b'\\' | b'-' | b' ']);
    if !rest.iter().all(joins) || !rest.windows(2).all(words_go_on) {
        return None;
    }
    let last = rest.rsplit(|byte| matches!(byte, b'/' | b'\\')).next()?;
    let extension = last.iter().rposition(|byte| *byte == b'.').map(|dot| last.len() - dot - 1);
    let named =
        !last.contains(&b' ') || matches!(extension, Some(1..=5)) && last.last().is_some_and(|byte| is_word(*byte));
    named.then_some(end)
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
        check_end(mail, "getty@tty1.service: x", None);
        check_end(mail, "user@1000.slice", None);
        check_end(mail, "me@my.services", Some("me@my.services"));
        assert_eq!(mail(b"<root@localhost>", 1), Some(15));
        check_end(path, "/var/log/syslog: x", Some("/var/log/syslog"));
        check_end(path, "/10.1.2.3:50010", None);
        check_end(path, r"C:\Windows\x.dll,", Some(r"C:\Windows\x.dll"));
        check_end(path, "/", None);
        check_end(path, "./a/b.c:", Some("./a/b.c"));
        check_end(path, "../../a", Some("../../a"));
        check_end(path, ".../a", None);
        check_end(path, "./", None);
        check_end(path, "~bob/x y", Some("~bob/x"));
        check_end(path, "~5 x", None);
        check_end(path, "D:/data/x.txt", Some("D:/data/x.txt"));
        check_end(path, "d:/data", None);
        check_end(path, "~/.ssh/config", Some("~/.ssh/config"));
    }

    #[track_caller]
    fn check_quoted(text: &str, expected: Option<&str>) {
        assert_eq!(quoted_path(text.as_bytes(), 0, b'"').map(|end| &text[..end]), expected, "{text}");
    }

    #[test]
    fn quoted_paths_may_have_spaces() {
        check_quoted("/srv/My Files/a b.txt\" x", Some("/srv/My Files/a b.txt"));
        check_quoted(r#"C:\Program Files\x\y.exe" x"#, Some(r"C:\Program Files\x\y.exe"));
        check_quoted("/srv/My Files/plain\"", Some("/srv/My Files/plain"));
        check_quoted("/srv/x\"", None);
        check_quoted("/bin/ls -l /etc\"", None);
        check_quoted("/bin/cp a.b /etc/x.y\"", None);
        check_quoted("/etc/passwd is gone\"", None);
        check_quoted("/etc/passwd is gone", None);
        check_quoted("/etc/a b=c/d.e\"", None);
    }
}
