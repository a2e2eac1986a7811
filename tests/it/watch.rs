//! The main job, end to end on the built binary: from a line in a file to Slack, a webhook and a mail box, over restarts
//! and kills.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use logwren::model::{Incident, JudgedBy, Severity};
use logwren::store::{IncidentFilter, Reader};
use rustix::process::Signal;

use crate::support::daemon::{Daemon, Home, PATIENCE, append, ask};
use crate::support::gemini::{FakeGemini, Fault};
use crate::support::receiver::{Contract, Receiver, Reply};
use crate::support::serve::nobody;
use crate::support::smtp::{MailServer, Options};

/// One syslog line in rsyslog's default format, now.
fn line(program: &str, message: &str) -> String {
    format!("{} web-03 {program}: {message}\n", jiff::Timestamp::now())
}

/// What the shipped rule `oom-kill` knows.
fn out_of_memory() -> String {
    line(
        "kernel",
        "[  12.5] Out of memory: Killed process 2711 (mysqld) total-vm:9123456kB, anon-rss:8012345kB, file-rss:0kB",
    )
}

/// What a shipped storage rule knows.
fn disk_error() -> String {
    line(
        "kernel",
        "[  13.5] EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0",
    )
}

/// A log as it was before logwren came: one program, one kind of line.
fn old_log() -> String {
    (0..200).map(|n| line("app[7]", &format!("request {n} served in {n} ms"))).collect()
}

/// Sources, a short batch, the fake model; `rest` is the caller's.
fn config(home: &Home, gemini: &FakeGemini, rest: &str) -> std::path::PathBuf {
    let key = home.secret("key", FakeGemini::KEY);
    home.config(&format!(
        "[batch]\ntimeout = '200ms'\n[llm.gemini]\nbase_url = '{}'\napi_key_file = '{}'\nrequests_per_minute = 0\nmax_retries = 1\nretry_delay = '100ms'\n{rest}",
        gemini.url(),
        key.display()
    ))
}

fn webhook(receiver: &Receiver, name: &str) -> String {
    format!("[[notifiers.webhook]]\nname = '{name}'\nurl = '{}'\n", receiver.url("/hook"))
}

/// Waits for the baseline: what comes later is live beyond doubt.
fn learned(daemon: &Daemon) {
    daemon.wait_logged("learned ");
}

#[test]
fn a_new_kind_of_error_reaches_slack_mail_and_webhook() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let slack = Receiver::start(Contract { slack: true, ..Contract::default() });
    let hook = Receiver::start(Contract {
        secret: Some("hook-secret"),
        authorization: Some("Bearer t0ken"),
        ..Contract::default()
    });
    let mail = MailServer::start(Options { login: Some(("wren", "mail-pw")), ..Options::default() });
    let slack_url = home.secret("slack", &slack.url("/services/T0/B0/x"));
    let (secret, token, password) =
        (home.secret("secret", "hook-secret"), home.secret("token", "Bearer t0ken"), home.secret("pw", "mail-pw"));
    let config = config(
        &home,
        &gemini,
        &format!(
            "[[notifiers.slack]]\nname = 'slack'\nurl_file = '{}'\n\
             [[notifiers.webhook]]\nname = 'hook'\nurl = '{}'\nsecret_file = '{}'\nauthorization_file = '{}'\n\
             [[notifiers.email]]\nname = 'mail'\nsmtp = 'smtp://wren@{}'\npassword_file = '{}'\nfrom = 'logwren@example.com'\nto = ['ops@example.com']\n\
             [[routes]]\nmatch = {{ severity_at_least = 'medium' }}\nnotifiers = ['slack', 'hook', 'mail']\n\
             [[routes]]\nmatch = {{ severity_at_least = 'critical' }}\nnotifiers = ['hook']\n",
            slack_url.display(),
            hook.url("/hook"),
            secret.display(),
            token.display(),
            mail.address(),
            password.display(),
        ),
    );
    append(&home.log("app.log"), &old_log());
    let daemon = Daemon::watch(&config);
    learned(&daemon);
    append(&home.log("app.log"), &line("app[7]", "checksum of ledger page 17 is corrupt, refusing to write"));

    let body = hook.wait_for(1)[0].json();
    assert_eq!(body["version"], 1, "{body}");
    assert_eq!(body["incident"]["program"], "app", "{body}");
    assert_eq!(body["incident"]["judged_by"], "model:gemini-3.5-flash-lite", "{body}");
    assert!(body["incident"]["evidence"].to_string().contains("ledger page 17"), "{body}");
    assert!(!body["incident"]["remediation"].as_array().expect("a list").is_empty(), "{body}");
    assert!(slack.wait_for(1)[0].raw().contains("ledger page 17"));
    assert!(mail.wait_for(1)[0].part("text/plain").contains("ledger page 17"));
    // Each notifier once, though the fault was seen by a model and the webhook has two routes.
    assert_eq!((slack.requests().len(), hook.requests().len(), mail.mails().len()), (1, 1, 1));
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    for secret in [FakeGemini::KEY, "hook-secret", "t0ken", "mail-pw", "services/T0"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

/// Until the model has said what it has to say of every incident that a rule found.
#[track_caller]
fn told_as_a_whole(state: &Path) {
    let end = Instant::now() + PATIENCE;
    loop {
        let all =
            Reader::open(state).and_then(|reader| reader.incidents(IncidentFilter::default())).unwrap_or_default();
        let by_rule = |one: &&Incident| matches!(one.judged_by, JudgedBy::Rule(_)) && one.severity >= Severity::Medium;
        let mut of_rules = all.iter().filter(by_rule).peekable();
        if of_rules.peek().is_some() && of_rules.all(|one| one.reason.contains("on the whole incident")) {
            return;
        }
        assert!(Instant::now() < end, "{all:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_known_kind_costs_no_call_not_even_after_a_restart() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let hook = Receiver::start(Contract::default());
    let config = config(&home, &gemini, &webhook(&hook, "hook"));
    append(&home.log("app.log"), &old_log());
    let daemon = Daemon::watch(&config);
    learned(&daemon);
    append(&home.log("app.log"), &line("app[7]", "segment 9 of the index is corrupt"));
    hook.wait_for(1);
    let calls = gemini.asked().0;
    assert!(calls >= 1);
    let more: String = (0..50).map(|n| line("app[7]", &format!("segment {n} of the index is corrupt"))).collect();
    append(&home.log("app.log"), &more);
    append(&home.log("app.log"), &out_of_memory());
    let seen = hook.wait_for(2);
    assert_eq!(seen[1].json()["incident"]["judged_by"], "rule:oom-kill");
    assert_eq!(gemini.asked().0, calls, "50 lines of a known kind, and one a rule knows, cost a call");
    assert!(daemon.stop().0.success());

    let daemon = Daemon::watch(&config);
    append(&home.log("app.log"), &more);
    append(&home.log("app.log"), &format!("{} web-03 su: FAILED SU (to root) eve on pts/1\n", jiff::Timestamp::now()));
    append(&home.log("app.log"), &disk_error());
    hook.wait_for(3);
    told_as_a_whole(&home.path("state"));
    assert!(daemon.stop().0.success());
    assert_eq!(gemini.asked().0, calls, "a restart cost a call");
    // Each incident of a rule was asked about as a whole.
    let calls = gemini.calls();

    let spent = Command::new(env!("CARGO_BIN_EXE_logwren"))
        .args(["spend", "--json", "--since", "1d", "--config"])
        .arg(&config)
        .output()
        .expect("runs");
    let spent: serde_json::Value = serde_json::from_slice(&spent.stdout).expect("JSON");
    assert_eq!(spent["days"][0]["model"], "gemini-3.5-flash-lite", "{spent}");
    let requests = |day: &serde_json::Value| day["requests"].as_u64().expect("a number");
    assert_eq!(spent["days"].as_array().expect("a list").iter().map(requests).sum::<u64>(), calls as u64, "{spent}");
    assert!(spent["today"]["usd"].as_f64().is_some_and(|usd| usd > 0.0), "{spent}");

    let port = nobody().port();
    let served =
        std::fs::read_to_string(&config).expect("a config") + &format!("\n[web]\nlisten = '127.0.0.1:{port}'\n");
    std::fs::write(&config, served).expect("written");
    let daemon = Daemon::watch(&config);
    let metrics = ask(port, "/metrics");
    let model = "{model=\"gemini-3.5-flash-lite\"}";
    assert!(metrics.contains(&format!("\nlogwren_model_requests_total{model} {calls}\n")), "{metrics}");
    assert!(metrics.contains(&format!("\nlogwren_model_usd_total{model} 0.")), "{metrics}");
    assert!(daemon.stop().0.success());
}

#[test]
fn kills_at_any_moment_lose_no_line() {
    let home = Home::new();
    std::fs::create_dir(home.path("rules.d")).expect("made");
    // Every numbered line is an incident of its own, so the store tells which were seen.
    home.write(
        "rules.d/numbers.toml",
        "[[rules]]\nname = 'numbered'\ncategory = 'other'\nseverity = 'low'\ntitle = 'A numbered line'\nreason = 'number {key}'\n\
         remediation = ['nothing']\nmatch = { program = ['count'], message = '^number (?P<key>\\d+) of the test$' }\n\
         values = true\nexamples = { matches = ['count: number 1 of the test', 'count: number 22 of the test'], others = ['count: number x of the test', 'other: number 1 of the test'] }\n",
    );
    let config = home.config("[judge]\nmode = 'off'\n[[notifiers.stdout]]\n");
    append(&home.log("count.log"), &line("count", "start"));
    let mut written = 0;
    for round in 0..12u64 {
        let daemon = Daemon::watch(&config);
        for _ in 0..8 {
            let lines: String =
                (0..10).map(|n| line("count", &format!("number {} of the test", written + n))).collect();
            append(&home.log("count.log"), &lines);
            written += 10;
            if round % 3 == 1 && written % 40 == 0 {
                std::fs::rename(home.log("count.log"), home.log(&format!("count.log.{written}"))).expect("rotated");
            }
            std::thread::sleep(std::time::Duration::from_millis(7 + round * 11));
        }
        daemon.kill();
    }
    let daemon = Daemon::watch(&config);
    append(&home.log("count.log"), &line("count", "number 999999 of the test"));
    let end = std::time::Instant::now() + crate::support::daemon::PATIENCE;
    let reader = loop {
        let reader = logwren::store::Reader::open(&home.path("state")).expect("readable while it runs");
        let seen: BTreeSet<String> = numbers(&reader);
        if seen.contains("999999") || std::time::Instant::now() > end {
            break reader;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let seen = numbers(&reader);
    let lost: Vec<u64> = (0..written).filter(|n| !seen.contains(&n.to_string())).collect();
    assert!(lost.is_empty(), "lost {} of {written}: {lost:?}", lost.len());
    drop(daemon);
}

fn numbers(reader: &logwren::store::Reader) -> BTreeSet<String> {
    let incidents = reader.incidents(logwren::store::IncidentFilter::default()).expect("listed");
    incidents
        .iter()
        .flat_map(|incident| &incident.evidence)
        .filter_map(|evidence| Some(evidence.line.strip_prefix("number ")?.split(' ').next()?.to_owned()))
        .collect()
}

#[test]
fn a_bad_key_is_said_once_and_local_detection_goes_on() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let hook = Receiver::start(Contract::default());
    let config = config(&home, &gemini, &webhook(&hook, "hook"));
    home.secret("key", "AQ.wrong-key-wrong-key-wrong-key");
    append(&home.log("app.log"), &old_log());
    let daemon = Daemon::watch(&config);
    learned(&daemon);
    append(&home.log("app.log"), &line("app[7]", "gasket of pump 4 leaks"));
    let alert = hook.wait_for(1)[0].json();
    assert_eq!(alert["incident"]["program"], "logwren", "{alert}");
    let calls = gemini.calls();
    append(&home.log("app.log"), &line("app[7]", "valve of boiler 2 is stuck"));
    append(&home.log("app.log"), &disk_error());
    let alerts = hook.wait_for(2);
    assert!(
        alerts[1].json()["incident"]["judged_by"].as_str().is_some_and(|by| by.starts_with("rule:")),
        "{:?}",
        alerts[1]
    );
    assert_eq!(
        (alerts.len(), gemini.calls()),
        (2, calls),
        "one alert about ourselves, and no more calls with a bad key"
    );
    let (_, log) = daemon.stop();
    assert!(!log.contains("wrong-key"), "{log}");
    // Nothing is forgotten: the questions wait for a key.
    let reader = logwren::store::Reader::open(&home.path("state")).expect("readable");
    assert!(reader.counts().expect("counted").questions >= 2);
}

#[test]
fn a_model_that_is_down_leaves_questions_waiting() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    gemini.fail_always(Some(Fault::Overloaded));
    let hook = Receiver::start(Contract::default());
    let config = config(&home, &gemini, &webhook(&hook, "hook"));
    append(&home.log("app.log"), &old_log());
    let daemon = Daemon::watch(&config);
    learned(&daemon);
    append(&home.log("app.log"), &line("app[7]", "page 3 of the ledger is corrupt"));
    append(&home.log("app.log"), &disk_error());
    let first = hook.wait_for(1)[0].json();
    assert!(first["incident"]["judged_by"].as_str().is_some_and(|by| by.starts_with("rule:")), "{first}");
    assert!(daemon.stop().0.success());
    // Up again: the very same question is answered after the restart.
    gemini.fail_always(None);
    let state = home.path("state");
    let reader = logwren::store::Reader::open(&state).expect("readable");
    assert!(reader.counts().expect("counted").questions >= 1);
}

#[test]
fn a_failing_webhook_is_retried_over_a_restart() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let hook = Receiver::start(Contract::default());
    hook.script((0..2).map(|_| Reply::status(500, "no")));
    let config = config(&home, &gemini, &webhook(&hook, "hook"));
    append(&home.log("app.log"), &old_log());
    let daemon = Daemon::watch(&config);
    learned(&daemon);
    append(&home.log("app.log"), &disk_error());
    hook.wait_for(1);
    daemon.kill();
    let _daemon = Daemon::watch(&config);
    let attempts = hook.wait_for(3);
    let keys: BTreeSet<Option<&str>> = attempts.iter().map(|request| request.header("idempotency-key")).collect();
    assert_eq!(keys.len(), 1, "one alert, one key: {keys:?}");
}

#[test]
fn a_refused_alert_is_a_dead_letter_that_incidents_shows() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let hook = Receiver::start(Contract::default());
    hook.script([Reply::status(400, "never")]);
    let config = config(&home, &gemini, &webhook(&hook, "hook"));
    append(&home.log("app.log"), &old_log());
    let daemon = Daemon::watch(&config);
    learned(&daemon);
    append(&home.log("app.log"), &disk_error());
    hook.wait_for(1);
    daemon.wait_logged("gave up alert");
    // While the daemon runs.
    let output = Command::new(env!("CARGO_BIN_EXE_logwren"))
        .args(["incidents", "--config", &config.display().to_string()])
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("dead letter") && text.contains("hook"), "{text}");
}

#[test]
fn reload_takes_a_good_config_and_keeps_the_old_one_for_a_bad_one() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let (old, new) = (Receiver::start(Contract::default()), Receiver::start(Contract::default()));
    let path = config(&home, &gemini, &webhook(&old, "hook"));
    append(&home.log("app.log"), &old_log());
    let mut daemon = Daemon::watch(&path);
    learned(&daemon);
    let good = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, format!("{good}\n[batch]\nsiez = 3\n")).expect("written");
    daemon.forget();
    daemon.signal(Signal::HUP);
    daemon.wait_told("RELOADING=1");
    daemon.wait_told("READY=1");
    daemon.wait_logged("not reloaded, the old config stays");
    append(&home.log("app.log"), &disk_error());
    old.wait_for(1);

    config(&home, &gemini, &webhook(&new, "hook"));
    daemon.forget();
    daemon.signal(Signal::HUP);
    daemon.wait_told("READY=1");
    daemon.wait_logged("reloaded");
    append(&home.log("app.log"), &out_of_memory());
    new.wait_for(1);
    assert_eq!(old.requests().len(), 1);
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn ready_status_watchdog_and_stopping_are_told() {
    let home = Home::new();
    let config = home.config("[judge]\nmode = 'off'\n[[notifiers.stdout]]\n");
    append(&home.log("app.log"), &line("app", "hello"));
    let mut daemon =
        Daemon::start(&["watch", "--config", &config.display().to_string()], &[("WATCHDOG_USEC", "2000000")]);
    daemon.wait_told("READY=1");
    daemon.wait_told("WATCHDOG=1");
    daemon.forget();
    daemon.wait_told("WATCHDOG=1");
    daemon.signal(Signal::TERM);
    daemon.wait_told_until_end("STOPPING=1");
}

#[test]
fn odd_bytes_are_records_and_never_a_crash() {
    let home = Home::new();
    let hook = Receiver::start(Contract::default());
    let config = home.config(&format!("[judge]\nmode = 'off'\n{}", webhook(&hook, "hook")));
    append(&home.log("app.log"), &line("app", "hello"));
    let daemon = Daemon::watch(&config);
    learned(&daemon);
    let mut odd = b"\xff\xfe bad utf8 \x00 nul \x1b[2J\n\r\n\n".to_vec();
    odd.extend(std::iter::repeat_n(b'x', 3 << 20));
    odd.extend(b"\n<999>nonsense\n{\"MESSAGE\":\n");
    use std::io::Write;
    std::fs::OpenOptions::new()
        .append(true)
        .open(home.log("app.log"))
        .expect("opened")
        .write_all(&odd)
        .expect("written");
    append(&home.log("app.log"), &disk_error());
    let seen = hook.wait_for(1);
    assert!(seen[0].raw().contains("EXT4-fs error"), "{}", seen[0].raw());
    let (status, log) = daemon.stop();
    assert!(status.success() && !log.contains("panicked"), "{log}");
}

#[test]
fn standard_input_ends_the_run() {
    use std::io::Write;
    let home = Home::new();
    let state = home.path("state").display().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_logwren"))
        .args(["watch", "-", "--state-dir", &state])
        .env_remove("GOOGLE_API_KEY")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let text = out_of_memory();
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ends");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(printed.contains("Killed process 2711") && printed.contains("rule oom-kill"), "{printed}");
}

#[test]
fn an_unreadable_file_is_said_once_with_the_fix_and_the_rest_goes_on() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let home = Home::new();
    let hook = Receiver::start(Contract::default());
    let config = home.config(&format!("[judge]\nmode = 'off'\n{}", webhook(&hook, "hook")));
    append(&home.log("app.log"), &line("app", "hello"));
    append(&home.log("locked.log"), &line("app", "secret"));
    std::fs::set_permissions(home.log("locked.log"), std::fs::Permissions::from_mode(0o000)).expect("locked");
    // Root may read anything: then somebody else has to run it.
    let root = rustix::process::geteuid().is_root();
    if root {
        for path in [home.path(""), home.path("log"), home.log("app.log"), config.clone()] {
            chown(path, Some(65_534), Some(65_534)).expect("given away");
        }
    }
    let mut daemon =
        Daemon::start_as(root.then_some(65_534), &["watch", "--config", &config.display().to_string()], &[]);
    daemon.wait_told("READY=1");
    daemon.wait_logged("locked.log");
    append(&home.log("app.log"), &disk_error());
    hook.wait_for(1);
    let (_, log) = daemon.stop();
    assert_eq!(log.matches("cannot read").count(), 1, "{log}");
    assert!(["setfacl", "chmod", "usermod"].iter().any(|fix| log.contains(fix)), "no fix in: {log}");
}

#[test]
fn incidents_can_be_asked_for_over_http() {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    let home = Home::new();
    let port = crate::support::serve::nobody().port();
    let config =
        home.config(&format!("[judge]\nmode = 'off'\n[[notifiers.stdout]]\n[web]\nlisten = '127.0.0.1:{port}'\n"));
    append(&home.log("app.log"), &line("app", "hello"));
    let daemon = Daemon::watch(&config);
    learned(&daemon);
    append(&home.log("app.log"), &disk_error());
    daemon.wait_printed("EXT4-fs error");
    let ask = |path: &str, host: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    };
    let listed = ask("/api/incidents?severity=medium&limit=5", "localhost");
    assert!(listed.starts_with("HTTP/1.1 200") && listed.contains("EXT4-fs error"), "{listed}");
    assert!(ask("/healthz", "127.0.0.1:1").contains("watching"));
    assert!(ask("/api/incidents/ffffffff", "localhost").starts_with("HTTP/1.1 404"));
    assert!(ask("/api/incidents?severity=awful", "localhost").starts_with("HTTP/1.1 400"));
    // A page of another site, through its own name for 127.0.0.1.
    assert!(ask("/api/incidents", "evil.example").starts_with("HTTP/1.1 421"));
    assert!(daemon.stop().0.success());
}
