//! The webhook's body and its signature: DESIGN section 5.6, version 1. Data, not markup: texts are redacted but
//! otherwise as logged, and JSON keeps them apart. Sends nothing, reads no clock.

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::Message;
use crate::model::{Category, Fingerprint, Level, Severity, Timestamp};

#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    alert_id: &'a str,
    state: &'a str,
    incident: Incident<'a>,
    /// Only in what `test-alert` sends.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
}

#[derive(Serialize)]
struct Incident<'a> {
    id: Fingerprint,
    severity: Severity,
    category: Category,
    host: &'a str,
    program: &'a str,
    title: &'a str,
    count: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    reason: &'a str,
    remediation: Vec<&'a str>,
    judged_by: String,
    evidence: Vec<Evidence<'a>>,
    // Beyond the minimum: keys may be added, none is removed or changes its meaning within a version.
    confidence: f32,
    not_judged: &'a str,
    template: &'a str,
    about_self: bool,
}

#[derive(Serialize)]
struct Evidence<'a> {
    time: Timestamp,
    host: &'a str,
    program: &'a str,
    level: Level,
    origin: &'a str,
    offset: u64,
    line: &'a str,
}

/// The JSON document.
pub(super) fn body(message: &Message) -> Vec<u8> {
    let body = Body {
        version: 1,
        alert_id: &message.alert_id,
        state: message.state.as_str(),
        incident: Incident {
            id: message.incident,
            severity: message.severity,
            category: message.category,
            host: message.host.as_str(),
            program: message.program.as_str(),
            title: message.title.as_str(),
            count: message.count,
            first_seen: message.first_seen,
            last_seen: message.last_seen,
            reason: message.reason.as_str(),
            remediation: message.remediation.iter().map(|step| step.as_str()).collect(),
            judged_by: message.judged_by(),
            evidence: message
                .evidence
                .iter()
                .map(|sample| Evidence {
                    time: sample.time,
                    host: sample.host.as_str(),
                    program: sample.program.as_str(),
                    level: sample.level,
                    origin: sample.origin.as_str(),
                    offset: sample.offset,
                    line: sample.line.as_str(),
                })
                .collect(),
            confidence: message.confidence,
            not_judged: message.not_judged.as_str(),
            template: message.template.as_str(),
            about_self: message.about_self,
        },
        test: message.test,
    };
    serde_json::to_vec(&body).expect("strings, numbers and lists always serialize")
}

/// `v1=` and the hex HMAC-SHA256 of `timestamp "." body`: the value of `X-Logwren-Signature`. `timestamp` is the text
/// of `X-Logwren-Timestamp`; a receiver refuses old ones, so that a recorded request cannot be played again.
pub fn signature(secret: &[u8], timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    digest.iter().fold("v1=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::message;
    use super::*;

    #[test]
    fn body_is_the_published_one() {
        let text = String::from_utf8(body(&message(None))).unwrap();
        assert!(
            text.starts_with(
                r#"{"version":1,"alert_id":"00000000000000aa:ops:1","state":"new","incident":{"id":"00000000000000aa","severity":"high","category":"availability","host":"web-03","program":"nginx","title":"upstream timed out","count":214,"first_seen":"2025-11-22T10:20:00Z","last_seen":"2025-11-22T10:25:00Z","reason":"#
            ),
            "{text}"
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["incident"]["judged_by"], "rule:web-upstream");
        assert_eq!(value["incident"]["remediation"][1], "restart php-fpm");
        assert_eq!(value["incident"]["evidence"][0]["program"], "nginx");
        assert!(value.get("test").is_none());
    }

    #[test]
    fn signature_is_plain_hmac() {
        // From: printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        let expected = "v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
        assert_eq!(signature(b"key", "1700000000", b"{}"), expected);
    }
}
