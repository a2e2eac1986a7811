//! Places without their file: truncated, gone, or of an earlier life and not found yet. Indexed, bounded; decides nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{FilePlace, StreamKey};

use super::find::Group;
use super::identity::{self, Anchors, Checkpoints, FileId};

/// How many are kept.
const MAX_ORPHANS: usize = 16_384;

/// A place that waits for its file or for a copy of it.
#[derive(Clone, Debug)]
pub struct Orphan {
    pub stream: StreamKey,
    pub group: Group,
    pub place: FilePlace,
    pub checkpoints: Checkpoints,
    /// What a person calls the log.
    pub name: Arc<str>,
    /// Its rank among the generations of its log; 0 when it comes from an earlier life.
    pub order: u64,
    pub since: Duration,
    /// The file is still there but holds other bytes now.
    pub truncated: bool,
    /// Bytes that were seen and not read.
    pub unread: u64,
    /// Nobody waits for it any more: said, or nothing to say.
    pub settled: bool,
}

impl Orphan {
    pub fn id(&self) -> FileId {
        FileId::of_place(&self.place)
    }

    /// Where it was last seen.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.place.path)
    }

    /// The file may come back: its directory is away (a mount that comes later, a tree being replaced) or closed to us,
    /// or it is there and cannot be read.
    pub fn is_only_away(&self) -> bool {
        let path = self.path();
        !self.group.directory.is_dir()
            || fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
            || identity::locate(&path, self.id()).is_some()
    }

    /// Its file is where it was, and longer.
    pub fn has_grown(&self) -> bool {
        fs::symlink_metadata(self.path())
            .is_ok_and(|metadata| FileId::of(&metadata).is_same(&self.id()) && metadata.len() > self.place.offset)
    }

    /// It was done with although its last line was not.
    pub fn is_inside_a_line(&self) -> bool {
        let tail = self.place.tail.as_slice();
        self.place.sealed && !tail.is_empty() && !tail.ends_with(b"\n") && !tail.ends_with(b"\n\0")
    }

    pub fn anchors(&self) -> Anchors {
        Anchors::of_place(&self.place)
    }
}

/// All of them, by number, oldest first.
#[derive(Debug, Default)]
pub struct Orphans {
    all: BTreeMap<u64, Orphan>,
    by_inode: HashMap<u64, Vec<u64>>,
    by_group: HashMap<Group, Vec<u64>>,
    streams: HashSet<StreamKey>,
    next: u64,
}

impl Orphans {
    /// Keeps it and says its number.
    pub fn push(&mut self, orphan: Orphan) -> u64 {
        self.next += 1;
        self.by_inode.entry(orphan.place.inode).or_default().push(self.next);
        self.by_group.entry(orphan.group.clone()).or_default().push(self.next);
        self.streams.insert(Arc::clone(&orphan.stream));
        self.all.insert(self.next, orphan);
        if self.all.len() > MAX_ORPHANS
            && let Some(oldest) = self.all.keys().next().copied()
        {
            self.remove(oldest);
        }
        self.next
    }

    pub fn remove(&mut self, number: u64) -> Option<Orphan> {
        let orphan = self.all.remove(&number)?;
        unlist(&mut self.by_inode, &orphan.place.inode, number);
        unlist(&mut self.by_group, &orphan.group, number);
        self.streams.remove(&orphan.stream);
        Some(orphan)
    }

    /// Nobody waits for it any more; gives it as it then is.
    pub fn settle(&mut self, number: u64) -> Option<Orphan> {
        let orphan = self.all.get_mut(&number)?;
        orphan.settled = true;
        Some(orphan.clone())
    }

    /// Those whose file may be `id`, the latest first.
    pub fn of_file(&self, id: FileId) -> impl Iterator<Item = (u64, &Orphan)> {
        self.listed(self.by_inode.get(&id.inode)).filter(move |(_, orphan)| orphan.id().is_same(&id))
    }

    /// Those of one log, the latest first.
    pub fn of_group(&self, group: &Group) -> impl Iterator<Item = (u64, &Orphan)> {
        self.listed(self.by_group.get(group))
    }

    pub fn has_stream(&self, stream: &StreamKey) -> bool {
        self.streams.contains(stream)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Orphan> {
        self.all.values_mut()
    }

    fn listed(&self, numbers: Option<&Vec<u64>>) -> impl Iterator<Item = (u64, &Orphan)> {
        let numbers = numbers.map(Vec::as_slice).unwrap_or_default();
        numbers.iter().rev().filter_map(|number| self.all.get(number).map(|orphan| (*number, orphan)))
    }
}

fn unlist<K: std::hash::Hash + Eq>(index: &mut HashMap<K, Vec<u64>>, key: &K, number: u64) {
    if let Some(numbers) = index.get_mut(key) {
        numbers.retain(|other| *other != number);
        if numbers.is_empty() {
            index.remove(key);
        }
    }
}
