//! Learns the columns of an application's log from its first lines: where the stamp and the level stand, which columns
//! are numbers in every line, which one names the component. Structure only: no names of programs or data sets.

use super::column::Class;
use super::profile::{COLUMNS_MAX, Columns, Profile};

/// Columns taken behind the stamp and the level.
const TAIL_MAX: usize = 10;
/// Columns of no sure class in front of one that is.
const GAP_MAX: usize = 5;
/// Fewest lines worth learning from.
const LINES_MIN: usize = 8;

/// What a column is to a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Has this class in (nearly) every line; a line where it has not is not of this layout.
    Must(Class),
    /// Anything: it stands before a column that is sure.
    Any,
    /// One or a few of anything, and the separator behind them.
    Until,
}

/// The columns of a header, left to right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub steps: Vec<Step>,
    /// Index of the step that names the component.
    pub component: Option<usize>,
    /// Index of the step that holds the process id.
    pub pid: Option<usize>,
    /// Columns were learned behind the stamp and the level: what follows is message.
    pub is_complete: bool,
}

/// Most columns a [`Step::Until`] takes, the separator included.
pub(super) const UNTIL_MAX: usize = 5;

impl Layout {
    /// The header all these lines share, or `None` when reading each line by itself does as well.
    pub fn learn(profiles: &[Profile]) -> Option<Layout> {
        if profiles.len() < LINES_MIN {
            return None;
        }
        let columns = Columns { profiles };
        let stamp = (0..COLUMNS_MAX - 4).rev().find(|&index| columns.is(index, Class::Stamp));
        let level = (0..COLUMNS_MAX - 4).find(|&index| columns.is(index, Class::Level));
        // Without a stamp a level word may well be prose, unless it leads.
        let sure = match stamp {
            Some(stamp) => stamp.max(level.unwrap_or(0)) + 1,
            None => usize::from(level == Some(0)),
        };
        let mut learner = Learner { columns, end: sure, component: None, until: false };
        learner.extend(stamp.is_some());
        let Learner { columns, end, mut component, until } = learner;
        if (0..end).any(|index| columns.holds_addresses(index)) {
            return None;
        }
        if stamp.is_none() && !is_proven(&columns, end, until) {
            return None;
        }
        // A component may stand before the level (`RAS KERNEL INFO`) or, in a log without levels, before the stamp.
        if component.is_none() {
            component = match level.filter(|level| *level < end) {
                Some(level) => (0..level).rev().find(|&index| columns.names_component(index)),
                None => (0..stamp.unwrap_or(0)).find(|&index| columns.names_component(index)),
            };
        }
        let pid = (0..end).find(|&index| {
            // Next to a level a number is a process or a thread; elsewhere it could be anything.
            stamp.is_some_and(|stamp| index > stamp)
                && level.is_some()
                && columns.is(index, Class::Number)
                && columns.distinct(index) > 1
        });
        let mut steps: Vec<Step> = (0..end).map(|index| step(columns.class(index), index >= sure)).collect();
        if until {
            component = component.or(Some(steps.len()));
            steps.push(Step::Until);
        }
        let is_complete = until || end > sure || stamp.is_none();
        let layout = Layout { steps, component, pid, is_complete };
        // A lone stamp is read as well without a layout, unless it is a bare number or time of day.
        let tells = stamp.is_none() || layout.steps.len() > 1 || columns.varies_much_behind(0, false);
        tells.then_some(layout)
    }
}

/// What a column of this class is, before or behind the last stamp and level.
fn step(class: Option<Class>, is_behind: bool) -> Step {
    match class {
        Some(class @ (Class::Stamp | Class::Level)) => Step::Must(class),
        // In front of a sure column there may stand anything: it is header all the same.
        Some(
            class @ (Class::Number
            | Class::Id
            | Class::Group
            | Class::Component
            | Class::Call
            | Class::Pair
            | Class::Letter
            | Class::Separator),
        ) if is_behind => Step::Must(class),
        Some(
            Class::Number
            | Class::Id
            | Class::Group
            | Class::Component
            | Class::Call
            | Class::Pair
            | Class::Letter
            | Class::Separator
            | Class::Address
            | Class::Told
            | Class::Dotted
            | Class::Word
            | Class::Mixed
            | Class::Other,
        )
        | None => Step::Any,
    }
}

/// Without a stamp it takes two sure columns, or one that never repeats, or a level that changes; and messages of many
/// kinds behind them.
fn is_proven(columns: &Columns<'_>, end: usize, until: bool) -> bool {
    if end == 0 {
        return false;
    }
    let is_sure = |index: usize| step(columns.class(index), true) != Step::Any;
    let is_sure_or_mixed = |&index: &usize| is_sure(index) || columns.is(index, Class::Mixed);
    let sure = (0..end).filter(is_sure_or_mixed).count();
    let has_separator = until || (1..end).any(|index| columns.is(index, Class::Separator));
    let has_level = columns.is(0, Class::Level) && columns.distinct(0) >= 2;
    let is_counted = (0..end).any(|index| is_sure(index) && columns.never_repeats(index));
    (sure >= 2 || has_separator || has_level || is_counted)
        && (until || columns.varies_much_behind(end - 1, sure >= 3 || is_counted))
}

/// Goes from column to column as long as they are header.
#[derive(Clone, Copy)]
struct Learner<'p> {
    columns: Columns<'p>,
    /// Columns that are header for sure.
    end: usize,
    component: Option<usize>,
    /// A separator ends the header, some columns further on.
    until: bool,
}

impl Learner<'_> {
    fn extend(&mut self, has_stamp: bool) {
        let start = self.end;
        let mut probe = start;
        // What was found since the last column behind which messages vary.
        let mut component = None;
        let last = (start + TAIL_MAX).min(COLUMNS_MAX - 2);
        while let Some(next) = (probe..last).find_map(|index| self.reaches(probe, index, component)) {
            component = component.or_else(|| (probe..=next).find(|&index| self.names(index)));
            probe = next + 1;
            let varies = if has_stamp && next < start + 5 {
                self.columns.varies_behind(next)
            } else {
                self.columns.varies_much_behind(next, next >= 2 || self.columns.never_repeats(next))
            };
            if varies {
                self.end = probe;
                self.component = component;
            }
        }
        // A name with blanks in some lines: what parts it from the message is sure, where it stands is not.
        let parted = [self.end, start].into_iter().find(|&from| from > 0 && self.columns.parts_early(from, UNTIL_MAX));
        if let Some(from) = parted {
            let is_named = from == self.end && from > start;
            *self = Learner { end: from, until: true, component: self.component.filter(|_| is_named), ..*self };
        }
    }

    /// Whether column `index` is header, with those from `probe` on in front of it.
    fn reaches(&self, probe: usize, index: usize, component: Option<usize>) -> Option<usize> {
        let columns = &self.columns;
        let gap = index - probe;
        let is_first_name = component.is_none();
        let is_header = match columns.class(index) {
            Some(Class::Separator | Class::Group | Class::Level) => gap <= GAP_MAX,
            Some(Class::Letter) => {
                gap == 0 && columns.repeats(index) || gap <= 2 && columns.distinct(index) > 1 && columns.repeats(index)
            }
            Some(Class::Number) => gap == 0,
            Some(Class::Pair) => gap == 0 && columns.distinct(index) == 1,
            Some(Class::Id) => gap <= 2,
            Some(Class::Component | Class::Call) => is_first_name && gap <= 2 || gap <= 1 && columns.repeats(index),
            Some(Class::Dotted) => is_first_name && gap == 0,
            Some(Class::Word | Class::Mixed) => gap == 0 && self.is_padded_name(index, is_first_name),
            Some(Class::Stamp | Class::Address | Class::Told | Class::Other) => false,
            None => gap == 0 && self.is_padded_name(index, is_first_name),
        };
        let is_gap = |index| columns.is_filled(index) && !columns.holds_addresses(index) && self.may_be_field(index);
        (is_header && (probe..index).all(is_gap)).then_some(index)
    }

    /// A name padded to a width, one of a few.
    fn is_padded_name(&self, index: usize, is_first_name: bool) -> bool {
        let columns = &self.columns;
        let is_mixed = columns.is(index, Class::Mixed);
        columns.is_name(index)
            && (is_first_name || is_mixed)
            && (columns.is_padded(index) || is_mixed)
            && columns.repeats(index)
    }

    /// Not prose: values that come back, or of one class that is no word.
    fn may_be_field(&self, index: usize) -> bool {
        let columns = &self.columns;
        match columns.class(index) {
            Some(
                Class::Stamp
                | Class::Level
                | Class::Number
                | Class::Id
                | Class::Group
                | Class::Component
                | Class::Call
                | Class::Pair
                | Class::Letter
                | Class::Separator
                | Class::Mixed,
            ) => true,
            Some(Class::Dotted | Class::Word | Class::Other) => columns.distinct(index) * 3 <= columns.profiles.len(),
            Some(Class::Address | Class::Told) => false,
            None => columns.is_name(index) && columns.distinct(index) * 3 <= columns.profiles.len(),
        }
    }

    fn names(&self, index: usize) -> bool {
        match self.columns.class(index) {
            Some(Class::Component | Class::Dotted | Class::Call) => true,
            Some(Class::Word) | None => self.columns.names_component(index),
            Some(
                Class::Stamp
                | Class::Level
                | Class::Number
                | Class::Id
                | Class::Group
                | Class::Pair
                | Class::Letter
                | Class::Separator
                | Class::Address
                | Class::Told
                | Class::Mixed
                | Class::Other,
            ) => false,
        }
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
