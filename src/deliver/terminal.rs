//! Alerts on standard output: one short block each, for `watch` at a terminal. Colors only there. What a log line holds
//! is shown, never obeyed.

use std::io::IsTerminal;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use super::settings::{self, Redact};
use super::{Message, Notifier};
use crate::model::inert::{clip, one_line};
use crate::model::{DeliveryOutcome, IncidentState, Severity};

/// Lines shown of an incident.
const MAX_SAMPLES: usize = 2;
/// Longest line shown, in UTF-16 units.
const MAX_LINE: usize = 400;

/// `[[notifiers.stdout]]`. The default one is what `watch` uses without a config.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct StdoutConfig {
    /// Default `stdout`.
    pub name: Arc<str>,
    pub redact: Redact,
    pub color: Color,
}

/// `color =` of a stdout notifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is `dumb`.
    #[default]
    Auto,
    Always,
    Never,
}

impl Default for StdoutConfig {
    fn default() -> StdoutConfig {
        StdoutConfig { name: "stdout".into(), redact: Redact::default(), color: Color::default() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: Option<String>,
    #[serde(default)]
    redact: Redact,
    #[serde(default)]
    color: Color,
}

impl TryFrom<Raw> for StdoutConfig {
    type Error = String;

    fn try_from(raw: Raw) -> Result<StdoutConfig, String> {
        let name = settings::name(raw.name.unwrap_or_else(|| "stdout".into()))?;
        Ok(StdoutConfig { name, redact: raw.redact, color: raw.color })
    }
}

/// Standard output of this process.
#[derive(Debug)]
pub struct Stdout {
    name: Arc<str>,
    color: bool,
    /// One block at a time, whoever sends.
    turn: tokio::sync::Mutex<()>,
}

impl Stdout {
    /// Looks at the terminal and at NO_COLOR once.
    pub fn new(config: &StdoutConfig) -> Stdout {
        let color = match config.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
                std::io::stdout().is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_none_or(|t| t != "dumb")
            }
        };
        Stdout { name: config.name.clone(), color, turn: tokio::sync::Mutex::new(()) }
    }
}

impl Notifier for Stdout {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, DeliveryOutcome> {
        Box::pin(async move {
            let text = render(message, self.color);
            let _turn = self.turn.lock().await;
            let mut stdout = tokio::io::stdout();
            let written = async { stdout.write_all(text.as_bytes()).await.and(stdout.flush().await) };
            match written.await {
                Ok(()) => DeliveryOutcome::Delivered,
                // Nobody will ever read it again.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => DeliveryOutcome::Refused {
                    error: "standard output is closed; start logwren with an open one, or use another notifier".into(),
                },
                Err(error) => DeliveryOutcome::Retry { error: format!("standard output: {error}"), after: None },
            }
        })
    }

    fn describe(&self) -> String {
        "stdout: alerts as text".to_owned()
    }
}

/// The block: when, how bad, whose, what; the line; why; what to do; who says so. Ends with an empty line.
pub fn render(message: &Message, color: bool) -> String {
    let paint = |code: &str, text: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let hue = match (message.state, message.severity) {
        (IncidentState::Quiet, _) => "32",
        (_, Severity::Critical) => "1;37;41",
        (_, Severity::High) => "1;31",
        (_, Severity::Medium) => "1;33",
        (_, Severity::Low) => "1;36",
    };
    let subject = message.subject();
    let (label, what) = subject.split_once(' ').unwrap_or((subject.as_str(), ""));
    let mut text = format!(
        "{} {} {} {}\n",
        paint("2", &message.local(message.last_seen)),
        paint(hue, label),
        paint("1", &clip(what, MAX_LINE)),
        paint("2", &format!("({})", message.status())),
    );
    let mut line = |label: &str, content: &str| {
        let content = clip(&one_line(content), MAX_LINE);
        if !content.trim().is_empty() {
            text.push_str(&format!("  {} {content}\n", paint("2", &format!("{label:<5}"))));
        }
    };
    for sample in message.evidence.iter().take(MAX_SAMPLES) {
        line("line", sample.line.as_str());
    }
    for (index, reason) in message.reason.as_str().lines().enumerate() {
        line(if index == 0 { "why" } else { "" }, reason);
    }
    for (index, step) in message.remediation.iter().enumerate() {
        line(if index == 0 { "do" } else { "" }, step.as_str());
    }
    line("by", &format!("{}; incident {}", message.judged(), message.incident));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::message;
    use super::*;

    #[test]
    fn one_short_block() {
        assert_eq!(
            render(&message(None), false),
            "\
2025-11-22 10:25:00 UTC [HIGH] web-03 nginx: upstream timed out (new, 214 in 5 m)
  line  upstream timed out (110: Connection timed out) while reading
  line  upstream timed out (110: Connection timed out) while reading
  why   214 lines in 5 minutes where 3 a day are usual
  do    check the upstream
        restart php-fpm
  by    seen by rule web-upstream; not judged by a model: no key; incident 00000000000000aa

"
        );
    }

    #[test]
    fn the_log_cannot_drive_the_terminal() {
        let text = render(&message(Some("\x1b]0;owned\x07\x1b[2J\r\nfake [LOW]\u{9b}31m\u{202e}")), false);
        assert!(!text.contains(['\x1b', '\x07', '\r', '\u{9b}', '\u{202e}']), "{text}");
        assert!(text.lines().skip(1).all(|line| line.is_empty() || line.starts_with("  ")), "{text}");
        assert!(render(&message(None), true).contains("\x1b[1;31m[HIGH]\x1b[0m"));
    }

    #[test]
    fn config() {
        assert_eq!(toml::from_str::<StdoutConfig>("").unwrap(), StdoutConfig::default());
        let config: StdoutConfig = toml::from_str("name = 'screen'\ncolor = 'never'\nredact = 'all'").unwrap();
        assert_eq!((&*config.name, config.color, config.redact), ("screen", Color::Never, Redact::All));
        assert!(toml::from_str::<StdoutConfig>("colour = 'never'").is_err());
    }
}
