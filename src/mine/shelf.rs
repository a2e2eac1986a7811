//! The templates of one length, laid flat, so that a message is compared with all of them at the speed of memory. Must
//! not decide what a comparison means (`tree`).

use super::scan::Token;

/// Stands for a place that takes anything. No class or key is zero.
pub const OPEN: u64 = 0;

/// One word a place: [`OPEN`], a class, or a key.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Places of each template.
    length: usize,
    /// Which templates, oldest first.
    numbers: Vec<u32>,
    /// Their words, `length` for each.
    words: Vec<u64>,
}

/// How a message compares to a template of the same length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// Every constant place agrees; so many do.
    Covers(u32),
    /// The places that disagree, as bits; so many constant places agree, at least half.
    Near(u128, u32),
}

impl Shelf {
    pub fn new(length: usize) -> Shelf {
        Shelf { length, ..Shelf::default() }
    }

    /// Templates on it.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The templates on it, oldest first.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.numbers.iter().copied()
    }

    /// Adds a template with a number higher than all before.
    pub fn push(&mut self, number: u32, words: impl Iterator<Item = u64>) {
        self.numbers.push(number);
        self.words.extend(words.take(self.length));
    }

    pub fn remove(&mut self, number: u32) {
        if let Ok(at) = self.numbers.binary_search(&number) {
            self.numbers.remove(at);
            let start = at * self.length;
            self.words.drain(start..start + self.length);
        }
    }

    pub fn replace(&mut self, number: u32, words: impl Iterator<Item = u64>) {
        if let Ok(at) = self.numbers.binary_search(&number) {
            self.words.iter_mut().skip(at * self.length).take(self.length).zip(words).for_each(|(old, new)| *old = new);
        }
    }

    /// Templates that take the tokens, or of which at least half the places agree, oldest first.
    pub fn compare(&self, tokens: &[Token]) -> impl Iterator<Item = (u32, Fit)> {
        // A template without places takes the message without tokens.
        let empty = self.numbers.iter().filter(|_| self.length == 0).map(|number| (*number, Fit::Covers(0)));
        let rows = self.numbers.iter().zip(self.words.chunks_exact(self.length.max(1)));
        rows.filter_map(|(number, words)| Some((*number, fit(words, tokens)?))).chain(empty)
    }
}

/// `None` when more than half the places disagree.
#[inline]
fn fit(words: &[u64], tokens: &[Token]) -> Option<Fit> {
    let most = tokens.len() / 2;
    let mut misses = 0;
    let mut agree = 0_u32;
    for (word, token) in words.iter().zip(tokens) {
        let same = *word == token.class || *word == token.key;
        agree += u32::from(same);
        misses += usize::from(!same && *word != OPEN);
        if misses > most {
            return None;
        }
    }
    if misses == 0 {
        return Some(Fit::Covers(agree));
    }
    if (agree as usize) * 2 < tokens.len() {
        return None;
    }
    let differs = |(at, (word, token)): (usize, (&u64, &Token))| {
        if *word == token.class || *word == token.key || *word == OPEN { 0 } else { bit(at) }
    };
    Some(Fit::Near(words.iter().zip(tokens).enumerate().map(differs).fold(0, |set, bit| set | bit), agree))
}

/// The bit of a place. [`super::scan::MAX_TOKENS`] and the rest of a cut message fit into 128.
pub fn bit(place: usize) -> u128 {
    1u128.checked_shl(place as u32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::hash::Keys;
    use crate::mine::scan::Scan;

    #[track_caller]
    fn check(template: &str, message: &str, expected: Option<Fit>) {
        let keys = Keys::new(1);
        let (mut known, mut seen) = (Scan::default(), Scan::default());
        known.read_template(template, &keys);
        seen.read(message, &keys);
        let mut shelf = Shelf::new(known.tokens().len());
        shelf.push(3, known.tokens().iter().map(Token::word));
        assert_eq!(shelf.compare(seen.tokens()).next(), expected.map(|fit| (3, fit)), "{template} | {message}");
        shelf.replace(3, known.tokens().iter().map(|_| OPEN));
        assert_eq!(shelf.compare(seen.tokens()).next(), Some((3, Fit::Covers(0))));
        shelf.remove(3);
        assert_eq!(shelf.compare(seen.tokens()).count(), 0);
    }

    #[test]
    fn half_must_agree() {
        check("a b c d", "a b c d", Some(Fit::Covers(4)));
        check("a <*> c d", "a b c d", Some(Fit::Covers(3)));
        check("a <*> c d", "a b x d", Some(Fit::Near(0b100, 2)));
        check("a b c d", "x y c d", Some(Fit::Near(0b11, 2)));
        check("a b c d", "x y z d", None);
        check("a k=<*>", "a k=v", Some(Fit::Covers(2)));
        check("a k=<*>", "a j=v", Some(Fit::Near(0b10, 1)));
        check("<*> b", "a c", None);
        check("port <NUM>", "port 7", Some(Fit::Covers(2)));
        check("", "", Some(Fit::Covers(0)));
    }
}
