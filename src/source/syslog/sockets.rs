//! The sockets: bound, read, closed. Datagrams that find no room are dropped and counted; a stream that finds none is not
//! read, so that its sender waits.
//!
//! Must never wait in one connection while another has something to say: everything here is a task of one thread.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::model::SourceEvent;
use crate::source::MAX_LINE_BYTES;

use super::Shared;
use super::config::{Listen, SyslogConfig};
use super::drops::Drops;
use super::frame::{Framer, Message, trimmed};
use super::peers::{Offer, Peer};

/// Longest datagram there is.
const DATAGRAM_BYTES: usize = 64 << 10;
/// Datagrams read in one go, before others get a turn.
const DATAGRAMS_AT_ONCE: usize = 256;
/// Bytes of one read of a connection.
const READ_BYTES: usize = 16 << 10;
/// Unfinished messages may take so many bytes in all; when they do, each may take only [`CROWDED_BYTES`].
const HELD_BYTES: usize = 32 << 20;
const CROWDED_BYTES: usize = 64 << 10;
/// A message that was begun has to end within this time.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// First and longest wait before a socket is bound again.
const REBIND_FIRST: Duration = Duration::from_millis(200);
const REBIND_MOST: Duration = Duration::from_secs(30);
/// How long connections may take to hand over what they read when we are told to stop.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Silence of a connection that means nothing more is under way.
const LAST_SILENCE: Duration = Duration::from_millis(50);
/// How often the kernel is asked what it dropped.
const DROPS_EVERY: Duration = Duration::from_secs(10);

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpListener),
    UnixDatagram(UnixDatagram),
    UnixStream(UnixListener),
}

/// Listens until told to stop; then what was received is in `shared`.
pub(super) fn serve(config: &SyslogConfig, shared: &Arc<Shared>, stop: &CancellationToken) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(listen(config, shared, stop)),
        Err(error) => {
            let fix = "raise LimitNOFILE= of the unit, then restart".to_owned();
            shared.tell(unreadable(&config.listen, &error, fix));
        }
    }
}

async fn listen(config: &SyslogConfig, shared: &Arc<Shared>, stop: &CancellationToken) {
    let mut wait = REBIND_FIRST;
    let mut told = false;
    let socket = loop {
        match bind(&config.listen).await {
            Ok(socket) => break socket,
            Err(error) => {
                // Those whom we replace may take a moment to go.
                if !told && wait > REBIND_FIRST {
                    told = true;
                    shared.tell(unreadable(&config.listen, &error, fix(&config.listen, &error)));
                }
            }
        }
        if timeout(wait, stop.cancelled()).await.is_ok() {
            return;
        }
        wait = (wait * 2).min(REBIND_MOST);
    };
    if told {
        shared.tell(SourceEvent::Readable { origin: config.listen.to_string().into() });
    }
    announce(&config.listen, &socket);
    shared.lock().bound = match &socket {
        Socket::Udp(socket) => socket.local_addr().ok(),
        Socket::Tcp(listener) => listener.local_addr().ok(),
        Socket::UnixDatagram(_) | Socket::UnixStream(_) => None,
    };
    match socket {
        Socket::Udp(socket) => datagrams(&Datagrams::Udp(socket), config, shared, stop).await,
        Socket::UnixDatagram(socket) => datagrams(&Datagrams::Unix(socket), config, shared, stop).await,
        Socket::Tcp(listener) => {
            let accept = async || listener.accept().await.map(|(stream, from)| (stream, Peer::of(from.ip())));
            connections(accept, config, shared, stop).await;
        }
        Socket::UnixStream(listener) => {
            let accept = async || listener.accept().await.map(|(stream, _)| (stream, Peer::Local));
            connections(accept, config, shared, stop).await;
        }
    }
    if let Listen::UnixDatagram(path) | Listen::UnixStream(path) = &config.listen {
        // Left behind it would only be replaced at the next start.
        let _ = std::fs::remove_file(path);
    }
}

/// What an operator should know of a socket that is open now.
fn announce(listen: &Listen, socket: &Socket) {
    match (socket, listen.reachable()) {
        (Socket::Udp(_) | Socket::Tcp(_), Some(address)) if address.is_unspecified() => tracing::info!(
            "listening on {listen}: whoever reaches this host can write log lines; let a firewall name who may"
        ),
        (Socket::Udp(_) | Socket::Tcp(_) | Socket::UnixDatagram(_) | Socket::UnixStream(_), _) => {
            tracing::info!("listening on {listen}");
        }
    }
}

async fn bind(listen: &Listen) -> io::Result<Socket> {
    match listen {
        Listen::Udp(address) => UdpSocket::bind(address).await.map(Socket::Udp),
        Listen::Tcp(address) => TcpListener::bind(address).await.map(Socket::Tcp),
        Listen::UnixDatagram(path) => {
            let answers = std::os::unix::net::UnixDatagram::unbound().is_ok_and(|probe| probe.connect(path).is_ok());
            clear(path, answers)?;
            let socket = UnixDatagram::bind(path)?;
            open_to_all(path)?;
            Ok(Socket::UnixDatagram(socket))
        }
        Listen::UnixStream(path) => {
            clear(path, std::os::unix::net::UnixStream::connect(path).is_ok())?;
            let socket = UnixListener::bind(path)?;
            open_to_all(path)?;
            Ok(Socket::UnixStream(socket))
        }
    }
}

/// Takes away a socket that somebody left behind; nothing else, and not one on which somebody listens.
fn clear(path: &Path, answers: bool) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() && !answers => std::fs::remove_file(path),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Any program may log, as with `/dev/log`; the directory decides who gets there.
fn open_to_all(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
}

fn unreadable(listen: &Listen, error: &io::Error, fix: String) -> SourceEvent {
    SourceEvent::Unreadable { origin: listen.to_string().into(), error: format!("cannot listen: {error}"), fix }
}

fn fix(listen: &Listen, error: &io::Error) -> String {
    let is_path = matches!(listen, Listen::UnixDatagram(_) | Listen::UnixStream(_));
    match error.kind() {
        io::ErrorKind::PermissionDenied if is_path => "use a path below /run/logwren, which this user owns",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a capability: use port 5514, or AmbientCapabilities=CAP_NET_BIND_SERVICE and \
             CapabilityBoundingSet=CAP_NET_BIND_SERVICE in the unit"
        }
        io::ErrorKind::AddrInUse if is_path => "another program uses that path; choose another one",
        io::ErrorKind::AddrInUse => "another program listens there (`ss -lnp` names it); stop it or use another port",
        io::ErrorKind::AddrNotAvailable => "this host has no such address; write 0.0.0.0 or [::] for all of them",
        io::ErrorKind::NotFound => "make the directory of that path, or use one below /run/logwren",
        _ => "correct `listen` in [[sources.syslog]]",
    }
    .to_owned()
}

enum Datagrams {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Datagrams {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Datagrams::Udp(socket) => socket.readable().await,
            Datagrams::Unix(socket) => socket.readable().await,
        }
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Peer)> {
        match self {
            Datagrams::Udp(socket) => socket.try_recv_from(buffer).map(|(length, from)| (length, Peer::of(from.ip()))),
            Datagrams::Unix(socket) => socket.try_recv(buffer).map(|length| (length, Peer::Local)),
        }
    }
}

async fn datagrams(socket: &Datagrams, config: &SyslogConfig, shared: &Shared, stop: &CancellationToken) {
    let mut drops = match socket {
        Datagrams::Udp(socket) => Drops::of(socket),
        Datagrams::Unix(_) => None,
    };
    let mut look = tokio::time::interval(DROPS_EVERY);
    let mut buffer = vec![0; DATAGRAM_BYTES];
    let mut failed = false;
    let mut stopping: Option<Instant> = None;
    loop {
        tokio::select! {
            ready = socket.readable() => {
                if let Err(error) = ready && !std::mem::replace(&mut failed, true) {
                    tracing::error!("{}: {error}", config.listen);
                }
            }
            () = stop.cancelled(), if stopping.is_none() => stopping = Some(Instant::now() + LAST_WORDS),
            () = sleep(LAST_SILENCE), if stopping.is_some() => break,
            _ = look.tick() => tell_drops(&mut drops, config, shared),
        }
        for _ in 0..DATAGRAMS_AT_ONCE {
            match socket.receive(&mut buffer) {
                Ok((length, peer)) => {
                    let bytes = trimmed(buffer.get(..length).unwrap_or_default());
                    if !bytes.is_empty() {
                        let now = std::time::Instant::now();
                        let peers = &mut shared.lock().peers;
                        let offer = peers.offer(peer, Message { bytes, dropped: 0, partial: false }, now);
                        peers.lost(peer, offer, now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What a peer's host answered to nothing of ours, or a signal.
                Err(_) => {}
            }
        }
        shared.come.notify_one();
        if stopping.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        // A flood never runs dry: connections, timers and the stop sign get their turn.
        tokio::task::yield_now().await;
    }
    tell_drops(&mut drops, config, shared);
}

fn tell_drops(drops: &mut Option<Drops>, config: &SyslogConfig, shared: &Shared) {
    if let Some(lost) = drops.as_mut().and_then(Drops::look) {
        let reason = "datagrams came faster than they could be read and the kernel dropped some".to_owned();
        shared.tell(SourceEvent::Gap { origin: config.listen.to_string().into(), reason, lost: Some(lost) });
    }
}

async fn connections<S>(
    accept: impl AsyncFn() -> io::Result<(S, Peer)>,
    config: &SyslogConfig,
    shared: &Arc<Shared>,
    stop: &CancellationToken,
) where
    S: AsyncRead + Unpin + Send + 'static,
{
    let tasks = TaskTracker::new();
    let held = Arc::new(AtomicUsize::new(0));
    let mut failed = false;
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if !std::mem::replace(&mut failed, true) {
                        let fix = "raise LimitNOFILE= of the unit, or lower `connections`".to_owned();
                        shared.tell(unreadable(&config.listen, &error, fix));
                    }
                    // Out of file descriptors: trying at once again would only spin.
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        if std::mem::take(&mut failed) {
            shared.tell(SourceEvent::Readable { origin: config.listen.to_string().into() });
        }
        if !shared.lock().peers.opened(peer, std::time::Instant::now()) {
            continue;
        }
        let connection = Connection {
            open: Open { shared: Arc::clone(shared), peer, held: Arc::clone(&held), held_here: 0 },
            framer: Framer::default(),
            waiting: Vec::new(),
            idle: config.idle_timeout.0,
            stop: stop.clone(),
        };
        tasks.spawn(connection.run(stream));
    }
    tasks.close();
    if timeout(LAST_WORDS + Duration::from_secs(1), tasks.wait()).await.is_err() {
        tracing::warn!("{}: some connections did not end in time", config.listen);
    }
}

/// One stream of messages.
struct Connection {
    open: Open,
    framer: Framer,
    /// Whole messages that found no room yet; no more than one read brings.
    waiting: Vec<Whole>,
    idle: Duration,
    stop: CancellationToken,
}

/// What has to be given back when a connection ends, however it does.
struct Open {
    shared: Arc<Shared>,
    peer: Peer,
    /// Bytes of unfinished messages, of all connections and of this one.
    held: Arc<AtomicUsize>,
    held_here: usize,
}

struct Whole {
    bytes: Vec<u8>,
    dropped: u64,
    partial: bool,
}

impl Connection {
    async fn run(mut self, mut stream: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; READ_BYTES];
        let (mut whole_at, mut begun_at) = (Instant::now(), None);
        let mut stopping: Option<Instant> = None;
        loop {
            let by_silence = match stopping {
                Some(_) => Instant::now() + LAST_SILENCE,
                None => whole_at + self.idle,
            };
            let deadline = begun_at.map_or(by_silence, |begun: Instant| by_silence.min(begun + MESSAGE_TIMEOUT));
            let read = tokio::select! {
                read = stream.read(&mut buffer) => read.unwrap_or(0),
                () = self.stop.cancelled(), if stopping.is_none() => {
                    stopping = Some(Instant::now() + LAST_WORDS);
                    continue;
                }
                () = tokio::time::sleep_until(deadline) => 0,
            };
            if read == 0 {
                break;
            }
            let came = self.take(buffer.get(..read).unwrap_or_default());
            let now = Instant::now();
            if came {
                whole_at = now;
                begun_at = None;
            }
            begun_at = if self.framer.is_idle() { None } else { begun_at.or(Some(now)) };
            if !self.hand_over(stopping).await {
                return;
            }
            if stopping.is_some_and(|end| Instant::now() >= end) {
                break;
            }
        }
        let mut last = Vec::new();
        self.framer.finish(&mut |message| last.push(Whole::of(message)));
        self.waiting.extend(last);
        self.hand_over(stopping).await;
    }

    /// Cuts what was read into messages; true when one was whole.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let cap = if self.open.held.load(Ordering::Relaxed) > HELD_BYTES { CROWDED_BYTES } else { MAX_LINE_BYTES };
        let now = std::time::Instant::now();
        let mut came = false;
        let (peer, waiting) = (self.open.peer, &mut self.waiting);
        let mut inner = self.open.shared.lock();
        self.framer.push(bytes, cap, &mut |message| {
            came = true;
            if !waiting.is_empty() || inner.peers.offer(peer, message, now) != Offer::Taken {
                waiting.push(Whole::of(message));
            }
        });
        match self.framer.take_garbled() {
            0 => {}
            places => inner.peers.garbled(peer, places, now),
        }
        drop(inner);
        self.open.shared.come.notify_one();
        self.open.holds(self.framer.held());
        came
    }

    /// Waits until everything whole has found room. False when there is no time for that any more.
    async fn hand_over(&mut self, stopping: Option<Instant>) -> bool {
        let mut end = stopping;
        for whole in std::mem::take(&mut self.waiting) {
            loop {
                // Before the offer: room may come between it and the wait.
                let room = self.open.shared.room.notified();
                let now = std::time::Instant::now();
                let offer = self.open.shared.lock().peers.offer(self.open.peer, whole.message(), now);
                self.open.shared.come.notify_one();
                if end.is_none() && self.stop.is_cancelled() {
                    end = Some(Instant::now() + LAST_WORDS);
                }
                let is_late = end.is_some_and(|end| Instant::now() >= end);
                match offer {
                    Offer::Taken => break,
                    Offer::TooFast(_) | Offer::Full if is_late => {
                        self.open.shared.lock().peers.lost(self.open.peer, offer, now);
                        break;
                    }
                    Offer::TooFast(wait) => sleep(wait).await,
                    Offer::Full => {
                        let _ = timeout(Duration::from_millis(100), room).await;
                    }
                }
            }
        }
        end.is_none_or(|end| Instant::now() < end)
    }
}

impl Whole {
    fn of(message: Message<'_>) -> Whole {
        Whole { bytes: message.bytes.to_vec(), dropped: message.dropped, partial: message.partial }
    }

    fn message(&self) -> Message<'_> {
        Message { bytes: &self.bytes, dropped: self.dropped, partial: self.partial }
    }
}

impl Open {
    fn holds(&mut self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        self.held.fetch_sub(std::mem::replace(&mut self.held_here, bytes), Ordering::Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.holds(0);
        self.shared.lock().peers.closed(self.peer, std::time::Instant::now());
    }
}
