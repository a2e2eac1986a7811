//! How are files followed without losing a line? Our own reader owns bytes and offsets; hints only wake it.
//!
//! `notify` and `linemux` say that something happened; a sweep finds it when they do not. What is read, in which order
//! and from where is decided by the tailer alone, so a dead hint costs latency and never a line.
//! *Not here:* what lines mean (parse), when positions become durable (store).

mod config;
mod names;
mod identity;
mod find;
mod generation;
mod turn;
mod table;
mod orphans;
mod tailer;
mod admit;
mod recognize;
mod retire;
mod learn;
mod hints;
mod unreadable;
#[cfg(test)]
mod bed;
#[cfg(test)]
mod rotation_test;
#[cfg(test)]
mod reading_test;
#[cfg(test)]
mod model_test;
#[cfg(test)]
mod nasty_test;
#[cfg(test)]
mod storm_test;
#[cfg(test)]
mod bugs_of_others_test;
#[cfg(test)]
mod limits_test;
#[cfg(test)]
mod live_test;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::model::{Position, SourceEvent};
use crate::registry::Component;

use super::{Closed, FromSource, Outlet, Source};
use generation::Now;
use hints::Hints;
use learn::LearnItem;
use tailer::{Tailer, Wake};

pub use config::{FilesConfig, Limits, Pattern};

/// Ticks are at least this far apart: a thousand writes a second are six looks. With the rest of the hints before it, the
/// longest a written line waits to be seen: a quarter of a second.
const COALESCE: Duration = Duration::from_millis(160);
/// Longest wait, so that the pulse shows life.
const PULSE: Duration = Duration::from_millis(900);

/// Follows files: `[[sources.files]]`.
pub struct Files {
    tailer: Tailer,
    limits: Limits,
    started: Instant,
}

impl Files {
    /// As `logwren components` lists it.
    pub const COMPONENT: Component = Component {
        role: "source",
        name: "files",
        does: "follows files, directories and globs over every kind of rotation",
    };

    /// `excluded_dirs` are our own (state, logs): nothing below them is ever read, or we would feed on ourselves.
    pub fn new(configs: Vec<FilesConfig>, excluded_dirs: Vec<PathBuf>, limits: Limits) -> Files {
        Files { tailer: Tailer::new(configs, excluded_dirs, limits.clone()), limits, started: Instant::now() }
    }

    fn now(&self) -> Now {
        time(self.started)
    }

    /// The tail loop, until nobody takes the lines any more.
    fn follow(&mut self, outlet: &Outlet) -> Result<(), Closed> {
        let mut hints = Hints::start(self.tailer.literals(), self.limits.hints);
        hints.watch(self.tailer.directories());
        // Between `open` and now nobody watched.
        let mut wake = Wake { scan: true, ..Wake::default() };
        loop {
            outlet.beat();
            if outlet.stopped() {
                return Ok(());
            }
            let now = self.now();
            let looked = self.tailer.look(now, &wake);
            if looked.scanned {
                hints.watch(self.tailer.directories());
            }
            let after = self.now();
            self.tailer.took(looked, after.steady - now.steady, after, hints.complete());
            let (started, patience) = (self.started, self.limits.stalled);
            let more = self.tailer.read(after, &mut |message| {
                let refused = outlet.offer(message, patience)?;
                Ok(refused.map(|message| (message, time(started))))
            })?;
            if !more {
                let earliest = now.steady + COALESCE;
                let due = self.tailer.next_look().clamp(earliest, (now.steady + PULSE).max(earliest));
                hints.wait(due.saturating_sub(self.now().steady));
                thread::sleep(earliest.saturating_sub(self.now().steady));
            }
            wake = hints.take();
        }
    }
}

impl Source for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn open(&mut self, known: &[Position], relearn: bool) -> Vec<Position> {
        let now = self.now();
        let positions = self.tailer.open(known, now);
        if relearn {
            self.tailer.learn_again();
        }
        positions
    }

    fn run(mut self: Box<Self>, outlet: Outlet) {
        let items = self.tailer.take_learning();
        let (limits, learner_outlet, source) = (self.limits.clone(), outlet.clone(), Arc::from(self.name()));
        let learner = thread::Builder::new()
            .name("logwren-learn".to_owned())
            .spawn(move || learn_all(items, &limits, &learner_outlet, source));
        let learner = match learner {
            Ok(learner) => Some(learner),
            Err(error) => {
                tracing::error!(%error, "cannot start the learning thread; going on without a baseline of files");
                let _ = outlet.event(SourceEvent::Learned { source: Arc::from(self.name()) });
                None
            }
        };
        // Closed means that the daemon drains: what was not committed is read again.
        let _ = self.follow(&outlet);
        if let Some(learner) = learner {
            let _ = learner.join();
        }
    }
}

fn learn_all(items: Vec<LearnItem>, limits: &Limits, outlet: &Outlet, source: Arc<str>) {
    for item in items {
        if outlet.stopped() || item.run(limits, &mut |message| hand_over(outlet, message)).is_err() {
            return;
        }
    }
    let _ = outlet.event(SourceEvent::Learned { source });
}

fn time(started: Instant) -> Now {
    Now { steady: started.elapsed(), wall: jiff::Timestamp::now().into(), looked: crate::model::Timestamp::EPOCH }
}

fn hand_over(outlet: &Outlet, message: FromSource) -> Result<(), Closed> {
    match message {
        FromSource::Lines(block) => outlet.lines(block),
        FromSource::Event(event) => outlet.event(event),
    }
}
