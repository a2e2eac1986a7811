//! What became of every single line, for batch work (`eval`, reports): where it belongs and what was said of it. The
//! daemon leaves this off. Keeps nothing: the caller takes it after each block.

use std::sync::Arc;

use crate::detect::Mark;
use crate::model::{Change, Finding, Fingerprint, Kind, KindId, Timestamp};

use super::{Effects, Pipeline};

/// The lines of one block, and the findings they made.
#[derive(Debug, Default)]
pub struct Trace {
    pub lines: Vec<Passed>,
    pub told: Vec<Told>,
    /// Lines that turned out to belong to an incident, perhaps long after they passed.
    pub marked: Vec<Marked>,
    /// The time it is now by the lines.
    pub now: Timestamp,
}

/// One line that passed. Lines another source said already, and our own, do not.
#[derive(Clone, PartialEq, Debug)]
pub struct Passed {
    /// Byte offset in its stream: with the name of the stream it names the line.
    pub offset: u64,
    pub time: Timestamp,
    pub host: Arc<str>,
    pub kind: Kind,
    pub kind_id: KindId,
    /// The incident that speaks of all lines of its kind, when there is one by now.
    pub incident: Option<Fingerprint>,
}

/// One finding, and the incident it went to.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    pub incident: Fingerprint,
    /// [`Change::AlreadyThere`] is kept nowhere.
    pub change: Change,
    pub finding: Finding,
}

/// One line of an incident that does not speak of whole kinds: of one address, one session.
#[derive(Clone, PartialEq, Debug)]
pub struct Marked {
    pub origin: Arc<str>,
    pub offset: u64,
    pub incident: Fingerprint,
}

impl Pipeline {
    /// From now on, time is what the lines say, and [`super::Effects::trace`] is filled. For logs read as a whole.
    pub fn on_event_time(&mut self) {
        self.tracing = true;
        self.detect.learn_from_live();
    }

    /// The end of logs read as a whole, at `now`: says what was counted and not yet said, and asks about the last batch.
    pub fn end_of_input(&mut self, now: Timestamp, out: &mut Effects) {
        let mut findings = Vec::new();
        // By the time of the lines first: what is due by then is no end of input.
        self.detect.settle(now, &mut findings);
        self.detect.settle(Timestamp::from_micros(i64::MAX), &mut findings);
        self.tell(findings, now, out);
        self.trace_marks(&mut out.trace);
        let entries = self.batch.flush();
        self.ask(entries, now, out);
        self.settle(now, out);
    }

    /// Gives the lines their incidents, after the findings they made were told.
    pub(super) fn trace_line(&mut self, mut passed: Passed, trace: &mut Trace) {
        passed.incident = self.triage.speaks_of(&passed.host, passed.kind_id);
        trace.lines.push(passed);
        self.trace_marks(trace);
    }

    pub(super) fn trace_marks(&mut self, trace: &mut Trace) {
        for Mark { judged_by, host, program, group, origin, offset } in self.detect.take_marks() {
            let incident = self.triage.incident_of(&judged_by, &host, &program, &group);
            trace.marked.push(Marked { origin, offset, incident });
        }
    }
}
