//! One input as chunks, whatever it is packed in and however it is written: plain lines, a table, a journal export, or the
//! files of an archive one after the other. Tells by content; never by name alone.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{Medium, Origin, Timestamp};
use crate::source::Packing;

use super::archive::{Archive, is_tar};
use super::chunk::Chunk;
use super::export::{ExportReader, is_export};
use super::feed::Inputs;
use super::inputs::Input;
use super::table::{Columns, TableReader};
use super::text::TextReader;

/// Bytes of a head that tell what a file is: a table's header line is in them.
const HEAD_BYTES: usize = 16 << 10;
/// Packings inside one another: a packed log in a packed archive.
const DEPTH: u32 = 3;
/// Logs shrink about so many times when they are packed.
const PACKED_TIMES: u64 = 12;

type Bytes = Box<dyn Read + Send>;

/// One input under way.
pub struct Stream {
    body: Body,
    /// Bytes expected of the current file, unpacked. A guess where it is packed, 0 where nobody knows.
    expected: u64,
    problems: Vec<String>,
    /// Bytes nobody looked at.
    dropped: u64,
    /// Files of an archive that are no text.
    binary: u64,
}

enum Body {
    Text(TextReader),
    Table(TableReader<Bytes>),
    Export(ExportReader),
    Archive {
        archive: Archive,
        name: Arc<str>,
        member: Option<Box<Body>>,
    },
    /// A binary file in an archive.
    Nothing,
}

/// What reading said besides lines, since the last call.
#[derive(Debug, Default)]
pub struct Remarks {
    pub problems: Vec<String>,
    pub dropped: u64,
    pub binary: u64,
}

impl Stream {
    /// Opens an input; `read` counts the bytes taken from disk.
    ///
    /// # Errors
    /// When it cannot be opened, or is a table without a message column.
    pub fn open(input: &Input, inputs: &Inputs, read: &Arc<AtomicU64>) -> io::Result<Stream> {
        let (bytes, written, size): (Bytes, Timestamp, u64) = match input {
            Input::Stdin => match &inputs.stdin {
                Some(stdin) => (Box::new(stdin.reader()), inputs.now, 0),
                None => (Box::new(io::empty()), inputs.now, 0),
            },
            Input::File(path) => {
                let file = File::open(path)?;
                let metadata = file.metadata()?;
                let written = metadata.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
                let written = written.map_or(inputs.now, Timestamp::from);
                // A log that is being written to is read as far as it was when the run began.
                match inputs.sizes.get(path) {
                    Some(size) => (Box::new(file.take(*size)), written, *size),
                    None => (Box::new(file), written, 0),
                }
            }
        };
        let bytes = Box::new(Counted { inner: bytes, read: Arc::clone(read) });
        let name: Arc<str> = match input {
            Input::Stdin => "stdin".into(),
            Input::File(path) => path.display().to_string().into(),
        };
        let medium = if *input == Input::Stdin { Medium::Stdin } else { Medium::File };
        let origin = Origin { name, medium, format: inputs.format.clone(), written: Some(written) };
        let mut expected = size;
        let body = told(bytes, origin, false, DEPTH, &mut expected)?;
        Ok(Stream { body, expected, problems: Vec::new(), dropped: 0, binary: 0 })
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// When reading fails, after everything that could be read was given. There is nothing behind an error.
    pub fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            let Body::Archive { archive, name, member } = &mut self.body else {
                let chunk = next_of(&mut self.body);
                self.expected = self.expected.max(1);
                return chunk;
            };
            if let Some(body) = member {
                match next_of(body) {
                    Ok(Some(chunk)) => return Ok(Some(chunk)),
                    Ok(None) => {}
                    // The archive goes on behind a damaged file, unless it is the archive that is damaged.
                    Err(error) => self.problems.push(format!("{name}: {error}")),
                }
                remarks_of(body, &mut self.problems, &mut self.dropped);
                *member = None;
            }
            let Some(file) = archive.next()? else { return Ok(None) };
            let origin = Origin {
                name: format!("{name}:{}", crate::model::inert::one_line(&file.name)).into(),
                medium: Medium::File,
                format: None,
                written: file.written,
            };
            self.expected = file.size;
            match told(file.bytes, origin, true, DEPTH - 1, &mut self.expected) {
                Ok(Body::Nothing) => self.binary += 1,
                Ok(body) => *member = Some(Box::new(body)),
                Err(error) => self.problems.push(format!("{}: {error}", file.name)),
            }
        }
    }

    /// Bytes expected of the file that the last chunk came from, unpacked; 0 when nobody knows.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// Passes over the rest of the current file of an archive. False when there is nothing else in this input.
    pub fn skip_file(&mut self) -> bool {
        match &mut self.body {
            Body::Archive { member, .. } => {
                *member = None;
                true
            }
            Body::Text(_) | Body::Table(_) | Body::Export(_) | Body::Nothing => false,
        }
    }

    pub fn take_remarks(&mut self) -> Remarks {
        remarks_of(&mut self.body, &mut self.problems, &mut self.dropped);
        Remarks {
            problems: std::mem::take(&mut self.problems),
            dropped: std::mem::take(&mut self.dropped),
            binary: std::mem::take(&mut self.binary),
        }
    }
}

fn next_of(body: &mut Body) -> io::Result<Option<Chunk>> {
    match body {
        Body::Text(reader) => reader.next(),
        Body::Table(reader) => reader.next(),
        Body::Export(reader) => reader.next(),
        // An archive in an archive is no log.
        Body::Archive { .. } | Body::Nothing => Ok(None),
    }
}

fn remarks_of(body: &mut Body, problems: &mut Vec<String>, dropped: &mut u64) {
    match body {
        Body::Text(reader) => *dropped += reader.take_dropped(),
        Body::Table(reader) => problems.append(&mut reader.problems),
        Body::Export(reader) => *dropped += reader.take_dropped(),
        Body::Archive { member, .. } => {
            if let Some(member) = member {
                remarks_of(member, problems, dropped);
            }
        }
        Body::Nothing => {}
    }
}

/// What these bytes are, told by their head.
fn told(mut bytes: Bytes, origin: Origin, in_archive: bool, depth: u32, expected: &mut u64) -> io::Result<Body> {
    let mut head = Vec::new();
    // A head that ends in an error is told again when its bytes were given.
    let failed = (&mut bytes).take(HEAD_BYTES as u64).read_to_end(&mut head).err();
    let rest: Bytes = match failed {
        Some(error) => Box::new(Failing(Some(error))),
        None => bytes,
    };
    let whole = |head: Vec<u8>| -> Bytes { Box::new(Cursor::new(head).chain(rest)) };
    if let Some(packing) = Packing::of(&head).filter(|_| depth > 0) {
        *expected = expected.saturating_mul(PACKED_TIMES);
        let unpacked = packing.unpack(whole(head))?;
        return told(unpacked, origin, in_archive, depth - 1, expected);
    }
    if is_tar(&head) && !in_archive {
        return Ok(Body::Archive { archive: Archive::new(whole(head)), name: origin.name, member: None });
    }
    if in_archive && super::inputs::is_binary(&head) {
        return Ok(Body::Nothing);
    }
    if is_export(&head) {
        return Ok(Body::Export(ExportReader::new(&origin, whole(head))));
    }
    let is_named = !in_archive && is_named_table(&origin.name);
    match Columns::sniff(&head, is_named) {
        Some(Ok(columns)) => {
            let origin = Origin { format: Some("json".into()), ..origin };
            Ok(Body::Table(TableReader::new(Arc::new(origin), columns, whole(head))))
        }
        Some(Err(wrong)) => Err(io::Error::new(io::ErrorKind::InvalidInput, wrong)),
        None => Ok(Body::Text(TextReader::new(Arc::new(origin), whole(head)))),
    }
}

fn is_named_table(name: &str) -> bool {
    let packed = ["gz", "xz", "zst", "bz2"];
    let path = Path::new(name);
    let extension = |path: &Path| path.extension().map(|end| end.to_string_lossy().to_lowercase()).unwrap_or_default();
    let end = extension(path);
    let end = if packed.contains(&&*end) { extension(Path::new(path.file_stem().unwrap_or_default())) } else { end };
    matches!(&*end, "csv" | "tsv")
}

struct Counted {
    inner: Bytes,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Says the error that ended a head, once.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
