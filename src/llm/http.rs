//! One POST, fenced: deadline, body cap, no redirects, no proxy, no hidden retries. Knows no provider and no JSON.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Url, redirect, retry};

use super::BuildError;
use crate::egress;

/// Longest body read, after decompression. A real answer has a few kilobytes.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Shorter than servers keep idle connections, so that a reused one is rarely dead.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The HTTP side of a backend.
pub struct Http {
    client: Client,
}

/// What came back, whatever its status. Invalid UTF-8 is replaced.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// From `Retry-After` (RFC 9110 section 10.2.3), seconds or a date.
    pub retry_after: Option<Duration>,
    pub body: String,
}

/// Why nothing complete came back.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Broken {
    /// Nothing was sent: DNS, refused, TLS.
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("no complete answer within {0:?}")]
    Deadline(Duration),
    #[error("the connection broke: {0}")]
    Cut(String),
    #[error("the answer is longer than {MAX_BODY_BYTES} bytes")]
    TooLong,
}

impl Http {
    /// For requests to the host of `base`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(base: &Url, timeout: Duration, headers: HeaderMap) -> Result<Http, BuildError> {
        // `localhost` is this machine, whatever a resolver says.
        let local = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        let mut builder = Client::builder()
            .user_agent(concat!("logwren/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_idle_timeout(IDLE_TIMEOUT)
            // A redirect could carry the key to another host.
            .redirect(redirect::Policy::none())
            // Each try is counted against the rate limit, so there must be no hidden ones.
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .resolve_to_addrs("localhost", &local);
        if base.scheme() == "http" {
            // To loopback, without TLS: the roots of the system need not be read.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| BuildError::Tls(chain(&error)))?;
        Ok(Http { client })
    }

    /// Sends `body` once, after it is in the ledger. `timeout` names the deadline in the error.
    pub async fn post(&self, url: Url, body: Vec<u8>, timeout: Duration) -> Result<Reply, Broken> {
        let host = url.host_str().unwrap_or_default();
        let peer = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let entry = egress::leaving(&peer, &body).map_err(|error| Broken::Connect(error.to_string()))?;
        let reply = self.exchange(url, body, timeout).await;
        entry.ended(&match &reply {
            Ok(reply) => reply.status.to_string(),
            Err(Broken::Connect(_)) => "not connected".to_owned(),
            Err(Broken::Deadline(_) | Broken::Cut(_) | Broken::TooLong) => "no answer".to_owned(),
        });
        reply
    }

    async fn exchange(&self, url: Url, body: Vec<u8>, timeout: Duration) -> Result<Reply, Broken> {
        let broken = |error: reqwest::Error| {
            if error.is_connect() {
                Broken::Connect(chain(&error.without_url()))
            } else if error.is_timeout() {
                Broken::Deadline(timeout)
            } else {
                Broken::Cut(chain(&error.without_url()))
            }
        };
        let mut response = self.client.post(url).body(body).send().await.map_err(broken)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if bytes.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(Broken::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Reply { status, retry_after, body: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

/// True for hosts that plain HTTP may go to.
pub fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or(Duration::ZERO))
}

/// The error and its causes on one line, without repeating itself.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: bool) {
        assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
    }

    #[test]
    fn loopback_hosts() {
        check("http://127.0.0.1:80/", true);
        check("http://127.9.9.9/", true);
        check("http://[::1]:8080/", true);
        check("http://localhost:11434/v1", true);
        check("http://localhost.example.com/", false);
        check("http://10.0.0.1/", false);
        check("http://example.com/", false);
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert!(retry_after("Fri, 01 Jan 2100 00:00:00 GMT").is_some_and(|wait| wait > Duration::from_secs(1_000_000)));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-1"), None);
    }
}
