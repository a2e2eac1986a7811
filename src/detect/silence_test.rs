//! Silence on scripts of times and lines.

use super::super::script::Script;
use super::*;

fn beats(script: &mut Script, from: i64, until: i64, every: usize) {
    for at in (from..until).step_by(every) {
        script.line(at, "app: beat 1");
    }
}

/// A line each `every` seconds for so many times, then none; expected: seconds after the last one at which it is said.
#[track_caller]
fn check(every: i64, times: i64, expected: Option<i64>) {
    let mut script = Script::new();
    let last = (times - 1) * every;
    for at in (0..=last + 3_600 * 24).filter(|at| *at % 7 == 0 || (*at <= last && *at % every == 0)) {
        if at <= last && at % every == 0 {
            script.line(at, "app: beat 1");
        }
        // Others go on.
        if at % 7 == 0 {
            script.line(at, &format!("other: {} words", if at % 14 == 0 { "some" } else { "no" }));
        }
    }
    let said = script.found.iter().find(|finding| finding.title.contains("of app has stopped"));
    let after = said.map(|finding| finding.last_seen.as_seconds() - last);
    // The others speak every seven seconds.
    assert!(
        after.is_some() == expected.is_some() && after.zip(expected).is_none_or(|(at, due)| at >= due && at < due + 7),
        "{after:?}, not {expected:?}"
    );
}

#[test]
fn a_heartbeat_that_stops_is_missed_after_ten_of_its_gaps() {
    check(1, 30, Some(20));
    check(2, 60, Some(20));
    check(10, 40, Some(100));
    check(60, 30, Some(600));
    check(300, 100, Some(3_000));
    check(1, 29, None);
}

#[test]
fn said_once_and_over_when_it_speaks_again() {
    let mut script = Script::new();
    beats(&mut script, 0, 100, 1);
    others(&mut script, 100, 1_000);
    assert_eq!(script.said(NAME), ["medium: A recurring line of app has stopped"]);
    beats(&mut script, 1_001, 1_200, 1);
    let over: Vec<&str> = script.over.iter().map(|finding| &*finding.title).collect();
    assert_eq!(over, ["A recurring line of app has stopped"]);
    assert!(script.over.iter().all(|finding| finding.reason.contains("spoke again")), "{:?}", script.over);
    assert_eq!(script.said(NAME).len(), 1);
}

/// A script that must find nothing.
#[track_caller]
fn silent(play: impl FnOnce(&mut Script)) {
    let mut script = Script::new();
    play(&mut script);
    assert_eq!(script.said(NAME), Vec::<String>::new());
}

fn others(script: &mut Script, from: i64, until: i64) {
    for at in from..until {
        // Never twice the same gap.
        if (at * at) % 17 < 5 {
            script.line(at, "other: words");
        }
    }
}

#[test]
fn what_ends_by_nature_is_done() {
    // An upgrade: hundreds of lines in a minute.
    silent(|script| {
        for at in 0..60 {
            (0..(at * at) % 7).for_each(|_| script.line(at, "dpkg: status installed 1"));
        }
        others(script, 60, 4_000);
    });
    // Warnings that stop are good news.
    silent(|script| {
        for at in 0..600 {
            script.say(at, "/var/log/syslog", Level::Warning, "app: disk is slow");
        }
        others(script, 600, 4_000);
    });
}

#[test]
fn hostile_time_is_no_silence() {
    // A year of nothing at all; the machine was off.
    silent(|script| {
        beats(script, 0, 1_000, 1);
        beats(script, 31_536_000, 31_536_100, 1);
    });
    // The clock of the host jumps ahead by hours, and back.
    silent(|script| {
        beats(script, 0, 1_000, 1);
        script.quiet(30_000);
        beats(script, 30_001, 30_100, 1);
        beats(script, 1_100, 1_300, 1);
    });
    // A reboot: not everything comes back.
    silent(|script| {
        beats(script, 0, 1_000, 1);
        script.line(1_010, "kernel: Linux version 6.1");
        others(script, 1_011, 9_000);
    });
}

#[test]
fn a_merged_template_is_not_silent() {
    silent(|script| {
        beats(script, 0, 100, 1);
        let kind = |text: &str| crate::model::Kind {
            program: "app".into(),
            level: Level::Info,
            template: TemplateId::of(text),
        };
        script.detect.merged(&kind("beat "), &kind("wider"));
        others(script, 100, 4_000);
    });
}

#[test]
fn a_silent_source_is_not_many_silent_kinds() {
    silent(|script| {
        for at in 0..300 {
            ["app: beat", "app: tick", "db: pulse"].iter().for_each(|line| script.line(at, line));
        }
        script.wait(300, 2_000);
    });
}

#[test]
fn not_while_a_source_catches_up() {
    let mut script = Script::new();
    script.live = false;
    beats(&mut script, 0, 1_000, 1);
    others(&mut script, 1_000, 4_000);
    assert_eq!(script.said(NAME), Vec::<String>::new());
}

#[test]
fn a_restart_gives_everybody_time_and_forgets_nobody() {
    let mut script = Script::new();
    beats(&mut script, 0, 1_000, 1);
    let mut script = script.restarted();
    script.quiet(50_000);
    others(&mut script, 50_000, 50_015);
    assert_eq!(script.said(NAME), Vec::<String>::new());
    others(&mut script, 50_016, 50_100);
    assert_eq!(script.said(NAME).len(), 1);
    let mut script = script.restarted();
    others(&mut script, 60_000, 60_100);
    script.line(60_101, "app: beat 1");
    assert_eq!((script.said(NAME).len(), script.over.len()), (1, 1));
}
