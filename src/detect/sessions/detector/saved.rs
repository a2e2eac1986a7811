//! What outlives a restart: what is usual of each sort of sessions, and the sessions under way. Judges none.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::shape::Shape;
use super::{ID_BYTES, MAX_LINES, SORTS, Session, Sessions, Sort, key_of};

/// Sessions under way that are kept over a restart, those with the newest lines.
const MAX_SAVED: usize = 1_000;
/// Longer ids may have been cut.
const WHOLE_BYTES: usize = ID_BYTES - 4;

/// What outlives a restart. Versioned: add fields, never change one.
#[derive(Deserialize)]
struct Saved {
    #[expect(dead_code, reason = "read once there are two")]
    version: u32,
    sorts: Vec<SavedSort>,
    /// Sessions under way, each with the place of its sort.
    #[serde(default)]
    sessions: Vec<(u16, Session)>,
}

#[derive(Serialize)]
struct SavedRef<'a> {
    version: u32,
    sorts: Vec<SavedSort>,
    sessions: Vec<(usize, &'a Session)>,
}

#[derive(Serialize, Deserialize)]
struct SavedSort {
    host: Arc<str>,
    name: Box<str>,
    shape: Shape,
    begun: u32,
}

const VERSION: u32 = 1;

impl Sessions {
    /// State to keep, when it changed since the last call.
    pub(super) fn saved(&mut self) -> Option<String> {
        let went_on = std::mem::replace(&mut self.saved_latest, self.latest) != self.latest;
        if !std::mem::take(&mut self.changed) && !went_on {
            return None;
        }
        let followed = |number: u16| self.sorts.get(usize::from(number)).is_some_and(|sort| !sort.given_up);
        let mut open: Vec<(&u64, &Session)> = (self.sessions.iter())
            .filter(|(_, session)| session.id.len() <= WHOLE_BYTES && session.lines <= MAX_LINES)
            .filter(|(_, session)| followed(session.sort))
            .collect();
        open.sort_unstable_by_key(|(key, session)| (std::cmp::Reverse(session.last), **key));
        open.truncate(MAX_SAVED);
        let in_use: BTreeSet<u16> = open.iter().map(|(_, session)| session.sort).collect();
        let kept: Vec<(u16, &Sort)> = (0..)
            .zip(&self.sorts)
            .filter(|(number, sort)| sort.shape.sessions > 0 || in_use.contains(number))
            .collect();
        let sessions = open
            .into_iter()
            .filter_map(|(_, session)| {
                let place = kept.binary_search_by_key(&session.sort, |(number, _)| *number).ok()?;
                Some((place, session))
            })
            .collect();
        let sorts = kept
            .iter()
            .map(|(_, sort)| SavedSort {
                host: Arc::clone(&sort.host),
                name: sort.name.clone(),
                // What a sort without a rule looks like is of no use.
                shape: if sort.given_up { Shape::default() } else { sort.shape.clone() },
                begun: sort.begun,
            })
            .collect();
        serde_json::to_string(&SavedRef { version: VERSION, sorts, sessions }).ok()
    }

    /// Takes back what [`Sessions::saved`] gave.
    pub(super) fn resume(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut numbers = Vec::new();
        for saved in saved.sorts.into_iter().take(SORTS) {
            let number = self.sort(&saved.host, saved.name.into_string());
            numbers.push(number);
            let Some(number) = number else { continue };
            if let Some(sort) = self.sorts.get_mut(usize::from(number)) {
                (sort.shape, sort.begun) = (saved.shape, saved.begun);
                sort.give_up();
            }
        }
        for (place, mut session) in saved.sessions.into_iter().take(MAX_SAVED) {
            let Some(Some(number)) = numbers.get(usize::from(place)).copied() else { continue };
            let known = self.sorts.get(usize::from(number)).map_or(0, |sort| sort.shape.kinds.len());
            let is_known = |step: u8| usize::from(step) < known;
            if !is_known(session.last_step) || !session.counts.iter().all(|(step, _)| is_known(*step)) {
                continue;
            }
            session.sort = number;
            self.latest = self.latest.max(session.last);
            let key = key_of(&session.id, number);
            self.resumed.push(key);
            self.sessions.insert(key, session);
        }
        Ok(())
    }
}
