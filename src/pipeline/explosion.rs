//! Sources that make templates without end: told once, mined coarsely, and known again after a restart. Decides nothing
//! about templates (`mine`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::mine::{Detail, Growth};
use crate::model::{Fact, Severity, Timestamp};

use super::{Effects, Notice, Pipeline};

/// Names that are remembered; what comes beyond them is found out again.
const MAX_SOURCES: usize = 1_000;

/// The sources whose messages are not kept apart in full, by name of origin.
#[derive(Debug, Default)]
pub struct Exploded(BTreeMap<Arc<str>, Detail>);

impl Exploded {
    /// Name of its state in the store.
    pub const STATE: &str = "exploded";

    /// # Errors
    /// When `json` is not what [`Pipeline::grown`] wrote.
    pub fn restore(&mut self, json: &str) -> Result<(), serde_json::Error> {
        self.0 = serde_json::from_str::<BTreeMap<String, Detail>>(json)?
            .into_iter()
            .map(|(origin, detail)| (origin.into(), detail))
            .collect();
        Ok(())
    }

    /// What an earlier run knew of a source.
    pub fn growth(&self, origin: &str) -> Option<Growth> {
        self.0.get(origin).map(|detail| Growth::remembered(*detail, 0))
    }
}

impl Pipeline {
    /// The source kept so much of its messages apart before its last lines; does it still?
    pub(super) fn grown(&mut self, origin: &Arc<str>, source: u32, before: Detail, now: Timestamp, out: &mut Effects) {
        let growth = self.miner.growth(source);
        let detail = growth.detail();
        if detail == before {
            return;
        }
        if detail == Detail::Full {
            self.exploded.0.remove(origin);
        } else if self.exploded.0.len() < MAX_SOURCES || self.exploded.0.contains_key(origin) {
            self.exploded.0.insert(Arc::clone(origin), detail);
        }
        let named: BTreeMap<&str, Detail> =
            self.exploded.0.iter().map(|(origin, detail)| (&**origin, *detail)).collect();
        if let Ok(json) = serde_json::to_string(&named) {
            out.facts.push(Fact::State { name: Exploded::STATE.into(), json });
        }
        if detail < before {
            return;
        }
        out.notices.push(Notice::Exploded { origin: Arc::clone(origin), templates: growth.born(), detail });
        let finding = self.about_ourselves(
            "A log has no end of different lines",
            format!(
                "{origin} made {} kinds of lines; from now on its new lines are told apart by {detail}. Rules see every \
                 line as before, and other logs are not touched",
                growth.born()
            ),
            vec![
                format!("Look at the end of {origin}: is it a text log, one line a message?"),
                "If it is no log, exclude it under [[sources.files]].".to_owned(),
            ],
            Severity::Medium,
            format!("explosion of {origin}"),
            now,
        );
        self.tell(vec![finding], now, out);
    }
}
