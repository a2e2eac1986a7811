//! Which source makes templates without end, and how much less of its messages is kept apart for that. Counts births
//! against lines, so that the answer is the same on every machine. Must not know names of sources or look at text.

use serde::{Deserialize, Serialize};

/// A source has one new template in so many lines without anybody thinking about it.
const LINES_A_BIRTH: u64 = 10;
/// And so many at once on top of it, as at its beginning; fewer where there is room for few.
const BURST: usize = 1_000;
/// Bytes of text that a template has for nothing; each further so many count as one more.
const BYTES_A_BIRTH: usize = 256;
/// After so many lines a source is tried with more detail again; after twice as many the next time.
const PATIENCE: u64 = 100_000;

/// How much is kept apart of a message that no template covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// Every word.
    #[default]
    Full,
    /// The first two words and how many there are.
    TwoWords,
    /// The first word and how many there are.
    OneWord,
    /// How many words there are.
    Length,
}

impl Detail {
    /// Words at the beginning of a message that are kept apart.
    pub fn words(self) -> usize {
        match self {
            Detail::Full => usize::MAX,
            Detail::TwoWords => 2,
            Detail::OneWord => 1,
            Detail::Length => 0,
        }
    }

    fn coarser(self) -> Detail {
        match self {
            Detail::Full => Detail::TwoWords,
            Detail::TwoWords => Detail::OneWord,
            Detail::OneWord | Detail::Length => Detail::Length,
        }
    }

    fn finer(self) -> Detail {
        match self {
            Detail::Full | Detail::TwoWords => Detail::Full,
            Detail::OneWord => Detail::TwoWords,
            Detail::Length => Detail::OneWord,
        }
    }
}

impl std::fmt::Display for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Detail::Full => "every word",
            Detail::TwoWords => "their first two words and the number of words",
            Detail::OneWord => "their first word and the number of words",
            Detail::Length => "the number of their words",
        })
    }
}

/// The templates of one source.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Growth {
    detail: Detail,
    /// Templates it gave birth to.
    born: u64,
    /// Births beyond what is usual, in lines: [`LINES_A_BIRTH`] for each, less one for every line since.
    excess: u64,
    /// The line at which `excess` was right.
    line: u64,
    /// The line from which more detail is tried again.
    review: u64,
    /// How often it was made coarser.
    relapses: u32,
}

impl Growth {
    /// One that an earlier run knew to be like that, at its `line`.
    pub fn remembered(detail: Detail, line: u64) -> Growth {
        Growth { detail, line, review: line.saturating_add(PATIENCE), relapses: 1, ..Growth::default() }
    }

    /// How much of its new messages is kept apart now.
    pub fn detail(&self) -> Detail {
        self.detail
    }

    /// Templates it gave birth to, those that were merged since too.
    pub fn born(&self) -> u64 {
        self.born
    }

    /// A message of `line` is new. Whatever else is new before or after, the answer depends on the number of the line.
    pub fn reviewed(&mut self, line: u64, max_templates: usize) -> Detail {
        while self.detail != Detail::Full && line >= self.review {
            let from = self.review;
            self.detail = self.detail.finer();
            self.line = from;
            // On probation: an eighth of the room is enough to see.
            self.excess = most(max_templates) / 8 * 7;
            self.review = from.saturating_add(self.patience());
        }
        self.detail
    }

    /// A message of `line` became a template of so many bytes. `hogs` says that the source holds more templates than are
    /// left for all others. Returns whether it is coarser from now on.
    pub fn gave_birth(&mut self, line: u64, bytes: usize, hogs: bool, max_templates: usize) -> bool {
        self.born += 1;
        self.excess = self.excess.saturating_sub(line.saturating_sub(self.line));
        self.line = self.line.max(line);
        self.excess += LINES_A_BIRTH * (1 + (bytes / BYTES_A_BIRTH) as u64);
        if self.detail == Detail::Length || !hogs && self.excess <= most(max_templates) {
            return false;
        }
        self.detail = self.detail.coarser();
        self.excess = 0;
        self.relapses = self.relapses.saturating_add(1);
        self.review = self.line.saturating_add(self.patience());
        true
    }

    fn patience(&self) -> u64 {
        PATIENCE.saturating_mul(1_u64.checked_shl(self.relapses.saturating_sub(1)).unwrap_or(u64::MAX))
    }
}

/// The excess that makes a source coarser.
fn most(max_templates: usize) -> u64 {
    LINES_A_BIRTH * BURST.min(max_templates / 4) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source in which each `every`th line is a birth, `lines` long, in a tree of 10,000.
    fn lived(every: u64, lines: u64) -> Growth {
        let mut growth = Growth::default();
        for line in (1..=lines).filter(|line| line % every == 0) {
            growth.reviewed(line, 10_000);
            growth.gave_birth(line, 100, false, 10_000);
        }
        growth
    }

    #[track_caller]
    fn check(every: u64, lines: u64, expected: Detail) {
        assert_eq!(lived(every, lines).detail(), expected);
    }

    #[test]
    fn many_births_are_an_explosion_if_they_go_on() {
        check(1, 1_000, Detail::Full);
        check(1, 1_200, Detail::TwoWords);
        check(1, 2_500, Detail::OneWord);
        check(1, 5_000, Detail::Length);
        check(5, 9_000, Detail::Full);
        check(5, 11_000, Detail::TwoWords);
        check(10, 1_000_000, Detail::Full);
    }

    #[test]
    fn long_texts_and_hogs_count_more() {
        let mut growth = Growth::default();
        let born = (1..).take_while(|line| !growth.gave_birth(*line, 8 * 1024, false, 10_000)).count();
        assert!(born < 40, "{born}");
        assert!(Growth::default().gave_birth(1, 10, true, 10_000));
    }

    #[test]
    fn detail_is_tried_again_and_lost_sooner() {
        let mut growth = lived(1, 1_200);
        let at = growth.review;
        assert_eq!(growth.reviewed(at - 1, 10_000), Detail::TwoWords);
        assert_eq!(growth.reviewed(at, 10_000), Detail::Full);
        let born = (at..).take_while(|line| !growth.gave_birth(*line, 100, false, 10_000)).count();
        assert!((100..200).contains(&born), "{born}");
        assert!(growth.review > at + PATIENCE);
    }

    #[test]
    fn lines_decide_and_not_when_somebody_asks() {
        let mut asked = lived(1, 3_000);
        let mut not_asked = asked.clone();
        for line in 3_000..250_000 {
            asked.reviewed(line, 10_000);
        }
        not_asked.reviewed(250_000, 10_000);
        not_asked.reviewed(250_000, 10_000);
        asked.reviewed(250_000, 10_000);
        assert_eq!(asked, not_asked);
    }
}
