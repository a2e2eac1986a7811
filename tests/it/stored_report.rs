//! `logwren report`: what the daemon found, while it runs.

use std::process::{Command, Output};

use logwren::store::{IncidentFilter, Reader};
use serde_json::Value;

use crate::support::daemon::{Daemon, Home, append};

fn report(home: &Home, words: &[&str]) -> Output {
    let config = home.path("logwren.toml").display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_logwren"));
    command.arg("report").args(words).args(["--config", &config]).env_remove("GOOGLE_API_KEY").env("TZ", "UTC");
    command.output().expect("runs")
}

#[test]
fn the_store_becomes_the_files_of_analyze_while_the_daemon_runs() {
    let home = Home::new();
    append(&home.log("app.log"), &format!("{} web-03 app[7]: hello\n", jiff::Timestamp::now()));
    let mut daemon = Daemon::watch(&home.config("[judge]\nmode = 'off'\n"));
    for _ in 0..3 {
        append(
            &home.log("app.log"),
            &format!("{} web-03 su: FAILED SU (to root) <b>eve</b> on pts/1\n", jiff::Timestamp::now()),
        );
    }
    let end = std::time::Instant::now() + crate::support::daemon::PATIENCE;
    let found = loop {
        let all = Reader::open(&home.path("state")).and_then(|reader| reader.incidents(IncidentFilter::default()));
        if let Some(found) = all.ok().and_then(|all| all.into_iter().find(|one| one.title.contains("another user"))) {
            break found;
        }
        assert!(std::time::Instant::now() < end, "no incident: {}", daemon.stderr());
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let path = |name: &str| home.path(name).display().to_string();
    let (json, html, csv) = (path("r.json"), path("r.html"), path("r.csv"));
    let output = report(&home, &["--since", "24h", "--json", &json, "--html", &html, "--csv", &csv]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&found.title) && said.contains("written: "), "{said}");
    let read: Value = serde_json::from_str(&std::fs::read_to_string(&json).expect("written")).expect("JSON");
    let ids: Vec<&str> =
        read["incidents"].as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect();
    assert!(ids.contains(&&*found.id.to_string()), "{ids:?}");
    let rows = csv::Reader::from_path(&csv).expect("a CSV").into_records().count() as u64;
    assert_eq!(read["total_anomalies"], rows);
    assert!(rows > 0);
    assert!(read["timeline"]["buckets"].as_array().is_some_and(|buckets| !buckets.is_empty()), "{read}");
    let page = std::fs::read_to_string(&html).expect("written");
    assert!(page.contains("FAILED SU") && !page.contains("<b>eve</b>"));
    // It went on meanwhile.
    append(&home.log("app.log"), &format!("{} web-03 app[7]: bye\n", jiff::Timestamp::now()));
    daemon.signal(rustix::process::Signal::TERM);
    assert!(daemon.wait().success());
    // Nothing that old.
    let later = report(&home, &["--since", "0s", "--json", "-"]);
    let read: Value = serde_json::from_slice(&later.stdout).expect("JSON");
    assert_eq!((&read["total_anomalies"], read["incidents"].as_array().map(Vec::len)), (&Value::from(0), Some(0)));
}

#[test]
fn no_state_is_no_report() {
    let home = Home::new();
    home.config("");
    let output = report(&home, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing has been watched yet"));
}
