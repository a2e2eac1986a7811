//! Where does the key of a matching line stand? Right behind words the pattern must have in front of it: where these stand
//! only once, the key is found without running the pattern for its captures, which costs ten times as much. Decides no
//! match; says nothing when in doubt.

use memchr::memmem::Finder;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::spec::KEYS;

/// More ways to begin than this are not worth looking for.
const MAX_WORDS: usize = 6;
/// Shorter ones stand everywhere.
const MIN_BYTES: usize = 3;

/// The place of a pattern's only key.
#[derive(Clone, Debug)]
pub struct KeyPlace {
    /// Every match has one of these directly in front of its key.
    before: Vec<Finder<'static>>,
    /// Bytes a key is made of; what comes behind it is none of them.
    bytes: Box<[bool; 256]>,
}

impl KeyPlace {
    /// For a pattern that goes `WORDS(?P<key>[...]+)REST`, where REST is nothing or begins with a byte that no key has.
    pub fn of(hir: &Hir) -> Option<KeyPlace> {
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let is_key =
            |part: &Hir| matches!(part.kind(), HirKind::Capture(capture) if capture.name.as_deref() == Some(KEYS[0]));
        let at = parts.iter().position(is_key)?;
        let (front, rest) = (parts.get(..at)?, parts.get(at + 1..)?);
        let bytes = bytes_of(parts.get(at)?)?;
        let is_of_key = |byte: u8| bytes.get(usize::from(byte)).copied().unwrap_or(false);
        if !rest.is_empty() {
            let starts = literals(rest, ExtractKind::Prefix)?;
            let ends_key = |word: &Vec<u8>| word.first().is_some_and(|byte| !is_of_key(*byte));
            if !starts.iter().all(ends_key) {
                return None;
            }
        }
        let words = literals(front, ExtractKind::Suffix)?;
        if words.is_empty() || words.len() > MAX_WORDS || words.iter().any(|word| word.len() < MIN_BYTES) {
            return None;
        }
        // A word that ends like a shorter one stands nowhere else.
        let is_longer = |word: &&Vec<u8>| words.iter().any(|other| other.len() < word.len() && word.ends_with(other));
        let before = words.iter().filter(|word| !is_longer(word)).map(|word| Finder::new(word).into_owned()).collect();
        Some(KeyPlace { before, bytes })
    }

    /// The key in a text that the pattern matches; `None` when it may stand in several places.
    ///
    /// Why it is the one that the pattern would capture: its match has a key, and that begins behind one of the words with
    /// a byte of its own. There is one such place. It is greedy and nothing of it may stand behind it, so it has all bytes
    /// up to the first that is not its own.
    pub fn key<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let is_of_key = |byte: &u8| self.bytes.get(usize::from(*byte)).copied().unwrap_or(false);
        let mut only = None;
        for word in &self.before {
            let mut from = 0;
            while let Some(found) = text.get(from..).and_then(|text| word.find(text)) {
                let start = from + found + word.needle().len();
                if text.get(start).is_some_and(is_of_key) && only.replace(start).is_some_and(|other| other != start) {
                    return None;
                }
                // The same word may begin inside of itself.
                from += found + 1;
            }
        }
        let rest = text.get(only?..)?;
        let length = rest.iter().position(|byte| !is_of_key(byte)).unwrap_or(rest.len());
        rest.get(..length)
    }
}

/// The bytes of `(?P<key>[...]+)`.
fn bytes_of(key: &Hir) -> Option<Box<[bool; 256]>> {
    let HirKind::Capture(capture) = key.kind() else { return None };
    let HirKind::Repetition(repetition) = capture.sub.kind() else { return None };
    let HirKind::Class(Class::Bytes(class)) = repetition.sub.kind() else { return None };
    if (repetition.min, repetition.max, repetition.greedy) != (1, None, true) {
        return None;
    }
    let mut bytes = Box::new([false; 256]);
    for range in class.ranges() {
        bytes.get_mut(usize::from(range.start())..=usize::from(range.end()))?.fill(true);
    }
    Some(bytes)
}

/// What these parts, one after the other, begin or end with; `None` when that may be anything.
fn literals(parts: &[Hir], kind: ExtractKind) -> Option<Vec<Vec<u8>>> {
    let found: Seq = Extractor::new().kind(kind).extract(&Hir::concat(parts.to_vec()));
    let mut words: Vec<Vec<u8>> = found.literals()?.iter().map(|word| word.as_bytes().to_vec()).collect();
    words.sort_unstable();
    words.dedup();
    Some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::Regex;

    use super::*;

    const PATTERNS: [&str; 6] = [
        r"(?-u)(?:Failed \S+ for .* from|attempts for .* from|;.* rhost=) ?(?P<key>[^\s\]]+)",
        r"(?-u)Accepted (?:password|pam) for (?P<user>\S+) from (?P<key>\S+) port",
        r"(?-u)failure;.* rhost=(?P<key>[^\s]+)",
        r#"(?-u)avc:  ?denied .*comm="(?P<key>[^"]+)""#,
        r"(?-u)Unit for (?P<key>[a-c]+)(?: is|,)",
        r"(?-u)aaab*aaa(?P<key>[abc ]+)",
    ];

    fn place(pattern: &str) -> Option<KeyPlace> {
        let hir = regex_syntax::ParserBuilder::new().utf8(false).build().parse(pattern).expect("a pattern");
        KeyPlace::of(&hir)
    }

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<&str>) {
        let found = place(pattern).and_then(|place| place.key(text.as_bytes()).map(<[u8]>::to_vec));
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{pattern}");
    }

    #[test]
    fn a_key_stands_behind_its_words() {
        check(PATTERNS[0], "Failed password for root from 192.0.2.1 port 1", Some("192.0.2.1"));
        check(PATTERNS[0], "Failed password for x from y from 192.0.2.1 port 1", None);
        check(PATTERNS[0], "more authentication failures; rhost= 192.0.2.1] user=x", Some("192.0.2.1"));
        check(PATTERNS[2], "failure; rhost=a", Some("a"));
        // What may be captured elsewhere, or in several ways, is left to the pattern.
        check(r"(?-u)^(?P<key>\S+): failed", "a: failed", None);
        check(r"(?-u)mount (?P<key>.+?)\.?$", "mount x", None);
        check(r"(?-u)from (?P<key>\S+)(?: port|$)", "from x port", None);
        check(r"(?-u)user (?P<key>a+)ab", "user aaab", None);
        check(r"(?-u)at (?P<key>\S+)|for (?P<key2>\S+)", "at x", None);
        check(r"(?-u)(?:for )?(?P<key>\S+)", "for x", None);
    }

    proptest! {
        /// Wherever it says anything, it says what the pattern captures.
        #[test]
        fn the_key_is_what_the_pattern_captures(
            which in 0..PATTERNS.len(),
            words in proptest::collection::vec(
                prop_oneof![
                    Just("Failed password for "), Just("Failed x for"), Just(" from"), Just(" from "), Just("rhost="),
                    Just(" rhost="), Just("; "), Just("Accepted pam for "), Just(" port"), Just("failure;"), Just("a"),
                    Just("aaab"), Just(" "), Just("]"), Just("192.0.2.1"), Just("Unit for "), Just(" is"), Just(","),
                    Just("avc:  denied "), Just("comm=\""), Just("\""), Just("bc"), Just("attempts for "), Just("\u{e9}\n"),
                ],
                0..12,
            ),
        ) {
            let text = words.concat();
            let regex = Regex::new(PATTERNS[which]).expect("a pattern");
            let place = place(PATTERNS[which]).expect("a place");
            if let (Some(captures), Some(key)) = (regex.captures(text.as_bytes()), place.key(text.as_bytes())) {
                prop_assert_eq!(captures.name("key").map(|key| key.as_bytes()), Some(key));
            }
        }
    }
}
