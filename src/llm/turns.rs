//! Which of the configured models is asked? The first that is not known to be out of quota, gone or overloaded.
//!
//! Knows no names: models are places in the list. Reads no clock: the caller says what time it is.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::JudgeFailure;

/// What is known of the models between requests.
pub struct Turns {
    /// Until when each is left alone. std Mutex: never held across an await.
    away: Mutex<Vec<Option<Instant>>>,
}

/// The models of one request. Each is left at most once.
pub struct Turn<'a> {
    turns: &'a Turns,
    model: usize,
    left: Vec<usize>,
    /// What the models said that were left, the mildest.
    mildest: Option<JudgeFailure>,
}

impl Turns {
    pub fn new(models: usize) -> Turns {
        Turns { away: Mutex::new(vec![None; models.max(1)]) }
    }

    /// Begins with the first model that is not away; when all are, with the one that is back soonest.
    pub fn begin(&self, now: Instant) -> Turn<'_> {
        let mut away = self.lock();
        for until in away.iter_mut() {
            *until = until.filter(|until| *until > now);
        }
        let soonest = away.iter().enumerate().min_by_key(|(at, until)| (**until, *at)).map_or(0, |(at, _)| at);
        Turn { turns: self, model: soonest, left: Vec::new(), mildest: None }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Instant>>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    pub fn model(&self) -> usize {
        self.model
    }

    /// Leaves the model alone for `period`. True when another one can be asked now.
    pub fn leave(&mut self, period: Duration, said: JudgeFailure, now: Instant) -> bool {
        let mut away = self.turns.lock();
        if let Some(until) = away.get_mut(self.model) {
            *until = Some(now + period);
        }
        self.left.push(self.model);
        let next = (0..away.len()).find(|at| {
            !self.left.contains(at) && away.get(*at).is_some_and(|until| until.is_none_or(|until| until <= now))
        });
        let Some(next) = next else { return false };
        drop(away);
        self.mildest = Some(milder(self.mildest.take(), said));
        self.model = next;
        true
    }

    /// What the judge is told when the last model failed too: what is over soonest, not before any model is back.
    pub fn end(self, last: JudgeFailure, now: Instant) -> JudgeFailure {
        let away = self.turns.lock();
        let others = away.iter().enumerate().filter(|(at, _)| !self.left.contains(at));
        // Models that earlier requests left are away too.
        let back = others.filter_map(|(_, until)| Some(until.as_ref()?.duration_since(now))).min();
        drop(away);
        match (milder(self.mildest, last), back) {
            (JudgeFailure::Later { reason, after }, Some(back)) if !self.left.is_empty() => {
                JudgeFailure::Later { reason, after: after.min(back) }
            }
            (other, _) => other,
        }
    }
}

/// What needs no person, and is over sooner. What the content of a request did is about the last model alone.
fn milder(known: Option<JudgeFailure>, new: JudgeFailure) -> JudgeFailure {
    match (known, new) {
        (Some(JudgeFailure::Later { reason, after }), JudgeFailure::Later { after: new_after, .. })
            if after <= new_after =>
        {
            JudgeFailure::Later { reason, after }
        }
        (Some(later @ JudgeFailure::Later { .. }), JudgeFailure::Stop { .. }) => later,
        (_, new) => new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn later(seconds: u64) -> JudgeFailure {
        JudgeFailure::Later { reason: format!("in {seconds}"), after: Duration::from_secs(seconds) }
    }

    fn stop() -> JudgeFailure {
        JudgeFailure::Stop { reason: "gone".to_owned() }
    }

    #[test]
    fn one_model_has_nobody_to_stand_in() {
        let (turns, now) = (Turns::new(1), Instant::now());
        let mut turn = turns.begin(now);
        assert!(!turn.leave(HOUR, later(3600), now));
        assert_eq!(turn.end(later(3600), now), later(3600));
        assert_eq!(turns.begin(now).model(), 0, "the judge decides when to ask again");
    }

    #[test]
    fn the_next_model_is_asked_until_the_first_is_back() {
        let (turns, now) = (Turns::new(3), Instant::now());
        let mut turn = turns.begin(now);
        assert!(turn.leave(HOUR, later(3600), now));
        assert!(turn.leave(HOUR * 2, stop(), now));
        assert_eq!(turn.model(), 2);
        assert_eq!(turns.begin(now).model(), 2);
        assert_eq!(turns.begin(now + HOUR).model(), 0);
    }

    #[test]
    fn the_mildest_of_all_is_said() {
        let (turns, now) = (Turns::new(2), Instant::now());
        let mut turn = turns.begin(now);
        assert!(turn.leave(Duration::from_secs(50), later(50), now));
        assert!(!turn.leave(HOUR, stop(), now));
        assert_eq!(turn.end(stop(), now), later(50));
        let mut turn = turns.begin(now);
        assert_eq!(turn.model(), 0, "back soonest");
        assert!(!turn.leave(HOUR * 9, later(9 * 3600), now));
        assert_eq!(turn.end(later(9 * 3600), now), JudgeFailure::Later { reason: "in 32400".to_owned(), after: HOUR });
    }
}
