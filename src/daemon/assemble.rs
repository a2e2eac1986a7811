//! From a checked config to running parts. The only place that knows how the rooms fit together; runs nothing.

use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::config::{Config, Mistakes, NoKey, load_rules, resolve};
use crate::deliver::{self, Deliverers};
use crate::driver::{self, Parts, Reload, Remake};
use crate::egress::Ledger;
use crate::exit::{HintedError, UsageError};
use crate::judge;
use crate::llm::{Client, Frame};
use crate::pipeline::{Effects, Pipeline, Settings};
use crate::redact::Redactor;
use crate::source::{Files, Journal, Limits, Source, Stdin, Syslog};
use crate::store::{Store, StoreError};

use super::{Options, Watch};

/// Everything a start needs.
pub struct Assembled {
    pub parts: Parts,
    /// Said before anything else: what is watched, what leaves the host.
    pub greeting: Vec<String>,
}

/// Builds all parts of `watch`.
///
/// # Errors
/// Wrong rules or notifiers (usage), or a state that cannot be opened.
pub fn everything(options: &Options) -> anyhow::Result<Assembled> {
    let config = &options.config;
    let mut settings = settings(config)?;
    let nobody_else = options.callback.is_none();
    let mut deliverers = deliverers(config, Arc::clone(&settings.redactor), nobody_else)?;
    if let Some(callback) = &options.callback {
        deliverers = deliverers.with_callback(Watch::NOTIFIER.into(), Arc::clone(callback));
    }
    settings.notifiers = deliverers.names();
    let opened = Store::open(&config.state_dir, driver::now()).map_err(|error| cannot_open(config, error))?;
    let ledger = ledger(&config.state_dir)?;
    let deliverers = deliverers.recorded_in(ledger.clone());
    let (model, mut greeting) = model(config, &mut settings, ledger);
    if let Some(story) = &opened.recovered {
        tracing::error!("{story}");
    }
    let mut pipeline = Pipeline::new(settings);
    let positions = opened.snapshot.positions.clone();
    let mut restored = Effects::default();
    let learned = pipeline.restore(opened.snapshot, driver::now(), &mut restored);
    if !learned {
        greeting
            .push("learning what is already there; lines that come now are watched from the first second".to_owned());
    }
    let parts = Parts {
        pipeline,
        restored,
        store: opened.store,
        positions,
        sources: sources(config, options.stdin),
        remake: remake(config, options.stdin),
        model,
        deliverers: Arc::new(deliverers),
        notices: Box::new(super::notices::notice),
    };
    Ok(Assembled { parts, greeting })
}

fn cannot_open(config: &Config, error: StoreError) -> HintedError {
    let hint = match &error {
        StoreError::Held { .. } => "stop the other one, or give this one a state of its own with --state-dir DIR",
        StoreError::Newer { .. } => "install that version again, or begin a new state with --state-dir DIR",
        StoreError::Full { .. } => "make room on that file system, or use another one with --state-dir DIR",
        // Open for later additions: what is left is about the file and who may use it.
        _ => "run as the owner of that directory, or choose another one with --state-dir DIR",
    };
    HintedError {
        message: format!("cannot use the state in {}", config.state_dir.display()),
        hint: hint.to_owned(),
        source: Box::new(error),
    }
}

/// Builds what a reload replaces.
///
/// # Errors
/// Wrong rules or notifiers; the old parts then stay.
pub fn reload(config: &Config, stdin: bool) -> anyhow::Result<Reload> {
    let mut settings = settings(config)?;
    let ledger = ledger(&config.state_dir)?;
    let deliverers = deliverers(config, Arc::clone(&settings.redactor), true)?.recorded_in(ledger.clone());
    settings.notifiers = deliverers.names();
    let (model, _) = model(config, &mut settings, ledger);
    // Standard input cannot be opened again.
    let sources = (!stdin).then(|| sources(config, false));
    Ok(Reload { settings, sources, remake: remake(config, stdin), model, deliverers: Arc::new(deliverers) })
}

/// The pipeline's part of the config.
///
/// # Errors
/// The mistakes in the rules.
pub fn settings(config: &Config) -> anyhow::Result<Settings> {
    let rules = load_rules(&config.rules_dir).map_err(Mistakes)?;
    let zone = config.parse.timezone.as_ref().map_or_else(jiff::tz::TimeZone::system, |zone| zone.time_zone().clone());
    let mut random = [0u8; 8];
    entropy(&mut random);
    let (max_input_tokens, max_output_tokens) = config.llm.room(config.backend());
    let room = judge::Room { max_input_tokens, max_output_tokens };
    Ok(Settings {
        host: host_name(),
        zone,
        own_pid: std::process::id(),
        mine: crate::mine::Config::default(),
        batch: config.batch.clone(),
        detect: config.detect.clone(),
        rules,
        judge: config.judge.clone(),
        room,
        no_judge: None,
        triage: config.triage(),
        route: crate::route::Config { routes: config.routes.iter().map(|route| route.get_ref().clone()).collect() },
        notifiers: Vec::new(),
        redactor: redactor(config),
        seed: u64::from_le_bytes(random),
    })
}

/// A run that is recorded or replayed asks in the same words as the recorded one.
pub fn framed(settings: &mut Settings, client: &Client) {
    if let Some(Frame { seed, max_input_tokens, max_output_tokens }) = client.frame() {
        settings.seed = seed;
        settings.room = judge::Room { max_input_tokens, max_output_tokens };
    }
}

/// The one redactor of the process, with a key nobody else has.
pub fn redactor(config: &Config) -> Arc<Redactor> {
    let mut key = [0u8; 32];
    entropy(&mut key);
    Arc::new(Redactor::new(&config.redact, key))
}

/// This host as syslog would call it.
pub fn host_name() -> Arc<str> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // journald and rsyslog log the short name.
    name.split('.').next().filter(|short| !short.is_empty()).unwrap_or("localhost").into()
}

/// Where everything that leaves is recorded.
///
/// # Errors
/// It cannot be written; nothing could leave then.
pub fn ledger(state_dir: &Path) -> anyhow::Result<Ledger> {
    Ledger::open(state_dir).map_err(|error| {
        HintedError {
            message: "cannot open the ledger of what leaves this host".to_owned(),
            hint: "run as the owner of the state directory, or choose another one with --state-dir DIR".to_owned(),
            source: Box::new(error),
        }
        .into()
    })
}

/// `nobody_else`: where no notifier is configured, alerts are printed.
fn deliverers(config: &Config, redactor: Arc<Redactor>, nobody_else: bool) -> anyhow::Result<Deliverers> {
    let nobody = nobody_else && config.notifiers.names().is_empty();
    let notifiers = if nobody { deliver::Config::stdout_only() } else { config.notifiers.clone() };
    Deliverers::new(&notifiers, &resolve, redactor).map_err(|problems| {
        UsageError {
            message: format!("a notifier cannot be used: {}", problems.join("; ")),
            hint: Some("logwren check-config FILE shows every notifier and what it misses".to_owned()),
        }
        .into()
    })
}

/// The model's client when there is a key, and what to say about it. Without a key local detection goes on.
fn model(config: &Config, settings: &mut Settings, ledger: Ledger) -> (Option<Arc<Client>>, Vec<String>) {
    let mut greeting = Vec::new();
    let none = |settings: &mut Settings, why: &str| {
        settings.no_judge = Some(why.into());
        None
    };
    if config.judge.mode == judge::Mode::Off {
        return (none(settings, "judge.mode is off"), greeting);
    }
    let key = match config.find_model_key() {
        Ok(key) => key.map(|key| key.expose_secret().to_owned().into()),
        Err(NoKey { error, by_default }) => {
            if by_default {
                tracing::debug!("{error}");
            } else {
                tracing::warn!("no model is asked: {error}");
            }
            return (none(settings, "no key"), greeting);
        }
    };
    match Client::new(&config.llm, config.backend(), key) {
        Ok(Some(client)) => {
            framed(settings, &client);
            greeting.push(what_leaves(config));
            (Some(Arc::new(client.recorded_in(ledger))), greeting)
        }
        Ok(None) => (none(settings, "no key"), greeting),
        Err(error) => {
            tracing::error!("no model is asked: {error}");
            (none(settings, "the backend cannot be used"), greeting)
        }
    }
}

/// What a model gets to see, and the most it may cost: said first, whenever there is a key.
fn what_leaves(config: &Config) -> String {
    let shown = match (config.judge.mode, config.judge.samples) {
        (judge::Mode::Lines, _) => "every line, with secrets and personal data replaced,",
        (_, judge::Samples::Masked) => {
            "the template of each new kind of line, one sample with its values masked, and up to five of an open incident"
        }
        (_, judge::Samples::Redacted) => {
            "the template of each new kind of line, one sample with secrets and personal data replaced, and up to five of an open incident"
        }
    };
    let limit =
        |what: u64, unit: &str| if what == 0 { format!("no limit of {unit}") } else { format!("{what} {unit}") };
    format!(
        "{model} ({backend}) is asked: {shown} leaves this host; at most {tokens} and {dollars} a day",
        model = config.llm.model(config.backend()),
        backend = config.judge.backend,
        tokens = limit(config.judge.daily_tokens, "tokens"),
        dollars = if config.judge.daily_usd == 0.0 {
            "no limit of dollars".to_owned()
        } else {
            format!("{:.2} dollars", config.judge.daily_usd)
        },
    )
}

fn sources(config: &Config, stdin: bool) -> Vec<Box<dyn Source>> {
    // Standard input is only read when it was asked for, and then in place of everything.
    let watched = if stdin { config.sources.clone() } else { config.effective_sources() };
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    if !watched.files.is_empty() {
        // Our own state would grow while we read it.
        let own = vec![config.state_dir.clone()];
        sources.push(Box::new(Files::new(watched.files, own, Limits::default())));
    }
    for journal in watched.journald {
        sources.push(Box::new(Journal::new(journal)));
    }
    for syslog in watched.syslog {
        sources.push(Box::new(Syslog::new(syslog)));
    }
    if stdin {
        sources.push(Box::new(Stdin::new(None)));
    }
    sources
}

/// The same sources once more, but for standard input, which is last and cannot be opened twice.
fn remake(config: &Config, stdin: bool) -> Remake {
    let config = config.clone();
    Box::new(move || {
        let mut all = sources(&config, stdin);
        if stdin {
            all.pop();
        }
        all
    })
}

/// Random bytes from the kernel.
fn entropy(bytes: &mut [u8]) {
    use std::io::Read;
    let read = std::fs::File::open(Path::new("/dev/urandom")).and_then(|mut file| file.read_exact(bytes));
    if read.is_err() {
        // Only without /dev: ids are then guessable from the start time, which the canaries tolerate.
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (driver::now().as_micros() >> (at % 8 * 8)) as u8 ^ std::process::id() as u8;
        }
    }
}
