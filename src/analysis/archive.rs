//! The members of a tar archive, one after the other, as the archive streams by. Writes nothing to disk; names in an
//! archive are only shown, never opened.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Timestamp;

/// Bytes of a tar block (POSIX.1-2017, pax, "ustar Interchange Format").
const BLOCK: u64 = 512;

/// Whether these first bytes of a file are those of a tar archive.
pub fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

/// An archive under way.
pub struct Archive {
    shared: Arc<Mutex<Shared>>,
    /// Bytes of the member just given, its padding included.
    member: u64,
}

struct Shared {
    input: Box<dyn Read + Send>,
    /// Of the current member.
    left: u64,
}

/// A regular file of an archive. Read it before asking for the next one.
pub struct Member {
    pub name: String,
    pub written: Option<Timestamp>,
    /// Bytes, as stored.
    pub size: u64,
    pub bytes: Box<dyn Read + Send>,
}

impl Archive {
    pub fn new(input: Box<dyn Read + Send>) -> Archive {
        Archive { shared: Arc::new(Mutex::new(Shared { input, left: 0 })), member: 0 }
    }

    /// The next regular file; `None` at the end. Folders, links and devices are passed over.
    ///
    /// # Errors
    /// When the archive is cut or damaged.
    pub fn next(&mut self) -> io::Result<Option<Member>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let rest = shared.left + (BLOCK - self.member % BLOCK) % BLOCK;
            let passed = io::copy(&mut (&mut shared.input).take(rest), &mut io::sink())?;
            if passed < rest {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends inside a file"));
            }
            (self.member, shared.left) = (0, 0);
            let (kind, name, size, mtime) = {
                let mut one = tar::Archive::new(&mut shared.input);
                let Some(entry) = one.entries()?.next() else { return Ok(None) };
                let entry = entry?;
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                (entry.header().entry_type(), name, entry.size(), entry.header().mtime().ok())
            };
            if kind == tar::EntryType::GNUSparse {
                return Err(io::Error::new(io::ErrorKind::Unsupported, format!("{name} is stored as a sparse file")));
            }
            (self.member, shared.left) = (size, size);
            if matches!(kind, tar::EntryType::Regular | tar::EntryType::Continuous) && size > 0 {
                let written = mtime.and_then(|seconds| i64::try_from(seconds).ok()).map(Timestamp::from_seconds);
                let bytes = Box::new(Contents { shared: Arc::clone(&self.shared) });
                return Ok(Some(Member { name, written, size, bytes }));
            }
        }
    }
}

/// The bytes of the current member.
struct Contents {
    shared: Arc<Mutex<Shared>>,
}

impl Read for Contents {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let most = usize::try_from(shared.left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = shared.input.read(buffer)?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends inside a file"));
        }
        shared.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mtime(1_700_000_000);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *bytes).expect("into memory");
        }
        builder.into_inner().expect("ends")
    }

    #[test]
    fn members_come_in_order() {
        let long = "sos/".repeat(60) + "messages";
        let bytes = archive(&[("var/log/a", b"one\n"), ("empty", b""), (&long, &[b'x'; 1500])]);
        assert!(is_tar(&bytes));
        let mut archive = Archive::new(Box::new(io::Cursor::new(bytes)));
        let mut first = archive.next().expect("readable").expect("a file");
        let mut text = String::new();
        first.bytes.read_to_string(&mut text).expect("readable");
        assert_eq!((&*first.name, &*text), ("var/log/a", "one\n"));
        assert_eq!(first.written, Some(Timestamp::from_seconds(1_700_000_000)));
        // What is not read is passed over.
        let second = archive.next().expect("readable").expect("a file");
        assert_eq!(second.name, long);
        assert!(archive.next().expect("readable").is_none());
    }

    #[test]
    fn a_cut_archive_says_so() {
        let mut bytes = archive(&[("a", &[b'x'; 2000])]);
        bytes.truncate(1000);
        let mut archive = Archive::new(Box::new(io::Cursor::new(bytes)));
        let mut member = archive.next().expect("readable").expect("a file");
        let mut found = Vec::new();
        assert!(member.bytes.read_to_end(&mut found).is_err());
        assert_eq!(found.len(), 1000 - 512);
        assert!(archive.next().is_err());
    }

    proptest::proptest! {
        #[test]
        fn hostile_archives_end(cut in 0usize..2048, at in 0usize..2048, byte: u8) {
            let mut bytes = archive(&[("a", b"one\n"), ("b", b"two\n")]);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut);
            let mut archive = Archive::new(Box::new(io::Cursor::new(bytes)));
            for _ in 0..10 {
                if !matches!(archive.next(), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
