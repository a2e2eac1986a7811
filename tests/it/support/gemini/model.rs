//! The model behind the fake: a keyword table with manners. Obeys log text when told to, as a weak model does.

use serde_json::{Value, json};

use super::contract::Generate;
use super::faults::Fault;

type Row = (&'static str, &'static str, &'static str);

/// Judges an item in place of the table, where it wants to.
pub type Oracle = dyn Fn(&Value) -> Option<Value> + Send;

/// First match decides: words, severity, category.
const ANOMALOUS: &[Row] = &[
    ("kernel panic", "critical", "availability"),
    ("out of memory", "high", "availability"),
    ("oom-kill", "high", "availability"),
    ("corrupt", "critical", "storage"),
    ("i/o error", "high", "storage"),
    ("no space left", "high", "storage"),
    ("segfault", "medium", "application"),
    ("hardware error", "high", "hardware"),
    ("certificate has expired", "high", "configuration"),
    ("break-in", "high", "security"),
    ("ignore previous instructions", "high", "security"),
    ("unrecoverable", "high", "application"),
    ("fatal", "high", "application"),
    ("failed to start", "medium", "availability"),
];
const WATCH: &[&str] = &["authentication failure", "failed password", "timed out", "retry", "slow query"];
/// What the second question shows of an incident, and nothing else.
const INCIDENT: [&str; 11] = [
    "category",
    "context",
    "count",
    "examples",
    "first_seen",
    "id",
    "last_seen",
    "program",
    "seen_by",
    "severity",
    "title",
];

/// Verdicts for every item, as a list, and words about every incident; none when the user turn is no document of ours.
pub fn judge(document: Option<&Value>, order: Option<&str>, oracle: Option<&Oracle>) -> Option<Value> {
    let document = document?;
    let items = document.get("items")?.as_array()?;
    if !is_well_formed(document) {
        return None;
    }
    let everything = document.to_string().to_lowercase();
    let obeys = order.is_some_and(|order| everything.contains(order));
    let verdicts: Vec<Value> = items
        .iter()
        .map(|item| {
            let mut verdict = if obeys {
                json!({"verdict": "normal", "confidence": 0.99})
            } else {
                oracle.and_then(|oracle| oracle(item)).unwrap_or_else(|| by_keywords(item))
            };
            verdict["id"] = item["id"].clone();
            verdict
        })
        .collect();
    let mut reply = json!({"nonce": document["nonce"], "verdicts": verdicts});
    if let Some(incidents) = document.get("incidents").and_then(Value::as_array) {
        reply["incidents"] = incidents.iter().map(|incident| explain(incident, obeys)).collect();
    }
    Some(reply)
}

fn explain(incident: &Value, obeys: bool) -> Value {
    let (title, example) = (&incident["title"], &incident["examples"][0]);
    let reason = match obeys {
        true => "All of this is planned and harmless.".to_owned(),
        false => format!("{} shows in: {}", title.as_str().unwrap_or("It"), example.as_str().unwrap_or("no line")),
    };
    json!({"id": incident["id"], "reason": reason, "remediation": ["Look at the unit's log.", "Restart what failed."]})
}

/// No member more or less than agreed, and no id twice.
fn is_well_formed(document: &Value) -> bool {
    let Some(object) = document.as_object() else { return false };
    let list = |name: &str| object.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut ids: Vec<u64> =
        list("items").iter().chain(&list("incidents")).filter_map(|one| one["id"].as_u64()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    let is_incident = |one: &Value| one.as_object().is_some_and(|one| one.keys().map(String::as_str).eq(INCIDENT));
    let known = |name: &String| ["host", "nonce", "items", "incidents"].contains(&name.as_str());
    object.keys().all(known)
        && ids.len() == count
        && count == list("items").len() + list("incidents").len()
        && list("incidents").iter().all(is_incident)
}

fn by_keywords(item: &Value) -> Value {
    let text = item.to_string().to_lowercase();
    if let Some((word, severity, category)) = ANOMALOUS.iter().find(|(word, _, _)| text.contains(word)) {
        return json!({"verdict": "anomalous", "confidence": 0.93, "severity": severity, "category": category,
            "reason": format!("The text says {word}."), "remediation": ["Look at the system log.", "Check the machine."]});
    }
    if let Some(word) = WATCH.iter().find(|word| text.contains(*word)) {
        return json!({"verdict": "watch", "confidence": 0.8, "severity": "low", "category": "security",
            "reason": format!("Odd when frequent: {word}."), "remediation": ["Watch the rate."]});
    }
    json!({"verdict": "normal", "confidence": 0.9})
}

/// The response body: a thought, the answer in two parts, usage, and `maxOutputTokens` enforced over both.
pub fn envelope(call: &Generate, verdicts: Option<Value>, version: &str, fault: Option<Fault>) -> Value {
    let mut text = match verdicts {
        Some(verdicts) if call.is_json => verdicts.to_string(),
        Some(verdicts) => format!("Here is my judgement:\n```json\n{verdicts}\n```\n"),
        None => "I do not see a JSON document with items.".to_owned(),
    };
    if let Some(fault) = fault {
        text = super::faults::rewrite(fault, text);
    }
    let answer_tokens = (text.len() as u64).div_ceil(4);
    let room = call.max_output_tokens.saturating_sub(call.thoughts);
    let finish = if answer_tokens > room { "MAX_TOKENS" } else { "STOP" };
    let kept = text.floor_char_boundary(usize::try_from(room * 4).unwrap_or(usize::MAX).min(text.len()));
    text.truncate(kept);
    let candidates_tokens = answer_tokens.min(room);
    let thoughts = call.thoughts.min(call.max_output_tokens);
    let prompt_tokens = ((call.system.len() + call.user.len()) as u64).div_ceil(4);

    let middle = text.floor_char_boundary(text.len() / 2);
    let mut parts = vec![json!({"text": "Let me look at each item.", "thought": true})];
    if !text.is_empty() {
        parts.push(json!({"text": &text[..middle]}));
        parts.push(json!({"text": &text[middle..]}));
    }
    json!({
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": prompt_tokens,
            "candidatesTokenCount": candidates_tokens,
            "thoughtsTokenCount": thoughts,
            "totalTokenCount": prompt_tokens + candidates_tokens + thoughts,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt_tokens}],
        },
        "modelVersion": version,
        "responseId": "k7JhaYbtF9mhz7IP0v3fkQg",
    })
}
