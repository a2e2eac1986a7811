//! Why a peer could not be reached, in words that name it and the fix. Never prints a URL, a header or a body.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::model::inert::{clip, one_line};

/// Longest piece of a peer's own words we repeat, in UTF-16 units.
pub(super) const MAX_QUOTE: usize = 200;

/// What went wrong on the way to `peer` (`host` or `host:port`), from the error's whole chain of causes.
pub(super) fn reach(peer: &str, error: &(dyn Error + 'static)) -> String {
    let mut deepest = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return handshake(peer, tls);
        }
        let io = cause.downcast_ref::<io::Error>();
        if let Some(known) = io.and_then(|io| connection(peer, io.kind())) {
            return known;
        }
        deepest = cause.to_string();
        // An io::Error hides what it wraps from `source()`, and they come nested.
        let wrapped = io.and_then(io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
        next = wrapped.or_else(|| cause.source());
    }
    if deepest.contains("failed to lookup address") {
        return format!("{peer}: the name does not resolve; check it, and DNS on this host");
    }
    format!("{peer}: {}", quote(&deepest))
}

/// No answer within the time limit.
pub(super) fn silence(peer: &str, limit: crate::model::Period) -> String {
    format!("{peer}: no answer within {limit}; check that it is up and that a firewall or proxy lets this host through")
}

/// A peer's own words, made inert and short.
pub(super) fn quote(text: &str) -> String {
    clip(&one_line(text.trim()), MAX_QUOTE)
}

fn connection(peer: &str, kind: io::ErrorKind) -> Option<String> {
    let words = match kind {
        io::ErrorKind::ConnectionRefused => "connection refused; check the port and that the receiver is running",
        io::ErrorKind::TimedOut => "connection timed out; check that a firewall lets this host through",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "no route to it; check this host's network"
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "it dropped the connection; check that port and TLS mode match, and the receiver's own log"
        }
        io::ErrorKind::UnexpectedEof => "it closed the connection early; check that port and TLS mode match",
        // Open set: every other kind is told by its own text.
        _ => return None,
    };
    Some(format!("{peer}: {words}"))
}

fn handshake(peer: &str, error: &rustls::Error) -> String {
    let words = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            // BadSignature: an authority of the same name and another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate is signed by an authority this host does not trust; set ca_file to that authority's \
                 certificate, or add it to the system's"
                    .to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired; renew it there (and check this host's clock)".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; check this host's clock".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name; use the name it was issued for".to_owned()
            }
            // Open set of rustls.
            other => format!("its certificate is refused: {}", quote(&other.to_string())),
        },
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS on this port; for mail, smtps:// is for implicit TLS (465) and smtp:// for STARTTLS \
             (587)"
                .to_owned()
        }
        // Open set of rustls.
        other => format!("TLS failed: {}", quote(&other.to_string())),
    };
    format!("{peer}: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: impl Error + 'static, expected: &str) {
        let text = reach("mail.example:465", &error);
        assert!(text.starts_with("mail.example:465: ") && text.contains(expected), "{text}");
    }

    #[test]
    fn names_the_fix() {
        let wrapped = |error| io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(error));
        check(wrapped(CertificateError::UnknownIssuer), "ca_file");
        check(io::Error::other(wrapped(CertificateError::UnknownIssuer)), "ca_file");
        check(wrapped(CertificateError::Expired), "renew");
        check(wrapped(CertificateError::NotValidForName), "another name");
        check(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType), "does not speak TLS");
        check(io::Error::from(io::ErrorKind::ConnectionRefused), "check the port");
        check(io::Error::other("failed to lookup address information: nope"), "does not resolve");
        check(io::Error::other("odd\x1b[31m\nthing"), "odd\\x1b[31m\\nthing");
    }
}
