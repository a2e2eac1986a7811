//! An open incident and its one question as a whole, over the wire: the first alert does not wait for it, later ones carry
//! the answer, and neither a restart nor a second run asks again.

use std::process::Command;
use std::time::Instant;

use logwren::model::Incident;
use logwren::store::{IncidentFilter, Reader};

use crate::support::daemon::{Daemon, Home, PATIENCE, append};
use crate::support::gemini::FakeGemini;
use crate::support::receiver::{Contract, Receiver};

const WORDS: &str = "model:gemini-3.5-flash-lite on the whole incident: ";

fn line(program: &str, message: &str) -> String {
    format!("{} web-03 {program}: {message}\n", jiff::Timestamp::now())
}

/// What the shipped rule `oom-kill` knows.
fn out_of_memory() -> String {
    line("kernel", "Out of memory: Killed process 2711 (mysqld) total-vm:9123456kB, anon-rss:8012345kB, file-rss:0kB")
}

fn config(home: &Home, gemini: &FakeGemini, rest: &str) -> std::path::PathBuf {
    let key = home.secret("key", FakeGemini::KEY);
    home.config(&format!(
        "[batch]\ntimeout = '200ms'\n[llm.gemini]\nbase_url = '{}'\napi_key_file = '{}'\nrequests_per_minute = 0\n{rest}",
        gemini.url(),
        key.display()
    ))
}

/// The incident that a model was asked about, once its words are there.
#[track_caller]
fn explained(home: &Home) -> Incident {
    let end = Instant::now() + PATIENCE;
    loop {
        let all = Reader::open(&home.path("state")).and_then(|reader| reader.incidents(IncidentFilter::default()));
        let found = all.as_ref().ok().and_then(|all| all.iter().find(|one| one.reason.contains(WORDS)));
        if let Some(found) = found {
            return found.clone();
        }
        assert!(Instant::now() < end, "nobody said anything among {all:?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn an_open_incident_gets_one_question_and_later_alerts_the_answer() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let hook = Receiver::start(Contract::default());
    let config = config(
        &home,
        &gemini,
        &format!(
            "[[notifiers.webhook]]\nname = 'hook'\nurl = '{}'\n[[routes]]\nmatch = {{ severity_at_least = 'medium' }}\n\
             notifiers = ['hook']\ngroup_wait = '0s'\ngroup_interval = '1s'\n",
            hook.url("/hook")
        ),
    );
    let old: String = (0..200).map(|n| line("app[7]", &format!("request {n} served in {n} ms"))).collect();
    append(&home.log("app.log"), &old);
    let daemon = Daemon::watch(&config);
    daemon.wait_logged("learned ");
    append(&home.log("app.log"), &out_of_memory());
    let first = hook.wait_for(1)[0].json();
    assert_eq!(first["incident"]["judged_by"], "rule:oom-kill", "{first}");
    assert!(!first.to_string().contains(WORDS), "the alert waited: {first}");

    let incident = explained(&home);
    assert_eq!(incident.severity.as_str(), "high");
    assert!(incident.remediation.iter().any(|step| step.ends_with("(says model:gemini-3.5-flash-lite)")));
    assert_eq!(hook.requests().len(), 1, "nobody is woken for words");
    assert_eq!(gemini.asked().1, 1);
    let requests = gemini.requests();
    let asked = requests.iter().find(|request| request.body.contains("rule:oom-kill")).expect("the question");
    // A word of its only line is part of its template; the values are not, nor is the host.
    assert!(!asked.body.contains("9123456") && !asked.body.contains("web-03"), "{}", asked.body);

    let more: String = (0..20).map(|_| out_of_memory()).collect();
    append(&home.log("app.log"), &more);
    let later = hook.wait_for(2)[1].json();
    assert_eq!(later["state"], "escalating", "{later}");
    assert!(later["incident"]["reason"].as_str().is_some_and(|reason| reason.contains(WORDS)), "{later}");
    assert!(later["incident"]["remediation"].to_string().contains("Look at the unit's log."), "{later}");
    assert!(daemon.stop().0.success());

    let daemon = Daemon::watch(&config);
    append(&home.log("app.log"), &more);
    let shown = Command::new(env!("CARGO_BIN_EXE_logwren"))
        .args(["incidents", "show", &incident.id.to_string(), "--config"])
        .arg(&config)
        .output()
        .expect("runs");
    assert!(String::from_utf8_lossy(&shown.stdout).contains(WORDS), "{}", String::from_utf8_lossy(&shown.stdout));
    assert!(daemon.stop().0.success());
    assert_eq!(gemini.asked().1, 1, "a restart asked again");
}

#[test]
fn an_analysis_asks_about_its_gravest_incidents_together() {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let config = config(&home, &gemini, "").display().to_string();
    let mut log: String = (0..400)
        .map(|n| {
            let (hour, minute) = (8 + n / 60, n % 60);
            format!("2026-03-01T{hour:02}:{minute:02}:00+00:00 web1 app[7]: request {n} served in {n} ms\n")
        })
        .collect();
    log.push_str(
        "2026-03-01T15:00:00+00:00 web1 kernel: Out of memory: Killed process 2711 (mysqld) total-vm:9123456kB\n\
         2026-03-01T15:00:01+00:00 web1 kernel: EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0\n",
    );
    home.write("s.log", &log);
    let mut asked = (0, 0);
    for run in ["first", "again"] {
        let output = Command::new(env!("CARGO_BIN_EXE_logwren"))
            .args(["analyze", "s.log", "--config", &config, "--out", run])
            .current_dir(home.path(""))
            .output()
            .expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = std::fs::read_to_string(home.path(run).join("report.json")).expect("written");
        let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
        let incidents = report["incidents"].as_array().expect("a list");
        let told = incidents.iter().filter(|one| one["reason"].to_string().contains(WORDS)).count();
        assert_eq!(told, 2, "{run}: {incidents:?}");
        let page = std::fs::read_to_string(home.path(run).join("report.html")).expect("written");
        assert!(page.contains("on the whole incident"), "{run}");
        if run == "first" {
            asked = gemini.asked();
            assert_eq!(asked.1, 1, "both in one request");
        }
    }
    assert_eq!(gemini.asked(), asked, "a second run costs nothing");
}
