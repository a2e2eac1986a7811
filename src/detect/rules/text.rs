//! Placeholders in a rule's reason: `{key}` becomes the address. Values are log text and are made fit for a sentence.

use crate::detect::wording::inline;

/// Longest value put into a sentence, in bytes.
const VALUE_BYTES: usize = 120;

/// Names between braces, in order.
pub fn placeholders(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        names.push(name);
        rest = after;
    }
    names
}

/// Puts the values in. A name without a value stays as it is written; values are not looked into again.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        match value(name) {
            Some(value) => filled.push_str(&inline(&value, VALUE_BYTES)),
            None => {
                filled.push('{');
                filled.push_str(name);
                filled.push('}');
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// Lets through what a shell takes as one plain word that is no option; anything else becomes the placeholder's name.
pub fn pasteable(name: &str) -> impl Fn(String) -> String {
    move |value| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "@._:+-/".contains(c);
        let fit =
            !value.is_empty() && value.len() <= VALUE_BYTES && value.chars().all(plain) && !value.starts_with('-');
        if fit { value } else { name.to_uppercase() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let value = |name: &str| match name {
            "key" => Some("192.0.2.1\n".to_owned()),
            "evil" => Some("{key}".to_owned()),
            _ => None,
        };
        assert_eq!(fill(text, value), expected);
    }

    #[test]
    fn only_plain_words_are_pasted() {
        for fit in ["nginx.service", "user@1000.service", "192.0.2.1", "fe80::1", "/dev/sda1"] {
            assert_eq!(pasteable("key")(fit.to_owned()), fit);
        }
        for evil in ["", "-H", "a b", "x;reboot", "$(reboot)", "a\nb", "`x`", "\u{202e}x", &"a".repeat(200)] {
            assert_eq!(pasteable("key")(evil.to_owned()), "KEY");
        }
    }

    #[test]
    fn fills_once_and_leaves_the_rest() {
        check("from {key}!", "from 192.0.2.1 !");
        check("{evil} {none} {open", "{key} {none} {open");
        assert_eq!(placeholders("{a} and {b}{"), ["a", "b"]);
    }
}
