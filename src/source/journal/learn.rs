//! The learning pass: a bounded dump of what was in the journal before we first looked, in the background.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Limits;
use super::child::{Child, Chunk, Log};
use super::command::Journalctl;
use super::intake::Intake;
use crate::model::SourceEvent;
use crate::source::{Closed, Outlet};

/// A learning pass under way.
#[derive(Debug)]
pub(super) struct Learner(Option<JoinHandle<()>>);

impl Learner {
    /// Waits until its child is gone, but not for an outlet that nobody empties.
    pub(super) fn wait(self) {
        let deadline = Instant::now() + Duration::from_secs(3);
        while let Some(thread) = &self.0
            && !thread.is_finished()
            && Instant::now() < deadline
        {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Hands over the newest entries up to the one the intake ends with, then `Learned` if `announce`.
pub(super) fn begin(
    journalctl: Journalctl,
    intake: Intake,
    outlet: Outlet,
    limits: &Limits,
    announce: bool,
) -> Learner {
    let limits = limits.clone();
    let name = intake.name();
    let fallback = outlet.clone();
    let source = name.clone();
    let thread = thread::Builder::new().name("journal-learn".to_owned()).spawn(move || {
        // The outlet closing under us is the ordinary end.
        let _ = learn(&journalctl, intake, &outlet, &limits)
            .and_then(|()| if announce { outlet.event(SourceEvent::Learned { source }) } else { Ok(()) });
    });
    match thread {
        Ok(thread) => Learner(Some(thread)),
        Err(error) => {
            tracing::warn!(%error, "no thread to learn from the journal; going on without");
            if announce {
                let _ = fallback.event(SourceEvent::Learned { source: name });
            }
            Learner(None)
        }
    }
}

fn learn(journalctl: &Journalctl, mut intake: Intake, outlet: &Outlet, limits: &Limits) -> Result<(), Closed> {
    let child = match Child::start(journalctl.newest(limits.learn), Log::No) {
        Ok(child) => child,
        Err(error) => {
            tracing::warn!(%error, "cannot start journalctl to learn from the journal; going on without");
            return Ok(());
        }
    };
    let mut heard = Instant::now();
    while !intake.is_finished() {
        if outlet.stopped() {
            return Err(Closed);
        }
        match child.next(Duration::from_millis(200)) {
            Chunk::Bytes(bytes) => {
                intake.feed(&bytes);
                if intake.is_full() {
                    hand_over(&mut intake, outlet)?;
                }
                // After the outlet: its back pressure is not the child's silence.
                heard = Instant::now();
            }
            Chunk::Quiet if heard.elapsed() < limits.quiet => {}
            Chunk::Quiet => {
                tracing::warn!("journalctl fell silent while the journal was learnt; going on with what there is");
                break;
            }
            Chunk::End => {
                let ending = child.end();
                if !ending.success {
                    tracing::warn!(
                        how = ending.how,
                        said = ending.complaints.last,
                        "learning from the journal ended early"
                    );
                }
                return hand_over(&mut intake, outlet);
            }
        }
    }
    hand_over(&mut intake, outlet)
}

fn hand_over(intake: &mut Intake, outlet: &Outlet) -> Result<(), Closed> {
    for event in intake.take_events() {
        outlet.event(event)?;
    }
    match intake.take_block() {
        Some(block) if !block.spans.is_empty() => outlet.lines(block),
        Some(_) | None => Ok(()),
    }
}
