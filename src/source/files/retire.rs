//! How files leave: truncated, gone, damaged, done. Says what may be lost with them, and how much is remembered.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{SourceEvent, Timestamp};

use super::super::{Closed, FromSource};
use super::generation::{Life, Now};
use super::orphans::Orphan;
use super::tailer::Tailer;

/// How many files that are gone and done are remembered, to know their copies.
const MAX_SEALED: usize = 8_192;

impl Tailer {
    /// A packed file that does not unpack: still being written, or damaged.
    pub(super) fn damaged(&mut self, number: u64, error: &io::Error, now: Now) -> Result<(), Closed> {
        let Some(generation) = self.table.get_mut(number) else { return Ok(()) };
        let written = Timestamp::from_micros(generation.seen.1 / 1_000);
        if now.wall.since(written) < self.limits.orphan_wait {
            // Tried again by the next look.
            generation.seen.0 = u64::MAX;
            return Ok(());
        }
        generation.life = Life::Sealed { since: now.steady };
        generation.close();
        generation.tell(now, &mut keep(&mut self.events))?;
        let reason = format!("{} cannot be unpacked to its end: {error}", generation.path.display());
        let origin = generation.name();
        self.event(SourceEvent::Gap { origin, reason, lost: None });
        Ok(())
    }

    /// Lets go of deleted files whose lines are not taken: after an hour, or before the disk is full of them. A
    /// `stalled` pipeline took nothing for a while; one that takes lines will have the rest in a moment.
    pub(super) fn let_go(&mut self, now: Now, stalled: bool) {
        let mut late = Vec::new();
        for (number, generation) in self.table.iter_mut() {
            if !stalled && generation.deleted.is_none() {
                continue;
            }
            let Some(unread) = generation.unread_and_deleted(now) else { continue };
            let held = now.steady.saturating_sub(generation.deleted.unwrap_or(now.steady));
            if held >= self.limits.max_deleted_hold {
                late.push((number, unread, format!("{} minutes ago", held.as_secs() / 60)));
            } else if stalled && generation.is_short_of_room(self.limits.min_free_percent) {
                late.push((number, unread, "and its disk is nearly full".to_owned()));
            }
        }
        for (number, unread, why) in late {
            let Some(generation) = self.table.get(number) else { continue };
            let (origin, path, from) = (generation.name(), generation.path.display(), generation.offset());
            let reason = format!(
                "{path} was deleted {why}, while its lines were not taken: bytes {from} to {} are lost",
                from.saturating_add(unread)
            );
            // A copy of it may still turn up, and holds the rest.
            if let Some(orphan) = self.orphan(number, false, now)
                && let Some(orphan) = self.orphans.settle(orphan)
            {
                self.close_stream(&orphan, now);
            }
            self.event(SourceEvent::Gap { origin, reason, lost: Some(unread) });
        }
    }

    /// Turns a file whose bytes are gone into an orphan, and says its number. A truncated one starts over.
    pub(super) fn orphan(&mut self, number: u64, truncated: bool, now: Now) -> Option<u64> {
        let generation = self.table.get(number)?;
        let orphan = self.orphans.push(Orphan {
            stream: Arc::clone(&generation.stream),
            group: generation.group.clone(),
            place: generation.place(now),
            checkpoints: generation.checkpoints().clone(),
            name: generation.name(),
            order: generation.order,
            since: now.steady,
            truncated,
            unread: generation.unread(),
            settled: generation.is_sealed(),
        });
        if truncated {
            let stream = self.next_stream(generation.id, now);
            self.table.start_over(number, stream);
            // Also at byte 0: should we stop now, it is known that something new began here.
            if let Some(generation) = self.table.get_mut(number) {
                // Into a queue, which takes everything.
                let _ = generation.tell(now, &mut keep(&mut self.events));
            }
        } else {
            self.table.remove(number);
        }
        Some(orphan)
    }

    /// Says which orphans nobody claimed.
    pub(super) fn settle(&mut self, now: Now) {
        let mut settled = Vec::new();
        for orphan in self.orphans.iter_mut() {
            if orphan.settled || now.steady < orphan.since + self.limits.orphan_wait {
                continue;
            }
            if !orphan.truncated && orphan.is_only_away() {
                orphan.since = now.steady;
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
            settled.push((orphan.clone(), SourceEvent::Gap { origin: Arc::clone(&orphan.name), reason, lost }));
        }
        for (orphan, event) in settled {
            self.event(event);
            // Once, not after every start.
            self.close_stream(&orphan, now);
        }
    }

    /// Closes what is gone from its path, drained, and quiet.
    pub(super) fn seal(&mut self, now: Now) -> Result<(), Closed> {
        for (_, generation) in self.table.iter_mut() {
            let Life::Rotated { since } = generation.life else { continue };
            let quiet_since = since.max(generation.last_read);
            if generation.dirty || generation.packed || now.steady < quiet_since + self.limits.rotate_wait {
                continue;
            }
            // Sweeps may be rare: what was written last is seen here at the latest.
            let linked = generation.look();
            // In a directory that is closed to us it may be written to as before, and never be opened again.
            if generation.dirty || linked == Some(true) && generation.is_hidden() {
                continue;
            }
            generation.flush_partial(now, &self.limits, &mut keep(&mut self.events))?;
            generation.life = Life::Sealed { since: now.steady };
            generation.close();
            generation.tell(now, &mut keep(&mut self.events))?;
        }
        Ok(())
    }

    /// Drops the oldest memories of files that are done and gone.
    pub(super) fn forget(&mut self) {
        let mut gone: Vec<(Duration, u64)> = Vec::new();
        for (number, generation) in self.table.iter() {
            if let Life::Sealed { since } = generation.life
                && generation.round != self.round
            {
                gone.push((since, number));
            }
        }
        let excess = gone.len().saturating_sub(MAX_SEALED);
        gone.sort_unstable();
        for (_, number) in gone.into_iter().take(excess) {
            self.table.remove(number);
        }
    }
}

/// Puts what is handed over behind what waits to be.
pub(super) fn keep(events: &mut VecDeque<FromSource>) -> impl FnMut(FromSource) -> Result<(), Closed> + '_ {
    |message| {
        events.push_back(message);
        Ok(())
    }
}
