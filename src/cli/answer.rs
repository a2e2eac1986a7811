//! `normal`, `anomalous`, `mute`, `unmute`: a person's word. The running daemon takes it over its control socket; without
//! one the state is opened here. `mutes` lists what holds. What a word covers is decided by the pipeline.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::config::Config;
use crate::daemon;
use crate::exit::{self, HintedError};
use crate::model::{Fact, Period, Reply, Said, Word, inert::one_line};
use crate::pipeline::{Effects, Pipeline};
use crate::report::terminal;
use crate::store::{Reader, Store, StoreError};

use super::args::{Answer, Mute, Mutes, Place};
use super::place;

/// Longer than the daemon takes to say that it cannot.
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_REPLY: u64 = 64 * 1024;

pub fn judge(word: Word, answer: Answer) -> anyhow::Result<u8> {
    let Answer { id, host, reason, place } = answer;
    say(said(word, id, host, reason), &place)
}

pub fn mute(mute: Mute) -> anyhow::Result<u8> {
    let Mute { what, length, until_worse } = mute;
    let Answer { id, host, reason, place } = what;
    let for_seconds = length.map(|Period(length)| length.as_secs());
    say(Said { for_seconds, until_worse, ..said(Word::Mute, id, host, reason) }, &place)
}

/// Everything that was said and holds.
pub fn list(mutes: &Mutes) -> anyhow::Result<u8> {
    let state_dir = place::state_dir(&mutes.place)?;
    let mut out = std::io::stdout().lock();
    let answers = match Reader::open(&state_dir) {
        Ok(reader) => reader.answers()?,
        Err(StoreError::Missing { .. }) => Vec::new(),
        Err(error) => return Err(cannot_use(&state_dir, error).into()),
    };
    if mutes.json {
        serde_json::to_writer_pretty(&mut out, &answers)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", terminal::answers(&answers, crate::driver::now()))?;
    }
    Ok(exit::OK)
}

fn said(word: Word, id: String, host: Option<String>, reason: Option<String>) -> Said {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default();
    let by = match user.as_str() {
        "" => format!("user {}", rustix::process::getuid().as_raw()),
        name => crate::model::clip(name, 100).to_owned(),
    };
    Said { word, id, for_seconds: None, until_worse: false, host, reason: reason.unwrap_or_default(), by }
}

fn say(said: Said, place: &Place) -> anyhow::Result<u8> {
    let state_dir = place::state_dir(place)?;
    let reply = match ask_daemon(&said, &state_dir)? {
        Some(reply) => reply,
        None => match ourselves(&said, place, &state_dir) {
            // One that started just now, or is about to end.
            Err(error) if is_held(&error) => {
                std::thread::sleep(Duration::from_millis(500));
                match ask_daemon(&said, &state_dir)? {
                    Some(reply) => reply,
                    None => return Err(error),
                }
            }
            outcome => outcome?,
        },
    };
    match reply {
        Reply::Done(done) => {
            writeln!(std::io::stdout(), "{}", one_line(&done))?;
            Ok(exit::OK)
        }
        Reply::Refused(why) => bail!("{}", one_line(&why)),
    }
}

/// The daemon's reply; `None` when none listens.
fn ask_daemon(said: &Said, state_dir: &Path) -> anyhow::Result<Option<Reply>> {
    let path = state_dir.join(daemon::CONTROL_SOCKET);
    let mut stream = match daemon::at_short_path(&path, UnixStream::connect) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(HintedError {
                message: format!("cannot reach the daemon at {}", path.display()),
                hint: "run this as root or as the user of the service".to_owned(),
                source: Box::new(error),
            }
            .into());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot reach the daemon at {}", path.display())),
    };
    let mut ask = || -> std::io::Result<String> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut command = serde_json::to_vec(said)?;
        command.push(b'\n');
        stream.write_all(&command)?;
        let mut reply = String::new();
        BufReader::new((&stream).take(MAX_REPLY)).read_line(&mut reply)?;
        Ok(reply)
    };
    let reply = ask().and_then(|text| Ok(serde_json::from_str(&text)?)).map_err(|error| HintedError {
        message: "the daemon did not say whether it took this".to_owned(),
        hint: "it only listens to root and to its own user; `logwren mutes` shows what holds, and saying it again does no harm"
            .to_owned(),
        source: Box::new(error),
    })?;
    Ok(Some(reply))
}

/// Does it without a daemon. Only what the word itself changes is written: what time and routes make of it is the next
/// daemon's.
fn ourselves(said: &Said, place: &Place, state_dir: &Path) -> anyhow::Result<Reply> {
    // Opening for writing would make an empty state where there is none.
    if let Err(error) = Reader::open(state_dir) {
        return Err(cannot_use(state_dir, error).into());
    }
    let config = Config { state_dir: state_dir.to_owned(), ..place::load(place)? };
    let now = crate::driver::now();
    let mut opened = Store::open(state_dir, now).map_err(|error| cannot_use(state_dir, error))?;
    if let Some(story) = &opened.recovered {
        eprintln!("warning: {story}");
    }
    let mut pipeline = Pipeline::new(daemon::settings(&config)?);
    pipeline.restore(opened.snapshot, now, &mut Effects::default());
    let mut effects = Effects::default();
    pipeline.answered(said, now, &mut effects);
    let is_ours = |fact: &Fact| match fact {
        Fact::Answer(_) | Fact::AnswerOver(_) | Fact::Verdict(_) | Fact::QuestionClosed(_) | Fact::Incident(_) => true,
        Fact::State { name, .. } => **name == *"triage",
        Fact::Template(_)
        | Fact::Kind(_)
        | Fact::Question(_)
        | Fact::Finding(_)
        | Fact::Joined { .. }
        | Fact::Outbox(_)
        | Fact::Delivered { .. }
        | Fact::DeadLetter { .. }
        | Fact::Spend { .. } => false,
    };
    effects.facts.retain(is_ours);
    opened.store.commit(&effects.facts, &[]).map_err(|error| cannot_use(state_dir, error))?;
    Ok(effects.reply.unwrap_or_else(|| Reply::Refused("nothing came of it".to_owned())))
}

fn cannot_use(state_dir: &Path, error: StoreError) -> HintedError {
    HintedError {
        message: format!("cannot use the state in {}", state_dir.display()),
        hint: "run this as root or as the user of the service, or name another state with --state-dir DIR".to_owned(),
        source: Box::new(error),
    }
}

fn is_held(error: &anyhow::Error) -> bool {
    let source = error.downcast_ref::<HintedError>().and_then(|hinted| hinted.source.downcast_ref::<StoreError>());
    matches!(source, Some(StoreError::Held { .. }))
}
