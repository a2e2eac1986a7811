//! Signals as a stream: TERM and INT drain, HUP reloads, an INT while draining ends at once. Acts on nothing itself.

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;

/// What an operator or systemd wants of us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    Reload,
    Drain,
}

/// The process's signals. Make one early: until then the default action kills us.
pub struct Wishes {
    signals: Signals,
    draining: bool,
}

impl Wishes {
    /// # Errors
    /// The kernel refuses the handlers.
    pub fn new() -> std::io::Result<Wishes> {
        Ok(Wishes { signals: Signals::new([SIGTERM, SIGINT, SIGHUP])?, draining: false })
    }

    /// The next wish. Never returns after a second Ctrl-C: the process exits with 130. A second TERM is no impatience:
    /// timeout(1) sends two.
    pub async fn next(&mut self) -> Wish {
        loop {
            match self.signals.next().await {
                Some(SIGHUP) => return Wish::Reload,
                Some(SIGINT) if self.draining => std::process::exit(130),
                Some(SIGTERM) if self.draining => {}
                Some(SIGTERM | SIGINT) => {
                    self.draining = true;
                    return Wish::Drain;
                }
                Some(_) => {}
                // The handle is never closed.
                None => std::future::pending().await,
            }
        }
    }
}
