//! What we tell systemd: READY, RELOADING, STOPPING, STATUS, WATCHDOG (sd_notify(3)). Silent when nobody listens.

use std::time::Duration;

use sd_notify::NotifyState;

pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// The answer to a reload is another [`ready`], also when the old config stays.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(stamp) => send(&[NotifyState::Reloading, stamp]),
        Err(error) => tracing::warn!(%error, "cannot read the monotonic clock"),
    }
}

pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

pub fn status(text: &str) {
    send(&[NotifyState::Status(text)]);
}

pub fn watchdog_ping() {
    send(&[NotifyState::Watchdog]);
}

/// WatchdogSec of our unit, when it has one.
pub fn watchdog_limit() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot reach systemd");
    }
}
