//! Which config and which state directory a command means. Reads config files; opens no state.

use std::path::{Path, PathBuf};

use crate::config::{Config, Mistakes, Sources};
use crate::daemon;
use crate::exit::{HintedError, UsageError};
use crate::store::StoreError;

use super::args::{Place, Watch};

/// What the unit and the packages use.
pub const SERVICE_CONFIG: &str = "/etc/logwren/logwren.toml";

/// Checked options of `watch`.
pub fn watch(watch: Watch, louder: i16) -> anyhow::Result<daemon::Options> {
    let config = load(&watch.place)?;
    Ok(daemon::Options {
        config: with_paths(config, &watch.paths)?,
        config_file: watch.place.config.clone(),
        state_dir: watch.place.state_dir.clone(),
        stdin: watch.paths.iter().any(|path| path == "-"),
        louder,
        callback: None,
    })
}

/// The config a command runs with: the named file, or the defaults.
///
/// # Errors
/// Every mistake of the file.
pub fn load(place: &Place) -> anyhow::Result<Config> {
    let mut config = match &place.config {
        Some(file) => Config::load(file).map_err(Mistakes)?,
        None => Config { state_dir: default_state_dir(), ..Config::default() },
    };
    if let Some(state_dir) = &place.state_dir {
        config.state_dir.clone_from(state_dir);
    }
    Ok(config)
}

/// For commands that only look: the state of [`config`].
pub fn state_dir(place: &Place) -> anyhow::Result<PathBuf> {
    config(place).map(|config| config.state_dir)
}

/// For commands that only look: what `--state-dir` and `--config` say; else the caller's own state where there is one,
/// else what the service runs with.
pub fn config(place: &Place) -> anyhow::Result<Config> {
    let own = load(place)?;
    let is_root = rustix::process::geteuid().is_root();
    if place.state_dir.is_some() || place.config.is_some() || own.state_dir.exists() && !is_root {
        return Ok(own);
    }
    // One with mistakes cannot be what the service runs with.
    Ok(Config::load(Path::new(SERVICE_CONFIG)).unwrap_or(own))
}

/// Says what to do when a state cannot be opened for looking.
pub fn cannot_look(state_dir: &Path, error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Io { .. } => HintedError {
            message: format!("cannot look at the state in {}", state_dir.display()),
            hint: "run this as root or as the user of the service, or name another state with --state-dir DIR"
                .to_owned(),
            source: Box::new(error),
        }
        .into(),
        _ => error.into(),
    }
}

fn with_paths(mut config: Config, paths: &[String]) -> anyhow::Result<Config> {
    let files: Vec<&String> = paths.iter().filter(|path| *path != "-").collect();
    if !paths.is_empty() {
        config.sources = Sources::of_paths(&files).map_err(|message| UsageError { message, hint: None })?;
    }
    Ok(config)
}

/// `/var/lib/logwren` for root, `$XDG_STATE_HOME/logwren` (or `~/.local/state/logwren`) for everybody else.
fn default_state_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/logwren");
    }
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(home)
        .unwrap_or_else(|| PathBuf::from("/var/tmp"))
        .join("logwren")
}
