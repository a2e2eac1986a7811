//! `test-alert`: sends a test message through one notifier or all, at once, past routes and outbox.

use std::io::Write;

use anyhow::bail;

use crate::config::resolve;
use crate::deliver::Deliverers;
use crate::exit::{self, UsageError};
use crate::model::DeliveryOutcome;

use super::args::TestAlert;
use super::place;

pub fn run(test: &TestAlert) -> anyhow::Result<u8> {
    let config = place::load(&test.place)?;
    let deliverers =
        Deliverers::new(&config.notifiers, &resolve, crate::daemon::redactor(&config)).map_err(|problems| {
            UsageError {
                message: problems.join("; "),
                hint: Some("logwren check-config shows every notifier".to_owned()),
            }
        })?;
    let deliverers = deliverers.recorded_in(crate::daemon::ledger(&config.state_dir)?);
    let mut names = deliverers.names();
    if let Some(wanted) = &test.notifier {
        names.retain(|name| **name == **wanted);
        if names.is_empty() {
            let known: Vec<String> = deliverers.names().iter().map(ToString::to_string).collect();
            bail!(UsageError {
                message: format!("no notifier is called `{wanted}`"),
                hint: Some(format!("the config has: {}", known.join(", "))),
            });
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut failed = 0;
    for name in names {
        let outcome = runtime.block_on(deliverers.test(&name, &crate::daemon::host_name(), crate::driver::now()));
        let mut out = std::io::stdout().lock();
        match outcome {
            None => bail!("no notifier is called `{name}`"),
            Some(DeliveryOutcome::Delivered) => writeln!(out, "{name}: delivered")?,
            Some(DeliveryOutcome::Retry { error, .. } | DeliveryOutcome::Refused { error }) => {
                failed += 1;
                writeln!(out, "{name}: failed: {error}")?;
            }
        }
    }
    Ok(if failed == 0 { exit::OK } else { exit::FAILURE })
}
