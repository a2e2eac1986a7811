//! Killed at any moment, under rotation and load: no line is lost, none counts twice, and an alert that is sent twice is
//! the same alert.
//!
//! `LOGWREN_CHAOS_KILLS=200 cargo test --test it chaos` is the long form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use logwren::store::{FindingFilter, IncidentFilter, Reader};

use crate::support::daemon::{Daemon, Home, append};
use crate::support::receiver::{Contract, Receiver};
use crate::support::writers::{Habit, Rotation, Writer, numbered};

/// Kills of the short form.
const KILLS: u64 = 14;
/// The last line of all.
const LAST: u64 = 99_000_001;
/// A line that is written twice on purpose: the check sees what it claims to see.
const TWICE: u64 = 98_000_001;

/// What was seen of one numbered line: how often it counted, and its record keys (file and offset).
#[derive(Default, Debug)]
struct Seen {
    count: u64,
    keys: BTreeSet<(String, u64)>,
}

#[test]
fn kills_under_rotation_and_load_lose_nothing_and_repeat_nothing() {
    let kills = std::env::var("LOGWREN_CHAOS_KILLS").map_or(KILLS, |text| text.parse().expect("a number of kills"));
    let home = Home::new();
    let hook = Receiver::start(Contract::default());
    let config = home.config(&format!(
        "[judge]\nmode = 'off'\n[[notifiers.webhook]]\nname = 'hook'\nurl = '{}'\n[[routes]]\n\
         match = {{ judged_by = 'rule:numbered-alarm' }}\nnotifiers = ['hook']\n",
        hook.url("/hook")
    ));
    numbers_are_incidents(&home);
    for rotation in ["rename", "copytruncate", "compress"] {
        append(&home.log(&format!("{rotation}.log")), "2026-11-22T00:00:00Z web-03 count: start\n");
    }
    // Fixes where every file stands: from here on nothing may be lost.
    assert!(Daemon::watch(&config).stop().0.success());

    let habit = |rotation, from, rotate_every| Habit {
        rotation,
        from,
        pause: Duration::from_millis(30),
        numbered: 2,
        noise: 12,
        rotate_every,
        writes_a_round: 12,
    };
    let habits = [
        habit(Rotation::Rename, 1_000_000, 37),
        habit(Rotation::CopyTruncate, 2_000_000, 53),
        habit(Rotation::Compress, 3_000_000, 41),
        habit(Rotation::Dated, 4_000_000, 29),
    ];
    let rounds = Arc::new(AtomicU64::new(0));
    let writers = habits.map(|habit| Writer::start(home.path("log"), home.path("state"), habit, Arc::clone(&rounds)));
    let mut random = fastrand::Rng::with_seed(kills);
    for round in 0..kills {
        rounds.fetch_add(1, Ordering::Relaxed);
        let mut daemon = Daemon::start(&["watch", "--config", &config.display().to_string()], &[]);
        // One in four dies at some point of its start; one in ten lives long enough to decide about copies.
        if round % 4 != 1 {
            daemon.wait_told("READY=1");
        }
        let longest = if round % 10 == 7 { 3_000 } else { 600 };
        std::thread::sleep(Duration::from_millis(random.u64(0..longest)));
        daemon.kill();
    }
    let written: Vec<u64> = writers.into_iter().flat_map(Writer::stop).collect();

    let daemon = Daemon::watch(&config);
    let sentinel = home.log("rename.log");
    append(&sentinel, &format!("{}{}{}", numbered(TWICE), numbered(TWICE), numbered(LAST)));
    let alarms: BTreeSet<u64> = written.iter().copied().filter(|number| number % 25 == 0).collect();
    let (seen, told) = settled(&home.path("state"), &hook, &written, &alarms);
    let log = daemon.stderr();
    daemon.kill();

    let lost: Vec<&u64> = written.iter().filter(|number| !seen.contains_key(number)).collect();
    let repeated: BTreeMap<&u64, &Seen> =
        seen.iter().filter(|(number, seen)| seen.count > 1 && **number != TWICE).collect();
    let untold: Vec<&u64> = alarms.iter().filter(|number| !told.contains_key(number)).collect();
    let twice_told: Vec<_> = told.iter().filter(|(_, ids)| ids.iter().collect::<BTreeSet<_>>().len() > 1).collect();
    let again = told.values().map(|ids| ids.len() - 1).sum::<usize>();
    println!(
        "{kills} kills, {} numbered lines, {} lost, {} repeated; {} alerts, {} not told, {again} sent again under their id",
        written.len(),
        lost.len(),
        repeated.len(),
        alarms.len(),
        untold.len(),
    );
    assert_eq!(seen.get(&TWICE).map(|seen| seen.count), Some(2), "this check would not see a line that counts twice");
    assert!(lost.is_empty(), "lost {} of {}: {lost:?}\n{log}", lost.len(), written.len());
    assert!(repeated.is_empty(), "counted twice: {repeated:?}\n{log}");
    assert!(untold.is_empty(), "never told: {untold:?}\n{log}");
    assert!(twice_told.is_empty(), "told under two ids: {twice_told:?}");
}

/// Every numbered line is an incident of its own, so the store tells which were seen, and how often.
fn numbers_are_incidents(home: &Home) {
    std::fs::create_dir(home.path("rules.d")).expect("made");
    let rule = |name: &str, severity: &str, word: &str| {
        format!(
            "[[rules]]\nname = '{name}'\ncategory = 'other'\nseverity = '{severity}'\ntitle = 'A numbered line'\n\
             reason = 'number {{key}}'\nremediation = ['nothing']\nvalues = true\n\
             match = {{ program = ['count'], message = '^{word} (?P<key>\\d+) of the test$' }}\n\
             examples = {{ matches = ['count: {word} 1 of the test', 'count: {word} 22 of the test'], \
             others = ['count: {word} x of the test', 'other: {word} 1 of the test'] }}\n"
        )
    };
    home.write(
        "rules.d/numbers.toml",
        &format!("{}{}", rule("numbered", "low", "number"), rule("numbered-alarm", "critical", "alarm")),
    );
}

/// Waits until everything has arrived or nothing new comes; gives what was seen and what was told under which ids.
fn settled(
    state: &Path,
    hook: &Receiver,
    written: &[u64],
    alarms: &BTreeSet<u64>,
) -> (BTreeMap<u64, Seen>, BTreeMap<u64, Vec<String>>) {
    // Longer than anything that is put off: copies wait for their original, and orphans for a copy.
    let end = Instant::now() + Duration::from_secs(45) + Duration::from_millis(written.len() as u64 * 5);
    loop {
        let seen = seen(state);
        let told = told(hook);
        let complete = written.iter().chain([&LAST, &TWICE]).all(|number| seen.contains_key(number))
            && seen.get(&TWICE).is_some_and(|seen| seen.count > 1)
            && alarms.iter().all(|number| told.contains_key(number));
        if complete || Instant::now() > end {
            return (seen, told);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn seen(state: &Path) -> BTreeMap<u64, Seen> {
    let reader = Reader::open(state).expect("readable while it runs");
    let mut all: BTreeMap<u64, Seen> = BTreeMap::new();
    // An incident that was forgotten and began anew replaces its row, but its findings are both there.
    for finding in reader.findings(FindingFilter::default()).expect("listed") {
        for evidence in &finding.evidence {
            let Some(number) = number_in(&evidence.line) else { continue };
            let seen = all.entry(number).or_default();
            seen.count += finding.count;
            seen.keys.insert((evidence.origin.to_string(), evidence.offset));
        }
    }
    for incident in reader.incidents(IncidentFilter::default()).expect("listed") {
        let Some(number) = incident.evidence.first().and_then(|evidence| number_in(&evidence.line)) else { continue };
        let seen = all.entry(number).or_default();
        seen.count = seen.count.max(incident.count);
    }
    all
}

fn told(hook: &Receiver) -> BTreeMap<u64, Vec<String>> {
    let mut all: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for request in hook.requests() {
        let body = request.json();
        let line = body["incident"]["evidence"][0]["line"].as_str().map(str::to_owned);
        let line = line.or_else(|| body["incident"]["evidence"][0].as_str().map(str::to_owned)).unwrap_or_default();
        if let Some(number) = number_in(&line) {
            all.entry(number).or_default().push(body["alert_id"].as_str().unwrap_or_default().to_owned());
        }
    }
    all
}

fn number_in(line: &str) -> Option<u64> {
    let rest = line.split_once("number ").or_else(|| line.split_once("alarm "))?.1;
    rest.split(' ').next()?.parse().ok()
}
