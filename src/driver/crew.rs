//! The threads of the sources: opened, started, stopped together. Looks into no line.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::model::Position;
use crate::source::{FromSource, Outlet, Pulse, Source};

/// Blocks that may wait for the pipeline: with blocks of up to 256 KiB, 4 MiB.
const QUEUE: usize = 16;

/// Every source and its thread.
pub struct Crew {
    waiting: Vec<Box<dyn Source>>,
    threads: Vec<JoinHandle<()>>,
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
    pub fn reopen(&mut self, sources: Vec<Box<dyn Source>>, known: &[Position]) -> Vec<Position> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.sender = Some(sender);
        self.receiver = receiver;
        self.stop = CancellationToken::new();
        self.take(sources, known, false)
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
            match thread.spawn(move || source.run(outlet)) {
                Ok(thread) => self.threads.push(thread),
                Err(error) => tracing::error!(%error, "cannot start a thread for a source; its lines are not read"),
            }
        }
        *pulses.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = seen;
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
            if thread.join().is_err() {
                tracing::error!("a source panicked; its lines will be read again at the next start");
            }
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
