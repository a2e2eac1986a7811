//! Is a 200 an answer? Reads a message of the model, and finds the failures that come as a success.

use serde_json::Value;

use super::super::failing::{model_name, not_json};
use super::super::{Again, Failure};
use crate::model::{Completion, JudgeFailure, Usage, clip};

/// Reads a response body. `asked` is the model asked, `estimated_input` stands in when the usage is missing.
pub fn read(body: &str, asked: &str, estimated_input: u32) -> Result<Completion, Failure> {
    let Ok(value) = serde_json::from_str::<Value>(body) else { return Err(not_json(body, estimated_input)) };
    let blocks = value.get("content").and_then(Value::as_array);
    let text: String = blocks.into_iter().flatten().filter_map(text_of).collect();
    let usage = usage(value.get("usage"), estimated_input, &text);
    let model = model_name(value.get("model"), asked);
    let stop = value.get("stop_reason").and_then(Value::as_str).unwrap_or_default();
    let (again, outcome) = match stop {
        "refusal" => {
            let category = value.pointer("/stop_details/category").and_then(Value::as_str).unwrap_or("no category");
            let reason = format!("the model refused: {}", clip(category, 60).escape_debug());
            (Again::No, JudgeFailure::Blocked { reason })
        }
        "max_tokens" | "model_context_window_exceeded" => {
            let reason = format!("the answer did not fit: {stop}");
            (Again::No, JudgeFailure::Split { reason })
        }
        // An open set: what is new and has text is an answer.
        _ if !text.trim().is_empty() => return Ok(Completion { text, usage, model }),
        other => {
            let reason = format!("an answer without text (stop reason `{}`)", clip(other, 60).escape_debug());
            (Again::Once, JudgeFailure::Split { reason })
        }
    };
    Err(Failure { again, elsewhere: None, outcome, usage, model: Some(model.into()) })
}

/// Text, or the arguments of the tool. Thoughts are neither.
fn text_of(block: &Value) -> Option<String> {
    match block.get("type")?.as_str()? {
        "text" => block.get("text")?.as_str().map(str::to_owned),
        "tool_use" => block.get("input").map(Value::to_string),
        _ => None,
    }
}

/// `input_tokens` leave cached ones out; `output_tokens` include thoughts.
fn usage(value: Option<&Value>, estimated_input: u32, text: &str) -> Usage {
    let count = |name: &str| value.and_then(|value| value.get(name)?.as_u64());
    let cached_tokens = count("cache_read_input_tokens").unwrap_or(0);
    let written = count("cache_creation_input_tokens").unwrap_or(0);
    let fresh = count("input_tokens").unwrap_or_else(|| u64::from(estimated_input));
    Usage {
        requests: 1,
        input_tokens: fresh.saturating_add(written).saturating_add(cached_tokens),
        cached_tokens,
        output_tokens: count("output_tokens").unwrap_or(text.len() as u64 / 4),
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
        let thoughts = r#"{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}],"stop_reason":"end_turn","model":"m-1"}"#;
        check(thoughts, "a by m-1");
        check(
            r#"{"content":[{"type":"tool_use","name":"v","input":{"a":1}}],"stop_reason":"tool_use"}"#,
            "{\"a\":1} by asked",
        );
    }

    #[test]
    fn failures_that_come_as_a_success() {
        check(
            r#"{"content":[],"stop_reason":"refusal","stop_details":{"type":"refusal","category":"cyber"}}"#,
            "No: the model refused: cyber",
        );
        check(
            r#"{"content":[{"type":"text","text":"{"}],"stop_reason":"max_tokens"}"#,
            "No: the answer did not fit: max_tokens",
        );
        check("{}", "Once: an answer without text (stop reason ``)");
        check("<html>", "Once: 200 with something that is not JSON: <html>");
    }

    #[test]
    fn tokens() {
        let body = r#"{"content":[{"type":"text","text":"a"}],
            "usage":{"input_tokens":700,"cache_read_input_tokens":200,"cache_creation_input_tokens":100,"output_tokens":75}}"#;
        let expected = Usage { requests: 1, input_tokens: 1000, cached_tokens: 200, output_tokens: 75 };
        assert_eq!(read(body, "asked", 100).map(|completion| completion.usage), Ok(expected));
    }
}
