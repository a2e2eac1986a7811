//! The heart of the files source: a synchronous machine that is given the time and hands over blocks and events.
//!
//! `look` finds out what changed, `read` hands over what is new. Spawns nothing, reads no clock, waits for nothing:
//! `mod` does, and tests need not. What a newly found file is stands in `admit`, which bytes are new in `turn`.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Medium, Origin, Position, SourceEvent, StreamKey, Timestamp};

use super::super::{Closed, FromSource};
use super::config::{FilesConfig, Limits};
use super::find::{Finder, Found, Group};
use super::generation::{Generation, Life, Now, Taker};
use super::identity::FileId;
use super::learn::LearnItem;
use super::orphans::Orphans;
use super::retire::keep;
use super::table::Table;
use super::turn::Turn;
use super::{names, unreadable};

/// How many unreadable paths are told apart.
const MAX_UNREADABLE: usize = 8_192;
/// How soon files that wait for a decision are looked at again.
const DECISION: Duration = Duration::from_millis(200);
/// So often it is written down that somebody looked.
const TELL_LOOK: Duration = Duration::from_secs(60);
/// So many files get a look at every tick; of more only those that hints name, and all at each sweep.
const MAX_LOOKS: usize = 64;
/// Of more files than this, too, only those that hints name, where hints name any.
const FEW: usize = 8;
/// While nothing happens to more files than [`MAX_LOOKS`], they are gone through so often for what time alone decides.
const ROUNDS: Duration = Duration::from_secs(5);

/// What woke the tailer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Wake {
    /// Files that changed.
    pub paths: HashSet<PathBuf>,
    /// Something appeared, went or moved, or too much happened to tell.
    pub scan: bool,
}

/// What a look did, for its price to be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Looked {
    /// Every followed file was looked at.
    pub swept: bool,
    /// Directories were read.
    pub scanned: bool,
}

/// A file that may be a copy in the making.
pub(super) struct Pending {
    pub found: Found,
    pub size: u64,
    /// When it last grew.
    pub changed: Duration,
    /// Held open: should it be deleted before the decision, its lines are not.
    pub file: Option<File>,
}

/// All files, where each stands, and what is not decided yet.
pub struct Tailer {
    pub(super) finder: Finder,
    pub(super) limits: Limits,
    pub(super) table: Table,
    pub(super) orphans: Orphans,
    pub(super) pending: HashMap<FileId, Pending>,
    /// Streams that ended in this life: their last position may still be under way.
    pub(super) closed: HashSet<StreamKey>,
    /// Looked into and not for us: binary.
    pub(super) ignored: HashSet<FileId>,
    /// Where live lines start in files that could not be read at the start.
    pub(super) fixed_ends: HashMap<FileId, u64>,
    /// What was said to be unreadable.
    unreadable: HashSet<PathBuf>,
    pub(super) events: VecDeque<FromSource>,
    pub(super) learning: Vec<LearnItem>,
    /// Logs whose rotated siblings are looked for although no pattern matches them.
    pub(super) groups: HashSet<Group>,
    /// Logs of an earlier life.
    pub(super) known_groups: HashSet<Group>,
    /// Past the start: what appears now is new.
    pub(super) running: bool,
    /// The state held no file at all.
    pub(super) first_start: bool,
    /// When somebody last looked, in this life or the one before.
    pub(super) last_look: Timestamp,
    /// When that was last made durable although no line came.
    told_look: Duration,
    directories: BTreeSet<PathBuf>,
    /// At most this many files are open.
    open_at_most: usize,
    next_scan: Duration,
    next_sweep: Duration,
    /// Hints cannot bring a scan about before this.
    earliest_scan: Duration,
    /// Numbers the scans.
    pub(super) round: u64,
    /// Something was looked at since the files were gone through, or there was more to do.
    stirred: bool,
    /// When they are gone through although nothing was.
    next_rounds: Duration,
    buffer: Vec<u8>,
}

impl Tailer {
    /// `excluded` are our own directories: nothing below them is ever read.
    pub fn new(configs: Vec<FilesConfig>, excluded: Vec<PathBuf>, limits: Limits) -> Tailer {
        Tailer {
            finder: Finder::new(configs, excluded),
            limits,
            table: Table::default(),
            orphans: Orphans::default(),
            pending: HashMap::new(),
            closed: HashSet::new(),
            ignored: HashSet::new(),
            fixed_ends: HashMap::new(),
            unreadable: HashSet::new(),
            events: VecDeque::new(),
            learning: Vec::new(),
            groups: HashSet::new(),
            known_groups: HashSet::new(),
            running: false,
            first_start: true,
            last_look: Timestamp::EPOCH,
            told_look: Duration::ZERO,
            directories: BTreeSet::new(),
            open_at_most: 0,
            next_scan: Duration::ZERO,
            next_sweep: Duration::ZERO,
            earliest_scan: Duration::ZERO,
            round: 0,
            stirred: true,
            next_rounds: Duration::ZERO,
            buffer: Vec::new(),
        }
    }

    /// Finds what is there, takes up `known` places, fixes where live lines start. Returns what to commit now.
    pub fn open(&mut self, known: &[Position], now: Now) -> Vec<Position> {
        self.recall(known, now);
        // All that it sees is committed at once.
        let now = Now { looked: now.wall, ..now };
        self.scan(now);
        self.running = true;
        let told = self.events.iter().filter_map(|message| match message {
            FromSource::Lines(block) => block.position.clone(),
            FromSource::Event(_) => None,
        });
        // What goes on in another file ends in the same breath as that begins.
        let followed = self.table.iter().filter(|(_, generation)| !generation.echo);
        told.chain(followed.map(|(_, generation)| generation.position(now))).collect()
    }

    /// The baseline was never completed: what was there at the first look of resumed files teaches once more.
    pub fn learn_again(&mut self) {
        for (_, generation) in self.table.iter().filter(|(_, generation)| generation.live_from > 0) {
            self.learning.push(LearnItem {
                path: generation.path.clone(),
                id: generation.id,
                until: generation.live_from,
                packed: generation.packed,
                origin: (*generation.origin).clone(),
                modified_ns: generation.origin.written.map_or(0, |time| time.as_micros().saturating_mul(1_000)),
            });
        }
        // A file found just now is in the list already.
        let mut seen = HashSet::new();
        self.learning.retain(|item| seen.insert(item.path.clone()));
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

    /// When the next look is due if nothing wakes it before.
    pub fn next_look(&self) -> Duration {
        self.next_scan.min(self.next_sweep)
    }

    /// A look took `cost`: large trees are looked at less often. Where every directory is `watched` a look only makes up
    /// for lost hints and may take 0.05 % of the time; where not, looks are all there is and may take 2 %. A scan that
    /// hints ask for may take 10 %.
    pub fn took(&mut self, looked: Looked, cost: Duration, now: Now, watched: bool) {
        let (times, scan_at_most, sweep_at_most) = if watched { (2_000, 300, 60) } else { (50, 60, 10) };
        let pause = |at_most: u64| (cost * times).min(Duration::from_secs(at_most));
        if looked.scanned {
            self.earliest_scan = now.steady + cost * 10;
            self.next_scan = self.next_scan.max(now.steady + pause(scan_at_most));
        } else if looked.swept {
            self.next_sweep = self.next_sweep.max(now.steady + pause(sweep_at_most));
        }
    }

    /// Finds out what changed: open files always, directories when due or hinted at.
    pub fn look(&mut self, now: Now, wake: &Wake) -> Looked {
        let now = Now { looked: self.last_look, ..now };
        let swept = self.sweep(now, wake);
        if wake.scan {
            self.scan_soon(now);
        }
        let scanned = now.steady >= self.next_scan;
        if scanned {
            self.scan(now);
        }
        self.settle(now);
        self.stirred |= swept || scanned || wake.scan || !wake.paths.is_empty();
        Looked { swept, scanned }
    }

    /// Hands over what is new, a turn of each file. True when there is more to do at once.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes the lines; the tailer is then to be dropped.
    pub fn read(&mut self, now: Now, taker: &mut Taker<'_>) -> Result<bool, Closed> {
        let now = Now { looked: self.last_look, ..now };
        self.hand_over(taker)?;
        // Of ten thousand files going through all would be most of what idling costs.
        if !self.stirred && self.table.len() > MAX_LOOKS && now.steady < self.next_rounds {
            return Ok(false);
        }
        self.next_rounds = now.steady + ROUNDS;
        let more = self.read_dirty(now, taker)?;
        self.seal(now)?;
        self.let_go(now, false);
        self.hand_over(taker)?;
        self.stirred = more;
        Ok(more)
    }

    pub(super) fn event(&mut self, event: SourceEvent) {
        self.events.push_back(FromSource::Event(event));
    }

    /// Says once that `path` cannot be read. True when it was news.
    pub(super) fn cannot_read(&mut self, path: &Path, error: &io::Error) -> bool {
        let news = self.unreadable.len() < MAX_UNREADABLE && self.unreadable.insert(path.to_path_buf());
        if news {
            let origin = Arc::from(path.to_string_lossy());
            self.event(SourceEvent::Unreadable { origin, error: error.to_string(), fix: unreadable::fix(path, error) });
        }
        news
    }

    pub(super) fn can_read(&mut self, path: &Path) {
        if self.unreadable.remove(path) {
            self.event(SourceEvent::Readable { origin: Arc::from(path.to_string_lossy()) });
        }
    }

    /// What blocks of this file say of where they come from: the log, whichever generation of it this is.
    pub(super) fn origin(&self, found: &Found) -> Origin {
        let group = Group::of(&found.path);
        let name = if found.sibling { group.directory.join(&group.stem) } else { found.path.clone() };
        Origin {
            name: Arc::from(name.to_string_lossy()),
            medium: Medium::File,
            format: self.finder.config(found.config).and_then(|config| config.format.as_deref()).map(Arc::from),
            written: Some(Timestamp::from_micros(found.modified_ns / 1_000)),
        }
    }

    /// Notes that a known file was seen, and what that means for its life.
    pub(super) fn sighted(&mut self, number: u64, found: &Found, now: Now) {
        if self.table.get(number).is_some_and(|generation| generation.path != found.real) {
            self.table.moved(number, found.real.clone());
        }
        let Some(generation) = self.table.get_mut(number) else { return };
        generation.round = self.round;
        // The scan saw what a sweep would.
        let changed = (found.size, found.modified_ns) != generation.seen;
        generation.dirty |= changed && !generation.packed && !generation.is_sealed();
        let (grown, shrunk) = (found.size > generation.offset(), found.size < generation.offset());
        match generation.life {
            Life::Active if found.sibling && !generation.packed => {
                generation.life = Life::Rotated { since: now.steady };
            }
            Life::Rotated { .. } if !found.sibling => generation.life = Life::Active,
            // Somebody goes on writing to a file that was done.
            Life::Sealed { .. } if !generation.packed && (grown || shrunk && !found.sibling) => {
                generation.life = if found.sibling { Life::Rotated { since: now.steady } } else { Life::Active };
                generation.dirty = true;
            }
            Life::Active | Life::Rotated { .. } | Life::Sealed { .. } => {}
        }
    }

    /// Makes room for one more open file: closes the idle ones that can be opened again by their path.
    pub(super) fn make_room(&mut self) {
        self.open_at_most += 1;
        if self.open_at_most <= self.limits.max_open {
            return;
        }
        let open = self.table.iter().filter(|(_, generation)| generation.is_open()).count();
        self.open_at_most = open + 1;
        if self.open_at_most <= self.limits.max_open {
            return;
        }
        // What has a name can be opened again: the active ones do, the rotated ones if the last scan saw them.
        let named = |generation: &Generation| match generation.life {
            Life::Active => true,
            Life::Rotated { .. } => generation.round == self.round,
            Life::Sealed { .. } => false,
        };
        let mut idle: Vec<(bool, bool, Duration, u64)> = self
            .table
            .iter()
            .filter(|(_, generation)| generation.is_open() && !generation.packed && named(generation))
            .map(|(number, generation)| {
                (generation.life != Life::Active, generation.dirty, generation.last_read, number)
            })
            .collect();
        idle.sort_unstable();
        for (_, _, _, number) in idle.into_iter().take((self.limits.max_open / 8).max(1)) {
            if let Some(generation) = self.table.get_mut(number) {
                generation.close();
                self.open_at_most -= 1;
            }
        }
    }

    /// Reads the directories and decides on every file that is new in them.
    fn scan(&mut self, now: Now) {
        self.round += 1;
        let mut sighting = self.finder.look(&self.groups);
        // Oldest first: a log's generations are numbered and drained in this order.
        sighting.files.sort_by_cached_key(|found| {
            let name = found.real.file_name().unwrap_or_default().to_string_lossy();
            (Group::of(&found.real), names::rank(&name), found.modified_ns)
        });
        self.report(&sighting.errors);
        let seen: HashSet<FileId> = sighting.files.iter().map(|found| found.id).collect();
        self.directories = sighting.directories;
        self.next_scan = now.steady + self.limits.scan;
        let vanished: Vec<FileId> = self.pending.keys().filter(|id| !seen.contains(id)).copied().collect();
        for pending in vanished.iter().filter_map(|id| self.pending.remove(id)).collect::<Vec<_>>() {
            self.admit_vanished(pending, now);
        }
        for found in sighting.files {
            self.groups.insert(Group::of(&found.real));
            self.admit(found, now);
        }
        self.admit_strays(now);
        self.ignored.retain(|id| seen.contains(id));
        let round = self.round;
        for (_, generation) in self.table.iter_mut() {
            if generation.round != round && generation.life == Life::Active && !generation.packed {
                generation.life = Life::Rotated { since: now.steady };
                generation.dirty = true;
            }
        }
        self.forget();
        self.last_look = now.wall;
        self.tell_look(now);
        if !self.pending.is_empty() {
            self.next_scan = now.steady + DECISION;
        }
    }

    /// Makes it durable now and then that somebody looked, also while nothing is written: what is born later is new.
    fn tell_look(&mut self, now: Now) {
        if !self.running || now.steady < self.told_look + TELL_LOOK {
            return;
        }
        self.told_look = now.steady;
        let now = Now { looked: self.last_look, ..now };
        if let Some((_, generation)) = self.table.iter_mut().find(|(_, generation)| !generation.echo) {
            // Into a queue, which takes everything.
            let _ = generation.tell(now, &mut keep(&mut self.events));
        }
    }

    /// Says what could not be looked at, and what can again.
    fn report(&mut self, errors: &[(PathBuf, io::Error)]) {
        if !self.unreadable.is_empty() {
            let failed: HashSet<&Path> = errors.iter().map(|(path, _)| path.as_path()).collect();
            let known: Vec<PathBuf> = self.unreadable.iter().cloned().collect();
            for path in known.into_iter().filter(|path| !failed.contains(path.as_path())) {
                if path.is_dir() {
                    self.can_read(&path);
                } else if !path.is_symlink() && !path.exists() {
                    self.unreadable.remove(&path);
                }
            }
        }
        for (path, error) in errors {
            self.cannot_read(path, error);
        }
    }

    fn scan_soon(&mut self, now: Now) {
        self.next_scan = self.next_scan.min(self.earliest_scan.max(now.steady));
    }

    /// Looks at open files; hints say which, a sweep looks at all. True when it looked at all.
    fn sweep(&mut self, now: Now, wake: &Wake) -> bool {
        let due = now.steady >= self.next_sweep;
        if due {
            self.next_sweep = now.steady + self.limits.sweep;
        }
        let most = if wake.scan || wake.paths.is_empty() { MAX_LOOKS } else { FEW };
        let all = due || self.table.len() <= most;
        if !all && wake.paths.is_empty() {
            return due;
        }
        let mut lost = Vec::new();
        let mut moved = false;
        for (number, generation) in self.table.iter_mut() {
            if generation.is_sealed() || !(all || wake.paths.contains(&generation.path)) {
                continue;
            }
            match generation.look() {
                Some(linked) => {
                    if !linked {
                        generation.deleted.get_or_insert(now.steady);
                    }
                    if !linked && generation.life == Life::Active {
                        generation.life = Life::Rotated { since: now.steady };
                        moved = true;
                    }
                }
                None => lost.push(number),
            }
        }
        if moved || !lost.is_empty() {
            self.scan_soon(now);
        }
        for number in lost {
            // Not open and not at its path, and the last scan did not find it elsewhere: gone.
            let gone = self
                .table
                .get(number)
                .is_some_and(|generation| generation.life != Life::Active && generation.round != self.round);
            if gone {
                self.orphan(number, false, now);
            }
        }
        due
    }

    /// Reads what is dirty, older generations of a log before younger ones.
    fn read_dirty(&mut self, now: Now, taker: &mut Taker<'_>) -> Result<bool, Closed> {
        let mut dirty: Vec<(u64, u64)> = self
            .table
            .iter()
            .filter(|(_, generation)| generation.dirty && !generation.is_sealed())
            .map(|(number, generation)| (generation.order, number))
            .collect();
        dirty.sort_unstable();
        let mut waiting: HashSet<Group> = HashSet::new();
        let mut more = false;
        let mut unpacking = false;
        let mut buffer = std::mem::take(&mut self.buffer);
        for (_, number) in dirty {
            let Some(generation) = self.table.get(number) else { continue };
            if waiting.contains(&generation.group) {
                continue;
            }
            if generation.packed && std::mem::replace(&mut unpacking, true) {
                // One decoder at a time: they are hungry.
                waiting.insert(generation.group.clone());
                more = true;
                continue;
            }
            if !generation.is_open() {
                self.make_room();
            }
            if !self.first_look(number) {
                continue;
            }
            let Some(generation) = self.table.get_mut(number) else { continue };
            let turn = generation.read(now, &self.limits, &mut buffer, &mut keep(&mut self.events))?;
            let (path, group) = (generation.path.clone(), generation.group.clone());
            match turn {
                Turn::Drained => {}
                Turn::More => {
                    generation.dirty = true;
                    waiting.insert(group);
                    more = true;
                }
                Turn::Truncated => {
                    waiting.insert(group);
                    self.orphan(number, true, now);
                    // A copy that holds the rest comes first, if there is one.
                    self.next_scan = now.steady;
                    more = true;
                }
                Turn::Lost => self.scan_soon(now),
                Turn::Finished => {
                    generation.life = Life::Sealed { since: now.steady };
                    generation.close();
                    generation.tell(now, &mut keep(&mut self.events))?;
                }
                // What the system says (no permission, no descriptor left) says nothing of what is in it.
                Turn::Failed(error) if generation.packed && error.raw_os_error().is_none() => {
                    self.damaged(number, &error, now)?;
                }
                Turn::Failed(error) => {
                    // Tried again by the next look: this is no size a file has.
                    generation.seen = (u64::MAX, 0);
                    self.cannot_read(&path, &error);
                    continue;
                }
            }
            if !self.unreadable.is_empty() {
                self.can_read(&path);
            }
            // Before the next file: no more than one turn is ever kept.
            self.hand_over(taker)?;
        }
        self.buffer = buffer;
        Ok(more)
    }

    /// Hands over what was kept. While nobody takes it, deleted files may have to go.
    fn hand_over(&mut self, taker: &mut Taker<'_>) -> Result<(), Closed> {
        while let Some(message) = self.events.pop_front() {
            if let Some((message, now)) = taker(message)? {
                self.events.push_front(message);
                self.let_go(Now { looked: self.last_look, ..now }, true);
            }
        }
        Ok(())
    }
}
