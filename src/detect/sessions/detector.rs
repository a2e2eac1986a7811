//! Follows sessions by their ids and words what is odd about one. What is usual is `shape`'s to say.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::id;
use super::shape::{Break, Shape, Step, What};
use crate::detect::keyed::ById;
use crate::detect::mark::{Mark, Marks, Spot};
use crate::detect::recent::Recent;
use crate::detect::repeat::{Repeat, Report, apart};
use crate::detect::wording;
use crate::detect::{Detector, Seen, View, Want};
use crate::model::{
    Category, Evidence, Finding, JudgedBy, Level, Period, Phase, Severity, Timestamp, clip, clip_words,
};

mod saved;

pub const NAME: &str = "sessions";

/// Sessions followed at a time, and sorts of them.
const SESSIONS: usize = 10_000;
const SORTS: usize = 256;
/// Sorts that are found by comparing; the others by their hash.
const COMPARED: usize = 8;
/// A session of more lines is none: the word is no id.
const MAX_LINES: u32 = 500;
/// Sessions after which a sort that has no rule is given up.
const PATIENCE: u32 = 2_000;
/// Sessions of a sort that must be known before one of them has too much of something.
const SURE: u32 = 300;
/// Kept of a session's last line, of its id, and of a template.
const LINE_BYTES: usize = 240;
const ID_BYTES: usize = 64;
const TEXT_BYTES: usize = 100;
/// Places of lines kept of a session, for reports.
const SPOTS: usize = 4;
/// Sessions of an earlier process are judged so much later: their logs may be read after others.
const CATCH_UP: Duration = Duration::from_secs(3_600);
/// Odd sessions of one sort and cause that are told together.
const CAUSES: usize = 1_024;
/// The gap that so many of the lines of other sessions came within.
const STALLED: f64 = 0.9;
const OVER: f64 = 0.99;

/// `[detect.sessions]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true }
    }
}

pub struct Sessions {
    config: Config,
    repeat: Period,
    sorts: Vec<Sort>,
    /// Number of a sort by host and name.
    names: HashMap<(Arc<str>, Box<str>), u16>,
    sessions: ById<u64, Session>,
    /// When to look at each session again: one entry for each, at or before its time.
    due: BTreeSet<(Timestamp, u64)>,
    /// Incidents by what is wrong with which kind of line.
    causes: Recent<(u16, u8, What), Repeat>,
    marks: Marks,
    /// Sessions dropped for room.
    forgotten: u64,
    changed: bool,
    latest: Timestamp,
    /// `latest` when state was last saved.
    saved_latest: Timestamp,
    /// Sessions of an earlier process, until time goes on.
    resumed: Vec<u64>,
}

/// Sessions whose ids look alike, on one host.
struct Sort {
    host: Arc<str>,
    name: Box<str>,
    shape: Shape,
    /// Sessions begun: those of a sort without a rule are not worth following.
    begun: u32,
    given_up: bool,
}

/// One session.
#[derive(Serialize, Deserialize)]
struct Session {
    sort: u16,
    id: Box<str>,
    counts: Vec<(u8, u32)>,
    lines: u32,
    first: Timestamp,
    last: Timestamp,
    last_step: u8,
    last_level: Level,
    last_line: String,
    /// For reports, which see no restart.
    #[serde(skip)]
    spots: Vec<Spot>,
    /// Its counts are part of the shape.
    recorded: bool,
    /// Something was found.
    told: bool,
    live: bool,
}

impl Sessions {
    pub fn new(config: &Config, repeat: Period) -> Sessions {
        Sessions {
            config: config.clone(),
            repeat,
            sorts: Vec::new(),
            names: HashMap::new(),
            sessions: ById::default(),
            due: BTreeSet::new(),
            causes: Recent::new(CAUSES),
            marks: Marks::default(),
            forgotten: 0,
            changed: false,
            latest: Timestamp::EPOCH,
            saved_latest: Timestamp::EPOCH,
            resumed: Vec::new(),
        }
    }

    /// The number of a sort that is known: of few, by comparing.
    fn known_sort(&self, host: &Arc<str>, sort: id::Sort<'_>) -> Option<u16> {
        let same = |known: &&Sort| sort.is(&known.name) && (Arc::ptr_eq(&known.host, host) || known.host == *host);
        let place = self.sorts.iter().take(COMPARED).position(|known| same(&known))?;
        u16::try_from(place).ok()
    }

    fn sort(&mut self, host: &Arc<str>, name: String) -> Option<u16> {
        let key = (Arc::clone(host), name.into_boxed_str());
        if let Some(number) = self.names.get(&key) {
            return Some(*number);
        }
        if self.sorts.len() >= SORTS {
            return None;
        }
        let number = u16::try_from(self.sorts.len()).ok()?;
        self.sorts.push(Sort::new(Arc::clone(host), key.1.clone()));
        self.names.insert(key, number);
        Some(number)
    }

    /// The oldest session gives way.
    fn make_room(&mut self) {
        while self.sessions.len() >= SESSIONS {
            let Some((_, oldest)) = self.due.pop_first() else { return };
            self.forgotten += u64::from(self.sessions.remove(&oldest).is_some());
        }
    }

    /// Looks at a session whose time may have come. `end`: no more lines will come, of any.
    fn look(&mut self, key: u64, now: Timestamp, end: bool, out: &mut Vec<Finding>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let Some(sort) = self.sorts.get_mut(usize::from(session.sort)) else { return };
        if session.lines > MAX_LINES {
            self.sessions.remove(&key);
            return;
        }
        let stalled = session.last.saturating_add(sort.shape.patience(session.last_step, STALLED));
        let over = session.last.saturating_add(sort.shape.patience(session.last_step, OVER)).max(stalled);
        if now < stalled && !end {
            self.due.insert((stalled, key));
            return;
        }
        if now >= stalled && !session.recorded {
            session.recorded = true;
            sort.shape.record(&session.counts);
            self.changed = true;
            sort.give_up();
        }
        let settled = sort.shape.is_settled();
        let (complete, finished) = (now >= stalled, now >= over || end);
        if settled && (complete || finished) && !session.told && session.live {
            let found = sort.shape.judge(&session.counts, complete);
            // What comes too often or is rare may be usual when the others have gone as far.
            let sure = sort.shape.sessions >= SURE;
            if let Some(found) = found.filter(|found| found.what == What::Lacks || end || finished && sure) {
                session.told = true;
                self.tell(key, found, out);
            }
        }
        if end || self.given_up(key) {
            self.sessions.remove(&key);
        } else {
            // Not enough is known yet, or it may go on: the longer it is silent, the later.
            let silent = self.sessions.get(&key).map_or(Duration::ZERO, |session| now.since(session.last));
            self.due.insert((now.saturating_add(silent.max(Duration::from_secs(600))), key));
        }
    }

    fn given_up(&self, key: u64) -> bool {
        let sort = self.sessions.get(&key).and_then(|session| self.sorts.get(usize::from(session.sort)));
        sort.is_none_or(|sort| sort.given_up)
    }

    /// One more odd session of a cause: said at once, then when their number doubles.
    fn tell(&mut self, key: u64, found: Break, out: &mut Vec<Finding>) {
        let Some(session) = self.sessions.get(&key) else { return };
        let Some(sort) = self.sorts.get(usize::from(session.sort)) else { return };
        let Some(step) = sort.shape.kinds.get(usize::from(found.step)) else { return };
        let group = format!("{} {} {}", sort.name, found.what.as_str(), step.kind);
        let program: Arc<str> = Arc::from(&*step.program);
        let cause = (session.sort, found.step, found.what);
        let first = Report { count: 1, first: session.last, last: session.last };
        let report = match self.causes.peek(&cause) {
            Some(_) => self.causes.entry(cause, || Repeat::new(first)).line(session.last, self.repeat.0),
            None => {
                self.causes.entry(cause, || Repeat::new(first));
                Some(first)
            }
        };
        if let Some(report) = report {
            out.push(finding(sort, session, step, found, Arc::clone(&program), group.clone(), report));
        }
        for spot in &session.spots {
            self.marks.push(Mark {
                judged_by: JudgedBy::Detector(NAME.into()),
                host: Arc::clone(&sort.host),
                program: Arc::clone(&program),
                group: group.clone(),
                origin: Arc::clone(&spot.origin),
                offset: spot.offset,
            });
        }
    }
}

impl Detector for Sessions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        Want { lines: self.config.enabled && id::id(seen.message).is_some(), claim: false }
    }

    fn line(&mut self, seen: &Seen<'_>, _: &mut Vec<Finding>) -> bool {
        let Some((word, sort)) = id::id(seen.message) else { return true };
        let number = self.known_sort(seen.host, sort).or_else(|| self.sort(seen.host, sort.name()));
        let Some(number) = number else { return false };
        let Some(sort) = self.sorts.get_mut(usize::from(number)) else { return false };
        if sort.given_up {
            return false;
        }
        self.latest = self.latest.max(seen.time);
        let key = key_of(word, number);
        let new =
            || Step::new(seen.kind_id, seen.kind.level, &seen.kind.program, clip_words(seen.template_text, TEXT_BYTES));
        let Some(step) = sort.shape.step(seen.kind_id, new) else { return false };
        match self.sessions.get_mut(&key) {
            Some(session) => {
                sort.shape.gap(session.last_step, apart(seen.time, session.last));
                let before = session.add(step, seen);
                if session.recorded {
                    sort.shape.grew(step, before);
                }
                if session.lines > MAX_LINES {
                    // No session, but a word that many lines have.
                    sort.begun = sort.begun.saturating_add(1);
                    return true;
                }
            }
            None => {
                sort.begun = sort.begun.saturating_add(1);
                self.make_room();
                self.sessions.insert(key, Session::new(number, word, step, seen));
                self.due.insert((seen.time.saturating_add(Duration::from_secs(60)), key));
            }
        }
        true
    }

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        if now == Timestamp::from_micros(i64::MAX) {
            // Nothing more comes: what has gone on until now is judged as far as it went.
            let mut keys: Vec<(Timestamp, u64)> =
                self.sessions.iter().map(|(key, session)| (session.first, *key)).collect();
            keys.sort_unstable();
            let latest = self.latest;
            self.due.clear();
            // All are counted before one is judged.
            for (_, key) in &keys {
                self.look(*key, latest, false, out);
            }
            for (_, key) in keys {
                self.look(key, latest, true, out);
            }
            return;
        }
        for key in std::mem::take(&mut self.resumed) {
            self.due.insert((now.saturating_add(CATCH_UP), key));
        }
        // A few at a time: the rest waits for the next call.
        for _ in 0..1_000 {
            match self.due.first().copied() {
                Some((time, key)) if time <= now => {
                    self.due.pop_first();
                    self.look(key, now, false, out);
                }
                Some(_) | None => break,
            }
        }
    }

    fn save(&mut self) -> Option<String> {
        self.saved()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        self.resume(json)
    }

    fn reload(&mut self, config: &crate::detect::Config) {
        self.config = config.sessions.clone();
        self.repeat = config.repeat;
    }

    fn take_marks(&mut self) -> Vec<Mark> {
        self.marks.take()
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let says = match id::id(seen.message) {
            None => "no word that could name a session".to_owned(),
            Some((word, sort)) => {
                let word = wording::inline(word, ID_BYTES);
                let number = self.names.get(&(Arc::clone(seen.host), sort.name().into_boxed_str()));
                match number.and_then(|number| self.sorts.get(usize::from(*number))) {
                    None => format!("{word} could name a session; none like it is known"),
                    Some(sort) if sort.given_up => format!("{word} names no session: those like it follow no rule"),
                    Some(sort) => format!(
                        "session {word}: {} like it are known, {}",
                        sort.shape.sessions,
                        if sort.shape.is_settled() {
                            "and they follow a rule"
                        } else {
                            "too few or too different for a rule"
                        }
                    ),
                }
            }
        };
        vec![View { detector: NAME, says, finds: false }]
    }
}

/// Names a session of a sort.
fn key_of(word: &str, sort: u16) -> u64 {
    xxh3_64(word.as_bytes()) ^ u64::from(sort)
}

impl Sort {
    fn new(host: Arc<str>, name: Box<str>) -> Sort {
        Sort { host, name, shape: Shape::default(), begun: 0, given_up: false }
    }

    /// Many sessions and no rule: there is none.
    fn give_up(&mut self) {
        self.given_up = self.begun >= PATIENCE && !self.shape.is_settled();
    }
}

impl Session {
    fn new(sort: u16, word: &str, step: u8, seen: &Seen<'_>) -> Session {
        let mut session = Session {
            sort,
            id: clip(word, ID_BYTES).into(),
            counts: Vec::new(),
            lines: 0,
            first: seen.time,
            last: seen.time,
            last_step: step,
            last_level: seen.kind.level,
            last_line: String::new(),
            spots: Vec::new(),
            recorded: false,
            told: false,
            live: false,
        };
        session.add(step, seen);
        session
    }

    /// One more line; gives how many of its kind there were before.
    fn add(&mut self, step: u8, seen: &Seen<'_>) -> u32 {
        self.lines = self.lines.saturating_add(1);
        self.last = self.last.max(seen.time);
        self.last_step = step;
        self.last_level = seen.kind.level;
        self.last_line.clear();
        self.last_line.push_str(clip_words(seen.message, LINE_BYTES));
        self.live |= seen.phase == Phase::Live;
        if self.spots.len() >= SPOTS {
            self.spots.remove(1);
        }
        self.spots.push(Spot::of(seen));
        match self.counts.iter_mut().find(|(known, _)| *known == step) {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                *count - 1
            }
            None => {
                self.counts.push((step, 1));
                0
            }
        }
    }
}

fn finding(
    sort: &Sort,
    session: &Session,
    step: &Step,
    found: Break,
    program: Arc<str>,
    group: String,
    report: Report,
) -> Finding {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let id = wording::inline(&session.id, ID_BYTES);
    let text = wording::inline(&step.text, TEXT_BYTES);
    let (title, reason) = match found.what {
        What::Lacks => (
            "A session stopped half-way".to_owned(),
            format!(
                "{id} has {} of `{text}`, as {} of {} sessions like it; {} have {}",
                found.count,
                percent(found.share),
                sort.shape.sessions,
                percent(found.usual_share),
                found.usual
            ),
        ),
        What::Repeats => (
            "A session repeats a step".to_owned(),
            format!(
                "{id} has {} of `{text}`, as {} of {} sessions like it; {} have {}",
                found.count,
                percent(found.share),
                sort.shape.sessions,
                percent(found.usual_share),
                found.usual
            ),
        ),
        What::Trouble | What::Rare => (
            "A session has a line that few others have".to_owned(),
            format!(
                "{id} has `{text}` at level {}, as {} of {} sessions like it",
                step.level,
                percent(found.share),
                sort.shape.sessions
            ),
        ),
    };
    let proposed = match found.what {
        What::Lacks | What::Repeats | What::Trouble => Severity::Medium,
        What::Rare => Severity::Low,
    };
    let evidence = session.spots.last().map(|spot| Evidence {
        time: session.last,
        host: Arc::clone(&sort.host),
        program: Arc::clone(&program),
        level: session.last_level,
        origin: Arc::clone(&spot.origin),
        offset: spot.offset,
        line: session.last_line.clone(),
    });
    Finding {
        judged_by: JudgedBy::Detector(NAME.into()),
        category: Category::Application,
        proposed,
        confidence: 0.6,
        verdict: None,
        title,
        reason,
        remediation: vec![
            format!("Read the lines of the session: grep for {id}"),
            "Compare with a session that went well.".to_owned(),
        ],
        host: Arc::clone(&sort.host),
        program,
        unit: None,
        level: step.level,
        kind: None,
        template: None,
        template_text: String::new(),
        group,
        count: report.count,
        first_seen: report.first,
        last_seen: report.last,
        evidence: evidence.into_iter().collect(),
        learning: false,
    }
}
