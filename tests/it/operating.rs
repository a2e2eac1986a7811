//! What goes wrong around the main job, and how an operator hears of it: wrong configs, a state in use, a crashed
//! reader, every line judged.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use logwren::config::Config;
use logwren::deliver::Deliverers;
use logwren::driver::{Control, Driver, Parts, Remake, RunError, Status};
use logwren::model::{LineBlock, LineSpan, Medium, Origin, Phase, Position, SourceEvent};
use logwren::pipeline::{Effects, Notice, Pipeline};
use logwren::source::{Outlet, Source};
use logwren::store::Store;

use crate::support::daemon::{Daemon, Home, append};
use crate::support::gemini::FakeGemini;
use crate::support::receiver::{Contract, Receiver};

fn logwren(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logwren")).args(arguments).env_remove("GOOGLE_API_KEY").output().expect("runs")
}

fn line(program: &str, message: &str) -> String {
    format!("{} web-03 {program}: {message}\n", jiff::Timestamp::now())
}

/// The config has these mistakes, as `line:column key`, and nothing else.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let home = Home::new();
    let path = home.write("wrong.toml", text).display().to_string();
    let output = logwren(&["check-config", &path]);
    let said = String::from_utf8_lossy(&output.stderr);
    let places = said.lines().filter_map(|line| line.trim().strip_prefix(&format!("--> {path}:")));
    let keys = said.lines().filter_map(|line| line.strip_prefix("  key: "));
    let found: Vec<String> = places.zip(keys).map(|(place, key)| format!("{place} {key}")).collect();
    assert_eq!(found, expected, "{said}");
    assert_eq!(output.status.code(), Some(64), "{said}");
}

#[test]
fn every_mistake_has_its_place_and_key() {
    check(
        "[[sources.files]]\n[[sources.files]]\ninclude = []\n",
        &["1:1 sources.files[0].include", "2:1 sources.files[1].include"],
    );
    check(
        "[[notifiers.slack]]\nname = 'a'\nurl_env = 'X'\n[[notifiers.stdout]]\nname = 'a'\n[[routes]]\nnotifiers = ['b', 'a']\n",
        &["5:8 notifiers", "7:14 routes[0].notifiers"],
    );
    check(
        "[[severity_rules]]\nmatch = {}\nseverity = 'urgent'\n[[severity_rules]]\nmatch = {}\n",
        &["3:12 severity_rules[0].severity", "4:1 severity_rules[1]"],
    );
    check("batch_size = 5\nstate_dir = ''\n", &["1:1 batch_size", "2:13 state_dir"]);
}

#[test]
fn mistakes_are_said_in_the_words_of_a_config() {
    let home = Home::new();
    let path = home.write("wrong.toml", "batch_size = 5\n[batch]\nsize = 'fifty'\n[judge]\nmode = 'line'\n");
    let output = logwren(&["check-config", &path.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    for part in ["unknown key `batch_size`", "did you mean `batch.size`?", "a whole number", "did you mean `lines`?"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    std::fs::write(&path, b"[batch]\nsize = 3 # \xff\n").expect("written");
    let output = logwren(&["check-config", &path.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("not UTF-8") && said.contains("wrong.toml:2:12"), "{said}");
}

#[test]
fn a_broken_rule_file_is_named_and_the_others_are_read() {
    let home = Home::new();
    std::fs::create_dir(home.path("rules.d")).expect("made");
    std::fs::write(home.path("rules.d/a.toml"), b"\xff").expect("written");
    home.write("rules.d/b.toml", "[[rules]]\nname = 'x'\nseverty = 'low'\n");
    let config = home.config("").display().to_string();
    for command in [vec!["check-config", &config], vec!["watch", "--config", &config]] {
        let output = logwren(&command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{said}");
        for part in ["a.toml:1:1", "not UTF-8", "b.toml:3:1", "did you mean `severity`?"] {
            assert!(said.contains(part), "no {part} in {said}");
        }
    }
}

#[test]
fn a_state_in_use_is_said_with_the_way_out() {
    let home = Home::new();
    let config = home.config("[judge]\nmode = 'off'\n");
    let first = Daemon::watch(&config);
    let second = logwren(&["watch", "--config", &config.display().to_string()]);
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(
        said.contains(&format!("in use by another logwren (pid {})", first.pid()))
            && said.contains("hint: ")
            && said.contains("--state-dir")
    );
}

#[test]
fn watching_a_path_prints_findings() {
    let home = Home::new();
    append(&home.log("app.log"), &line("app[7]", "hello"));
    let (log, state) = (home.log("app.log").display().to_string(), home.path("state").display().to_string());
    let mut daemon = Daemon::start(&["watch", &log, "--state-dir", &state], &[]);
    daemon.wait_told("READY=1");
    append(&home.log("app.log"), &line("su", "FAILED SU (to root) eve on pts/1"));
    append(
        &home.log("app.log"),
        &line("kernel", "Out of memory: Killed process 2711 (mysqld) total-vm:9123456kB, anon-rss:8012345kB"),
    );
    daemon.wait_printed("Killed process 2711");
    assert!(daemon.stdout().contains("[HIGH]"), "{}", daemon.stdout());
}

#[test]
fn nobody_reading_to_the_end_is_no_mistake() {
    for arguments in [&["completions", "bash"][..], &["components"], &["man"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_logwren")).args(arguments).stdout(writer).output().expect("runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_systemd_that_does_not_listen_holds_nothing_up() {
    let home = Home::new();
    let socket = home.path("deaf");
    let deaf = UnixDatagram::bind(&socket).expect("bound");
    let full = UnixDatagram::unbound().expect("made");
    full.set_nonblocking(true).expect("set");
    while full.send_to(b"STATUS=busy", &socket).is_ok() {}
    let log = home.log("kern.log");
    append(&log, &line("kernel", "ready"));
    let config = home.config("[judge]\nmode = 'off'\n");
    let arguments = ["watch", "--config", &config.display().to_string()];
    let daemon = Daemon::start(&arguments, &[("NOTIFY_SOCKET", &socket.display().to_string())]);
    daemon.wait_logged("logwren: learned ");
    append(&log, &line("kernel", "Out of memory: Killed process 4321 (mysqld) total-vm:8123456kB, anon-rss:6123456kB"));
    daemon.wait_printed("mysqld");
    let (status, said) = daemon.stop();
    assert!(status.success(), "{said}");
    drop(deaf);
}

#[test]
fn in_lines_mode_every_line_is_judged() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let hook = Receiver::start(Contract::default());
    let key = home.secret("key", FakeGemini::KEY);
    let config = home.config(&format!(
        "[judge]\nmode = 'lines'\n[batch]\ntimeout = '100ms'\n[llm.gemini]\nbase_url = '{}'\napi_key_file = '{}'\n\
         requests_per_minute = 0\n[[notifiers.webhook]]\nname = 'hook'\nurl = '{}'\n",
        gemini.url(),
        key.display(),
        hook.url("/hook"),
    ));
    append(&home.log("app.log"), &line("app[7]", "record north of the ledger is fine"));
    let daemon = Daemon::watch(&config);
    daemon.wait_logged("learned ");
    append(&home.log("app.log"), &line("app[7]", "record south of the ledger is fine"));
    append(&home.log("app.log"), &line("app[7]", "record east of the ledger is corrupt"));
    let body = hook.wait_for(1)[0].json();
    assert!(body["incident"]["judged_by"].as_str().is_some_and(|by| by.starts_with("model:")), "{body}");
    assert!(body["incident"]["evidence"].to_string().contains("east"), "{body}");
    // The same again: a line is a question of its own, whatever was said of its kind.
    let calls = gemini.calls();
    append(&home.log("app.log"), &line("app[7]", "record south of the ledger is fine"));
    let end = std::time::Instant::now() + crate::support::daemon::PATIENCE;
    while gemini.calls() == calls {
        assert!(std::time::Instant::now() < end, "the line was not asked about");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(daemon.stop().0.success());
}

/// A source whose reader panics at once.
struct Crashing;

impl Source for Crashing {
    fn name(&self) -> &'static str {
        "crashing"
    }

    fn open(&mut self, _: &[Position], _: bool) -> Vec<Position> {
        Vec::new()
    }

    fn run(self: Box<Self>, _: Outlet) {
        panic!("a planted crash");
    }
}

/// A source that hands over one line and ends.
struct OneLine;

impl Source for OneLine {
    fn name(&self) -> &'static str {
        "crashing"
    }

    fn open(&mut self, _: &[Position], _: bool) -> Vec<Position> {
        Vec::new()
    }

    fn run(self: Box<Self>, outlet: Outlet) {
        let origin = Origin { name: "crashing".into(), medium: Medium::Stdin, format: None, written: None };
        let span = LineSpan { start: 0, end: 5, offset: 0, truncated: false, partial: false };
        let (bytes, spans) = (b"hello".to_vec(), vec![span]);
        let block = LineBlock { origin: origin.into(), phase: Phase::Live, bytes, spans, position: None };
        outlet.event(SourceEvent::Learned { source: "crashing".into() }).expect("taken");
        outlet.lines(block).expect("taken");
        outlet.event(SourceEvent::Ended { source: "crashing".into() }).expect("taken");
    }
}

/// Runs a source that crashes, and what is made of it then; gives how it ended, what was said, and the incidents.
fn crash(home: &Home, remake: Remake) -> (Result<Status, RunError>, Vec<Notice>, u64) {
    let config = Config::parse("c.toml", "[judge]\nmode = 'off'\n").expect("right");
    let mut settings = logwren::daemon::settings(&config).expect("right");
    settings.notifiers = vec!["nobody".into()];
    let redactor = Arc::clone(&settings.redactor);
    let opened = Store::open(&home.path("state"), logwren::driver::now()).expect("opened");
    let said: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let heard = Arc::clone(&said);
    let parts = Parts {
        pipeline: Pipeline::new(settings),
        restored: Effects::default(),
        store: opened.store,
        positions: Vec::new(),
        sources: vec![Box::new(Crashing)],
        remake,
        model: None,
        deliverers: Arc::new(
            Deliverers::new(&config.notifiers, &logwren::config::resolve, redactor).expect("no notifiers"),
        ),
        notices: Box::new(move |notice| heard.lock().expect("whole").push(notice.clone())),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("started");
    let ended = runtime.block_on(async {
        let driver = Driver::start(parts).expect("started");
        let (_control, told) = tokio::sync::mpsc::channel::<Control>(1);
        driver.run(told).await
    });
    let said = said.lock().expect("whole").clone();
    let reader = logwren::store::Reader::open(&home.path("state")).expect("readable");
    (ended, said, reader.counts().expect("counted").incidents)
}

#[test]
fn a_crashed_reader_is_said_and_alerted() {
    // Like standard input: nobody can begin again.
    let (ended, said, incidents) = crash(&Home::new(), Box::new(Vec::new));
    assert!(matches!(&ended, Err(RunError::NoSources(names)) if names == "crashing"), "{ended:?}");
    assert!(said.iter().any(|notice| matches!(notice, Notice::Gap { origin, .. } if &**origin == "crashing")));
    assert_eq!(incidents, 1, "an incident about ourselves");
}

#[test]
fn a_crashed_reader_begins_again() {
    let remake: Remake = Box::new(|| vec![Box::new(OneLine)]);
    let (ended, said, incidents) = crash(&Home::new(), remake);
    let status = ended.expect("its successor ended well");
    assert_eq!((status.counters.lines, status.losses.gaps, status.degraded), (1, 1, None));
    assert!(said.iter().any(|notice| matches!(notice, Notice::Gap { reason, .. } if reason.contains("begins again"))));
    assert_eq!(incidents, 2, "one about ourselves, and one about its new kind of line");
}

#[test]
fn a_config_of_the_original_system_is_taken_over() {
    let home = Home::new();
    let old = home.write(
        "config.json",
        r#"{"input_csv_path": "log_structured.csv", "output_csv_path": "anomalies_detected.csv", "chunk_size": 50,
            "max_retries": 3, "rate_limit_delay": 1, "log_level": "INFO", "confidence_threshold": 0.7,
            "llm": {"model": "gemini-pro", "temperature": 0.2, "max_tokens": 2048},
            "monitor": {"batch_size": 10, "batch_timeout": 5, "watch_directories": ["/var/log"]},
            "alerts": {"email": {"enabled": true, "recipients": ["admin@company.com"], "smtp_server": "mx.company.com",
                                 "username": "bot", "password": "hunter2"},
                       "webhook": {"enabled": true, "url": "https://hooks.slack.com/services/T0/B0/hunter3"},
                       "severity_thresholds": {"high": 0.9, "medium": 0.6}}}"#,
    );
    let new = home.path("new.toml");
    let logwren =
        |words: &[&std::ffi::OsStr]| Command::new(env!("CARGO_BIN_EXE_logwren")).args(words).output().expect("runs");
    let import: [&std::ffi::OsStr; 5] =
        ["config".as_ref(), "import".as_ref(), old.as_os_str(), "--out".as_ref(), new.as_os_str()];
    let output = logwren(&import);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let keys = "input_csv_path output_csv_path chunk_size max_retries rate_limit_delay log_level confidence_threshold \
                llm.model llm.temperature llm.max_tokens monitor.batch_size monitor.batch_timeout \
                monitor.watch_directories alerts.email alerts.webhook alerts.severity_thresholds.high \
                alerts.severity_thresholds.medium";
    for key in keys.split_whitespace() {
        assert!(said.lines().any(|line| line.starts_with(&format!("{key}: "))), "{key}: {said}");
    }
    assert!(!said.contains("hunter"), "{said}");
    let check = logwren(&["check-config".as_ref(), new.as_os_str()]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    // Never over what is there.
    assert_eq!(logwren(&import).status.code(), Some(2));
    home.write("bad.json", "chunk_size = 50");
    let bad = logwren(&["config".as_ref(), "import".as_ref(), home.path("bad.json").as_os_str()]);
    assert_eq!(bad.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("this is no JSON"));
}
