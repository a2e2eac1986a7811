//! Is this reply an answer to our request, and which of its verdicts count? Everything is checked outside the model.

use std::collections::HashMap;

use super::reader::{self, Item, Said};
use crate::model::Verdict;

/// What a trustworthy reply to a request must contain.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Expected {
    pub nonce: String,
    /// Ids of the real items.
    pub ids: Vec<u64>,
    /// Ids of incidents.
    pub incidents: Vec<u64>,
    /// Id of the canary that is fine.
    pub good: u64,
    /// Id of the canary that is broken.
    pub bad: u64,
}

/// The verdicts that count, by id. An id that is not in here was left out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Belief {
    pub verdicts: HashMap<u64, Item>,
    /// What is said of incidents, by id.
    pub incidents: HashMap<u64, Said>,
    /// Entries with ids nobody asked about.
    pub unknown: u64,
    /// Entries beyond the first for one id.
    pub duplicate: u64,
    /// Entries that had no usable form.
    pub malformed: u64,
}

/// Why no verdict of a reply counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Distrust {
    #[error("the answer holds no verdicts that can be read")]
    Unreadable,
    #[error("the answer belongs to another request")]
    Nonce,
    #[error("a control item with a known answer was left out")]
    CanaryMissing,
    #[error("a control item with a known answer was judged wrongly")]
    CanaryWrong,
}

/// Reads a reply and drops whatever was not asked for. Two different verdicts for one id leave it unanswered.
pub fn believe(text: &str, expected: &Expected) -> Result<Belief, Distrust> {
    let reply = reader::read(text).ok_or(Distrust::Unreadable)?;
    // A model that leaves the nonce out is still held by random ids and canaries; one that answers another is not ours.
    if reply.nonce.as_ref().is_some_and(|nonce| *nonce != expected.nonce) {
        return Err(Distrust::Nonce);
    }
    let mut belief = Belief { malformed: reply.malformed, ..Belief::default() };
    let mut conflicting = Vec::new();
    for item in reply.items {
        if !expected.ids.contains(&item.id) && item.id != expected.good && item.id != expected.bad {
            belief.unknown += 1;
            continue;
        }
        match belief.verdicts.get(&item.id) {
            None => {
                belief.verdicts.insert(item.id, item);
            }
            Some(first) => {
                belief.duplicate += 1;
                if first.verdict != item.verdict {
                    conflicting.push(item.id);
                }
            }
        }
    }
    for id in conflicting {
        belief.verdicts.remove(&id);
    }
    let mut conflicting = Vec::new();
    for said in reply.incidents {
        if !expected.incidents.contains(&said.id) {
            belief.unknown += 1;
            continue;
        }
        match belief.incidents.get(&said.id) {
            None => {
                belief.incidents.insert(said.id, said);
            }
            Some(first) => {
                belief.duplicate += 1;
                if *first != said {
                    conflicting.push(said.id);
                }
            }
        }
    }
    for id in conflicting {
        belief.incidents.remove(&id);
    }
    let good = belief.verdicts.remove(&expected.good).ok_or(Distrust::CanaryMissing)?;
    let bad = belief.verdicts.remove(&expected.bad).ok_or(Distrust::CanaryMissing)?;
    if good.verdict == Verdict::Anomalous || bad.verdict != Verdict::Anomalous {
        return Err(Distrust::CanaryWrong);
    }
    Ok(belief)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items 1 and 2, good canary 8, bad canary 9, nonce `n`.
    #[track_caller]
    fn check(verdicts: &str, expected: Result<&str, Distrust>) {
        check_text(&format!("{{\"nonce\":\"n\",\"verdicts\":[{}]}}", entries(verdicts)), expected);
    }

    #[track_caller]
    fn check_text(text: &str, expected: Result<&str, Distrust>) {
        let question = Expected { nonce: "n".to_owned(), ids: vec![1, 2], incidents: vec![5], good: 8, bad: 9 };
        let got = believe(text, &question).map(|belief| {
            let mut verdicts: Vec<_> =
                belief.verdicts.values().map(|item| format!("{}{}", item.id, letter(item.verdict))).collect();
            verdicts.sort();
            format!("{} -{}u{}d", verdicts.join(" "), belief.unknown, belief.duplicate)
        });
        assert_eq!(got.as_deref(), expected.as_ref().map(|text| *text), "{text}");
    }

    fn letter(verdict: Verdict) -> char {
        verdict.as_str().chars().next().unwrap()
    }

    /// `1n 9a` -> two entries.
    fn entries(short: &str) -> String {
        let entry = |word: &str| {
            let (id, letter) = word.split_at(word.len() - 1);
            let verdict = match letter {
                "n" => "normal",
                "a" => "anomalous",
                "w" => "watch",
                _ => "?",
            };
            format!("{{\"id\":{id},\"verdict\":\"{verdict}\",\"confidence\":1}}")
        };
        short.split(' ').filter(|word| !word.is_empty()).map(entry).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn right_canaries_make_an_answer() {
        check("1n 2a 8n 9a", Ok("1n 2a -0u0d"));
        check("9a 2w 8w 1n", Ok("1n 2w -0u0d"));
        check("8n 9a", Ok(" -0u0d"));
    }

    #[test]
    fn ids_are_ours_and_once() {
        check("1n 2a 8n 9a 3a 4n", Ok("1n 2a -2u0d"));
        check("1n 1n 2a 8n 9a", Ok("1n 2a -0u1d"));
        check("1n 1a 2a 8n 9a", Ok("2a -0u1d"));
        check("1n 1a 1n 2a 8n 9a", Ok("2a -0u2d"));
    }

    #[test]
    fn wrong_canaries_discard_everything() {
        check("1n 2n 8n 9n", Err(Distrust::CanaryWrong));
        check("1a 2a 8a 9a", Err(Distrust::CanaryWrong));
        check("1n 2n 8n 9w", Err(Distrust::CanaryWrong));
        check("1n 2n 8n", Err(Distrust::CanaryMissing));
        check("1n 2n 9a", Err(Distrust::CanaryMissing));
        check("1n 8n 9a 9n", Err(Distrust::CanaryMissing));
        check("", Err(Distrust::CanaryMissing));
    }

    #[test]
    fn incidents_are_ours_and_once() {
        let expected = Expected { nonce: "n".to_owned(), ids: Vec::new(), incidents: vec![5, 6], good: 8, bad: 9 };
        let told = |incidents: &str| {
            let text = format!("{{\"verdicts\":[{}],\"incidents\":[{incidents}]}}", entries("8n 9a"));
            let mut ids: Vec<u64> = believe(&text, &expected).unwrap().incidents.into_keys().collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(told(r#"{"id":5,"reason":"a"},{"id":7,"reason":"b"},{"id":6,"reason":"c"}"#), [5, 6]);
        assert_eq!(told(r#"{"id":5,"reason":"a"},{"id":5,"reason":"a"}"#), [5]);
        assert_eq!(told(r#"{"id":5,"reason":"a"},{"id":5,"reason":"b"}"#), Vec::<u64>::new());
    }

    #[test]
    fn the_nonce_may_be_left_out_but_not_wrong() {
        check_text(&format!("{{\"verdicts\":[{}]}}", entries("1n 8n 9a")), Ok("1n -0u0d"));
        check_text(&format!("{{\"nonce\":\"old\",\"verdicts\":[{}]}}", entries("1n 8n 9a")), Err(Distrust::Nonce));
        check_text("I will not.", Err(Distrust::Unreadable));
    }
}
