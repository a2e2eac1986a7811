//! A message as Slack blocks. Log text appears only where Slack parses nothing: in `plain_text` objects and inside one
//! code block it cannot leave. Sends nothing.
//!
//! Limits: docs.slack.dev, "Block Kit reference": header 150 characters, section text 3000, 50 blocks.

use serde_json::{Value, json};

use super::Message;
use crate::model::inert::{lines, one_line};

const MAX_HEADER: usize = 150;
const MAX_SECTION: usize = 3_000;
/// Lines shown of an incident; more belong into the report.
const MAX_SAMPLES: usize = 3;
/// Longest line shown, in UTF-16 units: three of them fit a section however much escaping adds.
const MAX_SAMPLE: usize = 600;
/// Steps shown.
const MAX_STEPS: usize = 8;

/// The body of the POST.
pub(super) fn payload(message: &Message) -> Value {
    let headline = message.headline();
    let mut blocks = vec![json!({"type": "header", "text": plain(&headline, MAX_HEADER)})];
    if headline.encode_utf16().count() > MAX_HEADER {
        blocks.push(section(&headline));
    }
    if !message.evidence.is_empty() {
        blocks.push(json!({
            "type": "section",
            // `verbatim`: no URL, channel or name in it becomes a link.
            "text": {"type": "mrkdwn", "text": code_block(message), "verbatim": true},
        }));
    }
    if !message.reason.as_str().trim().is_empty() {
        blocks.push(section(&format!("Why: {}", lines(message.reason.as_str()))));
    }
    let steps: Vec<String> =
        message.remediation.iter().take(MAX_STEPS).map(|step| format!("• {}", one_line(step.as_str()))).collect();
    if !steps.is_empty() {
        blocks.push(section(&format!("What to do:\n{}", steps.join("\n"))));
    }
    let facts = [
        format!("{} · {}", message.category, message.judged()),
        format!("first {} · last {}", message.local(message.first_seen), message.local(message.last_seen)),
        format!("logwren incidents show {}", message.incident),
    ];
    blocks.push(json!({
        "type": "context",
        "elements": facts.iter().map(|fact| plain(fact, MAX_SECTION)).collect::<Vec<_>>(),
    }));
    // Shown by notifications and by receivers without blocks.
    let fallback = format!("{headline}: {}", one_line(message.reason.as_str()));
    json!({
        "text": escape(&fallback, MAX_SECTION),
        "blocks": blocks,
        "mrkdwn": false,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn plain(text: &str, max: usize) -> Value {
    json!({"type": "plain_text", "text": escape(text, max), "emoji": false})
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": plain(text, MAX_SECTION)})
}

/// The sample lines between fences. Runs of backticks are broken up, so that none of them closes the fence.
fn code_block(message: &Message) -> String {
    let samples: Vec<String> = message
        .evidence
        .iter()
        .take(MAX_SAMPLES)
        .map(|sample| escape(&one_line(sample.line.as_str()).replace('`', "`\u{200b}"), MAX_SAMPLE))
        .collect();
    format!("```\n{}\n```", samples.join("\n"))
}

/// Slack's own escaping (`&`, `<`, `>`), cut to at most `max` UTF-16 units after it and never inside an entity. Words
/// that ping when a workspace links names are broken up as well.
fn escape(text: &str, max: usize) -> String {
    let text =
        ["@here", "@channel", "@everyone"].iter().fold(text.to_owned(), |text, ping| replace_any_case(&text, ping));
    let escaped = |character: char| match character {
        '&' => 5,
        '<' | '>' => 4,
        _ => character.len_utf16(),
    };
    let mut total = 0;
    let mut end = text.len();
    let mut room_for_ellipsis = 0;
    for (at, character) in text.char_indices() {
        if total < max {
            room_for_ellipsis = at;
        }
        total += escaped(character);
        if total > max {
            end = room_for_ellipsis;
            break;
        }
    }
    let cut = end < text.len();
    let kept = text.get(..end).unwrap_or_default();
    let mut out = kept.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    if cut {
        out.push('…');
    }
    out
}

/// Puts a word joiner behind the `@` of every `ping`, in whatever case it is written.
fn replace_any_case(text: &str, ping: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in lower.match_indices(ping) {
        // ASCII lowercasing keeps every offset, and `@` is one byte.
        out.push_str(text.get(done..=at).unwrap_or_default());
        out.push('\u{2060}');
        done = at + 1;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::message;
    use super::*;

    /// Every text object of the payload, as (type, text).
    fn texts(value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(object) => {
                if let (Some(Value::String(kind)), Some(Value::String(text))) = (object.get("type"), object.get("text"))
                {
                    found.push((kind.clone(), text.clone()));
                }
                object.values().for_each(|value| texts(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| texts(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn reads_well() {
        let payload = payload(&message(None));
        assert_eq!(payload["blocks"][0]["text"]["text"], "[HIGH] web-03 nginx: upstream timed out (new, 214 in 5 m)");
        let code = payload["blocks"][1]["text"]["text"].as_str().unwrap();
        assert!(code.starts_with("```\nupstream timed out (110: Connection timed out)"), "{code}");
        assert_eq!(payload["blocks"][3]["text"]["text"], "What to do:\n• check the upstream\n• restart php-fpm");
    }

    const HOSTILE: [&str; 7] = [
        "<!channel> <!here|x> <@U024BE7LH> <https://evil.example|reset your password>",
        "@here @Channel @EVERYONE",
        "```\n*bold* <!channel> ``` ` ``` ````",
        "&lt;!channel&gt; &amp; <",
        "a\r\n\u{202e}b\0\x1b[2J",
        "\u{1f426}",
        "&",
    ];

    #[test]
    fn log_text_cannot_ping_link_or_break_out() {
        for text in HOSTILE.iter().flat_map(|text| [(*text).to_owned(), text.repeat(1 + 6_000 / text.len())]) {
            let payload = payload(&message(Some(&text)));
            let mut found = vec![("fallback".to_owned(), payload["text"].as_str().unwrap().to_owned())];
            texts(&payload, &mut found);
            for (kind, text) in found {
                assert!(!text.is_empty() && text.encode_utf16().count() <= MAX_SECTION, "{}", text.len());
                assert!(!text.contains(['<', '>', '\r', '\0', '\x1b', '\u{202e}']), "{text}");
                for ping in ["@here", "@channel", "@everyone"] {
                    assert!(!text.to_lowercase().contains(ping), "{text}");
                }
                // Every & starts one of the three entities.
                for (at, _) in text.match_indices('&') {
                    assert!(["&amp;", "&lt;", "&gt;"].iter().any(|entity| text[at..].starts_with(entity)), "{text}");
                }
                if kind == "mrkdwn" {
                    assert_eq!(text.matches("```").count(), 2, "{text}");
                    assert!(text.starts_with("```\n") && text.ends_with("\n```"), "{text}");
                }
            }
            let header = payload["blocks"][0]["text"]["text"].as_str().unwrap();
            assert!(header.encode_utf16().count() <= MAX_HEADER);
            assert!(payload["blocks"].as_array().unwrap().len() <= 50);
        }
    }

    #[track_caller]
    fn check(text: &str, max: usize, expected: &str) {
        assert_eq!(escape(text, max), expected);
    }

    #[test]
    fn never_cuts_an_entity() {
        check("a<b", 6, "a&lt;b");
        check("a<b", 5, "a…");
        check("<<", 8, "&lt;&lt;");
        check("<<", 7, "&lt;…");
        check("@Here", 10, "@\u{2060}Here");
    }
}
