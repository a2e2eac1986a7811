//! Which config and which state directory a command means. Reads config files; opens no state.

use std::path::{Path, PathBuf};

use crate::config::{Config, Mistakes, Sources};
use crate::daemon;
use crate::exit::UsageError;

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

/// For commands that only look: the state of `--state-dir` or of `--config`; else the caller's own where there is one,
/// else the service's.
pub fn state_dir(place: &Place) -> anyhow::Result<PathBuf> {
    if place.state_dir.is_some() || place.config.is_some() {
        return Ok(load(place)?.state_dir);
    }
    let own = default_state_dir();
    let is_root = rustix::process::geteuid().is_root();
    if own.exists() && !is_root {
        return Ok(own);
    }
    // One with mistakes cannot be what the service runs with.
    let service = Config::load(Path::new(SERVICE_CONFIG)).ok().map(|config| config.state_dir);
    Ok(service.unwrap_or(own))
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
