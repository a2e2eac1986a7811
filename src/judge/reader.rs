//! Finds the verdicts in whatever a model wrote: JSON, fenced JSON, JSON with prose around it, JSON cut in the middle.
//!
//! Only the form is tolerated here. Whether to believe it is `belief`'s question.

use serde_json::{Deserializer, Map, Value};

use crate::model::{Category, Severity, Verdict, clip};

/// How many `{` or `[` are tried as the start of the document: hostile prose must not cost a parse a brace.
const MAX_STARTS: usize = 24;
/// Longest list taken: far more than any request asks about.
const MAX_ITEMS: usize = 1_000;
/// Longest text looked at: far more than any budget lets a model write.
const MAX_BYTES: usize = 1024 * 1024;
/// Broken entries stepped over in a list: each costs another look at what follows.
const MAX_BROKEN: usize = 32;

/// What a reply says, as far as it has the right form.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reply {
    /// None when the model left it out.
    pub nonce: Option<String>,
    pub items: Vec<Item>,
    /// What is said of incidents, where a request asked about them.
    pub incidents: Vec<Said>,
    /// Entries without a usable id or verdict.
    pub malformed: u64,
}

/// One entry with an id and a verdict.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    pub id: u64,
    pub verdict: Verdict,
    pub severity: Option<Severity>,
    pub category: Category,
    /// 0..=1; 0.5 when the model gave none that can be one.
    pub confidence: f32,
    /// As written: not yet cleaned.
    pub reason: String,
    /// As written: not yet cleaned.
    pub remediation: Vec<String>,
}

/// What is said of one incident.
#[derive(Clone, PartialEq, Debug)]
pub struct Said {
    pub id: u64,
    /// As written: not yet cleaned.
    pub reason: String,
    /// As written: not yet cleaned.
    pub remediation: Vec<String>,
}

/// Reads a reply; none when there is nothing that looks like a list of verdicts in it.
pub fn read(text: &str) -> Option<Reply> {
    let text = clip(text, MAX_BYTES).trim_start_matches('\u{feff}').trim();
    let mut at = 0;
    for _ in 0..MAX_STARTS {
        let found = text.get(at..)?.find(['{', '['])?;
        let start = at + found;
        let rest = text.get(start..)?;
        if let Some(Ok(value)) = Deserializer::from_str(rest).into_iter::<Value>().next() {
            if let Some(reply) = from_value(value) {
                return Some(reply);
            }
        } else if let Some(reply) = salvage(rest) {
            return Some(reply);
        }
        at = start + 1;
    }
    None
}

fn from_value(value: Value) -> Option<Reply> {
    match value {
        Value::Object(mut object) => {
            let nonce = object.get("nonce").and_then(Value::as_str).map(str::to_owned);
            let incidents = said_list(object.remove("incidents"));
            let reply = match object.remove("verdicts") {
                Some(Value::Array(list)) => Some(from_list(nonce, list)),
                // `{"verdicts": {"17": {"verdict": …}}}`
                Some(Value::Object(by_id)) => Some(from_list(nonce, with_ids(by_id))),
                Some(_) => None,
                // A single verdict without its list.
                None if object.contains_key("verdict") => Some(from_list(nonce, vec![Value::Object(object)])),
                None => None,
            };
            reply.map(|reply| Reply { incidents, ..reply })
        }
        Value::Array(list) if list.iter().any(|entry| entry.get("verdict").is_some()) => Some(from_list(None, list)),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn with_ids(by_id: Map<String, Value>) -> Vec<Value> {
    by_id
        .into_iter()
        .map(|(id, mut entry)| {
            if let Some(object) = entry.as_object_mut() {
                object.entry("id").or_insert(Value::String(id));
            }
            entry
        })
        .collect()
}

fn from_list(nonce: Option<String>, list: Vec<Value>) -> Reply {
    let mut reply = Reply { nonce, ..Reply::default() };
    reply.malformed = list.len().saturating_sub(MAX_ITEMS) as u64;
    for entry in list.into_iter().take(MAX_ITEMS) {
        match item(&entry) {
            Some(item) => reply.items.push(item),
            None => reply.malformed += 1,
        }
    }
    reply
}

fn said_list(list: Option<Value>) -> Vec<Said> {
    let entries = match list {
        Some(Value::Array(entries)) => entries,
        // `{"incidents": {"17": {"reason": …}}}`
        Some(Value::Object(by_id)) => with_ids(by_id),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => Vec::new(),
    };
    let said = |entry: &Value| {
        let object = entry.as_object()?;
        Some(Said { id: id(object)?, reason: reason(object), remediation: remediation(object) })
    };
    entries.iter().take(MAX_ITEMS).filter_map(said).collect()
}

/// The whole entries of a document that breaks off or breaks: everything before the first broken one.
fn salvage(text: &str) -> Option<Reply> {
    let (head, list) = match text.split_once("\"verdicts\"") {
        Some((head, rest)) => (head, rest.split_once('[')?.1),
        None => ("", text.strip_prefix('[')?),
    };
    let nonce = head.split_once("\"nonce\"").and_then(|(_, rest)| Some(rest.split_once('"')?.1.split_once('"')?.0));
    let mut entries = Vec::new();
    let mut broken = 0;
    let mut rest = list;
    while entries.len() < MAX_ITEMS {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if !rest.starts_with('{') {
            break;
        }
        let mut stream = Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                let end = stream.byte_offset();
                entries.push(value);
                rest = rest.get(end..).unwrap_or_default();
            }
            // `NaN` and the like are no JSON, but only this one entry is lost by them.
            Some(Err(error)) if !error.is_eof() && broken < MAX_BROKEN => {
                broken += 1;
                entries.push(Value::Null);
                rest = rest.split_once('}').map_or("", |(_, after)| after);
            }
            Some(Err(_)) | None => break,
        }
    }
    if entries.is_empty() {
        return None;
    }
    Some(from_list(nonce.map(|nonce| clip(nonce, 100).to_owned()), entries))
}

fn item(entry: &Value) -> Option<Item> {
    let object = entry.as_object()?;
    let id = id(object)?;
    let verdict = match word(object.get("verdict")?).as_str() {
        "normal" => Verdict::Normal,
        "anomalous" | "anomaly" | "abnormal" => Verdict::Anomalous,
        "watch" => Verdict::Watch,
        _ => return None,
    };
    let severity = object.get("severity").map(word);
    let category = object.get("category").map(word);
    Some(Item {
        id,
        verdict,
        severity: Severity::ALL.into_iter().find(|known| severity.as_deref() == Some(known.as_str())),
        category: Category::ALL
            .into_iter()
            .find(|known| category.as_deref() == Some(known.as_str()))
            .unwrap_or(Category::Other),
        confidence: object.get("confidence").map_or(UNSAID, confidence),
        reason: reason(object),
        remediation: remediation(object),
    })
}

fn id(object: &Map<String, Value>) -> Option<u64> {
    match object.get("id")? {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn reason(object: &Map<String, Value>) -> String {
    object.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn remediation(object: &Map<String, Value>) -> Vec<String> {
    match object.get("remediation") {
        Some(Value::Array(steps)) => steps.iter().filter_map(Value::as_str).take(50).map(str::to_owned).collect(),
        Some(Value::String(step)) => vec![step.clone()],
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    }
}

/// A confidence that was not given.
const UNSAID: f32 = 0.5;

/// A fraction, or a percentage when over 1. Numbers may come as text; what cannot be a confidence is none.
#[expect(clippy::cast_possible_truncation, reason = "a fraction loses nothing that matters")]
fn confidence(value: &Value) -> f32 {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().trim_end_matches('%').trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match number {
        Some(fraction) if (0.0..=1.0).contains(&fraction) => fraction as f32,
        Some(percent) if (1.0..=100.0).contains(&percent) => (percent / 100.0) as f32,
        Some(negative) if negative < 0.0 => 0.0,
        Some(_) | None => UNSAID,
    }
}

/// `7.0` is an id too.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a small whole number")]
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..1e9).contains(&number)).then_some(number as u64)
}

fn word(value: &Value) -> String {
    value.as_str().map(|text| clip(text.trim(), 40).to_ascii_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `nonce: id=verdict@confidence …; malformed`.
    fn short(text: &str) -> String {
        let Some(reply) = read(text) else { return "none".to_owned() };
        let items: Vec<String> = reply
            .items
            .iter()
            .map(|item| format!("{}={}@{}", item.id, item.verdict.as_str(), item.confidence))
            .collect();
        format!("{}: {}; {}", reply.nonce.unwrap_or_default(), items.join(" "), reply.malformed)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(short(text), expected, "{text}");
    }

    #[test]
    fn plain_fenced_and_wrapped() {
        let json = r#"{"nonce":"n","verdicts":[{"id":1,"verdict":"normal","confidence":0.9}]}"#;
        check(json, "n: 1=normal@0.9; 0");
        check(&format!("```json\n{json}\n```"), "n: 1=normal@0.9; 0");
        check(&format!("Here {{is}} what I think [really]:\n{json}\nDone {{}}."), "n: 1=normal@0.9; 0");
        check(&format!("\u{feff}{json}"), "n: 1=normal@0.9; 0");
        check(r#"[{"id":1,"verdict":"watch"}]"#, ": 1=watch@0.5; 0");
        check(r#"{"id":1,"verdict":"watch"}"#, ": 1=watch@0.5; 0");
        check(r#"{"verdicts":{"7":{"verdict":"watch"}}}"#, ": 7=watch@0.5; 0");
    }

    #[test]
    fn cut_in_the_middle() {
        let cut = r#"{"nonce":"n","verdicts":[{"id":1,"verdict":"normal","confidence":0.9},{"id":2,"verdict":"anom"#;
        check(cut, "n: 1=normal@0.9; 0");
        check(&cut.replace("{\"nonce\":\"n\",", "{"), ": 1=normal@0.9; 0");
        check(r#"{"verdicts":[{"id":1,"#, "none");
        check(
            r#"{"verdicts":[{"id":1,"verdict":"normal","confidence":NaN},{"id":2,"verdict":"watch","confidence":1}]}"#,
            ": 2=watch@1; 1",
        );
    }

    #[test]
    fn odd_values() {
        let one = |entry: &str| short(&format!("{{\"verdicts\":[{entry}]}}"));
        assert_eq!(one(r#"{"id":"12","verdict":"NORMAL","confidence":"0.25"}"#), ": 12=normal@0.25; 0");
        assert_eq!(one(r#"{"id":12.0,"verdict":" Anomaly ","confidence":"90%"}"#), ": 12=anomalous@0.9; 0");
        assert_eq!(one(r#"{"id":1,"verdict":"watch","confidence":1e9}"#), ": 1=watch@0.5; 0");
        assert_eq!(one(r#"{"id":1,"verdict":"watch","confidence":-5}"#), ": 1=watch@0; 0");
        assert_eq!(one(r#"{"id":1,"verdict":"watch","confidence":"high"}"#), ": 1=watch@0.5; 0");
        assert_eq!(one(r#"{"id":1,"verdict":"maybe"}"#), ": ; 1");
        assert_eq!(one(r#"{"id":-1,"verdict":"normal"}"#), ": ; 1");
        assert_eq!(one(r#"{"id":null,"verdict":"normal"}"#), ": ; 1");
        assert_eq!(one(r#""normal""#), ": ; 1");
    }

    #[test]
    fn nothing_like_it() {
        for text in ["", "null", "42", "\"normal\"", "[]", "{}", "[1,2]", r#"{"verdicts":7}"#, "I cannot help.", "{{{{"]
        {
            check(text, "none");
        }
        check(r#"{"verdicts":[]}"#, ": ; 0");
    }

    #[test]
    fn what_is_said_of_incidents() {
        let said = |text: &str| read(&format!("{{\"verdicts\":[],\"incidents\":{text}}}")).map(|reply| reply.incidents);
        let one = Said { id: 7, reason: "r".to_owned(), remediation: vec!["s".to_owned()] };
        assert_eq!(said(r#"[{"id":"7","reason":"r","remediation":"s"},{"id":null},7]"#), Some(vec![one.clone()]));
        assert_eq!(said(r#"{"7":{"reason":"r","remediation":["s",1]}}"#), Some(vec![one]));
        assert_eq!(said("\"none\""), Some(Vec::new()));
    }

    #[test]
    fn braces_without_end_are_cheap() {
        check(&"{".repeat(1_000_000), "none");
        check(&"[".repeat(1_000_000), "none");
        check(&format!("{{\"verdicts\":[{}", "{\"a\":1},".repeat(100_000)), &format!(": ; {MAX_ITEMS}"));
    }

    proptest! {
        #[test]
        fn any_text(text in r#"[\[\]{}":,a-z0-9 \n]{0,200}"#) {
            let _ = read(&text);
        }

        #[test]
        fn any_cut(at in 0usize..300) {
            let text = format!("{{\"nonce\":\"n\",\"verdicts\":[{}]}}", ["{\"id\":5,\"verdict\":\"normal\",\"reason\":\"}{\"}"; 6].join(","));
            if let Some(reply) = text.get(..at).and_then(read) {
                prop_assert!(reply.items.iter().all(|item| item.id == 5));
            }
        }
    }
}
