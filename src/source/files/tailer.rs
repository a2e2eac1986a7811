//! The heart of the files source: a synchronous machine that is given the time and hands over blocks and events.
//!
//! One `tick` looks, decides and reads. Spawns nothing, reads no clock, waits for nothing: `mod` does, and tests need
//! not. What a newly found file is stands in `admit`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{FilePlace, Medium, Origin, Position, SourceEvent, StreamKey, Timestamp};

use super::super::{Closed, FromSource};
use super::config::{FilesConfig, Limits};
use super::find::{Finder, Found, Group};
use super::generation::{Generation, Life, Now, Sink, Turn};
use super::identity::FileId;
use super::learn::LearnItem;
use super::unreadable;

/// How many files nobody reads any more are remembered, to know them and their copies.
const MAX_SEALED: usize = 8_192;
/// How many truncated or vanished files are remembered.
const MAX_ORPHANS: usize = 1_024;
/// How soon files that wait for a decision are looked at again.
const DECISION: Duration = Duration::from_millis(200);
/// Files that get a look at every tick; beyond that only those that hints name, and all at each sweep.
const MAX_LOOKS: usize = 64;

/// What woke the tailer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Wake {
    /// Files that changed.
    pub paths: HashSet<PathBuf>,
    /// Something appeared, went or moved, or too much happened to tell.
    pub scan: bool,
}

/// A place that no longer has its file: truncated, or gone.
pub(super) struct Orphan {
    pub stream: StreamKey,
    pub group: Group,
    pub place: FilePlace,
    pub name: Arc<str>,
    pub order: u64,
    pub since: Duration,
    /// The file is still there but holds other bytes now.
    pub truncated: bool,
    /// Bytes that were seen and not read.
    pub unread: u64,
    /// Nobody waits for it any more: said, or nothing to say.
    pub settled: bool,
}

/// A file that may be a copy in the making.
pub(super) struct Pending {
    pub size: u64,
    /// When it last grew.
    pub changed: Duration,
}

/// All files, where each stands, and what is not decided yet.
pub struct Tailer {
    pub(super) finder: Finder,
    pub(super) limits: Limits,
    pub(super) generations: BTreeMap<u64, Generation>,
    pub(super) by_id: HashMap<FileId, u64>,
    pub(super) orphans: Vec<Orphan>,
    pub(super) pending: HashMap<FileId, Pending>,
    /// Looked into and not for us: binary.
    pub(super) ignored: HashSet<FileId>,
    /// Where live lines start in files that could not be read at the start.
    pub(super) fixed_ends: HashMap<FileId, u64>,
    /// What was said to be unreadable.
    pub(super) unreadable: HashSet<PathBuf>,
    pub(super) events: VecDeque<FromSource>,
    pub(super) learning: Vec<LearnItem>,
    pub(super) groups: HashSet<Group>,
    /// Past the start: what appears now is new.
    pub(super) running: bool,
    /// The state held no file at all.
    pub(super) first_start: bool,
    /// When somebody last looked, in this life or the one before.
    pub(super) last_look: Timestamp,
    pub(super) directories: BTreeSet<PathBuf>,
    next_number: u64,
    next_scan: Duration,
    next_sweep: Duration,
    round: u64,
    buffer: Vec<u8>,
}

impl Tailer {
    pub fn new(configs: Vec<FilesConfig>, excluded: Vec<PathBuf>, limits: Limits) -> Tailer {
        Tailer {
            finder: Finder::new(configs, excluded),
            limits,
            generations: BTreeMap::new(),
            by_id: HashMap::new(),
            orphans: Vec::new(),
            pending: HashMap::new(),
            ignored: HashSet::new(),
            fixed_ends: HashMap::new(),
            unreadable: HashSet::new(),
            events: VecDeque::new(),
            learning: Vec::new(),
            groups: HashSet::new(),
            running: false,
            first_start: true,
            last_look: Timestamp::EPOCH,
            directories: BTreeSet::new(),
            next_number: 1,
            next_scan: Duration::ZERO,
            next_sweep: Duration::ZERO,
            round: 0,
            buffer: Vec::new(),
        }
    }

    /// Finds what is there, takes up `known` places, fixes where live lines start. Returns what to commit now.
    pub fn open(&mut self, known: &[Position], now: Now) -> Vec<Position> {
        self.recall(known, now);
        self.scan(now);
        self.running = true;
        self.generations.values().map(|generation| generation.position(now)).collect()
    }

    /// What was there before and only teaches, oldest first.
    pub fn take_learning(&mut self) -> Vec<LearnItem> {
        let mut items = std::mem::take(&mut self.learning);
        items.sort_by_key(|item| item.modified_ns);
        items
    }

    /// Directories in which something may happen.
    pub fn directories(&self) -> &BTreeSet<PathBuf> {
        &self.directories
    }

    /// Paths named one by one.
    pub fn literals(&self) -> Vec<PathBuf> {
        self.finder.literals()
    }

    /// When the next tick is due if nothing wakes it before.
    pub fn next_tick(&self) -> Duration {
        self.next_scan.min(self.next_sweep)
    }

    /// A scan or a sweep took this long: large trees are looked at less often, never more than 2 % of the time.
    pub fn took(&mut self, cost: Duration, now: Now) {
        self.next_scan = self.next_scan.max(now.steady + (cost * 50).min(Duration::from_secs(60)));
        self.next_sweep = self.next_sweep.max(now.steady + (cost * 50).min(Duration::from_secs(10)));
    }

    /// Looks, decides and reads one round. True when there is more to read at once.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes the lines; the tailer is then to be dropped.
    pub fn tick(&mut self, now: Now, wake: &Wake, sink: &mut Sink<'_>) -> Result<bool, Closed> {
        self.sweep(now, wake);
        if wake.scan || now.steady >= self.next_scan {
            self.scan(now);
        }
        self.settle(now);
        while let Some(event) = self.events.pop_front() {
            sink(event)?;
        }
        let more = self.read(now, sink)?;
        self.seal(now, sink)?;
        while let Some(event) = self.events.pop_front() {
            sink(event)?;
        }
        Ok(more)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    pub(super) fn event(&mut self, event: SourceEvent) {
        self.events.push_back(FromSource::Event(event));
    }

    /// Says once that `path` cannot be read.
    pub(super) fn cannot_read(&mut self, path: &Path, error: &io::Error) {
        if self.unreadable.len() < MAX_SEALED && self.unreadable.insert(path.to_path_buf()) {
            let origin = Arc::from(path.to_string_lossy());
            self.event(SourceEvent::Unreadable { origin, error: error.to_string(), fix: unreadable::fix(path, error) });
        }
    }

    pub(super) fn can_read(&mut self, path: &Path) {
        if self.unreadable.remove(path) {
            self.event(SourceEvent::Readable { origin: Arc::from(path.to_string_lossy()) });
        }
    }

    /// What blocks of this file say of where they come from: the log, whichever generation of it this is.
    pub(super) fn origin(&self, found: &Found) -> Origin {
        let group = Group::of(&found.path);
        let name = match found.sibling {
            true => group.directory.join(&group.stem),
            false => found.path.clone(),
        };
        Origin {
            name: Arc::from(name.to_string_lossy()),
            medium: Medium::File,
            format: self.finder.config(found.config).and_then(|config| config.format.as_deref()).map(Arc::from),
            written: Some(Timestamp::from_micros(found.modified_ns / 1_000)),
        }
    }

    /// Reads the directories and decides on every file that is new in them.
    fn scan(&mut self, now: Now) {
        self.round += 1;
        let mut sighting = self.finder.look(&self.groups);
        // Oldest first: a log's generations are numbered and drained in this order.
        sighting.files.sort_by_cached_key(|found| {
            let name = found.real.file_name().unwrap_or_default().to_string_lossy();
            (Group::of(&found.real), super::names::rank(&name), found.modified_ns)
        });
        let failed: HashSet<&Path> = sighting.errors.iter().map(|(path, _)| path.as_path()).collect();
        let healed = self.unreadable.iter().filter(|path| !failed.contains(path.as_path()) && path.is_dir());
        for path in healed.cloned().collect::<Vec<_>>() {
            self.can_read(&path);
        }
        for (path, error) in &sighting.errors {
            self.cannot_read(path, error);
        }
        let seen: HashSet<FileId> = sighting.files.iter().map(|found| found.id).collect();
        self.directories = sighting.directories;
        for found in &sighting.files {
            self.groups.insert(Group::of(&found.real));
        }
        for found in sighting.files {
            self.admit(found, now);
        }
        self.ignored.retain(|id| seen.contains(id));
        self.pending.retain(|id, _| seen.contains(id));
        for generation in self.generations.values_mut() {
            if generation.round != self.round && generation.life == Life::Active {
                generation.life = Life::Rotated { since: now.steady };
                generation.dirty = true;
            }
        }
        self.forget();
        self.last_look = now.wall;
        self.next_scan = now.steady + if self.pending.is_empty() { self.limits.scan } else { DECISION };
    }

    /// Notes that a known file was seen at `found`, and what that means for its life.
    pub(super) fn sighted(&mut self, number: u64, found: &Found, now: Now) {
        let Some(generation) = self.generations.get_mut(&number) else { return };
        generation.round = self.round;
        if generation.path != found.real {
            generation.path.clone_from(&found.real);
            generation.group = Group::of(&found.real);
            generation.dirty |= !generation.is_sealed();
        }
        match generation.life {
            Life::Active if found.sibling => generation.life = Life::Rotated { since: now.steady },
            Life::Rotated { .. } if !found.sibling => generation.life = Life::Active,
            // Somebody goes on writing to a file that was done.
            Life::Sealed { .. } if !generation.packed && found.size > generation.offset() => {
                generation.life = if found.sibling { Life::Rotated { since: now.steady } } else { Life::Active };
                generation.dirty = true;
            }
            Life::Sealed { .. } if !generation.packed && found.size < generation.offset() && !found.sibling => {
                generation.life = Life::Active;
                generation.dirty = true;
            }
            Life::Active | Life::Rotated { .. } | Life::Sealed { .. } => {}
        }
    }

    /// Looks at open files; hints say which, a sweep looks at all.
    fn sweep(&mut self, now: Now, wake: &Wake) {
        let all = now.steady >= self.next_sweep || self.generations.len() <= MAX_LOOKS;
        if now.steady >= self.next_sweep {
            self.next_sweep = now.steady + self.limits.sweep;
        }
        let mut lost = Vec::new();
        for (number, generation) in &mut self.generations {
            if generation.is_sealed() || !(all || wake.paths.contains(&generation.path)) {
                continue;
            }
            match generation.look() {
                Some(false) if generation.life == Life::Active => {
                    generation.life = Life::Rotated { since: now.steady };
                    self.next_scan = now.steady;
                }
                Some(_) => {}
                None => lost.push(*number),
            }
        }
        for number in lost {
            self.next_scan = now.steady;
            // Not open and not at its path: if the scan does not find it elsewhere, it is gone.
            let rotated = self.generations.get(&number).is_some_and(|generation| generation.life != Life::Active);
            if rotated && self.generations.get(&number).is_some_and(|generation| generation.round != self.round) {
                self.orphan(number, false, now);
            }
        }
    }

    /// Reads what is dirty, older generations of a log before younger ones.
    fn read(&mut self, now: Now, sink: &mut Sink<'_>) -> Result<bool, Closed> {
        let mut dirty: Vec<(u64, u64)> = self
            .generations
            .iter()
            .filter(|(_, generation)| generation.dirty && !generation.is_sealed())
            .map(|(number, generation)| (generation.order, *number))
            .collect();
        dirty.sort_unstable();
        let mut waiting: HashSet<Group> = HashSet::new();
        let mut more = false;
        let mut buffer = std::mem::take(&mut self.buffer);
        for (_, number) in dirty {
            let Some(generation) = self.generations.get(&number) else { continue };
            if waiting.contains(&generation.group) {
                continue;
            }
            let was_open = generation.is_open();
            if !was_open {
                self.make_room();
            }
            let Some(generation) = self.generations.get_mut(&number) else { continue };
            if generation.check_binary && !self.first_look(number) {
                continue;
            }
            let Some(generation) = self.generations.get_mut(&number) else { continue };
            match generation.read(now, &self.limits, &mut buffer, sink)? {
                Turn::Drained => {}
                Turn::More => {
                    generation.dirty = true;
                    waiting.insert(generation.group.clone());
                    more = true;
                }
                Turn::Truncated => {
                    waiting.insert(generation.group.clone());
                    self.orphan(number, true, now);
                    // A copy that holds the rest comes first, if there is one.
                    self.next_scan = now.steady;
                    more = true;
                }
                Turn::Lost => self.next_scan = now.steady,
                Turn::Finished => {
                    generation.life = Life::Sealed { since: now.steady };
                    generation.close();
                    generation.tell(now, sink)?;
                }
                Turn::Failed(error) => {
                    let path = generation.path.clone();
                    if generation.packed {
                        self.damaged(number, &error, now, sink)?;
                    } else {
                        self.cannot_read(&path, &error);
                        if let Some(generation) = self.generations.get_mut(&number) {
                            // Tried again when the sweep finds the size other than none.
                            generation.seen = (u64::MAX, 0);
                        }
                    }
                    continue;
                }
            }
            if !self.unreadable.is_empty()
                && let Some(path) = self.generations.get(&number).map(|generation| generation.path.clone())
            {
                self.can_read(&path);
            }
        }
        self.buffer = buffer;
        Ok(more)
    }

    /// A packed file that does not unpack: still being written, or damaged.
    fn damaged(&mut self, number: u64, error: &io::Error, now: Now, sink: &mut Sink<'_>) -> Result<(), Closed> {
        let Some(generation) = self.generations.get_mut(&number) else { return Ok(()) };
        let written = Timestamp::from_micros(generation.seen.1 / 1_000);
        if now.wall.since(written) < self.limits.orphan_wait {
            generation.seen = (u64::MAX, 0);
            return Ok(());
        }
        generation.life = Life::Sealed { since: now.steady };
        generation.close();
        generation.tell(now, sink)?;
        let reason = format!("{} cannot be unpacked to its end: {error}", generation.path.display());
        sink(FromSource::Event(SourceEvent::Gap { origin: generation.name(), reason, lost: None }))
    }

    /// Turns a file whose bytes are gone into an orphan. A truncated one starts over.
    fn orphan(&mut self, number: u64, truncated: bool, now: Now) {
        let fresh = self.number();
        let Some(generation) = self.generations.get_mut(&number) else { return };
        let orphan = Orphan {
            stream: Arc::clone(&generation.stream),
            group: generation.group.clone(),
            place: generation.place(now),
            name: generation.name(),
            order: generation.order,
            since: now.steady,
            truncated,
            unread: generation.unread(),
            settled: false,
        };
        self.orphans.push(orphan);
        if truncated {
            let salt = now.wall.as_micros().cast_unsigned() ^ fresh;
            let stream = generation.id.stream(salt);
            generation.start_over(stream, fresh);
        } else if let Some(generation) = self.generations.remove(&number) {
            self.by_id.remove(&generation.id);
        }
    }

    /// Says which orphans nobody claimed.
    fn settle(&mut self, now: Now) {
        let mut events = Vec::new();
        for orphan in &mut self.orphans {
            if orphan.settled || now.steady < orphan.since + self.limits.orphan_wait {
                continue;
            }
            if !orphan.truncated && !orphan.group.directory.is_dir() {
                // The directory is away, not only the file: a mount that comes later, a tree being replaced.
                continue;
            }
            orphan.settled = true;
            let at = orphan.place.offset;
            let (reason, lost) = match (orphan.truncated, orphan.unread) {
                (true, 0) => (format!("truncated after byte {at}; nothing unread was seen"), None),
                (true, unread) => (format!("truncated with {unread} bytes unread after byte {at}"), Some(unread)),
                (false, 0) => (format!("gone; lines after byte {at} may be lost"), None),
                (false, unread) => (format!("gone with {unread} bytes unread after byte {at}"), Some(unread)),
            };
            events.push(SourceEvent::Gap { origin: Arc::clone(&orphan.name), reason, lost });
        }
        for event in events {
            self.event(event);
        }
    }

    /// Closes what is gone from its path, drained, and quiet.
    fn seal(&mut self, now: Now, sink: &mut Sink<'_>) -> Result<(), Closed> {
        for generation in self.generations.values_mut() {
            let Life::Rotated { since } = generation.life else { continue };
            let quiet_since = since.max(generation.last_read);
            if generation.dirty || generation.packed || now.steady < quiet_since + self.limits.rotate_wait {
                continue;
            }
            generation.flush_partial(now, &self.limits, sink)?;
            generation.life = Life::Sealed { since: now.steady };
            generation.close();
            generation.tell(now, sink)?;
        }
        Ok(())
    }

    /// Keeps the number of open files below the cap: closes the idle ones that can be opened again by their path.
    pub(super) fn make_room(&mut self) {
        let open = self.generations.values().filter(|generation| generation.is_open()).count();
        if open < self.limits.max_open {
            return;
        }
        let mut idle: Vec<(bool, Duration, u64)> = self
            .generations
            .iter()
            .filter(|(_, generation)| generation.is_open() && !generation.packed && generation.life == Life::Active)
            .map(|(number, generation)| (generation.dirty, generation.last_read, *number))
            .collect();
        idle.sort_unstable();
        for (_, _, number) in idle.into_iter().take((self.limits.max_open / 8).max(1)) {
            if let Some(generation) = self.generations.get_mut(&number) {
                generation.close();
            }
        }
    }

    /// Drops the oldest memories beyond the bounds.
    fn forget(&mut self) {
        if self.orphans.len() > MAX_ORPHANS + MAX_SEALED {
            let excess = self.orphans.len() - MAX_ORPHANS - MAX_SEALED;
            self.orphans.drain(..excess);
        }
        let mut sealed: Vec<(Duration, u64)> = Vec::new();
        for (number, generation) in &self.generations {
            if let Life::Sealed { since } = generation.life
                && generation.round != self.round
            {
                sealed.push((since, *number));
            }
        }
        sealed.sort_unstable();
        let excess = sealed.len().saturating_sub(MAX_SEALED);
        for (_, number) in sealed.into_iter().take(excess) {
            if let Some(generation) = self.generations.remove(&number) {
                self.by_id.remove(&generation.id);
            }
        }
    }
}
