//! What is this file? Decides for every file a scan finds: known, renamed, copied, reused, born while we were away, new.
//!
//! The table of rules, first match wins; when in doubt a line is read twice rather than never.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Place, Position, SourceEvent, Timestamp};

use super::super::decompress::Packing;
use super::config::ReadFrom;
use super::find::{Found, Group};
use super::generation::{Generation, Life, Now};
use super::identity::{self, Anchors, FileId, HEAD_BYTES, Likeness};
use super::learn::LearnItem;
use super::names;
use super::tailer::{Orphan, Pending, Tailer};

/// Clocks of file systems and ours may differ by this much when files are compared with the last look.
const SLACK: Duration = Duration::from_secs(10);

/// What a plain file turns out to be.
enum Kind {
    /// The orphan at this index, at its place.
    Resumed(usize),
    /// A copy of the orphan at this index: goes on where that one ended.
    CopyOf(usize),
    /// A copy of a file that is still there: nothing in it is new.
    Twin,
    /// Cannot be told yet.
    Wait,
    New,
}

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
        for position in known {
            let Place::FileV1(place) = &position.at else { continue };
            self.first_start = false;
            self.last_look = self.last_look.max(place.seen_at);
            let path = std::path::Path::new(&place.path);
            if self.finder.covers(path).is_none() {
                continue;
            }
            let group = Group::of(path);
            let name = group.directory.join(&group.stem);
            self.groups.insert(group.clone());
            self.orphans.push(Orphan {
                stream: Arc::clone(&position.stream),
                group,
                name: Arc::from(name.to_string_lossy()),
                order: 0,
                since: now.steady,
                truncated: false,
                unread: 0,
                settled: place.sealed,
                place: place.clone(),
            });
        }
        // Of several places in one inode the latest counts first.
        self.orphans.sort_by_key(|orphan| std::cmp::Reverse(orphan.place.seen_at));
    }

    /// Decides on one file of a scan.
    pub(super) fn admit(&mut self, found: Found, now: Now) {
        if let Some(number) = self.by_id.get(&found.id).copied() {
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
                if !self.running && self.start_of(&found) == Start::Learn {
                    self.fixed_ends.insert(found.id, found.size);
                }
                return self.cannot_read(&found.real, &error);
            }
        };
        if id != found.id {
            // Swapped under our hands: the next scan sees what it is.
            self.pending.insert(found.id, Pending { size: 0, changed: now.steady });
            return;
        }
        self.can_read(&found.real);
        let admitted = match Packing::of(&head) {
            Some(packing) => self.admit_packed(&found, packing, file, now),
            None if !found.explicit && identity::is_binary(&head) => {
                self.ignored.insert(found.id);
                Ok(())
            }
            None => self.admit_plain(&found, file, size, head, now),
        };
        if let Err(error) = admitted {
            self.cannot_read(&found.real, &error);
        }
    }

    /// A file that was empty when found: looks at its first bytes before its first line. False when it is not for us.
    pub(super) fn first_look(&mut self, number: u64) -> bool {
        let Some(generation) = self.generations.get_mut(&number) else { return false };
        if generation.offset() > 0 {
            generation.check_binary = false;
            return true;
        }
        let Ok(head) = identity::open(&generation.path).and_then(|file| {
            let same = FileId::of(&file.metadata()?) == generation.id;
            if same { identity::read_head(&file, u64::MAX) } else { Ok(Vec::new()) }
        }) else {
            return true;
        };
        generation.check_binary = head.is_empty();
        if !identity::is_binary(&head) && Packing::of(&head).is_none() {
            return true;
        }
        let id = generation.id;
        self.generations.remove(&number);
        self.by_id.remove(&id);
        if identity::is_binary(&head) {
            self.ignored.insert(id);
        }
        false
    }

    fn admit_plain(&mut self, found: &Found, file: File, size: u64, head: Vec<u8>, now: Now) -> io::Result<()> {
        match self.recognize(found, &file, size, &head, now)? {
            Kind::Resumed(index) => {
                let orphan = self.orphans.remove(index);
                let mut generation = self.generation(found, Arc::clone(&orphan.stream));
                generation.set_head(head);
                let place = &orphan.place;
                generation.resume(&Anchors::of_place(place), place.skip_to_newline, place.live_from);
                if orphan.place.sealed && size <= orphan.place.offset {
                    generation.life = Life::Sealed { since: now.steady };
                    generation.dirty = false;
                }
                self.insert(generation, found, Some(file), now);
            }
            Kind::CopyOf(index) => {
                let orphan = self.orphans.remove(index);
                let mut generation = self.generation(found, self.stream(found.id, now));
                generation.set_head(head);
                let place = &orphan.place;
                generation.resume(&Anchors::of_place(place), place.skip_to_newline, place.live_from);
                if orphan.order > 0 {
                    generation.order = orphan.order;
                }
                if !orphan.settled && orphan.truncated {
                    let reason = "copied and truncated; lines written between the two, if any, are lost".to_owned();
                    self.event(SourceEvent::Gap { origin: Arc::clone(&orphan.name), reason, lost: None });
                }
                self.close_stream(orphan, now);
                self.insert(generation, found, Some(file), now);
            }
            Kind::Twin => {
                let mut generation = self.generation(found, self.stream(found.id, now));
                generation.set_head(head);
                generation.resume_at(&file, size, self.limits.max_line)?;
                self.insert(generation, found, Some(file), now);
            }
            Kind::Wait => {
                let pending = self.pending.entry(found.id).or_insert(Pending { size, changed: now.steady });
                if pending.size != size {
                    *pending = Pending { size, changed: now.steady };
                }
                return Ok(());
            }
            Kind::New => self.admit_new(found, file, size, head, now)?,
        }
        self.pending.remove(&found.id);
        Ok(())
    }

    fn admit_new(&mut self, found: &Found, file: File, size: u64, head: Vec<u8>, now: Now) -> io::Result<()> {
        let mut generation = self.generation(found, self.stream(found.id, now));
        generation.set_head(head);
        if let Some(end) = self.fixed_ends.remove(&found.id) {
            generation.resume_at(&file, end.min(size), self.limits.max_line)?;
            self.insert(generation, found, Some(file), now);
            return Ok(());
        }
        match self.start_of(found) {
            Start::Live => {
                // Heads grow with what is read.
                generation.set_head(Vec::new());
                generation.check_binary = !found.explicit && size == 0;
                self.insert(generation, found, Some(file), now);
            }
            start @ (Start::Learn | Start::Known) => {
                generation.resume_at(&file, size, self.limits.max_line)?;
                if start == Start::Learn && generation.offset() > 0 {
                    self.learn(found, generation.offset(), None);
                }
                let file = if found.sibling {
                    generation.life = Life::Sealed { since: now.steady };
                    generation.dirty = false;
                    None
                } else {
                    Some(file)
                };
                self.insert(generation, found, file, now);
            }
        }
        Ok(())
    }

    /// Packed files are read for learning, or when their plain generation came and went unseen.
    fn admit_packed(&mut self, found: &Found, packing: Packing, file: File, now: Now) -> io::Result<()> {
        let mut generation = self.generation(found, self.stream(found.id, now));
        generation.packed = true;
        generation.life = Life::Active;
        if let Some(index) = self.orphans.iter().position(|orphan| FileId::of_place(&orphan.place).is_same(&found.id)) {
            let orphan = self.orphans.remove(index);
            generation.stream = Arc::clone(&orphan.stream);
            let place = &orphan.place;
            generation.resume(&Anchors::of_place(place), place.skip_to_newline, place.live_from);
            if place.sealed {
                generation.life = Life::Sealed { since: now.steady };
            }
            self.insert(generation, found, None, now);
            return Ok(());
        }
        let start = self.start_of(found);
        if !self.first_start || self.running {
            let mut head = Vec::new();
            let unpacked = packing.unpack(file)?.take(HEAD_BYTES as u64).read_to_end(&mut head);
            if unpacked.is_err() && found.modified_ns / 1_000 > now.wall.saturating_sub(SLACK).as_micros() {
                // Still being packed.
                self.pending.insert(found.id, Pending { size: found.size, changed: now.steady });
                return Ok(());
            }
            unpacked?;
            let group = Group::of(&found.real);
            let held = |generation: &Generation| {
                let anchors = generation.anchors();
                generation.group == group
                    && !generation.packed
                    && anchors.head_len > 0
                    && anchors.compare_head(&head) == Likeness::Same
            };
            if self.generations.values().any(held) {
                generation.life = Life::Sealed { since: now.steady };
                self.insert(generation, found, None, now);
                return Ok(());
            }
            let same = |orphan: &Orphan| {
                let anchors = Anchors::of_place(&orphan.place);
                orphan.group == group && anchors.head_len > 0 && anchors.compare_head(&head) == Likeness::Same
            };
            if let Some(index) = self.orphans.iter().position(same) {
                let orphan = self.orphans.remove(index);
                let place = &orphan.place;
                generation.set_head(head);
                generation.resume(&Anchors::of_place(place), place.skip_to_newline, place.live_from);
                if orphan.order > 0 {
                    generation.order = orphan.order;
                }
                if place.sealed {
                    generation.life = Life::Sealed { since: now.steady };
                }
                self.close_stream(orphan, now);
                self.insert(generation, found, None, now);
                return Ok(());
            }
        }
        self.pending.remove(&found.id);
        if start != Start::Live {
            if start == Start::Learn {
                self.learn(found, u64::MAX, Some(packing));
            }
            generation.life = Life::Sealed { since: now.steady };
        }
        self.insert(generation, found, None, now);
        Ok(())
    }

    /// The table of rules for a plain file.
    fn recognize(&self, found: &Found, file: &File, size: u64, head: &[u8], now: Now) -> io::Result<Kind> {
        for (index, orphan) in self.orphans.iter().enumerate() {
            let same_file = FileId::of_place(&orphan.place).is_same(&found.id);
            if same_file
                && !orphan.truncated
                && Anchors::of_place(&orphan.place).compare(file, head, size)? == Likeness::Same
            {
                return Ok(Kind::Resumed(index));
            }
        }
        let group = Group::of(&found.real);
        let waited = self
            .pending
            .get(&found.id)
            .is_some_and(|pending| pending.size == size && now.steady >= pending.changed + self.limits.twin_wait);
        let mut undecided = false;
        for (index, orphan) in self.orphans.iter().enumerate() {
            let same_file = FileId::of_place(&orphan.place).is_same(&found.id);
            let anchors = Anchors::of_place(&orphan.place);
            if orphan.group != group || same_file || anchors.is_empty() {
                continue;
            }
            match anchors.compare(file, head, size)? {
                Likeness::Same => return Ok(Kind::CopyOf(index)),
                Likeness::Different => {}
                Likeness::Undecided => undecided |= !orphan.settled,
            }
        }
        let mut twin = false;
        for generation in self.generations.values() {
            if generation.group != group || generation.packed || generation.head().is_empty() {
                continue;
            }
            let common = head.len().min(generation.head().len());
            if common == 0 {
                undecided |= found.sibling || names::is_rotated(&file_name(found));
                continue;
            }
            if head.get(..common) == generation.head().get(..common) {
                // As far as both go they are equal. A copy of what is there for long has all that was read of it.
                let anchors = generation.anchors();
                let whole = Anchors { head_len: anchors.head_len.min(common), ..anchors.clone() };
                let likeness = match common < anchors.head_len {
                    true => Likeness::Undecided,
                    false => whole.compare(file, head, size)?,
                };
                twin |= likeness == Likeness::Same;
                undecided |= likeness == Likeness::Undecided || !generation.is_sealed() && twin;
            }
        }
        Ok(match (twin, undecided) {
            (_, true) if !waited => Kind::Wait,
            (true, _) => Kind::Twin,
            (false, _) => Kind::New,
        })
    }

    fn start_of(&self, found: &Found) -> Start {
        let newer = Timestamp::from_micros(found.modified_ns / 1_000) >= self.last_look.saturating_sub(SLACK);
        if self.running {
            return if !found.sibling || newer { Start::Live } else { Start::Known };
        }
        let read_from = self.finder.config(found.config).map(|config| config.read_from).unwrap_or_default();
        let group = Group::of(&found.real);
        let known_group = self.orphans.iter().any(|orphan| orphan.group == group)
            || self.generations.values().any(|generation| generation.group == group) && !self.first_start;
        let born = Timestamp::from_micros(found.id.birth_ns / 1_000);
        match (self.first_start || !known_group, found.sibling) {
            (true, _) if !self.first_start && found.id.birth_ns != 0 && born >= self.last_look && !found.sibling => {
                Start::Live
            }
            (true, _) => match read_from {
                ReadFrom::End => Start::Learn,
                ReadFrom::Beginning if found.included => Start::Live,
                ReadFrom::Beginning => Start::Known,
            },
            (false, false) => Start::Live,
            (false, true) if newer => Start::Live,
            (false, true) => Start::Known,
        }
    }

    fn generation(&self, found: &Found, stream: Arc<str>) -> Generation {
        Generation::new(stream, found.id, found.real.clone(), self.origin(found), 0)
    }

    fn insert(&mut self, mut generation: Generation, found: &Found, file: Option<File>, now: Now) {
        let number = self.number();
        if generation.order == 0 {
            generation.order = number;
        }
        if let Some(file) = file
            && !generation.is_sealed()
        {
            generation.attach(file);
        }
        if generation.is_sealed() {
            generation.dirty = false;
        }
        generation.last_read = now.steady;
        self.by_id.insert(found.id, number);
        self.generations.insert(number, generation);
        self.sighted(number, found, now);
    }

    /// Ends the stream of an orphan that another file goes on with, durably.
    fn close_stream(&mut self, orphan: Orphan, now: Now) {
        let found = Found {
            path: orphan.place.path.clone().into(),
            real: orphan.place.path.clone().into(),
            id: FileId::of_place(&orphan.place),
            size: 0,
            modified_ns: 0,
            config: 0,
            sibling: true,
            included: false,
            explicit: false,
        };
        let mut generation = self.generation(&found, Arc::clone(&orphan.stream));
        let place = &orphan.place;
        generation.resume(&Anchors::of_place(place), place.skip_to_newline, place.live_from);
        generation.life = Life::Sealed { since: now.steady };
        let events = &mut self.events;
        // Into a queue, which takes everything.
        let _ = generation.tell(now, &mut |message| {
            events.push_back(message);
            Ok(())
        });
    }

    fn learn(&mut self, found: &Found, until: u64, packing: Option<Packing>) {
        let origin = self.origin(found);
        let (path, id, modified_ns) = (found.real.clone(), found.id, found.modified_ns);
        self.learning.push(LearnItem { path, id, until, packing, origin, modified_ns });
    }

    /// A name for the lines of a file that nobody else has.
    fn stream(&self, id: FileId, now: Now) -> Arc<str> {
        let stream = id.stream(0);
        let taken = self.orphans.iter().any(|orphan| orphan.stream == stream)
            || self.generations.values().any(|generation| generation.stream == stream);
        if taken { id.stream(now.wall.as_micros().cast_unsigned()) } else { stream }
    }
}

fn file_name(found: &Found) -> String {
    found.real.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
