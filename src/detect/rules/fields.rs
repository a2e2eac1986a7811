//! `fields.status = ">=500"`: a test of one value in a line. Finds the value (a capture, a part of an access line, or
//! `key=value` and `"key": value` anywhere in the text) and compares it. Counts nothing; linear in the line.

use std::collections::BTreeMap;
use std::fmt;

use regex::bytes::Captures;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::pattern::Pattern;

/// Most fields of one rule.
const MAX_FIELDS: usize = 16;
/// Longest name of a field, in bytes.
const NAME_BYTES: usize = 64;
/// Parts of an access line, which the parser writes without names: `METHOD PATH PROTOCOL STATUS SIZE ...`.
const ACCESS: [&str; 5] = ["method", "path", "protocol", "status", "size"];

/// All fields of a rule; every one must hold.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Fields(Vec<(Box<str>, Vec<Test>)>);

/// What a value must be.
#[derive(Clone, PartialEq, Debug)]
enum Test {
    /// `">=500"`, `"<0.5"`, `">2s"`: the value is a number of the same sort, and so large.
    Number(Order, Quantity),
    /// `"~^/admin"`: the value matches.
    Pattern(Pattern),
    /// `"!=ok"`: there is a value, and it is another one.
    Not(Box<str>),
    /// `"failed"` or `404`: the value is this, in any case.
    Is(Box<str>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    AtLeast,
    Above,
    AtMost,
    Below,
}

/// A number, or a length of time in seconds.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Quantity {
    number: f64,
    is_time: bool,
}

impl Fields {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Every field is there and one of its tests holds.
    pub fn hold(&self, program: &str, message: &str, captures: Option<&Captures<'_>>) -> bool {
        self.0.iter().all(|(name, tests)| {
            value(name, program, message, captures).is_some_and(|value| tests.iter().any(|test| test.holds(&value)))
        })
    }

    /// Every field is there, whatever its value: the next line of the kind may be one that counts.
    pub fn are_there(&self, program: &str, message: &str, captures: Option<&Captures<'_>>) -> bool {
        self.0.iter().all(|(name, _)| value(name, program, message, captures).is_some())
    }
}

/// The value of a field in a line: a capture of this name, a part of an access line, or the text behind the first
/// `name=` or `"name":`.
pub fn value(name: &str, program: &str, message: &str, captures: Option<&Captures<'_>>) -> Option<String> {
    if let Some(capture) = captures.and_then(|captures| captures.name(name)) {
        return Some(String::from_utf8_lossy(capture.as_bytes()).into_owned());
    }
    if program == "access"
        && let Some(at) = ACCESS.iter().position(|known| *known == name)
    {
        let mut words = message.split(' ');
        let is_request = words.clone().nth(2).is_some_and(|word| word.starts_with("HTTP/"));
        return words.nth(at).filter(|_| is_request).map(str::to_owned);
    }
    written(name, message).map(str::to_owned)
}

/// The text behind `name=` or `"name":`, without its quotes.
fn written<'a>(name: &str, message: &'a str) -> Option<&'a str> {
    let mut from = 0;
    while let Some(at) = message.get(from..).and_then(|rest| memchr::memmem::find(rest.as_bytes(), name.as_bytes())) {
        let begin = from + at;
        let rest = message.get(begin + name.len()..)?;
        let before = message.get(..begin)?.chars().next_back();
        let is_whole = before.is_none_or(|letter| !letter.is_alphanumeric() && !matches!(letter, '_' | '.' | '-'));
        let value = match (rest.strip_prefix('='), rest.strip_prefix("\":")) {
            (Some(value), _) if is_whole => Some(value),
            (_, Some(value)) if before == Some('"') => Some(value.trim_start_matches(' ')),
            _ => None,
        };
        if let Some(value) = value {
            return Some(match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default(),
                None => value.split([' ', '\t', ',', ';', ')', ']', '}']).next().unwrap_or_default(),
            });
        }
        from = begin + name.len();
    }
    None
}

impl Test {
    fn new(text: &str) -> Result<Test, String> {
        let number = |order: Order, text: &str| {
            let quantity = Quantity::of(text.trim()).ok_or_else(|| {
                format!("`{text}` is no number; write it like \">=500\", \"<0.5\" or, for times, \">2s\" or \">250ms\"")
            })?;
            Ok(Test::Number(order, quantity))
        };
        match text {
            "" => Err("an empty test; write a value, \">=NUMBER\", \"!=TEXT\" or \"~PATTERN\"".to_owned()),
            _ if text.starts_with(">=") => number(Order::AtLeast, text.get(2..).unwrap_or_default()),
            _ if text.starts_with("<=") => number(Order::AtMost, text.get(2..).unwrap_or_default()),
            _ if text.starts_with('>') => number(Order::Above, text.get(1..).unwrap_or_default()),
            _ if text.starts_with('<') => number(Order::Below, text.get(1..).unwrap_or_default()),
            _ if text.starts_with("!=") => Ok(Test::Not(text.get(2..).unwrap_or_default().into())),
            _ if text.starts_with('~') => Pattern::new(text.get(1..).unwrap_or_default()).map(Test::Pattern),
            _ => Ok(Test::Is(text.into())),
        }
    }

    fn holds(&self, value: &str) -> bool {
        match self {
            Test::Number(order, wanted) => Quantity::of(value).is_some_and(|given| {
                given.is_time == wanted.is_time
                    && match order {
                        Order::AtLeast => given.number >= wanted.number,
                        Order::Above => given.number > wanted.number,
                        Order::AtMost => given.number <= wanted.number,
                        Order::Below => given.number < wanted.number,
                    }
            }),
            Test::Pattern(pattern) => pattern.is_match(value),
            Test::Not(text) => !value.eq_ignore_ascii_case(text),
            Test::Is(text) => value.eq_ignore_ascii_case(text),
        }
    }
}

impl Quantity {
    /// `500`, `99.5%`, `1.5s`; nothing else, so that `500 errors` is no number.
    fn of(text: &str) -> Option<Quantity> {
        let end = text.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+')).count();
        let number: f64 = text.get(..end)?.parse().ok()?;
        let seconds = match text.get(end..)? {
            "" | "%" => return Some(Quantity { number, is_time: false }),
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        Some(Quantity { number: number * seconds, is_time: true })
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.names().collect::<Vec<_>>().join(", ").fmt(f)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        let written: BTreeMap<String, Tests> = BTreeMap::deserialize(deserializer)?;
        if written.len() > MAX_FIELDS {
            return Err(D::Error::custom(format!("a rule has at most {MAX_FIELDS} fields")));
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b'/' | b':');
        for name in written.keys() {
            if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(fits) {
                return Err(D::Error::custom(format!(
                    "`{name}` is no name of a field: it has 1 to {NAME_BYTES} of a-z, A-Z, 0-9 and _ . - @ / :"
                )));
            }
        }
        Ok(Fields(written.into_iter().map(|(name, tests)| (name.into(), tests.0)).collect()))
    }
}

/// One test or a list of which one must hold.
struct Tests(Vec<Test>);

impl<'de> Deserialize<'de> for Tests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tests, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Tests;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, a test like \">=500\", or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Tests, E> {
                Test::new(text).map(|test| Tests(vec![test])).map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Tests, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Tests, E> {
                self.visit_str(if value { "true" } else { "false" })
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Tests, A::Error> {
                let mut all = Vec::new();
                while let Some(Tests(mut tests)) = items.next_element()? {
                    all.append(&mut tests);
                }
                if all.is_empty() {
                    return Err(A::Error::custom("an empty list holds for no value"));
                }
                Ok(Tests(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        fields: Fields,
    }

    fn fields(text: &str) -> Result<Fields, String> {
        toml::from_str::<File>(&format!("fields = {{ {text} }}")).map(|file| file.fields).map_err(|e| e.to_string())
    }

    #[track_caller]
    fn check(test: &str, line: &str, expected: bool) {
        let (program, message) = line.split_once(": ").expect("PROGRAM: MESSAGE");
        let fields = fields(test).expect("a good test");
        assert_eq!(fields.hold(program, message, None), expected, "{test} on {line}");
        assert!(!expected || fields.are_there(program, message, None));
    }

    #[test]
    fn values_are_found_and_compared() {
        let access = "access: GET /cart HTTP/1.1 502 157 - curl status=200 client 192.0.2.7";
        check("status = '>=500'", access, true);
        check("status = 502", access, true);
        check("status = ['500', '502']", access, true);
        check("status = '<500'", access, false);
        check("method = 'get', path = '~^/cart'", access, true);
        check("path = '~^/admin'", access, false);
        check("size = '>200'", access, false);
        check("status = '>=500'", "access: GET /a b HTTP/1.1 502 157", false);
        let pairs = r#"app: done method=GET status=503 took=1.5s user="bob b" res=failed err_status=200 load=97.5%"#;
        check("status = '>=500'", pairs, true);
        check("took = '>=1500ms'", pairs, true);
        check("took = '>2s'", pairs, false);
        check("took = '>1'", pairs, false);
        check("user = 'bob b'", pairs, true);
        check("res = '!=success'", pairs, true);
        check("missing = '!=success'", pairs, false);
        check("load = '>95'", pairs, true);
        check("us = '~.'", pairs, false);
        let json = r#"caddy: {"level":"error","status": 502,"duration":0.25,"ok":true}"#;
        check("status = '>=500', duration = '<0.3', ok = true", json, true);
        check("duration = '>0.3'", json, false);
        check("status = '>=500'", "app: status=abc", false);
        check("status = '>=500'", "app: xstatus=500 status= status=500", false);
    }

    #[test]
    fn mistakes_say_what_is_allowed() {
        for (wrong, expected) in [
            ("status = '>=many'", "is no number"),
            ("status = ''", "an empty test"),
            ("status = '~('", "not a regular expression"),
            ("status = []", "holds for no value"),
            ("'a b' = '1'", "is no name of a field"),
            ("status = 1979-05-27", "a test like"),
        ] {
            let error = fields(wrong).expect_err("a mistake");
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_at_most_a_value(message in "\\PC{0,200}", name in "[a-z\"=]{1,4}") {
            let found = value(&name, "app", &message, None);
            proptest::prop_assert!(found.is_none_or(|found| message.contains(&found)));
        }
    }
}
