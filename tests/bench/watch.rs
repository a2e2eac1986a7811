//! Measures the daemon as a whole process, against servers on loopback: latency, calls to the model, memory, CPU, catch-up.
//! Measures only: what must hold on every machine is in the tests.
//!
//! ```sh
//! cargo bench --bench watch                      # everything, about 20 minutes
//! cargo bench --bench watch -- --short           # everything, about 3 minutes, coarser
//! cargo bench --bench watch -- local seen judged calls memory rate many paused catch-up
//! ```
//!
//! `LOGWREN_BINARY=/usr/bin/logwren cargo bench --bench watch` measures that build instead of this one.
//!
//! One row for each figure: name, value, unit, target. The machine should have nothing else to do. Without `--bench` (as
//! by `cargo test --benches`) it does nothing.

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod gauge;
mod wanted;
mod lines;

use std::io::Write;
use std::time::{Duration, Instant};

use gauge::{Target, cpu_seconds, megabytes, row, rows, wake_ups};
use jiff::Timestamp;
use lines::Generator;
use support::daemon::{Daemon, Home, append};
use support::gemini::FakeGemini;
use support::receiver::{Contract, Receiver, Reply, Request};
use wanted::Wanted;

/// As in DESIGN: a local critical line in under a second, a judged one in under a second after the batch timeout.
const LATENCY: Duration = Duration::from_secs(1);
/// Files that are watched where nothing else is said.
const FILES: usize = 50;
/// From a write to what it leads to, on a busy log.
const SEEN: Duration = Duration::from_millis(250);
/// How often the paced writer looks at its watch.
const PACE: Duration = Duration::from_millis(1);

fn main() {
    type Section = (&'static str, fn(bool));
    let sections: [Section; 9] = [
        ("local", local),
        ("seen", seen),
        ("judged", judged),
        ("calls", calls),
        ("memory", memory),
        ("rate", rate),
        ("many", many),
        ("paused", paused),
        ("catch-up", catch_up),
    ];
    let Some(wanted) = Wanted::of(&sections.map(|(name, _)| name)) else { return };
    for (name, section) in sections {
        if wanted.has(name) {
            section(wanted.short);
        }
    }
}

/// From the write of an OOM kill to the arrival of the webhook.
fn local(short: bool) {
    let hook = Receiver::start(Contract::default());
    let home = Home::new();
    let log = home.log("kern.log");
    append(&log, &Generator::new(1).backlog(1_000, Timestamp::now(), 10_000));
    let daemon = watch(&home, &format!("[judge]\nmode = 'off'\n{}", to(&hook)));
    let samples = if short { 20 } else { 100 };
    let samples = (0..samples)
        .map(|sample| {
            pause();
            let name = format!("victim{sample}x");
            latency(&hook, &name, || append(&log, &oom(&name)))
        })
        .collect();
    rows("local rule, write to webhook", samples, LATENCY);
    daemon.stop();
}

/// The same on a log that takes a thousand lines a second besides, a write each: a look waits for others then.
fn seen(short: bool) {
    let hook = Receiver::start(Contract::default());
    let home = Home::new();
    let log = home.log("kern.log");
    append(&log, &Generator::new(1).backlog(1_000, Timestamp::now(), 10_000));
    let daemon = watch(&home, &format!("[judge]\nmode = 'off'\n{}", to(&hook)));
    let samples = if short { 20 } else { 100 };
    let busy = log.clone();
    let time = Duration::from_millis(400 * samples);
    let writer = std::thread::spawn(move || write_paced(&busy, 1_000, time));
    let samples = (0..samples)
        .map(|sample| {
            pause();
            let name = format!("victim{sample}x");
            latency(&hook, &name, || append(&log, &oom(&name)))
        })
        .collect();
    rows("on a busy log, write to webhook", samples, SEEN);
    writer.join().expect("it wrote");
    daemon.stop();
}

/// From the write of a line nobody has seen before to the arrival of the webhook, less the time it waits in the batch.
fn judged(short: bool) {
    let (hook, model, home) = (Receiver::start(Contract::default()), FakeGemini::start(), Home::new());
    let log = home.log("app.log");
    append(&log, &Generator::new(1).backlog(1_000, Timestamp::now(), 10_000));
    let timeout = Duration::from_millis(200);
    let daemon = watch(&home, &format!("[batch]\ntimeout = '200ms'\n{}{}", by(&model, &home), to(&hook)));
    settled(&model);
    let mut random = fastrand::Rng::with_seed(3);
    let samples = if short { 10 } else { 60 };
    let samples = (0..samples)
        .map(|_| {
            pause();
            let mut word = || (0..8).map(|_| random.lowercase()).collect::<String>();
            let name = word();
            let (a, b, c, d) = (word(), word(), word(), word());
            let line = format!("{} web-03 {a}[77]: unrecoverable {name} {b} {c} {d}\n", Timestamp::now());
            latency(&hook, &name, || append(&log, &line)).saturating_sub(timeout)
        })
        .collect();
    rows("judged by model, write to webhook less 200 ms", samples, LATENCY);
    daemon.stop();
}

/// What known lines and a restart cost in calls to the model.
fn calls(_short: bool) {
    let (hook, model, home) = (Receiver::start(Contract::default()), FakeGemini::start(), Home::new());
    let log = home.log("app.log");
    append(&log, &Generator::new(1).backlog(5_000, Timestamp::now(), 10_000));
    let config = format!("[batch]\ntimeout = '200ms'\n{}{}", by(&model, &home), to(&hook));
    let daemon = watch(&home, &config);
    let learned = settled(&model);
    row("calls for the kinds of the baseline", learned as f64, "calls", Target::None);
    let known = || {
        let line = |n| format!("{} web-03 checkout[77]: cache hit for key item:{n} ttl=60s\n", Timestamp::now());
        append(&log, &(0..50).map(line).collect::<String>());
        settled(&model)
    };
    let after_lines = known();
    row("calls for 50 lines of one known kind", (after_lines - learned) as f64, "calls", Target::Below(0.0));
    daemon.stop();
    let daemon = watch(&home, &config);
    let after_restart = settled(&model);
    row("calls for a restart", (after_restart - after_lines) as f64, "calls", Target::Below(0.0));
    let after_both = known();
    row("calls for 50 known lines after a restart", (after_both - after_restart) as f64, "calls", Target::Below(0.0));
    daemon.stop();
    assert_eq!(after_both, learned, "known lines or a restart were paid for");
}

/// Memory after start with few and with many lines to learn, and what idling costs.
fn memory(short: bool) {
    let home = Home::new();
    many_files(&home, 1_000);
    let daemon = watch(&home, "[judge]\nmode = 'off'");
    std::thread::sleep(Duration::from_secs(2));
    row("RSS idle, 50 files", megabytes(daemon.pid(), "VmRSS"), "MB", Target::Below(25.0));
    row("RSS idle, 50 files: private", megabytes(daemon.pid(), "RssAnon"), "MB", Target::None);
    row("RSS peak, 50 files", megabytes(daemon.pid(), "VmHWM"), "MB", Target::None);
    daemon.stop();

    let home = Home::new();
    let bytes = many_files(&home, if short { 100_000 } else { 900_000 });
    let start = Instant::now();
    let daemon = watch(&home, "[judge]\nmode = 'off'");
    let name = format!("{} MB", bytes >> 20);
    row(&format!("learning {name}: until learned"), start.elapsed().as_secs_f64(), "s", Target::None);
    row(&format!("learning {name}: CPU"), cpu_seconds(daemon.pid()), "CPU-s", Target::None);
    // The first commits, and what waits for the lines that never come.
    std::thread::sleep(Duration::from_secs(5));
    let idle = Duration::from_secs(if short { 20 } else { 300 });
    let before = wake_ups(daemon.pid());
    row("idle, 50 files: CPU", cpu_over(&daemon, idle), "% of a core", Target::Below(0.05));
    let woken = (wake_ups(daemon.pid()) - before) / idle.as_secs_f64();
    row("idle, 50 files: wake-ups", woken, "/s", Target::None);
    row(&format!("RSS idle after learning {name}"), megabytes(daemon.pid(), "VmRSS"), "MB", Target::Below(32.0));
    row(&format!("RSS peak after learning {name}"), megabytes(daemon.pid(), "VmHWM"), "MB", Target::None);
    daemon.stop();
}

/// What ten thousand files cost that say nothing.
fn many(short: bool) {
    let home = Home::new();
    for file in 0..10_000 {
        append(&home.log(&format!("f{file:05}.log")), &oom("nobody").replace("Out of memory", "file"));
    }
    let start = Instant::now();
    let daemon = watch(&home, "[judge]\nmode = 'off'");
    row("10,000 files: until learned", start.elapsed().as_secs_f64(), "s", Target::None);
    std::thread::sleep(Duration::from_secs(10));
    let idle = Duration::from_secs(if short { 20 } else { 120 });
    row("idle, 10,000 files: CPU", cpu_over(&daemon, idle), "% of a core", Target::Below(0.1));
    row("idle, 10,000 files: RSS", megabytes(daemon.pid(), "VmRSS"), "MB", Target::None);
    daemon.stop();
}

/// Memory while a gigabyte is written and the receiver takes nothing; then the alerts arrive.
fn paused(short: bool) {
    let hook = Receiver::start(Contract::default());
    let home = Home::new();
    let log = home.log("app.log");
    append(&log, &Generator::new(1).backlog(20_000, Timestamp::now(), 10_000));
    let daemon = watch(&home, &format!("[judge]\nmode = 'off'\n{}", to(&hook)));
    std::thread::sleep(Duration::from_secs(2));
    let before = megabytes(daemon.pid(), "VmRSS");
    hook.script((0..6).map(|_| Reply::status(503, "away")));
    append(&log, &oom("first"));
    let (megabytes_to_write, mut written, mut lines, mut most) =
        (if short { 100 } else { 1_024 }, 0usize, 0usize, before);
    let mut generator = Generator::new(5);
    let start = Instant::now();
    while written >> 20 < megabytes_to_write {
        let text = generator.backlog(40_000, Timestamp::now(), 10_000);
        written += text.len();
        lines += 40_000;
        append(&log, &text);
        most = most.max(megabytes(daemon.pid(), "VmRSS"));
    }
    append(&log, &oom("lastline"));
    wait_for_long(&hook, "lastline", Duration::from_secs(300));
    row(&format!("{} MB while the receiver is away", written >> 20), start.elapsed().as_secs_f64(), "s", Target::None);
    row("receiver away: RSS before", before, "MB", Target::None);
    row("receiver away: RSS at most", most, "MB", Target::Below(before + 16.0));
    let (_, said) = daemon.stop();
    let expected = 20_000 + lines + 2;
    assert!(said.contains(&format!(", {expected} lines, ")), "not all of {expected} lines were taken: {said}");
}

/// CPU while lines come at a steady rate, each in a write of its own.
fn rate(short: bool) {
    for (lines_a_second, limit) in [(1_000, Target::Below(0.5)), (10_000, Target::None)] {
        let home = Home::new();
        many_files(&home, 20_000);
        let daemon = watch(&home, "[judge]\nmode = 'off'");
        let log = home.log("log00.log");
        let time = Duration::from_secs(if short { 5 } else { 30 });
        // Once without measuring: tables grow, plans settle.
        write_paced(&log, lines_a_second, Duration::from_secs(1));
        let before = cpu_seconds(daemon.pid());
        let start = Instant::now();
        let written = write_paced(&log, lines_a_second, time);
        let busy = (cpu_seconds(daemon.pid()) - before) / start.elapsed().as_secs_f64() * 100.0;
        row(&format!("{lines_a_second} lines/s: CPU"), busy, "% of a core", limit);
        row(&format!("{lines_a_second} lines/s: RSS"), megabytes(daemon.pid(), "VmRSS"), "MB", Target::None);
        // The last lines are on their way.
        std::thread::sleep(Duration::from_millis(500));
        let (_, said) = daemon.stop();
        let expected = many_files_lines(20_000) + lines_a_second as usize + written;
        assert!(said.contains(&format!(", {expected} lines, ")), "not all of {expected} lines were taken: {said}");
    }
}

/// A backlog that is live, through parse, mine, detect and commit; the last line is an OOM kill that says when.
fn catch_up(short: bool) {
    let hook = Receiver::start(Contract::default());
    let home = Home::new();
    let count = if short { 200_000 } else { 1_000_000 };
    let log = home.log("syslog.log");
    append(&log, &Generator::new(5).backlog(count, Timestamp::now(), 10_000));
    append(&log, &oom("lastline"));
    let start = Instant::now();
    let daemon = watch(&home, &format!("read_from = 'beginning'\n[judge]\nmode = 'off'\n{}", to(&hook)));
    wait_for(&hook, "lastline", 0);
    let (wall, busy) = (start.elapsed().as_secs_f64(), cpu_seconds(daemon.pid()));
    let thousand = count as f64 / 1e3;
    row("catch-up, start included", thousand / busy, "k lines/CPU-s", Target::AtLeast(500.0));
    row("catch-up, start included", thousand / wall, "k lines/s", Target::None);
    row("catch-up: RSS peak", megabytes(daemon.pid(), "VmHWM"), "MB", Target::None);
    daemon.stop();
}

/// Started, and done with learning.
fn watch(home: &Home, rest: &str) -> Daemon {
    let daemon = Daemon::watch(&home.config(rest));
    let learned = home.path("learned");
    if !learned.exists() {
        daemon.wait_logged("logwren: learned ");
        std::fs::write(&learned, "").expect("a mark");
    }
    daemon
}

fn to(hook: &Receiver) -> String {
    format!("[[notifiers.webhook]]\nname = 'hook'\nurl = '{}'\n", hook.url("/hook"))
}

fn by(model: &FakeGemini, home: &Home) -> String {
    let key = home.secret("key", FakeGemini::KEY);
    format!(
        "[judge]\ndaily_tokens = 0\ndaily_usd = 0.0\n\
         [llm.gemini]\nbase_url = '{}'\napi_key_file = {key:?}\nrequests_per_minute = 0\n",
        model.url()
    )
}

/// Calls so far, once no more come.
fn settled(model: &FakeGemini) -> usize {
    let mut calls = model.calls();
    loop {
        std::thread::sleep(Duration::from_millis(1_500));
        let now = model.calls();
        if now == calls {
            return calls;
        }
        calls = now;
    }
}

/// Each on a host of its own: of one host, many are told together.
fn oom(victim: &str) -> String {
    format!(
        "{} web-{victim} kernel: Out of memory: Killed process 4321 ({victim}) total-vm:8123456kB, anon-rss:6123456kB, \
         file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:13000kB oom_score_adj:0\n",
        Timestamp::now()
    )
}

fn latency(hook: &Receiver, name: &str, write: impl FnOnce()) -> Duration {
    let seen = hook.requests().len();
    let start = Instant::now();
    write();
    wait_for(hook, name, seen);
    start.elapsed()
}

/// Waits for a request that speaks of `name`, after the first `seen`.
fn wait_for(hook: &Receiver, name: &str, mut seen: usize) {
    loop {
        let requests = hook.wait_for(seen + 1);
        if requests[seen..].iter().any(|request| String::from_utf8_lossy(&request.body).contains(name)) {
            return;
        }
        seen = requests.len();
    }
}

/// As [`wait_for`], for what takes minutes.
fn wait_for_long(hook: &Receiver, name: &str, limit: Duration) {
    let end = Instant::now() + limit;
    let arrived = |request: &Request| request.answered == 204 && String::from_utf8_lossy(&request.body).contains(name);
    while !hook.requests().iter().any(arrived) {
        assert!(Instant::now() < end, "{name} never arrived");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Long enough for the daemon to sleep, and never in step with its ticks.
fn pause() {
    std::thread::sleep(Duration::from_millis(fastrand::u64(20..180)));
}

/// Fills the log folder with that many lines for each of its files; gives the bytes.
fn many_files(home: &Home, lines: usize) -> usize {
    let each = lines / FILES;
    (0..FILES)
        .map(|file| {
            let text = Generator::new(file as u64).backlog(each, Timestamp::now(), 500_000);
            append(&home.log(&format!("log{file:02}.log")), &text);
            text.len()
        })
        .sum()
}

fn many_files_lines(lines: usize) -> usize {
    lines / FILES * FILES
}

fn write_paced(log: &std::path::Path, lines_a_second: u32, time: Duration) -> usize {
    let mut file = std::fs::OpenOptions::new().append(true).open(log).expect("there already");
    let mut generator = Generator::new(11);
    let (start, mut written) = (Instant::now(), 0);
    let total = (f64::from(lines_a_second) * time.as_secs_f64()) as usize;
    let mut text = String::new();
    while written < total {
        std::thread::sleep(PACE);
        let due = ((start.elapsed().as_secs_f64() * f64::from(lines_a_second)) as usize).min(total);
        for _ in written..due {
            text.clear();
            generator.line(Timestamp::now(), &mut text);
            file.write_all(text.as_bytes()).expect("written");
        }
        written = due;
    }
    written
}

/// Share of a core in percent.
fn cpu_over(daemon: &Daemon, time: Duration) -> f64 {
    let (before, start) = (cpu_seconds(daemon.pid()), Instant::now());
    std::thread::sleep(time);
    (cpu_seconds(daemon.pid()) - before) / start.elapsed().as_secs_f64() * 100.0
}
