//! The threads of the sources: opened, started, stopped together, and started again one by one when they crash. Looks
//! into no line.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::model::{Position, SourceEvent};
use crate::source::{FromSource, Outlet, Pulse, Source};

/// Blocks that may wait for the pipeline: with blocks of up to 256 KiB, 4 MiB.
const QUEUE: usize = 16;
/// First and longest wait before a crashed reader begins again.
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// A reader that lived so long had a good start: the next crash waits no longer than the first.
const SETTLED: Duration = Duration::from_secs(600);
/// Last word of a reader that crashed; everything it handed over came before it.
const CRASHED: &str = "its reader crashed; it begins again behind the last line it handed over";

/// Makes the sources anew, in the same order. One that cannot begin again (standard input) is left out at the end.
pub type Remake = Box<dyn Fn() -> Vec<Box<dyn Source>> + Send>;

/// Every source and its thread.
pub struct Crew {
    waiting: Vec<Box<dyn Source>>,
    threads: Vec<JoinHandle<()>>,
    /// Sources whose threads panicked. std Mutex: never held across an await.
    crashed: Arc<Mutex<Vec<Crash>>>,
    /// When each source last began, and how long it rests after its next crash.
    lives: Vec<(Instant, Duration)>,
    remake: Remake,
    stop: CancellationToken,
    sender: Option<mpsc::Sender<FromSource>>,
    receiver: mpsc::Receiver<FromSource>,
    sources: usize,
    learned: usize,
    ended: usize,
}

/// A source without a thread.
struct Crash {
    place: usize,
    name: &'static str,
    /// Goes to the one who begins again; without it nobody does.
    outlet: Option<Outlet>,
    /// When to begin again. Not before its last word was heard: by then all its lines were taken.
    due: Option<Instant>,
}

impl Crew {
    /// Opens the sources; gives the positions to commit before READY. `relearn`: the baseline was never completed.
    pub fn open(
        sources: Vec<Box<dyn Source>>,
        remake: Remake,
        known: &[Position],
        relearn: bool,
    ) -> (Crew, Vec<Position>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut crew = Crew {
            waiting: Vec::new(),
            threads: Vec::new(),
            crashed: Arc::default(),
            lives: Vec::new(),
            remake,
            stop: CancellationToken::new(),
            sender: Some(sender),
            receiver,
            sources: 0,
            learned: 0,
            ended: 0,
        };
        let ends = crew.take(sources, known, relearn);
        (crew, ends)
    }

    /// Opens other sources after [`Crew::stop`].
    pub fn reopen(&mut self, sources: Vec<Box<dyn Source>>, known: &[Position], relearn: bool) -> Vec<Position> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.sender = Some(sender);
        self.receiver = receiver;
        self.stop = CancellationToken::new();
        self.crashed = Arc::default();
        self.take(sources, known, relearn)
    }

    /// Starts a thread for each opened source.
    pub fn start(&mut self, pulses: &Mutex<Vec<(&'static str, Arc<Pulse>)>>) {
        // Ours is dropped: when the last source returns, the channel closes.
        let Some(sender) = self.sender.take() else { return };
        let mut seen = Vec::new();
        let waiting = std::mem::take(&mut self.waiting);
        self.lives = vec![(Instant::now(), FIRST_REST); waiting.len()];
        for (place, source) in waiting.into_iter().enumerate() {
            let outlet = Outlet::new(sender.clone(), self.stop.clone());
            seen.push((source.name(), outlet.pulse()));
            self.spawn(place, source, outlet);
        }
        *pulses.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = seen;
    }

    /// Sources that nothing reads now because their threads panicked.
    pub fn crashed(&self) -> Option<String> {
        let crashed = lock(&self.crashed);
        let names: Vec<&str> = crashed.iter().map(|crash| crash.name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Whether this is the last word of a reader that crashed; then it is to begin again, if it can.
    pub fn heard(&mut self, event: &SourceEvent, now: Instant) {
        let SourceEvent::Gap { origin, reason, .. } = event else { return };
        if reason != CRASHED {
            return;
        }
        let mut crashed = lock(&self.crashed);
        let waits = |crash: &&mut Crash| crash.due.is_none() && crash.outlet.is_some() && crash.name == &**origin;
        let Some(crash) = crashed.iter_mut().find(waits) else { return };
        let again = (self.remake)().get(crash.place).is_some_and(|source| source.name() == crash.name);
        let Some((began, rest)) = self.lives.get_mut(crash.place).filter(|_| again) else {
            tracing::error!("nothing of {origin} is read until logwren is restarted");
            crash.outlet = None;
            return;
        };
        if now.duration_since(*began) > SETTLED {
            *rest = FIRST_REST;
        }
        crash.due = Some(now + *rest);
        tracing::error!("the reader of {origin} begins again in {:.1} s", rest.as_secs_f64());
        *rest = (*rest * 2).min(LONGEST_REST);
    }

    /// When [`Crew::begin_again`] has something to do.
    pub fn next_beginning(&self) -> Option<Instant> {
        lock(&self.crashed).iter().filter_map(|crash| crash.due).min()
    }

    /// Starts the crashed readers that are due, behind what they handed over; gives where they stand.
    pub fn begin_again(&mut self, known: &[Position], now: Instant) -> Vec<Position> {
        let mut ends = Vec::new();
        if self.next_beginning().is_none_or(|due| due > now) {
            return ends;
        }
        self.threads.retain(|thread| !thread.is_finished());
        let due = |crash: &Crash| crash.due.is_some_and(|due| due <= now);
        let crashes: Vec<Crash> = lock(&self.crashed).extract_if(.., |crash| due(crash)).collect();
        for Crash { place, name, outlet, .. } in crashes {
            let source = (self.remake)().into_iter().nth(place);
            let (Some(mut source), Some(outlet)) = (source, outlet) else { continue };
            tracing::info!("the reader of {name} begins again");
            // What was there at the first start is being learned, or was.
            ends.extend(source.open(known, false));
            if let Some((began, _)) = self.lives.get_mut(place) {
                *began = now;
            }
            outlet.resting(false);
            self.spawn(place, source, outlet);
        }
        ends
    }

    /// How sources are made from now on.
    pub fn remake_by(&mut self, remake: Remake) {
        self.remake = remake;
    }

    /// The next block or event; `None` when every source has returned.
    pub async fn next(&mut self) -> Option<FromSource> {
        self.receiver.recv().await
    }

    /// One source has nothing left to teach; true when it was the last of them.
    pub fn one_learned(&mut self) -> bool {
        self.learned += 1;
        self.learned == self.sources
    }

    pub fn one_ended(&mut self) {
        self.ended += 1;
    }

    /// No source will ever say anything again.
    pub fn ended(&self) -> bool {
        self.sources > 0 && self.ended >= self.sources
    }

    /// Stops every source and waits for its thread. Gives what was still in the queue.
    pub async fn stop(&mut self) -> Vec<FromSource> {
        self.stop.cancel();
        self.sender = None;
        self.waiting.clear();
        // Nobody begins again, so the channel can close.
        lock(&self.crashed).clear();
        let mut rest = Vec::new();
        // A source that waits for room gets it; the channel closes with the last thread.
        let all = async {
            while let Some(message) = self.receiver.recv().await {
                rest.push(message);
            }
        };
        if tokio::time::timeout(super::GRACE, all).await.is_err() {
            tracing::warn!("a source did not stop in time; its last lines will be read again");
            self.threads.clear();
            return rest;
        }
        for thread in self.threads.drain(..) {
            // Panics were caught and said inside.
            let _ = thread.join();
        }
        rest
    }

    fn spawn(&mut self, place: usize, source: Box<dyn Source>, outlet: Outlet) {
        let thread = std::thread::Builder::new().name(format!("source-{}", source.name()));
        let crashed = Arc::clone(&self.crashed);
        match thread.spawn(move || run(place, source, outlet, &crashed)) {
            Ok(thread) => self.threads.push(thread),
            Err(error) => tracing::error!(%error, "cannot start a thread for a source; its lines are not read"),
        }
    }

    fn take(&mut self, mut sources: Vec<Box<dyn Source>>, known: &[Position], relearn: bool) -> Vec<Position> {
        self.sources = sources.len();
        self.learned = 0;
        self.ended = 0;
        let ends = sources.iter_mut().flat_map(|source| source.open(known, relearn)).collect();
        self.waiting = sources;
        ends
    }
}

fn lock(crashed: &Mutex<Vec<Crash>>) -> std::sync::MutexGuard<'_, Vec<Crash>> {
    crashed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// One source on its thread. A panic is said and alerted.
fn run(place: usize, source: Box<dyn Source>, outlet: Outlet, crashed: &Mutex<Vec<Crash>>) {
    let name = source.name();
    let last_word = outlet.clone();
    // Nothing of the source is used after it panicked.
    if catch_unwind(AssertUnwindSafe(|| source.run(outlet))).is_ok() || last_word.stopped() {
        return;
    }
    tracing::error!("the reader of {name} crashed");
    last_word.resting(true);
    lock(crashed).push(Crash { place, name, outlet: Some(last_word.clone()), due: None });
    // A closed channel means the daemon is ending anyway.
    let _ = last_word.event(SourceEvent::Gap { origin: name.into(), reason: CRASHED.to_owned(), lost: None });
}
