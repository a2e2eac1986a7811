//! The report as SARIF 2.1.0 (OASIS), for code hosts and CI that show findings beside files: one result an incident, with
//! the lines it was seen on.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use super::analysis::{Incident, Report};
use crate::model::Severity;

/// Writes the incidents of medium severity and above.
///
/// # Errors
/// When `out` cannot be written.
pub fn sarif(report: &Report, mut out: impl Write) -> std::io::Result<()> {
    let shown: Vec<&Incident> =
        report.incidents.iter().filter(|incident| incident.severity >= Severity::Medium).collect();
    let mut rules: BTreeMap<&str, &Incident> = BTreeMap::new();
    for incident in &shown {
        rules.entry(&incident.judged_by).or_insert(incident);
    }
    let rules: Vec<Value> = rules
        .iter()
        .map(|(name, incident)| {
            json!({
                "id": name,
                "shortDescription": { "text": incident.title },
                "help": { "text": incident.remediation.join(" ") },
                "properties": { "tags": [incident.category] },
            })
        })
        .collect();
    let results: Vec<Value> = shown.into_iter().map(result).collect();
    let (name, version) = report.generated_by.split_once(' ').unwrap_or((&report.generated_by, ""));
    let whole = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": name, "version": version, "rules": rules } },
            "invocations": [{ "executionSuccessful": report.complete, "endTimeUtc": report.generated_at }],
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut out, &whole)?;
    writeln!(out)
}

fn result(incident: &Incident) -> Value {
    let locations: Vec<Value> = incident
        .evidence
        .iter()
        .map(|line| {
            let mut physical = json!({ "artifactLocation": { "uri": uri(&line.input) } });
            if line.line_number > 0 {
                physical["region"] = json!({ "startLine": line.line_number, "snippet": { "text": line.line } });
            }
            json!({ "physicalLocation": physical })
        })
        .collect();
    json!({
        "ruleId": incident.judged_by,
        "level": match incident.severity {
            Severity::Low => "note",
            Severity::Medium => "warning",
            Severity::High | Severity::Critical => "error",
        },
        "message": { "text": format!("{}: {}", incident.title, incident.reason) },
        "locations": locations,
        "occurrenceCount": incident.count.max(1),
        "partialFingerprints": { "incident/v1": incident.id },
        "properties": {
            "severity": incident.severity,
            "category": incident.category,
            "confidence": incident.confidence,
            "program": incident.program,
        },
    })
}

/// A path as a relative or file URI (RFC 3986): what has a meaning in one is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris() {
        assert_eq!(uri("/var/log/a b.log"), "file:///var/log/a%20b.log");
        assert_eq!(uri("sos.tar:x?#é"), "sos.tar%3Ax%3F%23%C3%A9");
    }
}
