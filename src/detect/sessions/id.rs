//! Which word of a message could name a session: a block, a request, a job? Looks at bytes only; what comes of it is
//! learned.

/// Shortest and longest id.
const BYTES: std::ops::RangeInclusive<usize> = 6..=64;
/// Longest message that is looked at.
const MESSAGE_BYTES: usize = 1_024;

/// So many digits an id has at least.
const DIGITS: u32 = 4;

/// What a byte may be in an id.
const OTHER: u8 = 0;
const PART: u8 = 1;
const DIGIT: u8 = 2;

/// By byte: a table for every value there is.
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' => PART,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// What ids of one sort have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sort<'a> {
    /// Letters in front of a number: `blk` of `blk_-1608999`, `req` of `req-1f3a...`.
    Named(&'a str),
    /// A long number.
    Number,
    /// So many hexadecimal digits, or a UUID.
    Hex(usize),
}

impl Sort<'_> {
    /// As a name that can be kept.
    pub fn name(self) -> String {
        match self {
            Sort::Named(name) => name.to_owned(),
            Sort::Number => "#".to_owned(),
            Sort::Hex(length) => format!("hex{length}"),
        }
    }

    /// Whether `name` is its name.
    pub fn is(self, name: &str) -> bool {
        match self {
            Sort::Named(own) => own == name,
            Sort::Number => name == "#",
            Sort::Hex(length) => name.strip_prefix("hex").is_some_and(|digits| digits.parse() == Ok(length)),
        }
    }
}

/// The first word that could be an id, and its sort.
pub fn id(message: &str) -> Option<(&str, Sort<'_>)> {
    let text = crate::model::clip(message, MESSAGE_BYTES);
    let bytes = text.as_bytes();
    let class = |at: usize| bytes.get(at).map(|byte| CLASSES[usize::from(*byte)]);
    let mut at = 0;
    while at < bytes.len() {
        while class(at) == Some(OTHER) {
            at += 1;
        }
        let start = at;
        let mut digits = 0;
        while let Some(class) = class(at).filter(|class| *class != OTHER) {
            digits += u32::from(class == DIGIT);
            at += 1;
        }
        let length = at - start;
        if digits < DIGITS {
            continue;
        }
        // Parts of paths, times, addresses and versions.
        let before = start.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(b' ');
        let after = bytes.get(at).copied().unwrap_or(b' ');
        let inside = matches!(before, b'/' | b'.' | b':' | b'\\' | b'@') || matches!(after, b'/' | b'\\' | b'@');
        if !inside
            && BYTES.contains(&length)
            && let Some(word) = text.get(start..at)
            && let Some(sort) = sort(word)
        {
            return Some((word, sort));
        }
    }
    None
}

fn sort(word: &str) -> Option<Sort<'_>> {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let plain = word.bytes().filter(|byte| *byte != b'-').count();
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        // Ports, sizes of pages, years: too small to name anything for long.
        return (digits >= 9).then_some(Sort::Number);
    }
    if word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return None;
    }
    if word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return (plain >= 8).then_some(Sort::Hex(plain));
    }
    let name = word.get(..word.find(|letter: char| letter.is_ascii_digit())?)?;
    let name = name.trim_end_matches(['_', '-']);
    let parted = word.as_bytes().get(name.len()).is_some_and(|byte| matches!(byte, b'_' | b'-'));
    let letters = !name.is_empty() && name.len() <= 24 && name.bytes().all(|byte| !byte.is_ascii_digit());
    (letters && parted).then_some(Sort::Named(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: Option<(&str, &str)>) {
        let found = id(message).map(|(word, sort)| (word, sort.name()));
        assert_eq!(found, expected.map(|(word, sort)| (word, sort.to_owned())));
    }

    #[test]
    fn ids_are_long_and_stand_alone() {
        check("Receiving block blk_-1608999687 src: /10.0.0.1:54106", Some(("blk_-1608999687", "blk")));
        check("[req-1f3a9c0d-77aa] GET", Some(("req-1f3a9c0d-77aa", "req")));
        check("req_77123 done", Some(("req_77123", "req")));
        check("4A5B6C7D8E: removed", Some(("4A5B6C7D8E", "hex10")));
        check("id=123e4567-e89b-12d3-a456-426614174000.", Some(("123e4567-e89b-12d3-a456-426614174000", "hex32")));
        check("order 1234567890 paid", Some(("1234567890", "#")));
        check("from 192.0.2.7 port 54106 at 2005-06-03", None);
        check("/var/tmp/task_200811092030/part-00367", None);
        check("size 67108", None);
        check("", None);
    }
}
