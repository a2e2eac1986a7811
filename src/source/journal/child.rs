//! One run of journalctl: started in a process group of its own, read through a bounded queue, killed and reaped.
//! Knows nothing of cursors.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child as Process, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::lines::{Line, Lines};

const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that wait for us; then the pipe fills and journalctl waits: back pressure without a buffer of our own.
const CHUNKS: usize = 4;
/// Lines of stderr that are logged of one child; the others are counted.
const COMPLAINTS_LOGGED: u64 = 20;
const COMPLAINT_BYTES: usize = 1_000;
/// How long a killed child may take to go before it is left to a thread.
const REAP: Duration = Duration::from_secs(2);

/// A running journalctl. Dropping it kills and reaps it.
#[derive(Debug)]
pub(super) struct Child {
    /// `None` once it is reaped.
    process: Option<Process>,
    chunks: Receiver<Vec<u8>>,
    complaints: Arc<Mutex<Complaints>>,
    /// Closes when stderr has been read to its end.
    complained: Receiver<()>,
}

/// Whether stderr goes to our log; what is told otherwise, or was just before, only goes there for debugging.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Log {
    Yes,
    No,
}

/// What came next.
#[derive(Debug)]
pub(super) enum Chunk {
    Bytes(Vec<u8>),
    /// Nothing in the time given.
    Quiet,
    /// It closed its output.
    End,
}

/// How a child ended and what it complained of.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    /// `exit status 1`, `signal 9`.
    pub(super) how: String,
    pub(super) success: bool,
    pub(super) complaints: Complaints,
}

/// What stderr said, as far as we understand it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Complaints {
    /// The last line.
    pub(super) last: String,
    /// It does not understand the cursor.
    pub(super) bad_cursor: bool,
    /// It may read no journal at all.
    pub(super) no_permission: bool,
    /// It shows only what is this user's own.
    pub(super) partial: bool,
    lines: u64,
}

impl Child {
    /// Starts it, and the two threads that read it.
    ///
    /// # Errors
    /// As the operating system says: not found, not executable, no more processes.
    pub(super) fn start(mut command: Command, log: Log) -> io::Result<Child> {
        // A group of its own: a Ctrl-C at the terminal is for us to handle, and the kill reaches helpers as well.
        let mut process = command.process_group(0).spawn()?;
        let (chunk_sender, chunks) = mpsc::sync_channel(CHUNKS);
        let (end_sender, complained) = mpsc::sync_channel(1);
        let complaints = Arc::new(Mutex::new(Complaints::default()));
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let shared = Arc::clone(&complaints);
        let mut child = Child { process: Some(process), chunks, complaints, complained };
        let started = thread::Builder::new()
            .name("journal-out".to_owned())
            .spawn(move || read_output(stdout, &chunk_sender))
            .and_then(|_| {
                thread::Builder::new().name("journal-err".to_owned()).spawn(move || {
                    read_complaints(stderr, &shared, log);
                    drop(end_sender);
                })
            });
        match started {
            Ok(_) => Ok(child),
            Err(error) => {
                child.kill();
                Err(error)
            }
        }
    }

    /// Waits for output, at most so long.
    pub(super) fn next(&self, timeout: Duration) -> Chunk {
        match self.chunks.recv_timeout(timeout) {
            Ok(bytes) => Chunk::Bytes(bytes),
            Err(RecvTimeoutError::Timeout) => Chunk::Quiet,
            Err(RecvTimeoutError::Disconnected) => Chunk::End,
        }
    }

    /// Ends it, if it has not ended, and says how it was.
    pub(super) fn end(mut self) -> Ending {
        // Its output is closed or unwanted; one that ends by itself does so within a moment.
        let status = if self.ends_within(Duration::from_millis(200)) { self.kill() } else { self.kill().and(None) };
        // What a stray helper still holds open is not waited for long.
        let _ = self.complained.recv_timeout(Duration::from_millis(300));
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if complaints.lines > COMPLAINTS_LOGGED {
            let lines = complaints.lines - COMPLAINTS_LOGGED;
            tracing::warn!(lines, "journalctl complained more than is logged");
        }
        let how = status.map_or_else(|| "killed".to_owned(), describe);
        Ending { how, success: status.is_some_and(|status| status.success()), complaints }
    }

    /// Waits for its end without reaping it: its process group stays ours until then.
    fn ends_within(&self, timeout: Duration) -> bool {
        let Some(pid) = self.process.as_ref().map(Pid::from_child) else { return true };
        let deadline = Instant::now() + timeout;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::Pid(pid), options) {
                Ok(Some(_)) => return true,
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                Ok(None) | Err(_) => return false,
            }
        }
    }

    /// SIGKILL to the whole group, then reaps: journalctl only reads and has nothing to put in order.
    fn kill(&mut self) -> Option<ExitStatus> {
        let mut process = self.process.take()?;
        // Fails when all of them are gone, which is the aim.
        let _ = kill_process_group(Pid::from_child(&process), Signal::KILL);
        let deadline = Instant::now() + REAP;
        loop {
            match process.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => break,
            }
        }
        tracing::warn!(pid = process.id(), "journalctl does not die; waiting for it in the background");
        let _ = thread::Builder::new().name("journal-reap".to_owned()).spawn(move || process.wait());
        None
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}

fn read_output(stdout: Option<ChildStdout>, chunks: &SyncSender<Vec<u8>>) {
    let Some(mut stdout) = stdout else { return };
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match stdout.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                let chunk = buffer.get(..length).unwrap_or_default().to_vec();
                if chunks.send(chunk).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn read_complaints(stderr: Option<ChildStderr>, complaints: &Mutex<Complaints>, log: Log) {
    let Some(mut stderr) = stderr else { return };
    let mut lines = Lines::new(COMPLAINT_BYTES);
    let mut buffer = [0; 4096];
    loop {
        let chunk = match stderr.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        lines.feed(chunk, |line| note(line, complaints, log));
    }
    // An unfinished last line counts as well.
    lines.feed(b"\n", |line| note(line, complaints, log));
}

fn note(line: Line<'_>, complaints: &Mutex<Complaints>, log: Log) {
    let text = match line {
        Line::Whole([]) => return,
        Line::Whole(bytes) => String::from_utf8_lossy(bytes).trim().to_owned(),
        Line::TooLong(bytes) => format!("a line of {bytes} bytes"),
    };
    let mut complaints = complaints.lock().unwrap_or_else(PoisonError::into_inner);
    complaints.lines += 1;
    complaints.bad_cursor |= text.contains("Failed to seek to cursor");
    complaints.no_permission |= text.contains("insufficient permissions") || text.contains("Permission denied");
    complaints.partial |= text.contains("You are currently not seeing messages");
    if complaints.lines <= COMPLAINTS_LOGGED {
        match log {
            Log::Yes => tracing::warn!(text, "journalctl complains"),
            Log::No => tracing::debug!(text, "journalctl complains"),
        }
    }
    complaints.last = text;
}
