//! Temporary files without a name: what standard input said, so that it can be read twice, and rows that wait for the end.
//! Gone when the process is, however it ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;

use super::text::BLOCK_BYTES;

/// While nothing comes, whether to stop is looked at so often.
const LOOK_UP: Duration = Duration::from_millis(100);

/// An open file that has no name any more, readable by nobody else.
///
/// # Errors
/// When the folder for temporary files cannot be written.
pub fn nameless() -> anyhow::Result<File> {
    let folder = std::env::temp_dir();
    let path = folder.join(format!("logwren-{}-{:016x}", std::process::id(), fastrand::u64(..)));
    let open = || {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        io::Result::Ok(file)
    };
    open()
        .with_context(|| format!("cannot write a temporary file in {}; set TMPDIR to another folder", folder.display()))
}

/// Standard input that can be read from the start again. What was read is kept on disk.
#[derive(Clone)]
pub struct Stdin(Arc<Mutex<Tee>>);

struct Tee {
    /// From a thread of its own: a read of a terminal or pipe cannot be interrupted, waiting for it can.
    input: Receiver<io::Result<Vec<u8>>>,
    stop: Arc<AtomicBool>,
    kept: File,
    length: u64,
    ended: bool,
}

impl Stdin {
    /// Reads until the end or until `stop`.
    ///
    /// # Errors
    /// When the folder for temporary files cannot be written.
    pub fn new(input: Box<dyn Read + Send>, stop: Arc<AtomicBool>) -> anyhow::Result<Stdin> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(2);
        let kept = nameless()?;
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || forward(input, &sender))
            .context("cannot start a thread for standard input")?;
        Ok(Stdin(Arc::new(Mutex::new(Tee { input: receiver, stop, kept, length: 0, ended: false }))))
    }

    /// A reader from the start.
    pub fn reader(&self) -> impl Read + Send + 'static {
        Reading { tee: Arc::clone(&self.0), at: 0 }
    }
}

impl Tee {
    /// What came; empty at the end, and when somebody wants no more.
    fn next(&self) -> io::Result<Vec<u8>> {
        loop {
            match self.input.recv_timeout(LOOK_UP) {
                Ok(read) => return read,
                Err(RecvTimeoutError::Timeout) if !self.stop.load(Ordering::Relaxed) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
            }
        }
    }
}

/// Reads to the end, or until nobody listens any more.
fn forward(mut input: Box<dyn Read + Send>, to: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut buffer = vec![0; BLOCK_BYTES];
        let read = match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                buffer.truncate(count);
                Ok(buffer)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if to.send(read).is_err() || failed {
            return;
        }
    }
}

struct Reading {
    tee: Arc<Mutex<Tee>>,
    at: u64,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut tee = self.tee.lock().unwrap_or_else(PoisonError::into_inner);
        let count = if self.at < tee.length {
            tee.kept.read_at(buffer, self.at)?
        } else if tee.ended {
            0
        } else {
            let read = tee.next()?;
            tee.ended = read.is_empty();
            tee.kept.write_all_at(&read, tee.length)?;
            tee.length += read.len() as u64;
            let count = read.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..count), read.get(..count)) {
                to.copy_from_slice(from);
            }
            count
        };
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_input_can_be_read_twice() {
        let stdin = Stdin::new(Box::new(io::Cursor::new(b"one\ntwo\n".to_vec())), Arc::default()).expect("a file");
        let mut head = [0; 4];
        stdin.reader().read_exact(&mut head).expect("there");
        let mut all = String::new();
        stdin.reader().read_to_string(&mut all).expect("readable");
        assert_eq!((&head, &*all), (b"one\n", "one\ntwo\n"));
        let mut again = String::new();
        stdin.reader().read_to_string(&mut again).expect("readable");
        assert_eq!(again, all);
    }
}
