//! Runs a loopback server on a thread of its own, so that async tests, plain tests and tests of the binary can all talk
//! to it and block on what it saw. Knows no protocol.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

/// Either end of TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A listening server; stops when dropped.
pub struct Running {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Listens on a free port of 127.0.0.1 and gives every connection to `handle`.
pub fn serve<H, F>(handle: H) -> Running
where
    H: Fn(tokio::net::TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
    listener.set_nonblocking(true).expect("a non-blocking listener");
    let address = listener.local_addr().expect("the listener's address");
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener of this runtime");
            let accepting = async {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(handle(stream));
                }
            };
            tokio::select! {
                () = accepting => {}
                _ = stopped => {}
            }
        });
        runtime.shutdown_background();
    });
    Running { address, stop: Some(stop), thread: Some(thread) }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An address where nobody listens.
pub fn nobody() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
    listener.local_addr().expect("the listener's address")
}

/// What a server saw, in order.
pub struct Seen<T>(Arc<(Mutex<Vec<T>>, Condvar)>);

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Seen<T> {
        Seen(self.0.clone())
    }
}

impl<T> Default for Seen<T> {
    fn default() -> Seen<T> {
        Seen(Arc::new((Mutex::new(vec![]), Condvar::new())))
    }
}

impl<T: Clone> Seen<T> {
    pub fn push(&self, item: T) {
        self.0.0.lock().expect("no server thread panicked").push(item);
        self.0.1.notify_all();
    }

    pub fn all(&self) -> Vec<T> {
        self.0.0.lock().expect("no server thread panicked").clone()
    }

    /// Blocks until there are `count`, or fails the test.
    #[track_caller]
    pub fn wait_for(&self, count: usize, limit: Duration) -> Vec<T> {
        let end = Instant::now() + limit;
        let mut items = self.0.0.lock().expect("no server thread panicked");
        while items.len() < count {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} arrived within {limit:?}", items.len());
            items = self.0.1.wait_timeout(items, left).expect("no server thread panicked").0;
        }
        items.clone()
    }
}
