//! Lines from standard input: live from the first byte to the last, and never again. Knows nothing of files.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::model::{LineBlock, Medium, Origin, Phase, Place, Position, SourceEvent};
use crate::registry::Component;

use super::split::{MAX_BLOCK_BYTES, MAX_LINE_BYTES, Splitter};
use super::{Closed, Outlet, Source};

/// Bytes of one read.
const CHUNK: usize = 64 << 10;
/// Longest wait for input, so that the pulse shows life.
const PULSE: Duration = Duration::from_millis(500);

/// Standard input, or any other stream of bytes that can be read once.
pub struct Stdin {
    input: Box<dyn Read + Send>,
    format: Option<Arc<str>>,
}

impl Stdin {
    /// As `logwren components` lists it.
    pub const COMPONENT: Component =
        Component { role: "source", name: "stdin", does: "reads standard input to its end" };

    /// `format` forces a format; `None` lets the parser vote.
    pub fn new(format: Option<String>) -> Stdin {
        Stdin::reading(Box::new(io::stdin()), format)
    }

    /// The same over another stream: tests, pipes.
    pub fn reading(input: Box<dyn Read + Send>, format: Option<String>) -> Stdin {
        Stdin { input, format: format.map(Arc::from) }
    }
}

impl Source for Stdin {
    fn name(&self) -> &'static str {
        "stdin"
    }

    fn open(&mut self, _known: &[Position], _relearn: bool) -> Vec<Position> {
        Vec::new()
    }

    fn run(self: Box<Self>, outlet: Outlet) {
        // Closed means that the daemon drains: standard input cannot be read again anyway.
        let _ = run(self.input, self.format, &outlet);
    }
}

fn run(mut input: Box<dyn Read + Send>, format: Option<Arc<str>>, outlet: &Outlet) -> Result<(), Closed> {
    let name: Arc<str> = Arc::from("stdin");
    let origin = Arc::new(Origin { name: Arc::clone(&name), medium: Medium::Stdin, format, written: None });
    outlet.event(SourceEvent::Learned { source: Arc::clone(&name) })?;
    // A read cannot be interrupted: a thread of its own waits in it, and is left there when we are told to stop.
    let (sender, receiver) = sync_channel::<io::Result<Vec<u8>>>(1);
    let reader = thread::Builder::new().name("logwren-stdin".to_owned()).spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = match input.read(&mut buffer) {
                Ok(read) => Ok(buffer.get(..read).unwrap_or_default().to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let last = !read.as_ref().is_ok_and(|bytes| !bytes.is_empty());
            if sender.send(read).is_err() || last {
                return;
            }
        }
    });
    if let Err(error) = reader {
        outlet.event(unreadable(&name, &error))?;
        return outlet.event(SourceEvent::Ended { source: name });
    }
    let mut splitter = Splitter::new(MAX_LINE_BYTES, MAX_BLOCK_BYTES, 0, false);
    loop {
        outlet.beat();
        if outlet.stopped() {
            return Ok(());
        }
        let bytes = match receiver.recv_timeout(PULSE) {
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                outlet.event(unreadable(&name, &error))?;
                break;
            }
        };
        if bytes.is_empty() {
            break;
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let used = splitter.push(rest);
            rest = rest.get(used..).unwrap_or_default();
            hand_over(&mut splitter, &origin, outlet)?;
        }
    }
    splitter.finish();
    hand_over(&mut splitter, &origin, outlet)?;
    outlet.event(SourceEvent::Ended { source: name })
}

fn hand_over(splitter: &mut Splitter, origin: &Arc<Origin>, outlet: &Outlet) -> Result<(), Closed> {
    let (offset, _) = splitter.resume_at();
    if let Some((bytes, spans)) = splitter.take() {
        let position = Some(Position { stream: Arc::from("stdin"), at: Place::StdinV1 { offset } });
        outlet.lines(LineBlock { origin: Arc::clone(origin), phase: Phase::Live, bytes, spans, position })?;
    }
    match splitter.take_dropped() {
        0 => Ok(()),
        bytes => outlet.event(SourceEvent::Skipped { origin: Arc::clone(&origin.name), bytes }),
    }
}

fn unreadable(name: &Arc<str>, error: &io::Error) -> SourceEvent {
    let fix = "check what is piped in; standard input cannot be read again".to_owned();
    SourceEvent::Unreadable { origin: Arc::clone(name), error: error.to_string(), fix }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    use super::super::FromSource;
    use super::*;

    #[track_caller]
    fn check(input: &'static [u8], expected: &[&str]) {
        let (sender, mut receiver) = mpsc::channel(16);
        let source = Box::new(Stdin::reading(Box::new(input), None));
        source.run(Outlet::new(sender, CancellationToken::new()));
        let mut seen = Vec::new();
        while let Some(message) = receiver.blocking_recv() {
            match message {
                FromSource::Lines(block) => {
                    seen.extend(block.lines().map(|(line, _)| String::from_utf8_lossy(line).into_owned()));
                }
                FromSource::Event(SourceEvent::Learned { .. }) => seen.push("(learned)".to_owned()),
                FromSource::Event(SourceEvent::Ended { .. }) => seen.push("(ended)".to_owned()),
                FromSource::Event(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn reads_to_the_end() {
        check(b"", &["(learned)", "(ended)"]);
        check(b"one\ntwo\r\n\nthree", &["(learned)", "one", "two", "", "three", "(ended)"]);
    }
}
