//! How do journal entries become lines? A `journalctl` child follows the journal; its cursor is the position.
//!
//! A child, because libsystemd's reader dies by SIGBUS during rotations (systemd#33277) while journalctl handles them. The
//! flags and rules are measured, not guessed: see [`command`]. *Not here:* what an entry means (`parse` reads the JSON).

mod config;
mod command;
mod child;
mod lines;
mod entry;
mod filter;
mod intake;
mod probe;
mod follow;
mod learn;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use config::{JournalConfig, UnitPattern};

use command::{Journalctl, Start};
use filter::Filter;
use follow::Follower;
use intake::Intake;

use super::{Outlet, Source};
use crate::model::{JournalPlace, Medium, Origin, Phase, Place, Position, SourceEvent, StreamKey};
use crate::registry::Component;

/// One journal: this host's, a namespace's or a directory's.
#[derive(Debug)]
pub struct Journal {
    config: JournalConfig,
    journalctl: Journalctl,
    limits: Limits,
    filter: Filter,
    origin: Arc<Origin>,
    stream: StreamKey,
    /// Where to begin; `None` until the end of the journal could be fixed.
    start: Option<Start>,
    /// What was there before and only teaches: everything up to this entry.
    learn_up_to: Option<JournalPlace>,
}

/// Every length and bound of the source; tests use shorter ones.
#[derive(Clone, Debug)]
struct Limits {
    /// Silence after which the journal's newest entry is looked at.
    quiet: Duration,
    /// How long the follower may take to show an entry that the look found.
    grace: Duration,
    /// How long a look may take.
    probe: Duration,
    /// First and longest wait between two children.
    restart_first: Duration,
    restart_most: Duration,
    /// Wait when there is no journalctl at all.
    missing: Duration,
    /// A child that lives so long has started.
    settled: Duration,
    /// How long the first line of a block waits for others.
    coalesce: Duration,
    /// How often a position that moved only over dropped entries is handed over: our own log makes it move.
    idle_position: Duration,
    /// Entries that teach, newest.
    learn: usize,
    /// Longest entry as JSON, in bytes.
    entry_bytes: usize,
    /// A block is handed over at this size, in bytes.
    block_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            quiet: Duration::from_secs(60),
            grace: Duration::from_secs(5),
            probe: Duration::from_secs(10),
            restart_first: Duration::from_millis(200),
            restart_most: Duration::from_secs(30),
            missing: Duration::from_secs(300),
            settled: Duration::from_secs(2),
            coalesce: Duration::from_millis(20),
            idle_position: Duration::from_secs(60),
            learn: 100_000,
            entry_bytes: 64 << 20,
            block_bytes: 256 << 10,
        }
    }
}

impl Journal {
    /// As `logwren components` lists it.
    pub const COMPONENT: Component =
        Component { role: "source", name: "journald", does: "the systemd journal, through a journalctl child" };

    pub fn new(config: JournalConfig) -> Journal {
        let name = config.stream_name();
        let shown = if name == JournalConfig::SYSTEM { "journal".to_owned() } else { format!("journal:{name}") };
        Journal {
            journalctl: Journalctl::new(&config),
            limits: Limits::default(),
            filter: Filter::new(&config),
            origin: Arc::new(Origin { name: shown.into(), medium: Medium::Journal, format: None, written: None }),
            stream: format!("journal:{name}").into(),
            start: None,
            learn_up_to: None,
            config,
        }
    }

    fn intake(&self, phase: Phase) -> Intake {
        Intake::new(phase, Arc::clone(&self.origin), Arc::clone(&self.stream), self.filter.clone(), &self.limits)
    }

    /// Fixes the end of the journal from what a look at its newest entry gave.
    fn fix_end(&mut self, newest: Option<JournalPlace>) {
        if self.start.is_some() {
            return;
        }
        self.start = Some(match newest {
            Some(place) => {
                self.learn_up_to = Some(place.clone());
                Start::After(place.clone())
            }
            // An empty journal: whatever comes is live.
            None => Start::Head,
        });
    }
}

impl Source for Journal {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn open(&mut self, known: &[Position], relearn: bool) -> Vec<Position> {
        let place =
            known.iter().find(|position| position.stream == self.stream).and_then(|position| match &position.at {
                Place::JournalV1(place) => Some(place.clone()),
                Place::FileV1(_) | Place::StdinV1 { .. } => None,
            });
        if let Some(place) = place {
            self.learn_up_to = relearn.then(|| place.clone());
            self.start = Some(Start::After(place));
        } else if self.config.read_from == crate::source::ReadFrom::Beginning {
            self.start = Some(Start::Head);
        }
        // What fails here is tried again, and reported, by `run`.
        if self.start.is_none()
            && let Ok(newest) = probe::newest(&self.journalctl, self.limits.probe, || true)
        {
            self.fix_end(newest);
        }
        let fixed = self.learn_up_to.clone().map(Place::JournalV1);
        fixed.map(|at| Position { stream: Arc::clone(&self.stream), at }).into_iter().collect()
    }

    fn run(mut self: Box<Self>, outlet: Outlet) {
        let source = Arc::clone(&self.origin.name);
        let learner = self.learn_up_to.take().map(|place| {
            learn::begin(
                self.journalctl.clone(),
                self.intake(Phase::Learn).up_to(place),
                outlet.clone(),
                &self.limits,
                true,
            )
        });
        let nothing_to_learn = learner.is_none().then(|| outlet.event(SourceEvent::Learned { source }));
        if nothing_to_learn.is_some_and(|sent| sent.is_err()) {
            return;
        }
        let late = Follower::new(*self, outlet.clone()).run();
        for learner in learner.into_iter().chain(late) {
            learner.wait();
        }
    }
}
