//! The way out of a source: bounded, waiting when full, and watched. Knows nothing of files or journals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::model::{LineBlock, SourceEvent};

/// What a source hands over.
#[derive(Debug)]
pub enum FromSource {
    Lines(LineBlock),
    Event(SourceEvent),
}

/// The driver is gone or the daemon is stopping: the source should return.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the pipeline takes no more lines")]
pub struct Closed;

/// Sending end that a source owns. Clones share queue, stop flag and pulse.
#[derive(Clone, Debug)]
pub struct Outlet {
    sender: mpsc::Sender<FromSource>,
    /// Cancelled when the daemon drains.
    stop: CancellationToken,
    pulse: Arc<Pulse>,
    /// It was said that there is nothing left to learn: a source that begins again after a crash says it again.
    learned: Arc<AtomicBool>,
}

/// Shows that a source still lives: the watchdog ping depends on it.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicU64,
    /// Waiting for the pipeline is not being stuck.
    waiting: AtomicBool,
}

impl Outlet {
    pub fn new(sender: mpsc::Sender<FromSource>, stop: CancellationToken) -> Outlet {
        Outlet { sender, stop, pulse: Arc::default(), learned: Arc::default() }
    }

    /// Blocks while the queue is full: that is the back pressure.
    ///
    /// # Errors
    /// [`Closed`] when the pipeline takes no more; the block is then not committed and will be read again.
    pub fn lines(&self, block: LineBlock) -> Result<(), Closed> {
        self.send(FromSource::Lines(block))
    }

    /// # Errors
    /// [`Closed`] when the pipeline takes no more.
    pub fn event(&self, event: SourceEvent) -> Result<(), Closed> {
        if matches!(event, SourceEvent::Learned { .. }) && self.learned.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.send(FromSource::Event(event))
    }

    /// Like [`Outlet::lines`], also while the daemon drains: for sources whose lines cannot be read again.
    ///
    /// # Errors
    /// [`Closed`] when nobody listens any more.
    pub fn last_lines(&self, block: LineBlock) -> Result<(), Closed> {
        self.push(FromSource::Lines(block))
    }

    /// Like [`Outlet::event`], also while the daemon drains.
    ///
    /// # Errors
    /// [`Closed`] when nobody listens any more.
    pub fn last_event(&self, event: SourceEvent) -> Result<(), Closed> {
        self.push(FromSource::Event(event))
    }

    /// True once the source should return.
    pub fn stopped(&self) -> bool {
        self.stop.is_cancelled() || self.sender.is_closed()
    }

    /// For sources that wait asynchronously.
    pub fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// To be called at least every second by a living source.
    pub fn beat(&self) {
        self.pulse.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody has to beat while the source waits to be started again.
    pub fn resting(&self, resting: bool) {
        self.pulse.waiting.store(resting, Ordering::Relaxed);
    }

    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    fn send(&self, message: FromSource) -> Result<(), Closed> {
        if self.stop.is_cancelled() {
            return Err(Closed);
        }
        self.push(message)
    }

    fn push(&self, message: FromSource) -> Result<(), Closed> {
        self.beat();
        let message = match self.sender.try_send(message) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Closed),
            Err(mpsc::error::TrySendError::Full(message)) => message,
        };
        self.pulse.waiting.store(true, Ordering::Relaxed);
        let sent = self.sender.blocking_send(message).map_err(|_| Closed);
        self.pulse.waiting.store(false, Ordering::Relaxed);
        self.beat();
        sent
    }
}

impl Pulse {
    /// Grows while the source lives.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// The source waits for the pipeline.
    pub fn waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }
}
