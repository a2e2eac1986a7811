//! Finds the values of a line: its template's words beside its own. Guesses nothing: a line whose words do not stand
//! beside its template's has no values.

use crate::detect::words::{MAX_WORDS, Words};

/// Places of one template that are looked at.
pub const MAX_PLACES: usize = 8;

/// An open place: which word, and the constant text around the value inside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub word: usize,
    before: Box<str>,
    after: Box<str>,
    /// What stands there, as `<NUM>`; of several, the first.
    pub mask: Box<str>,
    /// The words in front, for people.
    pub name: Box<str>,
}

/// The open places of a template, and how many words it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    words: usize,
    pub places: Vec<Place>,
}

impl Places {
    pub fn of(template: &str) -> Places {
        let words: Vec<&str> = template.split_ascii_whitespace().take(MAX_WORDS + 1).collect();
        let mut places = Vec::new();
        // A list or a quoted phrase may hold blanks: then the number of words differs from line to line.
        for (at, word) in words.iter().enumerate() {
            let Some((before, mask, after)) = parts(word) else { continue };
            let start = at.saturating_sub(2);
            let name = words.get(start..at).unwrap_or_default().join(" ");
            let name = if before.is_empty() { name } else { format!("{name} {before}") };
            places.push(Place {
                word: at,
                before: before.into(),
                after: after.into(),
                mask: mask.into(),
                name: name.trim().into(),
            });
            if places.len() == MAX_PLACES {
                break;
            }
        }
        Places { words: words.len(), places }
    }

    /// The same values stand in the same places, whatever the words around them.
    pub fn is_like(&self, other: &Places) -> bool {
        let same = |(one, other): (&Place, &Place)| {
            (one.word, &one.before, &one.after, &one.mask) == (other.word, &other.before, &other.after, &other.mask)
        };
        self.words == other.words
            && self.places.len() == other.places.len()
            && self.places.iter().zip(&other.places).all(same)
    }

    /// A template with the same places.
    pub fn text(&self) -> String {
        let mut words = vec!["_".to_owned(); self.words];
        for place in &self.places {
            if let Some(word) = words.get_mut(place.word) {
                *word = format!("{}{}{}", place.before, place.mask, place.after);
            }
        }
        words.join(" ")
    }

    /// Whether it could be aligned with anything.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() || self.words > MAX_WORDS
    }

    /// The value in each place that `wanted` names, by number, in a message of these words; nothing when they do not stand
    /// side by side with the template's.
    pub fn values<'m>(&self, message: &'m str, words: &Words, wanted: u8, mut each: impl FnMut(usize, &'m str)) {
        let words = words.of(message);
        if words.len() != self.words {
            return;
        }
        for (place, number) in self.places.iter().zip(0..MAX_PLACES).filter(|(_, number)| wanted & 1 << number != 0) {
            let word =
                words.get(place.word).and_then(|(start, end)| message.get(usize::from(*start)..usize::from(*end)));
            if let Some(value) = word.and_then(|word| place.inside(word)).filter(|value| !value.is_empty()) {
                each(number, value);
            }
        }
    }
}

impl Place {
    /// What stands between the constant texts.
    #[inline]
    fn inside<'m>(&self, word: &'m str) -> Option<&'m str> {
        if self.before.is_empty() && self.after.is_empty() {
            return Some(word);
        }
        word.strip_prefix(&*self.before)?.strip_suffix(&*self.after)
    }
}

/// Constant text, first placeholder, and the constant text behind the last one.
fn parts(word: &str) -> Option<(&str, &str, &str)> {
    let is_mask = |text: &str| {
        text == "<*>"
            || text.len() > 3 && text.bytes().skip(1).take(text.len() - 2).all(|byte| byte.is_ascii_uppercase())
    };
    let start = word.match_indices('<').map(|(at, _)| at).find(|at| {
        let rest = word.get(*at..).unwrap_or_default();
        rest.find('>').and_then(|end| rest.get(..=end)).is_some_and(is_mask)
    })?;
    let rest = word.get(start..)?;
    let mask = rest.get(..=rest.find('>')?)?;
    let end = word.rfind('>')? + 1;
    Some((word.get(..start)?, mask, word.get(end..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(template: &str, message: &str, expected: &[(&str, &str)]) {
        let places = Places::of(template);
        let mut found = Vec::new();
        places.values(message, &Words::default(), u8::MAX, |number, value| {
            found.push((&*places.places[number].name, value))
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn values_stand_beside_their_names() {
        check(
            "Failed password for <*> from <IP> port <NUM> ssh<NUM>",
            "Failed password for root from 192.0.2.1 port 22 ssh2",
            &[("password for", "root"), ("<*> from", "192.0.2.1"), ("<IP> port", "22"), ("port <NUM> ssh", "2")],
        );
        check("took <DUR>,", "took 12ms,", &[("took", "12ms")]);
        check("user=<*> ok", "user=eve ok", &[("user=", "eve")]);
        check("at <TIME> x", "at Fri Jun 17 x", &[]);
        check("a < b > c", "a < b > c", &[]);
        check("", "", &[]);
    }

    proptest! {
        #[test]
        fn any_texts(template in "(?s).{0,200}|([a-z]{0,3}<[A-Z*]{1,4}>[ .]?){0,20}", message in "(?s).{0,200}") {
            Places::of(&template).values(&message, &Words::default(), u8::MAX, |_, _| {});
        }
    }
}
