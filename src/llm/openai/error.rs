//! What an error status means, in the words of OpenAI, vLLM, llama.cpp, llama-cpp-python, Ollama and LM Studio.

use std::time::Duration;

use serde_json::Value;

use super::super::Again;
use super::super::Failure;
use super::super::failing::{LATER, MUCH_LATER, first_words, reason, refused};
use super::super::gemini::parse_delay;
use crate::model::JudgeFailure;

/// What was refused, when it can be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// `response_format`, or nobody knows what.
    Form,
    /// `max_tokens`: it is called `max_completion_tokens` here.
    LimitName,
    /// `temperature` or `reasoning_effort`.
    Extras,
}

/// An error body, as far as it was there.
#[derive(Debug, Default)]
struct ApiError {
    /// `code`, else `type`.
    kind: String,
    message: String,
}

/// What an answer with this status means, and what could be left out next time. `Again` is never `Adapted`: whether there
/// is anything left to leave out is the caller's to know.
pub fn classify(status: u16, retry_after: Option<Duration>, body: &str) -> (Failure, Option<Refusal>) {
    let parsed = serde_json::from_str::<Value>(body).ok();
    let error = parsed.as_ref().map(read).filter(|error| !error.message.is_empty() || !error.kind.is_empty());
    let is_json = error.is_some();
    let error = error.unwrap_or_else(|| ApiError { message: first_words(body), ..ApiError::default() });
    let reason = reason(status, &error.kind, &error.message);
    let (again, outcome, refusal) = decide(status, retry_after, &error, is_json, reason);
    let elsewhere = match (status, &outcome) {
        (404, _) if is_json => Some(MUCH_LATER),
        (429, JudgeFailure::Later { .. }) if error.kind == "insufficient_quota" => None,
        (429 | 503 | 529, JudgeFailure::Later { after, .. }) => Some(*after),
        _ => None,
    };
    (refused(again, elsewhere, outcome), refusal)
}

/// An error object inside a 200, as routers send it, with the status it names.
pub fn inside(value: &Value) -> Option<Failure> {
    let error = value.get("error").filter(|error| !error.is_null())?;
    let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    Some(classify(code.filter(|code| *code >= 300).unwrap_or(500), None, &value.to_string()).0)
}

fn decide(
    status: u16,
    retry_after: Option<Duration>,
    error: &ApiError,
    is_json: bool,
    reason: String,
) -> (Again, JudgeFailure, Option<Refusal>) {
    let stop = |reason| (Again::No, JudgeFailure::Stop { reason }, None);
    let later = |again, reason, after| (again, JudgeFailure::Later { reason, after }, None);
    match status {
        300..=399 => stop(format!("{reason}: the server redirects, which is not followed; check base_url")),
        401..=403 => stop(reason),
        404 if is_json => stop(reason),
        404 | 405 => stop(format!("{reason}: no such API there; check base_url, which mostly ends in /v1")),
        408 | 409 | 499 => later(Again::Backoff, reason, LATER),
        413 => (Again::No, JudgeFailure::Split { reason }, None),
        429 => too_many(retry_after, error, reason),
        400 | 422 | 500 | 501 => bad_request(status, error, reason),
        504 => (Again::Once, JudgeFailure::Split { reason }, None),
        _ if status >= 500 => match retry_after {
            Some(wait) => later(Again::After(wait), reason, wait.max(LATER)),
            None => later(Again::Backoff, reason, LATER),
        },
        _ => stop(reason),
    }
}

/// A refused parameter is a 400, a 422 or, from llama-cpp-python, a 500.
fn bad_request(status: u16, error: &ApiError, reason: String) -> (Again, JudgeFailure, Option<Refusal>) {
    let text = format!("{} {}", error.kind, error.message).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["content_filter", "content_policy", "content management policy"]) {
        return (Again::No, JudgeFailure::Blocked { reason }, None);
    }
    if says(&[
        "context length",
        "context_length",
        "context size",
        "context_size",
        "context window",
        "too long",
        "too large",
    ]) || (says(&["context"]) && says(&["exceed", "overflow"]))
    {
        return (Again::No, JudgeFailure::Split { reason }, None);
    }
    if says(&["invalid api key", "incorrect api key", "invalid_api_key", "billing"]) {
        return (Again::No, JudgeFailure::Stop { reason }, None);
    }
    let refusal = if says(&["max_completion_tokens"]) {
        Some(Refusal::LimitName)
    } else if says(&["temperature", "reasoning_effort", "reasoning effort"]) {
        Some(Refusal::Extras)
    } else if says(&["response_format", "json_schema", "json_object", "structured output", "schema", "grammar"]) {
        Some(Refusal::Form)
    } else {
        None
    };
    match (status, refusal) {
        (500 | 501, None) => (Again::Backoff, JudgeFailure::Split { reason }, None),
        // A model that is not there, in the words of some servers.
        (_, None) if says(&["model"]) && says(&["not found", "does not exist", "not exist", "no such"]) => {
            (Again::No, JudgeFailure::Stop { reason }, None)
        }
        (_, None) => (Again::No, JudgeFailure::Split { reason }, Some(Refusal::Form)),
        (_, Some(_)) => (Again::No, JudgeFailure::Stop { reason }, refusal),
    }
}

fn too_many(retry_after: Option<Duration>, error: &ApiError, reason: String) -> (Again, JudgeFailure, Option<Refusal>) {
    let message = error.message.to_lowercase();
    let later = |again, after| (again, JudgeFailure::Later { reason: reason.clone(), after }, None);
    if error.kind == "insufficient_quota" || ["billing", "credit"].iter().any(|word| message.contains(word)) {
        return later(Again::No, MUCH_LATER);
    }
    let said = message.split_once("try again in ").and_then(|(_, delay)| parse_delay(delay));
    match said.into_iter().chain(retry_after).max() {
        Some(wait) => later(Again::After(wait), wait),
        None => later(Again::Backoff, LATER),
    }
}

/// `{"error":{"message","type","code"}}`, `{"error":"text"}`, `{"message","type"}`, `{"detail":…}`.
fn read(value: &Value) -> ApiError {
    let error = value.get("error").unwrap_or(value);
    if let Some(message) = error.as_str() {
        return ApiError { message: message.to_owned(), ..ApiError::default() };
    }
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let detail = || error.get("detail").map(|detail| detail.as_str().map_or_else(|| detail.to_string(), str::to_owned));
    ApiError {
        kind: text("code").or_else(|| text("type")).unwrap_or_default(),
        message: text("message").or_else(detail).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str) {
        let (failure, refusal) = classify(status, None, body);
        let outcome = match failure.outcome {
            JudgeFailure::Stop { .. } => "stop".to_owned(),
            JudgeFailure::Split { .. } => "split".to_owned(),
            JudgeFailure::Blocked { .. } => "blocked".to_owned(),
            JudgeFailure::Later { after, .. } => format!("later {}", after.as_secs()),
        };
        let refusal = refusal.map(|refusal| format!(", {refusal:?}")).unwrap_or_default();
        let elsewhere = failure.elsewhere.map(|time| format!(", elsewhere {}", time.as_secs())).unwrap_or_default();
        assert_eq!(format!("{outcome}, {:?}{refusal}{elsewhere}", failure.again), expected, "{status} {body}");
    }

    fn body(code: &str, message: &str) -> String {
        serde_json::json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}})
            .to_string()
    }

    #[test]
    fn refused_parameters() {
        let limit = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        check(400, &body("unsupported_parameter", limit), "stop, No, LimitName");
        let temperature = "Unsupported value: 'temperature' does not support 0 with this model.";
        check(400, &body("unsupported_value", temperature), "stop, No, Extras");
        let form = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.";
        check(400, &body("", form), "stop, No, Form");
        // llama-cpp-python.
        let python = r#"{"error":{"message":"[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text' or 'json_object'\"}]","type":"internal_server_error","param":null,"code":null}}"#;
        check(500, python, "stop, No, Form");
        check(
            422,
            r#"{"detail":[{"loc":["body","response_format"],"msg":"extra fields not permitted"}]}"#,
            "stop, No, Form",
        );
        check(400, r#"{"error":"invalid request"}"#, "split, No, Form");
        check(400, "", "split, No, Form");
    }

    #[test]
    fn too_large_or_blocked() {
        check(
            400,
            &body("context_length_exceeded", "This model's maximum context length is 4096 tokens."),
            "split, No",
        );
        let llama = r#"{"error":{"code":400,"message":"the request exceeds the available context size. try increasing it","type":"exceed_context_size_error"}}"#;
        check(400, llama, "split, No");
        check(400, &body("content_filter", "The response was filtered"), "blocked, No");
        check(413, "", "split, No");
    }

    #[test]
    fn quotas_and_outages() {
        check(429, &body("insufficient_quota", "You exceeded your current quota"), "later 3600, No");
        check(429, &body("rate_limit_exceeded", "Please try again in 6m12s."), "later 372, After(372s), elsewhere 372");
        check(429, &body("rate_limit_exceeded", "Please try again in 120ms."), "later 0, After(120ms), elsewhere 0");
        check(429, "", "later 60, Backoff, elsewhere 60");
        check(
            503,
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            "later 60, Backoff, elsewhere 60",
        );
        check(500, "oops", "split, Backoff");
        check(502, "<html>Bad Gateway</html>", "later 60, Backoff");
        check(504, "", "split, Once");
    }

    #[test]
    fn what_a_person_must_mend() {
        check(401, &body("invalid_api_key", "Incorrect API key provided: sk-x."), "stop, No");
        check(404, &body("model_not_found", "The model `x` does not exist"), "stop, No, elsewhere 3600");
        check(
            404,
            r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}"#,
            "stop, No, elsewhere 3600",
        );
        check(404, "404 page not found", "stop, No");
        check(302, "", "stop, No");
        check(418, "", "stop, No");
    }
}
