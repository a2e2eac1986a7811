//! `config import`: the original system's `config.json` becomes a config of ours. Writes nothing but what was asked for.

use std::io::Write;

use anyhow::{Context, bail};

use crate::config::original;
use crate::exit::{self, UsageError};
use crate::model::inert::one_line;

use super::args::{ConfigWhat, ImportConfig};

pub fn run(what: &ConfigWhat) -> anyhow::Result<u8> {
    let ConfigWhat::Import(ImportConfig { file, out }) = what;
    let json = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let translated = original::translate(&json)
        .map_err(|message| UsageError { message: format!("{}: {message}", file.display()), hint: None })?;
    for (key, fate) in &translated.fates {
        eprintln!("{}: {}", one_line(key), one_line(fate));
    }
    match out {
        None => std::io::stdout().lock().write_all(translated.toml.as_bytes()).context("cannot write the config")?,
        Some(path) => {
            let file = std::fs::File::options().write(true).create_new(true).open(path);
            match file {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    bail!("{} is there already and was left as it is", path.display())
                }
                file => file
                    .and_then(|mut file| file.write_all(translated.toml.as_bytes()))
                    .with_context(|| format!("cannot write {}", path.display()))?,
            }
            eprintln!("written: {}; try it with: logwren check-config {}", path.display(), path.display());
        }
    }
    Ok(exit::OK)
}
