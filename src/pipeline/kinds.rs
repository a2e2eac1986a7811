//! Every kind of line this host has said, with what was decided about it once. Counts; decides nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::detect::{Interest, Meters};
use crate::model::{Evidence, Kind, KindId, KindRow, Level, Phase, TemplateId, Timestamp, Verdict, VerdictRow};

/// Most kinds kept apart. Program names are log text, so somebody else decides how many there are: what comes beyond
/// this is filed under the program [`OTHERS`].
const MAX_KINDS: usize = 20_000;
/// An undecided kind is asked about again at the latest after this.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// Stands for the programs that came after the table was full.
const OTHERS: &str = "(others)";

/// What is known of one kind.
#[derive(Debug)]
pub struct KindState {
    pub id: KindId,
    pub kind: Kind,
    pub count: u64,
    pub live_count: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Part of the baseline.
    pub learned: bool,
    /// Detectors have seen it in this process; false after a restart, so that they remember their flags again.
    pub began: bool,
    pub interest: Interest,
    /// Where its lines are counted by time.
    pub meters: Meters,
    /// A rule speaks for it: no model needs to be asked.
    pub ruled: bool,
    /// Somebody made a finding of it in this process: an incident may speak of it.
    pub told: bool,
    pub answer: Answer,
    /// Its first line, for the question. Dropped once answered.
    pub sample: Option<Box<Evidence>>,
    /// What a detector found odd about the sample, where it is asked about again for that.
    pub odd: Option<&'static str>,
    /// Differs from its row in the store.
    pub dirty: bool,
    /// The kind in its place, since its template was merged away.
    moved: Option<u32>,
}

/// The judge's word, as far as the path of a line needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    None,
    Queued,
    /// Waits behind everything live until it speaks live itself.
    QueuedLow,
    /// Normal or watch: nothing to say about each line.
    Settled,
    /// Not to be asked about again before this.
    Undecided(Timestamp),
    Anomalous,
}

/// What a verdict means for the path of a line.
pub fn answer_to(row: &VerdictRow) -> Answer {
    match row.verdict {
        Verdict::Anomalous => Answer::Anomalous,
        // Doubted since: it is asked about once more.
        Verdict::Normal | Verdict::Watch if row.not_before.is_some() => Answer::None,
        Verdict::Normal | Verdict::Watch => Answer::Settled,
        Verdict::Undecided => Answer::Undecided(row.not_before.unwrap_or(row.judged_at)),
    }
}

/// Whether somebody who was not to be asked before `until` may be asked at `now`. Nobody waits longer than a day: what
/// would is from before the clock was set back.
pub fn may_ask(until: Timestamp, now: Timestamp) -> bool {
    now >= until || until.since(now) > LONGEST_WAIT
}

impl KindState {
    /// More lines of it change nothing.
    pub fn is_silent(&self) -> bool {
        match self.answer {
            Answer::Queued | Answer::Settled => !self.told,
            Answer::None | Answer::QueuedLow | Answer::Undecided(_) | Answer::Anomalous => false,
        }
    }

    pub fn row(&self) -> KindRow {
        KindRow {
            kind: self.kind.clone(),
            learned: self.learned,
            count: self.count,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
        }
    }
}

/// What [`Kinds::touch`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Touched {
    pub index: u32,
    pub new_kind: bool,
    /// First time this program says this template, at any level.
    pub new_template: bool,
    /// Worst level at which this program had said the template before this line.
    pub known_level: Option<Level>,
}

/// The table of kinds.
#[derive(Debug, Default)]
pub struct Kinds {
    states: Vec<KindState>,
    /// By number of program, level and template.
    index: HashMap<(u32, Level, TemplateId), u32>,
    /// Worst level at which a program said a template: novelty regardless of level.
    said: HashMap<(u32, TemplateId), Level>,
    /// Numbers of programs, in order of appearance.
    programs: HashMap<Arc<str>, u32>,
    /// Shared names, so that a program's kinds share one string.
    names: Vec<Arc<str>>,
    /// Some state differs from its row.
    any_dirty: bool,
    /// Kinds filed under [`OTHERS`].
    pub overflowed: u64,
}

impl Kinds {
    pub fn restore(&mut self, rows: Vec<KindRow>) {
        for row in rows {
            let (program, name) = self.program(&row.kind.program);
            let kind = Kind { program: name, ..row.kind };
            self.hear(program, kind.level, kind.template);
            self.insert(
                program,
                KindState {
                    id: kind.id(),
                    kind,
                    count: row.count,
                    live_count: 0,
                    first_seen: row.first_seen,
                    last_seen: row.last_seen,
                    learned: row.learned,
                    began: false,
                    interest: Interest::default(),
                    meters: Meters::default(),
                    ruled: false,
                    told: true,
                    answer: Answer::None,
                    sample: None,
                    odd: None,
                    dirty: false,
                    moved: None,
                },
            );
        }
    }

    /// Counts one line and says whether it is the first of its kind.
    pub fn touch(
        &mut self,
        program: &str,
        level: Level,
        template: TemplateId,
        time: Timestamp,
        phase: Phase,
    ) -> Touched {
        let number = match self.programs.get(program) {
            Some(number) => *number,
            None if self.states.len() < MAX_KINDS => self.program(program).0,
            None => {
                self.overflowed += 1;
                self.program(OTHERS).0
            }
        };
        let found = self.index.get(&(number, level, template)).copied();
        let known_level = match found {
            Some(_) => Some(level),
            None => self.hear(number, level, template),
        };
        let new_template = known_level.is_none();
        let index = match found {
            Some(index) => index,
            None => {
                let program = self.names.get(number as usize).map_or_else(|| OTHERS.into(), Arc::clone);
                let kind = Kind { program, level, template };
                self.insert(
                    number,
                    KindState {
                        id: kind.id(),
                        kind,
                        count: 0,
                        live_count: 0,
                        first_seen: time,
                        last_seen: time,
                        learned: phase == Phase::Learn,
                        began: false,
                        interest: Interest::default(),
                        meters: Meters::default(),
                        ruled: false,
                        told: true,
                        answer: Answer::None,
                        sample: None,
                        odd: None,
                        dirty: true,
                        moved: None,
                    },
                )
            }
        };
        self.count(index, time, phase);
        Touched { index, new_kind: found.is_none(), new_template, known_level }
    }

    /// Counts one more line of a kind that [`Kinds::touch`] found for a line of the same program, level and shape.
    #[inline]
    pub fn touch_again(&mut self, index: u32, time: Timestamp, phase: Phase) -> Option<Touched> {
        let level = self.count(index, time, phase)?;
        Some(Touched { index, new_kind: false, new_template: false, known_level: Some(level) })
    }

    /// Where the lines of a kind are counted now: its template may have become part of another one.
    #[inline]
    pub fn current(&self, index: u32) -> u32 {
        match self.get(index).and_then(|state| state.moved) {
            None => index,
            Some(moved) => self.followed(moved),
        }
    }

    #[cold]
    fn followed(&self, mut index: u32) -> u32 {
        // Each step leads to a kind that was there later; a longer way than there are kinds would be a circle.
        for _ in 0..self.states.len() {
            match self.get(index).and_then(|state| state.moved) {
                Some(moved) => index = moved,
                None => break,
            }
        }
        index
    }

    #[inline]
    fn count(&mut self, index: u32, time: Timestamp, phase: Phase) -> Option<Level> {
        let state = self.states.get_mut(index as usize)?;
        state.count += 1;
        state.first_seen = state.first_seen.min(time);
        state.last_seen = state.last_seen.max(time);
        state.dirty = true;
        self.any_dirty = true;
        match phase {
            Phase::Learn => state.learned = true,
            Phase::Live => state.live_count += 1,
        }
        Some(state.kind.level)
    }

    /// The lines of `gone` belong to `into` from now on: its kinds are known there already. Returns each kind that is
    /// gone with the one in its place.
    pub fn merge(&mut self, gone: TemplateId, into: TemplateId) -> Vec<(Kind, Kind)> {
        let moved: Vec<(u32, Kind, bool, Timestamp)> = (0..)
            .zip(&self.states)
            .filter(|(_, state)| state.kind.template == gone)
            .map(|(index, state)| {
                (index, Kind { template: into, ..state.kind.clone() }, state.learned, state.first_seen)
            })
            .collect();
        let pairs =
            moved.iter().map(|(_, kind, _, _)| (Kind { template: gone, ..kind.clone() }, kind.clone())).collect();
        for (index, kind, learned, first_seen) in moved {
            let phase = if learned { Phase::Learn } else { Phase::Live };
            let touched = self.touch(&kind.program, kind.level, into, first_seen, phase);
            if let Some(state) = self.get_mut(touched.index) {
                state.count = state.count.saturating_sub(1);
                // Where the way goes on from here, it never leads back.
                state.moved = None;
            }
            if let Some(state) = self.get_mut(index)
                && index != touched.index
            {
                state.moved = Some(touched.index);
            }
        }
        pairs
    }

    pub fn get(&self, index: u32) -> Option<&KindState> {
        self.states.get(index as usize)
    }

    pub fn get_mut(&mut self, index: u32) -> Option<&mut KindState> {
        self.states.get_mut(index as usize)
    }

    pub fn find(&self, kind: &Kind) -> Option<&KindState> {
        self.get(self.index_of(kind)?)
    }

    pub fn by_kind_mut(&mut self, kind: &Kind) -> Option<&mut KindState> {
        let index = self.index_of(kind)?;
        self.get_mut(index)
    }

    pub fn iter(&self) -> impl Iterator<Item = &KindState> {
        self.states.iter()
    }

    /// By its id; looks at every kind, so not for the path of a line.
    pub fn by_id(&self, id: KindId) -> Option<&KindState> {
        self.states.iter().find(|state| state.id == id)
    }

    /// As [`Kinds::by_id`].
    pub fn by_id_mut(&mut self, id: KindId) -> Option<&mut KindState> {
        self.states.iter_mut().find(|state| state.id == id)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut KindState> {
        self.states.iter_mut()
    }

    pub fn len(&self) -> usize {
        self.states.len()
    }

    pub fn any_dirty(&self) -> bool {
        self.any_dirty
    }

    /// Detectors have to look at every kind once more.
    pub fn begin_again(&mut self) {
        for state in &mut self.states {
            state.began = false;
            state.ruled = false;
        }
    }

    /// Rows that differ from the store; afterwards none does.
    pub fn take_dirty(&mut self) -> Vec<KindRow> {
        self.any_dirty = false;
        self.states.iter_mut().filter_map(|state| std::mem::take(&mut state.dirty).then(|| state.row())).collect()
    }

    fn index_of(&self, kind: &Kind) -> Option<u32> {
        let program = *self.programs.get(&kind.program)?;
        self.index.get(&(program, kind.level, kind.template)).copied()
    }

    /// Remembers the worst level of a program's template; gives what it was before.
    fn hear(&mut self, program: u32, level: Level, template: TemplateId) -> Option<Level> {
        let before = self.said.get(&(program, template)).copied();
        self.said.insert((program, template), before.map_or(level, |worst| worst.min(level)));
        before
    }

    /// Number and shared name of a program, old or new.
    fn program(&mut self, name: &str) -> (u32, Arc<str>) {
        if let Some((name, number)) = self.programs.get_key_value(name) {
            return (*number, Arc::clone(name));
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let name: Arc<str> = name.into();
        self.programs.insert(Arc::clone(&name), number);
        self.names.push(Arc::clone(&name));
        (number, name)
    }

    fn insert(&mut self, program: u32, state: KindState) -> u32 {
        let index = u32::try_from(self.states.len()).unwrap_or(u32::MAX);
        self.index.insert((program, state.kind.level, state.kind.template), index);
        self.states.push(state);
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(kinds: &mut Kinds, program: &str, level: Level, text: &str) -> (bool, bool) {
        let touched = kinds.touch(program, level, TemplateId::of(text), Timestamp::from_seconds(1), Phase::Live);
        (touched.new_kind, touched.new_template)
    }

    #[test]
    fn a_kind_is_program_level_and_template() {
        let mut kinds = Kinds::default();
        assert_eq!(touch(&mut kinds, "sshd", Level::Info, "a"), (true, true));
        assert_eq!(touch(&mut kinds, "sshd", Level::Info, "a"), (false, false));
        assert_eq!(touch(&mut kinds, "sshd", Level::Err, "a"), (true, false));
        assert_eq!(touch(&mut kinds, "cron", Level::Info, "a"), (true, true));
        assert_eq!(kinds.take_dirty().len(), 3);
        assert_eq!(kinds.take_dirty().len(), 0);
    }

    #[test]
    fn a_clock_set_back_lengthens_no_wait() {
        let hour = |hour: i64| Timestamp::from_seconds(1_000_000_000 + hour * 3_600);
        assert!(!may_ask(hour(24), hour(0)) && may_ask(hour(24), hour(24)) && may_ask(hour(25), hour(0)));
    }

    #[test]
    fn restored_and_merged_kinds_are_not_new() {
        let mut kinds = Kinds::default();
        touch(&mut kinds, "sshd", Level::Info, "a");
        let mut again = Kinds::default();
        again.restore(kinds.take_dirty());
        assert_eq!(touch(&mut again, "sshd", Level::Info, "a"), (false, false));
        again.merge(TemplateId::of("a"), TemplateId::of("b"));
        assert_eq!(touch(&mut again, "sshd", Level::Info, "b"), (false, false));
    }

    #[test]
    fn invented_programs_do_not_grow_the_table() {
        let mut kinds = Kinds::default();
        for n in 0..MAX_KINDS + 1_000 {
            touch(&mut kinds, &format!("p{n}"), Level::Info, "a");
        }
        assert_eq!(kinds.len(), MAX_KINDS + 1);
        assert_eq!(kinds.overflowed, 1_000);
    }
}
