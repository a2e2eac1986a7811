//! A kind of line that is known but seldom: said a few times in all this host's history, or not for so long that it counts
//! as new again. Time in which the whole host said nothing (switched off, logs not read) does not count.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::repeat::Report;
use super::wave::{Admit, Waves};
use super::wording::{self, Claim};
use super::{Beat, Detector, MeterId, Of, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, Level, Period, Phase, Severity, Timestamp};

pub const NAME: &str = "rare";

/// History before anything is rare, in seconds.
const HISTORY: u64 = 3 * 86_400;
/// A rare kind came at most so often before,
const LINES: u32 = 5;
/// and not for so long, in seconds.
const ABSENCE: u64 = 86_400;
/// The host was off, or nothing of it was read, when nothing at all came for so long, in seconds.
const SLEEP: u64 = 6 * 3_600;
/// Sleeps remembered; of those before, the time counts.
const SLEEPS: usize = 64;
/// Rare lines of one program said one by one within ten minutes.
const ALONE: usize = 5;
const WITHIN: Period = Period::from_secs(600);
/// What only goes on is written so often, in seconds of event time.
const SAVE_EVERY: u64 = 300;
/// No state file makes us take more memory than the tally has meters.
const MOST: usize = 1 << 16;

/// `[detect.rare]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
    /// A kind that was not seen for so long is new again. Default 30 d.
    pub forget_after: Period,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true, forget_after: Period::from_secs(30 * 86_400) }
    }
}

pub struct Rare {
    config: Config,
    /// By meter; `None` for what is no kind.
    meters: Vec<Option<Known>>,
    /// When the first line of all was.
    since: Option<Timestamp>,
    /// The newest line of all.
    newest: Option<Timestamp>,
    sleeps: VecDeque<(Timestamp, Timestamp)>,
    waves: Waves,
    changed: bool,
    /// Something that must not be said twice: written with the next save.
    urgent: bool,
    closing: bool,
    saved_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Known {
    lines: u32,
    last: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    since: Option<Timestamp>,
    newest: Option<Timestamp>,
    sleeps: VecDeque<(Timestamp, Timestamp)>,
    /// Meter, lines, second of the last one.
    meters: Vec<(MeterId, u32, i64)>,
}

impl Rare {
    pub fn new(config: &Config) -> Rare {
        Rare {
            config: config.clone(),
            meters: Vec::new(),
            since: None,
            newest: None,
            sleeps: VecDeque::new(),
            waves: Waves::new(ALONE, WITHIN.0),
            changed: false,
            urgent: false,
            closing: false,
            saved_at: Timestamp::EPOCH,
        }
    }

    /// Follows the time of the host.
    fn hear(&mut self, at: Timestamp) {
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
        if let Some(newest) = self.newest
            && at.since(newest).as_secs() >= SLEEP
        {
            self.sleeps.push_back((newest, at));
            if self.sleeps.len() > SLEEPS {
                self.sleeps.pop_front();
            }
        }
        self.newest = Some(self.newest.map_or(at, |newest| newest.max(at)));
    }

    /// Seconds between two times in which the host was heard.
    fn awake(&self, from: Timestamp, until: Timestamp) -> u64 {
        let asleep: u64 =
            self.sleeps.iter().map(|(begin, end)| (*end).min(until).since((*begin).max(from)).as_secs()).sum();
        until.since(from).as_secs().saturating_sub(asleep)
    }

    /// Why the next line of a kind that was last said then is worth a word.
    fn judge(&self, known: Known, level: Level, at: Timestamp) -> Option<(Severity, &'static str, String)> {
        let absent = self.awake(known.last, at);
        let history = self.since.map_or(0, |since| self.awake(since, at));
        let days = |seconds: u64| format!("{} days", seconds / 86_400);
        if absent >= self.config.forget_after.0.as_secs() {
            let reason = format!(
                "not seen since {}: after {} it counts as new ({} lines before that)",
                known.last,
                days(absent),
                known.lines
            );
            // As bad as a new kind at this level.
            let severity = match level {
                Level::Emerg | Level::Alert | Level::Crit => Severity::High,
                Level::Err => Severity::Medium,
                Level::Warning | Level::Notice | Level::Info | Level::Debug => Severity::Low,
            };
            return Some((severity, "An old kind of line is back", reason));
        }
        let rare = known.lines <= LINES && absent >= ABSENCE && history >= HISTORY;
        rare.then(|| {
            let times = if known.lines == 1 { "once".to_owned() } else { format!("{} times", known.lines) };
            let reason = format!("said {times} before in {}, last at {}", days(history), known.last);
            (Severity::Low, "A rare kind of line", reason)
        })
    }
}

impl Detector for Rare {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, _: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        Want::default()
    }

    fn line(&mut self, _: &Seen<'_>, _: &mut Vec<Finding>) -> bool {
        false
    }

    fn counts(&self) -> bool {
        true
    }

    fn beat(&mut self, seen: &Seen<'_>, beat: &mut Beat, out: &mut Vec<Finding>) {
        let Of::Kind(_) = beat.of else { return };
        self.hear(beat.time);
        self.changed = true;
        if self.meters.len() <= beat.meter.index() {
            self.meters.resize(beat.meter.index() + 1, None);
        }
        let Some(slot) = self.meters.get_mut(beat.meter.index()) else { return };
        let before = slot.replace(match *slot {
            Some(known) => Known { lines: known.lines.saturating_add(1), last: known.last.max(beat.time) },
            None => Known { lines: 1, last: beat.time },
        });
        self.urgent |= before.is_none();
        let Some(known) = before.filter(|_| self.config.enabled && seen.phase == Phase::Live) else { return };
        if beat.time.since(known.last).as_secs() < ABSENCE {
            return;
        }
        let Some((proposed, what, reason)) = self.judge(known, seen.kind.level, beat.time) else { return };
        self.urgent = true;
        let program = wording::program(&seen.kind.program);
        match self.waves.admit(seen.host, &seen.kind.program, seen.time) {
            Admit::Alone => {
                out.push(finding(seen, wording::once(seen), proposed, format!("{what} from {program}"), reason));
            }
            Admit::Folded(report) => out.push(Finding {
                kind: None,
                template: None,
                group: "wave".to_owned(),
                ..finding(
                    seen,
                    report,
                    proposed,
                    format!("Several rare kinds of line from {program}"),
                    format!("{} more, beyond those said one by one; the newest: {reason}", report.count),
                )
            }),
            Admit::Counted => {}
        }
    }

    fn settle(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn closing(&mut self) {
        self.closing = true;
    }

    fn save(&mut self) -> Option<String> {
        let newest = self.newest.unwrap_or_default();
        let due = self.urgent || self.closing || newest.since(self.saved_at).as_secs() >= SAVE_EVERY;
        if !self.changed || !due {
            return None;
        }
        (self.changed, self.urgent, self.saved_at) = (false, false, newest);
        let meters = self
            .meters
            .iter()
            .zip(0..)
            .filter_map(|(known, id)| known.map(|known| (MeterId(id), known.lines, known.last.as_seconds())))
            .collect();
        let saved = Saved { v: 1, since: self.since, newest: self.newest, sleeps: self.sleeps.clone(), meters };
        serde_json::to_string(&saved).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        (self.since, self.newest, self.sleeps) = (saved.since, saved.newest, saved.sleeps);
        self.sleeps.truncate(SLEEPS);
        for (id, lines, last) in saved.meters.into_iter().filter(|(id, ..)| id.index() < MOST) {
            if self.meters.len() <= id.index() {
                self.meters.resize(id.index() + 1, None);
            }
            if let Some(slot) = self.meters.get_mut(id.index()) {
                *slot = Some(Known { lines, last: Timestamp::from_seconds(last) });
            }
        }
        Ok(())
    }

    fn reload(&mut self, config: &super::Config) {
        self.config = config.rare.clone();
    }

    fn merged(&mut self, gone: MeterId, into: MeterId) {
        let Some(old) = self.meters.get_mut(gone.index()).and_then(Option::take) else { return };
        if let Some(Some(known)) = self.meters.get_mut(into.index()) {
            known.lines = known.lines.saturating_add(old.lines);
            known.last = known.last.max(old.last);
        }
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let says = match self.since {
            _ if !self.config.enabled => "is switched off".to_owned(),
            None => "there is no history yet".to_owned(),
            Some(since) => format!(
                "said {} times in {} days; rare are kinds said at most {LINES} times, new again those unseen for {}",
                seen.count.saturating_sub(1),
                self.awake(since, seen.time) / 86_400,
                self.config.forget_after
            ),
        };
        vec![View { detector: NAME, says, finds: false }]
    }
}

fn finding(seen: &Seen<'_>, report: Report, proposed: Severity, title: String, reason: String) -> Finding {
    let claim = Claim {
        judged_by: JudgedBy::Detector(NAME.into()),
        category: Category::Other,
        proposed,
        confidence: 0.4,
        title,
        reason,
        remediation: vec![
            "Read the line and the lines around it (logwren incidents show ID)".to_owned(),
            "If it belongs to a job that seldom runs, nothing is to be done".to_owned(),
        ],
        group: String::new(),
    };
    wording::finding(seen, report, claim)
}

#[cfg(test)]
mod tests {
    use super::super::script::Script;
    use super::*;

    const DAY: i64 = 86_400;

    /// Days on which a line comes while others come each hour; expected: what is said, with the day.
    #[track_caller]
    fn check(level: Level, days: &[i64], asleep: std::ops::Range<i64>, expected: &[(i64, &str)]) {
        let mut script = Script::new();
        let last = days.last().copied().unwrap_or(0) * DAY + 3_600;
        for at in (0..last).step_by(3_600) {
            if asleep.contains(&(at / DAY)) {
                continue;
            }
            script.line(at, "other: words");
            if at % DAY == 0 && days.contains(&(at / DAY)) {
                script.say(at + 7, "/var/log/syslog", level, "app: seldom");
            }
        }
        let said: Vec<(i64, String)> = script
            .found
            .iter()
            .filter(|finding| finding.judged_by.to_string() == "detector:rare")
            .map(|finding| (finding.last_seen.as_seconds() / DAY, format!("{}: {}", finding.proposed, finding.title)))
            .collect();
        let said: Vec<(i64, &str)> = said.iter().map(|(day, said)| (*day, &**said)).collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn seldom_and_long_ago() {
        let rare = "low: A rare kind of line from app";
        let back = "low: An old kind of line is back from app";
        check(Level::Info, &[0, 1, 2, 9], 0..0, &[(9, rare)]);
        check(Level::Info, &[0, 1], 0..0, &[]);
        check(Level::Info, &[0, 40], 0..0, &[(40, back)]);
        check(Level::Err, &[0, 40], 0..0, &[(40, "medium: An old kind of line is back from app")]);
        // The host was off for a year.
        check(Level::Info, &[0, 1, 367], 2..366, &[]);
    }

    #[test]
    fn after_a_year_of_silence_nothing_is_said() {
        let mut script = Script::new();
        for day in (0..5).chain(370..371) {
            for kind in 0..200 {
                let words: String = format!("{kind}").bytes().map(|digit| char::from(digit + 49)).collect();
                script.line(day * DAY + kind, &format!("app: {words}"));
            }
        }
        assert_eq!(script.said(NAME), Vec::<String>::new());
        let script = script.restarted();
        assert_eq!(script.said(NAME), Vec::<String>::new());
    }
}
