//! One incarnation of a file: its place, its anchors, its life. Knows nothing of other files; reads in `turn`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::model::{FilePlace, LineBlock, Origin, Phase, Place, Position, StreamKey, Timestamp};

use super::super::split::Splitter;
use super::super::{Closed, FromSource};
use super::find::Group;
use super::identity::{self, Anchors, Checkpoints, FileId, HEAD_BYTES, TAIL_BYTES, modified_ns, read_at};
use super::orphans::Orphan;

/// Where lines and events go. Fails when nobody takes them any more.
pub type Sink<'a> = dyn FnMut(FromSource) -> Result<(), Closed> + 'a;

/// Takes what is handed over. Gives it back, with the time it is by then, when nobody took it for long.
pub type Taker<'a> = dyn FnMut(FromSource) -> Result<Option<(FromSource, Now)>, Closed> + 'a;

/// The clocks, handed in: steady time since the start for waiting, wall time for what is written down.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub steady: Duration,
    pub wall: Timestamp,
    /// When the directories were last read. The tailer fills it in.
    pub looked: Timestamp,
}

/// Bytes compared at a time.
const COMPARE: usize = 64 << 10;

/// Where a generation is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// At a path that is watched.
    Active,
    /// Renamed away or deleted; read on until it has been quiet for long.
    Rotated { since: Duration },
    /// Drained and closed; remembered so that it and its copies are not read again.
    Sealed { since: Duration },
}

/// Where the bytes come from.
pub(super) enum Body {
    Closed,
    Plain(File),
    Packed { reader: Box<dyn Read + Send>, splitter: Splitter },
}

/// One incarnation of a file.
pub struct Generation {
    pub stream: StreamKey,
    pub id: FileId,
    pub group: Group,
    /// Sorts generations of one group: lower is older and is drained first.
    pub order: u64,
    /// Where it was last seen.
    pub path: PathBuf,
    pub life: Life,
    /// Read through a decoder; offsets are those of the plain bytes.
    pub packed: bool,
    /// A packed copy of what is read elsewhere. Has no place of its own: should we die before the other one is drained,
    /// the rest is read from here.
    pub echo: bool,
    /// A packed file holds just what was read of it: one that starts the same and goes on is another.
    pub copied: bool,
    /// Look at the head before the first line: it may be binary.
    pub check_binary: bool,
    /// Something may have changed since the last turn.
    pub dirty: bool,
    /// The scan that last saw it.
    pub round: u64,
    /// When it last gave bytes.
    pub last_read: Duration,
    /// When it was first seen to have no name any more.
    pub deleted: Option<Duration>,
    /// Size and modification time when it was last read.
    pub seen: (u64, i64),
    /// Size at the last look, as long as it only grew.
    pub(super) grown_to: u64,
    pub(super) origin: Arc<Origin>,
    pub(super) head: Vec<u8>,
    pub(super) head_hash: u64,
    pub(super) tail: Vec<u8>,
    pub(super) offset: u64,
    pub(super) skip_to_newline: bool,
    pub(super) live_from: u64,
    /// There is no newline between `offset` and here.
    pub(super) scanned: u64,
    /// The offset last handed over with a position.
    pub(super) told: u64,
    pub(super) checkpoints: Checkpoints,
    pub(super) body: Body,
}

impl Generation {
    /// A file to be read from its first byte. `head` is what it starts with now.
    pub fn new(stream: StreamKey, id: FileId, path: PathBuf, origin: Origin, order: u64) -> Generation {
        Generation {
            stream,
            id,
            group: Group::of(&path),
            order,
            path,
            life: Life::Active,
            packed: false,
            echo: false,
            copied: false,
            check_binary: false,
            dirty: true,
            round: 0,
            last_read: Duration::ZERO,
            deleted: None,
            seen: (0, 0),
            grown_to: 0,
            origin: Arc::new(origin),
            head: Vec::new(),
            head_hash: xxh3_64(&[]),
            tail: Vec::new(),
            offset: 0,
            skip_to_newline: false,
            live_from: 0,
            scanned: 0,
            told: 0,
            checkpoints: Checkpoints::default(),
            body: Body::Closed,
        }
    }

    /// Goes on at `anchors`, whose bytes this file is known to hold.
    pub fn resume(&mut self, anchors: &Anchors, skip_to_newline: bool, live_from: u64) {
        self.tail = anchors.tail.clone();
        self.offset = anchors.offset;
        self.scanned = anchors.offset;
        self.told = anchors.offset;
        self.skip_to_newline = skip_to_newline;
        self.live_from = live_from;
    }

    /// Goes on where `orphan` stood; this file holds the bytes before.
    pub fn take_place(&mut self, orphan: &Orphan) {
        let place = &orphan.place;
        self.resume(&orphan.anchors(), place.skip_to_newline, place.live_from);
        self.checkpoints = orphan.checkpoints.clone();
        if orphan.order > 0 {
            self.order = orphan.order;
        }
    }

    /// The first bytes, without reading on.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn peek(&self) -> io::Result<Vec<u8>> {
        match &self.body {
            Body::Plain(file) => identity::read_head(file, u64::MAX),
            Body::Packed { .. } => Ok(Vec::new()),
            Body::Closed => {
                let file = identity::open(&self.path)?;
                let same = FileId::of(&file.metadata()?) == self.id;
                if same { identity::read_head(&file, u64::MAX) } else { Ok(Vec::new()) }
            }
        }
    }

    /// It is open and no longer holds what was read of it.
    pub fn is_truncated(&self) -> bool {
        matches!(&self.body, Body::Plain(file) if !self.holds_its_tail(file))
    }

    fn holds_its_tail(&self, own: &File) -> bool {
        let mut tail = vec![0; self.tail.len()];
        let start = self.offset.saturating_sub(tail.len() as u64);
        read_at(own, &mut tail, start).is_ok_and(|read| read == tail.len() && tail == self.tail)
    }

    /// Up to where `file` of `size` bytes, which is known to hold the same up to `known`, holds what this one does;
    /// `None` when they part before either ends.
    ///
    /// # Errors
    /// When `file` cannot be read.
    pub fn agrees(&self, file: &File, known: u64, size: u64) -> io::Result<Option<u64>> {
        // Gone: what was read of it is all there is to say.
        let Some(own) = self.at_hand() else { return Ok(Some(known)) };
        if !self.holds_its_tail(&own) {
            // Nor is what it holds now.
            return Ok(Some(known));
        }
        let (mut left, mut right) = (vec![0; COMPARE], vec![0; COMPARE]);
        let mut at = known;
        while at < size {
            let mine = read_at(&own, &mut left, at).unwrap_or(0);
            let its = read_at(file, &mut right, at)?;
            let common = mine.min(its);
            if left.get(..common) != right.get(..common) {
                return Ok(None);
            }
            at += common as u64;
            if common < COMPARE {
                break;
            }
        }
        Ok(Some(at))
    }

    /// True when `plain` was packed from this file: it holds the same bytes and no more than it, as far as is worth the
    /// time; also when this file is not at hand.
    ///
    /// # Errors
    /// When `plain` cannot be read.
    pub fn goes_on_like<R: Read>(&self, mut plain: R) -> io::Result<bool> {
        let Some(own) = self.at_hand() else { return Ok(true) };
        let mut mine = vec![0; COMPARE];
        let mut at = 0;
        while at < Checkpoints::WORTH {
            let mut its = Vec::with_capacity(COMPARE);
            plain.by_ref().take(COMPARE as u64).read_to_end(&mut its)?;
            let common = read_at(&own, &mut mine, at).unwrap_or(0).min(its.len());
            if mine.get(..common) != its.get(..common) {
                return Ok(false);
            }
            if common < its.len() {
                return Ok(false);
            }
            if common < COMPARE {
                break;
            }
            at += common as u64;
        }
        Ok(true)
    }

    /// The plain file, if it is open or can be.
    fn at_hand(&self) -> Option<File> {
        match &self.body {
            Body::Plain(own) => own.try_clone().ok(),
            Body::Packed { .. } => None,
            Body::Closed => {
                let own = identity::open(&self.path).ok()?;
                own.metadata().is_ok_and(|metadata| FileId::of(&metadata) == self.id).then_some(own)
            }
        }
    }

    /// Goes on at the line that `end` of `file` is in; what is before was not and will not be read as live.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn resume_at(&mut self, file: &File, end: u64, max_line: usize) -> io::Result<()> {
        let (offset, skip) = identity::line_start(file, end, max_line)?;
        let mut tail = vec![0; TAIL_BYTES.min(usize::try_from(offset).unwrap_or(TAIL_BYTES))];
        let from = offset - tail.len() as u64;
        let read = read_at(file, &mut tail, from)?;
        tail.truncate(read);
        let anchors = Anchors { head_len: 0, head_hash: 0, tail, offset };
        self.resume(&anchors, skip, offset);
        Ok(())
    }

    /// `head` is what the file starts with; of it counts what is in front of the place.
    pub fn set_head(&mut self, mut head: Vec<u8>) {
        head.truncate(usize::try_from(self.offset).unwrap_or(HEAD_BYTES));
        self.head_hash = xxh3_64(&head);
        self.head = head;
    }

    /// Keeps `file` open.
    pub fn attach(&mut self, file: File) {
        self.body = Body::Plain(file);
    }

    pub fn close(&mut self) {
        self.body = Body::Closed;
    }

    pub fn is_open(&self) -> bool {
        !matches!(self.body, Body::Closed)
    }

    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.origin.name)
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn head(&self) -> &[u8] {
        &self.head
    }

    pub fn is_sealed(&self) -> bool {
        matches!(self.life, Life::Sealed { .. })
    }

    pub fn anchors(&self) -> Anchors {
        let (head_len, head_hash) = (self.head.len(), self.head_hash);
        Anchors { head_len, head_hash, tail: self.tail.clone(), offset: self.offset }
    }

    pub fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    pub fn place(&self, now: Now) -> FilePlace {
        FilePlace {
            path: self.path.to_string_lossy().into_owned(),
            device: self.id.device,
            inode: self.id.inode,
            birth_ns: self.id.birth_ns,
            head_len: u32::try_from(self.head.len()).unwrap_or(0),
            head_hash: self.head_hash,
            tail: self.tail.clone(),
            offset: self.offset,
            skip_to_newline: self.skip_to_newline,
            live_from: self.live_from,
            sealed: self.is_sealed(),
            seen_at: now.wall,
            looked_at: Some(now.looked),
        }
    }

    pub fn position(&self, now: Now) -> Position {
        Position { stream: Arc::clone(&self.stream), at: Place::FileV1(self.place(now)) }
    }

    /// Says where it stands without a line: for lines that had none to say it with.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes it.
    pub fn tell(&mut self, now: Now, sink: &mut Sink<'_>) -> Result<(), Closed> {
        self.told = self.offset;
        sink(FromSource::Lines(LineBlock {
            origin: Arc::clone(&self.origin),
            phase: Phase::Live,
            bytes: Vec::new(),
            spans: Vec::new(),
            position: Some(self.position(now)),
        }))
    }

    /// Looks at size and time, and remembers to read when they changed. Says whether it still has a name somewhere;
    /// `None` when nothing is open and the path leads elsewhere.
    pub fn look(&mut self) -> Option<bool> {
        let metadata = match &self.body {
            Body::Plain(file) => file.metadata().ok(),
            Body::Packed { .. } => return Some(true),
            Body::Closed => fs::metadata(&self.path).ok().filter(|metadata| FileId::of(metadata) == self.id),
        };
        let Some(metadata) = metadata else {
            // A stale handle of a network file system: by path next time.
            self.body = Body::Closed;
            return None;
        };
        self.dirty |= (metadata.len(), modified_ns(&metadata)) != self.seen;
        self.grown_to = self.grown_to.max(metadata.len());
        Some(metadata.nlink() > 0)
    }

    /// Nobody can tell us what is at its path.
    pub fn is_hidden(&self) -> bool {
        fs::symlink_metadata(&self.path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Bytes from its place to its end, if it is open and has no name any more; notes when that was first seen.
    pub fn unread_and_deleted(&mut self, now: Now) -> Option<u64> {
        let Body::Plain(file) = &self.body else { return None };
        let metadata = file.metadata().ok().filter(|metadata| metadata.nlink() == 0)?;
        self.deleted.get_or_insert(now.steady);
        Some(metadata.len().saturating_sub(self.offset)).filter(|unread| *unread > 0)
    }

    /// Whether less than `percent` of the disk it is on is free.
    pub fn is_short_of_room(&self, percent: u64) -> bool {
        let Body::Plain(file) = &self.body else { return false };
        rustix::fs::fstatvfs(file).is_ok_and(|disk| {
            disk.f_blocks > 0 && disk.f_bavail.saturating_mul(100) < disk.f_blocks.saturating_mul(percent)
        })
    }

    /// Bytes that were there at the last look and have not been read.
    pub fn unread(&self) -> u64 {
        self.grown_to.saturating_sub(self.offset)
    }

    /// Starts over after a truncation, under another stream name.
    pub fn start_over(&mut self, stream: StreamKey, order: u64) {
        self.stream = stream;
        self.order = order;
        self.checkpoints = Checkpoints::default();
        self.set_head(Vec::new());
        self.resume(&Anchors { head_len: 0, head_hash: 0, tail: Vec::new(), offset: 0 }, false, 0);
        self.dirty = true;
        self.grown_to = 0;
        if let Body::Packed { .. } = self.body {
            self.body = Body::Closed;
        }
    }
}
