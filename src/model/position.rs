//! Where a source stands. Opaque to the pipeline; made durable only together with the consequences of the lines before it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Names one stream of lines in the state file: `file:<generation>`, `journal:<name>`, `stdin`.
pub type StreamKey = Arc<str>;

/// Everything up to here has been handed over by the stream `stream`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Position {
    pub stream: StreamKey,
    pub at: Place,
}

/// The place itself, one variant for each kind of source. Versioned by its tag: add variants, never change one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "v", rename_all = "kebab-case")]
pub enum Place {
    /// One incarnation of a file (a *generation*).
    FileV1(FilePlace),
    /// The journal.
    JournalV1(JournalPlace),
    /// Standard input cannot be resumed; the offset is for humans.
    StdinV1 { offset: u64 },
}

/// How a file generation is recognized again and how far it was read.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FilePlace {
    /// Last known path.
    pub path: String,
    pub device: u64,
    pub inode: u64,
    /// Birth time in nanoseconds since the epoch; 0 where the file system has none.
    pub birth_ns: i64,
    /// How many bytes of the head `head_hash` covers: min(bytes seen, 1024), growing.
    pub head_len: u32,
    /// XXH3 of those bytes.
    pub head_hash: u64,
    /// The last up to 64 bytes before `offset`, raw.
    pub tail: Vec<u8>,
    /// Next byte to read.
    pub offset: u64,
    /// The reader is inside a line longer than the cap and skips to its newline.
    pub skip_to_newline: bool,
    /// Lines before this offset only taught the baseline.
    pub live_from: u64,
    /// Drained and gone from its path: kept only to recognize copies and resurrections.
    pub sealed: bool,
    pub seen_at: Timestamp,
    /// When the directories were last read: a file born later was never seen. Not known of states before it was noted.
    #[serde(default)]
    pub looked_at: Option<Timestamp>,
}

/// Where the journal reader stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JournalPlace {
    pub cursor: String,
    /// `__REALTIME_TIMESTAMP` of that entry.
    pub realtime: Timestamp,
    pub boot_id: String,
}
