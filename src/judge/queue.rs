//! Questions that wait: each kind once, live ones before learned ones, the urgent first. Bounded; says when it is full.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::model::{KindId, Level, Question, Timestamp};

/// Most questions held.
const MAX_QUESTIONS: usize = 100_000;
/// No question waits longer for its time. One that would is from before the clock was set back.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// Most text held.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Waiting and asked questions by kind.
#[derive(Debug, Default)]
pub struct Queue {
    questions: HashMap<KindId, Entry>,
    /// May be asked now, best first.
    ready: BTreeSet<Rank>,
    /// Not before their time, soonest first.
    later: BTreeSet<(Timestamp, KindId)>,
    /// Sum of the texts.
    bytes: usize,
    next_number: u64,
}

#[derive(Debug)]
struct Entry {
    question: Question,
    /// Order of arrival.
    number: u64,
}

/// Smallest first: live before learned, urgent levels before others, then by arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Rank {
    low_priority: bool,
    calm: bool,
    number: u64,
    kind: KindId,
}

impl Queue {
    /// Adds a question whose kind is not in yet. False when the queue is full.
    ///
    /// Single lines leave an eighth of the room to kinds, so that a flood of lines can still be asked about by kind.
    pub fn push(&mut self, question: Question) -> bool {
        let size = size(&question);
        let is_line = question.id != question.kind.id();
        let share = |room: usize| if is_line { room / 8 * 7 } else { room };
        if self.questions.len() >= share(MAX_QUESTIONS) || self.bytes.saturating_add(size) > share(MAX_BYTES) {
            return false;
        }
        self.insert(question);
        true
    }

    /// Adds without a limit: what the store gave back was accepted once.
    pub fn insert(&mut self, question: Question) {
        let kind = question.id;
        self.remove(kind);
        self.bytes = self.bytes.saturating_add(size(&question));
        let number = self.next_number;
        self.next_number += 1;
        self.questions.insert(kind, Entry { question, number });
        self.wait(kind);
    }

    pub fn get(&self, kind: KindId) -> Option<&Question> {
        self.questions.get(&kind).map(|entry| &entry.question)
    }

    /// The question to be changed; call [`Queue::wait`] afterwards when it should be asked (again).
    pub fn get_mut(&mut self, kind: KindId) -> Option<&mut Question> {
        self.set_aside(kind);
        self.questions.get_mut(&kind).map(|entry| &mut entry.question)
    }

    pub fn remove(&mut self, kind: KindId) -> Option<Question> {
        self.set_aside(kind);
        let entry = self.questions.remove(&kind)?;
        self.bytes = self.bytes.saturating_sub(size(&entry.question));
        Some(entry.question)
    }

    /// Takes up to `count` questions out of waiting, best first; they stay known. `with_low` lets learned ones in.
    pub fn take(&mut self, count: usize, with_low: bool) -> Vec<KindId> {
        let best: Vec<Rank> =
            self.ready.iter().filter(|rank| with_low || !rank.low_priority).take(count).copied().collect();
        best.into_iter()
            .map(|rank| {
                self.ready.remove(&rank);
                rank.kind
            })
            .collect()
    }

    /// Puts a known question back in line, at its old place or behind its time.
    pub fn wait(&mut self, kind: KindId) {
        self.set_aside(kind);
        let Some(entry) = self.questions.get(&kind) else { return };
        match entry.question.not_before {
            Some(time) => {
                self.later.insert((time, kind));
            }
            None => {
                self.ready.insert(rank(entry));
            }
        }
    }

    /// Brings in line what has waited long enough.
    pub fn tick(&mut self, now: Timestamp) {
        let latest = now.saturating_add(LONGEST_WAIT);
        while let Some((_, kind)) = self.later.last().copied().filter(|(time, _)| *time > latest) {
            self.set_aside(kind);
            let Some(entry) = self.questions.get_mut(&kind) else { break };
            entry.question.not_before = Some(latest);
            self.later.insert((latest, kind));
        }
        while let Some((time, kind)) = self.later.first().copied() {
            if time > now {
                break;
            }
            self.later.pop_first();
            if let Some(entry) = self.questions.get_mut(&kind) {
                entry.question.not_before = None;
                self.ready.insert(rank(entry));
            }
        }
    }

    /// Questions that could be asked at `now`; learned ones only `with_low`.
    pub fn waiting(&self, now: Timestamp, with_low: bool) -> usize {
        let delayed = self.later.iter().take_while(|(time, _)| *time <= now).count();
        let live = |rank: &&Rank| with_low || !rank.low_priority;
        // Learned ones stand at the end: this looks at no more than it counts.
        self.ready.iter().take_while(live).count() + delayed
    }

    /// When the next delayed question may be asked.
    pub fn next_time(&self) -> Option<Timestamp> {
        self.later.first().map(|(time, _)| *time)
    }

    fn set_aside(&mut self, kind: KindId) {
        if let Some(entry) = self.questions.get(&kind) {
            self.ready.remove(&rank(entry));
            if let Some(time) = entry.question.not_before {
                self.later.remove(&(time, kind));
            }
        }
    }
}

fn rank(entry: &Entry) -> Rank {
    Rank {
        low_priority: entry.question.low_priority,
        calm: entry.question.kind.level > Level::Err,
        number: entry.number,
        kind: entry.question.id,
    }
}

fn size(question: &Question) -> usize {
    200 + question.template.len() + question.samples.iter().map(|evidence| evidence.line.len() + 100).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, TemplateId};

    fn question(number: u64, is_line: bool) -> Question {
        let kind = Kind { program: "app".into(), level: Level::Info, template: TemplateId(number) };
        Question {
            id: if is_line { KindId(number) } else { kind.id() },
            kind,
            template: String::new(),
            host: String::new(),
            count: 1,
            first_seen: Timestamp::EPOCH,
            last_seen: Timestamp::EPOCH,
            samples: Vec::new(),
            odd: String::new(),
            low_priority: false,
            missed: 0,
            not_before: None,
        }
    }

    #[test]
    fn a_clock_set_back_lengthens_no_wait() {
        let mut queue = Queue::default();
        let hours =
            |hours: u64| Timestamp::from_seconds(1_000_000_000).saturating_add(Duration::from_secs(hours * 3600));
        for number in 0..3 {
            assert!(queue.push(question(number, false)));
        }
        let kinds = queue.take(3, true);
        for (kind, time) in kinds.iter().zip([hours(1), hours(24), hours(9_000)]) {
            queue.get_mut(*kind).unwrap().not_before = Some(time);
            queue.wait(*kind);
        }
        queue.tick(hours(0));
        assert_eq!(queue.next_time(), Some(hours(1)));
        queue.tick(hours(24));
        assert_eq!((queue.next_time(), queue.waiting(hours(24), true)), (None, 3));
    }

    #[test]
    fn lines_leave_room_for_kinds() {
        let mut queue = Queue::default();
        let lines = (0..MAX_QUESTIONS as u64).filter(|number| queue.push(question(*number, true))).count();
        assert_eq!(lines, MAX_QUESTIONS / 8 * 7);
        let kinds = (0..MAX_QUESTIONS as u64).filter(|number| queue.push(question(*number, false))).count();
        assert_eq!(lines + kinds, MAX_QUESTIONS);
    }
}
