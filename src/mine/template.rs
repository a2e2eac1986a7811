//! One template: its places, constant or open, and the text people read. Must not know other templates.

use super::evidence;
use super::hash::Keys;
use super::key;
use super::mask::Mask;
use super::scan::{Is, NO_KEY, Scan, Token};
use super::shelf::{OPEN, bit};

/// Bytes of a word that may stand at the head of a coarse template.
const MAX_HEAD_WORD: usize = 64;

/// One place of a template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    /// Takes tokens of one class only.
    Same(u64),
    /// Takes any token with this `key=`.
    Keyed(u64),
    /// Takes anything.
    Open,
}

#[derive(Clone, Debug)]
struct Place {
    slot: Slot,
    /// As in [`Token::key`].
    key: u64,
    /// What stands here in the text.
    text: Box<str>,
    /// No space stands before it.
    glued: bool,
}

/// Places and text. Empty once merged into another.
#[derive(Clone, Debug, Default)]
pub struct Template {
    places: Vec<Place>,
    text: Box<str>,
}

impl Template {
    pub fn new(scan: &Scan) -> Template {
        let places = scan.tokens().iter().map(|token| {
            let slot = match token.is {
                Is::Word | Is::Value => Slot::Same(token.class),
                Is::Keyed => Slot::Keyed(token.key),
                Is::Any => Slot::Open,
            };
            Place { slot, key: token.key, text: scan.token_text(token).into(), glued: token.glued }
        });
        Template { places: places.collect(), text: scan.text().into() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Classes of the constant places.
    pub fn classes(&self) -> impl Iterator<Item = u64> {
        self.places.iter().filter_map(|place| match place.slot {
            Slot::Same(class) => Some(class),
            Slot::Keyed(_) | Slot::Open => None,
        })
    }

    /// Equal for templates that take the same messages.
    pub fn signature(&self, keys: &Keys) -> u64 {
        self.places.iter().fold(keys.join(0, self.places.len() as u64), |state, place| match place.slot {
            Slot::Same(class) => keys.join(keys.join(state, 1), class),
            Slot::Keyed(key) => keys.join(keys.join(state, 2), key),
            Slot::Open => keys.join(state, 3),
        })
    }

    /// What [`super::shelf`] compares.
    pub fn words(&self) -> impl Iterator<Item = u64> {
        self.places.iter().map(|place| match place.slot {
            Slot::Same(word) | Slot::Keyed(word) => word,
            Slot::Open => OPEN,
        })
    }

    /// Whether it takes a message.
    pub fn takes(&self, tokens: &[Token]) -> bool {
        self.places.len() == tokens.len()
            && self.words().zip(tokens).all(|(word, token)| word == OPEN || word == token.class || word == token.key)
    }

    /// Whether nothing but open places differs from how a message reads.
    pub fn reads_as(&self, scan: &Scan) -> bool {
        let same = |(place, token): (&Place, &Token)| match place.slot {
            Slot::Same(_) => *place.text == *scan.token_text(token),
            Slot::Keyed(key) => key == token.key,
            Slot::Open => true,
        };
        *self.text == *scan.text()
            || self.places.len() == scan.tokens().len() && self.places.iter().zip(scan.tokens()).all(same)
    }

    /// How many different texts the places that differ from the message must have shown before they may open.
    pub fn needed(&self, scan: &Scan, differ: u128) -> u32 {
        let mut needed = 1;
        let mut before = "";
        for (at, (place, token)) in self.places.iter().zip(scan.tokens()).enumerate() {
            let seen = scan.token_text(token);
            if differ & bit(at) != 0 {
                let keyed = place.key != NO_KEY && place.key == token.key;
                needed += evidence::needed(&place.text, seen, before, keyed) - 1;
            }
            before = seen;
        }
        needed
    }

    /// Opens every place where the message differs. Returns whether anything changed.
    pub fn open_for_message(&mut self, scan: &Scan) -> bool {
        let mut changed = false;
        for (place, token) in self.places.iter_mut().zip(scan.tokens()) {
            let same = match place.slot {
                Slot::Same(class) => class == token.class,
                Slot::Keyed(key) => key == token.key,
                Slot::Open => true,
            };
            if !same {
                place.open(scan.token_text(token), token.key);
                changed = true;
            }
        }
        if changed {
            self.write();
        }
        changed
    }

    /// Opens every place where another template of the same length differs.
    pub fn open_for_template(&mut self, other: &Template) {
        for (place, other) in self.places.iter_mut().zip(&other.places) {
            match (place.slot, other.slot) {
                (left, right) if left == right => {}
                (Slot::Open, _) => {}
                (Slot::Keyed(key), Slot::Same(_)) if key == other.key => {}
                _ => place.open(&other.text, other.key),
            }
        }
        self.write();
    }

    /// The template that takes every message of its length.
    pub fn open_all(length: usize) -> Template {
        let place = Place { slot: Slot::Open, key: NO_KEY, text: Mask::Any.as_str().into(), glued: false };
        let mut template = Template { places: vec![place; length], text: Box::default() };
        template.write();
        template
    }

    /// The template that takes every message of this length whose first words are the same. Words too long for a name
    /// are left open too: nobody can fill the memory with them.
    pub fn head(scan: &Scan, words: usize) -> Template {
        let mut template = Template::new(scan);
        for (at, place) in template.places.iter_mut().enumerate() {
            if at >= words || place.text.len() > MAX_HEAD_WORD {
                *place = Place { slot: Slot::Open, key: NO_KEY, text: Mask::Any.as_str().into(), glued: false };
            }
        }
        template.write();
        template
    }

    /// Its text without its places, for one that is compared with nothing.
    pub fn into_text(self) -> Template {
        Template { places: Vec::new(), text: self.text }
    }

    fn write(&mut self) {
        let mut text = String::with_capacity(self.text.len() + 16);
        for place in &self.places {
            // Only behind a comma it is read back as a token of its own.
            let glued = place.glued && text.ends_with(',');
            if !text.is_empty() && !glued {
                text.push(' ');
            }
            text.push_str(&place.text);
        }
        self.text = text.into();
    }
}

impl Place {
    fn open(&mut self, seen: &str, key: u64) {
        let any = Mask::Any.as_str();
        if let Slot::Same(_) = self.slot
            && self.key != NO_KEY
            && self.key == key
            && let Some(name) = key::end(self.text.as_bytes()).and_then(|end| self.text.get(..end))
        {
            let comma = if self.text.ends_with(',') { "," } else { "" };
            self.text = format!("{name}{any}{comma}").into();
            self.slot = Slot::Keyed(key);
            return;
        }
        let quoted = |quote: char| {
            [&*self.text, seen].iter().all(|text| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote))
        };
        self.text = match ['"', '\''].into_iter().find(|quote| quoted(*quote)) {
            Some(quote) => format!("{quote}{}{quote}", Mask::Str.as_str()).into(),
            None => any.into(),
        };
        self.slot = Slot::Open;
        self.key = NO_KEY;
    }
}
