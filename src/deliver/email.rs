//! Alerts by mail: the config of one mail server and what each of its answers means. *Not here:* the text of a mail
//! (`mail`) and the conversation with the server (`smtp`).

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use lettre::Address;
use lettre::message::Mailbox;
use serde::Deserialize;

use super::settings::{self, Redact, Secrets};
use super::smtp::{Letter, Receipt, Server};
use super::smtp_address::{SmtpAddress, StartTls};
use super::{Message, Notifier, mail};
use crate::model::{DeliveryOutcome, Period, SecretRef};

/// `[[notifiers.email]]`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct EmailConfig {
    pub name: Arc<str>,
    pub smtp: SmtpAddress,
    /// Needed exactly when `smtp` names a user.
    pub password: Option<SecretRef>,
    pub from: Mailbox,
    /// 1 to 50.
    pub to: Vec<Mailbox>,
    pub redact: Redact,
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// For one attempt, connection to last reply. Default 30s.
    pub timeout: Period,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    smtp: String,
    starttls: Option<StartTls>,
    /// Refused, with the reason.
    password: Option<serde::de::IgnoredAny>,
    password_env: Option<String>,
    password_credential: Option<String>,
    password_file: Option<PathBuf>,
    from: String,
    to: Vec<String>,
    #[serde(default)]
    redact: Redact,
    ca_file: Option<PathBuf>,
    timeout: Option<Period>,
}

impl TryFrom<Raw> for EmailConfig {
    type Error = String;

    fn try_from(raw: Raw) -> Result<EmailConfig, String> {
        const WHERE: &str = "password_env, password_credential or password_file";
        if raw.password.is_some() {
            return Err(format!("password is not allowed here: keep it out of the config and set {WHERE}"));
        }
        let smtp = SmtpAddress::parse(&raw.smtp, raw.starttls)?;
        let password = SecretRef::choose("password", raw.password_env, raw.password_credential, raw.password_file)?;
        match (&smtp.user, &password) {
            (Some(_), None) => return Err(format!("smtp names a user, so a password is needed: set {WHERE}")),
            (None, Some(_)) => {
                return Err("a password is set, but smtp names no user; write it as smtps://user@host:465".into());
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if !(1..=50).contains(&raw.to.len()) {
            return Err("to needs 1 to 50 addresses".into());
        }
        Ok(EmailConfig {
            name: settings::name(raw.name)?,
            smtp,
            password,
            from: mailbox("from", &raw.from)?,
            to: raw.to.iter().map(|text| mailbox("to", text)).collect::<Result<_, _>>()?,
            redact: raw.redact,
            ca_file: settings::ca_file(raw.ca_file)?,
            timeout: settings::timeout(raw.timeout, Period::from_secs(30))?,
        })
    }
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox, String> {
    let wrong =
        || format!("{key}: `{text}` is not a mail address; write it as ops@example.com or Ops <ops@example.com>");
    // The parser is lenient about line ends inside; a header is not.
    if text.chars().any(char::is_control) { Err(wrong()) } else { text.parse().map_err(|_| wrong()) }
}

/// One mail server and whom it sends to.
#[derive(Debug)]
pub struct Email {
    name: Arc<str>,
    from: Mailbox,
    to: Vec<Mailbox>,
    server: Server,
    /// Recipients who already have an alert that others still wait for, newest last. A retry leaves them out. Only in
    /// memory: after a restart they may get the mail twice, with the same Message-ID. std Mutex: never held across an
    /// await.
    served: Mutex<VecDeque<(String, Vec<Address>)>>,
}

/// Alerts remembered in [`Email::served`].
const MAX_SERVED: usize = 64;

impl Email {
    /// Resolves the password and builds the TLS set-up. No network.
    pub fn new(config: &EmailConfig, secrets: Secrets<'_>) -> Result<Email, String> {
        let password = config.password.as_ref().map(|place| settings::resolve(place, secrets)).transpose()?;
        let server = Server::new(&config.smtp, password, config.ca_file.as_deref(), config.timeout)?;
        Ok(Email {
            name: config.name.clone(),
            from: config.from.clone(),
            to: config.to.clone(),
            server,
            served: Mutex::default(),
        })
    }

    /// Takes what is remembered of an alert.
    fn take_served(&self, alert_id: &str) -> Vec<Address> {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let at = served.iter().position(|(id, _)| id == alert_id);
        at.and_then(|at| served.remove(at)).map(|(_, addresses)| addresses).unwrap_or_default()
    }

    /// What became of all recipients together. `served` had it from an earlier attempt.
    fn outcome(&self, message: &Message, receipt: Receipt, mut served: Vec<Address>) -> DeliveryOutcome {
        served.extend(receipt.accepted);
        let list = |rows: &[(Address, String)]| {
            rows.iter().map(|(address, error)| format!("{address}: {error}")).collect::<Vec<_>>().join("; ")
        };
        if !receipt.delayed.is_empty() {
            let error = format!("{}: not yet taken for {}", self.server.peer(), list(&receipt.delayed));
            let mut remembered = self.served.lock().unwrap_or_else(PoisonError::into_inner);
            remembered.push_back((message.alert_id.clone(), served));
            if remembered.len() > MAX_SERVED {
                remembered.pop_front();
            }
            return DeliveryOutcome::Retry { error, after: None };
        }
        let refused = list(&receipt.refused);
        if served.is_empty() {
            return DeliveryOutcome::Refused {
                error: format!("{}: refused for {refused}; check the to addresses", self.server.peer()),
            };
        }
        if !refused.is_empty() {
            tracing::warn!(
                notifier = %self.name,
                alert = %message.alert_id,
                "mail delivered, but {} refused {refused}; check the to addresses",
                self.server.peer()
            );
        }
        DeliveryOutcome::Delivered
    }
}

impl Notifier for Email {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, DeliveryOutcome> {
        Box::pin(async move {
            let bytes = match mail::compose(message, &self.from, &self.to) {
                Ok(bytes) => bytes,
                Err(error) => return DeliveryOutcome::Refused { error },
            };
            let served = self.take_served(&message.alert_id);
            let waiting = self.to.iter().map(|mailbox| &mailbox.email).filter(|address| !served.contains(address));
            let letter = Letter { sender: self.from.email.clone(), recipients: waiting.cloned().collect(), bytes };
            match self.server.submit(&letter).await {
                Ok(receipt) => self.outcome(message, receipt, served),
                Err(failure) => {
                    if !served.is_empty() {
                        let mut remembered = self.served.lock().unwrap_or_else(PoisonError::into_inner);
                        remembered.push_back((message.alert_id.clone(), served));
                    }
                    failure.into_outcome()
                }
            }
        })
    }

    fn describe(&self) -> String {
        let to = self.to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        format!("email: {} to {to}", self.server.describe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = 'mail'\nfrom = 'logwren <logwren@example.com>'\nto = ['ops@example.com']\n";

    #[track_caller]
    fn check_config(toml: &str, expected: &str) {
        let shown = match toml::from_str::<EmailConfig>(toml) {
            Ok(config) => format!("{config:?}"),
            Err(error) => error.message().to_owned(),
        };
        assert!(shown.contains(expected), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn config() {
        check_config(&format!("{GOOD}smtp = 'smtps://u@mail.example'\npassword_env = 'PASS'"), "Env(\"PASS\")");
        check_config(&format!("{GOOD}smtp = 'smtp://localhost'\nstarttls = 'off'"), "StartTls(Off)");
        check_config(&format!("{GOOD}smtp = 'smtps://u@mail.example'"), "so a password is needed: set password_env");
        check_config(&format!("{GOOD}smtp = 'smtps://mail.example'\npassword_env = 'PASS'"), "smtp names no user");
        check_config(
            &format!("{GOOD}smtp = 'smtps://u@mail.example'\npassword = 's3cret'"),
            "keep it out of the config",
        );
        let with_to = |to: &str| format!("name = 'm'\nfrom = 'a@b.example'\nsmtp = 'smtps://h.example'\nto = {to}");
        check_config(&with_to("[]"), "to needs 1 to 50 addresses");
        check_config(&with_to("['ops']"), "to: `ops` is not a mail address");
        check_config(&with_to("[\"a@b.example\\r\\nBcc: c@d.example\"]"), "is not a mail address");
        check_config(&with_to("['Ops Team <ops@example.com>', 'b@example.com']"), "Ops Team");
    }
}
