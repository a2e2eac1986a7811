//! The learning pass: hands over what was there before the first look, oldest first, packed generations too.
//!
//! Its blocks carry no position: learning is not resumed. Must never touch what live reading owns.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{LineBlock, Origin, Phase, SourceEvent};

use super::super::decompress::{MAGIC_BYTES, Packing};
use super::super::split::Splitter;
use super::super::{Closed, FromSource};
use super::config::Limits;
use super::generation::Sink;
use super::identity::{self, FileId};

/// One file, or the first part of it, to learn from.
#[derive(Clone, Debug)]
pub struct LearnItem {
    pub path: PathBuf,
    pub id: FileId,
    /// Lines from here on are live.
    pub until: u64,
    /// To be read through a decoder.
    pub packed: bool,
    pub origin: Origin,
    pub modified_ns: i64,
}

impl LearnItem {
    /// Hands over all its lines. What cannot be read is said and passed over: the rest still teaches.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes the lines.
    pub fn run(self, limits: &Limits, sink: &mut Sink<'_>) -> Result<(), Closed> {
        let reader = match self.open() {
            Ok(Some(reader)) => reader,
            // Deleted since: there is nothing to learn from it.
            Ok(None) => return Ok(()),
            Err(error) => return self.cannot_read(&error, sink),
        };
        let origin = Arc::new(self.origin.clone());
        let mut reader = reader.take(self.until);
        let mut splitter = Splitter::new(limits.max_line, limits.max_block, 0, false);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    hand_over(&mut splitter, &origin, sink)?;
                    return self.cannot_read(&error, sink);
                }
            };
            let mut rest = buffer.get(..read).unwrap_or_default();
            while !rest.is_empty() {
                let used = splitter.push(rest);
                rest = rest.get(used..).unwrap_or_default();
                if !rest.is_empty() {
                    hand_over(&mut splitter, &origin, sink)?;
                }
            }
        }
        splitter.finish();
        hand_over(&mut splitter, &origin, sink)
    }

    /// The plain bytes; `None` when the file is gone. Renamed since, it is found in its directory.
    fn open(&self) -> io::Result<Option<Box<dyn Read + Send>>> {
        let Some(file) = self.find()? else { return Ok(None) };
        if !self.packed {
            return Ok(Some(Box::new(file)));
        }
        let mut magic = [0; MAGIC_BYTES];
        let read = identity::read_at(&file, &mut magic, 0)?;
        let packing = Packing::of(magic.get(..read).unwrap_or_default());
        let packing = packing.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not packed any more"))?;
        packing.unpack(file).map(Some)
    }

    fn find(&self) -> io::Result<Option<File>> {
        let is_it = |file: &File| file.metadata().is_ok_and(|metadata| FileId::of(&metadata) == self.id);
        match identity::open(&self.path) {
            Ok(file) if is_it(&file) => return Ok(Some(file)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match identity::locate(&self.path, self.id) {
            Some((path, _)) => Ok(identity::open(&path).ok().filter(is_it)),
            None => Ok(None),
        }
    }

    fn cannot_read(&self, error: &io::Error, sink: &mut Sink<'_>) -> Result<(), Closed> {
        let reason = format!("{} could not be learned from to its end: {error}", self.path.display());
        sink(FromSource::Event(SourceEvent::Gap { origin: Arc::clone(&self.origin.name), reason, lost: None }))
    }
}

fn hand_over(splitter: &mut Splitter, origin: &Arc<Origin>, sink: &mut Sink<'_>) -> Result<(), Closed> {
    if let Some((bytes, spans)) = splitter.take() {
        let origin = Arc::clone(origin);
        sink(FromSource::Lines(LineBlock { origin, phase: Phase::Learn, bytes, spans, position: None }))?;
    }
    match splitter.take_dropped() {
        0 => Ok(()),
        bytes => sink(FromSource::Event(SourceEvent::Skipped { origin: Arc::clone(&origin.name), bytes })),
    }
}
