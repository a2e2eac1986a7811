//! `report`: what a daemon found, as the files that `analyze` writes, also while it runs. Changes nothing.

use std::io::IsTerminal;

use anyhow::bail;

use crate::analysis::output::{self, Files, Paths};
use crate::exit::{self, HintedError};
use crate::report;
use crate::store::{Reader, StoreError};

use super::args::StoredReport;
use super::place;

pub fn run(arguments: &StoredReport, quiet: bool) -> anyhow::Result<u8> {
    let state_dir = place::state_dir(&arguments.place)?;
    let reader = match Reader::open(&state_dir) {
        Ok(reader) => reader,
        Err(StoreError::Missing { .. }) => bail!("nothing has been watched yet: no state in {}", state_dir.display()),
        Err(error @ StoreError::Io { .. }) => bail!(HintedError {
            message: format!("cannot look at the state in {}", state_dir.display()),
            hint: "run this as root or as the user of the service, or name another state with --state-dir DIR"
                .to_owned(),
            source: Box::new(error),
        }),
        Err(error) => return Err(error.into()),
    };
    let paths = Paths {
        csv: arguments.csv.clone(),
        json: arguments.json.clone(),
        html: arguments.html.clone(),
        sarif: arguments.sarif.clone(),
        jsonl: arguments.jsonl.clone(),
    };
    let now = crate::driver::now();
    let since = arguments.since.as_ref().map(|period| now.saturating_sub(period.0));
    let stored = report::stored(&reader, since, now, &jiff::tz::TimeZone::system())?;
    let columns = report::PLAIN_COLUMNS.map(str::to_owned);
    let mut files = Files::open(&paths, &columns)?;
    for row in &stored.rows {
        files.push(row)?;
    }
    files.finish(&stored.report)?;
    if !quiet && !paths.stdout_is_taken() {
        let color =
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        output::show(&report::found_table(&stored.report, color))?;
        output::show(&paths.written())?;
    }
    Ok(exit::OK)
}
