//! A source that spoke regularly and says nothing any more: noticed once, and once more when it is back. Knows sources;
//! kinds of lines that stop are a detector's business.
//!
//! Time is `now`: nothing is held against a source while we ourselves do not listen (learning, suspended, no room).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rhythm::Rhythm;
use crate::model::{Phase, Timestamp};

/// Most sources listened for; beyond it the one that was silent longest is forgotten.
const MAX_VOICES: usize = 20_000;
/// Sources kept over a restart, those with the most lines.
const MAX_SAVED: usize = 512;
/// Nobody looked for so long: the host slept, or we did.
const SLEPT: Duration = Duration::from_secs(15);
/// Blocks closer than this come from a backlog.
const BACKLOG: Duration = Duration::from_millis(50);

/// All voices, by name.
#[derive(Debug, Default)]
pub struct Silence {
    voices: HashMap<Arc<str>, Voice>,
    /// No voice is missed before this.
    next: Option<Timestamp>,
    /// We heard nothing before this.
    deaf_until: Timestamp,
    looked: Option<Timestamp>,
    /// Voices that were told to be silent and still are.
    missed: usize,
    dirty: bool,
}

/// One source, or all sources whose names differ in a date only.
#[derive(Clone, Debug, Default)]
pub struct Voice {
    name: Arc<str>,
    rhythm: Rhythm,
    /// When it last spoke, by our clock.
    heard: Timestamp,
    /// Since when it is silent, once that was said.
    missed: Option<Timestamp>,
    lines: u64,
    stamped: bool,
}

/// What became of a voice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    Silent { name: Arc<str>, since: Timestamp, usual: Duration, patience: Duration },
    Back { name: Arc<str>, after: Duration },
}

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    voices: Vec<SavedVoice>,
}

#[derive(Serialize, Deserialize)]
struct SavedVoice {
    name: Arc<str>,
    heard: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missed: Option<Timestamp>,
    rhythm: Rhythm,
}

impl Voice {
    /// A log that only taught may have ended long before us.
    fn has_been_heard(&self) -> bool {
        self.heard > Timestamp::EPOCH
    }

    /// One line with the time it says of itself.
    pub fn line(&mut self, stamp: Option<Timestamp>) {
        self.lines += 1;
        if let Some(time) = stamp {
            self.stamped = true;
            self.rhythm.line(time);
        }
    }
}

impl Silence {
    /// The voice of `source`, to be given back with [`Silence::heard`] after its lines.
    pub fn listen(&mut self, source: &Arc<str>) -> Voice {
        let found = if has_date(source) { self.voices.remove(&*dateless(source)) } else { self.voices.remove(source) };
        let mut voice = found.unwrap_or_else(|| Voice {
            name: if has_date(source) { dateless(source).into() } else { Arc::clone(source) },
            ..Voice::default()
        });
        (voice.lines, voice.stamped) = (0, false);
        voice
    }

    /// Its lines have passed. Says when it is back after a silence that was told.
    pub fn heard(&mut self, mut voice: Voice, phase: Phase, now: Timestamp) -> Option<Heard> {
        let spoke = voice.lines > 0;
        let live = phase == Phase::Live;
        if spoke && !voice.stamped {
            // Only our clock tells when it spoke, and only while it is not read from a backlog.
            match live && now.since(voice.heard) >= BACKLOG {
                true => voice.rhythm.line(now),
                false => voice.rhythm.more(1),
            }
            voice.rhythm.more(voice.lines - 1);
        }
        let mut back = None;
        if spoke && live {
            self.dirty = true;
            self.missed -= usize::from(voice.missed.is_some());
            back =
                voice.missed.take().map(|since| Heard::Back { name: Arc::clone(&voice.name), after: now.since(since) });
            voice.heard = now;
        }
        if voice.missed.is_none()
            && voice.has_been_heard()
            && let Some(patience) = voice.rhythm.patience()
        {
            let due = voice.heard.max(self.deaf_until).saturating_add(patience);
            self.next = Some(self.next.map_or(due, |next| next.min(due)));
        }
        self.make_room();
        self.voices.insert(Arc::clone(&voice.name), voice);
        back
    }

    /// The source is gone for good, and was read to its end.
    pub fn ended(&mut self, source: &str) {
        if let Some(voice) = self.voices.remove(source) {
            self.missed -= usize::from(voice.missed.is_some());
            self.dirty = true;
        }
    }

    /// Nothing can be heard now, whoever speaks.
    pub fn deaf(&mut self, now: Timestamp) {
        self.deaf_until = self.deaf_until.max(now);
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.next
    }

    /// Who is missed since the last look.
    pub fn look(&mut self, now: Timestamp) -> Vec<Heard> {
        if self.looked.is_none_or(|looked| now.since(looked) > SLEPT) {
            self.deaf(now);
        }
        self.looked = Some(now);
        if self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        self.next = None;
        let mut missed = Vec::new();
        for voice in self.voices.values_mut().filter(|voice| voice.missed.is_none() && voice.has_been_heard()) {
            let Some(patience) = voice.rhythm.patience() else { continue };
            let due = voice.heard.max(self.deaf_until).saturating_add(patience);
            if due > now {
                self.next = Some(self.next.map_or(due, |next| next.min(due)));
                continue;
            }
            voice.missed = Some(voice.heard);
            self.missed += 1;
            self.dirty = true;
            missed.push(Heard::Silent {
                name: Arc::clone(&voice.name),
                since: voice.heard,
                usual: voice.rhythm.usual(),
                patience,
            });
        }
        missed.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        missed
    }

    /// Voices that were told to be silent and still are.
    pub fn missed(&self) -> usize {
        self.missed
    }

    /// What to keep, when something changed since the last call.
    pub fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        let mut voices: Vec<&Voice> = self.voices.values().filter(|voice| voice.rhythm.is_regular()).collect();
        voices.sort_unstable_by(|one, other| other.heard.cmp(&one.heard).then_with(|| one.name.cmp(&other.name)));
        let saved = |voice: &Voice| SavedVoice {
            name: Arc::clone(&voice.name),
            heard: voice.heard,
            missed: voice.missed,
            rhythm: voice.rhythm.clone(),
        };
        let voices = voices.into_iter().take(MAX_SAVED).map(saved).collect();
        serde_json::to_string(&Saved { v: 1, voices }).ok()
    }

    /// What an earlier process knew. Whoever spoke then is listened for from now on.
    ///
    /// # Errors
    /// When the text is not ours; every rhythm is then learned anew.
    pub fn restore(&mut self, json: &str, now: Timestamp) -> Result<(), serde_json::Error> {
        let saved: Saved = serde_json::from_str(json)?;
        self.deaf(now);
        for SavedVoice { name, heard, missed, rhythm } in saved.voices {
            self.missed += usize::from(missed.is_some());
            let voice = Voice { name: Arc::clone(&name), rhythm, heard, missed, ..Voice::default() };
            self.voices.insert(name, voice);
        }
        self.next = Some(now);
        Ok(())
    }

    fn make_room(&mut self) {
        if self.voices.len() < MAX_VOICES {
            return;
        }
        let longest = self.voices.values().min_by_key(|voice| voice.heard).map(|voice| Arc::clone(&voice.name));
        if let Some(name) = longest {
            self.ended(&name);
        }
    }
}

impl Heard {
    fn name(&self) -> &Arc<str> {
        match self {
            Heard::Silent { name, .. } | Heard::Back { name, .. } => name,
        }
    }
}

/// A log that gets a name of its own every day goes on under the next one.
fn dateless(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        if let Some(length) = date_length(rest) {
            out.push_str("<date>");
            rest = rest.get(length..).unwrap_or_default();
        } else if first.is_ascii_digit() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            out.push_str(rest.get(..digits).unwrap_or_default());
            rest = rest.get(digits..).unwrap_or_default();
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

fn has_date(name: &str) -> bool {
    let starts = |at: usize| at == 0 || !name.as_bytes().get(at - 1).is_some_and(u8::is_ascii_digit);
    name.char_indices().any(|(at, _)| starts(at) && name.get(at..).and_then(date_length).is_some())
}

/// Length of `20261122` or `2026-11-22` (also with `_` or `.`) at the beginning of `text`.
fn date_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize, count: usize| {
        bytes.get(from..from + count).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let separator = |at: usize| bytes.get(at).is_some_and(|byte| b"-_.".contains(byte));
    let length = if digits(0, 8) {
        8
    } else if digits(0, 4) && separator(4) && digits(5, 2) && separator(7) && digits(8, 2) {
        10
    } else {
        return None;
    };
    let year = matches!(bytes.get(..2), Some(b"19" | b"20"));
    (year && !bytes.get(length).is_some_and(u8::is_ascii_digit)).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_790_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(START + second)
    }

    /// `count` lines a second apart, the last one at `until`, all live.
    fn speak(silence: &mut Silence, name: &str, until: i64, count: i64) -> Vec<Heard> {
        let mut said = Vec::new();
        for second in until - count + 1..=until {
            let mut voice = silence.listen(&Arc::from(name));
            voice.line(Some(at(second)));
            said.extend(silence.heard(voice, Phase::Live, at(second)));
            said.extend(silence.look(at(second)));
        }
        said
    }

    /// Looks every second from `from` to `to`; gives who is missed, and when.
    fn wait(silence: &mut Silence, from: i64, to: i64) -> Vec<(i64, String)> {
        (from..=to)
            .flat_map(|second| {
                silence.look(at(second)).into_iter().map(move |heard| (second, heard.name().to_string()))
            })
            .collect()
    }

    #[test]
    fn silence_is_said_once_and_so_is_its_end() {
        let mut silence = Silence::default();
        assert_eq!(speak(&mut silence, "a", 60, 60), []);
        assert_eq!(wait(&mut silence, 61, 200), [(80, "a".to_owned())]);
        assert_eq!(silence.missed(), 1);
        let back = speak(&mut silence, "a", 240, 1);
        assert_eq!(back, [Heard::Back { name: "a".into(), after: Duration::from_secs(180) }]);
        assert_eq!((speak(&mut silence, "a", 260, 20), silence.missed()), (vec![], 0));
    }

    #[test]
    fn what_never_spoke_regularly_is_not_missed() {
        let mut silence = Silence::default();
        speak(&mut silence, "a", 20, 20);
        assert_eq!(wait(&mut silence, 21, 500), []);
    }

    #[test]
    fn nobody_is_missed_while_we_do_not_listen() {
        let mut silence = Silence::default();
        speak(&mut silence, "a", 60, 60);
        // Suspended for an hour, then no room for a minute.
        assert_eq!(silence.look(at(3_660)), []);
        (3_661..3_720).for_each(|second| {
            silence.deaf(at(second));
            assert_eq!(silence.look(at(second)), []);
        });
        assert_eq!(wait(&mut silence, 3_720, 3_800), [(3_739, "a".to_owned())]);
    }

    #[test]
    fn a_restart_goes_on_listening() {
        let mut silence = Silence::default();
        speak(&mut silence, "a", 60, 60);
        speak(&mut silence, "b", 60, 60);
        speak(&mut silence, "b", 75, 15);
        assert_eq!(wait(&mut silence, 76, 85), [(80, "a".to_owned())]);
        let json = silence.save().expect("changed");
        assert_eq!(silence.save(), None);
        let mut again = Silence::default();
        again.restore(&json, at(100)).expect("ours");
        assert_eq!(wait(&mut again, 100, 300), [(120, "b".to_owned())]);
    }

    #[test]
    fn a_log_with_a_new_name_every_day_goes_on() {
        let mut silence = Silence::default();
        speak(&mut silence, "/l/app-2026-11-21.log", 60, 60);
        speak(&mut silence, "/l/app-2026-11-22.log", 120, 60);
        assert_eq!(wait(&mut silence, 121, 130), []);
        let names = |text: &str| dateless(text);
        assert_eq!(names("/l/app-20261122.log"), "/l/app-<date>.log");
        assert_eq!(names("/l/ä2026.11.22-3"), "/l/ä<date>-3");
        assert_eq!(names("/l/worker-12345678901.log"), "/l/worker-12345678901.log");
        assert!(has_date("/l/app-2026-11-22.log") && !has_date("/l/worker-7.log") && !has_date("120261122"));
    }

    #[test]
    fn lines_without_a_time_are_told_by_ours() {
        let mut silence = Silence::default();
        for (second, phase) in (0..40).map(|n| (n, Phase::Live)) {
            let mut voice = silence.listen(&Arc::from("a"));
            voice.line(None);
            assert_eq!(silence.heard(voice, phase, at(second * 60)), None);
            silence.looked = Some(at(second * 60));
        }
        assert_eq!(wait(&mut silence, 39 * 60, 4_000), [(39 * 60 + 609, "a".to_owned())]);
    }
}
