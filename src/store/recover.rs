//! What to do with a damaged state file: keep it for a person, and carry over what can still be read.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::load::Loaded;
use super::open::{FILE, beside};
use super::reader::Reader;
use super::{StoreError, copy, load, writer};
use crate::model::{Fact, Snapshot, Timestamp};

/// Damaged files kept; a failing disk must not fill itself with them.
const KEPT: usize = 3;
const PREFIX: &str = "state.corrupt-";
/// Every table that is carried over.
const ALL: [&str; 9] =
    ["templates", "kinds", "verdicts", "questions", "incidents", "outbox", "answers", "states", "positions"];

/// Renames the state file and its log to `state.corrupt-TIME.db` and returns that path.
pub(super) fn set_aside(state_dir: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let time: String = now.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let free = |n: u32| {
        let name = if n == 0 { format!("{PREFIX}{time}.db") } else { format!("{PREFIX}{time}-{n}.db") };
        Some(state_dir.join(name)).filter(|path| !path.exists())
    };
    let aside = (0..u32::MAX).find_map(free).unwrap_or_else(|| state_dir.join(format!("{PREFIX}{time}.db")));
    let path = state_dir.join(FILE);
    rename(&path, &aside)?;
    rename(&beside(&path, "-wal"), &beside(&aside, "-wal"))?;
    remove(&beside(&path, "-shm"))?;
    let mut older: Vec<PathBuf> = fs::read_dir(state_dir)
        .map_err(|error| StoreError::io(state_dir, "list the state directory", error))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)))
        .collect();
    older.sort();
    let surplus = older.len().saturating_sub(KEPT);
    for path in older.into_iter().filter(|path| *path != aside).take(surplus) {
        remove(&path)?;
        remove(&beside(&path, "-wal"))?;
        remove(&beside(&path, "-shm"))?;
    }
    Ok(aside)
}

/// Copies every readable row of the file at `aside` into the fresh one, and from the last copy what cannot be read; says
/// what came over. Findings and letters stay behind: they are history, nothing depends on them.
pub(super) fn salvage(aside: &Path, fresh: &mut Reader) -> Result<String, StoreError> {
    // Opening an emptied file would make SQLite throw away the log beside it, which may interest a person.
    let opened = fs::metadata(aside).ok().filter(|metadata| metadata.len() > 0).map(|_| Reader::open_file(aside));
    let damaged = opened.and_then(Result::ok);
    let older = Reader::open_file(&copy::copy_of(&fresh.path)).ok();
    let read = |reader: &Option<Reader>| reader.as_ref().map(|reader| load::load(&reader.connection));
    let (loaded, older_loaded) = (read(&damaged), read(&older));
    if loaded.is_none() && older_loaded.is_none() {
        return Ok("nothing of it could be read, so what is already in the logs only teaches again".to_owned());
    }
    let incomplete = loaded.as_ref().map_or_else(|| ALL.to_vec(), Loaded::incomplete);
    let from_copy = older_loaded.is_some() && !incomplete.is_empty();
    let mut snapshot = loaded.map(|loaded| loaded.snapshot).unwrap_or_default();
    if let Some(older) = older_loaded {
        fill(&mut snapshot, older.snapshot, &incomplete);
    }
    let story = format!(
        "carried over {} positions, {} kinds, {} verdicts, {} questions, {} incidents and {} unsent alerts{}",
        snapshot.positions.len(),
        snapshot.kinds.len(),
        snapshot.verdicts.len(),
        snapshot.questions.len(),
        snapshot.incidents.len(),
        snapshot.outbox.len(),
        match (incomplete.is_empty(), from_copy) {
            (true, _) => "",
            (false, true) => "; what could not be read comes from an older copy, so some lines are read twice",
            (false, false) => "; the rest could not be read",
        },
    );
    let spend_of = |reader: &Option<Reader>| reader.as_ref().and_then(|reader| reader.spend(None).ok());
    let spend = spend_of(&damaged).or_else(|| spend_of(&older)).unwrap_or_default();
    let facts: Vec<Fact> = (snapshot.templates.into_iter().map(Fact::Template))
        .chain(snapshot.kinds.into_iter().map(Fact::Kind))
        .chain(snapshot.verdicts.into_iter().map(Fact::Verdict))
        .chain(snapshot.questions.into_iter().map(Fact::Question))
        .chain(snapshot.incidents.into_iter().map(|incident| Fact::Incident(Box::new(incident))))
        .chain(snapshot.outbox.into_iter().map(|alert| Fact::Outbox(Box::new(alert))))
        .chain(snapshot.answers.into_iter().map(|answer| Fact::Answer(Box::new(answer))))
        .chain(snapshot.states.into_iter().map(|(name, json)| Fact::State { name, json }))
        .chain(spend.into_iter().map(|spent| Fact::Spend { day: spent.day, model: spent.model, usage: spent.usage }))
        .collect();
    writer::write(&mut fresh.connection, &facts, &snapshot.positions)
        .map_err(|error| StoreError::sqlite(&fresh.path, error))?;
    Ok(story)
}

/// Adds to the tables that could not be read whole what an older copy has beside what was read.
fn fill(snapshot: &mut Snapshot, older: Snapshot, incomplete: &[&str]) {
    fn add<T, K: Ord>(rows: &mut Vec<T>, older: Vec<T>, key: impl Fn(&T) -> K) {
        let known: BTreeSet<K> = rows.iter().map(&key).collect();
        rows.extend(older.into_iter().filter(|row| !known.contains(&key(row))));
    }
    for table in incomplete {
        let Snapshot { templates, kinds, verdicts, questions, incidents, outbox, answers, states, positions } =
            older.clone();
        match *table {
            "templates" => add(&mut snapshot.templates, templates, |row| row.id),
            "kinds" => add(&mut snapshot.kinds, kinds, |row| row.kind.id()),
            "verdicts" => add(&mut snapshot.verdicts, verdicts, |row| row.kind),
            "questions" => add(&mut snapshot.questions, questions, |row| row.id),
            "incidents" => add(&mut snapshot.incidents, incidents, |row| row.id),
            "outbox" => add(&mut snapshot.outbox, outbox, |row| row.id.clone()),
            "answers" => add(&mut snapshot.answers, answers, |row| row.id),
            "states" => add(&mut snapshot.states, states, |row| row.0.clone()),
            "positions" => add(&mut snapshot.positions, positions, |row| row.stream.clone()),
            _ => {}
        }
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    ignore_missing(fs::rename(from, to)).map_err(|error| StoreError::io(from, "set the damaged file aside", error))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    ignore_missing(fs::remove_file(path)).map_err(|error| StoreError::io(path, "remove an old damaged file", error))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
