//! What a config would have said of old logs, and what another one changes.

use std::process::{Command, Output};

use crate::support::daemon::{Home, append};

fn backtest(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logwren"));
    command.arg("backtest").args(words).env_remove("GOOGLE_API_KEY").env("TZ", "UTC").output().expect("runs")
}

#[track_caller]
fn said(words: &[&str]) -> String {
    let output = backtest(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Nine ordinary days with an old crash, then a day with a crash and three failed tries of `su`.
fn logs(home: &Home) -> String {
    let oom = "kernel: Out of memory: Killed process 2711 (mysqld) total-vm:9123456kB, anon-rss:8012345kB";
    let mut text = String::new();
    for hour in 0..240 {
        let (day, hour) = (hour / 24 + 1, hour % 24);
        text.push_str(&format!("2026-01-{day:02}T{hour:02}:00:00Z web-03 app[7]: record {hour} is fine\n"));
        if (day, hour) == (3, 5) || (day, hour) == (10, 5) {
            text.push_str(&format!("2026-01-{day:02}T{hour:02}:30:00Z web-03 {oom}\n"));
        }
    }
    for minute in 1..4 {
        text.push_str(&format!("2026-01-10T23:{minute:02}:00Z web-03 su: FAILED SU (to root) eve on pts/1\n"));
    }
    append(&home.log("app.log"), &text);
    home.log("app.log").display().to_string()
}

#[test]
fn what_would_have_alerted_and_what_a_new_config_changes() {
    let home = Home::new();
    let logs = logs(&home);
    let current = home.config("").display().to_string();
    let now = said(&["--against", &current, "--since", "1d", &logs]);
    assert!(now.contains("would have alerted 2 times (medium and above)"), "{now}");
    assert!(now.contains("1  rule:oom-kill") && now.contains("1  rule:su-failures"), "{now}");

    std::fs::create_dir(home.path("new.d")).expect("made");
    home.write("new.d/mine.toml", "[[rules]]\nname = 'oom-kill'\nenabled = false\n");
    let rules = home.path("new.d");
    let severity = "[[severity_rules]]\nmatch = { detector = 'rule:su-failures' }\nseverity = 'critical'\n";
    let new = home.write("new.toml", &format!("rules_dir = {rules:?}\n{severity}")).display().to_string();
    let words = ["--against", &current, "--since", "1d", "--config", &new, &logs];
    let changes = said(&words);
    assert!(changes.contains("would have alerted 1 times instead of 2"), "{changes}");
    assert!(changes.contains("0 new, 1 gone, 1 of another severity"), "{changes}");
    assert!(changes.contains("1 -> 0      rule:oom-kill"), "{changes}");
    assert!(changes.contains("~ medium -> critical"), "{changes}");

    let json = said(&[&words[..], &["--json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(report["would_have_alerted"], 1);
    assert_eq!(report["against_current"]["gone"][0]["judged_by"], "rule:oom-kill");
    assert_eq!(report["against_current"]["severity_changed"][0]["was"], "medium");
}

#[test]
fn a_wrong_config_and_a_stream_are_refused() {
    let home = Home::new();
    let logs = logs(&home);
    let wrong = home.write("wrong.toml", "[batch]\nsize = 'many'\n").display().to_string();
    assert_eq!(backtest(&["--config", &wrong, &logs]).status.code(), Some(64));
    assert_eq!(backtest(&["-"]).status.code(), Some(64));
    assert_eq!(backtest(&[&format!("{logs}.none")]).status.code(), Some(2));
}
