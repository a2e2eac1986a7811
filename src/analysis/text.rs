//! Plain lines of one input, in blocks. Numbers them; never looks inside one.

use std::io::{self, Read};
use std::sync::Arc;

use crate::model::{LineBlock, Origin, Phase};
use crate::source::{MAX_LINE_BYTES, Splitter};

use super::chunk::{Chunk, Numbers};

/// Most bytes of one block. Small, so that inputs of the same time interleave and the first findings come early.
pub const BLOCK_BYTES: usize = 64 << 10;

/// A stream of lines under way.
pub struct TextReader {
    origin: Arc<Origin>,
    input: Box<dyn Read + Send>,
    splitter: Splitter,
    buffer: Vec<u8>,
    /// What of the buffer is still to be split.
    rest: std::ops::Range<usize>,
    next_number: u64,
    ended: bool,
    failed: Option<io::Error>,
}

impl TextReader {
    pub fn new(origin: Arc<Origin>, input: Box<dyn Read + Send>) -> TextReader {
        TextReader {
            origin,
            input,
            splitter: Splitter::new(MAX_LINE_BYTES, BLOCK_BYTES, 0, false),
            buffer: vec![0; BLOCK_BYTES],
            rest: 0..0,
            next_number: 1,
            ended: false,
            failed: None,
        }
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// When reading fails, after everything that could be read was given.
    pub fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if !self.rest.is_empty() {
                let used = self.splitter.push(self.buffer.get(self.rest.clone()).unwrap_or_default());
                self.rest.start += used;
                if !self.rest.is_empty()
                    && let Some(chunk) = self.take()
                {
                    return Ok(Some(chunk));
                }
                continue;
            }
            if self.ended {
                self.splitter.finish();
                return match (self.take(), self.failed.take()) {
                    (Some(chunk), failed) => {
                        self.failed = failed;
                        Ok(Some(chunk))
                    }
                    (None, Some(error)) => Err(error),
                    (None, None) => Ok(None),
                };
            }
            match self.input.read(&mut self.buffer) {
                Ok(0) => self.ended = true,
                Ok(length) => self.rest = 0..length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failed = Some(error);
                }
            }
        }
    }

    /// Bytes of overlong lines that nobody looked at, since the last call.
    pub fn take_dropped(&mut self) -> u64 {
        self.splitter.take_dropped()
    }

    fn take(&mut self) -> Option<Chunk> {
        let (bytes, spans) = self.splitter.take()?;
        let first = self.next_number;
        self.next_number += spans.len() as u64;
        let block = LineBlock { origin: Arc::clone(&self.origin), phase: Phase::Live, bytes, spans, position: None };
        Some(Chunk { block, numbers: Numbers::From(first), table: None })
    }
}
