//! Too many or too few lines of a kind or a source, against what is usual at this hour. Kinds at err or worse are the
//! business of `errors`.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::baseline::{Hour, Limits};
use super::keyed::{ById, Ids};
use super::spikes::{End, Said, Spike, Spikes};
use super::wording::{self, Claim};
use super::{Beat, Detector, MeterId, Minute, Of, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, KindId, Level, Period, Phase, Severity, Timestamp, clip};

pub const NAME: &str = "rate";

/// Lines of a spike of a kind, and of a source, that are worth more than a note.
const KIND_LINES: u64 = 200;
const SOURCE_LINES: u64 = 1_000;
/// A spike of a whole source waits so long for one of a kind in it, which says more.
const EXPLAINED_SECONDS: u64 = 5;

/// `[detect.rate]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
    /// Fewer lines a minute of one kind are never a spike. Default 20.
    pub least: u32,
    /// So many times the usual lines a minute are. Default 5.
    pub factor: f32,
    /// A spike that lasts so long is the new normal. Default 4 h.
    pub adapt_after: Period,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true, least: 20, factor: 5.0, adapt_after: Period::from_secs(4 * 3_600) }
    }
}

pub struct Rate {
    enabled: bool,
    limits: Limits,
    /// Kinds that a rule speaks of: it counts them, too.
    ruled: Ids<KindId>,
    spikes: Spikes,
    by_kind: ById<KindId, MeterId>,
    /// When a kind of each source spiked last.
    explained: HashMap<MeterId, Timestamp>,
    /// Spikes of sources that are not said yet.
    waiting: HashMap<MeterId, Spike>,
    over: Vec<Finding>,
}

impl Rate {
    pub fn new(config: &Config) -> Rate {
        Rate {
            enabled: config.enabled,
            limits: limits(config),
            ruled: Ids::default(),
            spikes: Spikes::new(minutes(config)),
            by_kind: ById::default(),
            explained: HashMap::new(),
            waiting: HashMap::new(),
            over: Vec::new(),
        }
    }

    fn collect_over(&mut self, now: Timestamp) {
        for (spike, end) in self.spikes.over(now) {
            self.over.extend(ended(spike, end));
        }
    }
}

impl Detector for Rate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, _: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        Want::default()
    }

    fn line(&mut self, _: &Seen<'_>, _: &mut Vec<Finding>) -> bool {
        false
    }

    fn ruled(&mut self, kind: KindId) {
        self.ruled.insert(kind);
    }

    fn counts(&self) -> bool {
        true
    }

    fn beat(&mut self, seen: &Seen<'_>, beat: &mut Beat, out: &mut Vec<Finding>) {
        let Of::Kind(kind) = &beat.of else { return };
        if !self.enabled || seen.kind.level <= Level::Err {
            return;
        }
        if !self.by_kind.contains_key(kind) {
            self.by_kind.insert(*kind, beat.meter);
        }
        let ruled = self.ruled.contains(kind);
        let said = self.spikes.beat(beat, seen.phase, self.limits).filter(|_| !ruled);
        let Some(said) = said else { return };
        let program = wording::program(&seen.kind.program);
        let finding = match &said {
            Said::Begins(spike) => {
                self.explained.insert(beat.source, beat.time);
                let count = u64::from(spike.most);
                about(
                    seen,
                    count,
                    spike.since,
                    claim(
                        spike.severity(KIND_LINES),
                        format!("Far more lines of a kind from {program}"),
                        begins(spike),
                    ),
                )
            }
            Said::GoesOn(spike, more) => {
                self.explained.insert(beat.source, beat.time);
                about(
                    seen,
                    *more,
                    spike.since,
                    claim(
                        spike.severity(KIND_LINES),
                        format!("Far more lines of a kind from {program}"),
                        goes_on(spike),
                    ),
                )
            }
            Said::Drops(hour) => about(
                seen,
                1,
                seen.time,
                claim(Severity::Low, format!("Far fewer lines of a kind from {program}"), drops(hour)),
            ),
        };
        if let Said::Begins(_) = said {
            self.spikes.opened(beat.meter, &finding);
        }
        out.push(finding);
    }

    fn source_beat(&mut self, host: &Arc<str>, phase: Phase, beat: &mut Beat, out: &mut Vec<Finding>) {
        let Of::Source(name) = &beat.of else { return };
        if !self.enabled {
            return;
        }
        let name = Arc::clone(name);
        let said = self.spikes.beat(beat, phase, of_source_limits(self.limits));
        let short = wording::inline(&name, 96);
        let more = |count: u64, spike: &Spike, reason: String| {
            let claim = claim(spike.severity(SOURCE_LINES), format!("Far more lines than usual in {short}"), reason);
            of_source(host, &name, count, spike.since, beat.time, claim)
        };
        match said {
            // One kind of line may do it: that says more, and comes in the same second.
            Some(Said::Begins(spike)) => {
                self.waiting.insert(beat.meter, spike);
            }
            Some(Said::GoesOn(spike, lines)) if spike.finding.is_some() => {
                out.push(more(lines, &spike, goes_on(&spike)));
            }
            Some(Said::GoesOn(..)) => {}
            Some(Said::Drops(hour)) => {
                let claim = claim(Severity::Medium, format!("Far fewer lines than usual in {short}"), drops(&hour));
                out.push(of_source(host, &name, 1, beat.time, beat.time, claim));
            }
            None => {}
        }
        let waited = |spike: &Spike| beat.time.since(spike.since).as_secs() >= EXPLAINED_SECONDS;
        if self.waiting.get(&beat.meter).is_some_and(waited)
            && let Some(spike) = self.waiting.remove(&beat.meter)
        {
            let begin = spike.since.saturating_sub(Period::from_secs(60).0);
            if self.explained.get(&beat.meter).is_none_or(|at| *at < begin) {
                let finding = more(u64::from(spike.most), &spike, begins(&spike));
                self.spikes.opened(beat.meter, &finding);
                out.push(finding);
            }
        }
    }

    fn minute(&mut self, minute: &Minute<'_>, _: &mut Vec<Finding>) {
        self.collect_over(minute.start);
    }

    fn settle(&mut self, now: Timestamp, _: &mut Vec<Finding>) {
        self.collect_over(now);
    }

    fn take_over(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.over)
    }

    fn merged(&mut self, gone: MeterId, into: MeterId) {
        self.spikes.merged(gone, into);
    }

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn closing(&mut self) {
        self.spikes.closing();
    }

    fn save(&mut self) -> Option<String> {
        self.spikes.save()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        self.spikes.restore(json)
    }

    fn reload(&mut self, config: &super::Config) {
        self.enabled = config.rate.enabled;
        self.limits = limits(&config.rate);
        self.spikes.reload(minutes(&config.rate));
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let says = match self.by_kind.get(&seen.kind_id) {
            _ if !self.enabled => "is switched off".to_owned(),
            _ if seen.kind.level <= Level::Err => "errors are counted by program".to_owned(),
            None => "this kind was not counted yet".to_owned(),
            Some(meter) => explain(&self.spikes, *meter, seen.time, self.limits),
        };
        vec![View { detector: NAME, says, finds: false }]
    }
}

/// What is usual of a meter, in words.
pub(super) fn explain(spikes: &Spikes, meter: MeterId, now: Timestamp, limits: Limits) -> String {
    let Some(baseline) = spikes.baseline(meter) else { return "nothing was counted yet".to_owned() };
    let expected = baseline.expected(now.as_seconds().div_euclid(60));
    let counted = format!("{} lines in {} minutes", baseline.lines(), baseline.minutes());
    match spikes.limit(meter, now, limits) {
        None => format!("{counted}: too few to say what is usual"),
        Some(limit) => format!(
            "{counted}; usual now {expected:.1} a minute, dispersion {:.1}, fullest minute {:.0}; a spike from {limit} a minute on",
            baseline.dispersion(),
            baseline.peak()
        ),
    }
}

pub(super) fn begins(spike: &Spike) -> String {
    format!(
        "{} lines in the minute of {} and counting; usual are {:.1} a minute ({}), too many from {} on",
        spike.most,
        spike.since,
        spike.expected,
        times(spike),
        spike.limit
    )
}

pub(super) fn goes_on(spike: &Spike) -> String {
    format!(
        "{} lines since {}, up to {} a minute; usual are {:.1} ({})",
        spike.lines,
        spike.since,
        spike.most,
        spike.expected,
        times(spike)
    )
}

fn times(spike: &Spike) -> String {
    match spike.expected {
        expected if expected < 0.01 => "hardly ever".to_owned(),
        expected => format!("{:.0} times as many", spike.most as f32 / expected),
    }
}

fn drops(hour: &Hour) -> String {
    let usual = hour.usual.map_or(0.0, |usual| usual.least);
    format!(
        "{} lines in the hour of {}; this hour of the week brings at least {usual:.0} ({:.0} % of that)",
        hour.lines,
        Timestamp::from_seconds(hour.hour.saturating_mul(3_600)),
        hour.lines as f32 / usual.max(1.0) * 100.0
    )
}

/// The word when it is over: the finding that opened it, with another reason.
pub(super) fn ended(spike: Spike, end: End) -> Option<Finding> {
    let finding = *spike.finding?;
    let reason = match end {
        End::Calm(since) => format!(
            "as usual again since {since}; it lasted {}, {} lines, up to {} a minute",
            Period::from_secs(since.since(spike.since).as_secs().max(1)),
            spike.lines.max(u64::from(spike.most)),
            spike.most
        ),
        End::Normal => format!(
            "{} lines a minute for {} minutes, {:.1} before: that is taken as normal from now on",
            spike.lines / spike.minutes.max(1),
            spike.minutes,
            spike.expected
        ),
    };
    Some(Finding { reason, ..finding })
}

/// A finding about a kind's count. Its ordinary lines are none of the incident's, so it does not name the kind.
fn about(seen: &Seen<'_>, count: u64, since: Timestamp, claim: Claim) -> Finding {
    let group = seen.kind.template.to_string();
    let finding = wording::finding(seen, wording::once(seen), claim);
    Finding { count, first_seen: since.min(seen.time), kind: None, template: None, group, ..finding }
}

fn of_source(host: &Arc<str>, name: &str, count: u64, since: Timestamp, now: Timestamp, claim: Claim) -> Finding {
    Finding {
        judged_by: claim.judged_by,
        category: claim.category,
        proposed: claim.proposed,
        confidence: claim.confidence,
        verdict: None,
        title: claim.title,
        reason: claim.reason,
        remediation: claim.remediation,
        host: Arc::clone(host),
        program: "".into(),
        unit: None,
        level: Level::Info,
        kind: None,
        template: None,
        template_text: clip(name, 300).to_owned(),
        group: name.to_owned(),
        count,
        first_seen: since.min(now),
        last_seen: now,
        evidence: Vec::new(),
        learning: false,
    }
}

fn claim(proposed: Severity, title: String, reason: String) -> Claim {
    Claim {
        judged_by: JudgedBy::Detector(NAME.into()),
        category: Category::Performance,
        proposed,
        confidence: 0.7,
        title,
        reason,
        remediation: vec![
            "Look at what these lines have in common: one client, one job, one device".to_owned(),
            "Look for what changed just before: a deployment, a new client, a retry loop".to_owned(),
        ],
        group: String::new(),
    }
}

fn limits(config: &Config) -> Limits {
    Limits { least: config.least.max(2), factor: config.factor.max(1.5), lines: 30 }
}

/// A source brings all its kinds' little bursts: only a flood is news.
fn of_source_limits(limits: Limits) -> Limits {
    Limits { least: limits.least.saturating_mul(10), ..limits }
}

fn minutes(config: &Config) -> u64 {
    (config.adapt_after.0.as_secs() / 60).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::script::Script;
    use super::*;

    const SPIKE: &str = "medium: Far more lines of a kind from app";

    /// `count` lines a minute, for minutes.
    fn rate(script: &mut Script, minutes: std::ops::Range<i64>, count: impl Fn(i64) -> i64) {
        for minute in minutes {
            let count = count(minute);
            (0..count).for_each(|line| script.line(minute * 60 + line * 59 / count.max(1), "app: request 1"));
            // The clock of the others.
            script.line(minute * 60 + 59, &format!("other{minute}: words"));
        }
    }

    /// Lines a minute, by minute; expected: the minute of the first spike.
    #[track_caller]
    fn check(minutes: i64, count: impl Fn(i64) -> i64, expected: Option<i64>) {
        let mut script = Script::new();
        rate(&mut script, 0..minutes, count);
        let said = script.found.iter().find(|finding| finding.title.contains("more lines of a kind from app"));
        assert_eq!(said.map(|finding| finding.first_seen.as_seconds() / 60), expected, "{said:?}");
    }

    #[test]
    fn a_spike_is_said_in_its_first_minute() {
        check(120, |minute| if minute == 100 { 500 } else { 5 }, Some(100));
        check(120, |minute| if minute == 100 { 12 } else { 1 }, None);
        // Not before it is known what is usual.
        check(20, |minute| if minute == 15 { 500 } else { 5 }, None);
        // A job that always was like that.
        check(600, |minute| if minute % 60 == 7 { 200 } else { 0 }, None);
    }

    #[test]
    fn said_with_numbers_and_over_when_it_is_over() {
        let mut script = Script::new();
        rate(&mut script, 0..120, |minute| if (100..110).contains(&minute) { 300 } else { 5 });
        let said = script.said(NAME);
        assert!((2..=7).contains(&said.len()), "{said:?}");
        // A note at first.
        assert_eq!((&*said[0], &*said[said.len() - 1]), ("low: Far more lines of a kind from app", SPIKE));
        let first = script.found.iter().find(|finding| finding.title.contains("more lines")).expect("a spike");
        assert!(first.reason.contains("usual are 5.0 a minute (10 times as many)"), "{}", first.reason);
        assert!(first.evidence.len() == 1 && first.kind.is_none());
        let over: Vec<&str> = script.over.iter().map(|finding| &*finding.reason).collect();
        assert_eq!(
            over,
            ["as usual again since 1970-01-01T01:50:00Z; it lasted 9m 51s, 3000 lines, up to 300 a minute"]
        );
    }

    #[test]
    fn a_level_shift_becomes_normal_and_says_so_once() {
        let mut script = Script::new();
        rate(&mut script, 0..600, |minute| if minute >= 100 { 60 } else { 3 });
        assert_eq!(script.over.len(), 1, "{:?}", script.over);
        assert!(script.over[0].reason.contains("taken as normal"), "{}", script.over[0].reason);
        let said = script.said(NAME).len();
        rate(&mut script, 600..900, |_| 60);
        assert_eq!(script.said(NAME).len(), said);
    }

    #[test]
    fn a_flood_of_new_kinds_is_a_spike_of_their_source() {
        let mut script = Script::new();
        rate(&mut script, 0..100, |_| 5);
        for line in 0..2_000i64 {
            let words: String = line.to_string().bytes().map(|digit| char::from(digit + 49)).collect();
            script.line(6_000 + line / 40, &format!("app: {words} is new"));
        }
        assert!(script.said(NAME).iter().any(|said| said == "medium: Far more lines than usual in /var/log/syslog"));
    }

    #[test]
    fn the_same_hour_every_day_is_no_spike() {
        let mut script = Script::learning();
        let day = |minute: i64| if minute % 1_440 == 180 { 400 } else { i64::from(minute % 5 == 0) };
        rate(&mut script, 0..6 * 1_440, day);
        script.learned(6 * 86_400);
        rate(&mut script, 6 * 1_440..7 * 1_440, day);
        assert_eq!(script.said(NAME), Vec::<String>::new());
        rate(&mut script, 7 * 1_440..7 * 1_440 + 600, |minute| if minute % 1_440 == 500 { 400 } else { day(minute) });
        assert!(script.said(NAME).iter().any(|said| said == SPIKE), "{:?}", script.said(NAME));
    }

    #[test]
    fn too_few_lines_in_an_hour_that_always_had_more() {
        let mut script = Script::learning();
        rate(&mut script, 0..5 * 1_440, |_| 4);
        script.learned(5 * 86_400);
        rate(&mut script, 5 * 1_440..5 * 1_440 + 200, |minute| {
            if minute < 5 * 1_440 + 70 { 4 } else { i64::from(minute % 9 == 0) }
        });
        let said: Vec<String> = script.said(NAME).into_iter().filter(|said| said.contains("of a kind")).collect();
        assert_eq!(said, ["low: Far fewer lines of a kind from app"]);
    }

    #[test]
    fn baselines_survive_a_restart() {
        let mut script = Script::new();
        rate(&mut script, 0..100, |_| 5);
        let mut script = script.restarted();
        rate(&mut script, 100..103, |minute| if minute == 101 { 500 } else { 5 });
        assert!(script.said(NAME).iter().any(|said| said == SPIKE), "{:?}", script.said(NAME));
    }

    #[test]
    fn one_template_for_every_line_and_hostile_times_are_no_storm() {
        let mut script = Script::new();
        rate(&mut script, 0..150, |_| 60);
        assert_eq!(script.said(NAME), Vec::<String>::new());
        let mut script = Script::new();
        // Out of order, in the future, a year later, back again.
        for line in 0..700i64 {
            let at = match line % 7 {
                0 => 31_536_000 + line,
                1 => line - 3_000,
                2 => -line,
                _ => line,
            };
            script.line(at, "app: request 1");
        }
        assert!(script.said(NAME).len() <= 2, "{:?}", script.said(NAME));
    }
}
