//! Is this a file we know? The table of rules for a plain file, first match wins. Changes nothing.
//!
//! Where rules cannot tell, the answer is the one that reads a line twice rather than never.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};

use super::find::{Found, Group};
use super::generation::Now;
use super::identity::{Anchors, Checkpoints, HEAD_BYTES, Likeness};
use super::names;
use super::orphans::Orphan;
use super::tailer::Tailer;

/// Opens the plain text of a packed file, from its first byte.
pub type Unpacked<'a> = dyn FnMut() -> io::Result<Box<dyn Read + Send>> + 'a;

/// What a plain file turns out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The file of this orphan, at its place.
    Resumed(u64),
    /// A copy of the file of this orphan: goes on where that one ended.
    CopyOf(u64),
    /// A copy of what was or will be read elsewhere, up to this byte.
    Twin(u64),
    /// Cannot be told yet: a copy may be in the making.
    Wait,
    New,
}

impl Tailer {
    /// Decides what the file `found` is, whose first bytes are `head`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn recognize(&self, found: &Found, file: &File, size: u64, head: &[u8], now: Now) -> io::Result<Kind> {
        for (number, orphan) in self.orphans.of_file(found.id) {
            if !orphan.truncated && orphan.anchors().compare(file, head, size)? == Likeness::Same {
                return Ok(Kind::Resumed(number));
            }
        }
        let group = Group::of(&found.real);
        if !self.running && !self.known_groups.contains(&group) {
            return Ok(Kind::New);
        }
        // Copies are made under rotated names; a bare name is only suspected when its bytes say so.
        let rotated = found.sibling || is_rotated(found);
        let mut likely = Likely { twin: None, undecided: false };
        for (number, orphan) in self.orphans.of_group(&group) {
            let anchors = orphan.anchors();
            if anchors.is_empty() || orphan.id().is_same(&found.id) {
                continue;
            }
            match anchors.compare(file, head, size)? {
                // An unfinished line may be how another file begins: that line is read whole.
                Likeness::Same if orphan.is_inside_a_line() && size > orphan.place.offset => {
                    likely.twin = likely.twin.max(Some(orphan.place.offset));
                }
                Likeness::Same => return Ok(Kind::CopyOf(number)),
                Likeness::Different => {}
                Likeness::Undecided => {
                    let head_is = anchors.compare_head(head) == Likeness::Same;
                    if head_is {
                        likely.twin = likely.twin.max(orphan.checkpoints.held(file, size)?);
                    }
                    likely.undecided |= likely.twin.is_some() || !orphan.settled && (head_is || rotated);
                }
            }
        }
        for generation in self.table.of_group(&group) {
            if generation.packed || generation.head().is_empty() {
                continue;
            }
            let common = head.len().min(generation.head().len());
            if common == 0 {
                likely.undecided |= rotated;
            } else if head.get(..common) == generation.head().get(..common) {
                // Equal as far as both go.
                let likeness = match generation.anchors() {
                    // Nothing was read of it yet: it proves nothing.
                    anchors if common < anchors.head_len || anchors.tail.is_empty() => Likeness::Undecided,
                    anchors => anchors.compare(file, head, size)?,
                };
                let known = match likeness {
                    Likeness::Same => Some(generation.offset()),
                    Likeness::Different => continue,
                    Likeness::Undecided => generation.checkpoints().held(file, size)?,
                };
                // What is behind must be the same too: generations may all start with one banner.
                let twin = known.map(|known| generation.agrees(file, known, size)).transpose()?.flatten();
                likely.twin = likely.twin.max(twin);
                likely.undecided |= match known {
                    Some(_) => twin.is_some() && !generation.is_sealed(),
                    None => true,
                };
            }
        }
        let pending = self.pending.get(&found.id);
        let waited =
            pending.is_some_and(|known| known.size == size && now.steady >= known.changed + self.limits.twin_wait);
        Ok(match likely {
            Likely { undecided: true, .. } if !waited => Kind::Wait,
            Likely { twin: Some(until), .. } => Kind::Twin(until),
            Likely { twin: None, .. } => Kind::New,
        })
    }

    /// A generation or place of the same log whose plain text starts like this, and goes on like that of `packed`.
    pub(super) fn starts_like(&self, group: &Group, head: &[u8], packed: &mut Unpacked<'_>) -> Option<Twin> {
        // What cannot be unpacked a second time was a first time: its head must do.
        let packed = RefCell::new(packed);
        let packed = || (packed.borrow_mut())();
        let same = |anchors: &Anchors, checkpoints: &Checkpoints| {
            anchors.head_len > 0
                && anchors.compare_head(head) == Likeness::Same
                && packed().map_or(Ok(true), |plain| checkpoints.agree(anchors, plain)).unwrap_or(true)
        };
        for generation in self.table.of_group(group).filter(|generation| !generation.packed) {
            // What was not read yet may have been packed already.
            let young = || generation.is_open() && generation.head().len() < HEAD_BYTES;
            let twin = if same(&generation.anchors(), generation.checkpoints()) {
                if generation.is_truncated() {
                    Twin::Former
                } else if packed().map_or(Ok(true), |plain| generation.goes_on_like(plain)).unwrap_or(true) {
                    Twin::Held
                } else {
                    continue;
                }
            } else if young()
                && generation.peek().is_ok_and(|own| own == head)
                && packed().map_or(Ok(true), |plain| generation.goes_on_like(plain)).unwrap_or(true)
            {
                Twin::Held
            } else {
                continue;
            };
            return self.table.number_of(generation.id).map(twin);
        }
        // A full head tells more than the few bytes of a young file.
        let is_it = |(_, orphan): &(u64, &Orphan)| same(&orphan.anchors(), &orphan.checkpoints);
        let mut orphans: Vec<_> = self.orphans.of_group(group).filter(is_it).collect();
        orphans.sort_by_key(|(_, orphan)| HEAD_BYTES.saturating_sub(orphan.place.head_len as usize));
        orphans.first().map(|(number, _)| Twin::Orphan(*number))
    }
}

/// Whose plain text a packed file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Twin {
    /// That of the generation with this number: it is drained there.
    Held(u64),
    /// What the generation with this number held before it was truncated.
    Former(u64),
    /// That of the orphan with this number.
    Orphan(u64),
}

/// What speaks for a copy so far.
struct Likely {
    /// Up to where.
    twin: Option<u64>,
    undecided: bool,
}

fn is_rotated(found: &Found) -> bool {
    names::is_rotated(&found.real.file_name().unwrap_or_default().to_string_lossy())
}
