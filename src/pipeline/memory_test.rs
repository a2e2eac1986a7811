//! A pipeline that remembers lines says and counts the same as one that parses and mines every line.

use proptest::prelude::*;

use super::tests::{NOW, settings};
use super::*;
use crate::model::{LineBlock, LineSpan, Medium, Origin, Phase, Position, Snapshot};

/// What is done to both pipelines.
#[derive(Clone, Debug)]
enum Deed {
    Lines { source: usize, phase: Phase, joined: bool, lines: Vec<Line> },
    Later(i64),
    Reload,
    Learned,
    Drain,
}

/// One line of a source, before it is written as the source writes lines.
#[derive(Clone, Debug)]
struct Line {
    sort: usize,
    number: u32,
    word: usize,
    host: usize,
    level: usize,
    /// Milliseconds since the line before.
    step: i64,
}

const WORDS: [&str; 6] = ["alpha", "beta", "gamma", "delta", "x1", "caf\u{e9}"];

impl Line {
    /// Tag and message.
    fn text(&self) -> String {
        let Line { sort, number, word, .. } = self;
        let word = WORDS[*word];
        match sort {
            0 => format!("sshd[{number}]: Failed password for {word} from 10.0.0.{number} port {number} ssh2"),
            1 => format!("kernel: [{number:5}.123456] eth{number}: link is up"),
            2 => format!("kernel: [ {number} of {word}] is no uptime"),
            3 => format!("app[{number}]: connection of {word} to shard {number} was closed by {word}"),
            4 => format!("app: level=error cannot open {word} after {number}ms"),
            5 => format!("app: {number} errors of {word}"),
            6 => "CRON[7]: (root) CMD (true)".to_owned(),
            7 => format!("java[{number}]: failed {number}\njava.lang.{word}Exception: boom {number}\n\tat a.B"),
            8 => format!("logwren[{}]: said {number}", number % 3),
            9 => format!("app[{number}]: [ERROR] disk {word} is gone"),
            10 => format!("Google Chrome He[{number}]: {word}  \t"),
            11 => format!("last message repeated {number} times"),
            12 => format!("{word}: request {number}f3a took {number} ms, {number}% done"),
            13 => format!("app[{number}f]: brackets with {word}"),
            14 => format!("kernel: [{number}.123456] Out of memory: Killed process {number} ({word})"),
            15 => format!("app: #011 tab\tand {word} {number}"),
            16 => format!(
                "app: all of {} is {} in {}",
                word.repeat(3),
                WORDS[*number as usize % 6],
                WORDS[*number as usize / 6 % 6]
            ),
            _ => format!("sshd[{number}]: Accepted publickey for {word} from 10.0.0.{number} port 22"),
        }
    }

    fn written(&self, source: usize, at: jiff::Timestamp) -> String {
        let host = ["bed", "web-1", "db"][self.host];
        let text = self.text();
        let bsd = at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%b %e %H:%M:%S").to_string();
        let priority = ["", "<3>", "<30>"][self.level];
        match source {
            0 => format!("{at:.6} {host} {text}"),
            1 => format!("{bsd} {host} {text}"),
            2 => format!("{priority}{bsd} {host} {text}"),
            3 => format!("{at:.3} {host} {text}"),
            _ => text,
        }
    }
}

fn line() -> impl Strategy<Value = Line> {
    let number = prop_oneof![0..12_u32, 0..100_000_u32];
    (0..18_usize, number, 0..WORDS.len(), 0..3_usize, 0..3_usize, prop_oneof![Just(0_i64), 0..3_000_i64])
        .prop_map(|(sort, number, word, host, level, step)| Line { sort, number, word, host: host / 2, level, step })
}

fn deed() -> impl Strategy<Value = Deed> {
    let lines = (0..5_usize, any::<bool>(), any::<bool>(), proptest::collection::vec(line(), 1..60)).prop_map(
        |(source, learn, joined, lines)| {
            let phase = if learn && source == 3 { Phase::Learn } else { Phase::Live };
            Deed::Lines { source, phase, joined, lines }
        },
    );
    prop_oneof![
        12 => lines,
        2 => (1..90_i64).prop_map(Deed::Later),
        1 => Just(Deed::Reload),
        1 => Just(Deed::Learned),
        1 => Just(Deed::Drain),
    ]
}

/// How the pipeline is set up.
#[derive(Clone, Copy, Debug)]
struct Setup {
    max_templates: usize,
    mode: judge::Mode,
    tracing: bool,
}

fn setup() -> impl Strategy<Value = Setup> {
    let mode = prop_oneof![Just(judge::Mode::Off), Just(judge::Mode::Templates), Just(judge::Mode::Lines)];
    (prop_oneof![Just(10_000_usize), Just(60_usize)], mode, prop::bool::weighted(0.4))
        .prop_map(|(max_templates, mode, tracing)| Setup { max_templates, mode, tracing })
}

fn made(setup: Setup) -> Settings {
    let mut settings = settings(1);
    settings.mine.max_templates = setup.max_templates;
    settings.judge.mode = setup.mode;
    settings.rules =
        RuleSet::new(detect::rules::shipped().into_iter().take(3).collect()).expect("shipped rules are right");
    settings
}

/// All that a pipeline says, in words.
fn said(setup: Setup, deeds: &[Deed], off: bool) -> Vec<String> {
    let mut pipeline = Pipeline::new(made(setup));
    pipeline.memory.off = off;
    if setup.tracing {
        pipeline.on_event_time();
    }
    let mut now = NOW;
    let mut at = jiff::Timestamp::from_second(NOW - 300).expect("a time");
    let mut all = Vec::new();
    let mut out = Effects::default();
    pipeline.restore(Snapshot::default(), Timestamp::from_seconds(now), &mut out);
    let mut offset = 0;
    for deed in deeds {
        let time = Timestamp::from_seconds(now);
        match deed {
            Deed::Lines { source, phase, joined, lines } => {
                let block = block(*source, *phase, *joined, lines, &mut at, &mut offset);
                pipeline.handle(Input::Lines(&block), time, &mut out);
            }
            Deed::Later(seconds) => {
                now += seconds;
                at += jiff::SignedDuration::from_secs(*seconds);
                pipeline.handle(Input::Tick, Timestamp::from_seconds(now), &mut out);
            }
            Deed::Reload => pipeline.handle(Input::Reload(Box::new(made(setup))), time, &mut out),
            Deed::Learned => pipeline.handle(Input::Learned, time, &mut out),
            Deed::Drain => pipeline.handle(Input::Drain, time, &mut out),
        }
        let counters = pipeline.counters();
        let kinds: Vec<_> = pipeline.kinds.iter_mut().map(|state| state.row()).collect();
        all.push(format!("{out:?} {counters:?} {:?} {kinds:?}", pipeline.sources()));
        out = Effects::default();
    }
    all
}

fn block(
    source: usize,
    phase: Phase,
    joined: bool,
    lines: &[Line],
    at: &mut jiff::Timestamp,
    offset: &mut u64,
) -> LineBlock {
    let names = ["/var/log/syslog", "/var/log/kern.log", "syslog/local", "/var/log/iso.log", "/var/log/plain.log"];
    let medium = if source == 2 { Medium::Syslog } else { Medium::File };
    let origin = Origin { name: names[source].into(), medium, format: None, written: None };
    let mut bytes = Vec::new();
    let mut spans = Vec::new();
    for line in lines {
        *at += jiff::SignedDuration::from_millis(line.step);
        let start = bytes.len() as u32;
        bytes.extend(line.written(source, *at).into_bytes());
        let end = bytes.len() as u32;
        let truncated = line.number == 3;
        spans.push(LineSpan { start, end, offset: *offset, truncated, partial: false });
        *offset += u64::from(end - start) + 1;
        if !joined {
            bytes.push(b'\n');
        }
    }
    let position: Option<Position> = None;
    LineBlock { origin: origin.into(), phase, bytes, spans, position }
}

/// Enough plain lines for each source to know its format.
fn beginning() -> Vec<Deed> {
    let lines: Vec<Line> = (0..30)
        .map(|number| Line { sort: number as usize % 2 * 6, number, word: 0, host: 0, level: 1, step: 10 })
        .collect();
    (0..4).map(|source| Deed::Lines { source, phase: Phase::Live, joined: false, lines: lines.clone() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_changes_nothing(setup in setup(), deeds in proptest::collection::vec(deed(), 1..14)) {
        let deeds: Vec<Deed> = beginning().into_iter().chain(deeds).collect();
        let with = said(setup, &deeds, false);
        let without = said(setup, &deeds, true);
        for (number, (with, without)) in with.iter().zip(&without).enumerate() {
            prop_assert_eq!(with, without, "after deed {}", number);
        }
    }
}

#[test]
fn a_line_like_one_before_is_not_mined() {
    for off in [false, true] {
        let mut pipeline = Pipeline::new(settings(1));
        pipeline.memory.off = off;
        let mut at = jiff::Timestamp::from_second(NOW).expect("a time");
        let mut lines = |number: u32| {
            let line = Line { sort: 0, number, word: 0, host: 0, level: 0, step: 10 };
            block(0, Phase::Live, false, &vec![line; 30], &mut at, &mut 0)
        };
        let mut out = Effects::default();
        pipeline.handle(Input::Lines(&lines(7)), Timestamp::from_seconds(NOW), &mut out);
        // Whoever is mined from now on is new to the miner.
        pipeline.miner = Miner::new(&mine::Config::default(), 1);
        pipeline.handle(Input::Lines(&lines(99)), Timestamp::from_seconds(NOW), &mut out);
        assert_eq!(pipeline.miner.len(), usize::from(off));
        assert_eq!(pipeline.counters().lines, 60);
    }
}
