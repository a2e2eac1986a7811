//! What all backends do with a failure alike: a broken connection, a provider's words as one line, no key in it.

use std::time::Duration;

use serde_json::Value;

use super::http::Broken;
use super::{Again, Failure};
use crate::model::{JudgeFailure, Prompt, Usage, clip};

/// After an outage or a quota without a date.
pub const LATER: Duration = Duration::from_secs(60);
/// After a limit that a person may have to raise, or a model that is not there.
pub const MUCH_LATER: Duration = Duration::from_secs(3600);

/// Longest message passed on.
const MAX_MESSAGE_BYTES: usize = 300;

/// A failure that came as an HTTP status.
pub fn refused(again: Again, elsewhere: Option<Duration>, outcome: JudgeFailure) -> Failure {
    Failure { again, elsewhere, outcome, usage: Usage { requests: 1, ..Usage::default() }, model: None }
}

/// Nothing complete came back. What was sent in full may have been worked on, and billed.
pub fn unanswered(broken: Broken, prompt: &Prompt) -> Failure {
    let reason = broken.to_string();
    let later = |reason| JudgeFailure::Later { reason, after: LATER };
    let (again, outcome, billed) = match broken {
        Broken::Connect(_) => (Again::Backoff, later(reason), false),
        Broken::Cut(_) => (Again::Backoff, later(reason), true),
        // Too much to answer in time, most likely: half of it may fit.
        Broken::Deadline(_) => (Again::Once, JudgeFailure::Split { reason }, true),
        Broken::TooLong => (Again::Once, JudgeFailure::Split { reason }, true),
    };
    let input_tokens = if billed { u64::from(prompt.estimated_input_tokens) } else { 0 };
    Failure { usage: Usage { requests: 1, input_tokens, ..Usage::default() }, ..refused(again, None, outcome) }
}

/// A 200 whose body is no JSON: a proxy's page, or a body cut where HTTP could not tell.
pub fn not_json(body: &str, estimated_input: u32) -> Failure {
    let reason = format!("200 with something that is not JSON: {}", clip(body, 80).escape_debug());
    let usage = Usage { requests: 1, input_tokens: u64::from(estimated_input), ..Usage::default() };
    Failure { usage, ..refused(Again::Once, None, JudgeFailure::Later { reason, after: LATER }) }
}

/// Says who failed. A provider may echo the key in an error; it must not reach a log or an alert.
pub fn blot(mut failure: Failure, backend: &str, key: &str) -> Failure {
    let (JudgeFailure::Stop { reason }
    | JudgeFailure::Later { reason, .. }
    | JudgeFailure::Split { reason }
    | JudgeFailure::Blocked { reason }) = &mut failure.outcome;
    let clean = if key.is_empty() { std::mem::take(reason) } else { reason.replace(key, "[key]") };
    *reason = format!("{backend}: {clean}");
    failure
}

/// `503 UNAVAILABLE: the model is overloaded`.
pub fn reason(status: u16, kind: &str, message: &str) -> String {
    let mut text = status.to_string();
    for part in [kind, message] {
        if !part.is_empty() {
            text.push_str(if text.len() == 3 { " " } else { ": " });
            text.push_str(&first_words(part));
        }
    }
    text
}

/// One printable line of a message or of an HTML page.
pub fn first_words(text: &str) -> String {
    let head = clip(text, MAX_MESSAGE_BYTES * 4);
    let mut words = String::new();
    let mut in_tag = false;
    for c in head.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if in_tag => {}
            _ if c.is_whitespace() || c.is_control() => {
                if !words.ends_with(' ') {
                    words.push(' ');
                }
            }
            _ => words.push(c),
        }
    }
    clip(words.trim(), MAX_MESSAGE_BYTES).to_owned()
}

/// The name of a model as the provider gave it, fit for a log and a report.
pub fn model_name(value: Option<&Value>, asked: &str) -> String {
    let name = value.and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or(asked);
    clip(name, 100).chars().filter(|c| c.is_ascii_graphic()).collect()
}
