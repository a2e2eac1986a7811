//! Which lines of a busy kind are looked at? All of them up to a number a second, the rest only counted, and said so.

use crate::model::Timestamp;

/// Lines of one kind looked at in a second of event time.
const A_SECOND: u32 = 10;

/// The lines of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    second: i64,
    in_second: u32,
    pub looked_at: u64,
    pub passed: u64,
}

impl Sample {
    /// Whether this line is to be looked at.
    pub fn takes(&mut self, at: Timestamp) -> bool {
        let second = at.as_seconds();
        if second != self.second {
            self.second = second;
            self.in_second = 0;
        }
        self.in_second = self.in_second.saturating_add(1);
        let takes = self.in_second <= A_SECOND;
        if takes {
            self.looked_at += 1;
        } else {
            self.passed += 1;
        }
        takes
    }

    /// Nothing when every line was looked at.
    pub fn says(&self) -> String {
        if self.passed == 0 {
            return String::new();
        }
        format!(
            "; looks at {A_SECOND} lines of a kind a second, {} of {} so far",
            self.looked_at,
            self.looked_at + self.passed
        )
    }
}
