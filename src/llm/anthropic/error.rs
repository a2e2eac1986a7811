//! What an error status means, in Anthropic's words.
//!
//! Contract: <https://platform.claude.com/docs/en/api/errors>.

use std::time::Duration;

use serde_json::Value;

use super::super::failing::{LATER, MUCH_LATER, first_words, reason, refused};
use super::super::{Again, Failure};
use crate::model::JudgeFailure;

/// What an answer with this status means. `Adapted` when the form of the answer may be at fault.
pub fn classify(status: u16, retry_after: Option<Duration>, body: &str) -> Failure {
    let parsed = serde_json::from_str::<Value>(body).ok();
    let error = parsed.as_ref().and_then(|value| value.get("error"));
    let text = |name: &str| error.and_then(|error| error.get(name)?.as_str()).unwrap_or_default();
    let (kind, message) = (text("type"), text("message"));
    let said = if error.is_some() { reason(status, kind, message) } else { reason(status, "", &first_words(body)) };
    let (again, outcome) = decide(status, retry_after, kind, message, said);
    let elsewhere = match (status, &outcome) {
        (404, _) if error.is_some() => Some(MUCH_LATER),
        (429 | 503 | 529, JudgeFailure::Later { after, .. }) => Some(*after),
        _ => None,
    };
    refused(again, elsewhere, outcome)
}

fn decide(
    status: u16,
    retry_after: Option<Duration>,
    kind: &str,
    message: &str,
    reason: String,
) -> (Again, JudgeFailure) {
    let stop = |reason| (Again::No, JudgeFailure::Stop { reason });
    let later = |again, reason, after| (again, JudgeFailure::Later { reason, after });
    match status {
        300..=399 => stop(format!("{reason}: the server redirects, which is not followed; check base_url")),
        400 | 422 => bad_request(message, reason),
        401..=403 => stop(reason),
        404 if kind.is_empty() => stop(format!("{reason}: no such API there; check base_url")),
        404 => stop(reason),
        408 | 409 | 499 => later(Again::Backoff, reason, LATER),
        413 => (Again::No, JudgeFailure::Split { reason }),
        429 => match retry_after {
            Some(wait) => later(Again::After(wait), reason, wait),
            None => later(Again::Backoff, reason, LATER),
        },
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

fn bad_request(message: &str, reason: String) -> (Again, JudgeFailure) {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["credit balance", "billing", "usage limits"]) {
        (Again::No, JudgeFailure::Stop { reason })
    } else if says(&["too long", "too large", "context limit", "context window"]) {
        (Again::No, JudgeFailure::Split { reason })
    } else if says(&["content filtering", "usage policy"]) {
        (Again::No, JudgeFailure::Blocked { reason })
    } else if says(&["output_config", "output_format", "tool", "schema", "extra inputs", "max_tokens"]) {
        (Again::Adapted, JudgeFailure::Stop { reason })
    } else {
        (Again::Adapted, JudgeFailure::Split { reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, kind: &str, message: &str, expected: &str) {
        let body = serde_json::json!({"type": "error", "error": {"type": kind, "message": message}}).to_string();
        let failure = classify(status, None, if kind.is_empty() { message } else { &body });
        let outcome = match failure.outcome {
            JudgeFailure::Stop { .. } => "stop".to_owned(),
            JudgeFailure::Split { .. } => "split".to_owned(),
            JudgeFailure::Blocked { .. } => "blocked".to_owned(),
            JudgeFailure::Later { after, .. } => format!("later {}", after.as_secs()),
        };
        let elsewhere = failure.elsewhere.map(|time| format!(", elsewhere {}", time.as_secs())).unwrap_or_default();
        assert_eq!(format!("{outcome}, {:?}{elsewhere}", failure.again), expected, "{status} {kind} {message}");
    }

    #[test]
    fn statuses() {
        let wrong = "invalid_request_error";
        check(400, wrong, "prompt is too long: 210000 tokens > 200000 maximum", "split, No");
        check(400, wrong, "Your credit balance is too low to access the Anthropic API.", "stop, No");
        check(400, wrong, "output_config: Extra inputs are not permitted", "stop, Adapted");
        check(400, wrong, "Output blocked by content filtering policy", "blocked, No");
        check(400, wrong, "messages: something", "split, Adapted");
        check(401, "authentication_error", "invalid x-api-key", "stop, No");
        check(403, "permission_error", "no", "stop, No");
        check(404, "not_found_error", "model: claude-1", "stop, No, elsewhere 3600");
        check(404, "", "<html>nothing</html>", "stop, No");
        check(413, "request_too_large", "Request exceeds the maximum size", "split, No");
        check(429, "rate_limit_error", "This request would exceed your rate limit", "later 60, Backoff, elsewhere 60");
        check(500, "api_error", "Internal server error", "split, Backoff");
        check(504, "timeout_error", "", "split, Once");
        check(529, "overloaded_error", "Overloaded", "later 60, Backoff, elsewhere 60");
        check(302, "", "", "stop, No");
    }
}
