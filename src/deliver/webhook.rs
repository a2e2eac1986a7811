//! Any HTTP receiver: JSON, an idempotency key, an Authorization header and a signature. Decides what each answer
//! means. *Not here:* the body and how it is signed (`webhook_body`).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::http::{Answer, Poster, check_url};
use super::settings::{self, Redact, Secrets};
use super::trouble::quote;
use super::{Message, Notifier, webhook_body};
use crate::model::{DeliveryOutcome, Period, SecretRef};
use crate::redact::Secret;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static TIMESTAMP: HeaderName = HeaderName::from_static("x-logwren-timestamp");
static SIGNATURE: HeaderName = HeaderName::from_static("x-logwren-signature");

/// `[[notifiers.webhook]]`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct WebhookConfig {
    pub name: Arc<str>,
    pub url: Address,
    /// The whole value of the Authorization header: `Bearer …`.
    pub authorization: Option<SecretRef>,
    /// Key of the signature. None: requests are not signed.
    pub secret: Option<SecretRef>,
    pub redact: Redact,
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// For one attempt. Default 10s.
    pub timeout: Period,
}

/// Where the webhook's address is.
#[derive(Clone, PartialEq)]
pub enum Address {
    /// In the config: it holds no secret.
    Plain(Url),
    /// Somewhere secrets are.
    Secret(SecretRef),
}

/// Host only: people put tokens into queries.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Plain(url) => write!(f, "Plain({})", url.host_str().unwrap_or_default()),
            Address::Secret(place) => write!(f, "Secret({place})"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    url: Option<String>,
    url_env: Option<String>,
    url_credential: Option<String>,
    url_file: Option<PathBuf>,
    authorization_env: Option<String>,
    authorization_credential: Option<String>,
    authorization_file: Option<PathBuf>,
    secret_env: Option<String>,
    secret_credential: Option<String>,
    secret_file: Option<PathBuf>,
    #[serde(default)]
    redact: Redact,
    ca_file: Option<PathBuf>,
    timeout: Option<Period>,
}

impl TryFrom<Raw> for WebhookConfig {
    type Error = String;

    fn try_from(raw: Raw) -> Result<WebhookConfig, String> {
        let place = SecretRef::choose("url", raw.url_env, raw.url_credential, raw.url_file)?;
        let url = match (raw.url, place) {
            (Some(url), None) => {
                let url = check_url(&url).map_err(|error| format!("url {error}"))?;
                if !url.username().is_empty() || url.password().is_some() {
                    return Err("url holds a user name or password; keep secrets out of the config with \
                                authorization_env, _credential or _file, or the whole address with url_env, _credential \
                                or _file"
                        .into());
                }
                Address::Plain(url)
            }
            (None, Some(place)) => Address::Secret(place),
            (None, None) => return Err("url is missing; or set url_env, url_credential or url_file".into()),
            (Some(_), Some(_)) => {
                return Err("only one of url, url_env, url_credential and url_file may be set".into());
            }
        };
        Ok(WebhookConfig {
            name: settings::name(raw.name)?,
            url,
            authorization: SecretRef::choose(
                "authorization",
                raw.authorization_env,
                raw.authorization_credential,
                raw.authorization_file,
            )?,
            secret: SecretRef::choose("secret", raw.secret_env, raw.secret_credential, raw.secret_file)?,
            redact: raw.redact,
            ca_file: settings::ca_file(raw.ca_file)?,
            timeout: settings::timeout(raw.timeout, Period::from_secs(10))?,
        })
    }
}

/// One receiver.
#[derive(Debug)]
pub struct Webhook {
    name: Arc<str>,
    poster: Poster,
    /// Marked sensitive: HTTP libraries do not print it.
    authorization: Option<HeaderValue>,
    secret: Option<Secret>,
    /// For `describe`.
    from: String,
}

impl Webhook {
    /// Resolves the secrets and builds the client. No network.
    pub fn new(config: &WebhookConfig, secrets: Secrets<'_>) -> Result<Webhook, String> {
        let (ca_file, timeout) = (config.ca_file.as_deref(), config.timeout);
        let (poster, from) = match &config.url {
            Address::Plain(url) => (Poster::new(url.as_str(), ca_file, timeout)?, String::new()),
            Address::Secret(place) => {
                let url = settings::resolve(place, secrets)?;
                let poster = Poster::new(url.expose_secret(), ca_file, timeout)
                    .map_err(|error| format!("the address in {place} {error}"))?;
                (poster, format!(", address from {place}"))
            }
        };
        let authorization = match &config.authorization {
            Some(place) => {
                if poster.has_credentials() {
                    return Err(format!(
                        "the address already holds a user name or password; remove it there, or {place} here"
                    ));
                }
                let mut value = HeaderValue::from_str(settings::resolve(place, secrets)?.expose_secret())
                    .map_err(|_| format!("{place} cannot be an Authorization header; write it as `Bearer TOKEN`"))?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let secret = config.secret.as_ref().map(|place| settings::resolve(place, secrets)).transpose()?;
        Ok(Webhook { name: config.name.clone(), poster, authorization, secret, from })
    }

    /// All headers of one request. `timestamp` is whole seconds since the epoch.
    fn headers(&self, message: &Message, body: &[u8], timestamp: i64) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let text = |value: &str| HeaderValue::from_str(value).map_err(|_| format!("`{value}` is not a header value"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(&IDEMPOTENCY_KEY, text(&message.alert_id)?);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(secret) = &self.secret {
            let timestamp = timestamp.to_string();
            let signature = webhook_body::signature(secret.expose_secret().as_bytes(), &timestamp, body);
            headers.insert(&TIMESTAMP, text(&timestamp)?);
            headers.insert(&SIGNATURE, text(&signature)?);
        }
        Ok(headers)
    }

    /// What an answer means. What an operator can mend at the other end (a token, a route, a proxy) is tried again;
    /// only what says "never this request" is refused.
    fn outcome(&self, answer: &Answer) -> DeliveryOutcome {
        let said = format!("{} answered {}{}", self.poster.peer(), answer.status, self.words(&answer.body));
        match answer.status {
            200..=299 => DeliveryOutcome::Delivered,
            300..=399 => DeliveryOutcome::Refused {
                error: format!("{said}: a redirect, which is not followed; put the final address into the config"),
            },
            401 | 403 | 407 => answer.retry(format!("{said}: check authorization_* and secret_* of this webhook")),
            404 => answer.retry(format!("{said}: check the path of the address")),
            408 | 409 | 421 | 423 | 425 | 429 => answer.retry(format!("{said}: it asks for patience")),
            400..=499 => DeliveryOutcome::Refused { error: format!("{said}: it does not take this request") },
            // 1xx never ends a request; anything unheard of is the receiver's trouble, as 5xx is.
            _ => answer.retry(format!("{said}: trouble at its side; see its log")),
        }
    }

    /// The receiver's first words, unless they repeat a secret of ours.
    fn words(&self, body: &str) -> String {
        let echoes = |secret: &str| {
            // The value, and the token behind the scheme.
            secret.split(' ').any(|part| part.len() > 3 && !part.eq_ignore_ascii_case("bearer") && body.contains(part))
        };
        let leaks = self.poster.is_echoed_in(body)
            || self.authorization.as_ref().and_then(|value| value.to_str().ok()).is_some_and(echoes)
            || self.secret.as_ref().is_some_and(|secret| body.contains(secret.expose_secret()));
        let words = quote(body);
        if leaks || words.is_empty() { String::new() } else { format!(" ({words})") }
    }
}

impl Notifier for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, DeliveryOutcome> {
        Box::pin(async move {
            let body = webhook_body::body(message);
            let headers = match self.headers(message, &body, jiff::Timestamp::now().as_second()) {
                Ok(headers) => headers,
                Err(error) => return DeliveryOutcome::Refused { error },
            };
            match self.poster.post(headers, body).await {
                Ok(answer) => self.outcome(&answer),
                Err(error) => DeliveryOutcome::Retry { error, after: None },
            }
        })
    }

    fn describe(&self) -> String {
        let signed = if self.secret.is_some() { "signed" } else { "not signed" };
        let authorized = if self.authorization.is_some() { ", with Authorization" } else { "" };
        format!("webhook: {}{}, {signed}{authorized}", self.poster.peer(), self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_config(toml: &str, expected: &str) {
        let shown = match toml::from_str::<WebhookConfig>(&format!("name = 'hook'\n{toml}")) {
            Ok(config) => format!("{config:?}"),
            Err(error) => error.message().to_owned(),
        };
        assert!(shown.contains(expected), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn one_address_and_no_secret_in_it() {
        check_config("url = 'https://hooks.example/s3cret?t=s3cret'", "Plain(hooks.example)");
        check_config("url_env = 'HOOK'", "Secret(environment variable HOOK)");
        check_config("url_env = 'HOOK'\nsecret_credential = 'key'\nauthorization_file = '/x'", "Credential(\"key\")");
        check_config("", "url is missing; or set url_env");
        check_config("url = 'https://a.example'\nurl_env = 'HOOK'", "only one of url, url_env");
        check_config("url = 'http://hooks.example/s3cret'", "url uses http:// to hooks.example; allowed: https://");
        check_config("url = 'https://u:s3cret@hooks.example/'", "url holds a user name or password");
        check_config("url = 'https://a.example'\ntimeout = '1h'", "allowed: \"100ms\" to \"2m\"");
        check_config("url = 'https://a.example'\nca_file = 'ca.pem'", "must be an absolute path");
        check_config("url = 'https://a.example'\nredact = 'none'", "unknown variant `none`");
    }

    fn webhook() -> Webhook {
        let config = "name = 'hook'\nurl_env = 'HOOK'\nsecret_env = 'KEY'\nauthorization_env = 'AUTH'";
        let secret = |place: &SecretRef| match place {
            SecretRef::Env(name) if name == "HOOK" => Ok(Secret::from("https://hooks.example/in/s3cret-path")),
            SecretRef::Env(name) if name == "AUTH" => Ok(Secret::from("Bearer s3cret-token")),
            SecretRef::Env(_) | SecretRef::Credential(_) | SecretRef::File(_) => Ok(Secret::from("s3cret-key")),
        };
        Webhook::new(&toml::from_str(config).unwrap(), &secret).unwrap()
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str) {
        let outcome = webhook().outcome(&Answer { status, retry_after: None, body: body.into() });
        let shown = format!("{outcome:?}");
        assert!(shown.starts_with(expected), "{shown}");
        assert!(shown == "Delivered" || shown.contains("hooks.example answered"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn answers() {
        check(202, "", "Delivered");
        check(500, "boom\n", "Retry { error: \"hooks.example answered 500 (boom): trouble");
        check(401, "", "Retry { error: \"hooks.example answered 401: check authorization_*");
        check(404, "", "Retry");
        check(429, "", "Retry");
        check(400, "bad field", "Refused { error: \"hooks.example answered 400 (bad field): it does not take");
        check(413, "", "Refused");
        check(301, "", "Refused");
        check(403, "bad token s3cret-token", "Retry { error: \"hooks.example answered 403: ");
        check(400, "signature by s3cret-key", "Refused");
        check(500, "POST /in/s3cret-path failed", "Retry");
    }

    #[test]
    fn shows_no_secret() {
        assert_eq!(
            webhook().describe(),
            "webhook: hooks.example, address from environment variable HOOK, signed, with Authorization"
        );
        assert!(!format!("{:?}", webhook()).contains("s3cret"));
    }
}
