//! Which words must a message hold for a pattern to match at all? A cheap look for them saves running the pattern. Reads
//! parsed patterns; never decides a match.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Shorter words are found everywhere.
const MIN_BYTES: usize = 3;
/// More alternatives are not worth looking for.
const MAX_WORDS: usize = 64;

/// Words (lower case) of which at least one is in every text that matches, upper and lower case being the same. `None`
/// when there are none worth looking for.
pub fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let words = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => return None,
        HirKind::Literal(_) => vec![exact(hir)?],
        HirKind::Capture(capture) => return required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => return required(&repetition.sub),
        HirKind::Repetition(_) => return None,
        HirKind::Concat(parts) => return best_of(parts),
        HirKind::Alternation(parts) => {
            let mut words = Vec::new();
            for part in parts {
                words.extend(required(part)?);
            }
            words
        }
    };
    (shortest(&words) >= MIN_BYTES && words.len() <= MAX_WORDS).then_some(words)
}

/// The best of what the parts need and of the words that neighboring parts make together.
fn best_of(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut best: Option<Vec<Vec<u8>>> = None;
    let mut consider = |words: Vec<Vec<u8>>| {
        let score = |words: &Vec<Vec<u8>>| (shortest(words), usize::MAX - words.len());
        if shortest(&words) >= MIN_BYTES && best.as_ref().is_none_or(|best| score(&words) > score(best)) {
            best = Some(words);
        }
    };
    let mut run: Vec<u8> = Vec::new();
    for part in parts {
        match exact(part) {
            Some(bytes) => run.extend(bytes),
            None => {
                consider(vec![std::mem::take(&mut run)]);
                if let Some(words) = required(part) {
                    consider(words);
                }
            }
        }
    }
    consider(vec![run]);
    best
}

/// The one text this matches, in lower case; letters of either case count as one.
fn exact(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(Vec::new()),
        HirKind::Literal(literal) => Some(literal.0.to_ascii_lowercase()),
        HirKind::Class(class) => either_case(class).map(|letter| vec![letter]),
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Concat(parts) => {
            let mut bytes = Vec::new();
            for part in parts {
                bytes.extend(exact(part)?);
            }
            Some(bytes)
        }
        HirKind::Repetition(_) | HirKind::Alternation(_) => None,
    }
}

/// `[Aa]`, as `(?i)a` becomes.
fn either_case(class: &Class) -> Option<u8> {
    let Class::Bytes(bytes) = class else { return None };
    match bytes.ranges() {
        [upper, lower]
            if upper.start() == upper.end()
                && lower.start() == lower.end()
                && upper.start().is_ascii_uppercase()
                && upper.start().to_ascii_lowercase() == lower.start() =>
        {
            Some(lower.start())
        }
        _ => None,
    }
}

fn shortest(words: &[Vec<u8>]) -> usize {
    words.iter().map(Vec::len).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expected: &[&str]) {
        let hir = regex_syntax::ParserBuilder::new().utf8(false).build().parse(&format!("(?-u){pattern}"));
        let words = required(&hir.expect("a pattern")).unwrap_or_default();
        let words: Vec<String> = words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        assert_eq!(words, expected, "{pattern}");
    }

    #[test]
    fn words_a_match_must_hold() {
        check("Out of memory: Kill(?:ed)? process", &["out of memory: kill"]);
        check(r"(?i)too many open files\b|\bEMFILE\b", &["too many open files", "emfile"]);
        check(r"Failed (?:password|publickey) for .* from (?P<key>\S+)", &["password", "publickey"]);
        check(r"(?P<key>ata\d+)(?:\.\d+)?: hard", &[": hard"]);
        check(r"ab|long enough", &[]);
        check(r"\d+ \S+", &[]);
        check(r"(?:abc)+x?", &["abc"]);
        check(r"(?:abc)*x?", &[]);
    }
}
