//! How do messages of other hosts become lines? Sockets are read on a thread of their own; lines wait in a heap for each
//! peer, and the source takes the heaps in turns.
//!
//! Syslog acknowledges nothing, so there is no position to resume from: what was not committed when we are killed is lost,
//! and so is what datagram senders say while we are down. Told to stop, we first hand over everything that was read.
//!
//! *Not here:* what a message means (parse), names of hosts (nothing is looked up: a peer is its address).

mod config;
mod frame;
mod peers;
mod drops;
mod sockets;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use config::{Listen, SyslogConfig};

use super::{Closed, Outlet, Source};
use crate::model::{Position, SourceEvent};
use crate::registry::Component;

use peers::{Caps, Peers};

/// How often a waiting source beats and looks for what has to be told.
const BEAT: Duration = Duration::from_millis(200);

/// One listening socket and those who send to it.
#[derive(Debug)]
pub struct Syslog {
    config: SyslogConfig,
    shared: Arc<Shared>,
}

/// What the thread of the sockets and the source share.
#[derive(Debug)]
struct Shared {
    /// std Mutex: never held across an await.
    inner: Mutex<Inner>,
    /// Lines or events have come, or the sockets are done.
    come: Condvar,
    /// Heaps have been taken: there is room again.
    room: tokio::sync::Notify,
}

#[derive(Debug)]
struct Inner {
    peers: Peers,
    events: Vec<SourceEvent>,
    /// The sockets are closed and nothing will come.
    done: bool,
    /// The address in use, where `listen` left the port open.
    bound: Option<SocketAddr>,
}

impl Syslog {
    /// As `logwren components` lists it.
    pub const COMPONENT: Component = Component {
        role: "source",
        name: "syslog",
        does: "receives syslog over UDP, TCP and Unix sockets, with caps for each peer",
    };

    pub fn new(config: SyslogConfig) -> Syslog {
        let SyslogConfig { lines_per_second, connections, connections_per_peer, .. } = config;
        let caps = Caps { lines_per_second, connections, connections_per_peer };
        let peers = Peers::new(caps, config.format.as_deref().map(Arc::from));
        let inner = Mutex::new(Inner { peers, events: Vec::new(), done: false, bound: None });
        let shared = Shared { inner, come: Condvar::new(), room: tokio::sync::Notify::new() };
        Syslog { config, shared: Arc::new(shared) }
    }

    fn work(self, outlet: &Outlet) -> Result<(), Closed> {
        let Syslog { config, shared } = self;
        let name: Arc<str> = config.listen.to_string().into();
        outlet.event(SourceEvent::Learned { source: Arc::clone(&name) })?;
        let (for_sockets, stop) = (Arc::clone(&shared), outlet.stop_token().clone());
        let sockets = thread::Builder::new().name("logwren-syslog".to_owned()).spawn(move || {
            // Also when something in there panics: the source must not wait for ever.
            let _done = Done(Arc::clone(&for_sockets));
            sockets::serve(&config, &for_sockets, &stop);
        });
        let sockets = match sockets {
            Ok(sockets) => sockets,
            Err(error) => {
                let fix = "raise the limit of threads (TasksMax= of the unit), then restart".to_owned();
                return outlet.event(SourceEvent::Unreadable { origin: name, error: error.to_string(), fix });
            }
        };
        pass_on(&shared, outlet)?;
        if sockets.join().is_err() {
            let reason = "its reader crashed; restart logwren to receive again".to_owned();
            outlet.last_event(SourceEvent::Gap { origin: name, reason, lost: None })?;
        }
        Ok(())
    }
}

impl Source for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn open(&mut self, _known: &[Position], _relearn: bool) -> Vec<Position> {
        Vec::new()
    }

    fn run(self: Box<Self>, outlet: Outlet) {
        // Closed means that nobody takes lines any more.
        let _ = self.work(&outlet);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is wrong, or right again.
    fn tell(&self, event: SourceEvent) {
        self.lock().events.push(event);
        self.come.notify_one();
    }
}

struct Done(Arc<Shared>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.lock().done = true;
        self.0.come.notify_one();
    }
}

/// Hands over heaps and events until the sockets are done and nothing is left.
fn pass_on(shared: &Shared, outlet: &Outlet) -> Result<(), Closed> {
    loop {
        outlet.beat();
        let mut inner = shared.lock();
        if inner.peers.is_empty() && inner.events.is_empty() && !inner.done {
            inner = shared.come.wait_timeout(inner, BEAT).unwrap_or_else(PoisonError::into_inner).0;
        }
        let done = inner.done;
        let mut events = std::mem::take(&mut inner.events);
        events.extend(inner.peers.take_events(Instant::now(), done));
        let block = inner.peers.take();
        let last = done && block.is_none();
        drop(inner);
        shared.room.notify_waiters();
        // What was read is handed over even when everybody is told to stop: nobody can read it again.
        if let Some(block) = block {
            outlet.last_lines(block)?;
        }
        for event in events {
            outlet.last_event(event)?;
        }
        if last {
            return Ok(());
        }
    }
}
