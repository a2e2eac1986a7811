//! `logwren eval` over the built binary: labels are taken off, counted, and compared with what detection says.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// Runs `eval` and gives its JSON.
fn eval(state: &Path, words: &[&str]) -> Value {
    let mut command = Command::cargo_bin("logwren").expect("the binary");
    let output = command.arg("eval").args(words).arg("--json").arg("--state-dir").arg(state).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Two hours of a service; from the second hour on it also fails, which is labelled.
fn labelled() -> String {
    let mut lines = String::new();
    for minute in 0..1_000 {
        let time = format!("2024-05-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
        lines.push_str(&format!("- {time} h app[7]: request {minute} served\n"));
        if minute > 600 && minute % 10 == 0 {
            lines.push_str(&format!("DISK {time} h app[7]: ERROR cannot write block {minute}\n"));
        }
    }
    lines
}

#[test]
fn first_column() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("app.log");
    fs::write(&log, labelled()).expect("to write it");
    let log = log.to_str().expect("UTF-8");
    let report = eval(directory.path(), &[log, "--labels", "first-column"]);
    assert_eq!(report["labels"][0]["label"], "DISK");
    assert_eq!(report["lines"]["all"], 1_039);
    assert_eq!(report["lines"]["recall"], 1.0, "{report}");
    assert_eq!(report["lines"]["precision"], 1.0, "{report}");
    assert_eq!(report["judge"]["calls"], 1, "{report}");
    // A model that knows the labels is right about kinds that have one label each.
    let report = eval(directory.path(), &[log, "--labels", "first-column", "--judge", "oracle"]);
    assert_eq!(report["lines"]["f1"], 1.0, "{report}");
}

#[test]
fn labels_in_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("to write it");
        path.to_str().expect("UTF-8").to_owned()
    };
    let plain: String =
        labelled().lines().map(|line| line.split_once(' ').expect("a label").1.to_owned() + "\n").collect();
    let odd = labelled()
        .lines()
        .zip(1..)
        .filter(|(line, _)| line.starts_with("DISK"))
        .map(|(_, number)| format!("{number},disk\n"))
        .collect::<String>();
    let log = write("app.log", &plain);
    let lines = write("app.log.labels.csv", &format!("line,labels\n{odd}"));
    assert_eq!(eval(directory.path(), &[&log, "--labels", &lines])["lines"]["f1"], 1.0);
    let sessions = write("sessions.csv", "id,Label\n610,Anomaly\n611,Normal\n");
    let report = eval(directory.path(), &[&log, "--labels", &sessions]);
    assert_eq!((&report["sessions"]["all"], &report["sessions"]["hits"]), (&2.into(), &1.into()));
}
