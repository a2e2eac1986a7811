//! The source over real sockets: what senders send is what comes out, whatever others do.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::source::FromSource;

/// More than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running source, and what it said.
struct Bed {
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
    receiver: mpsc::Receiver<FromSource>,
    /// Origin and text of each line, with its flags.
    lines: Vec<(String, String)>,
    events: Vec<SourceEvent>,
}

impl Bed {
    fn start(listen: &str, change: impl FnOnce(&mut SyslogConfig)) -> Bed {
        let mut config = SyslogConfig::at(listen.parse().expect("an address"));
        change(&mut config);
        let source = Syslog::new(config);
        let shared = Arc::clone(&source.shared);
        let (sender, receiver) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let outlet = Outlet::new(sender, stop.clone());
        let thread = thread::spawn(move || Box::new(source).run(outlet));
        Bed { shared, stop, thread: Some(thread), receiver, lines: Vec::new(), events: Vec::new() }
    }

    fn address(&self) -> SocketAddr {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(address) = self.shared.lock().bound {
                return address;
            }
            assert!(Instant::now() < end, "not listening: {:?}", self.events);
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address()).expect("connects")
    }

    fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("binds");
        socket.connect(self.address()).expect("connects");
        socket
    }

    fn take(&mut self, message: FromSource) {
        match message {
            FromSource::Lines(block) => {
                assert!(block.position.is_none() && block.origin.medium == Medium::Syslog);
                for (line, span) in block.lines() {
                    let mut text = String::from_utf8_lossy(line).into_owned();
                    if span.truncated {
                        text = format!("{} bytes (cut)", text.len());
                    }
                    if span.partial {
                        text.push_str(" (partial)");
                    }
                    self.lines.push((block.origin.name.to_string(), text));
                }
            }
            FromSource::Event(event) => self.events.push(event),
        }
    }

    /// Receives until `enough` says so.
    #[track_caller]
    fn until(&mut self, enough: impl Fn(&Bed) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !enough(self) {
            match self.receiver.try_recv() {
                Ok(message) => self.take(message),
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
            assert!(Instant::now() < end, "{} lines, {:?}", self.lines.len(), self.events);
        }
    }

    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        self.until(|bed| bed.lines.len() >= expected.len());
        assert_eq!(self.texts(), expected);
        self.lines.clear();
    }

    fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Tells it to stop and takes what is left.
    fn drain(&mut self) {
        self.stop.cancel();
        while let Some(message) = self.receiver.blocking_recv() {
            self.take(message);
        }
        self.thread.take().expect("drained once").join().expect("ends well");
    }

    fn lost(&self) -> u64 {
        let lost = |event: &SourceEvent| match event {
            SourceEvent::Gap { lost, .. } => lost.unwrap_or(0),
            _ => 0,
        };
        self.events.iter().map(lost).sum()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

use crate::model::Medium;

#[test]
fn datagrams_are_messages() {
    let mut bed = Bed::start("udp://127.0.0.1:0", |_| ());
    let socket = bed.udp();
    for message in [&b"<34>1 - h a - - - one"[..], b"", b"<34>two\nlines\n", b"\xff\xfe\0", &[b'x'; 60_000]] {
        socket.send(message).expect("sends");
    }
    bed.until(|bed| bed.lines.len() >= 4);
    let long = "x".repeat(60_000);
    assert_eq!(bed.texts(), ["<34>1 - h a - - - one", "<34>two\nlines", "\u{fffd}\u{fffd}", &long]);
    assert!(bed.lines.iter().all(|(origin, _)| origin == "syslog/127.0.0.1"));
    assert_eq!(bed.events, [SourceEvent::Learned { source: "udp://127.0.0.1:0".into() }]);
}

#[test]
fn both_framings_in_any_pieces() {
    let mut bed = Bed::start("tcp://127.0.0.1:0", |_| ());
    let mut lines = bed.tcp();
    let mut counted = bed.tcp();
    for (at, byte) in b"<3>one\n<3>two\r\n<3>three".iter().enumerate() {
        lines.write_all(&[*byte]).expect("sends");
        // Each byte is a packet of its own now and then.
        if at % 5 == 0 {
            lines.flush().expect("flushes");
            thread::sleep(Duration::from_millis(1));
        }
    }
    bed.expect(&["<3>one", "<3>two"]);
    drop(lines);
    bed.expect(&["<3>three (partial)"]);
    counted.write_all(b"8 <3>a\nb\n").expect("sends");
    bed.until(|bed| bed.shared.lock().peers.is_empty());
    counted.write_all(b"c4 <3>d7 <3>").expect("sends");
    bed.expect(&["<3>a\nb\nc", "<3>d"]);
    counted.write_all(b"efgh").expect("sends");
    bed.expect(&["<3>efgh"]);
}

#[test]
fn garbage_and_giants_harm_nobody() {
    let mut bed = Bed::start("tcp://127.0.0.1:0", |_| ());
    let mut calm = bed.tcp();
    let mut giant = bed.tcp();
    let chunk = vec![b'g'; 1 << 20];
    for _ in 0..5 {
        giant.write_all(&chunk).expect("sends");
    }
    calm.write_all(b"<3>calm\n").expect("sends");
    giant.write_all(b"\n<3>after\n").expect("sends");
    bed.until(|bed| bed.lines.len() >= 3);
    let texts = bed.texts();
    for expected in ["1048576 bytes (cut)", "<3>calm", "<3>after"] {
        assert!(texts.contains(&expected), "{expected} in {texts:?}");
    }
    bed.until(|bed| {
        bed.events.iter().any(|event| matches!(event, SourceEvent::Skipped { bytes, .. } if *bytes == 4 << 20))
    });
    bed.lines.clear();

    let mut garbled = bed.tcp();
    garbled.write_all(b"5 <3>ok4x\0\xff\xfe\x1b[31m\n").expect("sends");
    drop(garbled);
    bed.expect(&["<3>ok", "x\0\u{fffd}\u{fffd}\u{1b}[31m"]);
    bed.drain();
    let is_told = |event: &SourceEvent| matches!(event, SourceEvent::Gap { reason, .. } if reason.contains("length"));
    assert!(bed.events.iter().any(is_told), "{:?}", bed.events);
}

#[test]
fn a_thousand_connections() {
    let mut bed = Bed::start("tcp://127.0.0.1:0", |config| {
        config.connections = 1_000;
        config.connections_per_peer = 1_000;
    });
    let mut open: Vec<TcpStream> = (0..1_000).map(|_| bed.tcp()).collect();
    for (number, stream) in open.iter_mut().enumerate() {
        stream.write_all(format!("<3>from {number}\n").as_bytes()).expect("sends");
    }
    bed.until(|bed| bed.lines.len() >= 1_000);
    let mut texts: Vec<String> = bed.lines.drain(..).map(|(_, text)| text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 1_000);
    // One more is refused and told; when one has gone there is room again.
    let refused = bed.tcp();
    bed.until(|bed| bed.events.iter().any(|event| matches!(event, SourceEvent::Gap { .. })));
    drop(refused);
    open.truncate(500);
    bed.until(|bed| bed.shared.lock().peers.connections() == 500);
    bed.tcp().write_all(b"<3>late\n").expect("sends");
    bed.expect(&["<3>late"]);
}

#[test]
fn a_flood_of_datagrams_leaves_room_for_others() {
    let mut bed = Bed::start("udp://127.0.0.1:0", |config| config.lines_per_second = 100);
    let (flood, address) = (bed.udp(), bed.address());
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let flooding = thread::spawn(move || {
        while !stopped.is_cancelled() {
            let _ = flood.send(b"<3>flood");
            // So that the kernel's buffer, which all share, does not decide.
            thread::sleep(Duration::from_micros(50));
        }
    });
    let calm = UdpSocket::bind("127.0.0.2:0").expect("binds to another loopback address");
    for number in 0..20 {
        calm.send_to(format!("<3>calm {number}").as_bytes(), address).expect("sends");
        thread::sleep(Duration::from_millis(20));
    }
    bed.until(|bed| bed.lines.iter().filter(|(origin, _)| origin == "syslog/127.0.0.2").count() >= 20);
    // Told to stop, it does not wait for a flood to end.
    bed.drain();
    stop.cancel();
    flooding.join().expect("ends");
    let flooded = bed.lines.iter().filter(|(origin, _)| origin == "syslog/127.0.0.1").count();
    assert!(flooded >= 100, "the flood has its share: {flooded}");
    assert!(bed.lost() > 0, "and what was dropped of it is told: {:?}", bed.events);
}

#[test]
fn a_flooding_stream_waits_and_loses_nothing() {
    let mut bed = Bed::start("tcp://127.0.0.1:0", |config| config.lines_per_second = 20_000);
    let mut flood = bed.tcp();
    let sending = thread::spawn(move || {
        for number in 0..50_000 {
            flood.write_all(format!("<3>flood {number}\n").as_bytes()).expect("sends");
        }
    });
    let mut calm = bed.tcp();
    calm.write_all(b"<3>calm\n").expect("sends");
    bed.until(|bed| bed.lines.iter().any(|(_, text)| text == "<3>calm"));
    bed.until(|bed| bed.lines.len() >= 50_001);
    sending.join().expect("sent");
    let floods = bed.lines.iter().filter(|(_, text)| text != "<3>calm");
    assert!(floods.enumerate().all(|(number, (_, text))| *text == format!("<3>flood {number}")), "in order");
    assert_eq!(bed.lost(), 0);
}

#[test]
fn what_was_sent_before_the_stop_is_handed_over() {
    let mut bed = Bed::start("tcp://127.0.0.1:0", |_| ());
    let mut stream = bed.tcp();
    for number in 0..5_000 {
        stream.write_all(format!("<3>line {number}\n").as_bytes()).expect("sends");
    }
    stream.write_all(b"<3>begun").expect("sends");
    // Accepted: a connection that nobody accepted is not ours yet.
    bed.until(|bed| !bed.lines.is_empty());
    bed.drain();
    assert_eq!(bed.lines.len(), 5_001);
    assert_eq!(bed.lines.last().map(|(_, text)| text.as_str()), Some("<3>begun (partial)"));
    assert!(TcpStream::connect(bed.address()).is_err(), "closed");

    let mut bed = Bed::start("udp://127.0.0.1:0", |_| ());
    let socket = bed.udp();
    for number in 0..100 {
        socket.send(format!("<3>line {number}").as_bytes()).expect("sends");
    }
    bed.drain();
    assert_eq!(bed.lines.len(), 100);
}

#[test]
fn who_says_nothing_or_never_ends_is_closed() {
    let mut bed = Bed::start("tcp://127.0.0.1:0", |config| config.idle_timeout = "300ms".parse().expect("a period"));
    let silent = bed.tcp();
    let mut slow = bed.tcp();
    slow.write_all(b"<3>never").expect("sends");
    bed.until(|bed| bed.shared.lock().peers.connections() == 2);
    bed.until(|bed| bed.shared.lock().peers.connections() == 0);
    bed.expect(&["<3>never (partial)"]);
    drop((silent, slow));
}

#[test]
fn unix_sockets_of_both_kinds() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log.sock");
    let wait = |path: &Path| {
        let end = Instant::now() + PATIENCE;
        // The mode is set last.
        while !std::fs::metadata(path)
            .is_ok_and(|found| std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777 == 0o666)
        {
            assert!(Instant::now() < end, "no socket");
            thread::sleep(Duration::from_millis(2));
        }
    };
    let mut bed = Bed::start(&format!("unix://{}", path.display()), |_| ());
    wait(&path);
    let socket = UnixDatagram::unbound().expect("a socket");
    socket.send_to(b"<3>Nov 22 05:55:40 app[1]: one", &path).expect("sends");
    bed.expect(&["<3>Nov 22 05:55:40 app[1]: one"]);
    bed.drain();
    assert!(!path.exists(), "taken away at the end");

    // Left behind by somebody who died: taken over. A file is not.
    drop(UnixDatagram::bind(&path).expect("binds"));
    let mut bed = Bed::start(&format!("unix-stream://{}", path.display()), |_| ());
    let end = Instant::now() + PATIENCE;
    let mut stream = loop {
        match UnixStream::connect(&path) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        thread::sleep(Duration::from_millis(2));
    };
    stream.write_all(b"<3>two\n").expect("sends");
    bed.until(|bed| !bed.lines.is_empty());
    assert_eq!(bed.lines, [("syslog/local".to_owned(), "<3>two".to_owned())]);
    bed.drain();

    std::fs::write(&path, "precious").expect("writes");
    let mut bed = Bed::start(&format!("unix://{}", path.display()), |_| ());
    bed.until(|bed| bed.events.iter().any(|event| matches!(event, SourceEvent::Unreadable { .. })));
    assert_eq!(std::fs::read(&path).expect("still there"), b"precious");
}

#[test]
fn a_port_in_use_is_told_and_tried_again() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = taken.local_addr().expect("bound");
    let mut bed = Bed::start(&format!("tcp://{address}"), |_| ());
    bed.until(|bed| bed.events.iter().any(|event| matches!(event, SourceEvent::Unreadable { .. })));
    let told = bed.events.iter().find(|event| matches!(event, SourceEvent::Unreadable { .. }));
    assert!(matches!(told, Some(SourceEvent::Unreadable { fix, .. }) if fix.contains("ss -lnp")), "{told:?}");
    drop(taken);
    bed.until(|bed| bed.events.iter().any(|event| matches!(event, SourceEvent::Readable { .. })));
    bed.tcp().write_all(b"<3>hello\n").expect("sends");
    bed.expect(&["<3>hello"]);
}
