//! The way out of a source: bounded, waiting when full, and watched. Knows nothing of files or journals.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

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

    /// Waits no longer than `patience` for room; gives the message back when there was none.
    ///
    /// # Errors
    /// [`Closed`] when the pipeline takes no more.
    pub fn offer(&self, message: FromSource, patience: Duration) -> Result<Option<FromSource>, Closed> {
        if self.stop.is_cancelled() {
            return Err(Closed);
        }
        self.beat();
        let message = match self.sender.try_send(message) {
            Ok(()) => return Ok(None),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Closed),
            Err(mpsc::error::TrySendError::Full(message)) => message,
        };
        self.pulse.waiting.store(true, Ordering::Relaxed);
        let refused = match room(&self.sender, patience) {
            Some(permit) => permit.map(|permit| permit.send(message)).map(|()| None),
            None => Ok(Some(message)),
        };
        self.pulse.waiting.store(false, Ordering::Relaxed);
        self.beat();
        refused
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

/// Room for one message, waited for on a thread that has no runtime; `None` when `patience` has run out.
fn room(sender: &mpsc::Sender<FromSource>, patience: Duration) -> Option<Result<mpsc::Permit<'_, FromSource>, Closed>> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let end = Instant::now() + patience;
    let mut permit = pin!(sender.reserve());
    loop {
        if let Poll::Ready(permit) = permit.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(permit.map_err(|_| Closed));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceEvent;

    #[test]
    fn what_nobody_takes_comes_back() {
        let (sender, mut receiver) = mpsc::channel(1);
        let outlet = Outlet::new(sender, CancellationToken::new());
        let message = || FromSource::Event(SourceEvent::Ended { source: "x".into() });
        let offer =
            |patience_ms| outlet.offer(message(), Duration::from_millis(patience_ms)).map(|back| back.is_some());
        assert_eq!(offer(0), Ok(false));
        assert_eq!(offer(10), Ok(true));
        thread::scope(|scope| {
            let waits = scope.spawn(|| offer(60_000));
            assert!(receiver.blocking_recv().is_some());
            assert_eq!(waits.join().expect("it waits"), Ok(false));
        });
        drop(receiver);
        assert_eq!(offer(60_000), Err(Closed));
    }
}
