//! What we tell systemd: READY, RELOADING, STOPPING, STATUS, WATCHDOG (sd_notify(3)). Silent when nobody listens.

use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use sd_notify::NotifyState;

/// What waits to be said while systemd does not listen; beyond, words are dropped: it will hear later ones.
const MAX_WAITING: usize = 16;
/// So long a last word may take.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What there is to say, and who wants to know that it was said.
type Word = (Box<dyn FnOnce() + Send>, SyncSender<()>);

/// Says it from a thread of its own: systemd can be busy for long, and a full socket blocks who writes to it.
static VOICE: LazyLock<SyncSender<Word>> = LazyLock::new(|| {
    let (voice, words) = sync_channel::<Word>(MAX_WAITING);
    let speak = move || {
        for (word, said) in words {
            word();
            // Who asked may have gone on.
            let _ = said.send(());
        }
    };
    if let Err(error) = std::thread::Builder::new().name("systemd".to_owned()).spawn(speak) {
        tracing::warn!(%error, "cannot start the thread that talks to systemd");
    }
    voice
});

pub fn ready() {
    say(|| send(&[NotifyState::Ready]));
}

/// The answer to a reload is another [`ready`], also when the old config stays.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(stamp) => drop(say(move || send(&[NotifyState::Reloading, stamp]))),
        Err(error) => tracing::warn!(%error, "cannot read the monotonic clock"),
    }
}

/// Waits a moment for it to be said: we may be gone soon.
pub fn stopping() {
    // Unsaid, systemd sees us end all the same.
    let _ = say(|| send(&[NotifyState::Stopping])).recv_timeout(LAST_WORD);
}

pub fn status(text: &str) {
    let text = text.to_owned();
    say(move || send(&[NotifyState::Status(&text)]));
}

pub fn watchdog_ping() {
    say(|| send(&[NotifyState::Watchdog]));
}

/// WatchdogSec of our unit, when it has one.
pub fn watchdog_limit() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn say(word: impl FnOnce() + Send + 'static) -> Receiver<()> {
    let (said, heard) = sync_channel(1);
    // Full: dropped.
    let _ = VOICE.try_send((Box::new(word), said));
    heard
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot reach systemd");
    }
}
