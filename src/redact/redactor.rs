//! The redactor: cleans a text, finds what must go, replaces it, and looks again at what it made. Keeps no text.

use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::clean::{Reader, clean};
use super::keyblock::KeyBlock;
use super::rule::Class;
use super::scan::{Doubt, Scanner, Span};
use super::{Batch, Config, ForPeople};

/// Longer texts are not searched but replaced: nothing in the house makes one (lines are capped at 1 MiB).
const MAX_BYTES: usize = 2 << 20;
/// Stands for a text that could not be judged.
const WHOLE: &str = "<REDACTED:whole-text>";

/// Compiled rules and the key of this host's pseudonyms. Cheap to share, costs some milliseconds to make.
pub struct Redactor {
    scanner: Scanner,
    key: [u8; 32],
}

/// One stream of lines: remembers a private key that stretches over several of them.
pub struct Lines<'a> {
    redactor: &'a Redactor,
    block: KeyBlock,
    known: Known,
}

/// Secrets of some texts, to be hidden in what was made of them: a template has lost the words around a secret by which
/// a rule would know it. Never leaves the process, hence neither `Debug` nor `Serialize`.
#[derive(Clone, Default)]
pub struct Known(pub(super) Vec<(Class, String)>);

/// What would go from a text before a model sees it, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explained {
    /// The text as it is searched: invisible characters taken out.
    pub text: String,
    /// In order, without overlap; ranges are bytes of [`Explained::text`].
    pub found: Vec<Found>,
    /// Our own doubt: the text goes as a whole.
    pub whole: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub range: Range<usize>,
    pub class: Class,
    /// Name of the rule, or of the operator's pattern.
    pub rule: String,
}

impl Redactor {
    /// `key` is this installation's: the same value gets the same pseudonym in all its alerts, and no other host can
    /// compute it.
    pub fn new(config: &Config, key: [u8; 32]) -> Redactor {
        Redactor { scanner: Scanner::new(config), key }
    }

    /// Secrets and card numbers replaced; personal data kept.
    pub fn for_people(&self, text: &str) -> ForPeople {
        self.lines().for_people(text)
    }

    /// Personal data replaced too, for notifiers with `redact = "all"`: `<IP_9f3a01>`, the same in every alert.
    pub fn for_people_all(&self, text: &str) -> ForPeople {
        self.lines().for_people_all(text)
    }

    /// For texts that follow one another: the lines of a file, the evidence of an incident.
    pub fn lines(&self) -> Lines<'_> {
        self.lines_knowing(Known::default())
    }

    /// As [`Redactor::lines`], and these secrets go too, wherever they stand.
    pub fn lines_knowing(&self, known: Known) -> Lines<'_> {
        Lines { redactor: self, block: KeyBlock::default(), known }
    }

    /// The secrets of some texts that follow one another, and the longer parts of each.
    pub fn learn<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Known {
        let mut known = Known::default();
        let mut block = KeyBlock::default();
        for text in texts {
            let text = clean(text, Reader::Model);
            for span in self.scan(&text, false, &mut block, &[]).unwrap_or_default() {
                if let Some(value) = text.get(span.range) {
                    known.add(span.class, value);
                }
            }
        }
        known
    }

    /// One request to a model.
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self)
    }

    /// What a model would not see of a single text.
    pub fn explain(&self, text: &str) -> Explained {
        self.lines().explain(text)
    }

    pub(super) fn rule_name(&self, rule: usize) -> &str {
        self.scanner.rule_name(rule)
    }

    /// `text` must be clean. `replace` gives the words for a span.
    pub(super) fn replace(
        &self,
        text: &str,
        personal: bool,
        block: &mut KeyBlock,
        known: &[(Class, String)],
        mut replace: impl FnMut(&Span, &str) -> String,
    ) -> String {
        let Ok(spans) = self.scan(text, personal, block, known) else { return WHOLE.to_owned() };
        if spans.is_empty() {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for span in &spans {
            let (Some(before), Some(value)) = (text.get(at..span.range.start), text.get(span.range.clone())) else {
                return WHOLE.to_owned();
            };
            out.push_str(before);
            out.push_str(&replace(span, value));
            at = span.range.end;
        }
        let Some(rest) = text.get(at..) else { return WHOLE.to_owned() };
        out.push_str(rest);
        // A second look: a secret that a replacement uncovered must not stand.
        let secret = spans.iter().any(|span| span.class.hidden_from_people());
        if secret && self.scan(&out, false, &mut KeyBlock::default(), known).map_or(true, |left| !left.is_empty()) {
            return WHOLE.to_owned();
        }
        out
    }

    /// Six hex digits that stand for a value in all alerts of this host.
    fn tag(&self, class: Class, value: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::from("?") };
        mac.update(class.label().as_bytes());
        mac.update(b":");
        mac.update(value.to_ascii_lowercase().as_bytes());
        mac.finalize().into_bytes().iter().take(3).map(|byte| format!("{byte:02x}")).collect()
    }

    fn scan(
        &self,
        text: &str,
        personal: bool,
        block: &mut KeyBlock,
        known: &[(Class, String)],
    ) -> Result<Vec<Span>, Doubt> {
        if text.len() > MAX_BYTES { Err(Doubt) } else { self.scanner.scan(text, personal, block, known) }
    }
}

impl Known {
    /// More are not remembered of one alert or question.
    const MOST: usize = 64;
    const LEAST_CHARS: usize = 6;
    /// A part without digits and capitals may be a word of any text.
    const LEAST_PLAIN_CHARS: usize = 10;

    fn add(&mut self, class: Class, value: &str) {
        let parts = value.split(|character: char| !character.is_alphanumeric());
        for part in [value].into_iter().chain(parts) {
            let telling = part.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
            let least = if telling { Known::LEAST_CHARS } else { Known::LEAST_PLAIN_CHARS };
            let fits = part.chars().count() >= least && self.0.len() < Known::MOST;
            if fits && !self.0.iter().any(|(_, known)| known == part) {
                self.0.push((class, part.to_owned()));
            }
        }
    }
}

impl Lines<'_> {
    /// As [`Redactor::for_people`], for the next line.
    pub fn for_people(&mut self, text: &str) -> ForPeople {
        let redactor = self.redactor;
        ForPeople(redactor.replace(&clean(text, Reader::People), false, &mut self.block, &self.known.0, |span, _| {
            format!("<REDACTED:{}>", redactor.rule_name(span.rule))
        }))
    }

    /// As [`Redactor::for_people_all`], for the next line.
    pub fn for_people_all(&mut self, text: &str) -> ForPeople {
        let redactor = self.redactor;
        ForPeople(redactor.replace(
            &clean(text, Reader::People),
            true,
            &mut self.block,
            &self.known.0,
            |span, value| {
                if span.class.hidden_from_people() {
                    format!("<REDACTED:{}>", redactor.rule_name(span.rule))
                } else {
                    format!("<{}_{}>", span.class.label(), redactor.tag(span.class, value))
                }
            },
        ))
    }

    /// As [`Redactor::explain`], for the next line.
    pub fn explain(&mut self, text: &str) -> Explained {
        let text = clean(text, Reader::Model).into_owned();
        let spans = self.redactor.scan(&text, true, &mut self.block, &[]);
        let whole = spans.is_err();
        let found = spans
            .unwrap_or_default()
            .into_iter()
            .map(|span| Found {
                range: span.range,
                class: span.class,
                rule: self.redactor.rule_name(span.rule).to_owned(),
            })
            .collect();
        Explained { text, found, whole }
    }
}
