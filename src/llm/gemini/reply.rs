//! Is a 200 an answer? Joins the text parts, counts the tokens, and finds the failures that come as a success.

use serde_json::Value;

use super::super::failing::{model_name, not_json};
use super::super::{Again, Failure};
use super::error;
use crate::model::{Completion, JudgeFailure, Usage, clip};

/// Reads a response body. `asked` is the model asked, `estimated_input` stands in when the usage is missing.
pub fn read(body: &str, asked: &str, estimated_input: u32) -> Result<Completion, Failure> {
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        return Err(not_json(body, estimated_input));
    };
    if let Some(failure) = error::inside(&value) {
        return Err(failure);
    }
    let value = value.as_array().and_then(|array| array.first()).unwrap_or(&value);
    let candidate = value.get("candidates").and_then(|candidates| candidates.get(0));
    let text = candidate.map(text_of).unwrap_or_default();
    let usage = usage(value, estimated_input, &text);
    let model = model_name(value.get("modelVersion"), asked);

    let finish = candidate.and_then(|candidate| candidate.get("finishReason")?.as_str()).unwrap_or_default();
    let block = value.pointer("/promptFeedback/blockReason").and_then(Value::as_str);
    match judge_end(finish, block, !text.trim().is_empty()) {
        None => Ok(Completion { text, usage, model }),
        Some((again, outcome)) => Err(Failure { again, elsewhere: None, outcome, usage, model: Some(model.into()) }),
    }
}

/// None for a usable answer. `finish` and `block` are open sets: new words appear without notice.
fn judge_end(finish: &str, block: Option<&str>, has_text: bool) -> Option<(Again, JudgeFailure)> {
    let word = |text: &str| clip(text, 60).escape_debug().to_string();
    if let Some(block) = block {
        return Some((Again::No, JudgeFailure::Blocked { reason: format!("blocked the request: {}", word(block)) }));
    }
    match finish {
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE" | "MODEL_ARMOR"
        | "ESCALATION" => Some((Again::No, JudgeFailure::Blocked { reason: format!("blocked the answer: {finish}") })),
        "MAX_TOKENS" => {
            let reason = "the answer did not fit into max_output_tokens".to_owned();
            Some((Again::No, JudgeFailure::Split { reason }))
        }
        _ if has_text => None,
        _ => {
            let reason = format!("an answer without text (finish reason `{}`)", word(finish));
            Some((Again::Once, JudgeFailure::Split { reason }))
        }
    }
}

/// All text parts that are not thoughts, joined.
fn text_of(candidate: &Value) -> String {
    let parts = candidate.pointer("/content/parts").and_then(Value::as_array);
    parts
        .into_iter()
        .flatten()
        .filter(|part| part.get("thought").and_then(Value::as_bool) != Some(true))
        .filter_map(|part| part.get("text")?.as_str())
        .collect()
}

/// `promptTokenCount` includes cached tokens; thoughts are billed as output.
fn usage(value: &Value, estimated_input: u32, text: &str) -> Usage {
    let metadata = value.get("usageMetadata");
    let count = |name| metadata.and_then(|metadata| metadata.get(name)?.as_u64());
    Usage {
        requests: 1,
        input_tokens: count("promptTokenCount").unwrap_or_else(|| u64::from(estimated_input)),
        cached_tokens: count("cachedContentTokenCount").unwrap_or(0),
        output_tokens: count("candidatesTokenCount")
            .unwrap_or(text.len() as u64 / 4)
            .saturating_add(count("thoughtsTokenCount").unwrap_or(0)),
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
        check(
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"a"},{"text":"b"}]},"finishReason":"STOP"}],"modelVersion":"m-1"}"#,
            "ab by m-1",
        );
        check(r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#, "a by asked");
        check(r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"FUTURE_REASON"}]}"#, "a by asked");
        check(r#"[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}]"#, "a by asked");
    }

    #[test]
    fn failures_that_come_as_a_success() {
        let empty = "Once: an answer without text (finish reason `";
        check("{}", &format!("{empty}`)"));
        check("null", &format!("{empty}`)"));
        check(r#"{"candidates":[]}"#, &format!("{empty}`)"));
        check(r#"{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}]}"#, &format!("{empty}STOP`)"));
        check(
            r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}"#,
            &format!("{empty}STOP`)"),
        );
        check(r#"{"candidates":[{"finishReason":"OTHER"}]}"#, &format!("{empty}OTHER`)"));
        check(
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]},"finishReason":"MAX_TOKENS"}]}"#,
            "No: the answer did not fit into max_output_tokens",
        );
        check(
            r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#,
            "No: blocked the request: PROHIBITED_CONTENT",
        );
        check(r#"{"candidates":[{"finishReason":"SAFETY"}]}"#, "No: blocked the answer: SAFETY");
        check(r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#, "Backoff: 503 UNAVAILABLE: busy");
        check(r#"[{"error":{"code":403,"message":"no"}}]"#, "No: 403 no");
        check("<html>sign in</html>", "Once: 200 with something that is not JSON: <html>sign in</html>");
    }

    #[test]
    fn tokens() {
        let body = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],
            "usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":200,"candidatesTokenCount":50,"thoughtsTokenCount":25}}"#;
        let expected = Usage { requests: 1, input_tokens: 1000, cached_tokens: 200, output_tokens: 75 };
        assert_eq!(read(body, "asked", 100).map(|completion| completion.usage), Ok(expected));
        let estimated = Usage { requests: 1, input_tokens: 100, cached_tokens: 0, output_tokens: 0 };
        assert_eq!(read("nonsense", "asked", 100).map_err(|failure| failure.usage), Err(estimated));
    }
}
