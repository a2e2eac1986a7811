//! `check-config`: every mistake of a config and its rules at once. Starts nothing, opens no state.

use std::io::Write;

use anyhow::bail;

use crate::config::{Config, Mistakes, load_rules, resolve};
use crate::deliver::Deliverers;
use crate::exit;

use super::args::CheckConfig;

pub fn run(check: &CheckConfig) -> anyhow::Result<u8> {
    let (config, mut problems) = match Config::load(&check.file) {
        Ok(config) => (Some(config), Vec::new()),
        Err(problems) => (None, problems),
    };
    let rules = match &config {
        Some(config) => load_rules(&config.rules_dir),
        None => load_rules(&Config::default().rules_dir),
    };
    let rules = rules.map_err(|more| problems.extend(more)).ok();
    let (Some(config), Some(rules)) = (config, rules) else { bail!(Mistakes(problems)) };

    let mut out = std::io::stdout().lock();
    let failed = rules.check_examples();
    for example in &failed {
        writeln!(out, "error: {example}")?;
    }
    writeln!(out, "{}: right", check.file.display())?;
    writeln!(out, "  {} rules, each tried on its examples", rules.rules().len())?;
    for line in config.describe() {
        writeln!(out, "  {line}")?;
    }
    // Secrets may be readable only by the service: what is missing here is a remark, not a mistake.
    match Deliverers::new(&config.notifiers, &resolve, crate::daemon::redactor(&config)) {
        Ok(deliverers) => {
            for (name, what) in deliverers.describe() {
                writeln!(out, "  notifier {name}: {what}")?;
            }
        }
        Err(remarks) => {
            for remark in remarks {
                writeln!(out, "  remark: {remark}")?;
            }
        }
    }
    Ok(if failed.is_empty() { exit::OK } else { exit::USAGE })
}
