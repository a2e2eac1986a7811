//! `smtp =` of an email notifier: which server, as whom, and when the connection is encrypted. Pure: connects to nothing.

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::settings::is_loopback;

/// `smtp =`, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmtpAddress {
    pub security: Security,
    pub user: Option<String>,
    /// Name or IP, without brackets.
    pub host: String,
    pub port: u16,
}

/// When the connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// `smtps://`: from the first byte.
    Implicit,
    /// `smtp://`: by STARTTLS before anything else is said.
    StartTls(StartTls),
}

/// `starttls =` of an smtp:// server. Other than `required` is for this machine only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartTls {
    /// No STARTTLS, no mail. The default beyond this machine.
    Required,
    /// Used when the server offers it. The default on this machine.
    IfOffered,
    /// Never: for a local relay whose certificate nobody trusts.
    Off,
}

impl SmtpAddress {
    /// Reads `smtps://user@host:465` or `smtp://user@host:587`. An `@` inside the user may stand as it is or as `%40`.
    ///
    /// # Errors
    /// What is wrong and what is allowed. Never repeats the text: it may hold a password.
    pub fn parse(text: &str, starttls: Option<StartTls>) -> Result<SmtpAddress, String> {
        const SHAPE: &str = "write it as smtps://user@host:465 or smtp://user@host:587";
        let url = Url::parse(text).map_err(|error| format!("smtp is not an address ({error}); {SHAPE}"))?;
        if url.password().is_some() {
            return Err(format!("smtp holds a password; set password_env, _credential or _file instead and {SHAPE}"));
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:_".contains(&b)) {
            return Err(format!("smtp names no host that could exist; {SHAPE}"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("smtp ends with the port; {SHAPE}"));
        }
        let user = match url.username() {
            "" => None,
            encoded => Some(percent_decode(encoded).ok_or_else(|| format!("smtp has an odd user name; {SHAPE}"))?),
        };
        let local = is_loopback(host);
        let security = match (url.scheme(), starttls) {
            ("smtps", None) => Security::Implicit,
            ("smtps", Some(_)) => return Err("starttls is for smtp:// only: smtps:// is always encrypted".into()),
            ("smtp", None) if local => Security::StartTls(StartTls::IfOffered),
            ("smtp", None) => Security::StartTls(StartTls::Required),
            ("smtp", Some(StartTls::Required)) => Security::StartTls(StartTls::Required),
            ("smtp", Some(mode @ (StartTls::IfOffered | StartTls::Off))) if local => Security::StartTls(mode),
            ("smtp", Some(StartTls::IfOffered | StartTls::Off)) => {
                return Err(format!(
                    "starttls must be \"required\" for {host}; allowed otherwise: localhost, 127.0.0.1 or [::1] only"
                ));
            }
            (scheme, _) => return Err(format!("smtp uses {scheme}://; {SHAPE}")),
        };
        let default_port = match security {
            Security::Implicit => lettre::transport::smtp::SUBMISSIONS_PORT,
            Security::StartTls(_) => lettre::transport::smtp::SUBMISSION_PORT,
        };
        Ok(SmtpAddress { security, user, host: host.to_owned(), port: url.port().unwrap_or(default_port) })
    }
}

/// `None` for what is not UTF-8 or holds control characters.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok().filter(|decoded| !decoded.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_address(text: &str, starttls: Option<StartTls>, expected: &str) {
        let shown = match SmtpAddress::parse(text, starttls) {
            Ok(address) => format!(
                "{:?} {} {} {}",
                address.security,
                address.user.as_deref().unwrap_or("-"),
                address.host,
                address.port
            ),
            Err(error) => error,
        };
        assert!(shown.contains(expected), "{text}: {shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn servers() {
        check_address("smtps://user@mail.example:465", None, "Implicit user mail.example 465");
        check_address("smtps://mail.example", None, "Implicit - mail.example 465");
        check_address("smtp://user@mail.example", None, "StartTls(Required) user mail.example 587");
        check_address(
            "smtp://ops@example.com@mail.example:25",
            None,
            "StartTls(Required) ops@example.com mail.example 25",
        );
        check_address("smtp://ops%40example.com@mail.example", None, " ops@example.com mail.example");
        check_address("smtp://localhost:25", None, "StartTls(IfOffered) - localhost 25");
        check_address("smtp://[::1]:2525", Some(StartTls::Off), "StartTls(Off) - ::1 2525");
        check_address("smtp://127.0.0.1", Some(StartTls::Required), "StartTls(Required)");
        check_address("smtp://mail.example", Some(StartTls::Off), "must be \"required\" for mail.example; allowed");
        check_address("smtp://mail.example", Some(StartTls::IfOffered), "must be \"required\"");
        check_address("smtps://mail.example", Some(StartTls::Off), "smtps:// is always encrypted");
        check_address("smtps://user:s3cret@mail.example", None, "smtp holds a password");
        check_address("smtps://mail.example/s3cret", None, "ends with the port");
        check_address("https://mail.example", None, "smtp uses https://; write it as smtps://user@host:465");
        check_address("mail.example:25", None, "names no host");
        check_address("smtp://us%0d%0aer@mail.example", None, "odd user name");
        check_address("smtp://us%zzer@mail.example", None, "odd user name");
        check_address("", None, "is not an address");
    }
}
