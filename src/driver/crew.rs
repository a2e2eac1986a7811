//! The threads of the sources: opened, started, stopped together. Looks into no line.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::model::{Position, SourceEvent};
use crate::source::{FromSource, Outlet, Pulse, Source};

/// Blocks that may wait for the pipeline: with blocks of up to 256 KiB, 4 MiB.
const QUEUE: usize = 16;

/// Every source and its thread.
pub struct Crew {
    waiting: Vec<Box<dyn Source>>,
    threads: Vec<JoinHandle<()>>,
    /// Names of sources whose threads panicked. std Mutex: never held across an await.
    crashed: Arc<Mutex<Vec<&'static str>>>,
    stop: CancellationToken,
    sender: Option<mpsc::Sender<FromSource>>,
    receiver: mpsc::Receiver<FromSource>,
    sources: usize,
    learned: usize,
    ended: usize,
}

impl Crew {
    /// Opens the sources; gives the positions to commit before READY. `relearn`: the baseline was never completed.
    pub fn open(sources: Vec<Box<dyn Source>>, known: &[Position], relearn: bool) -> (Crew, Vec<Position>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut crew = Crew {
            waiting: Vec::new(),
            threads: Vec::new(),
            crashed: Arc::default(),
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
        for source in self.waiting.drain(..) {
            let outlet = Outlet::new(sender.clone(), self.stop.clone());
            seen.push((source.name(), outlet.pulse()));
            let thread = std::thread::Builder::new().name(format!("source-{}", source.name()));
            let crashed = Arc::clone(&self.crashed);
            match thread.spawn(move || run(source, outlet, &crashed)) {
                Ok(thread) => self.threads.push(thread),
                Err(error) => tracing::error!(%error, "cannot start a thread for a source; its lines are not read"),
            }
        }
        *pulses.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = seen;
    }

    /// Sources whose threads panicked: nothing reads them until a restart.
    pub fn crashed(&self) -> Option<String> {
        let names = self.crashed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (!names.is_empty()).then(|| names.join(", "))
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

    fn take(&mut self, mut sources: Vec<Box<dyn Source>>, known: &[Position], relearn: bool) -> Vec<Position> {
        self.sources = sources.len();
        self.learned = 0;
        self.ended = 0;
        let ends = sources.iter_mut().flat_map(|source| source.open(known, relearn)).collect();
        self.waiting = sources;
        ends
    }
}

/// One source on its thread. A panic is said and alerted, and the watchdog misses the source's pulse from then on.
fn run(source: Box<dyn Source>, outlet: Outlet, crashed: &Mutex<Vec<&'static str>>) {
    let name = source.name();
    let last_word = outlet.clone();
    // Nothing of the source is used after it panicked.
    if catch_unwind(AssertUnwindSafe(|| source.run(outlet))).is_ok() {
        return;
    }
    tracing::error!("the reader of {name} crashed; nothing of it is read until logwren is restarted");
    crashed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(name);
    let reason = "its reader crashed; restart logwren to read on from the last commit".to_owned();
    // A closed channel means the daemon is ending anyway.
    let _ = last_word.event(SourceEvent::Gap { origin: name.into(), reason, lost: None });
}
