//! Which config and which state directory a command means. Reads config files; opens no state.

use std::path::{Path, PathBuf};

use crate::config::{Config, Problem, Sources};
use crate::daemon;
use crate::exit::UsageError;

use super::args::{Place, Watch};

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
/// Every mistake of the file, drawn, as a usage error.
pub fn load(place: &Place) -> anyhow::Result<Config> {
    let mut config = match &place.config {
        Some(file) => Config::load(file).map_err(|problems| wrong(&problems))?,
        None => Config { state_dir: default_state_dir(), ..Config::default() },
    };
    if let Some(state_dir) = &place.state_dir {
        config.state_dir.clone_from(state_dir);
    }
    Ok(config)
}

/// For commands that only look: the state of `--state-dir`, of `--config`, of the service's config, or the default.
pub fn state_dir(place: &Place) -> anyhow::Result<PathBuf> {
    if let Some(state_dir) = &place.state_dir {
        return Ok(state_dir.clone());
    }
    Ok(load(place)?.state_dir)
}

/// All mistakes at once, each with its place.
pub fn wrong(problems: &[Problem]) -> anyhow::Error {
    for problem in problems {
        eprintln!("{}", problem.drawing);
        if let Some(suggestion) = &problem.suggestion {
            eprintln!("  hint: did you mean `{suggestion}`?");
        }
        eprintln!();
    }
    let files: std::collections::BTreeSet<&str> = problems.iter().map(|problem| problem.file.as_str()).collect();
    let files: Vec<&str> = files.into_iter().collect();
    let count = problems.len();
    UsageError {
        message: format!("{count} mistake{} in {}", if count == 1 { "" } else { "s" }, files.join(", ")),
        hint: Some("config/logwren.toml in the source, or /usr/share/doc/logwren, lists every key".to_owned()),
    }
    .into()
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
