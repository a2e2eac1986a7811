//! What is remembered of the lines a layout is learned from, and what their columns have in common. Decides nothing.
//!
//! Keeps a class and a hash of each column, never the text, so an unsettled plan stays small.

use xxhash_rust::xxh3::xxh3_64;

use super::column::{self, Class};
use super::cursor::Cursor;

/// Columns looked at from the start of a line.
pub(super) const COLUMNS_MAX: usize = 14;

/// What is remembered of one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    columns: [Cell; COLUMNS_MAX],
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    class: Option<Class>,
    padded: bool,
    hash: u32,
}

impl Profile {
    pub fn of(line: &[u8]) -> Profile {
        let mut columns = [Cell { class: None, padded: false, hash: 0 }; COLUMNS_MAX];
        let mut cursor = Cursor::new(line);
        for cell in &mut columns {
            let Some(column) = column::next(&mut cursor) else { break };
            // Truncation keeps enough to tell values apart.
            let is_component = column.class == Class::Component;
            let name = if is_component { column::stem(column.text) } else { column.text };
            let hash = xxh3_64(without_number(name)) as u32;
            *cell = Cell { class: Some(column.class), padded: column.padded, hash };
        }
        Profile { columns }
    }

    /// Where the first separator stands from this column on.
    fn separator(&self, from: usize, most: usize) -> Option<usize> {
        let cells = self.columns.iter().enumerate().skip(from).take(most);
        cells.into_iter().find(|(_, cell)| cell.class == Some(Class::Separator)).map(|(index, _)| index)
    }
}

/// A file without the line of it: `main.go:23`.
fn without_number(text: &[u8]) -> &[u8] {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    match text.get(..text.len() - digits) {
        Some([name @ .., b':']) if digits > 0 && !name.is_empty() => name,
        Some(_) | None => text,
    }
}

/// The remembered lines, column by column.
#[derive(Clone, Copy)]
pub(super) struct Columns<'p> {
    pub profiles: &'p [Profile],
}

impl Columns<'_> {
    fn cells(&self, index: usize) -> impl Iterator<Item = &Cell> {
        self.profiles.iter().filter_map(move |profile| profile.columns.get(index))
    }

    /// Whether so many lines are nine in ten.
    fn are_nearly_all(&self, count: usize) -> bool {
        count * 10 >= self.profiles.len() * 9
    }

    fn nearly_all(&self, index: usize, is: impl Fn(&Cell) -> bool) -> bool {
        self.are_nearly_all(self.cells(index).filter(|cell| is(cell)).count())
    }

    /// Nine in ten lines have this class here.
    pub fn is(&self, index: usize, class: Class) -> bool {
        self.nearly_all(index, |cell| cell.class.is_some_and(|found| class.admits(found)))
    }

    /// The class nine in ten lines share here.
    pub fn class(&self, index: usize) -> Option<Class> {
        let class = self.cells(index).find_map(|cell| cell.class)?;
        let mut candidates = self.cells(index).take(5).filter_map(|cell| cell.class).chain([class]);
        let class = candidates.find(|class| self.is(index, *class))?;
        // Ids without a letter among others.
        let is_id = class == Class::Number && self.cells(index).any(|cell| cell.class == Some(Class::Id));
        Some(if is_id { Class::Id } else { class })
    }

    pub fn is_padded(&self, index: usize) -> bool {
        self.nearly_all(index, |cell| cell.padded)
    }

    /// Nine in ten lines have a name here: words, with dots or digits or without.
    pub fn is_name(&self, index: usize) -> bool {
        self.nearly_all(index, |cell| {
            matches!(cell.class, Some(Class::Word | Class::Dotted | Class::Mixed | Class::Call))
        })
    }

    /// How many different values stand here.
    pub fn distinct(&self, index: usize) -> usize {
        let mut hashes: Vec<u32> =
            self.cells(index).filter(|cell| cell.class.is_some()).map(|cell| cell.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.len()
    }

    /// Values that come back: a quarter as many as lines.
    pub fn repeats(&self, index: usize) -> bool {
        self.distinct(index) * 4 <= self.profiles.len()
    }

    /// All lines go on to this column.
    pub fn is_filled(&self, index: usize) -> bool {
        self.nearly_all(index, |cell| cell.class.is_some())
    }

    /// How many different words or classes stand here, and how many lines have the most frequent one.
    fn kinds(&self, index_of: impl Fn(&Profile) -> Option<usize>) -> (usize, usize) {
        let mut kinds: Vec<(Option<u8>, u32)> = self
            .profiles
            .iter()
            .map(|profile| {
                let cell = index_of(profile).and_then(|index| profile.columns.get(index));
                let Some((class, cell)) = cell.and_then(|cell| cell.class.map(|class| (class, cell))) else {
                    return (None, 0);
                };
                let is_constant = match class {
                    Class::Word | Class::Component | Class::Dotted | Class::Call | Class::Pair | Class::Other => true,
                    Class::Stamp
                    | Class::Level
                    | Class::Number
                    | Class::Id
                    | Class::Group
                    | Class::Letter
                    | Class::Separator
                    | Class::Address
                    | Class::Told
                    | Class::Mixed => false,
                };
                (Some(class as u8), if is_constant { cell.hash } else { 0 })
            })
            .collect();
        kinds.sort_unstable();
        let counts = kinds.chunk_by(|left, right| left == right).map(<[_]>::len);
        (counts.clone().count(), counts.max().unwrap_or(0))
    }

    /// Three different words or classes follow this column: otherwise it may be part of the one message there is.
    pub fn varies_behind(&self, index: usize) -> bool {
        (index + 1..index + 3).any(|behind| self.kinds(|_| Some(behind)).0 >= 3)
    }

    /// The same where the columns alone must tell: none of the kinds is all there is, or, with little else to go by, none is
    /// most of it.
    pub fn varies_much_behind(&self, index: usize, is_likely: bool) -> bool {
        (index + 1..index + 3).any(|behind| self.is_varied(self.kinds(|_| Some(behind)), is_likely))
    }

    fn is_varied(&self, (kinds, most): (usize, usize), is_likely: bool) -> bool {
        let lines = self.profiles.len();
        if is_likely { kinds >= 3 && most * 10 <= lines * 9 } else { kinds >= 4 && most * 4 <= lines * 3 }
    }

    /// Nine in ten lines have a separator within `most` columns, not always in the same one, and messages behind it.
    pub fn parts_early(&self, from: usize, most: usize) -> bool {
        let places = || self.profiles.iter().filter_map(|profile| profile.separator(from, most));
        let (first, last) = (places().min(), places().max());
        // A message may well begin with a dash.
        first > Some(from)
            && first < last
            && self.are_nearly_all(places().count())
            && self.is_varied(self.kinds(|profile| profile.separator(from, most).map(|index| index + 1)), true)
    }

    /// Hardly two lines have the same value here.
    pub fn never_repeats(&self, index: usize) -> bool {
        self.are_nearly_all(self.distinct(index))
    }

    /// More than a stray one.
    pub fn holds_addresses(&self, index: usize) -> bool {
        self.cells(index).filter(|cell| cell.class == Some(Class::Address)).count() * 8 >= self.profiles.len()
    }

    /// Words without digits, few of them.
    pub fn names_component(&self, index: usize) -> bool {
        self.nearly_all(index, |cell| matches!(cell.class, Some(Class::Word | Class::Dotted)))
            && self.distinct(index) * 2 <= self.profiles.len()
    }
}
