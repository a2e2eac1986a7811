//! How a file is recognized again: inode and birth time, a growing hash of its head, and the last bytes before the place.
//!
//! Inodes are reused, birth times are missing on some file systems, and heads repeat: only together they tell. Decides
//! nothing about what to do then (`admit`).

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use xxhash_rust::xxh3::xxh3_64;

use super::super::text::Text;
use crate::model::{FilePlace, StreamKey};

/// Bytes of the head that are compared.
pub const HEAD_BYTES: usize = 1024;
/// Bytes before the place that are compared.
pub const TAIL_BYTES: usize = 64;

/// One file, for as long as it lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
    /// 0 where the file system has none.
    pub birth_ns: i64,
}

impl FileId {
    pub fn of(metadata: &Metadata) -> FileId {
        let birth = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        FileId {
            device: metadata.dev(),
            inode: metadata.ino(),
            birth_ns: birth.and_then(|birth| i64::try_from(birth.as_nanos()).ok()).unwrap_or(0),
        }
    }

    pub fn of_place(place: &FilePlace) -> FileId {
        FileId { device: place.device, inode: place.inode, birth_ns: place.birth_ns }
    }

    /// The name of its lines in the state file. A file that was truncated starts over under another `salt`.
    pub fn stream(&self, salt: u64) -> StreamKey {
        let mut bytes = [0; 32];
        let parts = [self.device, self.inode, self.birth_ns.cast_unsigned(), salt];
        for (slot, part) in bytes.chunks_exact_mut(8).zip(parts) {
            slot.copy_from_slice(&part.to_le_bytes());
        }
        Arc::from(format!("file:{:016x}", xxh3_64(&bytes)))
    }

    /// The same file, as far as a file system can tell. Device numbers change over reboots (LVM, ZFS, NFS) and are only
    /// believed where there is no birth time.
    pub fn is_same(&self, other: &FileId) -> bool {
        self.inode == other.inode
            && if self.birth_ns != 0 && other.birth_ns != 0 {
                self.birth_ns == other.birth_ns
            } else {
                self.birth_ns == other.birth_ns && self.device == other.device
            }
    }
}

/// What was read of a file, enough to find the place again in it or in a copy.
#[derive(Clone, PartialEq, Debug)]
pub struct Anchors {
    pub head_len: usize,
    pub head_hash: u64,
    pub tail: Vec<u8>,
    pub offset: u64,
}

/// Whether bytes are the ones read before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Likeness {
    Same,
    Different,
    /// Too short to tell: it may still be growing into one.
    Undecided,
}

impl Anchors {
    pub fn of_place(place: &FilePlace) -> Anchors {
        Anchors {
            head_len: place.head_len as usize,
            head_hash: place.head_hash,
            tail: place.tail.clone(),
            offset: place.offset,
        }
    }

    /// Nothing was read yet: anything could be its copy.
    pub fn is_empty(&self) -> bool {
        self.head_len == 0 && self.tail.is_empty()
    }

    /// Compares with a file of which `head` and `size` are known.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn compare(&self, file: &File, head: &[u8], size: u64) -> io::Result<Likeness> {
        match self.compare_head(head) {
            Likeness::Same => {}
            other => return Ok(other),
        }
        if size < self.offset {
            return Ok(Likeness::Undecided);
        }
        let mut tail = vec![0; self.tail.len()];
        let start = self.offset.saturating_sub(tail.len() as u64);
        let read = read_at(file, &mut tail, start)?;
        Ok(if read == tail.len() && tail == self.tail { Likeness::Same } else { Likeness::Different })
    }

    /// Compares the head alone.
    pub fn compare_head(&self, head: &[u8]) -> Likeness {
        match head.get(..self.head_len) {
            None => Likeness::Undecided,
            Some(own) if self.head_len == 0 || xxh3_64(own) == self.head_hash => Likeness::Same,
            Some(_) => Likeness::Different,
        }
    }
}

/// Marks along the way that was read: they recognize a copy that ends before the place, as one does that was made while
/// the log grew on. Denser towards the place.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Checkpoints {
    /// Offset, length and hash of the up to [`TAIL_BYTES`] bytes before it; ascending.
    marks: Vec<(u64, usize, u64)>,
}

impl Checkpoints {
    const MAX: usize = 32;
    /// So much of a packed file is unpacked to compare it.
    pub const WORTH: u64 = 16 << 20;

    pub fn add(&mut self, offset: u64, tail: &[u8]) {
        if self.marks.last().is_some_and(|(last, _, _)| *last >= offset) {
            return;
        }
        if self.marks.len() >= Checkpoints::MAX {
            // Every other one of the older half goes.
            let mut index = 0;
            self.marks.retain(|_| {
                index += 1;
                index > Checkpoints::MAX / 2 || index % 2 == 0
            });
        }
        self.marks.push((offset, tail.len(), xxh3_64(tail)));
    }

    /// The last mark inside a file of `size`, if the file holds the bytes before it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn held(&self, file: &File, size: u64) -> io::Result<Option<u64>> {
        let Some((offset, length, hash)) = self.marks.iter().rev().find(|(offset, _, _)| *offset <= size) else {
            return Ok(None);
        };
        let mut tail = vec![0; *length];
        let read = read_at(file, &mut tail, offset.saturating_sub(*length as u64))?;
        Ok((read == *length && xxh3_64(&tail) == *hash).then_some(*offset))
    }

    /// True when `plain` holds the bytes before every mark, and before the place of `anchors`, as far as it goes and as
    /// far as is worth its time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn agree<R: Read>(&self, anchors: &Anchors, mut plain: R) -> io::Result<bool> {
        let last = (anchors.offset, anchors.tail.len(), xxh3_64(&anchors.tail));
        let mut at = 0;
        for (offset, length, hash) in self.marks.iter().chain([&last]) {
            let start = offset.saturating_sub(*length as u64);
            // Marks may overlap; those that do are as good as the one before.
            if start < at || *offset > Checkpoints::WORTH {
                continue;
            }
            at += io::copy(&mut plain.by_ref().take(start - at), &mut io::sink())?;
            let mut tail = Vec::with_capacity(*length);
            let read = plain.by_ref().take(*length as u64).read_to_end(&mut tail)?;
            at += read as u64;
            if read < *length {
                return Ok(true);
            }
            if xxh3_64(&tail) != *hash {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Where the file `id` is now: at `path`, or under another name in the same directory.
pub fn locate(path: &Path, id: FileId) -> Option<(PathBuf, Metadata)> {
    let is_it = |path: &Path| fs::symlink_metadata(path).ok().filter(|metadata| FileId::of(metadata).is_same(&id));
    if let Some(metadata) = is_it(path) {
        return Some((path.to_path_buf(), metadata));
    }
    let entries = fs::read_dir(path.parent()?).ok()?;
    entries.flatten().find_map(|entry| is_it(&entry.path()).map(|metadata| (entry.path(), metadata)))
}

/// Opens for reading without ever waiting: a FIFO put in place of a log must not hang us.
///
/// # Errors
/// Those of `open`.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Fills `buffer` from `offset` on as far as the file goes.
///
/// # Errors
/// Those of `pread`, except interruption.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..)
        && !rest.is_empty()
    {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The first up to [`HEAD_BYTES`] bytes, or `limit` if less.
///
/// # Errors
/// Those of `pread`.
pub fn read_head(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_BYTES.min(usize::try_from(limit).unwrap_or(HEAD_BYTES))];
    let length = read_at(file, &mut head, 0)?;
    head.truncate(length);
    Ok(head)
}

/// Where the line starts that `end` is in or after: right behind the last newline before `end`. The flag says that
/// `end` is inside a line longer than `max_line`, and is then the place itself.
///
/// # Errors
/// Those of `pread`.
pub fn line_start(file: &File, end: u64, max_line: usize) -> io::Result<(u64, bool)> {
    const STEP: u64 = 64 << 10;
    let text = Text::of(&read_head(file, Text::MARK as u64)?);
    let mut buffer = vec![0; STEP as usize];
    let mut high = end;
    while high > 0 {
        if end - high > max_line as u64 {
            return Ok((end, true));
        }
        let low = high.saturating_sub(STEP);
        let wanted = usize::try_from(high - low).unwrap_or(buffer.len());
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        let read = read_at(file, part, low)?;
        let part = part.get(..read).unwrap_or_default();
        if let Some(length) = text.last_line_end(part, low) {
            return Ok((low + length as u64, false));
        }
        high = low;
    }
    Ok((0, false))
}

/// Modification time in nanoseconds since the epoch.
pub fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// True for what no person reads: journals, login records, databases, executables.
pub fn is_binary(head: &[u8]) -> bool {
    const MAGICS: [&[u8]; 4] = [b"LPKSHHRH", b"\x7fELF", b"SQLite format 3\0", b"\x89PNG"];
    if MAGICS.iter().any(|magic| head.starts_with(magic)) {
        return true;
    }
    if Text::is_utf16_text(head) {
        return false;
    }
    // A log that was truncated under a writer that kept its place starts with NULs; one with space reserved ends so.
    let is_text = |byte: &u8| *byte != 0;
    let (Some(start), Some(end)) = (head.iter().position(is_text), head.iter().rposition(is_text)) else {
        return false;
    };
    let text = head.get(start..end).unwrap_or_default();
    let nuls = text.iter().filter(|byte| **byte == 0).count();
    nuls * 20 > text.len()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("to write it");
        file
    }

    #[track_caller]
    fn check_line_start(bytes: &[u8], end: u64, expected: (u64, bool)) {
        assert_eq!(line_start(&file(bytes), end, 100_000).expect("readable"), expected);
    }

    #[test]
    fn line_starts() {
        check_line_start(b"", 0, (0, false));
        check_line_start(b"abc", 3, (0, false));
        check_line_start(b"abc\n", 4, (4, false));
        check_line_start(b"abc\nde", 6, (4, false));
        check_line_start(&[vec![b'x'; 80_000], b"\n".to_vec(), vec![b'y'; 70_000]].concat(), 150_001, (80_001, false));
        check_line_start(&vec![b'x'; 300_000], 300_000, (300_000, true));
        check_line_start(b"\xff\xfea\0\n\0b\0\n\x0a", 10, (6, false));
        check_line_start(b"\xfe\xff\0a\0\n\x0a\0\0", 9, (6, false));
    }

    #[test]
    fn anchors_tell_files_apart() {
        let text = b"same banner\nline 1\nline 2\n";
        let anchors =
            Anchors { head_len: 12, head_hash: xxh3_64(&text[..12]), tail: text[12..19].to_vec(), offset: 19 };
        let check = |bytes: &[u8]| {
            let file = file(bytes);
            let head = read_head(&file, u64::MAX).expect("readable");
            anchors.compare(&file, &head, bytes.len() as u64).expect("readable")
        };
        assert_eq!(check(text), Likeness::Same);
        assert_eq!(check(b"same banner\nline X\nline 2\n"), Likeness::Different);
        assert_eq!(check(b"other banner\nline 1\n"), Likeness::Different);
        assert_eq!(check(b"same banner\nli"), Likeness::Undecided);
        assert_eq!(check(b"same"), Likeness::Undecided);
    }

    #[test]
    fn streams_differ_by_every_part() {
        let id = FileId { device: 1, inode: 2, birth_ns: 3 };
        let others = [FileId { device: 2, ..id }, FileId { inode: 3, ..id }, FileId { birth_ns: 4, ..id }];
        assert!(others.iter().all(|other| other.stream(0) != id.stream(0)));
        assert_ne!(id.stream(0), id.stream(1));
        assert!(id.is_same(&others[0]) && !id.is_same(&others[1]) && !id.is_same(&others[2]));
    }

    #[test]
    fn binary_heads() {
        assert!(is_binary(b"LPKSHHRH\0\0"));
        assert!(is_binary(b"\x02\0\0\0pts/0\0\0\0root\0"));
        assert!(!is_binary(b"Nov 22 10:20:30 host app: hello\n"));
        assert!(!is_binary(&[&[0; 500][..], b"Nov 22 10:20:30 host app: hello\n"].concat()));
        assert!(!is_binary("héllo wörld\n".as_bytes()));
        assert!(!is_binary(b"\xff\xfeh\0i\0\r\0\n\0"));
        assert!(is_binary(b"\xff\xfe\0\0h\0\0\0i\0\0\0"));
        assert!(!is_binary(b""));
    }
}
