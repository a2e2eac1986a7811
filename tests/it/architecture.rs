//! Holds the import table of DESIGN section 4: which room may know which. Reads source text, runs nothing.

use std::collections::BTreeMap;
use std::path::Path;

/// Room, and what of ours it may import besides itself. `main` may import anything.
const TABLE: &[(&str, &[&str])] = &[
    // floor 0
    ("redact", &[]),
    ("model", &["redact"]),
    ("registry", &[]),
    ("exit", &[]),
    ("telemetry", &[]),
    // floor 1: strangers to one another
    ("parse", &["model"]),
    ("mine", &["model"]),
    ("batch", &["model"]),
    ("detect", &["model", "registry"]),
    ("judge", &["model", "redact"]),
    ("triage", &["model"]),
    ("route", &["model"]),
    // floor 2
    (
        "pipeline",
        &[
            "model",
            "redact",
            "registry",
            "parse",
            "mine",
            "batch",
            "detect",
            "judge",
            "triage",
            "route",
            "telemetry",
            "exit",
        ],
    ),
    // wet: all the I/O
    ("source", &["model", "registry", "telemetry"]),
    ("egress", &["model"]),
    ("llm", &["model", "registry", "telemetry", "egress"]),
    ("deliver", &["model", "registry", "telemetry", "redact", "egress"]),
    ("store", &["model", "registry", "telemetry"]),
    // windows
    ("report", &["model", "store", "telemetry"]),
    ("web", &["model", "store", "telemetry", "report"]),
    // top
    (
        "config",
        &[
            "model",
            "redact",
            "parse",
            "mine",
            "batch",
            "detect",
            "judge",
            "triage",
            "route",
            "pipeline",
            "source",
            "llm",
            "deliver",
            "store",
            "report",
            "web",
            "telemetry",
        ],
    ),
    ("driver", &["model", "pipeline", "source", "llm", "deliver", "store", "telemetry", "registry"]),
    (
        "daemon",
        &[
            "model",
            "redact",
            "registry",
            "parse",
            "mine",
            "batch",
            "detect",
            "judge",
            "triage",
            "route",
            "pipeline",
            "source",
            "llm",
            "deliver",
            "egress",
            "store",
            "report",
            "web",
            "config",
            "driver",
            "telemetry",
            "exit",
        ],
    ),
    (
        "analysis",
        &[
            "model", "redact", "parse", "detect", "judge", "pipeline", "source", "llm", "egress", "store", "report",
            "config", "driver", "daemon", "exit",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "redact",
            "registry",
            "parse",
            "mine",
            "batch",
            "detect",
            "judge",
            "triage",
            "route",
            "pipeline",
            "source",
            "llm",
            "deliver",
            "egress",
            "store",
            "report",
            "web",
            "config",
            "driver",
            "daemon",
            "analysis",
            "telemetry",
            "exit",
        ],
    ),
];

/// Pure rooms: no I/O, no processes, no clock, no randomness of their own.
const PURE: &[&str] =
    &["redact", "model", "registry", "parse", "mine", "batch", "detect", "judge", "triage", "route", "pipeline"];

const IMPURE: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::process",
    "std::thread",
    "std::env::",
    "tokio::",
    "reqwest",
    "rusqlite",
    "lettre",
    "notify::",
    "linemux",
    "SystemTime::now",
    "Instant::now",
    "jiff::Timestamp::now",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "fastrand::",
    "println!",
    "eprintln!",
];

/// Every `crate::room` a file names, outside comments. Test modules count too: they are code of the room.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().map(without_comment) {
        for part in line.split("crate::").skip(1) {
            let word: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            match part.strip_prefix('{') {
                // `use crate::{a::B, c}`: the names right after `{` and `,` at depth one.
                Some(list) => {
                    let mut depth = 0;
                    let mut name = String::new();
                    for c in list.chars() {
                        match c {
                            '{' => depth += 1,
                            '}' if depth == 0 => break,
                            '}' => depth -= 1,
                            ',' if depth == 0 => found.push(std::mem::take(&mut name).trim().to_owned()),
                            _ if depth == 0 => name.push(c),
                            _ => {}
                        }
                    }
                    found.push(name.trim().to_owned());
                }
                None => found.push(word),
            }
        }
    }
    found
        .into_iter()
        .map(|name| name.split("::").next().unwrap_or_default().to_owned())
        .filter(|n| !n.is_empty())
        .collect()
}

fn without_comment(line: &str) -> &str {
    let trimmed = line.trim_start();
    if trimmed.starts_with("//") { "" } else { line.split(" // ").next().unwrap_or(line) }
}

fn violations(room: &str, text: &str) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = TABLE.iter().copied().collect();
    let mut wrong: Vec<String> = imports(text)
        .into_iter()
        .filter(|name| allowed.contains_key(name.as_str()) && name != room)
        .filter(|name| !allowed.get(room).is_some_and(|list| list.contains(&name.as_str())))
        .map(|name| format!("{room} imports {name}"))
        .collect();
    if PURE.contains(&room) {
        let code: String = text
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .lines()
            .map(without_comment)
            .fold(String::new(), |all, line| all + line + "\n");
        wrong.extend(IMPURE.iter().filter(|word| code.contains(**word)).map(|word| format!("{room} uses {word}")));
    }
    wrong
}

pub fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(&root).expect("inside src").to_string_lossy().into_owned();
                files.push((name, std::fs::read_to_string(&path).expect("source is text")));
            }
        }
    }
    files.sort();
    assert!(files.len() > 50, "the walk found only {} files", files.len());
    files
}

fn room_of(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

#[test]
fn no_room_imports_against_the_table() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let room = room_of(&file);
        if !matches!(room, "main" | "lib") {
            wrong.extend(violations(room, &text).into_iter().map(|w| format!("src/{file}: {w}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_is_in_the_table() {
    for (file, _) in sources() {
        let room = room_of(&file);
        assert!(
            matches!(room, "main" | "lib") || TABLE.iter().any(|(name, _)| *name == room),
            "src/{file} is in no floor"
        );
    }
}

#[test]
fn a_planted_wrong_import_is_found() {
    assert_eq!(violations("mine", "use crate::detect::Detect;"), ["mine imports detect"]);
    assert_eq!(violations("parse", "use crate::{model::{Level, Header}, store::Store};"), ["parse imports store"]);
    assert_eq!(violations("route", "let x = crate::deliver::Deliverers::new();"), ["route imports deliver"]);
    assert_eq!(violations("detect", "let now = std::time::SystemTime::now();"), ["detect uses SystemTime::now"]);
    assert_eq!(violations("cli", "use crate::daemon; use crate::store::Reader;"), [""; 0]);
    assert_eq!(violations("mine", "// use crate::detect::Detect;\nuse crate::model::Level;"), [""; 0]);
}
