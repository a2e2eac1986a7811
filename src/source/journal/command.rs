//! The command lines of journalctl, and why each flag is there. Measured on systemd 252 with a journal of two boots.
//!
//! - `--cursor=C`, inclusive, and we drop the first entry if it is C: `--after-cursor` skips one entry blindly when C was
//!   vacuumed, and together with `--follow` it skips the rest of the previous boot.
//! - `--merge`: since systemd 250 `--follow` alone shows this boot only.
//! - `--no-tail`: without it the catch-up stops after ten entries until something new is logged.
//! - `--all`: without it a value longer than 4096 bytes is `null`.
//! - no field filters: they make journalctl skip one more entry after a cursor. We filter.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::JournalConfig;
use crate::model::{JournalPlace, Timestamp};

/// Where a follower begins.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Start {
    /// The oldest entry there is.
    Head,
    /// Behind this entry, which was handed over already.
    After(JournalPlace),
    /// With this entry.
    With(JournalPlace),
    /// About this time: entries that were handed over already may come again.
    Since(Timestamp),
}

/// Builds the command lines for one journal.
#[derive(Clone, Debug)]
pub(super) struct Journalctl {
    pub(super) program: PathBuf,
    /// Before all other arguments. Empty except in tests.
    pub(super) leading: Vec<OsString>,
    /// `--directory=` or `--namespace=`.
    which: Option<OsString>,
}

impl Journalctl {
    pub(super) fn new(config: &JournalConfig) -> Journalctl {
        let flag = |flag: &str, value: OsString| {
            let mut argument = OsString::from(flag);
            argument.push(value);
            argument
        };
        let directory = config.directory.clone().map(|directory| flag("--directory=", directory.into()));
        let namespace = config.namespace.clone().map(|namespace| flag("--namespace=", namespace.into()));
        Journalctl { program: config.journalctl.clone(), leading: Vec::new(), which: directory.or(namespace) }
    }

    /// Everything from `start` on, and what will come.
    pub(super) fn follow(&self, start: &Start) -> Command {
        let mut command = self.common();
        command.args(["--output=json", "--quiet", "--all", "--follow", "--no-tail"]);
        match start {
            Start::Head => {}
            Start::After(place) | Start::With(place) => {
                command.arg(format!("--cursor={}", place.cursor));
            }
            Start::Since(time) => {
                let seconds = time.saturating_sub(Duration::from_secs(1)).as_seconds().max(0);
                command.arg(format!("--since=@{seconds}"));
            }
        }
        command
    }

    /// The newest `count` entries, oldest first.
    pub(super) fn newest(&self, count: usize) -> Command {
        let mut command = self.common();
        command.args(["--output=json", "--quiet", "--all", "-n"]).arg(count.to_string());
        command
    }

    /// No entry, but what journalctl has to say to a person: JSON output silences it.
    pub(super) fn hint(&self) -> Command {
        let mut command = self.common();
        command.args(["-n", "0"]);
        command
    }

    fn common(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.leading).args(["--merge", "--no-pager"]).args(&self.which);
        // We recognize what it says on stderr.
        command.env("LC_ALL", "C").env("SYSTEMD_COLORS", "0").env_remove("SYSTEMD_LOG_LEVEL");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
