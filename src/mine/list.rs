//! Where a list in brackets begins and ends, token by token: `[TERM, HUP]`, `( 3552 3534 )`. A list of pairs
//! (`{a=1, b=2}`) is none here: its keys say what stands where. Must not mask or hash.

use super::mask::Mask;

/// How a list goes on behind the token that opens it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// So many tokens more.
    pub tokens: usize,
    /// Nothing but values.
    pub of_values: bool,
}

/// What closes the list that a masked token opens: the last bracket in it, which is not closed there.
pub fn opened(token: &str) -> Option<char> {
    let (_, rest) = token.rsplit_once(['[', '(', '{'])?;
    let closing = match token.as_bytes().get(token.len() - rest.len() - 1)? {
        b'[' => ']',
        b'(' => ')',
        _ => '}',
    };
    (!rest.contains([']', ')', '}', '=', ':', '"', '\'', '`'])).then_some(closing)
}

/// Where the list ends that `first` opens, if all its items are single tokens: with a comma behind each but the last, or
/// all of them values.
pub fn end<'t>(first: &str, rest: impl Iterator<Item = &'t str>, closing: char) -> Option<Found> {
    let first = first.rsplit_once(['[', '(', '{']).map_or("", |(_, item)| item);
    let mut of_values = first.is_empty() || is_value(first);
    let mut parted = !first.is_empty() && first.ends_with(',');
    let mut of_items = parted;
    for (token, tokens) in rest.zip(1..) {
        if token.contains(['=', '[', '(', '{']) {
            return None;
        }
        let (item, closed) = match token.split_once(closing) {
            Some((item, behind)) if behind.chars().all(|letter| letter.is_ascii_punctuation()) => (item, true),
            Some(_) => return None,
            None => (token, false),
        };
        of_values &= item.is_empty() || is_value(item);
        of_items &= parted && !item.is_empty();
        parted = item.ends_with(',');
        if closed {
            return (of_values || of_items).then_some(Found { tokens, of_values });
        }
        of_items &= parted;
        if !of_values && !of_items {
            return None;
        }
    }
    None
}

/// What stands up to the last opening bracket of a list, and from the first closing one behind it.
pub fn around(list: &str) -> (&str, &str) {
    let blank = list.find(' ').unwrap_or(list.len());
    let open = list.get(..blank).and_then(|first| first.rfind(['[', '(', '{'])).map_or(0, |at| at + 1);
    let (head, rest) = list.split_at(open);
    (head, rest.find([']', ')', '}']).and_then(|at| rest.get(at..)).unwrap_or_default())
}

/// Nothing but placeholders and what joins them.
fn is_value(item: &str) -> bool {
    let mut at = 0;
    let mut values = 0;
    while let Some(byte) = item.as_bytes().get(at) {
        at = match Mask::at(item.as_bytes(), at) {
            Some((mask, _)) if mask.is_open() => return false,
            Some((_, end)) => {
                values += 1;
                end
            }
            None if matches!(byte, b',' | b'-' | b'.' | b':' | b'/' | b'_' | b';') => at + 1,
            None => return false,
        };
    }
    values > 0
}

#[cfg(test)]
mod tests {
    use crate::mine::hash::Keys;
    use crate::mine::scan::Scan;

    fn tokens(message: &str) -> Vec<(String, u64)> {
        let mut scan = Scan::default();
        scan.read(message, &Keys::new(3));
        scan.tokens().iter().map(|token| (scan.token_text(token).to_owned(), token.class)).collect()
    }

    #[track_caller]
    fn check_tokens(message: &str, expected: &[&str]) {
        let texts: Vec<String> = tokens(message).into_iter().map(|(text, _)| text).collect();
        assert_eq!(texts, expected);
    }

    #[track_caller]
    fn check_same(left: &str, right: &str) {
        let classes = |message: &str| tokens(message).into_iter().map(|(_, class)| class).collect::<Vec<_>>();
        assert_eq!(classes(left), classes(right), "{left} | {right}");
    }

    #[test]
    fn lists_stay_together() {
        check_tokens("on [TERM, HUP, INT] now", &["on", "[TERM, HUP, INT]", "now"]);
        check_tokens("keys=[A, B], (c, d).", &["keys=[A, B],", "(c, d)."]);
        check_tokens("steps ( 3552 3534 ) end", &["steps", "( <NUM> <NUM> )", "end"]);
        check_tokens("on [clicks-1, orders-7]", &["on", "[clicks-<NUM>, orders-<NUM>]"]);
        check_tokens("(size 5.2 KB, free 381.1 KB)", &["(size", "<NUM>", "KB,", "free", "<NUM>", "KB)"]);
        check_tokens("{a=1, b=x}", &["{a=<NUM>,", "b=x}"]);
        check_tokens("(see below) [a, b", &["(see", "below)", "[a,", "b"]);
        check_tokens("f(x) [a b, c]", &["f(x)", "[a", "b,", "c]"]);
    }

    #[test]
    fn lists_of_values_are_alike() {
        check_same("node-[1 3-5 8] up", "node-[17] up");
        check_same("( 3552 ) x", "( 3552 3534 3375 ) x");
        check_same("[1, 2]", "[1, 2, 3, 4, 5]");
        check_same("n7[1, 2].", "n9[1].");
    }
}
