//! Which lines belong to an incident that does not speak of whole kinds? Detectors mark them as they count them, for
//! reports that list lines. Decides nothing; bounded when nobody asks.

use std::sync::Arc;

use super::Seen;
use crate::model::JudgedBy;

/// Most marks kept until they are taken. The daemon never takes them.
const CAPACITY: usize = 4_096;

/// One line, and the incident it belongs to by the parts of its name.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    pub judged_by: JudgedBy,
    pub host: Arc<str>,
    pub program: Arc<str>,
    pub group: String,
    pub origin: Arc<str>,
    pub offset: u64,
}

/// Where a line stands: enough to find it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot {
    pub origin: Arc<str>,
    pub offset: u64,
}

impl Spot {
    pub fn of(seen: &Seen<'_>) -> Spot {
        Spot { origin: Arc::clone(seen.origin), offset: seen.offset }
    }
}

/// Marks of one detector that nobody has taken yet.
#[derive(Debug, Default)]
pub struct Marks(Vec<Mark>);

impl Marks {
    /// There is room for one more.
    pub fn open(&self) -> bool {
        self.0.len() < CAPACITY
    }

    pub fn push(&mut self, mark: Mark) {
        if self.open() {
            self.0.push(mark);
        }
    }

    pub fn take(&mut self) -> Vec<Mark> {
        std::mem::take(&mut self.0)
    }
}
