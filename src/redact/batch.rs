//! One request to a model: the same value has the same pseudonym all through it, and the way back stays here.
//! Secrets have no way back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::clean::{Reader, clean};
use super::condition;
use super::keyblock::KeyBlock;
use super::rule::Class;
use super::scan::Span;
use super::{ForModel, Known, Redactor};

/// Pseudonyms of one request: `<IP_3:private>`, `<USER_1>`, `<HOST_2:internal>`, `<MAIL_1>` ...
pub struct Batch<'a> {
    redactor: &'a Redactor,
    block: KeyBlock,
    numbers: Numbers,
    /// Values the caller named; hidden wherever they stand as a word.
    known: Vec<(Class, String)>,
}

/// The way back from pseudonyms to values. Never leaves the process, hence neither `Debug` nor `Serialize`.
#[derive(Clone, Default)]
pub struct Restore {
    values: HashMap<(String, u32), String>,
}

#[derive(Default)]
struct Numbers {
    /// Class and value in its comparable spelling, to the number.
    numbers: HashMap<(Class, String), u32>,
    last: HashMap<Class, u32>,
    restore: Restore,
}

/// Our own words, also as a model repeats them: without the scope, without the brackets.
static PSEUDONYM: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"<?(?-u:\b)(IP|MAC|MAIL|PHONE|IBAN|SSN|HOST|USER|OPAQUE)_([0-9]{1,6})(?-u:\b)(?::[a-z-]{1,12}(?-u:\b))?>?",
    )
    .ok()
});

impl<'a> Batch<'a> {
    pub(super) fn new(redactor: &'a Redactor) -> Batch<'a> {
        Batch { redactor, block: KeyBlock::default(), numbers: Numbers::default(), known: Vec::new() }
    }

    /// Names a host that every text of this request may speak of; returns its pseudonym. For short names (`web-03`)
    /// that no pattern could know. `localhost` and the empty name stay.
    pub fn host(&mut self, name: &str) -> String {
        let name = clean(name, Reader::Model);
        if name.is_empty() || name == "localhost" {
            return name.into_owned();
        }
        let class = if name.parse::<IpAddr>().is_ok() { Class::Ip } else { Class::Host };
        let pseudonym = self.numbers.pseudonym(class, &name);
        if class == Class::Host && name.len() >= 3 && !self.known.iter().any(|(_, known)| *known == name) {
            self.known.push((class, name.into_owned()));
        }
        pseudonym
    }

    /// Redacts one text.
    pub fn text(&mut self, text: &str) -> String {
        self.text_knowing(text, &Known::default())
    }

    /// As [`Batch::text`], and these secrets go too, wherever they stand.
    pub fn text_knowing(&mut self, text: &str, secrets: &Known) -> String {
        let text = clean(text, Reader::Model);
        let text = self.numbers.disown_foreign(&text);
        let (redactor, numbers) = (self.redactor, &mut self.numbers);
        let known: Vec<(Class, String)> = self.known.iter().chain(&secrets.0).cloned().collect();
        redactor.replace(&text, true, &mut self.block, &known, |span, value| numbers.word(redactor, span, value))
    }

    /// How many values have a pseudonym by now.
    pub fn values(&self) -> usize {
        self.numbers.numbers.len()
    }

    /// Begins anew with numbers, for a text without end. A private key that is open stays open.
    pub fn forget(&mut self) {
        self.numbers = Numbers::default();
        self.known.clear();
    }

    /// Redacts every string of `value`, names of members too (again, if `text` did before: it changes nothing), and
    /// makes one JSON document of it.
    pub fn document(mut self, value: &Value) -> (ForModel, Restore) {
        let redacted = self.walk(value);
        (ForModel(redacted.to_string()), self.numbers.restore)
    }

    fn walk(&mut self, value: &Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(values) => Value::Array(values.iter().map(|value| self.walk(value)).collect()),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (self.text(name), self.walk(value))).collect())
            }
        }
    }
}

impl Restore {
    /// Puts the values back into what a model said. For local eyes: the result is as personal as the log itself.
    pub fn restore(&self, text: &str) -> String {
        let Some(pattern) = PSEUDONYM.as_ref() else { return text.to_owned() };
        pattern
            .replace_all(text, |captures: &Captures<'_>| self.value(captures).unwrap_or(&captures[0]).to_owned())
            .into_owned()
    }

    fn value(&self, captures: &Captures<'_>) -> Option<&str> {
        let number = captures.get(2)?.as_str().parse().ok()?;
        self.values.get(&(captures.get(1)?.as_str().to_owned(), number)).map(String::as_str)
    }
}

impl Numbers {
    fn word(&mut self, redactor: &Redactor, span: &Span, value: &str) -> String {
        if span.class.hidden_from_people() {
            format!("<REDACTED:{}>", redactor.rule_name(span.rule))
        } else {
            self.pseudonym(span.class, value)
        }
    }

    fn pseudonym(&mut self, class: Class, value: &str) -> String {
        let key = (class, value.to_ascii_lowercase());
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                let last = self.last.entry(class).or_default();
                *last += 1;
                self.restore.values.insert((class.label().to_owned(), *last), value.to_owned());
                self.numbers.insert(key, *last);
                *last
            }
        };
        let label = class.label();
        match class {
            Class::Ip => match value.parse() {
                Ok(address) => format!("<{label}_{number}:{}>", condition::scope(address)),
                Err(_) => format!("<{label}_{number}>"),
            },
            Class::Host if condition::internal(value) => format!("<{label}_{number}:internal>"),
            Class::Host => format!("<{label}_{number}:public>"),
            Class::Secret
            | Class::Card
            | Class::Opaque
            | Class::Mail
            | Class::Phone
            | Class::Iban
            | Class::SocialSecurity
            | Class::Mac
            | Class::User => format!("<{label}_{number}>"),
        }
    }

    /// A log line that writes our words itself must not point at a value of another line: `<IP_7>` that we did not make
    /// becomes `<IP>`.
    fn disown_foreign(&self, text: &str) -> String {
        let Some(pattern) = PSEUDONYM.as_ref() else { return String::new() };
        pattern
            .replace_all(text, |captures: &Captures<'_>| match self.restore.value(captures) {
                Some(_) => captures[0].to_owned(),
                None => format!("<{}>", &captures[1]),
            })
            .into_owned()
    }
}
