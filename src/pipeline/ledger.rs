//! The account of every source: what was read, what of it is durable, what was not as it should be. Counts; tells nobody.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::SourceCounts;

/// Most sources told apart: file names are somebody else's choice. What comes beyond is filed under [`OTHERS`].
const MAX_SOURCES: usize = 20_000;
const OTHERS: &str = "(others)";

/// Counts of each source by its name.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: HashMap<Arc<str>, Entry>,
    /// Over all sources; `committed` is only right through [`Ledger::total`].
    total: SourceCounts,
    total_committed: u64,
    /// Commits so far: an entry that was last touched before the newest is all committed.
    commits: u64,
}

#[derive(Debug, Default)]
struct Entry {
    /// `committed` is that of before `touched`.
    counts: SourceCounts,
    /// The number of commits when lines last came.
    touched: u64,
}

impl Ledger {
    /// Adds what a block or an event of `source` came to.
    pub fn add(&mut self, source: &Arc<str>, counts: &SourceCounts) {
        self.total.add(counts);
        let commits = self.commits;
        let entry = match self.entries.get_mut(source) {
            Some(entry) => entry,
            None => {
                let name = if self.entries.len() < MAX_SOURCES { Arc::clone(source) } else { OTHERS.into() };
                self.entries.entry(name).or_default()
            }
        };
        if entry.touched != commits {
            entry.counts.committed = entry.counts.lines;
            entry.touched = commits;
        }
        entry.counts.add(counts);
    }

    /// Everything that was added so far is durable.
    pub fn committed(&mut self) {
        self.commits += 1;
        self.total_committed = self.total.lines;
    }

    /// Over all sources.
    pub fn total(&self) -> SourceCounts {
        SourceCounts { committed: self.total_committed, ..self.total }
    }

    /// Each source with its counts, by name.
    pub fn each(&self) -> Vec<(Arc<str>, SourceCounts)> {
        let counts = |entry: &Entry| {
            let committed = if entry.touched < self.commits { entry.counts.lines } else { entry.counts.committed };
            SourceCounts { committed, ..entry.counts }
        };
        let mut all: Vec<_> = self.entries.iter().map(|(name, entry)| (Arc::clone(name), counts(entry))).collect();
        all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_committed_with_the_commit_after_them() {
        let lines = |lines| SourceCounts { lines, ..SourceCounts::default() };
        let mut ledger = Ledger::default();
        let look = |ledger: &Ledger| -> Vec<(u64, u64)> {
            let all = ledger.each().into_iter().map(|(_, counts)| counts).chain([ledger.total()]);
            all.map(|counts| (counts.lines, counts.committed)).collect()
        };
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        ledger.add(&a, &lines(3));
        assert_eq!(look(&ledger), [(3, 0), (3, 0)]);
        ledger.committed();
        ledger.add(&b, &lines(5));
        assert_eq!(look(&ledger), [(3, 3), (5, 0), (8, 3)]);
        ledger.add(&a, &lines(1));
        assert_eq!(look(&ledger), [(4, 3), (5, 0), (9, 3)]);
        ledger.committed();
        assert_eq!(look(&ledger), [(4, 4), (5, 5), (9, 9)]);
    }

    #[test]
    fn invented_names_do_not_grow_the_account() {
        let mut ledger = Ledger::default();
        for n in 0..MAX_SOURCES + 10 {
            ledger.add(&Arc::from(n.to_string()), &SourceCounts { gaps: 1, ..SourceCounts::default() });
        }
        let each = ledger.each();
        assert_eq!(each.len(), MAX_SOURCES + 1);
        assert!(each.iter().any(|(name, counts)| **name == *OTHERS && counts.gaps == 10));
    }
}
