//! The way of a line through all pure rooms: what a host with a journal and syslog files makes of one line.

use std::sync::Arc;

use super::*;
use crate::model::{Incident, LineBlock, LineSpan, Medium, Origin, Phase, Severity, Snapshot};

pub(super) const NOW: i64 = 1_790_000_000;

pub(super) fn settings(own_pid: u32) -> Settings {
    Settings {
        host: "bed".into(),
        zone: jiff::tz::TimeZone::UTC,
        own_pid,
        mine: mine::Config::default(),
        batch: batch::Config::default(),
        detect: detect::Config::default(),
        rules: RuleSet::new(Vec::new()).expect("no rules are right"),
        judge: judge::Config::default(),
        room: judge::Room::default(),
        no_judge: None,
        triage: triage::Config::default(),
        route: route::Config::default(),
        notifiers: Vec::new(),
        redactor: Arc::new(Redactor::new(&crate::redact::Config::default(), [7; 32])),
        seed: 1,
    }
}

fn learned(own_pid: u32, states: Vec<(Arc<str>, String)>) -> (Pipeline, Effects) {
    let mut pipeline = Pipeline::new(settings(own_pid));
    let mut out = Effects::default();
    pipeline.restore(Snapshot { states, ..Snapshot::default() }, Timestamp::from_seconds(NOW), &mut out);
    pipeline.handle(Input::Learned, Timestamp::from_seconds(NOW), &mut out);
    (pipeline, out)
}

/// One line as rsyslog writes it to a file: without a level, often without a pid.
pub(super) fn syslog(tag: &str, message: &str) -> LineBlock {
    block("/var/log/syslog", Medium::File, format!("2026-09-21T14:13:20.000000+00:00 bed {tag}: {message}"))
}

/// The same line in the journal.
fn journal(tag: &str, pid: u32, priority: u8, message: &str) -> LineBlock {
    let entry = serde_json::json!({
        "__CURSOR": "c", "__REALTIME_TIMESTAMP": format!("{NOW}000000"), "_HOSTNAME": "bed", "_PID": pid.to_string(),
        "SYSLOG_IDENTIFIER": tag, "PRIORITY": priority.to_string(), "MESSAGE": message,
    });
    block("journal", Medium::Journal, entry.to_string())
}

fn block(name: &str, medium: Medium, line: String) -> LineBlock {
    let origin = Origin { name: name.into(), medium, format: None, written: None };
    let end = u32::try_from(line.len()).expect("short");
    let span = LineSpan { start: 0, end, offset: 0, truncated: false, partial: false };
    LineBlock { origin: origin.into(), phase: Phase::Live, bytes: line.into_bytes(), spans: vec![span], position: None }
}

fn feed(pipeline: &mut Pipeline, blocks: &[LineBlock]) -> Option<Incident> {
    let mut out = Effects::default();
    for block in blocks {
        pipeline.handle(Input::Lines(block), Timestamp::from_seconds(NOW), &mut out);
    }
    out.facts.into_iter().rev().find_map(|fact| match fact {
        Fact::Incident(incident) => Some(*incident),
        _ => None,
    })
}

#[test]
fn the_level_is_heard_whichever_copy_comes_first() {
    let copies = [syslog("app", "cannot open shard beta"), journal("app", 9, 3, "cannot open shard beta")];
    for order in [[0, 1], [1, 0]] {
        let (mut pipeline, _) = learned(1, Vec::new());
        let incident = feed(&mut pipeline, &order.map(|at| copies[at].clone())).expect("an incident");
        assert_eq!(incident.severity, Severity::Medium, "{}", incident.reason);
        assert!(!incident.reason.contains("known at level"), "{}", incident.reason);
        assert_eq!((incident.count, incident.evidence.len(), pipeline.counters().twins), (1, 1, 1));
    }
}

#[test]
fn one_line_is_one_question() {
    for order in [[0, 1], [1, 0]] {
        let copies = [syslog("app", "cannot open shard beta"), journal("app", 9, 3, "cannot open shard beta")];
        let (mut pipeline, _) = learned(1, Vec::new());
        feed(&mut pipeline, &order.map(|at| copies[at].clone()));
        let mut out = Effects::default();
        pipeline.handle(Input::Tick, Timestamp::from_seconds(NOW + 10), &mut out);
        let asked: Vec<_> = out.facts.iter().filter(|fact| matches!(fact, Fact::Question(_))).collect();
        assert_eq!(asked.len(), 1, "{asked:?}");
    }
}

#[test]
fn what_an_earlier_run_said_is_our_own() {
    let (_, out) = learned(41, Vec::new());
    let pids = out.facts.into_iter().find_map(|fact| match fact {
        Fact::State { name, json } if &*name == "pids" => Some((name, json)),
        _ => None,
    });
    let (mut pipeline, _) = learned(42, vec![pids.expect("remembered")]);
    for (tag, own) in [("logwren[42]", 1), ("logwren[41]", 2), ("logwren[40]", 2), ("other[41]", 2), ("logwren", 2)] {
        feed(&mut pipeline, &[syslog(tag, "stopped")]);
        assert_eq!(pipeline.counters().own, own, "{tag}");
    }
}

/// A block of live lines of junk that nobody said before.
fn junk(name: &str, from: u64, lines: u64) -> LineBlock {
    let word = |number: u64| -> String {
        let spread = number.wrapping_mul(6_364_136_223_846_793_005);
        (0..10).map(|at| char::from(b'g' + (spread >> (at * 6)) as u8 % 20)).collect()
    };
    let text: Vec<String> = (from..from + lines).map(|n| format!("{} {}", word(2 * n), word(2 * n + 1))).collect();
    let mut spans = Vec::new();
    let mut start = 0;
    for line in &text {
        let end = start + line.len() as u32;
        spans.push(LineSpan { start, end, offset: u64::from(start), truncated: false, partial: false });
        start = end;
    }
    LineBlock { bytes: text.concat().into_bytes(), spans, ..block(name, Medium::File, String::new()) }
}

#[test]
fn a_log_without_end_of_kinds_is_told_once_and_known_after_a_restart() {
    let now = Timestamp::from_seconds(NOW);
    let (mut pipeline, _) = learned(1, Vec::new());
    let mut out = Effects::default();
    for part in 0..6 {
        pipeline.handle(Input::Lines(&junk("/var/log/junk.log", part * 250, 250)), now, &mut out);
        pipeline.handle(Input::Lines(&syslog("app", "all is well")), now, &mut out);
    }
    let told: Vec<&Notice> = out.notices.iter().filter(|notice| matches!(notice, Notice::Exploded { .. })).collect();
    let [Notice::Exploded { origin, templates, detail }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((&**origin, *detail), ("/var/log/junk.log", mine::Detail::TwoWords));
    assert!((1_000..1_500).contains(templates), "{templates}");
    let about = |fact: &&Fact| matches!(fact, Fact::Joined { finding, .. } if finding.title.contains("no end of"));
    assert_eq!(out.facts.iter().filter(about).count(), 1);
    let states: Vec<(Arc<str>, String)> = out
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::State { name, json } if &**name == "exploded" => Some((Arc::clone(name), json.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(states.last().map(|(_, json)| json.as_str()), Some(r#"{"/var/log/junk.log":"two-words"}"#));
    // The next run knows the source from its first line, and no other.
    let (mut pipeline, _) = learned(2, states);
    let mut out = Effects::default();
    for (name, from) in [("/var/log/other.log", 90_000), ("/var/log/junk.log", 95_000)] {
        pipeline.handle(Input::Lines(&junk(name, from, 1)), now, &mut out);
    }
    let texts = out.facts.iter().filter_map(|fact| match fact {
        Fact::Template(row) => Some(row.text.contains("<*>")),
        _ => None,
    });
    assert_eq!(texts.collect::<Vec<_>>(), [false, true]);
}

/// One line on every way it can come: the journal, a syslog file, kern.log, and our own sockets.
fn ways(tag: &str, message: &str) -> Vec<LineBlock> {
    let escaped = message.replace('\t', "#011").replace('\n', "#012");
    let uptime = if tag == "kernel" { "[   12.345678] " } else { "" };
    vec![
        journal(tag, 9, 3, message),
        syslog(tag, &format!("{uptime}{escaped}")),
        block("/var/log/kern.log", Medium::File, format!("Sep 21 14:13:20 bed {tag}: {uptime}{escaped}")),
        block("syslog/local", Medium::Syslog, format!("<3>Sep 21 14:13:20 {tag}: {uptime}{message}")),
        block(
            "syslog/127.0.0.1",
            Medium::Syslog,
            format!("<3>1 2026-09-21T14:13:20Z bed {tag} - - - {uptime}{message}"),
        ),
    ]
}

#[test]
fn a_line_on_any_two_ways_counts_once() {
    let messages =
        [("app", "cannot open shard beta"), ("kernel", "EXT4-fs error (device sda1)"), ("app", "first\n\tsecond")];
    for (tag, message) in messages {
        let ways = ways(tag, message);
        for first in &ways {
            for second in ways.iter().filter(|second| second.origin.name != first.origin.name) {
                let (mut pipeline, _) = learned(1, Vec::new());
                feed(&mut pipeline, &[first.clone(), second.clone()]);
                let what = format!("{message:?} by {} and {}", first.origin.name, second.origin.name);
                assert_eq!(pipeline.counters().twins, 1, "{what}");
                // Said twice by one of them it is two lines.
                feed(&mut pipeline, std::slice::from_ref(first));
                assert_eq!(pipeline.counters().twins, 1, "{what}, again");
            }
        }
    }
}

#[test]
fn lines_without_a_host_are_of_their_sender() {
    let (mut pipeline, _) = learned(1, Vec::new());
    let from = |peer: &str| block(peer, Medium::Syslog, "<2>app: cannot open shard beta".to_owned());
    let incident = feed(&mut pipeline, &[from("syslog/192.0.2.7")]).expect("an incident");
    assert_eq!(&*incident.host, "192.0.2.7");
    let (mut pipeline, _) = learned(1, Vec::new());
    let incident = feed(&mut pipeline, &[from("syslog/127.0.0.1")]).expect("an incident");
    assert_eq!(&*incident.host, "bed");
    // Two senders of the same words are two lines.
    let (mut pipeline, _) = learned(1, Vec::new());
    feed(&mut pipeline, &[from("syslog/192.0.2.7"), from("syslog/192.0.2.8")]);
    assert_eq!(pipeline.counters().twins, 0);
}
