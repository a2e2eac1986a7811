//! `incidents`: what the store remembers, also while the daemon runs. Changes nothing.

use std::io::Write;

use anyhow::bail;

use crate::exit;
use crate::report::terminal;
use crate::store::{IncidentFilter, IncidentLookup, Reader, StoreError};

use super::args::{Incidents, IncidentsWhat};
use super::place;

pub fn run(incidents: Incidents) -> anyhow::Result<u8> {
    let state_dir = place::state_dir(&incidents.place)?;
    let mut out = std::io::stdout().lock();
    let reader = match Reader::open(&state_dir) {
        Ok(reader) => reader,
        Err(StoreError::Missing { .. }) => {
            writeln!(out, "nothing has been watched yet: no state in {}", state_dir.display())?;
            return Ok(exit::OK);
        }
        Err(error) => return Err(place::cannot_look(&state_dir, error)),
    };
    match incidents.what.unwrap_or(IncidentsWhat::List { since: None, limit: 50 }) {
        IncidentsWhat::List { since, limit } => {
            let since = since.map(|period| crate::driver::now().saturating_sub(period.0));
            let limit = u32::try_from(limit).ok();
            let found = reader.incidents(IncidentFilter { since, severity_at_least: None, limit })?;
            write!(out, "{}", terminal::incidents(&found))?;
            write!(out, "{}", terminal::undelivered(&reader.outbox()?, &reader.dead_letters()?))?;
        }
        IncidentsWhat::Show { id } => match reader.incident(&id)? {
            IncidentLookup::None => bail!("no incident begins with {id}; `logwren incidents` lists them"),
            IncidentLookup::Several(ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                bail!("{id} is not clear, it could be {}", ids.join(", "));
            }
            IncidentLookup::One { incident, findings, delivered } => {
                write!(out, "{}", terminal::incident(&incident, &findings, &delivered))?;
                let letters = reader.dead_letters()?;
                let ours: Vec<_> =
                    letters.into_iter().filter(|letter| letter.alert.incident.id == incident.id).collect();
                write!(out, "{}", terminal::undelivered(&[], &ours))?;
            }
        },
    }
    Ok(exit::OK)
}
