//! Keeps one journalctl following and hands over what it writes; restarts it, watches it, says what is wrong. Reads the
//! clock only to wait.

use std::time::{Duration, Instant};

use super::child::{Child, Chunk, Ending, Log};
use super::command::{Journalctl, Start};
use super::intake::Intake;
use super::learn::{self, Learner};
use super::probe::{self, Trouble};
use super::{Journal, Limits};
use crate::model::{Phase, SourceEvent};
use crate::source::{Closed, Outlet};

/// How often a waiting source beats and looks whether it should stop.
const BEAT: Duration = Duration::from_millis(200);
/// How many times longer than at first the silence between two looks may become.
const QUIET_GROWTH: u32 = 5;
/// Failures in a row after which a person is told, where waiting may help.
const FAILURES_BEFORE_TELLING: u32 = 3;

/// The live part of the source.
#[derive(Debug)]
pub(super) struct Follower {
    journal: Journal,
    journalctl: Journalctl,
    limits: Limits,
    intake: Intake,
    outlet: Outlet,
    /// Where the next child begins, when not behind the last entry read.
    start: Option<Start>,
    /// journalctl was asked whether it shows all.
    view_checked: bool,
    /// A person was told that nothing can be read.
    unreadable: bool,
    failures: u32,
    wait: Duration,
    /// Lines that were no entries and have not been told yet, and when some were.
    garbage: u64,
    garbage_told: Option<Instant>,
    learner: Option<Learner>,
}

/// Why the pump over one child stopped.
enum Stopped {
    /// The child closed its output.
    Ended,
    /// The journal has an entry that the child does not show.
    Stuck(Start),
    /// journalctl gives no answer at all.
    Dead(Trouble),
}

impl Follower {
    pub(super) fn new(journal: Journal, outlet: Outlet) -> Follower {
        Follower {
            journalctl: journal.journalctl.clone(),
            limits: journal.limits.clone(),
            intake: journal.intake(Phase::Live),
            outlet,
            start: journal.start.clone(),
            view_checked: false,
            unreadable: false,
            failures: 0,
            wait: journal.limits.restart_first,
            garbage: 0,
            garbage_told: None,
            learner: None,
            journal,
        }
    }

    /// Runs until the outlet closes. Returns a learning pass that began late, because nothing could be read at first.
    pub(super) fn run(mut self) -> Option<Learner> {
        // The only way out is a closed outlet.
        let Err(Closed) = self.follow();
        self.learner.take()
    }

    fn follow(&mut self) -> Result<std::convert::Infallible, Closed> {
        loop {
            let Some(start) = self.next_start()? else { continue };
            self.check_view()?;
            // Told once is enough: it fails every half minute for as long as nobody helps.
            let log = if self.unreadable || self.failures > 0 { Log::No } else { Log::Yes };
            let child = match Child::start(self.journalctl.follow(&start), log) {
                Ok(child) => child,
                Err(error) => {
                    self.fail(&Trouble::start(&self.journalctl, &error))?;
                    continue;
                }
            };
            tracing::debug!(origin = %self.intake.name(), ?start, "following the journal");
            self.intake.begin(&start);
            let began = Instant::now();
            let stopped = self.pump(&child, began)?;
            let lived = began.elapsed();
            match stopped {
                Stopped::Ended => self.ended(&child.end(), lived)?,
                Stopped::Stuck(start) => {
                    drop(child);
                    let origin = self.intake.name();
                    tracing::warn!(%origin, "journalctl does not show the newest entries; starting it again");
                    if let Start::With(_) = start {
                        self.gap("the clock went back behind the entry where reading stopped")?;
                    }
                    self.start = Some(start);
                    self.back_off(lived)?;
                }
                Stopped::Dead(trouble) => {
                    drop(child);
                    self.fail(&trouble)?;
                }
            }
        }
    }

    /// Where the next child begins. `None` after a failed attempt to find out, and a wait.
    fn next_start(&mut self) -> Result<Option<Start>, Closed> {
        if let Some(start) = self.start.take() {
            // Kept until an entry was read: the child may fail before.
            self.start = Some(start.clone());
            return Ok(Some(start));
        }
        if let Some(place) = self.intake.last() {
            return Ok(Some(Start::After(place.clone())));
        }
        let outlet = self.outlet.clone();
        match probe::newest(&self.journalctl, self.limits.probe, || beat(&outlet)) {
            Ok(newest) => {
                self.journal.fix_end(newest);
                if let Some(place) = self.journal.learn_up_to.take() {
                    // Learned was said long ago: nobody waits for these lines, they still teach.
                    let intake = self.journal.intake(Phase::Learn).up_to(place);
                    let journalctl = self.journalctl.clone();
                    self.learner = Some(learn::begin(journalctl, intake, self.outlet.clone(), &self.limits, false));
                }
                self.start.clone_from(&self.journal.start);
                Ok(self.start.clone())
            }
            Err(trouble) => self.fail(&trouble).map(|()| None),
        }
    }

    /// Tells a person, once, when journalctl shows only a part.
    fn check_view(&mut self) -> Result<(), Closed> {
        if self.view_checked {
            return Ok(());
        }
        let outlet = self.outlet.clone();
        if let Ok(partial) = probe::is_partial(&self.journalctl, self.limits.probe, || beat(&outlet)) {
            self.view_checked = true;
            if partial {
                self.tell(&Trouble::partial())?;
                // It can be read: the first entry must not be taken for the end of this trouble.
                self.unreadable = false;
            }
        }
        Ok(())
    }

    /// Reads one child until something stops it.
    fn pump(&mut self, child: &Child, began: Instant) -> Result<Stopped, Closed> {
        let mut heard = Instant::now();
        // When the block that is being collected got its first line.
        let mut collecting: Option<Instant> = None;
        let mut idle_since = Instant::now();
        // A look costs a process: in a journal that is quiet for long they become rare.
        let mut quiet = self.limits.quiet;
        // A look found an entry that we have not seen; the child has until then to show it.
        let mut suspect: Option<(Start, Instant)> = None;
        loop {
            if !beat(&self.outlet) {
                return Err(Closed);
            }
            let timeout = collecting.map_or(BEAT, |since| self.limits.coalesce.saturating_sub(since.elapsed()));
            match child.next(timeout.min(BEAT)) {
                Chunk::Bytes(bytes) => {
                    if self.intake.feed(&bytes) {
                        self.start = None;
                        self.readable()?;
                    }
                    suspect = None;
                    quiet = self.limits.quiet;
                    if self.intake.has_lines() {
                        collecting.get_or_insert_with(Instant::now);
                    }
                    let due = collecting.is_some_and(|since| since.elapsed() >= self.limits.coalesce);
                    if self.intake.is_full() || due {
                        self.hand_over()?;
                        collecting = None;
                        idle_since = Instant::now();
                    }
                    // Taken after the outlet: its back pressure is not the child's silence.
                    heard = Instant::now();
                }
                Chunk::Quiet => {
                    let only_moved = self.intake.has_only_moved() && idle_since.elapsed() >= self.limits.idle_position;
                    if collecting.is_some() || only_moved {
                        self.hand_over()?;
                        collecting = None;
                        idle_since = Instant::now();
                    }
                    if self.unreadable && began.elapsed() >= self.limits.settled {
                        self.readable()?;
                    }
                    if let Some((start, until)) = &suspect {
                        if Instant::now() >= *until {
                            return Ok(Stopped::Stuck(start.clone()));
                        }
                    } else if heard.elapsed() >= quiet {
                        match self.look()? {
                            Ok(start) => suspect = start.map(|start| (start, Instant::now() + self.limits.grace)),
                            Err(trouble) => return Ok(Stopped::Dead(trouble)),
                        }
                        quiet = quiet.saturating_mul(2).min(self.limits.quiet.saturating_mul(QUIET_GROWTH));
                        heard = Instant::now();
                    }
                }
                Chunk::End => {
                    self.hand_over()?;
                    return Ok(Stopped::Ended);
                }
            }
            self.tell_events()?;
        }
    }

    /// Whether the journal has an entry that we have not seen, and where to begin if it has.
    fn look(&mut self) -> Result<Result<Option<Start>, Trouble>, Closed> {
        let outlet = self.outlet.clone();
        let newest = match probe::newest(&self.journalctl, self.limits.probe, || beat(&outlet)) {
            Ok(newest) => newest,
            Err(_) if self.outlet.stopped() => return Err(Closed),
            Err(trouble) => return Ok(Err(trouble)),
        };
        let Some(newest) = newest.filter(|newest| !self.intake.has_seen(&newest.cursor)) else {
            return Ok(Ok(None));
        };
        let start = match self.intake.last() {
            None => Start::Head,
            Some(last) if newest.realtime >= last.realtime => Start::Since(last.realtime),
            Some(_) => Start::With(newest),
        };
        Ok(Ok(Some(start)))
    }

    /// What to do about a child that ended by itself.
    fn ended(&mut self, ending: &Ending, lived: Duration) -> Result<(), Closed> {
        if ending.complaints.bad_cursor
            && let Some(place) = self.intake.last().cloned()
        {
            self.gap("journalctl does not understand the stored position; going on by time")?;
            self.start = Some(Start::Since(place.realtime));
            return self.back_off(lived);
        }
        let trouble = Trouble::ended(ending);
        if ending.complaints.no_permission {
            return self.fail(&trouble);
        }
        if !self.unreadable {
            let (origin, said) = (self.intake.name(), &ending.complaints.last);
            tracing::warn!(%origin, how = ending.how, said, "journalctl ended; starting it again");
        }
        self.failures = if lived < self.limits.settled { self.failures + 1 } else { 0 };
        if self.failures >= FAILURES_BEFORE_TELLING {
            self.tell(&trouble)?;
        }
        self.back_off(lived)
    }

    /// Tells a person, once, and waits.
    fn fail(&mut self, trouble: &Trouble) -> Result<(), Closed> {
        if self.outlet.stopped() {
            return Err(Closed);
        }
        self.failures += 1;
        if trouble.lasting || self.failures >= FAILURES_BEFORE_TELLING {
            self.tell(trouble)?;
        }
        if trouble.missing { self.sleep(self.limits.missing) } else { self.back_off(Duration::ZERO) }
    }

    fn tell(&mut self, trouble: &Trouble) -> Result<(), Closed> {
        if self.unreadable {
            return Ok(());
        }
        self.unreadable = true;
        let (error, fix) = (trouble.error.clone(), trouble.fix.clone());
        self.outlet.event(SourceEvent::Unreadable { origin: self.intake.name(), error, fix })
    }

    fn readable(&mut self) -> Result<(), Closed> {
        self.failures = 0;
        if self.unreadable {
            self.unreadable = false;
            self.outlet.event(SourceEvent::Readable { origin: self.intake.name() })?;
        }
        Ok(())
    }

    fn gap(&mut self, reason: &str) -> Result<(), Closed> {
        self.outlet.event(SourceEvent::Gap { origin: self.intake.name(), reason: reason.to_owned(), lost: None })
    }

    fn hand_over(&mut self) -> Result<(), Closed> {
        self.tell_events()?;
        match self.intake.take_block() {
            Some(block) => self.outlet.lines(block),
            None => Ok(()),
        }
    }

    fn tell_events(&mut self) -> Result<(), Closed> {
        for event in self.intake.take_events() {
            self.outlet.event(event)?;
        }
        self.garbage += self.intake.take_garbage();
        let due = self.garbage_told.is_none_or(|told| told.elapsed() >= self.limits.quiet);
        if self.garbage > 0 && due {
            let lost = Some(std::mem::take(&mut self.garbage));
            self.garbage_told = Some(Instant::now());
            let reason = "journalctl wrote lines that are no journal entries".to_owned();
            self.outlet.event(SourceEvent::Gap { origin: self.intake.name(), reason, lost })?;
        }
        Ok(())
    }

    /// Waits longer after each child, unless the last one lived.
    fn back_off(&mut self, lived: Duration) -> Result<(), Closed> {
        if lived >= self.limits.settled.saturating_mul(5) {
            self.wait = self.limits.restart_first;
        }
        let wait = self.wait;
        self.wait = wait.saturating_mul(2).min(self.limits.restart_most);
        self.sleep(wait)
    }

    fn sleep(&self, wait: Duration) -> Result<(), Closed> {
        let deadline = Instant::now() + wait;
        loop {
            if !beat(&self.outlet) {
                return Err(Closed);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(BEAT));
        }
    }
}

/// Shows that we live; false when we should not any more.
fn beat(outlet: &Outlet) -> bool {
    outlet.beat();
    !outlet.stopped()
}
