//! What all notifiers' tables have in common: names, time limits, how much to redact. Resolves no secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Period, SecretRef};
use crate::redact::Secret;

/// How a secret reference becomes the secret. `config` supplies it: it knows the environment and the credentials.
pub type Secrets<'a> = &'a dyn Fn(&SecretRef) -> Result<Secret, String>;

/// `redact =` of a notifier: what is taken out of every text before it leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Redact {
    /// Passwords, keys, tokens.
    #[default]
    Secrets,
    /// Those, and personal data: addresses, user names, IPs.
    All,
}

/// Checks `name =`. Names go into routes, alert ids and message ids: letters, digits, `.`, `_`, `-`.
pub(super) fn name(text: String) -> Result<Arc<str>, String> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if plain && (1..=64).contains(&text.len()) {
        Ok(text.into())
    } else {
        Err("name must be 1 to 64 letters, digits, `.`, `_` or `-`".into())
    }
}

/// Checks `timeout =`, with `default` where it is not set.
pub(super) fn timeout(period: Option<Period>, default: Period) -> Result<Period, String> {
    let period = period.unwrap_or(default);
    if (Duration::from_millis(100)..=Duration::from_secs(120)).contains(&period.0) {
        Ok(period)
    } else {
        Err(format!("timeout = \"{period}\" is out of range; allowed: \"100ms\" to \"2m\""))
    }
}

/// The certificate authorities of a `ca_file`, as PEM bytes. They are trusted besides the system's own.
pub(super) fn read_ca_file(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|error| format!("ca_file {shown}: {error}"))?;
    if memchr::memmem::find(&pem, b"-----BEGIN CERTIFICATE-----").is_none() {
        return Err(format!("ca_file {shown}: no PEM certificate in it"));
    }
    Ok(pem)
}

/// Reads a secret, without the line end files have. Empty ones are mistakes.
pub(super) fn resolve(place: &SecretRef, secrets: Secrets<'_>) -> Result<Secret, String> {
    use secrecy::ExposeSecret;
    let secret = secrets(place)?;
    let text = secret.expose_secret();
    let trimmed = text.trim_end_matches(['\n', '\r']);
    if trimmed.is_empty() {
        return Err(format!("{place} is empty"));
    }
    if trimmed.chars().any(char::is_control) {
        return Err(format!("{place} holds control characters or more than one line"));
    }
    Ok(if trimmed.len() == text.len() { secret } else { Secret::from(trimmed) })
}

/// `ca_file =` must be absolute: the daemon and the shell that checks the config stand in different directories.
pub(super) fn ca_file(path: Option<PathBuf>) -> Result<Option<PathBuf>, String> {
    match path {
        Some(path) if !path.is_absolute() => Err(format!("ca_file {} must be an absolute path", path.display())),
        path => Ok(path),
    }
}

/// Whether a URL's host can only be this machine: `localhost`, 127.0.0.0/8 or ::1.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_only() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.evil.example", "10.0.0.1", "0.0.0.0", "[::]", "128.0.0.1", "mail", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn names_and_times() {
        assert!(name("ops-slack".into()).is_ok());
        for wrong in ["", "a b", "a\n", "ä", &"x".repeat(65)] {
            assert!(name(wrong.into()).is_err(), "{wrong}");
        }
        assert_eq!(timeout(None, Period::from_secs(10)), Ok(Period::from_secs(10)));
        assert!(timeout(Some(Period::from_secs(0)), Period::from_secs(10)).is_err());
        assert!(timeout(Some(Period::from_secs(121)), Period::from_secs(10)).is_err());
    }

    #[test]
    fn secrets_lose_their_line_end_only() {
        use secrecy::ExposeSecret;
        let place = SecretRef::Env("X".into());
        let read =
            |text: &'static str| resolve(&place, &|_| Ok(Secret::from(text))).map(|s| s.expose_secret().to_owned());
        assert_eq!(read("s3cret \n"), Ok("s3cret ".into()));
        assert!(read("\n").is_err_and(|error| error == "environment variable X is empty"));
        assert!(read("two\nlines").is_err_and(|error| !error.contains("two")));
    }
}
