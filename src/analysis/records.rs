//! Records of a source of one's own, one after the other: a queue, an application, a test. Judged on their own time; keeps no
//! state on disk and asks no model.

use std::sync::Arc;

use serde::Serialize;

use crate::config::Config;
use crate::driver::{Replay, Step};
use crate::model::{Change, Incident, Level, LineBlock, LineSpan, Medium, Origin, Phase, Timestamp};

/// One record. Whatever is absent is taken as it is for a line that does not say it.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Who wrote it; this host when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    pub message: String,
}

/// A stream of records under way.
///
/// ```
/// use logwren::{Record, Records, config::Config, model::{Severity, Timestamp}};
///
/// # fn main() -> anyhow::Result<()> {
/// let mut records = Records::new(&Config::default())?;
/// let record = |second: i64, message: &str| Record {
///     time: Some(Timestamp::from_seconds(1_790_000_000 + second)),
///     program: Some("kernel".to_owned()),
///     message: message.to_owned(),
///     ..Record::default()
/// };
/// // What comes before `learned` teaches what is normal; rules speak from the first record on.
/// for second in 0..60 {
///     assert!(records.push(&[record(second, "usb 1-1: reset")]).is_empty());
/// }
/// records.learned();
/// let told = records.push(&[record(61, "Out of memory: Killed process 2711 (mysqld) total-vm:9kB, anon-rss:8kB")]);
/// assert!(told.iter().any(|incident| incident.severity == Severity::High));
/// # Ok(())
/// # }
/// ```
pub struct Records {
    replay: Replay,
    name: Arc<str>,
    offset: u64,
}

impl Records {
    /// # Errors
    /// When the rules of the config have mistakes.
    pub fn new(config: &Config) -> anyhow::Result<Records> {
        let mut settings = crate::daemon::settings(config)?;
        settings.no_judge = Some("a stream of records asks no model".into());
        // Lines of a process with our number are not ours.
        settings.own_pid = 0;
        Ok(Records { replay: Replay::new(settings), name: "records".into(), offset: 0 })
    }

    /// The next records, in the order of their times. Gives the incidents that are new, worse or back, as they are now, of
    /// any severity.
    pub fn push(&mut self, records: &[Record]) -> Vec<Incident> {
        let mut bytes = Vec::new();
        let mut spans = Vec::with_capacity(records.len());
        let mut newest = crate::driver::now();
        for record in records {
            newest = newest.max(record.time.unwrap_or(newest));
            let start = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            // Into memory, and of strings only: nothing that could fail.
            if serde_json::to_writer(&mut bytes, record).is_err() {
                continue;
            }
            let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            spans.push(LineSpan { start, end, offset: self.offset, truncated: false, partial: false });
            self.offset += 1;
        }
        let format = Some("json".into());
        let origin = Origin { name: Arc::clone(&self.name), medium: Medium::Stdin, format, written: Some(newest) };
        let block = LineBlock { origin: Arc::new(origin), phase: Phase::Live, bytes, spans, position: None };
        let step = self.replay.feed(&block);
        self.told(&step)
    }

    /// What is normal is known: from here on novelty and rates speak too.
    pub fn learned(&mut self) -> Vec<Incident> {
        let step = self.replay.learned();
        self.told(&step)
    }

    /// The end: what was counted and not yet said.
    pub fn finish(mut self) -> Vec<Incident> {
        let step = self.replay.finish();
        self.told(&step)
    }

    /// Every incident so far, worst first.
    pub fn incidents(&self) -> Vec<&Incident> {
        self.replay.incidents()
    }

    fn told(&self, step: &Step) -> Vec<Incident> {
        let mut ids = Vec::new();
        for told in &step.told {
            let is_news = match told.change {
                Change::New | Change::Escalated | Change::Regressed => true,
                Change::Joined | Change::Quieted | Change::Muted | Change::AlreadyThere => false,
            };
            if is_news && !ids.contains(&told.incident) {
                ids.push(told.incident);
            }
        }
        ids.into_iter().filter_map(|id| self.replay.incident(id).cloned()).collect()
    }
}
