//! Which words of a new template differ from the nearest known one? Marks them; knows nothing of detectors.

/// Words of each text that are compared; the rest is left out and said so.
const MAX_WORDS: usize = 48;

/// `new` with the words that differ from `known` marked: `Failed [password -> publickey] for <*>`. Longest common
/// subsequence over words (at most 48 of each text, so the cost is bounded).
pub fn marked(known: &str, new: &str) -> String {
    let (known, known_cut) = words(known);
    let (new, new_cut) = words(new);
    let lengths = common_lengths(&known, &new);
    let length = |i: usize, j: usize| lengths.get(i * (new.len() + 1) + j).copied().unwrap_or(0);
    let mut parts: Vec<String> = Vec::new();
    let (mut gone, mut come): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    loop {
        match (known.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                flush(&mut parts, &mut gone, &mut come);
                parts.push((*one).to_owned());
                i += 1;
                j += 1;
            }
            (Some(one), other) if other.is_none() || length(i + 1, j) >= length(i, j + 1) => {
                gone.push(one);
                i += 1;
            }
            (_, Some(other)) => {
                come.push(other);
                j += 1;
            }
            (Some(_), None) | (None, None) => break,
        }
    }
    flush(&mut parts, &mut gone, &mut come);
    if known_cut || new_cut {
        parts.push("…".to_owned());
    }
    parts.join(" ")
}

fn words(text: &str) -> (Vec<&str>, bool) {
    let mut words: Vec<&str> = text.split_whitespace().take(MAX_WORDS + 1).collect();
    let cut = words.len() > MAX_WORDS;
    words.truncate(MAX_WORDS);
    (words, cut)
}

/// Row-major table: length of the longest common subsequence of the two tails that begin at (i, j).
fn common_lengths(known: &[&str], new: &[&str]) -> Vec<u16> {
    let width = new.len() + 1;
    let mut lengths = vec![0u16; (known.len() + 1) * width];
    for (i, one) in known.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let at = |i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or(0);
            let best = if one == other { at(i + 1, j + 1) + 1 } else { at(i + 1, j).max(at(i, j + 1)) };
            if let Some(cell) = lengths.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    lengths
}

fn flush(parts: &mut Vec<String>, gone: &mut Vec<&str>, come: &mut Vec<&str>) {
    match (gone.is_empty(), come.is_empty()) {
        (true, true) => {}
        (false, true) => parts.push(format!("[-{}]", gone.join(" "))),
        (true, false) => parts.push(format!("[+{}]", come.join(" "))),
        (false, false) => parts.push(format!("[{} -> {}]", gone.join(" "), come.join(" "))),
    }
    gone.clear();
    come.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(known: &str, new: &str, expected: &str) {
        assert_eq!(marked(known, new), expected);
    }

    #[test]
    fn marks_what_differs() {
        check("Failed password for <*>", "Failed publickey for <*>", "Failed [password -> publickey] for <*>");
        check("a b c", "a b c", "a b c");
        check("a b c", "a c", "a [-b] c");
        check("a c", "a b c", "a [+b] c");
        check("a b", "c d", "[a b -> c d]");
        check("", "new words", "[+new words]");
    }

    proptest! {
        #[test]
        fn any_two_texts(known in ".{0,400}", new in ".{0,400}") {
            prop_assert!(marked(&known, &new).len() <= 3 * (known.len() + new.len()) + 16);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert!(marked(&"a ".repeat(100_000), &"b ".repeat(100_000)).len() < 400);
    }
}
