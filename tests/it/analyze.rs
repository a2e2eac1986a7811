//! `logwren analyze` as a user runs it: any kind of input, every file it writes, every way a run can end.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::daemon::Home;
use crate::support::gemini::FakeGemini;

/// Nothing of the tester's environment, and files only below the home.
fn command(home: &Home, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logwren"));
    command
        .arg("analyze")
        .args(arguments)
        .current_dir(home.path(""))
        .env_clear()
        .env("HOME", home.path("home"))
        .env("TMPDIR", home.path(""))
        .env("TZ", "UTC");
    command
}

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn run(home: &Home, arguments: &[&str]) -> Run {
    command(home, arguments).stdin(Stdio::null()).output().expect("runs").into()
}

fn piped(home: &Home, arguments: &[&str], input: &[u8]) -> Run {
    let mut child = command(home, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdin.take().expect("piped").write_all(input).expect("taken");
    child.wait_with_output().expect("ends").into()
}

fn report(home: &Home, name: &str) -> Value {
    let text = std::fs::read_to_string(home.path(name)).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).expect("a CSV");
    reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect()
}

/// Cells of one column, without the header.
fn column(rows: &[Vec<String>], name: &str) -> Vec<String> {
    let place =
        rows[0].iter().position(|column| column == name).unwrap_or_else(|| panic!("no {name} in {:?}", rows[0]));
    rows[1..].iter().map(|row| row[place].clone()).collect()
}

const OOM: &str = "Out of memory: Killed process 2711 (mysqld) total-vm:9123456kB, anon-rss:8012345kB";

/// Ordinary lines of a day, an out-of-memory kill at 10:30 among them.
fn syslog() -> String {
    let mut text = String::new();
    for minute in 0..600 {
        let (hour, minute) = (6 + minute / 60, minute % 60);
        text.push_str(&format!(
            "2026-03-01T{hour:02}:{minute:02}:00+00:00 web1 cron[77]: (root) CMD (run-parts {minute})\n"
        ));
        if (hour, minute) == (10, 30) {
            text.push_str(&format!("2026-03-01T10:30:01+00:00 web1 kernel: {OOM}\n"));
        }
    }
    text
}

/// The totals agree with one another and with the rows.
#[track_caller]
fn check_totals(report: &Value, rows: &[Vec<String>]) {
    let sum =
        |name: &str| -> u64 { report[name].as_object().expect("an object").values().filter_map(Value::as_u64).sum() };
    let total = report["total_anomalies"].as_u64().expect("a number");
    assert_eq!(total, rows.len() as u64 - 1);
    assert_eq!(total, sum("anomaly_categories"));
    assert_eq!(total, sum("severity_distribution"));
    let metrics = |name: &str| report["processing_metrics"][name].as_u64().expect("a number");
    assert_eq!(metrics("lines"), metrics("parsed") + metrics("plain") + metrics("skipped"));
    assert!(column(rows, "remediation_steps").iter().all(|steps| !steps.is_empty()));
    let by_incident: u64 =
        report["incidents"].as_array().expect("a list").iter().filter_map(|one| one["rows"].as_u64()).sum();
    assert_eq!(total, by_incident);
}

#[test]
fn a_table_keeps_its_columns_and_runs_no_formula() {
    let home = Home::new();
    home.write(
        "in.csv",
        &format!(
            "severity,Component,When,Content,Time,extra\nINFO,auth,x,\"two\nlines\",2024-01-01 10:00:00,a\nCRIT,kernel,y,\"{OOM}\",2024-01-01 10:02:00,=1+1\n"
        ),
    );
    let run = run(&home, &["in.csv", "--out", "out", "--jsonl", "rows.jsonl"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let rows = rows(&home.path("out/anomalies.csv"));
    assert_eq!(
        rows[0].join(","),
        "original_severity,Component,When,Content,Time,extra,line_number,input,anomaly_reason,remediation_steps,\
         detection_timestamp,confidence_score,severity,category,template_id,detector"
    );
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1][..7], ["CRIT", "kernel", "y", OOM, "2024-01-01 10:02:00", "'=1+1", "4"]);
    assert_eq!(column(&rows, "detector"), ["rule:oom-kill"]);
    assert_eq!(column(&rows, "severity"), ["high"]);
    let report = report(&home, "out/report.json");
    check_totals(&report, &rows);
    assert_eq!(report["summary"], "Detected 1 anomaly across 1 category");
    assert_eq!(report["anomaly_categories"]["Availability"], 1);
    let line = std::fs::read_to_string(home.path("rows.jsonl")).expect("rows");
    let line: Value = serde_json::from_str(&line).expect("one object");
    // A formula is one only in a spreadsheet.
    assert_eq!(line["record"]["extra"], "=1+1");
    assert_eq!(line["line_number"], 4);
}

#[test]
fn wrong_columns_and_broken_quotes_are_named() {
    let home = Home::new();
    home.write("wrong.csv", "id,amount\n1,2\n");
    let wrong = run(&home, &["wrong.csv"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains(
            "wrong.csv could not be read: no column holds the message: found id, amount; needed is one of message"
        ),
        "{}",
        wrong.stderr
    );
    home.write("broken.csv", &format!("message,level,source\n\"never closed,INFO,x\n\"{OOM}\",CRIT,kernel\n"));
    let broken = run(&home, &["broken.csv", "--out", "out"]);
    assert_eq!(broken.code, Some(0));
    assert!(broken.stderr.contains("broken.csv: line 2: a quote is never closed"), "{}", broken.stderr);
    let rows = rows(&home.path("out/anomalies.csv"));
    assert_eq!(column(&rows, "line_number"), ["3"]);
    assert_eq!(report(&home, "out/report.json")["processing_metrics"]["lines"], 2);
}

/// One line of the same log, however it is packed.
#[track_caller]
fn check_packed(name: &str, bytes: &[u8], input: &str) {
    let home = Home::new();
    std::fs::write(home.path(name), bytes).expect("written");
    let run = run(&home, &[name, "--out", "out"]);
    assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
    let rows = rows(&home.path("out/anomalies.csv"));
    assert_eq!(column(&rows, "message"), [OOM], "{name}");
    assert_eq!(column(&rows, "line_number"), ["272"], "{name}");
    assert_eq!(column(&rows, "input"), [input], "{name}");
    assert_eq!(column(&rows, "timestamp"), ["2026-03-01T10:30:01+00:00"], "{name}");
    let report = report(&home, "out/report.json");
    assert_eq!(report["processing_metrics"]["lines"], 601, "{name}");
    check_totals(&report, &rows);
    assert_eq!(report["incidents"][0]["evidence"][0]["line_number"], 272);
    assert!(
        report["incidents"][0]["evidence"][0]["before"][1].as_str().is_some_and(|line| line.contains("run-parts 30"))
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).expect("into memory");
    packer.finish().expect("ends")
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mtime(1_772_400_000);
        builder.append_data(&mut header, name, *bytes).expect("into memory");
    }
    builder.into_inner().expect("ends")
}

#[test]
fn packed_files_and_archives_are_read() {
    let log = syslog();
    check_packed("s.log", log.as_bytes(), "s.log");
    check_packed("s.gz", &gzip(log.as_bytes()), "s.gz");
    check_packed("s.zst", &zstd::encode_all(log.as_bytes(), 1).expect("packs"), "s.zst");
    let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packer.write_all(log.as_bytes()).expect("into memory");
    check_packed("s.bz2", &packer.finish().expect("ends"), "s.bz2");
    let members: &[(&str, &[u8])] = &[("sos/bin", &[0; 600]), ("sos/var/log/syslog.gz", &gzip(log.as_bytes()))];
    check_packed("sos.tar", &archive(members), "sos.tar:sos/var/log/syslog.gz");
    check_packed("sos.tar.gz", &gzip(&archive(members)), "sos.tar.gz:sos/var/log/syslog.gz");
}

#[test]
fn a_cut_file_is_analyzed_as_far_as_it_goes() {
    let home = Home::new();
    let mut packed = gzip(syslog().repeat(40).as_bytes());
    packed.truncate(packed.len() * 9 / 10);
    std::fs::write(home.path("cut.gz"), packed).expect("written");
    let run = run(&home, &["cut.gz", "--out", "out"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("cut.gz ends in the middle (half-written or cut)"), "{}", run.stderr);
    let report = report(&home, "out/report.json");
    assert_eq!(report["complete"], false);
    assert!(report["processing_metrics"]["lines"].as_u64().is_some_and(|lines| lines > 601), "{report}");
    assert!(report["total_anomalies"].as_u64().is_some_and(|rows| rows > 0));
}

#[test]
fn journals_and_standard_input_are_read() {
    let home = Home::new();
    let entry = |at: u64, message: &str| {
        format!(
            "__CURSOR=c{at}\n__REALTIME_TIMESTAMP={at}000000\nPRIORITY=4\nSYSLOG_IDENTIFIER=kernel\n_HOSTNAME=h\nMESSAGE={message}\n\n"
        )
    };
    let export = entry(1_772_400_000, "quiet") + &entry(1_772_400_060, OOM);
    let run = piped(&home, &["-", "--out", "out"], export.as_bytes());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let found = rows(&home.path("out/anomalies.csv"));
    assert_eq!(column(&found, "message"), [OOM]);
    assert_eq!(column(&found, "line_number"), ["8"]);
    assert_eq!(column(&found, "source"), ["kernel"]);
    assert_eq!(column(&found, "input"), ["stdin"]);

    let json =
        format!("{{\"time\":\"2026-03-01T10:00:00Z\",\"level\":\"error\",\"logger\":\"kernel\",\"msg\":\"{OOM}\"}}\n");
    let run = piped(&home, &["-", "--csv", "-"], json.as_bytes());
    // The rows have standard output to themselves.
    assert!(run.stdout.starts_with("timestamp,level,message,source,line_number,input,"), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("2026-03-01T10:00:00+00:00,err,\"{OOM}\",kernel,1,stdin,")), "{}", run.stdout);
}

#[test]
fn rotated_files_are_one_story_and_copies_count_once() {
    let home = Home::new();
    let log = syslog();
    let (old, new) = log.split_at(log.find("2026-03-01T11").expect("there"));
    std::fs::write(home.log("syslog.2.gz"), gzip(old.as_bytes())).expect("written");
    std::fs::write(home.log("syslog"), new).expect("written");
    std::fs::write(home.log("kern.log"), format!("2026-03-01T10:30:01+00:00 web1 kernel: {OOM}\n")).expect("written");
    let run = run(&home, &["log", "--out", "out"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let report = report(&home, "out/report.json");
    let rows = rows(&home.path("out/anomalies.csv"));
    check_totals(&report, &rows);
    assert_eq!(report["processing_metrics"]["lines"], 602);
    assert_eq!(report["inputs"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let home = Home::new();
    let text = syslog();
    std::fs::write(home.path("a.log"), text.replace(" web1 ", " web2 ")).expect("written");
    std::fs::write(home.path("b.log.gz"), gzip(text.as_bytes())).expect("written");
    let mut found = Vec::new();
    for threads in ["1", "2"] {
        let folder = format!("out{threads}");
        let run = run(&home, &["--judge", "off", "--threads", threads, "--out", &folder, "a.log", "b.log.gz"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let rows = rows(&home.path(&format!("{folder}/anomalies.csv")));
        assert!(rows.len() > 2, "{rows:?}");
        let at = rows[0].iter().position(|name| name == "detection_timestamp").expect("a column");
        let rows: Vec<Vec<String>> = rows.into_iter().map(|row| [&row[..at], &row[at + 1..]].concat()).collect();
        let mut report = report(&home, &format!("{folder}/report.json"));
        report["generated_at"] = Value::Null;
        report["processing_metrics"]["processing_time"] = Value::Null;
        found.push((rows, report));
    }
    assert_eq!(found[0], found[1]);
}

#[test]
fn what_is_before_since_only_teaches() {
    let home = Home::new();
    let error = |minute: u32, what: &str| format!("2026-03-01T10:{minute:02}:00 web1 app[1]: ERROR {what}\n");
    let mut log =
        syslog().lines().filter(|line| !line.contains("kernel")).map(|line| format!("{line}\n")).collect::<String>();
    let at = log.find("2026-03-01T10:05").expect("there");
    log.insert_str(at, &error(4, "cache is cold"));
    let at = log.find("2026-03-01T10:45").expect("there");
    log.insert_str(at, &(error(44, "cache is cold") + &error(44, "quorum of the ledger was refused")));
    home.write("app.log", &log);
    let run = run(
        &home,
        &[
            "app.log",
            "--since",
            "2026-03-01 10:30",
            "--until",
            "2026-03-01 12:00",
            "--out",
            "out",
            "--fail-on",
            "medium",
        ],
    );
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let rows = rows(&home.path("out/anomalies.csv"));
    let messages = column(&rows, "message");
    assert!(messages.iter().any(|message| message.contains("quorum")), "{messages:?}");
    assert!(!messages.iter().any(|message| message.contains("cache")), "{messages:?}");
    let report = report(&home, "out/report.json");
    check_totals(&report, &rows);
    let metrics = &report["processing_metrics"];
    assert_eq!(metrics["baseline_lines"], 271);
    assert_eq!(
        metrics["lines"].as_u64().zip(metrics["skipped"].as_u64()).map(|(all, skipped)| all - skipped),
        Some(92)
    );
    // The same as a baseline of its own.
    home.write("normal.log", log.get(..at).expect("lines"));
    let run = self::run(&home, &["app.log", "--baseline", "normal.log", "--csv", "b.csv"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let messages = column(&self::rows(&home.path("b.csv")), "message");
    assert!(messages.iter().any(|message| message.contains("quorum")), "{messages:?}");
    assert!(!messages.iter().any(|message| message.contains("cache")), "{messages:?}");
}

#[test]
fn a_verdict_flags_lines_that_have_passed() {
    let gemini = FakeGemini::start();
    let home = Home::new();
    let config = home.config(&format!(
        "[llm.gemini]\nbase_url = {:?}\nretry_delay = '10ms'\nrequests_per_minute = 0\n",
        gemini.url()
    ));
    let config = config.display().to_string();
    let mut log = syslog();
    for minute in [15, 45] {
        let at = log.find(&format!("2026-03-01T09:{minute}")).expect("there");
        log.insert_str(
            at,
            &format!("2026-03-01T09:{minute}:00+00:00 web1 ledger[9]: page {minute} is corrupt beyond repair\n"),
        );
    }
    home.write("s.log", &log);
    // As the original system: the key lies beside the input.
    home.write(".env", &format!("GOOGLE_API_KEY={}\n", FakeGemini::KEY));
    let run = run(&home, &["s.log", "--config", &config, "--out", "out"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("is asked (key from ./.env)"), "{}", run.stderr);
    let found = rows(&home.path("out/anomalies.csv"));
    let report = report(&home, "out/report.json");
    check_totals(&report, &found);
    let judged: Vec<&Vec<String>> =
        found.iter().filter(|row| row.iter().any(|cell| cell.starts_with("model:"))).collect();
    assert_eq!(judged.len(), 2, "{found:?}");
    assert_eq!(column(&found, "line_number"), ["196", "227", "274"]);
    let metrics = &report["processing_metrics"];
    assert_eq!(metrics["api_calls_made"], gemini.calls() as u64);
    assert!(metrics["tokens_in"].as_u64().is_some_and(|tokens| tokens > 0));
    // What was answered is known.
    let calls = gemini.calls();
    let again = self::run(&home, &["s.log", "--config", &config, "--csv", "again.csv"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(gemini.calls(), calls);
    assert_eq!(column(&rows(&home.path("again.csv")), "line_number"), ["196", "227", "274"]);
}

#[test]
fn every_line_can_be_judged() {
    let gemini = FakeGemini::start();
    let home = Home::new();
    let config = home.config(&format!(
        "[llm.gemini]\nbase_url = {:?}\nretry_delay = '10ms'\nrequests_per_minute = 0\n",
        gemini.url()
    ));
    home.write("in.csv", "message,level\nall is well,INFO\ndisk is corrupt,INFO\nall is well again,INFO\n");
    let mut command =
        command(&home, &["in.csv", "--config", &config.display().to_string(), "--judge", "lines", "--csv", "a.csv"]);
    let run = Run::from(command.env("GOOGLE_API_KEY", FakeGemini::KEY).output().expect("runs"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let rows = rows(&home.path("a.csv"));
    assert_eq!(column(&rows, "message"), ["disk is corrupt"]);
    assert_eq!(column(&rows, "line_number"), ["3"]);
}

#[test]
fn without_a_key_it_says_so_once_and_a_pipe_gets_no_bar() {
    let home = Home::new();
    home.write(
        "s.log",
        &(syslog()
            + "2026-03-01T17:00:00+00:00 web1 kernel: Out of memory: Killed process 1 (\x1b[2J\x1b]0;owned\x07) x\n"),
    );
    let run = run(&home, &["s.log"]);
    assert_eq!(run.code, Some(0));
    assert_eq!(run.stderr, "no model is asked: GOOGLE_API_KEY is not set (local rules and detectors only)\n");
    assert!(run.stdout.contains("602 lines (602 parsed, 0 plain, 0 skipped)"), "{}", run.stdout);
    assert!(run.stdout.contains("Out of memory"), "{}", run.stdout);
    assert!(!run.stdout.contains('\x1b') && !run.stdout.contains('\x07'), "{:?}", run.stdout);
    let quiet = self::run(&home, &["s.log", "--quiet"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(self::run(&home, &["s.log", "--judge", "off"]).stderr, "");
}

#[test]
fn an_interrupted_run_writes_what_there_is() {
    let home = Home::new();
    let mut child = command(&home, &["-", "--out", "out", "--judge", "off"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut input = child.stdin.take().expect("piped");
    // More than a pipe holds: when it is taken, the signal is expected.
    input.write_all(syslog().repeat(20).as_bytes()).expect("taken");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .expect("sent");
    let run = Run::from(child.wait_with_output().expect("ends"));
    drop(input);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("interrupted: what was read until then is reported"), "{}", run.stderr);
    assert_eq!(report(&home, "out/report.json")["complete"], false);
    assert!(home.path("out/report.html").exists() && home.path("out/anomalies.csv").exists());
}

#[test]
fn the_report_is_as_its_schema_says() {
    let home = Home::new();
    home.write("s.log", &syslog());
    assert_eq!(run(&home, &["s.log", "--json", "r.json", "--sarif", "r.sarif"]).code, Some(0));
    let schema: Value = serde_json::from_str(&run(&home, &["--schema"]).stdout).expect("JSON");
    let mut wrong = Vec::new();
    against(&schema, &report(&home, "r.json"), "report", &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let sarif = report(&home, "r.sarif");
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "rule:oom-kill");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 272);
}

/// The part of JSON Schema that ours uses; a key the schema does not know is a mistake of the schema.
fn against(schema: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |name: &Value| name == kind || name == "number" && kind == "integer";
    let types = &schema["type"];
    if !(types.is_null() || fits(types) || types.as_array().is_some_and(|types| types.iter().any(fits))) {
        wrong.push(format!("{place} is {kind}, not {types}"));
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        wrong.push(format!("{place} is {value}"));
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        wrong.push(format!("{place} is {value}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            wrong.push(format!("{place}.{name} is missing"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(known), _) | (None, Some(known)) => against(known, inner, &format!("{place}.{name}"), wrong),
            (None, None) => wrong.push(format!("{place}.{name} is unknown to the schema")),
        }
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        against(&schema["items"], inner, &format!("{place}[{index}]"), wrong);
    }
}

#[test]
fn incidents_are_told_while_the_log_is_read() {
    let home = Home::new();
    let mut child = command(&home, &["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut input = child.stdin.take().expect("piped");
    // The first lines teach, so they are read twice; the rest of a block comes when it is full.
    let lines = syslog();
    let mut told = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().expect("piped"));
    for _ in 0..20 {
        input.write_all(lines.as_bytes()).expect("taken");
    }
    // Standard input is still open.
    std::io::BufRead::read_line(&mut out, &mut told).expect("a line");
    assert!(told.starts_with("2026-03-01 10:30:01  high      kernel: "), "{told}");
    drop(input);
    assert!(child.wait().expect("ends").success());
}
