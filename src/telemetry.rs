//! Our own log events: journald when run as a service, stderr otherwise. Never logs log text or secrets.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// `[log]`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub level: LogLevel,
    pub format: LogFormat,
}

impl Default for Config {
    fn default() -> Config {
        Config { level: LogLevel::Info, format: LogFormat::Auto }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// journald when stderr is connected to the journal, text otherwise.
    Auto,
    Text,
    Json,
    Journald,
}

impl LogLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }

    /// `-v` and `-q` move one step each.
    pub fn shifted(self, louder: i16) -> LogLevel {
        const STEPS: [LogLevel; 5] =
            [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
        let here = STEPS.iter().position(|step| *step == self).unwrap_or(2) as i16;
        STEPS[(here.saturating_add(louder)).clamp(0, 4) as usize]
    }
}

/// Starts logging for the process. `LOGWREN_LOG` (tracing's filter syntax) overrides the level. Call once.
pub fn start(config: &Config) {
    let ours = format!("warn,logwren={0}", config.level.as_str());
    let filter = std::env::var("LOGWREN_LOG")
        .ok()
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(ours));
    let registry = tracing_subscriber::registry().with(filter);
    // JOURNAL_STREAM is set by systemd when stderr goes to the journal: then fields go along.
    let to_journal = match config.format {
        LogFormat::Auto => std::env::var_os("JOURNAL_STREAM").is_some(),
        LogFormat::Journald => true,
        LogFormat::Text | LogFormat::Json => false,
    };
    let journald = if to_journal { tracing_journald::layer().ok() } else { None };
    // A second call (tests in one process) keeps the first subscriber.
    let _ = match (journald, config.format) {
        (Some(layer), _) => registry.with(layer.with_syslog_identifier("logwren".to_owned())).try_init(),
        (None, LogFormat::Json) => {
            registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init()
        }
        (None, LogFormat::Auto | LogFormat::Text | LogFormat::Journald) => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_target(false)
                    .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_move_the_level_within_bounds() {
        assert_eq!(LogLevel::Info.shifted(1), LogLevel::Debug);
        assert_eq!(LogLevel::Info.shifted(-9), LogLevel::Error);
        assert_eq!(LogLevel::Info.shifted(9), LogLevel::Trace);
    }
}
