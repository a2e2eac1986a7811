//! Reading on in one generation, from its place to what there is now. Decides nothing about other files.
//!
//! Must never emit a byte twice or pass one over uncounted, whatever the writer does to the file meanwhile: every turn
//! first compares the bytes in front of the place with those it knows.

use std::fs::{self, File};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::model::{LineBlock, Origin, Phase, SourceEvent, Timestamp};

use super::super::decompress::{MAGIC_BYTES, Packing};
use super::super::split::Splitter;
use super::super::text::Text;
use super::super::{Closed, FromSource};
use super::config::Limits;
use super::generation::{Body, Generation, Now, Sink};
use super::identity::{self, Anchors, FileId, HEAD_BYTES, TAIL_BYTES, modified_ns, read_at};

/// Bytes of one read.
const CHUNK: usize = 64 << 10;

/// What a turn of reading came to.
#[derive(Debug)]
pub enum Turn {
    /// Everything there is was read.
    Drained,
    /// Other files first, then on.
    More,
    /// These are no longer the bytes we read.
    Truncated,
    /// The path leads elsewhere or nowhere: the file is not open and cannot be opened.
    Lost,
    /// A packed file was read to its end.
    Finished,
    Failed(io::Error),
}

impl Generation {
    /// Reads on: whole lines into `sink`, at least one and about `limits.max_turn` bytes if there are that many.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes the lines.
    pub fn read(
        &mut self,
        now: Now,
        limits: &Limits,
        buffer: &mut Vec<u8>,
        sink: &mut Sink<'_>,
    ) -> Result<Turn, Closed> {
        self.dirty = false;
        if let Body::Closed = self.body {
            match self.reopen(limits) {
                Ok(true) => {}
                Ok(false) => return Ok(Turn::Lost),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Turn::Lost),
                Err(error) => return Ok(Turn::Failed(error)),
            }
        }
        let before = self.offset;
        let (turn, body) = match std::mem::replace(&mut self.body, Body::Closed) {
            Body::Plain(file) => {
                let turn = self.read_plain(&file, now, limits, buffer, sink)?;
                (turn, Body::Plain(file))
            }
            Body::Packed { mut reader, mut splitter } => {
                let turn = self.read_packed(&mut reader, &mut splitter, now, limits, buffer, sink)?;
                (turn, Body::Packed { reader, splitter })
            }
            Body::Closed => (Turn::Lost, Body::Closed),
        };
        self.body = body;
        if self.offset != before {
            self.last_read = now.steady;
        }
        match turn {
            Turn::Failed(_) => self.body = Body::Closed,
            // Inside an overlong line: its progress is worth keeping too.
            Turn::Drained | Turn::More if self.offset != self.told => self.tell(now, sink)?,
            _ => {}
        }
        Ok(turn)
    }

    /// Hands over an unfinished last line: nobody will finish it.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes it.
    pub fn flush_partial(&mut self, now: Now, limits: &Limits, sink: &mut Sink<'_>) -> Result<(), Closed> {
        if self.packed || self.skip_to_newline || self.scanned <= self.offset {
            return Ok(());
        }
        if let Body::Closed = self.body {
            // Gone from its path, or unreadable by now: then there is nobody to ask for the rest.
            let _ = self.reopen(limits);
        }
        let Body::Plain(file) = &self.body else { return Ok(()) };
        let length = usize::try_from(self.scanned - self.offset).unwrap_or(limits.max_line).min(limits.max_line);
        let mut bytes = vec![0; length];
        let read = read_at(file, &mut bytes, self.offset).unwrap_or(0);
        let mut splitter = Splitter::new(limits.max_line, limits.max_block, self.offset, false)
            .behind(Text::of(&self.head), &self.tail);
        let bytes = bytes.get(..read).unwrap_or_default();
        splitter.push(bytes);
        splitter.finish();
        self.grow_head(self.offset, bytes);
        self.tail = bytes.get(read.saturating_sub(TAIL_BYTES)..).unwrap_or_default().to_vec();
        self.offset += read as u64;
        self.scanned = self.offset;
        self.emit(&mut splitter, now, sink)
    }

    /// Opens what is at the path if it is still this file.
    fn reopen(&mut self, limits: &Limits) -> io::Result<bool> {
        let file = identity::open(&self.path)?;
        let metadata = file.metadata()?;
        if FileId::of(&metadata) != self.id {
            return Ok(false);
        }
        if !self.packed {
            self.body = Body::Plain(file);
            return Ok(true);
        }
        self.note(&metadata);
        let mut magic = [0; MAGIC_BYTES];
        let read = read_at(&file, &mut magic, 0)?;
        let packing = Packing::of(magic.get(..read).unwrap_or_default());
        let packing = packing.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not packed any more"))?;
        let mut reader = packing.unpack(file)?;
        let to_tail = self.offset.saturating_sub(self.tail.len() as u64);
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        // As much of it as the text needs to be told.
        let mut passed = reader.by_ref().take(to_tail.min(Text::MARK as u64)).read_to_end(&mut head)? as u64;
        passed += io::copy(&mut reader.by_ref().take(to_tail - passed), &mut io::sink())?;
        reader.by_ref().take(self.tail.len() as u64).read_to_end(&mut tail)?;
        if passed < to_tail || tail != self.tail {
            // Not what was read before after all. Twice is better than never.
            let none = Anchors { head_len: 0, head_hash: 0, tail: Vec::new(), offset: 0 };
            self.resume(&none, false, 0);
            reader = packing.unpack(identity::open(&self.path)?)?;
        }
        head.extend_from_slice(&tail);
        let splitter = Splitter::new(limits.max_line, limits.max_block, self.offset, self.skip_to_newline)
            .behind(Text::of(&head), &self.tail);
        self.body = Body::Packed { reader, splitter };
        Ok(true)
    }

    fn read_plain(
        &mut self,
        file: &File,
        now: Now,
        limits: &Limits,
        buffer: &mut Vec<u8>,
        sink: &mut Sink<'_>,
    ) -> Result<Turn, Closed> {
        let metadata = match file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Turn::Failed(error)),
        };
        if metadata.len() < self.offset {
            return Ok(Turn::Truncated);
        }
        if metadata.len() < self.scanned {
            // The unfinished line was taken back.
            self.scanned = self.offset;
        }
        if self.scanned > self.offset + CHUNK as u64 && metadata.len() >= self.scanned {
            match self.finds_newline(file, metadata.len(), limits, buffer) {
                Ok(true) => {}
                Ok(false) => {
                    self.note(&metadata);
                    return Ok(Turn::Drained);
                }
                Err(error) => return Ok(Turn::Failed(error)),
            }
        }
        buffer.resize(TAIL_BYTES + CHUNK, 0);
        let start = self.offset;
        let mut splitter = Splitter::new(limits.max_line, limits.max_block, start, self.skip_to_newline)
            .behind(Text::of(&self.head), &self.tail);
        // The bytes in front of the place come along: they show that this is still the file we know.
        let mut context = self.tail.len().min(TAIL_BYTES);
        let mut at = start - (context as u64).min(start);
        let mut first = true;
        let turn = loop {
            let wanted = buffer.get_mut(..context + CHUNK).unwrap_or_default();
            let filled = match read_at(file, wanted, at) {
                Ok(filled) => filled,
                Err(error) => break Turn::Failed(error),
            };
            if first && buffer.get(..filled.min(context)) != Some(self.tail.as_slice()) {
                return Ok(Turn::Truncated);
            }
            if first {
                self.note(&metadata);
            }
            first = false;
            let data_at = at + context as u64;
            let data = buffer.get(context..filled).unwrap_or_default();
            if data.first() == Some(&0)
                && splitter.at_line_start()
                && let Ok(next) = rustix::fs::seek(file, rustix::fs::SeekFrom::Data(data_at))
                && next > data_at + CHUNK as u64
            {
                splitter.jump(next);
                (at, context) = (next, 0);
                continue;
            }
            let known = buffer.get(..filled).unwrap_or_default();
            self.split(known, at, context, &mut splitter, now, sink)?;
            self.scanned = self.scanned.max(splitter.next_offset());
            if filled < context + CHUNK {
                break Turn::Drained;
            }
            if splitter.next_offset() - start >= limits.max_turn as u64 && self.offset > start {
                break Turn::More;
            }
            context = filled.min(TAIL_BYTES);
            buffer.copy_within(filled - context..filled, 0);
            at += (filled - context) as u64;
        };
        if splitter.in_blank() {
            self.scanned = self.offset;
        }
        self.emit(&mut splitter, now, sink)?;
        Ok(turn)
    }

    fn read_packed(
        &mut self,
        reader: &mut Box<dyn Read + Send>,
        splitter: &mut Splitter,
        now: Now,
        limits: &Limits,
        buffer: &mut Vec<u8>,
        sink: &mut Sink<'_>,
    ) -> Result<Turn, Closed> {
        buffer.resize(TAIL_BYTES + CHUNK, 0);
        let start = splitter.next_offset();
        loop {
            let at = splitter.next_offset();
            let read = match reader.read(buffer.get_mut(..CHUNK).unwrap_or_default()) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.emit(splitter, now, sink)?;
                    return Ok(Turn::Failed(error));
                }
            };
            if read == 0 {
                splitter.finish();
                self.offset = splitter.resume_at().0;
                self.emit(splitter, now, sink)?;
                return Ok(Turn::Finished);
            }
            let data = buffer.get(..read).unwrap_or_default();
            self.split(data, at, 0, splitter, now, sink)?;
            if splitter.next_offset() - start >= limits.max_turn as u64 {
                self.emit(splitter, now, sink)?;
                return Ok(Turn::More);
            }
        }
    }

    /// Splits `known` from `context` on; it starts at stream offset `at`. Emits whenever a block is full.
    fn split(
        &mut self,
        known: &[u8],
        at: u64,
        context: usize,
        splitter: &mut Splitter,
        now: Now,
        sink: &mut Sink<'_>,
    ) -> Result<(), Closed> {
        let mut done = context;
        while done < known.len() {
            let used = splitter.push(known.get(done..).unwrap_or_default());
            done += used;
            let (offset, skip) = splitter.resume_at();
            if offset > self.offset {
                let end = usize::try_from(offset.saturating_sub(at)).unwrap_or(known.len()).min(known.len());
                self.tail = known.get(end.saturating_sub(TAIL_BYTES)..end).unwrap_or_default().to_vec();
                self.offset = offset;
                self.scanned = self.scanned.max(offset);
                self.grow_head(at, known.get(..end).unwrap_or_default());
            }
            self.skip_to_newline = skip;
            if done < known.len() {
                self.emit(splitter, now, sink)?;
            }
        }
        Ok(())
    }

    fn emit(&mut self, splitter: &mut Splitter, now: Now, sink: &mut Sink<'_>) -> Result<(), Closed> {
        if let Some((bytes, spans)) = splitter.take() {
            let position = Some(self.position(now));
            self.told = self.offset;
            self.checkpoints.add(self.offset, &self.tail);
            let origin = Arc::clone(&self.origin);
            sink(FromSource::Lines(LineBlock { origin, phase: Phase::Live, bytes, spans, position }))?;
        }
        match splitter.take_dropped() {
            0 => Ok(()),
            bytes => sink(FromSource::Event(SourceEvent::Skipped { origin: self.name(), bytes })),
        }
    }

    /// True when the unfinished long line has found its end, or the cap.
    fn finds_newline(&mut self, file: &File, size: u64, limits: &Limits, buffer: &mut Vec<u8>) -> io::Result<bool> {
        buffer.resize(TAIL_BYTES + CHUNK, 0);
        while self.scanned < size {
            if self.scanned - self.offset > limits.max_line as u64 {
                return Ok(true);
            }
            let read = read_at(file, buffer, self.scanned)?;
            if read == 0 || memchr::memchr(b'\n', buffer.get(..read).unwrap_or_default()).is_some() {
                return Ok(true);
            }
            self.scanned += read as u64;
        }
        Ok(false)
    }

    /// Takes what is missing of the head from `data`, read at `at`. Only bytes in front of the place count: what is
    /// behind it may yet change.
    fn grow_head(&mut self, at: u64, data: &[u8]) {
        let known = self.head.len() as u64;
        if known < HEAD_BYTES as u64 && at <= known && known < at + data.len() as u64 {
            let from = usize::try_from(known - at).unwrap_or(0);
            let room = HEAD_BYTES - self.head.len();
            self.head.extend(data.iter().skip(from).take(room));
            self.head_hash = xxh3_64(&self.head);
        }
    }

    fn note(&mut self, metadata: &fs::Metadata) {
        self.seen = (metadata.len(), modified_ns(metadata));
        self.grown_to = metadata.len();
        let written = Timestamp::from_micros(self.seen.1 / 1_000);
        // A year is all it settles: an origin of its own every minute is enough.
        if self.origin.written.is_none_or(|known| written.since(known) >= Duration::from_secs(60)) {
            self.origin = Arc::new(Origin { written: Some(written), ..(*self.origin).clone() });
        }
    }
}
