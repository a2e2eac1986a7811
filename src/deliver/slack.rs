//! Slack by incoming webhook, and whatever speaks the same. Decides what each answer means. The hook's address is the
//! secret: only its host is ever shown. *Not here:* what the message looks like (`slack_blocks`).

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::http::{Answer, Poster};
use super::settings::{self, Redact, Secrets};
use super::{Message, Notifier, slack_blocks};
use crate::model::{DeliveryOutcome, Period, SecretRef};

/// `[[notifiers.slack]]`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct SlackConfig {
    pub name: Arc<str>,
    /// Where the hook's address is kept: `url_env`, `url_credential` or `url_file`.
    pub url: SecretRef,
    pub redact: Redact,
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// For one attempt. Default 10s.
    pub timeout: Period,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    /// Refused, with the reason: the address is a secret.
    url: Option<IgnoredAny>,
    url_env: Option<String>,
    url_credential: Option<String>,
    url_file: Option<PathBuf>,
    #[serde(default)]
    redact: Redact,
    ca_file: Option<PathBuf>,
    timeout: Option<Period>,
}

impl TryFrom<Raw> for SlackConfig {
    type Error = String;

    fn try_from(raw: Raw) -> Result<SlackConfig, String> {
        const WHERE: &str = "set url_env, url_credential or url_file to where it is kept";
        if raw.url.is_some() {
            return Err(format!("url is not allowed for Slack: a hook's address is a secret; {WHERE}"));
        }
        Ok(SlackConfig {
            name: settings::name(raw.name)?,
            url: SecretRef::choose("url", raw.url_env, raw.url_credential, raw.url_file)?
                .ok_or_else(|| format!("the hook's address is missing: {WHERE}"))?,
            redact: raw.redact,
            ca_file: settings::ca_file(raw.ca_file)?,
            timeout: settings::timeout(raw.timeout, Period::from_secs(10))?,
        })
    }
}

/// One Slack channel behind one hook.
#[derive(Debug)]
pub struct Slack {
    name: Arc<str>,
    place: SecretRef,
    poster: Poster,
}

impl Slack {
    /// Resolves the address and builds the client. No network.
    pub fn new(config: &SlackConfig, secrets: Secrets<'_>) -> Result<Slack, String> {
        let url = settings::resolve(&config.url, secrets)?;
        let poster = Poster::new(url.expose_secret(), config.ca_file.as_deref(), config.timeout)
            .map_err(|error| format!("the address in {} {error}", config.url))?;
        Ok(Slack { name: config.name.clone(), place: config.url.clone(), poster })
    }

    /// What Slack's answer means. Its words for errors: docs.slack.dev, "Sending messages using incoming webhooks".
    fn outcome(&self, answer: &Answer) -> DeliveryOutcome {
        let (peer, status, place) = (self.poster.peer(), answer.status, &self.place);
        // Slack answers with one word; anything else is not repeated.
        let word = answer.body.trim();
        let known = word.len() <= 64 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let word = if known && !word.is_empty() { format!(" {word}") } else { String::new() };
        let said = format!("{peer} answered {status}{word}");
        match status {
            200..=299 => DeliveryOutcome::Delivered,
            429 => answer.retry(format!("{said}: too many messages; it is sent again when Slack allows")),
            408 | 500..=599 => answer.retry(format!("{said}: trouble at its side; see status.slack.com")),
            300..=399 => DeliveryOutcome::Refused {
                error: format!("{said}: a redirect, which is not followed; put the final address into {place}"),
            },
            401 | 403 | 404 | 410 => DeliveryOutcome::Refused {
                error: format!(
                    "{said}: the hook is gone or may not post there; make a new one and put it into {place}"
                ),
            },
            _ => DeliveryOutcome::Refused { error: format!("{said}: it does not take this message") },
        }
    }
}

impl Notifier for Slack {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, DeliveryOutcome> {
        Box::pin(async move {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
            let body = slack_blocks::payload(message).to_string().into_bytes();
            match self.poster.post(headers, body).await {
                Ok(answer) => self.outcome(&answer),
                Err(error) => DeliveryOutcome::Retry { error, after: None },
            }
        })
    }

    fn describe(&self) -> String {
        format!("slack: {}, address from {}", self.poster.peer(), self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Secret;

    #[track_caller]
    fn check_config(toml: &str, expected: &str) {
        let shown = match toml::from_str::<SlackConfig>(toml) {
            Ok(config) => config.url.to_string(),
            Err(error) => error.message().to_owned(),
        };
        assert!(shown.contains(expected), "{shown}");
        assert!(!shown.contains("T0/B0"), "{shown}");
    }

    #[test]
    fn the_address_is_never_in_the_config() {
        check_config("name = 'ops'\nurl_env = 'SLACK_URL'", "environment variable SLACK_URL");
        check_config("name = 'ops'\nurl = 'https://hooks.slack.com/services/T0/B0/x'", "is a secret; set url_env");
        check_config("name = 'ops'\nurl_env = 'https://hooks.slack.com/services/T0/B0/x'", "not the secret");
        check_config("name = 'ops'", "address is missing: set url_env");
        check_config("name = 'ops'\nurl_env = 'A'\nurl_file = '/b'", "only one of");
        check_config("name = 'ops'\nurl_env = 'A'\nchannel = '#x'", "unknown field `channel`");
        check_config("name = 'o ps'\nurl_env = 'A'", "name must be");
    }

    fn slack() -> Slack {
        let config = toml::from_str("name = 'ops'\nurl_env = 'SLACK_URL'").unwrap();
        Slack::new(&config, &|_| Ok(Secret::from("https://hooks.slack.com/services/T0/B0/s3cret"))).unwrap()
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str) {
        let outcome = slack().outcome(&Answer { status, retry_after: None, body: body.into() });
        let shown = format!("{outcome:?}");
        assert!(shown.starts_with(expected), "{shown}");
        assert!(shown == "Delivered" || shown.contains("hooks.slack.com answered"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn answers() {
        check(200, "ok", "Delivered");
        check(500, "rollup_error", "Retry { error: \"hooks.slack.com answered 500 rollup_error");
        check(503, "<html>s3cret</html>", "Retry { error: \"hooks.slack.com answered 503: trouble");
        check(429, "", "Retry");
        check(408, "", "Retry");
        check(
            400,
            "invalid_payload",
            "Refused { error: \"hooks.slack.com answered 400 invalid_payload: it does not take",
        );
        check(404, "no_service", "Refused { error: \"hooks.slack.com answered 404 no_service: the hook is gone");
        check(410, "channel_is_archived", "Refused");
        check(302, "", "Refused");
    }

    #[test]
    fn shows_the_host_only() {
        let slack = slack();
        assert_eq!(slack.describe(), "slack: hooks.slack.com, address from environment variable SLACK_URL");
        assert!(!format!("{slack:?}").contains("s3cret"));
    }
}
