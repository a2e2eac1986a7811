//! The contract of a detector. Says when each method is called; holds no detector.

use std::sync::Arc;

use super::{Beat, Config, Horizon, Mark, MeterId, Minute, Seen, Watch};
use crate::model::{Finding, KindId, Phase, Timestamp};

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

    /// The model calls this kind odd when frequent; `None` when that holds no longer.
    fn watch(&mut self, _kind: KindId, _watch: Option<&Watch>) {}

    /// A rule that speaks (it has a severity) concerns this kind.
    fn ruled(&mut self, _kind: KindId) {}

    /// Wants beats: [`Detector::beat`] and [`Detector::source_beat`]. The same all its life.
    fn counts(&self) -> bool {
        false
    }

    /// A line that moves the count of its kind or (at err or worse) its program on: the first in its second, or the one
    /// that reaches `beat.limit`. Only where [`Detector::counts`], and then for every kind, wanted or not; at most a few a
    /// meter and second: so keep it cheap. Taught lines come too, until the baseline is complete.
    fn beat(&mut self, _seen: &Seen<'_>, _beat: &mut Beat, _out: &mut Vec<Finding>) {}

    /// The same for all lines of a source, copies of another source's lines included.
    fn source_beat(&mut self, _host: &Arc<str>, _phase: Phase, _beat: &mut Beat, _out: &mut Vec<Finding>) {}

    /// A minute of event time is over: everything that had a live line in it, and how many.
    fn minute(&mut self, _minute: &Minute<'_>, _out: &mut Vec<Finding>) {}

    /// Time passed without a line, maybe: what was written until the horizon was read. Only where logs are watched live.
    fn quiet(&mut self, _horizon: &Horizon<'_>, _out: &mut Vec<Finding>) {}

    /// When [`Detector::quiet`] has something to do although no line comes.
    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Faults that are over since the last call: the finding that opened the incident, with a reason that says so.
    fn take_over(&mut self) -> Vec<Finding> {
        Vec::new()
    }

    /// The lines of meter `gone` belong to `into` from now on: its template was merged away.
    fn merged(&mut self, _gone: MeterId, _into: MeterId) {}

    /// The baseline is complete.
    fn learned(&mut self, at: Timestamp, out: &mut Vec<Finding>);

    /// Says what was counted but not yet said and is due at `now` (event time). Cheap when nothing is due.
    fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>);

    /// The process is about to end: what `save` puts off is due with its next call.
    fn closing(&mut self) {}

    /// State to keep over a restart, when it changed since the last call. Meters keep their ids over a restart.
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
