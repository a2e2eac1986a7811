//! The contract of a detector. Says when each method is called; holds no detector.

use super::{Config, Mark, Seen};
use crate::model::{Finding, Timestamp};

/// One way to find something odd. A detector sees a kind when it is new or changes, and every line of a kind it wants.
pub trait Detector: Send {
    /// As in `COMPONENTS` and `judged_by`.
    fn name(&self) -> &'static str;

    /// A kind's first line, a new shape of it, or its first line after the template generalized. `claimed` says that a
    /// detector asked earlier explains this line, so that it being new is no news. The answer replaces what this detector
    /// wanted of the kind before; when it wants lines, [`Detector::line`] follows with the same line.
    fn begin(&mut self, seen: &Seen<'_>, claimed: bool, out: &mut Vec<Finding>) -> Want;

    /// One line of a wanted kind. Returns whether the lines after it are still wanted.
    fn line(&mut self, seen: &Seen<'_>, out: &mut Vec<Finding>) -> bool;

    /// The baseline is complete.
    fn learned(&mut self, at: Timestamp, out: &mut Vec<Finding>);

    /// Says what was counted but not yet said and is due at `now` (event time). Cheap when nothing is due.
    fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>);

    /// State to keep over a restart, when it changed since the last call.
    fn save(&mut self) -> Option<String>;

    /// Takes back what `save` gave, of this or an earlier version. State that cannot be read is dropped, and said so.
    ///
    /// # Errors
    /// Why the state could not be read; the detector then starts empty.
    fn restore(&mut self, json: &str) -> Result<(), String>;

    /// Takes new settings and keeps what it knows.
    fn reload(&mut self, config: &Config);

    /// Lines that turned out to belong to an incident with a group of its own since the last call. Bounded.
    fn take_marks(&mut self) -> Vec<Mark> {
        Vec::new()
    }

    /// What this detector thinks of the line, for `logwren explain`. Changes nothing.
    fn explain(&self, seen: &Seen<'_>) -> Vec<View>;
}

/// What a detector wants of a kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    /// Show me every line of this kind.
    pub lines: bool,
    /// I know what this kind is: others need not report that it is new.
    pub claim: bool,
}

/// One sentence of `explain`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    pub detector: &'static str,
    pub says: String,
    /// True when this line alone would make a finding.
    pub finds: bool,
}
