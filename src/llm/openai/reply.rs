//! Is a 200 an answer? Reads a chat completion, and finds the failures that come as a success.

use serde_json::Value;

use super::super::failing::{model_name, not_json};
use super::super::{Again, Failure};
use super::error;
use crate::model::{Completion, JudgeFailure, Usage, clip};

/// Reads a response body. `asked` is the model asked, `estimated_input` stands in when the usage is missing.
pub fn read(body: &str, asked: &str, estimated_input: u32) -> Result<Completion, Failure> {
    let Ok(value) = serde_json::from_str::<Value>(body) else { return Err(not_json(body, estimated_input)) };
    if let Some(failure) = error::inside(&value) {
        return Err(failure);
    }
    let choice = value.get("choices").and_then(|choices| choices.get(0));
    let message = choice.and_then(|choice| choice.get("message"));
    let text = message.and_then(|message| message.get("content")).map(text_of).unwrap_or_default();
    let text = without_thoughts(&text).to_owned();
    let usage = usage(value.get("usage"), estimated_input, &text);
    let model = model_name(value.get("model"), asked);

    let finish = choice.and_then(|choice| choice.get("finish_reason")?.as_str()).unwrap_or_default();
    let refusal = message.and_then(|message| message.get("refusal")?.as_str()).filter(|refusal| !refusal.is_empty());
    let word = |text: &str| clip(text, 60).escape_debug().to_string();
    let (again, outcome) = match (finish, refusal) {
        (_, Some(refusal)) => {
            (Again::No, JudgeFailure::Blocked { reason: format!("the model refused: {}", word(refusal)) })
        }
        ("content_filter", None) => {
            (Again::No, JudgeFailure::Blocked { reason: "blocked the answer: content_filter".to_owned() })
        }
        ("length", None) => {
            let reason = "the answer did not fit into max_output_tokens or the model's context".to_owned();
            (Again::No, JudgeFailure::Split { reason })
        }
        (_, None) if !text.trim().is_empty() => return Ok(Completion { text, usage, model }),
        (finish, None) => {
            let reason = format!("an answer without text (finish reason `{}`)", word(finish));
            (Again::Once, JudgeFailure::Split { reason })
        }
    };
    Err(Failure { again, elsewhere: None, outcome, usage, model: Some(model.into()) })
}

/// A string, or a list of parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

/// Models that think aloud do it first, between tags; servers that know them take it out, others do not.
fn without_thoughts(text: &str) -> &str {
    let Some(thoughts) = text.trim_start().strip_prefix("<think>") else { return text };
    thoughts.split_once("</think>").map_or("", |(_, answer)| answer)
}

/// `prompt_tokens` include cached ones, `completion_tokens` include thoughts.
fn usage(value: Option<&Value>, estimated_input: u32, text: &str) -> Usage {
    let count = |path: &str| value.and_then(|value| value.pointer(path)?.as_u64());
    Usage {
        requests: 1,
        input_tokens: count("/prompt_tokens").unwrap_or_else(|| u64::from(estimated_input)),
        cached_tokens: count("/prompt_tokens_details/cached_tokens").unwrap_or(0),
        output_tokens: count("/completion_tokens").unwrap_or(text.len() as u64 / 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let got = match read(body, "asked", 100) {
            Ok(completion) => format!("{} by {}", completion.text, completion.model),
            Err(failure) => format!("{:?}: {}", failure.again, failure.outcome),
        };
        assert_eq!(got, expected, "{body}");
    }

    #[test]
    fn answers() {
        let answer = r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"model":"m-1"}"#;
        check(answer, "a by m-1");
        check(r#"{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"text":"b"}]}}]}"#, "ab by asked");
        check(r#"{"choices":[{"message":{"content":"<think>{1}</think>\n{2}"}}],"error":null}"#, "\n{2} by asked");
    }

    #[test]
    fn failures_that_come_as_a_success() {
        check("{}", "Once: an answer without text (finish reason ``)");
        check(
            r#"{"choices":[{"message":{"content":null},"finish_reason":"stop"}]}"#,
            "Once: an answer without text (finish reason `stop`)",
        );
        check(
            r#"{"choices":[{"message":{"content":"<think>hm"},"finish_reason":"stop"}]}"#,
            "Once: an answer without text (finish reason `stop`)",
        );
        check(
            r#"{"choices":[{"message":{"content":"{"},"finish_reason":"length"}]}"#,
            "No: the answer did not fit into max_output_tokens or the model's context",
        );
        check(
            r#"{"choices":[{"message":{"content":"x"},"finish_reason":"content_filter"}]}"#,
            "No: blocked the answer: content_filter",
        );
        check(r#"{"choices":[{"message":{"refusal":"I cannot"}}]}"#, "No: the model refused: I cannot");
        check(r#"{"error":{"message":"busy","code":503}}"#, "Backoff: 503 busy");
        check("<html>sign in</html>", "Once: 200 with something that is not JSON: <html>sign in</html>");
    }

    #[test]
    fn tokens() {
        let body = r#"{"choices":[{"message":{"content":"a"}}],
            "usage":{"prompt_tokens":1000,"completion_tokens":75,"prompt_tokens_details":{"cached_tokens":200}}}"#;
        let expected = Usage { requests: 1, input_tokens: 1000, cached_tokens: 200, output_tokens: 75 };
        assert_eq!(read(body, "asked", 100).map(|completion| completion.usage), Ok(expected));
    }
}
