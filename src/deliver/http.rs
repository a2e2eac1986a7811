//! One POST to one fixed address, and what came back. Follows no redirect, retries nothing, prints no URL: the address
//! may be the secret. Knows nothing of Slack or signatures.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Url};

use super::settings::{is_loopback, read_ca_file};
use super::trouble;
use crate::egress;
use crate::model::{DeliveryOutcome, Period, Timestamp};

/// Most of a reply we read: enough for its first words.
const MAX_REPLY: usize = 4 * 1024;

/// Longest `Retry-After` we obey; a receiver cannot park an alert for longer.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// A client bound to one address.
pub(super) struct Poster {
    client: Client,
    /// Secret: path and query of a hook URL are the key to it.
    url: Url,
    /// `host` or `host:port`; what errors and `check-config` show.
    peer: String,
    timeout: Period,
}

/// A reply, as far as notifiers care.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// The first bytes of an unsuccessful reply, lossy. Hostile, and may echo what we sent.
    pub body: String,
}

impl Poster {
    /// Checks the address and builds the client. No network.
    ///
    /// # Errors
    /// What is wrong with the address or `ca_file`, without the address.
    pub fn new(url: &str, ca_file: Option<&Path>, timeout: Period) -> Result<Poster, String> {
        let url = check_url(url)?;
        let host = url.host_str().unwrap_or_default();
        let peer = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut builder = Client::builder()
            .user_agent(concat!("logwren/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .timeout(timeout.0)
            // Alerts are rare: a connection kept would be a dead one by the next.
            .pool_max_idle_per_host(0);
        if is_loopback(host) {
            // What is meant for this machine stays here: no proxy, and `localhost` is what we say it is.
            let local = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
            builder = builder.no_proxy().resolve_to_addrs("localhost", &local);
        }
        if let Some(path) = ca_file {
            let certificates = reqwest::Certificate::from_pem_bundle(&read_ca_file(path)?)
                .map_err(|_| format!("ca_file {}: a certificate in it cannot be read", path.display()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client =
            builder.build().map_err(|error| trouble::reach("TLS set-up of this host", &error.without_url()))?;
        Ok(Poster { client, url, peer, timeout })
    }

    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Whether the address itself carries a user name or password.
    pub fn has_credentials(&self) -> bool {
        !self.url.username().is_empty() || self.url.password().is_some()
    }

    /// Whether `text` repeats the secret part of the address.
    pub fn is_echoed_in(&self, text: &str) -> bool {
        let path = self.url.path();
        (path.len() > 8 && text.contains(path))
            || self.url.query().is_some_and(|query| query.len() > 4 && text.contains(query))
            || self.url.password().is_some_and(|password| text.contains(password))
    }

    /// Sends `body`, after it is in the ledger.
    ///
    /// # Errors
    /// No reply: why, naming the peer and the fix. Worth a retry, always.
    pub async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, String> {
        let entry = egress::leaving(&self.peer, &body).map_err(|error| format!("{}: {error}", self.peer))?;
        let answer = self.exchange(headers, body).await;
        entry.ended(&answer.as_ref().map_or_else(|_| "no answer".to_owned(), |answer| answer.status.to_string()));
        answer
    }

    async fn exchange(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, String> {
        let sent = self.client.post(self.url.clone()).headers(headers).body(body).send().await;
        let mut response = sent.map_err(|error| {
            let error = error.without_url();
            if error.is_timeout() {
                trouble::silence(&self.peer, self.timeout)
            } else {
                trouble::reach(&self.peer, &error)
            }
        })?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after(value, jiff::Timestamp::now().into()));
        let mut body = Vec::new();
        // The status has decided; a reply that trickles or breaks off changes nothing.
        while !response.status().is_success() && body.len() < MAX_REPLY {
            let Ok(Some(chunk)) = response.chunk().await else { break };
            body.extend_from_slice(chunk.get(..MAX_REPLY.min(chunk.len())).unwrap_or_default());
        }
        Ok(Answer { status, retry_after, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poster").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Answer {
    /// A retry that respects `Retry-After`.
    pub fn retry(&self, error: String) -> DeliveryOutcome {
        DeliveryOutcome::Retry { error, after: self.retry_after }
    }
}

/// https:// anywhere, http:// to this machine only. The error never repeats the address.
pub(super) fn check_url(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text.trim()).map_err(|error| format!("is not a URL ({error}); write it as https://host/path"))?;
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err("names no host; write it as https://host/path".into());
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err(format!(
            "uses http:// to {host}; allowed: https:// anywhere, http:// to localhost, 127.0.0.1 or [::1] only"
        )),
        scheme => Err(format!("uses {scheme}://; allowed: https://, and http:// to this machine only")),
    }
}

/// Seconds or an HTTP date (RFC 9110 section 10.2.3), at most [`MAX_RETRY_AFTER`].
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            Timestamp::from(date).since(now)
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_address(url: &str, expected: &str) {
        let shown = match check_url(url) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error,
        };
        assert!(shown.contains(expected), "{url}: {shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn plain_http_to_this_machine_only() {
        check_address("https://hooks.slack.com/services/s3cret", "ok");
        check_address(" https://hooks.example/s3cret\n", "ok");
        check_address("http://127.0.0.1:9/s3cret", "ok");
        check_address("http://[::1]:9/s3cret", "ok");
        check_address("http://localhost/s3cret", "ok");
        check_address("http://hooks.example/s3cret", "http:// to hooks.example; allowed: https://");
        check_address("http://localhost.evil.example/s3cret", "allowed: https://");
        check_address("http://127.0.0.1@evil.example/s3cret", "to evil.example; allowed");
        check_address("ftp://hooks.example/s3cret", "uses ftp://; allowed");
        check_address("file:///s3cret", "names no host");
        check_address("s3cret", "is not a URL");
    }

    #[track_caller]
    fn check_wait(value: &str, seconds: Option<u64>) {
        // 1994-11-06 08:49:37 UTC, the RFC's own example.
        let now = Timestamp::from_seconds(784_111_777);
        assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
    }

    #[test]
    fn retry_after_in_both_forms_and_bounded() {
        check_wait("30", Some(30));
        check_wait(" 0 ", Some(0));
        check_wait("999999999", Some(3_600));
        check_wait("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check_wait("Sun, 06 Nov 1994 08:48:37 GMT", Some(0));
        check_wait("soon", None);
        check_wait("-5", None);
        check_wait("", None);
    }

    #[test]
    fn debug_shows_the_host_only() {
        let poster = Poster::new("https://hooks.slack.com/services/T0/B0/s3cret", None, Period::from_secs(10)).unwrap();
        assert_eq!(format!("{poster:?}"), "Poster { peer: \"hooks.slack.com\", .. }");
        assert!(poster.is_echoed_in("no /services/T0/B0/s3cret here"));
    }
}
