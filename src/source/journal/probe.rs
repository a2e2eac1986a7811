//! Looks at the newest entry of the journal, in bounded time.

use std::process::Command;
use std::time::{Duration, Instant};

use super::child::{Child, Chunk, Ending, Log};
use super::command::Journalctl;
use super::entry::Entry;
use super::lines::{Line, Lines};
use crate::model::JournalPlace;

/// More than any sane entry; a longer one makes the look fail, not grow.
const ENTRY_BYTES: usize = 64 << 20;

/// Why the journal cannot be read now, and what a person can do about it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Trouble {
    pub(super) error: String,
    pub(super) fix: String,
    /// There is no journalctl; trying again soon is pointless.
    pub(super) missing: bool,
    /// Certain to stay until somebody does something.
    pub(super) lasting: bool,
}

/// The newest entry; `None` when the journal is empty. `alive` is called several times a second and ends the look by
/// returning false.
pub(super) fn newest(
    journalctl: &Journalctl,
    timeout: Duration,
    mut alive: impl FnMut() -> bool,
) -> Result<Option<JournalPlace>, Trouble> {
    let mut lines = Lines::new(ENTRY_BYTES);
    let mut newest = None;
    let ending = run(journalctl, journalctl.newest(1), timeout, &mut alive, |bytes| {
        lines.feed(bytes, |line| {
            if let Line::Whole(line) = line
                && let Some(entry) = Entry::read(line)
            {
                newest = Some(entry.place());
            }
        });
    })?;
    if newest.is_none() && (!ending.success || ending.complaints.no_permission) {
        return Err(Trouble::ended(&ending));
    }
    Ok(newest)
}

/// Whether journalctl shows this user only a part of the journal. It knows best, and says so.
pub(super) fn is_partial(
    journalctl: &Journalctl,
    timeout: Duration,
    mut alive: impl FnMut() -> bool,
) -> Result<bool, Trouble> {
    let ending = run(journalctl, journalctl.hint(), timeout, &mut alive, |_| ())?;
    Ok(ending.complaints.partial)
}

/// Runs one short command to its end.
fn run(
    journalctl: &Journalctl,
    command: Command,
    timeout: Duration,
    alive: &mut dyn FnMut() -> bool,
    mut each: impl FnMut(&[u8]),
) -> Result<Ending, Trouble> {
    let child = Child::start(command, Log::No).map_err(|error| Trouble::start(journalctl, &error))?;
    let deadline = Instant::now() + timeout;
    loop {
        match child.next(Duration::from_millis(100)) {
            Chunk::Bytes(bytes) => each(&bytes),
            Chunk::Quiet => {}
            Chunk::End => return Ok(child.end()),
        }
        if !alive() || Instant::now() >= deadline {
            return Err(Trouble::silent(timeout));
        }
    }
}

impl Trouble {
    pub(super) fn start(journalctl: &Journalctl, error: &std::io::Error) -> Trouble {
        let program = journalctl.program.display();
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let fix = if missing {
            "install systemd, set `journalctl` to its path, or leave out [[sources.journald]]".to_owned()
        } else {
            format!("make sure that {program} is executable by this user")
        };
        Trouble { error: format!("cannot start {program}: {error}"), fix, missing, lasting: true }
    }

    pub(super) fn ended(ending: &Ending) -> Trouble {
        let said = &ending.complaints.last;
        let error = if said.is_empty() {
            format!("journalctl ended with {}", ending.how)
        } else {
            format!("journalctl ended with {}: {said}", ending.how)
        };
        if ending.complaints.no_permission {
            Trouble { error, fix: Trouble::GROUP.to_owned(), missing: false, lasting: true }
        } else {
            let fix = "run `journalctl --merge -n 1` as this user and see what it says".to_owned();
            Trouble { error, fix, missing: false, lasting: false }
        }
    }

    pub(super) fn partial() -> Trouble {
        let error = "journalctl shows only this user's own entries".to_owned();
        Trouble { error, fix: Trouble::GROUP.to_owned(), missing: false, lasting: true }
    }

    pub(super) fn silent(timeout: Duration) -> Trouble {
        let error = format!("journalctl gave no answer within {} s", timeout.as_secs());
        let fix = "look at `systemctl status systemd-journald` and at the disk of the journal".to_owned();
        Trouble { error, fix, missing: false, lasting: true }
    }

    const GROUP: &str = "usermod -aG systemd-journal logwren, then restart it \
        (the shipped unit has SupplementaryGroups=systemd-journal)";
}
