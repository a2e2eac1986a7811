//! What did the operator write, and is it right? *Not here:* defaults of a room (each room's Config).
//!
//! Three steps: [`read()`] raw text, [`Config::parse`] what one room cannot see alone, build (daemon). The first two do no
//! I/O beyond the files themselves, so `check-config` accepts exactly what `watch` accepts.

mod read;
mod mistakes;
mod places;
mod rules;
mod secrets;
mod model;
pub mod original;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use mistakes::Mistakes;
pub use model::NoKey;
use places::{header, named, place_of, within};
pub use read::{Problem, Reading, read};
pub use rules::load_rules;
pub use secrets::resolve;

use crate::model::Period;
use crate::source::{FilesConfig, Pattern};
use crate::{batch, deliver, detect, judge, llm, parse, redact, route, source, telemetry, triage, web};

/// Everything that can be configured. Unknown keys are errors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where everything lives that survives a restart.
    pub state_dir: PathBuf,
    /// The operator's own rules: every `*.toml` in it, after the shipped ones. May be missing.
    pub rules_dir: PathBuf,
    pub sources: Sources,
    pub parse: parse::Config,
    pub batch: batch::Config,
    pub detect: detect::Config,
    pub judge: judge::Config,
    pub llm: llm::Config,
    pub redact: redact::Config,
    pub severity_rules: Vec<triage::SeverityRule>,
    pub incidents: Incidents,
    pub routes: Vec<toml::Spanned<route::Route>>,
    pub notifiers: deliver::Config,
    pub web: web::Config,
    pub log: telemetry::Config,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            state_dir: "/var/lib/logwren".into(),
            rules_dir: "/etc/logwren/rules.d".into(),
            sources: Sources::default(),
            parse: parse::Config::default(),
            batch: batch::Config::default(),
            detect: detect::Config::default(),
            judge: judge::Config::default(),
            llm: llm::Config::default(),
            redact: redact::Config::default(),
            severity_rules: Vec::new(),
            incidents: Incidents::default(),
            routes: Vec::new(),
            notifiers: deliver::Config::default(),
            web: web::Config::default(),
            log: telemetry::Config::default(),
        }
    }
}

/// `[[sources.*]]`. A config that has any gets only those; without any, `/var/log` and the journal are watched.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    pub files: Vec<FilesConfig>,
    pub journald: Vec<source::JournalConfig>,
    pub syslog: Vec<source::SyslogConfig>,
}

/// `[incidents]`: the life of an incident.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Incidents {
    /// Quiet after so long without a line.
    pub quiet_after: Period,
    /// A quiet one is forgotten after so long; should it speak again, it is new.
    pub forget_after: Period,
}

impl Default for Incidents {
    fn default() -> Incidents {
        let triage::Config { quiet_after, forget_after, severity_rules: _ } = triage::Config::default();
        Incidents { quiet_after, forget_after }
    }
}

impl Sources {
    /// What a fresh host has.
    pub fn everything() -> Sources {
        let mut logs = files(vec![Pattern::path(Path::new("/var/log"))]);
        if !rustix::process::geteuid().is_root() {
            // systemd keeps it for root on every host (file-hierarchy(7)): no mistake of anybody to warn about.
            logs.exclude.push(Pattern::path(Path::new("/var/log/private")));
        }
        Sources { files: vec![logs], journald: vec![source::JournalConfig::default()], syslog: Vec::new() }
    }

    /// Files, directories and patterns as typed on a command line, and nothing else.
    ///
    /// # Errors
    /// The first pattern that is none.
    pub fn of_paths(paths: &[&String]) -> Result<Sources, String> {
        let include = paths
            .iter()
            .map(|path| {
                let typed = Path::new(path.as_str());
                if typed.exists() || !path.contains(['*', '?', '[', '{']) {
                    return Ok(Pattern::path(typed));
                }
                let absolute = std::path::absolute(typed).map_err(|error| format!("{path}: {error}"))?;
                absolute.display().to_string().parse()
            })
            .collect::<Result<Vec<Pattern>, String>>()?;
        let files = if include.is_empty() { Vec::new() } else { vec![files(include)] };
        Ok(Sources { files, ..Sources::default() })
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.journald.is_empty() && self.syslog.is_empty()
    }
}

/// Keys of the system that logwren replaces, and what they are called here.
const FORMER_NAMES: &[(&str, &str)] = &[
    ("batch_size", "batch.size"),
    ("batch_timeout", "batch.timeout"),
    ("max_retries", "llm.gemini.max_retries"),
    ("confidence_threshold", "judge.confidence_threshold"),
    ("watch_directories", "sources.files.include"),
    ("severity_thresholds", "severity_rules"),
    ("rate_limit_delay", "llm.gemini.requests_per_minute = 60 / rate_limit_delay"),
    ("log_level", "log.level"),
];

impl Config {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn load(file: &Path) -> Result<Config, Vec<Problem>> {
        let name = file.display().to_string();
        let text = read::text(file)?;
        Config::parse(&name, &text)
    }

    /// Checks the text of a config.
    ///
    /// # Errors
    /// Every mistake at once, with its place in `file`.
    pub fn parse(file: &str, text: &str) -> Result<Config, Vec<Problem>> {
        let Reading { value, mut problems } = read::<Config>(file, text);
        for problem in &mut problems {
            if let Some((_, now)) = FORMER_NAMES.iter().find(|(former, _)| *former == problem.key) {
                problem.suggestion = Some((*now).to_owned());
            }
        }
        match value {
            Some(config) => {
                // A key that was wrong was left out: what that leads to is no mistake of its own.
                let more = config.between_rooms(file, text);
                let more: Vec<Problem> =
                    more.into_iter().filter(|one| problems.iter().all(|known| known.key != one.key)).collect();
                problems.extend(more);
                problems.sort_by_key(|problem| (problem.line, problem.column));
                if problems.is_empty() { Ok(config) } else { Err(problems) }
            }
            None => Err(problems),
        }
    }

    /// What is watched: the configured sources, or everything.
    pub fn effective_sources(&self) -> Sources {
        if self.sources.is_empty() { Sources::everything() } else { self.sources.clone() }
    }

    /// The part of triage, from the two places where it is written.
    pub fn triage(&self) -> triage::Config {
        triage::Config {
            severity_rules: self.severity_rules.clone(),
            quiet_after: self.incidents.quiet_after,
            forget_after: self.incidents.forget_after,
        }
    }

    /// For `check-config`: what this config means, a line each.
    pub fn describe(&self) -> Vec<String> {
        let sources = self.effective_sources();
        let mut lines = vec![format!("state in {}", self.state_dir.display())];
        for files in &sources.files {
            let patterns: Vec<&str> = files.include.iter().map(Pattern::as_str).collect();
            lines.push(format!("files {}", patterns.join(", ")));
        }
        lines.extend(sources.journald.iter().map(|_| "the journal".to_owned()));
        lines.extend(sources.syslog.iter().map(|syslog| format!("syslog on {}", syslog.listen)));
        lines.push(match self.judge.mode {
            judge::Mode::Off => "no model is asked".to_owned(),
            judge::Mode::Templates | judge::Mode::Lines => {
                let model = self.llm.model(self.backend());
                match self.model_key() {
                    Some(key) if self.llm.needs_key(self.backend()) => {
                        format!("asks {model} when there is a key in {key}")
                    }
                    Some(key) => format!("asks {model}, with the key in {key} if there is one"),
                    None => format!("asks {model} without a key"),
                }
            }
        });
        lines.push(format!("{} routes, {} severity rules of your own", self.routes.len(), self.severity_rules.len()));
        lines
    }

    /// Mistakes no room can see alone.
    fn between_rooms(&self, file: &str, text: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, near, message) in self.model_mistakes() {
            problems.push(read::problem(file, text, place_of(text, &near), key, &message));
        }
        for (at, files) in self.sources.files.iter().enumerate() {
            if files.include.is_empty() {
                problems.push(read::problem(
                    file,
                    text,
                    header(text, "[[sources.files]]", at),
                    format!("sources.files[{at}].include"),
                    "missing key `include`: nothing would be watched; write it like include = [\"/var/log/**/*.log\"]",
                ));
            }
        }
        let files = self.sources.files.iter().enumerate().map(|(at, files)| ("files", at, &files.format));
        let syslog = self.sources.syslog.iter().enumerate().map(|(at, syslog)| ("syslog", at, &syslog.format));
        for (kind, at, format) in files.chain(syslog) {
            if let Some(name) = format
                && let Err(message) = parse::Format::from_config(name)
            {
                let key = format!("sources.{kind}[{at}].format");
                problems.push(read::problem(file, text, place_of(text, name), key, &message));
            }
        }
        if self.state_dir.as_os_str().is_empty() {
            let message = "a state directory is needed; write it like \"/var/lib/logwren\"";
            problems.push(read::problem(file, text, place_of(text, ""), "state_dir".to_owned(), message));
        }
        let names = self.notifiers.names();
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|earlier| earlier == name) {
                let message = format!("two notifiers are called `{name}`; each needs a name of its own");
                problems.push(read::problem(file, text, named(text, name), "notifiers".to_owned(), &message));
            }
        }
        for (at, route) in self.routes.iter().enumerate() {
            for name in &route.get_ref().notifiers {
                if !names.contains(name) {
                    let known: std::collections::BTreeSet<String> =
                        names.iter().map(|name| format!("`{name}`")).collect();
                    let known: Vec<String> = known.into_iter().collect();
                    let message = if known.is_empty() {
                        format!("unknown notifier `{name}`; the config has no [[notifiers.*]]")
                    } else {
                        format!("unknown notifier `{name}`, expected one of {}", known.join(", "))
                    };
                    let key = format!("routes[{at}].notifiers");
                    problems.push(read::problem(file, text, within(text, route.span(), name), key, &message));
                }
            }
        }
        problems
    }
}

fn files(include: Vec<Pattern>) -> FilesConfig {
    FilesConfig { include, ..FilesConfig::default() }
}
