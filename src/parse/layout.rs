//! Learns the columns of an application's log from its first lines: where the stamp and the level stand, which columns
//! are numbers in every line, which one names the component. Structure only: no names of programs or data sets.
//!
//! Keeps a class and a hash of each column, never the text, so an unsettled plan stays small.

use xxhash_rust::xxh3::xxh3_64;

use super::column::{self, Class};
use super::cursor::Cursor;

/// Columns looked at from the start of a line.
const COLUMNS_MAX: usize = 12;
/// Columns taken behind the stamp and the level.
const TAIL_MAX: usize = 5;
/// Fewest lines worth learning from.
const LINES_MIN: usize = 8;

/// What is remembered of one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    columns: [Cell; COLUMNS_MAX],
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    class: Option<Class>,
    padded: bool,
    hash: u32,
}

/// What a column is to a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Has this class in (nearly) every line; a line where it has not is not of this layout.
    Must(Class),
    /// Anything: it stands before a column that is sure.
    Any,
}

/// The columns of a header, left to right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub steps: Vec<Step>,
    /// Index of the step that names the component.
    pub component: Option<usize>,
    /// Index of the step that holds the process id.
    pub pid: Option<usize>,
}

impl Profile {
    pub fn of(line: &[u8]) -> Profile {
        let mut columns = [Cell { class: None, padded: false, hash: 0 }; COLUMNS_MAX];
        let mut cursor = Cursor::new(line);
        for cell in &mut columns {
            let Some(column) = column::next(&mut cursor) else { break };
            // Truncation keeps enough to tell values apart.
            *cell = Cell { class: Some(column.class), padded: column.blanks >= 2, hash: xxh3_64(column.text) as u32 };
        }
        Profile { columns }
    }

    /// Whether any column could be a stamp.
    pub fn has_stamp(&self) -> bool {
        self.columns.iter().any(|cell| cell.class == Some(Class::Stamp))
    }
}

impl Layout {
    /// The header all these lines share, or `None` when reading each line by itself does as well.
    pub fn learn(profiles: &[Profile]) -> Option<Layout> {
        if profiles.len() < LINES_MIN {
            return None;
        }
        let columns = Columns { profiles };
        let stamp = (0..COLUMNS_MAX - 2).rev().find(|&index| columns.is(index, Class::Stamp));
        let level = (0..COLUMNS_MAX - 2).find(|&index| columns.is(index, Class::Level));
        let sure = stamp.max(level)?;
        // Without a stamp a level word may well be prose.
        stamp?;
        let mut end = sure + 1;
        let mut component = None;
        while end < (sure + 1 + TAIL_MAX).min(COLUMNS_MAX - 1) {
            let is_header = match columns.class(end) {
                Some(Class::Number | Class::Id | Class::Separator) => columns.varies_behind(end),
                Some(Class::Group) => columns.varies_behind(end) && !columns.is(end + 1, Class::Separator),
                Some(Class::Component | Class::Dotted) => {
                    component = Some(end);
                    columns.varies_behind(end)
                }
                Some(Class::Word) => {
                    component = Some(end);
                    columns.is_padded(end) && columns.distinct(end) * 4 <= profiles.len() && columns.varies_behind(end)
                }
                Some(Class::Stamp | Class::Level | Class::Address | Class::Mixed | Class::Other) | None => false,
            };
            if !is_header {
                component = component.filter(|index| *index != end);
                break;
            }
            end += 1;
            if component.is_some() {
                break;
            }
        }
        if (0..end).any(|index| columns.holds_addresses(index)) {
            return None;
        }
        // A component may stand before the level (`RAS KERNEL INFO`) or, in a log without levels, before the stamp.
        if component.is_none() {
            component = match level {
                Some(level) => (0..level).rev().find(|&index| columns.names_component(index)),
                None => (0..stamp.unwrap_or(0)).find(|&index| columns.names_component(index)),
            };
        }
        let pid = (0..end).find(|&index| {
            // Next to a level a number is a process or a thread; elsewhere it could be anything.
            columns.is(index, Class::Number) && Some(index) > stamp && level.is_some() && columns.distinct(index) > 1
        });
        let steps = (0..end).map(|index| match columns.class(index) {
            // In front of a sure column there may stand anything: it is header all the same.
            Some(Class::Number | Class::Id | Class::Group | Class::Component | Class::Separator) if index < sure => {
                Step::Any
            }
            Some(
                class @ (Class::Stamp
                | Class::Level
                | Class::Number
                | Class::Id
                | Class::Group
                | Class::Component
                | Class::Separator),
            ) => Step::Must(class),
            Some(Class::Address | Class::Dotted | Class::Word | Class::Mixed | Class::Other) | None => Step::Any,
        });
        let layout = Layout { steps: steps.collect(), component, pid };
        // A lone stamp is read as well without a layout.
        (layout.steps.len() > 1).then_some(layout)
    }
}

/// The remembered lines, column by column.
struct Columns<'p> {
    profiles: &'p [Profile],
}

impl Columns<'_> {
    fn cells(&self, index: usize) -> impl Iterator<Item = &Cell> {
        self.profiles.iter().filter_map(move |profile| profile.columns.get(index))
    }

    /// Nine in ten lines have this class here.
    fn is(&self, index: usize, class: Class) -> bool {
        self.cells(index).filter(|cell| cell.class == Some(class)).count() * 10 >= self.profiles.len() * 9
    }

    /// The class nine in ten lines share here.
    fn class(&self, index: usize) -> Option<Class> {
        let class = self.cells(index).find_map(|cell| cell.class)?;
        let candidates = self.cells(index).take(3).filter_map(|cell| cell.class).chain([class]);
        candidates.into_iter().find(|class| self.is(index, *class))
    }

    fn is_padded(&self, index: usize) -> bool {
        self.cells(index).filter(|cell| cell.padded).count() * 10 >= self.profiles.len() * 9
    }

    /// How many different values stand here.
    fn distinct(&self, index: usize) -> usize {
        let mut hashes: Vec<u32> =
            self.cells(index).filter(|cell| cell.class.is_some()).map(|cell| cell.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.len()
    }

    /// Three different words or classes follow this column: otherwise it may be part of the one message there is.
    fn varies_behind(&self, index: usize) -> bool {
        (index + 1..index + 3).any(|behind| {
            let mut kinds: Vec<(Option<Class>, u32)> = self
                .cells(behind)
                .map(|cell| {
                    let is_constant =
                        matches!(cell.class, Some(Class::Word | Class::Component | Class::Dotted | Class::Other));
                    (cell.class, if is_constant { cell.hash } else { 0 })
                })
                .collect();
            kinds.sort_unstable_by_key(|(class, hash)| (class.map(|class| class as u8), *hash));
            kinds.dedup();
            kinds.len() >= 3
        })
    }

    /// More than a stray one.
    fn holds_addresses(&self, index: usize) -> bool {
        self.cells(index).filter(|cell| cell.class == Some(Class::Address)).count() * 8 >= self.profiles.len()
    }

    /// Words without digits, few of them.
    fn names_component(&self, index: usize) -> bool {
        matches!(self.class(index), Some(Class::Word | Class::Dotted))
            && self.distinct(index) * 2 <= self.profiles.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], columns: usize, component: Option<usize>) {
        let profiles: Vec<Profile> = lines.iter().cycle().take(24).map(|line| Profile::of(line.as_bytes())).collect();
        let layout = Layout::learn(&profiles);
        let found = layout.map(|layout| (layout.steps.len(), layout.component));
        assert_eq!(found, (columns > 0).then_some((columns, component)));
    }

    #[test]
    fn finds_the_columns() {
        check(
            &[
                "1131566461 2026.11.09 R02-M1 2026-11-09-12.01.01.123456 R02-M1 RAS KERNEL INFO parity error corrected",
                "1131566462 2026.11.09 R03-M0 2026-11-09-12.01.02.123456 R03-M0 RAS APP FATAL ciod: Error loading x",
            ],
            8,
            Some(6),
        );
        check(
            &[
                "2026-11-22T09:32:05.746+0000 7f6fa1d2ad80  0 set uid:gid to 64045:64045",
                "2026-11-22T09:32:05.747+0000 7f6fa1d2ad80  4 rocksdb: Options.x: 0",
                "2026-11-22T09:32:05.748+0000 7f6fa1d2ad81  1 osd.0 pg_epoch: 37",
            ],
            3,
            None,
        );
        check(
            &[
                "2026-11-22 04:30:30, Info                  CBS    Loaded Servicing Stack",
                "2026-11-22 04:30:31, Info                  CSI    00000001@x WcpInitialize",
                "2026-11-22 04:30:31, Error                 CBS    Warning: Unrecognized",
            ],
            3,
            Some(2),
        );
        // One message only: the number is a value, not a column.
        check(&["2026-11-22 04:30:30 42 requests served", "2026-11-22 04:30:31 7 requests served"], 0, None);
        check(&["no header here", "none here either"], 0, None);
    }
}
