//! The text of a mail: subject, headers of its thread, a plain part and an HTML part. Pure: talks to no server. Log text
//! can neither add a header nor markup.

use std::sync::LazyLock;

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use minijinja::Environment;
use serde::Serialize;

use super::Message;
use crate::model::inert::{clip, lines, one_line};

/// Longest subject, in UTF-16 units: what list views still show, and far below any limit.
const MAX_SUBJECT: usize = 200;
/// Longest line of evidence shown.
const MAX_LINE: usize = 1_000;
/// Longest reason or step shown.
const MAX_PROSE: usize = 4_000;

/// The HTML part's template: escaped, styles inline, nothing loaded from anywhere.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.add_template("mail.html", include_str!("mail.html")).expect("our own template, rendered in a test");
    environment
});

/// What both parts show, inert but not escaped.
#[derive(Serialize)]
struct Content {
    headline: String,
    accent: &'static str,
    test: bool,
    lines: Vec<String>,
    reason: String,
    remediation: Vec<String>,
    /// Label and value.
    facts: Vec<(&'static str, String)>,
}

impl Content {
    fn new(message: &Message) -> Content {
        let prose = |text: &str| clip(lines(text).trim(), MAX_PROSE);
        let mut facts = vec![
            ("Host", one_line(message.host.as_str())),
            ("Program", one_line(message.program.as_str())),
            ("Category", message.category.to_string()),
            ("Lines", message.count.to_string()),
            ("First seen", message.local(message.first_seen)),
            ("Last seen", message.local(message.last_seen)),
            ("Judged", message.judged()),
            ("Kind", clip(&one_line(message.template.as_str()), MAX_LINE)),
            ("Incident", format!("{} (logwren incidents show {})", message.incident, message.incident)),
        ];
        facts.retain(|(_, value)| !value.is_empty());
        Content {
            headline: message.headline(),
            accent: match message.severity {
                crate::model::Severity::Low => "#57606a",
                crate::model::Severity::Medium => "#9a6700",
                crate::model::Severity::High => "#bc4c00",
                crate::model::Severity::Critical => "#cf222e",
            },
            test: message.test,
            lines: message.evidence.iter().map(|sample| clip(&one_line(sample.line.as_str()), MAX_LINE)).collect(),
            reason: prose(message.reason.as_str()),
            remediation: message.remediation.iter().map(|step| prose(step.as_str())).collect(),
            facts,
        }
    }

    fn plain(&self) -> String {
        let indent = |text: &str| text.replace('\n', "\n    ");
        let mut text = format!("{}\n", self.headline);
        if self.test {
            text.push_str("\nThis is a test.\n");
        }
        if !self.lines.is_empty() {
            text.push('\n');
            self.lines.iter().for_each(|line| text.push_str(&format!("    {line}\n")));
        }
        if !self.reason.is_empty() {
            text.push_str(&format!("\nWhy\n    {}\n", indent(&self.reason)));
        }
        if !self.remediation.is_empty() {
            text.push_str("\nWhat to do\n");
            self.remediation.iter().for_each(|step| text.push_str(&format!("  - {}\n", indent(step))));
        }
        text.push('\n');
        self.facts.iter().for_each(|(label, value)| text.push_str(&format!("{:<12}{value}\n", format!("{label}:"))));
        text
    }
}

/// The whole mail in wire format (CRLF, dots not stuffed). ASCII throughout unless an address is not.
///
/// # Errors
/// The addresses do not make a mail; checked when the config was read, so not expected.
pub(super) fn compose(message: &Message, from: &Mailbox, to: &[Mailbox]) -> Result<Vec<u8>, String> {
    let content = Content::new(message);
    // An odd template must not cost the alert: the plain part says everything.
    let html =
        TEMPLATES.get_template("mail.html").and_then(|template| template.render(minijinja::value::Serde(&content)));
    let plain = part(ContentType::TEXT_PLAIN, content.plain());
    let body = match html {
        Ok(html) => MultiPart::alternative().singlepart(plain).singlepart(part(ContentType::TEXT_HTML, html)),
        Err(error) => {
            tracing::error!(%error, "the HTML part of a mail could not be made; sent as plain text only");
            MultiPart::alternative().singlepart(plain)
        }
    };
    // A thread begins with a mail nobody has: every alert of the incident answers it, whichever came first.
    let domain = Some(from.email.domain()).filter(|domain| domain.is_ascii()).unwrap_or("logwren.invalid");
    let thread = format!("<incident-{}@{domain}>", message.incident);
    let mut builder = lettre::Message::builder()
        .from(from.clone())
        .subject(clip(&message.subject(), MAX_SUBJECT))
        .message_id(Some(format!("<alert-{}@{domain}>", message.alert_id.replace(':', "-"))))
        .in_reply_to(thread.clone())
        .references(thread)
        // No vacation replies, no bounces of bounces (RFC 3834 section 5; the second is Exchange's).
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        .raw_header(raw("X-Auto-Response-Suppress", "All"))
        .raw_header(raw("X-Logwren-Severity", message.severity.as_str()))
        .raw_header(raw("X-Logwren-Incident", &message.incident.to_string()));
    for mailbox in to {
        builder = builder.to(mailbox.clone());
    }
    let mail = builder.multipart(body).map_err(|error| format!("the mail could not be made: {error}"))?;
    Ok(mail.formatted())
}

/// Quoted-printable: readable on the wire, lines of 76 characters whatever the log holds.
fn part(kind: ContentType, text: String) -> SinglePart {
    let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable);
    // Quoted-printable takes any text; the other arm only satisfies the signature.
    let body = body.unwrap_or_else(Body::new);
    SinglePart::builder().header(kind).body(body)
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::message;
    use super::*;

    fn mail(text: Option<&str>) -> String {
        let to = ["ops@example.com", "Ops Team <b@example.com>"].map(|text| text.parse().unwrap());
        let bytes = compose(&message(text), &"logwren <logwren@example.com>".parse().unwrap(), &to).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_part_says_everything() {
        insta::assert_snapshot!(Content::new(&message(None)).plain(), @r"
        [HIGH] web-03 nginx: upstream timed out (new, 214 in 5 m)

            upstream timed out (110: Connection timed out) while reading
            upstream timed out (110: Connection timed out) while reading

        Why
            214 lines in 5 minutes where 3 a day are usual

        What to do
          - check the upstream
          - restart php-fpm

        Host:       web-03
        Program:    nginx
        Category:   availability
        Lines:      214
        First seen: 2025-11-22 10:20:00 UTC
        Last seen:  2025-11-22 10:25:00 UTC
        Judged:     seen by rule web-upstream; not judged by a model: no key
        Kind:       upstream timed out (<NUM>: Connection timed out) while reading
        Incident:   00000000000000aa (logwren incidents show 00000000000000aa)
        ");
    }

    #[test]
    fn headers_make_a_thread() {
        let mail = mail(None);
        for header in [
            "Subject: [HIGH] web-03 nginx: upstream timed out\r\n",
            "Message-ID: <alert-00000000000000aa-ops-1@example.com>\r\n",
            "In-Reply-To: <incident-00000000000000aa@example.com>\r\n",
            "References: <incident-00000000000000aa@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(mail.contains(header), "{header}{mail}");
        }
    }

    const HOSTILE: [&str; 6] = [
        "x\r\nBcc: evil@example.net\r\n\r\n<script>alert(1)</script>",
        "<img src=https://evil.example/x.png onerror=alert(1)>\"'`&",
        "{{ 7*7 }}{% raw %}",
        ".\r\n.\r\nMAIL FROM:<evil@example.net>",
        "=?utf-8?q?=0D=0ABcc:_evil@example.net?=",
        "ü\u{2028}\u{202e}\0\x1b[2J",
    ];

    #[test]
    fn log_text_adds_neither_header_nor_markup() {
        let names = |mail: &str| -> Vec<String> {
            let head = mail.split("\r\n\r\n").next().unwrap_or_default();
            let starts = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
            starts.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
        };
        let usual = names(&mail(None));
        for text in HOSTILE.iter().flat_map(|text| [(*text).to_owned(), text.repeat(500)]) {
            let mail = mail(Some(&text));
            assert!(mail.is_ascii());
            assert_eq!(names(&mail), usual, "{mail}");
            assert!(mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0'])), "{mail}");
            let content = minijinja::value::Serde(Content::new(&message(Some(&text))));
            let html = TEMPLATES.get_template("mail.html").unwrap().render(content).unwrap();
            for tag in ["<script", "<img", "49"] {
                assert!(!html.contains(tag), "{html}");
            }
            assert!(!html.contains("://"), "nothing remote: {html}");
        }
    }
}
