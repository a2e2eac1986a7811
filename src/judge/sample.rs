//! What of a raw line goes along with its template: the harmless values, put back into their placeholders.
//!
//! A line is matched against its own template, so every constant word is known to be constant and only values are in
//! question. A line that does not match sends nothing: the template alone is then judged. Linear in the line.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Evidence, KindId};

/// Error names of errno.h that may show: they say what happened and nothing about whom.
const ERRNO: &[&str] = &[
    "EPERM",
    "ENOENT",
    "EINTR",
    "EIO",
    "ENXIO",
    "E2BIG",
    "EBADF",
    "EAGAIN",
    "ENOMEM",
    "EACCES",
    "EFAULT",
    "EBUSY",
    "EEXIST",
    "ENODEV",
    "ENOTDIR",
    "EISDIR",
    "EINVAL",
    "ENFILE",
    "EMFILE",
    "EFBIG",
    "ENOSPC",
    "ESPIPE",
    "EROFS",
    "EMLINK",
    "EPIPE",
    "EDQUOT",
    "EPROTO",
    "EOVERFLOW",
    "EADDRINUSE",
    "EADDRNOTAVAIL",
    "ENETDOWN",
    "ENETUNREACH",
    "ECONNABORTED",
    "ECONNRESET",
    "ENOBUFS",
    "ENOTCONN",
    "ETIMEDOUT",
    "ECONNREFUSED",
    "EHOSTDOWN",
    "EHOSTUNREACH",
    "ESTALE",
    "EREMOTEIO",
    "ENOKEY",
    "EUCLEAN",
    "ENOTFOUND",
];

/// A piece of a template.
enum Piece<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
}

/// The line with every value that could identify somebody replaced by its placeholder, or none when the line does not
/// match the template.
pub fn masked(template: &str, line: &str) -> Option<String> {
    let pieces = pieces(template);
    let mut masked = String::with_capacity(template.len());
    let mut rest = line;
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(text) => {
                rest = strip_literal(rest, text)?;
                masked.push_str(text);
            }
            Piece::Placeholder(name) => {
                let end = match pieces.get(at + 1) {
                    Some(Piece::Literal(next)) => find_literal(rest, next, at + 2 == pieces.len())?,
                    // Two values without anything between: which is which cannot be told.
                    Some(Piece::Placeholder(_)) => return None,
                    None => rest.len(),
                };
                let (value, after) = rest.split_at_checked(end)?;
                masked.push_str(&shown(name, value));
                rest = after;
            }
        }
    }
    rest.trim().is_empty().then_some(masked)
}

/// A stand-in for a kind where every line is a question of its own: names this one line.
pub fn line_id(kind: KindId, line: &Evidence) -> KindId {
    let parts = [kind.to_string(), line.origin.to_string(), line.offset.to_string(), line.line.clone()];
    KindId(crate::model::Fingerprint::of(&parts.each_ref().map(String::as_str)).0)
}

/// Splits at `<...>` placeholders: upper case, digits, `*`, `:` and `_` between the brackets.
fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut literal_from = 0;
    let mut at = 0;
    while let Some(found) = template.get(at..).and_then(|rest| rest.find('<')) {
        let open = at + found;
        let inside = template.get(open + 1..).unwrap_or_default();
        let length = inside.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"*:_".contains(byte)).count();
        at = open + 1;
        if length == 0 || inside.as_bytes().get(length) != Some(&b'>') {
            continue;
        }
        let end = open + length + 2;
        push_literal(&mut pieces, template.get(literal_from..open));
        if let Some(placeholder) = template.get(open..end) {
            pieces.push(Piece::Placeholder(placeholder));
        }
        literal_from = end;
        at = end;
    }
    push_literal(&mut pieces, template.get(literal_from..));
    pieces
}

fn push_literal<'a>(pieces: &mut Vec<Piece<'a>>, text: Option<&'a str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        pieces.push(Piece::Literal(text));
    }
}

/// White space in a template stands for any run of it in the line.
fn strip_literal<'a>(mut line: &'a str, literal: &str) -> Option<&'a str> {
    let mut chars = literal.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
            let stripped = line.trim_start();
            if stripped.len() == line.len() && !(stripped.is_empty() && chars.peek().is_none()) {
                return None;
            }
            line = stripped;
        } else {
            line = line.strip_prefix(c)?;
        }
    }
    Some(line)
}

/// Where the value before `literal` ends. A value is at least one character. Only the first word of the literal is
/// sought, which keeps this linear: what follows is checked when the literal is stripped.
fn find_literal(line: &str, literal: &str, is_last: bool) -> Option<usize> {
    let first = line.chars().next()?.len_utf8();
    let rest = line.get(first..)?;
    let word = literal.split_whitespace().next().unwrap_or_default();
    let found = if word.is_empty() && !is_last {
        rest.find(char::is_whitespace)
    } else if word.is_empty() {
        // White space at the end of the template: the line need not have it.
        Some(rest.trim_end().len())
    } else if literal.starts_with(char::is_whitespace) {
        // Each run of white space once.
        rest.char_indices()
            .scan(false, |was_space, (at, c)| {
                let starts = c.is_whitespace() && !*was_space;
                *was_space = c.is_whitespace();
                Some((at, starts))
            })
            .filter(|(_, starts)| *starts)
            .map(|(at, _)| at)
            .find(|at| rest.get(*at..).is_some_and(|rest| rest.trim_start().starts_with(word)))
    } else {
        rest.find(word)
    };
    found.map(|found| first + found)
}

/// The value itself where it is harmless, the placeholder otherwise.
fn shown(placeholder: &str, value: &str) -> String {
    let bare = value.trim_matches(|c: char| matches!(c, '"' | '\'' | '(' | ')' | '[' | ']' | ',' | ';'));
    if is_small_number(bare) || is_signal(bare) || ERRNO.contains(&bare) {
        return value.to_owned();
    }
    if let Ok(address) = bare.parse::<IpAddr>() {
        return format!("<IP:{}>", scope(address));
    }
    // Not `bare`: the brackets of `[::1]:80` belong to it.
    match value.trim_end_matches([',', ';']).parse::<SocketAddr>() {
        Ok(socket) => format!("<IP:{}>:<NUM>", scope(socket.ip())),
        Err(_) => placeholder.to_owned(),
    }
}

fn is_small_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let text = text.strip_suffix('%').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let small = |digits: &str| (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    small(whole) && small(fraction)
}

fn is_signal(text: &str) -> bool {
    text.strip_prefix("SIG").is_some_and(|name| {
        (2..=7).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

fn scope(address: IpAddr) -> &'static str {
    let address = address.to_canonical();
    let private = match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    if address.is_loopback() {
        "loopback"
    } else if private {
        "private"
    } else {
        "public"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(template: &str, line: &str, expected: Option<&str>) {
        assert_eq!(masked(template, line).as_deref(), expected, "{template} | {line}");
    }

    #[test]
    fn harmless_values_show() {
        check("exit status <NUM>", "exit status 127", Some("exit status 127"));
        check("killed by <*> after <NUM> s", "killed by SIGKILL after 12.5 s", Some("killed by SIGKILL after 12.5 s"));
        check("disk <*> is <NUM>% full", "disk sda1 is 97% full", Some("disk <*> is 97% full"));
        check("write: <*>", "write: ENOSPC", Some("write: ENOSPC"));
        check("\"<*>\" <NUM> <NUM>", "\"GET /\" 502 12345", Some("\"<*>\" 502 <NUM>"));
    }

    #[test]
    fn values_that_could_identify_do_not() {
        check(
            "Failed password for invalid user <*> from <IP> port <NUM> ssh2",
            "Failed password for invalid user bob from 10.1.2.3 port 55222 ssh2",
            Some("Failed password for invalid user <*> from <IP:private> port <NUM> ssh2"),
        );
        check("from <IP>:<NUM>", "from 8.8.8.8:443", Some("from <IP:public>:443"));
        check("peer <*>", "peer [fd00::1]:5000", Some("peer <IP:private>:<NUM>"));
        check("peer <*>", "peer ::1", Some("peer <IP:loopback>"));
        check("user <*>", "user 1000", Some("user <*>"));
        check("user <*> in", "user Bob Smith in", Some("user <*> in"));
        check("id <HEX>", "id deadbeef", Some("id <HEX>"));
        check("serial <*>", "serial 1.2.3", Some("serial <*>"));
        check("call <*>", "call EVE", Some("call <*>"));
    }

    #[test]
    fn no_match_sends_nothing() {
        check("a <*> c", "a b d", None);
        check("a <*>", "b c", None);
        check("a <NUM><NUM>", "a 12", None);
        check("a", "a b", None);
        check("a <*> b", "a", None);
        check("", "", Some(""));
        check("<b>bold</b> <*>", "<b>bold</b> x", Some("<b>bold</b> <*>"));
        check("x  <*>\ty", "x 12 y", Some("x  12\ty"));
        check("x <*> ", "x 12", Some("x 12 "));
        check("a < b <*>", "a < b 7", Some("a < b 7"));
    }

    proptest! {
        #[test]
        fn any_text(template in ".{0,80}", line in ".{0,80}") {
            let _ = masked(&template, &line);
        }

        #[test]
        fn words_in_slots_never_show(word in "[a-z]{1,12}", number in 1000u32..) {
            let line = format!("login of {word} from host {number} ok");
            let masked = masked("login of <*> from host <NUM> ok", &line);
            prop_assert_eq!(masked.as_deref(), Some("login of <*> from host <NUM> ok"));
        }
    }
}
