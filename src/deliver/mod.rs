//! How does an alert reach a person? By Slack, a webhook, mail or standard output: one notifier a file, one attempt a
//! call.
//!
//! An [`Alert`] becomes a [`Message`] by a redactor, and only a message has a path to a socket. *Not here:* whether, when
//! and how often (`route`), what is kept until it worked (`store`).

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::egress::Ledger;
use crate::model::{
    Alert, Category, Delivery, DeliveryOutcome, Fingerprint, Incident, IncidentState, JudgedBy, Severity, Timestamp,
};
use crate::redact::Redactor;
use crate::registry::Component;

mod settings;
mod message;
mod trouble;
mod http;
mod slack;
mod slack_blocks;
mod webhook;
mod webhook_body;
mod email;
mod mail;
mod smtp;
mod smtp_address;
mod terminal;

pub use email::EmailConfig;
pub use message::{Judge, Message, Sample};
pub use settings::{Redact, Secrets};
pub use slack::SlackConfig;
pub use smtp_address::{Security, SmtpAddress, StartTls};
pub use terminal::{Color, StdoutConfig, render};
pub use webhook::{Address, WebhookConfig};
pub use webhook_body::signature;

/// Every notifier there is.
pub const COMPONENTS: &[Component] = &[
    Component { role: "notifier", name: "slack", does: "posts to a Slack incoming webhook" },
    Component { role: "notifier", name: "webhook", does: "posts signed JSON to any HTTP receiver" },
    Component { role: "notifier", name: "email", does: "sends mail through an SMTP server" },
    Component { role: "notifier", name: "stdout", does: "prints alerts to standard output" },
];

/// `[notifiers]`: none by default.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub slack: Vec<SlackConfig>,
    pub webhook: Vec<WebhookConfig>,
    pub email: Vec<EmailConfig>,
    pub stdout: Vec<StdoutConfig>,
}

impl Config {
    /// The names of all notifiers, in the order of the tables.
    pub fn names(&self) -> Vec<Arc<str>> {
        let slack = self.slack.iter().map(|config| &config.name);
        let webhook = self.webhook.iter().map(|config| &config.name);
        let email = self.email.iter().map(|config| &config.name);
        let stdout = self.stdout.iter().map(|config| &config.name);
        slack.chain(webhook).chain(email).chain(stdout).cloned().collect()
    }
}

/// Something that carries one message to people.
///
/// An implementation makes one attempt a call, ends within its time limit, and may be called for several messages at
/// once. Sending the same message twice must be recognizable by the receiver (idempotency key, Message-ID). Its errors
/// name the host and the fix and never a secret.
pub trait Notifier: Send + Sync {
    /// The name routes use.
    fn name(&self) -> &str;

    /// One attempt.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, DeliveryOutcome>;

    /// One line for `check-config`: what it is and where it sends. No secret.
    fn describe(&self) -> String;
}

/// Somebody in this process, who gets the alert itself.
pub type Callback = Arc<dyn Fn(&Alert) + Send + Sync>;

/// All notifiers of a config, ready to send.
pub struct Deliverers {
    entries: Vec<Entry>,
    callback: Option<(Arc<str>, Callback)>,
    redactor: Arc<Redactor>,
    /// For the times people read.
    zone: TimeZone,
    ledger: Ledger,
}

struct Entry {
    name: Arc<str>,
    redact: Redact,
    notifier: Box<dyn Notifier>,
}

impl Config {
    /// Standard output alone: what `watch` uses without a config.
    pub fn stdout_only() -> Config {
        Config { stdout: vec![StdoutConfig::default()], ..Config::default() }
    }
}

impl Deliverers {
    /// Resolves every secret and builds every client. Reads `ca_file`s, touches no network.
    ///
    /// # Errors
    /// All problems at once, each naming its table and notifier: `notifiers.slack "ops": …`.
    pub fn new(config: &Config, secrets: Secrets<'_>, redactor: Arc<Redactor>) -> Result<Deliverers, Vec<String>> {
        type Built = Result<Box<dyn Notifier>, String>;
        fn boxed<N: Notifier + 'static>(built: Result<N, String>) -> Built {
            built.map(|notifier| Box::new(notifier) as Box<dyn Notifier>)
        }
        let slack = config.slack.iter().map(|c| ("slack", &c.name, c.redact, boxed(slack::Slack::new(c, secrets))));
        let webhook =
            config.webhook.iter().map(|c| ("webhook", &c.name, c.redact, boxed(webhook::Webhook::new(c, secrets))));
        let email = config.email.iter().map(|c| ("email", &c.name, c.redact, boxed(email::Email::new(c, secrets))));
        let stdout = config.stdout.iter().map(|c| ("stdout", &c.name, c.redact, boxed(Ok(terminal::Stdout::new(c)))));

        let mut entries: Vec<Entry> = vec![];
        let mut problems = vec![];
        for (table, name, redact, built) in slack.chain(webhook).chain(email).chain(stdout) {
            if entries.iter().any(|entry| entry.name == *name) {
                problems
                    .push(format!("notifiers.{table} \"{name}\": another notifier has this name; names are unique"));
            }
            match built {
                Ok(notifier) => entries.push(Entry { name: name.clone(), redact, notifier }),
                Err(error) => problems.push(format!("notifiers.{table} \"{name}\": {error}")),
            }
        }
        if problems.is_empty() {
            Ok(Deliverers { entries, callback: None, redactor, zone: TimeZone::system(), ledger: Ledger::memory() })
        } else {
            Err(problems)
        }
    }

    /// Records what leaves in `ledger`; without this, in one that is gone with the process.
    pub fn recorded_in(mut self, ledger: Ledger) -> Deliverers {
        self.ledger = ledger;
        self
    }

    /// Tells `callback` too, under this name.
    #[must_use]
    pub fn with_callback(self, name: Arc<str>, callback: Callback) -> Deliverers {
        Deliverers { callback: Some((name, callback)), ..self }
    }

    /// In config order; what routes may name.
    pub fn names(&self) -> Vec<Arc<str>> {
        let callback = self.callback.iter().map(|(name, _)| name);
        self.entries.iter().map(|entry| &entry.name).chain(callback).cloned().collect()
    }

    /// Name and description of each, for `check-config`.
    pub fn describe(&self) -> Vec<(Arc<str>, String)> {
        self.entries.iter().map(|entry| (entry.name.clone(), entry.notifier.describe())).collect()
    }

    /// One attempt to send `alert` through the notifier it names.
    pub async fn deliver(&self, alert: Alert) -> Delivery {
        if let Some((_, callback)) = self.callback.as_ref().filter(|(name, _)| *name == alert.notifier) {
            callback(&alert);
            return Delivery { alert: alert.id, outcome: DeliveryOutcome::Delivered };
        }
        let outcome = match self.entries.iter().find(|entry| entry.name == alert.notifier) {
            Some(entry) => {
                let message = Message::new(&alert, &self.redactor, entry.redact, self.zone.clone());
                self.send(entry, &message).await
            }
            None => DeliveryOutcome::Refused {
                error: format!(
                    "the config has no notifier \"{}\" any more; add it again, or correct the routes",
                    alert.notifier
                ),
            },
        };
        Delivery { alert: alert.id, outcome }
    }

    /// Sends a message through `name` that says it is a test. `host` is this host's name. `None`: no such notifier.
    pub async fn test(&self, name: &str, host: &str, now: Timestamp) -> Option<DeliveryOutcome> {
        let entry = self.entries.iter().find(|entry| &*entry.name == name)?;
        let alert = test_alert(name, host, now);
        let mut message = Message::new(&alert, &self.redactor, entry.redact, self.zone.clone());
        message.test = true;
        Some(self.send(entry, &message).await)
    }

    async fn send(&self, entry: &Entry, message: &Message) -> DeliveryOutcome {
        self.ledger.during(format!("alert {}", entry.name), entry.notifier.send(message)).await
    }
}

impl fmt::Debug for Deliverers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.describe()).finish()
    }
}

/// Each test is an incident of its own: a receiver that drops repeats must not drop it.
fn test_alert(name: &str, host: &str, now: Timestamp) -> Alert {
    let id = Fingerprint::of(&["test", name, &now.as_micros().to_string()]);
    let incident = Incident {
        id,
        state: IncidentState::New,
        severity: Severity::Low,
        category: Category::Other,
        confidence: 1.0,
        host: host.into(),
        program: "logwren".into(),
        title: "Test alert, nothing is wrong".into(),
        reason: format!("`logwren test-alert {name}` was run on {host}. If you can read this, alerts reach you."),
        remediation: vec!["Nothing to do.".into()],
        judged_by: JudgedBy::Rule("test-alert".into()),
        not_judged: String::new(),
        template: None,
        template_text: String::new(),
        kinds: vec![],
        count: 1,
        first_seen: now,
        last_seen: now,
        evidence: vec![],
        about_self: true,
    };
    Alert {
        id: format!("test-{id}").into(),
        notifier: name.into(),
        state: IncidentState::New,
        incident,
        created_at: now,
        attempts: 0,
        next_attempt: now,
        last_error: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SecretRef;
    use crate::redact::Secret;

    fn build(toml: &str) -> Result<Deliverers, Vec<String>> {
        let secrets = |place: &SecretRef| match place {
            SecretRef::Env(name) if name == "HOOK" => Ok(Secret::from("https://hooks.slack.com/services/s3cret")),
            SecretRef::Env(name) if name == "PLAIN" => Ok(Secret::from("http://hooks.example/s3cret")),
            SecretRef::Env(_) | SecretRef::Credential(_) | SecretRef::File(_) => Err(format!("{place} is not set")),
        };
        let redactor = Arc::new(Redactor::new(&Default::default(), [7; 32]));
        Deliverers::new(&toml::from_str(toml).unwrap(), &secrets, redactor)
    }

    #[test]
    fn all_problems_at_once() {
        let problems = build(
            "slack = [{name = 'a', url_env = 'NONE'}, {name = 'b', url_env = 'PLAIN'}, {name = 'c', url_env = 'HOOK'}]\n\
             webhook = [{name = 'c', url = 'https://x.example'}, {name = 'd', url = 'https://x.example', ca_file = '/no'}]",
        )
        .unwrap_err();
        let problems = problems.join("\n");
        for expected in [
            "notifiers.slack \"a\": environment variable NONE is not set",
            "notifiers.slack \"b\": the address in environment variable PLAIN uses http:// to hooks.example; allowed",
            "notifiers.webhook \"c\": another notifier has this name",
            "notifiers.webhook \"d\": ca_file /no: ",
        ] {
            assert!(problems.contains(expected), "{problems}");
        }
        assert!(!problems.contains("s3cret"), "{problems}");
    }

    #[test]
    fn names_and_descriptions() {
        let deliverers = build("slack = [{name = 'ops', url_env = 'HOOK'}]\nstdout = [{}]").unwrap();
        assert_eq!(deliverers.names(), ["ops".into(), Arc::from("stdout")]);
        assert!(!format!("{deliverers:?}").contains("s3cret"));
        assert_eq!(build("").unwrap().names().len(), 0);
    }

    #[tokio::test]
    async fn a_notifier_that_is_gone_is_a_dead_letter() {
        let mut alert = test_alert("gone", "web-03", Timestamp::EPOCH);
        alert.id = "x".into();
        let delivery = build("").unwrap().deliver(alert).await;
        assert_eq!(&*delivery.alert, "x");
        assert!(matches!(delivery.outcome, DeliveryOutcome::Refused { error } if error.contains("\"gone\"")));
    }
}
