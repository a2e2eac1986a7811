//! When is a kind that a model found harmless asked about once more? When its template takes other lines than the model
//! saw, or when its values are not what they were: at most once a day, and the old verdict stands meanwhile. Rates,
//! silence and the like are no reason: what they say is not about the kind of line.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::Mode;
use super::state::{Judge, OPERATOR};
use crate::model::{KindId, Timestamp, Verdict, VerdictRow};

/// A kind is not asked about again within this.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Kinds asked about again for their values in a day. Whoever writes odd values shall not spend the day's budget.
const MOST_A_DAY: usize = 200;

/// Most that are remembered. Templates beyond it are held back by the age of their verdict alone.
const MAX_DOUBTS: usize = 2_000;

/// Which kinds were asked about again, and when. Forgotten after a day.
#[derive(Debug, Default)]
pub(super) struct Doubts(BTreeMap<KindId, Timestamp>);

impl Doubts {
    pub fn of(saved: Vec<(KindId, Timestamp)>) -> Doubts {
        Doubts(saved.into_iter().collect())
    }

    pub fn saved(&self) -> Vec<(KindId, Timestamp)> {
        self.0.iter().map(|(kind, time)| (*kind, *time)).collect()
    }

    fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, time| now.since(*time) < DAY);
    }
}

impl Judge {
    /// The template takes other lines than the ones a model found harmless: it is asked about once more, at most once a
    /// day. Until then the verdict stands. Gives the verdict as it is to be kept; none where nothing is doubted.
    pub fn doubt(&mut self, kind: KindId, now: Timestamp) -> Option<VerdictRow> {
        let row = self.verdicts.get(&kind)?;
        let harmless = match row.verdict {
            Verdict::Normal | Verdict::Watch => row.model != OPERATOR,
            Verdict::Anomalous | Verdict::Undecided => false,
        };
        let old = now.since(row.judged_at) >= DAY;
        if harmless && old { self.doubted(kind, now) } else { None }
    }

    /// A detector finds a value odd in a line of a kind that a model found normal: the kind is asked about once more, as
    /// long as half of the day's budget is left. Gives the verdict as it is to be kept; none where nothing is doubted.
    pub fn doubt_for_values(&mut self, kind: KindId, now: Timestamp) -> Option<VerdictRow> {
        if self.config.mode != Mode::Templates {
            return None;
        }
        let row = self.verdicts.get(&kind)?;
        let normal = row.verdict == Verdict::Normal && row.model != OPERATOR;
        if !normal || !self.budget.has_room(0, self.config.daily_tokens, self.config.daily_usd, true, now) {
            return None;
        }
        self.doubts.forget(now);
        if self.doubts.0.len() < MOST_A_DAY { self.doubted(kind, now) } else { None }
    }

    /// Once a day, whatever the reason.
    fn doubted(&mut self, kind: KindId, now: Timestamp) -> Option<VerdictRow> {
        self.doubts.forget(now);
        if self.doubts.0.contains_key(&kind) {
            return None;
        }
        let row = self.verdicts.get_mut(&kind).filter(|row| row.not_before.is_none())?;
        row.not_before = Some(now);
        if self.doubts.0.len() < MAX_DOUBTS {
            self.doubts.0.insert(kind, now);
        }
        Some(row.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed::{Bed, completion, document, id, question, right_reply};
    use super::super::{Asked, Judge};
    use super::*;
    use crate::model::Question;

    fn odd() -> Question {
        Question { odd: "a new value".to_owned(), ..question(0) }
    }

    /// A judge that found kind 0 normal.
    fn bed(toml: &str) -> Bed {
        let mut bed = Bed::with(toml, 1);
        bed.answered(|_| {});
        assert_eq!(bed.verdicts(1), "0:normal");
        bed
    }

    #[test]
    fn an_odd_value_is_asked_about_once_a_day() {
        let mut bed = bed("");
        bed.wait(60);
        let row = bed.judge.doubt_for_values(id(0), bed.now).expect("doubted");
        assert_eq!((row.verdict, bed.verdicts(1)), (Verdict::Normal, "0:normal".to_owned()), "it stands");
        assert_eq!(bed.judge.doubt_for_values(id(0), bed.now), None, "asked already");
        assert_eq!(bed.judge.ask(odd(), bed.now), Asked::Queued);
        let request = bed.request().expect("asked");
        let items = document(&request)["items"].clone();
        let said = items.as_array().expect("a list").iter().filter(|item| item["context"][0] == "a new value");
        assert_eq!(said.count(), 1, "{items}");
        let reply = right_reply(&request).to_string();
        bed.end(request, Ok(completion(&reply)));
        assert_eq!(bed.judge.ask(odd(), bed.now), Asked::Standing);

        bed.wait(80_000);
        assert_eq!(bed.judge.doubt_for_values(id(0), bed.now), None, "the same day");
        assert_eq!(bed.judge.doubt(id(0), bed.now), None, "nor for its template");
        bed.wait(6_400);
        assert!(bed.judge.doubt_for_values(id(0), bed.now).is_some(), "the next day");
    }

    #[test]
    fn a_restart_makes_no_new_day() {
        let mut bed = bed("");
        assert!(bed.judge.doubt_for_values(id(0), bed.now).is_some());
        bed.judge.ask(odd(), bed.now);
        bed.answered(|_| {});
        let verdicts = bed.judge.verdict(id(0)).cloned().into_iter().collect();
        let mut again = Judge::new(&Default::default(), Default::default());
        again.restore(Vec::new(), verdicts, Some(&bed.judge.saved()), bed.now);
        assert_eq!(again.doubt_for_values(id(0), bed.now), None);
    }

    #[test]
    fn not_without_budget_a_model_or_a_normal_verdict() {
        let spent = bed("daily_usd = 0.02").judge.doubt_for_values(id(0), bed("").now);
        assert_eq!(spent, None, "a cent of two is spent");
        assert_eq!(Bed::with("", 1).judge.doubt_for_values(id(0), Timestamp::EPOCH), None, "never judged");
        for mode in ["off", "lines"] {
            let mut bed = bed("");
            bed.judge.reload(&toml::from_str(&format!("mode = '{mode}'")).expect("right"), Default::default());
            assert_eq!(bed.judge.doubt_for_values(id(0), bed.now), None, "{mode}");
        }
        for (verdict, model) in [(Verdict::Normal, OPERATOR), (Verdict::Watch, "m"), (Verdict::Anomalous, "m")] {
            let mut bed = bed("");
            let row = bed.judge.verdict(id(0)).cloned().expect("judged");
            bed.judge.decided(VerdictRow { verdict, model: model.to_owned(), ..row });
            assert_eq!(bed.judge.doubt_for_values(id(0), bed.now), None, "{verdict:?} {model}");
        }
    }

    #[test]
    fn whoever_writes_odd_values_asks_so_many_times() {
        let mut bed = bed("");
        let row = bed.judge.verdict(id(0)).cloned().expect("judged");
        let doubted = (0..MOST_A_DAY as u64 + 10).filter(|number| {
            bed.judge.decided(VerdictRow { kind: KindId(*number), ..row.clone() });
            bed.judge.doubt_for_values(KindId(*number), bed.now).is_some()
        });
        assert_eq!(doubted.count(), MOST_A_DAY);
    }
}
