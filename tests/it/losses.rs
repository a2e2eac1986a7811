//! Honesty about our own losses and troubles: a state that is damaged or cannot be written, a source that falls silent or
//! crashes, a receiver that takes nothing while a lot is written. Nothing is lost, and somebody is told.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use logwren::store::{IncidentFilter, Reader};

use crate::support::daemon::{Daemon, Home, PATIENCE, append, ask};
use crate::support::receiver::{Contract, Receiver};

fn line(message: &str) -> String {
    format!("{} web-03 count: {message}\n", jiff::Timestamp::now())
}

fn numbers(range: std::ops::Range<u64>) -> String {
    range.map(|n| line(&format!("number {n} of the test"))).collect()
}

/// Numbered lines are incidents of their own, and printed.
fn config(home: &Home, rest: &str) -> PathBuf {
    std::fs::create_dir_all(home.path("rules.d")).expect("made");
    home.write(
        "rules.d/numbers.toml",
        "[[rules]]\nname = 'numbered'\ncategory = 'other'\nseverity = 'critical'\ntitle = 'A numbered line'\n\
         reason = 'number {key}'\nremediation = ['nothing']\nvalues = true\n\
         match = { program = ['count'], message = '^number (?P<key>\\d+) of the test$' }\n\
         examples = { matches = ['count: number 1 of the test', 'count: number 22 of the test'], \
         others = ['count: number x of the test', 'other: number 1 of the test'] }\n",
    );
    home.config(&format!("[judge]\nmode = 'off'\n{rest}"))
}

/// The numbers the store has seen once nothing of `wanted` is missing, or after [`PATIENCE`].
fn seen(state: &Path, wanted: &std::ops::Range<u64>) -> BTreeSet<u64> {
    let end = Instant::now() + PATIENCE;
    loop {
        let incidents = Reader::open(state).and_then(|reader| reader.incidents(IncidentFilter::default()));
        let seen: BTreeSet<u64> = (incidents.unwrap_or_default().iter())
            .flat_map(|incident| &incident.evidence)
            .filter_map(|evidence| evidence.line.strip_prefix("number ")?.split(' ').next()?.parse().ok())
            .collect();
        if wanted.clone().all(|number| seen.contains(&number)) || Instant::now() > end {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A state directory as a SIGKILL left it, with a log that goes on.
struct Killed {
    home: Home,
    config: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
    next: u64,
}

impl Killed {
    fn new() -> Killed {
        let home = Home::new();
        let config = config(&home, "[[notifiers.stdout]]\n");
        append(&home.log("a.log"), &line("start"));
        let daemon = Daemon::watch(&config);
        daemon.wait_logged("learned ");
        append(&home.log("a.log"), &numbers(0..40));
        assert_eq!(seen(&home.path("state"), &(0..40)).len(), 40);
        daemon.kill();
        let files = std::fs::read_dir(home.path("state")).expect("listed").map(|entry| entry.expect("there").path());
        // Not the control socket, which has no bytes.
        let files = files
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), std::fs::read(path).expect("read")))
            .collect();
        Killed { home, config, files, next: 40 }
    }

    /// Damages the state, writes lines while nothing runs, starts, writes more: all of them are seen.
    #[track_caller]
    fn check(&mut self, name: &str, loud: Option<bool>, damage: impl Fn(&Path)) {
        let state = self.home.path("state");
        std::fs::remove_dir_all(&state).expect("removed");
        std::fs::create_dir(&state).expect("made");
        for (path, bytes) in &self.files {
            std::fs::write(path, bytes).expect("restored");
        }
        damage(&state);
        let wanted = self.next..self.next + 20;
        self.next += 20;
        append(&self.home.log("a.log"), &numbers(wanted.start..wanted.start + 10));
        let daemon = Daemon::watch(&self.config);
        append(&self.home.log("a.log"), &numbers(wanted.start + 10..wanted.end));
        let seen = seen(&state, &wanted);
        let (status, log) = daemon.stop();
        let lost: Vec<u64> = wanted.filter(|number| !seen.contains(number)).collect();
        assert!(lost.is_empty() && status.success(), "{name}: lost {lost:?}\n{log}");
        let said = log.contains("the state file was damaged");
        assert_eq!(said, loud.unwrap_or(said), "{name}: {log}");
    }
}

fn resize(path: PathBuf, share: f64) {
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("opened");
    let length = file.metadata().expect("a length").len();
    file.set_len((length as f64 * share) as u64).expect("cut");
}

fn garble(path: PathBuf, share: f64, length: usize) {
    let mut bytes = std::fs::read(&path).expect("read");
    let start = (bytes.len() as f64 * share) as usize;
    let end = (start + length).min(bytes.len());
    bytes[start..end].fill(0xa5);
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn a_damaged_state_loses_no_line() {
    let mut killed = Killed::new();
    killed.check("nothing", Some(false), |_| {});
    killed.check("emptied", Some(true), |state| std::fs::write(state.join("state.db"), "").expect("emptied"));
    killed.check("gone", Some(true), |state| std::fs::remove_file(state.join("state.db")).expect("removed"));
    killed.check("only rubbish", Some(true), |state| {
        std::fs::write(state.join("state.db"), "rubbish ".repeat(4_000)).expect("written");
        std::fs::write(state.join("state.db-wal"), "rubbish ".repeat(4_000)).expect("written");
    });
    for eighth in [1, 3, 5, 7] {
        let share = f64::from(eighth) / 8.0;
        let both = |state: &Path, share| {
            resize(state.join("state.db"), share);
            std::fs::write(state.join("state.db-wal"), "").expect("emptied");
        };
        killed.check(&format!("cut at {share}"), Some(true), |state| both(state, share));
        // A torn log is the same as a kill some commits earlier, and no damage unless nothing is left.
        killed.check(&format!("log cut at {share}"), None, |state| resize(state.join("state.db-wal"), share));
        killed.check(&format!("log garbled at {share}"), None, |state| {
            garble(state.join("state.db-wal"), share, 700);
        });
    }
}

/// Something that stands for a disk and can be filled.
enum Disk {
    /// A file system of a few megabytes that only the daemon sees.
    Small(PathBuf),
    /// No file may grow beyond a size: for kernels that let nobody mount.
    Short,
}

impl Disk {
    fn start(&self, home: &Home, config: &Path) -> Daemon {
        let arguments = ["watch", "--config", &config.display().to_string()];
        let state = home.path("state").display().to_string();
        let mut daemon = match self {
            Disk::Small(_) => {
                let script = format!("mount -t tmpfs -o size=6m,mode=700 tmpfs '{state}' && exec \"$@\"");
                Daemon::start_under(&["unshare", "-Urm", "sh", "-c", &script, "sh"], &arguments)
            }
            // The signal that comes with the error would end us; service managers do not set this limit.
            Disk::Short => Daemon::start_under(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"], &arguments),
        };
        daemon.wait_told("READY=1");
        daemon.wait_logged("learned ");
        daemon
    }

    fn fill(&self, home: &Home, daemon: &Daemon) {
        match self {
            Disk::Small(filler) => {
                let mut file = std::fs::File::create(inside(daemon, filler)).expect("made");
                while file.write_all(&[7; 4_096]).is_ok() {}
                while file.write_all(&[7; 1]).is_ok() {}
            }
            Disk::Short => {
                let length = std::fs::metadata(home.path("state").join("state.db-wal")).expect("a log").len();
                limit(daemon, Some(length));
            }
        }
    }

    fn free(&self, daemon: &Daemon) {
        match self {
            Disk::Small(filler) => std::fs::remove_file(inside(daemon, filler)).expect("removed"),
            Disk::Short => limit(daemon, None),
        }
    }
}

fn inside(daemon: &Daemon, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root", daemon.pid())).join(path.strip_prefix("/").expect("absolute"))
}

fn limit(daemon: &Daemon, bytes: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = Pid::from_raw(i32::try_from(daemon.pid()).expect("a pid"));
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("limited");
}

fn check_full_disk(disk: impl Fn(&Home) -> Disk) {
    let home = Home::new();
    std::fs::create_dir(home.path("state")).expect("made");
    let disk = disk(&home);
    let port = crate::support::serve::nobody().port();
    let config = config(&home, &format!("[[notifiers.stdout]]\n[web]\nlisten = '127.0.0.1:{port}'\n"));
    append(&home.log("a.log"), &line("start"));
    let mut daemon = disk.start(&home, &config);
    disk.fill(&home, &daemon);
    for start in (0..400).step_by(50) {
        append(&home.log("a.log"), &numbers(start..start + 50));
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon.wait_logged("state cannot be written");
    daemon.wait_told_of("STATUS=", "degraded: ");
    let health = ask(port, "/healthz");
    assert!(health.starts_with("HTTP/1.1 503") && health.contains("\"degraded\":\""), "{health}");
    assert!(ask(port, "/metrics").contains("\nlogwren_degraded 1\n"));
    // Everything is read, nothing is said before it is durable.
    let end = Instant::now() + PATIENCE;
    while !ask(port, "/healthz").contains("\"lines\":401,") {
        assert!(Instant::now() < end, "{}", ask(port, "/healthz"));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!daemon.stdout().contains("number 399 of the test"), "said before it was durable");
    disk.free(&daemon);
    daemon.wait_logged("state can be written again");
    let end = Instant::now() + PATIENCE;
    loop {
        let printed = daemon.stdout();
        let missing: Vec<u64> = (0..400).filter(|n| !printed.contains(&format!("number {n} of the test"))).collect();
        if missing.is_empty() {
            break;
        }
        assert!(Instant::now() < end, "lost {missing:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(ask(port, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(daemon.stop().0.success());
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let allowed = std::process::Command::new("unshare").args(["-Urm", "true"]).status();
    let small = allowed.is_ok_and(|status| status.success());
    check_full_disk(|home| if small { Disk::Small(home.path("state").join("filler")) } else { Disk::Short });
}

#[test]
fn files_that_may_not_grow_are_a_full_disk() {
    check_full_disk(|_| Disk::Short);
}

#[test]
fn every_source_has_an_account_and_a_silent_one_is_missed_and_welcomed_back() {
    let home = Home::new();
    let hook = Receiver::start(Contract::default());
    let port = crate::support::serve::nobody().port();
    let config = config(
        &home,
        &format!(
            "[[notifiers.webhook]]\nname = 'hook'\nurl = '{}'\n[web]\nlisten = '127.0.0.1:{port}'\n",
            hook.url("/hook")
        ),
    );
    // Once a second until now: what is there already teaches how often it speaks.
    let now = jiff::Timestamp::now();
    let tick = |ago: i64| {
        let at = now.checked_sub(jiff::SignedDuration::from_secs(ago)).expect("this century");
        format!("{at} web-03 ticker: tick tock\n")
    };
    append(&home.log("ticker.log"), &(0..60).rev().map(tick).collect::<String>());
    append(&home.log("rare.log"), &(0..3).rev().map(tick).collect::<String>());
    let daemon = Daemon::watch(&config);
    daemon.wait_logged("learned ");
    append(&home.log("ticker.log"), &format!("{} web-03 ticker: tick tock\n", jiff::Timestamp::now()));
    let mut odd = line(&format!("long {}", "x".repeat(2 << 20))).into_bytes();
    let ten_minutes_ago = now.checked_sub(jiff::SignedDuration::from_mins(10)).expect("this century");
    odd.extend(format!("{ten_minutes_ago} web-03 count: not ").bytes().chain(*b"\xff text\n"));
    std::fs::write(home.log("odd.log"), odd).expect("written");
    let end = Instant::now() + PATIENCE;
    let account = |name: &str, file: &str, value: u64| {
        format!("\nlogwren_{name}_total{{source=\"{}\"}} {value}\n", home.log(file).display())
    };
    let expected = [
        account("lines", "ticker.log", 61),
        account("committed_lines", "ticker.log", 61),
        account("lines", "rare.log", 3),
        account("committed_lines", "odd.log", 2),
        account("truncated_lines", "odd.log", 1),
        account("lossy_lines", "odd.log", 1),
        account("late_lines", "odd.log", 1),
        account("gaps", "odd.log", 0),
    ];
    while let Some(missing) = expected.iter().find(|part| !ask(port, "/metrics").contains(*part)) {
        assert!(Instant::now() < end, "no {missing} in {}", ask(port, "/metrics"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let silent = hook.wait_for_within(1, Duration::from_secs(60))[0].json();
    assert_eq!(silent["incident"]["judged_by"], "detector:source-silence", "{silent}");
    assert!(silent["incident"]["reason"].as_str().is_some_and(|why| why.contains("ticker.log")), "{silent}");
    assert!(ask(port, "/metrics").contains("\nlogwren_silent_sources 1\n"));
    append(&home.log("ticker.log"), &format!("{} web-03 ticker: tick tock\n", jiff::Timestamp::now()));
    let back = hook.wait_for(2)[1].json();
    assert_eq!(back["incident"]["title"], "A log speaks again", "{back}");
    assert!(daemon.stop().0.success());
    assert_eq!(hook.requests().len(), 2, "said once each, and nothing of rare.log");
}

#[test]
fn a_receiver_that_is_cut_off_costs_no_line_no_alert_and_no_memory() {
    let home = Home::new();
    let hook = Receiver::start(Contract::default());
    let config = config(&home, &format!("[[notifiers.webhook]]\nname = 'hook'\nurl = '{}'\n", hook.url("/hook")));
    append(&home.log("a.log"), &line("start"));
    let daemon = Daemon::watch(&config);
    daemon.wait_logged("learned ");
    let noise =
        |lines: u64| (0..lines).map(|n| line(&format!("request {n} served in {} ms", n % 7))).collect::<String>();
    append(&home.log("a.log"), &noise(4_000));
    append(&home.log("a.log"), &numbers(0..1));
    hook.wait_for(1);
    let before = resident(daemon.pid());
    hook.script((0..6).map(|_| crate::support::receiver::Reply::status(503, "away")));
    append(&home.log("a.log"), &numbers(1..4));
    for _ in 0..5 {
        append(&home.log("a.log"), &noise(4_000));
    }
    append(&home.log("a.log"), &numbers(4..5));
    let state = home.path("state");
    assert_eq!(seen(&state, &(0..5)).len(), 5);
    let grown = resident(daemon.pid()).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} kB more");
    let end = Instant::now() + PATIENCE;
    let delivered = || hook.requests().iter().filter(|request| request.answered == 204).count();
    while delivered() < 5 {
        assert!(Instant::now() < end, "{} of 5 delivered", delivered());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(daemon.stop().0.success());
}

/// Resident memory in kB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a known line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
