//! One conversation with a mail server: connect, encrypt, log in, hand over one letter. Each step knows what a refusal
//! there means. No connection is kept: alerts are rare, and an idle one would be dead by the next.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout_at};

use super::settings::read_ca_file;
use super::smtp_address::{Security, SmtpAddress, StartTls};
use super::trouble::{self, quote};
use crate::egress;
use crate::model::{DeliveryOutcome, Period};
use crate::redact::Secret;

/// How long a polite goodbye may take; the letter is handed over by then.
const GOODBYE: Duration = Duration::from_millis(500);

/// A letter in wire format, without its dots stuffed.
pub(super) struct Letter {
    pub sender: Address,
    pub recipients: Vec<Address>,
    pub bytes: Vec<u8>,
}

/// What the server said of each recipient. The letter was handed over when anybody was accepted.
#[derive(Default)]
pub(super) struct Receipt {
    pub accepted: Vec<Address>,
    /// Refused for good (5xx), with the server's words.
    pub refused: Vec<(Address, String)>,
    /// Not now (4xx).
    pub delayed: Vec<(Address, String)>,
}

/// Nobody got it.
#[derive(PartialEq, Debug)]
pub(super) struct Failure {
    /// Names the server and the fix; no secret.
    pub error: String,
    /// Sending the same again is pointless.
    pub permanent: bool,
}

/// One server and how to talk to it.
pub(super) struct Server {
    host: String,
    port: u16,
    security: Security,
    /// `None` only with STARTTLS off.
    tls: Option<TlsParameters>,
    login: Option<Login>,
    timeout: Period,
}

struct Login {
    user: String,
    password: Secret,
}

/// Where in the conversation we are: decides what a refusal means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Connect,
    Encrypt,
    LogIn,
    Sender,
    Recipient,
    Content,
}

impl Failure {
    pub fn into_outcome(self) -> DeliveryOutcome {
        match self {
            Failure { error, permanent: true } => DeliveryOutcome::Refused { error },
            Failure { error, permanent: false } => DeliveryOutcome::Retry { error, after: None },
        }
    }
}

impl Server {
    /// Builds the TLS set-up. No network.
    pub fn new(
        address: &SmtpAddress,
        password: Option<Secret>,
        ca_file: Option<&Path>,
        timeout: Period,
    ) -> Result<Server, String> {
        let tls = match address.security {
            Security::StartTls(StartTls::Off) => None,
            Security::Implicit | Security::StartTls(StartTls::Required | StartTls::IfOffered) => {
                let mut builder = TlsParameters::builder(address.host.clone());
                if let Some(path) = ca_file {
                    let certificate = Certificate::from_pem(&read_ca_file(path)?)
                        .map_err(|_| format!("ca_file {}: a certificate in it cannot be read", path.display()))?;
                    builder = builder.add_root_certificate(certificate);
                }
                Some(builder.build().map_err(|error| trouble::reach("TLS set-up of this host", &error))?)
            }
        };
        let login = address.user.clone().zip(password).map(|(user, password)| Login { user, password });
        let SmtpAddress { security, host, port, .. } = address.clone();
        Ok(Server { host, port, security, tls, login, timeout })
    }

    /// `host:port`.
    pub fn peer(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub fn describe(&self) -> String {
        let how = match self.security {
            Security::Implicit => "TLS",
            Security::StartTls(StartTls::Required) => "STARTTLS",
            Security::StartTls(StartTls::IfOffered) => "STARTTLS if offered",
            Security::StartTls(StartTls::Off) => "not encrypted",
        };
        let user = self.login.as_ref().map(|login| format!(" as {}", login.user)).unwrap_or_default();
        format!("{} ({how}){user}", self.peer())
    }

    /// The whole conversation, within the time limit.
    pub async fn submit(&self, letter: &Letter) -> Result<Receipt, Failure> {
        let deadline = Instant::now() + self.timeout.0;
        let mut connection = self.open(deadline).await?;
        let result = self.hand_over(&mut connection, letter, deadline).await;
        // Whatever it answers now changes nothing.
        let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
        result
    }

    /// Connects, encrypts and logs in.
    async fn open(&self, deadline: Instant) -> Result<AsyncSmtpConnection, Failure> {
        let hello = ClientId::default();
        let at_once = match self.security {
            Security::Implicit => self.tls.clone(),
            Security::StartTls(_) => None,
        };
        let address = (self.host.as_str(), self.port);
        // A name may stand for several addresses: one that swallows packets must leave time for the next.
        let each = Some(self.timeout.0 / 2);
        let connecting = AsyncSmtpConnection::connect_tokio1(address, each, &hello, at_once, None);
        let mut connection = self.step(Step::Connect, deadline, connecting).await?;
        if let (Security::StartTls(mode), Some(tls)) = (self.security, &self.tls) {
            if connection.can_starttls() {
                self.step(Step::Encrypt, deadline, connection.starttls(tls.clone(), &hello)).await?;
            } else if mode == StartTls::Required {
                return Err(self.later(
                    "it offers no STARTTLS, and nothing is sent unencrypted; use smtps:// (port 465) or correct the \
                     server",
                ));
            }
        }
        if let Some(login) = &self.login {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            if connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
                return Err(self.later(
                    "it offers no PLAIN or LOGIN authentication here; check the port, or leave the user out of smtp",
                ));
            }
            let credentials = Credentials::new(login.user.clone(), login.password.expose_secret().to_owned());
            self.step(Step::LogIn, deadline, connection.auth(&mechanisms, &credentials)).await?;
        }
        Ok(connection)
    }

    /// Sender, recipients, content.
    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        letter: &Letter,
        deadline: Instant,
    ) -> Result<Receipt, Failure> {
        let ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        let mut parameters = vec![];
        if !letter.recipients.iter().chain([&letter.sender]).all(ascii) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(self.later("it cannot take addresses beyond ASCII (no SMTPUTF8); use plain ones"));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let sender = Mail::new(Some(letter.sender.clone()), parameters);
        self.step(Step::Sender, deadline, connection.command(sender)).await?;
        let mut receipt = Receipt::default();
        for recipient in &letter.recipients {
            let command = Rcpt::new(recipient.clone(), vec![]);
            match timeout_at(deadline, connection.command(command)).await {
                Ok(Ok(_)) => receipt.accepted.push(recipient.clone()),
                Ok(Err(error)) if error.is_permanent() => {
                    receipt.refused.push((recipient.clone(), self.words(&error)));
                }
                Ok(Err(error)) if error.is_transient() => {
                    receipt.delayed.push((recipient.clone(), self.words(&error)));
                }
                Ok(Err(error)) => return Err(self.failure(Step::Recipient, &error)),
                Err(_) => return Err(self.too_slow(Step::Recipient)),
            }
        }
        if !receipt.accepted.is_empty() {
            let entry = egress::leaving(&self.peer(), &letter.bytes).map_err(|error| self.later(&error.to_string()))?;
            let handed = match self.step(Step::Content, deadline, connection.command(Data)).await {
                Ok(_) => self.step(Step::Content, deadline, connection.message(&letter.bytes)).await,
                Err(failure) => Err(failure),
            };
            entry.ended(if handed.is_ok() { "accepted" } else { "not accepted" });
            handed?;
        }
        Ok(receipt)
    }

    async fn step<T>(
        &self,
        step: Step,
        deadline: Instant,
        doing: impl Future<Output = Result<T, SmtpError>>,
    ) -> Result<T, Failure> {
        match timeout_at(deadline, doing).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failure(step, &error)),
            Err(_) => Err(self.too_slow(step)),
        }
    }

    fn later(&self, words: &str) -> Failure {
        Failure { error: format!("{}: {words}", self.peer()), permanent: false }
    }

    fn too_slow(&self, step: Step) -> Failure {
        let mut error = trouble::silence(&self.peer(), self.timeout);
        if step == Step::Connect && self.security != Security::Implicit {
            error.push_str("; a port that expects TLS at once (465) needs smtps://");
        }
        Failure { error, permanent: false }
    }

    /// 4xx is tried again. 5xx about the letter is final; 5xx about us (access, login) is what operators mend.
    fn failure(&self, step: Step, error: &SmtpError) -> Failure {
        let peer = self.peer();
        let Some(code) = error.status().map(u16::from) else {
            let error = if error.is_response() {
                format!("{peer}: it broke off or does not speak SMTP; check the port and its log")
            } else {
                trouble::reach(&peer, error)
            };
            return Failure { error, permanent: false };
        };
        let said = format!("{peer} answered {code} {}", self.words(error));
        // 530, 534, 535 and 538 ask for authentication wherever they come (RFC 4954 section 6).
        let about_login = step == Step::LogIn || matches!(code, 530 | 534 | 535 | 538);
        let (error, permanent) = match step {
            _ if about_login && self.login.is_some() => {
                (format!("{said}: it refuses the login; check the user in smtp and the password"), false)
            }
            _ if about_login => (format!("{said}: it wants a login; add user@ to smtp, and a password"), false),
            Step::Connect | Step::Encrypt | Step::LogIn => {
                (format!("{said}: it does not talk to this host; see its log"), false)
            }
            Step::Sender => (format!("{said}: it does not take the from address"), error.is_permanent()),
            Step::Recipient | Step::Content => (format!("{said}: it does not take this mail"), error.is_permanent()),
        };
        Failure { error, permanent }
    }

    /// The server's words, inert and short, without anything that could be an echo of the login.
    fn words(&self, error: &SmtpError) -> String {
        let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        let Some(login) = &self.login else { return quote(&text) };
        if text.contains(login.password.expose_secret()) {
            return String::new();
        }
        // Base64 of user and password is one long word; nothing a server has to say is, except links.
        let looks_encoded =
            |word: &str| word.len() >= 16 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
        quote(&text.split(' ').map(|word| if looks_encoded(word) { "…" } else { word }).collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.describe())
    }
}
