//! `egress`: what left this host, from the ledger, also while the daemon runs. Sends nothing, changes nothing.

use std::io::Write;

use anyhow::bail;

use crate::egress::{KEPT_BYTES, KEPT_DAYS, Ledger, LedgerError};
use crate::exit::{self, HintedError};
use crate::model::inert::one_line;

use super::args::Egress;
use super::place;

pub fn run(asked: &Egress) -> anyhow::Result<u8> {
    let state_dir = place::state_dir(&asked.place)?;
    let mut out = std::io::stdout().lock();
    let ledger = match Ledger::read(&state_dir) {
        Ok(ledger) => ledger,
        Err(LedgerError::Missing { .. }) => {
            writeln!(out, "nothing has left this host: no ledger in {}", state_dir.display())?;
            return Ok(exit::OK);
        }
        Err(error) => bail!(HintedError {
            message: "cannot look at what left".to_owned(),
            hint: "run this as root or as the user of the service, or name another state with --state-dir DIR"
                .to_owned(),
            source: Box::new(error),
        }),
    };
    if let Some(id) = asked.show {
        let Some(body) = ledger.body(id)? else {
            bail!(
                "no request {id}: there was none, or it is older than {KEPT_DAYS} days or {KEPT_BYTES} bytes of others"
            )
        };
        // Exactly these bytes, for a checksum or another program.
        out.write_all(&body)?;
        return Ok(exit::OK);
    }
    let since = asked.since.map(|period| crate::driver::now().saturating_sub(period.0));
    let rows = ledger.rows(since)?;
    writeln!(out, "{:>6}  {:<20}  {:<24} {:<32} {:>9}  outcome", "id", "time", "for", "to", "bytes")?;
    for row in &rows {
        let outcome = if row.outcome.is_empty() { "under way, or cut off" } else { &row.outcome };
        writeln!(
            out,
            "{:>6}  {:<20}  {:<24} {:<32} {:>9}  {}",
            row.id,
            crate::model::Timestamp::from_seconds(row.at.as_seconds()).to_string(),
            one_line(&row.purpose),
            one_line(&row.destination),
            row.bytes,
            one_line(outcome)
        )?;
    }
    let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
    writeln!(out, "{} requests, {bytes} bytes; `logwren egress --show ID` prints one exactly as it left", rows.len())?;
    Ok(exit::OK)
}
