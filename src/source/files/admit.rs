//! What becomes of a file that a scan finds: known, renamed, copied, born while we were away, old, new. Acts on what
//! `recognize` says; reads no lines.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Place, Position, SourceEvent, StreamKey, Timestamp};

use super::super::decompress::Packing;
use super::find::{Found, Group};
use super::generation::{Generation, Life, Now};
use super::identity::{self, Checkpoints, FileId, HEAD_BYTES};
use super::learn::LearnItem;
use super::orphans::Orphan;
use super::recognize::{Kind, Twin};
use super::retire::keep;
use super::tailer::{Pending, Tailer};
use crate::source::ReadFrom;

/// Clocks of file systems and ours may differ by this much when files are compared with the last look.
const SLACK: Duration = Duration::from_secs(10);

/// Birth times come from a clock that ticks a hundred times a second, and less often while a virtual machine is starved.
const TICK: Duration = Duration::from_millis(500);

/// Names of ended streams that are not given again.
const MAX_CLOSED: usize = 65_536;

/// What becomes of the lines of a new file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Start {
    Live,
    Learn,
    /// Old, and not ours to tell.
    Known,
}

impl Tailer {
    /// Takes over the places of an earlier life. They wait as orphans until their files are found.
    pub(super) fn recall(&mut self, known: &[Position], now: Now) {
        let mut orphans = Vec::new();
        for position in known {
            let Place::FileV1(place) = &position.at else { continue };
            self.first_start = false;
            self.last_look = self.last_look.max(place.looked_at.unwrap_or(place.seen_at));
            let path = Path::new(&place.path);
            if self.finder.excludes(path) {
                continue;
            }
            let group = Group::of(path);
            let name = group.directory.join(&group.stem);
            self.groups.insert(group.clone());
            self.known_groups.insert(group.clone());
            orphans.push(Orphan {
                stream: Arc::clone(&position.stream),
                group,
                name: Arc::from(name.to_string_lossy()),
                checkpoints: Checkpoints::default(),
                order: 0,
                since: now.steady,
                truncated: false,
                unread: 0,
                settled: place.sealed,
                place: place.clone(),
            });
        }
        // Of several places in one inode the latest counts first.
        orphans.sort_by_key(|orphan| orphan.place.seen_at);
        for orphan in orphans {
            self.orphans.push(orphan);
        }
    }

    /// Finds files of an earlier life that no pattern leads to: a link led to them, or another config. What was written
    /// to them before we came back is read.
    pub(super) fn admit_strays(&mut self, now: Now) {
        let running = self.running;
        let is_stray = |orphan: &&mut Orphan| {
            // What was done may have been written to once more while nobody looked.
            let open = !orphan.settled || !running && orphan.has_grown();
            open && !orphan.truncated && self.finder.covers(&orphan.path()).is_none()
        };
        let strays: Vec<(PathBuf, FileId)> =
            self.orphans.iter_mut().filter(is_stray).map(|orphan| (orphan.path(), orphan.id())).collect();
        for (path, id) in strays {
            let Some((real, metadata)) = identity::locate(&path, id) else { continue };
            self.admit(
                Found {
                    path: real.clone(),
                    real,
                    id: FileId::of(&metadata),
                    size: metadata.len(),
                    modified_ns: identity::modified_ns(&metadata),
                    config: 0,
                    sibling: true,
                    included: false,
                    explicit: false,
                },
                now,
            );
            // What a link led to before comes before what it leads to now.
            if let Some(stray) = self.table.number_of(id).and_then(|number| self.table.get_mut(number)) {
                stray.order = 0;
            }
        }
    }

    /// Decides on one file of a scan.
    pub(super) fn admit(&mut self, found: Found, now: Now) {
        if let Some(number) = self.table.number_of(found.id) {
            return self.sighted(number, &found, now);
        }
        if self.ignored.contains(&found.id) {
            return;
        }
        self.make_room();
        let opened = identity::open(&found.real).and_then(|file| {
            let metadata = file.metadata()?;
            let head = identity::read_head(&file, metadata.len())?;
            Ok((FileId::of(&metadata), metadata.len(), head, file))
        });
        let (id, size, head, file) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                if !self.running && self.start_of(&found, false) == Start::Learn {
                    self.fixed_ends.insert(found.id, found.size);
                }
                if self.cannot_read(&found.real, &error) && self.running && !self.is_known(found.id) {
                    let mut generation = self.generation(&found, self.stream(found.id, now));
                    self.tell_later(&mut generation, now);
                }
                return;
            }
        };
        if id != found.id {
            // Swapped under our hands: the next scan, soon, sees what it is.
            self.pending.insert(found.id, Pending { found, size: 0, changed: now.steady, file: None });
            return;
        }
        let admitted = match Packing::of(&head) {
            Some(packing) => self.admit_packed(&found, packing, file, now),
            None if !found.explicit && !self.is_known(found.id) && identity::is_binary(&head) => {
                self.ignored.insert(found.id);
                Ok(())
            }
            None => self.admit_plain(&found, file, size, head, now),
        };
        match admitted {
            Ok(()) => self.can_read(&found.real),
            Err(error) => {
                self.cannot_read(&found.real, &error);
            }
        }
    }

    /// A file that was empty when found: looks at its first bytes before its first line. False when it is not for us.
    pub(super) fn first_look(&mut self, number: u64) -> bool {
        let Some(generation) = self.table.get_mut(number) else { return false };
        if !generation.check_binary {
            return true;
        }
        let Ok(head) = generation.peek() else { return true };
        generation.check_binary = head.is_empty() && generation.offset() == 0;
        let (binary, packed) = (identity::is_binary(&head), Packing::of(&head).is_some());
        if generation.offset() > 0 || !(binary || packed) {
            return true;
        }
        if let Some(generation) = self.table.remove(number)
            && binary
        {
            self.ignored.insert(generation.id);
        }
        false
    }

    fn admit_plain(&mut self, found: &Found, file: File, size: u64, head: Vec<u8>, now: Now) -> io::Result<()> {
        let kind = self.recognize(found, &file, size, &head, now)?;
        if kind == Kind::Wait {
            let changed = match self.pending.get(&found.id) {
                Some(known) if known.size == size => known.changed,
                Some(_) | None => now.steady,
            };
            let held = self.pending.values().filter(|pending| pending.file.is_some()).count();
            let file = Some(file).filter(|_| held < self.limits.max_open / 4);
            self.pending.insert(found.id, Pending { found: found.clone(), size, changed, file });
            return Ok(());
        }
        self.pending.remove(&found.id);
        // The place a truncated file had is only good for finding its copy.
        for orphan in self.orphans.iter_mut().filter(|orphan| orphan.id().is_same(&found.id)) {
            orphan.truncated = true;
        }
        let mut generation = self.generation(found, self.stream(found.id, now));
        match kind {
            Kind::Resumed(number) => {
                let Some(orphan) = self.orphans.remove(number) else { return Ok(()) };
                generation.stream = Arc::clone(&orphan.stream);
                generation.take_place(&orphan);
                if orphan.place.sealed && size <= orphan.place.offset {
                    generation.life = Life::Sealed { since: now.steady };
                }
            }
            Kind::CopyOf(number) => {
                let Some(orphan) = self.orphans.remove(number) else { return Ok(()) };
                generation.take_place(&orphan);
                if !orphan.settled && orphan.truncated {
                    let reason = "copied and truncated; lines written between the two, if any, are lost".to_owned();
                    self.event(SourceEvent::Gap { origin: Arc::clone(&orphan.name), reason, lost: Some(0) });
                }
                self.close_stream(&orphan, now);
            }
            Kind::Twin(until) => generation.resume_at(&file, until.min(size), self.limits.max_line)?,
            Kind::Wait | Kind::New => return self.admit_new(found, generation, file, size, head, now),
        }
        generation.set_head(head);
        self.insert(generation, found, Some(file), now);
        Ok(())
    }

    fn admit_new(
        &mut self,
        found: &Found,
        mut generation: Generation,
        file: File,
        size: u64,
        head: Vec<u8>,
        now: Now,
    ) -> io::Result<()> {
        let mut file = Some(file);
        let fixed_end = self.fixed_ends.remove(&found.id);
        let start = self.start_of(found, false);
        if let (Some(end), Some(file)) = (fixed_end, &file) {
            generation.resume_at(file, end.min(size), self.limits.max_line)?;
        } else if start == Start::Live {
            generation.check_binary = !found.explicit && size == 0;
        } else if let Some(opened) = &file {
            generation.resume_at(opened, size, self.limits.max_line)?;
            if start == Start::Learn && generation.offset() > 0 {
                self.learn(found, generation.offset(), false);
            }
            if found.sibling {
                generation.life = Life::Sealed { since: now.steady };
                file = None;
            }
        }
        generation.set_head(head);
        self.insert(generation, found, file, now);
        Ok(())
    }

    /// A file that went while nobody knew yet what it was: its lines are still there.
    pub(super) fn admit_vanished(&mut self, pending: Pending, now: Now) {
        let Some(file) = pending.file else { return };
        let mut generation = self.generation(&pending.found, self.stream(pending.found.id, now));
        generation.check_binary = !pending.found.explicit;
        generation.life = Life::Rotated { since: now.steady };
        let number = self.table.number();
        generation.order = number;
        generation.last_read = now.steady;
        generation.attach(file);
        self.table.insert(number, generation);
    }

    /// Packed files are read for learning, or when their plain generation came and went unseen.
    fn admit_packed(&mut self, found: &Found, packing: Packing, file: File, now: Now) -> io::Result<()> {
        let mut generation = self.generation(found, self.stream(found.id, now));
        generation.packed = true;
        let known = self.orphans.of_file(found.id).map(|(number, _)| number).next();
        let mut twin = known.map(Twin::Orphan);
        let length = packing.unpacked_length(&file);
        if twin.is_none() && (self.running || !self.first_start) {
            let mut head = Vec::new();
            let unpacked = packing.unpack(file)?.take(HEAD_BYTES as u64).read_to_end(&mut head);
            let written = Timestamp::from_micros(found.modified_ns / 1_000);
            if unpacked.is_err() && now.wall.since(written) < SLACK {
                // Still being packed.
                let (found, size) = (found.clone(), found.size);
                self.pending.insert(found.id, Pending { found, size, changed: now.steady, file: None });
                return Ok(());
            }
            unpacked?;
            let mut again = || packing.unpack(identity::open(&found.real)?);
            twin = self.starts_like(&Group::of(&found.real), &head, &mut again);
        }
        // Written to once more after it was done, and packed before anybody looked.
        let grown = |offset: u64| length.is_some_and(|length| length != offset as u32);
        if let Some(Twin::Held(number)) = twin
            && let Some(held) = self.table.get_mut(number)
            && held.is_sealed()
        {
            match grown(held.offset()) {
                true if held.copied => twin = None,
                grown => held.copied |= !grown,
            }
        }
        let orphaned = match twin {
            Some(Twin::Former(number)) => self.orphan(number, true, now),
            Some(Twin::Held(number)) => match self.table.get(number) {
                Some(held) if held.is_sealed() && grown(held.offset()) => self.orphan(number, false, now),
                Some(_) | None => None,
            },
            Some(Twin::Orphan(_)) | None => None,
        };
        twin = orphaned.map(Twin::Orphan).or(twin);
        self.pending.remove(&found.id);
        match twin {
            Some(Twin::Held(_) | Twin::Former(_)) => {
                generation.life = Life::Sealed { since: now.steady };
                generation.echo = true;
            }
            Some(Twin::Orphan(number)) => {
                let Some(orphan) = self.orphans.remove(number) else { return Ok(()) };
                generation.take_place(&orphan);
                let packed_before = known.is_some();
                if orphan.place.sealed && (packed_before || !grown(orphan.place.offset)) {
                    generation.life = Life::Sealed { since: now.steady };
                }
                if known.is_some() {
                    generation.stream = Arc::clone(&orphan.stream);
                } else {
                    self.close_stream(&orphan, now);
                }
            }
            None => match self.start_of(found, true) {
                Start::Live => self.claim_unread(&generation.group, now),
                Start::Learn => {
                    self.learn(found, u64::MAX, true);
                    generation.live_from = u64::MAX;
                    generation.life = Life::Sealed { since: now.steady };
                }
                Start::Known => generation.life = Life::Sealed { since: now.steady },
            },
        }
        self.insert(generation, found, None, now);
        Ok(())
    }

    /// A packed generation is read from its first byte: that answers for one of which nothing was read before it went.
    fn claim_unread(&mut self, group: &Group, now: Now) {
        let unread = |orphan: &Orphan| {
            let open = orphan.place.offset == 0 && !orphan.settled && !orphan.truncated;
            open && identity::locate(&orphan.path(), orphan.id()).is_none()
        };
        let number = self.orphans.of_group(group).filter(|(_, orphan)| unread(orphan)).map(|(number, _)| number).last();
        if let Some(orphan) = number.and_then(|number| self.orphans.remove(number)) {
            self.close_stream(&orphan, now);
        }
    }

    /// Lines of it were read in an earlier life.
    fn is_known(&self, id: FileId) -> bool {
        self.orphans.of_file(id).next().is_some()
    }

    fn start_of(&self, found: &Found, packed: bool) -> Start {
        let newer = Timestamp::from_micros(found.modified_ns / 1_000) >= self.last_look.saturating_sub(SLACK);
        let live_if = |live: bool| if live { Start::Live } else { Start::Known };
        if self.running || self.known_groups.contains(&Group::of(&found.real)) {
            return live_if(!found.sibling || newer);
        }
        let born = Timestamp::from_micros(found.id.birth_ns / 1_000);
        // A packed file is always younger than what is in it.
        if !self.first_start && !packed && found.id.birth_ns != 0 && born >= self.last_look.saturating_sub(TICK) {
            return Start::Live;
        }
        match self.finder.config(found.config).map(|config| config.read_from).unwrap_or_default() {
            ReadFrom::End => Start::Learn,
            ReadFrom::Beginning => live_if(found.included),
        }
    }

    fn generation(&self, found: &Found, stream: StreamKey) -> Generation {
        Generation::new(stream, found.id, found.real.clone(), self.origin(found), 0)
    }

    fn insert(&mut self, mut generation: Generation, found: &Found, file: Option<File>, now: Now) {
        let number = self.table.number();
        if generation.order == 0 {
            generation.order = number;
        }
        generation.dirty = !generation.is_sealed();
        if let Some(file) = file
            && !generation.is_sealed()
        {
            generation.attach(file);
        }
        generation.last_read = now.steady;
        if self.running && !generation.echo {
            // Also at byte 0: what was found once is not old after a restart.
            self.tell_later(&mut generation, now);
        }
        self.table.insert(number, generation);
        self.sighted(number, found, now);
    }

    /// Makes where a generation stands durable although it has no lines to say it with.
    fn tell_later(&mut self, generation: &mut Generation, now: Now) {
        // Into a queue, which takes everything.
        let _ = generation.tell(now, &mut keep(&mut self.events));
    }

    /// Ends the stream of an orphan that another file goes on with, durably.
    pub(super) fn close_stream(&mut self, orphan: &Orphan, now: Now) {
        if self.closed.len() >= MAX_CLOSED {
            self.closed.clear();
        }
        self.closed.insert(Arc::clone(&orphan.stream));
        let path = PathBuf::from(&orphan.place.path);
        let found = Found {
            path: path.clone(),
            real: path,
            id: orphan.id(),
            size: 0,
            modified_ns: 0,
            config: 0,
            sibling: true,
            included: false,
            explicit: false,
        };
        let mut generation = self.generation(&found, Arc::clone(&orphan.stream));
        generation.take_place(orphan);
        generation.life = Life::Sealed { since: now.steady };
        // What is in the file now, if it is still there, was seen later.
        self.tell_later(&mut generation, Now { wall: orphan.place.seen_at, ..now });
    }

    fn learn(&mut self, found: &Found, until: u64, packed: bool) {
        let origin = self.origin(found);
        let (path, id, modified_ns) = (found.real.clone(), found.id, found.modified_ns);
        self.learning.push(LearnItem { path, id, until, packed, origin, modified_ns });
    }

    /// A name for the lines of a file that no other lines have.
    fn stream(&self, id: FileId, now: Now) -> StreamKey {
        let stream = id.stream(0);
        if self.is_taken(&stream) { self.next_stream(id, now) } else { stream }
    }

    /// A name for the next lines in a file that had others before.
    pub(super) fn next_stream(&self, id: FileId, now: Now) -> StreamKey {
        let mut salt = now.wall.as_micros().cast_unsigned();
        loop {
            let stream = id.stream(salt);
            if !self.is_taken(&stream) {
                return stream;
            }
            salt = salt.wrapping_add(1);
        }
    }

    fn is_taken(&self, stream: &StreamKey) -> bool {
        self.closed.contains(stream) || self.orphans.has_stream(stream) || self.table.has_stream(stream)
    }
}
