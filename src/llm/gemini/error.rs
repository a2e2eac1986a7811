//! What an error status means and what to do about it. Reads Google's error body in every form seen; trusts none.

use std::time::Duration;

use serde_json::Value;

use super::super::failing::{LATER, MUCH_LATER, first_words, reason, refused};
use super::super::{Again, Failure};
use super::quota;
use crate::model::JudgeFailure;

/// Google's `error` object, as far as it was there.
#[derive(Debug, Default)]
struct ApiError {
    status: String,
    message: String,
    details: Vec<Value>,
}

/// What an answer with this status means.
pub fn classify(status: u16, retry_after: Option<Duration>, body: &str) -> Failure {
    let parsed = serde_json::from_str::<Value>(body).ok();
    let error = parsed.as_ref().and_then(read);
    let is_json = error.is_some();
    let error = error.unwrap_or_else(|| ApiError { message: first_words(body), ..ApiError::default() });
    let (again, outcome) = decide(status, retry_after, &error, is_json);
    refused(again, elsewhere(status, is_json, &outcome), outcome)
}

/// An error object inside a 200, with the status it names.
pub fn inside(value: &Value) -> Option<Failure> {
    let code = unwrap_array(value).get("error")?.get("code").and_then(Value::as_u64);
    let status = code.and_then(|code| u16::try_from(code).ok()).filter(|code| *code != 200).unwrap_or(500);
    Some(classify(status, None, &value.to_string()))
}

/// Quotas, overload and deprecation are a model's own: another one may answer.
fn elsewhere(status: u16, is_json: bool, outcome: &JudgeFailure) -> Option<Duration> {
    match (status, outcome) {
        (404, _) if is_json => Some(MUCH_LATER),
        (429 | 503, JudgeFailure::Later { after, .. }) => Some(*after),
        (429, _) => Some(MUCH_LATER),
        _ => None,
    }
}

fn decide(status: u16, retry_after: Option<Duration>, error: &ApiError, is_json: bool) -> (Again, JudgeFailure) {
    let reason = reason(status, &error.status, &error.message);
    let stop = |reason| (Again::No, JudgeFailure::Stop { reason });
    let later = |again, reason, after| (again, JudgeFailure::Later { reason, after });
    match status {
        300..=399 => stop(format!("{reason}: the server redirects, which is not followed; check base_url")),
        400 => bad_request(error, reason),
        401 | 403 => stop(reason),
        404 if is_json => stop(reason),
        404 => stop(format!("{reason}: no such API there; check base_url and api_version")),
        408 | 499 => later(Again::Backoff, reason, LATER),
        413 => (Again::No, JudgeFailure::Split { reason }),
        429 => too_many(retry_after, error, reason),
        500 if error.message.contains("too long") => (Again::No, JudgeFailure::Split { reason }),
        // Too large a request is one of the causes: half of it may pass.
        500 => (Again::Backoff, JudgeFailure::Split { reason }),
        504 => (Again::Once, JudgeFailure::Split { reason }),
        _ if status >= 500 => match retry_after {
            Some(wait) => later(Again::After(wait), reason, wait.max(LATER)),
            None => later(Again::Backoff, reason, LATER),
        },
        _ => stop(reason),
    }
}

/// A bad key is a 400 too. The same body is never sent again.
fn bad_request(error: &ApiError, reason: String) -> (Again, JudgeFailure) {
    const KEY: &[&str] = &["API key not valid", "API key expired", "API_KEY_INVALID", "Multiple authentication"];
    const SIZE: &[&str] = &["token count", "number of tokens", "too long", "too large", "payload size"];
    const FIELD: &[&str] = &["Invalid JSON payload", "Unknown name", "Invalid value at", "not supported", "eadline"];
    let says = |words: &[&str]| words.iter().any(|word| error.message.contains(word));
    let key_invalid = error
        .details
        .iter()
        .any(|detail| detail.get("reason").and_then(Value::as_str).is_some_and(|reason| reason.starts_with("API_KEY")));
    if key_invalid || says(KEY) || error.status == "FAILED_PRECONDITION" {
        (Again::No, JudgeFailure::Stop { reason })
    } else if says(SIZE) {
        (Again::No, JudgeFailure::Split { reason })
    } else if says(FIELD) {
        (Again::Adapted, JudgeFailure::Stop { reason })
    } else {
        (Again::Adapted, JudgeFailure::Split { reason })
    }
}

fn too_many(retry_after: Option<Duration>, error: &ApiError, reason: String) -> (Again, JudgeFailure) {
    let later = |again, after| (again, JudgeFailure::Later { reason: reason.clone(), after });
    if quota::is_zero(&error.details, &error.message) {
        return (Again::No, JudgeFailure::Stop { reason });
    }
    if quota::violates(&error.details, "PerDay") {
        return later(Again::No, quota::until_pacific_midnight(jiff::Timestamp::now()));
    }
    if let Some(wait) = quota::delay(&error.details, &error.message).or(retry_after) {
        return later(Again::After(wait), wait);
    }
    if quota::violates(&error.details, "PerMinute") {
        return later(Again::After(LATER), LATER);
    }
    if ["spend", "billing", "credit", "budget"].iter().any(|word| error.message.to_lowercase().contains(word)) {
        return later(Again::No, MUCH_LATER);
    }
    later(Again::Backoff, LATER)
}

/// Reads `{"error":{…}}`, the same inside a one-element array, and a message that is itself such a body.
fn read(value: &Value) -> Option<ApiError> {
    let error = unwrap_array(value).get("error")?;
    let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let message = if error.is_string() { error.as_str().unwrap_or_default().to_owned() } else { text("message") };
    let details = error.get("details").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut outer = ApiError { status: text("status"), message, details };
    // Proxies wrap the real body into their message. Once is enough: a deeper one stays text.
    if outer.message.trim_start().starts_with(['{', '['])
        && let Ok(nested) = serde_json::from_str::<Value>(&outer.message)
        && let Some(inner) = unwrap_array(&nested).get("error")
        && let Some(message) = inner.get("message").and_then(Value::as_str)
    {
        outer.details.extend(inner.get("details").and_then(Value::as_array).cloned().unwrap_or_default());
        if let Some(status) = inner.get("status").and_then(Value::as_str) {
            outer.status = status.to_owned();
        }
        outer.message = message.to_owned();
    }
    Some(outer)
}

fn unwrap_array(value: &Value) -> &Value {
    value.as_array().and_then(|array| array.first()).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `stop`, `split`, `later 60`; then how it may be sent again.
    fn verdict(status: u16, body: &str) -> String {
        let failure = classify(status, None, body);
        let outcome = match failure.outcome {
            JudgeFailure::Stop { .. } => "stop".to_owned(),
            JudgeFailure::Split { .. } => "split".to_owned(),
            JudgeFailure::Blocked { .. } => "blocked".to_owned(),
            JudgeFailure::Later { after, .. } => format!("later {}", after.as_secs()),
        };
        format!("{outcome}, {:?}", failure.again)
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str) {
        assert_eq!(verdict(status, body), expected, "{status} {body}");
    }

    fn body(status: &str, message: &str, details: &str) -> String {
        format!(r#"{{"error":{{"code":1,"message":"{message}","status":"{status}","details":[{details}]}}}}"#)
    }

    #[test]
    fn bad_requests() {
        let key = r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}"#;
        check(400, &body("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", key), "stop, No");
        check(400, &body("INVALID_ARGUMENT", "", key), "stop, No");
        check(400, &body("INVALID_ARGUMENT", "Multiple authentication credentials received.", ""), "stop, No");
        check(400, &body("FAILED_PRECONDITION", "User location is not supported.", ""), "stop, No");
        check(400, &body("INVALID_ARGUMENT", "Request contains an invalid argument.", ""), "split, Adapted");
        check(400, &body("INVALID_ARGUMENT", "Thinking level is not supported for this model", ""), "stop, Adapted");
        check(400, &body("INVALID_ARGUMENT", "The input token count (9) exceeds the maximum", ""), "split, No");
        check(400, "Bad Request", "split, Adapted");
    }

    #[test]
    fn quotas() {
        let day =
            r#"{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"20"}]}"#;
        let minute = r#"{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProject"}]}"#;
        let info = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"}"#;
        assert!(verdict(429, &body("RESOURCE_EXHAUSTED", "x", day)).ends_with(", No"));
        check(429, &body("RESOURCE_EXHAUSTED", "x", &format!("{minute},{info}")), "later 2, After(2s)");
        check(429, &body("RESOURCE_EXHAUSTED", "x", minute), "later 60, After(60s)");
        check(429, &body("RESOURCE_EXHAUSTED", "Please retry in 1.5s", ""), "later 1, After(1.5s)");
        check(429, &body("RESOURCE_EXHAUSTED", "limit: 0, model: x", ""), "stop, No");
        check(429, &body("RESOURCE_EXHAUSTED", "Your project spend cap is reached", ""), "later 3600, No");
        check(429, &body("RESOURCE_EXHAUSTED", "Resource has been exhausted", ""), "later 60, Backoff");
        check(429, "", "later 60, Backoff");
    }

    #[test]
    fn the_rest() {
        check(401, "", "stop, No");
        check(403, &body("PERMISSION_DENIED", "reported as leaked", ""), "stop, No");
        check(404, &body("NOT_FOUND", "models/x is not found", ""), "stop, No");
        check(404, "<html>nothing</html>", "stop, No");
        check(302, "", "stop, No");
        check(408, "", "later 60, Backoff");
        check(413, "", "split, No");
        check(499, "", "later 60, Backoff");
        check(500, "", "split, Backoff");
        check(500, &body("INTERNAL", "input context is too long", ""), "split, No");
        check(502, "<html><title>502 Bad Gateway</title></html>", "later 60, Backoff");
        check(503, &body("UNAVAILABLE", "The model is overloaded.", ""), "later 60, Backoff");
        check(504, "", "split, Once");
        check(418, "", "stop, No");
    }

    #[track_caller]
    fn check_reason(status: u16, body: &str, expected: &str) {
        assert_eq!(classify(status, None, body).outcome.to_string(), expected);
    }

    #[test]
    fn reasons_are_one_printable_line() {
        check_reason(503, r#"[{"error":{"message":"busy","status":"UNAVAILABLE"}}]"#, "503 UNAVAILABLE: busy");
        check_reason(
            503,
            r#"{"error":{"message":"{\"error\":{\"message\":\"inner\",\"status\":\"UNAVAILABLE\"}}","status":"X"}}"#,
            "503 UNAVAILABLE: inner",
        );
        check_reason(502, "<html>\n<title>502 Bad\u{1b}[31m Gateway</title>", "502 502 Bad [31m Gateway");
        check_reason(503, r#"{"error":"overloaded"}"#, "503 overloaded");
        check_reason(503, "", "503");
    }
}
