//! What became of every single line, for batch work (`analyze`, `eval`, backtests): where it belongs and what was said of
//! it. The daemon leaves this off. Keeps nothing: the caller takes it after each block.

use std::sync::Arc;

use crate::detect::Mark;
use crate::model::{Change, Finding, Fingerprint, Kind, KindId, Level, Phase, Timestamp, clip};
use crate::parse::Format;

use super::kinds::Answer;
use super::lines::Passing;
use super::{Effects, Pipeline};

/// The live lines of one block, and the findings they made.
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
    /// Number of its kind; the same number means the same kind in one run.
    pub kind: u32,
    pub kind_id: KindId,
    /// No format fitted, or none is known.
    pub plain: bool,
    /// The line itself, when somebody said something about its kind.
    pub shown: Option<Box<Shown>>,
}

/// A line that may belong to an incident.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    pub host: Arc<str>,
    pub kind_id: KindId,
    pub kind: Kind,
    /// As the writer of the line said it.
    pub level: Option<Level>,
    /// After the header, cut to [`Shown::MAX_BYTES`]. Hostile.
    pub message: String,
    /// The incident that speaks of all lines of its kind, when there is one by now.
    pub incident: Option<Fingerprint>,
}

impl Shown {
    /// Longest message kept for a report.
    pub const MAX_BYTES: usize = 16 << 10;
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

/// What is known of one kind, for tables.
#[derive(Clone, PartialEq, Debug)]
pub struct KindView<'a> {
    pub kind: &'a Kind,
    pub id: KindId,
    /// Current text of its template.
    pub template: &'a str,
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

    /// Adds a line, after the findings it made were told.
    pub(super) fn trace_line(&self, passing: &Passing<'_>, index: u32, phase: Phase, trace: &mut Trace) {
        let Some(state) = self.kinds.get(index).filter(|_| phase == Phase::Live) else { return };
        let is_of_interest = state.told || state.ruled || state.answer == Answer::Anomalous;
        let shown = is_of_interest.then(|| {
            Box::new(Shown {
                host: Arc::clone(passing.host),
                kind_id: state.id,
                kind: state.kind.clone(),
                level: passing.header.level,
                message: clip(&passing.header.message, Shown::MAX_BYTES).to_owned(),
                incident: self.triage.speaks_of(passing.host, state.id),
            })
        });
        trace.lines.push(Passed {
            offset: passing.span.offset,
            time: passing.time,
            host: Arc::clone(passing.host),
            kind: index,
            kind_id: state.id,
            plain: passing.header.format == Format::Plain.name(),
            shown,
        });
    }

    /// The incident that a [`Marked::incident`] is part of by now.
    pub fn joined(&self, incident: Fingerprint) -> Fingerprint {
        self.triage.joined(incident)
    }

    /// The id of the kind that [`Passed::kind`] names, or of the one in its place by now.
    pub fn kind_id(&self, number: u32) -> Option<KindId> {
        self.kinds.get(self.kinds.current(number)).map(|state| state.id)
    }

    /// The kind that [`Passed::kind`] names.
    pub fn kind(&self, number: u32) -> Option<KindView<'_>> {
        let state = self.kinds.get(number)?;
        let template = self.miner.text(state.kind.template).unwrap_or_default();
        Some(KindView { kind: &state.kind, id: state.id, template })
    }

    pub(super) fn trace_marks(&mut self, trace: &mut Trace) {
        for Mark { judged_by, host, program, group, origin, offset } in self.detect.take_marks() {
            let incident = self.triage.incident_of(&judged_by, &host, &program, &group);
            trace.marked.push(Marked { origin, offset, incident });
        }
    }
}
