//! What differs between two logs, as a user sees it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::daemon::Home;

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logwren"));
    command.arg("compare").args(words).env_remove("GOOGLE_API_KEY").env("TZ", "UTC");
    command
}

fn compare(words: &[&str]) -> Output {
    command(words).stdin(Stdio::null()).output().expect("runs")
}

fn json(words: &[&str]) -> Value {
    let output = compare(&[words, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A day of a service: `requests` requests and as many jobs, and what else happened.
fn day(day: u32, requests: u32, timeouts: u32, rest: &str) -> String {
    let mut text = String::new();
    for number in 0..requests {
        let (hour, minute, second) = (number / 3600 % 24, number / 60 % 60, number % 60);
        let stamp = format!("2026-03-{day:02}T{hour:02}:{minute:02}:{second:02}Z web1");
        text.push_str(&format!("{stamp} nginx[7]: request {number} took {} ms\n", number % 50));
        text.push_str(&format!("{stamp} worker[8]: job {number} done for user u{}\n", number % 9));
        text.push_str(&format!("{stamp} cron[9]: tick {number}\n"));
        if number < timeouts {
            text.push_str(&format!("{stamp} app[3]: upstream timed out after {number} s\n"));
        }
    }
    text + rest
}

fn templates(report: &Value, sort: &str) -> Vec<String> {
    let rows = report[sort].as_array().expect("a list");
    rows.iter()
        .map(|row| format!("{}: {}", row["program"].as_str().expect("text"), row["template"].as_str().expect("text")))
        .collect()
}

#[test]
fn before_and_after_a_deploy() {
    let home = Home::new();
    let old = "2026-03-01T23:00:00Z web1 app[3]: cache warmed up\n";
    let new = "<11>1 2026-03-02T23:00:00Z web1 app 3 - - payment gateway refused token\n\
               2026-03-02T23:00:00Z web1 app[3]: \u{1b}[2Jfeature flag enabled\n";
    let a = home.write("a.log", &day(1, 300, 5, old));
    // Half as long, and many more timeouts.
    let b = home.write("b.log", &day(2, 150, 120, new));
    let (a, b) = (a.display().to_string(), b.display().to_string());
    let report = json(&[&a, &b]);
    assert_eq!(report["a"]["lines"], 906);
    assert_eq!(templates(&report, "gone"), ["app: cache warmed up"]);
    assert_eq!(templates(&report, "louder"), ["app: upstream timed out after <NUM> s"]);
    assert_eq!(templates(&report, "quieter"), [""; 0]);
    assert_eq!(templates(&report, "new").len(), 2);
    let scale = report["scale"].as_f64().expect("a number");
    assert!((0.45..0.55).contains(&scale), "{scale}");
    let louder = &report["louder"][0];
    assert_eq!((louder["a"].as_u64(), louder["b"].as_u64()), (Some(5), Some(120)));
    assert!(louder["ratio"].as_f64().expect("a number") > 40.0 && louder["strength"].as_f64().expect("a number") > 4.0);
    assert_eq!(report["new"][0]["line_number"], 571);

    let text = compare(&[&a, &b]);
    let said = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(said.contains("2 new, 1 gone, 1 louder, 0 quieter, 3 the same"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");

    for (what, code) in [("new", 1), ("quieter", 0), ("quieter,gone", 1)] {
        assert_eq!(compare(&[&a, &b, "--fail-on", what]).status.code(), Some(code), "{what}");
    }
    assert_eq!(compare(&[&a, &a, "--fail-on", "new,gone,louder,quieter"]).status.code(), Some(0));
    assert_eq!(compare(&[&a, &home.path("absent").display().to_string()]).status.code(), Some(2));
    assert_eq!(compare(&["-", "-"]).status.code(), Some(64));
}

#[test]
fn one_side_may_come_through_a_pipe_and_the_other_be_a_table() {
    let home = Home::new();
    let mut table = "time,level,message,source\n".to_owned();
    for number in 0..50 {
        table.push_str(&format!("2026-03-01 10:00:{:02},info,step {number} passed,ci\n", number % 60));
    }
    let a = home.write("a.csv", &table);
    let mut child = command(&[&a.display().to_string(), "-", "--json", "--level", "err"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let piped =
        table + "2026-03-01 10:01:00,error,assertion failed in step 51,ci\n2026-03-01 10:01:00,info,retrying,ci\n";
    child.stdin.take().expect("piped").write_all(piped.as_bytes()).expect("taken");
    let output = child.wait_with_output().expect("ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(templates(&report, "new"), ["ci: assertion failed in step <NUM>"]);
}
