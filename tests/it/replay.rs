//! A recorded run answers a later one, bit for bit, without a model.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::daemon::Home;
use crate::support::gemini::{FakeGemini, Fault};

/// Analyzes `s.log` with its own state; returns what was found, without the time it was found at.
fn analyze(home: &Home, config: &str, name: &str) -> (String, String) {
    let file = home.path(&format!("{name}.toml"));
    let state = home.path(&format!("state-{name}"));
    std::fs::write(&file, format!("state_dir = '{}'\n{config}", state.display())).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_logwren"))
        .args(["analyze", "s.log", "--csv", &format!("{name}.csv"), "--config"])
        .arg(&file)
        .current_dir(home.path(""))
        .env_clear()
        .env("HOME", home.path("home"))
        .env("TZ", "UTC")
        .env("GOOGLE_API_KEY", FakeGemini::KEY)
        .output()
        .expect("runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let csv =
        std::fs::read_to_string(home.path(&format!("{name}.csv"))).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader.headers().expect("headers").iter().position(|name| name == "detection_timestamp").expect("there");
    let rows: Vec<String> = reader
        .records()
        .map(|row| {
            let row = row.expect("a row");
            row.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, cell)| cell).collect::<Vec<_>>().join("|")
        })
        .collect();
    (rows.join("\n"), stderr)
}

fn log() -> String {
    let mut log = String::new();
    for minute in 0..40 {
        log.push_str(&format!(
            "2026-03-01T09:{minute:02}:00+00:00 web1 app[7]: request {minute} took {} ms\n",
            minute * 3
        ));
        if minute % 9 == 8 {
            log.push_str(&format!(
                "2026-03-01T09:{minute:02}:01+00:00 web1 ledger[9]: page {minute} is corrupt beyond repair\n"
            ));
            log.push_str(&format!(
                "2026-03-01T09:{minute:02}:02+00:00 web1 pool[{minute}]: the pool lost a worker to a segfault\n"
            ));
        }
    }
    log
}

#[test]
fn a_recorded_run_is_replayed_without_a_model() {
    let gemini = FakeGemini::start();
    // Failures belong to a run too: refused, busy, cut, and then halves.
    gemini.fail([Fault::Overloaded, Fault::CutJson, Fault::AllNormal]);
    let home = Home::new();
    home.write("s.log", &log());
    let tape = home.path("tape.jsonl");
    let recorded = format!(
        "[llm]\nrecord = '{}'\n[llm.gemini]\nbase_url = '{}'\nretry_delay = '10ms'\nrequests_per_minute = 0\n",
        tape.display(),
        gemini.url()
    );
    let (first, stderr) = analyze(&home, &recorded, "recorded");
    assert!(first.contains("model:") && gemini.calls() >= 5, "{} calls: {stderr}\n{first}", gemini.calls());
    let text = std::fs::read_to_string(&tape).expect("a recording");
    assert_eq!(text.lines().count(), gemini.calls() + 1, "a head and a line for each request");
    assert!(!text.contains(FakeGemini::KEY));
    assert_eq!(std::fs::metadata(&tape).expect("there").permissions().mode() & 0o777, 0o600);

    let calls = gemini.calls();
    let replayed = format!("[judge]\nbackend = 'replay'\n[llm.replay]\nfile = '{}'\n", tape.display());
    for name in ["once", "again"] {
        let (rows, stderr) = analyze(&home, &replayed, name);
        assert_eq!(rows, first, "{stderr}");
    }
    assert_eq!(gemini.calls(), calls);

    // Other lines were not recorded: said, and nothing is made up.
    home.write("s.log", &(log() + "2026-03-01T10:00:00+00:00 web1 other[1]: something else altogether\n"));
    let (rows, stderr) = analyze(&home, &replayed, "other");
    assert!(!rows.contains("model:"), "{rows}");
    assert!(stderr.contains("holds no answer to this request") || stderr.contains("replay"), "{stderr}");
}

#[test]
fn a_recording_that_cannot_be_used_is_said() {
    let home = Home::new();
    home.write("s.log", &log());
    home.write("broken.jsonl", "{\"cassette\":9}\n");
    let broken = home.path("broken.jsonl");
    let config =
        |rest: &str| format!("state_dir = '{}'\n[judge]\nbackend = 'replay'\n{rest}", home.path("state").display());
    for (config, part) in [
        (config(&format!("[llm.replay]\nfile = '{}'\n", broken.display())), "is no recorded answer"),
        (config("[llm.replay]\nfile = '/nowhere/tape'\n"), "cannot read the recorded answers in /nowhere/tape"),
        (config(""), "needs a recording"),
    ] {
        home.write("c.toml", &config);
        let output = Command::new(env!("CARGO_BIN_EXE_logwren"))
            .args(["analyze", "s.log", "--config", "c.toml"])
            .current_dir(home.path(""))
            .output()
            .expect("runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(part), "{part}: {stderr}");
    }
}
